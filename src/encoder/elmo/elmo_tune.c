/*-------------------------------------------------------------------------
 *
 * elmo_tune.c
 *	  An ELMo in tuning: the mix of its layers, by any loss.
 *
 * v = gamma times the sum of softmax(s)_k times the pooled layer k (Peters et
 * al. 2018, equation 1).  Layers are computed once, so a step costs a sum; s
 * and gamma are options of the model, so the new one is the base's folder with
 * others.  tune_mix finds the same weights with a head of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_tuning.h"

#include <math.h>

#include "miscadmin.h"
#include "network/real.h"
#include "train/progress.h"
#include "utils/float.h"
#include "utils/memutils.h"

/* A step moves s by about this: some dozens of them tell layers apart. */
#define RATE_OF_MIX 0.02

#define MOST_NUMBERS (ELMO_MOST_MIXED + 1)	/* s of each layer, gamma */

typedef struct MixTarget
{
	ElmoTuned	tuned;
	ElmoSite   *site;
	OptimizerSettings optimizer;
	double		dropout;
	int			layers;
	float	   *rows;			/* of each text its layers */
	float		numbers[MOST_NUMBERS];
	float		gradient[MOST_NUMBERS];
	float		best[MOST_NUMBERS];
	float	   *state;
	float	   *dropped;		/* layers of a text under dropout */
} MixTarget;

static Size
text_floats(const MixTarget *mix)
{
	return (Size) mix->layers * mix->tuned.target.dims;
}

/* ---------- texts ---------- */

static void
prepare_mix(TuneTarget *target, const TextTable *texts, bool *known,
			struct Progress *progress)
{
	MixTarget  *mix = (MixTarget *) target;
	Size		bytes = sizeof(float) * text_floats(mix) * texts->count;

	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("tuning does not fit into maintenance_work_mem"),
				 errdetail("The layers of %d texts need %zu MB.",
						   (int) texts->count, bytes / (1024 * 1024) + 1),
				 errhint("Raise maintenance_work_mem, or use fewer examples: some thousands are enough for a few weights.")));
	mix->rows = palloc_extended(Max(bytes, 1), MCXT_ALLOC_HUGE);
	progress_phase(progress, "encoding texts", (double) texts->count);
	for (int64 i = 0; i < (int64) texts->count; i++)
	{
		const TextElement *element = tune_text(texts, i);
		EncoderText text = {element->text, element->length};

		CHECK_FOR_INTERRUPTS();
		known[i] = elmo_pooled_layers(mix->site, &text,
									  mix->rows + text_floats(mix) * i);
		progress_update(progress, (double) i, NAN);
	}
}

static int
size_of_mix(const TuneTarget *target, int32 text)
{
	return 1;
}

static Size
bytes_of_mix(TuneTarget *target, int texts, Size available, bool best)
{
	return sizeof(float) * text_floats((MixTarget *) target);
}

static void
begin_mix(TuneTarget *target, bool best)
{
	MixTarget  *mix = (MixTarget *) target;
	int			count = mix->layers + 1;

	mix->state = palloc0(sizeof(float) *
						 Max(optimizer_state_floats(&mix->optimizer, 1,
													count), 1));
	optimizer_begin(&mix->optimizer, 1, count, mix->state);
	mix->dropped = palloc(sizeof(float) * text_floats(mix));
}

/* ---------- there and back ---------- */

static void
shares_of(const MixTarget *mix, double *shares)
{
	double		most = mix->numbers[0];
	double		sum = 0;

	for (int k = 1; k < mix->layers; k++)
		most = Max(most, mix->numbers[k]);
	for (int k = 0; k < mix->layers; k++)
		sum += shares[k] = exp(mix->numbers[k] - most);
	for (int k = 0; k < mix->layers; k++)
		shares[k] /= sum;
}

/* The layers of a text, numbers of its words left out in all of them */
static const float *
layers_of(MixTarget *mix, int place, int32 text, uint64 noise)
{
	int			dims = mix->tuned.target.dims;
	const float *rows = mix->rows + text_floats(mix) * text;
	float		factor = (float) (1 / (1 - mix->dropout));

	if (noise == 0)
		return rows;
	for (int k = 0; k < mix->layers; k++)
		for (int d = 0; d < dims; d++)
			mix->dropped[k * dims + d] =
				tune_drops(noise, (uint64) place * dims + d, mix->dropout) ?
				0 : rows[k * dims + d] * factor;
	return mix->dropped;
}

static void
forward_mix(TuneTarget *target, int count, const int32 *texts, uint64 noise,
			float *vectors)
{
	MixTarget  *mix = (MixTarget *) target;
	int			dims = target->dims;
	double		shares[ELMO_MOST_MIXED];

	shares_of(mix, shares);
	for (int n = 0; n < count; n++)
	{
		const float *rows = layers_of(mix, n, texts[n], noise);
		float	   *vector = vectors + (Size) n * dims;

		for (int d = 0; d < dims; d++)
		{
			double		sum = 0;

			for (int k = 0; k < mix->layers; k++)
				sum += shares[k] * rows[k * dims + d];
			vector[d] = (float) (mix->numbers[mix->layers] * sum);
		}
	}
}

