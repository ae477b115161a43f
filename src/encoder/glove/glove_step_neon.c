/*-------------------------------------------------------------------------
 *
 * glove_step_neon.c
 *	  GloVe's step for NEON, which every 64-bit ARM has.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "math/lanes_neon.h"

/* To 8 bits and two steps of Newton's */
LANES_INLINE Lanes
inverse_root(Lanes a)
{
	Lanes		root = vrsqrteq_f32(a);

	root = vmulq_f32(root, vrsqrtsq_f32(vmulq_f32(a, root), root));
	return vmulq_f32(root, vrsqrtsq_f32(vmulq_f32(a, root), root));
}

#define INVERSE_ROOT(a) inverse_root(a)
#define STEP_NAME	"neon"
#define STEP_SET	glove_neon_set

#include "encoder/glove/glove_step_template.h"

extern const GloveKernels *const glove_neon;
const GloveKernels *const glove_neon = &glove_neon_set;

#endif							/* __aarch64__ */
