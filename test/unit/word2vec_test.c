/*-------------------------------------------------------------------------
 *
 * word2vec_test.c
 *	  Would fail if a training step were not the gradient of the loss, if a
 *	  table of word2vec drew wrongly, if subwords were not fastText's, or if
 *	  what a worker taught its copy of a row did not reach the others.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "encoder/word2vec/sgd.h"
#include "text/subword.h"

static float *
row_alloc(int stride)
{
	return aligned_alloc(STEP_ALIGNMENT, sizeof(float) * stride);
}

/* Minus the log likelihood of the labels, in double. */
static double
loss_of(int stride, const double *input, double *const *targets,
		const float *labels, int count)
{
	double		loss = 0;

	for (int n = 0; n < count; n++)
	{
		double		score = 0;

		for (int i = 0; i < stride; i++)
			score += input[i] * targets[n][i];
		loss += log1p(exp(labels[n] > 0 ? -score : score));
	}
	return loss;
}

/*
 * What a step moves each weight by is alpha times minus the derivative of the
 * loss, taken here by central differences in double.
 */
static void
test_step(const StepKernels *kernels, int stride, int count, Random *random)
{
	const float alpha = 0.05f;
	const double h = 1e-5;
	float	   *input = row_alloc(stride);
	float	   *change = row_alloc(stride);
	float	   *pulled = row_alloc(stride);
	float	   *targets[STEP_MAX_TARGETS] = {NULL};
	double	   *exact_input = exact_alloc(sizeof(double) * stride);
	double	   *exact[STEP_MAX_TARGETS];
	float		labels[STEP_MAX_TARGETS] = {0};
	float		scores[STEP_MAX_TARGETS];

	for (int i = 0; i < stride; i++)
		exact_input[i] = input[i] = random_float(random) - 0.5f;
	for (int n = 0; n < count; n++)
	{
		targets[n] = row_alloc(stride);
		exact[n] = exact_alloc(sizeof(double) * stride);
		labels[n] = random_below(random, 2);
		for (int i = 0; i < stride; i++)
			exact[n][i] = targets[n][i] = random_float(random) - 0.5f;
	}

	/* pulled alone, the input row moves alike and the targets do not */
	memcpy(pulled, input, sizeof(float) * stride);
	kernels->pull(stride, pulled, (const float *const *) targets, labels,
				  count, alpha, change);
	for (int n = 0; n < count; n++)
		for (int i = 0; i < stride; i++)
			CHECK(targets[n][i] == (float) exact[n][i],
				  "%s: a target was moved", kernels->name);

	kernels->step(stride, input, targets, labels, count, alpha, scores,
				  change);
	for (int i = 0; i < stride; i++)
		CHECK(fabsf(pulled[i] - input[i]) < 1e-6f,
			  "%s, stride %d, %d targets: pulled to %g, not %g",
			  kernels->name, stride, count, pulled[i], input[i]);

	for (int probe = 0; probe < 20; probe++)
	{
		int			i = random_below(random, stride);
		int			n = random_below(random, count);
		double	   *weight = probe % 2 ? &exact_input[i] : &exact[n][i];
		double		moved = probe % 2 ? input[i] - exact_input[i]
									  : targets[n][i] - exact[n][i];
		double		before = *weight;
		double		slope;

		*weight = before + h;
		slope = loss_of(stride, exact_input, exact, labels, count);
		*weight = before - h;
		slope = (slope - loss_of(stride, exact_input, exact, labels, count)) /
				(2 * h);
		*weight = before;
		CHECK(fabs(moved + alpha * slope) < 1e-6,
			  "%s, stride %d, %d targets: moved by %g, not %g", kernels->name,
			  stride, count, moved, -alpha * slope);
	}
	for (int n = 0; n < count; n++)
	{
		free(targets[n]);
		free(exact[n]);
	}
	free(input);
	free(pulled);
	free(change);
	free(exact_input);
}

/*
 * Sums and moves of many rows are those of one row after the other, to the
 * bit, a row that is there twice included.
 */
