/*-------------------------------------------------------------------------
 *
 * csls.c
 *	  Similarities of many words with many.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "encoder/words/csls.h"
#include "math/distance.h"
#include "math/product.h"
#include "miscadmin.h"
#include "server/interrupts.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

void
best_values_init(BestValues *best)
{
	for (int i = 0; i < CSLS_NEIGHBOURS; i++)
		best->values[i] = -FLT_MAX;
}

/* value is above the last of them */
void
best_values_insert(BestValues *best, float value)
{
	int			at = CSLS_NEIGHBOURS - 1;

	for (; at > 0 && value > best->values[at - 1]; at--)
		best->values[at] = best->values[at - 1];
	best->values[at] = value;
}

float
best_values_mean(const BestValues *best)
{
	double		sum = 0;
	int			count = 0;

	while (count < CSLS_NEIGHBOURS && best->values[count] > -FLT_MAX)
		sum += best->values[count++];
	return count == 0 ? 0 : (float) (sum / count);
}

void
unit_rows_create(UnitRows *units, int32 count, int dims)
{
	units->count = count;
	units->dims = dims;
	units->stride = dims;
	units->rows = palloc_extended(mul_size(Max(count, 1),
										   sizeof(float) * Max(dims, 1)),
								  MCXT_ALLOC_HUGE);
}

void
unit_rows_set(UnitRows *units, int32 row, const float *vector)
{
	float	   *to = units->rows + (Size) row * units->stride;
	float		factor = words_inverse_norm(units->dims, vector);

	for (int d = 0; d < units->dims; d++)
		to[d] = vector[d] * factor;
}

/* ---------- products ---------- */

PackedUnits *
packed_units_create(int dims)
{
	PackedUnits *packed = palloc0(sizeof(PackedUnits));
	int			columns = product_panel_columns(PRODUCT_FLOAT32);
	Size		bytes = mul_size((UNITS_PACKED + columns - 1) / columns,
								 product_panel_bytes(PRODUCT_FLOAT32, dims));

	packed->dims = dims;
	packed->panels = palloc_extended(add_size(bytes, PRODUCT_ALIGNMENT),
									 MCXT_ALLOC_HUGE);
	packed->panels = (void *) TYPEALIGN(PRODUCT_ALIGNMENT, packed->panels);
	packed->products = palloc(sizeof(float) * UNITS_BLOCK * UNITS_PACKED);
	return packed;
}

void
packed_units_fill(PackedUnits *packed, const float *rows, int count,
				  int stride)
{
	int			columns = product_panel_columns(PRODUCT_FLOAT32);
	Size		bytes = product_panel_bytes(PRODUCT_FLOAT32, packed->dims);

	Assert(count <= UNITS_PACKED);
	packed->count = count;
	for (int from = 0; from < count; from += columns)
		product_pack_panel(PRODUCT_FLOAT32, packed->dims,
						   Min(columns, count - from),
						   rows + (Size) from * stride, stride,
						   (char *) packed->panels + from / columns * bytes);
}

void
packed_units_multiply(PackedUnits *packed, const float *rows, int count,
					  int stride)
{
	ProductMatrix matrix = {PRODUCT_FLOAT32, packed->dims, packed->count,
	packed->panels, NULL};
	ProductRows values = product_rows(PRODUCT_FLOAT32, packed->dims, count,
									  rows, stride, NULL);
	ProductResult result = {packed->products, UNITS_PACKED, ACTIVATION_NONE,
	PRODUCT_STORE};
	ProductInterrupt interrupt = {interrupts_stop, NULL, 0};

	Assert(count <= UNITS_BLOCK);
	(void) product(&matrix, &values, &result, &interrupt);
}

/* ---------- neighbourhoods ---------- */

/*
 * A block of a model's words as unit vectors; returns how many, words without
 * a direction left out.
 */
static int
gather_block(const Words *words, int32 *next, UnitRows *block,
			 int32 *entries)
{
	int			count = 0;

	while (count < UNITS_BLOCK && *next < words->totals->words)
	{
		const WordEntry *entry = &words->entries[*next];

		if (entry->inverse_norm > 0)
		{
			unit_rows_set(block, count, words_row(words, entry->row));
			entries[count++] = *next;
		}
		(*next)++;
	}
	return count;
}

void
csls_neighbourhoods(const Words *words, PackedUnits *packed,
					const UnitRows *units, const int32 *self, float *means)
{
	BestValues	best[UNITS_PACKED];
	int32		entries[UNITS_BLOCK];
	UnitRows	block;
	int32		next = 0;
	int			some;

	for (int i = 0; i < units->count; i++)
		best_values_init(&best[i]);
	unit_rows_create(&block, UNITS_BLOCK, units->dims);
	packed_units_fill(packed, units->rows, units->count, units->stride);
	while ((some = gather_block(words, &next, &block, entries)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		packed_units_multiply(packed, block.rows, some, block.stride);
		for (int b = 0; b < some; b++)
		{
			const float *products = packed_products(packed, b);

			for (int i = 0; i < units->count; i++)
				if (self == NULL || self[i] != entries[b])
					best_values_add(&best[i], products[i]);
		}
	}
	for (int i = 0; i < units->count; i++)
		means[i] = best_values_mean(&best[i]);
	pfree(block.rows);
}
