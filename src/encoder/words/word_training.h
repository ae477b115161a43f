/*-------------------------------------------------------------------------
 *
 * word_training.h
 *	  What trainings of word vectors share: the model they go on from, and
 *	  the rows they write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_WORD_TRAINING_H
#define WORDS_WORD_TRAINING_H

#include "server/server.h"

#include "encoder/words/word_model.h"
#include "model/model.h"
#include "train/encode_corpus.h"

/* The model that training goes on from. */
typedef struct KnownWords
{
	Words	   *words;
	EncodedWord *list;			/* one per entry of words */
} KnownWords;

/* NULL for no table */
extern KnownWords *known_words_open(FmgrInfo *flinfo, Oid table);

/* Of the model that training goes on from; NULL if known is. */
extern const ModelDescription *
known_words_description(const KnownWords *known);

/* The text search configuration of that, or the default. */
extern Oid	known_words_config(const KnownWords *known);

/* How often a word was met before; 0 if it is new, or that is not known */
extern int64 known_words_occurrences(const KnownWords *known,
									 const EncodedWord *word);

/*
 * Writing the table.  Words keep the ids of the model they come from; new
 * ones follow.
 */
typedef struct WordWriter
{
	ModelWriter *writer;
	const EncodedCorpus *corpus;
	const KnownWords *known;	/* may be NULL */
	bool		counted;		/* the corpus tells counts of words */
	const char *rate;			/* the option to lower when numbers broke */
	int32		next_id;
	Vector	   *vector;			/* to be filled before each row */
} WordWriter;

/* Creates the table and writes row 0; the last four are set before. */
extern void word_writer_begin(WordWriter *writer, ModelDefinition *definition,
							  int dims);

/* A row with writer->vector, which must be finite */
extern void word_writer_word(WordWriter *writer, int32 word);
extern void word_writer_bucket(WordWriter *writer, int32 bucket);
extern Oid	word_writer_finish(WordWriter *writer);

#endif							/* WORDS_WORD_TRAINING_H */
