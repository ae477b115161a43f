/*-------------------------------------------------------------------------
 *
 * lsa.h
 *	  The room of latent semantic analysis: texts as mixtures of directions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LSA_LSA_H
#define LSA_LSA_H

#include "server/server.h"

#include "encoder/vocabulary/document_counts.h"
#include "encoder/vocabulary/weighting.h"
#include "encoder/words/word_model.h"
#include "model/model.h"

#define LSA_MAX_DIMS	2000

/* ---------- weights (lsa_weights.c) ---------- */

/*
 * What a term weighs in a document: tf times idf, or gensim's log-entropy,
 * log2(1 + count) times one less the entropy of the term's spread.  The part
 * of the term is its weight in the table.
 */
typedef struct LsaWeighting
{
	bool		log_entropy;
	Weighting	tfidf;			/* the norm is that of either */
} LsaWeighting;

extern const char *const lsa_weightings[];

extern void lsa_weighting_read(LsaWeighting *weighting,
							   const ModelDescription *description);

/*
 * Weights of a document's terms: keys of counts are places in term_weights.
 * False if they are all zero.
 */
extern bool lsa_weigh(const LsaWeighting *weighting,
					  const double *term_weights, int count,
					  const KeyCount *counts, double *weights);

/* ---------- the model (lsa_method.c) ---------- */

extern const OptionDeclaration lsa_options[];
extern const ModelMethod lsa_method;

extern void lsa_init(void);		/* called from _PG_init */

#endif							/* LSA_LSA_H */
