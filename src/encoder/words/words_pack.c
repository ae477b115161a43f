/*-------------------------------------------------------------------------
 *
 * words_pack.c
 *	  Packing a table of word vectors.
 *
 * The matrix comes first and is streamed, row by row in the order of the
 * heap; what finds a row is small and is written after it, in the order of
 * ids.  So nothing that is computed shows in which order the rows lie.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "encoder/words/word_model.h"
#include "math/hash.h"
#include "math/rows.h"
#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

const ModelColumn words_columns[WORDS_COLUMNS] = {
	{"id", INT4OID},
	{"word", TEXTOID},
	{"documents", INT8OID},
	{"occurrences", INT8OID},
	{"vector", InvalidOid, "vector"}
};

const ModelColumn terms_columns[TERMS_COLUMNS] = {
	{"id", INT4OID},
	{"term", TEXTOID},
	{"weight", FLOAT8OID},
	{"vector", InvalidOid, "vector"}
};

typedef struct Packing
{
	ImageBuilder *builder;
	bool		terms;			/* a table of terms_columns */
	double	   *weights;		/* of the rows of the matrix, or NULL */
	WordsTotals totals;
	int32		rows;			/* of the matrix so far */
	WordEntry  *entries;
	Size		entry_capacity;
	BucketSlot *buckets;		/* as a list */
	Size		bucket_count;
	Size		bucket_capacity;
	StringInfoData texts;		/* piece not yet in "text_pieces" */
	List	   *text_pieces;	/* of StringInfo, each below 1 GB */
	uint64		text_bytes;
	float	   *row;			/* stride floats */
} Packing;

/* The texts of a huge vocabulary outgrow one StringInfo. */
#define TEXT_PIECE (64 * 1024 * 1024)

static uint64
pack_text(Packing *packing, const char *text, int length)
{
	uint64		offset = packing->text_bytes;

	if (packing->texts.len + length > TEXT_PIECE && packing->texts.len > 0)
	{
		StringInfo	piece = palloc(sizeof(StringInfoData));

		*piece = packing->texts;
		packing->text_pieces = lappend(packing->text_pieces, piece);
		initStringInfo(&packing->texts);
	}
	appendBinaryStringInfo(&packing->texts, text, length);
	packing->text_bytes += length;
	return offset;
}

static void
report_row(const ModelReader *reader, int32 id, const char *detail)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_DATA_EXCEPTION),
		 errmsg("row %d of embedding model \"%s\" cannot be used", id,
				model_reader_description((ModelReader *) reader)->table_name),
		 errdetail_internal("%s", detail)));
}

static void
pack_vector(Packing *packing, ModelReader *reader, int32 id, Datum datum)
{
	Vector	   *vector = DatumGetVector(datum);

	if (packing->row == NULL)
	{
		packing->totals.dims = vector->dims;
		packing->totals.stride = TYPEALIGN(ROW_LANES, vector->dims);
		packing->row = palloc0(sizeof(float) * packing->totals.stride);
	}
	if (vector->dims != packing->totals.dims)
		report_row(reader, id,
				   psprintf("Its vector has %d dimensions, others have %d.",
							vector->dims, packing->totals.dims));
	memcpy(packing->row, vector->x, sizeof(float) * vector->dims);
	image_append(packing->builder, packing->row,
				 sizeof(float) * packing->totals.stride);
	packing->rows++;
	if ((Pointer) vector != DatumGetPointer(datum))
		pfree(vector);
}

/* Squares of a vector's elements add up to no float beyond these. */
#define LEAST_SQUARE	1e-30f
#define MOST_SQUARE		1e30f

float
words_inverse_norm(int dims, const float *row)
{
	float		square = vector_inner_kernel(dims, row, row);
	double		exact = 0;
	double		inverse;

	if (square > LEAST_SQUARE && square < MOST_SQUARE)
		return 1 / sqrtf(square);
	for (int d = 0; d < dims; d++)
		exact += (double) row[d] * row[d];
	inverse = exact > 0 ? 1 / sqrt(exact) : 0;
	return inverse <= FLT_MAX ? (float) inverse : 0;
}

void
words_entry_init(WordEntry *entry, const Datum *values, const bool *nulls,
				 const float *row, int dims)
{
	memset(entry, 0, sizeof(WordEntry));
	entry->id = DatumGetInt32(values[WORDS_ID]);
	entry->documents = nulls[WORDS_DOCUMENTS] ? -1 :
		DatumGetInt64(values[WORDS_DOCUMENTS]);
	entry->occurrences = nulls[WORDS_OCCURRENCES] ? -1 :
		DatumGetInt64(values[WORDS_OCCURRENCES]);
	entry->inverse_norm = words_inverse_norm(dims, row);
}

