/*-------------------------------------------------------------------------
 *
 * gguf_test.c
 *	  Would fail if a GGUF file were read wrongly, or if a damaged one were
 *	  read beyond its end or taken for a good one.
 *
 * Files are put together here, byte by byte.  With EMBED_DATA, the cases that
 * lie beside the data are read as well; their expected values are those of
 * the gguf package 0.19.0.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "case_files.h"
#include "check.h"
#include "format/gguf.h"
#include "math/distance.h"

static Arena arena;
static FormatFault fault;
static Gguf gguf;

/* A file that is being put together. */
typedef struct Builder
{
	unsigned char bytes[20000];
	size_t		used;
} Builder;

static Builder file;

static void
put(Builder *builder, const void *bytes, size_t length)
{
	memcpy(builder->bytes + builder->used, bytes, length);
	builder->used += length;
}

static void
put_number(Builder *builder, uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		builder->bytes[builder->used++] = (unsigned char) (number >> (8 * i));
}

static void
put_text(Builder *builder, const char *text)
{
	put_number(builder, strlen(text), 8);
	put(builder, text, strlen(text));
}

static void
put_head(Builder *builder, uint32_t version, uint64_t tensors, uint64_t values)
{
	builder->used = 0;
	put(builder, "GGUF", 4);
	put_number(builder, version, 4);
	put_number(builder, tensors, 8);
	put_number(builder, values, 8);
}

static void
put_value(Builder *builder, const char *key, GgufType type, uint64_t number,
		  int size)
{
	put_text(builder, key);
	put_number(builder, type, 4);
	put_number(builder, number, size);
}

static void
put_array(Builder *builder, const char *key, GgufType type, uint64_t count)
{
	put_text(builder, key);
	put_number(builder, GGUF_ARRAY, 4);
	put_number(builder, type, 4);
	put_number(builder, count, 8);
}

static void
put_tensor(Builder *builder, const char *name, int rank, uint64_t first,
		   uint64_t second, uint32_t type, uint64_t offset)
{
	put_text(builder, name);
	put_number(builder, (uint64_t) rank, 4);
	if (rank > 0)
		put_number(builder, first, 8);
	if (rank > 1)
		put_number(builder, second, 8);
	for (int i = 2; i < rank; i++)
		put_number(builder, 1, 8);
	put_number(builder, type, 4);
	put_number(builder, offset, 8);
}

static void
align(Builder *builder, size_t alignment)
{
	while (builder->used % alignment != 0)
		builder->bytes[builder->used++] = 0;
}

/* Opens builders as the files of one model; every block has its exact size. */
static bool
open_files(const Builder *const *builders, int count)
{
	FormatFile	files[4];
	unsigned char *copies[4];
	bool		good;

	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	for (int i = 0; i < count; i++)
	{
		copies[i] = exact_alloc(builders[i]->used);
		memcpy(copies[i], builders[i]->bytes, builders[i]->used);
		files[i] = format_file_of_bytes(copies[i], builders[i]->used);
	}
	good = gguf_open(&gguf, &arena, files, count, &fault);
	CHECK(good == (fault.status == FORMAT_OK), "status %d", fault.status);
	for (int i = 0; i < count; i++)
		free(copies[i]);
	return good;
}

static bool
open_one(void)
{
	const Builder *builders[] = {&file};

	return open_files(builders, 1);
}

static void
expect_bad(const char *what, FormatStatus status, const char *detail)
{
	CHECK(!open_one() && fault.status == status &&
			  strstr(fault.detail, detail) != NULL,
		  "%s: status %d, %s", what, fault.status, fault.detail);
}

