/*-------------------------------------------------------------------------
 *
 * build.c
 *	  Building an inverted index.
 *
 * Rows are gathered in memory until maintenance_work_mem is used up, sorted by
 * term, and put aside as a run in a temporary file; then all runs are merged
 * into one segment.  The documents of a run all come before those of the next,
 * so merging is concatenation and costs no comparison.  When everything fits
 * in memory no file is written.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"
#include "index/inverted/run.h"

typedef struct BuildState
{
	Relation	index;
	int			metric;
	int			dims;
	Size		memory;			/* for the gathering, in bytes */
	Gathering  *gathering;
	Run		  **run;
	int			runs;
	uint64		rows;
	MemoryContext row_context;
} BuildState;

static void
put_run_aside(BuildState *build)
{
	if (build->runs % 64 == 0)
		build->run = build->run == NULL ? palloc(sizeof(Run *) * 64) :
			repalloc(build->run, sizeof(Run *) * (build->runs + 64));
	gathering_sort(build->gathering);
	build->run[build->runs++] = run_write(build->gathering, BufFileCreateTemp(false));
	gathering_reset(build->gathering);
}

static void
add_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		bool alive, void *opaque)
{
	BuildState *build = opaque;
	SparseVector *vector = NULL;
	MemoryContext old;

	if (build->rows >= INVERTED_MAX_DOCUMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an inverted index cannot hold more than %u rows when it is built",
						INVERTED_MAX_DOCUMENTS),
				 errhint("Partition the table.")));
	if (!isnull[0])
	{
		old = MemoryContextSwitchTo(build->row_context);
		vector = DatumGetSparseVector(values[0]);
		MemoryContextSwitchTo(old);
		if (build->dims == 0)
			build->dims = vector->dims;
		inverted_check_dims(build->dims, vector->dims);
	}
	gathering_add(build->gathering, tid, (uint32) build->rows, vector);
	build->rows++;
	MemoryContextReset(build->row_context);
	if (gathering_bytes(build->gathering) >= build->memory)
		put_run_aside(build);
}

/*
 * Write the one segment of a new index.
 */
static void
write_segment(BuildState *build, InvertedMeta *meta, InvertedSegmentEntry *entry)
{
	SegmentWriter *writer = writer_begin(build->index, meta->next_id,
										 (int) meta->weight_bits, true);
	PostingSource **source = palloc(sizeof(PostingSource *) * (build->runs + 1));
	uint32		first = 0;

	for (int i = 0; i < build->runs; i++)
	{
		source[i] = run_source(build->run[i], writer, first);
		first += build->run[i]->documents;
	}
	for (uint32 i = 0; i < build->gathering->documents; i++)
		writer_add_document(writer, &build->gathering->document[i]);
	source[build->runs] = gathering_source(build->gathering, first);
	writer_add_sources(writer, source, build->runs + 1);
	for (int i = 0; i <= build->runs; i++)
		source[i]->close(source[i]);
	writer_finish(writer, entry);
}

/* Make the segment known, before anybody else can see the index. */
static void
set_segment(BuildState *build, const InvertedSegmentEntry *entry)
{
	Buffer		buffer = ReadBuffer(build->index, INVERTED_META_BLOCK);
	InvertedMeta *meta;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = (InvertedMeta *) InvertedPageData(BufferGetPage(buffer));
	meta->dims = build->dims;
	if (entry != NULL)
	{
		meta->segment[0] = *entry;
		meta->segment_count = 1;
		meta->next_id++;
		meta->tail.first_birth = build->rows;
		meta->structure++;
		inverted_set_meta_length(BufferGetPage(buffer));
	}
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

IndexBuildResult *
inverted_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	BuildState	build = {index};
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	MemoryContext context;
	MemoryContext old;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	inverted_create_meta(index, MAIN_FORKNUM);
	inverted_read_meta(index, meta);

	context = AllocSetContextCreate(CurrentMemoryContext, "inverted build",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	build.metric = meta->metric;
	build.dims = meta->dims;
	build.memory = (Size) maintenance_work_mem * 1024;
	build.gathering = gathering_create(meta->metric);
	build.row_context = AllocSetContextCreate(context, "inverted row", ALLOCSET_DEFAULT_SIZES);

	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, PHASE_SCAN);
	result->heap_tuples = table_index_build_scan(heap, index, info, true, true, add_row,
												 &build, NULL);
	result->index_tuples = build.rows;

	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, PHASE_SORT);
	gathering_sort(build.gathering);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, PHASE_WRITE);
	if (build.rows > 0)
	{
		InvertedSegmentEntry entry;

		write_segment(&build, meta, &entry);
		entry.level = (uint16) inverted_level(entry.documents);
		set_segment(&build, &entry);
	}
	else
		set_segment(&build, NULL);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	pfree(meta);
	return result;
}

void
inverted_build_empty(Relation index)
{
	inverted_create_meta(index, INIT_FORKNUM);
}
