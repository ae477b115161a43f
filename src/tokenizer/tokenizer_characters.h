/*-------------------------------------------------------------------------
 *
 * tokenizer_characters.h
 *	  What a character is: categories, case, normal forms, scripts.
 *
 * The tables carry the versions of Unicode that the libraries below
 * `tokenizers` carry, each property its own (see generate_unicode.py): a
 * character that is newer than the library's tables is treated as the library
 * treats it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_CHARACTERS_H
#define TOKENIZER_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/utf8.h"

typedef struct CharacterRecord
{
	uint16_t	flags;			/* CHARACTER_... */
	uint8_t		category;		/* CATEGORY_..., of Unicode 16 */
	uint8_t		grapheme;		/* BREAK_..., of Unicode 17 */
	uint8_t		combining;		/* canonical combining class, Unicode 9 */
	int32_t		lower;			/* distance to the lower-case character */
} CharacterRecord;

typedef struct DecompositionRecord
{
	uint16_t	canonical;		/* where in the pool */
	uint16_t	compatible;
	uint8_t		canonical_length;	/* 0: none */
	uint8_t		compatible_length;
} DecompositionRecord;

typedef struct ScriptRange
{
	uint32_t	first;
	uint8_t		script;			/* of Unicode 16, for patterns */
	uint8_t		old_script;		/* of Unicode 9, for UnicodeScripts */
} ScriptRange;

extern const uint16_t character_first[];
extern const uint16_t character_second[];
extern const CharacterRecord character_records[];

#include "tokenizer/unicode_tables.h"

/* Of any number below CODE_LIMIT. */
static inline const CharacterRecord *
character_record(uint32_t code)
{
	return &character_records
		[character_second[character_first[code >> 7] * 128 + (code & 127)]];
}

static inline bool
character_is(uint32_t code, uint16_t flag)
{
	return (character_record(code)->flags & flag) != 0;
}

/* U+0130 becomes i and a combining dot; everything else one character. */
#define CODE_DOTTED_I		0x0130
#define CODE_COMBINING_DOT	0x0307
#define CODE_METASPACE		0x2581

/* What Oniguruma takes for \w: see the README. */
static inline bool
character_is_pattern_word(uint32_t code)
{
	if (code == 0x200C || code == 0x200D)
		return false;
	return character_is(code, CHARACTER_WORD) || code == 0xB2 ||
		   code == 0xB3 || code == 0xB9 || (code >= 0xBC && code <= 0xBE);
}

/* The blocks that BERT takes for Chinese, as `tokenizers` has them. */
static inline bool
character_is_chinese(uint32_t code)
{
	return (code >= 0x4E00 && code <= 0x9FFF) ||
		   (code >= 0x3400 && code <= 0x4DBF) ||
		   (code >= 0x20000 && code <= 0x2A6DF) ||
		   (code >= 0x2A700 && code <= 0x2B73F) ||
		   (code >= 0x2B740 && code <= 0x2B81F) ||
		   (code >= 0x2B920 && code <= 0x2CEAF) ||
		   (code >= 0xF900 && code <= 0xFAFF) ||
		   (code >= 0x2F800 && code <= 0x2FA1F);
}

/*
 * The full decomposition, at most DECOMPOSITION_MAX characters; returns
 * how many, at least one.
 */
#define DECOMPOSITION_MAX 18
extern int	character_decompose(uint32_t code, bool compatible,
								uint32_t out[DECOMPOSITION_MAX]);

/* The character that two others make, or 0. */
extern uint32_t character_compose(uint32_t first, uint32_t second);

/* Simple case folding (Unicode 16). */
extern uint32_t character_fold(uint32_t code);

/* The n-th of the characters that folding changes: false after the last. */
extern bool character_fold_pair(int number, uint32_t *code, uint32_t *fold);

/* All characters with the same folding, at most FOLD_MAX; returns how many. */
#define FOLD_MAX 8
extern int	character_fold_orbit(uint32_t code, uint32_t out[FOLD_MAX]);

/* The script as UnicodeScripts sees it. */
extern int	character_old_script(uint32_t code);

/* The number of a script by its name ("Han"), or -1. */
extern int	script_by_name(const char *name, size_t length);

/* The n-th range of equal scripts: false after the last. */
extern bool script_range(int number, uint32_t *first, uint32_t *last,
						 int *script);

/*
 * UTF-8 that is known to be well-formed, as every text is that passed the
 * entry: the length of a character by its first byte, and its code.
 */
static inline uint32_t
utf8_step(const unsigned char *p)
{
	return p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
}

static inline uint32_t
utf8_code(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0];
	if (p[0] < 0xE0)
		return (uint32_t) (p[0] & 0x1F) << 6 | (p[1] & 0x3F);
	if (p[0] < 0xF0)
		return (uint32_t) (p[0] & 0x0F) << 12 | (uint32_t) (p[1] & 0x3F) << 6 |
			   (p[2] & 0x3F);
	return (uint32_t) (p[0] & 0x07) << 18 | (uint32_t) (p[1] & 0x3F) << 12 |
		(uint32_t) (p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

#endif							/* TOKENIZER_CHARACTERS_H */
