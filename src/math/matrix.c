/*-------------------------------------------------------------------------
 *
 * matrix.c
 *	  Products of float matrices that change at every call.
 *
 * The inner index is taken in pieces of MATRIX_INNER.  Of each piece B's
 * columns become one panel after the other, which stays in the first-level
 * cache while A's rows pass; a transposed A is turned first, MATRIX_ROWS rows
 * at a time.  Sums of later pieces are added to C, so every sum is one chain
 * in the order of the inner index.
 *
 *-------------------------------------------------------------------------
 */
#include "math/matrix.h"

#include <string.h>

#include "math/layer.h"

/* Columns of a panel at most; what MATRIX_SCRATCH_FLOATS counts with. */
#define MOST_PANEL_COLUMNS 64
#define MOST_TILE_ROWS 16

static int
at_most(int a, int b)
{
	return a < b ? a : b;
}

/* Some columns of B, of "count" inner numbers from "first" on, as a panel. */
static void
lay_panel(Matrix b, int first, int count, int column, int columns, int width,
		  float *panel)
{
	if (b.transposed)
	{
		layer->columns_of_rows(count, columns,
							   b.values + column * b.stride + first, b.stride,
							   1, width, panel);
		return;
	}
	for (int k = 0; k < count; k++)
	{
		const float *from = b.values + (first + k) * b.stride + column;
		float	   *to = panel + (size_t) k * width;

		memcpy(to, from, sizeof(float) * columns);
		if (columns < width)
			memset(to + columns, 0, sizeof(float) * (width - columns));
	}
}

/* One panel with some rows of A. */
static void
panel_of_rows(const float *values, size_t stride, int rows, int count,
			  const float *panel, int columns, bool add, float *c,
			  size_t c_stride)
{
	const int	width = product_float_columns();
	const int	height = product_float_rows();
	const int	tiles = (rows + height - 1) / height;

	for (int tile = 0; tile < tiles; tile++)
	{
		int			row = (int) ((long) rows * tile / tiles);
		int			some = (int) ((long) rows * (tile + 1) / tiles) - row;
		float	   *to = c + row * c_stride;
		float		sums[MOST_TILE_ROWS * MOST_PANEL_COLUMNS];

		if (columns == width)
		{
			product_float_tile(some, values + row * stride, stride, panel,
							   count, to, c_stride, add);
			continue;
		}
		product_float_tile(some, values + row * stride, stride, panel, count,
						   sums, width, false);
		for (int r = 0; r < some; r++)
		{
			if (add)
				layer->add(columns, sums + r * width, to + r * c_stride);
			else
				memcpy(to + r * c_stride, sums + r * width,
					   sizeof(float) * columns);
		}
	}
}

bool
matrix_product(int rows, int columns, int inner, Matrix a, Matrix b, bool add,
			   float *c, size_t c_stride, float *scratch,
			   ProductInterrupt *interrupt)
{
	const int	width = product_float_columns();
	float	   *panel = scratch;
	float	   *turned = scratch + (size_t) MATRIX_INNER * MOST_PANEL_COLUMNS;

	for (int k = 0; k < inner; k += MATRIX_INNER)
	{
		int			count = at_most(MATRIX_INNER, inner - k);
		int			block = a.transposed ? MATRIX_ROWS : rows;

		for (int r = 0; r < rows; r += block)
		{
			int			some = at_most(block, rows - r);
			const float *values = a.values + r * a.stride + k;
			size_t		stride = a.stride;

			if (a.transposed)
			{
				/* columns of "count" numbers each become rows */
				layer->columns_of_rows(some, count,
									   a.values + k * a.stride + r, a.stride,
									   1, (count + 3) / 4 * 4, turned);
				values = turned;
				stride = (count + 3) / 4 * 4;
			}
			for (int j = 0; j < columns; j += width)
			{
				int			wide = at_most(width, columns - j);

				lay_panel(b, k, count, j, wide, width, panel);
				panel_of_rows(values, stride, some, count, panel, wide,
							  add || k > 0, c + r * c_stride + j, c_stride);
				if (product_interrupted(interrupt,
										(double) some * wide * count))
					return false;
			}
		}
	}
	if (inner == 0 && !add)
	{
		for (int r = 0; r < rows; r++)
			memset(c + r * c_stride, 0, sizeof(float) * columns);
	}
	return true;
}
