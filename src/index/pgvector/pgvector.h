/*-------------------------------------------------------------------------
 *
 * pgvector.h
 *	  Access methods under pgvector's names, for what was written for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INDEX_PGVECTOR_H
#define INDEX_PGVECTOR_H

#include "index/index.h"

/*
 * The number of a class's ordering operator says who serves it.  Of 1 and 2,
 * a class with ktree's function to name its kind belongs to ktree, and else
 * the number is a metric of inverted.
 */
#define PGVECTOR_EXACT		3
#define PGVECTOR_STRATEGIES 3

extern void pgvector_init(void);

/* pgvector_settings.c: hnsw.* and ivfflat.* */
extern void pgvector_define_settings(void);
extern int	pgvector_ef_search(void);
extern int	pgvector_probes(void);

/* exact.c: an index without contents */
extern const IndexAmRoutine *exact_routine(void);
extern void exact_check(Relation index, IndexReport *report);
extern void exact_statistics(Relation index, IndexReport *report);

#endif							/* INDEX_PGVECTOR_H */
