/*-------------------------------------------------------------------------
 *
 * product_sets_of_machine.h
 *	  Runs a test once for each set of network kernels that this machine has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_PRODUCT_SETS_OF_MACHINE_H
#define UNIT_PRODUCT_SETS_OF_MACHINE_H

#include <string.h>

#include "check.h"
#include "math/product.h"

static inline void
with_every_product_set(void (*test) (void))
{
	int			ran = 0;

	for (const char *const *name = product_sets(); *name != NULL; name++)
	{
		const char *missing = product_select(*name);

		if (missing != NULL)
		{
			printf("%s: skipped, %s\n", *name, missing);
			continue;
		}
		CHECK(strcmp(product_kernels, *name) == 0, "asked for %s, got %s", *name, product_kernels);
		test();
		printf("%s: ran\n", *name);
		ran++;
	}
	CHECK(ran >= 1, "no set of kernels ran");
	CHECK(product_select("no such set") != NULL, "a set that does not exist was selected");
	product_init();
	printf("chosen for this machine: %s\n", product_kernels);
}

#endif							/* UNIT_PRODUCT_SETS_OF_MACHINE_H */
