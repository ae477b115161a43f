/*-------------------------------------------------------------------------
 *
 * static_precision.c
 *	  Rows of a static model's matrix in fewer bits.
 *
 * int8 and int16 are symmetric: a row is divided by its greatest absolute
 * value over 127 or 32,767 and rounded to the nearest whole number.  A mean
 * multiplies the scale into the token's weight, so that it costs nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static_precision.h"

#include <float.h>
#include <math.h>

#include "math/bfloat16.h"
#include "math/rows.h"

#define MOST_INT16	32767
#define MOST_INT8	127

const char *const static_precisions[STATIC_PRECISIONS + 1] = {
	[STATIC_FLOAT32] = "float32", [STATIC_BFLOAT16] = "bfloat16",
	[STATIC_INT16] = "int16", [STATIC_INT8] = "int8"
};

int
static_element_bytes(StaticPrecision precision)
{
	switch (precision)
	{
		case STATIC_FLOAT32:
			return sizeof(float);
		case STATIC_INT8:
			return sizeof(int8);
		default:
			return sizeof(int16);
	}
}

bool
static_has_scales(StaticPrecision precision)
{
	return precision == STATIC_INT16 || precision == STATIC_INT8;
}

/* ---------- a row ---------- */

static float
greatest(int count, const float *values)
{
	float		most = 0;

	for (int i = 0; i < count; i++)
		most = Max(most, fabsf(values[i]));
	return most;
}

static float
narrow_int16(int stride, const float *row, int16 *narrow)
{
	float		scale = greatest(stride, row) / MOST_INT16;

	/* also where the greatest value is too small to be divided */
	if (scale < FLT_MIN)
	{
		memset(narrow, 0, sizeof(int16) * stride);
		return 0;
	}
	for (int i = 0; i < stride; i++)
		narrow[i] = (int16) Min(Max(lrintf(row[i] / scale), -MOST_INT16),
								MOST_INT16);
	return scale;
}

static float
narrow_int8(bool whole, int stride, const float *row, int8 *narrow)
{
	float		scale = whole ? 1 : greatest(stride, row) / MOST_INT8;

	if (scale < FLT_MIN)
	{
		memset(narrow, 0, sizeof(int8) * stride);
		return 0;
	}
	/* a whole one may be -128 */
	for (int i = 0; i < stride; i++)
		narrow[i] = (int8) Min(Max(lrintf(row[i] / scale), -MOST_INT8 - whole),
							   MOST_INT8);
	return scale;
}

float
static_narrow(StaticPrecision precision, bool whole, int stride,
			  const float *row, void *narrow)
{
	switch (precision)
	{
		case STATIC_BFLOAT16:
			for (int i = 0; i < stride; i++)
				((uint16 *) narrow)[i] = float_to_bfloat(row[i]);
			return 1;
		case STATIC_INT16:
			return narrow_int16(stride, row, narrow);
		case STATIC_INT8:
			return narrow_int8(whole, stride, row, narrow);
		default:
			memcpy(narrow, row, sizeof(float) * stride);
			return 1;
	}
}

/*
 * Rows are made floats ROW_LANES at a time.  The compiler leaves loops over
 * single elements as they are, which would take as long as the sums.
 */
typedef float Floats __attribute__((vector_size(4 * ROW_LANES)));
typedef uint32 Words __attribute__((vector_size(4 * ROW_LANES)));
typedef uint16 Halves __attribute__((vector_size(2 * ROW_LANES)));
typedef int16 Shorts __attribute__((vector_size(2 * ROW_LANES)));
typedef int8 Bytes __attribute__((vector_size(ROW_LANES)));

static void
widen_bfloat16(int stride, const uint16 *narrow, float *row)
{
	for (int i = 0; i < stride; i += ROW_LANES)
	{
		Halves		halves;
		Words		words;

		memcpy(&halves, narrow + i, sizeof(halves));
		words = __builtin_convertvector(halves, Words) << 16;
		memcpy(row + i, &words, sizeof(words));
	}
}

static void
widen_int16(int stride, const int16 *narrow, float *row)
{
	for (int i = 0; i < stride; i += ROW_LANES)
	{
		Shorts		shorts;
		Floats		floats;

		memcpy(&shorts, narrow + i, sizeof(shorts));
		floats = __builtin_convertvector(shorts, Floats);
		memcpy(row + i, &floats, sizeof(floats));
	}
}

