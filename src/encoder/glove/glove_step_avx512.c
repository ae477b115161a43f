/*-------------------------------------------------------------------------
 *
 * glove_step_avx512.c
 *	  GloVe's step for AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx512.h"

/*
 * To 14 bits and one step of Newton's, as for AVX2: a root and a division of
 * 16 lanes take twenty cycles each.
 */
LANES_INLINE Lanes
inverse_root(Lanes a)
{
	Lanes		root = _mm512_rsqrt14_ps(a);
	Lanes		twice = lanes_multiply(a, root);
	Lanes		half = lanes_multiply(twice, lanes_set(0.5f));

	return lanes_multiply(root, _mm512_fnmadd_ps(half, root, lanes_set(1.5f)));
}

#define INVERSE_ROOT(a) inverse_root(a)
#define STEP_NAME	"avx512"
#define STEP_SET	glove_avx512_set

#include "encoder/glove/glove_step_template.h"

extern const GloveKernels *const glove_avx512;
const GloveKernels *const glove_avx512 = &glove_avx512_set;

#endif							/* __x86_64__ */
