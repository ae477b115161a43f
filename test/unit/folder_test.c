/*-------------------------------------------------------------------------
 *
 * folder_test.c
 *	  Would fail if a model's folder were taken for another kind of model, if
 *	  one of its files were read wrongly, or if something unknown in it were
 *	  passed over in silence.
 *
 * With EMBED_DATA, the folders of the cases beside the data and the real
 * models there are read as well.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "case_files.h"
#include "check.h"
#include "format/folder.h"
#include "format/tar.h"

static Arena arena;
static FormatFault fault;
static ModelFolder folder;

#define MOST_FILES 40

static FolderFile files[MOST_FILES];
static int	count;

static void
clear(void)
{
	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 26);
	count = 0;
}

static void
add_bytes(const char *name, const void *bytes, size_t length)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(files[i].name, name) == 0)
		{
			files[i].file = format_file_of_bytes(bytes, length);
			return;
		}
	}
	files[count].name = name;
	files[count++].file = format_file_of_bytes(bytes, length);
}

static void
add(const char *name, const char *text)
{
	add_bytes(name, text, strlen(text));
}

static void
drop(const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(files[i].name, name) == 0)
			files[i--] = files[--count];
	}
}

/* A file of safetensors; the tensors' values are zeros. */
static void
add_tensors(const char *name, Tensor *tensors, size_t tensor_count)
{
	size_t		length;
	char	   *head = safetensors_head(&arena, tensors, tensor_count, NULL, 0,
										&length, &fault);
	size_t		size = length;
	char	   *bytes;

	CHECK(head != NULL, "%s", fault.detail);
	for (size_t i = 0; i < tensor_count; i++)
		size += tensors[i].bytes;
	bytes = arena_alloc(&arena, size);
	memset(bytes, 0, size);
	memcpy(bytes, head, length);
	add_bytes(name, bytes, size);
}

static bool
read_folder(void)
{
	bool		good = folder_read(&folder, &arena, files, count, NULL, NULL,
								   &fault);

	CHECK(good == (fault.status == FORMAT_OK), "status %d", fault.status);
	return good;
}

/* file: that the fault is about, or NULL */
static void
expect_bad(const char *what, FormatStatus status, const char *file,
		   const char *detail)
{
	CHECK(!read_folder() && fault.status == status &&
			  strstr(fault.detail, detail) != NULL,
		  "%s: status %d, %s", what, fault.status, fault.detail);
	CHECK(file == NULL ? folder.file == NULL
					   : folder.file != NULL && strcmp(folder.file, file) == 0,
		  "%s: the fault is about %s", what, folder.file);
}

static const char *const chain =
"[{\"idx\":0,\"name\":\"0\",\"path\":\"./\",\"type\":\"sentence_transformers.models.Transformer\"},"
"{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"},"
"{\"idx\":2,\"name\":\"2\",\"path\":\"./2_Dense/\",\"type\":\"sentence_transformers.models.Dense\"},"
"{\"idx\":3,\"name\":\"3\",\"path\":\"3_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}]";

#define MODULE(path, type) "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define ST "sentence_transformers.models."

static void
build_transformer(void)
{
	Tensor		weights[] = {{"embeddings.word_embeddings.weight", TENSOR_F32, 0, 2, {10, 4}}};
	Tensor		dense[] = {{"linear.weight", TENSOR_F32, 0, 2, {6, 4}}, {"linear.bias", TENSOR_F32, 0, 1, {6}}};

	clear();
	add("config.json", "{\"model_type\":\"bert\",\"hidden_size\":4,\"max_position_embeddings\":512}");
	add("tokenizer.json", "{}");
	add("tokenizer_config.json", "{\"model_max_length\":1000000000000000019884624838656,\"truncation_side\":\"left\"}");
	add("modules.json", chain);
	add("sentence_bert_config.json", "{\"max_seq_length\":256,\"do_lower_case\":true}");
	add("config_sentence_transformers.json",
		"{\"__version__\":{},\"prompts\":{\"query\":\"query: \",\"document\":\"\",\"none\":null},"
		"\"default_prompt_name\":\"query\",\"similarity_fn_name\":\"cosine\"}");
	add("1_Pooling/config.json", "{\"word_embedding_dimension\":4,\"pooling_mode_cls_token\":false,"
		"\"pooling_mode_mean_tokens\":true,\"include_prompt\":false}");
	add("2_Dense/config.json", "{\"in_features\":4,\"out_features\":6,\"bias\":true,"
		"\"activation_function\":\"torch.nn.modules.activation.Tanh\"}");
	add_tensors("model.safetensors", weights, 1);
	add_tensors("2_Dense/model.safetensors", dense, 2);
	add("README.md", "#");
	add("onnx/model.onnx", "x");
}

