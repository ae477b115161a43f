/*-------------------------------------------------------------------------
 *
 * static_pack.c
 *	  A static model's folder: what it says, checked, and its image.
 *
 * There are two families, which differ in what they do with a text.
 * model2vec (StaticModel.encode, version 0.10) reads at most max_length
 * tokens, 512 if config.json does not say, of at most max_length times the
 * median length of the vocabulary's tokens characters, and leaves out the
 * unknown token.  StaticEmbedding of sentence-transformers reads all of the
 * text, unknown tokens as well.  A folder is of the first family if its
 * config.json says so or if its tensor has the name that model2vec gives it.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static_precision.h"

#include <math.h>

#include "math/rows.h"
#include "miscadmin.h"
#include "type/vector.h"
#include "utils/memutils.h"

#define MODEL2VEC_TOKENS 512

static bool
is_model2vec(const ModelFolder *folder)
{
	if (folder->model_type != NULL && strcmp(folder->model_type, "model2vec") == 0)
		return true;
	return strcmp(folder->embeddings->name, "embeddings") == 0;
}

/* What the folder asks for and is not done here. */
static void
check_modules(const NetworkFolder *network)
{
	const ModelFolder *folder = &network->folder;

	for (int i = 1; i < folder->module_count; i++)
	{
		if (folder->modules[i].kind != MODULE_NORMALIZE)
			network_folder_refuse(network, FORMAT_UNSUPPORTED,
								  psprintf("Module %d of a static model, in \"%.100s\", is not Normalize; nothing else is supported.",
										   i, folder->modules[i].path));
	}
	if (folder->lower_case)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "\"do_lower_case\" of a static model is not supported.");
}

static void
check_shapes(const NetworkFolder *network, const Tokenizer *tokenizer)
{
	const ModelFolder *folder = &network->folder;
	uint64		rows = folder->embeddings->shape[0];
	uint64		dims = folder->embeddings->shape[1];
	uint32		tokens = tokenizer_size(tokenizer);

	if (dims > VECTOR_MAX_DIMS || rows > PG_INT32_MAX)
		network_folder_refuse(
			network, FORMAT_TOO_LARGE,
			psprintf("It has " UINT64_FORMAT " rows of " UINT64_FORMAT
					 " dimensions, the most are %d of %d.",
					 rows, dims, PG_INT32_MAX, VECTOR_MAX_DIMS));
	if (tokens == 0)
		network_folder_refuse(network, FORMAT_MALFORMED, "Its tokenizer has no tokens.");
	if (folder->token_rows == NULL && tokens > rows)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("The tokenizer has ids up to %u, but there are only " UINT64_FORMAT " vectors.",
									   tokens - 1, rows));
	if (folder->token_rows != NULL && tokens > folder->token_rows->elements)
		network_folder_refuse(
			network, FORMAT_MALFORMED,
			psprintf(
				"The tokenizer has ids up to %u, but \"mapping\" has only " UINT64_FORMAT
				" entries.",
				tokens - 1, (uint64) folder->token_rows->elements));
	if (folder->token_weights != NULL &&
		tokens > folder->token_weights->elements)
		network_folder_refuse(
			network, FORMAT_MALFORMED,
			psprintf(
				"The tokenizer has ids up to %u, but \"weights\" has only " UINT64_FORMAT
				" entries.",
				tokens - 1, (uint64) folder->token_weights->elements));
}

/* ---------- the tokens ---------- */

static int
compare_lengths(const void *left, const void *right)
{
	int32		a = *(const int32 *) left;
	int32		b = *(const int32 *) right;

	return a < b ? -1 : a > b;
}

