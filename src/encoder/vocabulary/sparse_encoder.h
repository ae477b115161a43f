/*-------------------------------------------------------------------------
 *
 * sparse_encoder.h
 *	  From a text to the counts of its known terms: what the functions that
 *	  read a vocabulary share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_SPARSE_ENCODER_H
#define VOCABULARY_SPARSE_ENCODER_H

#include "encoder/vocabulary/chosen_option.h"
#include "encoder/vocabulary/entry_counts.h"
#include "encoder/vocabulary/sparse_result.h"
#include "encoder/vocabulary/vocabulary.h"

#define ENCODER_OPTIONS	3

/*
 * The idf of every entry, worth computing once many documents have come.
 */
typedef struct IdfTable
{
	IdfWeighting idf;
	double		log_base;
	int			documents;		/* weighted so far */
	double	   *values;			/* NULL: not yet */
} IdfTable;

/*
 * What a call site keeps between calls.  It depends on the model, and is
 * made anew when the model has changed.
 */
typedef struct SparseEncoder
{
	uint64		version;		/* of the model */
	uint64		generation;		/* text_generation(), of the configuration */
	MemoryContext context;
	Vocabulary	vocabulary;
	TermOptions options;
	TermStream *stream;
	TermStream *word_stream;	/* without n-grams; one_hot only */
	EntryCounts counts;
	bool		counting;		/* counts are not 0 */
	WeightArray weights;
	IdfTable	idf_table;
	double		mean_log_odds;	/* of all terms; NAN: not yet computed */
	ChosenOption chosen[ENCODER_OPTIONS];
} SparseEncoder;

/* the known terms of one document */
typedef struct EncodedDocument
{
	int			count;
	KeyCount   *counts;			/* key: number of the entry, ascending */
	double	   *weights;		/* room for one for each, and one more */
	int64		terms;			/* in the text, unknown ones and repetitions
								 * too */
} EncodedDocument;

extern SparseEncoder *sparse_encoder_open(FunctionCallInfo fcinfo,
										  const Model *model);
extern void sparse_encoder_count(SparseEncoder *encoder, const text *input,
						  EncodedDocument *document);

/*
 * The vector of the document's weights, each divided by divisor.  The
 * constant, unless it is 0, becomes the element that stands for no term.
 */
extern SparseVector *sparse_encoder_vector(SparseEncoder *encoder,
										   EncodedDocument *document,
										   double divisor, double constant);

#endif							/* VOCABULARY_SPARSE_ENCODER_H */