static void
test_transformer(void)
{
	const FolderModule *dense = &folder.modules[2];
	int64_t		hidden = 0;

	build_transformer();
	CHECK(read_folder() && folder.kind == FOLDER_TRANSFORMER, "kind %d: %s", folder.kind, fault.detail);
	CHECK(strcmp(folder.model_type, "bert") == 0 && json_int64(json_get(folder.config, "hidden_size"), &hidden) &&
		  hidden == 4, "configuration");
	CHECK(folder.max_tokens == 256 && folder.lower_case, "%d tokens", (int) folder.max_tokens);
	CHECK(strcmp(folder.truncation_side, "left") == 0 && json_get(folder.tokenizer_config, "model_max_length") != NULL,
		  "tokenizer_config.json");
	CHECK(folder.prompt_count == 2 && strcmp(folder.prompts[0].name, "query") == 0 &&
		  strcmp(folder.prompts[0].text, "query: ") == 0 && folder.prompts[1].length == 0 &&
		  strcmp(folder.default_prompt, "query") == 0 && strcmp(folder.similarity, "cosine") == 0,
		  "prompts");
	CHECK(folder.module_count == 4 && folder.modules[1].pooling_count == 1 &&
		  strcmp(folder.modules[1].poolings[0], "mean") == 0 && !folder.modules[1].include_prompt &&
		  folder.modules[1].dims == 4, "pooling");
	CHECK(dense->in == 4 && dense->out == 6 &&
			  dense->activation == FOLDER_ACTIVATION_TANH &&
			  dense->weight->shape[0] == 6 && dense->bias != NULL &&
			  strcmp(files[dense->weight->file].name,
					 "2_Dense/model.safetensors") == 0,
		  "dense");
	CHECK(folder.modules[3].kind == MODULE_NORMALIZE, "normalize");
	CHECK(folder.weights.count == 1 &&
		  strcmp(files[folder.weights.tensors[0].file].name, "model.safetensors") == 0 &&
		  strcmp(files[folder.tokenizer].name, "tokenizer.json") == 0, "weights");
	for (int i = 0; i < count; i++)
	{
		FolderFile	kept = files[i];

		/* the others are not read here */
		if (strncmp(kept.name, "tokenizer", 9) == 0 || kept.file.size < 3)
			continue;
		files[i].file.size--;
		CHECK(!read_folder(), "%s cut", kept.name);
		files[i] = kept;
	}

	/* as newer versions write it, in a folder of its own */
	add("modules.json", "[" MODULE("./", "sentence_transformers.base.modules.transformer.Transformer") ","
		MODULE("1_Pooling/", "sentence_transformers.sentence_transformer.modules.pooling.Pooling") "]");
	add("1_Pooling/config.json", "{\"embedding_dimension\":4,\"pooling_mode\":[\"cls\",\"max\"]}");
	add("sentence_bert_config.json", "{\"transformer_task\":\"feature-extraction\",\"modality_config\":"
		"{\"text\":{\"method\":\"forward\",\"method_output_name\":\"last_hidden_state\"}},"
		"\"module_output_name\":\"token_embeddings\"}");
	CHECK(read_folder() && folder.modules[1].pooling_count == 2 &&
			  folder.modules[1].include_prompt &&
			  strcmp(folder.modules[1].poolings[1], "max") == 0,
		  "newer modules: %s", fault.detail);
	CHECK(folder.max_tokens == 512, "%d tokens", (int) folder.max_tokens);
	add("tokenizer_config.json", "{\"model_max_length\":128}");
	CHECK(read_folder() && folder.max_tokens == 128, "%d tokens", (int) folder.max_tokens);
	drop("tokenizer_config.json");
	CHECK(read_folder() && folder.max_tokens == 512, "%d tokens", (int) folder.max_tokens);

	/* without modules */
	drop("modules.json");
	drop("sentence_bert_config.json");
	drop("config_sentence_transformers.json");
	CHECK(read_folder() && folder.kind == FOLDER_TRANSFORMER &&
			  folder.module_count == 0 && folder.prompt_count == 0,
		  "a plain transformer: %s", fault.detail);
	drop("tokenizer.json");
	expect_bad("no tokenizer", FORMAT_TRUNCATED, NULL, "neither tokenizer.json nor vocab.txt");
	add("vocab.txt", "[PAD]\n");
	CHECK(read_folder() && folder.tokenizer < 0 && folder.vocabulary >= 0, "vocab.txt: %s", fault.detail);
}

