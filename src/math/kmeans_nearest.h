/*-------------------------------------------------------------------------
 *
 * kmeans_nearest.h
 *	  The nearest of packed centers for each row: a template.
 *
 * Included by kmeans.c once for each kind of processor, with
 *
 *	NEAREST		name of the function
 *	LANES		floats in a register
 *	TARGET		attribute that lets the compiler use those registers
 *
 * ROWS rows against two registers of centers take 2 * ROWS sums, two registers
 * of centers and one of a row's value: fifteen of the sixteen there are.  A
 * vector type wider than a register would make the compiler keep the sums in
 * memory, at a tenth of the speed.
 *
 *-------------------------------------------------------------------------
 */
#define ROWS	6
#define FLOATS	JOIN(floats, LANES)
#define INTS	JOIN(ints, LANES)
#define FEW		JOIN(NEAREST, _few)

typedef float FLOATS __attribute__((vector_size(4 * LANES)));
typedef int32_t INTS __attribute__((vector_size(4 * LANES)));

/*
 * "few" rows against all centers.  It is a constant where this is inlined: the
 * sums are registers only if the loop over rows is unrolled.
 */
ALWAYS_INLINE TARGET void
FEW(const int few, const float *rows, int dims, const float *packed, int count,
	int32_t *nearest, float *distances)
{
	FLOATS		best[ROWS];
	INTS		where[ROWS];
	INTS		lane;

	for (int j = 0; j < LANES; j++)
		lane[j] = j;
	for (int p = 0; p < few; p++)
	{
		best[p] = (FLOATS) {0} + FLT_MAX;
		where[p] = lane;
	}
	for (int at = 0; at < groups_of(count) * GROUP; at += 2 * LANES)
	{
		const float *norms = packed +
							 (size_t) (at / GROUP) * GROUP * (dims + 1) +
							 at % GROUP;
		FLOATS		sum[ROWS][2];

		for (int p = 0; p < few; p++)
			sum[p][0] = sum[p][1] = (FLOATS) {0};
		for (int d = 0; d < dims; d++)
		{
			const float *values = norms + (size_t) (d + 1) * GROUP;
			FLOATS		low;
			FLOATS		high;

			memcpy(&low, values, sizeof(FLOATS));
			memcpy(&high, values + LANES, sizeof(FLOATS));
			UNROLL
			for (int p = 0; p < few; p++)
			{
				FLOATS		x = rows[(size_t) p * dims + d] - (FLOATS) {0};

				sum[p][0] += x * low;
				sum[p][1] += x * high;
			}
		}
		for (int half = 0; half < 2; half++)
		{
			FLOATS		norm;

			memcpy(&norm, norms + half * LANES, sizeof(FLOATS));
			for (int p = 0; p < few; p++)
			{
				FLOATS		distance = norm - 2.0f * sum[p][half];
				INTS		nearer = distance < best[p];

				best[p] = (FLOATS) (((INTS) distance & nearer) |
									((INTS) best[p] & ~nearer));
				where[p] = ((lane + (at + half * LANES)) & nearer) |
						   (where[p] & ~nearer);
			}
		}
	}
	for (int p = 0; p < few; p++)
	{
		int			at = 0;

		for (int j = 1; j < LANES; j++)
		{
			if (best[p][j] < best[p][at] ||
				(best[p][j] == best[p][at] && where[p][j] < where[p][at]))
				at = j;
		}
		nearest[p] = where[p][at] < count ? where[p][at] : 0;
		if (distances != NULL)
			distances[p] = best[p][at];
	}
}

TARGET static void
NEAREST(const float *rows, int points, int dims, const float *packed,
		int count, int32_t *nearest, float *distances)
{
	int			p = 0;

	for (; p + ROWS <= points; p += ROWS)
		FEW(ROWS, rows + (size_t) p * dims, dims, packed, count,
			nearest + p, distances ? distances + p : NULL);
	for (; p < points; p++)
		FEW(1, rows + (size_t) p * dims, dims, packed, count,
			nearest + p, distances ? distances + p : NULL);
}

#undef ROWS
#undef FLOATS
#undef INTS
#undef FEW
#undef NEAREST
#undef LANES
#undef TARGET