/* A value of each type, and three tensors. */
static void
build_example(size_t alignment)
{
	float		third = 1.0f / 3;
	double		tenth = 0.1;
	uint32_t	bits;
	uint64_t	wide;

	memcpy(&bits, &third, 4);
	memcpy(&wide, &tenth, 8);
	put_head(&file, 3, 3, 17);
	put_value(&file, "u8", GGUF_UINT8, 200, 1);
	put_value(&file, "i8", GGUF_INT8, (uint64_t) -100, 1);
	put_value(&file, "u16", GGUF_UINT16, 60000, 2);
	put_value(&file, "i16", GGUF_INT16, (uint64_t) -30000, 2);
	put_value(&file, "u32", GGUF_UINT32, 4000000000u, 4);
	put_value(&file, "i32", GGUF_INT32, (uint64_t) -2000000000, 4);
	put_value(&file, "f32", GGUF_FLOAT32, bits, 4);
	put_value(&file, "yes", GGUF_BOOL, 1, 1);
	put_text(&file, "text");
	put_number(&file, GGUF_STRING, 4);
	put_text(&file, "caf\xC3\xA9");
	put_value(&file, "u64", GGUF_UINT64, (uint64_t) 1 << 63, 8);
	put_value(&file, "i64", GGUF_INT64, (uint64_t) INT64_MIN, 8);
	put_value(&file, "f64", GGUF_FLOAT64, wide, 8);
	put_array(&file, "texts", GGUF_STRING, 3);
	put_text(&file, "a");
	put_text(&file, "");
	put_text(&file, "\xE2\x96\x81the");
	put_array(&file, "numbers", GGUF_INT32, 2);
	put_number(&file, 7, 4);
	put_number(&file, (uint64_t) -7, 4);
	put_array(&file, "bools", GGUF_BOOL, 3);
	put(&file, "\1\0\1", 3);
	put_array(&file, "none", GGUF_STRING, 0);
	put_value(&file, "general.alignment", GGUF_UINT32, alignment, 4);
	put_tensor(&file, "b.weight", 2, 3, 2, 0, 0);
	put_tensor(&file, "q.weight", 2, 64, 1, 8, (24 + alignment - 1) / alignment * alignment);
	put_tensor(&file, "s", 0, 0, 0, 24,
			   (24 + alignment - 1) / alignment * alignment +
				   (68 + alignment - 1) / alignment * alignment);
	align(&file, alignment);
	for (int i = 0; i < 24; i++)
		put_number(&file, i % 4 == 3 ? 0x40 : 0, 1);
	align(&file, alignment);
	for (int i = 0; i < 68; i++)
		put_number(&file, i == 1 || i == 35 ? 0x3C : 0, 1);
	align(&file, alignment);
	put_number(&file, 9, 1);
}

static void
expect_int64(const char *key, int64_t expected)
{
	int64_t		number = -1;
	double		real = -1;

	CHECK(gguf_int64(gguf_find(&gguf, key), &number) && number == expected, "%s: %lld", key,
		  (long long) number);
	CHECK(gguf_double(gguf_find(&gguf, key), &real) && real == (double) expected, "%s: %g", key, real);
}

static void
test_values(void)
{
	GgufText	text;
	int64_t		number;
	double		real;
	bool		truth;
	const GgufValue *value;

	build_example(32);
	CHECK(open_one(), "%s at %d", fault.detail, (int) fault.offset);
	CHECK(gguf.value_count == 17, "%zu values", gguf.value_count);
	expect_int64("u8", 200);
	expect_int64("i8", -100);
	expect_int64("u16", 60000);
	expect_int64("i16", -30000);
	expect_int64("u32", 4000000000);
	expect_int64("i32", -2000000000);
	expect_int64("i64", INT64_MIN);
	CHECK(!gguf_int64(gguf_find(&gguf, "u64"), &number), "2^63 in an int64");
	CHECK(gguf_double(gguf_find(&gguf, "u64"), &real) && real == 0x1p63, "2^63 as a double");
	CHECK(gguf_double(gguf_find(&gguf, "f32"), &real) && real == 1.0f / 3, "%g", real);
	CHECK(gguf_double(gguf_find(&gguf, "f64"), &real) && real == 0.1, "%g", real);
	CHECK(!gguf_int64(gguf_find(&gguf, "f64"), &number), "a double as an int64");
	CHECK(gguf_bool(gguf_find(&gguf, "yes"), &truth) && truth, "yes");
	CHECK(!gguf_bool(gguf_find(&gguf, "u8"), &truth), "a number as a truth value");
	CHECK(!gguf_int64(gguf_find(&gguf, "yes"), &number), "a truth value as a number");
	CHECK(gguf_text(gguf_find(&gguf, "text"), &text) && strcmp(text.text, "caf\xC3\xA9") == 0, "text");
	CHECK(!gguf_text(gguf_find(&gguf, "u8"), &text) && !gguf_int64(gguf_find(&gguf, "text"), &number) &&
		  !gguf_double(gguf_find(&gguf, "text"), &real), "texts are no numbers");
	value = gguf_find(&gguf, "texts");
	CHECK(value->is_array && value->count == 3 && !gguf_text(value, &text), "an array is no text");
	CHECK(gguf_element_text(value, 2, &text) && text.length == 6 &&
		  strcmp(text.text, "\xE2\x96\x81the") == 0, "the third text");
	CHECK(gguf_element_text(value, 1, &text) && text.length == 0, "an empty text");
	CHECK(!gguf_element_text(value, 3, &text), "beyond the array");
	value = gguf_find(&gguf, "numbers");
	CHECK(gguf_element_int64(value, 1, &number) && number == -7 &&
			  !gguf_int64(value, &number) &&
			  !gguf_element_int64(value, 2, &number),
		  "numbers");
	value = gguf_find(&gguf, "bools");
	CHECK(gguf_element_bool(value, 1, &truth) && !truth &&
			  gguf_element_bool(value, 2, &truth) && truth,
		  "bools");
	value = gguf_find(&gguf, "none");
	CHECK(value != NULL && value->is_array && value->count == 0, "an empty array");
	CHECK(gguf_find(&gguf, "") == NULL && gguf_find(&gguf, "zzz") == NULL &&
		  !gguf_int64(NULL, &number) && !gguf_text(NULL, &text), "what is not there");
}

