/*-------------------------------------------------------------------------
 *
 * tokenizer_test.c
 *	  Would fail if a tokenizer gave other ids or offsets than the
 *	  `tokenizers` package, took a file that it must refuse, or could not
 *	  bear a lack of memory or a damaged image.
 *
 * Expected ids and offsets are those of tokenizers 0.23.3.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "tokenizer/image.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

#define WORDS \
	"{\"[U]\":0,\"i\":1,\"saw\":2,\"a\":3,\"cat\":4,\"##s\":5,\"un\":6,\"##want\":7,\"##ed\":8,\"cafe\":9," \
	"\"\xE4\xB8\xAD\":10,\",\":11,\"[C]\":12,\"[S]\":13}"
#define ADDED(id, content, options) \
	"{\"id\":" id ",\"content\":\"" content "\"," options "}"
#define PLAIN "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true"

static const char bert[] =
"{\"added_tokens\":[" ADDED("0", "[U]", PLAIN) "," ADDED("13", "[S]", PLAIN) ","
ADDED("14", "YesterDay", "\"single_word\":true,\"lstrip\":true,\"rstrip\":false,\"normalized\":true,\"special\":false") "],"
"\"truncation\":{\"direction\":\"Left\",\"max_length\":5,\"strategy\":\"LongestFirst\",\"stride\":0},"
"\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
"\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
"\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[S]\",13],\"cls\":[\"[C]\",12]},"
"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[U]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":" WORDS "}}";

typedef struct Case
{
	const char *text;
	const char *tokens;			/* id:start-end, in characters */
} Case;

static const Case cases[] =
{
	{"", "12:0-0 13:0-0"},
	{"I saw cats", "12:0-0 1:0-1 2:2-5 4:6-9 5:9-10 13:0-0"},
	{"UNwant\xC3\xA9" "d,a", "12:0-0 6:0-2 7:2-6 8:6-8 11:8-9 3:9-10 13:0-0"},
	{"x\xE4\xB8\xAD" "a", "12:0-0 0:0-1 10:1-2 3:2-3 13:0-0"},
	{"cafe\xCC\x81 caf\xC3\xA9", "12:0-0 9:0-4 9:6-10 13:0-0"},
	{"i  yesterday[S]a YESTERDAYs", "12:0-0 1:0-1 14:1-12 13:12-15 3:15-16 0:17-27 13:0-0"},
	{"\xE2\x80\x8B\x01", "12:0-0 13:0-0"}
};

static void *
resize(void *context, void *block, size_t size)
{
	size_t	   *left = context;

	if (size == 0)
	{
		free(block);
		return NULL;
	}
	if (left != NULL && (*left)-- == 0)
	{
		*left = 0;
		return NULL;
	}
	return realloc(block, size);
}

static bool
compile(Arena *arena, Tokenizer *tokenizer, TokenizerImage *image,
		const char *json, FormatFault *fault)
{
	return tokenizer_compile(arena, json, strlen(json), NULL, image, fault) ==
			   FORMAT_OK &&
		   tokenizer_open(tokenizer, image->bytes, image->size);
}

static void
show(const TokenizerTokens *tokens, char *out, size_t size)
{
	out[0] = '\0';
	for (uint32_t i = 0; i < tokens->count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%u:%u-%u", i > 0 ? " " : "",
				 tokens->tokens[i].id, tokens->tokens[i].start,
				 tokens->tokens[i].start + tokens->tokens[i].length);
}

static void
test_cases(const Tokenizer *tokenizer, TokenizerScratch *scratch)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};

	/* twice: the second time words come from the cache */
	for (size_t i = 0; i < 2 * COUNT(cases); i++)
	{
		const Case *one = &cases[i % COUNT(cases)];
		size_t		length = strlen(one->text);
		char	   *exact = exact_alloc(length);
		TokenizerTokens tokens;
		uint32_t	count;
		char		got[400];

		memcpy(exact, one->text, length);
		CHECK(tokenizer_encode(tokenizer, exact, length, &encoding, scratch,
							   &tokens) == TOKENIZER_OK,
			  "\"%s\"", one->text);
		show(&tokens, got, sizeof(got));
		CHECK(strcmp(got, one->tokens) == 0, "\"%s\": %s, not %s", one->text, got, one->tokens);
		CHECK(tokenizer_count(tokenizer, exact, length, &encoding, scratch,
							  &count) == TOKENIZER_OK &&
				  count == tokens.count,
			  "\"%s\": %u counted", one->text, count);
		free(exact);
	}
}

