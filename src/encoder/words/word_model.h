/*-------------------------------------------------------------------------
 *
 * word_model.h
 *	  Models that are a vector per word, and what is computed from them.
 *
 * word2vec, GloVe, LSA and imported vectors train in different ways and are
 * read in one: this room packs their tables into an image, finds words in it
 * and pools the vectors of a text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_WORD_MODEL_H
#define WORDS_WORD_MODEL_H

#include "server/server.h"

#include "train/encode_corpus.h"
#include "text/token.h"
#include "model/tunable.h"
#include "type/vector.h"

/* columns of the table, in this order */
enum
{
	WORDS_ID,					/* 0: header; words from 1 on; buckets */
	WORDS_WORD,					/* NULL for header and buckets */
	WORDS_DOCUMENTS,			/* that hold the word; header: all documents */
	WORDS_OCCURRENCES,			/* header: of all words together */
	WORDS_VECTOR,				/* NULL in the header */
	WORDS_COLUMNS
};

/* Row of subword bucket n: id WORDS_FIRST_BUCKET + n */
#define WORDS_FIRST_BUCKET	1000000000

/* for the ModelMethod of every method of this family */
extern const ModelColumn words_columns[WORDS_COLUMNS];

/*
 * Another table that is read in the same way: terms of several words, each
 * with a weight, and no counts.  The header's vector is the method's own.
 */
enum
{
	TERMS_ID,
	TERMS_TERM,
	TERMS_WEIGHT,
	TERMS_VECTOR,
	TERMS_COLUMNS
};

extern const ModelColumn terms_columns[TERMS_COLUMNS];

/* Options of word vectors, and of those that have subwords */
#define WORDS_MAX_NGRAM		100
#define WORDS_MAX_BUCKETS	(PG_INT32_MAX - WORDS_FIRST_BUCKET)
#define WORDS_OPTIONS \
	OPTION_CONFIG_REQUIRED("config"), \
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0), \
	OPTION_CHOICE_KEPT("pooling", words_poolings, 0)
#define WORDS_SUBWORD_OPTIONS \
	OPTION_INTEGER_OF("min_n", 0, WORDS_MAX_NGRAM, 0), \
	OPTION_INTEGER_OF("max_n", 0, WORDS_MAX_NGRAM, 0), \
	OPTION_INTEGER_OF("buckets", 1, WORDS_MAX_BUCKETS, 1)

extern const char *const words_poolings[];	/* as Pooling in pool.c */

/*
 * Of methods that declare option "unknown": what answers to unknown words,
 * nothing, or a row of the table, which is that of this bucket.
 */
extern const char *const words_unknowns[];
#define WORDS_UNKNOWN_BUCKET 0

extern const struct Encoder words_encoder;	/* pool.c */

/*
 * pool.c: the vector of a text as its rows and their weights, whose sum it
 * is; false if no word is known.
 */
extern bool words_features(void *state, const EncoderText *text,
						   TuneReceiveRow receive, void *argument);

/* The range of n-grams, of a model and of subwords; none: max_n is 0. */
typedef struct WordsSubwords
{
	int			min_n;
	int			max_n;
	int			buckets;
} WordsSubwords;

extern WordsSubwords words_subwords(const ModelDescription *description);

/* For their check: the range of n-grams. */
extern void words_check(const ModelDescription *description);
extern void words_check_ngrams(int64 min_n, int64 max_n);

/* ---------- image ---------- */

enum
{
	WORDS_SECTION_MATRIX,		/* rows of stride floats, zero-padded */
	WORDS_SECTION_TOTALS,		/* one WordsTotals */
	WORDS_SECTION_ENTRIES,		/* WordEntry, one a word, by id */
	WORDS_SECTION_TEXTS,		/* bytes */
	WORDS_SECTION_SLOTS,		/* WordSlot, a power of two of them */
	WORDS_SECTION_BUCKETS,		/* BucketSlot, a power of two, or empty */
	WORDS_SECTION_WEIGHTS,		/* of terms: a double for each row */
	WORDS_SECTIONS
};

typedef struct WordsTotals
{
	int64		documents;
	int64		occurrences;
	int32		words;
	int32		dims;
	int32		stride;
	int32		last_id;		/* of a word */
} WordsTotals;

typedef struct WordEntry
{
	int64		documents;		/* -1: not known, as the next */
	int64		occurrences;
	uint64		text;			/* offset in WORDS_SECTION_TEXTS */
	int32		length;
	int32		row;			/* of the matrix */
	int32		id;
	float		inverse_norm;	/* of its vector: words_inverse_norm */
} WordEntry;

