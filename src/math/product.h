/*-------------------------------------------------------------------------
 *
 * product.h
 *	  Products of rows of activations with packed matrices of weights.
 *
 * A matrix of weights has "outer" rows of "inner" numbers, as files of models
 * store it: one row for each output.  It is packed once, in a flat layout that
 * may lie anywhere in a memory map: panels of some outputs each, every panel
 * contiguous and complete in itself.  The layout depends on the precision and
 * on the processor; product_layout names it, and a packed matrix serves only
 * where the name is the same.
 *
 * A product's row depends on that row alone: the terms of a sum are added in
 * the order of the inner index whatever the number of rows, so a text's vector
 * does not depend on what else is in the batch, bit for bit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_PRODUCT_H
#define MATH_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/layer.h"

typedef enum ProductPrecision
{
	PRODUCT_FLOAT32,
	PRODUCT_BFLOAT16,
	PRODUCT_INT16,
	PRODUCT_INT8
} ProductPrecision;

#define PRODUCT_PRECISIONS 4

/* Sums of 32 bits hold this many products of bytes; README. */
#define PRODUCT_MOST_INNER 65536

/* What every packed block begins on. */
#define PRODUCT_ALIGNMENT 64

/*
 * Called before any product, and for tests: product_select takes the set of
 * this name and returns NULL, or says why it cannot.
 */
extern void product_init(void);
extern const char *product_select(const char *name);
extern const char *product_kernels;	/* the set chosen */

/* the names of all sets, NULL at the end, from the slowest to the fastest */
extern const char *const *product_sets(void);

/* The layout's name; equal names, equal bytes. */
extern const char *product_layout(ProductPrecision precision);

/* Outputs in a panel, and its size in bytes: a multiple of the alignment. */
extern int	product_panel_columns(ProductPrecision precision);
extern size_t product_panel_bytes(ProductPrecision precision, int inner);

/*
 * Packs up to product_panel_columns outputs.
 *
 * weights: "columns" rows of "inner" finite floats, "stride" floats apart.
 * panel: product_panel_bytes bytes, aligned; all of them are written.
 */
extern void product_pack_panel(ProductPrecision precision, int inner,
							   int columns, const float *weights,
							   size_t stride, void *panel);

/* A packed matrix, wherever it lies. */
typedef struct ProductMatrix
{
	ProductPrecision precision;
	int			inner;
	int			outer;
	const void *panels;
	const float *bias;			/* of "outer" floats, or NULL */
} ProductMatrix;

/* Activations in the form that the kernels of a precision take. */
typedef struct ProductRows
{
	int			rows;
	const void *values;
	size_t		stride;			/* bytes from row to row */
	const float *scale;			/* of each row, and its least value; integers
								 * only */
	const float *least;
} ProductRows;

/*
 * Turns rows of "inner" floats, "stride" floats apart, into that form.
 *
 * buffer: product_rows_bytes bytes, aligned.  Floats stay where they are.
 */
extern size_t product_rows_bytes(ProductPrecision precision, int inner,
								 int rows);
extern ProductRows product_rows(ProductPrecision precision, int inner,
								int rows, const float *from, size_t stride,
								void *buffer);

/* What becomes of a sum, in this order: bias, activation, combination. */
typedef enum ProductCombine
{
	PRODUCT_STORE,
	PRODUCT_ADD,				/* to what is there */
	PRODUCT_MULTIPLY			/* what is there */
} ProductCombine;

typedef struct ProductResult
{
	float	   *to;				/* of the first panel's first output */
	size_t		stride;			/* floats from row to row */
	Activation	activation;
	ProductCombine combine;
} ProductResult;

/*
 * Called every hundred million multiplications, some milliseconds; true stops
 * the product, whose result is then without value.  A caller of the server
 * throws instead.
 */
typedef struct ProductInterrupt
{
	bool		(*check) (void *argument);
	void	   *argument;
	double		work;			/* multiplications since the last call */
} ProductInterrupt;

#define PRODUCT_WORK_BETWEEN_CHECKS 1e8

extern bool product_interrupted(ProductInterrupt *interrupt, double work);

/*
 * The outputs of "panels" panels from "first" on, of all rows; or of all
 * panels.  False if it was interrupted.
 */
extern bool product_of_panels(const ProductMatrix *matrix, int first,
							  int panels, const ProductRows *rows,
							  const ProductResult *result,
							  ProductInterrupt *interrupt);
extern bool product(const ProductMatrix *matrix, const ProductRows *rows,
					const ProductResult *result, ProductInterrupt *interrupt);

/*
 * Products of floats with panels that the caller has laid out: inner x
 * "float_columns" floats, one panel after the other.  Attention's own.
 */
extern int	product_float_columns(void);
extern int	product_float_rows(void);

/*
 * sums: one row of float_columns sums for each of up to float_rows rows; with
 * "add" they are added to.
 */
extern void product_float_tile(int rows, const float *values, size_t stride,
							   const float *panel, int inner,
							   float *sums, size_t sum_stride, bool add);

#endif							/* MATH_PRODUCT_H */
