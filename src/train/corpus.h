/*-------------------------------------------------------------------------
 *
 * corpus.h
 *	  The texts to train on: the rows of a query of the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_CORPUS_H
#define TRAIN_CORPUS_H

#include "server/server.h"

typedef struct Corpus Corpus;

typedef struct CorpusDocument
{
	const char *text;			/* server encoding, not terminated */
	int			length;
	Oid			config;			/* of the row, or the default of the corpus */
} CorpusDocument;

/*
 * Streams the rows of a query: first column text, second, if there,
 * regconfig.  The query runs read-only under the caller's search_path and
 * rights.  Rows whose text is NULL are skipped.  corpus_next raises an error
 * at the end when there was no text at all.  The query is run again by a
 * second corpus_open.
 */
extern Corpus *corpus_open(const char *query, Oid config);
extern bool corpus_next(Corpus *corpus, CorpusDocument *document);
extern int64 corpus_documents(const Corpus *corpus);	/* read so far */
extern void corpus_close(Corpus *corpus);

/* Columns of a corpus whose texts bring no configuration of their own. */
extern const struct QueryDeclaration corpus_of_texts;

#endif							/* TRAIN_CORPUS_H */
