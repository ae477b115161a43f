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
#include "server/server.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/memo.h"

#define FIRST_SLOTS 1024
#define BLOCK_SIZE	(32 * 1024)

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
	char	   *block;			/* entries are cut from it */
	Size		block_left;
};

static void
memo_clear(Memo *memo)
{
	MemoryContextReset(memo->context);
	memo->slots = NULL;
	memo->slot_count = 0;
	memo->used = 0;
	memo->bytes = 0;
	memo->block_left = 0;
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

	if (memo != NULL && memo->config == config &&
		memo->generation == generation)
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

static inline const char *
entry_text(const MemoEntry *entry)
{
	return (const char *) &entry->lexemes[entry->count];
}

static inline MemoSlot *
find_slot(Memo *memo, uint64 hash, int type, const char *text, int length)
{
	uint32		mask = memo->slot_count - 1;

	for (uint32 i = (uint32) hash & mask;; i = (i + 1) & mask)
	{
		MemoSlot   *slot = &memo->slots[i];

		if (slot->entry == NULL ||
			(slot->hash == hash && slot->entry->type == type &&
			 slot->entry->length == length &&
			 memcmp(entry_text(slot->entry), text, (size_t) length) == 0))
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
	uint32		new_count = old_count ? old_count * 2 : FIRST_SLOTS;

	/* nothing is changed before there is memory: the memo outlives errors */
	memo->slots =
		MemoryContextAllocExtended(memo->context, sizeof(MemoSlot) * new_count,
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	memo->slot_count = new_count;
	for (uint32 i = 0; i < old_count; i++)
		if (old[i].entry != NULL)
			*find_slot(memo, old[i].hash, old[i].entry->type,
					   entry_text(old[i].entry),
					   old[i].entry->length) = old[i];
	if (old != NULL)
		pfree(old);
	memo->bytes += sizeof(MemoSlot) * (memo->slot_count - old_count);
}

/* Room for an entry; there are too many for a header each. */
static void *
allocate(Memo *memo, Size size)
{
	void	   *result;

	size = MAXALIGN(size);
	if (size > memo->block_left)
	{
		Size		block = Max(size, BLOCK_SIZE);

		memo->block = MemoryContextAllocHuge(memo->context, block);
		memo->block_left = block;
		memo->bytes += block;
	}
	result = memo->block;
	memo->block += size;
	memo->block_left -= size;
	return result;
}

MemoEntry *
memo_add(Memo *memo, uint64 hash, int type, const char *text, int length,
		 const Token *tokens, int count, int advance)
{
	Size		size = offsetof(MemoEntry, lexemes) +
					   sizeof(MemoLexeme) * count + length;
	MemoEntry  *entry;
	MemoSlot   *slot;
	char	   *bytes;
	int			position = -1;

	for (int i = 0; i < count; i++)
		size += tokens[i].length;
	if (size > PG_UINT16_MAX || advance > PG_UINT16_MAX)
		return NULL;
	if (memo->used >= memo->slot_count / 2)
		grow(memo);

	entry = allocate(memo, size);
	entry->type = (int16) type;
	entry->length = (uint16) length;
	entry->count = (uint16) count;
	bytes = (char *) &entry->lexemes[count];
	memcpy(bytes, text, (size_t) length);
	bytes += length;
	for (int i = 0; i < count; i++)
	{
		MemoLexeme *lexeme = &entry->lexemes[i];

		lexeme->hash = tokens[i].hash;
		lexeme->offset = (uint32) (bytes - (char *) entry);
		lexeme->length = (uint16) tokens[i].length;
		lexeme->start = (uint16) tokens[i].start;
		lexeme->source_length = (uint16) tokens[i].source_length;
		lexeme->advance = (uint16) (tokens[i].position - position);
		position = tokens[i].position;
		memcpy(bytes, tokens[i].text, (size_t) tokens[i].length);
		bytes += tokens[i].length;
	}
	entry->advance = (uint16) (advance - 1 - position);

	slot = find_slot(memo, hash, type, text, length);
	slot->hash = hash;
	slot->entry = entry;
	memo->used++;
	return entry;
}
