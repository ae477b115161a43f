/*-------------------------------------------------------------------------
 *
 * generation.h
 *	  Whether text search objects have changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_GENERATION_H
#define TEXT_GENERATION_H

#include "server/server.h"

/*
 * A number that every change of a parser, dictionary, template or
 * configuration raises, as soon as this backend hears of it.  Never zero, so
 * that zero is good for "not known yet".  What rests on such objects is kept
 * together with the number read before looking at them.
 */
extern uint64 text_generation(void);

#endif							/* TEXT_GENERATION_H */
