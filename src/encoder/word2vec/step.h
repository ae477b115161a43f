/*-------------------------------------------------------------------------
 *
 * step.h
 *	  One step of stochastic gradient descent: an input row against a few
 *	  output rows.
 *
 * Skip-gram, CBOW, subwords, negative sampling and hierarchical softmax all
 * come down to this step (Mikolov et al., "Distributed Representations of
 * Words and Phrases", NIPS 2013, equations 3 and 4): for each target row the
 * score is its dot product with the input row, the gradient is
 * (label - sigmoid(score)) * alpha, the target row moves by gradient times
 * input and the input row by the sum of gradient times target.
 *
 * Rows are "stride" floats, a multiple of STEP_LANES, aligned to
 * STEP_ALIGNMENT bytes and zero beyond the dimensions of the model, so that
 * no kernel has a tail.  Zeros stay zero under training.
 *
 * Rows are shared by all workers without locks (Niu et al., "Hogwild!", NIPS
 * 2011): a lost update now and then is harmless.  See replica.h for how they
 * keep out of each other's way.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORD2VEC_STEP_H
#define WORD2VEC_STEP_H

#include <stddef.h>
#include <stdint.h>

#define STEP_LANES		16
#define STEP_ALIGNMENT	64

/* The longest Huffman code, and the limit of the option "negative". */
#define STEP_MAX_TARGETS 64

typedef struct StepKernels
{
	const char *name;

	/*
	 * Train one input row against count target rows.  The targets are
	 * updated with the input row as it was; the input row moves by the sum
	 * over all targets, computed with the targets as they were.
	 *
	 * scores: receives the dot products before the update, count floats
	 * change: stride floats of scratch, aligned as a row
	 */
	void		(*step) (int stride, float *input, float *const *targets,
						 const float *labels, int count, float alpha,
						 float *scores, float *change);

	/*
	 * The same for an input row alone: the targets stay as they are, and may
	 * be read-only.
	 */
	void		(*pull) (int stride, float *input, const float *const *targets,
						 const float *labels, int count, float alpha,
						 float *change);

	/* to += from * factor */
	void		(*add) (int stride, float *to, const float *from,
						float factor);

	/*
	 * Many rows and one, which stays in registers: to += each of the rows;
	 * each of the rows += change.  A row may be there more than once.
	 */
	void		(*sum) (int stride, float *to, const float *const *rows,
						int count);
	void		(*move) (int stride, float *const *rows, int count,
						 const float *change);

	/* row *= factor, and a copy of it */
	void		(*scale) (int stride, float *row, float factor, float *copy);

	/*
	 * Join a worker's copy of a row with the shared one (replica.h): shared
	 * += own - joined, and all three become that.
	 */
	void		(*join) (int stride, float *shared, float *own, float *joined);
} StepKernels;

/*
 * The best set for this CPU; "name" asks for one of them (NULL if it cannot).
 */
extern const StepKernels *step_kernels(const char *name);

#endif							/* WORD2VEC_STEP_H */
