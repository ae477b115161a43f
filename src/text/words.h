/*-------------------------------------------------------------------------
 *
 * words.h
 *	  Splitting text into words and folding their case: the pure core.
 *
 * A word is a character for which Python's \w holds (letters, numbers and
 * "_"), followed by any number of such characters, marks (categories Mn, Mc,
 * Me) and joiners (U+200C, U+200D).  In scripts without spaces each character
 * (a cluster: see cluster.h) is a token, and so is each pair of neighbours,
 * which comes before its first character; an emoji is a token.  The other
 * rule splits at white space as Python's str.split() does.  Folding is
 * Python's str.lower() of the word.
 * Why marks continue a word although \w has none of them: see README.
 *
 * The scanner allocates nothing and reads no byte outside its input.  Bytes
 * that are no character are taken one by one as a character without any
 * property: they separate words, and are no white space.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Words of this many bytes or more are left out, as to_tsvector leaves them
 * out (MAXSTRLEN of tsearch/ts_type.h): they are never words of a language,
 * and a longer term would not fit a btree.
 */
#define WORD_TOO_LONG	2047

/* What a character of a server encoding may become: at most 8 bytes. */
#define CHARACTER_BYTES	8

/* A folded word is at most this long: U+0130 grows from 2 to 3 bytes. */
#define WORD_FOLDED_MAX (WORD_TOO_LONG * 2)

/* One character of the input. */
typedef struct Character
{
	int			length;			/* bytes in the input, at least 1 */
	uint32_t	code;			/* CODE_LIMIT for invalid bytes */
	uint16_t	flags;			/* CHARACTER_*; 0 for invalid bytes */
	uint8_t		folded_length;
	bool		capital_sigma;	/* folded by its context */
	unsigned char folded[CHARACTER_BYTES];
} Character;

/*
 * An encoding other than UTF-8, in which all bytes of a character outside
 * ASCII have the high bit set.  read is given the first such byte.  Without
 * it, the input is UTF-8.
 */
typedef struct CharacterSource
{
	void (*read) (struct CharacterSource *source, const unsigned char *p,
				  size_t available, Character *character);
	/* the final small sigma, as long as the other one; length 0: has none */
	uint8_t		final_sigma_length;
	unsigned char final_sigma[CHARACTER_BYTES];
} CharacterSource;

typedef enum SplitRule
{
	SPLIT_WORDS,
	SPLIT_WHITESPACE
} SplitRule;

typedef struct Token
{
	const char *text;			/* not terminated */
	int32_t		length;
	uint64_t	hash;			/* hash_bytes64(text, length) */
	int32_t		position;		/* ordinal of the word in the text, from 0 */
	int32_t		start;			/* bytes in the input */
	int32_t		source_length;
	bool		pair;			/* two characters of a script without spaces */
} Token;

#define WORD_ARENA		32768

typedef struct WordScanner
{
	SplitRule	rule;
	bool		fold;
	bool		pairs;			/* are wanted; at first as the rule has it */
	CharacterSource *source;	/* NULL: UTF-8 */
	const unsigned char *input;
	size_t		length;
	size_t		offset;			/* where to go on */
	int32_t		position;		/* of the next word */
	bool		cut_long;		/* a long word is one that ends where it
								 * becomes too long, instead of none */
	int64_t		too_long;		/* words left out or cut so far */
	bool		skipping;		/* the offset is inside such a word */
	bool		pair_done;		/* of the character at the offset */
	size_t		used;			/* bytes of the arena */
	unsigned char arena[WORD_ARENA + 64];	/* folded words of a batch */
} WordScanner;

extern void word_scanner_init(WordScanner *scanner, SplitRule rule, bool fold,
							  CharacterSource *source);
extern void word_scanner_begin(WordScanner *scanner, const char *input,
							   size_t length);

/*
 * Fill a batch.
 *
 * The texts lie in the scanner or in the input and are valid until the next
 * call.  A call takes bounded time: it may find no word before the end
 * (word_scanner_done) is reached.
 */
extern int	word_scanner_next(WordScanner *scanner, Token *batch,
							  int capacity);

static inline bool
word_scanner_done(const WordScanner *scanner)
{
	return scanner->offset >= scanner->length;
}

/*
 * word_span_start, word_span_end
 *	  The same rule for one word at a time: a parser's view.
 *
 * word_span_start: first offset >= from where a word starts, or length.
 * word_span_end: first offset >= from that no longer belongs to a word that
 * started before it and is no cluster.
 * Both may stop early, between two characters at or behind "stop".
 */
extern size_t word_span_start(SplitRule rule, CharacterSource *source,
							  const char *input, size_t length,
							  size_t from, size_t stop);
extern size_t word_span_end(SplitRule rule, CharacterSource *source,
							const char *input, size_t length,
							size_t from, size_t stop);

/*
 * Where the token that starts at "start" ends: a word (which may stop early
 * as above), a cluster.
 */
extern size_t word_token_end(SplitRule rule, CharacterSource *source,
							 const char *input, size_t length,
							 size_t start, size_t stop);

/* Where the pair that starts there ends; 0: none does. */
extern size_t word_pair_end(SplitRule rule, CharacterSource *source,
							const char *input, size_t length, size_t start);

/*
 * Lower-case one whole word: Python's str.lower().
 *
 * out holds length * 4 bytes; returns the bytes written.  Invalid bytes are
 * copied.
 */
extern size_t word_fold(CharacterSource *source, const char *word,
						size_t length, char *out);

/* Read one character at p in the given encoding; available >= 1. */
extern void character_read(CharacterSource *source, const unsigned char *p,
						   size_t available, Character *character);

#endif							/* TEXT_WORDS_H */
