/*-------------------------------------------------------------------------
 *
 * vocabulary_json.c
 *	  The tokenizer.json that says what a vocab.txt of BERT's says.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/prune.h"

#include <string.h>

#include "format/json_write.h"

#define TOKENS_PER_INTERRUPT 16384

static void
write_text(JsonWriter *writer, const char *key, const char *text)
{
	json_write_key(writer, key, strlen(key));
	json_write_string(writer, text, strlen(text));
}

static void
write_raw(JsonWriter *writer, const char *key, const char *text)
{
	json_write_key(writer, key, strlen(key));
	json_write_raw(writer, text, strlen(text));
}

static void
write_truth(JsonWriter *writer, const char *key, bool truth)
{
	write_raw(writer, key, truth ? "true" : "false");
}

/* The text of a special token, or NULL. */
static const char *
special_text(const Tokenizer *tokenizer, TokenizerSpecial special,
			 size_t *length)
{
	int64_t		id = tokenizer_special(tokenizer, special);

	return id < 0 ? NULL : tokenizer_token(tokenizer, (uint32_t) id, length);
}

static void
write_added(JsonWriter *writer, const Tokenizer *tokenizer)
{
	static const TokenizerSpecial specials[] = {
		TOKENIZER_PAD, TOKENIZER_UNK, TOKENIZER_CLS, TOKENIZER_SEP,
		TOKENIZER_MASK
	};

	json_write_key(writer, "added_tokens", 12);
	json_write_begin(writer, '[');
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
	{
		size_t		length;
		const char *text = special_text(tokenizer, specials[i], &length);

		if (text == NULL)
			continue;
		json_write_begin(writer, '{');
		json_write_key(writer, "id", 2);
		json_write_int64(writer, tokenizer_special(tokenizer, specials[i]));
		json_write_key(writer, "content", 7);
		json_write_string(writer, text, length);
		write_truth(writer, "single_word", false);
		write_truth(writer, "lstrip", false);
		write_truth(writer, "rstrip", false);
		write_truth(writer, "normalized", false);
		write_truth(writer, "special", true);
		json_write_end(writer, '}');
	}
	json_write_end(writer, ']');
}

static void
write_normalizer(JsonWriter *writer, const TokenizerBertOptions *bert)
{
	json_write_key(writer, "normalizer", 10);
	json_write_begin(writer, '{');
	write_text(writer, "type", "BertNormalizer");
	write_truth(writer, "clean_text", true);
	write_truth(writer, "handle_chinese_chars", !bert->keep_chinese);
	if (bert->strip_accents < 0)
		write_raw(writer, "strip_accents", "null");
	else
		write_truth(writer, "strip_accents", bert->strip_accents != 0);
	write_truth(writer, "lowercase", !bert->keep_case);
	json_write_end(writer, '}');
	json_write_key(writer, "pre_tokenizer", 13);
	json_write_begin(writer, '{');
	write_text(writer, "type", "BertPreTokenizer");
	json_write_end(writer, '}');
}

/* A pair of text and id, as BertProcessing has them. */
static void
write_pair(JsonWriter *writer, const char *key, const Tokenizer *tokenizer,
		   TokenizerSpecial special)
{
	size_t		length = 0;
	const char *text = special_text(tokenizer, special, &length);

	json_write_key(writer, key, strlen(key));
	json_write_begin(writer, '[');
	json_write_string(writer, text == NULL ? "" : text, length);
	json_write_int64(writer, tokenizer_special(tokenizer, special));
	json_write_end(writer, ']');
}

static void
write_model(JsonWriter *writer, const Tokenizer *tokenizer,
			const TokenizerCompileOptions *options)
{
	size_t		length = 0;
	const char *unknown = special_text(tokenizer, TOKENIZER_UNK, &length);

	json_write_key(writer, "model", 5);
	json_write_begin(writer, '{');
	write_text(writer, "type", "WordPiece");
	json_write_key(writer, "unk_token", 9);
	json_write_string(writer, unknown == NULL ? "" : unknown, length);
	write_text(writer, "continuing_subword_prefix", "##");
	write_raw(writer, "max_input_chars_per_word", "100");
	json_write_key(writer, "vocab", 5);
	json_write_begin(writer, '{');
	for (uint32_t id = 0; id < tokenizer_size(tokenizer); id++)
	{
		const char *text = tokenizer_token(tokenizer, id, &length);

		if (id % TOKENS_PER_INTERRUPT == 0 && options != NULL &&
			options->interrupt != NULL)
			options->interrupt(options->context);
		if (text == NULL)
			continue;
		json_write_key(writer, text, length);
		json_write_int64(writer, id);
	}
	json_write_end(writer, '}');
	json_write_end(writer, '}');
}

FormatStatus
tokenizer_vocabulary_json(Arena *arena, const Tokenizer *tokenizer,
						  const TokenizerBertOptions *bert,
						  const TokenizerCompileOptions *options,
						  char **json, size_t *length, FormatFault *fault)
{
	JsonWriter	writer;

	fault->status = FORMAT_OK;
	json_writer_begin(&writer, arena);
	json_write_begin(&writer, '{');
	write_text(&writer, "version", "1.0");
	write_added(&writer, tokenizer);
	write_normalizer(&writer, bert);
	json_write_key(&writer, "post_processor", 14);
	json_write_begin(&writer, '{');
	write_text(&writer, "type", "BertProcessing");
	write_pair(&writer, "sep", tokenizer, TOKENIZER_SEP);
	write_pair(&writer, "cls", tokenizer, TOKENIZER_CLS);
	json_write_end(&writer, '}');
	write_model(&writer, tokenizer, options);
	json_write_end(&writer, '}');
	*json = json_writer_text(&writer, length);
	if (*json == NULL)
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0,
					 "No memory for a tokenizer of %u tokens.",
					 tokenizer_size(tokenizer));
	return fault->status;
}
