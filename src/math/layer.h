/*-------------------------------------------------------------------------
 *
 * layer.h
 *	  What the layers of a network do to rows of floats, one set of kernels
 *	  for each kind of processor: norms, activations, softmax, positions that
 *	  turn, rounding.
 *
 * product_init chooses the set together with the products'.  No kernel reads
 * or writes beyond the counts that it is given.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LAYER_H
#define MATH_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Hendrycks and Gimpel 2016 (arXiv 1606.08415) for GELU and its two
 * approximations
 */
typedef enum Activation
{
	ACTIVATION_NONE,
	ACTIVATION_GELU,			/* x / 2 (1 + erf(x / sqrt 2)) */
	ACTIVATION_GELU_TANH,		/* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715
								 * x^3))) */
	ACTIVATION_GELU_QUICK,		/* x sigmoid(1.702 x) */
	ACTIVATION_SILU,			/* x sigmoid(x) */
	ACTIVATION_SIGMOID,
	ACTIVATION_TANH,
	ACTIVATION_RELU
} Activation;

#define ACTIVATIONS 8

/* From the sums of a product to its result; see ProductResult. */
typedef struct LayerFinish
{
	int			columns;
	bool		integer;		/* sums are integers, the next four count */
	const float *column_scale;	/* of each output's weights */
	const float *column_sum;	/* the sum of its weights */
	const float *row_scale;
	const float *row_least;
	const float *bias;			/* or NULL */
	Activation	activation;
	int			combine;		/* a ProductCombine */
	float	   *to;
	size_t		stride;
} LayerFinish;

/* The running maximum and sum of a softmax that comes in parts. */
typedef struct SoftmaxState
{
	float		largest;
	float		sum;
} SoftmaxState;

#define SOFTMAX_BEGIN ((SoftmaxState) {-3.4e38f, 0})

/* How a row was rounded to integers: value = scale * integer + least. */
typedef struct LayerRounding
{
	float		scale;
	float		least;
} LayerRounding;

typedef struct LayerKernels
{
	const char *name;

	void (*finish) (const LayerFinish *how, int rows, const void *sums,
					size_t sum_stride);
	void		(*activate) (Activation activation, int count, float *x);

	/* to *= derivative of the activation at x; training's */
	void (*slope) (Activation activation, int count, const float *x,
				   float *to);

	/*
	 * (x - mean) / sqrt(variance + epsilon) * weight + bias: Ba, Kiros and
	 * Hinton 2016 (arXiv 1607.06450); and without the mean: Zhang and
	 * Sennrich 2019 (arXiv 1910.07467).  "bias" may be NULL.  "to" may be x.
	 */
	void (*norm) (int dims, const float *x, const float *weight,
				  const float *bias, float epsilon, float *to);
	void (*rms_norm) (int dims, const float *x, const float *weight,
					  float epsilon, float *to);

	/*
	 * Scores to weights exp(score - largest), "bias" added to scores first if
	 * it is not NULL; the state goes on to the next part (Milakov and
	 * Gimelshein 2018, arXiv 1805.02867).  Returns what earlier weights are
	 * to be multiplied with.
	 */
	float (*softmax) (int count, float *scores, const float *bias,
					  SoftmaxState *state);

	/*
	 * two halves of "half" numbers, turned by angles: Su et al. 2021 (arXiv
	 * 2104.09864)
	 */
	void (*turn) (int half, float *x, const float *cosine, const float *sine);

	/*
	 * Rows to a panel of "columns" columns, one for each row; columns without
	 * a row become zero.  "columns" is a multiple of 4.
	 */
	void (*columns_of_rows) (int dims, int rows, const float *from,
							 size_t stride, float scale, int columns,
							 float *panel);

	void		(*add) (int count, const float *x, float *to);	/* to += x */
	void		(*scale) (int count, float factor, float *x);
	void (*add_scaled) (int count, float factor, const float *x, float *to);
	void		(*maximum) (int count, const float *x, float *to);

	/*
	 * A step of the cells of an LSTM.  gates: those of input, candidate,
	 * forgetting and output, "gap" floats from one to the next, before their
	 * activations.  cell <- f cell + i j, held within +-clip, which may be
	 * infinite; to: o tanh(cell).  Hochreiter and Schmidhuber 1997, Gers et
	 * al. 2000.
	 */
	void (*lstm_cells) (int cells, const float *gates, size_t gap, float clip,
						float *cell, float *to);
	void		(*clamp) (int count, float most, float *x);	/* to +-most */

	/*
	 * Rounding of a row of "count" values, zeros up to "padded".  Bytes go
	 * from the least to the largest value or zero, signed ones are 128 less;
	 * shorts are symmetric, to 4095.
	 */
	LayerRounding (*to_bytes) (int count, const float *x, int padded,
							   uint8_t *to);
	LayerRounding (*to_signed_bytes) (int count, const float *x, int padded,
									  int8_t *to);
	LayerRounding (*to_shorts) (int count, const float *x, int padded,
								int16_t *to);
	void (*to_bfloat16) (int count, const float *x, int padded, uint16_t *to);
} LayerKernels;

extern const LayerKernels *layer;

/* the sets, for product.c */
extern const LayerKernels layer_scalar;
#if defined(__x86_64__)
extern const LayerKernels layer_avx2;
extern const LayerKernels layer_avx512;
#elif defined(__aarch64__)
extern const LayerKernels layer_neon;
#endif

#endif							/* MATH_LAYER_H */
