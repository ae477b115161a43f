/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The files of a folder become the rows of a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_STORE_H
#define NETWORK_STORE_H

#include "encoder/network/network.h"
#include "train/progress.h"

/* Which files are kept, and how much that is. */
typedef struct StorePlan
{
	bool	   *left_out;		/* of each file */
	int			left_out_count;
	uint64		left_out_bytes;
	uint64		bytes;			/* of those that are kept */
} StorePlan;

extern StorePlan *store_plan(const NetworkFolder *network);
extern void store_folder(const NetworkFolder *network, const StorePlan *plan,
						 ModelWriter *writer, Progress *progress);

#endif							/* NETWORK_STORE_H */
