/*-------------------------------------------------------------------------
 *
 * hash_test.c
 *	  Would fail if words collided, or if the two forms of the hash differed.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "math/hash.h"

static uint64_t random_state = 20240117;

static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Exactly sized heap blocks, so that a sanitizer sees a byte read too far. */
static void
test_lengths(void)
{
	for (size_t length = 0; length <= 100; length++)
	{
		unsigned char *exact = exact_alloc(length);
		unsigned char *padded = exact_alloc(length + 16);

		for (size_t i = 0; i < length; i++)
			exact[i] = padded[i] = (unsigned char) next_random();
		for (size_t i = length; i < length + 16; i++)
			padded[i] = (unsigned char) next_random();
		CHECK(hash_bytes64(exact, length) ==
				  hash_bytes64_padded(padded, length),
			  "padded form differs at length %zu", length);
		free(exact);
		free(padded);
	}
}

/* Every input bit changes every output bit about half of the time. */
static void
test_avalanche(void)
{
	static const size_t lengths[] = {2, 3, 4, 7, 8, 9, 16, 17, 40};

	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
	{
		size_t		length = lengths[l];
		const int	rounds = 2000;

		for (size_t bit = 0; bit < length * 8; bit++)
		{
			int			flips[64] = {0};

			for (int round = 0; round < rounds; round++)
			{
				unsigned char bytes[64];
				uint64_t	difference;

				for (size_t i = 0; i < length; i++)
					bytes[i] = (unsigned char) next_random();
				difference = hash_bytes64(bytes, length);
				bytes[bit / 8] ^= (unsigned char) (1 << (bit % 8));
				difference ^= hash_bytes64(bytes, length);
				for (int out = 0; out < 64; out++)
					flips[out] += (int) (difference >> out & 1);
			}
			for (int out = 0; out < 64; out++)
				CHECK(
					flips[out] > rounds * 4 / 10 &&
						flips[out] < rounds * 6 / 10,
					"length %zu: input bit %zu flips output bit %d in %d of %d",
					length, bit, out, flips[out], rounds);
		}
	}
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

/* 400,000 numbered words: no collision, and even low bits for tables. */
static void
test_words(void)
{
	const int	count = 400000;
	uint64_t   *hashes = malloc(count * sizeof(uint64_t));
	int		   *buckets = calloc(65536, sizeof(int));
	double		chi = 0;

	for (int i = 0; i < count; i++)
	{
		char		word[32];
		int			length = snprintf(word, sizeof(word), i % 2 ? "w%d" : "long prefix of %d", i);

		hashes[i] = hash_bytes64(word, (size_t) length);
		buckets[hashes[i] & 65535]++;
	}
	qsort(hashes, count, sizeof(uint64_t), compare_hashes);
	for (int i = 1; i < count; i++)
		CHECK(hashes[i] != hashes[i - 1], "collision");
	for (int i = 0; i < 65536; i++)
	{
		double		expected = count / 65536.0;

		chi += (buckets[i] - expected) * (buckets[i] - expected) / expected;
	}
	/* chi-square with 65,535 degrees of freedom: sigma is 362 */
	CHECK(chi > 65535 - 5 * 362 && chi < 65535 + 5 * 362, "chi-square %f", chi);
	free(hashes);
	free(buckets);
}

/* The value is part of what may be stored: it must never change. */
static void
test_fixed_values(void)
{
	CHECK(hash_bytes64("", 0) == hash_bytes64_padded("0123456789abcdef", 0), "empty");
	CHECK(hash_bytes64("word", 4) == UINT64_C(0x628c9d0c32103866), "word: %llx",
		  (unsigned long long) hash_bytes64("word", 4));
	CHECK(hash_bytes64("internationalisation", 20) == UINT64_C(0xf89b50129ff6ebcc), "long word: %llx",
		  (unsigned long long) hash_bytes64("internationalisation", 20));
	CHECK(hash_combine64(1, 2) != hash_combine64(2, 1), "combination commutes");
}

int
main(void)
{
	test_lengths();
	test_avalanche();
	test_words();
	test_fixed_values();
	return check_result();
}
