/*-------------------------------------------------------------------------
 *
 * memory_read.c
 *	  How fast one processor can read memory at all: what an exact scan is
 *	  measured against.
 *
 *		memory_read BYTES...
 *
 * For each size, fills a block and reads it several times, every word of it,
 * as the compiler vectorises a plain sum; prints bytes, and milliseconds of
 * processor time of the fastest reading.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READINGS 9

static double
cpu_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec * 1e-6;
}

static uint64_t
read_all(const uint64_t *words, size_t count)
{
	uint64_t	sum[8] = {0};

	for (size_t i = 0; i + 8 <= count; i += 8)
		for (int j = 0; j < 8; j++)
			sum[j] += words[i + j];
	return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] +
		   sum[7];
}

int
main(int argc, char **argv)
{
	for (int argument = 1; argument < argc; argument++)
	{
		size_t		bytes = strtoull(argv[argument], NULL, 10);
		uint64_t   *words = malloc(bytes);
		double		best = 0;
		volatile uint64_t sum;

		if (words == NULL)
		{
			fprintf(stderr, "memory_read: out of memory for %zu bytes\n", bytes);
			return EXIT_FAILURE;
		}
		memset(words, 1, bytes);
		for (int reading = 0; reading < READINGS; reading++)
		{
			double		start = cpu_milliseconds();
			double		took;

			sum = read_all(words, bytes / sizeof(*words));
			(void) sum;
			took = cpu_milliseconds() - start;
			if (reading == 0 || took < best)
				best = took;
		}
		printf("%zu\t%.4f\n", bytes, best);
		free(words);
	}
	return EXIT_SUCCESS;
}
