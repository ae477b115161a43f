/*-------------------------------------------------------------------------
 *
 * krylov_avx512.c
 *	  The loops of krylov.c for AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx512.h"

#define SET_NAME	"avx512"
#define SET			avx512_set

#include "math/krylov_rows.h"

extern const KrylovKernels *const krylov_avx512;
const KrylovKernels *const krylov_avx512 = &avx512_set;

#endif							/* __x86_64__ */
