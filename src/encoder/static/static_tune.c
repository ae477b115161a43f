/*-------------------------------------------------------------------------
 *
 * static_tune.c
 *	  A static model with other rows, and other weights of tokens: the base's
 *	  folder, its matrix and its weights changed.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static.h"

typedef struct TunedRows
{
	const TuneSource *source;
	const NetworkFolder *base;
} TunedRows;

static bool
is_tensor(const Tensor *tensor, const Tensor *wanted)
{
	return wanted != NULL && tensor->file == wanted->file &&
		strcmp(tensor->name, wanted->name) == 0;
}

static bool
is_weights(const TunedRows *tuned, const Tensor *tensor)
{
	return tuned->source->token_weight != NULL &&
		is_tensor(tensor, tuned->base->folder.token_weights);
}

static bool
changes(void *argument, const Tensor *tensor)
{
	const TunedRows *tuned = argument;

	return is_tensor(tensor, tuned->base->folder.embeddings) ||
		is_weights(tuned, tensor);
}

static void
change_rows(void *argument, const Tensor *tensor, uint64 first, int rows,
			float *values)
{
	const TunedRows *tuned = argument;
	const TuneSource *source = tuned->source;

	/* all of them, one row */
	for (uint64 i = 0; is_weights(tuned, tensor) && i < tensor->elements; i++)
		source->token_weight(source->argument, (int64) i, &values[i]);
	if (is_weights(tuned, tensor))
		return;
	for (int i = 0; i < rows; i++)
		source->row_values(source->argument, (int64) (first + i),
						   values + (Size) i * source->dims);
}

static Oid
write_static(const TuneSource *source)
{
	TunedRows	tuned = {source};
	NetworkFolder *base = network_folder_of_model(source->base->table);
	NetworkRewrite rewrite = {base, changes, change_rows, &tuned};
	FolderFile *files;
	int			count;

	tuned.base = base;
	files = network_rewrite(&rewrite, &count);
	return network_write_files(source->definition, files, count);
}

const Tunable static_tunable = {
	.features = static_features,
	.tokens = static_tokens,
	.has_weights = static_has_weights,
	.row = static_row,
	.normalizes = static_normalizes,
	.row_is_token = true,
	.layer_in_rows = true,
	.write = write_static
};
