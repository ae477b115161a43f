/*-------------------------------------------------------------------------
 *
 * subword.c
 *	  Character n-grams of a word, as fastText counts them.
 *
 * Two habits of fastText are part of its file format, since a bucket's number
 * says which row holds its vector: bytes are sign-extended before they are
 * hashed by FNV-1a, and a single character that is only the mark of the
 * word's begin or end is left out while longer n-grams with a mark are in.
 *
 *-------------------------------------------------------------------------
 */
#include "text/subword.h"

#include <stdbool.h>
#include <string.h>

#define FNV_OFFSET	2166136261u
#define FNV_PRIME	16777619u

static inline bool
is_continuation(char c)
{
	return ((unsigned char) c & 0xC0) == 0x80;
}

int
subword_buckets(const char *word, int length, int min_n, int max_n,
				int32_t bucket_count, int32_t *buckets, int capacity)
{
	char		marked[SUBWORD_MAX_WORD + 2];
	int			end = length + 2;
	int			count = 0;

	if (length > SUBWORD_MAX_WORD || max_n <= 0 || bucket_count <= 0)
		return 0;
	marked[0] = '<';
	memcpy(marked + 1, word, length);
	marked[end - 1] = '>';

	for (int start = 0; start < end; start++)
	{
		uint32_t	hash = FNV_OFFSET;
		int			position = start;

		if (is_continuation(marked[start]))
			continue;
		for (int n = 1; n <= max_n && position < end; n++)
		{
			do
			{
				hash ^= (uint32_t) (int8_t) marked[position++];
				hash *= FNV_PRIME;
			} while (position < end && is_continuation(marked[position]));

			if (n < min_n || (n == 1 && (start == 0 || position == end)))
				continue;
			if (count < capacity)
				buckets[count] = (int32_t) (hash % (uint32_t) bucket_count);
			count++;
		}
	}
	return count;
}