static void
expect_bad_file(const char *name, const char *text, FormatStatus status,
				const char *detail)
{
	build_transformer();
	add(name, text);
	expect_bad(text, status, name, detail);
}

static void
test_bad_transformer(void)
{
	Tensor		narrow[] = {{"linear.weight", TENSOR_F32, 0, 2, {4, 6}}, {"linear.bias", TENSOR_F32, 0, 1, {6}}};
	Tensor		more[] = {{"linear.weight", TENSOR_F32, 0, 2, {6, 4}}, {"linear.bias", TENSOR_F32, 0, 1, {6}},
	{"other", TENSOR_F32, 0, 1, {6}}};
	Tensor		bare[] = {{"linear.weight", TENSOR_F32, 0, 2, {6, 4}}};

	expect_bad_file("config.json", "{\"model_type\":\"bert\",", FORMAT_TRUNCATED, "a key");
	expect_bad_file("config.json", "[]", FORMAT_MALFORMED, "not an object");
	expect_bad_file("config.json", "{}", FORMAT_UNRECOGNIZED, "model_type");
	expect_bad_file("config.json", "{\"model_type\":7}", FORMAT_MALFORMED, "found a number");
	expect_bad_file("modules.json", "{}", FORMAT_MALFORMED, "list of 1 to 16");
	expect_bad_file("modules.json", "[]", FORMAT_MALFORMED, "list of 1 to 16");
	expect_bad_file("modules.json", "[7]", FORMAT_MALFORMED, "found a number");
	expect_bad_file("modules.json", "[" MODULE("", ST "Transformer") "]", FORMAT_UNSUPPORTED,
					"Pooling must follow");
	expect_bad_file("modules.json", "[" MODULE("1_Pooling", ST "Pooling") "]", FORMAT_UNSUPPORTED,
					"first module is neither");
	expect_bad_file("modules.json", "[" MODULE("", ST "Transformer") "," MODULE("1_Pooling", ST "Pooling") ","
					MODULE("1_Pooling", ST "Pooling") "]", FORMAT_UNSUPPORTED, "Pooling must follow");
	expect_bad_file("modules.json", "[" MODULE("", ST "Transformer") "," MODULE("", ST "Transformer") "]",
					FORMAT_UNSUPPORTED, "is not the first");
	expect_bad_file("modules.json", "[" MODULE("", ST "Transformer") "," MODULE("x", ST "LSTM") "]",
					FORMAT_UNSUPPORTED, "The module \"sentence_transformers.models.LSTM\" is not known");
	expect_bad_file("modules.json", "[" MODULE("", "custom.Transformer") "]", FORMAT_UNSUPPORTED,
					"custom.Transformer");
	expect_bad_file("modules.json", "[{\"idx\":0,\"name\":\"0\",\"type\":\"" ST "Transformer\"}]",
					FORMAT_MALFORMED, "no path");
	expect_bad_file("modules.json", "[{\"what\":0,\"path\":\"\",\"type\":\"" ST "Transformer\"}]",
					FORMAT_UNSUPPORTED, "\"what\" is not known");
	expect_bad_file("1_Pooling/config.json", "{\"pooling_mode_cls_token\":1}", FORMAT_MALFORMED, "not true");
	expect_bad_file("1_Pooling/config.json", "{\"pooling_mode_attention\":true}", FORMAT_UNSUPPORTED,
					"\"pooling_mode_attention\" is not known");
	expect_bad_file("1_Pooling/config.json", "{\"pooling_mode\":\"attention\"}", FORMAT_UNSUPPORTED,
					"\"attention\" is not known");
	expect_bad_file("1_Pooling/config.json", "{\"pooling_mode\":[]}", FORMAT_MALFORMED, "No pooling");
	expect_bad_file("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":false}", FORMAT_MALFORMED,
					"No pooling");
	expect_bad_file("1_Pooling/config.json", "{\"word_embedding_dimension\":0}", FORMAT_MALFORMED,
					"whole number");
	expect_bad_file("2_Dense/config.json", "{\"in_features\":4}", FORMAT_MALFORMED, "out_features");
	expect_bad_file("2_Dense/config.json", "{\"in_features\":4,\"out_features\":6,\"activation_function\":\"torch.nn.Mish\"}",
					FORMAT_UNSUPPORTED, "\"torch.nn.Mish\" is not known");
	expect_bad_file("2_Dense/config.json", "{\"in_features\":4,\"out_features\":6,\"use_residual\":true}",
					FORMAT_UNSUPPORTED, "use_residual");
	expect_bad_file("2_Dense/config.json", "{\"in_features\":4,\"out_features\":6,\"module_input_name\":\"tokens\"}",
					FORMAT_UNSUPPORTED, "sentence_embedding");
	expect_bad_file("sentence_bert_config.json", "{\"max_seq_length\":0}", FORMAT_MALFORMED, "whole number");
	expect_bad_file("sentence_bert_config.json", "{\"query_length\":7}", FORMAT_UNSUPPORTED, "query_length");
	expect_bad_file("tokenizer_config.json", "{\"truncation_side\":\"both\"}", FORMAT_UNSUPPORTED, "both");
	expect_bad_file("adapter_config.json", "{}", FORMAT_UNSUPPORTED, "import_adapter");
	expect_bad_file("config_sentence_transformers.json", "{\"default_prompt_name\":\"query\"}",
					FORMAT_MALFORMED, "none of the prompts");
	expect_bad_file("config_sentence_transformers.json", "{\"prompts\":{\"a\":7}}", FORMAT_MALFORMED,
					"Expected a string");
	expect_bad_file("config_sentence_transformers.json", "{\"similarity_fn_name\":\"jaccard\"}",
					FORMAT_UNSUPPORTED, "jaccard");
	expect_bad_file("config_sentence_transformers.json", "{\"model_type\":\"Router\"}",
					FORMAT_UNSUPPORTED, "Router");
	expect_bad_file("model.safetensors", "12345", FORMAT_TRUNCATED, "8 bytes expected");

	build_transformer();
	drop("1_Pooling/config.json");
	expect_bad("no pooling", FORMAT_TRUNCATED, NULL, "\"1_Pooling/config.json\"");
	build_transformer();
	drop("model.safetensors");
	expect_bad("no weights", FORMAT_TRUNCATED, NULL, "no model.safetensors");
	add("pytorch_model.bin", "x");
	expect_bad("pickled", FORMAT_UNSUPPORTED, "pytorch_model.bin", "pickled");
	build_transformer();
	drop("2_Dense/model.safetensors");
	expect_bad("no dense weights", FORMAT_TRUNCATED, NULL, "in \"2_Dense\"");
	build_transformer();
	add_tensors("2_Dense/model.safetensors", narrow, 2);
	expect_bad("turned round", FORMAT_MALFORMED, NULL, "shape [6, 4]");
	build_transformer();
	add_tensors("2_Dense/model.safetensors", more, 3);
	expect_bad("a tensor more", FORMAT_UNSUPPORTED, NULL, "\"other\"");
	build_transformer();
	add_tensors("2_Dense/model.safetensors", bare, 1);
	expect_bad("no bias", FORMAT_MALFORMED, NULL, "linear.bias");
	add("2_Dense/config.json", "{\"in_features\":4,\"out_features\":6,\"bias\":false}");
	CHECK(read_folder() && folder.modules[2].bias == NULL &&
		  folder.modules[2].activation == FOLDER_ACTIVATION_TANH, "no bias: %s", fault.detail);
	build_transformer();
	add("1_Pooling/config.json", "{\"word_embedding_dimension\":5}");
	expect_bad("dims", FORMAT_MALFORMED, "modules.json", "takes 4 dimensions, but gets 5");
	build_transformer();
	files[count] = files[0];
	count++;
	expect_bad("a name twice", FORMAT_MALFORMED, "config.json", "two files");
}

