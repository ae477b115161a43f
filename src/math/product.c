/*-------------------------------------------------------------------------
 *
 * product.c
 *	  Choice of kernels, packing, and the loops over panels and tiles.
 *
 *-------------------------------------------------------------------------
 */
#include "math/product.h"

#include <math.h>
#include <string.h>

#include "math/cpu.h"
#include "math/product_sets.h"

const char *product_kernels;
const LayerKernels *layer;

static const ProductKernel *kernels[PRODUCT_PRECISIONS];

/* From the slowest to the fastest. */
static const struct
{
	const char *name;
	CpuLevel	level;
	int			extensions;		/* beyond the level */
	const LayerKernels *layer;
	const ProductKernel *kernels[PRODUCT_PRECISIONS];	/* by precision */
}			sets[] =
{
	{"scalar", CPU_SCALAR, 0, &layer_scalar,
		{&product_float_scalar, &product_bfloat16_scalar,
			&product_int16_scalar, &product_int8_scalar}},
#if defined(__aarch64__)
	{"neon", CPU_NEON, 0, &layer_neon,
		{&product_float_neon, &product_bfloat16_neon,
			&product_int16_neon, &product_int8_neon}},
	{"neon_dot", CPU_NEON, CPU_NEON_DOT, &layer_neon,
		{&product_float_neon, &product_bfloat16_neon,
			&product_int16_neon, &product_int8_neon_dot}},
#endif
#if defined(__x86_64__)
	{"avx2", CPU_AVX2, 0, &layer_avx2,
		{&product_float_avx2, &product_bfloat16_avx2,
			&product_int16_avx2, &product_int8_avx2}},
	{"avx512", CPU_AVX512, 0, &layer_avx512,
		{&product_float_avx512, &product_bfloat16_avx512,
			&product_int16_avx2, &product_int8_avx2}},
	{"avx512_bf16", CPU_AVX512, CPU_AVX512_BF16 | CPU_AVX512_VNNI, &layer_avx512,
		{&product_float_avx512, &product_bfloat16_avx512_bf16,
			&product_int16_avx512, &product_int8_avx512}},
	{"avx512_vnni", CPU_AVX512, CPU_AVX512_VNNI, &layer_avx512,
		{&product_float_avx512, &product_bfloat16_avx512,
			&product_int16_avx512, &product_int8_avx512}},
#ifdef PRODUCT_AMX
	{"amx", CPU_AVX512, CPU_AMX | CPU_AVX512_BF16 | CPU_AVX512_VNNI, &layer_avx512,
		{&product_float_avx512, &product_bfloat16_amx,
			&product_int16_avx512, &product_int8_amx}},
#endif
#endif
};

#define SETS ((int) (sizeof(sets) / sizeof(sets[0])))

const char *const *
product_sets(void)
{
	static const char *names[SETS + 1];

	for (int i = 0; i < SETS; i++)
		names[i] = sets[i].name;
	return names;
}

static bool
has_extensions(int extensions)
{
	for (int bit = 1; bit <= extensions; bit <<= 1)
	{
		if ((extensions & bit) != 0 && !cpu_has((CpuExtension) bit))
			return false;
	}
	return true;
}

const char *
product_select(const char *name)
{
	for (int i = 0; i < SETS; i++)
	{
		const char *missing;

		if (strcmp(sets[i].name, name) != 0)
			continue;
		missing = cpu_level_missing(sets[i].level);
		if (missing == NULL && !has_extensions(sets[i].extensions))
			missing = "the processor lacks these products";
		if (missing != NULL)
			return missing;
		product_kernels = sets[i].name;
		layer = sets[i].layer;
		memcpy(kernels, sets[i].kernels, sizeof(kernels));
		return NULL;
	}
	return "there is no set of this name";
}

void
product_init(void)
{
	if (cpu_has_fast_bfloat16() && product_select("avx512_bf16") == NULL)
		return;
	for (int i = SETS - 1; i >= 0; i--)
	{
		if (product_select(sets[i].name) == NULL)
			return;
	}
}

/*
 * Packing
 */

static size_t
round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static bool
is_integer(const ProductKernel *kernel)
{
	return kernel->weights != WEIGHT_FLOAT &&
		   kernel->weights != WEIGHT_BFLOAT16;
}

