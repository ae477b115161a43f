/*-------------------------------------------------------------------------
 *
 * subword.h
 *	  Character n-grams of a word, as fastText counts them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_SUBWORD_H
#define TEXT_SUBWORD_H

#include <stdint.h>

/*
 * Buckets of the n-grams of a word of "length" bytes of UTF-8, min_n to max_n
 * characters each, the word between '<' and '>' (Bojanowski et al., TACL
 * 2017, section 3.2).  An n-gram that occurs twice is listed twice.
 *
 * buckets: receives at most "capacity" numbers from 0 to bucket_count - 1
 * Returns how many there are, which may be more than capacity: none for a
 * word that is longer than SUBWORD_MAX_WORD bytes.
 */
#define SUBWORD_MAX_WORD 1000

extern int	subword_buckets(const char *word, int length, int min_n, int max_n,
							int32_t bucket_count, int32_t *buckets,
							int capacity);

#endif							/* TEXT_SUBWORD_H */
