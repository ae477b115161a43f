/*-------------------------------------------------------------------------
 *
 * cpu.h
 *	  Which instructions this process may use.
 *
 * Kernels are compiled for several levels of processors, each function with
 * a target attribute of its own, and chosen when they are first needed:
 *
 *		__attribute__((target(CPU_TARGET_AVX2))) static void
 *		product_avx2(...)
 *
 *		if (cpu_level() >= CPU_AVX512)
 *			product_avx512(...);
 *		else if (cpu_level() >= CPU_AVX2)
 *			product_avx2(...);
 *		else
 *			product_plain(...);
 *
 * A level is usable when the processor has all its instructions and the
 * operating system saves their registers.  Instructions beyond a level
 * (cpu_has) are asked for by themselves, and only where the level is the one
 * that their name begins with: whoever limits the level takes them away.
 * CPU_NEON is part of every AArch64, and no level of x86-64 is usable there.
 *
 * The environment variable EMBED_CPU ("scalar", "avx2", "avx512", "neon")
 * limits the level of a process, so that a machine that has AVX-512 can test
 * and measure what others run.  Tests and benchmarks call cpu_limit().
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_CPU_H
#define MATH_CPU_H

#include <stdbool.h>

/* In this order: a level includes those below it on the same kind of CPU */
typedef enum CpuLevel
{
	CPU_UNKNOWN,				/* not looked yet */
	CPU_SCALAR,
	CPU_NEON,
	CPU_AVX2,					/* and FMA, F16C, BMI, BMI2, POPCNT */
	CPU_AVX512					/* and F, BW, DQ, VL */
} CpuLevel;

#define CPU_TARGET_AVX2 "avx2,fma,f16c,bmi,bmi2,popcnt"
#define CPU_TARGET_AVX512 "avx512f,avx512bw,avx512dq,avx512vl," CPU_TARGET_AVX2

/* Instructions beyond CPU_AVX512 */
typedef enum CpuExtension
{
	CPU_AVX512_VPOPCNTDQ = 1,	/* counts of bits */
	CPU_AVX512_VNNI = 2,		/* sums of products of int8 */
	CPU_AVX512_BF16 = 4,		/* sums of products of bfloat16 */
	CPU_NEON_DOT = 8,			/* of AArch64: sums of products of int8 */
	CPU_AMX = 16				/* Intel's matrix unit: int8 and bfloat16 */
} CpuExtension;

extern CpuLevel cpu_level_found;
extern CpuLevel cpu_find_level(void);

/* The highest usable level */
static inline CpuLevel
cpu_level(void)
{
	return cpu_level_found != CPU_UNKNOWN ? cpu_level_found :
		cpu_find_level();
}

/*
 * Linux gives the registers of CPU_AMX to a process that asks for them, once
 * and for its children too: the first question of cpu_has(CPU_AMX) does.
 */
extern bool cpu_has(CpuExtension extension);

/*
 * Whether CPU_AVX512_BF16 is worth using: Intel's processors issue vdpbf16ps
 * every other cycle, half the speed of products of floats (measured on a Xeon
 * of 2023: 89 and 180 GFLOP/s); AMD's every cycle, twice (230 and 115 on
 * Zen 4).
 */
extern bool cpu_has_fast_bfloat16(void);

/* "scalar", "neon", "avx2", "avx512"; CPU_UNKNOWN for any other name */
extern CpuLevel cpu_level_of_name(const char *name);

/* Why a level cannot be used, or NULL */
extern const char *cpu_level_missing(CpuLevel level);

/*
 * From now on behave like a processor of this level; CPU_UNKNOWN: as the
 * environment says, or without limit.  Kernels that were chosen before stay
 * until they are chosen again.
 */
extern void cpu_limit(CpuLevel level);

#endif							/* MATH_CPU_H */
