/*-------------------------------------------------------------------------
 *
 * max_sim.c
 *	  How well the tokens of a document answer those of a query.
 *
 * Each vector of the query takes its largest inner product with a vector of
 * the document; the score is their sum (ColBERT's MaxSim: Khattab and Zaharia,
 * SIGIR 2020, arXiv 2004.12832, section 3.3).  Elements that are NULL, tokens
 * of which a model knows nothing, take no part.
 *
 *-------------------------------------------------------------------------
 */
#include "type/vector.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "type/element.h"
#include "utils/array.h"

EMBED_FUNCTION(max_sim);

typedef struct TokenVectors
{
	Vector	  **vectors;
	int			count;
} TokenVectors;

/* The vectors of an array, all of one number of dimensions. */
static TokenVectors
read_vectors(ArrayType *array)
{
	TokenVectors result = {NULL, 0};
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT,
					  &values, &nulls, &count);
	result.vectors = palloc(sizeof(Vector *) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		result.vectors[result.count] = DatumGetVector(values[i]);
		check_same_dims(&vector_type, result.vectors[0]->dims,
						result.vectors[result.count]->dims);
		result.count++;
	}
	return result;
}

/* max_sim(query, document) -> float8; NULL if one of them has no vector */
Datum
max_sim(PG_FUNCTION_ARGS)
{
	TokenVectors query = read_vectors(PG_GETARG_ARRAYTYPE_P(0));
	TokenVectors document = read_vectors(PG_GETARG_ARRAYTYPE_P(1));
	double		sum = 0;

	if (query.count == 0 || document.count == 0)
		PG_RETURN_NULL();
	check_same_dims(&vector_type, query.vectors[0]->dims,
					document.vectors[0]->dims);
	for (int q = 0; q < query.count; q++)
	{
		const Vector *token = query.vectors[q];
		double		largest = -INFINITY;

		CHECK_FOR_INTERRUPTS();
		for (int d = 0; d < document.count; d++)
			largest = Max(largest,
						  (double) vector_inner_kernel(
							  token->dims, token->x,
							  document.vectors[d]->x));
		sum += largest;
	}
	PG_RETURN_FLOAT8(sum);
}
