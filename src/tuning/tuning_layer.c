/*-------------------------------------------------------------------------
 *
 * tuning_layer.c
 *	  A target that multiplies the vectors of an encoder by a matrix: all
 *	  encoders have it, and the encoder itself stays as it is.
 *
 * y = W x, W full or W = I + alpha / rank B A with A of "rank" rows, random,
 * and B zero at the start (Hu et al. 2021, arXiv 2106.09685): both begin as
 * the identity, so before the first step the vectors are the encoder's.
 * Texts are encoded once.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

/* Texts encoded at once */
#define BATCH_TEXTS 64

/* Steps of AdamW that suit a matrix near the identity (README) */
#define RATE_LOW_RANK 0.0005
#define RATE_FULL 0.0001

/* One or two of them: W, or A and B */
typedef struct Matrix
{
	int			rows;
	int			columns;
	float	   *values;
	float	   *gradient;
	float	   *state;
	float	   *best;
} Matrix;

typedef struct LayerTarget
{
	TuneTarget target;
	const OpenEncoder *encoder;
	OptimizerSettings optimizer;
	double		dropout;
	uint64		seed;
	double		factor;			/* alpha / rank */
	float	   *vectors;		/* of all texts */
	int			count;			/* of matrices */
	Matrix		matrices[2];
	float	   *x;				/* a vector under dropout */
	float	   *inner;			/* of rank floats, two of them */
	float	   *product;		/* the matrix at the end */
} LayerTarget;

