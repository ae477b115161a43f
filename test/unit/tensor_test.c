/*-------------------------------------------------------------------------
 *
 * tensor_test.c
 *	  Would fail if a value of some type were read wrongly, if bfloat16 were
 *	  rounded wrongly, or if a list of tensors that cannot be were accepted.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "format/tensor.h"
#include "math/bfloat16.h"
#include "math/distance.h"
#include "math/random.h"

/*
 * Blocks whose byte i is (37 i + 11) mod 256, with the scale 0.0123 and, where
 * there is one, the minimum -0.321 in half precision.  All values of a block
 * of 32; of 256 those at the places below.  Computed by the gguf package
 * 0.19.0, dequantize(); the sum is that of all values, in double.
 */
static const int places[] = {0,	  1,   31,	32,	 33,  63,  64,	95,	 96,  127,
							 128, 129, 160, 191, 192, 193, 223, 224, 254, 255};

static const struct
{
	TensorType	type;
	int			scale_at;
	int			count;
	double		sum;
	float		values[32];
} blocks[] = {
	{TENSOR_Q4_0,
	 0,
	 32,
	 -0x1.0878p-2,
	 {-0x1.2e4p-5, 0x1.93p-6,	0x1.60ap-4,	 -0x1.93p-5,  0x1.93p-7,
	  0x1.2e4p-4,  -0x1.f7cp-5, 0x0p+0,		 0x1.f7cp-5,  -0x1.2e4p-4,
	  -0x1.93p-7,  0x1.93p-5,	-0x1.60ap-4, -0x1.93p-6,  0x1.2e4p-5,
	  -0x1.93p-4,  -0x1.2e4p-5, -0x1.93p-7,	 0x1.93p-7,	  0x1.93p-5,
	  0x1.2e4p-4,  -0x1.93p-4,	-0x1.f7cp-5, -0x1.2e4p-5, -0x1.93p-7,
	  0x1.93p-6,   0x1.93p-5,	0x1.2e4p-4,	 -0x1.60ap-4, -0x1.f7cp-5,
	  -0x1.2e4p-5, 0x0p+0}},
	{TENSOR_Q4_1,
	 0,
	 32,
	 -0x1.d0a88p+2,
	 {-0x1.17bp-3,	-0x1.166p-2,  -0x1.aedp-3,	-0x1.30ep-3,  -0x1.22f8p-2,
	  -0x1.c8p-3,	-0x1.4a1p-3,  -0x1.2f9p-2,	-0x1.e13p-3,  -0x1.634p-3,
	  -0x1.3c28p-2, -0x1.fa6p-3,  -0x1.7c7p-3,	-0x1.48cp-2,  -0x1.09c8p-2,
	  -0x1.95ap-3,	-0x1.aedp-3,  -0x1.634p-3,	-0x1.30ep-3,  -0x1.48cp-2,
	  -0x1.22f8p-2, -0x1.09c8p-2, -0x1.e13p-3,	-0x1.95ap-3,  -0x1.634p-3,
	  -0x1.30ep-3,	-0x1.3c28p-2, -0x1.22f8p-2, -0x1.09c8p-2, -0x1.c8p-3,
	  -0x1.95ap-3,	-0x1.634p-3}},
	{TENSOR_Q5_0,
	 0,
	 32,
	 0x1.79dp-3,
	 {0x1.c56p-4,  -0x1.93p-6,	0x1.2e4p-5, -0x1.93p-4,	 0x1.477p-3,
	  -0x1.60ap-3, 0x1.60ap-4,	-0x1.93p-5, -0x1.79dp-3, 0x1.2e4p-4,
	  -0x1.f7cp-5, 0x0p+0,		0x1.f7cp-5, 0x1.f7cp-4,	 0x1.79dp-3,
	  -0x1.2e4p-3, 0x1.60ap-3,	0x0p+0,		0x1.2e4p-5,	 0x1.f7cp-5,
	  0x1.60ap-4,  -0x1.2e4p-4, -0x1.93p-5, 0x1.60ap-3,	 -0x1.79dp-3,
	  -0x1.477p-3, 0x1.f7cp-5,	-0x1.93p-4, -0x1.2e4p-4, -0x1.93p-5,
	  0x1.60ap-3,  0x1.93p-7}},
	{TENSOR_Q5_1,
	 0,
	 32,
	 -0x1.04028p+2,
	 {-0x1.65ep-4,	-0x1.a8p-6,	  0x1.23cp-5,	-0x1.984p-4, -0x1.38cp-5,
	  -0x1.634p-3,	-0x1.3c28p-2, -0x1.9d8p-5,	-0x1.7c7p-3, -0x1.48cp-2,
	  -0x1.012p-4,	-0x1.95ap-3,  -0x1.17bp-3,	-0x1.166p-2, -0x1.bdp-7,
	  0x1.888p-5,	-0x1.65ep-4,  -0x1.09c8p-2, -0x1.e13p-3, -0x1.5p-10,
	  -0x1.634p-3,	0x1.888p-5,	  -0x1.caap-4,	-0x1.65ep-4, -0x1.09c8p-2,
	  -0x1.a8p-6,	-0x1.5p-10,	  0x1.7ep-6,	-0x1.30ep-3, -0x1.3c28p-2,
	  -0x1.22f8p-2, -0x1.09c8p-2}},
	{TENSOR_Q8_0,
	 0,
	 32,
	 -0x1.151p+1,
	 {0x1.0b9ep+0,	0x1.801cp+0,  -0x1.3166p+0, -0x1.79dp-1, -0x1.21a8p-2,
	  0x1.60ap-3,	0x1.4124p-1,  0x1.151p+0,	0x1.898ep+0, -0x1.27f4p+0,
	  -0x1.66ecp-1, -0x1.f7cp-3,  0x1.ac3p-3,	0x1.5408p-1, 0x1.1e82p+0,
	  -0x1.93p+0,	-0x1.1e82p+0, -0x1.5408p-1, -0x1.ac3p-3, 0x1.f7cp-3,
	  0x1.66ecp-1,	0x1.27f4p+0,  -0x1.898ep+0, -0x1.151p+0, -0x1.4124p-1,
	  -0x1.60ap-3,	0x1.21a8p-2,  0x1.79dp-1,	0x1.3166p+0, -0x1.801cp+0,
	  -0x1.0b9ep+0, -0x1.2e4p-1}},
	{TENSOR_Q4_K,
	 0,
	 20,
	 0x1.ad357ep+11,
	 {0x1.4912ep+4, 0x1.05f9p+4,  0x1.2a92cp+4, 0x1.fcdep+2,  0x1.0328p+3,
	  0x1.0b07p+3,	0x1.92162p+4, 0x1.69bf4p+4, 0x1.aff18p+3, 0x1.83dd8p+3,
	  0x1.241dcp+3, 0x1.ed2p+1,	  0x1.045c8p+4, 0x1.4bd1p+3,  0x1.82c64p+3,
	  0x1.5d4cp+2,	0x1.225a8p+3, 0x1.6ea78p+3, 0x1.7cd28p+3, 0x1.818b8p+3}},
	{TENSOR_Q5_K,
	 0,
	 20,
	 0x1.0616ddp+12,
	 {0x1.aaacep+4, 0x1.05f9p+4,  0x1.2a92cp+4, 0x1.275dp+3,  0x1.f36cp+2,
	  0x1.1ac5p+3,	0x1.92162p+4, 0x1.ead54p+4, 0x1.e70a8p+3, 0x1.62ce8p+3,
	  0x1.0cd8ep+4, 0x1.ed2p+1,	  0x1.7b0bp+3,	0x1.1bf98p+4, 0x1.5ba92p+4,
	  0x1.5d4cp+2,	0x1.2b734p+4, 0x1.86448p+3, 0x1.946f8p+3, 0x1.99288p+3}},
	{TENSOR_Q6_K,
	 208,
	 20,
	 0x1.c5c4cp+5,
	 {-0x1.1996ap+4, 0x1.4dbcp+4,  -0x1.2e4p+0,	 0x1.6ba5p+1,	-0x1.0878p+3,
	  -0x1.c886p+2,	 -0x1.2b1ap+5, 0x1.24cep+5,	 -0x1.56648p+3, 0x1.272a8p+4,
	  -0x1.14468p+2, 0x1.477p+2,   0x1.08134p+3, -0x1.81afp+3,	-0x1.7cf6p+2,
	  0x1.ac94cp+3,	 -0x1.8cb4p+3, 0x1.4cf28p+3, -0x1.f7cp-2,	-0x1.79dp-1}}};

