/*-------------------------------------------------------------------------
 *
 * inverted_rows.h
 *	  The order of a scan's rows, and the rows that wait for their turn.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_ROWS_H
#define INVERTED_ROWS_H

#include "server/server.h"

#include "storage/itemptr.h"

typedef enum RowClass
{
	ROW_NUMBER,
	ROW_NAN,
	ROW_NULL,
	ROW_NONE					/* behind all */
} RowClass;

/* Place of a row in the order */
typedef struct RowKey
{
	RowClass	class;
	double		score;			/* minus the distance */
	uint64		birth;
} RowKey;

typedef struct RankedRow
{
	RowKey		key;
	ItemPointerData tid;
} RankedRow;

/*
 * The rows that are due first, as many as work_mem allows.  Those that found
 * no room come at or behind the floor.
 */
typedef struct RowHeap
{
	RankedRow  *row;			/* the first on top */
	uint32		count;
	uint32		capacity;
	bool		has_floor;
	RowKey		floor;
} RowHeap;

extern bool row_key_before(const RowKey *a, const RowKey *b);
extern void row_heap_init(RowHeap *heap);
extern void row_heap_add(RowHeap *heap, const RankedRow *row);
extern void row_heap_remove(RowHeap *heap);

static inline RankedRow *
row_heap_top(const RowHeap *heap)
{
	return heap->count > 0 ? &heap->row[0] : NULL;
}

/* Is it certain that no dropped row comes before this one? */
static inline bool
row_heap_reaches(const RowHeap *heap, const RowKey *key)
{
	return !heap->has_floor || row_key_before(key, &heap->floor);
}

#endif							/* INVERTED_ROWS_H */
