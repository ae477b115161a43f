/*-------------------------------------------------------------------------
 *
 * block.h
 *	  64 bytes of text at a time: which of them can be part of a word.
 *
 * Private to words.c.  A bit of "candidates" is set for an ASCII byte that is
 * part of a word under the rule, and for every byte of a character outside
 * ASCII; a bit of "high" for the latter.  The bytes are copied to "copy" with
 * A-Z lowered when "fold" is set.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_BLOCK_H
#define TEXT_BLOCK_H

#include "text/words.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK_BYTES 64

typedef struct Block
{
	uint64_t	candidates;
	uint64_t	high;
} Block;

#if defined(__SSE2__)

/* 0xFF where low <= byte <= low + range, unsigned */
static inline __m128i
bytes_in_range(__m128i bytes, int low, int range)
{
	__m128i		distance = _mm_sub_epi8(bytes, _mm_set1_epi8((char) low));

	return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8((char) range)),
						  distance);
}

static inline __attribute__((always_inline)) Block
block_read(SplitRule rule, bool fold, const unsigned char *bytes,
		   unsigned char *copy)
{
	Block		block = {0, 0};

	for (int i = 0; i < 4; i++)
	{
		__m128i		chunk = _mm_loadu_si128(
				(const __m128i *) (bytes + 16 * i));
		__m128i		word;
		uint64_t	high = (uint64_t) (unsigned int) _mm_movemask_epi8(chunk);

		if (rule == SPLIT_WORDS)
		{
			/* setting 0x20 maps A-Z to a-z and nothing else between them */
			__m128i		small = _mm_or_si128(chunk, _mm_set1_epi8(0x20));

			word = _mm_or_si128(_mm_or_si128(bytes_in_range(small, 'a', 25),
											 bytes_in_range(chunk, '0', 9)),
								_mm_cmpeq_epi8(chunk, _mm_set1_epi8('_')));
		}
		else
			word = _mm_xor_si128(_mm_or_si128(bytes_in_range(chunk, 9, 4),
											  bytes_in_range(chunk, 28, 4)),
								 _mm_set1_epi8(-1));
		if (fold)
			chunk = _mm_or_si128(chunk,
								 _mm_and_si128(bytes_in_range(chunk, 'A', 25),
											   _mm_set1_epi8(0x20)));
		_mm_storeu_si128((__m128i *) (copy + 16 * i), chunk);
		block.candidates |=
			((uint64_t) (unsigned int) _mm_movemask_epi8(word) | high)
			<< (16 * i);
		block.high |= high << (16 * i);
	}
	return block;
}

#else							/* any other CPU */

static inline Block
block_read(SplitRule rule, bool fold, const unsigned char *bytes,
		   unsigned char *copy)
{
	Block		block = {0, 0};

	for (int i = 0; i < BLOCK_BYTES; i++)
	{
		unsigned char byte = bytes[i];
		bool		upper = (unsigned char) (byte - 'A') <= 25;
		bool		word;

		if (rule == SPLIT_WORDS)
			word = (unsigned char) ((byte | 0x20) - 'a') <= 25 ||
				(unsigned char) (byte - '0') <= 9 || byte == '_';
		else
			word = (unsigned char) (byte - 9) > 4 &&
				(unsigned char) (byte - 28) > 4;
		copy[i] = byte | (fold && upper ? 0x20 : 0);
		block.candidates |= (uint64_t) (word || byte >= 0x80) << i;
		block.high |= (uint64_t) (byte >= 0x80) << i;
	}
	return block;
}

#endif

#endif							/* TEXT_BLOCK_H */
