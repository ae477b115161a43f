/*-------------------------------------------------------------------------
 *
 * safetensors_test.c
 *	  Would fail if a safetensors file were read wrongly, if a damaged one
 *	  were not refused, or if what is written were not read back.
 *
 * With EMBED_DATA, the cases that lie beside the data (odd but valid, broken,
 * sharded) and a real model are read as well.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "case_files.h"
#include "check.h"
#include "format/safetensors.h"
#include "math/distance.h"
#include "math/random.h"

static Arena arena;
static FormatFault fault;
static Safetensors head;

static bool
open_bytes(const void *bytes, size_t size)
{
	FormatFile	file = format_file_of_bytes(bytes, size);
	bool		good;

	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 28);
	good = safetensors_open(&head, &arena, &file, NULL, &fault);
	CHECK(good == (fault.status == FORMAT_OK), "status %d", fault.status);
	return good;
}

/* A file of this head and so many bytes of data, which count up. */
static unsigned char *
make_file(const char *text, size_t data, size_t *size)
{
	size_t		length = strlen(text);
	unsigned char *bytes = exact_alloc(8 + length + data);

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char) (length >> (8 * i));
	memcpy(bytes + 8, text, length);
	for (size_t i = 0; i < data; i++)
		bytes[8 + length + i] = (unsigned char) i;
	*size = 8 + length + data;
	return bytes;
}

static bool
open_head(const char *text, size_t data)
{
	size_t		size;
	unsigned char *bytes = make_file(text, data, &size);
	bool		good = open_bytes(bytes, size);

	free(bytes);
	return good;
}

static void
expect_good(const char *text, size_t data, size_t count)
{
	CHECK(open_head(text, data) && head.list.count == count, "%s: %zu tensors, %s", text,
		  head.list.count, fault.detail);
}

static void
expect_bad(const char *text, size_t data, FormatStatus status,
		   const char *detail)
{
	CHECK(!open_head(text, data) && fault.status == status, "%s: status %d, %s", text,
		  fault.status, fault.detail);
	CHECK(strstr(fault.detail, detail) != NULL, "%s: %s", text, fault.detail);
}

#define TENSOR(name, dtype, shape, offsets) \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static void
test_good(void)
{
	const Tensor *tensor;
	char		text[TENSOR_SHAPE_TEXT];

	expect_good("{}", 0, 0);
	expect_good("{\"__metadata__\":{}}", 0, 0);
	expect_good(" \n{} ", 0, 0);
	expect_good("{" TENSOR("a", "F32", "2,3", "0,24") "}    ", 24, 1);
	expect_good("{\"__metadata__\":{\"format\":\"pt\",\"dtype\":\"F32\"}," TENSOR("a", "U8", "", "0,1") "}",
				1, 1);
	CHECK(json_equals(json_get(head.metadata, "format"), "pt"), "metadata");

	/*
	 * in another order than in the file, unaligned, empty, scalar, no
	 * dimension
	 */
	expect_good("{" TENSOR("b", "F64", "1", "3,11") "," TENSOR("e", "F32", "0,5", "3,3") ","
				TENSOR("a", "I8", "3", "0,3") "," TENSOR("s", "F16", "", "11,13") ","
				TENSOR("z", "BF16", "3,0", "13,13") "}", 13, 5);
	CHECK(strcmp(head.list.tensors[0].name, "a") == 0 && strcmp(head.list.tensors[1].name, "e") == 0 &&
		  strcmp(head.list.tensors[2].name, "b") == 0 && strcmp(head.list.tensors[4].name, "z") == 0,
		  "sorted by place");
	tensor = tensor_find(&head.list, "b");
	CHECK(tensor != NULL && tensor->offset == head.data_start + 3 &&
			  tensor->bytes == 8 && tensor->elements == 1 &&
			  tensor->rank == 1 && tensor->type == TENSOR_F64,
		  "tensor b");
	tensor = tensor_find(&head.list, "e");
	CHECK(tensor != NULL && strcmp(tensor_shape_text(tensor, text), "[0, 5]") == 0, "tensor e");
	tensor = tensor_find(&head.list, "s");
	CHECK(tensor != NULL && tensor->rank == 0 && tensor->elements == 1 &&
		  strcmp(tensor_shape_text(tensor, text), "[]") == 0, "tensor s");
	CHECK(tensor_find(&head.list, "") == NULL && tensor_find(&head.list, "bb") == NULL &&
		  tensor_find(&head.list, "zz") == NULL, "what is not there");

	expect_good("{" TENSOR("\\u00e9\xE4\xB8\xAD\\\"", "BOOL", "2", "0,2") "}", 2, 1);
	CHECK(tensor_find(&head.list, "\xC3\xA9\xE4\xB8\xAD\"") != NULL, "an escaped name");
	/* fields of later versions do no harm */
	expect_good("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":{}}}", 1, 1);
}

