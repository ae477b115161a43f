/*-------------------------------------------------------------------------
 *
 * interrupts.h
 *	  Cancelling what the pure core computes.
 *
 * Its long loops call a function of the caller's every few milliseconds.  The
 * server's own way out is an error, so the function that is asked whether to
 * stop never says yes: it returns, or it does not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_INTERRUPTS_H
#define SERVER_INTERRUPTS_H

#include "server/server.h"

extern void interrupts_check(void);
extern bool interrupts_stop(void *argument);

#endif							/* SERVER_INTERRUPTS_H */
