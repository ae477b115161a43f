/*-------------------------------------------------------------------------
 *
 * vocabulary_patch.c
 *	  The image of a vocabulary, made of an older one.
 *
 * Counts of known terms change in place; new terms come at the end, since
 * they take the next ids.  Anything else is left to build_image.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/vocabulary.h"
#include "math/hash.h"
#include "utils/builtins.h"

/* slots taken at most, of eight; a build begins with two to four */
#define PATCH_FULL_EIGHTHS	5

typedef struct NewTerm
{
	int32		id;
	int64		documents;
	text	   *term;
} NewTerm;

typedef struct Patching
{
	ImagePatch *patch;
	VocabularyTotals *totals;
	VocabularyEntry *entries;
	VocabularySlot *slots;
	Size		slot_count;
	HiddenSlot *hidden;
	Size		hidden_slots;
	int			max_id;
	bool		lost_maximum;	/* the most widespread term is that no more */
	NewTerm    *terms;
	Size		count;
	Size		capacity;
} Patching;

/* ---------- totals ---------- */

static bool
patch_totals(Patching *patching, ModelReader *reader)
{
	Datum		values[VOCABULARY_COLUMNS];
	bool		nulls[VOCABULARY_COLUMNS];

	model_reader_header(reader, values, nulls);
	if (nulls[VOCABULARY_DOCUMENTS] || nulls[VOCABULARY_OCCURRENCES])
		return false;
	patching->totals->documents = DatumGetInt64(values[VOCABULARY_DOCUMENTS]);
	patching->totals->occurrences =
		DatumGetInt64(values[VOCABULARY_OCCURRENCES]);
	return patching->totals->documents >= 1 &&
		patching->totals->occurrences >= 1;
}

static void
find_maximum(VocabularyTotals *totals, const VocabularyEntry *entries)
{
	totals->max_documents = 0;
	for (int64 i = 0; i < totals->terms; i++)
		totals->max_documents = Max(totals->max_documents,
									entries[i].documents);
}

/* ---------- known terms ---------- */

static void
set_documents(Patching *patching, VocabularyEntry *entry, int64 documents)
{
	if (documents < entry->documents &&
		entry->documents == patching->totals->max_documents)
		patching->lost_maximum = true;
	entry->documents = documents;
	patching->totals->max_documents = Max(patching->totals->max_documents,
										  documents);
}

static bool
has_text(const Patching *patching, const VocabularyEntry *entry,
		 const text *term)
{
	const char *texts = image_patch_section(patching->patch,
											VOCABULARY_SECTION_TEXTS, NULL);

	return entry->length == VARSIZE_ANY_EXHDR(term) &&
		memcmp(texts + entry->text, VARDATA_ANY(term), entry->length) == 0;
}

/* ---------- new terms ---------- */

static void
collect_new_term(Patching *patching, int32 id, int64 documents,
				 const text *term)
{
	NewTerm    *added;
	Size		bytes = VARSIZE_ANY(term);

	if (patching->count == patching->capacity)
	{
		patching->capacity = Max(64, patching->capacity * 2);
		patching->terms = patching->terms == NULL ?
			palloc(sizeof(NewTerm) * patching->capacity) :
			repalloc_huge(patching->terms,
						  sizeof(NewTerm) * patching->capacity);
	}
	added = &patching->terms[patching->count++];
	added->id = id;
	added->documents = documents;
	added->term = palloc(bytes);
	memcpy(added->term, term, bytes);
}

static int
compare_new_terms(const void *a, const void *b)
{
	int32		x = ((const NewTerm *) a)->id;
	int32		y = ((const NewTerm *) b)->id;

	return x < y ? -1 : x > y;
}

/* The slot for a new term; false: the model has the term already */
static bool
find_slot(const Patching *patching, const text *term, uint64 hash, Size *slot)
{
	int			length = VARSIZE_ANY_EXHDR(term);
	uint64		key = text_key(VARDATA_ANY(term), length, hash);
	Size		mask = patching->slot_count - 1;
	Size		at = (uint32) hash & mask;

	for (; patching->slots[at].entry != 0; at = (at + 1) & mask)
	{
		const VocabularySlot *other = &patching->slots[at];

		if (other->key == key && other->length == length &&
			has_text(patching, &patching->entries[other->entry - 1], term))
			return false;
	}
	*slot = at;
	return true;
}

