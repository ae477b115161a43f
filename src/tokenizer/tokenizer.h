/*-------------------------------------------------------------------------
 *
 * tokenizer.h
 *	  Tokenizers of published models: from tokenizer.json, vocab.txt or the
 *	  keys of a GGUF file to the numbers of tokens.
 *
 * A tokenizer is compiled once, into an image: one block of bytes without
 * pointers that may lie at any address that is a multiple of 8, so also in a
 * file that many processes map.  Whoever encodes has the image and a scratch
 * of its own; the scratch keeps its memory and a cache of words from text to
 * text.
 *
 *		status = tokenizer_compile(&arena, json, length, &options, &image,
 *		&fault); if (status != FORMAT_OK)
 *			... fault says what is not supported, or wrong
 *		if (!tokenizer_open(&tokenizer, image.bytes, image.size))
 *			... damaged
 *		tokenizer_scratch_begin(&scratch, resize, context, interrupt, context);
 *		status = tokenizer_encode(&tokenizer, text, length, &encoding,
 *		&scratch, &tokens); if (status != TOKENIZER_OK)
 *			... tokenizer_message(status)
 *		for (i = 0; i < tokens.count; i++)
 *			... tokens.tokens[i].id
 *		tokenizer_scratch_end(&scratch);
 *
 * Ids and offsets are those of the `tokenizers` package (0.23).  No function
 * here includes a header of the server, and none of them exits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/format.h"

typedef enum TokenizerStatus
{
	TOKENIZER_OK,
	TOKENIZER_INVALID_TEXT,		/* not UTF-8 */
	TOKENIZER_TOO_LONG,			/* over TOKENIZER_MAX_TEXT */
	TOKENIZER_OUT_OF_MEMORY,
	TOKENIZER_NO_UNKNOWN,		/* an unknown piece, and no token for it */
	TOKENIZER_PATTERN_LIMIT,	/* a pattern took too many steps */
	TOKENIZER_DAMAGED			/* the image contradicts itself */
} TokenizerStatus;

/* Lower case, without a full stop. */
extern const char *tokenizer_message(TokenizerStatus status);

/* The longest text in bytes. */
#define TOKENIZER_MAX_TEXT ((size_t) 1 << 30)

/* ---------- compiling ---------- */

typedef struct TokenizerImage
{
	unsigned char *bytes;		/* in the arena, aligned to 16 */
	size_t		size;
} TokenizerImage;

typedef struct TokenizerCompileOptions
{
	FormatInterrupt interrupt;	/* may be NULL; called now and then */
	void	   *context;
} TokenizerCompileOptions;

/*
 * From the text of tokenizer.json.
 *
 * options may be NULL.  What the arena holds beside the image is working
 * memory.  Whatever is not known is a fault that names it.
 */
extern FormatStatus tokenizer_compile(Arena *arena, const char *json,
									  size_t length,
									  const TokenizerCompileOptions *options,
									  TokenizerImage *image,
									  FormatFault *fault);

/*
 * What vocab.txt alone does not say; the names are those of BERT's
 * tokenizer_config.json.  Strings are zero-terminated; NULL for the usual
 * one, "[UNK]" and so on.
 */
typedef struct TokenizerBertOptions
{
	bool		keep_case;		/* do_lower_case is false */
	int			strip_accents;	/* -1 when missing: as lower case; 0, 1 */
	bool		keep_chinese;	/* tokenize_chinese_chars is false */
	const char *unk_token;
	const char *cls_token;
	const char *sep_token;
	const char *pad_token;
	const char *mask_token;
	uint32_t	max_length;		/* model_max_length, or 0 */
} TokenizerBertOptions;

/* From vocab.txt: a piece a line, its number the line's. */
extern FormatStatus
tokenizer_compile_vocabulary(Arena *arena, const char *text, size_t length,
							 const TokenizerBertOptions *bert,
							 const TokenizerCompileOptions *options,
							 TokenizerImage *image, FormatFault *fault);

