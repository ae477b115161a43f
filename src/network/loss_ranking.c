/*-------------------------------------------------------------------------
 *
 * loss_ranking.c
 *	  Multiple negatives ranking, one way and both ways.
 *
 * Scores are computed for some anchors at a time with all candidates, so
 * memory does not grow with the square of the batch.  The way from positives
 * to anchors needs sums over columns of scores before the first gradient: they
 * come from a first pass, as running maximum and sum.
 *
 *-------------------------------------------------------------------------
 */
#include "network/loss.h"
#include "network/scratch.h"

typedef struct Ranking
{
	const LossSettings *settings;
	const LossBatch *batch;
	ProductInterrupt *interrupt;
	int			candidates;
	Real	   *anchors;		/* normalized */
	Real	   *others;			/* positives, then negatives, normalized */
	Real	   *anchor_gradient;
	Real	   *other_gradient;
	double	   *lengths;		/* of anchors, then of the others */
	Real	   *scores;			/* chunk x candidates */
	double	   *largest;		/* of each column of scores, and the sum of
								 * exponentials relative to it */
	double	   *sum;
	double	   *rest;			/* the sum without the column's own */
	Real	   *shares;			/* of one row, in the sums of columns */
	Real	   *product;		/* scratch of products */
} Ranking;

static int
chunk_rows(const LossSettings *settings, int rows)
{
	int			chunk = settings->chunk > 0 ? settings->chunk : 256;

	return chunk < rows ? chunk : rows;
}

static void
divide_ranking(Ranking *ranking, const LossSettings *settings, int rows,
			   int dims, int columns, Scratch *scratch)
{
	size_t		real = sizeof(Real);
	size_t		candidates = (size_t) rows * (columns - 1);

	ranking->candidates = (int) candidates;
	ranking->anchors = scratch_take(scratch, real * rows * dims);
	ranking->others = scratch_take(scratch, real * candidates * dims);
	ranking->anchor_gradient = scratch_take(scratch, real * rows * dims);
	ranking->other_gradient = scratch_take(scratch, real * candidates * dims);
	ranking->lengths = scratch_take(scratch,
									sizeof(double) * (rows + candidates));
	ranking->scores = scratch_take(scratch,
								   real * chunk_rows(settings, rows) *
								   candidates);
	ranking->largest = scratch_take(scratch, sizeof(double) * rows);
	ranking->sum = scratch_take(scratch, sizeof(double) * rows);
	ranking->rest = scratch_take(scratch, sizeof(double) * rows);
	ranking->shares = scratch_take(scratch, real * rows);
	ranking->product = scratch_take(scratch, real * MATRIX_SCRATCH_FLOATS);
}

size_t
ranking_scratch_bytes(const LossSettings *settings, int rows, int dims,
					  int columns)
{
	Scratch		scratch = {NULL, 0};
	Ranking		ignored;

	divide_ranking(&ignored, settings, rows, dims, columns, &scratch);
	return scratch.total;
}

/*
 * Is this candidate the same text as the anchor or its positive, or the
 * positive of an equal anchor?  Then it is no negative.
 */
static bool
is_same(const Ranking *ranking, int anchor, int candidate)
{
	const int64_t *const *texts = ranking->batch->texts;
	int			rows = ranking->batch->rows;
	int			column = 1 + candidate / rows;
	int			row = candidate % rows;
	int64_t		text;

	if (texts == NULL || candidate == anchor)
		return false;
	text = texts[column][row];
	return text == texts[0][anchor] || text == texts[1][anchor] ||
		(column == 1 && texts[0][row] == texts[0][anchor]);
}

/* Scores of anchors first .. first + rows - 1; minus infinity: no negative. */
static bool
score(const Ranking *ranking, int first, int rows)
{
	int			dims = ranking->batch->dims;
	int			candidates = ranking->candidates;
	RealMatrix	a = {ranking->anchors + (size_t) first * dims, dims, false};
	RealMatrix	b = {ranking->others, dims, true};

	if (!real_product(rows, candidates, dims, a, b, false, ranking->scores,
					  candidates, ranking->product, ranking->interrupt))
		return false;
	for (int r = 0; r < rows; r++)
	{
		Real	   *row = ranking->scores + (size_t) r * candidates;

		for (int c = 0; c < candidates; c++)
			row[c] = is_same(ranking, first + r, c) ? -(Real) INFINITY
				: row[c] * (Real) ranking->settings->scale;
	}
	return true;
}

/* Adds a chunk's rows to the sums of the columns. */
static void
sum_columns(const Ranking *ranking, int first, int rows)
{
	for (int r = 0; r < rows; r++)
	{
		const Real *row = ranking->scores + (size_t) r * ranking->candidates;

		for (int c = 0; c < ranking->batch->rows; c++)
		{
			double		factor;

			if (row[c] == -(Real) INFINITY)
				continue;
			if (row[c] > ranking->largest[c])
			{
				factor = exp(ranking->largest[c] - row[c]);
				ranking->sum[c] *= factor;
				ranking->rest[c] *= factor;
				ranking->largest[c] = row[c];
			}
			factor = exp(row[c] - ranking->largest[c]);
			ranking->sum[c] += factor;
			ranking->rest[c] += c == first + r ? 0 : factor;
		}
	}
}

/* Numbers to exponentials, relative to the largest, which is returned. */
static double
exponentials(int count, Real *row)
{
#ifdef NETWORK_DOUBLE
	Real		largest = -INFINITY;

	for (int c = 0; c < count; c++)
		largest = row[c] > largest ? row[c] : largest;
	for (int c = 0; c < count; c++)
		row[c] = exp(row[c] - largest);
	return largest;
#else
	SoftmaxState state = SOFTMAX_BEGIN;

	layer->softmax(count, row, NULL, &state);
	return state.largest;
#endif
}

