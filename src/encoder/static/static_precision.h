/*-------------------------------------------------------------------------
 *
 * static_precision.h
 *	  Rows of a static model's matrix in fewer bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STATIC_STATIC_PRECISION_H
#define STATIC_STATIC_PRECISION_H

#include "encoder/static/static.h"

typedef enum StaticPrecision
{
	STATIC_FLOAT32,
	STATIC_BFLOAT16,
	STATIC_INT16,				/* times a scale for each row */
	STATIC_INT8,
	STATIC_PRECISIONS
} StaticPrecision;

/* Their names, for the option "precision"; the last one is NULL. */
extern const char *const static_precisions[STATIC_PRECISIONS + 1];

/* Bytes of an element. */
extern int	static_element_bytes(StaticPrecision precision);

/* Has each row a scale? */
extern bool static_has_scales(StaticPrecision precision);

/*
 * A row of "stride" floats in a precision; returns its scale, which is 1
 * where there are none.  "whole" is true of rows whose values are whole
 * numbers of eight bits already: they are kept as they are.
 */
extern float static_narrow(StaticPrecision precision, bool whole, int stride,
						   const float *row, void *narrow);

/* The elements as floats, without the scale. */
extern void static_widen(StaticPrecision precision, int stride,
						 const void *narrow, float *row);

/* Are the values of the folder's matrix whole numbers of eight bits? */
extern bool static_is_whole(const NetworkFolder *network);

/* A row of the folder's matrix after the other, padded with zeros. */
typedef void (*StaticReceiveRow) (void *argument, const float *row);
extern void static_read_matrix(const NetworkFolder *network,
							   const StaticSettings *settings,
							   StaticReceiveRow receive, void *argument);

/*
 * How far the rows of a folder are turned by each precision: the least cosine
 * of a row to what is kept of it.  All values are read and must be finite.
 */
extern void static_measure(const NetworkFolder *network,
						   const StaticSettings *settings,
						   double least[STATIC_PRECISIONS]);

/*
 * The precision for "auto": int8 if it turns no row by more than
 * STATIC_AUTO_COSINE allows, else int16.
 */
#define STATIC_AUTO_COSINE 0.999
extern StaticPrecision static_choose(const double least[STATIC_PRECISIONS]);

#endif							/* STATIC_STATIC_PRECISION_H */