static void
test_static(void)
{
	Tensor		model2vec[] = {{"embeddings", TENSOR_I8, 0, 2, {7, 4}}, {"mapping", TENSOR_I64, 0, 1, {9}},
	{"weights", TENSOR_F32, 0, 1, {9}}};
	Tensor		embedding[] = {{"embedding.weight", TENSOR_F16, 0, 2, {7, 4}}};
	Tensor		flat[] = {{"embeddings", TENSOR_F32, 0, 1, {28}}};
	Tensor		other[] = {{"embeddings", TENSOR_F32, 0, 2, {7, 4}}, {"router", TENSOR_F32, 0, 1, {9}}};

	/* model2vec, with and without a type and modules */
	clear();
	add("tokenizer.json", "{}");
	add("config.json", "{\"normalize\":true,\"embedding_dtype\":\"int8\"}");
	add_tensors("model.safetensors", model2vec, 3);
	CHECK(read_folder() && folder.kind == FOLDER_STATIC && folder.normalize, "static: %s", fault.detail);
	CHECK(folder.embeddings->shape[1] == 4 &&
			  folder.token_rows->elements == 9 &&
			  folder.token_weights->elements == 9,
		  "tensors");
	add("config.json", "{\"model_type\":\"model2vec\",\"normalize\":false,\"seq_length\":1000000}");
	CHECK(read_folder() && folder.kind == FOLDER_STATIC && !folder.normalize, "static: %s", fault.detail);
	add("modules.json", "[" MODULE(".", ST "StaticEmbedding") "," MODULE("1_Normalize", ST "Normalize") "]");
	expect_bad("normalized or not", FORMAT_UNSUPPORTED, NULL, "contradict");
	add("config.json", "{\"model_type\":\"model2vec\",\"normalize\":true}");
	CHECK(read_folder() && folder.normalize, "modules: %s", fault.detail);
	drop("config.json");
	CHECK(read_folder() && folder.normalize, "modules alone: %s", fault.detail);
	drop("tokenizer.json");
	expect_bad("no tokenizer", FORMAT_TRUNCATED, NULL, "tokenizer.json");

	/* sentence-transformers, in a folder of its own */
	clear();
	add("modules.json", "[" MODULE("0_StaticEmbedding", ST "StaticEmbedding") "]");
	add("0_StaticEmbedding/tokenizer.json", "{}");
	add_tensors("0_StaticEmbedding/model.safetensors", embedding, 1);
	CHECK(read_folder() && folder.kind == FOLDER_STATIC && !folder.normalize &&
		  folder.embeddings->type == TENSOR_F16 && folder.token_rows == NULL &&
		  folder.tokenizer >= 0, "StaticEmbedding: %s", fault.detail);

	/* a bare file of any name */
	clear();
	add("tokenizer.json", "{}");
	add_tensors("l2_supercat_256.safetensors", embedding, 1);
	CHECK(read_folder() && folder.kind == FOLDER_STATIC && !folder.normalize, "bare: %s", fault.detail);
	add_tensors("another.safetensors", embedding, 1);
	expect_bad("two files", FORMAT_TRUNCATED, NULL, "no model.safetensors");

	clear();
	add("tokenizer.json", "{}");
	add_tensors("model.safetensors", flat, 1);
	expect_bad("one dimension", FORMAT_MALFORMED, "model.safetensors", "shape [28]");
	add_tensors("model.safetensors", other, 2);
	expect_bad("unknown tensor", FORMAT_UNSUPPORTED, "model.safetensors", "\"router\"");
}

