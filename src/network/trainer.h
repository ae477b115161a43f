/*-------------------------------------------------------------------------
 *
 * trainer.h
 *	  Training of encoders of the transformer kind: forward, backward, steps.
 *
 * The life of a training run:
 *
 *	trainer_make_plan		which tensors there are and where they lie among
 *							the weights, one array of floats that the caller
 *							owns and fills from the files' tensors by name
 *	trainer_bytes			how much memory the rest takes, at least, for
 *							batches of a certain size
 *	trainer_begin			divides a block of at least that size; whatever is
 *							beyond saves computing activations twice
 *	trainer_forward			token ids to embeddings
 *	trainer_backward		gradients of these embeddings, from loss.h, to
 *							gradients of the weights, added to what is there
 *	trainer_step			one step of the optimizer; gradients become zero
 *	trainer_merge			adds changes of low rank to the weights
 *
 * Then the weights go back into tensors by the same places.  Nothing here
 * allocates.
 *
 * Low rank (Hu et al. 2021, arXiv 2106.09685): a target matrix W serves as
 * W + alpha / rank * B A, with A of rank x inputs, B of outputs x rank; only A
 * and B move.  A is random, B begins at zero, so the first forward pass is the
 * base's.  During the run the array of weights holds the sum, and the trainer
 * keeps W.
 *
 * Everything is computed in floats and is the same for the same seed, kernels
 * and batches.  Dropout takes its numbers from the seed, the step, the layer
 * and the token, not from a sequence: activations that are computed again are
 * the same.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRAINER_H
#define NETWORK_TRAINER_H

#include "network/optimizer.h"
#include "network/transformer.h"

typedef enum TrainerMode
{
	TRAINER_FULL,				/* all weights */
	TRAINER_LOW_RANK
} TrainerMode;

/* Sets of matrices of a layer, by role. */
#define TRAINER_TARGET(role) (UINT32_C(1) << ((role) - TENSOR_QUERY))
#define TRAINER_DEFAULT_TARGETS \
	(TRAINER_TARGET(TENSOR_QUERY) | TRAINER_TARGET(TENSOR_VALUE))

typedef struct TrainerSettings
{
	TrainerMode mode;
	bool		embeddings_frozen;	/* full: tables and their norm stay */
	int			rank;			/* low rank */
	double		rank_alpha;
	uint32_t	targets;		/* TRAINER_TARGETs; not norms and biases */
	double		dropout;		/* of embeddings and of what goes into the
								 * residual */
	double		attention_dropout;	/* of attention's weights */
	uint64_t	seed;
	OptimizerSettings optimizer;	/* weight_decay is not applied to biases
									 * and norms */
	Pooling		pooling;		/* not POOLING_NONE */
	int			skip;			/* first tokens that a mean leaves out */
	bool		normalize;

	/*
	 * Takes no steps: its weights are those of another trainer, in memory
	 * that both see, and so are changes of low rank by trainer_follow.
	 */
	bool		follows;
} TrainerSettings;

/* AdamW, rank 8, alpha 16, queries and values, mean, no dropout. */
extern TrainerSettings trainer_defaults(TrainerMode mode);

/* "query", "key", "value", "out", "gate", "up", "down"; 0 if there is none. */
extern uint32_t trainer_target_of_name(const char *name);

/* A tensor among the weights. */
typedef struct TrainerTensor
{
	TensorRole	role;
	int			layer;			/* -1: of the model */
	int			rows;			/* 1 for a vector */
	int			columns;
	bool		is_vector;
	bool		is_missing;		/* a place that files have nothing for: stays
								 * zero */
	size_t		offset;			/* in floats */
} TrainerTensor;

#define TRAINER_MOST_TENSORS \
	(TENSORS_OF_MODEL + TRANSFORMER_MOST_LAYERS * TENSORS_OF_LAYER)

typedef struct TrainerPlan
{
	TransformerPlan model;
	TrainerSettings settings;
	size_t		weight_floats;
	size_t		embedding_floats;	/* the first of them: tables, their norm */
	size_t		layer_floats;	/* of each layer that has its own */
	size_t		layer_offset[TENSORS_OF_LAYER]; /* within a layer */
	size_t		model_offset[TENSORS_OF_MODEL];
	size_t		adapter_floats; /* of all layers; low rank */
	size_t		adapter_layer_floats;
	size_t		adapter_offset[TENSORS_OF_LAYER];	/* A, then B */
	char		message[TRANSFORMER_MESSAGE];
} TrainerPlan;

