/*-------------------------------------------------------------------------
 *
 * interrupts.c
 *	  Cancelling what the pure core computes.
 *
 *-------------------------------------------------------------------------
 */
#include "server/interrupts.h"

#include "miscadmin.h"

void
interrupts_check(void)
{
	CHECK_FOR_INTERRUPTS();
}

bool
interrupts_stop(void *argument)
{
	CHECK_FOR_INTERRUPTS();
	return false;
}