static void
test_rows(const StepKernels *kernels, int stride, Random *random)
{
	enum
	{
		ROWS = 5,
		DIFFERENT = 4
	};
	float	   *rows[ROWS];
	float	   *one_by_one[ROWS];
	float	   *to = row_alloc(stride);
	float	   *copy = row_alloc(stride);
	float	   *exact = row_alloc(stride);

	for (int n = 0; n < DIFFERENT; n++)
	{
		rows[n] = row_alloc(stride);
		one_by_one[n] = row_alloc(stride);
		for (int i = 0; i < stride; i++)
			rows[n][i] = one_by_one[n][i] = random_float(random) - 0.5f;
	}
	rows[DIFFERENT] = rows[1];
	one_by_one[DIFFERENT] = one_by_one[1];
	for (int i = 0; i < stride; i++)
		exact[i] = to[i] = random_float(random) - 0.5f;

	kernels->sum(stride, to, (const float *const *) rows, ROWS);
	for (int n = 0; n < ROWS; n++)
		kernels->add(stride, exact, one_by_one[n], 1);
	CHECK(memcmp(to, exact, sizeof(float) * stride) == 0,
		  "%s, stride %d: another sum", kernels->name, stride);

	kernels->scale(stride, to, 0.25f, copy);
	for (int i = 0; i < stride; i++)
		CHECK(to[i] == exact[i] * 0.25f && copy[i] == to[i],
			  "%s, stride %d: scaled to %g", kernels->name, stride, to[i]);

	kernels->move(stride, rows, ROWS, to);
	for (int n = 0; n < ROWS; n++)
		kernels->add(stride, one_by_one[n], to, 1);
	for (int n = 0; n < DIFFERENT; n++)
	{
		CHECK(memcmp(rows[n], one_by_one[n], sizeof(float) * stride) == 0,
			  "%s, stride %d: row %d moved otherwise", kernels->name, stride,
			  n);
		free(rows[n]);
		free(one_by_one[n]);
	}
	free(to);
	free(copy);
	free(exact);
}

/* Copies of the first rows; to be freed by the caller. */
static void *
copies_alloc(Replica *replica, int copies, int longest_wait)
{
	size_t		bytes = copies * replica_row_size(replica->stride);
	void	   *memory = aligned_alloc(STEP_ALIGNMENT, (bytes + 63) / 64 * 64);

	replica_attach(replica, copies, longest_wait, memory);
	for (int row = 0; row < copies; row++)
		replica_load(replica, row);
	return memory;
}

/*
 * Workers add small integers, which floats add exactly, to rows of a matrix:
 * one in place, one to copies of all rows, one to copies of some.  In the end
 * the matrix is the sum of everything, and until then no copy goes without a
 * join for longer than it may.
 */
static void
test_replicas(const StepKernels *kernels, Random *random)
{
	enum
	{
		ROWS = 9, STRIDE = 32, WORKERS = 3, LONGEST = 5
	};
	static const int copies[WORKERS] = {0, ROWS, 4};
	float	   *shared = row_alloc(ROWS * STRIDE);
	double		sums[ROWS] = {0};
	int			waited[WORKERS][ROWS] = {{0}};
	Replica		replicas[WORKERS];
	Joins		joins[WORKERS] = {{0}};
	void	   *memory[WORKERS];

	for (int i = 0; i < ROWS * STRIDE; i++)
		shared[i] = i / STRIDE;
	for (int w = 0; w < WORKERS; w++)
	{
		replica_init(&replicas[w], shared, STRIDE);
		memory[w] = copies_alloc(&replicas[w], copies[w], LONGEST);
		joins[w].kernels = kernels;
	}
	for (int i = 0; i < 10000; i++)
	{
		int			w = random_below(random, WORKERS);
		int			r = random_below(random, ROWS);
		int			more = random_below(random, 10);
		float	   *row = replica_use(&replicas[w], r, &joins[w]);

		for (int d = 0; d < STRIDE; d++)
			row[d] += more;
		sums[r] += more;
		waited[w][r] = joins[w].count > 0 || r >= copies[w] ? 0
															: waited[w][r] + 1;
		CHECK(waited[w][r] < LONGEST, "%s: no join after %d uses", kernels->name, waited[w][r]);
		joins_run(&joins[w]);
		CHECK(waited[w][r] > 0 || row[0] == shared[r * STRIDE], "%s: a join is not made", kernels->name);
	}
	for (int w = 0; w < WORKERS; w++)
	{
		for (int r = 0; r < copies[w]; r++)
			replica_join(&replicas[w], r, kernels);
		free(memory[w]);
	}
	for (int i = 0; i < ROWS * STRIDE; i++)
		CHECK(shared[i] == i / STRIDE + sums[i / STRIDE],
			  "%s: row %d is %g, not %g", kernels->name, i / STRIDE, shared[i],
			  i / STRIDE + sums[i / STRIDE]);
	free(shared);
}

