/*-------------------------------------------------------------------------
 *
 * tuning.h
 *	  Fitting a model to a user's own examples.
 *
 * Examples are numbers of distinct texts; a target makes vectors of texts and
 * takes gradients of them; a run goes through batches, and looks at what was
 * held out.  Which loss, which optimizer: src/network.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TUNING_TUNING_H
#define TUNING_TUNING_H

#include "server/server.h"

#include "math/random.h"
#include "model/tunable.h"
#include "network/optimizer.h"
#include "text/text_table.h"
#include "train/progress.h"

/* ---------- what was asked for ---------- */

typedef enum TuningMethod
{
	TUNING_ROWS,
	TUNING_LAYER,
	TUNING_LOW_RANK,
	TUNING_PROJECTIONS,
	TUNING_FULL,
	TUNING_CONTINUE
} TuningMethod;

extern const char *const tuning_methods[];	/* ended by NULL */

#define TUNING_SCALE 20.0		/* unless another is given */

typedef struct TuningOptions
{
	char	   *model;
	Oid			base;
	char	   *examples;
	TuningMethod method;
	const char *loss;			/* NULL: what suits the examples */
	int			epochs;
	int			batch;			/* 0: what suits their number */
	double		learning_rate;	/* 0: what suits the method */
	double		warmup;			/* share of the steps */
	double		weight_decay;
	double		scale;
	double		margin;			/* NAN: the loss's own */
	const char *distance;		/* NULL: the loss's own */
	int			sizes;			/* Matryoshka's; 0: none */
	int		   *size;
	int			rank;			/* of a layer; 0: all of it */
	double		rank_alpha;
	const char **targets;		/* of low rank, ended by NULL; or NULL */
	int			workers;
	int			max_length;		/* tokens of a text; 0: all that are read */
	double		held_out;		/* share of the examples */
	int			patience;		/* epochs; 0: none */
	double		dropout;
	bool		frozen_embeddings;	/* of a network, full */
	bool		token_weights;	/* of rows, where the model has them */
	OptimizerKind optimizer;
	ScheduleKind schedule;
	uint64		seed;
	bool		replace;
} TuningOptions;

/*
 * Ereports if all that a tuning needs at once is more than
 * maintenance_work_mem.
 */
extern void tuning_check_memory(Size bytes);

/* ---------- examples (tuning_examples.c) ---------- */

typedef enum TuningShape
{
	TUNING_PAIRS,				/* anchor, positive, negatives */
	TUNING_SCORES,				/* two texts and a number */
	TUNING_LABELS,				/* a text and a label */
	TUNING_TEXTS,				/* a text */
	TUNING_TEACHER,				/* a text and the vector it is to have */
	TUNING_RELATIONS			/* two texts and a label of the two */
} TuningShape;

#define TUNING_MOST_TEXTS 32	/* of one example */
#define TUNING_MOST_LABELS 10000	/* of relations */

typedef struct TuningExamples
{
	TuningShape shape;
	int			width;			/* texts of an example */
	int			count;
	int			capacity;
	int32	   *texts;			/* count * width numbers */
	float	   *scores;			/* TUNING_SCORES */
	int32	   *labels;			/* TUNING_LABELS, TUNING_RELATIONS */
	int			label_count;
	int			teacher_dims;
	float	   *teacher;		/* TUNING_TEACHER: count * teacher_dims */
	TextTable	table;			/* of TextElement */
	bool	   *known;			/* of each text; set by the target */

	/* once split: examples by number, those held out at the end */
	int32	   *order;
	int			training;
	int			held_out;
} TuningExamples;

static inline bool
tuning_has_labels(const TuningExamples *examples)
{
	return examples->shape == TUNING_LABELS ||
		examples->shape == TUNING_RELATIONS;
}

extern TuningExamples *tuning_read_examples(const char *query,
											Progress *progress);

/*
 * Leaves out what has a text that the model knows nothing of, and holds out a
 * share, by the first text: what is held out was not trained on.
 */
extern void tuning_split(TuningExamples *examples, double held_out,
						 Random *random);
extern Size tuning_examples_bytes(const TuningExamples *examples);

/* ---------- batches (tuning_batch.c) ---------- */

/* Vectors of a batch stand group by group: all anchors, all positives, ... */
typedef struct TuningBatch
{
	int			rows;			/* examples */
	int			groups;			/* texts of each */
	int32	   *texts;			/* rows * groups, group by group */
	float	   *scores;
	float	   *teacher;		/* of each row, or NULL */
	int32	   *labels;			/* TUNING_RELATIONS */
} TuningBatch;

typedef struct TuningBatches TuningBatches;

extern TuningBatches *tuning_batches(const TuningExamples *examples,
									 int batch, Random *random);
extern int	tuning_batches_steps(const TuningBatches *batches);
extern int	tuning_batches_groups(const TuningBatches *batches);
extern void tuning_begin_epoch(TuningBatches *batches);
extern bool tuning_next_batch(TuningBatches *batches, TuningBatch *batch);

/* ---------- targets of our own (TuneTarget) ---------- */

extern TuneTarget *tuning_rows(const TuningOptions *options,
								 const Tunable *tunable,
								 const OpenEncoder *encoder);
extern TuneTarget *tuning_layer(const TuningOptions *options,
								  const Tunable *tunable,
								  const OpenEncoder *encoder);

/* As PyTorch has it, for all targets */
extern OptimizerSettings tuning_optimizer(const TuningOptions *options);

/* ---------- losses (tuning_loss.c) ---------- */

typedef struct TuningLoss TuningLoss;

/*
 * Checks that the loss suits the examples; rows: of a batch.  Vectors and
 * gradients stand as the texts of a batch.
 */
extern TuningLoss *tuning_loss(const TuningOptions *options,
							   const TuningExamples *examples, int rows,
							   int dims);
extern double tuning_compute_loss(TuningLoss *loss, const TuningBatch *batch,
								  const float *vectors, float *gradients);

/* What a loss has of its own to learn: as of a target */
extern double tuning_loss_square(const TuningLoss *loss);
extern void tuning_loss_step(TuningLoss *loss, const OptimizerStep *step);

/* ---------- what was held out (tuning_metric.c) ---------- */

#define TUNING_MOST_METRICS 2

typedef struct TuningMetrics
{
	int			count;			/* 0: nothing was held out */
	const char *names[TUNING_MOST_METRICS];
	double		values[TUNING_MOST_METRICS];	/* the last one decides */
} TuningMetrics;

extern void tuning_measure(TuneTarget *target,
						   const TuningExamples *examples,
						   TuningMetrics *metrics);

/* ---------- how it went (tuning_history.c) ---------- */

typedef struct TuningPoint
{
	int			epoch;
	int64		step;
	double		loss;			/* NAN: before the first step */
	double		seconds;
	TuningMetrics metrics;
} TuningPoint;

typedef struct TuningHistory
{
	int			count;
	int			capacity;
	TuningPoint *points;
} TuningHistory;

extern void tuning_add_point(TuningHistory *history,
							 const TuningPoint *point);

/* for the option MODEL_HISTORY */
extern char *tuning_history_text(const TuningHistory *history);

/* ---------- the run (tuning_run.c) ---------- */

extern void tuning_run(const TuningOptions *options, TuneTarget *target,
					   TuningExamples *examples, TuningHistory *history,
					   Progress *progress);

#endif							/* TUNING_TUNING_H */
