/*
 * transformer_test.c
 *	  What transformers refuse, and that they stop when asked to.
 *
 * Would show: an option passed over in silence, a tensor that is missing,
 * double, misshapen or not finite and is taken, an id that reads beyond a
 * table, scratch that is too small, an encoding that cannot be cancelled.
 * Vectors themselves are compared in test/oracle.
 */
#include <math.h>

#include "check.h"
#include "math/random.h"
#include "network/transformer.h"
#include "product_sets_of_machine.h"

typedef struct Model
{
	TransformerConfig config;
	TransformerPlan plan;
	char	   *packed;
	void	   *memory;
	TransformerPacker *packer;
	size_t		writes_left;
} Model;

static bool
write_packed(void *argument, size_t offset, const void *bytes, size_t size)
{
	Model	   *model = argument;

	CHECK(offset + size <= model->plan.bytes, "written beyond the packed form");
	if (model->writes_left-- == 0)
		return false;
	memcpy(model->packed + offset, bytes, size);
	return true;
}

static void *
aligned_block(size_t size)
{
	void	   *block = NULL;

	if (posix_memalign(&block, PRODUCT_ALIGNMENT, size) != 0)
		exit(EXIT_FAILURE);
	return block;
}

static void
begin_model(Model *model, const char *family, int hidden, int layers)
{
	TransformerSink sink = {write_packed, model};

	memset(model, 0, sizeof(*model));
	CHECK(transformer_begin(&model->config, family) == TRANSFORMER_OK, "%s", family);
	transformer_number(&model->config, "vocab_size", 50);
	transformer_number(&model->config, "hidden_size", hidden);
	transformer_number(&model->config, "num_hidden_layers", layers);
	transformer_number(&model->config, "num_attention_heads", 4);
	transformer_number(&model->config, "intermediate_size", 2 * hidden);
	transformer_number(&model->config, "max_position_embeddings", 3000);
	transformer_number(&model->config, "type_vocab_size", 2);
	CHECK(transformer_finish(&model->config) == TRANSFORMER_OK, "%s", model->config.message);
	CHECK(transformer_plan(&model->plan, &model->config, PRODUCT_FLOAT32) == TRANSFORMER_OK, "plan");
	model->packed = aligned_block(model->plan.bytes);
	memset(model->packed, 0xFF, model->plan.bytes);
	model->memory = exact_alloc(transformer_packer_bytes(&model->plan));
	model->packer = transformer_packer(&model->plan, sink, model->memory);
	model->writes_left = SIZE_MAX;
}

static void
end_model(Model *model)
{
	free(model->packed);
	free(model->memory);
}

static TransformerStatus
give(Model *model, const char *name, int64_t rows, int64_t columns,
	 float value)
{
	int64_t		shape[2] = {rows, columns};
	size_t		count = rows * (columns > 0 ? columns : 1);
	float	   *values = exact_alloc(sizeof(float) * count);
	TransformerStatus status = transformer_tensor_begin(model->packer, name,
														columns > 0 ? 2 : 1,
														shape);
	Random		random;

	random_seed(&random, count);
	for (size_t i = 0; i < count; i++)
		values[i] = value + 0.1f * (float) random_gaussian(&random);
	if (status == TRANSFORMER_OK)
		status = transformer_tensor_values(model->packer, values, count);
	if (status == TRANSFORMER_OK)
		status = transformer_tensor_end(model->packer);
	free(values);
	return status;
}

static void
give_bert(Model *model, int hidden, int layers)
{
	static const struct
	{
		const char *name;
		int			rows;		/* in units of "hidden" */
		int			columns;
	}			tensors[] = {
		{"attention.self.query.weight", 1, 1}, {"attention.self.query.bias", 1, 0},
		{"attention.self.key.weight", 1, 1}, {"attention.self.key.bias", 1, 0},
		{"attention.self.value.weight", 1, 1}, {"attention.self.value.bias", 1, 0},
		{"attention.output.dense.weight", 1, 1}, {"attention.output.dense.bias", 1, 0},
		{"attention.output.LayerNorm.weight", 1, 0}, {"attention.output.LayerNorm.bias", 1, 0},
		{"intermediate.dense.weight", 2, 1}, {"intermediate.dense.bias", 2, 0},
		{"output.dense.weight", 1, 2}, {"output.dense.bias", 1, 0},
		{"output.LayerNorm.weight", 1, 0}, {"output.LayerNorm.bias", 1, 0},
	};

	CHECK(give(model, "embeddings.word_embeddings.weight", 50, hidden, 0) == TRANSFORMER_OK, "words");
	CHECK(give(model, "bert.embeddings.position_embeddings.weight", 3000, hidden, 0) == TRANSFORMER_OK, "places");
	CHECK(give(model, "embeddings.token_type_embeddings.weight", 2, hidden, 0) == TRANSFORMER_OK, "types");
	CHECK(give(model, "embeddings.LayerNorm.gamma", hidden, 0, 1) == TRANSFORMER_OK, "norm");
	CHECK(give(model, "embeddings.LayerNorm.beta", hidden, 0, 0) == TRANSFORMER_OK, "norm");
	for (int l = 0; l < layers; l++)
	{
		for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); i++)
		{
			char		name[100];

			snprintf(name, sizeof(name), "encoder.layer.%d.%s", l, tensors[i].name);
			CHECK(give(model, name, tensors[i].rows * hidden,
					   tensors[i].columns * hidden, 0) == TRANSFORMER_OK,
				  "%s: %s", name, transformer_packer_message(model->packer));
		}
	}
}

