/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  What a long training tells while it runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_PROGRESS_H
#define TRAIN_PROGRESS_H

#include "server/server.h"

typedef struct Progress Progress;

/* activity: such as "training model \"news\""; unit: such as "words" */
extern Progress *progress_begin(const char *activity, const char *unit);
extern void progress_phase(Progress *progress, const char *phase,
						   double total);	/* 0: not known */

/* Another name for the phase that goes on: "epoch 2 of 3, step 17 of 90" */
extern void progress_name(Progress *progress, const char *phase);

/* may be called often; loss NAN: none */
extern void progress_update(Progress *progress, double done, double loss);
extern void progress_end(Progress *progress);

/* What is to be known when all is done; goes where progress goes */
extern void progress_result(Progress *progress, const char *result);


/* called from _PG_init */
extern void progress_init(void);

#endif							/* TRAIN_PROGRESS_H */
