/*-------------------------------------------------------------------------
 *
 * method.c
 *	  The methods that this build of the library knows.
 *
 * Encoders live on a higher floor and make themselves known at load, from
 * _PG_init; nothing here depends on which there are.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"
#include "server/extension.h"

#define MAX_METHODS 32

static const ModelMethod *methods[MAX_METHODS];
static int	method_count = 0;

void
model_method_register(const ModelMethod *method)
{
	if (model_method_find(method->name) != NULL)
		return;
	if (method_count == MAX_METHODS)
		elog(ERROR, "too many embedding methods");
	Assert(method->column_count <= MODEL_MAX_COLUMNS);
	Assert(method->image_sections < MODEL_MAX_SECTIONS);	/* one is ours */
	Assert(strcmp(method->columns[0].name, "id") == 0);
	methods[method_count++] = method;
}

const ModelMethod *
model_method_find(const char *name)
{
	for (int i = 0; i < method_count; i++)
	{
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i];
	}
	return NULL;
}

/* Names of all methods, for the hint of an error */
const char *const *
model_method_names(void)
{
	const char **names = palloc((method_count + 1) * sizeof(char *));

	for (int i = 0; i < method_count; i++)
		names[i] = methods[i]->name;
	names[method_count] = NULL;
	return names;
}