static void
backward_mix(TuneTarget *target, int count, const int32 *texts, uint64 noise,
			 const float *gradients)
{
	MixTarget  *mix = (MixTarget *) target;
	int			dims = target->dims;
	double		shares[ELMO_MOST_MIXED];

	shares_of(mix, shares);
	for (int n = 0; n < count; n++)
	{
		const float *rows = layers_of(mix, n, texts[n], noise);
		double		along[ELMO_MOST_MIXED];
		double		mean = 0;

		for (int k = 0; k < mix->layers; k++)
		{
			along[k] = real_inner(dims, rows + k * dims,
								  gradients + (Size) n * dims);
			mean += shares[k] * along[k];
		}
		for (int k = 0; k < mix->layers; k++)
			mix->gradient[k] += (float) (mix->numbers[mix->layers] *
										 shares[k] * (along[k] - mean));
		mix->gradient[mix->layers] += (float) mean;
	}
}

static double
square_of_mix(TuneTarget *target)
{
	MixTarget  *mix = (MixTarget *) target;

	return gradient_square(mix->layers + 1, mix->gradient);
}

/* Nothing is to become zero by itself: no decay. */
static void
step_mix(TuneTarget *target, const OptimizerStep *step)
{
	MixTarget  *mix = (MixTarget *) target;
	OptimizerStep own = *step;

	own.weight_decay = 0;
	optimizer_step(&mix->optimizer, &own, 1, mix->layers + 1, true,
				   mix->gradient, mix->numbers, mix->state);
	memset(mix->gradient, 0, sizeof(mix->gradient));
}

static void
keep_mix(TuneTarget *target)
{
	MixTarget  *mix = (MixTarget *) target;

	memcpy(mix->best, mix->numbers, sizeof(mix->best));
}

static void
restore_mix(TuneTarget *target)
{
	MixTarget  *mix = (MixTarget *) target;

	memcpy(mix->numbers, mix->best, sizeof(mix->best));
}

static void
finish_mix(TuneTarget *target)
{
	target->source.network = target;
}

/* ---------- writing ---------- */

static Oid
write_mix(const TuneSource *source)
{
	const MixTarget *mix = (const MixTarget *) source->network;
	NetworkFolder *base = network_folder_of_model(source->base->table);
	FolderFile *files = palloc(sizeof(FolderFile) * base->count);
	StringInfoData weights;

	initStringInfo(&weights);
	for (int k = 0; k < mix->layers; k++)
		appendStringInfo(&weights, "%s%s", k > 0 ? ", " : "",
						 float8out_internal(mix->numbers[k]));
	model_definition_replace(source->definition, "layer_weights",
							 weights.data);
	model_definition_replace(source->definition, "gamma",
							 float8out_internal(mix->numbers[mix->layers]));
	memcpy(files, base->files, sizeof(FolderFile) * base->count);
	return network_write_files(source->definition, files, base->count);
}

/* ---------- the target ---------- */

static TuneTarget *
elmo_mix_target(const TuneMix *wanted, Model *base, void *state)
{
	MixTarget  *mix = palloc0(sizeof(MixTarget));
	double		weights[ELMO_MOST_MIXED];

	mix->site = state;
	mix->tuned.write = write_mix;
	elmo_check_mix(mix->site);
	mix->layers = mix->site->elmo.layers + 1;
	mix->optimizer = wanted->optimizer;
	mix->dropout = wanted->dropout;
	elmo_model_weights(mix->site, weights, mix->layers);
	for (int k = 0; k < mix->layers; k++)
		mix->numbers[k] = (float) weights[k];
	mix->numbers[mix->layers] =
		(float) model_option_float(base->description, "gamma");
	mix->tuned.target = (TuneTarget) {
		.dims = mix->site->elmo.dims,
		.unit = "texts",
		.learning_rate = RATE_OF_MIX,
		.prepare = prepare_mix,
		.size = size_of_mix,
		.bytes = bytes_of_mix,
		.begin = begin_mix,
		.forward = forward_mix,
		.backward = backward_mix,
		.gradient_square = square_of_mix,
		.step = step_mix,
		.keep = keep_mix,
		.restore = restore_mix,
		.finish = finish_mix
	};
	return &mix->tuned.target;
}

/* ---------- the face ---------- */

static Oid
write_elmo(const TuneSource *source)
{
	return ((const ElmoTuned *) source->network)->write(source);
}

const Tunable elmo_tunable = {
	.weights = TUNE_WEIGHTS(TUNE_PROJECTIONS) | TUNE_WEIGHTS(TUNE_FULL),
	.network = elmo_network_target,
	.mix = elmo_mix_target,
	.write = write_elmo,
	.trained_by = "train_elmo"
};
