/*-------------------------------------------------------------------------
 *
 * classifier_fit.c
 *	  Logistic regression: the weights that make the examples' labels most
 *	  likely, small ones preferred.
 *
 * What is minimized is scikit-learn's: |w|^2 / 2 plus c times the sum of the
 * examples' losses, each times the weight of its label; biases are not
 * penalised.  The loss is minus the logarithm of the label's probability: by
 * softmax over all labels, or, one_vs_rest, by one logistic function a label.
 * Each evaluation is a pass over the file of examples.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/classifier/trained_classifier.h"
#include "math/lbfgs.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Of the gradient: weights are then within so much of their length of the
 * best ones, as the penalty curves by one at the least.
 */
#define TOLERANCE	1e-4
#define MOST_ITERATIONS 1000

/* that are kept, of the first passes */
#define MOST_LOSSES 4096

/*
 * A row's product with weights: four sums, as each addition would wait for the
 * one before
 */
static double
multiply_row(const SparseFile *rows, const double *weights)
{
	const int32 *keys = rows->keys;
	const float *values = rows->values;
	double		sums[4] = {0};
	int			i = 0;

	for (; i + 4 <= rows->count; i += 4)
		for (int k = 0; k < 4; k++)
			sums[k] += values[i + k] * weights[keys[i + k]];
	for (; i < rows->count; i++)
		sums[0] += values[i] * weights[keys[i]];
	return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Scores of a row's outputs */
static void
score(const Fit *fit, const double *weights, const double *biases,
	  double *scores)
{
	const SparseFile *rows = fit->rows;
	int			outputs = fit->outputs;

	memcpy(scores, biases, sizeof(double) * outputs);
	if (outputs == 1)
	{
		scores[0] += multiply_row(rows, weights);
		return;
	}
	for (int i = 0; i < rows->count; i++)
	{
		const double *weight = weights + (Size) rows->keys[i] * outputs;

		for (int k = 0; k < outputs; k++)
			scores[k] += rows->values[i] * weight[k];
	}
}

/*
 * Loss of one logistic function, log(1 + exp(x)) of minus the score where the
 * row has the label, of the score where it has not, without overflow; the
 * score becomes its derivative.
 */
static double
logistic_loss(double *score, bool yes)
{
	double		x = *score;
	double		power = exp(-fabs(x));

	*score = (x >= 0 ? 1 : power) / (1 + power) - yes;
	return Max(yes ? -x : x, 0) + log1p(power);
}

/* The losses of one against the rest: of all, as if the row had no label */
static double
loss_of_none(const Fit *fit, double *scores)
{
	double		loss = 0;

	for (int k = 0; k < fit->outputs; k++)
		loss += logistic_loss(&scores[k], false);
	return loss;
}

/* Loss of a row of any number of labels: each takes its score off. */
static double
loss_of_row(const Fit *fit, int64 row, double *scores)
{
	const int32 *labels = fit_labels(fit, row);
	int			count = fit_label_count(fit, row);
	double		loss = 0;

	for (int i = 0; i < count; i++)
		loss -= scores[labels[i]];
	loss += loss_of_none(fit, scores);
	for (int i = 0; i < count; i++)
		scores[labels[i]] -= 1;
	return loss;
}

/* Loss of one example; scores become its derivatives. */
static double
loss_of(const Fit *fit, int label, double *scores)
{
	double		largest = scores[0];
	double		sum = 0;
	double		loss = 0;

	if (fit->outputs == 1 || fit->kind == CLASSIFIER_ONE_VS_REST)
	{
		for (int k = 0; k < fit->outputs; k++)
			loss += logistic_loss(&scores[k], fit->outputs == 1 ?
								  label == 1 : label == k);
		return loss;
	}
	for (int k = 1; k < fit->outputs; k++)
		largest = Max(largest, scores[k]);
	loss = -scores[label];
	for (int k = 0; k < fit->outputs; k++)
		sum += scores[k] = exp(scores[k] - largest);
	for (int k = 0; k < fit->outputs; k++)
		scores[k] = scores[k] / sum - (k == label);
	return loss + largest + log(sum);
}

/*
 * A row's share of the gradient of one output.  Values and keys of four are
 * read before the first of them is added: the compiler must take each addition
 * for one that may change what is read behind it.
 */
static void
add_row(const SparseFile *rows, double change, double *gradient)
{
	const int32 *keys = rows->keys;
	const float *values = rows->values;
	int			i = 0;

	for (; i + 4 <= rows->count; i += 4)
	{
		double		first = values[i] * change;
		double		second = values[i + 1] * change;
		double		third = values[i + 2] * change;
		double		fourth = values[i + 3] * change;
		int32		to_first = keys[i];
		int32		to_second = keys[i + 1];
		int32		to_third = keys[i + 2];
		int32		to_fourth = keys[i + 3];

		gradient[to_first] += first;
		gradient[to_second] += second;
		gradient[to_third] += third;
		gradient[to_fourth] += fourth;
	}
	for (; i < rows->count; i++)
		gradient[keys[i]] += values[i] * change;
}

static void
add_gradient(const Fit *fit, const double *changes, double *gradient)
{
	const SparseFile *rows = fit->rows;
	int			outputs = fit->outputs;

	if (outputs == 1)
	{
		add_row(rows, changes[0], gradient);
		return;
	}
	for (int i = 0; i < rows->count; i++)
	{
		double	   *to = gradient + (Size) rows->keys[i] * outputs;

		for (int k = 0; k < outputs; k++)
			to[k] += rows->values[i] * changes[k];
	}
}

/*
 * Where the examples weigh less than one together, all is multiplied so that
 * they weigh one: nothing but they curves along the biases.
 */
static double
scale_of(const Fit *fit)
{
	return Max(1, 1 / (fit->strength * fit->examples));
}

static void
report_loss(Fit *fit, double loss)
{
	if (fit->loss_count < MOST_LOSSES)
		fit->losses[fit->loss_count++] = loss;
	progress_update(fit->progress, (double) fit->rows->passes *
					fit->rows->rows, loss);
}

static double
objective(void *argument, const double *x, double *gradient)
{
	Fit		   *fit = argument;
	Size		weights = (Size) fit->features * fit->outputs;
	double	   *changes = palloc(sizeof(double) * fit->outputs);
	double		scale = scale_of(fit);
	double		value = 0;

	memset(gradient, 0, sizeof(double) * (weights + fit->outputs));
	for (Size i = 0; fit->penalty && i < weights; i++)
	{
		value += scale * x[i] * x[i] / 2;
		gradient[i] = scale * x[i];
	}
	sparse_file_rewind(fit->rows);
	for (int64 n = 0; sparse_file_next(fit->rows); n++)
	{
		bool		multi = fit->label_starts != NULL;
		int			label = multi ? 0 : fit->labels[n];
		double		weight = scale * fit->strength * fit->label_weights[label];

		if (fit_holds_out(fit, n))
			continue;
		score(fit, x, x + weights, changes);
		value += weight * (multi ? loss_of_row(fit, n, changes) :
						   loss_of(fit, label, changes));
		for (int k = 0; k < fit->outputs; k++)
			changes[k] *= weight;
		add_gradient(fit, changes, gradient);
		for (int k = 0; k < fit->outputs; k++)
			gradient[weights + k] += changes[k];
	}
	pfree(changes);
	report_loss(fit, value / scale / fit->examples);
	return value;
}

/* Whether the outputs above zero are the labels of a row */
static bool
has_labels_above(const Fit *fit, int64 row, const double *scores)
{
	const int32 *labels = fit_labels(fit, row);
	int			count = fit_label_count(fit, row);
	int			above = 0;

	for (int k = 0; k < fit->outputs; k++)
		above += scores[k] > 0;
	for (int i = 0; i < count; i++)
		if (scores[labels[i]] <= 0)
			return false;
	return above == count;
}

bool
fit_is_right(const Fit *fit, int64 row, double *scores)
{
	int			best = 0;

	score(fit, fit->found, fit->found + (Size) fit->features * fit->outputs,
		  scores);
	if (fit->label_starts != NULL)
		return has_labels_above(fit, row, scores);
	if (fit->outputs == 1)
		return (scores[0] > 0) == fit->labels[row];
	for (int k = 1; k < fit->outputs; k++)
		if (scores[k] > scores[best])
			best = k;
	return best == fit->labels[row];
}

/*
 * The inverse of the second derivatives by each variable alone where all are
 * zero: a rare term curves little, a bias much.
 */
static double *
inverse_curvatures(Fit *fit)
{
	Size		weights = (Size) fit->features * fit->outputs;
	double		share = 1.0 / fit->label_count;
	double		curve = fit->outputs == 1 ||
		fit->kind == CLASSIFIER_ONE_VS_REST ? 0.25 : share * (1 - share);
	double		scale = scale_of(fit);
	double	   *squares = palloc_extended(sizeof(double) * fit->features,
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	double	   *inverse = palloc_extended(
		sizeof(double) * (weights + fit->outputs), MCXT_ALLOC_HUGE);
	double		all = 0;

	sparse_file_rewind(fit->rows);
	for (int64 n = 0; sparse_file_next(fit->rows); n++)
	{
		double		weight = curve * fit->strength *
			fit->label_weights[fit->label_starts != NULL ? 0 :
							   fit->labels[n]];

		if (fit_holds_out(fit, n))
			continue;
		all += weight;
		for (int i = 0; i < fit->rows->count; i++)
			squares[fit->rows->keys[i]] += weight * fit->rows->values[i] *
				fit->rows->values[i];
	}
	for (Size i = 0; i < weights; i++)
	{
		double		square = squares[i / fit->outputs] + fit->penalty;

		/* a feature of rows that are all held out, without a penalty */
		inverse[i] = square > 0 ? 1 / (scale * square) : 1;
	}
	for (int k = 0; k < fit->outputs; k++)
		inverse[weights + k] = 1 / (scale * all);
	pfree(squares);
	return inverse;
}

/* More of them save passes, where half of maintenance_work_mem is enough. */
static int
pairs_that_fit(int64 variables)
{
	int			pairs = LBFGS_MOST_PAIRS;

	while (pairs > LBFGS_LEAST_PAIRS &&
		   lbfgs_bytes(variables, pairs) > (Size) maintenance_work_mem * 512)
		pairs--;
	return pairs;
}

/*
 * All that is in memory are some vectors of the weights' length: an error
 * says when they are too long.
 */
void
fit_run(Fit *fit)
{
	int64		variables = (int64) fit->features * fit->outputs +
		fit->outputs;
	Size		bytes = mul_size(sizeof(double), 3 * variables);
	double	   *inverse;
	LbfgsResult result;
	void	   *memory;
	int			pairs;

	fit->loss_count = 0;
	if (fit->kind != CLASSIFIER_NEAREST)
		bytes = add_size(bytes, lbfgs_bytes(variables, LBFGS_LEAST_PAIRS));
	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("classifier does not fit into maintenance_work_mem"),
				 errdetail("%d features and %d labels need %zu MB.",
						   fit->features, fit->label_count,
						   bytes / (1024 * 1024) + 1),
				 errhint("SET maintenance_work_mem = '%zuMB'; or use fewer features.",
						 bytes / (1024 * 1024) + 1)));
	fit->found = palloc_extended(sizeof(double) * variables,
								 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (fit->kind == CLASSIFIER_NEAREST)
	{
		fit_nearest(fit);
		return;
	}
	pairs = pairs_that_fit(variables);
	memory = palloc_extended(lbfgs_bytes(variables, pairs), MCXT_ALLOC_HUGE);
	fit->losses = palloc(sizeof(double) * MOST_LOSSES);
	inverse = inverse_curvatures(fit);
	lbfgs_minimize(variables, pairs, fit->found, objective, fit, inverse,
				   (int64) fit->features * fit->outputs, TOLERANCE,
				   MOST_ITERATIONS, memory, &result);
	pfree(inverse);
	fit->passes = result.evaluations;
	fit->converged = result.converged || result.exhausted;
	pfree(memory);
}