/*
 * The keys of a GGUF file that begin with "tokenizer.ggml.".  Numbers that
 * are missing are -1.
 */
typedef struct TokenizerGgufString
{
	const char *text;			/* not zero-terminated */
	size_t		length;
} TokenizerGgufString;

typedef struct TokenizerGguf
{
	TokenizerGgufString model;	/* bert, gpt2, llama, t5 */
	TokenizerGgufString pre;	/* which pattern splits; may be empty */
	const TokenizerGgufString *tokens;
	uint32_t	token_count;
	const float *scores;		/* NULL or token_count of them */
	const int32_t *types;		/* NULL or token_count of them */
	const TokenizerGgufString *merges;
	uint32_t	merge_count;
	const unsigned char *charsmap;	/* precompiled_charsmap */
	size_t		charsmap_length;
	int64_t		unknown;		/* unknown_token_id, and so on */
	int64_t		bos;
	int64_t		eos;
	int64_t		cls;
	int64_t		separator;
	int64_t		padding;
	int64_t		mask;
	int			add_bos;		/* -1 missing, 0, 1 */
	int			add_eos;
	int			add_separator;
	int			add_space_prefix;
	int			remove_extra_whitespaces;
	int			lowercase;		/* normalizer.lowercase */
	int			strip_accents;	/* normalizer.strip_accents */
} TokenizerGguf;

extern FormatStatus
tokenizer_compile_gguf(Arena *arena, const TokenizerGguf *keys,
					   const TokenizerCompileOptions *options,
					   TokenizerImage *image, FormatFault *fault);

/* ---------- an open tokenizer ---------- */

struct ImageHeader;

typedef struct Tokenizer
{
	const unsigned char *bytes;
	const struct ImageHeader *header;
} Tokenizer;

/* False if the image is damaged.  Nothing is copied: the bytes must stay. */
extern bool tokenizer_open(Tokenizer *tokenizer, const void *bytes,
						   size_t size);

/* How many bytes the image has that begins here, or 0 if it is none. */
extern size_t tokenizer_image_size(const void *bytes, size_t available);

typedef enum TokenizerSpecial
{
	TOKENIZER_CLS,
	TOKENIZER_SEP,
	TOKENIZER_PAD,
	TOKENIZER_UNK,
	TOKENIZER_MASK,
	TOKENIZER_BOS,
	TOKENIZER_EOS,
	TOKENIZER_SPECIALS
} TokenizerSpecial;

/*
 * The id of a special token, or -1.  tokenizer.json names but the unknown
 * one and those of its template; the others are found by their usual names
 * among the special tokens.
 */
extern int64_t tokenizer_special(const Tokenizer *tokenizer,
								 TokenizerSpecial special);

/* One more than the greatest id. */
extern uint32_t tokenizer_size(const Tokenizer *tokenizer);

/*
 * The id of a token by its exact text, or -1; and back, NULL if there is none.
 */
extern int64_t tokenizer_id(const Tokenizer *tokenizer, const char *text,
							size_t length);
extern const char *tokenizer_token(const Tokenizer *tokenizer, uint32_t id,
								   size_t *length);

/* Is it an added token that is special? */
extern bool tokenizer_is_special(const Tokenizer *tokenizer, uint32_t id);

/* Does it make small letters of all? */
extern bool tokenizer_lowercases(const Tokenizer *tokenizer);

/* "WordPiece", "BPE", "Unigram", "WordLevel" */
extern const char *tokenizer_model_name(const Tokenizer *tokenizer);

/* The truncation written in the file itself: 0 if there is none. */
extern uint32_t tokenizer_max_length(const Tokenizer *tokenizer);

/* Does that cut at the beginning? */
extern bool tokenizer_cuts_left(const Tokenizer *tokenizer);

/* How many tokens are added around every text. */
extern uint32_t tokenizer_added_count(const Tokenizer *tokenizer);

/* ---------- encoding ---------- */