/* As int(numpy.median()) has it, of lengths in characters. */
static int32
median_length(const Tokenizer *tokenizer)
{
	uint32		tokens = tokenizer_size(tokenizer);
	int32	   *lengths = palloc_extended(sizeof(int32) * tokens,
										  MCXT_ALLOC_HUGE);
	int			count = 0;
	int32		median;

	for (uint32 id = 0; id < tokens; id++)
	{
		size_t		bytes;
		const char *text = tokenizer_token(tokenizer, id, &bytes);
		int32		characters = 0;

		if (text == NULL)
			continue;
		for (size_t i = 0; i < bytes; i++)
			characters += (text[i] & 0xC0) != 0x80;
		lengths[count++] = characters;
	}
	if (count == 0)
		return 0;
	qsort(lengths, count, sizeof(int32), compare_lengths);
	median = count % 2 ? lengths[count / 2]
					   : (lengths[count / 2 - 1] + lengths[count / 2]) / 2;
	pfree(lengths);
	return median;
}

/* "max_length" of config.json: -1 if it is not there, 0 if it is null. */
static int64
configured_length(const NetworkFolder *network)
{
	const JsonValue *value = json_get(network->folder.config, "max_length");
	int64_t		length;

	if (value == NULL)
		return -1;
	if (json_is(value, JSON_NULL))
		return 0;
	if (!json_int64(value, &length) || length < 1)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  "\"max_length\" in config.json is not a number above zero.");
	return Min(length, NETWORK_MOST_TOKENS);
}

static void
set_limits(const NetworkFolder *network, const Tokenizer *tokenizer,
		   int64 given, StaticModel *model)
{
	int64		length = given > 0 ? given : -1;
	int64		characters;

	model->settings.unknown = -1;
	if (!is_model2vec(&network->folder))
	{
		length = Max(length, Min((int64) tokenizer_max_length(tokenizer),
								 NETWORK_MOST_TOKENS));
		model->limits.max_tokens = given > 0 ? (int32) given : (int32) length;
		model->limits.cuts_left = tokenizer_cuts_left(tokenizer);
		return;
	}
	model->settings.unknown = (int32) tokenizer_special(tokenizer,
														TOKENIZER_UNK);
	if (length < 0)
		length = configured_length(network);
	if (length < 0)
		length = MODEL2VEC_TOKENS;
	characters = length * median_length(tokenizer);
	model->limits.max_tokens = (int32) length;
	model->settings.characters = (int32) Min(characters, PG_INT32_MAX);
}

/* ---------- values ---------- */

typedef struct FloatSink
{
	float	   *values;
	uint64		count;
	uint64		most;
} FloatSink;

static void
take_floats(void *argument, const float *values, size_t count)
{
	FloatSink  *sink = argument;
	size_t		taken = Min(count, sink->most - sink->count);

	memcpy(sink->values + sink->count, values, sizeof(float) * taken);
	sink->count += taken;
}

static void
read_weights(const NetworkFolder *network, StaticModel *model)
{
	FloatSink	sink = {NULL, 0, model->settings.tokens};

	if (network->folder.token_weights == NULL)
		return;
	sink.values = palloc_extended(sizeof(float) * sink.most, MCXT_ALLOC_HUGE);
	network_folder_floats(network, network->folder.token_weights, take_floats,
						  &sink);
	model->weights = sink.values;
}

static void
read_rows(const NetworkFolder *network, StaticModel *model)
{
	const Tensor *tensor = network->folder.token_rows;
	int64	   *values;

	if (tensor == NULL)
		return;
	values = network_folder_integers(network, tensor);
	model->rows = palloc_extended(sizeof(int32) * model->settings.tokens,
								  MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < tensor->elements; i++)
	{
		if (values[i] < 0 || values[i] >= model->settings.rows)
			network_folder_refuse(network, FORMAT_MALFORMED,
								  psprintf("Entry " UINT64_FORMAT
										   " of \"mapping\" is " INT64_FORMAT
										   ", but there are %d vectors.",
										   i, values[i],
										   model->settings.rows));
		if (i < (uint64) model->settings.tokens)
			model->rows[i] = (int32) values[i];
	}
	pfree(values);
}

