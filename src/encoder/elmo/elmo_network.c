/*-------------------------------------------------------------------------
 *
 * elmo_network.c
 *	  An ELMo whose own weights are tuned: its projections, or all of them.
 *
 * The mix of layers and the pooling stay as the base has them, so a text's
 * vector is a sum over layers and words (src/network/elmo_pool.h), and what
 * moves are weights: those that make a word of its characters' features and
 * those that every layer of cells ends with, or everything.  The first are a
 * tenth of a published model.
 *
 * Passages, which are texts or windows of long ones, run side by side in
 * lanes, the longest first; a batch that has more of them than the memory has
 * lanes goes in pieces.  Both directions are needed for the loss, so the way
 * back computes each piece again.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_tuning.h"

#include <math.h>

#include "encoder/elmo/elmo_training.h"
#include "miscadmin.h"
#include "network/elmo_pool.h"
#include "server/interrupts.h"
#include "utils/memutils.h"

/* See src/tuning/README. */
#define RATE_PROJECTIONS 1e-3
#define RATE_FULL 3e-4

/* More lanes than these make no step faster. */
#define MOST_LANES 128

/* What a lane reads */
typedef struct Passage
{
	int32		vector;			/* of the batch */
	int32		words;
	int32		before;			/* words of the text */
	int32		all;
	int64		first;			/* its words, among all tokens */
} Passage;

typedef struct ElmoNetwork
{
	ElmoTuned	tuned;
	Model	   *base;
	ElmoSite   *site;
	ElmoPast   *past;
	ElmoParameters parameters;
	ElmoParameters moving;
	OptimizerSettings optimizer;
	double		dropout;
	uint64		seed;
	int			max_length;
	bool		first_last;		/* pooling; else the mean */
	float		share[ELMO_MOST_MIXED];

	/* words of the texts, one after the other */
	TextTable	table;
	CharacterWord *words;
	int32	   *tokens;
	int64		token_count;
	int64		token_capacity;
	int64	   *start;			/* of each text; one more */
	int			texts;
	int			longest;		/* passage */

	/* weights, and what belongs to those that move */
	float	   *weights;
	float	   *gradients;
	float	   *state;			/* the optimizer's */
	float	   *best;

	/* a piece */
	int			lanes;
	ElmoTrainer trainer;
	void	   *memory;
	float	   *states;
	int32	   *number;			/* of each word in the piece, or -1 */
	int32	   *word_ids;		/* of each number */
	CharacterWord *piece_words;
	int32	   *read[2];		/* of each row */
	float	   *weight[2];
	uint8	   *begins;
	int32	   *vector;			/* of each lane */
} ElmoNetwork;

pg_noreturn static void
refuse(const ElmoNetwork *network, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the weights of embedding model \"%s\" cannot be tuned",
					network->base->description->table_name),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/* ---------- texts ---------- */

static void
add_token(ElmoNetwork *network, const Token *token)
{
	if (network->token_count == network->token_capacity)
	{
		network->token_capacity *= 2;
		network->tokens = repalloc_huge(network->tokens, sizeof(int32) *
										network->token_capacity);
	}
	network->tokens[network->token_count++] =
		elmo_word_number(&network->table, token->text, token->length);
}

static void
add_text(ElmoNetwork *network, const TextElement *element)
{
	TokenStream *stream = network->site->stream;
	Token		batch[TOKEN_BATCH];
	int64		first = network->token_count;
	int			count;

	token_stream_begin(stream, element->text, element->length);
	while ((count = token_stream_next(stream, batch, TOKEN_BATCH)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			if (network->max_length == 0 ||
				network->token_count - first < network->max_length)
				add_token(network, &batch[i]);
		}
	}
}

static void
prepare_network(TuneTarget *target, const TextTable *texts, bool *known,
				struct Progress *progress)
{
	ElmoNetwork *network = (ElmoNetwork *) target;