static void
put_half(unsigned char *bytes, float value)
{
	half		bits = float_to_half(value);

	bytes[0] = (unsigned char) bits;
	bytes[1] = (unsigned char) (bits >> 8);
}

static void
test_blocks(void)
{
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
	{
		TensorType	type = blocks[i].type;
		const char *name = tensor_type_name(type);
		size_t		bytes = (size_t) tensor_block_bytes(type);
		int			elements = tensor_block_elements(type);
		unsigned char *block = exact_alloc(3 * bytes + 1);
		float	   *values = exact_alloc((size_t) elements * 3 *
										 sizeof(float));
		double		sum = 0;

		/* three equal blocks, at an odd address */
		for (size_t k = 0; k < 3 * bytes; k++)
			block[1 + k] = (unsigned char) (k % bytes * 37 + 11);
		for (int k = 0; k < 3; k++)
		{
			put_half(block + 1 + (size_t) k * bytes + blocks[i].scale_at,
					 0.0123f);
			if (type == TENSOR_Q4_1 || type == TENSOR_Q5_1 ||
				type == TENSOR_Q4_K || type == TENSOR_Q5_K)
				put_half(block + 3 + (size_t) k * bytes, -0.321f);
		}
		tensor_to_floats(type, block + 1, (size_t) elements * 3, values);
		for (int k = 0; k < blocks[i].count; k++)
		{
			int			place = elements == 32 ? k : places[k];

			CHECK(values[place] == blocks[i].values[k], "%s, element %d: %a, not %a", name, place,
				  values[place], blocks[i].values[k]);
		}
		for (int k = 0; k < elements; k++)
			sum += values[k];
		CHECK(fabs(sum - blocks[i].sum) < 1e-9 * fabs(sum), "%s: sum %a, not %a", name, sum,
			  blocks[i].sum);
		CHECK(memcmp(values, values + 2 * elements,
					 (size_t) elements * sizeof(float)) == 0,
			  "%s: equal blocks differ", name);
		free(block);
		free(values);
	}
}

