/*-------------------------------------------------------------------------
 *
 * doc2vec_method.c
 *	  How a doc2vec model looks, and how it gives a text its vector.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/doc2vec/doc2vec.h"
#include "encoder/doc2vec/infer.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "model/encoder.h"
#include "server/interrupts.h"
#include "utils/memutils.h"

const char *const doc2vec_methods[] = {"dbow", "dm", NULL};

static const char *const poolings[] = {"inference", NULL};

const OptionDeclaration doc2vec_options[] = {
	OPTION_CONFIG_REQUIRED("config"),
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0),
	OPTION_CHOICE_KEPT("pooling", poolings, 0),
	OPTION_CHOICE_OF("method", doc2vec_methods, 0),
	OPTION_BOOLEAN_OF("train_words", false),
	OPTION_INTEGER_OF("window_size", 1, WORD2VEC_MAX_WINDOW, 5),
	OPTION_INTEGER_OF("negative", 1, WORD2VEC_MAX_NEGATIVE, 5),
	OPTION_NUMBER_OF("sample", 0, 1, 1e-3),
	OPTION_INTEGER_OF("epochs", 1, 1000000, 10),
	OPTION_NUMBER_OF("alpha", 1e-9, 1, 0.025),
	OPTION_INTEGER_OF("min_count", 1, PG_INT32_MAX, 5),
	OPTIONS_END
};

SgdDocuments
doc2vec_documents(bool in_window, bool train_words)
{
	return in_window ? SGD_DOCUMENT_IN_WINDOW :
		train_words ? SGD_DOCUMENT_AND_WORDS : SGD_DOCUMENT_ALONE;
}

SgdDocuments
doc2vec_documents_of(const ModelDescription *description)
{
	return doc2vec_documents(model_option_int(description, "method") == 1,
							 model_option_int(description,
											  "train_words") != 0);
}

/* ---------- the encoder ---------- */

/* What a call site keeps; made anew when the model has changed. */
typedef struct State
{
	void	   *words_state;
	Words	   *words;
	uint64		version;		/* of what follows */
	MemoryContext context;
	InferModel	model;
	int32	   *ids;			/* entries of a text's words */
	int32	   *kept;
	int			capacity;
	float	   *work;			/* three rows, and a fourth for the result */
} State;

pg_noreturn static void
report_word(const Words *words, const WordEntry *entry, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" cannot infer vectors of texts",
					words->model->description->table_name),
			 errdetail("Word %d has no %s.", entry->id, what),
			 errhint("Train the model anew: its table has been changed.")));
}

/* Rows of the words in the image, by entry */
static void
find_rows(State *state, SgdDocuments documents)
{
	const Words *words = state->words;
	Size		bytes = mul_size(Max(words->totals->words, 1),
								 sizeof(float *));
	const float **inputs = palloc_extended(bytes, MCXT_ALLOC_HUGE);
	const float **outputs = palloc_extended(bytes, MCXT_ALLOC_HUGE);

	for (int32 i = 0; i < words->totals->words; i++)
	{
		const WordEntry *entry = &words->entries[i];

		inputs[i] = words_row(words, entry->row);
		outputs[i] = documents == SGD_DOCUMENT_ALONE ? inputs[i] :
			words_bucket(words, doc2vec_bucket(entry->id));
		if (outputs[i] == NULL)
			report_word(words, entry, "output row");
	}
	state->model.inputs = inputs;
	state->model.outputs = outputs;
}

/* The tables of drawing, as training builds them */
static void
build_tables(State *state, double sample)
{
	const Words *words = state->words;
	int32		count = words->totals->words;
	Size		some = Max(count, 1);
	int64	   *counts = palloc_extended(mul_size(some, sizeof(int64)),
										 MCXT_ALLOC_HUGE);
	uint32	   *keep = palloc_extended(mul_size(some, sizeof(uint32)),
									   MCXT_ALLOC_HUGE);
	AliasSlot  *slots = palloc_extended(mul_size(some, sizeof(AliasSlot)),
										MCXT_ALLOC_HUGE);
	void	   *scratch = palloc_extended(mul_size(some, 12),
										  MCXT_ALLOC_HUGE);
	int64		total = 0;

	for (int32 i = 0; i < count; i++)
	{
		/* a table may say anything; the sum must not overflow */
		counts[i] = Min(words->entries[i].occurrences,
						PG_INT64_MAX / (int64) some);
		if (counts[i] < 1)
			report_word(words, &words->entries[i], "occurrences");
		total += counts[i];
	}
	if (count > 0)
	{
		sgd_build_keep(counts, count, total, sample, keep);
		sgd_build_negatives(counts, count, 0.75, slots, scratch);
	}
	pfree(scratch);
	pfree(counts);
	state->model.keep = keep;
	state->model.negatives = slots;
}

