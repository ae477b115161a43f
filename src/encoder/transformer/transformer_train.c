/*-------------------------------------------------------------------------
 *
 * transformer_train.c
 *	  A transformer whose own weights are tuned: all of them, or changes of low
 *	  rank that become part of them at the end.
 *
 * The weights are read from the tensors of the base's table, as floats,
 * whatever they are there; src/network trains them; those that moved are
 * written back as float32, all else of the folder as it was.
 *
 * A batch that is too large for the memory goes in pieces (Gao et al. 2021,
 * arXiv 2101.06983): the first pass gives the vectors for the loss, and
 * backward computes each piece again before it takes its gradients.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_train.h"

#include "miscadmin.h"
#include "train/progress.h"
#include "utils/memutils.h"

#include <math.h>

/* Usual for encoders of this kind (README) */
#define RATE_LOW_RANK 1e-4
#define RATE_FULL 2e-5

pg_noreturn static void
refuse(const NetworkTarget *network, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the weights of embedding model \"%s\" cannot be tuned",
					network->base->description->table_name),
			 errdetail("%s", detail),
			 errhint("Use method => 'layer', which leaves the network as it is.")));
}

/* ---------- texts ---------- */

static void
add_text(NetworkTarget *network, const char *prompt,
		 const TextElement *element, int64 number)
{
	EncoderText text = {element->text, element->length};
	TokenizerTokens tokens;

	transformer_read_text(network->state, prompt, &text,
						  TOKENIZER_NO_OFFSETS, &tokens);
	while (network->token_count + tokens.count > network->token_capacity)
	{
		network->token_capacity *= 2;
		network->tokens = repalloc_huge(network->tokens, sizeof(int32) *
										network->token_capacity);
	}
	network->start[number] = network->token_count;
	for (uint32 i = 0; i < tokens.count; i++)
		network->tokens[network->token_count++] = (int32) tokens.tokens[i].id;
	network->longest = Max(network->longest, (int) tokens.count);
}

static void
prepare_network(TuneTarget *target, const TextTable *texts, bool *known,
				struct Progress *progress)
{
	NetworkTarget *network = (NetworkTarget *) target;
	NetworkTokenizer *tokenizer = network->state->tokenizer;
	const NetworkLimits *limits = tokenizer->limits;
	NetworkLimits shorter = *limits;
	const char *prompt = network_prompt(&network->state->prompts,
										tokenizer->model, NULL);

	if (network->max_length > 0)
		shorter.max_tokens = Min(shorter.max_tokens, network->max_length);
	tokenizer->limits = &shorter;
	network->texts = (int) texts->count;
	network->start = palloc_extended(sizeof(int64) * (texts->count + 1),
									 MCXT_ALLOC_HUGE);
	progress_phase(progress, "reading texts", (double) texts->count);
	for (int64 i = 0; i < (int64) texts->count; i++)
	{
		add_text(network, prompt, tune_text(texts, i), i);
		known[i] = network->token_count > network->start[i];
		progress_update(progress, (double) i, NAN);
	}
	network->start[texts->count] = network->token_count;
	tokenizer->limits = limits;
}

static int
size_of_text(const TuneTarget *target, int32 text)
{
	return network_text_size((const NetworkTarget *) target, text);
}

/* ---------- room ---------- */

static int
compare_sizes(const void *a, const void *b)
{
	int			x = *(const int *) a;
	int			y = *(const int *) b;

	return x > y ? -1 : x < y;
}

/* Tokens of so many texts at the most */
static int64
most_tokens(const NetworkTarget *network, int texts)
{
	int		   *sizes = palloc_extended(sizeof(int) *
										Max(network->texts, 1),
										MCXT_ALLOC_HUGE);
	int64		sum = 0;

	for (int i = 0; i < network->texts; i++)
		sizes[i] = network_text_size(network, i);
	qsort(sizes, network->texts, sizeof(int), compare_sizes);
	/* a text may come several times */
	for (int i = 0; i < texts; i++)
		sum += sizes[Min(i / 2, network->texts - 1)];
	pfree(sizes);
	return sum;
}

