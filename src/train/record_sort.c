/*-------------------------------------------------------------------------
 *
 * record_sort.c
 *	  Sorting more small records of one size than fit into memory.
 *
 * Records fill an array.  A full one is sorted by the digits of the keys,
 * lowest first (a radix sort: each digit takes one pass, and digits that are
 * the same in all keys take none), and written to a temporary file as a run.
 * Runs are merged by a heap.  As many as may be merged at once become one
 * when they have come together, so that however many records there are, few
 * files are open.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <fcntl.h>

#include "miscadmin.h"
#include "storage/buffile.h"
#include "train/record_sort.h"
#include "utils/memutils.h"

#define DIGIT_BITS	11
#define DIGITS		6			/* 66 bits, so 64 too */
#define DIGIT_VALUES (1 << DIGIT_BITS)

/* records of a run that are read or written at once */
#define RUN_PIECE	128

#define LEAST_MEMORY ((Size) 256 * 1024)
#define LEAST_MERGED 8
#define MOST_MERGED 256

/* records sorted between two looks for interrupts */
#define RECORDS_BETWEEN_CHECKS (1 << 16)

/* A sorted file that is being read. */
typedef struct Run
{
	BufFile    *file;
	int			level;			/* how often its records have been merged */
	int64		left;			/* records not yet read from the file */
	int			at;				/* the present one, in the piece */
	int			count;
	char	   *piece;			/* RUN_PIECE records */
} Run;

struct RecordSort
{
	MemoryContext context;
	RecordKind	kind;
	Size		record;			/* bytes of one */
	char	   *records;		/* capacity of them */
	char	   *other;			/* as many: the sort goes to and fro */
	Size		capacity;
	Size		count;
	int64		put;			/* in all */
	int			merged;			/* runs at once */

	Run		  **runs;
	int			run_count;
	int			run_capacity;
	int			files;			/* written so far */

	/* reading */
	Size		next;			/* in "records", where there is no run */
	Run		  **heap;
	int			heap_count;
	PairRecord	result;			/* or a CountRecord, aligned for both */
};

static inline uint64
key_of(const char *record)
{
	uint64		key;

	memcpy(&key, record, sizeof(key));
	return key;
}

/* ---------- in memory ---------- */

