/*-------------------------------------------------------------------------
 *
 * step.c
 *	  The word2vec step in plain C, and the choice of the set.
 *
 *-------------------------------------------------------------------------
 */
#include <stddef.h>

#define LANE		float
#define LANE_COUNT	1
#define LANE_LOAD(p)		(*(p))
#define LANE_STORE(p, v)	(*(p) = (v))
#define LANE_SET(f)			(f)
#define LANE_ZERO()			0.0f
#define LANE_FMA(a, b, c)	((a) * (b) + (c))
#define LANE_SUM(v)			(v)
#define STEP_TARGET
#define STEP_NAME	"scalar"
#define STEP_SET	step_scalar_set

#include "encoder/word2vec/step_template.h"
#include "math/cpu.h"

extern const StepKernels *const step_avx512;
extern const StepKernels *const step_avx2;
extern const StepKernels *const step_neon;

const StepKernels *
step_kernels(const char *name)
{
#if defined(__x86_64__)
	if (cpu_level() >= CPU_AVX512 &&
		(name == NULL || strcmp(name, "avx512") == 0))
		return step_avx512;
	if (cpu_level() >= CPU_AVX2 &&
		(name == NULL || strcmp(name, "avx2") == 0))
		return step_avx2;
#elif defined(__aarch64__)
	if (name == NULL || strcmp(name, "neon") == 0)
		return step_neon;
#endif
	if (name == NULL || strcmp(name, "scalar") == 0)
		return &step_scalar_set;
	return NULL;
}
