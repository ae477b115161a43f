/*-------------------------------------------------------------------------
 *
 * tokenizer_gguf_fuzz.c
 *	  Would fail if the tokenizer of some GGUF file made the compiler or the
 *	  tokenizer read or write outside its memory, run for ever, or give tokens
 *	  that there are not.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/gguf_keys.h"
#include "tokenizer_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "Hello  world's <s>caf\xC3\xA9 cat dog12 \xE4\xB8\xAD\xE6\x96\x87 1234\n\n"
"\xE2\x96\x81x [SEP] ... aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void
encode(const Tokenizer *tokenizer)
{
	TokenizerEncoding encoding = {true, TOKENIZER_BYTES,
								  TOKENIZER_LIMIT_NONE, 0};
	TokenizerScratch scratch;
	TokenizerTokens tokens;

	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	if (tokenizer_encode(tokenizer, text, sizeof(text) - 1, &encoding,
						 &scratch, &tokens) == TOKENIZER_OK)
	{
		for (uint32_t i = 0; i < tokens.count; i++)
		{
			require(tokens.tokens[i].id < tokenizer_size(tokenizer));
			require(tokens.tokens[i].start + tokens.tokens[i].length <
					sizeof(text));
		}
	}
	tokenizer_scratch_end(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FormatFile	file = format_file_of_bytes(data, size);
	FormatFault fault = {0};
	TokenizerGguf keys;
	TokenizerImage image;
	Tokenizer	tokenizer;
	Arena		arena;
	Gguf		gguf;

	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 256 << 20);
	if (gguf_open(&gguf, &arena, &file, 1, &fault))
	{
		if (tokenizer_gguf_keys(&arena, &gguf, &keys, &fault) == FORMAT_OK &&
			tokenizer_compile_gguf(&arena, &keys, NULL, &image,
								   &fault) == FORMAT_OK)
		{
			require(tokenizer_open(&tokenizer, image.bytes, image.size));
			encode(&tokenizer);
		}
		else
			require(fault.status != FORMAT_OK && fault.detail[0] != '\0');
	}
	arena_end(&arena);
	return 0;
}
