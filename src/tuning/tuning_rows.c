/*-------------------------------------------------------------------------
 *
 * tuning_rows.c
 *	  A target whose texts are sums of rows of one matrix: word vectors and
 *	  static models, whose rows move.
 *
 * Only rows that an example has are held, with what the optimizer keeps of
 * them: memory follows the examples, not the model.  A step touches the rows
 * of its batch alone, as PyTorch's optimizers do with sparse gradients.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "math/distance.h"
#include "math/rows.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/*
 * A step of AdamW moves a number by about the rate; as a share of the root of
 * the rows' mean square it suits models of any scale (README).
 */
#define RATE_OF_ROOT 0.02

typedef struct RowNumber
{
	int64		row;			/* key: of the base */
	int32		number;			/* here */
} RowNumber;

typedef struct Feature
{
	int32		row;			/* its number here */
	int32		token;			/* its number here, or -1: no weight moves */
	float		weight;			/* without the token's */
} Feature;

/* Tables whose rows move: those of the model; weights of tokens, one a row */
typedef struct MovingRows
{
	HTAB	   *numbers;		/* of RowNumber */
	int			stride;
	int32		count;
	int32		capacity;
	float	   *values;			/* count * stride */
	float	   *state;			/* of the optimizer */
	float	   *best;			/* or NULL */

	/* of a batch */
	int32	   *slots;			/* of each row: place among those touched, or
								 * -1 */
	int32	   *touched;
	int32		touched_count;
	float	   *gradients;		/* of those touched */
	int32		gradient_capacity;
} MovingRows;

typedef struct RowsTarget
{
	TuneTarget target;
	const Tunable *tunable;
	void	   *state;
	OptimizerSettings optimizer;
	double		dropout;
	bool		normalizes;
	bool		token_weights;	/* do they move? */
	MovingRows	rows;
	MovingRows	weights;
	double		weight_rate;	/* of theirs to that of the rows */
	Feature    *features;
	int64		feature_count;
	int64		feature_capacity;
	int64	   *start;			/* of each text's features; one more */
	float	   *sum;			/* stride floats */
} RowsTarget;

/* ---------- tables ---------- */

