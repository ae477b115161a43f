/*-------------------------------------------------------------------------
 *
 * elmo_site.c
 *	  The model of a call site, and the mix of its layers.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_model.h"

#include <math.h>

#include "server/extension.h"
#include "utils/memutils.h"

/*
 * Words are read in windows whose rows of all layers take about this much
 * memory, but of 2048 words at most, and at least 256.
 */
#define WINDOW_BYTES ((Size) 64 << 20)
#define WINDOW_MOST 2048
#define WINDOW_LEAST 256

/* Rows of words that are kept take so much, or are those of two windows. */
#define ROWS_BYTES ((Size) 32 << 20)

static void
open_image(ElmoSite *site, Model *model)
{
	const ElmoImageOptions *image;
	const void *packed;
	Size		bytes;
	char		message[ELMO_MESSAGE];

	image = model_section(model, ELMO_SECTION_OPTIONS, &bytes);
	site->start = model_section(model, ELMO_SECTION_START, &bytes);
	if (bytes == 0)
		site->start = NULL;
	packed = model_section(model, ELMO_SECTION_PACKED, &bytes);
	if (site->version == model->version && site->packed == packed)
		return;
	site->packed = NULL;
	if (!elmo_plan(&site->plan, &image->options, image->precision, message) ||
		!elmo_open(&site->elmo, &site->plan, packed, bytes))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("packed form of embedding model \"%s\" is damaged, or made on another machine",
						model->description->table_name),
				 errhint("embed_images(clear => true) removes it, to be built again.")));
	site->packed = packed;
}

static void
begin_words(ElmoSite *site)
{
	Size		row_bytes = sizeof(float) * (site->elmo.dims / 2);
	Size		per_word = sizeof(float) * site->elmo.layers * site->elmo.dims;

	site->window = (int) Min(WINDOW_BYTES / per_word, WINDOW_MOST);
	site->window = Max(site->window, WINDOW_LEAST);
	/* twice the window and the two marks */
	site->most_words = Max(ROWS_BYTES / row_bytes, 4 * (Size) site->window);
	text_table_init(&site->words, sizeof(TextElement), 256);
	site->row_capacity = site->words.capacity;
	site->rows = MemoryContextAllocHuge(site->context,
										site->row_capacity * row_bytes);
}

ElmoSite *
elmo_site(FmgrInfo *flinfo, Model *model, void **state)
{
	const ModelDescription *description = model->description;
	ElmoSite   *site = *state;
	MemoryContext caller;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ElmoSite));
		site->context = AllocSetContextCreate(flinfo->fn_mcxt, "embed elmo",
											  ALLOCSET_DEFAULT_SIZES);
		*state = site;
	}
	site->model = model;
	site->pooling = elmo_poolings[model_option_int(description, "pooling")];
	/* the image may have moved under the same version */
	open_image(site, model);
	if (site->version == model->version)
		return site;
	site->version = 0;
	MemoryContextReset(site->context);
	site->computed = 0;
	caller = MemoryContextSwitchTo(site->context);
	site->stream = token_stream_create(model_option_config(description));
	token_stream_cut_long(site->stream);
	begin_words(site);
	MemoryContextSwitchTo(caller);
	site->version = model->version;
	return site;
}

/* ---------- the mix ---------- */

/* s of all layers as the model has it: zeros unless it was set. */
void
elmo_model_weights(const ElmoSite *site, double *weights, int count)
{
	const ModelDescription *description = site->model->description;
	const OptionDeclaration *declaration =
		option_require(description->method->options, "layer_weights");
	const OptionValue *value = model_option(description, "layer_weights");
	double		numbers[OPTION_MOST_NUMBERS];

	memset(weights, 0, sizeof(double) * count);
	if (!value->given)
		return;
	if (option_numbers(declaration, value->text, numbers) != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"layer_weights\" of embedding model \"%s\" must have %d numbers",
						description->table_name, count)));
	memcpy(weights, numbers, sizeof(double) * count);
}

