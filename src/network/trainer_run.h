/*-------------------------------------------------------------------------
 *
 * trainer_run.h
 *	  What a trainer has at hand: this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRAINER_RUN_H
#define NETWORK_TRAINER_RUN_H

#include "network/scratch.h"
#include "network/trainer.h"
#include "network/trainer_layer.h"
#include "network/transformer_run.h"

/*
 * Tokens of texts that go through all layers together: enough to make laying
 * out panels of weights cheap, few enough for the caches.
 */
#define TRAINER_GROUP_TOKENS 1024

/* What a forward pass leaves of a group for the backward pass. */
typedef enum KeptLevel
{
	KEPT_NOTHING,				/* the whole forward pass is done again */
	KEPT_INPUTS,				/* each layer's is */
	KEPT_ALL
} KeptLevel;

typedef struct TrainerGroup
{
	int			first;			/* its texts */
	int			texts;
	size_t		begin;			/* its tokens */
	int			tokens;
	KeptLevel	level;
	char	   *storage;
} TrainerGroup;

/* A group's storage, divided. */
typedef struct GroupRows
{
	Rows		x[TRANSFORMER_MOST_LAYERS + 1];	/* inputs of layers, and the
												 * last one's output */
	LayerKept	kept[TRANSFORMER_MOST_LAYERS];
} GroupRows;

struct Trainer
{
	TrainerPlan plan;
	float	   *weights;
	size_t		most_tokens;
	int			most_texts;
	int			longest;

	/* what moves: weights or changes, their gradient, the optimizer's state */
	float	   *moving;
	float	   *gradient;
	size_t		moving_count;
	float	   *state;
	float	   *adapters;		/* low rank: A and B of each target */
	float	   *base;			/* and the matrices that they change */
	int64_t		steps;

	/* positions */
	float	   *turns[2];		/* of global and of local layers */
	float	   *bias;			/* of each head by distance */
	float	   *bias_slope;

	/* scratch */
	LayerScratch scratch;
	LayerKept	kept;			/* of a layer that is computed again */
	Rows		slope;
	char	   *spare;			/* storage of a group that kept nothing */
	float	   *slope_of_text;

	/* the batch under way */
	const TransformerBatch *batch;
	LayerPass	pass;
	TrainerGroup *groups;
	int			group_count;
	float	   *pooled;			/* of each text, normalized if wanted */
	double	   *lengths;
	char	   *storage;
	size_t		storage_bytes;

	GroupRows	rows;			/* of the group under way */
};

/* The floats of a target's matrix and of its change; 0: no target. */
extern size_t trainer_target_floats(const TrainerPlan *plan, int role);
extern size_t trainer_change_floats(const TrainerPlan *plan, int role);

/* What moves, tensor after tensor: for steps and their states. */
typedef struct MovingTensor
{
	size_t		offset;			/* within what moves */
	int			rows;
	int			columns;
	bool		is_vector;
	bool		is_missing;
} MovingTensor;

extern bool trainer_moving(const TrainerPlan *plan, int number,
						   MovingTensor *tensor);
extern size_t trainer_moving_floats(const TrainerPlan *plan);
extern size_t trainer_moving_begin(const TrainerPlan *plan);
extern size_t trainer_state_floats(const TrainerPlan *plan);

/* Low rank: W + B A into the weights. */
extern void trainer_add_changes(Trainer *trainer);
extern void trainer_begin_changes(Trainer *trainer);

/* A group's tensors as a layer takes them. */
extern void trainer_layer_tensors(const Trainer *trainer, int number,
								  LayerTensors *tensors);
extern LayerShape trainer_layer_shape(const Trainer *trainer, int number);

/* The first layer's input of a group; and what its slope does to tables. */
extern void trainer_embed(const Trainer *trainer, const TrainerGroup *group,
						  Rows to);
extern void trainer_embed_slope(Trainer *trainer, const TrainerGroup *group,
								Rows slope);

/* Bytes of a group's storage; the parts of it. */
extern size_t trainer_storage_bytes(const TrainerPlan *plan, KeptLevel level,
									int tokens);
extern void trainer_divide_storage(Trainer *trainer, const TrainerGroup *group,
								   KeptLevel level, char *storage);

#endif							/* NETWORK_TRAINER_RUN_H */
