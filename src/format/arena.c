/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Memory that is taken piece by piece and given back all at once.
 *
 * Blocks grow from 4 kB to 1 MB, each twice as large as the one before; a
 * piece that would not fit a block of 1 MB gets one of its own size.  What is
 * left of a block when a new one is begun is lost: at most half of it all.
 *
 *-------------------------------------------------------------------------
 */
#include "format/arena.h"

#include <stdlib.h>
#include <string.h>

struct ArenaBlock
{
	ArenaBlock *older;
	size_t		size;			/* with this head */
};

#define LEAST_BLOCK ((size_t) 4 << 10)
#define GREATEST_BLOCK ((size_t) 1 << 20)

#define ALIGNED(size) \
	(((size) + ARENA_ALIGNMENT - 1) & ~((size_t) ARENA_ALIGNMENT - 1))
#define HEAD ALIGNED(sizeof(ArenaBlock))

void
arena_begin(Arena *arena, ArenaAllocate allocate, ArenaRelease release,
			void *context, size_t limit)
{
	arena->allocate = allocate;
	arena->release = release;
	arena->context = context;
	arena->limit = limit;
	arena->taken = 0;
	arena->newest = NULL;
	arena->free = NULL;
	arena->end = NULL;
}

void
arena_end(Arena *arena)
{
	ArenaMark	nothing = {NULL, NULL, NULL};

	arena_release(arena, nothing);
}

ArenaMark
arena_mark(const Arena *arena)
{
	ArenaMark	mark = {arena->newest, arena->free, arena->end};

	return mark;
}

void
arena_release(Arena *arena, ArenaMark mark)
{
	while (arena->newest != mark.newest)
	{
		ArenaBlock *block = arena->newest;

		arena->newest = block->older;
		arena->taken -= block->size;
		arena->release(arena->context, block);
	}
	arena->free = mark.free;
	arena->end = mark.end;
}

/* A new block with room for this many bytes; false if there is none. */
static bool
add_block(Arena *arena, size_t wanted)
{
	size_t		size = arena->newest == NULL ? LEAST_BLOCK
											 : arena->newest->size * 2;
	size_t		room = arena->limit - arena->taken;
	ArenaBlock *block;

	if (wanted > room || room - wanted < HEAD)
		return false;
	if (size > GREATEST_BLOCK)
		size = GREATEST_BLOCK;
	if (size > room)
		size = room;
	if (size < HEAD + wanted)
		size = HEAD + wanted;
	block = arena->allocate(arena->context, size);
	if (block == NULL)
		return false;
	block->older = arena->newest;
	block->size = size;
	arena->newest = block;
	arena->taken += size;
	arena->free = (char *) block + HEAD;
	arena->end = (char *) block + size;
	return true;
}

void *
arena_alloc(Arena *arena, size_t size)
{
	void	   *piece;

	if (size > SIZE_MAX - ARENA_ALIGNMENT)
		return NULL;
	size = ALIGNED(size);
	if ((size_t) (arena->end - arena->free) < size && !add_block(arena, size))
		return NULL;

	/* Nothing is asked for before the first block is there. */
	if (arena->free == NULL && !add_block(arena, 0))
		return NULL;
	piece = arena->free;
	arena->free += size;
	return piece;
}

void *
arena_alloc_array(Arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return arena_alloc(arena, count * size);
}

char *
arena_copy(Arena *arena, const void *bytes, size_t length)
{
	char	   *copy;

	if (length == SIZE_MAX)
		return NULL;
	copy = arena_alloc(arena, length + 1);
	if (copy == NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

void *
arena_malloc(void *context, size_t size)
{
	(void) context;
	return malloc(size);
}

void
arena_free(void *context, void *block)
{
	(void) context;
	free(block);
}
