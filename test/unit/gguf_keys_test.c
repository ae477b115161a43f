/*-------------------------------------------------------------------------
 *
 * gguf_keys_test.c
 *	  Would fail if a key of a GGUF file's tokenizer were read wrongly, or one
 *	  of a wrong kind, length or number taken.
 *
 * Files are put together here, byte by byte.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "tokenizer/gguf_keys.h"

#define KEYS "tokenizer.ggml."

static Arena arena;
static FormatFault fault;
static TokenizerGguf keys;

/* A file that is being put together. */
static unsigned char bytes[20000];
static size_t used;
static uint64_t values;

static void
put_number(uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		bytes[used++] = (unsigned char) (number >> (8 * i));
}

static void
put_text(const char *text)
{
	put_number(strlen(text), 8);
	memcpy(bytes + used, text, strlen(text));
	used += strlen(text);
}

static void
put_key(const char *name, GgufType type)
{
	char		key[100];

	snprintf(key, sizeof(key), KEYS "%s", name);
	put_text(key);
	put_number(type, 4);
	values++;
}

static void
put_value(const char *name, GgufType type, uint64_t number, int size)
{
	put_key(name, type);
	put_number(number, size);
}

static void
put_string(const char *name, const char *text)
{
	put_key(name, GGUF_STRING);
	put_text(text);
}

/* Elements follow. */
static void
put_array(const char *name, GgufType type, uint64_t count)
{
	put_key(name, GGUF_ARRAY);
	put_number(type, 4);
	put_number(count, 8);
}

static void
put_texts(const char *name, int count, const char *const *texts)
{
	put_array(name, GGUF_STRING, count);
	for (int i = 0; i < count; i++)
		put_text(texts[i]);
}

static void
put_float(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	put_number(bits, 4);
}

static void
begin(void)
{
	memcpy(bytes, "GGUF", 4);
	used = 4;
	values = 0;
	put_number(3, 4);
	put_number(0, 8);			/* tensors */
	put_number(0, 8);			/* values, see read_keys */
}

static void *
allocate(void *context, size_t size)
{
	size_t	   *left = context;

	if (*left == 0)
		return NULL;
	--*left;
	return malloc(size);
}

static void
release(void *context, void *block)
{
	free(block);
}

/* Of what was put together; the arena of the keys gives so many blocks. */
static FormatStatus
read_keys(size_t blocks)
{
	static Arena small;
	static bool begun;
	static size_t left;
	static Gguf gguf;
	FormatFile	file;
	unsigned char *copy = exact_alloc(used);

	for (int i = 0; i < 8; i++)
		bytes[16 + i] = (unsigned char) (values >> (8 * i));
	memcpy(copy, bytes, used);
	file = format_file_of_bytes(copy, used);
	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	CHECK(gguf_open(&gguf, &arena, &file, 1, &fault), "%s", fault.detail);
	free(copy);
	if (begun)
		arena_end(&small);
	begun = true;
	left = blocks;
	arena_begin(&small, allocate, release, &left, (size_t) 1 << 24);
	return tokenizer_gguf_keys(&small, &gguf, &keys, &fault);
}

static bool
is(TokenizerGgufString string, const char *text)
{
	return string.length == strlen(text) &&
		memcmp(string.text, text, string.length) == 0;
}

static const char *const tokens[] = {"<unk>", "a", "", "\xE2\x96\x81" "b"};

static void
test_all(void)
{
	static const char *const merges[] = {"a b", "c d"};

	begin();
	put_string("model", "llama");
	put_string("pre", "default");
	put_texts("tokens", 4, tokens);
	put_array("scores", GGUF_FLOAT32, 4);
	for (int i = 0; i < 4; i++)
		put_float(-1.5f * i);
	put_array("token_type", GGUF_INT32, 4);
	for (int i = 0; i < 4; i++)
		put_number((uint64_t) (i - 1), 4);
	put_texts("merges", 2, merges);
	put_array("precompiled_charsmap", GGUF_UINT8, 3);
	put_number(0x030201, 3);
	put_value("unknown_token_id", GGUF_UINT32, 0, 4);
	put_value("bos_token_id", GGUF_UINT32, 1, 4);
	put_value("eos_token_id", GGUF_INT32, 2, 4);
	put_value("cls_token_id", GGUF_UINT64, 3, 8);
	put_value("seperator_token_id", GGUF_UINT16, 1, 2);
	put_value("padding_token_id", GGUF_INT32, (uint64_t) -1, 4);
	put_value("mask_token_id", GGUF_UINT32, UINT32_MAX, 4);
	put_value("add_bos_token", GGUF_BOOL, 1, 1);
	put_value("add_eos_token", GGUF_BOOL, 0, 1);
	put_value("add_sep_token", GGUF_BOOL, 1, 1);
	put_value("add_space_prefix", GGUF_BOOL, 0, 1);
	put_value("remove_extra_whitespaces", GGUF_BOOL, 1, 1);
	put_value("normalizer.lowercase", GGUF_BOOL, 0, 1);
	put_value("normalizer.strip_accents", GGUF_BOOL, 1, 1);
	put_string("chat_template", "passed over");
	put_value("unheard_of", GGUF_UINT8, 7, 1);
	CHECK(read_keys(SIZE_MAX) == FORMAT_OK, "%s", fault.detail);
	CHECK(is(keys.model, "llama") && is(keys.pre, "default"), "texts");
	CHECK(keys.token_count == 4 && keys.merge_count == 2, "counts");
	for (int i = 0; i < 4; i++)
	{
		CHECK(is(keys.tokens[i], tokens[i]), "token %d", i);
		CHECK(keys.scores[i] == -1.5f * i && keys.types[i] == i - 1, "token %d", i);
	}
	CHECK(is(keys.merges[0], "a b") && is(keys.merges[1], "c d"), "merges");
	CHECK(keys.charsmap_length == 3 && memcmp(keys.charsmap, "\1\2\3", 3) == 0, "map");
	CHECK(keys.unknown == 0 && keys.bos == 1 && keys.eos == 2 && keys.cls == 3 && keys.separator == 1, "ids");
	CHECK(keys.padding == -1 && keys.mask == -1, "ids that stand for none");
	CHECK(keys.add_bos == 1 && keys.add_eos == 0 && keys.add_separator == 1 && keys.add_space_prefix == 0, "what is added");
	CHECK(keys.remove_extra_whitespaces == 1 && keys.lowercase == 0 && keys.strip_accents == 1, "what is changed");
}