static void
check_request(const ElmoMixRequest *request, int count)
{
	if (request->layers != NULL && request->layer_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("layers must not be empty")));
	for (int i = 0; request->layers != NULL && i < request->layer_count; i++)
	{
		if (request->layers[i] < 0 || request->layers[i] >= count)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("layer %d does not exist", request->layers[i]),
					 errdetail("The model has the layers 0 to %d.",
							   count - 1)));
		for (int n = 0; n < i; n++)
		{
			if (request->layers[n] == request->layers[i])
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("layer %d is given twice",
								request->layers[i])));
		}
	}
	if (request->weights != NULL)
	{
		int			wanted = request->layers != NULL ? request->layer_count
													 : count;

		if (request->weight_count != wanted)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("layer_weights must have %d numbers", wanted),
					 errdetail("It has %d.", request->weight_count)));
		for (int i = 0; i < wanted; i++)
		{
			if (!isfinite(request->weights[i]))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("layer_weights must be finite")));
		}
	}
	if (request->gamma != NULL && !isfinite(*request->gamma))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("gamma must be finite")));
}

void
elmo_mix(const ElmoSite *site, const ElmoMixRequest *request, ElmoMix *mix)
{
	const ModelDescription *description = site->model->description;
	int			count = site->elmo.layers + 1;
	double		weights[ELMO_MOST_MIXED];
	bool		chosen[ELMO_MOST_MIXED];
	double		most = -INFINITY;
	double		sum = 0;
	double		gamma = request->gamma != NULL ? *request->gamma :
		model_option_float(description, "gamma");

	check_request(request, count);
	elmo_model_weights(site, weights, count);
	for (int k = 0; k < count; k++)
		chosen[k] = request->layers == NULL;
	for (int i = 0; request->layers != NULL && i < request->layer_count; i++)
		chosen[request->layers[i]] = true;
	for (int i = 0; request->weights != NULL && i < request->weight_count; i++)
		weights[request->layers != NULL ? request->layers[i] : i] =
			request->weights[i];
	for (int k = 0; k < count; k++)
		most = chosen[k] ? Max(most, weights[k]) : most;
	for (int k = 0; k < count; k++)
	{
		mix->weight[k] = chosen[k] ? exp(weights[k] - most) : 0;
		sum += mix->weight[k];
	}
	for (int k = 0; k < count; k++)
		mix->weight[k] *= gamma / sum;
	mix->count = count;
	mix->norm = request->norm != NULL ? *request->norm :
		model_option_int(description, "layer_norm") != 0;
}

/*
 * Mean and variance are those of all numbers of a layer in the piece, marks
 * with them, as AllenNLP's ScalarMix takes them (with one text in its batch).
 */
static void
normalize_layer(ElmoMixed *mixed, int layer)
{
	const ElmoPiece *piece = mixed->piece;
	int			half = piece->site->elmo.dims / 2;
	double		count = (double) (piece->words + 2) * 2 * half;
	double		mean = 0;
	double		variance = 0;
	double		scale;

	for (int pass = 0; pass < 2; pass++)
	{
		double		sum = 0;

		for (int w = -1; w <= piece->words; w++)
		{
			for (int direction = 0; direction < 2; direction++)
			{
				const float *x = elmo_half(piece, w, layer, direction);

				for (int i = 0; i < half; i++)
				{
					double		off = x[i] - mean;

					sum += pass == 0 ? off : off * off;
				}
			}
		}
		if (pass == 0)
			mean = sum / count;
		else
			variance = sum / count;
	}
	scale = 1 / sqrt(variance + 1e-13);
	mixed->shift -= mixed->factor[layer] * mean * scale;
	mixed->factor[layer] *= scale;
}

void
elmo_mixed_begin(ElmoMixed *mixed, const ElmoMix *mix, const ElmoPiece *piece)
{
	mixed->piece = piece;
	mixed->mix = mix;
	mixed->shift = 0;
	for (int k = 0; k < mix->count; k++)
	{
		mixed->factor[k] = mix->weight[k];
		if (mix->norm && mix->weight[k] != 0)
			normalize_layer(mixed, k);
	}
}

void
elmo_mixed_row(const ElmoMixed *mixed, int word, float *to)
{
	const ElmoPiece *piece = mixed->piece;
	int			half = piece->site->elmo.dims / 2;

	for (int direction = 0; direction < 2; direction++)
	{
		const float *rows[ELMO_MOST_MIXED];

		for (int k = 0; k < mixed->mix->count; k++)
			rows[k] = elmo_half(piece, word, k, direction);
		for (int i = 0; i < half; i++)
		{
			double		sum = mixed->shift;

			for (int k = 0; k < mixed->mix->count; k++)
			{
				if (mixed->factor[k] != 0)
					sum += mixed->factor[k] * rows[k][i];
			}
			to[(Size) direction * half + i] = (float) sum;
		}
	}
}
