/*-------------------------------------------------------------------------
 *
 * memo.c
 *	  What became of a word: a bounded memory.
 *
 * An open-addressing table of pointers, the hash beside each.  Words follow
 * Zipf's law, so when the memory is full it is simply emptied: the frequent
 * words are back at once.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "math/hash.h"
#include "text/memo.h"

#define FIRST_SLOTS 1024

typedef struct MemoSlot
{
	uint64		hash;
	MemoEntry  *entry;			/* NULL: free */
} MemoSlot;

struct Memo
{
	MemoryContext context;		/* entries and slots */
	MemoSlot   *slots;
	uint32		slot_count;		/* a power of two */
	uint32		used;
	Size		bytes;
};

static void
memo_clear(Memo *memo)
{
	MemoryContextReset(memo->context);
	memo->slots = NULL;
	memo->slot_count = 0;
	memo->used = 0;
	memo->bytes = 0;
}

Memo *
memo_create(void)
{
	Memo	   *memo = palloc(sizeof(Memo));

	memo->context = AllocSetContextCreate(CurrentMemoryContext, "embed memo",
										  ALLOCSET_DEFAULT_SIZES);
	memo_clear(memo);
	return memo;
}

void
memo_trim(Memo *memo)
{
	if (memo->bytes > (Size) work_mem * 1024)
		memo_clear(memo);
}

static MemoSlot *
find_slot(Memo *memo, uint64 hash, int type, const char *text, int length)
{
	uint32		mask = memo->slot_count - 1;

	for (uint32 i = (uint32) hash & mask;; i = (i + 1) & mask)
	{
		MemoSlot   *slot = &memo->slots[i];

		if (slot->entry == NULL ||
			(slot->hash == hash && slot->entry->type == type &&
			 slot->entry->length == length &&
			 memcmp(slot->entry->text, text, (size_t) length) == 0))
			return slot;
	}
}

MemoEntry *
memo_find(Memo *memo, uint64 hash, int type, const char *text, int length)
{
	if (memo->slot_count == 0)
		return NULL;
	return find_slot(memo, hash, type, text, length)->entry;
}

static void
grow(Memo *memo)
{
	MemoSlot   *old = memo->slots;
	uint32		old_count = memo->slot_count;

	memo->slot_count = old_count ? old_count * 2 : FIRST_SLOTS;
	memo->slots = MemoryContextAllocExtended(memo->context,
											 sizeof(MemoSlot) * memo->slot_count,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < old_count; i++)
		if (old[i].entry != NULL)
			*find_slot(memo, old[i].hash, old[i].entry->type, old[i].entry->text,
					   old[i].entry->length) = old[i];
	if (old != NULL)
		pfree(old);
	memo->bytes += sizeof(MemoSlot) * (memo->slot_count - old_count);
}

/* An entry, its lexemes and all texts in one allocation. */
MemoEntry *
memo_add(Memo *memo, uint64 hash, int type, const char *text, int length,
		 const MemoLexeme *lexemes, int count, int advance)
{
	Size		size = sizeof(MemoEntry) + sizeof(MemoLexeme) * count + length;
	MemoEntry  *entry;
	MemoSlot   *slot;
	char	   *bytes;

	for (int i = 0; i < count; i++)
		size += lexemes[i].length;
	if (memo->used >= memo->slot_count / 2)
		grow(memo);

	entry = MemoryContextAlloc(memo->context, size);
	entry->hash = hash;
	entry->type = type;
	entry->length = length;
	entry->advance = advance;
	entry->count = count;
	entry->lexemes = (MemoLexeme *) (entry + 1);
	bytes = (char *) (entry->lexemes + count);
	memcpy(bytes, text, (size_t) length);
	entry->text = bytes;
	bytes += length;
	for (int i = 0; i < count; i++)
	{
		MemoLexeme *lexeme = &entry->lexemes[i];

		*lexeme = lexemes[i];
		memcpy(bytes, lexemes[i].text, (size_t) lexeme->length);
		lexeme->text = bytes;
		bytes += lexeme->length;
		lexeme->hash = hash_bytes64(lexeme->text, (size_t) lexeme->length);
	}

	slot = find_slot(memo, hash, type, text, length);
	slot->hash = hash;
	slot->entry = entry;
	memo->used++;
	memo->bytes += size + 16;	/* the allocator's header */
	return entry;
}
