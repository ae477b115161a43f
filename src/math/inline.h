/*-------------------------------------------------------------------------
 *
 * inline.h
 *	  What code compiled once for each kind of processor shares: functions
 *	  taken in whole, so that they are compiled for that kind, unrolled loops,
 *	  and names made of two parts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_INLINE_H
#define MATH_INLINE_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * Unroll the loop that follows, of at most eight turns, their number constant:
 * vectors in an array become registers only so, and gcc's -O2 leaves it alone.
 */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define JOIN_EXPANDED(a, b) a##b
#define JOIN(a, b)	JOIN_EXPANDED(a, b)

#endif							/* MATH_INLINE_H */
