/*-------------------------------------------------------------------------
 *
 * replica.c
 *	  A worker's own copies of rows that several workers train.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/word2vec/replica.h"

#include <string.h>

/*
 * So far the copies of all workers together may lag behind, in uses of a row
 * (of about six steps each).  More and copies of frequent words move too far
 * before they meet; fewer and joins take time.  The README has figures.
 */
#define LONGEST_WAIT 32

int
replica_longest_wait(int workers)
{
	return workers < LONGEST_WAIT ? LONGEST_WAIT / workers : 1;
}

void
replica_init(Replica *replica, float *shared, int stride)
{
	memset(replica, 0, sizeof(*replica));
	replica->shared = shared;
	replica->stride = stride;
}

size_t
replica_row_size(int stride)
{
	return 2 * sizeof(float) * stride + sizeof(ReplicaWait);
}

void
replica_attach(Replica *replica, int32_t copies, int longest_wait,
			   void *memory)
{
	size_t		floats = (size_t) copies * replica->stride;

	replica->own = memory;
	replica->joined = replica->own + floats;
	replica->waits = (ReplicaWait *) (replica->joined + floats);
	replica->copies = copies;
	replica->longest_wait = longest_wait;
}

/*
 * Others may be writing to the row, so it is read once.
 */
void
replica_load(Replica *replica, int32_t row)
{
	size_t		at = (size_t) row * replica->stride;
	size_t		bytes = sizeof(float) * replica->stride;

	memcpy(replica->own + at, replica->shared + at, bytes);
	memcpy(replica->joined + at, replica->own + at, bytes);
	replica->waits[row].whole = replica->waits[row].left = 1;
}

void
replica_join(Replica *replica, int32_t row, const StepKernels *kernels)
{
	size_t		at = (size_t) row * replica->stride;

	kernels->join(replica->stride, replica->shared + at, replica->own + at,
				  replica->joined + at);
}

void
joins_run(Joins *joins)
{
	for (int i = 0; i < joins->count; i++)
		replica_join(joins->items[i].replica, joins->items[i].row,
					 joins->kernels);
	joins->count = 0;
}
