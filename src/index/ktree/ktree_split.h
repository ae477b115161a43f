/*-------------------------------------------------------------------------
 *
 * ktree_split.h
 *	  What the two halves of a change of structure share: the protocol
 *	  (ktree_split.c) and the new nodes' contents (split_nodes.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SPLIT_H
#define KTREE_SPLIT_H

#include "server/server.h"

#include "index/ktree/ktree.h"

/* One change of structure on its way. */
typedef struct KtreeChange
{
	Relation	heap;			/* whose rows may be read; NULL: none */
	bool		spare;			/* for VACUUM: the file may not become
								 * longer */
	int			old_count;
	KtreeImage *old[2];
	int			new_count;
	KtreeImage *fresh[2];
	KtreeLink	root;			/* new root, when the old node is the root */
	/* where each slot of the old nodes went: new node * 1024 + slot, or -1 */
	int16		moved[2][KTREE_MAX_CAPACITY];
} KtreeChange;

extern bool ktree_make_new_nodes(Relation index, const KtreeCache *cache,
								 KtreeChange *change);

#endif							/* KTREE_SPLIT_H */