	network->texts = (int) texts->count;
	network->start = palloc_extended(sizeof(int64) * (texts->count + 1),
									 MCXT_ALLOC_HUGE);
	progress_phase(progress, "reading texts", (double) texts->count);
	for (int64 i = 0; i < (int64) texts->count; i++)
	{
		network->start[i] = network->token_count;
		add_text(network, tune_text(texts, i));
		known[i] = network->token_count > network->start[i];
		network->longest = (int)
			Max(network->longest, Min(network->token_count - network->start[i],
									  network->site->window));
		progress_update(progress, (double) i, NAN);
	}
	network->start[texts->count] = network->token_count;
	network->words = palloc_extended(sizeof(CharacterWord) *
									 network->table.count, MCXT_ALLOC_HUGE);
	for (int64 i = 0; i < (int64) network->table.count; i++)
		network->words[i] = elmo_character_word(&network->table, i);
}

static int
size_of_text(const TuneTarget *target, int32 text)
{
	const ElmoNetwork *network = (const ElmoNetwork *) target;

	return (int) (network->start[text + 1] - network->start[text]);
}

/* ---------- room ---------- */

static int
most_words(const ElmoNetwork *network, int lanes, int steps)
{
	return (int) Min((int64) lanes * steps + 2,
					 (int64) network->table.count);
}

static void
set_trainer(ElmoNetwork *network, int lanes, int steps)
{
	network->trainer.lanes = lanes;
	network->trainer.steps = steps;
	network->trainer.most_words = most_words(network, lanes, steps);
}

static Size
rows_of_piece(const ElmoNetwork *network)
{
	return (Size) network->lanes * (network->longest + 1);
}

/* Of the largest piece with so many lanes */
static Size
piece_bytes(ElmoNetwork *network)
{
	Size		words;

	set_trainer(network, network->lanes, network->longest + 1);
	words = (Size) network->trainer.most_words;
	return sizeof(float) * (elmo_trainer_memory(&network->trainer, NULL) +
							elmo_trainer_states(&network->trainer)) +
		PRODUCT_ALIGNMENT +
		words * (sizeof(int32) + sizeof(CharacterWord)) +
		rows_of_piece(network) *
		(2 * (sizeof(int32) + sizeof(float)) + sizeof(uint8));
}

static void
shape_of(const ElmoTensor *tensor, int *rows, int *columns)
{
	*columns = tensor->shape[tensor->rank - 1];
	*rows = (int) (tensor->count / *columns);
}

/* The next tensor that moves from number *at on; NULL: there is none. */
static const ElmoTensor *
next_moving(const ElmoNetwork *network, int *at)
{
	while (*at < network->moving.count)
	{
		const ElmoTensor *tensor = &network->moving.tensors[(*at)++];

		if (tensor->offset != ELMO_FIXED)
			return tensor;
	}
	return NULL;
}

static Size
optimizer_floats(const ElmoNetwork *network)
{
	const ElmoTensor *tensor;
	Size		floats = 0;
	int			at = 0;

	while ((tensor = next_moving(network, &at)) != NULL)
	{
		int			rows;
		int			columns;

		shape_of(tensor, &rows, &columns);
		floats += optimizer_state_floats(&network->optimizer, rows, columns);
	}
	return floats;
}

static Size
fixed_bytes(const ElmoNetwork *network, bool best)
{
	return sizeof(float) * (network->parameters.numbers +
							network->moving.numbers * (best ? 2 : 1) +
							optimizer_floats(network)) +
		sizeof(int32) * (Size) network->token_capacity +
		sizeof(int64) * (Size) network->texts +
		(sizeof(int32) + sizeof(CharacterWord)) * network->table.count +
		network->table.text_bytes;
}

static Size
bytes_of_network(TuneTarget *target, int texts, Size available, bool best)
{
	ElmoNetwork *network = (ElmoNetwork *) target;
	Size		fixed = fixed_bytes(network, best);

	network->lanes = Min(texts, MOST_LANES);
	while (network->lanes > 1 && fixed + piece_bytes(network) > available)
		network->lanes /= 2;
	return fixed + piece_bytes(network);
}

static void
begin_optimizer(ElmoNetwork *network)
{
	const ElmoTensor *tensor;
	float	   *state;
	int			at = 0;

	network->state = palloc_extended(sizeof(float) *
									 Max(optimizer_floats(network), 1),
									 MCXT_ALLOC_HUGE);
	state = network->state;
	while ((tensor = next_moving(network, &at)) != NULL)
	{
		int			rows;
		int			columns;

		shape_of(tensor, &rows, &columns);
		optimizer_begin(&network->optimizer, rows, columns, state);
		state += optimizer_state_floats(&network->optimizer, rows, columns);
	}
}