static void
prepare(State *state, MemoryContext parent)
{
	const ModelDescription *description = state->words->model->description;
	InferModel *model = &state->model;
	SgdDocuments documents = doc2vec_documents_of(description);
	MemoryContext old;

	if (state->context == NULL)
		state->context = AllocSetContextCreate(parent, "doc2vec encoder",
											   ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(state->context);
	old = MemoryContextSwitchTo(state->context);
	state->capacity = 0;
	model->kernels = step_kernels(NULL);
	model->words = state->words->totals->words;
	model->dims = state->words->totals->dims;
	model->stride = state->words->totals->stride;
	model->window_size = (int) model_option_int(description, "window_size");
	model->negative = (int) model_option_int(description, "negative");
	model->epochs = (int) model_option_int(description, "epochs");
	model->alpha = (float) model_option_float(description, "alpha");
	model->in_window = documents == SGD_DOCUMENT_IN_WINDOW;
	model->check = interrupts_check;
	find_rows(state, documents);
	build_tables(state, model_option_float(description, "sample"));
	state->work = palloc_extended(
		mul_size(Max(model->stride, STEP_LANES), 4 * sizeof(float)) +
		STEP_ALIGNMENT, MCXT_ALLOC_HUGE);
	state->work = (float *) TYPEALIGN(STEP_ALIGNMENT, state->work);
	MemoryContextSwitchTo(old);
}

static int
open_doc2vec(FmgrInfo *flinfo, Model *model, void **place)
{
	State	   *state = *place;

	if (state == NULL)
		*place = state = MemoryContextAllocZero(flinfo->fn_mcxt,
												sizeof(State));
	state->words = words_attach(flinfo, model, &state->words_state);
	if (state->version != model->version)
	{
		/* until all stands, nothing looks ready */
		state->version = 0;
		prepare(state, flinfo->fn_mcxt);
		state->version = model->version;
	}
	return state->words->totals->dims;
}

static void
grow(State *state)
{
	int			capacity = Max(1024, 2 * state->capacity);
	Size		bytes = mul_size(capacity, sizeof(int32));
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (state->capacity == 0)
	{
		state->ids = palloc(bytes);
		state->kept = palloc(bytes);
	}
	else
	{
		state->ids = repalloc_huge(state->ids, bytes);
		state->kept = repalloc_huge(state->kept, bytes);
	}
	state->capacity = capacity;
	MemoryContextSwitchTo(old);
}

/* The known words of a text, and a number that they make */
static int
read_text(State *state, const EncoderText *text, uint64 *seed)
{
	Words	   *words = state->words;
	const WordEntry *entries[TOKEN_BATCH];
	int			known = 0;
	int			count;

	words_text_begin(words, text->text, text->length);
	while ((count = words_text_next(words, entries)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			if (entries[i] == NULL)
				continue;
			if (known == state->capacity)
				grow(state);
			state->ids[known++] = (int32) (entries[i] - words->entries);
		}
	}
	*seed = known == 0 ? 0 :
		hash_bytes64((const char *) state->ids, known * sizeof(int32));
	return known;
}

static void
encode_doc2vec(void *place, const EncoderRequest *request, int count,
			   const EncoderText *texts, float *rows, bool *known)
{
	State	   *state = place;
	int			dims = state->model.dims;
	float	   *row = state->work + 3 * (Size) state->model.stride;

	for (int i = 0; i < count; i++)
	{
		uint64		seed;
		int			words = read_text(state, &texts[i], &seed);

		CHECK_FOR_INTERRUPTS();
		known[i] = words > 0;
		if (words == 0)
			continue;
		infer_document(&state->model, state->ids, words, seed, state->kept,
					   state->work, row);
		memcpy(rows + (Size) i * dims, row, sizeof(float) * dims);
	}
}

/* Tokens are words, whose vectors the model has as all models of words do. */
static void
tokens_of_doc2vec(void *place, const EncoderRequest *request,
				  const EncoderText *text, EncoderReceiveToken receive,
				  void *argument)
{
	State	   *state = place;

	words_encoder.tokens(state->words, request, text, receive, argument);
}

static const char *const units[] = {"word", NULL};

static const Encoder doc2vec_encoder = {
	.poolings = poolings,
	.units = units,
	.open = open_doc2vec,
	.encode = encode_doc2vec,
	.tokens = tokens_of_doc2vec
};

const ModelMethod doc2vec_method = {
	.name = "doc2vec",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = doc2vec_options,
	.build_image = words_build_image,
	.patch_image = words_patch_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS,
	.encoder = &doc2vec_encoder
};

void
doc2vec_init(void)
{
	model_method_register(&doc2vec_method);
}
