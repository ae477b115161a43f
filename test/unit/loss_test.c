/*
 * loss_test.c
 *	  Gradients of all losses against differences in double.
 *
 * Would show: a gradient that does not belong to its loss, equal texts taken
 * as each other's negatives, a result that depends on how scores are cut into
 * pieces, memory beyond the sizes asked for.
 */
#define NETWORK_DOUBLE
#include "check.h"
#include "math/random.h"
#include "network/loss.c"
#include "network/loss_pair.c"
#include "network/loss_ranking.c"

#define ROWS 9
#define DIMS 7
#define COLUMNS 4
#define LABELS 3
#define HEAD (LABELS * (3 * DIMS + 1))

static Random rng;
static Real values[COLUMNS][ROWS * DIMS];
static Real slopes[COLUMNS][ROWS * DIMS];
static Real teacher[COLUMNS][ROWS * DIMS];
static Real head[HEAD];
static Real head_slopes[HEAD];
static float scores[ROWS];
static int32_t labels[ROWS];
static const Real *embeddings[COLUMNS];
static const Real *teachers[COLUMNS];
static Real *gradients[COLUMNS];

static void
fill(void)
{
	for (int c = 0; c < COLUMNS; c++)
	{
		embeddings[c] = values[c];
		teachers[c] = teacher[c];
		gradients[c] = slopes[c];
		for (int i = 0; i < ROWS * DIMS; i++)
		{
			values[c][i] = random_gaussian(&rng) +
				(c > 0 ? values[0][i] : 0);
			teacher[c][i] = random_gaussian(&rng);
		}
	}
	for (int i = 0; i < HEAD; i++)
		head[i] = random_gaussian(&rng);
	for (int r = 0; r < ROWS; r++)
	{
		scores[r] = (float) (random_below(&rng, 5) / 4.0);
		labels[r] = (int32_t) random_below(&rng, LABELS);
	}
}

static double
compute(const LossSettings *settings, int columns,
		const int64_t *const *texts)
{
	LossBatch	batch = {ROWS, DIMS, columns, embeddings, scores, labels,
	teachers, texts, head};
	LossGradient gradient = {gradients, head_slopes};
	size_t		size = loss_scratch_bytes(settings, ROWS, DIMS, columns);
	void	   *scratch = NULL;
	double		loss = 0;
	const char *complaint = loss_complaint(settings, &batch);

	CHECK(complaint == NULL, "%s: %s", loss_name(settings->kind), complaint);
	if (posix_memalign(&scratch, PRODUCT_ALIGNMENT, size) != 0)
		exit(EXIT_FAILURE);
	CHECK(loss_compute(settings, &batch, &gradient, &loss, scratch, NULL),
		  "stopped");
	free(scratch);
	return loss;
}

static void
expect_slope(const LossSettings *settings, int columns,
			 const int64_t *const *texts, Real *x, Real slope,
			 const char *what)
{
	const double step = 1e-5;
	Real		kept = *x;
	double		above;
	double		below;

	*x = kept + step;
	above = compute(settings, columns, texts);
	*x = kept - step;
	below = compute(settings, columns, texts);
	*x = kept;
	CHECK(fabs((above - below) / (2 * step) - slope) <
		  1e-6 * (1 + fabs(slope)), "%s, %s: slope %g, difference %g",
		  loss_name(settings->kind), what, slope,
		  (above - below) / (2 * step));
}

static void
expect_gradient(const LossSettings *settings, int columns,
				const int64_t *const *texts)
{
	Real		kept[COLUMNS][ROWS * DIMS];
	Real		kept_head[HEAD];

	compute(settings, columns, texts);
	memcpy(kept, slopes, sizeof(kept));
	memcpy(kept_head, head_slopes, sizeof(kept_head));
	for (int c = 0; c < columns; c++)
	{
		for (int i = 0; i < ROWS * DIMS; i++)
			expect_slope(settings, columns, texts, &values[c][i], kept[c][i],
						 "an embedding");
	}
	for (int i = 0; settings->kind == LOSS_SOFTMAX && i < HEAD; i++)
		expect_slope(settings, columns, texts, &head[i], kept_head[i],
					 "a weight");
}

