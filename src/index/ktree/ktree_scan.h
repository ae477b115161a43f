/*-------------------------------------------------------------------------
 *
 * ktree_scan.h
 *	  What the parts of an index scan share: handing out (ktree_scan.c), and
 *	  the choice of windows (scan_windows.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SCAN_H
#define KTREE_SCAN_H

#include "server/server.h"

#include "access/relscan.h"

#include "index/ktree/ktree.h"

/* A row of the current window. */
typedef struct ScanRow
{
	double		distance;		/* exact, or a bound */
	int			known;			/* among the search's rows; -1: of the side
								 * list */
	bool		exact;
	ItemPointerData tid;
} ScanRow;

typedef struct KtreeScanState
{
	MemoryContext context;		/* everything that lasts until the next
								 * rescan */
	bool		started;
	KtreeEffort effort;
	bool		unordered;		/* no distances: any order will do */
	bool		everything;		/* one window over all rows */
	bool		exhausted;		/* the tree has no more rows */
	bool		finished;
	KtreeMeta	meta;
	KtreeCache *cache;
	KtreeSearch *search;
	struct KtreeFilter *filter; /* conditions, or NULL */
	Datum		query;
	struct TidSet *returned;	/* handed out, late, or not to be seen */
	bool		searching;		/* the search can be continued */
	double		tree_rows;		/* about so many */
	const int64 *passed;		/* rows that came through the executor's
								 * conditions to the Limit; NULL: not known */
	double		pass_share;		/* of the rows handed out so many were
								 * expected to */
	double		surprise;		/* how many times fewer did, as of this
								 * window */
	bool		limited;		/* no more rows than these are wanted: */
	int64		first;			/* of the first window */
	int64		count;			/* rows up to the end of this window */
	int64		handed;			/* handed out */
	int64		window_start;	/* so many when this window began */
	double		scale;			/* of the query, for inner products; else 1 */
	int64		read;			/* distances asked for */
	int64		seen;			/* of them of rows that the snapshot sees */
	double		unseen;			/* rows read for each one seen, as of this
								 * window */
	bool		broken_off;		/* this window met more unseen rows than it
								 * reckoned with, or fewer that pass */
	double		last;			/* distance of the row handed out last */
	ScanRow *rows;			/* min-heap */
	int			row_count;
	int			row_room;
	int64		leaves;			/* of searches that cannot be continued */
	ScanRow *late;
	int			late_count;
	int			late_room;
	int			late_at;
	/* rows of the side list that have a distance */
	ScanRow *huge;
	int			huge_count;
	/* the rest of the side list, at the end */
	KtreeSideEntry *side;
	int			side_count;
	int			side_at;
	BlockNumber side_next;
	int			side_pass;		/* over the list: 0 none yet, 1 without NULLs,
								 * 2 */
	uint32		side_steps;		/* pages of this pass */
	IndexDistance *distance;	/* from the table's rows */
} KtreeScanState;

/* ktree_scan.c */
extern void ktree_fill_heap(IndexScanDesc scan, KtreeScanState *state);

/* scan_windows.c */
extern void ktree_plan_windows(IndexScanDesc scan, KtreeScanState *state);
extern void ktree_next_window(IndexScanDesc scan, KtreeScanState *state);
extern bool ktree_window_sees_little(const KtreeScanState *state);
extern bool ktree_window_passes_little(const KtreeScanState *state);

#endif							/* KTREE_SCAN_H */
