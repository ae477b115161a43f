/*-------------------------------------------------------------------------
 *
 * elmo_step.h
 *	  A step of the training of an ELMo, by one process or several.
 *
 * Lanes are dealt out to the members.  Everybody draws the same candidates and
 * sees the targets of all lanes, so everybody has the same numbers for the
 * rows of the softmax that a step touches.  Each computes the gradients of its
 * lanes into memory of its own that all can see (elmo_step_gradients); when
 * all have, each adds up a share of them (elmo_step_sum); when all have, each
 * changes a share of the weights (elmo_step_update).  Between these calls the
 * members wait for each other; that is the caller's affair.
 *
 * Adagrad (Duchi, Hazan and Singer 2011), gradients held within a global norm
 * (Pascanu, Mikolov and Bengio 2013).  The loss of a step is the mean over all
 * that is predicted, times the steps of a window, as bilm-tf has it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_STEP_H
#define NETWORK_ELMO_STEP_H

#include "network/elmo_lanes.h"
#include "network/elmo_train.h"
#include "network/optimizer.h"

/* What a member puts where all can see it. */
typedef struct ElmoPart
{
	float	   *gradients;		/* as the weights */
	float	   *candidates;		/* gradients: dims + 1 rows of candidates */
	float	   *targets;		/* gradients of rows of the softmax */
	double	   *square;			/* of its share of the sums */
} ElmoPart;

typedef struct ElmoStep
{
	/* of all members */
	const ElmoParameters *parameters;
	int			words;			/* of the softmax, the most frequent first */
	int			candidates;		/* at most words; all of them: no sampling */
	int			lanes;
	int			steps;
	double		clip_norm;		/* 0: none */
	float	   *weights;
	float	   *weight_sums;	/* Adagrad's */
	float	   *table;			/* of the softmax: dims + 1 numbers a word */
	float	   *table_sums;
	int			members;
	const ElmoPart *parts;		/* one for each */

	/* texts of tokens, and the row of the softmax of each */
	CharacterWord (*word) (void *argument, int32_t token);
	int32_t		(*row) (void *argument, int32_t token);
	void	   *argument;
	int			tokens;

	/* of this member */
	int			member;
	int			first_lane;		/* its lanes */
	int			own_lanes;
	int			group;			/* lanes computed at once */
	ElmoTrainer trainer;
	uint64_t	seed;

	/* parts of its memory */
	float	   *states;			/* of its lanes, group by group */
	int32_t    *number;			/* of each token in the window, or -1 */
	CharacterWord *word_of;		/* of each number */
	int32_t    *token_of;
	int32_t    *input[2];		/* of a group */
	int32_t    *target[2];
	uint8_t    *begins;
	uint8_t    *used;			/* of the drawing */
	int32_t    *row_of;			/* of each word of the softmax, or -1 */
	int32_t    *ids;			/* words of the rows */
	float	   *rows;			/* their weights */
	int			row_count;
	int64_t		drawn;			/* until the candidates were different */

	/* of the step */
	const ElmoLanes *window;
} ElmoStep;

/* Rows of the softmax that a step may touch. */
static inline int
elmo_step_most_rows(const ElmoStep *step)
{
	int			most = step->candidates + 2 * step->lanes * step->steps;

	return most < step->words ? most : step->words;
}

/* Numbers of each array of a part. */
extern void elmo_part_sizes(const ElmoStep *step, size_t *gradients,
							size_t *candidates, size_t *targets);

/*
 * Sets what the member does, of all that is set by the caller; then lays out
 * its memory, of so many bytes.  memory NULL: only counts.
 */
extern size_t elmo_step_memory(ElmoStep *step, void *memory);

/* States begin anew. */
extern void elmo_step_begin(ElmoStep *step);

/*
 * A window of all lanes: the losses of this member's are added to *loss.
 * number: of the step, for random numbers.  False if it was interrupted.
 */
extern bool elmo_step_gradients(ElmoStep *step, const ElmoLanes *window,
								uint64_t number, double *loss,
								ProductInterrupt *interrupt);
extern bool elmo_step_sum(ElmoStep *step, ProductInterrupt *interrupt);
extern bool elmo_step_update(ElmoStep *step, double learning_rate,
							 ProductInterrupt *interrupt);

/* The same without a change: losses of the whole softmax. */
extern bool elmo_step_losses(ElmoStep *step, const ElmoLanes *window,
							 double *loss, ProductInterrupt *interrupt);

#endif							/* NETWORK_ELMO_STEP_H */
