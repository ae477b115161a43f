/*-------------------------------------------------------------------------
 *
 * product_amx.c
 *	  Products for Intel's matrix unit (AMX): 32 rows by 32 outputs.
 *
 * A tile register holds 16 rows of 64 bytes.  Sixteen steps of a panel are two
 * tiles of weights, one for each half of the outputs, just as the panel lies;
 * so the layouts are those of AVX-512, and so are the last steps that fill no
 * tile.  Two tiles of rows and two of weights make four of sums: as many loads
 * as multiplications, which take twice the time.
 *
 * Sums of bytes are exact, so few rows, for which the unit is no faster, are
 * left to AVX-512.  Sums of bfloat16 depend on who adds: one row and many go
 * the same way.
 *
 * Intel, Architecture Instruction Set Extensions, chapter "Advanced Matrix
 * Extensions"; the permission that Linux wants: cpu.c.
 *
 *-------------------------------------------------------------------------
 */
#include "math/product_sets.h"

#ifdef PRODUCT_AMX

#include <immintrin.h>
#include <stdbool.h>

#define AMX_TARGET __attribute__((target("amx-tile,amx-int8,amx-bf16")))

#define TILE_ROWS 16
#define TILE_BYTES 64
#define PANEL_STEP_BYTES 128	/* of 32 outputs */
#define TILE_STEPS 16			/* of a panel, that a tile of weights holds */
#define FEW_ROWS 4				/* up to here, bytes are for AVX-512 */

typedef enum TileProduct
{
	TILE_BYTES_PRODUCT,
	TILE_BFLOAT16_PRODUCT
} TileProduct;

/* What LDTILECFG reads. */
typedef struct TileShape
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	row_bytes[16];
	uint8_t		rows[16];
} TileShape;

/* Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights. */
#define SHAPE(rows) \
	{1, 0, {0}, \
	 {TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, \
	  TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES}, \
	 {rows, rows, rows, rows, rows, rows, TILE_ROWS, TILE_ROWS}}

static const TileShape shapes[] = {
	SHAPE(1), SHAPE(2), SHAPE(3), SHAPE(4), SHAPE(5), SHAPE(6),
	SHAPE(7), SHAPE(8), SHAPE(9), SHAPE(10), SHAPE(11), SHAPE(12),
	SHAPE(13), SHAPE(14), SHAPE(15), SHAPE(16)};

/*
 * Once for a product, as it takes a hundred cycles.  Tiles of more rows than
 * 16 are two of 16.
 */
AMX_TARGET static void
begin_product(int rows)
{
	/* gcc's _tile_loadconfig() says that it reads only a part of this */
	__asm__ volatile("ldtilecfg %0"
					 :
					 :"m"(shapes[rows < TILE_ROWS ? rows - 1
												  : TILE_ROWS - 1]));
}

/* Nothing is left to save when the process is switched or signalled. */
AMX_TARGET static void
end_product(void)
{
	_tile_release();
}

static inline void
fetch_ahead(const char *from, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 64)
		_mm_prefetch(from + at, _MM_HINT_T1);
}

#define MULTIPLY(sums, rows, weights) \
	do { \
		if (kind == TILE_BYTES_PRODUCT) \
			_tile_dpbusd(sums, rows, weights); \
		else \
			_tile_dpbf16ps(sums, rows, weights); \
	} while (0)

/*
 * All whole tiles of the inner index; see ProductTile.  The lower of two tiles
 * of rows ends with the last row and so may begin within the upper one, whose
 * sums it then makes again: tiles keep their shape, that of begin_product.
 */
AMX_TARGET static inline __attribute__((always_inline)) void
multiply_tiles(TileProduct kind, int height, const char *values,
			   size_t stride, const char *panel, const char *next,
			   size_t ahead, size_t tiles, char *sums, size_t sum_stride,
			   bool add)
{
	bool		two = height > TILE_ROWS;
	int			low = two ? height - TILE_ROWS : 0;
	const char *low_values = values + low * stride;
	char	   *low_sums = sums + low * sum_stride;

	if (add)
	{
		_tile_loadd(0, sums, sum_stride);
		_tile_loadd(1, sums + TILE_BYTES, sum_stride);
		if (two)
		{
			_tile_loadd(2, low_sums, sum_stride);
			_tile_loadd(3, low_sums + TILE_BYTES, sum_stride);
		}
	}
	else
	{
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	}
	for (size_t i = 0; i < tiles; i++)
	{
		fetch_ahead(next, 2 * ahead * TILE_STEPS);
		_tile_loadd(6, panel, PANEL_STEP_BYTES);
		_tile_loadd(4, values, stride);
		MULTIPLY(0, 4, 6);
		_tile_loadd(7, panel + TILE_BYTES, PANEL_STEP_BYTES);
		MULTIPLY(1, 4, 7);
		if (two)
		{
			_tile_loadd(5, low_values, stride);
			MULTIPLY(2, 5, 6);
			MULTIPLY(3, 5, 7);
		}
		next += 2 * ahead * TILE_STEPS;
		panel += PANEL_STEP_BYTES * TILE_STEPS;
		values += TILE_BYTES;
		low_values += TILE_BYTES;
	}
	_tile_stored(0, sums, sum_stride);
	_tile_stored(1, sums + TILE_BYTES, sum_stride);
	if (two)
	{
		_tile_stored(2, low_sums, sum_stride);
		_tile_stored(3, low_sums + TILE_BYTES, sum_stride);
	}
}

