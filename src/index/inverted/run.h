/*-------------------------------------------------------------------------
 *
 * run.h
 *	  Sorted postings put aside in a temporary file while an index is built.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_RUN_H
#define INVERTED_RUN_H

#include "storage/buffile.h"

#include "index/inverted/inverted.h"

typedef struct Run
{
	BufFile    *file;
	uint32		documents;
	uint32		first_birth;	/* added to the documents' births */
} Run;

extern Run *run_write(Gathering *gathering, BufFile *file);
extern PostingSource *run_source(Run *run, SegmentWriter *writer, uint32 first_document);

#endif							/* INVERTED_RUN_H */
