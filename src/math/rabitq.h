/*-------------------------------------------------------------------------
 *
 * rabitq.h
 *	  Short codes of vectors that give unbiased estimates of distances.
 *
 * RaBitQ (Gao and Long, SIGMOD 2024) and its extension to several bits (Gao
 * et al., SIGMOD 2025).  All vectors here have been rotated at random and
 * moved to the index's origin.  Notation: o a data vector, q a query, c the
 * centre a code is relative to, r = o - c, D dimensions, M <= D of which the
 * one-bit code keeps a sign.
 *
 * A score is what a scan orders by: the squared distance |o - q|^2, or for
 * inner products -2 <o, q>.  With x the code vector (+-1/2 in M dimensions
 * and 0 beyond, or -7.5 ... 7.5) and k = |r|^2 / <r, x>,
 *
 *		<r, q - c>  is estimated by  k <x, q - c>,
 *
 * which is unbiased over the rotation.  Everything that does not depend on
 * the query is folded into two stored numbers, so that
 *
 *		score = lead(c, q) + add + scale * <x, q>
 *
 *			lead		|q - c|^2				-2 <c, q>
 *			add			|r|^2 + 2 k <x, c>		-2 <r, c> + 2 k <x, c>
 *			scale		-2 k					-2 k
 *						squared distance		inner product
 *
 * and one query table serves every centre of an index.  The error of a score
 * has standard deviation 2 |q - c| sqrt(k^2 |x|^2 - |r|^2) / sqrt(D - 1).
 *
 * Kernels give equal bits in every form (scalar, AVX2, AVX-512, NEON).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_RABITQ_H
#define MATH_RABITQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Vectors are coded and scanned in blocks of so many. */
#define RABITQ_BLOCK		32

/* Bytes of the one-bit codes of a block, and of one four-bit code. */
#define RABITQ_BLOCK_BYTES(coded)	((size_t) (coded) * RABITQ_BLOCK / 8)
#define RABITQ_REFINE_BYTES(dims)	((size_t) (dims) / 2)

/* No more rotated dimensions than this can have a one-bit code. */
#define RABITQ_MAX_CODED	1536

/* Query values for the four-bit dot product lie in -8191 ... 8191. */
#define RABITQ_QUERY_LIMIT	8191

typedef struct RabitqFactors
{
	float		add;
	float		scale;
	float		error;			/* sqrt(k^2 |x|^2 - |r|^2) / sqrt(D - 1) */
} RabitqFactors;

/* A query, prepared once.  The arrays belong to the caller. */
typedef struct RabitqQuery
{
	int			dims;			/* D, a multiple of 64 */
	int			coded;			/* M, a multiple of 64 */
	const float *vector;		/* D floats */
	uint8_t    *table;			/* M / 4 tables of 16 bytes, 64-aligned */
	int16_t    *levels;			/* D values */
	float		table_step;		/* <x, q> = step * sum + base, one bit */
	float		table_base;
	float		level_step;		/* <x, q> = step * sum + base, four bits */
	float		level_base;
	float		error_factor;	/* one-bit error = |scale| * |q - c| * this */
	float		norm_squared;
} RabitqQuery;

/* Choose kernels for the CPU; "name" forces one set, NULL the best. */
extern bool rabitq_select(const char *name);
extern const char *rabitq_kernels;

/*
 * One-bit code of a vector relative to a centre.
 *
 * lost: squared length that "vector" lacks because it was itself decoded
 *		 from a code; 0 for a vector known exactly
 * bits: coded / 8 bytes, bit i % 8 of byte i / 8 is the sign of dimension i
 */
extern void (*rabitq_encode) (int dims, int coded, const float *vector,
							  const float *center, float lost, bool inner,
							  uint8_t *bits, RabitqFactors *factors);

/* Put one code into a block, or take it out. */
extern void rabitq_block_put(int coded, uint8_t *block, int slot,
							 const uint8_t *bits);
extern void rabitq_block_get(int coded, const uint8_t *block, int slot,
							 uint8_t *bits);

/*
 * Four-bit code.  Within each 64 dimensions byte j holds dimension j in
 * its low half and dimension j + 32 in its high half.
 */
extern void (*rabitq_refine_encode) (int dims, const float *vector,
									 const float *center, bool inner,
									 uint8_t *code, RabitqFactors *factors);

/* The vector of least expected error; returns the squared length lost. */
extern float rabitq_refine_decode(int dims, const uint8_t *code,
								  const RabitqFactors *factors,
								  const float *center, float *vector);

/* <x, vector> of a four-bit code, exactly. */
extern double rabitq_refine_product(int dims, const uint8_t *code,
									const float *vector);

/* Prepare a query whose dims, coded, vector, table and levels are set. */
extern void (*rabitq_query_prepare) (RabitqQuery *query);

/* |q - c|^2 or -2 <c, q>, and |q - c| */
extern void rabitq_lead(const RabitqQuery *query, const float *center,
						bool inner, float *lead, float *distance);

/* A centre of one byte a dimension: minimum + step * code */
extern void rabitq_center_quantize(int dims, const float *center,
								   uint8_t *codes, float *minimum,
								   float *step);
extern void rabitq_center_decode(int dims, const uint8_t *codes, float minimum,
								 float step, float *center);
/* the same as rabitq_lead, straight from the codes */
extern void (*rabitq_center_lead) (const RabitqQuery *query,
								   const uint8_t *codes, float minimum,
								   float step, bool inner, float *lead,
								   float *distance);

/*
 * Scores of a block of 32 one-bit codes; returns the mask of those whose
 * lower bound  score - margin * |scale|  is below the threshold.
 *
 * block: codes, add[32], scale[32], one behind the other
 */
extern uint32_t (*rabitq_scan) (const RabitqQuery *query, const uint8_t *block,
								float lead, float margin, float threshold,
								float *scores);

/* Integer dot product of a four-bit code (0 ... 15) and the query's levels. */
extern int32_t (*rabitq_dot) (int dims, const uint8_t *code,
							  const int16_t *levels);

/* Score of a four-bit code. */
static inline float
rabitq_refine_score(const RabitqQuery *query, const uint8_t *code,
					float add, float scale, float lead)
{
	float		inner = query->level_step *
							(float) rabitq_dot(query->dims, code,
											   query->levels) +
						query->level_base;

	return lead + add + scale * inner;
}

#endif							/* MATH_RABITQ_H */
