/*-------------------------------------------------------------------------
 *
 * hidden_terms.h
 *	  Where the terms under the cut are: from their hash to their id.
 *
 * A section of the image of a vocabulary, for add_documents alone: a slot for
 * each row with an id below 0.  The text is not there, so a slot says only
 * where to look; and one may be left of a row that has gone.  What matters is
 * that no row is without its slot.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_HIDDEN_TERMS_H
#define VOCABULARY_HIDDEN_TERMS_H

#include "server/server.h"

#include "model/model.h"

typedef struct HiddenSlot
{
	uint32		tag;			/* upper half of the term's hash */
	int32		id;				/* below 0, or 0: empty */
} HiddenSlot;

StaticAssertDecl(sizeof(HiddenSlot) == 8, "vocabulary image layout");

/* As they are collected for a build; all zero at first */
typedef struct HiddenTerms
{
	struct HiddenTerm *list;
	Size		count;
	Size		capacity;
} HiddenTerms;

/* hash: hash_bytes64 of the term */
extern void hidden_terms_add(HiddenTerms *hidden, int32 id, uint64 hash);
extern void hidden_terms_append(HiddenTerms *hidden, ImageBuilder *builder,
								int section);

/*
 * Enter a term unless it is there; count is that of the slots taken.  False:
 * there is no room.
 */
extern bool hidden_terms_patch(HiddenSlot *slots, Size slot_count,
							   int64 *count, int32 id, uint64 hash);

/*
 * The ids that a term may have, one at each call, then 0.  place is 0 at the
 * first call.
 */
extern int32 hidden_terms_next(const HiddenSlot *slots, Size slot_count,
							   uint64 hash, Size *place);

#endif							/* VOCABULARY_HIDDEN_TERMS_H */
