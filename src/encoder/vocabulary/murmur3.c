/*-------------------------------------------------------------------------
 *
 * murmur3.c
 *	  MurmurHash3, the 32-bit variant.
 *
 * Austin Appleby's algorithm (public domain, smhasher, MurmurHash3_x86_32),
 * restated: each little-endian word of four bytes is scrambled and folded
 * into the state, the last one to three bytes are scrambled as a word padded
 * with zeros, then length and avalanche.  The result is the same on every
 * machine; test/sql/hashing_vector.sql has the reference values.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/vocabulary/murmur3.h"

static inline uint32_t
rotate_left(uint32_t value, int bits)
{
	return (value << bits) | (value >> (32 - bits));
}

static inline uint32_t
scramble(uint32_t word)
{
	return rotate_left(word * UINT32_C(0xcc9e2d51), 15) * UINT32_C(0x1b873593);
}

/* up to four bytes as a little-endian number */
static inline uint32_t
load_word(const uint8_t *bytes, size_t length)
{
	uint32_t	word = 0;
	size_t		i;

	for (i = 0; i < length; i++)
		word |= (uint32_t) bytes[i] << (8 * i);
	return word;
}

uint32_t
murmur3_hash32(const void *bytes, size_t length, uint32_t seed)
{
	const uint8_t *at = bytes;
	size_t		left;
	uint32_t	state = seed;

	for (left = length; left >= 4; left -= 4, at += 4)
	{
		state ^= scramble(load_word(at, 4));
		state = rotate_left(state, 13) * 5 + UINT32_C(0xe6546b64);
	}
	if (left > 0)
		state ^= scramble(load_word(at, left));

	state ^= (uint32_t) length;
	state = (state ^ (state >> 16)) * UINT32_C(0x85ebca6b);
	state = (state ^ (state >> 13)) * UINT32_C(0xc2b2ae35);
	return state ^ (state >> 16);
}