static void
test_limits(const Tokenizer *tokenizer, TokenizerScratch *scratch)
{
	static const struct
	{
		TokenizerEncoding encoding;
		const char *tokens;
	}			limits[] =
	{
		/* the file's own: 5 with the special ones, cut on the left */
		{{true, TOKENIZER_BYTES, TOKENIZER_LIMIT_OWN, 0}, "12:0-0 2:2-5 3:6-7 4:8-11 13:0-0"},
		{{false, TOKENIZER_BYTES, TOKENIZER_LIMIT_OWN, 0}, "1:0-1 2:2-5 3:6-7 4:8-11"},
		{{true, TOKENIZER_BYTES, TOKENIZER_LIMIT_RIGHT, 4}, "12:0-0 1:0-1 2:2-5 13:0-0"},
		{{true, TOKENIZER_BYTES, TOKENIZER_LIMIT_RIGHT, 1}, "12:0-0 13:0-0"},
		{{false, TOKENIZER_BYTES, TOKENIZER_LIMIT_LEFT, 1}, "4:8-11"},
		{{false, TOKENIZER_BYTES, TOKENIZER_LIMIT_RIGHT, 0}, ""}
	};

	for (size_t i = 0; i < COUNT(limits); i++)
	{
		TokenizerTokens tokens;
		char		got[400];

		CHECK(tokenizer_encode(tokenizer, "i saw a cat", 11, &limits[i].encoding, scratch,
							   &tokens) == TOKENIZER_OK, "limit %zu", i);
		show(&tokens, got, sizeof(got));
		CHECK(strcmp(got, limits[i].tokens) == 0, "limit %zu: %s, not %s", i, got, limits[i].tokens);
	}
}

static void
test_face(const Tokenizer *tokenizer)
{
	size_t		length;
	const char *text = tokenizer_token(tokenizer, 7, &length);

	CHECK(length == 6 && memcmp(text, "##want", 6) == 0, "the text of 7");
	CHECK(tokenizer_token(tokenizer, 99, &length) == NULL && length == 0, "the text of 99");
	CHECK(tokenizer_size(tokenizer) == 15, "%u ids", tokenizer_size(tokenizer));
	CHECK(tokenizer_id(tokenizer, "##ed", 4) == 8 && tokenizer_id(tokenizer, "YesterDay", 9) == 14 &&
		  tokenizer_id(tokenizer, "nope", 4) == -1, "ids by text");
	CHECK(tokenizer_special(tokenizer, TOKENIZER_UNK) == 0, "the unknown token");
	CHECK(tokenizer_special(tokenizer, TOKENIZER_MASK) == -1, "a mask where there is none");
	CHECK(tokenizer_is_special(tokenizer, 13) &&
			  !tokenizer_is_special(tokenizer, 14) &&
			  !tokenizer_is_special(tokenizer, 1),
		  "special tokens");
	CHECK(tokenizer_max_length(tokenizer) == 5 &&
			  tokenizer_added_count(tokenizer) == 2,
		  "length and template");
}

/* What must be refused, and a word that the reason must have. */
static void
test_refused(Arena *arena)
{
	static const struct
	{
		const char *json;
		const char *word;
	}			files[] =
	{
		{"[]", "object"},
		{"{\"model\":null}", "model"},
		{"{\"model\":{\"type\":\"Neural\",\"vocab\":{}}}", "Neural"},
		{"{\"normalizer\":{\"type\":\"Reverse\"},\"model\":{}}", "Reverse"},
		{"{\"pre_tokenizer\":{\"type\":\"Magic\"},\"model\":{}}", "Magic"},
		{"{\"post_processor\":{\"type\":\"Odd\"},\"model\":{}}", "Odd"},
		{"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":-1},\"unk_token\":\"a\"}}", "id"},
		{"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":4294967295},\"unk_token\":\"a\"}}", "id"},
		{"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{},\"unk_token\":\"a\"}}", "empty"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "\"b\""},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a  b\"]}}", "blank"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}", "dropout"},
		{"{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]}}", "unk_id"},
		{"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"!\"},\"model\":{}}", "base 64"},
		{"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"},\"model\":{}}", "damaged"},
		{"{\"truncation\":{\"max_length\":5,\"strategy\":\"OnlySecond\"},\"model\":{\"type\":\"WordLevel\","
		"\"vocab\":{\"a\":0},\"unk_token\":\"a\"}}", "OnlySecond"},
		{"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}},\"model\":{}}", "0 times"}
	};

	for (size_t i = 0; i < COUNT(files); i++)
	{
		TokenizerImage image;
		Tokenizer	tokenizer;
		FormatFault fault;

		CHECK(!compile(arena, &tokenizer, &image, files[i].json, &fault), "%s was taken",
			  files[i].json);
		CHECK(strstr(fault.detail, files[i].word) != NULL, "%s: %s", files[i].json, fault.detail);
	}
}

