/*-------------------------------------------------------------------------
 *
 * elmo_state.c
 *	  What a training of an ELMo goes on from.
 *
 * Beside its weights a trained model keeps a file with what only training
 * needs: the softmax with its words, and Adagrad's sums.  Anybody who may
 * write to the table may have written anything, so lengths and numbers are
 * checked.
 *
 *		magic		8 bytes
 *		version, rows of the softmax, dims, 0			4 x 4 bytes
 *		steps, epochs, weights							3 x 8 bytes
 *		sums of the weights								floats
 *		softmax: dims weights and a bias a row			floats
 *		sums of the softmax								floats
 *		words of rows from ELMO_FIRST_ROW on			length, bytes
 *
 * All little-endian, words in UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_state.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define PIECE_FLOATS 65536

/* Fails with the model's name. */
static void
refuse(const ElmoPast *past, const char *detail)
{
	network_folder_refuse(&past->network, FORMAT_MALFORMED,
						  psprintf("\"%s\" %s.", ELMO_TRAINING_FILE, detail));
}

static void
read_bytes(const ElmoPast *past, uint64 at, void *to, size_t length)
{
	const FolderFile *file = &past->network.files[past->file];
	FormatFault fault = {0};

	CHECK_FOR_INTERRUPTS();
	if (!format_file_read(&file->file, at, to, length, &fault))
		network_folder_fault(&past->network, file->name, &fault);
}

/* Numbers of all three arrays. */
static uint64
numbers_of(uint64 weights, uint64 words, uint64 dims)
{
	return weights + 2 * words * (dims + 1);
}

static void
read_head(ElmoPast *past)
{
	uint64		size = past->network.files[past->file].file.size;
	ElmoParameters *parameters = palloc(sizeof(ElmoParameters));
	ElmoStateHead head;

	elmo_parameters(parameters, &past->options);
	read_bytes(past, 0, &head, sizeof(head));
	if (memcmp(head.magic, ELMO_STATE_HEAD_MAGIC, sizeof(head.magic)) != 0 ||
		head.version != ELMO_STATE_VERSION)
		refuse(past, "is not the state of a training");
	if (head.words < ELMO_FIRST_ROW || head.steps < 0 || head.epochs < 0 ||
		head.dims != past->options.projection ||
		head.weights != (int64) parameters->numbers)
		refuse(past, "is the state of another model");
	past->text = sizeof(head) + sizeof(float) *
		numbers_of((uint64) head.weights, (uint64) head.words,
				   (uint64) head.dims);
	if (past->text > size)
		refuse(past, "is cut short");
	past->words = head.words;
	past->steps = head.steps;
	past->epochs = head.epochs;
	pfree(parameters);
}

ElmoPast *
elmo_past_open(Oid model)
{
	ElmoPast   *past = palloc0(sizeof(ElmoPast));
	NetworkFolder *network = &past->network;
	FormatFault fault = {0};
	char	   *name;

	past->description = model_describe(model);
	network->files = network_files_of_model(model, &name, &network->count);
	model_require_method(past->description, elmo_method.name);
	network->model = name;
	network->is_table = true;
	network_folder_read(network);
	if (network->folder.kind != FOLDER_ELMO ||
		!elmo_options_parse(&past->options, network->folder.config, &fault) ||
		!elmo_check_tensors(&past->options, &network->folder.weights, &fault))
		network_folder_fault(network, NULL, &fault);
	past->file = -1;
	for (int i = 0; i < network->count; i++)
	{
		if (strcmp(network->files[i].name, ELMO_TRAINING_FILE) == 0)
			past->file = i;
	}
	if (past->file >= 0)
		read_head(past);
	return past;
}

/* A word of UTF-8 in the server's encoding. */
static void
set_word(EncodedWord *word, const char *text, int32 length)
{
	word->text = pg_any_to_server(text, length, PG_UTF8);
	word->length = word->text == text ? length : (int) strlen(word->text);
	word->hash = hash_bytes64(word->text, word->length);
}

EncodedWord *
elmo_past_words(const ElmoPast *past)
{
	uint64		size = past->network.files[past->file].file.size;
	uint64		length = size - past->text;
	char	   *text = palloc_extended(length + 1, MCXT_ALLOC_HUGE);
	EncodedWord *words = palloc_extended(sizeof(EncodedWord) * past->words,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint64		at = 0;

	read_bytes(past, past->text, text, length);
	for (int i = 0; i < past->words - ELMO_FIRST_ROW; i++)
	{
		int32		bytes;

		if (length - at < sizeof(bytes))
			refuse(past, "ends before its words do");
		memcpy(&bytes, text + at, sizeof(bytes));
		at += sizeof(bytes);
		if (bytes < 0 || (uint64) bytes > length - at)
			refuse(past, "has a word that does not end");
		set_word(&words[i], text + at, bytes);
		at += bytes;
	}
	return words;
}

/* ---------- numbers ---------- */

static uint64
read_floats(const ElmoPast *past, uint64 at, size_t count, bool positive,
			float *to)
{
	for (size_t i = 0; i < count; i += PIECE_FLOATS)
	{
		size_t		some = Min(count - i, PIECE_FLOATS);

		read_bytes(past, at, to + i, sizeof(float) * some);
		if (format_first_not_finite(to + i, (int) some) >= 0)
			refuse(past, "has a value that is not finite");
		for (size_t j = 0; positive && j < some; j++)
		{
			if (to[i + j] <= 0)
				refuse(past, "has a sum of squares that is not above 0");
		}
		at += sizeof(float) * some;
	}
	return at;
}

typedef struct Receiver
{
	float	   *to;
} Receiver;

static void
receive_floats(void *argument, const float *values, size_t count)
{
	Receiver   *receiver = argument;

	memcpy(receiver->to, values, sizeof(float) * count);
	receiver->to += count;
}

void
elmo_past_weights(const ElmoPast *past, const ElmoParameters *parameters,
				  float *weights)
{
	for (int i = 0; i < parameters->count; i++)
	{
		const ElmoTensor *tensor = &parameters->tensors[i];
		Receiver	receiver = {weights + tensor->offset};

		network_folder_floats(&past->network,
							  tensor_find(&past->network.folder.weights,
										  tensor->name),
							  receive_floats, &receiver);
	}
}

void
elmo_past_read(const ElmoPast *past, const ElmoParameters *parameters,
			   float *weights, float *sums, float *table, float *table_sums)
{
	size_t		table_numbers = (size_t) past->words *
		(past->options.projection + 1);
	uint64		at = sizeof(ElmoStateHead);

	elmo_past_weights(past, parameters, weights);
	if (past->words == 0)
		return;
	at = read_floats(past, at, parameters->numbers, true, sums);
	at = read_floats(past, at, table_numbers, false, table);
	(void) read_floats(past, at, table_numbers, true, table_sums);
}