static size_t
value_size(ValueKind kind)
{
	switch (kind)
	{
		case VALUE_FLOAT:
			return sizeof(float);
		case VALUE_BFLOAT16:
		case VALUE_SHORT:
			return 2;
		case VALUE_BYTE:
		case VALUE_SIGNED_BYTE:
			break;
	}
	return 1;
}

/* bytes of the weights of a panel, without what follows them */
static size_t
weights_bytes(const ProductKernel *kernel, int inner)
{
	size_t		size = kernel->weights == WEIGHT_FLOAT ? 4
					   : kernel->weights == WEIGHT_BFLOAT16 ||
							   kernel->weights == WEIGHT_SHORT
						   ? 2
						   : 1;

	return round_up((size_t) inner, kernel->step) * kernel->columns * size;
}

const char *
product_layout(ProductPrecision precision)
{
	return kernels[precision]->layout;
}

int
product_panel_columns(ProductPrecision precision)
{
	return kernels[precision]->columns;
}

size_t
product_panel_bytes(ProductPrecision precision, int inner)
{
	const ProductKernel *kernel = kernels[precision];
	size_t		size = weights_bytes(kernel, inner);

	if (is_integer(kernel))
		size += 2 * sizeof(float) * kernel->columns;
	return round_up(size, PRODUCT_ALIGNMENT);
}

