/*-------------------------------------------------------------------------
 *
 * glove.h
 *	  The room of GloVe: vectors from co-occurrences.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GLOVE_GLOVE_H
#define GLOVE_GLOVE_H

#include "server/server.h"

#include "encoder/glove/glove_order.h"
#include "encoder/words/word_model.h"
#include "model/model.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "train/encode_corpus.h"
#include "train/progress.h"
#include "train/trainer.h"

#define GLOVE_MAX_WINDOW	1000

/* What counts as a co-occurrence. */
typedef struct GloveWindow
{
	int			size;
	bool		symmetric;
	bool		distance_weighting;
} GloveWindow;

/* ---------- co-occurrences (glove_counts.c, glove_records.c) ---------- */

/* Ids are those of the vocabulary; a pair is given once, with its sum. */
typedef void (*GloveReceive) (void *argument, int32 word, int32 context,
							  double count);

/*
 * Counts the windows of an encoded corpus.  memory: bytes to count in; what
 * is beyond goes to temporary files.
 */
extern void glove_count(const GloveWindow *window,
						const EncodedCorpus *corpus, SharedFileSet *files,
						Size memory, Progress *progress, GloveReceive receive,
						void *argument);

/*
 * Counts that the caller's query gives: word, context and, if it is there,
 * weight.  Reading them makes the vocabulary; known words come with it.
 */
typedef struct GloveRecords GloveRecords;

extern GloveRecords *glove_records_read(const char *query,
										const EncodedWord *known,
										int32 known_words, Size memory,
										Progress *progress,
										EncodedCorpus **vocabulary);
extern void glove_records_give(GloveRecords *records, GloveReceive receive,
							   void *argument);

/* ---------- training (glove_shared.c) ---------- */

/*
 * The memory shared by the workers: this, then the arrays, each at its
 * offset from the start and aligned to a cache line.
 */
typedef struct GloveShared
{
	GloveOrder	order;
	int			dims;
	int			stride;
	float		eta;
	int64		records;
	pg_atomic_uint64 finished;	/* tiles of all epochs together */
	pg_atomic_uint32 broken;	/* 1 + the epoch in which numbers broke */
	int32		broken_word;	/* and at whose record */
	int32		broken_context;
	ConditionVariable progress; /* finished has grown */

	Size		words;			/* matrices of the order's rows */
	Size		contexts;
	Size		starts;			/* of each tile's records, and one more */
	Size		bytes;
} GloveShared;

extern TrainerMemory *glove_share(int32 words, int dims, double eta,
								  uint64 seed);
extern float *glove_word_row(GloveShared *shared, int32 word);
extern float *glove_context_row(GloveShared *shared, int32 word);
extern int64 *glove_starts(GloveShared *shared);

/* Where the records are between the shuffle and training */
#define GLOVE_RECORDS_FILE "records"

extern const TrainerTask glove_task;

/* ---------- the model (glove_method.c) ---------- */

extern const OptionDeclaration glove_options[];
extern const ModelMethod glove_method;

extern void glove_init(void);	/* called from _PG_init */

#endif							/* GLOVE_GLOVE_H */
