/*-------------------------------------------------------------------------
 *
 * token.h
 *	  From a text search configuration and a text to a stream of tokens.
 *
 * The face of this room to the floors above.  A token is a lexeme as
 * to_tsvector would store it, and its position is the one to_tsvector gives,
 * less one and without its limits (16383 positions, 256 a lexeme): a stop
 * word takes a position, several lexemes of one word share theirs.  A word of
 * 2047 bytes or more is left out, as there, with one NOTICE for each stream.
 *
 * Configurations made of our own parser and dictionary take a direct path at
 * several hundred MB/s; all others run the server's parser and dictionaries,
 * remembering what became of each word.  See README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_TOKEN_H
#define TEXT_TOKEN_H

#include "text/words.h"

typedef struct TokenStream TokenStream;

/* A batch that is neither short nor large. */
#define TOKEN_BATCH 256

/*
 * In CurrentMemoryContext, which owns all it needs; for any number of
 * texts, one at a time.  Follows changes of the configuration.
 */
extern TokenStream *token_stream_create(Oid config);

/*
 * From now on a long word is cut, where it becomes too long, instead of left
 * out: for who reads only the beginning of a word.  Where dictionaries look at
 * words, it is left out as before.
 */
extern void token_stream_cut_long(TokenStream *stream);

/* Begin with a text in the server encoding; it must stay until the end. */
extern void token_stream_begin(TokenStream *stream, const char *input,
							   int length);

/*
 * Fill a batch; 0 at the end.  Texts of tokens are valid until the next
 * call.  May be interrupted.
 */
extern int	token_stream_next(TokenStream *stream, Token *batch, int capacity);

/*
 * Whether tokens that begin with a character of a script without spaces are
 * pairs and single characters, so that a text may be cut between any two.
 */
extern bool token_stream_clusters(const TokenStream *stream);

#endif							/* TEXT_TOKEN_H */
