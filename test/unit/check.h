/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What the test programs of the pure core share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

static int	check_failures = 0;

/* Prints at most a screenful of failures, counts them all. */
#define CHECK(condition, ...) \
	do { \
		if (!(condition) && check_failures++ < 40) \
		{ \
			printf("%s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* The last line of main: return check_result(); */
static inline int
check_result(void)
{
	if (check_failures != 0)
		printf("%d failures\n", check_failures);
	return check_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * A block of exactly this size, so that a sanitizer sees the first byte read
 * or written beyond it.  Of zeros, for gcc 15 warns of what is never set.
 */
static inline void *
exact_alloc(size_t size)
{
	void	   *block = calloc(size > 0 ? size : 1, 1);

	if (block == NULL)
	{
		printf("out of memory\n");
		exit(EXIT_FAILURE);
	}
	return block;
}

#endif							/* UNIT_CHECK_H */