static void
widen_int8(int stride, const int8 *narrow, float *row)
{
	for (int i = 0; i < stride; i += ROW_LANES)
	{
		Bytes		bytes;
		Shorts		shorts;
		Floats		floats;

		memcpy(&bytes, narrow + i, sizeof(bytes));
		/* gcc takes one by one what it is to widen by more than twice */
		shorts = __builtin_convertvector(bytes, Shorts);
		floats = __builtin_convertvector(shorts, Floats);
		memcpy(row + i, &floats, sizeof(floats));
	}
}

void
static_widen(StaticPrecision precision, int stride, const void *narrow,
			 float *row)
{
	switch (precision)
	{
		case STATIC_BFLOAT16:
			widen_bfloat16(stride, narrow, row);
			break;
		case STATIC_INT16:
			widen_int16(stride, narrow, row);
			break;
		case STATIC_INT8:
			widen_int8(stride, narrow, row);
			break;
		default:
			memcpy(row, narrow, sizeof(float) * stride);
			break;
	}
}

/* ---------- all rows ---------- */

bool
static_is_whole(const NetworkFolder *network)
{
	return network->folder.embeddings->type == TENSOR_I8;
}

typedef struct Rows
{
	float	   *row;			/* stride floats */
	int			dims;
	int			filled;
	StaticReceiveRow receive;
	void	   *argument;
} Rows;

static void
take_values(void *argument, const float *values, size_t count)
{
	Rows	   *rows = argument;

	while (count > 0)
	{
		size_t		taken = Min(count, (size_t) (rows->dims - rows->filled));

		memcpy(rows->row + rows->filled, values, sizeof(float) * taken);
		rows->filled += (int) taken;
		values += taken;
		count -= taken;
		if (rows->filled == rows->dims)
		{
			rows->receive(rows->argument, rows->row);
			rows->filled = 0;
		}
	}
}

void
static_read_matrix(const NetworkFolder *network,
				   const StaticSettings *settings, StaticReceiveRow receive,
				   void *argument)
{
	Rows		rows = {0};

	rows.row = palloc0(sizeof(float) * settings->stride);
	rows.dims = settings->dims;
	rows.receive = receive;
	rows.argument = argument;
	network_folder_floats(network, network->folder.embeddings, take_values,
						  &rows);
	pfree(rows.row);
}

typedef struct Measure
{
	const StaticSettings *settings;
	bool		whole;
	void	   *narrow;
	float	   *wide;
	double	   *least;
} Measure;

/* The cosine of a row and what is kept of it; a row of zeros is itself. */
static double
cosine_kept(const Measure *measure, const float *row)
{
	double		product = 0;
	double		square = 0;
	double		square_kept = 0;

	for (int i = 0; i < measure->settings->dims; i++)
	{
		product += (double) row[i] * measure->wide[i];
		square += (double) row[i] * row[i];
		square_kept += (double) measure->wide[i] * measure->wide[i];
	}
	if (square == 0)
		return 1;
	if (square_kept == 0)
		return 0;
	return Min(product / sqrt(square) / sqrt(square_kept), 1.0);
}

static void
measure_row(void *argument, const float *row)
{
	Measure    *measure = argument;
	int			stride = measure->settings->stride;

	for (int p = STATIC_BFLOAT16; p < STATIC_PRECISIONS; p++)
	{
		/* the scale turns nothing */
		(void) static_narrow(p, measure->whole, stride, row, measure->narrow);
		static_widen(p, stride, measure->narrow, measure->wide);
		measure->least[p] = Min(measure->least[p], cosine_kept(measure, row));
	}
}

void
static_measure(const NetworkFolder *network, const StaticSettings *settings,
			   double least[STATIC_PRECISIONS])
{
	Measure		measure = {settings};

	for (int p = 0; p < STATIC_PRECISIONS; p++)
		least[p] = 1;
	measure.whole = static_is_whole(network);
	measure.narrow = palloc(sizeof(float) * settings->stride);
	measure.wide = palloc(sizeof(float) * settings->stride);
	measure.least = least;
	static_read_matrix(network, settings, measure_row, &measure);
	pfree(measure.narrow);
	pfree(measure.wide);
}

StaticPrecision
static_choose(const double least[STATIC_PRECISIONS])
{
	if (least[STATIC_INT8] >= STATIC_AUTO_COSINE)
		return STATIC_INT8;
	return STATIC_INT16;
}