static void
test_steps(Random *random)
{
	static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
	static const int counts[] = {1, 2, 5, 6, 7, 12, 13, 40, STEP_MAX_TARGETS};
	static const int strides[] = {16, 112, 304};

	for (int s = 0; s < 4; s++)
	{
		const StepKernels *kernels = step_kernels(names[s]);

		printf("step %s: %s\n", names[s], kernels ? "tested" : "skipped, not on this CPU");
		for (int c = 0; kernels != NULL && c < 9; c++)
			for (int i = 0; i < 3; i++)
				test_step(kernels, strides[i], counts[c], random);
		for (int i = 0; kernels != NULL && i < 3; i++)
			test_rows(kernels, strides[i], random);
		if (kernels != NULL)
			test_replicas(kernels, random);
	}
}

/* Large scores must saturate, not overflow. */
static void
test_saturation(void)
{
	const StepKernels *kernels = step_kernels(NULL);
	float	   *input = row_alloc(16);
	float	   *target = row_alloc(16);
	float	   *change = row_alloc(16);
	float		label = 1;
	float		score;

	for (int i = 0; i < 16; i++)
		input[i] = target[i] = 100;
	kernels->step(16, input, &target, &label, 1, 1, &score, change);
	CHECK(score == 160000 && input[0] == 100, "score %g moved the input to %g", score, input[0]);
	label = 0;
	kernels->step(16, input, &target, &label, 1, 1, &score, change);
	CHECK(input[0] == 0 && target[0] == 0, "wrong label moved to %g and %g, not 0", input[0], target[0]);
	free(input);
	free(target);
	free(change);
}

/* The alias table gives each word its share, to the resolution of a slot. */
static void
test_negatives(Random *random)
{
	for (int words = 1; words < 3000; words = words * 3 + 1)
	{
		int64_t    *counts = exact_alloc(sizeof(int64_t) * words);
		AliasSlot  *slots = exact_alloc(sizeof(AliasSlot) * words);
		double	   *share = exact_alloc(sizeof(double) * words);
		void	   *scratch = exact_alloc((size_t) 12 * words);
		double		sum = 0;

		for (int i = 0; i < words; i++)
		{
			counts[i] = 1 + random_below(random, i % 7 == 0 ? 1000000 : 10);
			sum += pow(counts[i], 0.75);
			share[i] = 0;
		}
		sgd_build_negatives(counts, words, 0.75, slots, scratch);
		for (int i = 0; i < words; i++)
		{
			double		own = slots[i].threshold / 4294967295.0;

			share[i] += own / words;
			share[slots[i].other] += (1 - own) / words;
		}
		for (int i = 0; i < words; i++)
			CHECK(fabs(share[i] - pow(counts[i], 0.75) / sum) < 1e-8,
				  "word %d of %d is drawn with %g, not %g", i, words, share[i],
				  pow(counts[i], 0.75) / sum);
		free(counts);
		free(slots);
		free(share);
		free(scratch);
	}
}

