/*-------------------------------------------------------------------------
 *
 * tokenizer_json_fuzz.c
 *	  Would fail if some tokenizer.json, or some damaged image of one, made
 *	  the compiler or the tokenizer read or write outside its memory, run for
 *	  ever, or give tokens that there are not.
 *
 * The first byte chooses what is damaged in the image, if anything.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer.h"
#include "tokenizer_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "Hello  world's <s>caf\xC3\xA9 e\xCC\x81\xCC\xA3 \xE4\xB8\xAD\xE6\x96\x87 12 1234\n\n"
"\xEA\xB0\x81 \xEF\xAC\x81 \xE2\x96\x81x [SEP] ... aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void
encode(const Tokenizer *tokenizer)
{
	TokenizerEncoding encoding = {true, TOKENIZER_CHARACTERS,
								  TOKENIZER_LIMIT_NONE, 0};
	TokenizerScratch scratch;
	TokenizerTokens tokens;

	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	if (tokenizer_encode(tokenizer, text, sizeof(text) - 1, &encoding,
						 &scratch, &tokens) == TOKENIZER_OK)
	{
		for (uint32_t i = 0; i < tokens.count; i++)
		{
			size_t		length;

			tokenizer_token_text(tokenizer, &tokens, i, &length);
			require(tokens.tokens[i].start + tokens.tokens[i].length <=
					sizeof(text));
		}
	}
	tokenizer_scratch_end(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena		arena;
	TokenizerImage image;
	Tokenizer	tokenizer;
	FormatFault fault;

	if (size < 4)
		return 0;
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 256 << 20);
	if (tokenizer_compile(&arena, (const char *) data + 4, size - 4, NULL,
						  &image, &fault) == FORMAT_OK)
	{
		require(tokenizer_open(&tokenizer, image.bytes, image.size));
		encode(&tokenizer);

		/* one byte of the image is another: refused, or wrong, but no crash */
		if (data[0] != 0)
		{
			size_t		at = ((size_t) data[1] << 16 | (size_t) data[2] << 8 |
							  data[3]) %
							 image.size;

			image.bytes[at] ^= data[0];
			if (tokenizer_open(&tokenizer, image.bytes, image.size))
				encode(&tokenizer);
		}
	}
	else
		require(fault.status != FORMAT_OK && fault.detail[0] != '\0');
	arena_end(&arena);
	return 0;
}
