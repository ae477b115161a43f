/*-------------------------------------------------------------------------
 *
 * posting_kernels.h
 *	  The forms of the posting kernels, for posting.c and its test.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_POSTING_KERNELS_H
#define MATH_POSTING_KERNELS_H

#include "math/posting.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define POSTING_X86
#endif

extern float posting_scale(const PostingHeader *header);

#define POSTING_KERNELS(form) \
extern void posting_documents_##form(const PostingHeader *header, \
									 const uint8_t *packed, uint32_t *out); \
extern void posting_scores_##form(const PostingHeader *header, \
								  const uint8_t *packed, float factor, \
								  float *out); \
extern int	posting_harvest_##form(float *scores, int count, float least, \
								   uint16_t *out)

POSTING_KERNELS(scalar);
#ifdef POSTING_X86
POSTING_KERNELS(avx2);
POSTING_KERNELS(avx512);
#endif

#endif							/* MATH_POSTING_KERNELS_H */