static float *
floats(Size count)
{
	return palloc_extended(sizeof(float) * Max(count, 1),
						   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static float *
values_of(const MovingRows *table, int32 number)
{
	return table->values + (Size) number * table->stride;
}

static void
moving_init(MovingRows *table, int stride)
{
	HASHCTL		keys = {0};

	table->stride = stride;
	table->capacity = 256;
	table->values = floats((Size) table->capacity * stride);
	keys.keysize = sizeof(int64);
	keys.entrysize = sizeof(RowNumber);
	keys.hcxt = CurrentMemoryContext;
	table->numbers = hash_create("tuned rows", 1024, &keys,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* The number of a row, zeros if it is new */
static int32
moving_number(MovingRows *table, int64 row, bool *found)
{
	RowNumber  *entry = hash_search(table->numbers, &row, HASH_ENTER, found);

	if (*found)
		return entry->number;
	if (table->count == table->capacity)
	{
		table->capacity *= 2;
		tuning_check_memory(sizeof(float) * table->stride *
							(Size) table->capacity);
		table->values = repalloc_huge(table->values, sizeof(float) *
									  table->stride *
									  (Size) table->capacity);
	}
	entry->number = table->count++;
	memset(values_of(table, entry->number), 0,
		   sizeof(float) * table->stride);
	return entry->number;
}

static Size
moving_bytes(const MovingRows *table, const OptimizerSettings *optimizer,
			 bool best)
{
	Size		row = sizeof(float) * table->stride;

	return row * table->capacity +
		sizeof(float) * optimizer_state_floats(optimizer, table->count,
											   table->stride) +
		(best ? row * table->count : 0) +
		(row + 2 * sizeof(int32)) * table->count;
}

static void
moving_begin(MovingRows *table, const OptimizerSettings *optimizer, bool best)
{
	table->state = floats(optimizer_state_floats(optimizer, table->count,
												 table->stride));
	optimizer_begin(optimizer, table->count, table->stride, table->state);
	if (best)
		table->best = floats((Size) table->count * table->stride);
	table->slots = palloc_extended(sizeof(int32) * Max(table->count, 1),
								   MCXT_ALLOC_HUGE);
	memset(table->slots, -1, sizeof(int32) * table->count);
	table->touched = palloc_extended(sizeof(int32) * Max(table->count, 1),
									 MCXT_ALLOC_HUGE);
	table->gradient_capacity = Min(table->count, 1024);
	table->gradients = floats((Size) table->gradient_capacity *
							  table->stride);
}

/* The gradient of a row, zeros if it is the first of this batch */
static float *
moving_gradient(MovingRows *table, int32 row)
{
	int32		slot = table->slots[row];

	if (slot >= 0)
		return table->gradients + (Size) slot * table->stride;
	slot = table->touched_count++;
	if (slot == table->gradient_capacity)
	{
		table->gradient_capacity = Min(2 * table->gradient_capacity,
									   table->count);
		table->gradients = repalloc_huge(table->gradients, sizeof(float) *
										 table->stride *
										 (Size) table->gradient_capacity);
	}
	table->slots[row] = slot;
	table->touched[slot] = row;
	memset(table->gradients + (Size) slot * table->stride, 0,
		   sizeof(float) * table->stride);
	return table->gradients + (Size) slot * table->stride;
}

static void
moving_step(MovingRows *table, const OptimizerSettings *optimizer,
			const OptimizerStep *step)
{
	(void) optimizer_step_rows(optimizer, step, table->count, table->stride,
							   table->touched_count, table->touched,
							   table->gradients, table->values, table->state);
	for (int32 i = 0; i < table->touched_count; i++)
		table->slots[table->touched[i]] = -1;
	table->touched_count = 0;
}

static double
moving_square(const MovingRows *table)
{
	return gradient_square((size_t) table->touched_count * table->stride,
						   table->gradients);
}

static void
moving_copy(const MovingRows *table, float *to, const float *from)
{
	memcpy(to, from, sizeof(float) * table->stride * (Size) table->count);
}

/* Of all numbers of all rows, each of so many; 1 where all are zero */
static double
root_mean_square(const MovingRows *table, int dims)
{
	double		square = gradient_square((size_t) table->count *
										 table->stride, table->values);

	return square > 0 ? sqrt(square / ((double) table->count * dims)) : 1;
}

/* ---------- texts ---------- */

static void
add_token(void *argument, int64 row, float share, int64 token, float weight)
{
	RowsTarget *rows = argument;
	Feature    *feature;
	bool		found;

	if (rows->feature_count == rows->feature_capacity)
	{
		rows->feature_capacity *= 2;
		tuning_check_memory(sizeof(Feature) * rows->feature_capacity);
		rows->features = repalloc_huge(rows->features, sizeof(Feature) *
									   rows->feature_capacity);
	}
	feature = &rows->features[rows->feature_count++];
	feature->row = moving_number(&rows->rows, row, &found);
	if (!found)
		rows->tunable->row(rows->state, row,
						   values_of(&rows->rows, feature->row));
	feature->weight = share;
	feature->token = -1;
	if (!rows->token_weights)
		return;
	feature->token = moving_number(&rows->weights, token, &found);
	if (!found)
		*values_of(&rows->weights, feature->token) = weight;
}

static void
add_feature(void *argument, int64 row, float weight)
{
	add_token(argument, row, weight, 0, 1);
}

static bool
read_features(RowsTarget *rows, const EncoderText *text)
{
	return rows->token_weights ?
		rows->tunable->tokens(rows->state, text, add_token, rows) :
		rows->tunable->features(rows->state, text, add_feature, rows);
}

static void
prepare_rows(TuneTarget *target, const TextTable *texts, bool *known,
			 Progress *progress)
{
	RowsTarget *rows = (RowsTarget *) target;
	int64		count = texts->count;
	double		root;

	rows->start = palloc_extended(sizeof(int64) * (count + 1),
								  MCXT_ALLOC_HUGE);
	progress_phase(progress, "reading texts", (double) count);
	for (int64 i = 0; i < count; i++)
	{
		const TextElement *element = tune_text(texts, i);
		EncoderText text = {element->text, element->length};

		rows->start[i] = rows->feature_count;
		known[i] = read_features(rows, &text);
		progress_update(progress, (double) i, NAN);
	}
	rows->start[count] = rows->feature_count;
	root = root_mean_square(&rows->rows, target->dims);
	target->learning_rate = RATE_OF_ROOT * root;
	rows->weight_rate = root_mean_square(&rows->weights, 1) / root;
}

static int
size_of_rows(const TuneTarget *target, int32 text)
{
	const RowsTarget *rows = (const RowsTarget *) target;

	return (int) (rows->start[text + 1] - rows->start[text]);
}

/* ---------- room ---------- */

static Size
bytes_of_rows(TuneTarget *target, int texts, Size available, bool best)
{
	const RowsTarget *rows = (const RowsTarget *) target;

	return sizeof(Feature) * rows->feature_capacity +
		moving_bytes(&rows->rows, &rows->optimizer, best) +
		moving_bytes(&rows->weights, &rows->optimizer, best);
}

static void
begin_rows(TuneTarget *target, bool best)
{
	RowsTarget *rows = (RowsTarget *) target;

	moving_begin(&rows->rows, &rows->optimizer, best);
	moving_begin(&rows->weights, &rows->optimizer, best);
}

/* ---------- there and back ---------- */

/*
 * What is left of a text under dropout: its features, and what their weights
 * are multiplied with; all of them go only where there is one.
 */
static bool
is_left(const RowsTarget *rows, uint64 noise, int place, int64 feature)
{
	return noise == 0 ||
		!tune_drops(noise, ((uint64) place << 32) ^ (uint64) feature,
					  rows->dropout);
}

static double
factor_of(const RowsTarget *rows, uint64 noise)
{
	return noise == 0 ? 1 : 1 / (1 - rows->dropout);
}

/* What the row of a feature is multiplied with */
static float
weight_of(const RowsTarget *rows, const Feature *feature, double factor)
{
	double		weight = feature->weight * factor;

	if (feature->token >= 0)
		weight *= *values_of(&rows->weights, feature->token);
	return (float) weight;
}

/* The sum of a text's rows in rows->sum; its length */
static double
sum_text(RowsTarget *rows, int place, int32 text, uint64 noise)
{
	double		factor = factor_of(rows, noise);

	memset(rows->sum, 0, sizeof(float) * rows->rows.stride);
	for (int64 i = rows->start[text]; i < rows->start[text + 1]; i++)
	{
		const Feature *feature = &rows->features[i];
		const float *row = values_of(&rows->rows, feature->row);
		float		weight = weight_of(rows, feature, factor);

		if (is_left(rows, noise, place, i))
			rows_sum(rows->rows.stride, &row, &weight, 1, rows->sum);
	}
	return sqrt(gradient_square(rows->target.dims, rows->sum));
}

static void
forward_rows(TuneTarget *target, int count, const int32 *texts,
			 uint64 noise, float *vectors)
{
	RowsTarget *rows = (RowsTarget *) target;

	for (int n = 0; n < count; n++)
	{
		double		length = sum_text(rows, n, texts[n], noise);
		float	   *vector = vectors + (Size) n * target->dims;
		float		factor = rows->normalizes && length > 0 ?
			(float) (1 / length) : 1;

		for (int d = 0; d < target->dims; d++)
			vector[d] = rows->sum[d] * factor;
	}
}

/*
 * Of v = s / |s|: the gradient of s is (g - v (v g)) / |s|.  Written over
 * rows->sum.
 */
static void
gradient_of_sum(RowsTarget *rows, int place, int32 text, uint64 noise,
				const float *gradient)
{
	int			dims = rows->target.dims;
	double		length = rows->normalizes ?
		sum_text(rows, place, text, noise) : 0;
	double		along = 0;

	for (int d = 0; length > 0 && d < dims; d++)
		along += rows->sum[d] * (double) gradient[d];
	for (int d = 0; d < dims; d++)
		rows->sum[d] = length > 0 ?
			(float) ((gradient[d] - rows->sum[d] * along /
					  (length * length)) / length) : gradient[d];
}

/* What the gradient of a text's sum, in rows->sum, does to a feature */
static void
backward_feature(RowsTarget *rows, const Feature *feature, double factor)
{
	const float *sum = rows->sum;
	float		weight = weight_of(rows, feature, factor);

	rows_sum(rows->rows.stride, &sum, &weight, 1,
			 moving_gradient(&rows->rows, feature->row));
	if (feature->token >= 0)
		*moving_gradient(&rows->weights, feature->token) += (float)
			(feature->weight * factor *
			 vector_inner_kernel(rows->target.dims, sum,
								 values_of(&rows->rows, feature->row)));
}

static void
backward_rows(TuneTarget *target, int count, const int32 *texts,
			  uint64 noise, const float *gradients)
{
	RowsTarget *rows = (RowsTarget *) target;
	double		factor = factor_of(rows, noise);

	for (int n = 0; n < count; n++)
	{
		memset(rows->sum, 0, sizeof(float) * rows->rows.stride);
		gradient_of_sum(rows, n, texts[n], noise,
						gradients + (Size) n * target->dims);
		for (int64 i = rows->start[texts[n]]; i < rows->start[texts[n] + 1];
			 i++)
		{
			if (is_left(rows, noise, n, i))
				backward_feature(rows, &rows->features[i], factor);
		}
	}
}

static double
square_of_rows(TuneTarget *target)
{
	RowsTarget *rows = (RowsTarget *) target;

	return moving_square(&rows->rows) + moving_square(&rows->weights);
}

static void
step_rows(TuneTarget *target, const OptimizerStep *step)
{
	RowsTarget *rows = (RowsTarget *) target;
	OptimizerStep own = *step;

	moving_step(&rows->rows, &rows->optimizer, step);
	own.learning_rate *= rows->weight_rate;
	own.weight_decay = 0;
	moving_step(&rows->weights, &rows->optimizer, &own);
}

static void
keep_rows(TuneTarget *target)
{
	RowsTarget *rows = (RowsTarget *) target;

	moving_copy(&rows->rows, rows->rows.best, rows->rows.values);
	moving_copy(&rows->weights, rows->weights.best, rows->weights.values);
}

static void
restore_rows(TuneTarget *target)
{
	RowsTarget *rows = (RowsTarget *) target;

	moving_copy(&rows->rows, rows->rows.values, rows->rows.best);
	moving_copy(&rows->weights, rows->weights.values, rows->weights.best);
}

/* Rows that no example has stay as they are. */
static void
tuned_values(const MovingRows *table, int64 row, int dims, float *values)
{
	const RowNumber *entry = hash_search(table->numbers, &row, HASH_FIND,
										 NULL);

	if (entry != NULL)
		memcpy(values, values_of(table, entry->number),
			   sizeof(float) * dims);
}

static void
tuned_row(void *argument, int64 row, float *values)
{
	RowsTarget *rows = argument;

	tuned_values(&rows->rows, row, rows->target.dims, values);
}

static void
tuned_weight(void *argument, int64 token, float *weight)
{
	tuned_values(&((RowsTarget *) argument)->weights, token, 1, weight);
}

static void
finish_rows(TuneTarget *target)
{
	target->source.row_values = tuned_row;
	if (((RowsTarget *) target)->token_weights)
		target->source.token_weight = tuned_weight;
	target->source.argument = target;
}

TuneTarget *
tuning_rows(const TuningOptions *options, const Tunable *tunable,
			const OpenEncoder *encoder)
{
	RowsTarget *rows = palloc0(sizeof(RowsTarget));

	rows->target = (TuneTarget) {
		.dims = encoder->dims,
		.unit = "tokens",
		.prepare = prepare_rows,
		.size = size_of_rows,
		.bytes = bytes_of_rows,
		.begin = begin_rows,
		.forward = forward_rows,
		.backward = backward_rows,
		.gradient_square = square_of_rows,
		.step = step_rows,
		.keep = keep_rows,
		.restore = restore_rows,
		.finish = finish_rows
	};
	rows->tunable = tunable;
	rows->state = encoder->state;
	rows->optimizer = tuning_optimizer(options);
	rows->dropout = options->dropout;
	rows->normalizes = tunable->normalizes != NULL &&
		tunable->normalizes(encoder->state);
	rows->token_weights = options->token_weights &&
		tunable->tokens != NULL && tunable->has_weights(encoder->state);
	moving_init(&rows->rows, TYPEALIGN(ROW_LANES, encoder->dims));
	moving_init(&rows->weights, 1);
	rows->feature_capacity = 4096;
	rows->features = palloc(sizeof(Feature) * rows->feature_capacity);
	rows->sum = floats(rows->rows.stride);
	return &rows->target;
}
