/*-------------------------------------------------------------------------
 *
 * arena_test.c
 *	  Would fail if pieces of an arena overlapped or were not aligned, if the
 *	  limit were exceeded, or if not every block were given back.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "format/arena.h"
#include "math/random.h"

/* An allocator that counts, and fails when told to. */
typedef struct Counter
{
	size_t		blocks;
	size_t		calls_left;
} Counter;

static void *
counted_allocate(void *context, size_t size)
{
	Counter    *counter = context;

	if (counter->calls_left == 0)
		return NULL;
	counter->calls_left--;
	counter->blocks++;
	return exact_alloc(size);
}

static void
counted_release(void *context, void *block)
{
	Counter    *counter = context;

	counter->blocks--;
	free(block);
}

static void
test_pieces(void)
{
	enum
	{
		PIECES = 3000
	};
	static unsigned char *pieces[PIECES];
	static size_t sizes[PIECES];
	Counter		counter = {0, (size_t) -1};
	Arena		arena;
	Random		random;
	size_t		sum = 0;

	random_seed(&random, 1);
	arena_begin(&arena, counted_allocate, counted_release, &counter,
				(size_t) 1 << 40);
	for (int i = 0; i < PIECES; i++)
	{
		sizes[i] = random_next(&random) % (i % 500 == 0 ? 3000000 : 300);
		sum += sizes[i];
		pieces[i] = i % 2 ? arena_alloc(&arena, sizes[i])
						  : arena_alloc_array(&arena, sizes[i], 1);
		CHECK(pieces[i] != NULL && (uintptr_t) pieces[i] % ARENA_ALIGNMENT == 0, "piece %d at %p", i,
			  (void *) pieces[i]);
		memset(pieces[i], i % 251, sizes[i]);
	}
	for (int i = 0; i < PIECES; i++)
	{
		for (size_t k = 0; k < sizes[i]; k++)
			CHECK(pieces[i][k] == i % 251, "piece %d, byte %zu", i, k);
	}
	CHECK(arena.taken >= sum && arena.taken < 2 * sum + (1 << 20), "%zu bytes for %zu",
		  arena.taken, sum);
	arena_end(&arena);
	CHECK(counter.blocks == 0 && arena.taken == 0, "%zu blocks left", counter.blocks);
}

static void
test_limits(void)
{
	Counter		counter = {0, (size_t) -1};
	Arena		arena;

	arena_begin(&arena, counted_allocate, counted_release, &counter, 100000);
	CHECK(arena_alloc(&arena, 99000) != NULL, "99,000 of 100,000 bytes");
	CHECK(arena_alloc(&arena, 1000) == NULL, "more than the limit");
	CHECK(arena_alloc(&arena, 100) != NULL, "what still fits");
	CHECK(arena.taken <= 100000, "%zu bytes taken", arena.taken);
	CHECK(arena_alloc(&arena, SIZE_MAX) == NULL, "SIZE_MAX");
	CHECK(arena_alloc(&arena, SIZE_MAX - 20) == NULL, "SIZE_MAX - 20");
	CHECK(arena_alloc_array(&arena, SIZE_MAX / 2, 3) == NULL, "a product that overflows");
	CHECK(arena_alloc_array(&arena, SIZE_MAX / 8 + 1, 8) == NULL, "a product that is zero");
	CHECK(arena_copy(&arena, "", SIZE_MAX) == NULL, "a copy of SIZE_MAX bytes");
	arena_end(&arena);

	arena_begin(&arena, counted_allocate, counted_release, &counter, 10);
	CHECK(arena_alloc(&arena, 1) == NULL && arena_alloc(&arena, 0) == NULL, "no room for a head");
	arena_end(&arena);

	counter.calls_left = 1;
	arena_begin(&arena, counted_allocate, counted_release, &counter, SIZE_MAX);
	CHECK(arena_alloc(&arena, 0) != NULL, "nothing at all");
	CHECK(arena_alloc(&arena, 1 << 20) == NULL, "out of memory");
	CHECK(strcmp(arena_copy(&arena, "abc", 3), "abc") == 0, "a copy");
	CHECK(strcmp(arena_copy(&arena, NULL, 0), "") == 0, "a copy of nothing");
	arena_end(&arena);
	CHECK(counter.blocks == 0, "%zu blocks left", counter.blocks);
}

static void
test_marks(void)
{
	Counter		counter = {0, (size_t) -1};
	Arena		arena;
	char	   *kept;
	char	   *first = NULL;
	size_t		taken;

	arena_begin(&arena, counted_allocate, counted_release, &counter,
				(size_t) 1 << 30);
	kept = arena_copy(&arena, "kept", 4);
	taken = arena.taken;
	for (int round = 0; round < 5; round++)
	{
		ArenaMark	mark = arena_mark(&arena);
		char	   *piece = arena_alloc(&arena, 100);

		if (first == NULL)
			first = piece;
		CHECK(piece == first, "a piece given back is taken again");
		for (int i = 0; i < 100; i++)
			memset(arena_alloc(&arena, 5000), round, 5000);
		arena_release(&arena, mark);
		CHECK(arena.taken == taken && counter.blocks == 1, "%zu bytes, %zu blocks", arena.taken,
			  counter.blocks);
	}
	CHECK(strcmp(kept, "kept") == 0, "what was there before the mark");
	arena_end(&arena);

	/* a mark on an arena that has nothing yet */
	arena_begin(&arena, counted_allocate, counted_release, &counter,
				(size_t) 1 << 30);
	{
		ArenaMark	mark = arena_mark(&arena);

		arena_alloc(&arena, 10);
		arena_release(&arena, mark);
	}
	CHECK(counter.blocks == 0, "%zu blocks left", counter.blocks);
	CHECK(arena_alloc(&arena, 10) != NULL, "afterwards");
	arena_end(&arena);
}

int
main(void)
{
	test_pieces();
	test_limits();
	test_marks();
	return check_result();
}