static int
columns_of(LossKind kind)
{
	if (kind <= LOSS_RANKING_SYMMETRIC)
		return 4;
	return kind == LOSS_TRIPLET ? 3 : 2;
}

static void
all_kinds(int distance, int sizes)
{
	static const int dims[] = {3, 7};
	static const double weights[] = {0.5, 2};

	for (int kind = 0; kind < LOSS_KINDS; kind++)
	{
		LossSettings settings = loss_defaults((LossKind) kind);
		bool		contrast = kind == LOSS_CONTRASTIVE ||
			kind == LOSS_ONLINE_CONTRASTIVE;

		settings.labels = LABELS;
		settings.distance = (LossDistance) distance;
		settings.scale = 5;
		settings.chunk = 4;
		settings.margin = distance == 0 ? 1.2 : 6;
		settings.sizes = kind == LOSS_SOFTMAX ? 0 : sizes;
		settings.dims = dims;
		settings.weights = weights;
		for (int r = 0; r < ROWS && contrast; r++)
			scores[r] = scores[r] > 0.4f;
		expect_gradient(&settings, columns_of(settings.kind), NULL);
		fill();
	}
}

/* The loss of two ways of cutting, and of equal texts. */
static void
pieces_and_equal_texts(LossKind kind)
{
	LossSettings settings = loss_defaults(kind);
	int64_t		numbers[COLUMNS][ROWS];
	const int64_t *texts[COLUMNS];
	double		whole;
	double		plain;

	for (int c = 0; c < COLUMNS; c++)
	{
		texts[c] = numbers[c];
		for (int r = 0; r < ROWS; r++)
			numbers[c][r] = c * 100 + r;
	}
	settings.chunk = ROWS;
	whole = compute(&settings, 4, NULL);
	settings.chunk = 2;
	CHECK(fabs(whole - compute(&settings, 4, NULL)) < 1e-12, "pieces");
	plain = compute(&settings, 4, texts);
	CHECK(fabs(whole - plain) < 1e-12, "distinct texts");

	/* a negative that is the positive again takes nothing away */
	numbers[2][5] = numbers[1][0];
	memcpy(values[2] + 5 * DIMS, values[1], sizeof(Real) * DIMS);
	numbers[0][3] = numbers[0][1];
	memcpy(values[0] + 3 * DIMS, values[0] + DIMS, sizeof(Real) * DIMS);
	CHECK(compute(&settings, 4, texts) < compute(&settings, 4, NULL) - 1e-9,
		  "equal texts count as negatives");
	expect_gradient(&settings, 4, texts);

	/* all alike: nothing is left to tell apart */
	for (int c = 0; c < COLUMNS; c++)
	{
		for (int r = 0; r < ROWS; r++)
			numbers[c][r] = 1;
	}
	CHECK(fabs(compute(&settings, 4, texts)) < 1e-9, "all texts are equal");
	fill();
}

static void
zero_vectors(void)
{
	for (int kind = 0; kind < LOSS_KINDS; kind++)
	{
		LossSettings settings = loss_defaults((LossKind) kind);

		settings.labels = LABELS;
		for (int c = 0; c < COLUMNS; c++)
			memset(values[c] + DIMS, 0, sizeof(Real) * DIMS);
		CHECK(isfinite(compute(&settings, columns_of(settings.kind), NULL)),
			  "%s of zero vectors", loss_name(settings.kind));
		for (int i = 0; i < ROWS * DIMS; i++)
			CHECK(fabs(slopes[0][i]) < 1e3, "%s: gradient %g",
				  loss_name(settings.kind), slopes[0][i]);
		values[0][3] = NAN;
		CHECK(!isfinite(compute(&settings, columns_of(settings.kind), NULL)),
			  "%s hides NaN", loss_name(settings.kind));
		fill();
	}
}

int
main(void)
{
	random_seed(&rng, 23);
	fill();
	for (int distance = 0; distance < 3; distance++)
	{
		all_kinds(distance, 0);
		all_kinds(distance, 2);
	}
	pieces_and_equal_texts(LOSS_RANKING);
	pieces_and_equal_texts(LOSS_RANKING_SYMMETRIC);
	zero_vectors();
	return check_result();
}
