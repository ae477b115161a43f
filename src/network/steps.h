/*-------------------------------------------------------------------------
 *
 * steps.h
 *	  What becomes of a vector after pooling: dense layers, norms.
 *
 * A chain of steps takes one vector, each step the result of the one before.
 * The modules Dense and Normalize of sentence-transformers are such, and the
 * heads of classifiers.  Matrices are float32, in the panels of
 * math/product.h: they are small beside the network, and a head's rounding
 * would show.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_STEPS_H
#define NETWORK_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/product.h"

typedef enum VectorStepKind
{
	STEP_DENSE,					/* activation(matrix x + bias) */
	STEP_LAYER_NORM,
	STEP_NORMALIZE				/* to length one */
} VectorStepKind;

typedef struct VectorStep
{
	int32_t		kind;
	int32_t		in;
	int32_t		out;
	int32_t		activation;		/* an Activation */
	int32_t		has_bias;
	float		epsilon;		/* of a norm */
	uint64_t	weights;		/* where they lie, see below */
	uint64_t	bias;
} VectorStep;

/*
 * Where the weights of a step lie, if the chain's end at "end" so far: sets
 * both places and returns the new end.  Everything begins on
 * PRODUCT_ALIGNMENT.
 */
extern uint64_t step_place(VectorStep *step, uint64_t end);

/* The bytes of a dense step's panels; of a norm's floats. */
extern size_t step_weight_bytes(const VectorStep *step);

/* The widest vector of a chain. */
extern int	steps_widest(const VectorStep *steps, int count, int dims);

/*
 * Takes a vector of "dims" floats through a chain; the result replaces it.
 *
 * x, scratch: room for the widest vector, aligned to PRODUCT_ALIGNMENT.
 * Returns the dimensions of the result, or -1 if it was interrupted.
 */
extern int	steps_run(const VectorStep *steps, int count, const void *weights,
					  int dims, float *x, float *scratch,
					  ProductInterrupt *interrupt);

#endif							/* NETWORK_STEPS_H */
