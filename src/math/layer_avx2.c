/*-------------------------------------------------------------------------
 *
 * layer_avx2.c
 *	  The kernels of layer.h for AVX2 with FMA.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "math/lanes_avx2.h"

#define LAYER_SET layer_avx2
#define LAYER_NAME "avx2"

#include "math/layer_kernels.h"

#endif							/* __x86_64__ */