void
words_totals_set(WordsTotals *totals, ModelReader *reader)
{
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS];

	model_reader_header(reader, values, nulls);
	totals->documents = nulls[WORDS_DOCUMENTS] ? -1 :
		DatumGetInt64(values[WORDS_DOCUMENTS]);
	totals->occurrences = nulls[WORDS_OCCURRENCES] ? -1 :
		DatumGetInt64(values[WORDS_OCCURRENCES]);
}

/* The weight of the term that is packed next */
static void
pack_weight(Packing *packing, ModelReader *reader, int32 id, double weight)
{
	if (!isfinite(weight))
		report_row(reader, id, "Its weight is not a finite number.");
	packing->weights[packing->rows] = weight;
}

static void
pack_word(Packing *packing, ModelReader *reader, Datum *values, bool *nulls,
		  double weight)
{
	text	   *word = DatumGetTextPP(values[WORDS_WORD]);
	int32		row = packing->rows;
	WordEntry  *entry;

	if ((Size) packing->totals.words == packing->entry_capacity)
	{
		packing->entry_capacity *= 2;
		packing->entries = repalloc_huge(
			packing->entries, sizeof(WordEntry) * packing->entry_capacity);
		if (packing->terms)
			packing->weights = repalloc_huge(
				packing->weights, sizeof(double) * packing->entry_capacity);
	}
	if (packing->terms)
		pack_weight(packing, reader, DatumGetInt32(values[WORDS_ID]), weight);
	pack_vector(packing, reader, DatumGetInt32(values[WORDS_ID]),
				values[WORDS_VECTOR]);
	entry = &packing->entries[packing->totals.words++];
	words_entry_init(entry, values, nulls, packing->row,
					 packing->totals.dims);
	entry->row = row;
	entry->length = VARSIZE_ANY_EXHDR(word);
	entry->text = pack_text(packing, VARDATA_ANY(word), entry->length);
	packing->totals.last_id = Max(packing->totals.last_id, entry->id);
	if ((Pointer) word != DatumGetPointer(values[WORDS_WORD]))
		pfree(word);
}

static void
pack_bucket(Packing *packing, ModelReader *reader, Datum *values)
{
	BucketSlot *slot;

	if (packing->bucket_count == packing->bucket_capacity)
	{
		packing->bucket_capacity = Max(packing->bucket_capacity * 2, 1024);
		packing->buckets = packing->buckets == NULL ?
			palloc(sizeof(BucketSlot) * packing->bucket_capacity) :
			repalloc_huge(packing->buckets,
						  sizeof(BucketSlot) * packing->bucket_capacity);
	}
	slot = &packing->buckets[packing->bucket_count++];
	slot->bucket = DatumGetInt32(values[WORDS_ID]) - WORDS_FIRST_BUCKET;
	pack_vector(packing, reader, DatumGetInt32(values[WORDS_ID]),
				values[WORDS_VECTOR]);
	slot->row = packing->rows;
}

/*
 * A row of terms in the shape of one of words; returns its weight, NAN where
 * it has none.
 */
static double
words_of_terms(Datum *values, bool *nulls)
{
	double		weight = nulls[TERMS_WEIGHT] ? NAN :
		DatumGetFloat8(values[TERMS_WEIGHT]);

	values[WORDS_VECTOR] = values[TERMS_VECTOR];
	nulls[WORDS_VECTOR] = nulls[TERMS_VECTOR];
	nulls[WORDS_DOCUMENTS] = nulls[WORDS_OCCURRENCES] = true;
	return weight;
}

static void
pack_rows(Packing *packing, ModelReader *reader)
{
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS];
	double		weight = 0;

	if (packing->terms)
		packing->totals.documents = packing->totals.occurrences = -1;
	else
		words_totals_set(&packing->totals, reader);
	while (model_reader_next(reader, values, nulls))
	{
		int32		id;

		CHECK_FOR_INTERRUPTS();
		if (nulls[WORDS_ID])
			continue;
		id = DatumGetInt32(values[WORDS_ID]);
		if (packing->terms)
			weight = words_of_terms(values, nulls);
		if (nulls[WORDS_VECTOR])
			report_row(reader, id, "It has no vector.");
		if (!nulls[WORDS_WORD])
			pack_word(packing, reader, values, nulls, weight);
		else if (id >= WORDS_FIRST_BUCKET && !packing->terms)
			pack_bucket(packing, reader, values);
		else
			report_row(reader, id, "It has no word.");
	}
}

static Size
slot_count(Size entries)
{
	Size		slots = 16;

	while (slots < entries * 2)
		slots *= 2;
	return slots;
}

