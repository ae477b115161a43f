/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  Memory that is taken piece by piece and given back all at once.
 *
 * What a parser builds is of a size that the file decides, so it is taken
 * from an arena, whose owner says where memory comes from and how much there
 * may be.  A failure is NULL, never an exit: the parser turns it into
 * FORMAT_OUT_OF_MEMORY.  An arena over a MemoryContext needs no release
 * function that does anything: whoever resets the context gets all back, also
 * after an error that passed through the parser.
 *
 *		Arena		arena;
 *
 *		arena_begin(&arena, arena_malloc, arena_free, NULL, 64 << 20);
 *		values = arena_alloc_array(&arena, count, sizeof(*values));
 *		if (values == NULL)
 *			...
 *		arena_end(&arena);
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_ARENA_H
#define FORMAT_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of this size, aligned as malloc aligns, or NULL. */
typedef void *(*ArenaAllocate) (void *context, size_t size);
typedef void (*ArenaRelease) (void *context, void *block);

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena
{
	ArenaAllocate allocate;
	ArenaRelease release;
	void	   *context;
	size_t		limit;			/* of the bytes taken from "allocate" */
	size_t		taken;
	ArenaBlock *newest;
	char	   *free;			/* the unused end of the newest block */
	char	   *end;
} Arena;

/* What every piece is aligned to. */
#define ARENA_ALIGNMENT 16

extern void arena_begin(Arena *arena, ArenaAllocate allocate,
						ArenaRelease release, void *context, size_t limit);

/* Gives back everything. */
extern void arena_end(Arena *arena);

/* Not cleared; NULL beyond the limit or when there is no memory. */
extern void *arena_alloc(Arena *arena, size_t size);

/* The same for count * size bytes, which may overflow. */
extern void *arena_alloc_array(Arena *arena, size_t count, size_t size);

/* A copy, with a zero byte after it. */
extern char *arena_copy(Arena *arena, const void *bytes, size_t length);

/*
 * Memory for a while: everything taken after the mark is given back, in the
 * manner of a stack.
 */
typedef struct ArenaMark
{
	ArenaBlock *newest;
	char	   *free;
	char	   *end;
} ArenaMark;

extern ArenaMark arena_mark(const Arena *arena);
extern void arena_release(Arena *arena, ArenaMark mark);

/* For programs without a server: malloc and free, whatever the context. */
extern void *arena_malloc(void *context, size_t size);
extern void arena_free(void *context, void *block);

#endif							/* FORMAT_ARENA_H */