static void
test_tensors(void)
{
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
	{
		const Tensor *tensor;

		build_example(alignment);
		CHECK(open_one() && gguf.list.count == 3, "alignment %zu: %s", alignment, fault.detail);
		tensor = tensor_find(&gguf.list, "b.weight");
		CHECK(tensor != NULL && tensor->type == TENSOR_F32 &&
				  tensor->rank == 2 && tensor->shape[0] == 2 &&
				  tensor->shape[1] == 3 && tensor->bytes == 24 &&
				  tensor->offset % alignment == 0 &&
				  file.bytes[tensor->offset + 3] == 0x40,
			  "b.weight");
		tensor = tensor_find(&gguf.list, "q.weight");
		CHECK(tensor != NULL && tensor->type == TENSOR_Q8_0 &&
				  tensor->bytes == 68 && tensor->elements == 64 &&
				  file.bytes[tensor->offset + 1] == 0x3C,
			  "q.weight");
		tensor = tensor_find(&gguf.list, "s");
		CHECK(tensor != NULL && tensor->type == TENSOR_I8 &&
				  tensor->rank == 0 && file.bytes[tensor->offset] == 9,
			  "s");
		/* padding at the end is allowed, more than that is not */
		align(&file, alignment);
		CHECK(open_one(), "alignment %zu, padded: %s", alignment, fault.detail);
		put_number(&file, 0, 1);
		expect_bad("one byte more", FORMAT_MALFORMED, "belong to no tensor");
	}
	put_head(&file, 2, 0, 0);
	CHECK(open_one() && gguf.list.count == 0 && gguf.value_count == 0, "nothing: %s", fault.detail);
}

