/*-------------------------------------------------------------------------
 *
 * scratch.h
 *	  Dividing the memory that a layer asks for into aligned parts.
 *
 * The same code tells how much is needed and divides it: with a begin of NULL
 * it only counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_SCRATCH_H
#define NETWORK_SCRATCH_H

#include "math/product.h"

typedef struct Scratch
{
	char	   *at;				/* NULL: only count */
	size_t		total;
} Scratch;

static inline size_t
scratch_aligned(size_t size)
{
	return (size + PRODUCT_ALIGNMENT - 1) / PRODUCT_ALIGNMENT *
		   PRODUCT_ALIGNMENT;
}

static inline void *
scratch_take(Scratch *scratch, size_t size)
{
	void	   *part = scratch->at;

	size = scratch_aligned(size);
	scratch->total += size;
	if (scratch->at != NULL)
		scratch->at += size;
	return part;
}

static inline float *
scratch_floats(Scratch *scratch, size_t rows, size_t width)
{
	return scratch_take(scratch, sizeof(float) * rows * width);
}

/*
 * Floats from one row to the next.  Rows are whole registers wide, but not a
 * multiple of 1024 bytes, which would put the same place of many rows into few
 * lines of the first cache.
 */
static inline size_t
scratch_width(int count)
{
	size_t		width = ((size_t) count + 15) / 16 * 16;

	return width % 256 == 0 ? width + 16 : width;
}

#endif							/* NETWORK_SCRATCH_H */
