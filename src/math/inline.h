/*-------------------------------------------------------------------------
 *
 * inline.h
 *	  Code that a function compiled for one kind of processor takes in whole,
 *	  so that it is compiled for that kind.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_INLINE_H
#define MATH_INLINE_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#endif							/* MATH_INLINE_H */