static void
test_bad_heads(void)
{
	put_head(&file, 3, 0, 0);
	file.bytes[3] = 'X';
	expect_bad("magic", FORMAT_UNRECOGNIZED, "GGUF");
	put_head(&file, 1, 0, 0);
	expect_bad("version 1", FORMAT_UNSUPPORTED, "version 1");
	put_head(&file, 4, 0, 0);
	expect_bad("version 4", FORMAT_UNSUPPORTED, "version 4");
	put_head(&file, 3 << 24, 0, 0);
	expect_bad("big-endian", FORMAT_UNSUPPORTED, "big-endian");
	put_head(&file, 3, 0, UINT64_MAX);
	expect_bad("2^64 values", FORMAT_TRUNCATED, "settings are announced");
	put_head(&file, 3, (uint64_t) 1 << 60, 0);
	expect_bad("2^60 tensors", FORMAT_TRUNCATED, "tensors are announced");
	put_head(&file, 3, 0, 1);
	put_text(&file, "k");
	put_number(&file, 13, 4);
	put_number(&file, 0, 8);
	expect_bad("type 13", FORMAT_MALFORMED, "type 13");
	put_head(&file, 3, 0, 1);
	put_text(&file, "");
	put_number(&file, GGUF_UINT64, 4);
	put_number(&file, 0, 8);
	expect_bad("an empty key", FORMAT_MALFORMED, "key");
	put_head(&file, 3, 0, 1);
	put_value(&file, "k\xFF", GGUF_UINT32, 0, 4);
	expect_bad("a key that is no text", FORMAT_MALFORMED, "key");
	put_head(&file, 3, 0, 1);
	put_number(&file, UINT64_MAX, 8);
	put_number(&file, 0, 8);
	expect_bad("a key of 2^64 bytes", FORMAT_TRUNCATED, "bytes of a string");
	put_head(&file, 3, 0, 2);
	put_value(&file, "k", GGUF_UINT32, 0, 4);
	put_value(&file, "k", GGUF_UINT32, 0, 4);
	expect_bad("a key twice", FORMAT_MALFORMED, "\"k\" comes twice");
	put_head(&file, 3, 0, 1);
	put_value(&file, "k", GGUF_BOOL, 2, 1);
	put_number(&file, 0, 8);
	expect_bad("a truth value of 2", FORMAT_MALFORMED, "truth value");
	put_head(&file, 3, 0, 1);
	put_array(&file, "k", GGUF_UINT8, UINT64_MAX);
	expect_bad("2^64 elements", FORMAT_TRUNCATED, "elements are announced");
	put_head(&file, 3, 0, 1);
	put_array(&file, "k", GGUF_UINT64, 100);
	put_number(&file, 0, 8);
	for (int i = 0; i < 12; i++)
		put_number(&file, 0, 8);
	expect_bad("100 numbers", FORMAT_TRUNCATED, "numbers are announced");
	put_head(&file, 3, 0, 1);
	put_array(&file, "k", GGUF_ARRAY, 1);
	put_number(&file, 0, 8);
	expect_bad("array of arrays", FORMAT_UNSUPPORTED, "\"k\" is an array of arrays");
	for (int i = 0; i < 4; i++)
	{
		static const uint64_t alignments[] = {0, 3, 24, 0xFFFFFFFF};

		put_head(&file, 3, 0, 1);
		put_value(&file, "general.alignment", GGUF_UINT32, alignments[i], 4);
		expect_bad("alignment", FORMAT_MALFORMED, "power of two");
	}
	put_head(&file, 3, 0, 1);
	put_value(&file, "general.alignment", GGUF_UINT64, 32, 8);
	expect_bad("alignment of 64 bits", FORMAT_MALFORMED, "power of two");
}

/* One tensor that is wrong, of a file that is good otherwise. */
static void
expect_bad_tensor(const char *name, int rank, uint64_t first, uint64_t second,
				  uint32_t type, uint64_t offset, size_t data,
				  FormatStatus status, const char *detail)
{
	put_head(&file, 3, 1, 0);
	put_tensor(&file, name, rank, first, second, type, offset);
	align(&file, 32);
	for (size_t i = 0; i < data; i++)
		put_number(&file, 0, 1);
	expect_bad(name, status, detail);
}

