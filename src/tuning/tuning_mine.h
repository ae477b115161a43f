/*-------------------------------------------------------------------------
 *
 * tuning_mine.h
 *	  Neighbours of a text in a corpus that has an index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TUNING_TUNING_MINE_H
#define TUNING_TUNING_MINE_H

#include "tuning/tuning.h"

typedef struct MineIndex MineIndex;

/* The index that serves a corpus, or NULL: it is to be read. */
extern MineIndex *mine_index_find(const char *corpus, Oid model);

/*
 * Texts in the order of their nearness, a cosine.  Of a search that was not
 * enough another begins, which gives the same texts and more.
 */
typedef void (*MineBegin) (void *argument);
typedef void (*MineReceive) (void *argument, const char *text, int length,
							 double nearness);
typedef bool (*MineEnough) (void *argument);

extern void mine_index_search(MineIndex *index, int dims,
							  const float *vector, MineBegin begin,
							  MineReceive receive, MineEnough enough,
							  void *argument);

#endif							/* TUNING_TUNING_MINE_H */
