/*-------------------------------------------------------------------------
 *
 * tuning_loss.c
 *	  Which loss suits which examples, and the loss of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "network/loss.h"
#include "server/extension.h"
#include "server/interrupts.h"
#include "utils/memutils.h"

struct TuningLoss
{
	LossSettings settings;
	int			dims;
	int			columns;
	void	   *scratch;		/* aligned */
	int64	   *numbers;		/* of the batch's texts */

	/* softmax: the layer that labels come out of, forgotten at the end */
	int			head_floats;	/* 0: there is none */
	float	   *head;
	float	   *head_gradient;
	float	   *head_state;
	OptimizerSettings optimizer;
};

/* The losses that examples of each shape can have; the first is the default */
static const LossKind for_pairs[] = {
	LOSS_RANKING, LOSS_RANKING_SYMMETRIC, LOSS_TRIPLET
};
static const LossKind for_scores[] = {
	LOSS_COSENT, LOSS_COSINE, LOSS_ANGLE, LOSS_CONTRASTIVE,
	LOSS_ONLINE_CONTRASTIVE
};
static const LossKind for_labels[] = {
	LOSS_COSINE, LOSS_COSENT, LOSS_ANGLE, LOSS_CONTRASTIVE,
	LOSS_ONLINE_CONTRASTIVE
};
static const LossKind for_texts[] = {LOSS_RANKING, LOSS_RANKING_SYMMETRIC};
static const LossKind for_teacher[] = {LOSS_TEACHER};
static const LossKind for_relations[] = {LOSS_SOFTMAX};

#define KINDS_OF(kinds, what) {kinds, lengthof(kinds), what}

static const struct
{
	const LossKind *kinds;
	int			count;
	const char *what;
}			suited[] = {
	KINDS_OF(for_pairs, "pairs of anchor and positive"),
	KINDS_OF(for_scores, "pairs with a score"),
	KINDS_OF(for_labels, "texts with a label"),
	KINDS_OF(for_texts, "texts alone"),
	KINDS_OF(for_teacher, "texts with a vector"),
	KINDS_OF(for_relations, "pairs with a label")
};

static LossKind
choose_kind(const TuningOptions *options, TuningShape shape)
{
	StringInfoData names;
	int			kind;

	if (options->loss == NULL)
		return suited[shape].kinds[0];
	kind = loss_of_name(options->loss);
	initStringInfo(&names);
	for (int i = 0; i < suited[shape].count; i++)
	{
		if (kind == (int) suited[shape].kinds[i])
			return suited[shape].kinds[i];
		appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ",
						 loss_name(suited[shape].kinds[i]));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 kind < 0 ? errmsg("unknown loss \"%s\"", options->loss) :
			 errmsg("loss \"%s\" does not suit the examples", options->loss),
			 errdetail("The examples are %s.", suited[shape].what),
			 errhint("Use one of %s.", names.data)));
}

/* Scores are to say yes or no. */
static void
check_zero_or_one(const TuningExamples *examples, LossKind kind)
{
	for (int i = 0; i < examples->count; i++)
		if (examples->scores[i] != 0 && examples->scores[i] != 1)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("loss \"%s\" needs scores of 0 and 1",
							loss_name(kind)),
					 errdetail("One is %g.", examples->scores[i])));
}

/* A cosine can be no other number. */
static void
check_cosines(const TuningExamples *examples)
{
	for (int i = 0; i < examples->count; i++)
		if (!(fabs(examples->scores[i]) <= 1))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("loss \"cosine_similarity\" needs scores between -1 and 1"),
					 errdetail("One is %g.", examples->scores[i]),
					 errhint("Divide the scores by the largest one, or use loss => 'cosent', which needs their order alone.")));
}

static void
check_examples(const TuningExamples *examples, LossKind kind, int dims)
{
	if (kind == LOSS_TEACHER && examples->teacher_dims != dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d",
						examples->teacher_dims, dims),
				 errdetail("The second is the model's.")));
	if (kind == LOSS_TRIPLET && examples->width != 3)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("loss \"triplet\" needs one negative of each example"),
				 errhint("Give columns anchor, positive, negative.")));
	if (examples->shape != TUNING_SCORES)
		return;
	if (kind == LOSS_CONTRASTIVE || kind == LOSS_ONLINE_CONTRASTIVE)
		check_zero_or_one(examples, kind);
	if (kind == LOSS_COSINE)
		check_cosines(examples);
}

/* ---------- settings ---------- */

static bool
has_margin(LossKind kind)
{
	return kind == LOSS_TRIPLET || kind == LOSS_CONTRASTIVE ||
		kind == LOSS_ONLINE_CONTRASTIVE;
}

static bool
has_scale(LossKind kind)
{
	return kind == LOSS_RANKING || kind == LOSS_RANKING_SYMMETRIC ||
		kind == LOSS_COSENT || kind == LOSS_ANGLE;
}

pg_noreturn static void
report_meaningless(const char *name, LossKind kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has no meaning for loss \"%s\"", name,
					loss_name(kind)),
			 errhint("Leave it out.")));
}

static void
set_numbers(const TuningOptions *options, LossSettings *settings)
{
	if (!isnan(options->margin) && !has_margin(settings->kind))
		report_meaningless("margin", settings->kind);
	if (options->scale != TUNING_SCALE && !has_scale(settings->kind))
		report_meaningless("scale", settings->kind);
	settings->scale = options->scale;
	if (!isnan(options->margin))
		settings->margin = options->margin;
}

