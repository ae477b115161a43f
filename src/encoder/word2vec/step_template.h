/*-------------------------------------------------------------------------
 *
 * step_template.h
 *	  The step written once for every instruction set.
 *
 * A file that includes this defines
 *		LANE			vector of LANE_COUNT floats
 *		LANE_COUNT
 *		LANE_LOAD(p), LANE_STORE(p, v), LANE_SET(f), LANE_ZERO()
 *		LANE_FMA(a, b, c)		a * b + c
 *		LANE_SUM(v)				horizontal sum
 *		STEP_TARGET				target attribute of the functions
 *		STEP_NAME				name of the set
 *
 * Six targets (one word and five negatives) are the case that matters: their
 * sums and gradients stay in registers.  Other counts are cut into groups,
 * which needs the input row's own change kept aside until the last group has
 * read the row.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/word2vec/step.h"

#include <math.h>
#include <string.h>

#include "math/inline.h"

#define GROUP 6

/* C does not convert pointers to pointers of what is only read. */
#define READ(targets) ((const float *const *) (targets))

/*
 * sigmoid(x), within 2e-7.
 *
 * exp(-x) is 2^n * 2^f with f in [-0.5, 0.5]; the polynomial is the Taylor
 * series of 2^f to the sixth order.  Written without branches, so that the
 * compiler can do all scores of a group at once.
 */
static inline __attribute__((always_inline)) float
step_sigmoid(float x)
{
	union
	{
		int32_t		i;
		float		f;
	}			scale;
	float		y = x * -1.44269504f;
	float		n;
	float		f;
	float		p;

	y = y > 60.0f ? 60.0f : y;
	y = y < -60.0f ? -60.0f : y;
	/* adding and taking away 1.5 * 2^23 rounds to the nearest integer */
	n = (y + 12582912.0f) - 12582912.0f;
	f = y - n;
	p = 1.54035304e-4f;
	p = p * f + 1.33335581e-3f;
	p = p * f + 9.61812911e-3f;
	p = p * f + 5.55041087e-2f;
	p = p * f + 2.40226507e-1f;
	p = p * f + 6.93147181e-1f;
	p = p * f + 1.0f;
	scale.i = ((int32_t) n + 127) << 23;
	return 1.0f / (1.0f + p * scale.f);
}

/* Dot products of the input row with "count" targets, count at most GROUP. */
static inline __attribute__((always_inline)) STEP_TARGET void
step_scores(int stride, const float *input, const float *const *targets,
			const int count, float *scores)
{
	LANE		sum[GROUP];

	UNROLL
	for (int n = 0; n < count; n++)
		sum[n] = LANE_ZERO();
	for (int i = 0; i < stride; i += LANE_COUNT)
	{
		LANE		x = LANE_LOAD(input + i);

		UNROLL
		for (int n = 0; n < count; n++)
			sum[n] = LANE_FMA(x, LANE_LOAD(targets[n] + i), sum[n]);
	}
	UNROLL
	for (int n = 0; n < count; n++)
		scores[n] = LANE_SUM(sum[n]);
}

/* Move the targets; add what the input row has to move by to "change". */
static inline __attribute__((always_inline)) STEP_TARGET void
step_update(int stride, const float *input, float *const *targets,
			const int count, const float *gradients, float *change)
{
	LANE		g[GROUP];

	UNROLL
	for (int n = 0; n < count; n++)
		g[n] = LANE_SET(gradients[n]);
	for (int i = 0; i < stride; i += LANE_COUNT)
	{
		LANE		x = LANE_LOAD(input + i);
		LANE		sum = LANE_LOAD(change + i);

		UNROLL
		for (int n = 0; n < count; n++)
		{
			LANE		t = LANE_LOAD(targets[n] + i);

			sum = LANE_FMA(g[n], t, sum);
			LANE_STORE(targets[n] + i, LANE_FMA(g[n], x, t));
		}
		LANE_STORE(change + i, sum);
	}
}

static inline __attribute__((always_inline)) STEP_TARGET void
step_gradients(const float *labels, const int count, float alpha,
			   const float *scores, float *gradients)
{
	for (int n = 0; n < count; n++)
		gradients[n] = (labels[n] - step_sigmoid(scores[n])) * alpha;
}

/*
 * One group is all: the change goes straight into the input row,
 * each piece of which is read before it is written.
 */
static inline __attribute__((always_inline)) STEP_TARGET void
step_group(int stride, float *input, float *const *targets,
		   const float *labels, float alpha, float *scores)
{
	float		gradients[GROUP];

	step_scores(stride, input, READ(targets), GROUP, scores);
	step_gradients(labels, GROUP, alpha, scores, gradients);
	step_update(stride, input, targets, GROUP, gradients, input);
}

static STEP_TARGET void
step_groups(int stride, float *input, float *const *targets,
			const float *labels, int count, float alpha, float *scores,
			float *change)
{
	float		gradients[STEP_MAX_TARGETS];
	int			n;

	memset(change, 0, sizeof(float) * stride);
	for (n = 0; n + GROUP <= count; n += GROUP)
		step_scores(stride, input, READ(targets) + n, GROUP, scores + n);
	for (; n + 2 <= count; n += 2)
		step_scores(stride, input, READ(targets) + n, 2, scores + n);
	if (n < count)
		step_scores(stride, input, READ(targets) + n, 1, scores + n);

	step_gradients(labels, count, alpha, scores, gradients);

	for (n = 0; n + GROUP <= count; n += GROUP)
		step_update(stride, input, targets + n, GROUP, gradients + n, change);
	for (; n + 2 <= count; n += 2)
		step_update(stride, input, targets + n, 2, gradients + n, change);
	if (n < count)
		step_update(stride, input, targets + n, 1, gradients + n, change);

	for (int i = 0; i < stride; i++)
		input[i] += change[i];
}

