/*-------------------------------------------------------------------------
 *
 * weighting.h
 *	  Weights of terms in documents: tf, idf, norms and their names.
 *
 * Every variant is a formula with a public source, listed in weighting.c.
 * Nothing here knows the server; the floor above turns option names and bad
 * results into errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_WEIGHTING_H
#define VOCABULARY_WEIGHTING_H

#include <stdbool.h>

typedef enum TfWeighting
{
	TF_RAW,
	TF_BINARY,
	TF_LOG,
	TF_DOUBLE_LOG,
	TF_AUGMENTED,
	TF_SQRT,
	TF_SHARE,
	TF_LOG_AVERAGE
} TfWeighting;

typedef enum IdfWeighting
{
	IDF_SMOOTH,
	IDF_STANDARD,
	IDF_TEXTBOOK,
	IDF_SHIFTED,
	IDF_LOG1P,
	IDF_MAX,
	IDF_PROBABILISTIC,
	IDF_PROBABILISTIC_CLIPPED,
	IDF_NONE
} IdfWeighting;

typedef enum NormKind
{
	NORM_L2,
	NORM_L1,
	NORM_NONE
} NormKind;

/* names in the order of the enums, NULL at the end */
extern const char *const tf_names[];
extern const char *const idf_names[];
extern const char *const norm_names[];

/* what tf, idf and norm a vector is made with */
typedef struct Weighting
{
	TfWeighting tf;
	IdfWeighting idf;
	NormKind	norm;
	double		log_base;		/* of every logarithm; more than 1 */
} Weighting;

/* what a weight needs to know of its document: known terms only */
typedef struct DocumentTotals
{
	double		length;			/* sum of the counts */
	double		distinct;		/* number of different terms */
	double		max_count;		/* largest count */
} DocumentTotals;

/* what a weight needs to know of the corpus */
typedef struct CorpusTotals
{
	double		documents;		/* in the corpus */
	double		max_documents;	/* of the most widespread term */
} CorpusTotals;

/* 1 / ln(base): the factor that turns natural logarithms into wanted ones */
extern double weighting_log_scale(double log_base);

extern double tf_weight(TfWeighting tf, double log_scale, double count,
						const DocumentTotals *document);

/* may be infinite: see IDF_PROBABILISTIC */
extern double idf_weight(IdfWeighting idf, double log_scale, double documents,
						 const CorpusTotals *corpus);

/*
 * What the weights are to be divided by; 1 where there is nothing to divide,
 * so that an empty or all-zero document stays as it is.
 */
extern double norm_divisor(NormKind norm, const double *weights, int count);

#endif							/* VOCABULARY_WEIGHTING_H */
