/*-------------------------------------------------------------------------
 *
 * heavy_terms.c
 *	  The terms of a vocabulary that weigh most.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/vocabulary/heavy_terms.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

HeavyTerm *
heavy_terms_allocate(int count)
{
	return palloc_extended(mul_size(Max(count, 1), sizeof(HeavyTerm)),
						   MCXT_ALLOC_HUGE);
}

/* The heaviest first, of equal ones that with the smaller dimension. */
static int
compare_weights(const void *a, const void *b)
{
	const HeavyTerm *x = a;
	const HeavyTerm *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->dimension - y->dimension;
}

int
heavy_terms(const Vocabulary *vocabulary, HeavyTerm *terms, int count,
			int most)
{
	int			kept = 0;

	qsort(terms, count, sizeof(HeavyTerm), compare_weights);
	for (int i = 0; i < count && kept < most && terms[i].weight > 0; i++)
	{
		HeavyTerm	term = terms[i];

		term.entry = vocabulary_entry_of_id(vocabulary, term.dimension + 1);
		if (term.entry != NULL)
			terms[kept++] = term;
	}
	return kept;
}

void
heavy_term_values(const Vocabulary *vocabulary, const HeavyTerm *term,
				  Datum *values)
{
	const char *text = vocabulary->texts + term->entry->text;

	values[0] = PointerGetDatum(cstring_to_text_with_len(text,
														 term->entry->length));
	values[1] = Float8GetDatum(term->weight);
}
