/*-------------------------------------------------------------------------
 *
 * cpu.c
 *	  What the processor at hand can run.
 *
 *-------------------------------------------------------------------------
 */
#include "math/cpu.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

const char *
cpu_missing_nothing(void)
{
	return NULL;
}

const char *
cpu_missing_all(void)
{
	return "this library is compiled for another kind of processor";
}

#if defined(__x86_64__)

/* bits of XCR0: the registers the operating system saves */
#define XCR0_AVX 0x06			/* XMM, YMM */
#define XCR0_AVX512 0xE6		/* and opmask, ZMM_Hi256, Hi16_ZMM */

/* leaf 1, ecx */
#define LEAF1_NEEDED (bit_FMA | bit_F16C | bit_AVX | bit_POPCNT | bit_OSXSAVE)
/* leaf 7, ebx */
#define LEAF7_AVX2 (bit_AVX2 | bit_BMI | bit_BMI2)
#define LEAF7_AVX512 (bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)
/* leaf 7.1, eax */
#define LEAF71_BF16 (1U << 5)

typedef struct CpuFeatures
{
	unsigned int leaf1_ecx;
	unsigned int leaf7_ebx;
	unsigned int leaf7_ecx;
	unsigned int leaf71_eax;
	unsigned int xcr0;
	bool		made_by_amd;
} CpuFeatures;

static CpuFeatures
cpu_features(void)
{
	CpuFeatures cpu = {0};
	unsigned int eax,
				ebx,
				ecx,
				edx;

	if (__get_cpuid(0, &eax, &ebx, &ecx, &edx))
		cpu.made_by_amd = ebx == signature_AMD_ebx && ecx == signature_AMD_ecx &&
			edx == signature_AMD_edx;
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		cpu.leaf1_ecx = ecx;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
	{
		cpu.leaf7_ebx = ebx;
		cpu.leaf7_ecx = ecx;
		if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
			cpu.leaf71_eax = eax;
	}
	if (cpu.leaf1_ecx & bit_OSXSAVE)
	{
		__asm__ __volatile__("xgetbv":"=a"(eax), "=d"(edx):"c"(0));
		cpu.xcr0 = eax;
	}
	return cpu;
}

const char *
cpu_missing_avx2(void)
{
	CpuFeatures cpu = cpu_features();

	if ((cpu.leaf1_ecx & LEAF1_NEEDED) != LEAF1_NEEDED ||
		(cpu.leaf7_ebx & LEAF7_AVX2) != LEAF7_AVX2)
		return "the processor lacks AVX2, FMA, F16C or BMI2";
	if ((cpu.xcr0 & XCR0_AVX) != XCR0_AVX)
		return "the operating system does not save the AVX registers";
	return NULL;
}

const char *
cpu_missing_avx512(void)
{
	CpuFeatures cpu = cpu_features();

	if (cpu_missing_avx2() != NULL)
		return cpu_missing_avx2();
	if ((cpu.leaf7_ebx & LEAF7_AVX512) != LEAF7_AVX512)
		return "the processor lacks AVX-512 F, BW, DQ or VL";
	if ((cpu.xcr0 & XCR0_AVX512) != XCR0_AVX512)
		return "the operating system does not save the AVX-512 registers";
	return NULL;
}

const char *
cpu_missing_avx512_vnni(void)
{
	if (cpu_missing_avx512() != NULL)
		return cpu_missing_avx512();
	return cpu_features().leaf7_ecx & bit_AVX512VNNI ? NULL : "the processor lacks AVX-512 VNNI";
}

const char *
cpu_missing_avx512_bf16(void)
{
	if (cpu_missing_avx512_vnni() != NULL)
		return cpu_missing_avx512_vnni();
	return cpu_features().leaf71_eax & LEAF71_BF16 ? NULL : "the processor lacks AVX-512 BF16";
}

bool
cpu_has_fast_bfloat16(void)
{
	return cpu_missing_avx512_bf16() == NULL && cpu_features().made_by_amd;
}

const char *
cpu_missing_neon_dot(void)
{
	return cpu_missing_all();
}

bool
cpu_has_vpopcntdq(void)
{
	return (cpu_features().leaf7_ecx & bit_AVX512VPOPCNTDQ) != 0;
}

#else							/* !__x86_64__ */

const char *
cpu_missing_avx2(void)
{
	return cpu_missing_all();
}

const char *
cpu_missing_avx512(void)
{
	return cpu_missing_all();
}

const char *
cpu_missing_avx512_vnni(void)
{
	return cpu_missing_all();
}

const char *
cpu_missing_avx512_bf16(void)
{
	return cpu_missing_all();
}

bool
cpu_has_fast_bfloat16(void)
{
	return false;
}

bool
cpu_has_vpopcntdq(void)
{
	return false;
}

const char *
cpu_missing_neon_dot(void)
{
#if defined(__aarch64__) && defined(__APPLE__)
	return NULL;				/* every one of them has it */
#elif defined(__aarch64__) && defined(__linux__)
	return getauxval(AT_HWCAP) & (1UL << 20) ? NULL : "the processor lacks dot products of bytes";
#elif defined(__aarch64__)
	return "this system does not tell whether the processor has dot products of bytes";
#else
	return cpu_missing_all();
#endif
}

#endif							/* __x86_64__ */
