/*-------------------------------------------------------------------------
 *
 * step_neon.c
 *	  The word2vec step for NEON, which every 64-bit ARM has.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include <arm_neon.h>

#define LANE		float32x4_t
#define LANE_COUNT	4
#define LANE_LOAD(p)		vld1q_f32(p)
#define LANE_STORE(p, v)	vst1q_f32(p, v)
#define LANE_SET(f)			vdupq_n_f32(f)
#define LANE_ZERO()			vdupq_n_f32(0)
#define LANE_FMA(a, b, c)	vfmaq_f32(c, a, b)
#define LANE_SUM(v)			vaddvq_f32(v)
#define STEP_TARGET
#define STEP_NAME	"neon"
#define STEP_SET	step_neon_set

#include "encoder/word2vec/step_template.h"

extern const StepKernels *const step_neon;
const StepKernels *const step_neon = &step_neon_set;

#endif							/* __aarch64__ */