static void
test_options(void)
{
	TransformerConfig config;

	CHECK(transformer_begin(&config, "gpt9") == TRANSFORMER_UNKNOWN, "an architecture that does not exist");
	for (const char *const *family = transformer_families(); *family != NULL;
		 family++)
		CHECK(transformer_begin(&config, *family) == TRANSFORMER_OK, "%s", *family);
	transformer_begin(&config, "bert");
	CHECK(transformer_number(&config, "no_such_option", 1) == TRANSFORMER_UNKNOWN, "an unknown option");
	CHECK(transformer_number(&config, "hidden_size", 2.5) == TRANSFORMER_INVALID, "half a dimension");
	CHECK(transformer_number(&config, "hidden_size", NAN) == TRANSFORMER_INVALID, "no number");
	CHECK(transformer_number(&config, "hidden_size", 1e300) == TRANSFORMER_INVALID, "too many dimensions");
	CHECK(transformer_number(&config, "is_decoder", 1) == TRANSFORMER_INVALID, "a decoder");
	CHECK(transformer_text(&config, "hidden_act", "mish") == TRANSFORMER_INVALID, "an unknown activation");
	CHECK(transformer_text(&config, "position_embedding_type", "relative_key") == TRANSFORMER_INVALID, "positions");
	CHECK(transformer_number(&config, "hidden_dropout_prob", 0.1) == TRANSFORMER_IGNORED, "dropout");
	CHECK(transformer_finish(&config) == TRANSFORMER_INVALID, "no sizes");
	transformer_begin(&config, "llama");
	CHECK(transformer_text(&config, "rope_scaling.type", "yarn") == TRANSFORMER_INVALID, "unknown rotary");
	CHECK(transformer_text(&config, "layer_types.999", "full_attention") == TRANSFORMER_INVALID, "layers");
	CHECK(transformer_text(&config, "layer_types.0", "linear_attention") == TRANSFORMER_INVALID, "layers");
}

static void
test_tensors(void)
{
	enum {HIDDEN = 24};
	Model		model;
	int64_t		shape[2] = {HIDDEN, HIDDEN};
	float		bad = INFINITY;

	begin_model(&model, "bert", HIDDEN, 1);
	CHECK(give(&model, "pooler.dense.weight", HIDDEN, HIDDEN, 0) == TRANSFORMER_IGNORED, "the pooler");
	CHECK(give(&model, "encoder.layer.0.surprise", 1, 1, 0) == TRANSFORMER_UNKNOWN, "an unknown tensor");
	CHECK(give(&model, "encoder.layer.1.output.dense.weight", HIDDEN, 2 * HIDDEN, 0) == TRANSFORMER_UNKNOWN,
		  "a layer too many");
	CHECK(give(&model, "encoder.layer.00.output.dense.weight", HIDDEN, 2 * HIDDEN, 0) == TRANSFORMER_UNKNOWN,
		  "a layer of two names");
	CHECK(give(&model, "encoder.layer.0.output.dense.weight", 2 * HIDDEN, HIDDEN, 0) == TRANSFORMER_INVALID,
		  "a wrong shape");
	CHECK(give(&model, "encoder.layer.0.attention.output.dense.weight", HIDDEN * HIDDEN, 0, 0) ==
		  TRANSFORMER_INVALID, "one dimension for two");
	CHECK(transformer_tensor_begin(model.packer, "encoder.layer.0.attention.self.query.weight", 2, shape) ==
		  TRANSFORMER_OK, "a query");
	CHECK(transformer_tensor_values(model.packer, &bad, 1) == TRANSFORMER_INVALID, "infinity");
	CHECK(transformer_tensor_end(model.packer) == TRANSFORMER_INVALID, "too short");
	CHECK(transformer_packer_finish(model.packer) == TRANSFORMER_INVALID, "nothing is there");
	give_bert(&model, HIDDEN, 1);
	CHECK(give(&model, "embeddings.word_embeddings.weight", 50, HIDDEN, 0) == TRANSFORMER_INVALID, "twice");
	CHECK(transformer_open(&model.plan, model.packed, model.plan.bytes) == TRANSFORMER_INVALID, "not finished");
	CHECK(transformer_packer_finish(model.packer) == TRANSFORMER_OK, "%s",
		  transformer_packer_message(model.packer));
	CHECK(transformer_open(&model.plan, model.packed, model.plan.bytes) == TRANSFORMER_OK, "finished");
	CHECK(transformer_open(&model.plan, model.packed, model.plan.bytes - 64) == TRANSFORMER_INVALID, "cut off");
	CHECK(transformer_open(&model.plan, model.packed, 3) == TRANSFORMER_INVALID, "cut off");
	end_model(&model);

	begin_model(&model, "bert", HIDDEN, 1);
	model.writes_left = 1;
	CHECK(give(&model, "embeddings.word_embeddings.weight", 50, HIDDEN, 0) == TRANSFORMER_OK, "words");
	CHECK(give(&model, "embeddings.token_type_embeddings.weight", 2, HIDDEN, 0) == TRANSFORMER_STOPPED,
		  "a sink that is full");
	end_model(&model);
}