static void
test_others(void)
{
	static const char hdf5[] = "\211HDF\r\n\032\n";

	clear();
	expect_bad("nothing", FORMAT_UNRECOGNIZED, NULL, "None of 0 files");
	add("tokenizer.json", "{}");
	CHECK(read_folder() && folder.kind == FOLDER_TOKENIZER && folder.tokenizer == 0, "tokenizer: %s",
		  fault.detail);
	clear();
	add("glove.txt", "the 1 2\n");
	CHECK(read_folder() && folder.kind == FOLDER_OTHER, "one file: %s", fault.detail);
	add("README.md", "x");
	expect_bad("two files", FORMAT_UNRECOGNIZED, NULL, "None of 2 files");
	add("pytorch_model.bin", "x");
	expect_bad("pickled", FORMAT_UNSUPPORTED, "pytorch_model.bin", "pickled");

	clear();
	add_bytes("weights.hdf5", hdf5, 8);
	expect_bad("HDF5 alone", FORMAT_UNRECOGNIZED, "weights.hdf5", "options.json");
	add("x_options.json", "{\"lstm\":{},\"char_cnn\":{}}");
	expect_bad("HDF5 cut", FORMAT_TRUNCATED, "weights.hdf5", "expected");

	clear();
	add("model.gguf", "GGUF");
	expect_bad("GGUF cut", FORMAT_TRUNCATED, "model.gguf", "expected");
	for (int i = 0; i < 30; i++)
		CHECK(strcmp(folder_kind_name((FolderKind) (i % (FOLDER_OTHER + 1))), "unknown") != 0, "kind %d", i);
}

