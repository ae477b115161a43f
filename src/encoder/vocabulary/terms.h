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

#include "text/text_table.h"

/* more would be whole sentences */
#define MAX_NGRAM	16

typedef struct Term
{
	const char *text;			/* not terminated; until the next batch */
	int			length;			/* in bytes */
	uint64		hash;			/* hash_bytes64(text, length) */
	uint64		key;			/* see text_key */
} Term;

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
extern void term_stream_begin(TermStream *stream, const char *input,
							  int length);

/* number of terms now at *terms, 0 at the end of the text */
extern int	term_stream_next(TermStream *stream, const Term **terms);

#endif							/* VOCABULARY_TERMS_H */
