/*-------------------------------------------------------------------------
 *
 * elmo_files_test.c
 *	  Would fail if the options of an ELMo were read wrongly, or if one with a
 *	  tensor missing, of another shape or too many were accepted.
 *
 * With EMBED_DATA, the files published with AllenNLP are read as well.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "case_files.h"
#include "check.h"
#include "format/elmo_files.h"
#include "format/hdf5.h"

static Arena arena;
static FormatFault fault;
static ElmoOptions options;

#define LSTM "\"lstm\":{\"cell_clip\":3,\"use_skip_connections\":true,\"n_layers\":2,\"proj_clip\":null," \
	"\"projection_dim\":8,\"dim\":16}"
#define CNN "\"char_cnn\":{\"embedding\":{\"dim\":4},\"filters\":[[1,3],[2,5]],\"n_highway\":1," \
	"\"n_characters\":262,\"max_characters_per_token\":50,\"activation\":\"relu\"}"

static bool
parse(const char *text)
{
	const JsonValue *root;
	FormatFault none;

	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	root = json_parse(&arena, text, strlen(text), NULL, &none);
	CHECK(root != NULL, "%s: %s", text, none.detail);
	return root != NULL && elmo_options_parse(&options, root, &fault);
}

static void
expect_bad(const char *text, FormatStatus status, const char *detail)
{
	CHECK(!parse(text) && fault.status == status &&
			  strstr(fault.detail, detail) != NULL,
		  "%s: status %d, %s", text, fault.status, fault.detail);
}

static void
test_options(void)
{
	CHECK(parse("{" LSTM "," CNN ",\"bidirectional\":true,\"dropout\":0.1}"), "%s", fault.detail);
	CHECK(options.character_dims == 4 && options.filter_count == 2 &&
			  options.filter_width[1] == 2 && options.filter_size[1] == 5 &&
			  options.filters == 8 && options.highways == 1 &&
			  options.most_characters == 50 && options.activation == ELMO_RELU,
		  "characters");
	CHECK(options.layers == 2 && options.cells == 16 &&
			  options.projection == 8 && options.cell_clip == 3 &&
			  options.projection_clip == 0 && options.skip_connections,
		  "layers");
	expect_bad("[]", FORMAT_MALFORMED, "\"options\" is not an object");
	expect_bad("{" LSTM "}", FORMAT_MALFORMED, "char_cnn");
	expect_bad("{" CNN "}", FORMAT_MALFORMED, "lstm");
	expect_bad("{" LSTM "," CNN ",\"attention\":1}", FORMAT_UNSUPPORTED, "\"attention\"");
	expect_bad("{" LSTM "," CNN ",\"bidirectional\":false}", FORMAT_UNSUPPORTED, "bidirectional");
	expect_bad("{" CNN ",\"lstm\":{\"dim\":16,\"projection_dim\":8,\"n_layers\":2,\"peepholes\":true}}",
			   FORMAT_UNSUPPORTED, "\"peepholes\"");
	expect_bad("{" CNN ",\"lstm\":{\"dim\":16,\"projection_dim\":8}}", FORMAT_MALFORMED, "n_layers");
	expect_bad("{" CNN ",\"lstm\":{\"dim\":1.5,\"projection_dim\":8,\"n_layers\":2}}", FORMAT_MALFORMED,
			   "\"dim\"");
	expect_bad("{" CNN ",\"lstm\":{\"dim\":16,\"projection_dim\":8,\"n_layers\":2,\"cell_clip\":-3}}",
			   FORMAT_MALFORMED, "cell_clip");
	expect_bad("{" LSTM ",\"char_cnn\":{\"embedding\":{\"dim\":4},\"filters\":[],\"n_highway\":1,"
			   "\"n_characters\":262,\"max_characters_per_token\":50,\"activation\":\"relu\"}}",
			   FORMAT_MALFORMED, "filters");
	expect_bad("{" LSTM ",\"char_cnn\":{\"embedding\":{\"dim\":4},\"filters\":[[51,1]],\"n_highway\":1,"
			   "\"n_characters\":262,\"max_characters_per_token\":50,\"activation\":\"relu\"}}",
			   FORMAT_MALFORMED, "filters");
	expect_bad("{" LSTM ",\"char_cnn\":{\"embedding\":{\"dim\":4},\"filters\":[[1,1]],\"n_highway\":1,"
			   "\"n_characters\":300,\"max_characters_per_token\":50,\"activation\":\"relu\"}}",
			   FORMAT_MALFORMED, "n_characters");
	expect_bad("{" LSTM ",\"char_cnn\":{\"embedding\":{\"dim\":4},\"filters\":[[1,1]],\"n_highway\":1,"
			   "\"n_characters\":262,\"max_characters_per_token\":50,\"activation\":\"gelu\"}}",
			   FORMAT_UNSUPPORTED, "\"gelu\"");
}

/* Tensors of the options above; every one dropped, narrowed, or one more. */
static const struct
{
	const char *name;
	int			rank;
	int			shape[4];
}			expected[] = {
	{"char_embed", 2, {261, 4}},
	{"CNN/W_cnn_0", 4, {1, 1, 4, 3}},
	{"CNN/b_cnn_0", 1, {3}},
	{"CNN/W_cnn_1", 4, {1, 2, 4, 5}},
	{"CNN/b_cnn_1", 1, {5}},
	{"CNN_high_0/W_carry", 2, {8, 8}},
	{"CNN_high_0/b_carry", 1, {8}},
	{"CNN_high_0/W_transform", 2, {8, 8}},
	{"CNN_high_0/b_transform", 1, {8}},
	{"CNN_proj/W_proj", 2, {8, 8}},
	{"CNN_proj/b_proj", 1, {8}},
	{"RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0", 2, {16, 64}},
	{"RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B", 1, {64}},
	{"RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0", 2, {16, 8}},
	{"RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0", 2, {16, 64}},
	{"RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B", 1, {64}},
	{"RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0", 2, {16, 8}},
	{"RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0", 2, {16, 64}},
	{"RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B", 1, {64}},
	{"RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0", 2, {16, 8}},
	{"RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_0", 2, {16, 64}},
	{"RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/B", 1, {64}},
	{"RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0", 2, {16, 8}}
};

