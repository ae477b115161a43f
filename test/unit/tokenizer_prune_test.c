/*-------------------------------------------------------------------------
 *
 * tokenizer_prune_test.c
 *	  Would fail if a tokenizer for a static model kept what it must not, lost
 *	  what it needs, or numbered its tokens otherwise than model2vec does.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "tokenizer/prune.h"

#define SPECIAL(id, content) \
	"{\"id\":" id ",\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false," \
	"\"normalized\":false,\"special\":true}"

static Arena arena;
static FormatFault fault;
static PrunedTokenizer pruned;
static Tokenizer tokenizer;
static size_t budget;

static void *
allocate(void *context, size_t size)
{
	if (budget-- == 0)
	{
		budget = 0;
		return NULL;
	}
	return malloc(size);
}

static void
release(void *context, void *block)
{
	free(block);
}

static void *
resize(void *context, void *block, size_t size)
{
	if (size == 0)
	{
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

/* False where the old one cannot be compiled. */
static bool
prune(const char *json)
{
	TokenizerImage image;

	memset(&fault, 0, sizeof(fault));
	if (tokenizer_compile(&arena, json, strlen(json), NULL, &image, &fault) !=
		FORMAT_OK || !tokenizer_open(&tokenizer, image.bytes, image.size))
		return false;
	return tokenizer_prune(&arena, &tokenizer, json, strlen(json), NULL,
						   &pruned, &fault) == FORMAT_OK;
}

/* The result compiles, and says this of a text. */
static void
expect_tokens(const char *text, const char *expected, const char *what)
{
	TokenizerImage image;
	Tokenizer	opened;
	TokenizerScratch scratch;
	TokenizerEncoding encoding = {.special_tokens = true};
	TokenizerTokens tokens;
	char		said[200] = "";

	CHECK(tokenizer_compile(&arena, pruned.json, pruned.length, NULL, &image,
							&fault) == FORMAT_OK, "%s", what);
	CHECK(tokenizer_open(&opened, image.bytes, image.size), "%s", what);
	CHECK(tokenizer_size(&opened) == pruned.count, "%s", what);
	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	CHECK(tokenizer_encode(&opened, text, strlen(text), &encoding, &scratch,
						   &tokens) == TOKENIZER_OK, "%s", what);
	for (uint32_t i = 0; i < tokens.count; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%u",
				 i == 0 ? "" : " ", tokens.tokens[i].id);
	CHECK(strcmp(said, expected) == 0, "%s: %s", what, said);
	tokenizer_scratch_end(&scratch);
}

static void
expect_ids(const char *expected, const char *what)
{
	char		said[200] = "";

	for (uint32_t i = 0; i < pruned.count; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%u",
				 i == 0 ? "" : " ", pruned.ids[i]);
	CHECK(strcmp(said, expected) == 0, "%s: %s", what, said);
}

static const char wordpiece[] =
"{\"version\":\"1.0\",\"truncation\":{\"direction\":\"Right\",\"max_length\":3,\"strategy\":\"LongestFirst\",\"stride\":0},"
"\"added_tokens\":[" SPECIAL("0", "[PAD]") "," SPECIAL("3", "[UNK]") "," SPECIAL("4", "[CLS]") "," SPECIAL("5", "[SEP]") "],"
"\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
"\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",5],\"cls\":[\"[CLS]\",4]},"
"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
"\"vocab\":{\"cat\":6,\"[PAD]\":0,\"[unused0]\":1,\"[unused99]\":2,\"[UNK]\":3,\"[CLS]\":4,\"[SEP]\":5,\"##s\":7,\"[unused]\":8,"
"\"[unusedx]\":9,\"dog\":12,\"caf\\u00e9\":10}}}";

static void
test_wordpiece(void)
{
	CHECK(prune(wordpiece), "%s", fault.detail);
	expect_ids("0 3 6 7 8 9 10 12", "ids of WordPiece");
	/* cut by nothing, with nothing put around it */
	expect_tokens("cats dog cat zebra caf\xC3\xA9", "2 3 7 2 1 6", "WordPiece");
}

static const char bytes[] =
"{\"version\":\"1.0\",\"added_tokens\":[" SPECIAL("0", "<s>") "," SPECIAL("1", "<unk>") "," SPECIAL("8", "<mask>") "," SPECIAL("9", "<pad>") "],"
"\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},"
"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}]},"
"\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"<s>\",0],\"cls\":[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":false},"
"\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":\"\",\"fuse_unk\":false,"
"\"vocab\":{\"<s>\":0,\"<unk>\":1,\"a\":2,\"b\":3,\"\\u0120\":4,\"ab\":5,\"\\u0120ab\":6,\"<\":7,\"s\":10,\">\":11,\"<s\":12},"
"\"merges\":[\"a b\",\"\\u0120 ab\",\"< s\",\"<s >\"]}}";

