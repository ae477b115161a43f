/*-------------------------------------------------------------------------
 *
 * step_avx512.c
 *	  The word2vec step for AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define LANE		__m512
#define LANE_COUNT	16
#define LANE_LOAD(p)		_mm512_load_ps(p)
#define LANE_STORE(p, v)	_mm512_store_ps(p, v)
#define LANE_SET(f)			_mm512_set1_ps(f)
#define LANE_ZERO()			_mm512_setzero_ps()
#define LANE_FMA(a, b, c)	_mm512_fmadd_ps(a, b, c)
#define LANE_SUM(v)			_mm512_reduce_add_ps(v)
#define STEP_TARGET	__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma")))
#define STEP_NAME	"avx512"
#define STEP_SET	step_avx512_set

#include "encoder/word2vec/step_template.h"

extern const StepKernels *const step_avx512;
const StepKernels *const step_avx512 = &step_avx512_set;

#endif							/* __x86_64__ */