static void
test_bad_texts(Arena *arena, const Tokenizer *tokenizer,
			   TokenizerScratch *scratch)
{
	TokenizerEncoding encoding = {.limit = TOKENIZER_LIMIT_NONE};
	TokenizerTokens tokens;
	TokenizerImage image;
	Tokenizer	strict;
	FormatFault fault;

	CHECK(tokenizer_encode(tokenizer, "a\xC3", 2, &encoding, scratch, &tokens) ==
		  TOKENIZER_INVALID_TEXT, "half a character");
	CHECK(tokenizer_encode(tokenizer, "\xED\xA0\x80", 3, &encoding, scratch, &tokens) ==
		  TOKENIZER_INVALID_TEXT, "a surrogate");
	CHECK(tokenizer_encode(tokenizer, "a", TOKENIZER_MAX_TEXT + 1, &encoding, scratch, &tokens) ==
		  TOKENIZER_TOO_LONG, "a text too long");
	CHECK(compile(arena, &strict, &image, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"x\"}}",
				  &fault), "%s", fault.detail);
	CHECK(tokenizer_encode(&strict, "a", 1, &encoding, scratch, &tokens) == TOKENIZER_OK &&
		  tokens.count == 1, "a known word");
	CHECK(tokenizer_encode(&strict, "b", 1, &encoding, scratch, &tokens) == TOKENIZER_NO_UNKNOWN,
		  "an unknown word without a token for it");
}

/* Lines end with LF or CR LF only; the last of equal ones counts; no BOM. */
static void
test_vocabulary(Arena *arena, TokenizerScratch *scratch)
{
	static const char text[] = "\xEF\xBB\xBF[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nalpha\r\n\r\nbeta\r\nalpha\n"
	"\xE2\x80\xA8\n##x\ngamma";
	TokenizerBertOptions options = {.strip_accents = -1, .max_length = 512};
	TokenizerEncoding encoding = {.limit = TOKENIZER_LIMIT_NONE};
	TokenizerImage image;
	Tokenizer	tokenizer;
	TokenizerTokens tokens;
	FormatFault fault;
	char		got[200];

	CHECK(tokenizer_compile_vocabulary(arena, text, sizeof(text) - 1, &options,
									   NULL, &image, &fault) == FORMAT_OK,
		  "%s", fault.detail);
	CHECK(tokenizer_open(&tokenizer, image.bytes, image.size), "vocab.txt does not open");
	CHECK(tokenizer_encode(&tokenizer, "Alphax BETA gamma ?", 19, &encoding, scratch, &tokens) ==
		  TOKENIZER_OK, "vocab.txt");
	show(&tokens, got, sizeof(got));
	CHECK(strcmp(got, "7:0-0 9:0-0 6:0-0 10:0-0 1:0-0") == 0, "vocab.txt: %s", got);
	CHECK(tokenizer_id(&tokenizer, "\xE2\x80\xA8", 3) == 8, "a line of U+2028");
	CHECK(tokenizer_special(&tokenizer, TOKENIZER_PAD) == 0 &&
		  tokenizer_special(&tokenizer, TOKENIZER_SEP) == 3 &&
		  tokenizer_max_length(&tokenizer) == 512, "special ids of vocab.txt");
	CHECK(tokenizer_compile_vocabulary(arena, "a\nb", 3, &options, NULL, &image, &fault) ==
		  FORMAT_MALFORMED, "a vocabulary without [UNK] was taken");
}

