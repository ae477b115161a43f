/*-------------------------------------------------------------------------
 *
 * elmo_run.h
 *	  One pass of an ELMo in training, there and back: what its losses share.
 *
 * Characters once for both directions; then one direction after the other,
 * which use the same memory.  A loss looks at what the layers of a direction
 * gave, and adds its gradients on the way back, layer by layer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_RUN_H
#define NETWORK_ELMO_RUN_H

#include "network/elmo_train.h"

typedef struct ElmoRun
{
	ElmoTrainer *trainer;
	const ElmoWindow *window;
	Real	   *weights;
	const ElmoParameters *places;	/* of the gradients */
	Real	   *gradients;		/* or NULL: there is no way back */
	bool		drops;
	Real	   *states;
	TrainWork	work;
	int			rows;
	int			dims;

	/*
	 * Adds to the gradient of what a layer gave, 0 that of the words.  NULL:
	 * that of the last layer is there already, in trainer->dy.
	 */
	void		(*add) (const struct ElmoRun *run, int direction, int number,
						Real *dy);
	const void *argument;
} ElmoRun;

extern ElmoRun elmo_run(ElmoTrainer *trainer, const ElmoWindow *window,
						Real *weights, Real *states,
						ProductInterrupt *interrupt);

/* Words from their characters, and the way back after both directions. */
extern bool elmo_run_words(ElmoRun *run);
extern bool elmo_run_characters(ElmoRun *run);

/* What the layers give lies in trainer->x, that of the words first. */
extern bool elmo_run_forward(ElmoRun *run, int direction);
extern bool elmo_run_backward(ElmoRun *run, int direction);

#endif							/* NETWORK_ELMO_RUN_H */