static void
begin_piece(ElmoNetwork *network)
{
	Size		rows = rows_of_piece(network);
	Size		bytes;

	set_trainer(network, network->lanes, network->longest + 1);
	bytes = sizeof(float) * elmo_trainer_memory(&network->trainer, NULL);
	network->memory = palloc_extended(bytes + PRODUCT_ALIGNMENT,
									  MCXT_ALLOC_HUGE);
	network->memory = (void *) TYPEALIGN(PRODUCT_ALIGNMENT, network->memory);
	network->states =
		palloc_extended(sizeof(float) * elmo_trainer_states(&network->trainer),
						MCXT_ALLOC_HUGE);
	network->number = palloc_extended(sizeof(int32) * network->table.count,
									  MCXT_ALLOC_HUGE);
	memset(network->number, 0xFF, sizeof(int32) * network->table.count);
	network->word_ids =
		palloc_extended(sizeof(int32) * network->trainer.most_words,
						MCXT_ALLOC_HUGE);
	network->piece_words =
		palloc_extended(sizeof(CharacterWord) * network->trainer.most_words,
						MCXT_ALLOC_HUGE);
	for (int d = 0; d < 2; d++)
	{
		network->read[d] = palloc_extended(sizeof(int32) * rows,
										   MCXT_ALLOC_HUGE);
		network->weight[d] = palloc_extended(sizeof(float) * rows,
											 MCXT_ALLOC_HUGE);
	}
	/* lanes go on from the state that they are given, or from zeros */
	network->begins = palloc_extended(rows, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	network->vector = palloc(sizeof(int32) * network->lanes);
}

static void
begin_network(TuneTarget *target, bool best)
{
	ElmoNetwork *network = (ElmoNetwork *) target;
	Size		moving = sizeof(float) * network->moving.numbers;

	network->weights = palloc_extended(sizeof(float) *
									   network->parameters.numbers,
									   MCXT_ALLOC_HUGE);
	elmo_past_weights(network->past, &network->parameters, network->weights);
	network->gradients = palloc_extended(moving,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (best)
		network->best = palloc_extended(moving, MCXT_ALLOC_HUGE);
	begin_optimizer(network);
	begin_piece(network);
}

/* ---------- pieces ---------- */

static int
compare_passages(const void *a, const void *b)
{
	const Passage *x = a;
	const Passage *y = b;

	if (x->words != y->words)
		return x->words > y->words ? -1 : 1;
	if (x->vector != y->vector)
		return x->vector < y->vector ? -1 : 1;
	return x->before < y->before ? -1 : x->before > y->before;
}

/* All of a batch, the longest first */
static Passage *
passages_of(const ElmoNetwork *network, int count, const int32 *texts,
			int *passage_count)
{
	int			window = network->site->window;
	Passage    *passages;
	Size		all = 0;

	for (int i = 0; i < count; i++)
		all += (size_of_text(&network->tuned.target, texts[i]) + window - 1) /
			window;
	passages = palloc_extended(sizeof(Passage) * Max(all, 1),
							   MCXT_ALLOC_HUGE);
	*passage_count = 0;
	for (int i = 0; i < count; i++)
	{
		int			size = size_of_text(&network->tuned.target, texts[i]);

		for (int at = 0; at < size; at += window)
			passages[(*passage_count)++] =
				(Passage) {i, Min(size - at, window), at, size,
			network->start[texts[i]] + at};
	}
	qsort(passages, *passage_count, sizeof(Passage), compare_passages);
	return passages;
}

static int32
number_of(ElmoNetwork *network, int32 word, int *words)
{
	if (network->number[word] < 0)
	{
		network->number[word] = *words;
		network->word_ids[*words] = word;
		network->piece_words[*words] = network->words[word];
		++*words;
	}
	return network->number[word];
}

/* What a word of a passage is times in a direction's half of the vector */
static float
weight_of(const ElmoNetwork *network, const Passage *passage, int word,
		  int direction)
{
	int			at = passage->before + word;

	if (!network->first_last)
		return 1.0f / passage->all;
	return at == (direction == 0 ? passage->all - 1 : 0);
}

/*
 * The rows of a lane: a mark, the words in the direction's order, and more of
 * the mark, which nobody looks at.
 */
static void
fill_lane(ElmoNetwork *network, int lane, const Passage *passage,
		  int direction, int *words)
{
	int			lanes = network->trainer.lanes;
	int32		mark = number_of(network, direction, words);

	for (int step = 0; step < network->trainer.steps; step++)
	{
		Size		row = (Size) step * lanes + lane;
		int			word = direction == 0 ? step - 1 : passage->words - step;

		network->read[direction][row] = mark;
		network->weight[direction][row] = 0;
		if (step == 0 || step > passage->words)
			continue;
		network->read[direction][row] =
			number_of(network, network->tokens[passage->first + word], words);
		network->weight[direction][row] = weight_of(network, passage, word,
													direction);
	}
}

/* first: its number in the batch, for what is dropped */
static void
fill_piece(ElmoNetwork *network, int first, int count,
		   const Passage *passages, uint64 noise, ElmoWindow *window,
		   ElmoPool *pool)
{
	int			words = 0;

	set_trainer(network, count, passages[0].words + 1);
	(void) elmo_trainer_memory(&network->trainer, network->memory);
	for (int lane = 0; lane < count; lane++)
	{
		network->vector[lane] = passages[lane].vector;
		for (int d = 0; d < 2; d++)
			fill_lane(network, lane, &passages[lane], d, &words);
	}
	for (int w = 0; w < words; w++)
		network->number[network->word_ids[w]] = -1;
	network->trainer.dropout = noise == 0 ? 0 : network->dropout;
	network->trainer.seed = network->seed;
	*window = (ElmoWindow) {.words = words, .word = network->piece_words,
	.number = noise, .first_lane = first};
	*pool = (ElmoPool) {.vector = network->vector, .share = network->share,
	.start = network->site->start};
	for (int d = 0; d < 2; d++)
	{
		window->read[d] = network->read[d];
		window->begins[d] = network->begins;
		pool->weight[d] = network->weight[d];
	}
}

/* vectors are made, or, where slopes are given, their gradients taken. */
static void
run_pieces(ElmoNetwork *network, int count, const int32 *texts, uint64 noise,
		   float *vectors, const float *slopes)
{
	ProductInterrupt interrupt = {interrupts_stop};
	int			all;
	Passage    *passages = passages_of(network, count, texts, &all);

	for (int at = 0; at < all; at += network->lanes)
	{
		ElmoWindow	window;
		ElmoPool	pool;

		fill_piece(network, at, Min(network->lanes, all - at), passages + at,
				   noise, &window, &pool);
		if (slopes == NULL)
			(void) elmo_pool_vectors(&network->trainer, &window, &pool,
									 network->weights, network->states,
									 vectors, &interrupt);
		else
			(void) elmo_pool_gradients(&network->trainer, &window, &pool,
									   network->weights, network->states,
									   slopes, &network->moving,
									   network->gradients, &interrupt);
	}
	pfree(passages);
}

/* ---------- there and back ---------- */

static void
forward_network(TuneTarget *target, int count, const int32 *texts,
				uint64 noise, float *vectors)
{
	memset(vectors, 0, sizeof(float) * (Size) count * target->dims);
	run_pieces((ElmoNetwork *) target, count, texts, noise, vectors, NULL);
}

static void
backward_network(TuneTarget *target, int count, const int32 *texts,
				 uint64 noise, const float *gradients)
{
	run_pieces((ElmoNetwork *) target, count, texts, noise, NULL, gradients);
}

static double
square_of_network(TuneTarget *target)
{
	ElmoNetwork *network = (ElmoNetwork *) target;

	return gradient_square(network->moving.numbers, network->gradients);
}

/* Biases do not decay. */
static void
step_network(TuneTarget *target, const OptimizerStep *step)
{
	ElmoNetwork *network = (ElmoNetwork *) target;
	float	   *state = network->state;
	const ElmoTensor *tensor;
	int			at = 0;

	while ((tensor = next_moving(network, &at)) != NULL)
	{
		OptimizerStep own = *step;
		bool		is_vector = tensor->rank == 1;
		int			rows;
		int			columns;

		if (is_vector)
			own.weight_decay = 0;
		shape_of(tensor, &rows, &columns);
		optimizer_step(&network->optimizer, &own, rows, columns, is_vector,
					   network->gradients + tensor->offset,
					   network->weights +
					   network->parameters.tensors[at - 1].offset, state);
		state += optimizer_state_floats(&network->optimizer, rows, columns);
	}
	memset(network->gradients, 0, sizeof(float) * network->moving.numbers);
}

static void
copy_moving(ElmoNetwork *network, bool keep)
{
	const ElmoTensor *tensor;
	int			at = 0;

	while ((tensor = next_moving(network, &at)) != NULL)
	{
		float	   *weights = network->weights +
			network->parameters.tensors[at - 1].offset;
		float	   *best = network->best + tensor->offset;

		memcpy(keep ? best : weights, keep ? weights : best,
			   sizeof(float) * tensor->count);
	}
}

static void
keep_network(TuneTarget *target)
{
	copy_moving((ElmoNetwork *) target, true);
}

static void
restore_network(TuneTarget *target)
{
	copy_moving((ElmoNetwork *) target, false);
}

static void
finish_network(TuneTarget *target)
{
	target->source.network = target;
}

/* ---------- writing ---------- */

/* The base's folder with other weights, as floats */
static Oid
write_network(const TuneSource *source)
{
	ElmoNetwork *network = (ElmoNetwork *) source->network;
	NetworkFolder *folder = &network->past->network;
	int			weights = folder->folder.weights.tensors[0].file;
	FolderFile *files = palloc(sizeof(FolderFile) * folder->count);

	memcpy(files, folder->files, sizeof(FolderFile) * folder->count);
	files[weights] = elmo_weights_file(files[weights].name,
									   &network->parameters,
									   network->weights, &folder->arena);
	return network_write_files(source->definition, files, folder->count);
}

/* ---------- the target ---------- */

static void
check_model(const ElmoNetwork *network)
{
	if (strcmp(network->site->pooling, "max") == 0)
		refuse(network, "Its pooling is max.",
			   "Set the model's pooling to mean or first_last.");
	if (model_option_int(network->base->description, "layer_norm") != 0)
		refuse(network, "Its layers are normalized before they are mixed.",
			   "Set the model's layer_norm to false, or use method => 'layer'.");
}

static void
set_shares(ElmoNetwork *network)
{
	ElmoMixRequest plain = {NULL};
	ElmoMix		mix;

	elmo_mix(network->site, &plain, &mix);
	for (int k = 0; k < mix.count; k++)
		network->share[k] = (float) mix.weight[k];
}

TuneTarget *
elmo_network_target(const TuneNetwork *wanted, Model *base, void *state)
{
	ElmoNetwork *network = palloc0(sizeof(ElmoNetwork));

	network->base = base;
	network->site = state;
	check_model(network);
	network->past = elmo_past_open(base->table);
	elmo_parameters(&network->parameters, &network->past->options);
	elmo_moving_parameters(&network->moving, &network->parameters,
						   wanted->weights == TUNE_PROJECTIONS ?
						   ELMO_PROJECTIONS :
						   wanted->frozen_embeddings ? ELMO_LAYERS : ELMO_ALL);
	set_shares(network);
	network->trainer.parameters = &network->parameters;
	network->optimizer = wanted->optimizer;
	network->dropout = wanted->dropout;
	network->seed = wanted->seed;
	network->max_length = wanted->max_length;
	network->first_last = strcmp(network->site->pooling, "first_last") == 0;
	text_table_init(&network->table, sizeof(TextElement), 256);
	elmo_add_marks(&network->table);
	network->token_capacity = 4096;
	network->tokens = palloc(sizeof(int32) * network->token_capacity);
	network->tuned.write = write_network;
	network->tuned.target = (TuneTarget) {
		.dims = network->site->elmo.dims,
		.unit = "tokens",
		.learning_rate = wanted->weights == TUNE_FULL ? RATE_FULL :
		RATE_PROJECTIONS,
		.prepare = prepare_network,
		.size = size_of_text,
		.bytes = bytes_of_network,
		.begin = begin_network,
		.forward = forward_network,
		.backward = backward_network,
		.gradient_square = square_of_network,
		.step = step_network,
		.keep = keep_network,
		.restore = restore_network,
		.finish = finish_network
	};
	return &network->tuned.target;
}
