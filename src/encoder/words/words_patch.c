/*-------------------------------------------------------------------------
 *
 * words_patch.c
 *	  The image of word vectors, made of an older one.
 *
 * Vectors and counts of known words change in place; new words come at the
 * end of the entries, since they have the highest ids, and their vectors at
 * the end of the matrix.  Anything else is left to the build.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/words/word_model.h"
#include "math/hash.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* slots taken at most, of eight; a build begins with two to four */
#define PATCH_FULL_EIGHTHS	5

/* A word that the older image does not have; its row is in the matrix */
typedef struct NewWord
{
	WordEntry	entry;			/* without the text's place */
	text	   *word;
} NewWord;

typedef struct Patching
{
	ImagePatch *patch;
	WordsTotals *totals;
	WordEntry  *entries;
	WordSlot   *slots;
	Size		slot_count;
	BucketSlot *bucket_slots;
	Size		bucket_slot_count;
	Size		buckets;
	int32		rows;			/* of the matrix */
	float	   *row;			/* stride floats */
	NewWord    *words;
	Size		count;
	Size		capacity;
} Patching;

static bool
is_full(Size used, Size slots)
{
	return used * 8 > slots * PATCH_FULL_EIGHTHS;
}

static const char *
text_of(const Patching *patching, const WordEntry *entry)
{
	return (char *) image_patch_section(patching->patch, WORDS_SECTION_TEXTS,
										NULL) + entry->text;
}

/* ---------- vectors ---------- */

/* A vector as a row of the matrix; false: it is not like the others */
static bool
read_vector(Patching *patching, Datum datum)
{
	Vector	   *vector = DatumGetVector(datum);
	bool		fits = vector->dims == patching->totals->dims;

	if (fits)
		memcpy(patching->row, vector->x, sizeof(float) * vector->dims);
	if ((Pointer) vector != DatumGetPointer(datum))
		pfree(vector);
	return fits;
}

static void
set_row(Patching *patching, int32 row)
{
	Size		stride = patching->totals->stride;
	float	   *matrix = image_patch_section(patching->patch,
											 WORDS_SECTION_MATRIX, NULL);

	memcpy(matrix + stride * row, patching->row, sizeof(float) * stride);
}

/* False: there is no room for one more */
static bool
append_row(Patching *patching, int32 *row)
{
	*row = patching->rows++;
	return image_patch_append(patching->patch, WORDS_SECTION_MATRIX,
							  patching->row,
							  sizeof(float) * patching->totals->stride);
}

/* ---------- new words ---------- */

static bool
collect_new_word(Patching *patching, const WordEntry *entry, const text *word)
{
	NewWord    *added;
	Size		bytes = VARSIZE_ANY(word);

	if (patching->count == patching->capacity)
	{
		patching->capacity = Max(64, patching->capacity * 2);
		patching->words = patching->words == NULL ?
			palloc(sizeof(NewWord) * patching->capacity) :
			repalloc_huge(patching->words,
						  sizeof(NewWord) * patching->capacity);
	}
	added = &patching->words[patching->count++];
	added->entry = *entry;
	added->word = palloc(bytes);
	memcpy(added->word, word, bytes);
	return append_row(patching, &added->entry.row);
}

static int
compare_new_words(const void *a, const void *b)
{
	int32		x = ((const NewWord *) a)->entry.id;
	int32		y = ((const NewWord *) b)->entry.id;

	return x < y ? -1 : x > y;
}

/*
 * Of equal words that with the lower id is found, and a new one has the
 * highest: it takes a slot only if there is no such word.
 */
static void
set_slot(Patching *patching, const char *word, int length, uint32 number)
{
	uint64		hash = hash_bytes64(word, length);
	uint32		tag = (uint32) (hash >> 32);
	Size		mask = patching->slot_count - 1;
	Size		at = hash & mask;

	for (; patching->slots[at].entry != 0; at = (at + 1) & mask)
	{
		const WordEntry *other;

		if (patching->slots[at].tag != tag)
			continue;
		other = &patching->entries[patching->slots[at].entry - 1];
		if (other->length == length &&
			memcmp(text_of(patching, other), word, length) == 0)
			return;
	}
	patching->slots[at].tag = tag;
	patching->slots[at].entry = number;
}

static bool
add_word(Patching *patching, const NewWord *added)
{
	WordsTotals *totals = patching->totals;
	WordEntry	entry = added->entry;
	const char *word = VARDATA_ANY(added->word);

	if (entry.id <= totals->last_id ||
		is_full((Size) totals->words + 1, patching->slot_count))
		return false;
	(void) image_patch_section(patching->patch, WORDS_SECTION_TEXTS,
							   &entry.text);
	if (!image_patch_append(patching->patch, WORDS_SECTION_TEXTS, word,
							entry.length) ||
		!image_patch_append(patching->patch, WORDS_SECTION_ENTRIES, &entry,
							sizeof(entry)))
		return false;
	set_slot(patching, word, entry.length, (uint32) ++totals->words);
	totals->last_id = entry.id;
	return true;
}

