/*-------------------------------------------------------------------------
 *
 * krylov_neon.c
 *	  The loops of krylov.c for NEON, which every 64-bit ARM has.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "math/lanes_neon.h"

#define SET_NAME	"neon"
#define SET			neon_set

#include "math/krylov_rows.h"

extern const KrylovKernels *const krylov_neon;
const KrylovKernels *const krylov_neon = &neon_set;

#endif							/* __aarch64__ */
