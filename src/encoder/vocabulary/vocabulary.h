/*-------------------------------------------------------------------------
 *
 * vocabulary.h
 *	  The vocabulary model as its functions see it.
 *
 * A table (id, term, documents, occurrences).  Row 0 holds the number of
 * documents and of all terms in them.  Positive ids are the vocabulary: id n
 * is the n-th element of every vector made with it.  Negative ids are the
 * terms under the cut, kept so that add_documents can count on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_VOCABULARY_H
#define VOCABULARY_VOCABULARY_H

#include "server/server.h"

#include "encoder/vocabulary/hidden_terms.h"
#include "encoder/vocabulary/terms.h"
#include "encoder/vocabulary/weighting.h"
#include "model/model.h"

/* columns of the table, in this order */
#define VOCABULARY_ID			0
#define VOCABULARY_TERM			1
#define VOCABULARY_DOCUMENTS	2
#define VOCABULARY_OCCURRENCES	3
#define VOCABULARY_COLUMNS		4

/*
 * The last element of every vector stands for no term: bm25l keeps there
 * what absent terms add to a score.
 */
#define VOCABULARY_MAX_ID(dims)	((dims) - 1)

extern const ModelMethod vocabulary_method;
extern const OptionDeclaration vocabulary_options[];
extern void vocabulary_init(void);	/* called from _PG_init */

extern const char *const sort_by_names[];	/* as TermOrder */

/* ---------- image ---------- */

/* sections of the image */
enum
{
	VOCABULARY_SECTION_TOTALS,	/* one VocabularyTotals */
	VOCABULARY_SECTION_SLOTS,	/* VocabularySlot, a power of two of them */
	VOCABULARY_SECTION_TERMS,	/* VocabularyEntry, by id */
	VOCABULARY_SECTION_TEXTS,	/* bytes */
	VOCABULARY_SECTION_HIDDEN,	/* HiddenSlot, a power of two of them */
	VOCABULARY_SECTIONS
};

/* raised whenever a struct below changes */
#define VOCABULARY_IMAGE_FORMAT	3

typedef struct VocabularyTotals
{
	int64		documents;
	int64		occurrences;
	int64		max_documents;	/* of the most widespread term */
	int64		terms;
	int64		hidden;			/* slots taken of terms under the cut */
	int64		hidden_documents;	/* of each of these terms, at most */
} VocabularyTotals;

typedef struct VocabularySlot
{
	uint64		key;			/* text_key */
	uint32		entry;			/* its number plus one, 0: empty */
	int32		length;
} VocabularySlot;

typedef struct VocabularyEntry
{
	uint64		text;			/* offset */
	int64		documents;
	int32		length;
	int32		id;
} VocabularyEntry;

StaticAssertDecl(sizeof(VocabularyTotals) == 48, "vocabulary image layout");
StaticAssertDecl(sizeof(VocabularySlot) == 16, "vocabulary image layout");
StaticAssertDecl(sizeof(VocabularyEntry) == 24, "vocabulary image layout");

/* an opened image; points into it */
typedef struct Vocabulary
{
	const VocabularyTotals *totals;
	const VocabularySlot *slots;
	uint32		slot_mask;
	const VocabularyEntry *entries;
	const char *texts;
	const HiddenSlot *hidden;
	Size		hidden_slots;
	int			dims;
} Vocabulary;

extern bool vocabulary_patch_image(ImagePatch *patch, ModelReader *reader);
extern void vocabulary_attach(Vocabulary *vocabulary, const Model *model);
extern void vocabulary_term_options(TermOptions *options,
									const ModelDescription *description);

/* the number of a term's entry, or -1 */
static inline int32
vocabulary_find(const Vocabulary *vocabulary, const Term *term)
{
	uint32		at = (uint32) term->hash & vocabulary->slot_mask;

	for (; vocabulary->slots[at].entry != 0;
		 at = (at + 1) & vocabulary->slot_mask)
	{
		const VocabularySlot *slot = &vocabulary->slots[at];

		if (slot->key == term->key && slot->length == term->length &&
			(term->length <= TEXT_KEY_BYTES ||
			 long_texts_equal(vocabulary->texts +
								  vocabulary->entries[slot->entry - 1].text,
							  term->text, term->length)))
			return (int32) slot->entry - 1;
	}
	return -1;
}

/* the entry of an id among entries in the order of ids, or NULL */
extern const VocabularyEntry *
vocabulary_entry_among(const VocabularyEntry *entries, int64 count, int id);

/*
 * The idf of an entry, by its number, which may be infinite; and the error
 * that says so (tfidf.c).
 */
extern double vocabulary_idf(const Vocabulary *vocabulary,
							 const Weighting *weighting, int entry);
extern void vocabulary_refuse_idf(const Vocabulary *vocabulary,
								  const VocabularyEntry *entry);

/* the entry of an id, or NULL */
extern const VocabularyEntry *
vocabulary_entry_of_id(const Vocabulary *vocabulary, int id);

#endif							/* VOCABULARY_VOCABULARY_H */