static void
test_bad_tensors(void)
{
	char		name[TENSOR_MAX_NAME + 2];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	expect_bad_tensor("rank 5", 5, 1, 1, 0, 0, 4, FORMAT_MALFORMED, "5 dimensions");
	expect_bad_tensor("type Q2_K", 1, 256, 0, 10, 0, 84, FORMAT_UNSUPPORTED, "Q2_K; supported are");
	expect_bad_tensor("type 4", 1, 32, 0, 4, 0, 32, FORMAT_UNSUPPORTED, "type number 4");
	expect_bad_tensor("type 77", 1, 32, 0, 77, 0, 32, FORMAT_UNSUPPORTED, "type number 77");
	expect_bad_tensor("half a block", 2, 16, 2, 8, 0, 34, FORMAT_MALFORMED, "whole blocks");
	expect_bad_tensor("overflow", 2, UINT64_MAX, 2, 0, 0, 8, FORMAT_MALFORMED, "overflows");
	expect_bad_tensor("overflowing bytes", 1, UINT64_MAX / 2, 0, 0, 0, 8, FORMAT_MALFORMED, "overflows");
	expect_bad_tensor("too long", 1, 3, 0, 0, 0, 11, FORMAT_TRUNCATED, "beyond the end");
	expect_bad_tensor("far away", 1, 1, 0, 0, UINT64_MAX - 31, 4, FORMAT_TRUNCATED, "beyond the end");
	expect_bad_tensor("not at zero", 1, 1, 0, 0, 32, 36, FORMAT_MALFORMED, "should begin here");
	expect_bad_tensor("not aligned", 1, 1, 0, 0, 4, 8, FORMAT_MALFORMED, "should begin here");
	expect_bad_tensor("bytes left", 1, 1, 0, 0, 0, 33, FORMAT_MALFORMED, "1 bytes belong");
	expect_bad_tensor(name, 1, 1, 0, 0, 0, 4, FORMAT_TOO_LARGE, "has 1001 bytes");

	put_head(&file, 3, 1, 0);
	put_tensor(&file, "empty", 1, 0, 0, 0, 0);
	expect_bad("no padding before the data", FORMAT_TRUNCATED, "beyond the end");
	align(&file, 32);
	CHECK(open_one() && gguf.list.count == 1, "an empty tensor: %s", fault.detail);
	put_head(&file, 3, 2, 0);
	put_tensor(&file, "a", 1, 1, 0, 0, 0);
	put_tensor(&file, "a", 1, 1, 0, 0, 32);
	align(&file, 32);
	file.used += 36;
	expect_bad("a name twice", FORMAT_MALFORMED, "two tensors \"a\"");
	put_head(&file, 3, 2, 0);
	put_tensor(&file, "a", 1, 16, 0, 0, 0);
	put_tensor(&file, "b", 1, 1, 0, 0, 32);
	align(&file, 32);
	file.used += 64;
	expect_bad("overlap", FORMAT_MALFORMED, "overlap");
	put_head(&file, 3, 2, 0);
	put_tensor(&file, "a", 1, 1, 0, 0, 0);
	put_tensor(&file, "b", 1, 1, 0, 0, 64);
	align(&file, 32);
	file.used += 68;
	expect_bad("a hole", FORMAT_MALFORMED, "\"b\" should begin here");
}

/* Cut anywhere it is refused; with any byte changed it does no harm. */
static void
test_damage(void)
{
	size_t		size;

	build_example(32);
	size = file.used;
	for (file.used = 0; file.used < size; file.used++)
		CHECK(!open_one(), "cut at %zu", file.used);
	file.used = size;
	for (size_t i = 0; i < size; i++)
	{
		unsigned char kept = file.bytes[i];

		for (int change = 1; change < 256; change += change < 4 ? 1 : 63)
		{
			file.bytes[i] = (unsigned char) (kept + change);
			open_one();
		}
		file.bytes[i] = kept;
	}
	CHECK(open_one(), "mended: %s", fault.detail);
}

static void
build_part(Builder *builder, int number, int count, int tensors,
		   const char *name)
{
	put_head(builder, 3, 1, 3);
	put_value(builder, "split.no", GGUF_UINT16, (uint64_t) number, 2);
	put_value(builder, "split.count", GGUF_UINT16, (uint64_t) count, 2);
	put_value(builder, "split.tensors.count", GGUF_INT32, (uint64_t) tensors, 4);
	put_tensor(builder, name, 1, 2, 0, 0, 0);
	align(builder, 32);
	put_number(builder, 0, 8);
}

static void
expect_bad_parts(const Builder *const *builders, int count, const char *detail)
{
	CHECK(!open_files(builders, count) && strstr(fault.detail, detail) != NULL, "%s: %s", detail,
		  fault.detail);
}