/* One value of each plain type, written by hand, at every alignment. */
static void
expect_number(TensorType type, const char *bytes, double expected)
{
	size_t		size = (size_t) tensor_block_bytes(type);

	for (size_t shift = 0; shift < 8; shift++)
	{
		char	   *copy = exact_alloc(shift + 3 * size);
		float		values[3];

		for (int i = 0; i < 3; i++)
			memcpy(copy + shift + (size_t) i * size, bytes, size);
		tensor_to_floats(type, copy + shift, 3, values);
		for (int i = 0; i < 3; i++)
			CHECK(values[i] == (float) expected &&
					  !signbit(values[i]) == !signbit(expected),
				  "%s: %a, not %a", tensor_type_name(type), values[i],
				  expected);
		free(copy);
	}
}

static void
test_numbers(void)
{
	unsigned char halves[2 * 1000];
	float		values[1000];

	expect_number(TENSOR_F32, "\xDB\x0F\x49\x40", 0x1.921fb6p+1);
	expect_number(TENSOR_F32, "\0\0\0\x80", -0.0);
	expect_number(TENSOR_F64, "\x9A\x99\x99\x99\x99\x99\xB9\x3F", 0.1);
	expect_number(TENSOR_F64, "\xA0\xC8\xEB\x85\xF3\xCC\xE1\x7F", INFINITY);
	expect_number(TENSOR_F16, "\x00\x3C", 1);
	expect_number(TENSOR_F16, "\x01\x80", -0x1p-24);
	expect_number(TENSOR_BF16, "\x80\xBF", -1);
	expect_number(TENSOR_BF16, "\x01\x00", 0x1p-133);
	expect_number(TENSOR_I8, "\x80", -128);
	expect_number(TENSOR_U8, "\x80", 128);
	expect_number(TENSOR_BOOL, "\x02", 1);
	expect_number(TENSOR_BOOL, "\x00", 0);
	expect_number(TENSOR_I16, "\x00\x80", -32768);
	expect_number(TENSOR_U16, "\xFF\xFF", 65535);
	expect_number(TENSOR_I32, "\xFF\xFF\xFF\xFF", -1);
	expect_number(TENSOR_I32, "\x01\x00\x00\x01", 16777216);	/* a tie, to even */
	expect_number(TENSOR_U32, "\xFF\xFF\xFF\xFF", 0x1p32);
	expect_number(TENSOR_I64, "\x00\x00\x00\x00\x00\x00\x00\x80", -0x1p63);
	expect_number(TENSOR_U64, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 0x1p64);

	/* longer than what is converted at a time */
	for (int i = 0; i < 1000; i++)
		put_half(halves + 2 * i, (float) i);
	for (int count = 0; count <= 1000; count += 125)
	{
		memset(values, 0, sizeof(values));
		tensor_to_floats(TENSOR_F16, halves, (size_t) count, values);
		for (int i = 0; i < 1000; i++)
			CHECK(values[i] == (i < count ? (float) i : 0), "half %d of %d: %g", i, count, values[i]);
	}
}