/* As realloc; size 0 frees.  May also never return, by longjmp. */
typedef void *(*TokenizerResize) (void *context, void *block, size_t size);

typedef struct TokenizerBuffer
{
	void	   *data;
	size_t		size;
} TokenizerBuffer;

enum
{
	BUFFER_TEXT,				/* two, read and written in turns */
	BUFFER_TEXT_OTHER,
	BUFFER_SPANS,
	BUFFER_SPANS_OTHER,
	BUFFER_PIECES,
	BUFFER_PIECES_OTHER,
	BUFFER_TOKENS,
	BUFFER_STACK,				/* of patterns */
	BUFFER_WORK,				/* of models */
	BUFFER_HEAP,
	BUFFER_CACHE,
	BUFFER_COUNT
};

typedef struct TokenizerScratch
{
	TokenizerResize resize;
	void	   *resize_context;
	FormatInterrupt interrupt;
	void	   *interrupt_context;
	uint64_t	cache_owner;	/* which image the cache is of */
	TokenizerBuffer buffers[BUFFER_COUNT];
} TokenizerScratch;

/* interrupt may be NULL; it is called about every 64 kB of work. */
extern void tokenizer_scratch_begin(TokenizerScratch *scratch,
									TokenizerResize resize,
									void *resize_context,
									FormatInterrupt interrupt,
									void *interrupt_context);
extern void tokenizer_scratch_end(TokenizerScratch *scratch);

/* Gives back what a long text made large; the cache stays. */
extern void tokenizer_scratch_trim(TokenizerScratch *scratch);

typedef enum TokenizerOffsets
{
	TOKENIZER_NO_OFFSETS,
	TOKENIZER_BYTES,
	TOKENIZER_CHARACTERS
} TokenizerOffsets;

typedef enum TokenizerLimit
{
	TOKENIZER_LIMIT_OWN,		/* the truncation of the file itself, if any */
	TOKENIZER_LIMIT_NONE,
	TOKENIZER_LIMIT_RIGHT,		/* max_tokens, what is too much cut at the
								 * end */
	TOKENIZER_LIMIT_LEFT		/* at the beginning */
} TokenizerLimit;

/* All zero: no special tokens, no offsets, the file's own limit. */
typedef struct TokenizerEncoding
{
	bool		special_tokens; /* with those of the template */
	TokenizerOffsets offsets;
	TokenizerLimit limit;
	uint32_t	max_tokens;		/* with the special ones, where they are asked
								 * for */
} TokenizerEncoding;

/*
 * start, length: of the original text, in bytes or characters as asked for,
 * 0 and 0 for what the template adds.  text: where its own text lies in the
 * scratch, if that is not the vocabulary's (tokenizer_token_text).
 */
typedef struct TokenizerToken
{
	uint32_t	id;
	uint32_t	start;
	uint32_t	length;
	uint32_t	text;
	uint32_t	text_length;
} TokenizerToken;

typedef struct TokenizerTokens
{
	TokenizerToken *tokens;		/* in the scratch, until the next call */
	uint32_t	count;
	bool		truncated;
	const unsigned char *text;	/* what TokenizerToken.text points into */
} TokenizerTokens;

extern TokenizerStatus tokenizer_encode(const Tokenizer *tokenizer,
										const char *text, size_t length,
										const TokenizerEncoding *encoding,
										TokenizerScratch *scratch,
										TokenizerTokens *tokens);

/* How many tokens tokenizer_encode would give. */
extern TokenizerStatus tokenizer_count(const Tokenizer *tokenizer,
									   const char *text, size_t length,
									   const TokenizerEncoding *encoding,
									   TokenizerScratch *scratch,
									   uint32_t *count);

/* The text of a token as the `tokenizers` package prints it. */
extern const char *tokenizer_token_text(const Tokenizer *tokenizer,
										const TokenizerTokens *tokens,
										uint32_t number, size_t *length);

#endif							/* TOKENIZER_TOKENIZER_H */
