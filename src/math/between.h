/*-------------------------------------------------------------------------
 *
 * between.h
 *	  Which of 32 numbers lie in a range.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_BETWEEN_H
#define MATH_BETWEEN_H

#include <stdint.h>

#define BETWEEN_COUNT 32

/* Bit i: low <= values[i] <= high.  "values" need not be aligned. */
extern uint32_t between(const int64_t *values, int64_t low, int64_t high);

#endif							/* MATH_BETWEEN_H */
