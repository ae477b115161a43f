/*-------------------------------------------------------------------------
 *
 * tuning_metric.c
 *	  How good the vectors are on examples that were held out.
 *
 * Pairs: each anchor looks for its positive among all positives and negatives
 * that were held out.  recall_at_1 is the share of anchors that find it first,
 * mrr the mean of 1 / rank.  Whatever is a positive of an equal anchor is
 * right; something as near as the right one counts as nearer, so vectors that
 * are all the same find nothing.
 *
 * Scores: Spearman's rank correlation of cosines and scores, ties at their
 * mean rank.  Labels: the share of texts nearest to the mean of the unit
 * vectors of their own label's training texts.  Vectors of a teacher: the mean
 * cosine to them.  Labels of two texts: as of one, of |u - v| of their unit
 * vectors beside these themselves, which is what the loss sees of them.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "math/distance.h"
#include "miscadmin.h"
#include "network/pooling.h"
#include "utils/memutils.h"

/* Texts encoded between two looks for interrupts */
#define PIECE 64

/* Unit vectors of texts; zeros stay */
static float *
vectors_of(TuneTarget *target, int count, const int32 *texts, uint64 noise)
{
	float	   *vectors = palloc_extended(sizeof(float) * target->dims *
										  Max((Size) count, 1),
										  MCXT_ALLOC_HUGE);

	for (int first = 0; first < count; first += PIECE)
	{
		int			some = Min(count - first, PIECE);
		float	   *to = vectors + (Size) first * target->dims;

		CHECK_FOR_INTERRUPTS();
		target->forward(target, some, texts + first,
						noise == 0 ? 0 : noise + first, to);
		for (int i = 0; i < some; i++)
			pooling_normalize(target->dims, to + (Size) i * target->dims);
	}
	return vectors;
}

static double
cosine(int dims, const float *x, const float *y)
{
	return vector_inner_kernel(dims, x, y);
}

/* The held-out examples */
static const int32 *
held_out(const TuningExamples *examples)
{
	return examples->order + examples->training;
}

static const int32 *
texts_of(const TuningExamples *examples, int number)
{
	return examples->texts + (Size) held_out(examples)[number] *
		examples->width;
}

/* Unit vectors of the first "width" texts of each held-out example */
static float *
vectors_held_out(TuneTarget *target, const TuningExamples *examples,
				 int width)
{
	int32	   *texts = palloc(sizeof(int32) * examples->held_out * width);
	float	   *vectors;

	for (int i = 0; i < examples->held_out; i++)
		memcpy(texts + i * width, texts_of(examples, i),
			   sizeof(int32) * width);
	vectors = vectors_of(target, examples->held_out * width, texts, 0);
	pfree(texts);
	return vectors;
}

/* ---------- pairs ---------- */

/* All texts but the anchors, each once */
static int32 *
candidates_of(const TuningExamples *examples, int *count)
{
	bool	   *seen = palloc_extended(examples->table.count,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int32	   *candidates = palloc(sizeof(int32) * examples->held_out *
									examples->width);

	*count = 0;
	for (int i = 0; i < examples->held_out; i++)
		for (int k = 1; k < examples->width; k++)
		{
			int32		text = texts_of(examples, i)[k];

			if (seen[text])
				continue;
			seen[text] = true;
			candidates[(*count)++] = text;
		}
	pfree(seen);
	return candidates;
}

/* Whether a text is a positive of an anchor, among those held out */
static bool
is_right(const TuningExamples *examples, int32 anchor, int32 text)
{
	for (int i = 0; i < examples->held_out; i++)
		if (texts_of(examples, i)[0] == anchor &&
			texts_of(examples, i)[1] == text)
			return true;
	return false;
}

static int
rank_of(const TuningExamples *examples, int dims, const int32 *texts,
		const float *anchor, const float *positive, int count,
		const int32 *candidates, const float *vectors)
{
	double		own = cosine(dims, anchor, positive);
	int			rank = 1;

	for (int c = 0; c < count; c++)
		if (candidates[c] != texts[1] &&
			!(cosine(dims, anchor, vectors + (Size) c * dims) < own) &&
			!is_right(examples, texts[0], candidates[c]))
			rank++;
	return rank;
}

static void
measure_pairs(TuneTarget *target, const TuningExamples *examples,
			  TuningMetrics *metrics)
{
	int			dims = target->dims;
	int			count;
	int32	   *candidates = candidates_of(examples, &count);
	float	   *vectors = vectors_of(target, count, candidates, 0);
	float	   *pairs = vectors_held_out(target, examples, 2);
	int			first = 0;
	double		reciprocal = 0;

	for (int i = 0; i < examples->held_out; i++)
	{
		const float *own = pairs + (Size) i * 2 * dims;
		int			rank = rank_of(examples, dims, texts_of(examples, i), own,
								   own + dims, count, candidates, vectors);

		CHECK_FOR_INTERRUPTS();
		first += rank == 1;
		reciprocal += 1.0 / rank;
	}
	metrics->count = 2;
	metrics->names[0] = "recall_at_1";
	metrics->values[0] = (double) first / examples->held_out;
	metrics->names[1] = "mrr";
	metrics->values[1] = reciprocal / examples->held_out;
	pfree(candidates);
	pfree(vectors);
	pfree(pairs);
}

/* ---------- texts alone: the same one under two dropouts ---------- */

static void
measure_texts(TuneTarget *target, const TuningExamples *examples,
			  TuningMetrics *metrics)
{
	int			dims = target->dims;
	int			count = examples->held_out;
	int32	   *texts = palloc(sizeof(int32) * count);
	float	   *one;
	float	   *other;
	double		reciprocal = 0;

	for (int i = 0; i < count; i++)
		texts[i] = texts_of(examples, i)[0];
	one = vectors_of(target, count, texts, 1);
	other = vectors_of(target, count, texts, (uint64) 1 << 40);
	for (int i = 0; i < count; i++)
	{
		const float *x = one + (Size) i * dims;
		double		own = cosine(dims, x, other + (Size) i * dims);
		int			rank = 1;

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < count; k++)
			rank += texts[k] != texts[i] &&
				!(cosine(dims, x, other + (Size) k * dims) < own);
		reciprocal += 1.0 / rank;
	}
	metrics->count = 1;
	metrics->names[0] = "mrr";
	metrics->values[0] = reciprocal / count;
	pfree(texts);
	pfree(one);
	pfree(other);
}

