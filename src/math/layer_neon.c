/*-------------------------------------------------------------------------
 *
 * layer_neon.c
 *	  The kernels of layer.h for NEON.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "math/lanes_neon.h"

#define LAYER_SET layer_neon
#define LAYER_NAME "neon"

#include "math/layer_kernels.h"

#endif							/* __aarch64__ */
