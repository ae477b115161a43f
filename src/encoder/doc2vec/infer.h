/*-------------------------------------------------------------------------
 *
 * infer.h
 *	  The vector of a document under a trained model: the steps of training
 *	  on a row of its own, all other weights held still.
 *
 * No server header is included.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOC2VEC_INFER_H
#define DOC2VEC_INFER_H

#include <stdbool.h>
#include <stdint.h>

#include "encoder/word2vec/sgd.h"

/* Rows are "stride" floats, see step.h; those of the model are only read. */
typedef struct InferModel
{
	const StepKernels *kernels;
	int			words;
	int			dims;
	int			stride;
	int			window_size;
	int			negative;
	int			epochs;
	float		alpha;
	bool		in_window;		/* PV-DM: inputs are needed, too */
	const float *const *inputs; /* rows of the words */
	const float *const *outputs;
	const uint32_t *keep;
	const AliasSlot *negatives;

	/* called now and then; may leave by a long jump */
	void		(*check) (void);
} InferModel;

/*
 * words: "count" of them.  kept: room for as many.  work: 3 rows, aligned as
 * rows are.  The same words and seed give the same row.
 */
extern void infer_document(const InferModel *model, const int32_t *words,
						   int count, uint64_t seed, int32_t *kept,
						   float *work, float *row);

#endif							/* DOC2VEC_INFER_H */
