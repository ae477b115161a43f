/*-------------------------------------------------------------------------
 *
 * subwords.c
 *	  The n-grams of a whole vocabulary, with rows for the buckets touched.
 *
 * fastText keeps a row for each of two million buckets; most are never
 * touched by any word of the vocabulary and stay at their random start.
 * Only touched buckets get a row here, numbered as they are first met.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "text/subword.h"
#include "encoder/word2vec/word2vec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* n-grams of the longest word, every length from 1 to max_n */
static int
most_ngrams(const Word2vecOptions *options)
{
	return (SUBWORD_MAX_WORD + 2) * options->max_n;
}

/*
 * Buckets of one word.  fastText's are hashes of UTF-8; the database may use
 * another encoding.
 */
static int
buckets_of_word(const Word2vecOptions *options, const EncodedWord *word,
				int32 *buckets)
{
	char	   *utf8 = pg_server_to_any(word->text, word->length, PG_UTF8);
	int			length = utf8 == word->text ? word->length : strlen(utf8);
	int			count = subword_buckets(utf8, length, options->min_n,
										options->max_n, options->buckets,
										buckets, most_ngrams(options));

	if (utf8 != word->text)
		pfree(utf8);
	return count;
}

Subwords *
word2vec_subwords(const Word2vecOptions *options, const EncodedCorpus *corpus)
{
	Subwords   *subwords;
	int32	   *bucket_row;
	int32	   *buckets;
	int64		total = 0;
	int64		capacity = 1024;

	if (options->max_n == 0)
		return NULL;

	subwords = palloc0(sizeof(Subwords));
	subwords->start = palloc_extended(
		mul_size(corpus->words + 1, sizeof(int64)), MCXT_ALLOC_HUGE);
	subwords->rows = palloc(sizeof(int32) * capacity);
	bucket_row = palloc_extended(mul_size(options->buckets, sizeof(int32)),
								 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	buckets = palloc(sizeof(int32) * most_ngrams(options));

	for (int32 i = 0; i < corpus->words; i++)
	{
		int			count = buckets_of_word(options, &corpus->vocabulary[i],
											buckets);

		subwords->start[i] = total;
		while (total + count > capacity)
		{
			capacity *= 2;
			subwords->rows = repalloc_huge(subwords->rows,
										   mul_size(capacity, sizeof(int32)));
		}
		for (int n = 0; n < count; n++)
		{
			int32	   *row = &bucket_row[buckets[n]];

			if (*row == 0)
				*row = ++subwords->touched;
			subwords->rows[total++] = corpus->words + *row - 1;
		}
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	subwords->start[corpus->words] = total;

	subwords->buckets = palloc_extended(mul_size(Max(subwords->touched, 1),
												 sizeof(int32)),
										MCXT_ALLOC_HUGE);
	for (int32 bucket = 0; bucket < options->buckets; bucket++)
		if (bucket_row[bucket] != 0)
			subwords->buckets[bucket_row[bucket] - 1] = bucket;
	pfree(bucket_row);
	pfree(buckets);
	return subwords;
}
