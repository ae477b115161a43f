/*-------------------------------------------------------------------------
 *
 * spool.c
 *	  Rows of a build on disk, divided into partitions.
 *
 * A partition's rows gather in memory until they make a chunk, and chunks
 * are appended to one temporary file as they fill.  A directory says which
 * chunk is whose, so a partition is read by as many seeks as it has chunks.
 * Each process of a parallel build has a file and a directory of its own.
 * Compared with a sort by partition each row is written and read once, and
 * nothing is merged.
 *
 * A row is its address and its vector as it is.  With 16 bits a component, as
 * a share of the largest, narrow clusters far from the origin of index space
 * had codes that erred by up to 37 of the deviations they claimed.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <fcntl.h>

#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "index/ktree/spool.h"

/* A chunk of more rows would gain nothing. */
#define LARGEST_CHUNK	512

typedef struct Chunk
{
	int32		partition;
	int32		rows;
	int32		file_number;	/* place in the file, as BufFileTell says it */
	int32		next;			/* of the same partition, or -1; for a
								 * reader */
	int64		offset;
} Chunk;

typedef struct RowHead
{
	ItemPointerData tid;
	uint16		nulls;			/* of the further key columns */
} RowHead;

struct KtreeSpool
{
	const KtreeLayout *layout;
	int			partitions;
	int			dims;
	Size		row_bytes;
	int			chunk_rows;
	char	   *rows;			/* chunk_rows for each partition */
	int		   *filled;
	BufFile    *file;
	SharedFileSet *files;		/* NULL: not shared */
	int			number;
	Chunk	   *chunks;
	int			chunk_count;
	int			chunk_room;
};

/* One process's file, to be read. */
typedef struct Source
{
	BufFile    *file;
	Chunk	   *chunks;
	int32	   *first;			/* chunk of each partition, or -1 */
} Source;

struct KtreeSpoolReader
{
	const KtreeLayout *layout;
	int			dims;
	Size		row_bytes;
	int			source_count;
	Source	   *sources;
	char	   *rows;			/* of one chunk */
};

/* Where the values of the further key columns are in a row. */
static Size
filters_offset(int dims)
{
	return MAXALIGN(sizeof(RowHead) + sizeof(float) * dims);
}

static Size
row_bytes(const KtreeLayout *layout)
{
	return filters_offset(layout->padded) + sizeof(int64) * layout->filters;
}

static char *
rows_name(int number)
{
	return psprintf("rows.%d", number);
}

static char *
directory_name(int number)
{
	return psprintf("directory.%d", number);
}

KtreeSpool *
ktree_spool_create(int partitions, const KtreeLayout *layout, Size memory,
				   SharedFileSet *files, int number)
{
	KtreeSpool *spool = palloc0(sizeof(KtreeSpool));

	spool->partitions = partitions;
	spool->layout = layout;
	spool->dims = layout->padded;
	spool->row_bytes = row_bytes(layout);
	spool->chunk_rows =
		(int) Min(Max(memory / ((Size) partitions * spool->row_bytes), 1),
				  LARGEST_CHUNK);
	spool->rows = MemoryContextAllocHuge(
		CurrentMemoryContext,
		(Size) partitions * spool->chunk_rows * spool->row_bytes);
	spool->filled = palloc0(sizeof(int) * partitions);
	spool->files = files;
	spool->number = number;
	spool->file = files == NULL ? BufFileCreateTemp(false) :
		BufFileCreateFileSet(FILE_SET(files), rows_name(number));
	spool->chunk_room = 256;
	spool->chunks = palloc(sizeof(Chunk) * spool->chunk_room);
	return spool;
}

static char *
rows_of(const KtreeSpool *spool, int partition)
{
	return spool->rows +
		   (Size) partition * spool->chunk_rows * spool->row_bytes;
}

static void
write_chunk(KtreeSpool *spool, int partition)
{
	Chunk	   *chunk;
	int			file_number;
	off_t		offset;

	CHECK_FOR_INTERRUPTS();
	if (spool->chunk_count == spool->chunk_room)
	{
		spool->chunk_room *= 2;
		spool->chunks = repalloc_huge(
			spool->chunks, sizeof(Chunk) * (Size) spool->chunk_room);
	}
	BufFileTell(spool->file, &file_number, &offset);
	chunk = &spool->chunks[spool->chunk_count++];
	chunk->partition = partition;
	chunk->rows = spool->filled[partition];
	chunk->file_number = file_number;
	chunk->next = -1;
	chunk->offset = offset;
	BufFileWrite(spool->file, rows_of(spool, partition),
				 chunk->rows * spool->row_bytes);
	spool->filled[partition] = 0;
}