static Size
state_bytes(const NetworkTarget *network, bool best)
{
	Size		moving = network->plan.settings.mode == TRAINER_FULL ?
		network->plan.weight_floats : network->plan.adapter_floats;

	return sizeof(float) * network->plan.weight_floats +
		(best ? sizeof(float) * moving : 0) +
		sizeof(int32) * network->token_capacity +
		sizeof(int64) * (Size) network->texts;
}

/* A process's part of a batch is about this, a text more or less. */
static void
begin_pieces(NetworkTarget *network, int texts)
{
	int64		tokens = most_tokens(network, texts);

	network->piece_texts = texts;
	if (network->workers > 1)
		tokens = tokens / network->workers + network->longest;
	network->piece_tokens = Max(tokens, network->longest);
}

/*
 * The largest piece whose training fits, and as much of the memory that
 * computing activations twice would spare as there is.
 */
static Size
bytes_of_network(TuneTarget *target, int texts, Size available, bool best)
{
	NetworkTarget *network = (NetworkTarget *) target;
	Size		fixed = state_bytes(network, best);
	Size		others;
	TrainerNeed need;

	network->batch_texts = texts;
	begin_pieces(network, texts);
	for (;;)
	{
		need = trainer_bytes(&network->plan, network->piece_tokens,
							 network->piece_texts, network->longest);
		network->bytes = need.least;
		others = network_team_bytes(network, texts);
		if (fixed + others + need.least <= available ||
			network->piece_texts <= 2)
			break;
		network->piece_texts = Max(network->piece_texts / 2, 2);
		network->piece_tokens = Max(network->piece_tokens / 2,
									2 * (int64) network->longest);
	}
	if (network->piece_texts < texts)
		ereport(DEBUG1,
				(errmsg_internal("batches of %d texts are trained in pieces of %d",
								 texts, network->piece_texts)));
	if (fixed + others + need.least < available)
		network->bytes = Min(need.best, need.least +
							 (available - fixed - others - need.least) /
							 network->workers);
	return fixed + network->bytes + network_team_bytes(network, texts);
}

/* ---------- the weights ---------- */

static bool
in_parts(const NetworkTarget *network, const Tensor *tensor,
		 TrainerPart parts[3], int *count)
{
	int64_t		shape[TENSOR_MAX_RANK];

	for (int i = 0; i < tensor->rank; i++)
		shape[i] = (int64_t) Min(tensor->shape[i], (uint64) PG_INT64_MAX);
	*count = trainer_parts_of_name(&network->plan, tensor->name,
								   tensor->rank, shape, parts);
	return *count > 0;
}

typedef struct WeightReader
{
	NetworkTarget *network;
	TrainerPart parts[3];
	int			count;
	uint64		at;				/* values of the tensor so far */
} WeightReader;

/*
 * Values from number "first" of a tensor on, to or from their places among the
 * weights.
 */
static void
move_values(float *weights, const TrainerPart *parts, int count,
			uint64 first, uint64 values_count, float *values, bool to_weights)
{
	uint64		begin = 0;

	for (int i = 0; i < count; i++)
	{
		uint64		end = begin + parts[i].count;
		uint64		from = Max(first, begin);
		uint64		until = Min(first + values_count, end);

		if (from < until)
		{
			float	   *place = weights + parts[i].offset + (from - begin);
			float	   *value = values + (from - first);
			Size		bytes = sizeof(float) * (until - from);

			if (to_weights)
				memcpy(place, value, bytes);
			else
				memcpy(value, place, bytes);
		}
		begin = end;
	}
}

static void
take_values(void *argument, const float *values, size_t count)
{
	WeightReader *reader = argument;

	CHECK_FOR_INTERRUPTS();
	move_values(reader->network->weights, reader->parts, reader->count,
				reader->at, count, unconstify(float *, values), true);
	reader->at += count;
}

static void
read_weights(NetworkTarget *network)
{
	const TensorList *list = &network->folder->folder.weights;

	for (size_t i = 0; i < list->count; i++)
	{
		WeightReader reader = {network};

		if (in_parts(network, &list->tensors[i], reader.parts,
					 &reader.count))
			network_folder_floats(network->folder, &list->tensors[i],
								  take_values, &reader);
	}
}

