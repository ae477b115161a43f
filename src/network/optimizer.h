/*-------------------------------------------------------------------------
 *
 * optimizer.h
 *	  From gradients to steps of the weights, as PyTorch's classes make them.
 *
 *	AdamW		Loshchilov and Hutter 2019 (arXiv 1711.05101)
 *	SGD			with momentum: Sutskever et al. 2013; Nesterov's
 *	Adagrad		Duchi, Hazan and Singer 2011
 *	Adafactor	Shazeer and Stern 2018 (arXiv 1804.04235), without momentum
 *
 * A tensor of weights has a state of optimizer_state_floats floats, which the
 * caller owns, sets by optimizer_begin and dumps with the weights if a run is
 * to go on.  Steps are counted by the caller, from 1.  Learning rates come
 * with every step: schedule_factor times the rate of the settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_OPTIMIZER_H
#define NETWORK_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OptimizerKind
{
	OPTIMIZER_ADAMW,
	OPTIMIZER_SGD,
	OPTIMIZER_ADAGRAD,
	OPTIMIZER_ADAFACTOR
} OptimizerKind;

typedef struct OptimizerSettings
{
	OptimizerKind kind;
	double		learning_rate;
	double		weight_decay;	/* AdamW, Adafactor: of the weights
								 * themselves; SGD, Adagrad: of the loss */
	double		beta1;			/* AdamW */
	double		beta2;
	double		epsilon;		/* AdamW, Adagrad */
	double		momentum;		/* SGD */
	double		dampening;
	bool		nesterov;
	double		rate_decay;		/* Adagrad */
	double		initial_sum;
	double		beta2_decay;	/* Adafactor */
	double		least_scale;	/* of a tensor's weights: the rate is relative
								 * to them */
	double		least_square;	/* root of the least mean square */
	double		clip;			/* largest root mean square of an update */
} OptimizerSettings;

/* "adamw", "sgd", "adagrad", "adafactor"; -1 if there is no such. */
extern int	optimizer_of_name(const char *name);

/* PyTorch's defaults. */
extern OptimizerSettings optimizer_defaults(OptimizerKind kind);

/*
 * The state of a tensor; rows is 1 for a vector.  Adafactor keeps one number
 * for each row and one for each column of a matrix, the others one or two for
 * each weight.
 */
extern size_t optimizer_state_floats(const OptimizerSettings *settings,
									 int rows, int columns);
extern void optimizer_begin(const OptimizerSettings *settings, int rows,
							int columns, float *state);

/* One step of all tensors: its number, its rate, what gradients are times. */
typedef struct OptimizerStep
{
	int64_t		number;			/* from 1 */
	double		learning_rate;
	double		weight_decay;	/* usually 0 for biases and norms */
	double		gradient_factor;	/* of clipping, clip_factor; or 1 */
} OptimizerStep;

/*
 * is_vector: PyTorch's tensor has one dimension (Adafactor treats it so); a
 * matrix may have one row.
 */
extern void optimizer_step(const OptimizerSettings *settings,
						   const OptimizerStep *step, int rows, int columns,
						   bool is_vector, const float *gradient,
						   float *weights, float *state);

/*
 * The same for some rows of a table, each at most once, others left as they
 * are, like PyTorch's with sparse gradients: row rows[i] has the gradient
 * gradient + i * columns.  Not Adafactor, nor SGD with momentum, whose steps
 * move every row; those are false.
 */
extern bool optimizer_step_rows(const OptimizerSettings *settings,
								const OptimizerStep *step, int table_rows,
								int columns, int count, const int32_t *rows,
								const float *gradient, float *weights,
								float *state);

/*
 * Clipping by the global norm: sum gradient_square over all tensors, take the
 * root, then clip_factor, which is 1 if the norm is at most "most", or if most
 * is 0 or less.
 */
extern double gradient_square(size_t count, const float *gradient);
extern double clip_factor(double norm, double most);

typedef enum ScheduleKind
{
	SCHEDULE_CONSTANT,
	SCHEDULE_LINEAR,
	SCHEDULE_COSINE
} ScheduleKind;

/* "constant", "linear", "cosine"; -1 if there is no such. */
extern int	schedule_of_name(const char *name);

/*
 * The rate's factor in step number "done" + 1 of "total": from 0 up to 1 over
 * the steps of warm-up, then constant, or down to 0 along a line or half a
 * cosine; as the schedules with warm-up of transformers.
 */
extern double schedule_factor(ScheduleKind kind, int64_t done, int64_t warmup,
							  int64_t total);

#endif							/* NETWORK_OPTIMIZER_H */