static void
set_distance(const TuningOptions *options, LossSettings *settings)
{
	static const char *const distances[] = {"cosine", "euclidean",
	"manhattan", NULL};

	if (options->distance == NULL)
		return;
	if (!has_margin(settings->kind))
		report_meaningless("distance", settings->kind);
	(void) choice_index("distance", options->distance, distances);
	settings->distance = loss_distance_of_name(options->distance);
}

static void
set_sizes(const TuningOptions *options, int dims, LossSettings *settings)
{
	settings->sizes = options->sizes;
	settings->dims = options->size;
	if (options->sizes > 0 && settings->kind == LOSS_SOFTMAX)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("matryoshka has no meaning for loss \"softmax\""),
				 errdetail("Its own layer is made for one size of vectors.")));
	for (int i = 0; i < options->sizes; i++)
		if (options->size[i] < 1 || options->size[i] > dims)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("sizes of matryoshka must be between 1 and %d",
							dims),
					 errdetail("One is %d.", options->size[i])));
}

/* As PyTorch begins a linear layer of 3 dims inputs */
static void
begin_head(TuningLoss *loss, const TuningOptions *options, int labels)
{
	double		bound = 1 / sqrt(3.0 * loss->dims);
	Size		floats;
	Size		state;
	Random		random;

	if (loss->settings.kind != LOSS_SOFTMAX)
		return;
	if (labels > TUNING_MOST_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("examples have more than %d labels",
						TUNING_MOST_LABELS)));
	loss->settings.labels = labels;
	floats = loss_head_floats(&loss->settings, loss->dims);
	loss->optimizer = tuning_optimizer(options);
	state = optimizer_state_floats(&loss->optimizer, 1, (int) floats);
	tuning_check_memory(sizeof(float) * (2 * floats + state));
	loss->head_floats = (int) floats;
	loss->head = palloc_extended(sizeof(float) * floats, MCXT_ALLOC_HUGE);
	loss->head_gradient = palloc_extended(sizeof(float) * floats,
										  MCXT_ALLOC_HUGE);
	loss->head_state = palloc_extended(sizeof(float) * Max(state, 1),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	optimizer_begin(&loss->optimizer, 1, (int) floats, loss->head_state);
	random_seed_stream(&random, options->seed, 3);
	for (Size i = 0; i < floats; i++)
		loss->head[i] = (float) ((2 * random_double(&random) - 1) * bound);
}

TuningLoss *
tuning_loss(const TuningOptions *options, const TuningExamples *examples,
			int rows, int dims)
{
	TuningLoss *loss = palloc0(sizeof(TuningLoss));
	LossKind	kind = choose_kind(options, examples->shape);
	Size		bytes;

	check_examples(examples, kind, dims);
	loss->settings = loss_defaults(kind);
	set_numbers(options, &loss->settings);
	loss->dims = dims;
	set_distance(options, &loss->settings);
	set_sizes(options, dims, &loss->settings);
	begin_head(loss, options, examples->label_count);
	loss->columns = kind == LOSS_TEACHER ? 1 : Max(examples->width, 2);
	bytes = loss_scratch_bytes(&loss->settings, rows, dims, loss->columns);
	tuning_check_memory(bytes);
	loss->scratch = palloc_extended(bytes + PRODUCT_ALIGNMENT,
									MCXT_ALLOC_HUGE);
	loss->scratch = (void *) TYPEALIGN(PRODUCT_ALIGNMENT, loss->scratch);
	loss->numbers = palloc(sizeof(int64) * rows * loss->columns);
	return loss;
}

double
tuning_compute_loss(TuningLoss *loss, const TuningBatch *batch,
					const float *vectors, float *gradients)
{
	LossBatch	losses = {batch->rows, loss->dims, loss->columns};
	const Real *embeddings[TUNING_MOST_TEXTS];
	Real	   *to[TUNING_MOST_TEXTS];
	const int64_t *texts[TUNING_MOST_TEXTS];
	const Real *teacher = batch->teacher;
	LossGradient gradient = {to, loss->head_gradient};
	ProductInterrupt interrupt = {interrupts_stop};
	const char *complaint;
	double		value = NAN;

	for (int i = 0; i < batch->rows * loss->columns; i++)
		loss->numbers[i] = batch->texts[i];
	for (int i = 0; i < loss->columns; i++)
	{
		embeddings[i] = vectors + (Size) i * batch->rows * loss->dims;
		to[i] = gradients + (Size) i * batch->rows * loss->dims;
		texts[i] = (const int64_t *) loss->numbers + (Size) i * batch->rows;
	}
	losses.embeddings = embeddings;
	losses.scores = batch->scores;
	losses.labels = batch->labels;
	losses.head = loss->head;
	losses.texts = texts;
	losses.teacher = &teacher;
	complaint = loss_complaint(&loss->settings, &losses);
	if (complaint != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("loss \"%s\" cannot be computed",
						loss_name(loss->settings.kind)),
				 errdetail("%s", complaint)));
	(void) loss_compute(&loss->settings, &losses, &gradient, &value,
						loss->scratch, &interrupt);
	return value;
}

double
tuning_loss_square(const TuningLoss *loss)
{
	return loss->head_floats == 0 ? 0 :
		gradient_square(loss->head_floats, loss->head_gradient);
}

void
tuning_loss_step(TuningLoss *loss, const OptimizerStep *step)
{
	if (loss->head_floats > 0)
		optimizer_step(&loss->optimizer, step, 1, loss->head_floats, false,
					   loss->head_gradient, loss->head, loss->head_state);
}