/* Shards: which file is read, by the index; nothing is mixed. */
static void
test_shards(void)
{
	Tensor		first[] = {{"w", TENSOR_F32, 0, 1, {1}}, {"v", TENSOR_F32, 0, 1, {2}}};
	Tensor		second[] = {{"w", TENSOR_F32, 0, 1, {3}}};

	clear();
	add("tokenizer.json", "{}");
	add("config.json", "{\"model_type\":\"bert\"}");
	add("model.safetensors.index.json", "{\"weight_map\":{\"w\":\"b.safetensors\",\"v\":\"a.safetensors\"}}");
	add_tensors("a.safetensors", first, 2);
	expect_bad("a missing file", FORMAT_TRUNCATED, "model.safetensors.index.json", "\"b.safetensors\" is missing");
	add_tensors("b.safetensors", second, 1);
	CHECK(read_folder() && folder.weights.count == 2, "shards: %s", fault.detail);
	CHECK(tensor_find(&folder.weights, "w")->elements == 3 &&
		  strcmp(files[tensor_find(&folder.weights, "w")->file].name, "b.safetensors") == 0 &&
		  strcmp(files[tensor_find(&folder.weights, "v")->file].name, "a.safetensors") == 0, "files");
	add("model.safetensors.index.json", "{\"weight_map\":{\"w\":\"b.safetensors\",\"x\":\"a.safetensors\"}}");
	expect_bad("a missing tensor", FORMAT_MALFORMED, "model.safetensors.index.json", "holds tensor \"x\"");
	add_tensors("model.safetensors", second, 1);
	CHECK(read_folder() && folder.weights.count == 1, "the whole file is taken: %s", fault.detail);
}

static char archive[200000];
static size_t archive_used;

static void
archive_file(const char *name, const char *text)
{
	unsigned char head[TAR_MAX_HEAD];
	size_t		length = tar_write_head(head, name, strlen(text), 0);

	memcpy(archive + archive_used, head, length);
	memcpy(archive + archive_used + length, text, strlen(text));
	archive_used += length + strlen(text) + tar_padding(strlen(text));
}

static bool
read_archive(FolderFile **list, int *listed)
{
	FormatFile	file = format_file_of_bytes(archive,
											archive_used + TAR_END_BYTES);
	bool		good = folder_of_archive(&arena, &file, list, listed, &fault);

	memset(archive, 0, sizeof(archive));
	archive_used = 0;
	CHECK(good == (fault.status == FORMAT_OK), "status %d", fault.status);
	return good;
}

static void
test_archive(void)
{
	FolderFile *list;
	int			listed;
	char		name[100];

	clear();
	archive_file("a/minilm/config.json", "{}");
	archive_file("a/minilm/._config.json", "apple");
	archive_file("a/minilm/1_Pooling/config.json", "{\"a\":1}");
	CHECK(read_archive(&list, &listed) && listed == 2 && strcmp(list[0].name, "config.json") == 0 &&
		  strcmp(list[1].name, "1_Pooling/config.json") == 0 && list[1].file.size == 7,
		  "%d files: %s", listed, fault.detail);
	archive_file("config.json", "{}");
	archive_file("1_Pooling/config.json", "{}");
	CHECK(read_archive(&list, &listed) && listed == 2 && strcmp(list[1].name, "1_Pooling/config.json") == 0,
		  "no common folder: %s", fault.detail);
	archive_file("ab/x", "1");
	archive_file("a/x", "2");
	CHECK(read_archive(&list, &listed) && listed == 2 && strcmp(list[0].name, "ab/x") == 0,
		  "names that begin alike: %s", fault.detail);
	archive_file("deep/er/model.gguf", "GGUF");
	CHECK(read_archive(&list, &listed) && listed == 1 && strcmp(list[0].name, "model.gguf") == 0,
		  "one file: %s", fault.detail);
	CHECK(read_archive(&list, &listed) && listed == 0, "nothing: %s", fault.detail);
	archive_file("config.json", "{}");
	archive[156] = '2';
	memcpy(archive + 157, "../blobs/1234", 13);
	/* the sum of the header, put right */
	{
		unsigned int sum = 0;

		memset(archive + 148, ' ', 8);
		for (int i = 0; i < TAR_BLOCK; i++)
			sum += (unsigned char) archive[i];
		sprintf(archive + 148, "%06o", sum);
	}
	CHECK(!read_archive(&list, &listed) && strstr(fault.detail, "link to \"../blobs/1234\"; archive") != NULL,
		  "a link: %s", fault.detail);
	archive_file("config.json", "{}");
	archive[0] = 'x';
	CHECK(!read_archive(&list, &listed) && fault.status == FORMAT_UNRECOGNIZED, "damaged: %s",
		  fault.detail);
	for (int i = 0; i < 150; i++)
	{
		sprintf(name, "file%d", i);
		archive_file(name, "x");
	}
	CHECK(read_archive(&list, &listed) && listed == 150, "150 files: %s", fault.detail);
}