/* number of the entry plus one, 0: empty */
typedef struct WordSlot
{
	uint32		tag;			/* upper half of the hash */
	uint32		entry;
} WordSlot;

/* row of the matrix plus one, 0: empty */
typedef struct BucketSlot
{
	uint32		bucket;
	uint32		row;
} BucketSlot;

/* raised whenever the sections change */
#define WORDS_IMAGE_FORMAT	2

/* for tables of words_columns, and of terms_columns */
extern void words_build_image(ImageBuilder *builder, ModelReader *reader);
extern void terms_build_image(ImageBuilder *builder, ModelReader *reader);
extern bool words_patch_image(ImagePatch *patch, ModelReader *reader);

/*
 * One by the length of a vector, 0 where it has no direction: a vector of
 * zeros, or so short that no float holds that.  The squares of its elements
 * may be too large or too small for floats.
 */
extern float words_inverse_norm(int dims, const float *row);

/* what both write of a word, its text and place apart, and of row 0 */
extern void words_entry_init(WordEntry *entry, const Datum *values,
							 const bool *nulls, const float *row, int dims);
extern void words_totals_set(WordsTotals *totals, ModelReader *reader);

/* ---------- reading (lookup.c) ---------- */

/*
 * Pointers into the image of a model, and its options; filled anew by
 * words_open.
 */
typedef struct Words
{
	Model	   *model;
	const WordsTotals *totals;
	const WordEntry *entries;
	const char *texts;
	const float *matrix;
	const WordSlot *slots;
	Size		slot_mask;
	const BucketSlot *bucket_slots; /* NULL without subwords */
	Size		bucket_mask;
	WordsSubwords subwords;
	const char *pooling;
	const float *unknown;		/* answers to unknown words, or NULL */
	struct ConfigCache *streams;
	struct TokenStream *stream; /* of the model's configuration */
	Token	   *tokens;			/* TOKEN_BATCH of them */
	int32	   *ngrams;
	float	   *unseen;			/* stride floats: vector of an unseen word */
	uint64		version;		/* of the model the above belongs to */
	uint64		generation;		/* text_generation(), likewise */
} Words;

/*
 * The model of a call site: see model_open for how long it is good.
 */
extern Words *words_open(FmgrInfo *flinfo, Oid table);

/* A further model of the same call, see model_open_further. */
extern Words *words_open_further(FmgrInfo *flinfo, int number, Oid table);

/* The same for a model that is open at this call site. */
extern Words *words_attach(FmgrInfo *flinfo, Model *model, void **state);

/* entry of a word, or NULL */
extern const WordEntry *words_find(const Words *words, const char *text,
								   int length, uint64 hash);

/*
 * A text, batch by batch: its tokens are in words->tokens, each with the
 * entry of its word, or NULL, in "entries", which has TOKEN_BATCH places.
 * Returns how many; 0: the text is at its end.
 */
extern void words_text_begin(Words *words, const char *text, int length);
extern int	words_text_next(Words *words, const WordEntry **entries);

/*
 * Vector of a word by its subwords (stride floats in words->unseen), or what
 * answers to unknown words; NULL if the model has nothing of either.
 */
extern const float *words_compose(Words *words, const char *text, int length);

/*
 * The rows whose mean that is, at most "most" of them; words_most_rows is
 * enough for all.  Returns how many.
 */
extern int	words_compose_rows(Words *words, const char *text, int length,
							   const float **rows, int most);
extern int	words_most_rows(const Words *words);

/*
 * The word as a user writes it: as it stands, or as the model's configuration
 * reads it if that makes it one word.  NULL vector: unknown.  entry: NULL if
 * composed.
 */
extern const float *words_lookup(Words *words, const char *text, int length,
								 const WordEntry **entry);

static inline const float *
words_row(const Words *words, int32 row)
{
	return words->matrix + (Size) row * words->totals->stride;
}

/* row of a bucket, or NULL */
extern const float *words_bucket(const Words *words, int32 bucket);

/* the number of a row */
static inline int64
words_row_number(const Words *words, const float *row)
{
	return (row - words->matrix) / words->totals->stride;
}

/* ---------- tuning (words_tune.c) ---------- */

/* whose training goes on by train_word2vec, and by train_glove */
extern const Tunable words_tunable;
extern const Tunable words_tunable_glove;

/* of tables of terms_columns, whose texts are sums of other weights */
extern void words_tuned_row(void *state, int64 row, float *values);
extern Oid	terms_write_tuned(const TuneSource *source,
							  const Words *words);

#endif							/* WORDS_WORD_MODEL_H */