static void
test_bytes(void)
{
	CHECK(prune(bytes), "%s", fault.detail);
	/* the padding token is no piece: it comes last */
	expect_ids("1 2 3 4 5 6 7 10 11 12 9", "ids of BPE");
	CHECK(strstr(pruned.json, "\"<s >\"") == NULL, "a merge that makes what is gone");
	CHECK(strstr(pruned.json, "\"< s\"") != NULL, "a merge that makes what stays");
	expect_tokens("ab ab", "5 5", "a blank before the text");
	expect_tokens("<s>", "3 6 7 8", "a special token is letters now");
	expect_tokens("ab<pad>", "5 10", "padding stays what it is");
}

static const char unigram[] =
"{\"version\":\"1.0\",\"added_tokens\":[" SPECIAL("0", "<s>") "," SPECIAL("2", "<unk>") "],"
"\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,\"padding\":null,"
"\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<s>\",0],[\"[unused1]\",-1],[\"<unk>\",0],[\"a\",-1.5],[\"ab\",-2],[\"b\",-3]]}}";

static void
test_unigram(void)
{
	CHECK(prune(unigram), "%s", fault.detail);
	expect_ids("2 3 4 5", "ids of Unigram");
	CHECK(strstr(pruned.json, "\"unk_id\":0") != NULL, "the unknown one's place");
	expect_tokens("abax", "2 1 0", "Unigram");
}

/* A vocab.txt, and the file that says the same. */
static void
test_vocabulary(void)
{
	static const char lines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n##s\n\"q\"\n\xE4\xB8\xAD\ncat\ncafe\n";
	static const TokenizerBertOptions usual = {.strip_accents = -1};
	static const TokenizerBertOptions kept = {
		.strip_accents = 0, .keep_case = true, .keep_chinese = true
	};
	TokenizerImage image;
	TokenizerImage again;
	char	   *json;
	size_t		length;

	for (int i = 0; i < 2; i++)
	{
		const TokenizerBertOptions *bert = i == 0 ? &usual : &kept;

		CHECK(tokenizer_compile_vocabulary(&arena, lines, sizeof(lines) - 1, bert, NULL, &image, &fault) == FORMAT_OK, "%s", fault.detail);
		CHECK(tokenizer_open(&tokenizer, image.bytes, image.size), "open");
		CHECK(tokenizer_vocabulary_json(&arena, &tokenizer, bert, NULL, &json, &length, &fault) == FORMAT_OK, "%s", fault.detail);
		CHECK(tokenizer_compile(&arena, json, length, NULL, &again, &fault) == FORMAT_OK, "%s", fault.detail);
		pruned.json = json;
		pruned.length = length;
		pruned.count = 11;
		expect_tokens("CATS caf\xC3\xA9 \xE4\xB8\xAD" "cat x cat[MASK]", i == 0 ? "2 9 6 10 8 9 1 9 4 3" : "2 1 1 1 1 9 4 3", "vocab.txt");
	}
}

static void
test_refused(void)
{
	static const char *const wrong[] = {
		"", "[]", "{}", "{\"model\":{}}", "{\"model\":{\"vocab\":1}}", "{\"model\":{\"vocab\":{}}}", "{\"model\":{\"vocab\":[]}}",
		"{\"model\":{\"vocab\":[1]}}", "{\"model\":{\"vocab\":[[]]}}", "{\"model\":{\"vocab\":{\"a\":-1}}}", "{\"model\":{\"vocab\":{\"a\":\"b\"}}}",
		"{\"model\":{\"vocab\":{\"a\":99999999999}}}", "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[1]}",
		"{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{\"content\":1,\"id\":1}]}",
		"{\"model\":{\"vocab\":{\"[unused1]\":1}}}"
	};

	CHECK(prune(wordpiece), "%s", fault.detail);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		FormatStatus status;

		memset(&fault, 0, sizeof(fault));
		status = tokenizer_prune(&arena, &tokenizer, wrong[i],
								 strlen(wrong[i]), NULL, &pruned, &fault);
		CHECK(status != FORMAT_OK && fault.detail[0] != '\0', "%s", wrong[i]);
	}
}

/* Each allocation fails once. */
static void
test_no_memory(void)
{
	bool		done = false;
	int			failed = 0;

	CHECK(prune(bytes), "%s", fault.detail);
	for (size_t allowed = 0; !done; allowed++)
	{
		Arena		small;
		PrunedTokenizer result;

		budget = allowed;
		memset(&fault, 0, sizeof(fault));
		arena_begin(&small, allocate, release, NULL, (size_t) 1 << 30);
		done = tokenizer_prune(&small, &tokenizer, bytes, strlen(bytes), NULL,
							   &result, &fault) == FORMAT_OK;
		CHECK(done || fault.status == FORMAT_OUT_OF_MEMORY, "no memory is told");
		failed += !done;
		arena_end(&small);
	}
	CHECK(failed > 0, "memory failed");
}

int
main(void)
{
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 30);
	test_wordpiece();
	test_bytes();
	test_unigram();
	test_vocabulary();
	test_refused();
	test_no_memory();
	arena_end(&arena);
	return check_result();
}
