/*-------------------------------------------------------------------------
 *
 * tunable.c
 *	  Models that can be fitted to examples, and what they take over from
 *	  the model that they come from.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "model/tunable.h"

const Tunable *
model_tunable(const ModelDescription *description)
{
	const Tunable *tunable = description->method->tunable;

	if (tunable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embedding model \"%s\" cannot be tuned",
						description->table_name),
				 errdetail("It is a model of method \"%s\".",
						   description->method->name),
				 errhint("Word vectors, LSA, static models, ELMo and transformers can.")));
	return tunable;
}

/* What the new model does not take over: how its base came about */
static bool
is_history(const char *name)
{
	return strcmp(name, MODEL_HISTORY) == 0 || strcmp(name, "losses") == 0;
}

void
model_definition_replace(ModelDefinition *definition, const char *option,
						 const char *value)
{
	ListCell   *cell;

	foreach(cell, definition->options)
	{
		ModelOption *given = lfirst(cell);

		if (strcmp(given->name, option) == 0)
		{
			given->value = pstrdup(value);
			return;
		}
	}
	model_definition_text(definition, option, value);
}

void
model_definition_like(ModelDefinition *definition,
					  const ModelDescription *base)
{
	for (int i = 0; i < base->option_count; i++)
	{
		if (!is_history(base->options[i].name))
			definition->options =
				model_option_append(definition->options,
									base->options[i].name,
									base->options[i].value);
	}
}
