/*-------------------------------------------------------------------------
 *
 * between_test.c
 *	  Would fail if a level of processors saw other numbers in a range.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "math/between.h"
#include "math/cpu.h"

static const int64_t limits[] = {
	INT64_MIN, INT64_MIN + 1, -3, -1, 0, 1, 2, 7, INT64_MAX - 1, INT64_MAX
};

#define LIMITS ((int) (sizeof(limits) / sizeof(limits[0])))

static void
test_level(CpuLevel level)
{
	int64_t    *values = exact_alloc(sizeof(int64_t) * BETWEEN_COUNT);

	cpu_limit(level);
	for (int low = 0; low < LIMITS; low++)
		for (int high = 0; high < LIMITS; high++)
			for (int turn = 0; turn < LIMITS; turn++)
			{
				uint32_t	expected = 0;

				for (int i = 0; i < BETWEEN_COUNT; i++)
				{
					values[i] = limits[(i + turn) % LIMITS];
					if (values[i] >= limits[low] && values[i] <= limits[high])
						expected |= UINT32_C(1) << i;
				}
				CHECK(between(values, limits[low], limits[high]) == expected,
					  "level %d, from limit %d to %d", (int) level, low, high);
			}
	free(values);
}

int
main(void)
{
	test_level(CPU_SCALAR);
	test_level(CPU_AVX2);
	test_level(CPU_UNKNOWN);
	return check_result();
}