/* ---------- scores ---------- */

typedef struct Ranked
{
	double		value;
	int			place;
} Ranked;

static int
compare_values(const void *a, const void *b)
{
	double		x = ((const Ranked *) a)->value;
	double		y = ((const Ranked *) b)->value;

	return x < y ? -1 : x > y;
}

/* Values become ranks, those of equal ones their mean. */
static void
rank_values(int count, double *values)
{
	Ranked	   *ranked = palloc(sizeof(Ranked) * count);

	for (int i = 0; i < count; i++)
		ranked[i] = (Ranked) {values[i], i};
	qsort(ranked, count, sizeof(Ranked), compare_values);
	for (int first = 0, last; first < count; first = last)
	{
		last = first + 1;
		while (last < count && ranked[last].value == ranked[first].value)
			last++;
		for (int i = first; i < last; i++)
			values[ranked[i].place] = (first + last - 1) / 2.0;
	}
	pfree(ranked);
}

/* 0 where one side is all the same */
static double
correlation(int count, const double *x, const double *y)
{
	double		mean_x = 0;
	double		mean_y = 0;
	double		xx = 0;
	double		yy = 0;
	double		xy = 0;

	for (int i = 0; i < count; i++)
	{
		mean_x += x[i] / count;
		mean_y += y[i] / count;
	}
	for (int i = 0; i < count; i++)
	{
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		yy += (y[i] - mean_y) * (y[i] - mean_y);
		xy += (x[i] - mean_x) * (y[i] - mean_y);
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void
measure_scores(TuneTarget *target, const TuningExamples *examples,
			   TuningMetrics *metrics)
{
	int			count = examples->held_out;
	double	   *cosines = palloc(sizeof(double) * count);
	double	   *scores = palloc(sizeof(double) * count);
	float	   *pairs = vectors_held_out(target, examples, 2);

	for (int i = 0; i < count; i++)
	{
		const float *own = pairs + (Size) i * 2 * target->dims;

		cosines[i] = cosine(target->dims, own, own + target->dims);
		scores[i] = examples->scores[held_out(examples)[i]];
	}
	rank_values(count, cosines);
	rank_values(count, scores);
	metrics->count = 1;
	metrics->names[0] = "spearman";
	metrics->values[0] = correlation(count, cosines, scores);
	pfree(cosines);
	pfree(scores);
	pfree(pairs);
}

/* ---------- labels ---------- */

static void
add_to(int dims, const float *vector, float *sum)
{
	for (int d = 0; d < dims; d++)
		sum[d] += vector[d];
}

/* Sums of unit vectors of the training texts of each label, of length one */
static float *
centers_of_labels(TuneTarget *target, const TuningExamples *examples)
{
	int			dims = target->dims;
	float	   *centers = palloc_extended(sizeof(float) * dims *
										  (Size) examples->label_count,
										  MCXT_ALLOC_HUGE |
										  MCXT_ALLOC_ZERO);

	for (int first = 0; first < examples->training; first += PIECE)
	{
		int			some = Min(examples->training - first, PIECE);
		int32		texts[PIECE];
		float	   *own;

		for (int i = 0; i < some; i++)
			texts[i] = examples->texts[examples->order[first + i]];
		own = vectors_of(target, some, texts, 0);
		for (int i = 0; i < some; i++)
			add_to(dims, own + (Size) i * dims, centers + (Size) dims *
				   examples->labels[examples->order[first + i]]);
		pfree(own);
	}
	for (int k = 0; k < examples->label_count; k++)
		pooling_normalize(dims, centers + (Size) k * dims);
	return centers;
}

/* Whether no other center is as near as that of the label */
static bool
nearest_label(int dims, const float *own, int labels, const float *centers,
			  int label)
{
	double		mine = cosine(dims, own, centers + (Size) label * dims);
	bool		nearest = true;

	for (int k = 0; k < labels && nearest; k++)
		nearest = k == label ||
			cosine(dims, own, centers + (Size) k * dims) < mine;
	return nearest;
}

static void
measure_labels(TuneTarget *target, const TuningExamples *examples,
			   TuningMetrics *metrics)
{
	int			dims = target->dims;
	float	   *centers = centers_of_labels(target, examples);
	float	   *vectors = vectors_held_out(target, examples, 1);
	int			right = 0;

	for (int i = 0; i < examples->held_out; i++)
	{
		int32		example = held_out(examples)[i];

		right += nearest_label(dims, vectors + (Size) i * dims,
							   examples->label_count, centers,
							   examples->labels[example]);
	}
	metrics->count = 1;
	metrics->names[0] = "accuracy";
	metrics->values[0] = (double) right / examples->held_out;
	pfree(centers);
	pfree(vectors);
}

/* ---------- labels of two texts ---------- */

#define SIDES 3					/* u, v, |u - v| */

/* Features of an example, of length one */
static void
relation_of(TuneTarget *target, const TuningExamples *examples, int32 example,
			float *to)
{
	int			dims = target->dims;
	float	   *pair = vectors_of(target, 2, examples->texts +
								  (Size) example * examples->width, 0);

	memcpy(to, pair, sizeof(float) * 2 * dims);
	for (int d = 0; d < dims; d++)
		to[2 * dims + d] = fabsf(pair[d] - pair[dims + d]);
	pooling_normalize(SIDES * dims, to);
	pfree(pair);
}

static void
measure_relations(TuneTarget *target, const TuningExamples *examples,
				  TuningMetrics *metrics)
{
	int			dims = SIDES * target->dims;
	Size		bytes = sizeof(float) * dims *
		((Size) examples->label_count + 1);
	float	   *centers;
	float	   *own;
	int			right = 0;

	tuning_check_memory(bytes);
	centers = palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	own = centers + (Size) examples->label_count * dims;
	for (int i = 0; i < examples->training; i++)
	{
		relation_of(target, examples, examples->order[i], own);
		add_to(dims, own, centers + (Size) dims *
			   examples->labels[examples->order[i]]);
	}
	for (int k = 0; k < examples->label_count; k++)
		pooling_normalize(dims, centers + (Size) k * dims);
	for (int i = 0; i < examples->held_out; i++)
	{
		int32		example = held_out(examples)[i];

		relation_of(target, examples, example, own);
		right += nearest_label(dims, own, examples->label_count, centers,
							   examples->labels[example]);
	}
	metrics->count = 1;
	metrics->names[0] = "accuracy";
	metrics->values[0] = (double) right / examples->held_out;
	pfree(centers);
}

/* ---------- vectors of a teacher: the mean cosine ---------- */

static void
measure_teacher(TuneTarget *target, const TuningExamples *examples,
				TuningMetrics *metrics)
{
	int			dims = target->dims;
	float	   *wanted = palloc(sizeof(float) * dims);
	float	   *vectors = vectors_held_out(target, examples, 1);
	double		sum = 0;

	for (int i = 0; i < examples->held_out; i++)
	{
		memcpy(wanted, examples->teacher +
			   (Size) held_out(examples)[i] * dims, sizeof(float) * dims);
		pooling_normalize(dims, wanted);
		sum += cosine(dims, vectors + (Size) i * dims, wanted);
	}
	metrics->count = 1;
	metrics->names[0] = "cosine";
	metrics->values[0] = sum / examples->held_out;
	pfree(wanted);
	pfree(vectors);
}

void
tuning_measure(TuneTarget *target, const TuningExamples *examples,
			   TuningMetrics *metrics)
{
	metrics->count = 0;
	if (examples->held_out == 0)
		return;
	switch (examples->shape)
	{
		case TUNING_PAIRS:
			measure_pairs(target, examples, metrics);
			break;
		case TUNING_SCORES:
			measure_scores(target, examples, metrics);
			break;
		case TUNING_LABELS:
			measure_labels(target, examples, metrics);
			break;
		case TUNING_TEXTS:
			measure_texts(target, examples, metrics);
			break;
		case TUNING_TEACHER:
			measure_teacher(target, examples, metrics);
			break;
		case TUNING_RELATIONS:
			measure_relations(target, examples, metrics);
			break;
	}
}