static bool
add_term(Patching *patching, const NewTerm *added)
{
	const char *text = VARDATA_ANY(added->term);
	int			length = VARSIZE_ANY_EXHDR(added->term);
	uint64		hash = hash_bytes64(text, length);
	VocabularyTotals *totals = patching->totals;
	VocabularyEntry entry = {0};
	VocabularySlot *slot;
	Size		at;

	if (totals->terms > 0 &&
		patching->entries[totals->terms - 1].id >= added->id)
		return false;
	if ((uint64) (totals->terms + 1) * 8 >
		(uint64) patching->slot_count * PATCH_FULL_EIGHTHS ||
		!find_slot(patching, added->term, hash, &at))
		return false;
	(void) image_patch_section(patching->patch, VOCABULARY_SECTION_TEXTS,
							   &entry.text);
	entry.id = added->id;
	entry.length = length;
	entry.documents = added->documents;
	if (!image_patch_append(patching->patch, VOCABULARY_SECTION_TEXTS, text,
							length) ||
		!image_patch_append(patching->patch, VOCABULARY_SECTION_TERMS,
							&entry, sizeof(entry)))
		return false;
	slot = &patching->slots[at];
	slot->key = text_key(text, length, hash);
	slot->length = length;
	slot->entry = (uint32) ++totals->terms;
	totals->max_documents = Max(totals->max_documents, added->documents);
	return true;
}

static bool
add_terms(Patching *patching)
{
	if (patching->count > 0)
		qsort(patching->terms, patching->count, sizeof(NewTerm),
			  compare_new_terms);
	for (Size i = 0; i < patching->count; i++)
		if (!add_term(patching, &patching->terms[i]))
			return false;
	return true;
}

/* ---------- rows ---------- */

/*
 * A term under the cut.  Of one that has gone the slot stays, which says no
 * more than where to look.
 */
static bool
patch_hidden(Patching *patching, const Datum *values, const bool *nulls)
{
	VocabularyTotals *totals = patching->totals;
	text	   *term;
	bool		fits;

	if (nulls[VOCABULARY_TERM])
		return true;
	term = DatumGetTextPP(values[VOCABULARY_TERM]);
	fits = hidden_terms_patch(patching->hidden, patching->hidden_slots,
							  &totals->hidden,
							  DatumGetInt32(values[VOCABULARY_ID]),
							  hash_bytes64(VARDATA_ANY(term),
										   VARSIZE_ANY_EXHDR(term)));
	if (!nulls[VOCABULARY_DOCUMENTS])
		totals->hidden_documents =
			Max(totals->hidden_documents,
				DatumGetInt64(values[VOCABULARY_DOCUMENTS]));
	if ((Pointer) term != DatumGetPointer(values[VOCABULARY_TERM]))
		pfree(term);
	return fits;
}

/* False: only a build can tell what to make of this row. */
static bool
patch_row(Patching *patching, const Datum *values, const bool *nulls)
{
	int32		id = DatumGetInt32(values[VOCABULARY_ID]);
	VocabularyEntry *entry;
	int64		documents;
	text	   *term;
	bool		fits = true;

	if (id < 0)
		return patch_hidden(patching, values, nulls);
	if (nulls[VOCABULARY_TERM] || nulls[VOCABULARY_DOCUMENTS] ||
		id > patching->max_id)
		return false;
	documents = DatumGetInt64(values[VOCABULARY_DOCUMENTS]);
	if (documents < 1 || documents > patching->totals->documents)
		return false;
	term = DatumGetTextPP(values[VOCABULARY_TERM]);
	entry = (VocabularyEntry *) vocabulary_entry_among(patching->entries,
													   patching->totals->terms,
													   id);
	if (entry == NULL)
		collect_new_term(patching, id, documents, term);
	else if (has_text(patching, entry, term))
		set_documents(patching, entry, documents);
	else
		fits = false;
	if ((Pointer) term != DatumGetPointer(values[VOCABULARY_TERM]))
		pfree(term);
	return fits;
}

bool
vocabulary_patch_image(ImagePatch *patch, ModelReader *reader)
{
	Patching	patching = {.patch = patch};
	Datum		values[VOCABULARY_COLUMNS];
	bool		nulls[VOCABULARY_COLUMNS];
	Size		bytes;

	patching.totals = image_patch_section(patch, VOCABULARY_SECTION_TOTALS,
										  NULL);
	patching.entries = image_patch_section(patch, VOCABULARY_SECTION_TERMS,
										   NULL);
	patching.slots = image_patch_section(patch, VOCABULARY_SECTION_SLOTS,
										 &bytes);
	patching.slot_count = bytes / sizeof(VocabularySlot);
	patching.hidden = image_patch_section(patch, VOCABULARY_SECTION_HIDDEN,
										  &bytes);
	patching.hidden_slots = bytes / sizeof(HiddenSlot);
	patching.max_id =
		VOCABULARY_MAX_ID(model_option_int(model_reader_description(reader),
										   "dims"));
	if (!patch_totals(&patching, reader))
		return false;
	while (model_reader_next(reader, values, nulls))
		if (!patch_row(&patching, values, nulls))
			return false;
	if (!add_terms(&patching))
		return false;
	if (patching.lost_maximum)
		find_maximum(patching.totals, patching.entries);
	return patching.totals->max_documents <= patching.totals->documents;
}