static void
test_parts(void)
{
	static Builder parts[3];
	const Builder *right[] = {&parts[0], &parts[1], &parts[2]};
	const Builder *wrong[] = {&parts[1], &parts[0], &parts[2]};
	FormatFile	one;
	int			count = 0;
	int			number = 0;

	build_part(&parts[0], 0, 3, 3, "a");
	build_part(&parts[1], 1, 3, 3, "b");
	build_part(&parts[2], 2, 3, 3, "c");
	CHECK(open_files(right, 3) && gguf.list.count == 3, "three parts: %s", fault.detail);
	CHECK(tensor_find(&gguf.list, "a")->file == 0 && tensor_find(&gguf.list, "c")->file == 2,
		  "tensors of parts");
	one = format_file_of_bytes(parts[1].bytes, parts[1].used);
	CHECK(gguf_split(&arena, &one, &count, &number, &fault) && count == 3 &&
			  number == 1,
		  "part %d of %d: %s", number, count, fault.detail);
	expect_bad_parts(wrong, 3, "file 2 of 3 of a model, given as file 1 of 3");
	expect_bad_parts(right, 2, "file 1 of 3 of a model, given as file 1 of 2");
	expect_bad_parts(right, 1, "file 1 of 3 of a model, given as file 1 of 1");
	build_part(&parts[2], 2, 3, 3, "a");
	expect_bad_parts(right, 3, "two tensors \"a\"");
	build_part(&parts[0], 0, 3, 4, "a");
	build_part(&parts[2], 2, 3, 3, "c");
	expect_bad_parts(right, 3, "hold 3 tensors");
	build_part(&parts[1], 7, 3, 3, "b");
	expect_bad_parts(right, 3, "contradict");
	CHECK(gguf.file == 1, "the faulty file is %d", gguf.file);
	build_example(32);
	one = format_file_of_bytes(file.bytes, file.used);
	CHECK(gguf_split(&arena, &one, &count, &number, &fault) && count == 1 &&
			  number == 0,
		  "a whole model");
}

static void
expect_case_values(const unsigned char *bytes, const char *name, int count,
				   const float *expected)
{
	const Tensor *tensor = tensor_find(&gguf.list, name);
	float		values[256];

	CHECK(tensor != NULL && tensor->elements <= 256, "%s", name);
	if (tensor == NULL || tensor->elements > 256)
		return;
	tensor_to_floats(tensor->type, bytes + tensor->offset, tensor->elements,
					 values);
	for (int i = 0; i < count; i++)
		CHECK(fabsf(values[i] - expected[i]) <= 1e-7f * fabsf(expected[i]), "%s, %d: %.9g, not %.9g",
			  name, i, values[i], expected[i]);
}

static void
test_cases(void)
{
	static const int alignments[] = {8, 16, 32, 64};
	static const float counting[] = {0, 1, 2, 3, 4, 5};
	static const float q8[] = {0.218795776f, 0.656387329f, -0.572235107f,
							   0.403930664f, 0.471252441f};
	static const float q4[] = {0.267333984f, 0.534667969f, -0.534667969f,
							   0.534667969f, 0.534667969f};
	static const float f16[] = {0.224487305f, 0.661621094f, -0.579589844f,
								0.407714844f};
	static const float bf16[] = {0.224609375f, 0.66015625f, -0.578125f,
								 0.408203125f};

	for (int i = 0; i < 4; i++)
	{
		char		name[100];
		size_t		size;
		unsigned char *bytes;
		FormatFile	one;
		GgufText	text;
		double		number;

		sprintf(name, "../cases/models/files/G01_align%d.gguf", alignments[i]);
		bytes = read_data_file(name, &size);
		if (bytes == NULL)
		{
			printf("no case files: skipped\n");
			return;
		}
		one = format_file_of_bytes(bytes, size);
		CHECK(gguf_open(&gguf, &arena, &one, 1, &fault), "%s: %s", name, fault.detail);
		expect_case_values(bytes, "a.weight", 6, counting);
		expect_case_values(bytes, "s.bias", 1, (const float[]) {1.5f});
		expect_case_values(bytes, "q.weight", 5, q8);
		expect_case_values(bytes, "q4.weight", 5, q4);
		expect_case_values(bytes, "h.weight", 4, f16);
		expect_case_values(bytes, "bf.weight", 4, bf16);
		CHECK(gguf_element_text(gguf_find(&gguf, "tokenizer.ggml.tokens"), 3, &text) &&
			  strcmp(text.text, "\xC3\xA9\xE4\xB8\xAD") == 0, "%s: tokens", name);
		CHECK(gguf_element_double(gguf_find(&gguf, "tokenizer.ggml.scores"), 1, &number) &&
			  number == -1.5, "%s: scores", name);
		CHECK(gguf_double(gguf_find(&gguf, "bert.attention.layer_norm_epsilon"), &number) &&
			  number == 1e-12f, "%s: epsilon", name);
		free(bytes);
	}
}

int
main(void)
{
	distance_init();
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	test_values();
	test_tensors();
	test_bad_heads();
	test_bad_tensors();
	test_damage();
	test_parts();
	test_cases();
	arena_end(&arena);
	return check_result();
}
