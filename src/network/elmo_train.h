/*-------------------------------------------------------------------------
 *
 * elmo_train.h
 *	  Loss and gradients of the two language models of an ELMo.
 *
 * Peters et al. 2018 (arXiv 1802.05365), section 3.1: one model reads forwards
 * and predicts the next word, another reads backwards and predicts the one
 * before; they share the characters and the softmax.  Lanes of text run side
 * by side, a window of steps at a time, each row a lane in a step, step by
 * step; states go on from window to window.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_TRAIN_H
#define NETWORK_ELMO_TRAIN_H

#include "network/elmo_parameters.h"
#include "network/sampled_softmax.h"

/* What the lanes read in a window. */
typedef struct ElmoWindow
{
	int			words;			/* different ones */
	const CharacterWord *word;
	const int32_t *read[2];		/* of each row: the word that is read, forwards
								 * and backwards */
	const int32_t *target[2];	/* the row of the softmax that is predicted,
								 * or -1: none */
	const uint8_t *begins[2];	/* does a text begin with this row? */
	uint64_t	number;			/* of the window, for what is dropped */
	int			first_lane;		/* among all lanes, for the same */
} ElmoWindow;

typedef struct ElmoTrainer
{
	/* set by the caller */
	const ElmoParameters *parameters;
	int			lanes;
	int			steps;
	int			most_words;
	size_t		softmax_numbers;	/* the most that sampled_softmax needs */
	double		dropout;		/* of what layers read, and of what the softmax
								 * does */
	uint64_t	seed;

	/* parts of the memory */
	CharacterPass characters;
	Real	   *words;			/* what the characters give */
	Real	   *dwords;
	LstmWindow	lstm[ELMO_MAX_LAYERS];
	Real	   *x[ELMO_MAX_LAYERS + 1];	/* what each layer, and the softmax,
										 * reads */
	Real	   *dx;
	Real	   *dy;
	Real	   *softmax;
	Real	   *product;		/* scratch of products */
} ElmoTrainer;

/* Lays out the parts, of so many numbers; memory NULL: only counts. */
extern size_t elmo_trainer_memory(ElmoTrainer *trainer, Real *memory);

/* Numbers of the states of all lanes, for both directions and all layers. */
extern size_t elmo_trainer_states(const ElmoTrainer *trainer);

/*
 * The sum of losses of a window is added to *loss.  gradients: added to, an
 * array like the weights, "scale" times those of the sum of losses; NULL: only
 * the loss is wanted, nothing is dropped.  states: what the window begins
 * with, then what it ends with.
 */
extern bool elmo_trainer_run(ElmoTrainer *trainer, const ElmoWindow *window,
							 Real *weights, const SampledSoftmax *softmax,
							 Real *gradients, Real scale, Real *states,
							 double *loss, ProductInterrupt *interrupt);

#endif							/* NETWORK_ELMO_TRAIN_H */