void *
network_aligned(Size bytes, int flags)
{
	return (void *) TYPEALIGN(PRODUCT_ALIGNMENT,
							  palloc_extended(bytes + PRODUCT_ALIGNMENT,
											  MCXT_ALLOC_HUGE | flags));
}

static void
begin_network(TuneTarget *target, bool best)
{
	NetworkTarget *network = (NetworkTarget *) target;
	size_t		moving;

	/* a place that no file has anything for is to be zero */
	if (network->workers > 1)
		network_team_create(network, network->batch_texts);
	else
		network->weights = network_aligned(sizeof(float) *
										   network->plan.weight_floats,
										   MCXT_ALLOC_ZERO);
	read_weights(network);
	network->trainer = trainer_begin(&network->plan, network->weights,
									 network->piece_tokens,
									 network->piece_texts, network->longest,
									 network_aligned(network->bytes, 0),
									 network->bytes);
	if (network->trainer == NULL)
		elog(ERROR, "trainer got too little memory");
	(void) trainer_gradients(network->trainer, &moving);
	if (best)
		network->best = palloc_extended(sizeof(float) * moving,
										MCXT_ALLOC_HUGE);
	network_begin_batches(network);
}

static void
run_network(TuneTarget *target, void (*body) (void *argument), void *argument,
			struct Progress *progress)
{
	NetworkTarget *network = (NetworkTarget *) target;

	if (network->team == NULL)
		body(argument);
	else
		network_team_run(network, body, argument, progress);
}

/* ---------- there and back ---------- */

void
network_begin_batches(NetworkTarget *network)
{
	network->ids = palloc_extended(sizeof(int32) *
								   Max(network->piece_tokens, 1),
								   MCXT_ALLOC_HUGE);
	network->offsets = palloc(sizeof(size_t) * (network->piece_texts + 1));
}

/* Texts from the first on that are trained at once */
static int
piece_of(const NetworkTarget *network, int count, const int32 *texts)
{
	int64		tokens = 0;
	int			some = 0;

	while (some < Min(count, network->piece_texts))
	{
		tokens += network_text_size(network, texts[some]);
		if (tokens > network->piece_tokens)
			break;
		some++;
	}
	return Max(some, 1);
}

static void
forward_piece(NetworkTarget *network, int count, const int32 *texts,
			  bool training, float *vectors)
{
	ProductInterrupt interrupt = transformer_interrupt();
	size_t		at = 0;

	for (int i = 0; i < count; i++)
	{
		int			size = network_text_size(network, texts[i]);

		network->offsets[i] = at;
		memcpy(network->ids + at, network->tokens + network->start[texts[i]],
			   sizeof(int32) * size);
		at += size;
	}
	network->offsets[count] = at;
	network->batch = (TransformerBatch) {
		.texts = count, .offsets = network->offsets, .ids = network->ids
	};
	if (trainer_forward(network->trainer, &network->batch, training, vectors,
						&interrupt) != TRANSFORMER_OK)
		elog(ERROR, "trainer refuses a batch");
}

/*
 * Dropout follows from the noise and the place of the piece in the batch, so
 * that a piece that is computed again is the same.
 */
void
network_forward(NetworkTarget *network, int first, int count,
				const int32 *texts, bool training, uint64 noise,
				float *vectors)
{
	for (int at = 0, some; at < count; at += some)
	{
		some = piece_of(network, count - at, texts + at);
		trainer_set_pass(network->trainer, noise + first + at);
		/* without dropout only what backward will use must be kept */
		forward_piece(network, some, texts + at,
					  noise != 0 || (training && some == count),
					  vectors + (Size) at * network->target.dims);
	}
}