/* The same steps with the kernel of AVX-512, in tiles of its height. */
static void
multiply_vectors(const ProductKernel *kernel, int height, const char *values,
				 size_t stride, const char *panel, const char *next,
				 size_t ahead, size_t steps, char *sums, size_t sum_stride,
				 bool add)
{
	for (int row = 0; row < height; row += kernel->rows)
	{
		int			rows = height - row < kernel->rows ? height - row
													   : kernel->rows;

		kernel->tile[rows - 1](values + row * stride, stride, panel, next,
							   ahead, steps, sums + row * sum_stride,
							   sum_stride, add);
	}
}

/* So many whole tiles by the matrix unit, the other steps by AVX-512. */
AMX_TARGET static inline __attribute__((always_inline)) void
multiply(TileProduct kind, const ProductKernel *vectors, size_t tiles,
		 int height, const char *values, size_t stride, const char *panel,
		 const char *next, size_t ahead, size_t steps, char *sums,
		 size_t sum_stride, bool add)
{
	size_t		done = tiles * TILE_STEPS;

	if (tiles > 0)
		multiply_tiles(kind, height, values, stride, panel, next, ahead,
					   tiles, sums, sum_stride, add);
	if (done < steps)
		multiply_vectors(vectors, height, values + tiles * TILE_BYTES, stride,
						 panel + done * PANEL_STEP_BYTES,
						 next + done * 2 * ahead, ahead, steps - done, sums,
						 sum_stride, add || tiles > 0);
}

AMX_TARGET static void
multiply_bytes(int height, const char *values, size_t stride,
			   const char *panel, const char *next, size_t ahead,
			   size_t steps, char *sums, size_t sum_stride, bool add)
{
	multiply(TILE_BYTES_PRODUCT, &product_int8_avx512,
			 height <= FEW_ROWS ? 0 : steps / TILE_STEPS, height, values,
			 stride, panel, next, ahead, steps, sums, sum_stride, add);
}

AMX_TARGET static void
multiply_bfloat16(int height, const char *values, size_t stride,
				  const char *panel, const char *next, size_t ahead,
				  size_t steps, char *sums, size_t sum_stride, bool add)
{
	multiply(TILE_BFLOAT16_PRODUCT, &product_bfloat16_avx512_bf16,
			 steps / TILE_STEPS, height, values, stride, panel, next, ahead,
			 steps, sums, sum_stride, add);
}

/* A function for each number of rows, as ProductKernel has them. */
#define KERNEL(height) \
static void \
bytes_##height(const void *values, size_t stride, const void *panel, \
			   const void *next, size_t ahead, size_t steps, void *sums, \
			   size_t sum_stride, int add) \
{ \
	multiply_bytes(height, values, stride, panel, next, ahead, steps, sums, \
				   sum_stride, add != 0); \
} \
static void \
bfloat16_##height(const void *values, size_t stride, const void *panel, \
				  const void *next, size_t ahead, size_t steps, void *sums, \
				  size_t sum_stride, int add) \
{ \
	multiply_bfloat16(height, values, stride, panel, next, ahead, steps, \
					  sums, sum_stride, add != 0); \
}

#define ALL_HEIGHTS(X) \
	X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) \
	X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) \
	X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) \
	X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

ALL_HEIGHTS(KERNEL)

#define BYTES_NAME(height) bytes_##height,
#define BFLOAT16_NAME(height) bfloat16_##height,

static const ProductTile byte_tiles[] = {ALL_HEIGHTS(BYTES_NAME)};
static const ProductTile bfloat16_tiles[] = {ALL_HEIGHTS(BFLOAT16_NAME)};

const ProductKernel product_bfloat16_amx =
{
	.layout = "bfloat16 x 32",
	.values = VALUE_BFLOAT16,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = 32,
	.rows = 32,
	.begin = begin_product,
	.end = end_product,
	.tile = bfloat16_tiles
};

const ProductKernel product_int8_amx =
{
	.layout = "int8 x 32",
	.values = VALUE_BYTE,
	.weights = WEIGHT_BYTE,
	.group = 4,
	.step = 4,
	.columns = 32,
	.rows = 32,
	.begin = begin_product,
	.end = end_product,
	.tile = byte_tiles
};

#endif							/* PRODUCT_AMX */
