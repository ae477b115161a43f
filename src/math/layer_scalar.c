/*-------------------------------------------------------------------------
 *
 * layer_scalar.c
 *	  The kernels of layer.h for any processor.
 *
 *-------------------------------------------------------------------------
 */
#include "math/lanes_scalar.h"

#define LAYER_SET layer_scalar
#define LAYER_NAME "scalar"

#include "math/layer_kernels.h"
