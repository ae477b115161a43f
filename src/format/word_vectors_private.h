/*-------------------------------------------------------------------------
 *
 * word_vectors_private.h
 *	  Between the files that read one kind each, for this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_WORD_VECTORS_PRIVATE_H
#define FORMAT_WORD_VECTORS_PRIVATE_H

#include "format/word_vectors.h"

/* WordVectorsReader.state */
enum
{
	STATE_BEGIN,
	STATE_ROWS,
	STATE_WORDS,				/* fastText: the dictionary */
	STATE_DONE					/* the end, or a fault, for good */
};

#define FASTTEXT_MAGIC UINT32_C(793712314)

/* text */
extern bool text_header(WordVectorsReader *reader, int64_t *words,
						int64_t *dims, size_t *length);
extern bool text_line_fits(const char *line, size_t length, int dims);
extern bool text_begin_without_header(WordVectorsReader *reader);
extern WordVectorsEvent text_next(WordVectorsReader *reader);

/* word2vec .bin */
extern WordVectorsEvent binary_next(WordVectorsReader *reader);

/* fastText .bin */
extern bool fasttext_begin(WordVectorsReader *reader);
extern WordVectorsEvent fasttext_next(WordVectorsReader *reader);

/* Notes a fault at this distance from the place reached. */
extern WordVectorsEvent
word_vectors_fault(WordVectorsReader *reader, FormatStatus status,
				   size_t distance, const char *detail, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * After a fault of one word: true if it is to be left out, and reading goes
 * on.
 */
extern bool word_vectors_leave_out(WordVectorsReader *reader);

/* The file ends here, unless it was the reading that failed. */
extern WordVectorsEvent word_vectors_ended(WordVectorsReader *reader,
										   const char *expected);

/* Checks and copies a word. */
extern bool word_vectors_take_word(WordVectorsReader *reader,
								   const unsigned char *word, size_t length);

/* Checks and takes over a row of dims little-endian floats. */
extern bool word_vectors_take_row(WordVectorsReader *reader);

#endif							/* FORMAT_WORD_VECTORS_PRIVATE_H */
