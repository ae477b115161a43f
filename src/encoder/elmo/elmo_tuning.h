/*-------------------------------------------------------------------------
 *
 * elmo_tuning.h
 *	  An ELMo in tuning: what its two targets share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ELMO_ELMO_TUNING_H
#define ELMO_ELMO_TUNING_H

#include "encoder/elmo/elmo_model.h"
#include "model/tunable.h"

/* What both begin with: each writes its own kind of change. */
typedef struct ElmoTuned
{
	TuneTarget	target;
	Oid			(*write) (const TuneSource *source);
} ElmoTuned;

/* The weights themselves (elmo_network.c); TuneNetwork says which. */
extern TuneTarget *elmo_network_target(const TuneNetwork *wanted, Model *base,
									   void *state);

#endif							/* ELMO_ELMO_TUNING_H */
