/*-------------------------------------------------------------------------
 *
 * memo.c
 *	  What became of a word: a bounded memory.
 *
 * An open-addressing table of pointers, the hash beside each.  Words follow
 * Zipf's law, so when the memory is full it is simply emptied: the frequent
 * words are back at once.
 *
 * A statement makes many short-lived streams, one for each call of split_text
 * for example.  Each memo has one owner at a time, but the one released last
 * stays for the next owner with the same configuration.
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
	Oid			config;
	uint64		generation;
	MemoryContextCallback release;	/* when the owner's context goes */
	MemoryContext home;			/* of this struct, and parent of the next */
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

/* The memo released last, or NULL. */
static Memo *spare = NULL;

static void
memo_release(void *argument)
{
	Memo	   *memo = argument;

	if (spare != NULL)
		MemoryContextDelete(spare->home);
	spare = memo;
}

static Memo *
memo_create(Oid config, uint64 generation)
{
	MemoryContext home = AllocSetContextCreate(TopMemoryContext, "embed memo",
											   ALLOCSET_SMALL_SIZES);
	Memo	   *memo = MemoryContextAllocZero(home, sizeof(Memo));

	memo->home = home;
	memo->config = config;
	memo->generation = generation;
	memo->release.func = memo_release;
	memo->release.arg = memo;
	memo->context = AllocSetContextCreate(home, "embed memo entries",
										  ALLOCSET_DEFAULT_SIZES);
	return memo;
}

Memo *
memo_acquire(Oid config, uint64 generation)
{
	Memo	   *memo = spare;

	if (memo != NULL && memo->config == config && memo->generation == generation)
		spare = NULL;
	else
		memo = memo_create(config, generation);
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &memo->release);
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
