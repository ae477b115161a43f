/*-------------------------------------------------------------------------
 *
 * elmo_pool.h
 *	  Vectors of texts by an ELMo, and the gradients of its weights from those
 *	  of the vectors: for losses of texts.
 *
 * Half d of a vector is the sum, over the layers k and the words r of its
 * lanes, of share_k weight_r x_kr, where x_kr is what direction d gives for
 * the word: the mix of layers (Peters et al. 2018, equation 1), and a pooling
 * that is a sum, such as the mean.  Shares and weights do not move here.
 *
 * Vectors are of both directions, and a loss wants those of many texts, so the
 * way back computes what it needs again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_POOL_H
#define NETWORK_ELMO_POOL_H

#include "network/elmo_train.h"

typedef struct ElmoPool
{
	const int32_t *vector;		/* of each lane the row that it adds to, or
								 * -1 */
	const Real *weight[2];		/* of each row of the window, in a direction */
	const Real *share;			/* of each layer, that of the words first */
	const Real *start;			/* the state that lanes begin with: of each
								 * direction and layer the cells, then what the
								 * layer gave; NULL: zeros */
} ElmoPool;

/*
 * vectors: rows of twice the projection's numbers, which are added to.
 * states: of elmo_trainer_states numbers, to work with.  False if it was
 * interrupted.
 */
extern bool elmo_pool_vectors(ElmoTrainer *trainer, const ElmoWindow *window,
							  const ElmoPool *pool, Real *weights,
							  Real *states, Real *vectors,
							  ProductInterrupt *interrupt);

/*
 * slopes: the gradient of the vectors.  gradients: those of the weights, added
 * to; moving says where they lie (elmo_moving_parameters).
 */
extern bool elmo_pool_gradients(ElmoTrainer *trainer, const ElmoWindow *window,
								const ElmoPool *pool, Real *weights,
								Real *states, const Real *slopes,
								const ElmoParameters *moving, Real *gradients,
								ProductInterrupt *interrupt);

#endif							/* NETWORK_ELMO_POOL_H */
