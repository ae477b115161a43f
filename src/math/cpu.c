/*-------------------------------------------------------------------------
 *
 * cpu.c
 *	  Which instructions this process may use.
 *
 * A kernel of the operating system that masks AVX-512 leaves the processor's
 * feature bits set but not the bits of XCR0, so both are looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "math/cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

CpuLevel	cpu_level_found = CPU_UNKNOWN;

/* set by cpu_limit() */
static CpuLevel limit = CPU_UNKNOWN;

static const struct
{
	const char *name;
	CpuLevel	level;
}			level_names[] =
{
	{"scalar", CPU_SCALAR},
	{"neon", CPU_NEON},
	{"avx2", CPU_AVX2},
	{"avx512", CPU_AVX512}
};

CpuLevel
cpu_level_of_name(const char *name)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
	{
		if (strcmp(level_names[i].name, name) == 0)
			return level_names[i].level;
	}
	return CPU_UNKNOWN;
}

#if defined(__x86_64__)

/* bits of XCR0: the registers the operating system saves */
#define XCR0_AVX 0x06			/* XMM, YMM */
#define XCR0_AVX512 0xE6		/* and opmask, ZMM_Hi256, Hi16_ZMM */
#define XCR0_TILES 0x60000		/* TILECFG, TILEDATA */

/* leaf 1, ecx */
#define LEAF1_NEEDED (bit_FMA | bit_F16C | bit_AVX | bit_POPCNT | bit_OSXSAVE)
/* leaf 7, ebx */
#define LEAF7_AVX2 (bit_AVX2 | bit_BMI | bit_BMI2)
#define LEAF7_AVX512 (bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)

/* leaf 7, ecx, and leaf 7 subleaf 1, eax; not every cpuid.h names them */
#define LEAF7_VNNI (1u << 11)
#define LEAF7_VPOPCNTDQ (1u << 14)
#define LEAF7_1_BF16 (1u << 5)

/* leaf 7, edx: AMX-BF16, AMX-TILE, AMX-INT8 */
#define LEAF7_AMX (1u << 22 | 1u << 24 | 1u << 25)

typedef struct CpuFeatures
{
	unsigned int leaf1_ecx;
	unsigned int leaf7_ebx;
	unsigned int leaf7_ecx;
	unsigned int leaf7_edx;
	unsigned int leaf7_1_eax;
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
		cpu.made_by_amd = ebx == signature_AMD_ebx &&
			ecx == signature_AMD_ecx && edx == signature_AMD_edx;
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		cpu.leaf1_ecx = ecx;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
	{
		unsigned int last_subleaf = eax;

		cpu.leaf7_ebx = ebx;
		cpu.leaf7_ecx = ecx;
		cpu.leaf7_edx = edx;
		if (last_subleaf >= 1 &&
			__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
			cpu.leaf7_1_eax = eax;
	}
	if (cpu.leaf1_ecx & bit_OSXSAVE)
	{
		__asm__ __volatile__("xgetbv":"=a"(eax), "=d"(edx):"c"(0));
		cpu.xcr0 = eax;
	}
	return cpu;
}

static const char *
avx2_missing(const CpuFeatures *cpu)
{
	if ((cpu->leaf1_ecx & LEAF1_NEEDED) != LEAF1_NEEDED ||
		(cpu->leaf7_ebx & LEAF7_AVX2) != LEAF7_AVX2)
		return "the processor lacks AVX2, FMA, F16C or BMI2";
	if ((cpu->xcr0 & XCR0_AVX) != XCR0_AVX)
		return "the operating system does not save the AVX registers";
	return NULL;
}

static const char *
hardware_missing(CpuLevel level)
{
	CpuFeatures cpu = cpu_features();

	if (level == CPU_NEON)
		return "this library is compiled for another kind of processor";
	if (level >= CPU_AVX2 && avx2_missing(&cpu) != NULL)
		return avx2_missing(&cpu);
	if (level < CPU_AVX512)
		return NULL;
	if ((cpu.leaf7_ebx & LEAF7_AVX512) != LEAF7_AVX512)
		return "the processor lacks AVX-512 F, BW, DQ or VL";
	if ((cpu.xcr0 & XCR0_AVX512) != XCR0_AVX512)
		return "the operating system does not save the AVX-512 registers";
	return NULL;
}

/*
 * Whether Linux lets this process use the tiles of the matrix unit, asked for
 * as its Documentation/arch/x86/xstate.rst says (5.16 and later).
 */
static bool
tiles_allowed(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
	enum
	{
		ARCH_REQ_XCOMP_PERM = 0x1023,
		XFEATURE_XTILEDATA = 18
	};

	return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM,
				   XFEATURE_XTILEDATA) == 0;
#else
	return false;
#endif
}

bool
cpu_has(CpuExtension extension)
{
	CpuFeatures cpu;

	if (cpu_level() < CPU_AVX512)
		return false;
	cpu = cpu_features();
	switch (extension)
	{
		case CPU_AVX512_VPOPCNTDQ:
			return (cpu.leaf7_ecx & LEAF7_VPOPCNTDQ) != 0;
		case CPU_AVX512_VNNI:
			return (cpu.leaf7_ecx & LEAF7_VNNI) != 0;
		case CPU_AVX512_BF16:
			return (cpu.leaf7_1_eax & LEAF7_1_BF16) != 0;
		case CPU_AMX:
			return (cpu.leaf7_edx & LEAF7_AMX) == LEAF7_AMX &&
				   (cpu.xcr0 & XCR0_TILES) == XCR0_TILES && tiles_allowed();
		case CPU_NEON_DOT:
			return false;
	}
	return false;
}

bool
cpu_has_fast_bfloat16(void)
{
	return cpu_has(CPU_AVX512_BF16) && cpu_features().made_by_amd;
}

#else

static const char *
hardware_missing(CpuLevel level)
{
#if defined(__aarch64__)
	if (level <= CPU_NEON)
		return NULL;
#endif
	return level == CPU_SCALAR ? NULL :
		"this library is compiled for another kind of processor";
}

bool
cpu_has(CpuExtension extension)
{
#if defined(__aarch64__) && defined(__linux__)
	if (extension == CPU_NEON_DOT && cpu_level() == CPU_NEON)
		return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
	(void) extension;
	return false;
}

bool
cpu_has_fast_bfloat16(void)
{
	return false;
}

#endif							/* __x86_64__ */

static CpuLevel
current_limit(void)
{
	const char *name = getenv("EMBED_CPU");

	if (limit != CPU_UNKNOWN || name == NULL)
		return limit;
	return cpu_level_of_name(name);
}

const char *
cpu_level_missing(CpuLevel level)
{
	CpuLevel	highest = current_limit();

	if (level == CPU_UNKNOWN)
		return "there is no set of this name";
	if (highest != CPU_UNKNOWN && level > highest)
		return "the process is limited to a lower level";
	return hardware_missing(level);
}

CpuLevel
cpu_find_level(void)
{
	CpuLevel	level = CPU_AVX512;

	while (level > CPU_SCALAR && cpu_level_missing(level) != NULL)
		level--;
	cpu_level_found = level;
	return level;
}

void
cpu_limit(CpuLevel level)
{
	limit = level;
	cpu_level_found = CPU_UNKNOWN;
}
