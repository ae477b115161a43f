/*-------------------------------------------------------------------------
 *
 * word_vectors.h
 *	  Reading files of word vectors: word2vec .bin and .txt, GloVe .txt,
 *	  fastText .vec and .bin.
 *
 *		reader = memory of sizeof(WordVectorsReader), about a megabyte
 *		word_vectors_begin(reader, read, context);
 *		for (;;)
 *			switch (word_vectors_next(reader))
 *				...
 *
 * The kind of file is found from its first bytes.  A file is read once, from
 * the beginning to the end; the memory does not grow with it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_WORD_VECTORS_H
#define FORMAT_WORD_VECTORS_H

#include "format/format.h"

typedef enum WordVectorsKind
{
	WORD_VECTORS_UNKNOWN,
	WORD_VECTORS_BINARY,		/* word2vec .bin */
	WORD_VECTORS_TEXT,			/* word2vec .txt, fastText .vec */
	WORD_VECTORS_TEXT_WITHOUT_HEADER,	/* GloVe .txt */
	WORD_VECTORS_FASTTEXT		/* fastText .bin, with subwords */
} WordVectorsKind;

typedef enum WordVectorsEvent
{
	WORD_VECTORS_FAULT,			/* reader->fault says what */
	WORD_VECTORS_END,			/* the file is complete and was read */

	/*
	 * A word and its vector: all but fastText .bin.
	 */
	WORD_VECTORS_VECTOR,

	/*
	 * fastText .bin: first every word with its number of occurrences, then
	 * row after row of the input matrix: own vectors of the words in the same
	 * order, then buckets.  The vector of a word is the mean of its own row
	 * and the rows of its n-grams.  What follows in the file is not read.
	 */
	WORD_VECTORS_WORD,
	WORD_VECTORS_ROW
} WordVectorsEvent;

/* as in the type vector */
#define WORD_VECTORS_MAX_DIMS 16000

/* A longer word is a sign of a damaged file, and too long for an index. */
#define WORD_VECTORS_MAX_WORD 2000

/* fastText's own numbers */
enum
{
	FASTTEXT_CBOW = 1,
	FASTTEXT_SKIPGRAM = 2,
	FASTTEXT_SUPERVISED = 3
};

typedef struct WordVectorsReader
{
	/* known from the first event on */
	WordVectorsKind kind;
	int			dims;
	int64_t		word_count;		/* -1: the file does not say */

	/* fastText .bin: known from the first event on, otherwise 0 */
	int			min_n;
	int			max_n;
	int			buckets;
	int			model;			/* FASTTEXT_... */
	int64_t		tokens;			/* in the text it was trained on */

	/* of the event: valid until the next */
	const char *word;			/* any bytes but 0; not terminated */
	size_t		word_length;
	int64_t		occurrences;	/* WORD_VECTORS_WORD */
	int64_t		row;			/* number of the word or row, from 0 */
	const float *values;		/* dims of them, all finite */

	/*
	 * Set after word_vectors_begin: a word or a vector that is bad by itself,
	 * while the next one can be found, is left out and counted.  Empty words
	 * of fastText .bin are handed out, since their rows are there.
	 */
	bool		skip_bad;
	int64_t		skipped;
	int64_t		skipped_empty;	/* of them, those without a word */

	FormatFault fault;

	/* private */
	int			state;
	int64_t		line;
	int64_t		rows;			/* fastText: of the input matrix */
	int64_t		entries;		/* fastText: of the dictionary */
	int64_t		entry;
	char		word_buffer[WORD_VECTORS_MAX_WORD + 1];
	float		value_buffer[WORD_VECTORS_MAX_DIMS];
	FormatSource source;
} WordVectorsReader;

extern void word_vectors_begin(WordVectorsReader *reader, FormatRead read,
							   void *context);
extern WordVectorsEvent word_vectors_next(WordVectorsReader *reader);

/* Bytes of the file that were used up, for a report of progress. */
extern uint64_t word_vectors_position(const WordVectorsReader *reader);

/* For messages: "word2vec binary", "fastText binary", ... */
extern const char *word_vectors_kind_name(WordVectorsKind kind);

/*
 * Writing word2vec .bin: the header, then for each word its bytes, a space,
 * the values and a line feed.  Each returns the bytes written; the buffer has
 * room for WORD_VECTORS_HEADER_MAX, or word_vectors_row_size(...) bytes.
 */
#define WORD_VECTORS_HEADER_MAX 40
extern size_t word_vectors_write_header(char *buffer, int64_t words, int dims);
extern size_t word_vectors_row_size(size_t word_length, int dims);
extern size_t word_vectors_write_row(char *buffer, const char *word,
									 size_t word_length, const float *values,
									 int dims);

#endif							/* FORMAT_WORD_VECTORS_H */