void
static_read(const NetworkFolder *network, int64 max_tokens, StaticModel *model)
{
	Tokenizer	tokenizer;

	memset(model, 0, sizeof(StaticModel));
	check_modules(network);
	network_folder_compile(network, &model->image);
	if (!tokenizer_open(&tokenizer, model->image.bytes, model->image.size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	check_shapes(network, &tokenizer);
	model->settings.tokens = (int32) tokenizer_size(&tokenizer);
	model->settings.rows = (int32) network->folder.embeddings->shape[0];
	model->settings.dims = (int32) network->folder.embeddings->shape[1];
	model->settings.stride = TYPEALIGN(ROW_LANES, model->settings.dims);
	model->settings.normalize = network->folder.normalize;
	model->settings.default_prompt = -1;
	set_limits(network, &tokenizer, max_tokens, model);
	read_weights(network, model);
	read_rows(network, model);
}

/* ---------- image ---------- */

typedef struct MatrixSink
{
	ImageBuilder *builder;
	const StaticSettings *settings;
	bool		whole;
	void	   *narrow;
	float	   *scales;			/* of each row, or NULL */
	int			rows;
} MatrixSink;

static void
append_row(void *argument, const float *row)
{
	MatrixSink *sink = argument;
	int			stride = sink->settings->stride;
	float		scale = static_narrow(sink->settings->precision, sink->whole,
									  stride, row, sink->narrow);

	if (sink->scales != NULL)
		sink->scales[sink->rows++] = scale;
	image_append(sink->builder, sink->narrow, (Size) stride *
				 static_element_bytes(sink->settings->precision));
}

static void
append_matrix(ImageBuilder *builder, const NetworkFolder *network,
			  const StaticSettings *settings)
{
	MatrixSink	sink = {builder, settings};

	sink.whole = static_is_whole(network);
	sink.narrow = palloc(sizeof(float) * settings->stride);
	if (static_has_scales(settings->precision))
		sink.scales = palloc_extended(sizeof(float) * settings->rows,
									  MCXT_ALLOC_HUGE);
	image_begin_section(builder, STATIC_SECTION_MATRIX);
	static_read_matrix(network, settings, append_row, &sink);
	image_begin_section(builder, STATIC_SECTION_SCALES);
	if (sink.scales != NULL)
		image_append(builder, sink.scales, sizeof(float) * sink.rows);
}

void
static_build_image(ImageBuilder *builder, ModelReader *reader)
{
	const ModelDescription *description = model_reader_description(reader);
	NetworkFolder *network = network_folder_of_table(reader);
	StaticModel model;
	StringInfo	prompts;

	if (network->folder.kind != FOLDER_STATIC)
		network_folder_refuse(
			network, FORMAT_UNSUPPORTED,
			psprintf("Its files are those of a %s, not of a static model.",
					 folder_kind_name(network->folder.kind)));
	static_read(network, model_option_int(description, "max_tokens"), &model);
	model.settings.precision = (int32) model_option_int(description,
														"precision");
	prompts = network_prompts_write(&network->folder,
									&model.settings.default_prompt);
	network_build_tokenizer(builder, &model.image, &model.limits);
	image_begin_section(builder, STATIC_SECTION_SETTINGS);
	image_append(builder, &model.settings, sizeof(StaticSettings));
	append_matrix(builder, network, &model.settings);
	image_begin_section(builder, STATIC_SECTION_WEIGHTS);
	if (model.weights != NULL)
		image_append(builder, model.weights,
					 sizeof(float) * model.settings.tokens);
	image_begin_section(builder, STATIC_SECTION_ROWS);
	if (model.rows != NULL)
		image_append(builder, model.rows,
					 sizeof(int32) * model.settings.tokens);
	image_begin_section(builder, STATIC_SECTION_PROMPTS);
	image_append(builder, prompts->data, prompts->len);
}