/* Every bfloat16 comes back, ties go to even, and the rest to the nearer. */
static void
test_bfloat16(void)
{
	Random		random;

	for (uint32_t bits = 0; bits < 0x10000; bits++)
	{
		float		value = bfloat_to_float((uint16_t) bits);

		if (isnan(value))
			CHECK(float_to_bfloat(value) == (bits | 0x40), "NaN %04x", bits);
		else
			CHECK(float_to_bfloat(value) == bits, "%04x", bits);
	}
	random_seed(&random, 5);
	for (int i = 0; i < 200000; i++)
	{
		uint32_t	bits = (uint32_t) random_next(&random);
		float		value;
		float		below;
		float		above;
		float		rounded;

		if (i % 3 == 0)
			bits = (bits & 0xFFFF0000) | 0x8000;
		memcpy(&value, &bits, sizeof(value));
		if (!(fabsf(value) < 0x1.fep127f))
			continue;
		below = bfloat_to_float((uint16_t) (bits >> 16));
		above = bfloat_to_float((uint16_t) ((bits >> 16) + 1));
		rounded = bfloat_to_float(float_to_bfloat(value));
		if ((bits & 0xFFFF) == 0x8000)
			CHECK(rounded == ((bits >> 16 & 1) ? above : below), "tie %08x", bits);
		else
			CHECK(rounded == ((bits & 0xFFFF) < 0x8000 ? below : above), "%08x", bits);
	}
	CHECK(float_to_bfloat(INFINITY) == 0x7F80 &&
			  float_to_bfloat(-0.0f) == 0x8000 &&
			  float_to_bfloat(0x1.fffffep127f) == 0x7F80,
		  "the ends");
}

static Arena arena;
static FormatFault fault;

static bool
sized(Tensor tensor, uint64_t elements, uint64_t bytes)
{
	memset(&fault, 0, sizeof(fault));
	return tensor_set_size(&tensor, &fault) && tensor.elements == elements &&
		   tensor.bytes == bytes;
}

static void
test_sizes(void)
{
	CHECK(sized((Tensor) {"a", TENSOR_F32, 0, 2, {2, 3}}, 6, 24), "2 x 3");
	CHECK(sized((Tensor) {"a", TENSOR_F64, 0, 0, {0}}, 1, 8), "a scalar");
	CHECK(sized((Tensor) {"a", TENSOR_F32, 0, 3, {2, 0, 3}}, 0, 0), "nothing");
	CHECK(sized((Tensor) {"a", TENSOR_Q4_0, 0, 2, {3, 64}}, 192, 108), "blocks of 32");
	CHECK(sized((Tensor) {"a", TENSOR_Q6_K, 0, 1, {512}}, 512, 420), "blocks of 256");
	CHECK(!sized((Tensor) {"a", TENSOR_Q4_0, 0, 2, {32, 33}}, 0, 0), "rows of 33");
	CHECK(!sized((Tensor) {"a", TENSOR_Q4_K, 0, 1, {32}}, 0, 0), "rows of 32");
	CHECK(!sized((Tensor) {"a", TENSOR_Q8_0, 0, 0, {0}}, 0, 0), "a scalar in blocks");
	CHECK(!sized((Tensor) {"a", TENSOR_F32, 0, 2, {UINT64_MAX, 2}}, 0, 0), "too many elements");
	CHECK(!sized((Tensor) {"a", TENSOR_F32, 0, 3, {UINT64_MAX, 2, 0}}, 0, 0), "before a zero");
	CHECK(!sized((Tensor) {"a", TENSOR_F64, 0, 1, {UINT64_MAX / 8 + 1}}, 0, 0), "too many bytes");
	CHECK(sized((Tensor) {"a", TENSOR_F64, 0, 1, {UINT64_MAX / 8}}, UINT64_MAX / 8,
				UINT64_MAX / 8 * 8), "just not too many");
}