/*
 * UNKNOWN for a family or a feature that has no backward pass, INVALID for
 * settings that do not fit; the message says which.
 */
extern TransformerStatus trainer_make_plan(TrainerPlan *plan,
										   const TransformerConfig *config,
										   const TrainerSettings *settings);

/* Tensors in the order of their places; false beyond the last. */
extern bool trainer_tensor(const TrainerPlan *plan, int number,
						   TrainerTensor *tensor);

/*
 * Where the values of a file's tensor go: "count" floats each to the places of
 * up to three parts, in the order of the file.  Returns the number of parts;
 * 0: the tensor does not take part (poolers, heads); -1: it is unknown, or has
 * another shape.
 */
typedef struct TrainerPart
{
	size_t		offset;			/* among the weights */
	size_t		count;
} TrainerPart;

extern int	trainer_parts_of_name(const TrainerPlan *plan, const char *name,
								  int dims, const int64_t *shape,
								  TrainerPart parts[3]);

/* The dimensions of an embedding. */
extern int	trainer_dims(const TrainerPlan *plan);

/*
 * Memory for batches of up to "tokens" tokens in up to "texts" texts, the
 * longest of "longest" tokens: what a run takes at least, and what saves all
 * recomputing.  The weights themselves are not counted.
 */
typedef struct TrainerNeed
{
	size_t		least;
	size_t		best;
} TrainerNeed;

extern TrainerNeed trainer_bytes(const TrainerPlan *plan, size_t tokens,
								 int texts, int longest);

typedef struct Trainer Trainer;

/*
 * memory: "bytes" bytes, aligned to PRODUCT_ALIGNMENT, for as long as the
 * trainer is used.  NULL if they are fewer than trainer_bytes says.
 */
extern Trainer *trainer_begin(const TrainerPlan *plan, float *weights,
							  size_t tokens, int texts, int longest,
							  void *memory, size_t bytes);

/*
 * embeddings: texts x trainer_dims.  With "training" what trainer_backward
 * wants is kept, and dropout takes place; the batch must stay as it is until
 * then.  INVALID: ids out of the vocabulary, texts that are empty or too long,
 * more than trainer_begin was told; STOPPED by the interrupt.
 */
extern TransformerStatus trainer_forward(Trainer *trainer,
										 const TransformerBatch *batch,
										 bool training, float *embeddings,
										 ProductInterrupt *interrupt);

/*
 * Dropout of the next forward pass takes its numbers from this one; passes
 * count on from there.  Two passes of one number leave out the same.
 */
extern void trainer_set_pass(Trainer *trainer, uint64_t pass);

/* gradients: as the embeddings of the last forward pass. */
extern TransformerStatus trainer_backward(Trainer *trainer,
										  const float *gradients,
										  ProductInterrupt *interrupt);

/*
 * The gradient of everything that moves, for workers that add theirs up: one
 * array; and the sum of its squares.
 */
extern float *trainer_gradients(Trainer *trainer, size_t *count);
extern double trainer_gradient_square(const Trainer *trainer);

/*
 * learning_rate: schedule_factor times the rate of the settings
 * gradient_factor: clip_factor, or 1
 */
extern void trainer_step(Trainer *trainer, double learning_rate,
						 double gradient_factor);

/* Everything that moves, for keeping the best epoch: as the gradients. */
extern void trainer_copy_state(const Trainer *trainer, float *to);
extern void trainer_restore_state(Trainer *trainer, const float *from);

/*
 * Low rank: the changes of the trainer that this one follows, whose weights
 * have them already.
 */
extern void trainer_follow(Trainer *trainer, const float *from);

/* A target's change, where there is one; the values may be changed. */
typedef struct TrainerAdapter
{
	float	   *a;				/* rank x inputs */
	float	   *b;				/* outputs x rank */
	int			rank;
	int			inputs;
	int			outputs;
} TrainerAdapter;

extern bool trainer_adapter(Trainer *trainer, TensorRole role, int layer,
							TrainerAdapter *adapter);

/*
 * Makes the changes of low rank, also those that were written from outside,
 * part of the weights, and forgets them; nothing in full mode, where the
 * weights are what moved.
 */
extern void trainer_merge(Trainer *trainer);

/* A step's number from 0 on; setting it continues a run. */
extern int64_t trainer_steps_done(const Trainer *trainer);

#endif							/* NETWORK_TRAINER_H */