static void
count_digits(const RecordSort *sort, uint32 counts[DIGITS][DIGIT_VALUES])
{
	const char *record = sort->records;

	memset(counts, 0, sizeof(uint32) * DIGITS * DIGIT_VALUES);
	for (Size i = 0; i < sort->count; i++, record += sort->record)
	{
		uint64		key = key_of(record);

		for (int d = 0; d < DIGITS; d++)
			counts[d][(key >> (d * DIGIT_BITS)) & (DIGIT_VALUES - 1)]++;
		if (i % RECORDS_BETWEEN_CHECKS == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* Record sizes are constants here, so that copies are a few moves. */
static inline __attribute__((always_inline)) void
distribute(const char *from, char *to, Size count, const Size size, int shift,
		   uint32 *starts)
{
	for (Size i = 0; i < count; i++, from += size)
	{
		uint64		digit = (key_of(from) >> shift) & (DIGIT_VALUES - 1);
		uint32		at = starts[digit]++;

		memcpy(to + (Size) at * size, from, size);
		if (i % RECORDS_BETWEEN_CHECKS == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

static void
sort_by_digit(RecordSort *sort, int shift, uint32 *counts)
{
	uint32		start = 0;
	char	   *sorted = sort->other;

	for (int v = 0; v < DIGIT_VALUES; v++)
	{
		uint32		count = counts[v];

		counts[v] = start;
		start += count;
	}
	if (sort->kind == RECORDS_COUNTED)
		distribute(sort->records, sorted, sort->count, sizeof(CountRecord),
				   shift, counts);
	else
		distribute(sort->records, sorted, sort->count, sizeof(PairRecord),
				   shift, counts);
	sort->other = sort->records;
	sort->records = sorted;
}

/* Neighbours of equal keys become one. */
static void
add_up(RecordSort *sort)
{
	CountRecord *records = (CountRecord *) sort->records;
	Size		last = 0;

	for (Size i = 1; i < sort->count; i++)
	{
		if (records[i].key == records[last].key)
			records[last].count += records[i].count;
		else
			records[++last] = records[i];
	}
	if (sort->count > 0)
		sort->count = last + 1;
}

static void
sort_records(RecordSort *sort)
{
	uint32		(*counts)[DIGIT_VALUES] =
		palloc(sizeof(uint32) * DIGITS * DIGIT_VALUES);

	count_digits(sort, counts);
	for (int d = 0; d < DIGITS && sort->count > 0; d++)
	{
		uint64		first = key_of(sort->records) >> (d * DIGIT_BITS);

		if (counts[d][first & (DIGIT_VALUES - 1)] != sort->count)
			sort_by_digit(sort, d * DIGIT_BITS, counts[d]);
	}
	pfree(counts);
	if (sort->kind == RECORDS_COUNTED)
		add_up(sort);
}

/* ---------- runs ---------- */

static void
run_read(RecordSort *sort, Run *run)
{
	run->count = (int) Min(run->left, RUN_PIECE);
	run->left -= run->count;
	run->at = 0;
	if (run->count > 0)
		BufFileReadExact(run->file, run->piece, sort->record * run->count);
}

static Run *
run_create(RecordSort *sort, int level)
{
	Run		   *run = palloc0(sizeof(Run));

	run->file = BufFileCreateTemp(false);
	run->level = level;
	run->piece = palloc(sort->record * RUN_PIECE);
	sort->files++;
	return run;
}

static void
run_close(Run *run)
{
	BufFileClose(run->file);
	pfree(run->piece);
	pfree(run);
}

static void
run_rewind(Run *run)
{
	if (BufFileSeek(run->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
}

static inline const char *
run_record(const RecordSort *sort, const Run *run)
{
	return run->piece + sort->record * run->at;
}

/* ---------- merging ---------- */

/*
 * The earlier run first where keys are equal: the order of runs is that of
 * their records, and sums do not depend on the heap.
 */
static inline bool
heap_before(const RecordSort *sort, int a, int b)
{
	uint64		x = key_of(run_record(sort, sort->heap[a]));
	uint64		y = key_of(run_record(sort, sort->heap[b]));

	return x != y ? x < y : sort->heap[a]->level < sort->heap[b]->level;
}

static void
heap_sink(RecordSort *sort, int at)
{
	for (;;)
	{
		int			least = at;
		Run		   *run;

		for (int child = 2 * at + 1;
			 child <= 2 * at + 2 && child < sort->heap_count; child++)
			if (heap_before(sort, child, least))
				least = child;
		if (least == at)
			return;
		run = sort->heap[at];
		sort->heap[at] = sort->heap[least];
		sort->heap[least] = run;
		at = least;
	}
}

/* From here on a run's level is its place among those that are merged. */
static void
heap_begin(RecordSort *sort, Run **runs, int count)
{
	sort->heap = MemoryContextAlloc(sort->context,
									sizeof(Run *) * Max(count, 1));
	sort->heap_count = 0;
	for (int i = 0; i < count; i++)
	{
		run_rewind(runs[i]);
		run_read(sort, runs[i]);
		runs[i]->level = i;
		if (runs[i]->count > 0)
			sort->heap[sort->heap_count++] = runs[i];
	}
	for (int i = sort->heap_count / 2 - 1; i >= 0; i--)
		heap_sink(sort, i);
}

/* Take the first record away. */
static void
heap_advance(RecordSort *sort)
{
	Run		   *run = sort->heap[0];

	if (++run->at == run->count)
	{
		CHECK_FOR_INTERRUPTS();
		run_read(sort, run);
		if (run->count == 0)
			sort->heap[0] = sort->heap[--sort->heap_count];
	}
	if (sort->heap_count > 0)
		heap_sink(sort, 0);
}

/* The next record of the merge in sort->result; false at the end */
static bool
heap_next(RecordSort *sort)
{
	if (sort->heap_count == 0)
		return false;
	memcpy(&sort->result, run_record(sort, sort->heap[0]), sort->record);
	heap_advance(sort);
	while (sort->kind == RECORDS_COUNTED && sort->heap_count > 0)
	{
		CountRecord next;
		CountRecord sum;

		memcpy(&next, run_record(sort, sort->heap[0]), sizeof(next));
		memcpy(&sum, &sort->result, sizeof(sum));
		if (next.key != sum.key)
			break;
		sum.count += next.count;
		memcpy(&sort->result, &sum, sizeof(sum));
		heap_advance(sort);
	}
	return true;
}

/* The last runs become one, in their place. */
static void
merge_last(RecordSort *sort, int count)
{
	Run		  **runs = &sort->runs[sort->run_count - count];
	int			level = runs[0]->level + 1;
	Run		   *merged = run_create(sort, level);

	heap_begin(sort, runs, count);
	while (heap_next(sort))
	{
		BufFileWrite(merged->file, &sort->result, sort->record);
		merged->left++;
	}
	pfree(sort->heap);
	sort->heap = NULL;
	for (int i = 0; i < count; i++)
		run_close(runs[i]);
	sort->run_count -= count;
	sort->runs[sort->run_count++] = merged;
}

static bool
last_are_of_one_level(const RecordSort *sort)
{
	if (sort->run_count < sort->merged)
		return false;
	for (int i = 2; i <= sort->merged; i++)
		if (sort->runs[sort->run_count - i]->level !=
			sort->runs[sort->run_count - 1]->level)
			return false;
	return true;
}

static void
write_run(RecordSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);
	Run		   *run;

	sort_records(sort);
	run = run_create(sort, 0);
	for (Size i = 0; i < sort->count; i += RUN_PIECE)
	{
		BufFileWrite(run->file, sort->records + sort->record * i,
					 sort->record * Min(sort->count - i, RUN_PIECE));
		CHECK_FOR_INTERRUPTS();
	}
	run->left = sort->count;
	sort->count = 0;
	if (sort->run_count == sort->run_capacity)
	{
		sort->run_capacity *= 2;
		sort->runs = repalloc(sort->runs,
							  sizeof(Run *) * sort->run_capacity);
	}
	sort->runs[sort->run_count++] = run;
	while (last_are_of_one_level(sort))
		merge_last(sort, sort->merged);
	MemoryContextSwitchTo(old);
}

/* ---------- the face ---------- */

RecordSort *
record_sort_begin(RecordKind kind, Size memory)
{
	RecordSort *sort;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sort of records",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	sort = palloc0(sizeof(RecordSort));
	sort->context = context;
	sort->kind = kind;
	sort->record = kind == RECORDS_COUNTED ? sizeof(CountRecord) :
		sizeof(PairRecord);
	memory = Max(memory, LEAST_MEMORY);

	/* a position in the array has 32 bits */
	sort->capacity = Min(memory / 2 / sort->record, (Size) PG_INT32_MAX);
	sort->records = palloc_extended(sort->record * sort->capacity,
									MCXT_ALLOC_HUGE);
	sort->other = palloc_extended(sort->record * sort->capacity,
								  MCXT_ALLOC_HUGE);
	sort->merged = Max(LEAST_MERGED, Min(memory / (8 * BLCKSZ), MOST_MERGED));
	sort->run_capacity = 16;
	sort->runs = palloc(sizeof(Run *) * sort->run_capacity);
	MemoryContextSwitchTo(old);
	return sort;
}

void
record_sort_put(RecordSort *sort, const void *record)
{
	if (unlikely(sort->count == sort->capacity))
		write_run(sort);
	memcpy(sort->records + sort->record * sort->count, record, sort->record);
	sort->count++;
	sort->put++;
}

int64
record_sort_finish(RecordSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);

	if (sort->run_count == 0)
		sort_records(sort);
	else
	{
		if (sort->count > 0)
			write_run(sort);
		pfree(sort->records);
		sort->records = NULL;
		while (sort->run_count > sort->merged)
			merge_last(sort, sort->merged);
		heap_begin(sort, sort->runs, sort->run_count);
	}
	pfree(sort->other);
	sort->other = NULL;
	MemoryContextSwitchTo(old);
	return sort->put;
}

const void *
record_sort_next(RecordSort *sort)
{
	if (sort->run_count > 0)
		return heap_next(sort) ? &sort->result : NULL;
	if (sort->next == sort->count)
		return NULL;
	return sort->records + sort->record * sort->next++;
}

int
record_sort_runs(const RecordSort *sort)
{
	return sort->files;
}

void
record_sort_free(RecordSort *sort)
{
	for (int i = 0; i < sort->run_count; i++)
		BufFileClose(sort->runs[i]->file);
	MemoryContextDelete(sort->context);
}
