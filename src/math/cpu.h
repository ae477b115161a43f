/*-------------------------------------------------------------------------
 *
 * cpu.h
 *	  What the processor at hand can run.
 *
 * Each function named "missing" returns NULL, or in a few words what is
 * missing.  A set of kernels is usable when the processor has its instructions
 * and the operating system saves its registers: a system that masks AVX-512
 * leaves the feature bits set but not the bits of XCR0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_CPU_H
#define MATH_CPU_H

#include <stdbool.h>

extern const char *cpu_missing_nothing(void);
extern const char *cpu_missing_all(void);	/* what is not compiled in */

/* AVX2 with FMA, F16C, BMI and BMI2 */
extern const char *cpu_missing_avx2(void);

/* AVX-512 F, BW, DQ and VL, and all of the above */
extern const char *cpu_missing_avx512(void);

/* AVX-512 with the dot products of bytes and of 16-bit integers */
extern const char *cpu_missing_avx512_vnni(void);

/* the same with products of bfloat16 */
extern const char *cpu_missing_avx512_bf16(void);

/*
 * Whether those are worth using: Intel's processors issue vdpbf16ps every
 * other cycle, half the speed of products of floats (measured on a Xeon of
 * 2023: 89 and 180 GFLOP/s); AMD's every cycle, twice (230 and 115 on Zen 4).
 */
extern bool cpu_has_fast_bfloat16(void);

/* NEON with the dot product of bytes */
extern const char *cpu_missing_neon_dot(void);

/* AVX-512 that counts bits */
extern bool cpu_has_vpopcntdq(void);

#endif							/* MATH_CPU_H */