static void
expect_list(const char *what, Tensor *tensors, size_t count, uint64_t start,
			uint64_t end, uint64_t alignment, const char *detail)
{
	Tensor	   *copies = exact_alloc(count * sizeof(Tensor));
	TensorList	list = {copies, count, NULL};
	bool		good;

	memcpy(copies, tensors, count * sizeof(Tensor));
	memset(&fault, 0, sizeof(fault));
	good = tensor_list_finish(&arena, &list, &fault) &&
		tensor_list_check_gaps(&list, 0, start, end, alignment, &fault);
	CHECK(good == (detail == NULL), "%s: %s", what, fault.detail);
	CHECK(detail == NULL || strstr(fault.detail, detail) != NULL, "%s: %s", what, fault.detail);
	free(copies);
}

#define AT(name, offset, bytes)                              \
	{                                                        \
		name, TENSOR_U8, 0, 1, {bytes}, bytes, offset, bytes \
	}

static void
test_lists(void)
{
	Tensor		good[] = {AT("c", 96, 1), AT("a", 32, 33), AT("empty", 32, 0)};
	Tensor		twice[] = {AT("a", 0, 1), AT("b", 1, 1), AT("a", 2, 1)};
	Tensor		overlap[] = {AT("a", 0, 10), AT("b", 9, 1)};
	Tensor		within[] = {AT("a", 0, 10), AT("b", 5, 0), AT("c", 10, 1)};
	Tensor		hole[] = {AT("a", 0, 10), AT("b", 64, 1)};

	expect_list("none", good, 0, 10, 10, 32, NULL);
	expect_list("none, but bytes", good, 0, 10, 11, 32, "1 bytes belong");
	expect_list("aligned", good, 3, 32, 97, 32, NULL);
	expect_list("padded at the end", good, 3, 32, 128, 32, NULL);
	expect_list("more at the end", good, 3, 32, 129, 32, "1 bytes belong");
	expect_list("not aligned", good, 3, 32, 128, 16, "\"c\" should begin here");
	expect_list("late", good, 3, 0, 128, 32, "should begin here");
	expect_list("twice", twice, 3, 0, 3, 1, "two tensors \"a\"");
	expect_list("overlap", overlap, 2, 0, 10, 1, "overlap");
	expect_list("empty within another", within, 3, 0, 11, 1, "overlap");
	expect_list("hole", hole, 2, 0, 65, 32, "\"b\" should begin here");
}

static void
test_names(void)
{
	Tensor		tensor = {0};
	char		name[TENSOR_MAX_NAME + 1];

	memset(&fault, 0, sizeof(fault));
	memset(name, 'x', sizeof(name));
	CHECK(tensor_set_name(&arena, &tensor, name, TENSOR_MAX_NAME, &fault) &&
		  strlen(tensor.name) == TENSOR_MAX_NAME, "a long name");
	CHECK(tensor_set_name(&arena, &tensor, "", 0, &fault) && tensor.name[0] == '\0', "no name");
	CHECK(!tensor_set_name(&arena, &tensor, name, sizeof(name), &fault), "too long a name");
	CHECK(fault.status == FORMAT_TOO_LARGE, "%s", fault.detail);
	memset(&fault, 0, sizeof(fault));
	CHECK(!tensor_set_name(&arena, &tensor, "a\xC3", 2, &fault), "half a character");
	CHECK(!tensor_set_name(&arena, &tensor, "a\0b", 3, &fault), "a zero byte");
}

int
main(void)
{
	distance_init();
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	test_blocks();
	test_numbers();
	test_bfloat16();
	test_sizes();
	test_lists();
	test_names();
	arena_end(&arena);
	return check_result();
}