static void
test_missing(void)
{
	begin();
	put_texts("tokens", 4, tokens);
	CHECK(read_keys(SIZE_MAX) == FORMAT_OK, "%s", fault.detail);
	CHECK(is(keys.model, "") && is(keys.pre, ""), "no texts");
	CHECK(keys.scores == NULL && keys.types == NULL && keys.merges == NULL && keys.charsmap == NULL, "no arrays");
	CHECK(keys.unknown == -1 && keys.bos == -1 && keys.mask == -1, "no ids");
	CHECK(keys.add_bos == -1 && keys.lowercase == -1 && keys.strip_accents == -1, "no booleans");
	begin();
	put_string("model", "gpt2");
	CHECK(read_keys(SIZE_MAX) == FORMAT_UNSUPPORTED && strstr(fault.detail, "tokens") != NULL, "%s", fault.detail);
}

static void
expect_refusal(const char *name, const char *what)
{
	CHECK(read_keys(SIZE_MAX) == FORMAT_MALFORMED, "%s: %d", name, fault.status);
	CHECK(strstr(fault.detail, name) != NULL && strstr(fault.detail, what) != NULL, "%s: %s", name, fault.detail);
}

/* Each key as a number of another kind, beside a good vocabulary. */
static void
test_wrong_kinds(void)
{
	static const struct
	{
		const char *name;
		const char *what;
	}			cases[] = {
		{"model", "not a text"}, {"pre", "not a text"},
		{"scores", "not an array"}, {"token_type", "not an array"},
		{"merges", "not an array"}, {"precompiled_charsmap", "not an array"},
		{"unknown_token_id", "not a whole number"}, {"bos_token_id", "not a whole number"},
		{"eos_token_id", "not a whole number"}, {"cls_token_id", "not a whole number"},
		{"seperator_token_id", "not a whole number"}, {"padding_token_id", "not a whole number"},
		{"mask_token_id", "not a whole number"}, {"add_bos_token", "not a boolean"},
		{"add_eos_token", "not a boolean"}, {"add_sep_token", "not a boolean"},
		{"add_space_prefix", "not a boolean"}, {"remove_extra_whitespaces", "not a boolean"},
		{"normalizer.lowercase", "not a boolean"}, {"normalizer.strip_accents", "not a boolean"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		begin();
		put_texts("tokens", 4, tokens);
		put_key(cases[i].name, GGUF_FLOAT32);
		put_float(0.5f);
		expect_refusal(cases[i].name, cases[i].what);
	}
	begin();
	put_string("tokens", "a");
	expect_refusal("tokens", "not an array");
}

static void
test_wrong_arrays(void)
{
	begin();
	put_array("tokens", GGUF_INT32, 2);
	put_number(0, 8);
	expect_refusal("tokens", "not an array of texts");
	begin();
	put_texts("tokens", 4, tokens);
	put_array("scores", GGUF_FLOAT32, 3);
	put_number(0, 8);
	put_number(0, 4);
	expect_refusal("scores", "not as long as the vocabulary");
	begin();
	put_texts("tokens", 4, tokens);
	put_texts("scores", 4, tokens);
	expect_refusal("scores", "not an array of numbers");
	begin();
	put_texts("tokens", 4, tokens);
	put_array("token_type", GGUF_UINT8, 5);
	put_number(0, 5);
	expect_refusal("token_type", "not as long as the vocabulary");
	begin();
	put_texts("tokens", 4, tokens);
	put_array("token_type", GGUF_INT64, 4);
	for (int i = 0; i < 4; i++)
		put_number((uint64_t) 1 << 40, 8);
	expect_refusal("token_type", "not an array of whole numbers");
	begin();
	put_texts("tokens", 4, tokens);
	put_array("merges", GGUF_UINT8, 1);
	put_number(0, 1);
	expect_refusal("merges", "not an array of texts");
	begin();
	put_texts("tokens", 4, tokens);
	put_array("precompiled_charsmap", GGUF_INT32, 1);
	put_number(0, 4);
	expect_refusal("precompiled_charsmap", "not an array of bytes");
}

/* The first key that is wrong is the one that is told. */
static void
test_first(void)
{
	begin();
	put_texts("tokens", 4, tokens);
	put_value("mask_token_id", GGUF_BOOL, 1, 1);
	put_value("pre", GGUF_BOOL, 1, 1);
	expect_refusal("pre", "not a text");
}

static void
test_no_memory(void)
{
	FormatStatus status;

	begin();
	put_texts("tokens", 4, tokens);
	put_array("scores", GGUF_FLOAT32, 4);
	for (int i = 0; i < 4; i++)
		put_float(0);
	status = read_keys(0);
	CHECK(status == FORMAT_OUT_OF_MEMORY, "%d", status);
}

int
main(void)
{
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	test_all();
	test_missing();
	test_wrong_kinds();
	test_wrong_arrays();
	test_first();
	test_no_memory();
	return check_result();
}