/* A folder of the data beside the tree, or false. */
static bool
read_case(const char *path, const char *const *names)
{
	static unsigned char *kept[MOST_FILES];
	static char paths[MOST_FILES][300];

	clear();
	for (int i = 0; i < MOST_FILES; i++)
	{
		free(kept[i]);
		kept[i] = NULL;
	}
	for (; *names != NULL; names++)
	{
		size_t		size;

		snprintf(paths[count], sizeof(paths[count]), "%s/%s", path, *names);
		kept[count] = read_data_file(paths[count], &size);
		if (kept[count] != NULL)
			add_bytes(*names, kept[count], size);
	}
	return count > 0;
}

static void
test_cases(void)
{
	static const char *const bert[] = {
		"1_Pooling/config.json", "config.json", "model.safetensors", "modules.json",
		"sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", NULL
	};
	static const char *const shards[] = {
		"model.safetensors.index.json", "model-00001-of-00002.safetensors",
		"model-00002-of-00002.safetensors", "model.safetensors", "config.json", NULL
	};
	static const char *const elmo[] = {"options.json", "lm_weights.hdf5", NULL};
	static const char *const folders[] = {"W05_plain", "W05_renamed", "W12_distilbert"};
	char		path[200];

	for (int i = 0; i < 3; i++)
	{
		snprintf(path, sizeof(path), "../cases/models/files/%s", folders[i]);
		if (!read_case(path, bert))
		{
			printf("no case folders: skipped\n");
			return;
		}
		CHECK(read_folder() && folder.kind == FOLDER_TRANSFORMER &&
				  folder.max_tokens == 16 && folder.module_count == 2 &&
				  strcmp(folder.modules[1].poolings[0], "mean") == 0,
			  "%s: %s", path, fault.detail);
	}
	CHECK(read_case("../cases/models/files/T10", bert) && read_folder() && folder.max_tokens == 12,
		  "T10: %d tokens, %s", (int) folder.max_tokens, fault.detail);
	CHECK(read_case("../cases/models/files/T10_huge", bert) && read_folder() && folder.max_tokens == 16,
		  "T10_huge: %d tokens, %s", (int) folder.max_tokens, fault.detail);
	for (int i = 0; i < 4; i++)
	{
		static const char *const names[] = {"W04", "W04_both", "W04_missing", "W04_escape"};

		snprintf(path, sizeof(path), "../cases/models/files/%s", names[i]);
		CHECK(read_case(path, shards), "%s is not there", path);
		add("tokenizer.json", "{}");
		add("config.json", "{\"model_type\":\"bert\"}");
		CHECK(read_folder() == (i < 2), "%s: %s", path, fault.detail);
		if (i == 0)
			CHECK(folder.weights.count == 3 && tensor_find(&folder.weights, "m.a")->elements == 2,
				  "%s: %zu tensors", path, folder.weights.count);
	}
	CHECK(read_case("models/model2vec/test-model-float32", bert) &&
			  read_folder() && folder.kind == FOLDER_STATIC &&
			  folder.normalize && folder.module_count == 2,
		  "model2vec: %s", fault.detail);
	CHECK(read_case("models/elmo_allennlp", elmo) && read_folder() && folder.kind == FOLDER_ELMO &&
		  folder.weights.count == 33 && folder.hdf5 == 1, "ELMo: %s", fault.detail);
}

int
main(void)
{
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 26);
	test_transformer();
	test_bad_transformer();
	test_static();
	test_others();
	test_shards();
	test_archive();
	test_cases();
	read_case("", (const char *const[]) {NULL});
	arena_end(&arena);
	return check_result();
}
