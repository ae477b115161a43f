/*-------------------------------------------------------------------------
 *
 * csls.h
 *	  Similarities of many words with many: how near a word's nearest ones
 *	  are, which tells a good match from a word that is near everything.
 *
 * csls(x, y) = 2 cos(x, y) - r(x) - r(y), where r(x) is the mean of the
 * cosines of x with its ten nearest words of the other side, and r(y) the
 * same the other way (Conneau, Lample, Ranzato, Denoyer and Jegou, "Word
 * Translation Without Parallel Data", ICLR 2018, equation 5).
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_CSLS_H
#define WORDS_CSLS_H

#include "server/server.h"

#include "encoder/words/word_model.h"

#define CSLS_NEIGHBOURS 10

/* The best ten values met so far, in descending order */
typedef struct BestValues
{
	float		values[CSLS_NEIGHBOURS];
} BestValues;

extern void best_values_init(BestValues *best);
extern void best_values_insert(BestValues *best, float value);
extern float best_values_mean(const BestValues *best);	/* none: 0 */

static inline void
best_values_add(BestValues *best, float value)
{
	if (value > best->values[CSLS_NEIGHBOURS - 1])
		best_values_insert(best, value);
}

/*
 * Vectors of length one, or zero where a word's vector is zero: "count" rows
 * of "stride" floats.
 */
typedef struct UnitRows
{
	float	   *rows;
	int32		count;
	int			dims;
	int			stride;
} UnitRows;

extern void unit_rows_create(UnitRows *units, int32 count, int dims);
extern void unit_rows_set(UnitRows *units, int32 row, const float *vector);

/*
 * A block of rows, packed to be multiplied with many others.  The block and
 * what receives its products are made once and used again.
 */
#define UNITS_PACKED	256
#define UNITS_BLOCK		256

typedef struct PackedUnits
{
	void	   *panels;
	float	   *products;		/* UNITS_BLOCK rows of UNITS_PACKED */
	int			dims;
	int			count;
} PackedUnits;

extern PackedUnits *packed_units_create(int dims);
extern void packed_units_fill(PackedUnits *packed, const float *rows,
							  int count, int stride);

/* Products of at most UNITS_BLOCK rows, in packed->products; cancels. */
extern void packed_units_multiply(PackedUnits *packed, const float *rows,
								  int count, int stride);

static inline const float *
packed_products(const PackedUnits *packed, int row)
{
	return packed->products + (Size) row * UNITS_PACKED;
}

/*
 * r() of "count" unit vectors, at most UNITS_PACKED, among the words of a
 * model; self[i], if self is not NULL, is the entry that is left out.
 */
extern void csls_neighbourhoods(const Words *words, PackedUnits *packed,
								const UnitRows *units,
								const int32 *self, float *means);

#endif							/* WORDS_CSLS_H */
