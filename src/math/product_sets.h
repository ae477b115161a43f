/*-------------------------------------------------------------------------
 *
 * product_sets.h
 *	  The kernels of products, by precision: for this room only.
 *
 * A panel is a matrix of inner / group steps; a step holds "group" numbers of
 * the inner index for each of "columns" outputs, those of one output side by
 * side, in 32 bits (floats: one, 16-bit numbers: two, bytes: four).  A kernel
 * takes one such group of a row and multiplies it with all outputs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_PRODUCT_SETS_H
#define MATH_PRODUCT_SETS_H

#include "math/product.h"

#define MOST_ROWS 32
#define MOST_COLUMNS 32

/*
 * sums = values x panel, or sums + values x panel, for a fixed number of rows.
 *
 * steps: of the panel, see ProductKernel
 * next: what to fetch meanwhile, 2 * ahead bytes in each step
 * sums: floats, or integers of 32 bits
 */
typedef void (*ProductTile) (const void *values, size_t stride,
							 const void *panel, const void *next, size_t ahead,
							 size_t steps, void *sums, size_t sum_stride,
							 int add);

typedef enum ValueKind
{
	VALUE_FLOAT,
	VALUE_BFLOAT16,
	VALUE_SHORT,				/* -4095 to 4095 */
	VALUE_BYTE,					/* 0 to 255 */
	VALUE_SIGNED_BYTE			/* -128 to 127 */
} ValueKind;

typedef enum WeightKind
{
	WEIGHT_FLOAT,
	WEIGHT_BFLOAT16,
	WEIGHT_SHORT,
	WEIGHT_BYTE,
	WEIGHT_BYTE_IN_PAIRS		/* bounded for sums of four products in 16
								 * bits */
} WeightKind;

typedef struct ProductKernel
{
	const char *layout;
	ValueKind	values;
	WeightKind	weights;
	int			group;			/* inner numbers side by side */
	int			step;			/* inner numbers of a step of the kernel */
	int			columns;
	int			rows;
	const ProductTile *tile;	/* for 1 to "rows" rows */

	/*
	 * Around the tiles of a product, or NULL; begin is told the rows of the
	 * smallest.  An error may come between them.
	 */
	void		(*begin) (int rows);
	void		(*end) (void);
} ProductKernel;

extern const ProductKernel product_float_scalar;
extern const ProductKernel product_bfloat16_scalar;
extern const ProductKernel product_int16_scalar;
extern const ProductKernel product_int8_scalar;

#if defined(__x86_64__)
extern const ProductKernel product_float_avx2;
extern const ProductKernel product_bfloat16_avx2;
extern const ProductKernel product_int16_avx2;
extern const ProductKernel product_int8_avx2;

extern const ProductKernel product_float_avx512;
extern const ProductKernel product_bfloat16_avx512;	/* by products of floats */
extern const ProductKernel product_bfloat16_avx512_bf16;
extern const ProductKernel product_int16_avx512;
extern const ProductKernel product_int8_avx512;

/* the compiler knows the instructions of Intel's matrix unit */
#if __GNUC__ >= 11 || (defined(__clang_major__) && __clang_major__ >= 12)
#define PRODUCT_AMX
extern const ProductKernel product_bfloat16_amx;
extern const ProductKernel product_int8_amx;
#endif
#elif defined(__aarch64__)
extern const ProductKernel product_float_neon;
extern const ProductKernel product_bfloat16_neon;
extern const ProductKernel product_int16_neon;
extern const ProductKernel product_int8_neon;
extern const ProductKernel product_int8_neon_dot;
#endif

#endif							/* MATH_PRODUCT_SETS_H */
