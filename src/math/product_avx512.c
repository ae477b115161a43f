/*-------------------------------------------------------------------------
 *
 * product_avx512.c
 *	  Products for AVX-512: 12 rows by 32 outputs.
 *
 * Twenty-four sums, two registers of weights and one of a row's value: 14
 * loads for 24 multiplications, so that the two units that multiply are never
 * short.  The products of floats, of pairs of bfloat16 and of 16-bit integers,
 * and of four bytes differ in one instruction.
 *
 *-------------------------------------------------------------------------
 */
#include "math/product_sets.h"

#if defined(__x86_64__)

#define R(n) "%%zmm" n
#define WIDTH "64"
#define X0 R("8")
#define Y0 R("9")
#define X1 R("10")
#define Y1 R("11")
#define X2 R("12")
#define Y2 R("13")
#define X3 R("14")
#define Y3 R("15")
#define X4 R("16")
#define Y4 R("17")
#define X5 R("18")
#define Y5 R("19")
#define X6 R("20")
#define Y6 R("21")
#define X7 R("22")
#define Y7 R("23")
#define X8 R("24")
#define Y8 R("25")
#define X9 R("26")
#define Y9 R("27")
#define X10 R("28")
#define Y10 R("29")
#define X11 R("30")
#define Y11 R("31")
#define SUM_CLOBBERS \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", \
	"xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", \
	"xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"
#define TILE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

#define TILE_BEGIN ""
#define TILE_CONSTANT upper_half

static const uint32_t upper_half = 0xFFFF0000;

#include "math/product_tile_x86.h"

#define LOAD_STEP(k) \
	"vmovups " k "*128(%[panel]), " R("0") "\n" \
	"vmovups " k "*128+64(%[panel]), " R("1") "\n"

#define PRODUCT_BY(instruction, x, y, address) \
	"vbroadcastss " address ", " R("2") "\n" \
	instruction " " R("0") ", " R("2") ", " x "\n" \
	instruction " " R("1") ", " R("2") ", " y "\n"

#define FLOAT_PRODUCT(x, y, address) PRODUCT_BY("vfmadd231ps", x, y, address)
#define BFLOAT16_PRODUCT(x, y, address) PRODUCT_BY("vdpbf16ps", x, y, address)
#define SHORT_PRODUCT(x, y, address) PRODUCT_BY("vpdpwssd", x, y, address)
#define BYTE_PRODUCT(x, y, address) PRODUCT_BY("vpdpbusd", x, y, address)

#define FLOAT_STEP(ROWS, k) LOAD_STEP(k) ROWS(FLOAT_PRODUCT, k "*4")
#define BFLOAT16_STEP(ROWS, k) LOAD_STEP(k) ROWS(BFLOAT16_PRODUCT, k "*4")
#define SHORT_STEP(ROWS, k) LOAD_STEP(k) ROWS(SHORT_PRODUCT, k "*4")
#define BYTE_STEP(ROWS, k) LOAD_STEP(k) ROWS(BYTE_PRODUCT, k "*4")

/*
 * Products of bfloat16 by those of floats: the first number of a pair is the
 * lower half of 32 bits, the second the upper.
 */
#define WIDE_STEP(ROWS, k) \
	"vpslld $16, " k "*128(%[panel]), " R("0") "\n" \
	"vpslld $16, " k "*128+64(%[panel]), " R("1") "\n" \
	ROWS(FLOAT_PRODUCT, k "*8") \
	"vpandd " k "*128(%[panel]), " R("3") ", " R("0") "\n" \
	"vpandd " k "*128+64(%[panel]), " R("3") ", " R("1") "\n" \
	ROWS(FLOAT_PRODUCT, k "*8+4")

TILES_12(float, FLOAT_STEP, "4", "128")
TILES_12(bfloat16, BFLOAT16_STEP, "4", "128")
TILES_12(short, SHORT_STEP, "4", "128")
TILES_12(byte, BYTE_STEP, "4", "128")

/* the mask of an upper half */
#undef TILE_BEGIN
#define TILE_BEGIN "vpbroadcastd %[constant], " R("3") "\n"
TILES_12(wide, WIDE_STEP, "8", "128")

static const ProductTile float_tiles[] = {TILE_NAMES_12(float)};
static const ProductTile bfloat16_tiles[] = {TILE_NAMES_12(bfloat16)};
static const ProductTile wide_tiles[] = {TILE_NAMES_12(wide)};
static const ProductTile short_tiles[] = {TILE_NAMES_12(short)};
static const ProductTile byte_tiles[] = {TILE_NAMES_12(byte)};

const ProductKernel product_float_avx512 =
{
	.layout = "float32 x 32",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_FLOAT,
	.group = 1,
	.step = 1,
	.columns = 32,
	.rows = 12,
	.tile = float_tiles
};

const ProductKernel product_bfloat16_avx512 =
{
	.layout = "bfloat16 x 32",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = 32,
	.rows = 12,
	.tile = wide_tiles
};

const ProductKernel product_bfloat16_avx512_bf16 =
{
	.layout = "bfloat16 x 32",
	.values = VALUE_BFLOAT16,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = 32,
	.rows = 12,
	.tile = bfloat16_tiles
};

const ProductKernel product_int16_avx512 =
{
	.layout = "int16 x 32",
	.values = VALUE_SHORT,
	.weights = WEIGHT_SHORT,
	.group = 2,
	.step = 2,
	.columns = 32,
	.rows = 12,
	.tile = short_tiles
};

const ProductKernel product_int8_avx512 =
{
	.layout = "int8 x 32",
	.values = VALUE_BYTE,
	.weights = WEIGHT_BYTE,
	.group = 4,
	.step = 4,
	.columns = 32,
	.rows = 12,
	.tile = byte_tiles
};

#endif							/* __x86_64__ */
