/*-------------------------------------------------------------------------
 *
 * recent.c
 *	  Where in shared memory a backend last found a block.
 *
 * A search pins a hundred pages.  Looking one up in the server's table of
 * buffers takes three or four cache misses, trying the buffer it was in the
 * last time takes one.  A wrong guess does no harm: the server compares the
 * buffer's tag before it pins it (ReadRecentBuffer, PostgreSQL 14).  And a
 * page whose place is known can be brought into the processor's cache before
 * its turn comes.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/index.h"

#if PG_VERSION_NUM >= 140000

#define PLACES		65536

/* After so many hits by guess one goes by the table, which counts a use. */
#define HITS_UNCOUNTED	32

/* by a hash of relation and block; InvalidBuffer: none */
static Buffer *places;
static uint32 hits;

static inline Buffer *
place_of(Relation relation, BlockNumber block)
{
	/* the blocks of a node lie side by side */
	return &places[(block + relation->rd_id * UINT32_C(0x9E3779B1)) % PLACES];
}

Buffer
index_read_buffer(Relation index, BlockNumber block)
{
	Buffer	   *place;

	if (places == NULL)
		places = MemoryContextAllocZero(TopMemoryContext,
										sizeof(Buffer) * PLACES);
	place = place_of(index, block);
	if (*place > 0 && ++hits % HITS_UNCOUNTED != 0 &&
		ReadRecentBuffer(relation_locator(index), MAIN_FORKNUM, block, *place))
	{
		pgstat_count_buffer_read(index);
		pgstat_count_buffer_hit(index);
		return *place;
	}
	*place = ReadBuffer(index, block);
	return *place;
}

void
index_remember_buffer(Relation relation, BlockNumber block, Buffer buffer)
{
	if (places != NULL)
		*place_of(relation, block) = buffer;
}

/*
 * Ask the processor for part of a page that will be read soon.
 *
 * Only addresses are computed: the page may have gone by now, and another may
 * be in its place.
 */
void
index_prefetch(Relation relation, BlockNumber block, int offset, int bytes)
{
	Buffer		buffer = places == NULL ? InvalidBuffer
										: *place_of(relation, block);

	if (buffer > 0)
	{
		const char *page = BufferGetPage(buffer);

		__builtin_prefetch(GetBufferDescriptor(buffer - 1));
		__builtin_prefetch(page);
		for (int at = offset; at < offset + bytes; at += CACHE_LINE)
			__builtin_prefetch(page + at);
	}
}

#else

Buffer
index_read_buffer(Relation index, BlockNumber block)
{
	return ReadBuffer(index, block);
}

void
index_remember_buffer(Relation relation, BlockNumber block, Buffer buffer)
{
}

void
index_prefetch(Relation relation, BlockNumber block, int offset, int bytes)
{
}

#endif
