/*-------------------------------------------------------------------------
 *
 * inverted_rows.c
 *	  The order of a scan's rows, and the rows that wait for their turn.
 *
 *-------------------------------------------------------------------------
 */
#include "index/inverted/inverted_rows.h"

#include "miscadmin.h"
#include "utils/memutils.h"

bool
row_key_before(const RowKey *a, const RowKey *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if (a->class == ROW_NUMBER && a->score != b->score)
		return a->score > b->score;
	return a->birth < b->birth;
}

static void
sift_up(RankedRow *heap, uint32 at)
{
	RankedRow	row = heap[at];

	while (at > 0 && row_key_before(&row.key, &heap[(at - 1) / 2].key))
	{
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = row;
}

static void
sift_down(RankedRow *heap, uint32 count, uint32 at)
{
	RankedRow	row = heap[at];

	for (;;)
	{
		uint32		child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count &&
			row_key_before(&heap[child + 1].key, &heap[child].key))
			child++;
		if (!row_key_before(&heap[child].key, &row.key))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = row;
}

static int
compare_rows(const void *a, const void *b)
{
	if (row_key_before(&((const RankedRow *) a)->key,
					   &((const RankedRow *) b)->key))
		return -1;
	return row_key_before(&((const RankedRow *) b)->key,
						  &((const RankedRow *) a)->key)
			   ? 1
			   : 0;
}

void
row_heap_init(RowHeap *heap)
{
	heap->capacity = 256;
	heap->row = palloc(sizeof(RankedRow) * heap->capacity);
	heap->count = 0;
	heap->has_floor = false;
}

/*
 * Too many rows wait: keep the first half of them.  What is dropped is found
 * again by a restart of the scan when the order comes to it.
 */
static void
drop_half(RowHeap *heap)
{
	uint32		keep = heap->count / 2;

	qsort(heap->row, heap->count, sizeof(RankedRow), compare_rows);
	heap->floor = heap->row[keep].key;
	heap->has_floor = true;
	heap->count = keep;			/* sorted, which is a heap */
}

void
row_heap_add(RowHeap *heap, const RankedRow *row)
{
	if (!row_heap_reaches(heap, &row->key))
		return;
	if (heap->count == heap->capacity)
	{
		Size		limit = Max((Size) work_mem * 1024 / sizeof(RankedRow),
								1024);

		if (heap->capacity < limit)
		{
			heap->capacity = (uint32) Min(limit, (Size) heap->capacity * 2);
			heap->row = repalloc_huge(heap->row, sizeof(RankedRow) *
													 (Size) heap->capacity);
		}
		else
		{
			drop_half(heap);
			if (!row_heap_reaches(heap, &row->key))
				return;
		}
	}
	heap->row[heap->count] = *row;
	sift_up(heap->row, heap->count++);
}

void
row_heap_remove(RowHeap *heap)
{
	heap->row[0] = heap->row[--heap->count];
	if (heap->count > 0)
		sift_down(heap->row, heap->count, 0);
}
