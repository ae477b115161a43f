/*-------------------------------------------------------------------------
 *
 * bm25_formula.h
 *	  The BM25 family, split into what belongs to a document and what belongs
 *	  to a query.
 *
 * A score is the sum over the terms of the query of
 *
 *		times in the query * bm25_idf * bm25_tf
 *
 * so the inner product of a vector of bm25_tf and one of times * bm25_idf is
 * the score.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_BM25_FORMULA_H
#define VOCABULARY_BM25_FORMULA_H

typedef enum Bm25Variant
{
	BM25_LUCENE,
	BM25_ROBERTSON,
	BM25_OKAPI,
	BM25_ATIRE,
	BM25_L,
	BM25_PLUS,
	BM25_LV_ZHAI
} Bm25Variant;

/* names in the order of the enum, NULL at the end */
extern const char *const bm25_names[];

typedef struct Bm25Options
{
	Bm25Variant variant;
	double		k1;
	double		b;
} Bm25Options;

/*
 * mean_log_odds: of all terms of the vocabulary; matters to BM25_OKAPI only
 */
extern double bm25_idf(Bm25Variant variant, double documents_with_term,
					   double documents, double mean_log_odds);

/* ln((N - n + 0.5) / (n + 0.5)), which may be negative */
extern double bm25_log_odds(double documents_with_term, double documents);

/*
 * relative_length: of the document, 1 for the average one.  A count of 0 has a
 * weight in BM25_L, and 0 in the others.
 */
extern double bm25_tf(const Bm25Options *options, double count,
					  double relative_length);

#endif							/* VOCABULARY_BM25_FORMULA_H */
