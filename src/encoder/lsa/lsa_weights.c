/*-------------------------------------------------------------------------
 *
 * lsa_weights.c
 *	  What a term weighs in a document, in training and when a text is folded
 *	  in.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/lsa/lsa.h"

const char *const lsa_weightings[] = {"tfidf", "log_entropy", NULL};

void
lsa_weighting_read(LsaWeighting *weighting,
				   const ModelDescription *description)
{
	weighting->log_entropy = model_option_int(description, "weighting") == 1;
	weighting->tfidf.tf = (TfWeighting) model_option_int(description, "tf");
	weighting->tfidf.idf = (IdfWeighting) model_option_int(description, "idf");
	weighting->tfidf.norm = (NormKind) model_option_int(description, "norm");
	weighting->tfidf.log_base = model_option_float(description, "log_base");
}

bool
lsa_weigh(const LsaWeighting *weighting, const double *term_weights,
		  int count, const KeyCount *counts, double *weights)
{
	double		log_scale = weighting_log_scale(weighting->tfidf.log_base);
	DocumentTotals totals = {.distinct = count};
	double		divisor;
	bool		any = false;

	for (int i = 0; i < count; i++)
	{
		totals.length += counts[i].count;
		totals.max_count = Max(totals.max_count, counts[i].count);
	}
	for (int i = 0; i < count; i++)
	{
		double		local = weighting->log_entropy ?
			log2(1.0 + counts[i].count) :
			tf_weight(weighting->tfidf.tf, log_scale, counts[i].count,
					  &totals);

		weights[i] = local * term_weights[counts[i].key];
		any |= weights[i] != 0;
	}
	divisor = norm_divisor(weighting->tfidf.norm, weights, count);
	for (int i = 0; i < count; i++)
		weights[i] /= divisor;
	return any;
}
