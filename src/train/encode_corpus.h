/*-------------------------------------------------------------------------
 *
 * encode_corpus.h
 *	  A corpus read once and kept as word ids in a temporary file.
 *
 * Training passes over the corpus several times and in several processes;
 * the query runs once, the text is split once, and what stays is four bytes
 * a word.  The file may be larger than memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_ENCODE_H
#define TRAIN_ENCODE_H

#include "server/server.h"

#include "train/progress.h"
#include "storage/buffile.h"
#include "storage/sharedfileset.h"

/* Stands in the file after the last word of each document. */
#define ENCODED_END		(-1)

/* Ids read at once; a multiple of a block. */
#define ENCODED_SLICE	65536

/* begins like an element of a text table (text_table.h) */
typedef struct EncodedWord
{
	uint64		hash;			/* hash_bytes64(text, length) */
	const char *text;			/* not terminated */
	int32		length;
	int32		known;			/* index among the words given, or -1 */
	int64		count;
	int64		documents;		/* that hold the word */
	int64		last_document;	/* the last of them */
} EncodedWord;

typedef struct EncodedCorpus
{
	int32		words;			/* in the vocabulary */
	EncodedWord *vocabulary;	/* by id: most frequent first, then by bytes */
	int64		documents;
	int64		tokens;			/* in the file, ends of documents left out */
	int64		all_tokens;		/* of the corpus, rare words too */
	int64		ids;			/* in the file, ends of documents included */
} EncodedCorpus;

typedef struct EncodeOptions
{
	const char *query;
	Oid			config;
	int64		min_count;
	SharedFileSet *files;		/* receives the file */
	Progress   *progress;

	/* words of the vocabulary whatever their count; may be none */
	const EncodedWord *known;
	int32		known_words;
	bool		only_known;		/* no others, however frequent */
} EncodeOptions;

/*
 * Runs the query and writes the file.  The result is in CurrentMemoryContext.
 * The words are held in memory: an error says when they need more than
 * maintenance_work_mem, another when no word is left.
 */
extern EncodedCorpus *corpus_encode(const EncodeOptions *options);

/*
 * Readers, in any process attached to the file set.  A slice holds ids
 * slice * ENCODED_SLICE and following; slices are numbered from 0.
 */
typedef struct EncodedReader EncodedReader;

extern EncodedReader *encoded_reader_open(SharedFileSet *files, int64 ids);
extern int	encoded_reader_read(EncodedReader *reader, int64 slice,
								int32 *ids);

/* Some ids, from any place on. */
extern void encoded_reader_part(EncodedReader *reader, int64 first, int count,
								int32 *ids);
extern void encoded_reader_close(EncodedReader *reader);

#endif							/* TRAIN_ENCODE_H */
