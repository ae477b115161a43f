/*-------------------------------------------------------------------------
 *
 * distance_sets_of_machine.h
 *	  Runs a test once for each set of kernels that this machine has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_DISTANCE_SETS_OF_MACHINE_H
#define UNIT_DISTANCE_SETS_OF_MACHINE_H

#include <string.h>

#include "check.h"
#include "math/distance.h"

static inline void
with_every_set(void (*test) (void))
{
	const char *const names[] = {"scalar", "neon", "avx2", "avx512"};
	int			ran = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		const char *missing = distance_select(names[i]);

		if (missing != NULL)
		{
			printf("%s: skipped, %s\n", names[i], missing);
			continue;
		}
		CHECK(strcmp(distance_kernels, names[i]) == 0, "asked for %s, got %s", names[i],
			  distance_kernels);
		test();
		printf("%s: ran\n", names[i]);
		ran++;
	}
	CHECK(ran >= 1, "no set of kernels ran");
	CHECK(distance_select("no such set") != NULL, "a set that does not exist was selected");
	distance_init();
	printf("chosen for this machine: %s\n", distance_kernels);
}

#endif							/* UNIT_DISTANCE_SETS_OF_MACHINE_H */
