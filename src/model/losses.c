/*-------------------------------------------------------------------------
 *
 * losses.c
 *	  The loss in the course of a training, kept with its model.
 *
 * It is an option of the description: so it is dumped, replicated and renamed
 * with the table, and gone when other rows take the place of those trained.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model.h"

#include <math.h>

#include "lib/stringinfo.h"

#define NAME "losses"

/* Equal shares of the training are joined to their mean. */
void
model_definition_losses(ModelDefinition *definition, int count,
						const double *losses)
{
	int			places = Min(count, OPTION_MOST_NUMBERS);
	StringInfoData list;

	initStringInfo(&list);
	for (int place = 0; place < places; place++)
	{
		int			first = (int) ((int64) place * count / places);
		int			last = (int) ((int64) (place + 1) * count / places);
		double		sum = 0;
		int			known = 0;

		for (int i = first; i < last; i++)
		{
			if (!isfinite(losses[i]))
				continue;
			sum += losses[i];
			known++;
		}
		if (known > 0)
			appendStringInfo(&list, "%s%.6g", list.len > 0 ? "," : "",
							 sum / known);
	}
	if (list.len > 0)
		model_definition_text(definition, NAME, list.data);
	pfree(list.data);
}

int
model_losses(const ModelDescription *description,
			 double losses[OPTION_MOST_NUMBERS])
{
	const OptionDeclaration *declaration =
		option_find(description->method->options, NAME);
	const OptionValue *value;

	if (declaration == NULL)
		return 0;
	value = model_option(description, NAME);
	return value->given ? option_numbers(declaration, value->text, losses) :
		0;
}