static int	calls;

static bool
stop_later(void *argument)
{
	return ++calls >= *(int *) argument;
}

static void
test_encoding(void)
{
	enum {HIDDEN = 64, LAYERS = 2, LONG = 2500};
	Model		model;
	int32_t    *ids = exact_alloc(sizeof(int32_t) * (LONG + 10));
	size_t		offsets[] = {0, 4, 4 + LONG, 10 + LONG};
	uint8_t    *types = exact_alloc(LONG + 10);
	float	   *to = exact_alloc(sizeof(float) * (LONG + 10) * HIDDEN);
	float	   *once = exact_alloc(sizeof(float) * (LONG + 10) * HIDDEN);
	TransformerBatch batch = {3, ids, offsets, types};
	TransformerOutput output = {POOLING_NONE, 0, false, -1, to};
	void	   *scratch;
	int			stop = 1;
	ProductInterrupt interrupt = {stop_later, &stop, 0};

	begin_model(&model, "bert", HIDDEN, LAYERS);
	give_bert(&model, HIDDEN, LAYERS);
	CHECK(transformer_packer_finish(model.packer) == TRANSFORMER_OK, "%s",
		  transformer_packer_message(model.packer));
	scratch = aligned_block(transformer_scratch_bytes(&model.plan, LONG));
	for (int i = 0; i < LONG + 10; i++)
	{
		ids[i] = i * 7 % 50;
		types[i] = i % 2;
	}
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output, scratch, NULL) == TRANSFORMER_OK, "encode");
	for (size_t i = 0; i < (size_t) (LONG + 10) * HIDDEN; i++)
		CHECK(isfinite(to[i]), "a value that is not finite");
	memcpy(once, to, sizeof(float) * (LONG + 10) * HIDDEN);

	/* scratch holds nothing between calls */
	memset(scratch, 0xFF, transformer_scratch_bytes(&model.plan, LONG));
	transformer_encode(&model.plan, model.packed, &batch, &output, scratch,
					   NULL);
	CHECK(memcmp(once, to, sizeof(float) * (LONG + 10) * HIDDEN) == 0, "scratch shows");
	output.pooling = POOLING_LAST;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output, scratch, NULL) == TRANSFORMER_OK, "last");
	for (int t = 0; t < 3; t++)
		CHECK(memcmp(to + t * HIDDEN, once + (offsets[t + 1] - 1) * HIDDEN,
					 sizeof(float) * HIDDEN) == 0,
			  "the last token of text %d is not as in the whole", t);

	ids[7] = 50;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, NULL) == TRANSFORMER_INVALID,
		  "an id beyond the vocabulary");
	ids[7] = -1;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, NULL) == TRANSFORMER_INVALID,
		  "an id below zero");
	ids[7] = 1;
	types[7] = 2;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, NULL) == TRANSFORMER_INVALID,
		  "a type beyond the table");
	types[7] = 0;
	offsets[1] = 0;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, NULL) == TRANSFORMER_INVALID,
		  "an empty text");
	offsets[1] = 4;
	CHECK(transformer_most_tokens(&model.plan) == 3000, "places");

	/* stopped at the first check, and at a later one */
	calls = 0;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, &interrupt) == TRANSFORMER_STOPPED,
		  "did not stop");
	CHECK(calls == 1, "asked %d times", calls);
	calls = 0;
	stop = 3;
	CHECK(transformer_encode(&model.plan, model.packed, &batch, &output,
							 scratch, &interrupt) == TRANSFORMER_STOPPED,
		  "did not stop");
	free(ids);
	free(types);
	free(to);
	free(once);
	free(scratch);
	end_model(&model);
}

static void
test_set(void)
{
	test_options();
	test_tensors();
	test_encoding();
}

int
main(void)
{
	with_every_product_set(test_set);
	return check_result();
}
