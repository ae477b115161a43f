/*-------------------------------------------------------------------------
 *
 * classifier_nearest.c
 *	  The label whose examples' mean is nearest.
 *
 * With m the mean of a label's vectors, -|x - m|^2 / 2 is m x - |m|^2 / 2 but
 * for what is the same of all labels: weights and a bias.  All are divided by
 * the variance of an element around its label's mean, v: so softmax gives the
 * chances of labels that are equally frequent and spread about their means as
 * one normal distribution (linear discriminant analysis with a covariance of
 * v times the identity).
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/classifier/trained_classifier.h"
#include "miscadmin.h"

/* Sums of the vectors of each label; returns the sum of all squares. */
static double
sum_labels(Fit *fit, int64 *counts)
{
	SparseFile *rows = fit->rows;
	double		squares = 0;

	sparse_file_rewind(rows);
	for (int64 n = 0; sparse_file_next(rows); n++)
	{
		int			label = fit->labels[n];

		if (fit_holds_out(fit, n))
			continue;
		counts[label]++;
		for (int i = 0; i < rows->count; i++)
		{
			fit->found[(Size) rows->keys[i] * fit->outputs + label] +=
				rows->values[i];
			squares += (double) rows->values[i] * rows->values[i];
		}
		progress_update(fit->progress, (double) n, NAN);
	}
	return squares;
}

/*
 * Of an element around its label's mean: by all squares less those of the
 * means, for what is left of the degrees of freedom.  One where there is none.
 */
static double
variance_of(const Fit *fit, const int64 *counts, double squares,
			const double *means)
{
	double		left = squares;
	double		freedom = ((double) fit->examples - fit->label_count) *
		fit->features;

	for (int k = 0; k < fit->label_count; k++)
		left -= (double) counts[k] * means[k];
	return freedom > 0 && left > 1e-9 * squares ? left / freedom : 1;
}

void
fit_nearest(Fit *fit)
{
	int			labels = fit->label_count;
	int64	   *counts = palloc0(sizeof(int64) * labels);
	double	   *means = palloc0(sizeof(double) * labels);	/* squared */
	double	   *biases = fit->found + (Size) fit->features * fit->outputs;
	double		squares = sum_labels(fit, counts);
	double		variance;

	for (Size f = 0; f < fit->features; f++)
		for (int k = 0; k < labels; k++)
		{
			double	   *weight = &fit->found[f * fit->outputs + k];

			*weight /= counts[k];
			means[k] += *weight * *weight;
		}
	variance = variance_of(fit, counts, squares, means);
	memset(means, 0, sizeof(double) * labels);
	for (Size f = 0; f < fit->features; f++)
		for (int k = 0; k < labels; k++)
		{
			double	   *weight = &fit->found[f * fit->outputs + k];

			/* as it will be stored: the bias is to suit that */
			*weight = (float) (*weight / variance);
			means[k] += *weight * *weight;
		}
	for (int k = 0; k < labels; k++)
		biases[k] = -means[k] / 2 * variance;
	fit->passes = 1;
	fit->converged = true;
	pfree(counts);
	pfree(means);
}
