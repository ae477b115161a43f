/*-------------------------------------------------------------------------
 *
 * krylov_scalar.c
 *	  The loops of krylov.c for any processor, and the choice of the set.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "math/cpu.h"
#include "math/lanes_scalar.h"

#define SET_NAME	"scalar"
#define SET			scalar_set

#include "math/krylov_rows.h"

extern const KrylovKernels *const krylov_avx512;
extern const KrylovKernels *const krylov_avx2;
extern const KrylovKernels *const krylov_neon;

const KrylovKernels *
krylov_kernels(const char *name)
{
#if defined(__x86_64__)
	if (cpu_level() >= CPU_AVX512 &&
		(name == NULL || strcmp(name, "avx512") == 0))
		return krylov_avx512;
	if (cpu_level() >= CPU_AVX2 &&
		(name == NULL || strcmp(name, "avx2") == 0))
		return krylov_avx2;
#elif defined(__aarch64__)
	if (name == NULL || strcmp(name, "neon") == 0)
		return krylov_neon;
#endif
	if (name == NULL || strcmp(name, "scalar") == 0)
		return &scalar_set;
	return NULL;
}
