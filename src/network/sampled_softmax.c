/*-------------------------------------------------------------------------
 *
 * sampled_softmax.c
 *	  Loss and gradients of a softmax over a target and some candidates.
 *
 * Rows are taken in blocks whose scores stay in a cache.  Scores become
 * exponentials in their place; what these are divided by is not divided in
 * them but in the row of x, and of its gradient, that they meet in a product.
 * x has a one behind it, so that the bias is one weight more.
 *
 *-------------------------------------------------------------------------
 */
#include "network/sampled_softmax.h"

/* Scores of a block take about so many bytes. */
#define BLOCK_BYTES ((size_t) 4 << 20)
#define BLOCK_LEAST 12
#define BLOCK_MOST 256

/* So little weighs nothing. */
#define NO_SCORE ((Real) -1e30)

int64_t
candidates_draw(Random *random, int words, int count, int32_t *candidates,
				uint8_t *used)
{
	double		range = log((double) words + 1);
	int64_t		drawn = 0;
	int			found = 0;

	while (found < count)
	{
		int32_t		word = (int32_t) (exp(random_double(random) * range)) - 1;

		drawn++;
		if (word >= words || used[word])
			continue;
		used[word] = 1;
		candidates[found++] = word;
	}
	for (int i = 0; i < count; i++)
		used[candidates[i]] = 0;
	return drawn;
}

double
candidate_log_count(int word, int words, int64_t drawn)
{
	double		chance = log(((double) word + 2) / ((double) word + 1)) /
					 log((double) words + 1);

	return log(-expm1((double) drawn * log1p(-chance)));
}

static int
block_rows(int candidates)
{
	size_t		rows = BLOCK_BYTES / (sizeof(Real) * (size_t) candidates);

	if (rows > BLOCK_MOST)
		return BLOCK_MOST;
	return rows < BLOCK_LEAST ? BLOCK_LEAST : (int) rows;
}

typedef struct Block
{
	const SampledSoftmax *softmax;
	int			rows;
	Real	   *x;				/* with a one behind each row */
	Real	   *scores;
	Real	   *target_score;
	Real	   *target_weight;	/* of the softmax, then its gradient */
} Block;

static size_t
divide(Block *block, int dims, int candidates, Real *memory)
{
	size_t		rows = (size_t) block_rows(candidates);
	size_t		at = 0;

	block->x = train_take(memory, &at, rows, dims + 1);
	block->scores = train_take(memory, &at, rows, candidates);
	block->target_score = train_take(memory, &at, rows, 1);
	block->target_weight = train_take(memory, &at, rows, 1);
	return at;
}

size_t
sampled_softmax_memory(int dims, int candidates)
{
	Block		block;

	return divide(&block, dims, candidates, NULL);
}

/* Scores of all candidates, and of each row's target. */
static bool
score(Block *block, const Real *x, const int32_t *target,
	  const TrainWork *work)
{
	const SampledSoftmax *softmax = block->softmax;
	int			width = softmax->dims + 1;
	TrainSize	size = {block->rows, softmax->candidates, width};

	for (int r = 0; r < block->rows; r++)
	{
		Real	   *row = block->x + (size_t) r * width;

		memcpy(row, x + (size_t) r * softmax->dims,
			   sizeof(Real) * softmax->dims);
		row[softmax->dims] = 1;
		if (target[r] >= 0)
			block->target_score[r] = (Real)
				real_inner(width, row,
						   softmax->weights + (size_t) target[r] * width);
	}
	return train_product_back(work, size, block->x, softmax->weights, false,
							  block->scores);
}

/*
 * Scores to exponentials; the factor of each row, which is left in x, makes
 * them gradients.
 */
static void
normalize(Block *block, const int32_t *target, Real scale, Real *factors,
		  double *loss)
{
	const SampledSoftmax *softmax = block->softmax;

	for (int r = 0; r < block->rows; r++)
	{
		Real	   *scores = block->scores + (size_t) r * softmax->candidates;
		Real		score = block->target_score[r];
		Real		largest = score;
		double		sum;
		double		own;

		factors[r] = 0;
		block->target_weight[r] = 0;
		if (target[r] < 0)
		{
			memset(scores, 0, sizeof(Real) * softmax->candidates);
			continue;
		}
		if (target[r] < softmax->candidates)
			scores[target[r]] = NO_SCORE;
		sum = train_softmax(softmax->candidates, scores, &largest);
		own = exp((double) score - largest);
		*loss += log(sum + own) - ((double) score - largest);
		factors[r] = (Real) (scale / (sum + own));
		block->target_weight[r] = (Real) (-scale * sum / (sum + own));
	}
}

/* What the rows give to the gradients, and theirs. */
static bool
give_gradients(Block *block, const int32_t *target, const Real *factors,
			   Real *dx, const TrainWork *work)
{
	const SampledSoftmax *softmax = block->softmax;
	int			dims = softmax->dims;
	int			width = dims + 1;
	RealMatrix	scores = {block->scores, (size_t) softmax->candidates, false};
	RealMatrix	weights = {softmax->weights, (size_t) width, false};
	TrainSize	sum = {width, softmax->candidates, block->rows};

	if (!real_product(block->rows, dims, softmax->candidates, scores, weights,
					  false, dx, (size_t) dims, work->scratch,
					  work->interrupt))
		return false;
	for (int r = 0; r < block->rows; r++)
	{
		Real	   *row = block->x + (size_t) r * width;
		size_t		place = (size_t) (target[r] < 0 ? 0 : target[r]) * width;

		real_scale(dims, factors[r], dx + (size_t) r * dims);
		if (target[r] >= 0)
		{
			real_add_scaled(dims, block->target_weight[r],
							softmax->weights + place, dx + (size_t) r * dims);
			real_add_scaled(width, block->target_weight[r], row,
							softmax->target_gradient + place);
		}
		real_scale(width, factors[r], row);
	}
	return train_product_sum(work, sum, block->x, block->scores,
							 softmax->candidate_gradient);
}

bool
sampled_softmax(const SampledSoftmax *softmax, int count, const Real *x,
				const int32_t *target, Real scale, Real *dx, double *loss,
				Real *memory, const TrainWork *work)
{
	int			most = block_rows(softmax->candidates);
	Real		factors[BLOCK_MOST];
	Block		block = {softmax};

	divide(&block, softmax->dims, softmax->candidates, memory);
	for (int first = 0; first < count; first += most)
	{
		size_t		offset = (size_t) first * softmax->dims;

		block.rows = count - first < most ? count - first : most;
		if (!score(&block, x + offset, target + first, work))
			return false;
		normalize(&block, target + first, scale, factors, loss);
		if (softmax->candidate_gradient != NULL &&
			!give_gradients(&block, target + first, factors, dx + offset,
							work))
			return false;
		if (product_interrupted(work->interrupt,
								(double) block.rows * softmax->candidates))
			return false;
	}
	return true;
}