static int
compare_entries(const void *a, const void *b)
{
	int32		x = ((const WordEntry *) a)->id;
	int32		y = ((const WordEntry *) b)->id;

	CHECK_FOR_INTERRUPTS();
	return x < y ? -1 : x > y;
}

/* Rows that were changed lie behind others that were not. */
static void
sort_entries(Packing *packing)
{
	for (int32 i = 1; i < packing->totals.words; i++)
	{
		if (packing->entries[i - 1].id <= packing->entries[i].id)
			continue;
		qsort(packing->entries, packing->totals.words, sizeof(WordEntry),
			  compare_entries);
		return;
	}
}

/*
 * Of equal words (the table allows them) the one with the lower id is found,
 * which comes first.
 */
static void
pack_slots(Packing *packing, const char *texts)
{
	Size		count = slot_count(packing->totals.words);
	WordSlot   *slots = palloc_extended(sizeof(WordSlot) * count,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int32 i = 0; i < packing->totals.words; i++)
	{
		const WordEntry *entry = &packing->entries[i];
		const char *word = texts + entry->text;
		uint64		hash = hash_bytes64(word, entry->length);
		Size		slot = hash & (count - 1);

		for (; slots[slot].entry != 0; slot = (slot + 1) & (count - 1))
		{
			const WordEntry *other = &packing->entries[slots[slot].entry - 1];

			if (other->length == entry->length &&
				memcmp(texts + other->text, word,
					   entry->length) == 0)
				break;
		}
		if (slots[slot].entry == 0)
		{
			slots[slot].tag = (uint32) (hash >> 32);
			slots[slot].entry = i + 1;
		}
	}
	image_begin_section(packing->builder, WORDS_SECTION_SLOTS);
	image_append(packing->builder, slots, sizeof(WordSlot) * count);
	pfree(slots);
}

static void
pack_bucket_slots(Packing *packing)
{
	Size		count = slot_count(packing->bucket_count);
	BucketSlot *slots;

	if (packing->bucket_count == 0)
		return;
	slots = palloc_extended(sizeof(BucketSlot) * count,
							MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (Size i = 0; i < packing->bucket_count; i++)
	{
		Size		slot = packing->buckets[i].bucket & (count - 1);

		while (slots[slot].row != 0 &&
			   slots[slot].bucket != packing->buckets[i].bucket)
			slot = (slot + 1) & (count - 1);
		slots[slot] = packing->buckets[i];
	}
	image_begin_section(packing->builder, WORDS_SECTION_BUCKETS);
	image_append(packing->builder, slots, sizeof(BucketSlot) * count);
	pfree(slots);
}

/* All texts in one piece, which the slots need and the image holds. */
static char *
join_texts(Packing *packing)
{
	char	   *texts = palloc_extended(Max(packing->text_bytes, 1),
										MCXT_ALLOC_HUGE);
	char	   *at = texts;
	ListCell   *cell;

	foreach(cell, packing->text_pieces)
	{
		StringInfo	piece = lfirst(cell);

		memcpy(at, piece->data, piece->len);
		at += piece->len;
		pfree(piece->data);
	}
	memcpy(at, packing->texts.data, packing->texts.len);
	return texts;
}

static void
build_image(ImageBuilder *builder, ModelReader *reader, bool terms)
{
	Packing		packing = {0};
	char	   *texts;

	packing.builder = builder;
	packing.terms = terms;
	packing.entry_capacity = 1024;
	packing.entries = palloc(sizeof(WordEntry) * packing.entry_capacity);
	if (terms)
		packing.weights = palloc(sizeof(double) * packing.entry_capacity);
	initStringInfo(&packing.texts);

	image_begin_section(builder, WORDS_SECTION_MATRIX);
	pack_rows(&packing, reader);
	sort_entries(&packing);
	image_begin_section(builder, WORDS_SECTION_TOTALS);
	image_append(builder, &packing.totals, sizeof(WordsTotals));
	image_begin_section(builder, WORDS_SECTION_ENTRIES);
	image_append(builder, packing.entries,
				 sizeof(WordEntry) * packing.totals.words);
	texts = join_texts(&packing);
	image_begin_section(builder, WORDS_SECTION_TEXTS);
	image_append(builder, texts, packing.text_bytes);
	pack_slots(&packing, texts);
	pack_bucket_slots(&packing);
	if (!terms)
		return;
	image_begin_section(builder, WORDS_SECTION_WEIGHTS);
	image_append(builder, packing.weights, sizeof(double) * packing.rows);
}

void
words_build_image(ImageBuilder *builder, ModelReader *reader)
{
	build_image(builder, reader, false);
}

void
terms_build_image(ImageBuilder *builder, ModelReader *reader)
{
	build_image(builder, reader, true);
}
