/*-------------------------------------------------------------------------
 *
 * word2vec.h
 *	  The room of word2vec: training in the database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORD2VEC_WORD2VEC_H
#define WORD2VEC_WORD2VEC_H

#include "server/server.h"

#include "encoder/word2vec/sgd.h"
#include "encoder/words/word_training.h"
#include "model/model.h"
#include "train/encode_corpus.h"
#include "train/trainer.h"

#define WORD2VEC_MAX_NEGATIVE	(STEP_MAX_TARGETS - 1)
#define WORD2VEC_MAX_WINDOW		1000

/* The arguments of train_word2vec, checked. */
typedef struct Word2vecOptions
{
	const char *model;
	const char *corpus;
	Oid			config;
	int			dims;
	bool		cbow;
	int			window_size;
	int			negative;
	bool		hierarchical_softmax;
	double		sample;
	int			epochs;
	double		alpha;
	int			min_count;
	int			min_n;
	int			max_n;
	int			buckets;
	int			workers;
	uint64		seed;
	bool		replace;
	Oid			from_model;		/* InvalidOid: begin anew */

	/* of trainings that give documents rows; otherwise 0 and NULL */
	SgdDocuments documents;
	int64		document_count;
	const int64 *first_documents;	/* of each slice of the encoded corpus */
} Word2vecOptions;

/*
 * The memory shared by the workers: this, then the arrays, each at its
 * offset from the start and aligned to a cache line.
 */
typedef struct Word2vecShared
{
	int			words;
	int			rows;			/* of input: words, and touched buckets or
								 * documents */
	int			dims;
	int			stride;
	int			window_size;
	int			negative;
	bool		cbow;
	bool		hierarchical_softmax;
	SgdDocuments documents;
	float		alpha;
	uint64		seed;
	int64		ids;			/* in the encoded corpus */
	int64		slices;			/* of one epoch */

	Size		input;
	Size		negative_output;	/* 0: none, as for the following */
	Size		tree_output;
	Size		keep;
	Size		negatives;
	Size		paths;
	Size		nodes;
	Size		subword_start;
	Size		subword_rows;
	Size		rates;
	Size		first_documents;
	Size		bytes;
} Word2vecShared;

/* Subwords of a whole vocabulary. */
typedef struct Subwords
{
	int64	   *start;			/* words + 1 */
	int32	   *rows;			/* input rows, from "words" on */
	int32		touched;		/* buckets that have a row */
	int32	   *buckets;		/* their numbers, by row - words */
} Subwords;

/* shared.c: sizes, first values, and the task of a worker */
extern TrainerMemory *word2vec_share(const Word2vecOptions *options,
									 const EncodedCorpus *corpus,
									 const Subwords *subwords);
extern float *word2vec_input_row(Word2vecShared *shared, int32 row);
extern float *word2vec_output_row(Word2vecShared *shared, int32 word);
extern float *
word2vec_rates(Word2vecShared *shared); /* of input rows; NULL unless
														 * training goes on */
/* train_word2vec.c */
extern EncodedCorpus *word2vec_read_corpus(const Word2vecOptions *options,
										   TrainerFiles *files,
										   const KnownWords *known,
										   Progress *progress);

/* Ranges of what doc2vec has, too: dims, window, samples, epochs, rate */
extern void word2vec_check_options(const OptionDeclaration *declared,
								   const Word2vecOptions *options);

extern const TrainerTask word2vec_task;

/* subwords.c; NULL without subwords */
extern Subwords *word2vec_subwords(const Word2vecOptions *options,
								   const EncodedCorpus *corpus);

/* word2vec.c */
extern const ModelMethod word2vec_method;
extern const OptionDeclaration word2vec_options[];
extern const char *const word2vec_algorithms[];
extern void word2vec_init(void);	/* called from _PG_init */

#endif							/* WORD2VEC_WORD2VEC_H */
