/*-------------------------------------------------------------------------
 *
 * folder_fuzz.c
 *	  Would fail if some folder of files made its reader read or write outside
 *	  its memory, or hand out a module or tensor that is not there.
 *
 * The input is a list of files: a byte that chooses the name, two bytes of
 * length, the bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder.h"
#include "fuzz_tensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"config.json", "modules.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json",
	"2_Dense/config.json", "2_Dense/model.safetensors", "sentence_bert_config.json",
	"config_sentence_transformers.json", "tokenizer_config.json", "model.safetensors.index.json",
	"a.safetensors", "b.safetensors", "options.json", "weights.hdf5", "a.gguf", "b.gguf", "vocab.txt"
};

#define NAMES (sizeof(names) / sizeof(names[0]))

static void
require_modules(const ModelFolder *folder)
{
	for (int i = 0; i < folder->module_count; i++)
	{
		const FolderModule *module = &folder->modules[i];

		require(module->path != NULL &&
				module->pooling_count <= FOLDER_MAX_POOLINGS);
		if (module->kind == MODULE_POOLING)
			require(module->pooling_count > 0 && module->poolings[0] != NULL);
		if (module->kind == MODULE_DENSE)
			require(module->weight->elements ==
					(uint64_t) module->in * (uint64_t) module->out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FolderFile	files[NAMES + 2];
	size_t		starts[NAMES + 2];
	size_t		sizes[NAMES + 2];
	const uint8_t *all = data;
	int			count = 0;
	Arena		arena;
	ModelFolder folder;
	FormatFault fault;
	bool		good;

	require_kernels();
	while (size >= 3 && count < (int) NAMES + 2)
	{
		size_t		length = (size_t) data[1] | (size_t) data[2] << 8;

		if (length > size - 3)
			length = size - 3;
		files[count].name = names[data[0] % NAMES];
		files[count].file = format_file_of_bytes(data + 3, length);
		starts[count] = (size_t) (data + 3 - all);
		sizes[count++] = length;
		data += 3 + length;
		size -= 3 + length;
	}
	arena_begin(&arena, arena_malloc, arena_free, NULL, FUZZ_ARENA(size));
	good = folder_read(&folder, &arena, files, count, NULL, NULL, &fault);
	require_fault(&fault, good);
	if (good)
	{
		require(folder.tokenizer < count && folder.vocabulary < count &&
				folder.hdf5 < count);
		require(folder_kind_name(folder.kind)[0] != '\0');
		require_tensors(&folder.weights, all, starts, sizes);
		require_modules(&folder);
		require(folder.kind != FOLDER_STATIC || folder.embeddings->rank == 2);
		require(folder.kind != FOLDER_TRANSFORMER ||
				folder.model_type != NULL);
	}
	arena_end(&arena);
	return 0;
}