void
ktree_spool_add(KtreeSpool *spool, int partition, const float *vector,
				ItemPointer tid, const KtreeFilters *filters)
{
	char	   *row = rows_of(spool, partition) +
					  spool->filled[partition] * spool->row_bytes;
	RowHead    *head = (RowHead *) row;
	int			dims = spool->dims;

	head->tid = *tid;
	head->nulls = filters->nulls;
	memcpy(row + filters_offset(dims), filters->value,
		   sizeof(int64) * spool->layout->filters);
	memcpy(head + 1, vector, sizeof(float) * dims);
	if (++spool->filled[partition] == spool->chunk_rows)
		write_chunk(spool, partition);
}

void
ktree_spool_finish(KtreeSpool *spool)
{
	for (int p = 0; p < spool->partitions; p++)
	{
		if (spool->filled[p] > 0)
			write_chunk(spool, p);
	}
	pfree(spool->rows);
	spool->rows = NULL;
	if (spool->files != NULL)
	{
		BufFile    *directory = BufFileCreateFileSet(
			   FILE_SET(spool->files), directory_name(spool->number));

		BufFileWrite(directory, &spool->chunk_count,
					 sizeof(spool->chunk_count));
		BufFileWrite(directory, spool->chunks,
					 sizeof(Chunk) * (Size) spool->chunk_count);
		BufFileExportFileSet(directory);
		BufFileClose(directory);
		BufFileExportFileSet(spool->file);
		BufFileClose(spool->file);
		spool->file = NULL;
	}
}

/* Link the chunks of each partition. */
static void
link_chunks(Source *source, int count, int partitions)
{
	source->first = palloc(sizeof(int32) * partitions);
	memset(source->first, -1, sizeof(int32) * partitions);
	for (int i = count - 1; i >= 0; i--)
	{
		source->chunks[i].next = source->first[source->chunks[i].partition];
		source->first[source->chunks[i].partition] = i;
	}
}

static KtreeSpoolReader *
create_reader(const KtreeLayout *layout, int sources)
{
	KtreeSpoolReader *reader = palloc0(sizeof(KtreeSpoolReader));

	reader->layout = layout;
	reader->dims = layout->padded;
	reader->row_bytes = row_bytes(layout);
	reader->source_count = sources;
	reader->sources = palloc0(sizeof(Source) * sources);
	reader->rows = palloc(reader->row_bytes * LARGEST_CHUNK);
	return reader;
}

KtreeSpoolReader *
ktree_spool_read_own(KtreeSpool *spool)
{
	KtreeSpoolReader *reader = create_reader(spool->layout, 1);

	reader->sources[0].file = spool->file;
	reader->sources[0].chunks = spool->chunks;
	link_chunks(&reader->sources[0], spool->chunk_count, spool->partitions);
	return reader;
}

KtreeSpoolReader *
ktree_spool_read_shared(int partitions, const KtreeLayout *layout,
						SharedFileSet *files, int processes)
{
	KtreeSpoolReader *reader = create_reader(layout, processes);

	for (int i = 0; i < processes; i++)
	{
		Source	   *source = &reader->sources[i];
		BufFile    *directory = BufFileOpenFileSet(FILE_SET(files),
												   directory_name(i), O_RDONLY,
												   false);
		int			count;

		BufFileReadExact(directory, &count, sizeof(count));
		source->chunks = MemoryContextAllocHuge(
			CurrentMemoryContext, sizeof(Chunk) * (Size) Max(count, 1));
		BufFileReadExact(directory, source->chunks,
						 sizeof(Chunk) * (Size) count);
		BufFileClose(directory);
		link_chunks(source, count, partitions);
		source->file = BufFileOpenFileSet(FILE_SET(files), rows_name(i),
										  O_RDONLY, false);
	}
	return reader;
}

/* Hand out the rows of a partition, in no order. */
void
ktree_spool_partition(KtreeSpoolReader *reader, int partition,
					  KtreeSpoolTake take, void *state)
{
	for (int i = 0; i < reader->source_count; i++)
	{
		Source	   *source = &reader->sources[i];

		for (int32 c = source->first[partition]; c >= 0;
			 c = source->chunks[c].next)
		{
			Chunk	   *chunk = &source->chunks[c];

			CHECK_FOR_INTERRUPTS();
			if (BufFileSeek(source->file, chunk->file_number, chunk->offset,
							SEEK_SET) != 0)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not seek in temporary file: %m")));
			BufFileReadExact(source->file, reader->rows,
							 chunk->rows * reader->row_bytes);
			for (int r = 0; r < chunk->rows; r++)
			{
				RowHead    *head = (RowHead *) (reader->rows +
												r * reader->row_bytes);
				KtreeFilters filters;

				memset(&filters, 0, sizeof(filters));
				filters.nulls = (uint8) head->nulls;
				memcpy(filters.value,
					   (char *) head + filters_offset(reader->dims),
					   sizeof(int64) * reader->layout->filters);
				take(state, (const float *) (head + 1), &head->tid, &filters);
			}
		}
	}
}

void
ktree_spool_close(KtreeSpoolReader *reader)
{
	for (int i = 0; i < reader->source_count; i++)
		BufFileClose(reader->sources[i].file);
	pfree(reader->sources);
	pfree(reader->rows);
	pfree(reader);
}
