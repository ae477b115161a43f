/*-------------------------------------------------------------------------
 *
 * loss.c
 *	  Losses of pairs and triples, and those that wrap others.
 *
 * Each of them first has one number for each row (a similarity or distance),
 * turns these into the loss and its derivative by each of the numbers, and
 * leaves the rest to pair_add_gradient.
 *
 *-------------------------------------------------------------------------
 */
#include "network/loss.h"

#include <stdlib.h>

#include "network/scratch.h"

static const char *const names[LOSS_KINDS] = {
	"multiple_negatives_ranking", "multiple_negatives_symmetric_ranking",
	"cosine_similarity", "cosent", "angle", "triplet", "contrastive",
	"online_contrastive", "softmax", "mse"
};

int
loss_of_name(const char *name)
{
	for (int i = 0; i < LOSS_KINDS; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *
loss_name(LossKind kind)
{
	return names[kind];
}

int
loss_distance_of_name(const char *name)
{
	static const char *const distances[] = {"cosine", "euclidean",
	"manhattan"};

	for (int i = 0; i < 3; i++)
	{
		if (strcmp(distances[i], name) == 0)
			return i;
	}
	return -1;
}

LossSettings
loss_defaults(LossKind kind)
{
	LossSettings settings = {.kind = kind, .scale = 20, .chunk = 256};

	if (kind == LOSS_TRIPLET)
	{
		settings.margin = 5;
		settings.distance = LOSS_DISTANCE_EUCLIDEAN;
	}
	else if (kind == LOSS_CONTRASTIVE || kind == LOSS_ONLINE_CONTRASTIVE)
		settings.margin = 0.5;
	return settings;
}

static bool
is_ranking(LossKind kind)
{
	return kind == LOSS_RANKING || kind == LOSS_RANKING_SYMMETRIC;
}

static const char *
complaint_of_sizes(const LossSettings *settings, int dims)
{
	if (settings->sizes > 0 && settings->kind == LOSS_SOFTMAX)
		return "the softmax loss has weights for one size of embeddings only";
	for (int i = 0; i < settings->sizes; i++)
	{
		if (settings->dims[i] < 1 || settings->dims[i] > dims)
			return "a size is not between 1 and the embeddings' dimensions";
	}
	return NULL;
}

const char *
loss_complaint(const LossSettings *settings, const LossBatch *batch)
{
	LossKind	kind = settings->kind;

	if (batch->rows < 1 || batch->dims < 1)
		return "there are no embeddings";
	if (batch->columns < 1 || batch->columns > LOSS_MOST_COLUMNS)
		return "there are too few or too many columns of texts";
	if (is_ranking(kind) && batch->columns < 2)
		return "this loss takes an anchor, a positive and any negatives";
	if (kind == LOSS_TRIPLET && batch->columns != 3)
		return "this loss takes an anchor, a positive and a negative";
	if (!is_ranking(kind) && kind != LOSS_TRIPLET && kind != LOSS_TEACHER &&
		batch->columns != 2)
		return "this loss takes two texts";
	if (kind == LOSS_SOFTMAX &&
		(batch->labels == NULL || batch->head == NULL || settings->labels < 2))
		return "this loss takes labels, two at least";
	if (kind == LOSS_TEACHER && batch->teacher == NULL)
		return "this loss takes a teacher's vectors";
	if ((kind == LOSS_COSINE || kind == LOSS_COSENT || kind == LOSS_ANGLE ||
		 kind == LOSS_CONTRASTIVE || kind == LOSS_ONLINE_CONTRASTIVE) &&
		batch->scores == NULL)
		return "this loss takes a score for each pair";
	return complaint_of_sizes(settings, batch->dims);
}

size_t
loss_head_floats(const LossSettings *settings, int dims)
{
	if (settings->kind != LOSS_SOFTMAX)
		return 0;
	return (size_t) settings->labels * (3 * (size_t) dims + 1);
}

/* A row's label, its similarity, and what becomes of them. */
typedef struct ScoredRow
{
	double		label;
	double		value;
	double		higher;			/* log of the sum of exp(-value) of rows of
								 * higher labels */
	double		lower;			/* of exp(value) of rows of lower labels */
	int			row;
} ScoredRow;

/* Memory of all that is neither ranking nor Matryoshka. */
typedef struct PairScratch
{
	double	   *values;			/* one for each row */
	ScoredRow  *scored;
	Real	   *features;		/* softmax: (u, v, |u - v|), its gradient */
	Real	   *feature_gradient;
	double	   *logits;
} PairScratch;

static void
divide(PairScratch *parts, const LossSettings *settings, int rows, int dims,
	   Scratch *scratch)
{
	parts->values = scratch_take(scratch, sizeof(double) * rows);
	parts->scored = scratch_take(scratch, sizeof(ScoredRow) * rows);
	parts->features = scratch_take(scratch, sizeof(Real) * 3 * dims);
	parts->feature_gradient = scratch_take(scratch, sizeof(Real) * 3 * dims);
	parts->logits = scratch_take(scratch,
								 sizeof(double) * (settings->labels + 1));
}

static void
clear_gradient(const LossBatch *batch, const LossGradient *gradient)
{
	for (int c = 0; c < batch->columns; c++)
		memset(gradient->embeddings[c], 0,
			   sizeof(Real) * batch->rows * batch->dims);
}

static const Real *
embedding(const LossBatch *batch, int column, int row)
{
	return batch->embeddings[column] + (size_t) row * batch->dims;
}

static double
value_of(const LossBatch *batch, PairKind kind, int row, int other)
{
	return pair_value(kind, batch->dims, embedding(batch, 0, row),
					  embedding(batch, other, row));
}

static void
add_gradient(const LossBatch *batch, const LossGradient *gradient,
			 PairKind kind, int row, int other, double factor)
{
	size_t		at = (size_t) row * batch->dims;

	if (factor != 0)
		pair_add_gradient(kind, batch->dims, embedding(batch, 0, row),
						  embedding(batch, other, row), factor,
						  gradient->embeddings[0] + at,
						  gradient->embeddings[other] + at);
}

static double
cosine_loss(const LossBatch *batch, const LossGradient *gradient)
{
	double		loss = 0;

	for (int r = 0; r < batch->rows; r++)
	{
		double		difference = value_of(batch, PAIR_COSINE, r, 1) -
			batch->scores[r];

		loss += difference * difference;
		add_gradient(batch, gradient, PAIR_COSINE, r, 1,
					 2 * difference / batch->rows);
	}
	return loss / batch->rows;
}

/*
 * CoSENT and AnglE
 */

static int
by_label(const void *a, const void *b)
{
	const ScoredRow *x = a;
	const ScoredRow *y = b;

	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	return x->row < y->row ? -1 : 1;
}

static double
log_add(double a, double b)
{
	double		larger = a > b ? a : b;

	if (larger == -INFINITY)
		return larger;
	return larger + log(exp(a - larger) + exp(b - larger));
}

/* Sums over rows of higher and of lower labels; rows are in order. */
static void
sum_sides(ScoredRow *rows, int count)
{
	double		sum = -INFINITY;

	for (int begin = 0, end; begin < count; begin = end)
	{
		for (end = begin; end < count && rows[end].label == rows[begin].label;
			 end++)
			rows[end].lower = sum;
		for (int i = begin; i < end; i++)
			sum = log_add(sum, rows[i].value);
	}
	sum = -INFINITY;
	for (int end = count, begin; end > 0; end = begin)
	{
		for (begin = end; begin > 0 &&
			 rows[begin - 1].label == rows[end - 1].label; begin--)
			rows[begin - 1].higher = sum;
		for (int i = begin; i < end; i++)
			sum = log_add(sum, -rows[i].value);
	}
}

static double
cosent_loss(const LossSettings *settings, const LossBatch *batch,
			const LossGradient *gradient, PairScratch *parts)
{
	PairKind	kind = settings->kind == LOSS_ANGLE ? PAIR_ANGLE : PAIR_COSINE;
	double		loss = 0;		/* log 1 */

	for (int r = 0; r < batch->rows; r++)
	{
		parts->scored[r].label = batch->scores[r];
		parts->scored[r].value = settings->scale * value_of(batch, kind, r, 1);
		parts->scored[r].row = r;
	}
	qsort(parts->scored, batch->rows, sizeof(ScoredRow), by_label);
	sum_sides(parts->scored, batch->rows);
	for (int i = 0; i < batch->rows; i++)
		loss = log_add(loss, parts->scored[i].value + parts->scored[i].higher);
	for (int i = 0; i < batch->rows; i++)
	{
		const ScoredRow *scored = &parts->scored[i];

		add_gradient(batch, gradient, kind, scored->row, 1,
					 settings->scale *
					 (exp(scored->value + scored->higher - loss) -
					  exp(scored->lower - scored->value - loss)));
	}
	return loss;
}

/*
 * Distances: triplets and contrasts
 */

/*
 * The distance, and the sign that its gradient has to the kind's own: a cosine
 * counts the other way round.
 */
static double
distance_of(const LossBatch *batch, PairKind kind, int row, int other)
{
	double		value = value_of(batch, kind, row, other);

	return kind == PAIR_COSINE ? 1 - value : value;
}

static void
add_distance_gradient(const LossBatch *batch, const LossGradient *gradient,
					  PairKind kind, int row, int other, double factor)
{
	add_gradient(batch, gradient, kind, row, other,
				 kind == PAIR_COSINE ? -factor : factor);
}

static double
triplet_loss(const LossSettings *settings, const LossBatch *batch,
			 const LossGradient *gradient)
{
	static const PairKind kinds[] = {PAIR_COSINE, PAIR_EUCLIDEAN,
	PAIR_MANHATTAN};
	PairKind	kind = kinds[settings->distance];
	double		loss = 0;

	for (int r = 0; r < batch->rows; r++)
	{
		double		excess = distance_of(batch, kind, r, 1) -
			distance_of(batch, kind, r, 2) + settings->margin;

		/* written so that NaN stays */
		if (excess <= 0)
			continue;
		loss += excess;
		add_distance_gradient(batch, gradient, kind, r, 1, 1.0 / batch->rows);
		add_distance_gradient(batch, gradient, kind, r, 2, -1.0 / batch->rows);
	}
	return loss / batch->rows;
}

static PairKind
contrast_kind(const LossSettings *settings)
{
	static const PairKind kinds[] = {PAIR_COSINE, PAIR_EUCLIDEAN_SHIFTED,
	PAIR_MANHATTAN_SHIFTED};

	return kinds[settings->distance];
}

static double
contrastive_loss(const LossSettings *settings, const LossBatch *batch,
				 const LossGradient *gradient)
{
	PairKind	kind = contrast_kind(settings);
	double		loss = 0;

	for (int r = 0; r < batch->rows; r++)
	{
		double		distance = distance_of(batch, kind, r, 1);
		double		alike = batch->scores[r];
		double		missing = settings->margin - distance;

		missing = missing < 0 ? 0 : missing;
		loss += alike * distance * distance + (1 - alike) * missing * missing;
		add_distance_gradient(batch, gradient, kind, r, 1,
							  (alike * distance - (1 - alike) * missing) /
							  batch->rows);
	}
	return loss / 2 / batch->rows;
}

/*
 * What pairs of one kind must pass to be hard: the nearest or farthest of the
 * other kind, or, where there is none, the mean of their own.
 */
static double
hard_bound(const LossBatch *batch, const double *distances, bool alike)
{
	double		farthest = -INFINITY;
	double		nearest = INFINITY;
	double		sum = 0;
	int			mine = 0;
	int			others = 0;

	for (int r = 0; r < batch->rows; r++)
	{
		if (batch->scores[r] == (alike ? 1 : 0))
		{
			sum += distances[r];
			mine++;
		}
		else if (batch->scores[r] == (alike ? 0 : 1))
		{
			farthest = distances[r] > farthest ? distances[r] : farthest;
			nearest = distances[r] < nearest ? distances[r] : nearest;
			others++;
		}
	}
	if (others == 0)
		return mine > 0 ? sum / mine : 0;
	return alike ? nearest : farthest;
}

static double
online_contrastive_loss(const LossSettings *settings, const LossBatch *batch,
						const LossGradient *gradient, PairScratch *parts)
{
	PairKind	kind = contrast_kind(settings);
	double		farthest;
	double		nearest;
	double		loss = 0;

	for (int r = 0; r < batch->rows; r++)
		parts->values[r] = distance_of(batch, kind, r, 1);
	farthest = hard_bound(batch, parts->values, false);
	nearest = hard_bound(batch, parts->values, true);
	for (int r = 0; r < batch->rows; r++)
	{
		double		distance = parts->values[r];
		double		missing = settings->margin - distance;

		if (isnan(distance))
			loss = NAN;
		if (batch->scores[r] == 1 && distance > nearest)
		{
			loss += distance * distance;
			add_distance_gradient(batch, gradient, kind, r, 1, 2 * distance);
		}
		else if (batch->scores[r] == 0 && distance < farthest && missing > 0)
		{
			loss += missing * missing;
			add_distance_gradient(batch, gradient, kind, r, 1, -2 * missing);
		}
	}
	return loss;
}

/*
 * Softmax over labels
 */

static double
softmax_row(const LossSettings *settings, const LossBatch *batch,
			const LossGradient *gradient, PairScratch *parts, int row)
{
	const int	dims = batch->dims;
	const size_t width = 3 * (size_t) dims;
	const Real *bias = batch->head + settings->labels * width;
	const Real *u = embedding(batch, 0, row);
	const Real *v = embedding(batch, 1, row);
	Real	   *to_u = gradient->embeddings[0] + (size_t) row * dims;
	Real	   *to_v = gradient->embeddings[1] + (size_t) row * dims;
	double		sum = -INFINITY;

	for (int i = 0; i < dims; i++)
	{
		parts->features[i] = u[i];
		parts->features[dims + i] = v[i];
		parts->features[2 * dims + i] = u[i] > v[i] ? u[i] - v[i]
			: v[i] - u[i];
	}
	for (int l = 0; l < settings->labels; l++)
	{
		parts->logits[l] = bias[l] + real_inner((int) width, parts->features,
												batch->head + l * width);
		sum = log_add(sum, parts->logits[l]);
	}
	memset(parts->feature_gradient, 0, sizeof(Real) * width);
	for (int l = 0; l < settings->labels; l++)
	{
		double		slope = exp(parts->logits[l] - sum) -
			(l == batch->labels[row]);

		slope /= batch->rows;
		for (size_t i = 0; i < width; i++)
		{
			parts->feature_gradient[i] += (Real) (slope *
												  batch->head[l * width + i]);
			gradient->head[l * width + i] += (Real) (slope *
													 parts->features[i]);
		}
		gradient->head[settings->labels * width + l] += (Real) slope;
	}
	for (int i = 0; i < dims; i++)
	{
		Real		apart = parts->feature_gradient[2 * dims + i] *
			(Real) ((u[i] > v[i]) - (u[i] < v[i]));

		to_u[i] = parts->feature_gradient[i] + apart;
		to_v[i] = parts->feature_gradient[dims + i] - apart;
	}
	return sum - parts->logits[batch->labels[row]];
}

static double
softmax_loss(const LossSettings *settings, const LossBatch *batch,
			 const LossGradient *gradient, PairScratch *parts)
{
	double		loss = 0;

	memset(gradient->head, 0,
		   sizeof(Real) * loss_head_floats(settings, batch->dims));
	for (int r = 0; r < batch->rows; r++)
		loss += softmax_row(settings, batch, gradient, parts, r);
	return loss / batch->rows;
}

/* Differences are of whole vectors, or of the first numbers of a teacher's. */
static double
teacher_loss(const LossBatch *batch, const LossGradient *gradient,
			 int teacher_dims)
{
	double		count = (double) batch->columns * batch->rows * batch->dims;
	double		loss = 0;

	for (int c = 0; c < batch->columns; c++)
	{
		for (int r = 0; r < batch->rows; r++)
		{
			const Real *x = embedding(batch, c, r);
			const Real *right = batch->teacher[c] + (size_t) r * teacher_dims;
			Real	   *to = gradient->embeddings[c] +
				(size_t) r * batch->dims;

			for (int i = 0; i < batch->dims; i++)
			{
				double		difference = (double) x[i] - right[i];

				loss += difference * difference;
				to[i] = (Real) (2 * difference / count);
			}
		}
	}
	return loss / count;
}

static size_t
plain_scratch_bytes(const LossSettings *settings, int rows, int dims,
					int columns)
{
	Scratch		scratch = {NULL, 0};
	PairScratch ignored;

	if (is_ranking(settings->kind))
		return ranking_scratch_bytes(settings, rows, dims, columns);
	divide(&ignored, settings, rows, dims, &scratch);
	return scratch.total;
}

static bool
plain_loss(const LossSettings *settings, const LossBatch *batch,
		   int teacher_dims, const LossGradient *gradient, double *loss,
		   void *scratch, ProductInterrupt *interrupt)
{
	Scratch		memory = {scratch, 0};
	PairScratch parts;

	if (is_ranking(settings->kind))
		return ranking_loss(settings, batch, gradient, loss, scratch,
							interrupt);
	divide(&parts, settings, batch->rows, batch->dims, &memory);
	clear_gradient(batch, gradient);
	switch (settings->kind)
	{
		case LOSS_COSINE:
			*loss = cosine_loss(batch, gradient);
			break;
		case LOSS_COSENT:
		case LOSS_ANGLE:
			*loss = cosent_loss(settings, batch, gradient, &parts);
			break;
		case LOSS_TRIPLET:
			*loss = triplet_loss(settings, batch, gradient);
			break;
		case LOSS_CONTRASTIVE:
			*loss = contrastive_loss(settings, batch, gradient);
			break;
		case LOSS_ONLINE_CONTRASTIVE:
			*loss = online_contrastive_loss(settings, batch, gradient, &parts);
			break;
		case LOSS_SOFTMAX:
			*loss = softmax_loss(settings, batch, gradient, &parts);
			break;
		default:
			*loss = teacher_loss(batch, gradient, teacher_dims);
			break;
	}
	return true;
}

/*
 * Matryoshka
 */

/* The first numbers of all embeddings, normalized, and their gradients. */
typedef struct Shortened
{
	Real	   *embeddings[LOSS_MOST_COLUMNS];
	Real	   *gradients[LOSS_MOST_COLUMNS];
	double	   *lengths[LOSS_MOST_COLUMNS];
} Shortened;

static void
divide_shortened(Shortened *shortened, int rows, int dims, int columns,
				 Scratch *scratch)
{
	for (int c = 0; c < columns; c++)
	{
		shortened->embeddings[c] = scratch_take(scratch,
												sizeof(Real) * rows * dims);
		shortened->gradients[c] = scratch_take(scratch,
											   sizeof(Real) * rows * dims);
		shortened->lengths[c] = scratch_take(scratch, sizeof(double) * rows);
	}
}

size_t
loss_scratch_bytes(const LossSettings *settings, int rows, int dims,
				   int columns)
{
	Scratch		scratch = {NULL, 0};
	Shortened	ignored;

	if (settings->sizes > 0)
		divide_shortened(&ignored, rows, dims, columns, &scratch);
	return scratch.total + plain_scratch_bytes(settings, rows, dims, columns);
}

/* The part of one size, added. */
static bool
shortened_loss(const LossSettings *settings, const LossBatch *batch, int size,
			   double weight, const LossGradient *gradient,
			   const Shortened *shortened, double *loss, void *scratch,
			   ProductInterrupt *interrupt)
{
	LossBatch	part = *batch;
	LossGradient part_gradient = {shortened->gradients, gradient->head};
	double		part_loss;

	part.dims = size;
	part.embeddings = (const Real *const *) shortened->embeddings;
	for (int c = 0; c < batch->columns; c++)
		loss_normalize(batch->rows, size, batch->dims, batch->embeddings[c],
					   shortened->embeddings[c], shortened->lengths[c]);
	if (!plain_loss(settings, &part, batch->dims, &part_gradient, &part_loss,
					scratch, interrupt))
		return false;
	*loss += weight * part_loss;
	for (int c = 0; c < batch->columns; c++)
	{
		loss_normalize_backward(batch->rows, size, shortened->embeddings[c],
								shortened->lengths[c],
								shortened->gradients[c]);
		for (int r = 0; r < batch->rows; r++)
			real_add_scaled(size, (Real) weight,
							shortened->gradients[c] + (size_t) r * size,
							gradient->embeddings[c] +
							(size_t) r * batch->dims);
	}
	return true;
}

bool
loss_compute(const LossSettings *settings, const LossBatch *batch,
			 const LossGradient *gradient, double *loss, void *scratch,
			 ProductInterrupt *interrupt)
{
	Scratch		memory = {scratch, 0};
	Shortened	shortened;

	if (settings->sizes == 0)
		return plain_loss(settings, batch, batch->dims, gradient, loss,
						  scratch, interrupt);
	divide_shortened(&shortened, batch->rows, batch->dims, batch->columns,
					 &memory);
	clear_gradient(batch, gradient);
	*loss = 0;
	for (int i = 0; i < settings->sizes; i++)
	{
		if (!shortened_loss(settings, batch, settings->dims[i],
							settings->weights != NULL ? settings->weights[i]
							: 1, gradient, &shortened, loss, memory.at,
							interrupt))
			return false;
	}
	return true;
}
