/*-------------------------------------------------------------------------
 *
 * product_avx2.c
 *	  Products for AVX2 with FMA: 6 rows by 16 outputs, of bytes 4 by 16.
 *
 * Twelve sums, two registers of weights, one or two of a row's value: all
 * sixteen are taken.
 *
 * Bytes are multiplied by vpmaddubsw, whose sums of two products saturate at
 * 16 bits.  Two such sums are added before vpmaddwd widens them; weights are
 * bounded when they are packed, so that no sum of four products can leave 16
 * bits whatever the values are (README).
 *
 *-------------------------------------------------------------------------
 */
#include "math/product_sets.h"

#if defined(__x86_64__)

#define R(n) "%%ymm" n
#define WIDTH "32"
#define X0 R("0")
#define Y0 R("1")
#define X1 R("2")
#define Y1 R("3")
#define X2 R("4")
#define Y2 R("5")
#define X3 R("6")
#define Y3 R("7")
#define X4 R("8")
#define Y4 R("9")
#define X5 R("10")
#define Y5 R("11")
#define SUM_CLOBBERS \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define TILE_TARGET __attribute__((target("avx2,fma")))

#define TILE_BEGIN ""
#define TILE_CONSTANT ones

static const struct
{
	int16_t		one[16];
}			ones = {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};

#include "math/product_tile_x86.h"

#define LOAD_STEP(k) \
	"vmovups " k "*64(%[panel]), " R("12") "\n" \
	"vmovups " k "*64+32(%[panel]), " R("13") "\n"

#define FLOAT_PRODUCT(x, y, address) \
	"vbroadcastss " address ", " R("14") "\n" \
	"vfmadd231ps " R("12") ", " R("14") ", " x "\n" \
	"vfmadd231ps " R("13") ", " R("14") ", " y "\n"

#define FLOAT_STEP(ROWS, k) LOAD_STEP(k) ROWS(FLOAT_PRODUCT, k "*4")

/* the upper half of 32 bits alone, by two shifts: there is no register left */
#define WIDE_STEP(ROWS, k) \
	LOAD_STEP(k) \
	"vpslld $16, " R("12") ", " R("12") "\n" \
	"vpslld $16, " R("13") ", " R("13") "\n" \
	ROWS(FLOAT_PRODUCT, k "*8") \
	LOAD_STEP(k) \
	"vpsrld $16, " R("12") ", " R("12") "\n" \
	"vpsrld $16, " R("13") ", " R("13") "\n" \
	"vpslld $16, " R("12") ", " R("12") "\n" \
	"vpslld $16, " R("13") ", " R("13") "\n" \
	ROWS(FLOAT_PRODUCT, k "*8+4")

#define SHORT_PRODUCT(x, y, address) \
	"vpbroadcastd " address ", " R("14") "\n" \
	"vpmaddwd " R("12") ", " R("14") ", " R("15") "\n" \
	"vpaddd " R("15") ", " x ", " x "\n" \
	"vpmaddwd " R("13") ", " R("14") ", " R("14") "\n" \
	"vpaddd " R("14") ", " y ", " y "\n"

#define SHORT_STEP(ROWS, k) LOAD_STEP(k) ROWS(SHORT_PRODUCT, k "*4")

/*
 * Eight numbers of the inner index: two groups of four.  Registers 8 to 11
 * hold the weights.
 */
#define BYTE_PRODUCT(x, y, address) \
	"vpbroadcastd " address ", " R("12") "\n" \
	"vpmaddubsw " R("8") ", " R("12") ", " R("13") "\n" \
	"vpmaddubsw " R("9") ", " R("12") ", " R("14") "\n" \
	"vpbroadcastd 4+" address ", " R("12") "\n" \
	"vpmaddubsw " R("10") ", " R("12") ", " R("15") "\n" \
	"vpaddw " R("15") ", " R("13") ", " R("13") "\n" \
	"vpmaddubsw " R("11") ", " R("12") ", " R("12") "\n" \
	"vpaddw " R("12") ", " R("14") ", " R("14") "\n" \
	"vpmaddwd %[constant], " R("13") ", " R("13") "\n" \
	"vpaddd " R("13") ", " x ", " x "\n" \
	"vpmaddwd %[constant], " R("14") ", " R("14") "\n" \
	"vpaddd " R("14") ", " y ", " y "\n"

#define BYTE_STEP(ROWS, k) \
	"vmovups " k "*128(%[panel]), " R("8") "\n" \
	"vmovups " k "*128+32(%[panel]), " R("9") "\n" \
	"vmovups " k "*128+64(%[panel]), " R("10") "\n" \
	"vmovups " k "*128+96(%[panel]), " R("11") "\n" \
	ROWS(BYTE_PRODUCT, k "*8")

TILES_6(float, FLOAT_STEP, "4", "64")
TILES_6(wide, WIDE_STEP, "8", "64")
TILES_6(short, SHORT_STEP, "4", "64")

TILES_4(byte, BYTE_STEP, "8", "128")

static const ProductTile float_tiles[] = {TILE_NAMES_6(float)};
static const ProductTile wide_tiles[] = {TILE_NAMES_6(wide)};
static const ProductTile short_tiles[] = {TILE_NAMES_6(short)};
static const ProductTile byte_tiles[] = {TILE_NAMES_4(byte)};

const ProductKernel product_float_avx2 =
{
	.layout = "float32 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_FLOAT,
	.group = 1,
	.step = 1,
	.columns = 16,
	.rows = 6,
	.tile = float_tiles
};

const ProductKernel product_bfloat16_avx2 =
{
	.layout = "bfloat16 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = 16,
	.rows = 6,
	.tile = wide_tiles
};

const ProductKernel product_int16_avx2 =
{
	.layout = "int16 x 16",
	.values = VALUE_SHORT,
	.weights = WEIGHT_SHORT,
	.group = 2,
	.step = 2,
	.columns = 16,
	.rows = 6,
	.tile = short_tiles
};

const ProductKernel product_int8_avx2 =
{
	.layout = "int8 bounded x 16",
	.values = VALUE_BYTE,
	.weights = WEIGHT_BYTE_IN_PAIRS,
	.group = 4,
	.step = 8,
	.columns = 16,
	.rows = 4,
	.tile = byte_tiles
};

#endif							/* __x86_64__ */
