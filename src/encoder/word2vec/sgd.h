/*-------------------------------------------------------------------------
 *
 * sgd.h
 *	  Training of word vectors over encoded documents.
 *
 * Everything here works on plain memory: the caller (train_word2vec.c) puts
 * the weights where all workers see them.  No server header is included.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORD2VEC_SGD_H
#define WORD2VEC_SGD_H

#include <stdbool.h>
#include <stdint.h>

#include "encoder/word2vec/replica.h"
#include "encoder/word2vec/step.h"
#include "math/random.h"

/*
 * One slot of Walker's alias table: a slot is drawn uniformly, then its own
 * word is taken with probability threshold / 2^32, else the other one.
 */
typedef struct AliasSlot
{
	uint32_t	threshold;
	int32_t		other;
} AliasSlot;

/* Longest Huffman code, as in word2vec.c; must not exceed STEP_MAX_TARGETS. */
#define HUFFMAN_MAX_CODE 40

/* The way from the root of the Huffman tree to a word. */
typedef struct HuffmanPath
{
	int32_t		start;			/* index of its first inner node in "nodes" */
	int32_t		length;
	uint64_t	code;			/* bit i: branch taken at the i-th node */
} HuffmanPath;

/* What rows that belong to documents do */
typedef enum SgdDocuments
{
	SGD_NO_DOCUMENTS,			/* there are none */
	SGD_DOCUMENT_ALONE,			/* predict each word of the document */
	SGD_DOCUMENT_AND_WORDS,		/* the same, and words predict words */
	SGD_DOCUMENT_IN_WINDOW		/* are one more word of each window */
} SgdDocuments;

/*
 * Weights and tables, shared by the workers.  Rows are "stride" floats, see
 * step.h.  Word ids are 0 .. words - 1, most frequent first; input rows from
 * "words" on belong to subword buckets, or to documents.
 */
typedef struct SgdModel
{
	int			words;
	int			stride;
	int			window_size;
	int			negative;
	bool		cbow;
	bool		hierarchical_softmax;
	SgdDocuments documents;

	float	   *input;			/* words and buckets, or documents */
	float	   *negative_output;	/* words rows, NULL if negative is 0 */
	float	   *tree_output;	/* words - 1 rows, NULL without hierarchical
								 * softmax */
	const uint32_t *keep;		/* per word: kept if a random 32-bit number is
								 * not above it */
	const AliasSlot *negatives; /* words slots */
	const HuffmanPath *paths;	/* words */
	const int32_t *nodes;		/* inner nodes of all paths */
	const int64_t *subword_start;	/* words + 1, or NULL without subwords */
	const int32_t *subword_rows;	/* input rows of each word's n-grams */
	const float *rates;			/* per input row: share of its change that is
								 * made, or NULL: all of it */
} SgdModel;

typedef struct SgdWorker SgdWorker;

struct SgdWorker
{
	const SgdModel *model;
	const StepKernels *kernels;
	Random		random;
	float		alpha;
	int32_t		document;		/* input row of the one worked on, if they have
								 * rows */

	/*
	 * Called with the number of words done since the last call, a few
	 * thousand or what takes some milliseconds; sets alpha.  May leave by a
	 * long jump.
	 */
	void		(*report) (SgdWorker *worker, int words);
	void	   *report_state;

	/* mean loss of one prediction: loss / loss_count, sampled */
	double		loss;
	int64_t		loss_count;

	/* scratch, see sgd_scratch_size */
	int32_t    *kept;
	float	   *hidden;
	float	   *before;
	float	   *change;
	uint32_t	steps;

	/* the matrices as this worker sees them; without copies after init */
	Replica		input;
	Replica		negative_output;
	Replica		tree_output;
	Joins		joins;
	int			report_interval;	/* words kept between two reports */
};

/* The longest piece of a document given at once: windows end there. */
#define SGD_MAX_DOCUMENT 1000000

/*
 * Bytes of scratch memory of one worker, and its assignment.  "memory" is
 * aligned to STEP_ALIGNMENT.
 */
extern size_t sgd_scratch_size(const SgdModel *model);
extern void sgd_worker_init(SgdWorker *worker, const SgdModel *model,
							uint64_t seed, void *memory);

/* Train on one document of at most SGD_MAX_DOCUMENT word ids. */
extern void sgd_train_document(SgdWorker *worker, const int32_t *words,
							   int count);

/*
 * Join all copies, which is to be done at the end; reports now and then.
 * first: share of the rows to begin at, so that workers do not meet
 */
extern void sgd_join_all(SgdWorker *worker, double first);

/* input rows uniform in (-0.5, 0.5) / dims, the other weights are zero */
extern void sgd_init_row(float *row, int dims, int stride, Random *random);

/*
 * Tables over the words' counts, all in the order of the ids.
 *
 * sgd_build_keep: probability (sqrt(f / sample) + 1) * sample / f of keeping
 *		a word of frequency f, as word2vec.c computes it
 * sgd_build_negatives: counts to the power "exponent"; scratch: words * 12
 *		bytes
 * huffman_build: the number of nodes of all paths, or -1 if a code would be
 *		longer than HUFFMAN_MAX_CODE; nodes may be NULL to learn the number;
 *		scratch: words * 32 bytes
 */
extern void sgd_build_keep(const int64_t *counts, int words, int64_t total,
						   double sample, uint32_t *keep);
extern void sgd_build_negatives(const int64_t *counts, int words,
								double exponent, AliasSlot *slots,
								void *scratch);
/* A word drawn from the table of negatives */
static inline int32_t
sgd_draw_negative(Random *random, const AliasSlot *negatives, int words)
{
	uint64_t	r = random_next(random);
	uint32_t	slot = ((r >> 32) * (uint64_t) words) >> 32;
	const AliasSlot *alias = &negatives[slot];

	return (uint32_t) r <= alias->threshold ? (int32_t) slot : alias->other;
}

/* Whether a word is kept, by the table of sgd_build_keep */
static inline bool
sgd_keeps(Random *random, uint32_t keep)
{
	return keep == UINT32_MAX ||
		(uint32_t) (random_next(random) >> 32) <= keep;
}

extern int64_t huffman_build(const int64_t *counts, int words,
							 HuffmanPath *paths, int32_t *nodes,
							 void *scratch);

#endif							/* WORD2VEC_SGD_H */
