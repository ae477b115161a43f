/*-------------------------------------------------------------------------
 *
 * cpu_test.c
 *	  Would fail if a limit on the instructions were not kept, or the level
 *	  were one that the compiler's own test denies.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "math/cpu.h"
#include "math/distance.h"

static void
test_limits(void)
{
	CpuLevel	own;

	cpu_limit(CPU_UNKNOWN);
	own = cpu_level();
	CHECK(own >= CPU_SCALAR, "a level is found");
	CHECK(cpu_level_missing(own) == NULL, "and can be used");
	for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
	{
		cpu_limit((CpuLevel) level);
		CHECK((int) cpu_level() <= level, "level %d is a limit", level);
		CHECK(cpu_level_missing((CpuLevel) (level + 1)) != NULL ||
				  level == CPU_AVX512,
			  "above level %d there is nothing", level);
		if (level < CPU_AVX512)
			CHECK(!cpu_has(CPU_AVX512_VPOPCNTDQ) &&
					  !cpu_has(CPU_AVX512_VNNI) && !cpu_has(CPU_AVX512_BF16) &&
					  !cpu_has(CPU_AMX),
				  "level %d has no extension", level);
	}
	cpu_limit(CPU_UNKNOWN);
	CHECK(cpu_level() == own, "without a limit all is as before");
}

static void
test_environment(void)
{
	setenv("EMBED_CPU", "scalar", 1);
	cpu_limit(CPU_UNKNOWN);
	CHECK(cpu_level() == CPU_SCALAR, "the environment limits");
	distance_init();
	CHECK(strcmp(distance_kernels, "scalar") == 0, "the kernels of distances too");
	CHECK(distance_select("avx2") != NULL, "and no others are to be had");
	unsetenv("EMBED_CPU");
	cpu_limit(CPU_UNKNOWN);
	distance_init();
	printf("level of this machine: %s\n", distance_kernels);
}

static void
test_names(void)
{
	CHECK(cpu_level_of_name("avx2") == CPU_AVX2, "a name");
	CHECK(cpu_level_of_name("AVX2") == CPU_UNKNOWN, "letter by letter");
	CHECK(distance_select("sse9") != NULL, "no such set");
}

/* The compiler's test looks at the processor and the operating system too. */
static void
test_against_compiler(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (cpu_level() >= CPU_AVX2)
		CHECK(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
			  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"),
			  "AVX2 as the compiler sees it");
	CHECK((cpu_level() >= CPU_AVX512) ==
		  (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		   cpu_level() >= CPU_AVX2), "AVX-512 as the compiler sees it");
	if (cpu_level() >= CPU_AVX512)
		CHECK(cpu_has(CPU_AVX512_VNNI) == !!__builtin_cpu_supports("avx512vnni") &&
			  cpu_has(CPU_AVX512_VPOPCNTDQ) == !!__builtin_cpu_supports("avx512vpopcntdq") &&
			  cpu_has(CPU_AVX512_BF16) == !!__builtin_cpu_supports("avx512bf16"),
			  "extensions as the compiler sees them");
#endif
}

int
main(void)
{
	unsetenv("EMBED_CPU");
	test_names();
	test_limits();
	test_environment();
	test_against_compiler();
	return check_result();
}
