/*-------------------------------------------------------------------------
 *
 * replica.h
 *	  A worker's own copies of rows that several workers train.
 *
 * Training writes every row it reads, and a cache line that another processor
 * wrote last has to come from there.  So a worker trains copies of rows, and
 * joins a copy with the row that all see only after a number of uses: it adds
 * what it has moved the copy by since the last join and takes what others
 * have added meanwhile.  Nobody waits for anybody.
 *
 * A join reads and writes the shared row without a lock, as a step does that
 * trains the row in place; two at the same time may lose a part of one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORD2VEC_REPLICA_H
#define WORD2VEC_REPLICA_H

#include <stddef.h>
#include <stdint.h>

#include "encoder/word2vec/step.h"

/* When a copy is to be joined, counted in uses: how long it is to wait ... */
typedef struct ReplicaWait
{
	uint8_t		whole;
	uint8_t		left;			/* ... and what is left of that */
} ReplicaWait;

/* One matrix as one worker sees it. */
typedef struct Replica
{
	float	   *shared;			/* the rows that all see */
	float	   *own;			/* copies of the first of them */
	float	   *joined;			/* the copies as they were when last joined */
	ReplicaWait *waits;
	int32_t		copies;			/* further rows are trained in place */
	int			stride;
	int			longest_wait;	/* see replica_longest_wait */
} Replica;

/* Joins to be made when their rows have come into the cache. */
#define JOINS_MAX 64

typedef struct Joins
{
	const StepKernels *kernels;
	int			count;
	struct
	{
		Replica    *replica;
		int32_t		row;
	}			items[JOINS_MAX];
} Joins;

/* No copies: all rows are trained in place. */
extern void replica_init(Replica *replica, float *shared, int stride);

/*
 * Copies of the first rows.  Each is then to be filled by replica_load.
 *
 * memory: copies * replica_row_size(stride) bytes, aligned to STEP_ALIGNMENT
 */
extern size_t replica_row_size(int stride);
extern void replica_attach(Replica *replica, int32_t copies, int longest_wait,
						   void *memory);
extern void replica_load(Replica *replica, int32_t row);

/*
 * Most uses of a copy between two joins, where so many workers have copies.
 */
extern int	replica_longest_wait(int workers);

extern void replica_join(Replica *replica, int32_t row,
						 const StepKernels *kernels);
extern void joins_run(Joins *joins);

static inline float *
replica_row(const Replica *replica, int32_t row)
{
	float	   *rows = row < replica->copies ? replica->own : replica->shared;

	return rows + (size_t) row * replica->stride;
}

static inline void
row_prefetch(const float *row, int stride)
{
	for (int i = 0; i < stride; i += STEP_ALIGNMENT / sizeof(float))
		__builtin_prefetch(row + i, 1, 3);
}

/*
 * The first uses of a row move it most, and a rare word has few, so that waits
 * are short at first and grow with the uses there have been.
 */
static inline void
replica_wait_longer(Replica *replica, int32_t row)
{
	ReplicaWait *wait = &replica->waits[row];
	int			longer = 2 * wait->whole;

	wait->whole = longer < replica->longest_wait ? longer :
		replica->longest_wait;
	wait->left = wait->whole;
}

/*
 * The row, which the worker is about to use.  If a join is due its parts are
 * fetched, and the next joins_run makes it.
 */
static inline float *
replica_use(Replica *replica, int32_t row, Joins *joins)
{
	size_t		at = (size_t) row * replica->stride;

	if (row >= replica->copies)
		return replica->shared + at;
	if (--replica->waits[row].left == 0)
	{
		replica_wait_longer(replica, row);
		row_prefetch(replica->shared + at, replica->stride);
		row_prefetch(replica->joined + at, replica->stride);
		if (joins->count == JOINS_MAX)
			joins_run(joins);
		joins->items[joins->count].replica = replica;
		joins->items[joins->count++].row = row;
	}
	return replica->own + at;
}

#endif							/* WORD2VEC_REPLICA_H */
