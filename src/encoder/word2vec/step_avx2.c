/*-------------------------------------------------------------------------
 *
 * step_avx2.c
 *	  The word2vec step for AVX2 with FMA.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include <immintrin.h>

static inline __attribute__((always_inline, target("avx2,fma"))) float
lane_sum(__m256 v)
{
	__m128		x = _mm_add_ps(_mm256_castps256_ps128(v),
							   _mm256_extractf128_ps(v, 1));

	x = _mm_add_ps(x, _mm_movehl_ps(x, x));
	x = _mm_add_ss(x, _mm_movehdup_ps(x));
	return _mm_cvtss_f32(x);
}

#define LANE		__m256
#define LANE_COUNT	8
#define LANE_LOAD(p)		_mm256_load_ps(p)
#define LANE_STORE(p, v)	_mm256_store_ps(p, v)
#define LANE_SET(f)			_mm256_set1_ps(f)
#define LANE_ZERO()			_mm256_setzero_ps()
#define LANE_FMA(a, b, c)	_mm256_fmadd_ps(a, b, c)
#define LANE_SUM(v)			lane_sum(v)
#define STEP_TARGET	__attribute__((target("avx2,fma")))
#define STEP_NAME	"avx2"
#define STEP_SET	step_avx2_set

#include "encoder/word2vec/step_template.h"

extern const StepKernels *const step_avx2;
const StepKernels *const step_avx2 = &step_avx2_set;

#endif							/* __x86_64__ */
