/*-------------------------------------------------------------------------
 *
 * record_sort.h
 *	  Sorting more small records of one size than fit into memory.
 *
 * A record begins with the 64 bits that it is sorted by.  Records are put in,
 * then read back in order, once.  Equal keys come in the order in which they
 * were put in, or become one record, whose number is their sum: counting is
 * sorting, too.
 *
 * The server's own sort takes any column of any type and a microsecond for
 * each; this one moves 16 or 24 bytes and takes a tenth of that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_RECORD_SORT_H
#define TRAIN_RECORD_SORT_H

#include "server/server.h"

/* A record that counts; the other kind is any 24 bytes that begin so. */
typedef struct CountRecord
{
	uint64		key;
	double		count;
} CountRecord;

typedef struct PairRecord
{
	uint64		key;
	int32		first;
	int32		second;
	double		value;
} PairRecord;

typedef enum RecordKind
{
	RECORDS_COUNTED,			/* CountRecord; equal keys are added up */
	RECORDS_PAIRS				/* PairRecord */
} RecordKind;

typedef struct RecordSort RecordSort;

/*
 * memory: bytes for the records held at once, at least some hundred kilobytes
 * of them whatever is said.  What is beyond goes to temporary files.
 */
extern RecordSort *record_sort_begin(RecordKind kind, Size memory);
extern void record_sort_put(RecordSort *sort, const void *record);

/* No more records; how many there were. */
extern int64 record_sort_finish(RecordSort *sort);

/* The next record in order, good until the next call; NULL at the end */
extern const void *record_sort_next(RecordSort *sort);
extern void record_sort_free(RecordSort *sort);

/* The files written so far, for tests and messages */
extern int	record_sort_runs(const RecordSort *sort);

#endif							/* TRAIN_RECORD_SORT_H */
