/*-------------------------------------------------------------------------
 *
 * distill.h
 *	  A static model made of a transformer: a vector for each of its tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DISTILL_DISTILL_H
#define DISTILL_DISTILL_H

#include "server/server.h"

#include "encoder/transformer/transformer_model.h"
#include "format/file.h"
#include "storage/buffile.h"
#include "train/progress.h"

/* Rows of floats in a temporary file, in the order of the tokens. */
typedef struct DistillRows
{
	int64		count;
	int			dims;
	float	   *farthest;		/* on each axis, which is turned if it is
								 * below zero; or NULL */
	BufFile    *file;
} DistillRows;

/*
 * What of the rows a reduction needs: their sum, and that of their products
 * (the upper half of dims x dims), as doubles.
 */
typedef struct DistillMoments
{
	double	   *sums;
	double	   *products;
} DistillMoments;

typedef enum DistillElement
{
	DISTILL_FLOAT32,
	DISTILL_FLOAT16,
	DISTILL_INT8
} DistillElement;

/* distill_encode.c */
extern void distill_encode(TransformerState *teacher, const uint32 *tokens,
						   int64 count, Progress *progress, DistillRows *rows,
						   DistillMoments *moments);

/* distill_reduce.c: on the axes of most variance; the rows are closed */
extern void distill_reduce(const DistillRows *rows, DistillMoments *moments,
						   int dims, Progress *progress, DistillRows *reduced);

/* distill_weights.c: count of them, palloc'd; sif of 0 makes all of them 1 */
extern double *distill_zipf_weights(int64 count, double sif);
extern double *distill_counted_weights(const TokenizerImage *tokenizer,
									   const char *corpus, int64 count,
									   double sif, Progress *progress);

/*
 * distill_write.c: a safetensors file of one tensor, "embeddings"; the rows
 * are closed
 */
extern BufFile *distill_write(const DistillRows *rows, const double *weights,
							  DistillElement element, Progress *progress,
							  FormatFile *file);

/* A piece of a temporary file, from where it stands. */
extern void distill_read(BufFile *file, void *bytes, Size length);
extern void distill_rewind(BufFile *file);

#endif							/* DISTILL_DISTILL_H */
