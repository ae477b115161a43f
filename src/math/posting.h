/*-------------------------------------------------------------------------
 *
 * posting.h
 *	  Packed blocks of postings: who contains a term, and with what weight.
 *
 * A block holds up to 128 documents of one term in ascending order.  The
 * document numbers are stored as gaps in the fewest bits that hold the
 * largest of them.  The weights are stored as small codes over an even grid,
 * rounded so that they bound the true weight from both sides:
 *
 *	  value = base + code * scale,  value - steps * scale <= weight <= value
 *
 * which is what a search needs to skip documents and still be exact.  A block
 * may also hold the float32 weights themselves, when space matters less.
 *
 * Unpacking and scoring exist in a scalar form, which defines them, and in
 * forms for AVX2 and AVX-512; posting_init chooses.  No server header is
 * included here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_POSTING_H
#define MATH_POSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/bfloat16.h"

#define POSTING_BLOCK	128		/* postings in a full block */
#define POSTING_RAW		32		/* weight_bits of a block of float32 weights */
#define POSTING_MAX_BITS 8		/* weight_bits of all other blocks, at most */

/* The kernels may read, never use, this many bytes behind a block. */
#define POSTING_PADDING 32

/* A block of 32-bit gaps and raw weights */
#define POSTING_MAX_BYTES (POSTING_BLOCK * 8)

/* What describes a block; this struct is stored on disk. */
typedef struct PostingHeader
{
	uint32_t	first;			/* first document */
	uint32_t	address;		/* where the packed bytes are, for the
								 * caller */
	uint16_t	base;			/* bfloat16: lowest value */
	uint16_t	top;			/* bfloat16: highest value */
	uint8_t		document_bits;	/* 0 .. 32 */
	uint8_t		weight_bits;	/* 0 .. 8, or POSTING_RAW */
	uint8_t		last;			/* number of postings - 1 */
	uint8_t		steps;			/* width of the interval of a weight */
} PostingHeader;

/* Postings outside of a block; low = high where the weight is known */
typedef struct PostingBatch
{
	int			count;
	uint32_t	document[POSTING_BLOCK];
	float		low[POSTING_BLOCK];
	float		high[POSTING_BLOCK];
} PostingBatch;

extern void posting_init(void);

/* "scalar", "avx2" or "avx512" */
extern const char *posting_kernels;

extern float bfloat_down(float value, uint16_t *bits);
extern float bfloat_up(float value, uint16_t *bits);

/* Bytes of a block behind its header, a multiple of 4. */
extern size_t posting_bytes(const PostingHeader *header);

/*
 * Is this header one that posting_encode could have written?  Everything a
 * decoder relies on is looked at; foreign bytes can be decoded afterwards.
 */
extern bool posting_header_valid(const PostingHeader *header);

/*
 * Pack a batch of 1 .. 128 postings, documents strictly ascending.
 * weight_bits is the precision wanted: POSTING_RAW keeps float32 weights (low
 * must equal high), otherwise 1 .. 8.  "out" has room for POSTING_MAX_BYTES.
 * Returns the bytes written.
 */
extern size_t posting_encode(const PostingBatch *batch, int weight_bits,
							 PostingHeader *header, uint8_t *out);

/*
 * The same with the grid of a block the postings were decoded from: nothing is
 * rounded a second time.
 */
extern size_t posting_encode_as(const PostingBatch *batch,
								const PostingHeader *grid,
								PostingHeader *header, uint8_t *out);

/* The inverse: documents and the interval of each weight. */
extern void posting_decode(const PostingHeader *header, const uint8_t *packed,
						   PostingBatch *batch);

/*
 * Interval of all weights of a block.
 */
extern void posting_range(const PostingHeader *header, float *low,
						  float *high);

/*
 * Documents of a block.  "out" has room for POSTING_BLOCK numbers, all of
 * which may be written.
 */
extern void (*posting_documents) (const PostingHeader *header,
								  const uint8_t *packed, uint32_t *out);

/*
 * Upper bounds of factor * weight for each posting of a block; "out" as above.
 * Rounding of this and of the sums made with it is the caller's to allow for.
 * A result is never -0.
 */
extern void (*posting_scores) (const PostingHeader *header,
							  const uint8_t *packed, float factor, float *out);

/*
 * Find the scores of a row of "count" (a multiple of 16) that are at least
 * "least" and are not -0, the mark of a document no posting touched.  Their
 * places go to "out"; returns how many.  All scores are reset to -0.
 */
extern int	(*posting_harvest) (float *scores, int count, float least,
								uint16_t *out);

#endif							/* MATH_POSTING_H */