static float *
floats(Size count)
{
	return palloc_extended(sizeof(float) * count,
						   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static Size
matrix_floats(const Matrix *matrix)
{
	return (Size) matrix->rows * matrix->columns;
}

/* ---------- texts ---------- */

static void
prepare_layer(TuneTarget *target, const TextTable *table, bool *known,
			  Progress *progress)
{
	static const EncoderRequest as_the_model_says = {0};
	LayerTarget *layer = (LayerTarget *) target;
	int64		count = table->count;
	Size		bytes = sizeof(float) * target->dims * (Size) count;
	EncoderText texts[BATCH_TEXTS];

	tuning_check_memory(bytes + text_table_bytes(table, table->capacity));
	layer->vectors = palloc_extended(bytes, MCXT_ALLOC_HUGE);
	progress_phase(progress, "encoding texts", (double) count);
	for (int64 first = 0; first < count; first += BATCH_TEXTS)
	{
		int			some = (int) Min(count - first, BATCH_TEXTS);

		for (int i = 0; i < some; i++)
		{
			const TextElement *element = tune_text(table, first + i);

			texts[i].text = element->text;
			texts[i].length = element->length;
		}
		encoder_encode(layer->encoder, &as_the_model_says, some, texts,
					   layer->vectors + (Size) first * target->dims,
					   known + first);
		progress_update(progress, (double) first, NAN);
	}
}

static int
size_of_layer(const TuneTarget *target, int32 text)
{
	return 1;
}

/* ---------- room ---------- */

static Size
bytes_of_layer(TuneTarget *target, int texts, Size available, bool best)
{
	const LayerTarget *layer = (const LayerTarget *) target;
	Size		bytes = sizeof(float) * target->dims * (Size) target->dims;

	for (int i = 0; i < layer->count; i++)
		bytes += sizeof(float) * matrix_floats(&layer->matrices[i]) *
			(best ? 5 : 4);
	return bytes;
}

/* A as PyTorch begins a linear layer: uniform, variance 1 / (3 columns) */
static void
begin_random(LayerTarget *layer, Matrix *matrix)
{
	double		bound = 1 / sqrt((double) matrix->columns);
	Random		random;

	random_seed_stream(&random, layer->seed, 2);
	for (Size i = 0; i < matrix_floats(matrix); i++)
		matrix->values[i] = (float) ((2 * random_double(&random) - 1) *
									 bound);
}

static void
begin_layer(TuneTarget *target, bool best)
{
	LayerTarget *layer = (LayerTarget *) target;

	for (int i = 0; i < layer->count; i++)
	{
		Matrix	   *matrix = &layer->matrices[i];
		Size		count = matrix_floats(matrix);

		matrix->values = floats(count);
		matrix->gradient = floats(count);
		matrix->state = floats(optimizer_state_floats(&layer->optimizer,
													  matrix->rows,
													  matrix->columns));
		optimizer_begin(&layer->optimizer, matrix->rows, matrix->columns,
						matrix->state);
		if (best)
			matrix->best = floats(count);
	}
	if (layer->count == 2)
		begin_random(layer, &layer->matrices[0]);
	else
		for (int d = 0; d < target->dims; d++)
			layer->matrices[0].values[(Size) d * target->dims + d] = 1;
	layer->x = floats(target->dims);
	layer->inner = floats(2 * (Size) layer->matrices[0].rows);
}

/* ---------- there and back ---------- */

/* to = M x, or to += factor M x */
static void
multiply(const Matrix *matrix, const float *x, double factor, bool add,
		 float *to)
{
	for (int r = 0; r < matrix->rows; r++)
	{
		const float *row = matrix->values + (Size) r * matrix->columns;
		float		sum = 0;

		for (int c = 0; c < matrix->columns; c++)
			sum += row[c] * x[c];
		to[r] = add ? to[r] + (float) factor * sum : sum;
	}
}

/* to = factor M' g, by columns */
static void
multiply_back(const Matrix *matrix, const float *g, double factor, float *to)
{
	memset(to, 0, sizeof(float) * matrix->columns);
	for (int r = 0; r < matrix->rows; r++)
	{
		const float *row = matrix->values + (Size) r * matrix->columns;
		float		weight = (float) factor * g[r];

		for (int c = 0; c < matrix->columns; c++)
			to[c] += weight * row[c];
	}
}

/* The matrix's gradient += factor g x' */
static void
add_gradient(Matrix *matrix, const float *g, const float *x, double factor)
{
	for (int r = 0; r < matrix->rows; r++)
	{
		float	   *row = matrix->gradient + (Size) r * matrix->columns;
		float		weight = (float) factor * g[r];

		if (weight == 0)
			continue;
		for (int c = 0; c < matrix->columns; c++)
			row[c] += weight * x[c];
	}
}

/* The encoder's vector of a text, some of it left out */
static const float *
input_of(LayerTarget *layer, int place, int32 text, uint64 noise)
{
	int			dims = layer->target.dims;
	const float *vector = layer->vectors + (Size) text * dims;
	float		factor = (float) (1 / (1 - layer->dropout));

	if (noise == 0)
		return vector;
	for (int d = 0; d < dims; d++)
		layer->x[d] = tune_drops(noise, (uint64) place * dims + d,
								   layer->dropout) ? 0 : vector[d] * factor;
	return layer->x;
}

static void
multiply_layer(LayerTarget *layer, const float *x, float *y)
{
	const Matrix *first = &layer->matrices[0];

	if (layer->count == 1)
	{
		multiply(first, x, 1, false, y);
		return;
	}
	multiply(first, x, 1, false, layer->inner);
	memcpy(y, x, sizeof(float) * layer->target.dims);
	multiply(&layer->matrices[1], layer->inner, layer->factor, true, y);
}

static void
forward_layer(TuneTarget *target, int count, const int32 *texts,
			  uint64 noise, float *vectors)
{
	LayerTarget *layer = (LayerTarget *) target;

	for (int n = 0; n < count; n++)
		multiply_layer(layer, input_of(layer, n, texts[n], noise),
					   vectors + (Size) n * target->dims);
}

static void
backward_layer(TuneTarget *target, int count, const int32 *texts,
			   uint64 noise, const float *gradients)
{
	LayerTarget *layer = (LayerTarget *) target;
	Matrix	   *first = &layer->matrices[0];
	Matrix	   *second = &layer->matrices[1];
	float	   *inner = layer->inner;
	float	   *back = layer->inner + first->rows;

	for (int n = 0; n < count; n++)
	{
		const float *x = input_of(layer, n, texts[n], noise);
		const float *g = gradients + (Size) n * target->dims;

		if (layer->count == 1)
		{
			add_gradient(first, g, x, 1);
			continue;
		}
		multiply(first, x, 1, false, inner);
		add_gradient(second, g, inner, layer->factor);
		multiply_back(second, g, layer->factor, back);
		add_gradient(first, back, x, 1);
	}
}

static double
square_of_layer(TuneTarget *target)
{
	LayerTarget *layer = (LayerTarget *) target;
	double		square = 0;

	for (int i = 0; i < layer->count; i++)
		square += gradient_square(matrix_floats(&layer->matrices[i]),
								  layer->matrices[i].gradient);
	return square;
}

static void
step_layer(TuneTarget *target, const OptimizerStep *step)
{
	LayerTarget *layer = (LayerTarget *) target;
	OptimizerStep own = *step;

	/* decay is towards no change, and W itself is not to go to zero */
	if (layer->count == 1)
		own.weight_decay = 0;
	for (int i = 0; i < layer->count; i++)
	{
		Matrix	   *matrix = &layer->matrices[i];

		optimizer_step(&layer->optimizer, &own, matrix->rows,
					   matrix->columns, false, matrix->gradient,
					   matrix->values, matrix->state);
		memset(matrix->gradient, 0, sizeof(float) * matrix_floats(matrix));
	}
}

static void
keep_layer(TuneTarget *target)
{
	LayerTarget *layer = (LayerTarget *) target;

	for (int i = 0; i < layer->count; i++)
		memcpy(layer->matrices[i].best, layer->matrices[i].values,
			   sizeof(float) * matrix_floats(&layer->matrices[i]));
}

static void
restore_layer(TuneTarget *target)
{
	LayerTarget *layer = (LayerTarget *) target;

	for (int i = 0; i < layer->count; i++)
		memcpy(layer->matrices[i].values, layer->matrices[i].best,
			   sizeof(float) * matrix_floats(&layer->matrices[i]));
}

/* ---------- the end ---------- */

static void
row_of_layer(void *argument, int64 row, float *values)
{
	LayerTarget *layer = argument;

	memcpy(layer->x, values, sizeof(float) * layer->target.dims);
	multiply_layer(layer, layer->x, values);
}

/* The matrix itself: its columns are what unit vectors become. */
static void
finish_layer(TuneTarget *target)
{
	LayerTarget *layer = (LayerTarget *) target;
	int			dims = target->dims;
	float	   *column = floats(dims);

	if (layer->encoder->model->description->method->tunable->layer_in_rows)
	{
		target->source.row_values = row_of_layer;
		target->source.argument = target;
		return;
	}
	layer->product = floats((Size) dims * dims);
	for (int c = 0; c < dims; c++)
	{
		memset(layer->x, 0, sizeof(float) * dims);
		layer->x[c] = 1;
		multiply_layer(layer, layer->x, column);
		for (int r = 0; r < dims; r++)
			layer->product[(Size) r * dims + c] = column[r];
	}
	target->source.layer = layer->product;
}

TuneTarget *
tuning_layer(const TuningOptions *options, const Tunable *tunable,
			 const OpenEncoder *encoder)
{
	LayerTarget *layer = palloc0(sizeof(LayerTarget));
	int			dims = encoder->dims;

	layer->target = (TuneTarget) {
		.dims = dims,
		.unit = "texts",
		.prepare = prepare_layer,
		.size = size_of_layer,
		.bytes = bytes_of_layer,
		.begin = begin_layer,
		.forward = forward_layer,
		.backward = backward_layer,
		.gradient_square = square_of_layer,
		.step = step_layer,
		.keep = keep_layer,
		.restore = restore_layer,
		.finish = finish_layer
	};
	layer->encoder = encoder;
	layer->optimizer = tuning_optimizer(options);
	layer->dropout = options->dropout;
	layer->seed = options->seed;
	if (options->rank > 0 && options->rank < dims)
	{
		layer->count = 2;
		layer->factor = options->rank_alpha / options->rank;
		layer->matrices[0] = (Matrix) {options->rank, dims};
		layer->matrices[1] = (Matrix) {dims, options->rank};
		layer->target.learning_rate = RATE_LOW_RANK;
	}
	else
	{
		layer->count = 1;
		layer->matrices[0] = (Matrix) {dims, dims};
		layer->target.learning_rate = RATE_FULL;
	}
	return &layer->target;
}
