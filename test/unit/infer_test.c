/*-------------------------------------------------------------------------
 *
 * infer_test.c
 *	  Would fail if the inferred row of a document were not made likelier by
 *	  its words, depended on anything but them and the seed, or if inference
 *	  wrote to the model.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "encoder/doc2vec/infer.h"

#define WORDS 30
#define DIMS 45
#define STRIDE 48
#define COUNT 60

static int	checks = 0;

static void
count_check(void)
{
	checks++;
}

static float *
rows_alloc(int count)
{
	return aligned_alloc(STEP_ALIGNMENT, sizeof(float) * STRIDE * count);
}

static void
fill_rows(float *rows, int count, Random *random)
{
	for (int i = 0; i < count; i++)
		for (int d = 0; d < STRIDE; d++)
			rows[i * STRIDE + d] = d < DIMS ? random_float(random) * 2 - 1 : 0;
}

static double
score(const float *row, const float *output)
{
	double		sum = 0;

	for (int d = 0; d < DIMS; d++)
		sum += (double) row[d] * output[d];
	return sum;
}

/* Words 0 to 3 are the document's: they must score above the others. */
static void
test(bool in_window, int window_size, int negative)
{
	float	   *inputs = rows_alloc(WORDS);
	float	   *outputs = rows_alloc(WORDS);
	float	   *before = rows_alloc(2 * WORDS);
	float	   *work = rows_alloc(3);
	float	   *rows = rows_alloc(1);
	float	   *again = rows_alloc(1);
	float	   *other = rows_alloc(1);
	const float *input_rows[WORDS];
	const float *output_rows[WORDS];
	int64_t		counts[WORDS];
	uint32_t	keep[WORDS];
	AliasSlot	slots[WORDS];
	char		scratch[WORDS * 12];
	int32_t		words[COUNT];
	int32_t	   *kept = exact_alloc(sizeof(int32_t) * COUNT);
	InferModel	model = {0};
	Random		random;
	double		own = 0;
	double		others = 0;

	random_seed(&random, 3);
	fill_rows(inputs, WORDS, &random);
	fill_rows(outputs, WORDS, &random);
	memcpy(before, inputs, sizeof(float) * STRIDE * WORDS);
	memcpy(before + STRIDE * WORDS, outputs, sizeof(float) * STRIDE * WORDS);
	for (int i = 0; i < WORDS; i++)
	{
		input_rows[i] = inputs + i * STRIDE;
		output_rows[i] = outputs + i * STRIDE;
		counts[i] = 10;
	}
	for (int i = 0; i < COUNT; i++)
		words[i] = i % 4;
	sgd_build_keep(counts, WORDS, 10 * WORDS, 0, keep);
	sgd_build_negatives(counts, WORDS, 0.75, slots, scratch);
	model.kernels = step_kernels(NULL);
	model.words = WORDS;
	model.dims = DIMS;
	model.stride = STRIDE;
	model.window_size = window_size;
	model.negative = negative;
	model.epochs = 20;
	model.alpha = 0.05f;
	model.in_window = in_window;
	model.inputs = input_rows;
	model.outputs = output_rows;
	model.keep = keep;
	model.negatives = slots;
	model.check = count_check;

	infer_document(&model, words, COUNT, 1, kept, work, rows);
	infer_document(&model, words, COUNT, 1, kept, work, again);
	infer_document(&model, words, COUNT, 2, kept, work, other);
	CHECK(memcmp(rows, again, sizeof(float) * STRIDE) == 0,
		  "one seed, two rows");
	CHECK(memcmp(rows, other, sizeof(float) * STRIDE) != 0,
		  "two seeds, one row");
	for (int d = DIMS; d < STRIDE; d++)
		CHECK(rows[d] == 0, "padding is %g", rows[d]);
	for (int i = 0; i < WORDS; i++)
	{
		double		one = score(rows, output_rows[i]);

		CHECK(isfinite(one), "score of word %d is %g", i, one);
		if (i < 4)
			own += one / 4;
		else
			others += one / (WORDS - 4);
	}
	CHECK(own > others + 0.5, "window %d, negative %d: own %g, others %g",
		  in_window ? window_size : 0, negative, own, others);
	CHECK(memcmp(before, inputs, sizeof(float) * STRIDE * WORDS) == 0 &&
		  memcmp(before + STRIDE * WORDS, outputs,
				 sizeof(float) * STRIDE * WORDS) == 0,
		  "the model has changed");
	CHECK(checks >= 20, "looked for interrupts %d times", checks);

	/* one word, and a window beyond the text */
	infer_document(&model, words, 1, 1, kept, work, rows);
	for (int d = 0; d < DIMS; d++)
		CHECK(isfinite(rows[d]), "one word gives %g", rows[d]);
	free(inputs);
	free(outputs);
	free(before);
	free(work);
	free(rows);
	free(again);
	free(other);
	free(kept);
}

int
main(void)
{
	for (int negative = 1; negative <= 9; negative += 4)
	{
		test(false, 1, negative);
		test(true, 1, negative);
		test(true, 5, negative);
		test(true, 1000, negative);
	}
	return check_result();
}