#define EXPECTED ((int) (sizeof(expected) / sizeof(expected[0])))

/* dropped, narrowed: the index of a tensor, or -1 */
static bool
check_tensors(int dropped, int narrowed, const char *more)
{
	Tensor		tensors[EXPECTED + 1];
	TensorList	list = {tensors, 0, NULL};
	FormatFault none = {0};
	uint64_t	offset = 0;

	memset(tensors, 0, sizeof(tensors));
	for (int i = 0; i <= EXPECTED; i++)
	{
		Tensor	   *tensor = &tensors[list.count];

		if (i == dropped || (i == EXPECTED && more == NULL))
			continue;
		tensor->name = i < EXPECTED ? expected[i].name : more;
		tensor->rank = i < EXPECTED ? expected[i].rank : 1;
		for (int k = 0; k < tensor->rank; k++)
			tensor->shape[k] = i < EXPECTED ? (uint64_t) expected[i].shape[k]
											: 1;
		if (i == narrowed)
			tensor->shape[tensor->rank - 1]++;
		tensor->offset = offset++;
		list.count++;
	}
	CHECK(tensor_list_finish(&arena, &list, &none), "%s", none.detail);
	return elmo_check_tensors(&options, &list, &fault);
}

static void
test_tensors(void)
{
	CHECK(parse("{" LSTM "," CNN "}"), "%s", fault.detail);
	CHECK(check_tensors(-1, -1, NULL), "%s", fault.detail);
	for (int i = 0; i < EXPECTED; i++)
	{
		CHECK(!check_tensors(i, -1, NULL) && strstr(fault.detail, "is missing") != NULL &&
			  strstr(fault.detail, expected[i].name) != NULL, "%s: %s", expected[i].name, fault.detail);
		CHECK(!check_tensors(-1, i, NULL) && strstr(fault.detail, "has the shape") != NULL &&
			  strstr(fault.detail, expected[i].name) != NULL, "%s: %s", expected[i].name, fault.detail);
	}
	CHECK(!check_tensors(-1, -1, "CNN/W_cnn_2") && fault.status == FORMAT_UNSUPPORTED &&
		  strstr(fault.detail, "\"CNN/W_cnn_2\"") != NULL, "one more: %s", fault.detail);
}

static void
test_published(void)
{
	size_t		size;
	size_t		text_size;
	unsigned char *text = read_data_file("models/elmo_allennlp/options.json", &text_size);
	unsigned char *weights = read_data_file("models/elmo_allennlp/lm_weights.hdf5", &size);
	FormatFile	file;
	TensorList	list;
	const JsonValue *root;

	if (text == NULL || weights == NULL)
	{
		printf("no published files: skipped\n");
		return;
	}
	file = format_file_of_bytes(weights, size);
	root = json_parse(&arena, (const char *) text, text_size, NULL, &fault);
	CHECK(elmo_options_parse(&options, root, &fault), "%s", fault.detail);
	CHECK(options.filters == 124 && options.cells == 64 &&
			  options.projection == 16 && options.layers == 2 &&
			  options.highways == 2 && options.skip_connections,
		  "options");
	CHECK(hdf5_open(&list, &arena, &file, &fault), "%s", fault.detail);
	CHECK(elmo_check_tensors(&options, &list, &fault), "%s", fault.detail);
	free(text);
	free(weights);
}

int
main(void)
{
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	test_options();
	test_tensors();
	test_published();
	arena_end(&arena);
	return check_result();
}