static uint16_t
bfloat16_of(float x)
{
	uint32_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return (uint16_t) ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/*
 * The step between the integers of one output's weights.
 *
 * Shorts: values reach 4095, and the sum of products may not leave 32 bits.
 * Every weight may be rounded up by a half.
 *
 * Bytes for kernels that add four products in 16 bits: values reach 255, so
 * the weights of one sign among the four that meet there may sum to 128, the
 * whole of 32767 / 255, when each was rounded up by a half: to 126.5 before,
 * less a little for the rounding of the scale.
 */
static float
weight_scale(const ProductKernel *kernel, int inner, const float *weights)
{
	double		most = 0;
	double		sum = 0;
	double		scale;

	for (int k = 0; k < inner; k++)
	{
		double		size = fabs(weights[k]);

		most = size > most ? size : most;
		sum += size;
	}
	if (kernel->weights == WEIGHT_SHORT)
	{
		double		bound = sum / (2147483647.0 / 4095.0 - 0.5 * inner);

		scale = most / 8191.0;
		return (float) (bound > scale ? bound * 1.000001 : scale);
	}
	scale = most / 127.0;
	if (kernel->weights == WEIGHT_BYTE_IN_PAIRS)
	{
		for (int k = 0; k < inner; k += 8)
		{
			for (int pair = 0; pair < 4; pair += 2)
			{
				double		positive = 0;
				double		negative = 0;

				for (int i = 0; i < 4; i++)
				{
					int			at = k + pair + i % 2 + i / 2 * 4;

					if (at < inner && weights[at] > 0)
						positive += weights[at];
					else if (at < inner)
						negative -= weights[at];
				}
				scale = positive / 126.49 > scale ? positive / 126.49 : scale;
				scale = negative / 126.49 > scale ? negative / 126.49 : scale;
			}
		}
	}
	return (float) scale;
}

/* One output's weights, in steps of "group" side by side. */
static void
pack_column(const ProductKernel *kernel, int inner, const float *weights,
			int			column, char *panel)
{
	int			padded = (int) round_up((size_t) inner, kernel->step);
	float	   *scales = (float *) (panel + weights_bytes(kernel, inner));
	float		scale = 0;
	int64_t		sum = 0;

	if (is_integer(kernel) && weights != NULL)
		scale = weight_scale(kernel, inner, weights);
	for (int k = 0; k < padded; k++)
	{
		float		weight = weights != NULL && k < inner ? weights[k] : 0;
		size_t		at = ((size_t) (k / kernel->group) * kernel->columns +
						  column) *
							 kernel->group +
						 k % kernel->group;
		long		whole = 0;

		if (scale > 0)
			whole = lrintf(weight / scale);
		switch (kernel->weights)
		{
			case WEIGHT_FLOAT:
				((float *) panel)[at] = weight;
				break;
			case WEIGHT_BFLOAT16:
				((uint16_t *) panel)[at] = bfloat16_of(weight);
				break;
			case WEIGHT_SHORT:
				((int16_t *) panel)[at] = (int16_t) whole;
				break;
			case WEIGHT_BYTE:
			case WEIGHT_BYTE_IN_PAIRS:
				((int8_t *) panel)[at] = (int8_t) whole;
				break;
		}
		sum += whole;
	}
	if (is_integer(kernel))
	{
		scales[column] = scale;
		scales[kernel->columns + column] = scale * (float) sum;
	}
}

void
product_pack_panel(ProductPrecision precision, int inner, int columns,
				   const float *weights, size_t stride, void *panel)
{
	const ProductKernel *kernel = kernels[precision];
	size_t		size = product_panel_bytes(precision, inner);

	memset(panel, 0, size);
	for (int i = 0; i < columns; i++)
		pack_column(kernel, inner, weights + i * stride, i, panel);
}

/*
 * Rows
 */

static size_t
row_bytes(const ProductKernel *kernel, int inner)
{
	return round_up(round_up((size_t) inner, kernel->step) *
						value_size(kernel->values),
					PRODUCT_ALIGNMENT);
}

size_t
product_rows_bytes(ProductPrecision precision, int inner, int rows)
{
	const ProductKernel *kernel = kernels[precision];

	if (kernel->values == VALUE_FLOAT && inner % kernel->step == 0)
		return 0;
	return rows * row_bytes(kernel, inner) +
		round_up(2 * sizeof(float) * rows, PRODUCT_ALIGNMENT);
}

ProductRows
product_rows(ProductPrecision precision, int inner, int rows,
			 const float *from, size_t stride, void *buffer)
{
	const ProductKernel *kernel = kernels[precision];
	ProductRows result = {rows, from, stride * sizeof(float), NULL, NULL};
	int			padded = (int) round_up((size_t) inner, kernel->step);
	float	   *scale;
	float	   *least;

	/* whole pairs for bfloat16; floats may be any number */
	if (kernel->values == VALUE_FLOAT && padded == inner)
		return result;
	result.stride = row_bytes(kernel, inner);
	result.values = buffer;
	scale = (float *) ((char *) buffer + rows * result.stride);
	least = scale + rows;
	result.scale = scale;
	result.least = least;
	for (int r = 0; r < rows; r++)
	{
		const float *row = from + r * stride;
		void	   *to = (char *) buffer + r * result.stride;
		LayerRounding rounding = {0, 0};

		switch (kernel->values)
		{
			case VALUE_FLOAT:
				memcpy(to, row, sizeof(float) * inner);
				memset((float *) to + inner, 0,
					   sizeof(float) * (padded - inner));
				break;
			case VALUE_BFLOAT16:
				layer->to_bfloat16(inner, row, padded, to);
				break;
			case VALUE_SHORT:
				rounding = layer->to_shorts(inner, row, padded, to);
				break;
			case VALUE_BYTE:
				rounding = layer->to_bytes(inner, row, padded, to);
				break;
			case VALUE_SIGNED_BYTE:
				rounding = layer->to_signed_bytes(inner, row, padded, to);
				break;
		}
		scale[r] = rounding.scale;
		least[r] = rounding.least;
	}
	return result;
}

/*
 * The product
 */

bool
product_interrupted(ProductInterrupt *interrupt, double work)
{
	if (interrupt == NULL)
		return false;
	interrupt->work += work;
	if (interrupt->work < PRODUCT_WORK_BETWEEN_CHECKS)
		return false;
	interrupt->work = 0;
	return interrupt->check(interrupt->argument);
}

/*
 * Values of so many rows stay in the second-level cache while panels pass; and
 * an interrupt waits for one pass over a panel.
 */
#define ROWS_OF_BLOCK(bytes) ((bytes) > 0 ? 1000000 / (bytes) : 0)

/*
 * One panel with some rows, in tiles of nearly equal height.  Each tile
 * fetches its part of the next panel, which may have to come from memory:
 * fetched in the first tile alone it would keep that tile waiting.
 */
static void
panel_product(const ProductKernel *kernel, const ProductRows *rows, int first,
			  int count, size_t steps, const char *panel, size_t panel_bytes,
			  const LayerFinish *finish)
{
	int			tiles = (count + kernel->rows - 1) / kernel->rows;
	size_t		step_bytes = panel_bytes / steps;
	size_t		ahead = (step_bytes / 2 + tiles - 1) / tiles;
	LayerFinish how = *finish;

	ahead = (ahead + 7) / 8 * 8;
	for (int tile = 0; tile < tiles; tile++)
	{
		int			begin = (int) ((int64_t) count * tile / tiles);
		int			height = (int) ((int64_t) count * (tile + 1) / tiles) -
							 begin;
		int			row = first + begin;
		float		sums[MOST_ROWS * MOST_COLUMNS]
				  __attribute__((aligned(64)));

		kernel->tile[height - 1](
			(const char *) rows->values + row * rows->stride, rows->stride,
			panel, panel + panel_bytes + tile * steps * 2 * ahead, ahead,
			steps, sums, kernel->columns * sizeof(float), 0);
		how.to = finish->to + row * finish->stride;
		if (how.integer)
		{
			how.row_scale = rows->scale + row;
			how.row_least = rows->least + row;
		}
		layer->finish(&how, height, sums, kernel->columns * sizeof(float));
	}
}

static bool
product_in_blocks(const ProductMatrix *matrix, int first, int panels,
				  const ProductRows *rows, const ProductResult *result,
				  ProductInterrupt *interrupt)
{
	const ProductKernel *kernel = kernels[matrix->precision];
	size_t		panel_bytes = product_panel_bytes(matrix->precision,
												  matrix->inner);
	size_t		steps = (matrix->inner + kernel->step - 1) / kernel->step;
	int			most = (int) ROWS_OF_BLOCK(rows->stride);
	int			blocks;
	LayerFinish finish = {0};

	most = most < kernel->rows ? kernel->rows : most;
	blocks = (rows->rows + most - 1) / most;
	finish.integer = is_integer(kernel);
	finish.activation = result->activation;
	finish.combine = result->combine;
	finish.stride = result->stride;
	for (int block = 0; block < blocks; block++)
	{
		int			begin = (int) ((int64_t) rows->rows * block / blocks);
		int			count = (int) ((int64_t) rows->rows * (block + 1) /
								   blocks) -
							begin;

		for (int i = 0; i < panels; i++)
		{
			const char *panel = (const char *) matrix->panels +
								(first + i) * panel_bytes;
			int			column = (first + i) * kernel->columns;

			finish.columns = matrix->outer - column;
			if (finish.columns > kernel->columns)
				finish.columns = kernel->columns;
			finish.bias = matrix->bias != NULL ? matrix->bias + column : NULL;
			finish.to = result->to + i * kernel->columns;
			if (finish.integer)
			{
				finish.column_scale =
					(const float *) (panel +
									 weights_bytes(kernel, matrix->inner));
				finish.column_sum = finish.column_scale + kernel->columns;
			}
			panel_product(kernel, rows, begin, count, steps, panel,
						  panel_bytes, &finish);
			if (product_interrupted(interrupt, (double) count *
												   kernel->columns *
												   matrix->inner))
				return false;
		}
	}
	return true;
}

bool
product_of_panels(const ProductMatrix *matrix, int first, int panels,
				  const ProductRows *rows, const ProductResult *result,
				  ProductInterrupt *interrupt)
{
	const ProductKernel *kernel = kernels[matrix->precision];
	bool		done;

	if (rows->rows == 0)
		return true;
	if (kernel->begin != NULL)
		kernel->begin(rows->rows);
	done = product_in_blocks(matrix, first, panels, rows, result, interrupt);
	if (kernel->end != NULL)
		kernel->end();
	return done;
}

bool
product(const ProductMatrix *matrix, const ProductRows *rows,
		const ProductResult *result, ProductInterrupt *interrupt)
{
	int			columns = kernels[matrix->precision]->columns;

	return product_of_panels(matrix, 0,
							 (matrix->outer + columns - 1) / columns, rows,
							 result, interrupt);
}

int
product_float_columns(void)
{
	return kernels[PRODUCT_FLOAT32]->columns;
}

int
product_float_rows(void)
{
	return kernels[PRODUCT_FLOAT32]->rows;
}

void
product_float_tile(int rows, const float *values, size_t stride,
				   const float *panel, int inner, float *sums,
				   size_t sum_stride, bool add)
{
	kernels[PRODUCT_FLOAT32]->tile[rows - 1](values, stride * sizeof(float),
											 panel, panel, 0, inner, sums,
											 sum_stride * sizeof(float), add);
}
