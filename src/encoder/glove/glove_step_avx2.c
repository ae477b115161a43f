/*-------------------------------------------------------------------------
 *
 * glove_step_avx2.c
 *	  GloVe's step for AVX2 with FMA.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx2.h"

/* To 12 bits and one step of Newton's */
LANES_INLINE Lanes
inverse_root(Lanes a)
{
	Lanes		root = _mm256_rsqrt_ps(a);
	Lanes		twice = lanes_multiply(a, root);
	Lanes		half = lanes_multiply(twice, lanes_set(0.5f));

	return lanes_multiply(root, _mm256_fnmadd_ps(half, root, lanes_set(1.5f)));
}

#define INVERSE_ROOT(a) inverse_root(a)
#define STEP_NAME	"avx2"
#define STEP_SET	glove_avx2_set

#include "encoder/glove/glove_step_template.h"

extern const GloveKernels *const glove_avx2;
const GloveKernels *const glove_avx2 = &glove_avx2_set;

#endif							/* __x86_64__ */