/* word2vec.c's probability of keeping a word, and its end at 1 */
static void
test_keep(void)
{
	int64_t		counts[] = {100000, 1000, 10};
	uint32_t	keep[3];
	double		f = 100000 / 1000000.0;

	sgd_build_keep(counts, 3, 1000000, 1e-3, keep);
	CHECK(fabs(keep[0] / 4294967295.0 - (sqrt(f / 1e-3) + 1) * 1e-3 / f) < 1e-8, "a frequent word");
	CHECK(keep[1] == UINT32_MAX && keep[2] == UINT32_MAX, "rare words are kept");
	sgd_build_keep(counts, 3, 1000000, 0, keep);
	CHECK(keep[0] == UINT32_MAX, "without sampling all are kept");
}

/*
 * Weighted length of the best code, by merging the two smallest again and
 * again.
 */
static int64_t
best_code_length(const int64_t *counts, int words)
{
	int64_t    *weights = exact_alloc(sizeof(int64_t) * words);
	int64_t		length = 0;

	memcpy(weights, counts, sizeof(int64_t) * words);
	for (int left = words; left > 1; left--)
	{
		for (int side = 0; side < 2; side++)
		{
			int			least = side;

			for (int i = side; i < left; i++)
				if (weights[i] < weights[least])
					least = i;
			int64_t		swap = weights[least];

			weights[least] = weights[side];
			weights[side] = swap;
		}
		weights[0] += weights[1];
		length += weights[0];
		weights[1] = weights[left - 1];
	}
	free(weights);
	return length;
}

static void
test_huffman(Random *random)
{
	for (int words = 1; words < 500; words = words * 2 + 1)
	{
		int64_t    *counts = exact_alloc(sizeof(int64_t) * words);
		HuffmanPath *paths = exact_alloc(sizeof(HuffmanPath) * words);
		void	   *scratch = exact_alloc((size_t) 32 * words);
		int64_t		total;
		int32_t    *nodes;
		int64_t		length = 0;
		double		kraft = 0;

		for (int i = 0; i < words; i++)
			counts[i] = 1000000 / (i + 1) + random_below(random, 2);
		total = huffman_build(counts, words, paths, NULL, scratch);
		nodes = exact_alloc(sizeof(int32_t) * total);
		CHECK(huffman_build(counts, words, paths, nodes, scratch) == total, "second pass differs");
		for (int i = 0; i < words; i++)
		{
			length += counts[i] * paths[i].length;
			kraft += ldexp(1, -paths[i].length);
			for (int n = 0; n < paths[i].length; n++)
				CHECK(nodes[paths[i].start + n] >= 0 &&
						  nodes[paths[i].start + n] < words - 1,
					  "node out of range");
			CHECK(paths[i].length == 0 || nodes[paths[i].start] == 0, "a path does not begin at the root");
			for (int j = 0; j < i; j++)
			{
				int			n = paths[i].length < paths[j].length
									? paths[i].length
									: paths[j].length;
				uint64_t	mask = n == 0 ? 0 : (UINT64_C(1) << n) - 1;

				CHECK(((paths[i].code ^ paths[j].code) & mask) != 0, "codes of %d and %d are not prefix-free", i, j);
			}
		}
		CHECK(length == best_code_length(counts, words),
			  "%d words: length %lld, best %lld", words, (long long) length,
			  (long long) best_code_length(counts, words));
		CHECK(fabs(kraft - 1) < 1e-12, "%d words: the tree has holes", words);
		free(counts);
		free(paths);
		free(scratch);
		free(nodes);
	}
}

/* Codes that are too long are refused, not cut. */
static void
test_huffman_limit(void)
{
	int64_t		counts[60];
	HuffmanPath paths[60];
	char		scratch[60 * 32];

	counts[59] = counts[58] = 1;
	for (int i = 57; i >= 0; i--)
		counts[i] = counts[i + 1] + counts[i + 2];
	CHECK(huffman_build(counts, 60, paths, NULL, scratch) == -1, "Fibonacci counts give a code of 59");
	CHECK(huffman_build(counts + 20, 40, paths, NULL, scratch) > 0, "a code of 39 is allowed");
}

