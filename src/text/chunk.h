/*-------------------------------------------------------------------------
 *
 * chunk.h
 *	  Where a text may be cut without the server's default parser noticing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_CHUNK_H
#define TEXT_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

/* Does the parser take this byte for white space under every locale? */
static inline bool
chunk_is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* First byte at or after "from" that is not, or is, a blank; or length. */
extern size_t chunk_start(const char *input, size_t length, size_t from);
extern size_t chunk_end(const char *input, size_t length, size_t from);

/*
 * The end of the chunk from "start" to "end", moved behind all tags that
 * begin in it: white space inside a tag cuts nothing.
 *
 * Returns length when that cannot be told without doing what the parser does.
 */
extern size_t chunk_extend(const char *input, size_t length, size_t start,
						   size_t end);

/* A word of a simple chunk: bytes of the input. */
typedef struct ChunkWord
{
	size_t		start;
	size_t		length;
} ChunkWord;

#define CHUNK_WORDS 16

/* What the default parser calls an ASCII word. */
#define CHUNK_WORD_TYPE 1

/*
 * The words of the chunk at "start", if it is so simple that they are its
 * runs of ASCII letters: nothing else but some punctuation.
 *
 * Returns their number, at most CHUNK_WORDS, and the chunk's end; or -1.
 */
extern int	chunk_words(const char *input, size_t length, size_t start,
						ChunkWord *words, size_t *end);

#endif							/* TEXT_CHUNK_H */
