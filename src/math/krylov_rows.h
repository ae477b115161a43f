/*-------------------------------------------------------------------------
 *
 * krylov_rows.h
 *	  The loops of krylov.c, written once for every instruction set.
 *
 * A file that includes this has included one of math/lanes_*.h and defines
 * SET and SET_NAME.  Four rows of a tall matrix are worked on at once, so
 * that what they share is loaded once for four.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "math/inline.h"
#include "math/krylov.h"
#include "math/krylov_kernels.h"

#define WIDTH	(KRYLOV_BLOCK / LANES)	/* registers of a row */
#define GROUP	4

/* Rows summed in float before they go to double */
#define PIECE	64

static LANES_TARGET void
add_row(const float *block, float *image, int count, const int32_t *keys,
		const float *values)
{
	Lanes		product[WIDTH];

	UNROLL
	for (int v = 0; v < WIDTH; v++)
		product[v] = lanes_set(0);
	for (int i = 0; i < count; i++)
	{
		const float *row = block + (size_t) keys[i] * KRYLOV_BLOCK;
		Lanes		value = lanes_set(values[i]);

		UNROLL
		for (int v = 0; v < WIDTH; v++)
			product[v] = lanes_multiply_add(value, lanes_load(row + v * LANES),
											product[v]);
	}
	for (int i = 0; i < count; i++)
	{
		float	   *row = image + (size_t) keys[i] * KRYLOV_BLOCK;
		Lanes		value = lanes_set(values[i]);

		UNROLL
		for (int v = 0; v < WIDTH; v++)
			lanes_store(row + v * LANES,
						lanes_multiply_add(value, product[v],
										   lanes_load(row + v * LANES)));
	}
}

/* Four columns' products with all, of some rows */
LANES_INLINE void
gram_piece(const float *block, int rows, int first, double *products)
{
	Lanes		sums[GROUP][WIDTH];
	float		sum[LANES];

	UNROLL
	for (int i = 0; i < GROUP; i++)
		UNROLL
		for (int v = 0; v < WIDTH; v++)
			sums[i][v] = lanes_set(0);
	for (int r = 0; r < rows; r++)
	{
		const float *row = block + r * KRYLOV_BLOCK;

		UNROLL
		for (int i = 0; i < GROUP; i++)
		{
			Lanes		x = lanes_set(row[first + i]);

			UNROLL
			for (int v = 0; v < WIDTH; v++)
				sums[i][v] = lanes_multiply_add(x, lanes_load(row + v * LANES),
												sums[i][v]);
		}
	}
	for (int i = 0; i < GROUP; i++)
		for (int v = 0; v < WIDTH; v++)
		{
			lanes_store(sum, sums[i][v]);
			for (int k = 0; k < LANES; k++)
				products[(first + i) * KRYLOV_BLOCK + v * LANES + k] += sum[k];
		}
}

static LANES_TARGET void
gram(const float *block, int64_t rows, double *products)
{
	memset(products, 0, sizeof(double) * KRYLOV_BLOCK * KRYLOV_BLOCK);
	for (int64_t r = 0; r < rows; r += PIECE)
	{
		int			some = rows - r < PIECE ? (int) (rows - r) : PIECE;

		for (int first = 0; first < KRYLOV_BLOCK; first += GROUP)
			gram_piece(block + r * KRYLOV_BLOCK, some, first, products);
	}
}

/* "some" is GROUP or fewer, and a constant where this is inlined */
LANES_INLINE void
project_rows(const int some, int columns, const float *basis, int stride,
			 const float *block, float *to)
{
	Lanes		rows[GROUP][WIDTH];

	UNROLL
	for (int r = 0; r < some; r++)
		UNROLL
		for (int v = 0; v < WIDTH; v++)
			rows[r][v] = lanes_load(block + r * KRYLOV_BLOCK + v * LANES);
	for (int c = 0; c < columns; c++)
	{
		float	   *sum = to + (size_t) c * KRYLOV_BLOCK;

		UNROLL
		for (int v = 0; v < WIDTH; v++)
		{
			Lanes		x = lanes_load(sum + v * LANES);

			UNROLL
			for (int r = 0; r < some; r++)
			{
				float		factor = basis[r * (size_t) stride + c];

				x = lanes_multiply_add(lanes_set(factor), rows[r][v], x);
			}
			lanes_store(sum + v * LANES, x);
		}
	}
}

static LANES_TARGET void
project(int64_t rows, int columns, const float *basis, int stride,
		const float *block, float *to)
{
	int64_t		r = 0;

	for (; r + GROUP <= rows; r += GROUP)
		project_rows(GROUP, columns, basis + r * stride, stride,
					 block + r * KRYLOV_BLOCK, to);
	for (; r < rows; r++)
		project_rows(1, columns, basis + r * stride, stride,
					 block + r * KRYLOV_BLOCK, to);
}

LANES_INLINE void
combine_rows(const int some, int columns, const float *basis, int stride,
			 const float *factors, bool less, float *result)
{
	Lanes		sums[GROUP][WIDTH];

	UNROLL
	for (int r = 0; r < some; r++)
		UNROLL
		for (int v = 0; v < WIDTH; v++)
			sums[r][v] = lanes_set(0);
	for (int c = 0; c < columns; c++)
	{
		const float *factor = factors + (size_t) c * KRYLOV_BLOCK;

		UNROLL
		for (int r = 0; r < some; r++)
		{
			Lanes		x = lanes_set(basis[r * (size_t) stride + c]);

			UNROLL
			for (int v = 0; v < WIDTH; v++)
				sums[r][v] = lanes_multiply_add(x,
												lanes_load(factor + v * LANES),
												sums[r][v]);
		}
	}
	UNROLL
	for (int r = 0; r < some; r++)
	{
		UNROLL
		for (int v = 0; v < WIDTH; v++)
		{
			float	   *to = result + r * KRYLOV_BLOCK + v * LANES;

			lanes_store(to, less ? lanes_subtract(lanes_load(to), sums[r][v]) :
						sums[r][v]);
		}
	}
}

static LANES_TARGET void
combine(int64_t rows, int columns, const float *basis, int stride,
		const float *factors, bool less, float *result)
{
	int64_t		r = 0;

	for (; r + GROUP <= rows; r += GROUP)
		combine_rows(GROUP, columns, basis + r * stride, stride, factors,
					 less, result + r * KRYLOV_BLOCK);
	for (; r < rows; r++)
		combine_rows(1, columns, basis + r * stride, stride, factors, less,
					 result + r * KRYLOV_BLOCK);
}

static const KrylovKernels SET = {SET_NAME, add_row, gram, project, combine};