static bool
add_words(Patching *patching)
{
	if (patching->count > 0)
		qsort(patching->words, patching->count, sizeof(NewWord),
			  compare_new_words);
	for (Size i = 0; i < patching->count; i++)
		if (!add_word(patching, &patching->words[i]))
			return false;
	return true;
}

/* ---------- rows ---------- */

/* The entry with this id, or NULL */
static WordEntry *
find_entry(const Patching *patching, int32 id)
{
	int32		low = 0;
	int32		high = patching->totals->words;

	while (low < high)
	{
		int32		middle = low + (high - low) / 2;

		if (patching->entries[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < patching->totals->words &&
		patching->entries[low].id == id ? &patching->entries[low] : NULL;
}

/* Takes the word's vector from patching->row. */
static bool
patch_word(Patching *patching, const Datum *values, const bool *nulls)
{
	text	   *word = DatumGetTextPP(values[WORDS_WORD]);
	WordEntry	entry = {0};
	WordEntry  *known;
	bool		fits;

	words_entry_init(&entry, values, nulls, patching->row,
					 patching->totals->dims);
	entry.length = VARSIZE_ANY_EXHDR(word);
	known = find_entry(patching, entry.id);
	if (known == NULL)
		fits = collect_new_word(patching, &entry, word);
	else
	{
		fits = known->length == entry.length &&
			memcmp(text_of(patching, known), VARDATA_ANY(word),
				   entry.length) == 0;
		known->documents = entry.documents;
		known->occurrences = entry.occurrences;
		known->inverse_norm = entry.inverse_norm;
		set_row(patching, known->row);
	}
	if ((Pointer) word != DatumGetPointer(values[WORDS_WORD]))
		pfree(word);
	return fits;
}

/* Likewise, of a bucket */
static bool
patch_bucket(Patching *patching, uint32 bucket)
{
	Size		mask = patching->bucket_slot_count - 1;
	Size		at = bucket & mask;
	int32		row;

	if (is_full(patching->buckets + 1, patching->bucket_slot_count))
		return false;
	for (; patching->bucket_slots[at].row != 0; at = (at + 1) & mask)
	{
		if (patching->bucket_slots[at].bucket == bucket)
		{
			set_row(patching, patching->bucket_slots[at].row - 1);
			return true;
		}
	}
	if (!append_row(patching, &row))
		return false;
	patching->bucket_slots[at].bucket = bucket;
	patching->bucket_slots[at].row = row + 1;
	patching->buckets++;
	return true;
}

/*
 * False: only a build can tell what to make of this row.  What has an id of a
 * bucket and a word, or neither, is such.
 */
static bool
patch_row(Patching *patching, const Datum *values, const bool *nulls)
{
	int32		id = DatumGetInt32(values[WORDS_ID]);
	bool		is_bucket = id >= WORDS_FIRST_BUCKET;

	if (id < 1 || nulls[WORDS_VECTOR] || nulls[WORDS_WORD] != is_bucket ||
		!read_vector(patching, values[WORDS_VECTOR]))
		return false;
	return is_bucket ? patch_bucket(patching, id - WORDS_FIRST_BUCKET) :
		patch_word(patching, values, nulls);
}

/* ---------- beginning ---------- */

static void
find_sections(Patching *patching)
{
	ImagePatch *patch = patching->patch;
	Size		bytes;

	patching->totals = image_patch_section(patch, WORDS_SECTION_TOTALS, NULL);
	patching->entries = image_patch_section(patch, WORDS_SECTION_ENTRIES,
											NULL);
	patching->slots = image_patch_section(patch, WORDS_SECTION_SLOTS, &bytes);
	patching->slot_count = bytes / sizeof(WordSlot);
	patching->bucket_slots = image_patch_section(patch, WORDS_SECTION_BUCKETS,
												 &bytes);
	patching->bucket_slot_count = bytes / sizeof(BucketSlot);
	(void) image_patch_section(patch, WORDS_SECTION_MATRIX, &bytes);
	patching->rows = patching->totals->stride == 0 ? 0 :
		bytes / (sizeof(float) * patching->totals->stride);
	patching->buckets = patching->rows - patching->totals->words;
}

/*
 * Whether the older image is of the usual kind.  Without a word there are no
 * dimensions; that a row with an id below 0 is gone nobody would notice; and
 * a word with the id of a bucket may become one.
 */
static bool
is_usual(const Patching *patching)
{
	return patching->totals->words > 0 && patching->entries[0].id > 0 &&
		patching->totals->last_id < WORDS_FIRST_BUCKET;
}

bool
words_patch_image(ImagePatch *patch, ModelReader *reader)
{
	Patching	patching = {.patch = patch};
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS];

	find_sections(&patching);
	if (!is_usual(&patching))
		return false;
	patching.row = palloc0(sizeof(float) * patching.totals->stride);
	words_totals_set(patching.totals, reader);
	while (model_reader_next(reader, values, nulls))
		if (!patch_row(&patching, values, nulls))
			return false;
	return add_words(&patching);
}