/*
 * Buckets as fastText 0.9.2 gives them (get_subwords of a model with minn 3,
 * maxn 6 and 1,000 buckets).
 */
static void
test_subwords(void)
{
	static const struct
	{
		const char *word;
		int			count;
		int32_t		buckets[15];
	}			expected[] = {
		{"king", 10, {675, 367, 152, 298, 837, 598, 536, 707, 751, 300}},
		{"h\303\251llo", 14, {101, 51, 373, 918, 657, 47, 576, 514, 105, 922, 644, 342, 912, 790}},
		{"a", 1, {600}},
		{"\346\227\245\346\234\254\350\252\236", 6, {587, 581, 609, 559, 923, 355}},
		{"night", 14, {938, 807, 253, 875, 709, 215, 473, 885, 827, 877, 785, 34, 20, 757}}
	};

	for (int i = 0; i < 5; i++)
	{
		int32_t		buckets[15];
		int			count = subword_buckets(expected[i].word,
											(int) strlen(expected[i].word), 3,
											6, 1000, buckets, 15);

		CHECK(count == expected[i].count, "%s has %d n-grams, not %d", expected[i].word,
			  count, expected[i].count);
		for (int n = 0; n < count && n < 15; n++)
			CHECK(buckets[n] == expected[i].buckets[n], "%s, n-gram %d: bucket %d, not %d",
				  expected[i].word, n, buckets[n], expected[i].buckets[n]);
	}
	CHECK(subword_buckets("king", 4, 3, 6, 1000, NULL, 0) == 10, "counting alone");
	CHECK(subword_buckets("ab", 2, 1, 2, 10, NULL, 0) == 5, "<a a ab b b>: the marks alone are no n-grams");
}

/* Training must make words that share contexts alike, and be repeatable. */
static void
no_report(SgdWorker *worker, int words)
{
	(void) words;
	worker->alpha = 0.05f;
}

/* More joins than a list holds are made, not forgotten. */
static void
test_many_joins(void)
{
	enum
	{
		ROWS = 3 * JOINS_MAX + 1, STRIDE = 16
	};
	float	   *shared = row_alloc(ROWS * STRIDE);
	Replica		replica;
	Joins		joins = {0};
	void	   *memory;

	memset(shared, 0, sizeof(float) * ROWS * STRIDE);
	joins.kernels = step_kernels(NULL);
	replica_init(&replica, shared, STRIDE);
	memory = copies_alloc(&replica, ROWS, 1);
	for (int row = 0; row < ROWS; row++)
		*replica_row(&replica, row) = row;
	for (int row = 0; row < ROWS; row++)
		replica_use(&replica, row, &joins);
	joins_run(&joins);
	for (int row = 0; row < ROWS; row++)
		CHECK(shared[row * STRIDE] == row, "the join of row %d was forgotten", row);
	free(memory);
	free(shared);

	for (int workers = 1; workers <= 1024; workers++)
		CHECK(replica_longest_wait(workers) >= 1 &&
				  replica_longest_wait(workers) <= UINT8_MAX &&
				  (workers > 32 ||
				   replica_longest_wait(workers) * workers <= 32),
			  "%d workers join after %d uses", workers,
			  replica_longest_wait(workers));
}

