/*-------------------------------------------------------------------------
 *
 * murmur3_test.c
 *	  If this failed, hashing_vector would not put terms into the columns of
 *	  scikit-learn's HashingVectorizer.
 *
 * The values are those of sklearn.utils.murmurhash.murmurhash3_32 (1.2.1).
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "encoder/vocabulary/murmur3.h"

typedef struct Known
{
	const char *text;
	uint32_t	seed_0;
	uint32_t	seed_42;
} Known;

static const Known known[] = {
	{"", 0, 142593372},
	{"a", 1009084850, 3001393763},
	{"ab", 2613040991, 3610054215},
	{"abc", 3017643002, 1313807976},
	{"abcd", 1139631978, 3898664396},
	{"abcde", 3902511862, 2933533680},
	{"the", 3162218338, 2522183313},
	{"na\xc3\xafve", 992511445, 2310162882},
	{"The quick brown fox jumps over the lazy dog", 776992547, 880582914}
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		size_t		length = strlen(known[i].text);
		char	   *exact = exact_alloc(length);
		uint32_t	hash;

		memcpy(exact, known[i].text, length);
		hash = murmur3_hash32(exact, length, 0);
		CHECK(hash == known[i].seed_0, "hash of \"%s\" is %u, not %u",
			  known[i].text, hash, known[i].seed_0);
		hash = murmur3_hash32(exact, length, 42);
		CHECK(hash == known[i].seed_42, "hash of \"%s\" with seed 42 is %u, not %u",
			  known[i].text, hash, known[i].seed_42);
		free(exact);
	}
	return check_result();
}
