/*-------------------------------------------------------------------------
 *
 * elmo_write.c
 *	  A trained ELMo becomes the files of a folder, and these a model.
 *
 * The files are those that import_model() takes: options.json, the weights as
 * HDF5, and the state of the training (elmo_state.c).  None of them is ever
 * whole in memory: each is a list of pieces that lie in the memory of the
 * training.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_state.h"

#include "encoder/network/store.h"
#include "format/hdf5_write.h"
#include "miscadmin.h"
#include "utils/float.h"

#define MOST_PIECES 8

/* A file that lies in several places. */
typedef struct Pieces
{
	int			count;
	const char *at[MOST_PIECES];
	Size		length[MOST_PIECES];
} Pieces;

static void
add_piece(Pieces *pieces, const void *at, Size length)
{
	pieces->at[pieces->count] = at;
	pieces->length[pieces->count++] = length;
}

static bool
read_pieces(void *context, uint64_t offset, void *buffer, size_t length)
{
	const Pieces *pieces = context;

	for (int i = 0; i < pieces->count && length > 0; i++)
	{
		Size		some;

		if (offset >= pieces->length[i])
		{
			offset -= pieces->length[i];
			continue;
		}
		some = Min(length, pieces->length[i] - offset);
		memcpy(buffer, pieces->at[i] + offset, some);
		buffer = (char *) buffer + some;
		length -= some;
		offset = 0;
	}
	return length == 0;
}

static FolderFile
file_of_pieces(const char *name, const Pieces *pieces)
{
	FolderFile	file = {name};
	Pieces	   *kept = palloc(sizeof(Pieces));
	uint64		size = 0;

	*kept = *pieces;
	for (int i = 0; i < pieces->count; i++)
		size += pieces->length[i];
	file.file = format_file(read_pieces, kept, size);
	return file;
}

/* ---------- options.json ---------- */

static void
append_clip(StringInfo text, const char *name, double clip)
{
	if (clip > 0)
		appendStringInfo(text, "\"%s\": %s, ", name, float8out_internal(clip));
}

static char *
options_text(const ElmoSettings *settings, const ElmoShared *shared,
			 int64 epochs, int64 trained)
{
	const ElmoOptions *options = &shared->options;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "{\"bidirectional\": true, \"char_cnn\": {\"activation\": \"%s\", \"embedding\": {\"dim\": %d}, \"filters\": [",
					 options->activation == ELMO_RELU ? "relu" : "tanh",
					 options->character_dims);
	for (int i = 0; i < options->filter_count; i++)
		appendStringInfo(&text, "%s[%d, %d]", i > 0 ? ", " : "",
						 options->filter_width[i], options->filter_size[i]);
	appendStringInfo(&text, "], \"max_characters_per_token\": %d, \"n_characters\": 262, \"n_highway\": %d}, \"lstm\": {",
					 options->most_characters, options->highways);
	append_clip(&text, "cell_clip", options->cell_clip);
	append_clip(&text, "proj_clip", options->projection_clip);
	appendStringInfo(&text, "\"dim\": %d, \"n_layers\": %d, \"projection_dim\": %d, \"use_skip_connections\": %s}",
					 options->cells, options->layers, options->projection,
					 options->skip_connections ? "true" : "false");
	appendStringInfo(&text, ", \"all_clip_norm_val\": %s, \"batch_size\": %d, \"dropout\": %s, \"n_epochs\": " INT64_FORMAT ", \"n_negative_samples_batch\": %d, \"n_tokens_vocab\": %d, \"n_train_tokens\": " INT64_FORMAT ", \"sample_softmax\": %s, \"unroll_steps\": %d}\n",
					 float8out_internal(settings->clip_norm), settings->batch,
					 float8out_internal(settings->dropout),
					 epochs, settings->negatives, shared->words, trained,
					 shared->candidates < shared->words ? "true" : "false",
					 settings->window_size);
	return text.data;
}

