/*-------------------------------------------------------------------------
 *
 * name_value.c
 *	  Options written as "name=value".
 *
 *-------------------------------------------------------------------------
 */
#include "server/name_value.h"

#include "catalog/pg_type.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"

NameValue
name_value_parse(const char *text, const char *kind, const char *example)
{
	const char *equals = strchr(text, '=');
	NameValue	result;

	if (equals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s: \"%s\"", kind, text),
				 errdetail("Options have the form name=value."),
				 example == NULL ? 0 :
				 errhint("For example '%s'.", example)));
	result.name = pnstrdup(text, equals - text);
	result.value = pstrdup(equals + 1);
	return result;
}

NameValue *
name_value_parse_array(ArrayType *array, const char *kind,
					   const char *example, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	NameValue  *result;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, count);
	result = palloc(mul_size(Max(*count, 1), sizeof(NameValue)));
	for (int i = 0; i < *count; i++)
		result[i] = name_value_parse(nulls[i] ? "" :
									 TextDatumGetCString(elements[i]),
									 kind, example);
	return result;
}

const char *
name_value_match(const char *text, const char *name)
{
	Size		length = strlen(name);

	return strncmp(text, name, length) == 0 && text[length] == '=' ?
		text + length + 1 : NULL;
}
