/*-------------------------------------------------------------------------
 *
 * tunable.h
 *	  One face for models that can be fitted to a user's own examples.
 *
 * A method names its part in tuning (ModelMethod.tunable): how a text is a
 * sum of rows of the model's matrix, where it is one, and how a complete model
 * of its own kind is written with other rows, or with a layer more.  What is
 * learned and how is the room of tuning's, which knows no method.
 *
 * Every state is that of the method's encoder (Encoder.open).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_TUNABLE_H
#define MODEL_TUNABLE_H

#include "math/hash.h"
#include "math/random.h"
#include "model/encoder.h"
#include "network/optimizer.h"
#include "text/text_table.h"

struct Progress;

/* A text is the sum of rows, each times its weight. */
typedef void (*TuneReceiveRow) (void *argument, int64 row, float weight);

/*
 * The same where the token has a weight of its own, which can move too: the
 * row's is share * weight.
 */
typedef void (*TuneReceiveToken) (void *argument, int64 row, float share,
								  int64 token, float weight);

/*
 * Makes the values of a row of the base, "dims" floats, those of the new
 * model.
 */
typedef void (*TuneRowValues) (void *argument, int64 row, float *values);

/* What to write a model from */
typedef struct TuneSource
{
	Model	   *base;
	void	   *state;			/* the base's encoder */
	int			dims;
	ModelDefinition *definition;

	/* all rows anew, or if it is NULL ... */
	TuneRowValues row_values;
	void	   *argument;

	/* with them, where tokens have weights that moved: each of them anew */
	void		(*token_weight) (void *argument, int64 token, float *weight);

	/* ... a square matrix that multiplies vectors, row by row, or ... */
	const float *layer;

	/* ... the target itself, of a network */
	struct TuneTarget *network;
} TuneSource;

/* Whether dropout leaves this place out: the same for the same noise */
static inline bool
tune_drops(uint64 noise, uint64 place, double dropout)
{
	uint64		state = hash_combine64(noise, place);

	return (double) (splitmix64(&state) >> 11) * 0x1p-53 < dropout;
}

/* ---------- targets ---------- */

/* one of the distinct texts of the examples */
static inline const TextElement *
tune_text(const TextTable *texts, int64 number)
{
	return (const TextElement *) texts->elements + number;
}

/*
 * What moves in a tuning: it makes vectors of texts, which have numbers, and
 * takes gradients of them.
 */
typedef struct TuneTarget TuneTarget;

struct TuneTarget
{
	int			dims;
	const char *unit;			/* of what is counted: "tokens" */
	double		learning_rate;	/* where none is given */
	bool		training;		/* set by the run: backward will follow */
	TuneSource	source;			/* for writing */

	/*
	 * All texts are there: say which hold anything the model knows.  They
	 * stay where they are.
	 */
	void		(*prepare) (TuneTarget *target, const TextTable *texts,
							bool *known, struct Progress *progress);

	/* tokens of a text */
	int			(*size) (const TuneTarget *target, int32 text);

	/*
	 * Room for training on so many texts at once, of bytes that there are:
	 * what it takes, more than that if it is not enough; best: also for keep
	 */
	Size		(*bytes) (TuneTarget *target, int texts, Size available,
						  bool best);
	void		(*begin) (TuneTarget *target, bool best);

	/*
	 * Calls the body with other processes at hand, of which what follows
	 * makes use; the body uses no SQL.  NULL: there are none.
	 */
	void		(*run) (TuneTarget *target, void (*body) (void *argument),
						void *argument, struct Progress *progress);

	/*
	 * noise 0: none; otherwise dropout, the same for the same number.  Rows
	 * of dims floats.
	 */
	void		(*forward) (TuneTarget *target, int count,
							const int32 *texts, uint64 noise, float *vectors);
	void		(*backward) (TuneTarget *target, int count,
							 const int32 *texts, uint64 noise,
							 const float *gradients);
	double		(*gradient_square) (TuneTarget *target);

	/* takes the step and forgets the gradients */
	void		(*step) (TuneTarget *target, const OptimizerStep *step);
	void		(*keep) (TuneTarget *target);
	void		(*restore) (TuneTarget *target);

	/* sets what source lacks */
	void		(*finish) (TuneTarget *target);
};

/* What moves of a network */
typedef enum TuneWeights
{
	TUNE_LOW_RANK,				/* changes of low rank */
	TUNE_PROJECTIONS,			/* what its layers end with */
	TUNE_FULL					/* all weights */
} TuneWeights;

#define TUNE_WEIGHTS(which) (1 << (which))

/* A tuning of a network's own weights */
typedef struct TuneNetwork
{
	TuneWeights weights;
	bool		frozen_embeddings;	/* full: all but what makes vectors of
									 * tokens */
	int			rank;
	double		rank_alpha;
	const char *const *targets; /* names, ended by NULL; NULL: the method's */
	double		dropout;
	int			max_length;		/* tokens of a text; 0: as the model reads */
	int			workers;
	OptimizerSettings optimizer;
	uint64		seed;
} TuneNetwork;

/* A tuning of how a network's layers become one vector */
typedef struct TuneMix
{
	double		dropout;
	OptimizerSettings optimizer;
} TuneMix;

typedef struct Tunable
{
	/*
	 * Texts as sums of rows: false if there is nothing the model knows.  NULL:
	 * they are none, so there is no tuning of rows.
	 */
	bool		(*features) (void *state, const EncoderText *text,
							 TuneReceiveRow receive, void *argument);
	void		(*row) (void *state, int64 row, float *values);

	/*
	 * As features, for a model whose tokens have weights.  NULL: none has
	 * them.
	 */
	bool		(*tokens) (void *state, const EncoderText *text,
						   TuneReceiveToken receive, void *argument);
	bool		(*has_weights) (void *state);

	/* whether moving the rows makes sense: they are tokens' own */
	bool		row_is_token;

	/* whether the sum is divided by its length; NULL: never */
	bool		(*normalizes) (void *state);

	/*
	 * A layer that comes after the encoder stands in the rows themselves: the
	 * sum of rows times a matrix is the sum of the rows times it.
	 */
	bool		layer_in_rows;

	/* which of a network's weights can move, TUNE_WEIGHTS of each */
	int			weights;

	/* whether other processes can take a part of that */
	bool		has_workers;

	/*
	 * A target whose weights are the network's; checks that they can be
	 * trained.  NULL: it has none.
	 */
	TuneTarget *(*network) (const TuneNetwork *wanted, Model *base,
							void *state);

	/*
	 * A target in place of the layer that all encoders have, where a method
	 * has its own way to put layers together; NULL: it has none.
	 */
	TuneTarget *(*mix) (const TuneMix *wanted, Model *base, void *state);

	/* Writes the model; what else the base has stays as it is there. */
	Oid			(*write) (const TuneSource *source);

	/*
	 * The SQL function whose argument from_model goes on with the training of
	 * this kind on more text, or NULL
	 */
	const char *trained_by;
} Tunable;

/* the method's part, or an error that says which models have one */
extern const Tunable *model_tunable(const ModelDescription *description);

/* An option anew, in place of what was taken over */
extern void model_definition_replace(ModelDefinition *definition,
									 const char *option, const char *value);

/* All options of a base, for a model that is to be like it */
extern void model_definition_like(ModelDefinition *definition,
								  const ModelDescription *base);

#endif							/* MODEL_TUNABLE_H */
