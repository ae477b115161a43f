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
#include "model/model.h"
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

extern const struct Encoder words_encoder;	/* pool.c */

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
	WORDS_SECTION_ENTRIES,		/* WordEntry, one a word */
	WORDS_SECTION_TEXTS,		/* bytes */
	WORDS_SECTION_SLOTS,		/* WordSlot, a power of two of them */
	WORDS_SECTION_BUCKETS,		/* BucketSlot, a power of two, or empty */
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
	float		inverse_norm;	/* of its vector; 0 for a zero vector */
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
#define WORDS_IMAGE_FORMAT	1

extern void words_build_image(ImageBuilder *builder, ModelReader *reader);

/* ---------- reading (lookup.c) ---------- */

/* Pointers into the image of a model, and its options; filled anew by words_open. */
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

/* The same for a model that is open at this call site. */
extern Words *words_attach(FmgrInfo *flinfo, Model *model, void **state);

/* entry of a word, or NULL */
extern const WordEntry *words_find(const Words *words, const char *text,
								   int length, uint64 hash);

/* Fetch the entry that words_find will probably look at. */
static inline void
words_prefetch_entry(const Words *words, uint64 hash)
{
	uint32		entry = words->slots[hash & words->slot_mask].entry;

	if (entry != 0)
		__builtin_prefetch(&words->entries[entry - 1]);
}

/*
 * Vector of a word by its subwords (stride floats in words->unseen), NULL if
 * the model has none of them.
 */
extern const float *words_compose(Words *words, const char *text, int length);

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

#endif							/* WORDS_WORD_MODEL_H */