static void
test_bad(void)
{
	char		many[200];

	expect_bad("", 0, FORMAT_TRUNCATED, "");
	expect_bad("[]", 0, FORMAT_MALFORMED, "not an object");
	expect_bad("{\"a\":0}", 0, FORMAT_MALFORMED, "\"a\" is not described");
	expect_bad("{\"\xFF\xFE\":0}", 0, FORMAT_MALFORMED, "UTF-8");
	expect_bad("{\"a\\u0000b\":{}}", 0, FORMAT_MALFORMED, "not text");
	expect_bad("{} x", 0, FORMAT_MALFORMED, "the end of the text");
	expect_bad("{\"__metadata__\":[]}", 0, FORMAT_MALFORMED, "not an object");
	expect_bad("{\"__metadata__\":{\"n\":1}}", 0, FORMAT_MALFORMED, "not a string");
	expect_bad("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, FORMAT_MALFORMED, "no dtype");
	expect_bad("{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, FORMAT_MALFORMED,
			   "no dtype");
	expect_bad("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, FORMAT_MALFORMED, "no shape");
	expect_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, FORMAT_MALFORMED, "no data_offsets");
	expect_bad("{" TENSOR("a", "Q7", "1", "0,4") "}", 4, FORMAT_UNSUPPORTED, "the type \"Q7\"");
	expect_bad("{" TENSOR("a", "F8_E4M3", "4", "0,4") "}", 4, FORMAT_UNSUPPORTED, "F8_E4M3");
	expect_bad("{" TENSOR("a", "f32", "1", "0,4") "}", 4, FORMAT_UNSUPPORTED, "f32");
	expect_bad("{" TENSOR("a", "F32", "-1", "0,4") "}", 4, FORMAT_MALFORMED, "not a size");
	expect_bad("{" TENSOR("a", "F32", "1.0", "0,4") "}", 4, FORMAT_MALFORMED, "not a size");
	expect_bad("{" TENSOR("a", "F32", "\"1\"", "0,4") "}", 4, FORMAT_MALFORMED, "not a size");
	expect_bad("{" TENSOR("a", "F32", "1,1,1,1,1,1,1,1,1", "0,4") "}", 4, FORMAT_MALFORMED,
			   "8 dimensions");
	expect_bad("{" TENSOR("a", "F32", "1", "0,4,4") "}", 4, FORMAT_MALFORMED, "no data_offsets");
	expect_bad("{" TENSOR("a", "F32", "1", "4") "}", 4, FORMAT_MALFORMED, "no data_offsets");
	expect_bad("{" TENSOR("a", "F32", "1", "0.0,4.0") "}", 4, FORMAT_MALFORMED, "no data_offsets");
	expect_bad("{" TENSOR("a", "F32", "1", "-4,0") "}", 4, FORMAT_MALFORMED, "no data_offsets");
	expect_bad("{" TENSOR("a", "F32", "1", "4,0") "}", 4, FORMAT_MALFORMED, "not within");
	expect_bad("{" TENSOR("a", "F32", "1", "0,5") "}", 4, FORMAT_MALFORMED, "not within");
	expect_bad("{" TENSOR("a", "F32", "100", "0,400") "}", 4, FORMAT_MALFORMED, "not within");
	expect_bad("{" TENSOR("a", "F32", "1", "0,9223372036854775807") "}", 4, FORMAT_MALFORMED,
			   "not within");
	expect_bad("{" TENSOR("a", "F32", "1000,1000", "0,4") "}", 4, FORMAT_MALFORMED, "do not fit");
	expect_bad("{" TENSOR("a", "F32", "4611686018427387904,4", "0,0") "}", 0, FORMAT_MALFORMED,
			   "overflows");
	expect_bad("{" TENSOR("a", "F32", "4611686018427387904", "0,0") "}", 0, FORMAT_MALFORMED,
			   "overflows");
	expect_bad("{" TENSOR("a", "F32", "4611686018427387904,4,0", "0,0") "}", 0, FORMAT_MALFORMED,
			   "overflows");
	expect_bad("{" TENSOR("a", "F32", "1", "0,4") "," TENSOR("a", "F32", "1", "4,8") "}", 8,
			   FORMAT_MALFORMED, "twice");
	expect_bad("{" TENSOR("a", "F32", "2", "0,8") "," TENSOR("b", "F32", "2", "4,12") "}", 12,
			   FORMAT_MALFORMED, "overlap");
	expect_bad("{" TENSOR("a", "F32", "2", "0,8") "," TENSOR("b", "F32", "2", "0,8") "}", 8,
			   FORMAT_MALFORMED, "overlap");
	expect_bad("{" TENSOR("a", "F32", "1", "0,4") "," TENSOR("b", "F32", "1", "8,12") "}", 12,
			   FORMAT_MALFORMED, "\"b\" should begin here");
	expect_bad("{" TENSOR("a", "F32", "1", "4,8") "}", 8, FORMAT_MALFORMED, "should begin here");
	expect_bad("{" TENSOR("a", "F32", "1", "0,4") "}", 6, FORMAT_MALFORMED, "belong to no tensor");
	expect_bad("{}", 1, FORMAT_MALFORMED, "belong to no tensor");
	CHECK(open_bytes("\x0A\0\0\0\0\0\0\0{}        ", 18), "blanks after the head");
	CHECK(!open_bytes("\x04\0\0\0\0\0\0\0{}\0\0", 12) && fault.offset == 10, "zeros after the head");

	/* lengths of the head that cannot be */
	CHECK(!open_bytes("", 0) && fault.status == FORMAT_TRUNCATED, "an empty file");
	CHECK(!open_bytes("\2\0\0\0\0\0\0", 7) && fault.status == FORMAT_TRUNCATED, "7 bytes");
	CHECK(!open_bytes("\3\0\0\0\0\0\0\0{}", 10) && fault.status == FORMAT_TRUNCATED, "too short");
	CHECK(!open_bytes("\0\xCA\x9A\x3B\0\0\0\0{}", 10) && fault.status == FORMAT_TOO_LARGE, "10^9");
	CHECK(!open_bytes("\5\0\0\0\0\0\0\x80{}", 10) && fault.status == FORMAT_TOO_LARGE, "2^63");
	CHECK(!open_bytes("\377\377\377\377\377\377\377\377{}", 10) && fault.status == FORMAT_TOO_LARGE,
		  "2^64 - 1");

	memset(many, 0, sizeof(many));
	for (int i = 0; i < 150; i++)
		many[i] = '[';
	expect_bad(many, 0, FORMAT_TOO_LARGE, "deep");
}

/* A file cut anywhere, or one byte longer, is refused. */
static void
test_cut(void)
{
	size_t		size;
	unsigned char *bytes = make_file("{" TENSOR("a", "F32", "2,3", "0,24") ","
									 TENSOR("b", "U8", "5", "24,29") "}", 29, &size);

	CHECK(open_bytes(bytes, size), "whole: %s", fault.detail);
	for (size_t cut = 0; cut < size; cut++)
	{
		unsigned char *part = exact_alloc(cut);

		memcpy(part, bytes, cut);
		CHECK(!open_bytes(part, cut), "cut at %zu", cut);
		free(part);
	}
	free(bytes);
}

static bool
refuse_to_read(void *context, uint64_t offset, void *buffer, size_t length)
{
	return false;
}

static void
test_read_failure(void)
{
	FormatFile	file = format_file(refuse_to_read, NULL, 100);

	CHECK(!safetensors_open(&head, &arena, &file, NULL, &fault) &&
		  fault.status == FORMAT_READ_FAILED, "status %d", fault.status);
}

/* A file of which only the head is there; counts what is read of it. */
typedef struct Large
{
	const char *head;
	size_t		length;
	uint64_t	read;
} Large;

static bool
read_large(void *context, uint64_t offset, void *buffer, size_t length)
{
	Large	   *large = context;

	memset(buffer, 0, length);
	if (offset < large->length)
		memcpy(buffer, large->head + offset,
			   length < large->length - offset ? length
											   : large->length - offset);
	large->read += length;
	return true;
}

/* 200 tensors, 4 GB: opening them reads the head alone, in little memory. */
static void
test_large(void)
{
	static Tensor tensors[200];
	static char names[200][60];
	Arena		own;
	Large		large = {NULL, 0, 0};
	FormatFile	file;
	char		value[100];

	arena_begin(&own, arena_malloc, arena_free, NULL, (size_t) 1 << 20);
	for (int i = 0; i < 200; i++)
	{
		sprintf(names[i], "encoder.layer.%d.attention.self.query.weight", i);
		tensors[i] = (Tensor) {names[i], TENSOR_F32, 0, 2, {5000, 1000}};
	}
	large.head = safetensors_head(&own, tensors, 200, NULL, 0, &large.length,
								  &fault);
	CHECK(large.head != NULL, "%s", fault.detail);
	file = format_file(read_large, &large,
					   large.length + (uint64_t) 200 * 20000000);
	CHECK(safetensors_open(&head, &own, &file, NULL, &fault) && head.list.count == 200, "%s",
		  fault.detail);
	CHECK(large.read < large.length + 100, "%d bytes of a head of %d were read", (int) large.read,
		  (int) large.length);
	CHECK(own.taken < 500000, "%zu bytes of memory", own.taken);
	CHECK(format_file_read(&file, head.list.tensors[199].offset + 19999900,
						   value, 100, &fault),
		  "the last values: %s", fault.detail);
	CHECK(!format_file_read(&file, head.list.tensors[199].offset + 19999901,
							value, 100, &fault),
		  "a byte more");
	arena_end(&own);
}

/* Random tensors, written and read back; the values are random bytes. */
static void
test_round_trip(void)
{
	static const char *const metadata[] = {"format", "pt", "quote\"d", "line\nfeed"};
	Random		random;

	random_seed(&random, 11);
	for (int round = 0; round < 300; round++)
	{
		Arena		own;
		size_t		count = random_next(&random) % 30;
		Tensor	   *tensors = exact_alloc(count * sizeof(Tensor));
		Tensor	   *copies = exact_alloc(count * sizeof(Tensor));
		size_t		length;
		char	   *text;
		unsigned char *bytes;
		uint64_t	end;

		arena_begin(&own, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
		memset(tensors, 0, count * sizeof(Tensor));
		for (size_t i = 0; i < count; i++)
		{
			char		name[40];

			sprintf(name, "layer.%zu.\"\xC3\xA9\"%d", i, round);
			tensors[i].name = arena_copy(&own, name, strlen(name));
			tensors[i].type = (TensorType) (random_next(&random) %
											(TENSOR_BOOL + 1));
			tensors[i].rank = (int) (random_next(&random) % 4);
			for (int k = 0; k < tensors[i].rank; k++)
				tensors[i].shape[k] = random_next(&random) % 6;
		}
		text = safetensors_head(&own, tensors, count, metadata, round % 3,
								&length, &fault);
		CHECK(text != NULL && length % 8 == 0, "round %d: %s", round, fault.detail);
		end = count > 0 ? tensors[count - 1].offset + tensors[count - 1].bytes
						: length;
		bytes = exact_alloc(end);
		memcpy(bytes, text, length);
		memset(bytes + length, 1, end - length);
		memcpy(copies, tensors, count * sizeof(Tensor));
		CHECK(open_bytes(bytes, end) && head.list.count == count, "round %d: %s", round,
			  fault.detail);
		CHECK(json_count(head.metadata) == (uint32_t) (round % 3), "round %d: metadata", round);
		for (size_t i = 0; i < count; i++)
		{
			const Tensor *back = tensor_find(&head.list, copies[i].name);

			CHECK(back != NULL && back->offset == copies[i].offset &&
					  back->type == copies[i].type &&
					  back->bytes == copies[i].bytes &&
					  back->rank == copies[i].rank &&
					  memcmp(back->shape, copies[i].shape,
							 sizeof(back->shape)) == 0,
				  "round %d, tensor %zu", round, i);
		}
		free(bytes);
		free(tensors);
		free(copies);
		arena_end(&own);
	}
	{
		Tensor		tensor = {"q", TENSOR_Q8_0, 0, 1, {32}};
		Tensor		huge[2] = {{"a", TENSOR_U8, 0, 1, {INT64_MAX}}, {"b", TENSOR_U8, 0, 1, {1}}};
		size_t		length;

		CHECK(safetensors_head(&arena, &tensor, 1, NULL, 0, &length, &fault) ==
					  NULL &&
				  strstr(fault.detail, "Q8_0") != NULL,
			  "a type without a name: %s", fault.detail);
		CHECK(safetensors_head(&arena, huge, 2, NULL, 0, &length, &fault) ==
					  NULL &&
				  fault.status == FORMAT_TOO_LARGE,
			  "more than 2^63 bytes");
	}
}

static void
expect_index(const char *text, bool good, const char *detail)
{
	SafetensorsIndex index;
	bool		result;

	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	result = safetensors_index_parse(&index, &arena, text, strlen(text), NULL,
									 &fault);
	CHECK(result == good && strstr(fault.detail, detail) != NULL, "%s: %s", text, fault.detail);
}

static void
test_index(void)
{
	expect_index("{\"weight_map\":{\"a\":\"x.safetensors\"}}", true, "");
	expect_index("{\"metadata\":{\"total_size\":1}, \"weight_map\":{\"a\":\"x.safetensors\","
				 "\"b\":\"x.safetensors\", \"c\":\"a b-1.safetensors\"}}", true, "");
	expect_index("[]", false, "\"weight_map\" is nothing");
	expect_index("{\"weight_map\":[]}", false, "an array");
	expect_index("{\"weight_map\":{}}", false, "empty");
	expect_index("{\"weight_map\":{\"a\":1}}", false, "a number");
	expect_index("{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}}", false, "twice");
	expect_index("{\"weight_map\":{\"a\":\"../x.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"/x.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"s/x.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"..\\\\x.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"C:x.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"..safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\".safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"x\\u0000.safetensors\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"pytorch_model.bin\"}}", false, "same folder");
	expect_index("{\"weight_map\":{\"a\":\"\"}}", false, "same folder");
}

/* Two files; a stale copy in one is not read, and what is missing is told. */
static void
test_merge(void)
{
	static const char text[] = "{\"weight_map\":{\"w\":\"2.safetensors\",\"v\":\"1.safetensors\"}}";
	static const char missing[] = "{\"weight_map\":{\"w\":\"2.safetensors\",\"x\":\"1.safetensors\"}}";
	SafetensorsIndex index;
	Safetensors heads[2];
	FormatFile	files[2];
	unsigned char *bytes[2];
	size_t		sizes[2];
	TensorList	list;

	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	bytes[0] = make_file("{" TENSOR("w", "F32", "1", "0,4") "," TENSOR("v", "U8", "2", "4,6") "}", 6,
						 &sizes[0]);
	bytes[1] = make_file("{" TENSOR("w", "F32", "2", "0,8") "}", 8, &sizes[1]);
	for (int i = 0; i < 2; i++)
	{
		files[i] = format_file_of_bytes(bytes[i], sizes[i]);
		CHECK(safetensors_open(&heads[i], &arena, &files[i], NULL, &fault), "%s", fault.detail);
	}
	CHECK(safetensors_index_parse(&index, &arena, text, sizeof(text) - 1, NULL, &fault), "%s",
		  fault.detail);
	CHECK(index.file_count == 2 && strcmp(index.files[0], "1.safetensors") == 0 &&
		  strcmp(index.files[1], "2.safetensors") == 0, "files of the index");
	CHECK(safetensors_index_merge(&index, &arena, heads, &list, &fault), "%s", fault.detail);
	CHECK(list.count == 2 && tensor_find(&list, "w")->file == 1 &&
		  tensor_find(&list, "w")->bytes == 8 && tensor_find(&list, "v")->file == 0, "merged");
	CHECK(safetensors_index_parse(&index, &arena, missing, sizeof(missing) - 1, NULL, &fault), "%s",
		  fault.detail);
	CHECK(!safetensors_index_merge(&index, &arena, heads, &list, &fault) &&
		  strstr(fault.detail, "\"1.safetensors\" holds tensor \"x\"") != NULL, "%s", fault.detail);
	free(bytes[0]);
	free(bytes[1]);
}

/* The values of a tensor of an opened file. */
static void
expect_values(const unsigned char *bytes, const char *name, int count,
			  const float *expected)
{
	const Tensor *tensor = tensor_find(&head.list, name);
	float		values[16];

	CHECK(tensor != NULL && tensor->elements == (uint64_t) count, "tensor %s", name);
	if (tensor == NULL || tensor->elements != (uint64_t) count)
		return;
	tensor_to_floats(tensor->type, bytes + tensor->offset, (size_t) count,
					 values);
	for (int i = 0; i < count; i++)
		CHECK(values[i] == expected[i], "tensor %s, value %d: %g, not %g", name, i, values[i],
			  expected[i]);
}

/* The expected values are those of the safetensors package 0.8.0. */
static void
test_cases(void)
{
	static const char *const bad[] = {
		"bad_utf8", "begin_after_end", "duplicate_key", "empty_file", "float_offset", "header_2_63",
		"header_too_long", "hole", "metadata_not_string", "missing_field", "negative", "not_object",
		"nul_padding", "overlap", "past_end", "shape_lies", "shape_overflow", "trailing_bytes",
		"truncated_7", "unknown_dtype"
	};
	static const float counting[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	char		name[200];
	size_t		size;
	unsigned char *bytes = read_data_file("../cases/models/files/W01_a.safetensors", &size);

	if (bytes == NULL)
	{
		printf("no case files: skipped\n");
		return;
	}
	CHECK(open_bytes(bytes, size) && head.list.count == 8, "W01_a: %s", fault.detail);
	expect_values(bytes, "a.w", 6, counting);
	expect_values(bytes, "b.u8", 3, counting + 1);
	expect_values(bytes, "empty", 0, counting);
	expect_values(bytes, "f64", 1, (const float[]) {0.1f});
	expect_values(bytes, "flag", 2, (const float[]) {1, 0});
	expect_values(bytes, "scalar", 1, (const float[]) {2.5f});
	expect_values(bytes, "z.i64", 1, counting + 7);
	expect_values(bytes, "\xC3\xA9\xE4\xB8\xAD", 1, (const float[]) {-1});
	free(bytes);
	for (int i = 0; i < 4; i++)
	{
		static const size_t counts[] = {1, 0, 3, 1};

		sprintf(name, "../cases/models/files/W01_%c.safetensors", 'b' + i);
		bytes = read_data_file(name, &size);
		CHECK(bytes != NULL && open_bytes(bytes, size) && head.list.count == counts[i], "%s: %s",
			  name, fault.detail);
		free(bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		sprintf(name, "../cases/models/files/W02_%s.safetensors", bad[i]);
		bytes = read_data_file(name, &size);
		CHECK(bytes != NULL && !open_bytes(bytes, size), "%s was read", name);
		free(bytes);
	}
}

static void
test_real_model(void)
{
	size_t		size;
	unsigned char *bytes =
		read_data_file("models/model2vec/test-model-float32/model.safetensors", &size);
	const Tensor *tensor;

	if (bytes == NULL)
		return;
	CHECK(open_bytes(bytes, size), "%s", fault.detail);
	tensor = tensor_find(&head.list, "embeddings");
	CHECK(tensor != NULL && tensor->type == TENSOR_F32 && tensor->rank == 2, "embeddings");
	printf("model2vec: embeddings %d x %d\n", (int) tensor->shape[0], (int) tensor->shape[1]);
	free(bytes);
}

int
main(void)
{
	distance_init();
	test_good();
	test_bad();
	test_cut();
	test_read_failure();
	test_large();
	test_round_trip();
	test_index();
	test_merge();
	test_cases();
	test_real_model();
	arena_end(&arena);
	return check_result();
}
