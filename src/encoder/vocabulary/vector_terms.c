/*-------------------------------------------------------------------------
 *
 * vector_terms.c
 *	  vector_terms: the terms behind the largest elements of a vector.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/vocabulary.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "utils/builtins.h"

EMBED_FUNCTION(vector_terms);

typedef struct Element
{
	int32		index;
	float		value;
} Element;

/* larger values first, then lower indexes */
static int
compare_elements(const void *a, const void *b)
{
	const Element *x = a;
	const Element *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static Element *
sorted_elements(SparseVector *vector)
{
	Element    *elements = palloc(sizeof(Element) * Max(1, vector->count));
	float	   *values = SPARSEVEC_VALUES(vector);

	for (int i = 0; i < vector->count; i++)
	{
		elements[i].index = vector->index[i];
		elements[i].value = values[i];
	}
	qsort(elements, vector->count, sizeof(Element), compare_elements);
	return elements;
}

Datum
vector_terms(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	SparseVector *vector = PG_GETARG_SPARSEVEC(1);
	int			count = PG_GETARG_INT32(2);
	Vocabulary	vocabulary;
	Element    *elements;
	struct ReturnSetInfo *result;

	vocabulary_attach(&vocabulary, model);
	if (vector->dims != vocabulary.dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different sparsevec dimensions %d and %d",
						vector->dims, vocabulary.dims),
				 errdetail("Vectors of model \"%s\" have %d dimensions.",
						   model->description->table_name, vocabulary.dims)));
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be negative")));

	result = set_result_begin(fcinfo);
	elements = sorted_elements(vector);
	for (int i = 0; i < Min(count, vector->count); i++)
	{
		const VocabularyEntry *entry =
			vocabulary_entry_of_id(&vocabulary, elements[i].index + 1);
		Datum		values[2] = {0, Float8GetDatum(elements[i].value)};
		bool		nulls[2] = {entry == NULL, false};

		if (entry != NULL)
			values[0] = PointerGetDatum(cstring_to_text_with_len(
				vocabulary.texts + entry->text, entry->length));
		set_result_add(result, values, nulls);
	}
	return (Datum) 0;
}
