/*-------------------------------------------------------------------------
 *
 * hash.h
 *	  A fast 64-bit hash of bytes, for words and n-grams.
 *
 * Up to 16 bytes are taken as two little-endian words padded with zeros, so
 * that a caller who may read 16 bytes whatever the length needs no branch on
 * it (hash_bytes64_padded).  Longer input is folded 16 bytes at a time.  Each
 * step is a 64 x 64 -> 128 bit product whose halves are added back to its
 * factors: a factor of zero then loses nothing.  The quality is measured in
 * test/unit/hash_test.c (avalanche, collisions of numbers and words).
 *
 * The result is the same on every machine and may be stored.  It is not a
 * defence against chosen collisions: a table that takes foreign words must
 * compare them, and should bound its probe length.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_HASH_H
#define MATH_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Odd, and about as many ones as zeros; the values have no other meaning. */
#define HASH_KEY_A		UINT64_C(0x9e3779b97f4a7c15)
#define HASH_KEY_B		UINT64_C(0xd1b54a32d192ed03)
#define HASH_KEY_C		UINT64_C(0xaef17502108ef2d9)

static inline uint64_t
hash_load64(const unsigned char *p)
{
	uint64_t	value;

	memcpy(&value, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

static inline uint32_t
hash_load32(const unsigned char *p)
{
	uint32_t	value;

	memcpy(&value, p, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

/* Mix two words into one; neither is lost when the other is zero. */
static inline uint64_t
hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (a + (uint64_t) (product >> 64)) ^
		(((b << 32) | (b >> 32)) + (uint64_t) product);
}

static inline uint64_t
hash_finish(uint64_t low, uint64_t high, uint64_t state)
{
	return hash_mix(hash_mix(low ^ HASH_KEY_A, high ^ HASH_KEY_B) ^ state,
					HASH_KEY_C);
}

/* The first "length" (at most 8) bytes at p, zero-padded, no byte beyond. */
static inline uint64_t
hash_load_partial(const unsigned char *p, size_t length)
{
	if (length == 8)
		return hash_load64(p);
	if (length >= 4)
		return hash_load32(p) |
			(uint64_t) hash_load32(p + length - 4) << (8 * (length - 4));
	if (length == 0)
		return 0;
	return p[0] | (uint64_t) p[length >> 1] << (8 * (length >> 1)) |
		(uint64_t) p[length - 1] << (8 * (length - 1));
}

/*
 * Continue a hash with another value: n-grams from the hashes of words.
 *
 * Not commutative; start from the hash of the first word.
 */
static inline uint64_t
hash_combine64(uint64_t hash, uint64_t next)
{
	return hash_mix(hash ^ HASH_KEY_B, next ^ HASH_KEY_C);
}

static inline uint64_t
hash_bytes64(const void *bytes, size_t length)
{
	const unsigned char *p = bytes;
	uint64_t	state = length;

	if (length <= 8)
		return hash_finish(hash_load_partial(p, length), 0, state);
	if (length <= 16)
		return hash_finish(hash_load64(p),
						   hash_load64(p + length - 8) >> (8 * (16 - length)),
						   state);
	for (; length > 16; p += 16, length -= 16)
		state = hash_mix(hash_load64(p) ^ HASH_KEY_B,
						 hash_load64(p + 8) ^ state) + HASH_KEY_A;

	/* the last 1 to 16 bytes, together with some already taken */
	return hash_finish(hash_load64(p + length - 16),
					   hash_load64(p + length - 8), state);
}

/* hash_bytes64 where 16 bytes may be read whatever the length. */
static inline uint64_t
hash_bytes64_padded(const void *bytes, size_t length)
{
	const unsigned char *p = bytes;
	uint64_t	low,
				high;

	if (__builtin_expect(length > 16, 0))
		return hash_bytes64(bytes, length);
	low = hash_load64(p);
	high = hash_load64(p + 8);

	/* shifts by 64 are undefined, hence in two steps */
	if (length <= 8)
	{
		high = 0;
		low = length == 0 ? 0 : low & (~UINT64_C(0) >> (8 * (8 - length)));
	}
	else
		high &= ~UINT64_C(0) >> (8 * (16 - length));
	return hash_finish(low, high, length);
}

#endif							/* MATH_HASH_H */
