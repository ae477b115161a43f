/*-------------------------------------------------------------------------
 *
 * terms.h
 *	  From text to terms: the tokens of a text search configuration, those
 *	  too short left out, and their n-grams.
 *
 * A term is a token or several neighbouring ones joined by one space.  Stop
 * words and short tokens are gone before n-grams are formed, so n-grams reach
 * across them (as in scikit-learn).  N-grams never reach across texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_TERMS_H
#define VOCABULARY_TERMS_H

#include "server/server.h"

#include "math/hash.h"

/* more would be whole sentences */
#define MAX_NGRAM	16

typedef struct Term
{
	const char *text;			/* not terminated; until the next batch */
	int			length;			/* in bytes */
	uint64		hash;			/* hash_bytes64(text, length) */
	uint64		key;			/* see term_key */
} Term;

/*
 * Most terms are known by eight bytes: a text never holds a zero byte, so up
 * to that length the bytes, padded with zeros, are as good as the text.  Longer
 * ones have their hash for a key, and equal keys leave the texts to compare.
 */
#define TERM_KEY_BYTES	8

static inline uint64
term_key(const char *text, int length, uint64 hash)
{
	if (length > TERM_KEY_BYTES)
		return hash;
	return hash_load_partial((const unsigned char *) text, length);
}

/* whether two long texts of one length are the same */
static inline bool
long_texts_equal(const char *a, const char *b, int length)
{
	const unsigned char *x = (const unsigned char *) a;
	const unsigned char *y = (const unsigned char *) b;

	if (length > 2 * TERM_KEY_BYTES)
		return memcmp(a, b, length) == 0;
	return hash_load64(x) == hash_load64(y) &&
		hash_load64(x + length - 8) == hash_load64(y + length - 8);
}

typedef struct TermOptions
{
	Oid			config;
	int			min_token_length;	/* in characters */
	int			min_ngram;
	int			max_ngram;
} TermOptions;

typedef struct TermStream TermStream;

/* ereports unless 1 <= min_ngram <= max_ngram <= MAX_NGRAM and so on */
extern void term_options_check(const TermOptions *options);

/* in CurrentMemoryContext; may be used for many texts */
extern TermStream *term_stream_create(const TermOptions *options);

/* the input must stay until the last batch has been read */
extern void term_stream_begin(TermStream *stream, const char *input, int length);

/* number of terms now at *terms, 0 at the end of the text */
extern int	term_stream_next(TermStream *stream, const Term **terms);

#endif							/* VOCABULARY_TERMS_H */
