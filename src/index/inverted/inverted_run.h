/*-------------------------------------------------------------------------
 *
 * inverted_run.h
 *	  Sorted postings put aside in a temporary file, when memory is short.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_RUN_H
#define INVERTED_RUN_H

#include "storage/buffile.h"

#include "index/inverted/inverted.h"

extern void run_write(Gathering *gathering, BufFile *file);
extern PostingSource *run_source(BufFile *file, SegmentWriter *writer,
								 uint32 first_birth, uint32 *documents,
								 uint64 *postings);

#endif							/* INVERTED_RUN_H */
