/*-------------------------------------------------------------------------
 *
 * spool.h
 *	  Rows of a build on disk, divided into partitions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SPOOL_H
#define KTREE_SPOOL_H

#include "server/server.h"

#include "index/ktree/ktree.h"
#include "storage/itemptr.h"
#include "storage/sharedfileset.h"

typedef struct KtreeSpool KtreeSpool;
typedef struct KtreeSpoolReader KtreeSpoolReader;

/* Receives one row. */
typedef void (*KtreeSpoolTake) (void *state, const float *vector,
								ItemPointer tid, const KtreeFilters *filters);

/*
 * Writing needs no more than "memory" bytes, but at least a row for each
 * partition.  files: NULL if nobody else will read; number: of this process
 */
extern KtreeSpool *ktree_spool_create(int partitions,
									  const KtreeLayout *layout, Size memory,
									  SharedFileSet *files, int number);
extern void ktree_spool_add(KtreeSpool *spool, int partition,
							const float *vector, ItemPointer tid,
							const KtreeFilters *filters);

/* All rows have come: memory is given back, other processes may read. */
extern void ktree_spool_finish(KtreeSpool *spool);

/* Read one's own spool, which was not shared ... */
extern KtreeSpoolReader *ktree_spool_read_own(KtreeSpool *spool);
/* ... or those of all processes. */
extern KtreeSpoolReader *ktree_spool_read_shared(int partitions,
												 const KtreeLayout *layout,
												 SharedFileSet *files,
												 int processes);
extern void ktree_spool_partition(KtreeSpoolReader *reader, int partition,
								  KtreeSpoolTake take, void *state);
extern void ktree_spool_close(KtreeSpoolReader *reader);

#endif							/* KTREE_SPOOL_H */