/*
 * A row of scores becomes the gradient with respect to them, before scale and
 * mean; returns its part of the loss.
 */
static double
row_gradient(const Ranking *ranking, int anchor, Real *row)
{
	bool		both = ranking->settings->kind == LOSS_RANKING_SYMMETRIC;
	double		own = row[anchor];
	double		largest;
	double		sum;
	double		rest = 0;		/* of all but the own */
	double		loss;

	for (int c = 0; c < ranking->batch->rows && both; c++)
		ranking->shares[c] = (Real) (exp(row[c] - ranking->largest[c]) /
									 ranking->sum[c]);
	largest = exponentials(ranking->candidates, row);
	for (int c = 0; c < ranking->candidates; c++)
		rest += c == anchor ? 0 : row[c];
	sum = rest + row[anchor];
	loss = largest + log(sum) - own;
	if (both)
		loss += ranking->largest[anchor] + log(ranking->sum[anchor]) - own;
	real_scale(ranking->candidates, (Real) (1 / sum), row);
	if (both)
		real_add(ranking->batch->rows, ranking->shares, row);

	/* shares sum to one, and a small rest is exact only as a sum of its own */
	row[anchor] = (Real) (-rest / sum);
	if (both)
		row[anchor] -= (Real) (ranking->rest[anchor] / ranking->sum[anchor]);
	return both ? loss / 2 : loss;
}

static bool
chunk_gradient(const Ranking *ranking, int first, int rows, double *loss)
{
	int			dims = ranking->batch->dims;
	int			candidates = ranking->candidates;
	double		factor = ranking->settings->scale / ranking->batch->rows;
	RealMatrix	scores = {ranking->scores, candidates, false};
	RealMatrix	turned = {ranking->scores, candidates, true};
	RealMatrix	anchors = {ranking->anchors + (size_t) first * dims, dims,
	false};
	RealMatrix	others = {ranking->others, dims, false};

	if (ranking->settings->kind == LOSS_RANKING_SYMMETRIC)
		factor /= 2;
	for (int r = 0; r < rows; r++)
	{
		Real	   *row = ranking->scores + (size_t) r * candidates;

		*loss += row_gradient(ranking, first + r, row);
		real_scale(candidates, (Real) factor, row);
	}
	return real_product(rows, dims, candidates, scores, others, false,
						ranking->anchor_gradient + (size_t) first * dims,
						dims, ranking->product, ranking->interrupt) &&
		real_product(candidates, dims, rows, turned, anchors, true,
					 ranking->other_gradient, dims, ranking->product,
					 ranking->interrupt);
}

static bool
all_chunks(const Ranking *ranking, double *loss)
{
	int			rows = ranking->batch->rows;
	int			chunk = chunk_rows(ranking->settings, rows);

	for (int c = 0; c < rows; c++)
	{
		ranking->largest[c] = -INFINITY;
		ranking->sum[c] = 0;
		ranking->rest[c] = 0;
	}
	if (ranking->settings->kind == LOSS_RANKING_SYMMETRIC)
	{
		for (int first = 0; first < rows; first += chunk)
		{
			int			some = rows - first < chunk ? rows - first : chunk;

			if (!score(ranking, first, some))
				return false;
			sum_columns(ranking, first, some);
		}
	}
	for (int first = 0; first < rows; first += chunk)
	{
		int			some = rows - first < chunk ? rows - first : chunk;

		if (!score(ranking, first, some) ||
			!chunk_gradient(ranking, first, some, loss))
			return false;
	}
	return true;
}

bool
ranking_loss(const LossSettings *settings, const LossBatch *batch,
			 const LossGradient *gradient, double *loss, void *scratch,
			 ProductInterrupt *interrupt)
{
	Ranking		ranking = {settings, batch, interrupt};
	Scratch		parts = {scratch, 0};
	int			rows = batch->rows;
	size_t		block = (size_t) rows * batch->dims;

	divide_ranking(&ranking, settings, rows, batch->dims, batch->columns,
				   &parts);
	loss_normalize(rows, batch->dims, batch->dims, batch->embeddings[0],
				   ranking.anchors, ranking.lengths);
	for (int c = 1; c < batch->columns; c++)
		loss_normalize(rows, batch->dims, batch->dims, batch->embeddings[c],
					   ranking.others + (c - 1) * block,
					   ranking.lengths + c * rows);
	memset(ranking.other_gradient, 0,
		   sizeof(Real) * block * (batch->columns - 1));
	*loss = 0;
	if (!all_chunks(&ranking, loss))
		return false;
	*loss /= rows;

	/* kernels of exponentials bound their argument, which hides NaN */
	for (int i = 0; i < rows * batch->columns; i++)
	{
		if (!isfinite(ranking.lengths[i]))
			*loss = NAN;
	}
	loss_normalize_backward(rows, batch->dims, ranking.anchors,
							ranking.lengths, ranking.anchor_gradient);
	loss_normalize_backward(ranking.candidates, batch->dims, ranking.others,
							ranking.lengths + rows, ranking.other_gradient);
	memcpy(gradient->embeddings[0], ranking.anchor_gradient,
		   sizeof(Real) * block);
	for (int c = 1; c < batch->columns; c++)
		memcpy(gradient->embeddings[c],
			   ranking.other_gradient + (c - 1) * block,
			   sizeof(Real) * block);
	return true;
}