void
network_backward(NetworkTarget *network, int first, int count,
				 const int32 *texts, uint64 noise, const float *gradients)
{
	ProductInterrupt interrupt = transformer_interrupt();
	int			dims = network->target.dims;
	float	   *again = palloc(sizeof(float) * dims * network->piece_texts);

	for (int at = 0, some; at < count; at += some)
	{
		some = piece_of(network, count - at, texts + at);
		if (some < count)
		{
			trainer_set_pass(network->trainer, noise + first + at);
			forward_piece(network, some, texts + at, true, again);
		}
		if (trainer_backward(network->trainer, gradients + (Size) at * dims,
							 &interrupt) != TRANSFORMER_OK)
			elog(ERROR, "trainer refuses gradients");
	}
	pfree(again);
}

static void
forward_network(TuneTarget *target, int count, const int32 *texts,
				uint64 noise, float *vectors)
{
	NetworkTarget *network = (NetworkTarget *) target;

	if (network_team_is_there(network))
		network_team_forward(network, count, texts, target->training, noise,
							 vectors);
	else
		network_forward(network, 0, count, texts, target->training, noise,
						vectors);
}

static void
backward_network(TuneTarget *target, int count, const int32 *texts,
				 uint64 noise, const float *gradients)
{
	NetworkTarget *network = (NetworkTarget *) target;

	if (network_team_is_there(network))
		network_team_backward(network, gradients);
	else
		network_backward(network, 0, count, texts, noise, gradients);
}

static double
square_of_network(TuneTarget *target)
{
	return trainer_gradient_square(((NetworkTarget *) target)->trainer);
}

static void
step_network(TuneTarget *target, const OptimizerStep *step)
{
	trainer_step(((NetworkTarget *) target)->trainer, step->learning_rate,
				 step->gradient_factor);
}

static void
keep_network(TuneTarget *target)
{
	NetworkTarget *network = (NetworkTarget *) target;

	trainer_copy_state(network->trainer, network->best);
}

static void
restore_network(TuneTarget *target)
{
	NetworkTarget *network = (NetworkTarget *) target;

	trainer_restore_state(network->trainer, network->best);
}

static void
finish_network(TuneTarget *target)
{
	NetworkTarget *network = (NetworkTarget *) target;

	transformer_put_adapter(network, &network->adapter,
							&network->adapter_files);
	trainer_merge(network->trainer);
	target->source.network = target;
}

/* ---------- writing ---------- */

bool
network_tensor_of_name(const NetworkTarget *network, const Tensor *tensor,
					   TrainerTensor *place)
{
	TrainerPart parts[3];
	int			count;

	if (!in_parts(network, tensor, parts, &count) || count != 1)
		return false;
	for (int i = 0; trainer_tensor(&network->plan, i, place); i++)
		if (place->offset == parts[0].offset)
			return place->role >= TENSOR_QUERY && !place->is_vector;
	return false;
}

/* Whether the weights at this place have moved */
static bool
has_moved(const NetworkTarget *network, size_t offset)
{
	const TrainerSettings *settings = &network->plan.settings;
	TrainerTensor tensor;

	for (int i = 0; trainer_tensor(&network->plan, i, &tensor); i++)
		if (tensor.offset == offset)
			return settings->mode == TRAINER_FULL ?
				!settings->embeddings_frozen ||
				offset >= network->plan.embedding_floats :
				tensor.role >= TENSOR_QUERY && !tensor.is_vector &&
				(settings->targets & TRAINER_TARGET(tensor.role)) != 0;
	return false;
}

static bool
tensor_moved(void *argument, const Tensor *tensor)
{
	const NetworkTarget *network = argument;
	TrainerPart parts[3];
	int			count;

	if (!in_parts(network, tensor, parts, &count))
		return false;
	for (int i = 0; i < count; i++)
		if (has_moved(network, parts[i].offset))
			return true;
	return false;
}

static void
change_tensor(void *argument, const Tensor *tensor, uint64 first, int rows,
			  float *values)
{
	NetworkTarget *network = argument;
	uint64		columns = tensor->rank == 0 ? 1 :
		tensor->shape[tensor->rank - 1];
	TrainerPart parts[3];
	int			count;

	if (in_parts(network, tensor, parts, &count))
		move_values(network->weights, parts, count, first * columns,
					rows * columns, values, false);
}

