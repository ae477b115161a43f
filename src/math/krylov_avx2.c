/*-------------------------------------------------------------------------
 *
 * krylov_avx2.c
 *	  The loops of krylov.c for AVX2 with FMA.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx2.h"

#define SET_NAME	"avx2"
#define SET			avx2_set

#include "math/krylov_rows.h"

extern const KrylovKernels *const krylov_avx2;
const KrylovKernels *const krylov_avx2 = &avx2_set;

#endif							/* __x86_64__ */
