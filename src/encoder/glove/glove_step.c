/*-------------------------------------------------------------------------
 *
 * glove_step.c
 *	  GloVe's step for any processor, and the choice of the set.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "math/cpu.h"
#include "math/lanes_scalar.h"

static inline Lanes
inverse_root(Lanes a)
{
	for (int i = 0; i < LANES; i++)
		a[i] = 1 / sqrtf(a[i]);
	return a;
}

#define INVERSE_ROOT(a) inverse_root(a)
#define STEP_NAME	"scalar"
#define STEP_SET	glove_scalar_set

#include "encoder/glove/glove_step_template.h"

extern const GloveKernels *const glove_avx512;
extern const GloveKernels *const glove_avx2;
extern const GloveKernels *const glove_neon;

const GloveKernels *
glove_kernels(const char *name)
{
#if defined(__x86_64__)
	if (cpu_level() >= CPU_AVX512 &&
		(name == NULL || strcmp(name, "avx512") == 0))
		return glove_avx512;
	if (cpu_level() >= CPU_AVX2 &&
		(name == NULL || strcmp(name, "avx2") == 0))
		return glove_avx2;
#elif defined(__aarch64__)
	if (name == NULL || strcmp(name, "neon") == 0)
		return glove_neon;
#endif
	if (name == NULL || strcmp(name, "scalar") == 0)
		return &glove_scalar_set;
	return NULL;
}
