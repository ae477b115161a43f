/*-------------------------------------------------------------------------
 *
 * rows_sum.h
 *	  The weighted sum of rows: a template.
 *
 * Included by rows.c once for each kind of processor, with
 *
 *	SUM			name of the function
 *	LANES		floats in a register
 *	TARGET		attribute that lets the compiler use those registers
 *
 * A vector type wider than a register would keep gcc's sums in memory.
 *
 *-------------------------------------------------------------------------
 */
#define FLOATS	JOIN(floats, LANES)
#define COLUMNS	JOIN(SUM, _columns)

typedef float FLOATS __attribute__((vector_size(4 * LANES)));

/* "width" registers of columns from "column" on; width is a constant */
ALWAYS_INLINE TARGET void
COLUMNS(int column, const int width, const float *const *rows,
		const float *weights, int count, float *sum)
{
	FLOATS		total[8];

	memcpy(total, sum + column, sizeof(FLOATS) * width);
	for (int r = 0; r < count; r++)
	{
		const float *row = rows[r] + column;
		float		weight = weights[r];

		if (r + AHEAD < count)
			for (int i = 0; i < width * LANES; i += ROW_LANES)
				__builtin_prefetch(rows[r + AHEAD] + column + i);
		UNROLL
		for (int i = 0; i < width; i++)
		{
			FLOATS		values;

			memcpy(&values, row + i * LANES, sizeof(values));
			total[i] += values * weight;
		}
	}
	memcpy(sum + column, total, sizeof(FLOATS) * width);
}

TARGET static void
SUM(int stride, const float *const *rows, const float *weights, int count,
	float *sum)
{
	int			column = 0;

	for (; column + 8 * LANES <= stride; column += 8 * LANES)
		COLUMNS(column, 8, rows, weights, count, sum);
	if (column + 4 * LANES <= stride)
	{
		COLUMNS(column, 4, rows, weights, count, sum);
		column += 4 * LANES;
	}
	if (column + 2 * LANES <= stride)
	{
		COLUMNS(column, 2, rows, weights, count, sum);
		column += 2 * LANES;
	}
	if (column < stride)
		COLUMNS(column, 1, rows, weights, count, sum);
}

#undef FLOATS
#undef COLUMNS
#undef SUM
#undef LANES
#undef TARGET
