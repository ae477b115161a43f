/*-------------------------------------------------------------------------
 *
 * sampled_softmax.h
 *	  The next word among some candidates, instead of among all words.
 *
 * Jean, Cho, Memisevic and Bengio 2015 (arXiv 1412.2007): the loss of a row is
 * that of a softmax over its target and the candidates, each score less the
 * logarithm of how often its word is expected among the candidates.  A
 * candidate that is the target itself does not count.  With all words as
 * candidates, and nothing taken off, it is the loss of the whole softmax.
 *
 * Candidates come from a log-uniform distribution: word k, the most frequent
 * being 0, with probability log((k + 2) / (k + 1)) / log(words + 1).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_SAMPLED_SOFTMAX_H
#define NETWORK_SAMPLED_SOFTMAX_H

#include "math/random.h"
#include "network/train_work.h"

/*
 * Draws "count" different words of "words"; count is at most words.
 *
 * used: one byte for each word, zeros before and after.  Returns how many were
 * drawn until they were different.
 */
extern int64_t candidates_draw(Random *random, int words, int count,
							   int32_t *candidates, uint8_t *used);

/* How often a word is expected among so many that were drawn, as a log. */
extern double candidate_log_count(int word, int words, int64_t drawn);

/*
 * Rows of weights: the candidates first, then those that are targets only;
 * dims numbers each, and a bias, what is taken off already off it.
 */
typedef struct SampledSoftmax
{
	int			dims;
	int			candidates;
	int			rows;
	const Real *weights;		/* dims + 1 numbers a row */

	/* added to; NULL: only losses are wanted */
	Real	   *candidate_gradient;	/* dims + 1 rows of candidates */
	Real	   *target_gradient;	/* as weights */
} SampledSoftmax;

/* Numbers of scratch for rows of dims numbers and so many candidates. */
extern size_t sampled_softmax_memory(int dims, int candidates);

/*
 * x: "count" rows of dims numbers; target: the row of weights of each, or -1:
 * it does not count.  dx: gradients of x, written, "scale" times those of the
 * sum of losses.  loss: the sum is added to it.  False if interrupted.
 */
extern bool sampled_softmax(const SampledSoftmax *softmax, int count,
							const Real *x, const int32_t *target, Real scale,
							Real *dx, double *loss, Real *memory,
							const TrainWork *work);

#endif							/* NETWORK_SAMPLED_SOFTMAX_H */
