/*-------------------------------------------------------------------------
 *
 * elmo_state.h
 *	  The head of the file that a trained ELMo keeps for going on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ELMO_ELMO_STATE_H
#define ELMO_ELMO_STATE_H

#include "encoder/elmo/elmo_training.h"

#define ELMO_STATE_HEAD_MAGIC "ELMOTRAN"
#define ELMO_STATE_VERSION 1

typedef struct ElmoStateHead
{
	char		magic[8];
	int32		version;
	int32		words;
	int32		dims;
	int32		unused;
	int64		steps;
	int64		epochs;
	int64		weights;
} ElmoStateHead;

StaticAssertDecl(sizeof(ElmoStateHead) == 48, "head of a training state");
StaticAssertDecl(offsetof(ElmoStateHead, steps) == 24,
				 "head of a training state");

#endif							/* ELMO_ELMO_STATE_H */