Oid
transformer_write_trained(const TuneSource *source)
{
	NetworkTarget *network = (NetworkTarget *) source->network;
	NetworkRewrite rewrite = {network->folder, tensor_moved, change_tensor,
	network};
	FolderFile *files;
	int			count;
	Oid			table;

	files = network_rewrite(&rewrite, &count);
	transformer_forget_adapter(files, &count);
	for (int i = 0; i < network->adapter_files; i++)
	{
		files = repalloc(files, sizeof(FolderFile) * (count + 1));
		files[count++] = network->adapter[i];
	}
	table = network_write_files(source->definition, files, count);
	network_team_free(network);
	return table;
}

/* ---------- the target ---------- */

static uint32
targets_of(const NetworkTarget *network, const char *const *names)
{
	uint32		targets = 0;

	if (names == NULL)
		return TRAINER_DEFAULT_TARGETS;
	for (int i = 0; names[i] != NULL; i++)
	{
		uint32		target = trainer_target_of_name(names[i]);

		if (target == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown target \"%s\"", names[i]),
					 errhint("Use some of query, key, value, out, gate, up, down.")));
		targets |= target;
	}
	return targets;
}

static void
check_chain(const NetworkTarget *network)
{
	const TransformerModel *model = network->model;
	const NetworkFolder *folder = network->folder;

	if (folder->folder.kind == FOLDER_GGUF)
		refuse(network, "It was imported from a GGUF file, whose blocks cannot be written.");
	if (model->settings.pooling_count != 1)
		refuse(network, "It puts the results of several poolings side by side.");
	for (int i = 0; i < model->settings.step_count; i++)
		if (model->steps[i].kind != STEP_NORMALIZE)
			refuse(network, "A dense layer comes after its pooling.");
	if (!model->settings.include_prompt && folder->folder.prompt_count > 0 &&
		folder->folder.default_prompt != NULL)
		refuse(network, "Its pooling leaves a prompt's tokens out.");
}

static void
make_plan(NetworkTarget *network, const TuneNetwork *wanted)
{
	TrainerSettings settings =
		trainer_defaults(wanted->weights == TUNE_FULL ? TRAINER_FULL :
						 TRAINER_LOW_RANK);
	const TransformerSettings *chain = &network->model->settings;

	settings.embeddings_frozen = wanted->frozen_embeddings;
	settings.rank = wanted->rank;
	settings.rank_alpha = wanted->rank_alpha;
	settings.targets = targets_of(network, wanted->targets);
	settings.dropout = wanted->dropout;
	settings.seed = wanted->seed;
	settings.optimizer = wanted->optimizer;
	settings.pooling = (Pooling) chain->poolings[0];
	settings.normalize = chain->step_count > 0;
	if (trainer_make_plan(&network->plan, &network->model->plan.config,
					 &settings) != TRANSFORMER_OK)
		refuse(network, psprintf("%s.", network->plan.message));
}

TuneTarget *
transformer_trained(const TuneNetwork *wanted, Model *base, void *state)
{
	NetworkTarget *network = palloc0(sizeof(NetworkTarget));

	network->state = state;
	network->base = base;
	network->folder = network_folder_of_model(base->table);
	network->model = palloc(sizeof(TransformerModel));
	transformer_read_folder(network->folder, PRODUCT_FLOAT32,
							model_option_int(base->description, "max_tokens"),
							network->model);
	check_chain(network);
	make_plan(network, wanted);
	network->max_length = wanted->max_length;
	network->workers = wanted->workers;
	network->token_capacity = 4096;
	network->tokens = palloc(sizeof(int32) * network->token_capacity);
	network->target = (TuneTarget) {
		.dims = trainer_dims(&network->plan),
		.unit = "tokens",
		.learning_rate = wanted->weights == TUNE_FULL ? RATE_FULL :
		RATE_LOW_RANK,
		.prepare = prepare_network,
		.size = size_of_text,
		.bytes = bytes_of_network,
		.begin = begin_network,
		.run = run_network,
		.forward = forward_network,
		.backward = backward_network,
		.gradient_square = square_of_network,
		.step = step_network,
		.keep = keep_network,
		.restore = restore_network,
		.finish = finish_network
	};
	return &network->target;
}