static STEP_TARGET void
step_any(int stride, float *input, float *const *targets,
		 const float *labels, int count, float alpha, float *scores,
		 float *change)
{
	if (count == GROUP)
		step_group(stride, input, targets, labels, alpha, scores);
	else
		step_groups(stride, input, targets, labels, count, alpha, scores,
					change);
}

/* change += the targets times their gradients */
static inline __attribute__((always_inline)) STEP_TARGET void
step_draw(int stride, const float *const *targets, const int count,
		  const float *gradients, float *change)
{
	LANE		g[GROUP];

	UNROLL
	for (int n = 0; n < count; n++)
		g[n] = LANE_SET(gradients[n]);
	for (int i = 0; i < stride; i += LANE_COUNT)
	{
		LANE		sum = LANE_LOAD(change + i);

		UNROLL
		for (int n = 0; n < count; n++)
			sum = LANE_FMA(g[n], LANE_LOAD(targets[n] + i), sum);
		LANE_STORE(change + i, sum);
	}
}

static STEP_TARGET void
step_pull(int stride, float *input, const float *const *targets,
		  const float *labels, int count, float alpha, float *change)
{
	float		scores[STEP_MAX_TARGETS];
	float		gradients[STEP_MAX_TARGETS];
	int			n;

	if (count == GROUP)
	{
		step_scores(stride, input, targets, GROUP, scores);
		step_gradients(labels, GROUP, alpha, scores, gradients);
		step_draw(stride, targets, GROUP, gradients, input);
		return;
	}
	memset(change, 0, sizeof(float) * stride);
	for (n = 0; n < count; n++)
		step_scores(stride, input, targets + n, 1, scores + n);
	step_gradients(labels, count, alpha, scores, gradients);
	for (n = 0; n < count; n++)
		step_draw(stride, targets + n, 1, gradients + n, change);
	for (int i = 0; i < stride; i++)
		input[i] += change[i];
}

static STEP_TARGET void
step_add(int stride, float *to, const float *from, float factor)
{
	LANE		f = LANE_SET(factor);

	for (int i = 0; i < stride; i += LANE_COUNT)
		LANE_STORE(to + i,
				   LANE_FMA(f, LANE_LOAD(from + i), LANE_LOAD(to + i)));
}

/* Registers of a row that are worked on at once */
#define PIECE (STEP_LANES / LANE_COUNT)

static STEP_TARGET void
step_sum(int stride, float *to, const float *const *rows, int count)
{
	LANE		one = LANE_SET(1.0f);
	LANE		sum[PIECE];

	for (int i = 0; i < stride; i += STEP_LANES)
	{
		UNROLL
		for (int k = 0; k < PIECE; k++)
			sum[k] = LANE_LOAD(to + i + k * LANE_COUNT);
		for (int n = 0; n < count; n++)
		{
			const float *row = rows[n] + i;

			UNROLL
			for (int k = 0; k < PIECE; k++)
				sum[k] = LANE_FMA(one, LANE_LOAD(row + k * LANE_COUNT),
								  sum[k]);
		}
		UNROLL
		for (int k = 0; k < PIECE; k++)
			LANE_STORE(to + i + k * LANE_COUNT, sum[k]);
	}
}

static STEP_TARGET void
step_move(int stride, float *const *rows, int count, const float *change)
{
	LANE		one = LANE_SET(1.0f);
	LANE		by[PIECE];

	for (int i = 0; i < stride; i += STEP_LANES)
	{
		UNROLL
		for (int k = 0; k < PIECE; k++)
			by[k] = LANE_LOAD(change + i + k * LANE_COUNT);
		for (int n = 0; n < count; n++)
		{
			float	   *row = rows[n] + i;

			UNROLL
			for (int k = 0; k < PIECE; k++)
				LANE_STORE(row + k * LANE_COUNT,
						   LANE_FMA(one, by[k],
									LANE_LOAD(row + k * LANE_COUNT)));
		}
	}
}

static STEP_TARGET void
step_scale(int stride, float *row, float factor, float *copy)
{
	LANE		f = LANE_SET(factor);
	LANE		zero = LANE_ZERO();

	for (int i = 0; i < stride; i += LANE_COUNT)
	{
		LANE		product = LANE_FMA(f, LANE_LOAD(row + i), zero);

		LANE_STORE(row + i, product);
		LANE_STORE(copy + i, product);
	}
}

static STEP_TARGET void
step_join(int stride, float *shared, float *own, float *joined)
{
	LANE		plus = LANE_SET(1.0f);
	LANE		minus = LANE_SET(-1.0f);

	for (int i = 0; i < stride; i += LANE_COUNT)
	{
		LANE		sum = LANE_FMA(minus, LANE_LOAD(joined + i),
								   LANE_LOAD(own + i));

		sum = LANE_FMA(plus, LANE_LOAD(shared + i), sum);
		LANE_STORE(shared + i, sum);
		LANE_STORE(own + i, sum);
		LANE_STORE(joined + i, sum);
	}
}

static const StepKernels STEP_SET = {STEP_NAME, step_any, step_pull, step_add,
step_sum, step_move, step_scale, step_join};