/* Every allocation may fail. */
static void
test_memory(const Tokenizer *tokenizer)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};
	FormatFault fault;
	bool		done = false;

	for (size_t most = 0; !done && most < 1000; most++)
	{
		size_t		left = most;
		TokenizerScratch scratch;
		TokenizerTokens tokens;
		TokenizerStatus status;

		tokenizer_scratch_begin(&scratch, resize, &left, NULL, NULL);
		status = tokenizer_encode(tokenizer, cases[5].text,
								  strlen(cases[5].text), &encoding, &scratch,
								  &tokens);
		done = status == TOKENIZER_OK;
		CHECK(done || status == TOKENIZER_OUT_OF_MEMORY, "status %d after %zu allocations", status,
			  most);
		tokenizer_scratch_end(&scratch);
	}
	CHECK(done, "encoding never had enough memory");
	done = false;
	for (size_t limit = 1000; !done && limit < (size_t) 1 << 26;
		 limit += limit / 7)
	{
		Arena		arena;
		TokenizerImage image;
		FormatStatus status;

		arena_begin(&arena, arena_malloc, arena_free, NULL, limit);
		status = tokenizer_compile(&arena, bert, strlen(bert), NULL, &image,
								   &fault);
		done = status == FORMAT_OK;
		CHECK(done || status == FORMAT_OUT_OF_MEMORY, "status %d with %zu bytes", status, limit);
		arena_end(&arena);
	}
	CHECK(done, "compiling never had enough memory");
}

/* A damaged image is refused or gives wrong tokens, but never crashes. */
static void
test_damage(const TokenizerImage *image, TokenizerScratch *scratch)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};
	uint64_t	seed = 20240229;
	int			opened = 0;

	for (int round = 0; round < 3000; round++)
	{
		unsigned char *copy = exact_alloc(image->size);
		Tokenizer	tokenizer;
		TokenizerTokens tokens;
		size_t		at;

		memcpy(copy, image->bytes, image->size);
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		/* the header and the small sections more often */
		at = (seed >> 33) % (round % 2 == 0 ? 600 : image->size);
		copy[at] ^= (unsigned char) (1 + (seed >> 20) % 255);
		if (tokenizer_open(&tokenizer, copy, image->size))
		{
			opened++;
			tokenizer_encode(&tokenizer, cases[5].text, strlen(cases[5].text),
							 &encoding, scratch, &tokens);
		}
		free(copy);
	}
	CHECK(opened > 0 && opened < 3000, "%d of 3000 damaged images opened", opened);
	for (size_t size = 0; size < 1000; size += 7)
	{
		Tokenizer	tokenizer;
		unsigned char *copy = exact_alloc(size);

		memcpy(copy, image->bytes, size);
		CHECK(!tokenizer_open(&tokenizer, copy, size), "%zu bytes of an image opened", size);
		free(copy);
	}
}

/* A long text gives the caller a chance now and then. */
static void
count_call(void *context)
{
	++*(int *) context;
}

static void
test_interrupts(const Tokenizer *tokenizer)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};
	const size_t size = 1 << 20;
	char	   *text = exact_alloc(size);
	int			calls = 0;
	TokenizerScratch scratch;
	TokenizerTokens tokens;

	memset(text, ' ', size);
	for (size_t i = 0; i < size; i += 4)
		memcpy(text + i, "cat ", 4);
	tokenizer_scratch_begin(&scratch, resize, NULL, count_call, &calls);
	CHECK(tokenizer_encode(tokenizer, text, size, &encoding, &scratch,
						   &tokens) == TOKENIZER_OK &&
			  tokens.count == size / 4 + 2,
		  "a megabyte of cats: %u tokens", tokens.count);
	CHECK(calls >= 16, "%d interrupt calls in a megabyte", calls);
	tokenizer_scratch_trim(&scratch);
	tokenizer_scratch_end(&scratch);
	free(text);
}

int
main(void)
{
	TokenizerScratch scratch;
	TokenizerImage image;
	Tokenizer	tokenizer;
	FormatFault fault;
	Arena		arena;

	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 30);
	if (!compile(&arena, &tokenizer, &image, bert, &fault))
	{
		CHECK(false, "%s", fault.detail);
		return check_result();
	}
	test_cases(&tokenizer, &scratch);
	test_limits(&tokenizer, &scratch);
	test_face(&tokenizer);
	test_refused(&arena);
	test_bad_texts(&arena, &tokenizer, &scratch);
	test_vocabulary(&arena, &scratch);
	test_memory(&tokenizer);
	test_damage(&image, &scratch);
	test_interrupts(&tokenizer);
	arena_end(&arena);
	tokenizer_scratch_end(&scratch);
	return check_result();
}
