/*-------------------------------------------------------------------------
 *
 * align_match.c
 *	  Words of two models that are each other's nearest.
 *
 * All words of one side against all of the other, a block at a time, twice:
 * first for how near each word's ten nearest are, then for the nearest by
 * csls in both directions.  The products are not kept, for they would be as
 * many as the words of both sides multiplied.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>

#include "encoder/words/align.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/*
 * Words looked at of each model, the most frequent ones: rare words have
 * vectors of little worth (Conneau et al. take as many).
 */
#define MOST_WORDS 15000

/* Both models' units, and the rotated ones */
#define MATRICES 3

/* ---------- the words ---------- */

static int32
words_that_fit(int dims)
{
	int64		fit = (int64) maintenance_work_mem * 1024 / MATRICES /
		((int64) sizeof(float) * Max(dims, 1));

	return (int32) Min(MOST_WORDS, Max(fit, UNITS_BLOCK));
}

/* Words with a direction, in the order of their ids */
static int32 *
gather_words(const Words *words, UnitRows *units)
{
	int			dims = words->totals->dims;
	int32		most = Min(words_that_fit(dims), words->totals->words);
	int32	   *entries = palloc(sizeof(int32) * Max(most, 1));
	int32		count = 0;

	unit_rows_create(units, most, dims);
	for (int32 i = 0; i < words->totals->words && count < most; i++)
	{
		const WordEntry *entry = &words->entries[i];

		if (entry->inverse_norm <= 0)
			continue;
		unit_rows_set(units, count, words_row(words, entry->row));
		entries[count++] = i;
	}
	units->count = count;
	return entries;
}

AlignMatch *
align_match_create(const Words *source, const Words *target)
{
	AlignMatch *match = palloc0(sizeof(AlignMatch));

	match->source = source;
	match->target = target;
	match->source_entries = gather_words(source, &match->source_units);
	match->target_entries = gather_words(target, &match->target_units);
	unit_rows_create(&match->turned, match->source_units.count,
					 source->totals->dims);
	match->packed = packed_units_create(source->totals->dims);
	return match;
}

static void
turn_source(AlignMatch *match, const float *rotation)
{
	UnitRows   *from = &match->source_units;

	for (int32 i = 0; i < from->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		align_rotate(rotation, from->dims,
					 from->rows + (Size) i * from->stride,
					 match->turned.rows + (Size) i * match->turned.stride);
	}
}

/* ---------- all with all ---------- */

/* A row of products: of one word of the source, "count" of the target */
typedef void (*ReceiveRow) (void *argument, int32 source, int32 first_target,
							int count, const float *products);

static void
multiply_all(AlignMatch *match, ReceiveRow receive, void *argument)
{
	const UnitRows *source = &match->turned;
	const UnitRows *target = &match->target_units;

	for (int32 t = 0; t < target->count; t += UNITS_PACKED)
	{
		int			some = Min(UNITS_PACKED, target->count - t);

		packed_units_fill(match->packed,
						  target->rows + (Size) t * target->stride, some,
						  target->stride);
		for (int32 s = 0; s < source->count; s += UNITS_BLOCK)
		{
			int			rows = Min(UNITS_BLOCK, source->count - s);

			CHECK_FOR_INTERRUPTS();
			packed_units_multiply(match->packed,
								  source->rows + (Size) s * source->stride,
								  rows, source->stride);
			for (int i = 0; i < rows; i++)
				receive(argument, s + i, t, some,
						packed_products(match->packed, i));
		}
	}
}

typedef struct Neighbourhoods
{
	BestValues *source;
	BestValues *target;
} Neighbourhoods;

static void
receive_neighbours(void *argument, int32 source, int32 first, int count,
				   const float *products)
{
	Neighbourhoods *near = argument;

	for (int i = 0; i < count; i++)
	{
		best_values_add(&near->source[source], products[i]);
		best_values_add(&near->target[first + i], products[i]);
	}
}

/* The nearest word by csls, of each word of both sides */
typedef struct Nearest
{
	float		value;			/* csls plus the word's own neighbourhood */
	int32		word;
} Nearest;

typedef struct NearestWords
{
	const float *source_means;
	const float *target_means;
	Nearest    *source;
	Nearest    *target;
} NearestWords;

static inline void
take_nearer(Nearest *nearest, float value, int32 word)
{
	if (value <= nearest->value)
		return;
	nearest->value = value;
	nearest->word = word;
}

static void
receive_nearest(void *argument, int32 source, int32 first, int count,
				const float *products)
{
	NearestWords *nearest = argument;

	for (int i = 0; i < count; i++)
	{
		take_nearer(&nearest->source[source],
					2 * products[i] - nearest->target_means[first + i],
					first + i);
		take_nearer(&nearest->target[first + i],
					2 * products[i] - nearest->source_means[source], source);
	}
}

static BestValues *
best_values_create(int32 count)
{
	BestValues *values = palloc_extended(mul_size(Max(count, 1),
												  sizeof(BestValues)),
										 MCXT_ALLOC_HUGE);

	for (int32 i = 0; i < count; i++)
		best_values_init(&values[i]);
	return values;
}

static float *
means_of(BestValues *values, int32 count)
{
	float	   *means = palloc(sizeof(float) * Max(count, 1));

	for (int32 i = 0; i < count; i++)
		means[i] = best_values_mean(&values[i]);
	pfree(values);
	return means;
}

static Nearest *
nearest_create(int32 count)
{
	Nearest    *nearest = palloc(sizeof(Nearest) * Max(count, 1));

	for (int32 i = 0; i < count; i++)
	{
		nearest[i].value = -FLT_MAX;
		nearest[i].word = -1;
	}
	return nearest;
}

static double
take_mutual(const AlignMatch *match, const NearestWords *nearest,
			WordPairs *pairs)
{
	int32		count = match->turned.count;
	double		sum = 0;

	for (int32 i = 0; i < count; i++)
	{
		int32		word = nearest->source[i].word;

		sum += nearest->source[i].value - nearest->source_means[i];
		if (nearest->target[word].word == i)
			word_pairs_add(pairs, match->source_entries[i],
						   match->target_entries[word]);
	}
	return sum / count;
}

double
align_match(AlignMatch *match, const float *rotation, WordPairs *pairs)
{
	int32		sources = match->source_units.count;
	int32		targets = match->target_units.count;
	Neighbourhoods near = {best_values_create(sources),
	best_values_create(targets)};
	NearestWords nearest;
	double		quality;

	turn_source(match, rotation);
	multiply_all(match, receive_neighbours, &near);
	nearest.source_means = means_of(near.source, sources);
	nearest.target_means = means_of(near.target, targets);
	nearest.source = nearest_create(sources);
	nearest.target = nearest_create(targets);
	multiply_all(match, receive_nearest, &nearest);
	quality = take_mutual(match, &nearest, pairs);
	pfree((void *) nearest.source_means);
	pfree((void *) nearest.target_means);
	pfree(nearest.source);
	pfree(nearest.target);
	return quality;
}
