/*-------------------------------------------------------------------------
 *
 * trainer_steps.h
 *	  Training of what becomes of a vector after pooling: dense layers, norms.
 *
 * The chain of steps.h, with weights as files have them (outputs x inputs) in
 * place of panels, one array for all steps: a dense step's matrix, then its
 * bias; a norm's weights, then their bias.  It serves the modules behind a
 * transformer, and a dense layer that is put behind any encoder at all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRAINER_STEPS_H
#define NETWORK_TRAINER_STEPS_H

#include "network/real.h"
#include "network/steps.h"

/* Numbers of all steps' weights; where one step's begin. */
extern size_t train_steps_floats(const VectorStep *steps, int count);
extern size_t train_steps_offset(const VectorStep *steps, int number);

/* A square dense step without activation becomes the identity. */
extern void train_steps_identity(const VectorStep *steps, int number,
								 Real *weights);

/*
 * Rows of vectors through the chain.  kept: train_steps_kept numbers, for the
 * way back; the last of them are the results, rows x steps[count - 1].out,
 * which train_steps_results finds.
 *
 * scratch: MATRIX_SCRATCH_FLOATS numbers, aligned.  False if interrupted.
 */
extern size_t train_steps_kept(const VectorStep *steps, int count, int rows);
extern const Real *train_steps_results(const VectorStep *steps, int count,
									   int rows, const Real *kept);
extern bool train_steps_forward(const VectorStep *steps, int count,
								const Real *weights, int rows, const Real *x,
								Real *kept, Real *scratch,
								ProductInterrupt *interrupt);

/*
 * slopes: of the results; spoiled, and as wide as the widest vector
 * weights_slope: added to, or NULL
 * x_slope: of x, written, or NULL
 * other: as slopes
 */
extern bool train_steps_backward(const VectorStep *steps, int count,
								 const Real *weights, int rows, const Real *x,
								 const Real *kept, Real *slopes, Real *other,
								 Real *weights_slope, Real *x_slope,
								 Real *scratch, ProductInterrupt *interrupt);

#endif							/* NETWORK_TRAINER_STEPS_H */
