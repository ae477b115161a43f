/*-------------------------------------------------------------------------
 *
 * bm25_formula.c
 *	  The BM25 family.
 *
 * c is the count of a term, B = 1 - b + b * length / average length, N the
 * number of documents, n how many hold the term.
 *
 *				idf							tf
 * lucene		ln(1 + (N-n+.5)/(n+.5))		c / (c + k1 B)
 * robertson	max(0, ln((N-n+.5)/(n+.5)))	c / (c + k1 B)
 * okapi		ln((N-n+.5)/(n+.5)), and a	c (k1+1) / (c + k1 B)
 *				quarter of its mean over
 *				all terms where negative
 * atire		ln(N/n)						c (k1+1) / (c + k1 B)
 * bm25l		ln((N+1)/(n+.5))			(k1+1) (c/B + d) / (k1 + c/B + d),
 *											d = 0.5, for c = 0 too
 * lv_zhai		the same				the same, 0 for c = 0
 * bm25plus		ln((N+1)/n)					c (k1+1) / (c + k1 B) + d, d = 1,
 *											0 for c = 0
 *
 * Sources: Robertson et al., Okapi at TREC-3, 1994; Lucene's BM25Similarity
 * since version 8; Trotman et al., Improvements to BM25 and Language Models
 * Examined, 2014 (atire); Lv and Zhai, When Documents Are Very Long, BM25
 * Fails!, 2011 (lv_zhai; bm25l is what rank_bm25 makes of it), and Lower-
 * Bounding Term Frequency Normalization, 2011 (bm25plus); Kamphuis et al.,
 * Which BM25 Do You Mean?, 2020, who compare them.  The okapi of gensim and
 * rank_bm25 differs from robertson, hence both.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stddef.h>

#include "encoder/vocabulary/bm25_formula.h"

#define BM25L_DELTA		0.5
#define BM25PLUS_DELTA	1.0
#define OKAPI_EPSILON	0.25

const char *const bm25_names[] = {
	"lucene", "robertson", "okapi", "atire", "bm25l", "bm25plus",
	"lv_zhai", NULL
};

double
bm25_log_odds(double documents_with_term, double documents)
{
	return log((documents - documents_with_term + 0.5) /
			   (documents_with_term + 0.5));
}

double
bm25_idf(Bm25Variant variant, double documents_with_term, double documents,
		 double mean_log_odds)
{
	double		log_odds;

	switch (variant)
	{
		case BM25_LUCENE:
			return log1p((documents - documents_with_term + 0.5) /
						 (documents_with_term + 0.5));
		case BM25_ROBERTSON:
			log_odds = bm25_log_odds(documents_with_term, documents);
			return log_odds > 0.0 ? log_odds : 0.0;
		case BM25_OKAPI:
			log_odds = bm25_log_odds(documents_with_term, documents);
			return log_odds >= 0.0 ? log_odds : OKAPI_EPSILON * mean_log_odds;
		case BM25_ATIRE:
			return log(documents / documents_with_term);
		case BM25_L:
		case BM25_LV_ZHAI:
			return log((documents + 1.0) / (documents_with_term + 0.5));
		case BM25_PLUS:
			return log((documents + 1.0) / documents_with_term);
	}
	return 0.0;
}

double
bm25_tf(const Bm25Options *options, double count, double relative_length)
{
	double		k1 = options->k1;
	double		length = 1.0 - options->b + options->b * relative_length;
	double		scaled;

	if (options->variant == BM25_L ||
		(options->variant == BM25_LV_ZHAI && count > 0.0))
	{
		/* b = 1 and a document of no length: nothing is in it */
		scaled = (count > 0.0 ? count / length : 0.0) + BM25L_DELTA;
		return (k1 + 1.0) * scaled / (k1 + scaled);
	}
	if (count <= 0.0)
		return 0.0;

	switch (options->variant)
	{
		case BM25_LUCENE:
		case BM25_ROBERTSON:
			return count / (count + k1 * length);
		case BM25_OKAPI:
		case BM25_ATIRE:
			return count * (k1 + 1.0) / (count + k1 * length);
		case BM25_PLUS:
			return count * (k1 + 1.0) / (count + k1 * length) + BM25PLUS_DELTA;
		case BM25_L:
		case BM25_LV_ZHAI:
			break;
	}
	return 0.0;
}
