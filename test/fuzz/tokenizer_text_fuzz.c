/*-------------------------------------------------------------------------
 *
 * tokenizer_text_fuzz.c
 *	  Would fail if some text made a tokenizer read or write outside its
 *	  memory, run for ever, or give other tokens the second time, when it is
 *	  in the cache of words.
 *
 * The first byte chooses the tokenizer, among those that many steps of
 * tokenizer.json are in.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "math/hash.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ADDED \
	"\"added_tokens\":[" \
	"{\"id\":0,\"content\":\"[U]\",\"single_word\":false,\"lstrip\":true,\"rstrip\":true,\"normalized\":false,\"special\":true}," \
	"{\"id\":1,\"content\":\"Ab\",\"single_word\":true,\"lstrip\":false,\"rstrip\":true,\"normalized\":true,\"special\":false}],"
#define VOCAB "{\"[U]\":0,\"a\":1,\"b\":2,\"ab\":3,\"##b\":4,\"##a\":5,\"e\":6,\"##\xCC\x81\":7,\"\xE2\x96\x81\":8,\"\xE2\x96\x81" \
	"a\":9,\"\xC4\xA0\":10,\"c\":11,\"abc\":12,\"##ab\":13,\"1\":14,\"<0x41>\":15}"
#define MERGES "[[\"a\",\"b\"],[\"ab\",\"c\"],[\"\xE2\x96\x81\",\"a\"]]"

static const char *const files[] =
{
	"{" ADDED "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
	"\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[U]\",\"continuing_subword_prefix\":\"##\","
	"\"max_input_chars_per_word\":20,\"vocab\":" VOCAB "}}",

	"{" ADDED "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true},"
	"\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true},"
	"\"model\":{\"type\":\"BPE\",\"unk_token\":\"[U]\",\"vocab\":" VOCAB ",\"merges\":" MERGES "}}",

	"{" ADDED "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"},"
	"{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"}]},"
	"\"model\":{\"type\":\"BPE\",\"unk_token\":\"[U]\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":" VOCAB ",\"merges\":" MERGES "}}",

	"{" ADDED "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"},{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{\"type\":\"NFC\"},"
	"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<=a)\\\\s*|x{2,}?y\"},\"content\":\"b\"}]},"
	"\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"first\",\"split\":true},"
	"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"[U]\",0],[\"a\",-1],[\"b\",-2],[\"ab\",-2.5],[\"\xE2\x96\x81\",-3],[\"\xE2\x96\x81" "a\",-3.5]]}}",

	"{" ADDED "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
	"\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"UnicodeScripts\"},"
	"{\"type\":\"Punctuation\",\"behavior\":\"MergedWithNext\"},{\"type\":\"FixedLength\",\"length\":4},{\"type\":\"Whitespace\"}]},"
	"\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"[U]\",\"vocab\":" VOCAB "}}"
};

#define FILES (sizeof(files) / sizeof(files[0]))

static Arena arena;
static Tokenizer tokenizers[FILES];

static void
open_all(void)
{
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 256 << 20);
	for (size_t i = 0; i < FILES; i++)
	{
		TokenizerImage image;
		FormatFault fault;

		require(tokenizer_compile(&arena, files[i], strlen(files[i]), NULL,
								  &image, &fault) == FORMAT_OK);
		require(tokenizer_open(&tokenizers[i], image.bytes, image.size));
	}
}

static uint64_t
hash_of(const Tokenizer *tokenizer, TokenizerScratch *scratch,
		const char *text, size_t size)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};
	TokenizerTokens tokens;
	TokenizerStatus status = tokenizer_encode(tokenizer, text, size, &encoding,
											  scratch, &tokens);
	uint64_t	hash = status;
	uint32_t	count;

	if (status != TOKENIZER_OK)
		return hash;
	for (uint32_t i = 0; i < tokens.count; i++)
	{
		require(tokens.tokens[i].id < tokenizer_size(tokenizer));
		require((size_t) tokens.tokens[i].start + tokens.tokens[i].length <=
				size);
		hash = hash_combine64(hash,
							  (uint64_t) tokens.tokens[i].id << 40 ^
								  (uint64_t) tokens.tokens[i].start << 20 ^
								  tokens.tokens[i].length);
	}
	require(tokenizer_count(tokenizer, text, size, &encoding, scratch,
							&count) == TOKENIZER_OK);
	require(count == tokens.count);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TokenizerScratch scratch;
	const Tokenizer *tokenizer;
	const char *text = (const char *) data + 1;

	if (arena.newest == NULL)
		open_all();
	if (size < 1)
		return 0;
	tokenizer = &tokenizers[data[0] % FILES];
	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	require(hash_of(tokenizer, &scratch, text, size - 1) ==
			hash_of(tokenizer, &scratch, text, size - 1));
	tokenizer_scratch_end(&scratch);
	return 0;
}