/* ---------- weights ---------- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const Tensor *) a)->name, ((const Tensor *) b)->name);
}

FolderFile
elmo_weights_file(const char *name, const ElmoParameters *parameters,
				  const float *weights, Arena *arena)
{
	Pieces		pieces = {0};
	Tensor	   *tensors = palloc0(sizeof(Tensor) * parameters->count);
	unsigned char *head;
	size_t		length;

	for (int i = 0; i < parameters->count; i++)
	{
		const ElmoTensor *tensor = &parameters->tensors[i];

		tensors[i].name = tensor->name;
		tensors[i].type = TENSOR_F32;
		tensors[i].rank = tensor->rank;
		for (int d = 0; d < tensor->rank; d++)
			tensors[i].shape[d] = (uint64) tensor->shape[d];
		tensors[i].offset = sizeof(float) * tensor->offset;
	}
	qsort(tensors, parameters->count, sizeof(Tensor), compare_names);
	head = hdf5_write_head(arena, tensors, parameters->count, &length);
	if (head == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The head of a file of weights could not be made.")));
	add_piece(&pieces, head, length);
	add_piece(&pieces, weights, sizeof(float) * parameters->numbers);
	pfree(tensors);
	return file_of_pieces(name, &pieces);
}

/* ---------- the state ---------- */

/* The words of the softmax: of each row, that of a token. */
static StringInfo
words_of_rows(ElmoShared *shared)
{
	const int64 *offsets = elmo_shared_part(shared, shared->text_offsets);
	const char *text = elmo_shared_part(shared, shared->text);
	const int32 *rows = elmo_shared_part(shared, shared->rows);
	int32	   *token_of = palloc0(sizeof(int32) * shared->words);
	StringInfo	words = makeStringInfo();

	for (int32 token = ELMO_FIRST_WORD; token < shared->tokens; token++)
	{
		if (rows[token] >= ELMO_FIRST_ROW)
			token_of[rows[token]] = token;
	}
	for (int row = ELMO_FIRST_ROW; row < shared->words; row++)
	{
		int32		token = token_of[row];
		int32		length = (int32) (offsets[token + 1] - offsets[token]);

		CHECK_FOR_INTERRUPTS();
		appendBinaryStringInfo(words, (char *) &length, sizeof(length));
		appendBinaryStringInfo(words, text + offsets[token], length);
	}
	pfree(token_of);
	return words;
}

static void
add_state(Pieces *pieces, const ElmoParameters *parameters,
		  ElmoShared *shared, int64 steps, int64 epochs)
{
	ElmoStateHead *head = palloc0(sizeof(ElmoStateHead));
	Size		table = sizeof(float) * (Size) shared->words *
		(Size) (shared->options.projection + 1);
	StringInfo	words = words_of_rows(shared);

	memcpy(head->magic, ELMO_STATE_HEAD_MAGIC, sizeof(head->magic));
	head->version = ELMO_STATE_VERSION;
	head->words = shared->words;
	head->dims = shared->options.projection;
	head->steps = steps;
	head->epochs = epochs;
	head->weights = (int64) parameters->numbers;
	add_piece(pieces, head, sizeof(ElmoStateHead));
	add_piece(pieces, elmo_shared_part(shared, shared->sums),
			  sizeof(float) * parameters->numbers);
	add_piece(pieces, elmo_shared_part(shared, shared->table), table);
	add_piece(pieces, elmo_shared_part(shared, shared->table_sums), table);
	add_piece(pieces, words->data, words->len);
}

/* ---------- all of it ---------- */

Oid
elmo_write_model(const ElmoSettings *settings, ModelDefinition *definition,
				 ElmoShared *shared, int64 steps, int64 epochs, int64 trained,
				 Progress *progress)
{
	ElmoParameters parameters;
	Pieces		options = {0};
	Pieces		state = {0};
	FolderFile	files[3];
	NetworkFolder network = {0};
	StorePlan  *plan;
	ModelWriter *writer;
	Arena		arena;
	char	   *text = options_text(settings, shared, epochs, trained);

	network_arena_begin(&arena, CurrentMemoryContext, (Size) 16 << 20);
	elmo_parameters(&parameters, &shared->options);
	add_piece(&options, text, strlen(text));
	add_state(&state, &parameters, shared, steps, epochs);
	files[0] = file_of_pieces("options.json", &options);
	files[1] = elmo_weights_file("weights.hdf5", &parameters,
								 elmo_shared_part(shared, shared->weights),
								 &arena);
	files[2] = file_of_pieces(ELMO_TRAINING_FILE, &state);
	network.model = settings->model;
	network.files = files;
	network.count = lengthof(files);
	network_folder_read(&network);
	plan = store_plan(&network);
	progress_phase(progress, "writing model", (double) plan->bytes);
	writer = model_create(definition);
	store_folder(&network, plan, writer, progress);
	return model_finish(writer);
}
