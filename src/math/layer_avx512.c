/*-------------------------------------------------------------------------
 *
 * layer_avx512.c
 *	  The kernels of layer.h for AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx512.h"

#define LAYER_SET layer_avx512
#define LAYER_NAME "avx512"

#include "math/layer_kernels.h"

#endif							/* __x86_64__ */