static float
train_toy(bool cbow, bool tree, int copies, float *first_weight)
{
	enum
	{
		WORDS = 8, STRIDE = 16
	};
	static const int32_t pairs[4][2] = {{0, 2}, {1, 4}, {3, 2}, {5, 4}};
	int64_t		counts[WORDS] = {800, 700, 600, 500, 400, 300, 200, 100};
	uint32_t	keep[WORDS];
	AliasSlot	slots[WORDS];
	HuffmanPath paths[WORDS];
	int32_t		nodes[64];
	char		scratch[WORDS * 32];
	SgdModel	model = {0};
	SgdWorker	workers[2];
	void	   *memory[2];
	void	   *matrices[3];
	int			count = copies > 0 ? 2 : 1;
	Random		random;
	float		alike = 0;
	float		unlike = 0;

	model.words = WORDS;
	model.stride = STRIDE;
	model.window_size = 2;
	model.negative = tree ? 0 : 3;
	model.cbow = cbow;
	model.hierarchical_softmax = tree;
	model.input = row_alloc(STRIDE * WORDS);
	model.negative_output = row_alloc(STRIDE * WORDS);
	model.tree_output = row_alloc(STRIDE * WORDS);
	memset(model.negative_output, 0, sizeof(float) * STRIDE * WORDS);
	memset(model.tree_output, 0, sizeof(float) * STRIDE * WORDS);
	random_seed(&random, 7);
	for (int i = 0; i < WORDS; i++)
		sgd_init_row(model.input + i * STRIDE, 10, STRIDE, &random);
	sgd_build_keep(counts, WORDS, 3600, 0, keep);
	sgd_build_negatives(counts, WORDS, 0.75, slots, scratch);
	huffman_build(counts, WORDS, paths, nodes, scratch);
	model.keep = keep;
	model.negatives = slots;
	model.paths = paths;
	model.nodes = nodes;

	for (int w = 0; w < count; w++)
	{
		memory[w] = aligned_alloc(STEP_ALIGNMENT,
								  (sgd_scratch_size(&model) + 63) / 64 * 64);
		sgd_worker_init(&workers[w], &model, 11 + w, memory[w]);
		workers[w].report = no_report;
		workers[w].alpha = 0.05f;
	}
	if (copies > 0)
	{
		matrices[0] = copies_alloc(&workers[1].input, copies, 8);
		matrices[1] = copies_alloc(&workers[1].negative_output, copies, 8);
		matrices[2] = copies_alloc(&workers[1].tree_output, copies, 8);
	}
	/* by turns, so that each meets every pair */
	for (int i = 0; i < 2000; i++)
		sgd_train_document(&workers[i % count], pairs[(i + i / 4) % 4], 2);
	if (copies > 0)
	{
		size_t		bytes = sizeof(float) * STRIDE * copies;

		sgd_join_all(&workers[1], 0.5);
		CHECK(memcmp(workers[1].input.own, model.input, bytes) == 0 &&
				  memcmp(workers[1].negative_output.own, model.negative_output,
						 bytes) == 0 &&
				  memcmp(workers[1].tree_output.own, model.tree_output,
						 bytes) == 0,
			  "%d copies: rows were not joined in the end", copies);
	}

	/* words 0 and 3 occur beside word 2, word 5 beside word 4 */
	for (int d = 0; d < STRIDE; d++)
	{
		alike += model.input[d] * model.input[3 * STRIDE + d];
		unlike += model.input[d] * model.input[5 * STRIDE + d];
		CHECK(d < 10 || model.input[d] == 0, "padding was trained");
	}
	*first_weight = model.input[0];
	for (int w = 0; w < count; w++)
		free(memory[w]);
	for (int i = 0; copies > 0 && i < 3; i++)
		free(matrices[i]);
	free(model.input);
	free(model.negative_output);
	free(model.tree_output);
	return alike - unlike;
}

int
main(void)
{
	Random		random;

	random_seed(&random, 20261123);
	test_steps(&random);
	test_saturation();
	test_negatives(&random);
	test_keep();
	test_huffman(&random);
	test_huffman_limit();
	test_subwords();
	test_many_joins();

	/* one worker; a second one with copies of all rows, or of some */
	for (int kind = 0; kind < 12; kind++)
	{
		static const int copies[3] = {0, 8, 3};
		float		weight[2];
		float		gain = train_toy(kind & 1, kind & 2, copies[kind / 4],
									 &weight[0]);

		train_toy(kind & 1, kind & 2, copies[kind / 4], &weight[1]);
		CHECK(gain > 0.3, "kind %d: words of one context are not more alike (%g)", kind, gain);
		CHECK(weight[0] == weight[1], "kind %d: the same seed gave other bits", kind);
	}
	return check_result();
}
