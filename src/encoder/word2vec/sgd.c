/*-------------------------------------------------------------------------
 *
 * sgd.c
 *	  Walks over documents and makes the steps of word2vec training.
 *
 * Skip-gram without subwords follows word2vec.c: the input row of each word
 * in the window predicts the word in the middle.  The negative words are
 * drawn once for the middle word and shared by its window (Ji et al.,
 * "Parallelizing Word2Vec in Shared and Distributed Memory", 2016), which
 * keeps their rows in the first cache and lets them be fetched while the
 * middle word before is still in work.
 *
 * With subwords the direction is fastText's: the mean of the middle word's
 * rows predicts each word of the window, with negatives of its own.  Between
 * two predictions fastText adds the change to every row and computes the mean
 * anew; as each row moves by the same amount the mean moves by just that, so
 * it is kept in one buffer and the rows are changed once at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/word2vec/sgd.h"

#include <math.h>
#include <string.h>

/* One prediction in so many is looked at for the loss. */
#define LOSS_SAMPLE 64

/*
 * Words kept, and multiplications, between two reports: some milliseconds, so
 * that a training can be stopped soon whatever its dimensions.
 */
#define REPORT_WORDS	2500
#define REPORT_WORK		25e6

/* Rows of words are fetched so many words before a window can reach them. */
#define INPUT_AHEAD		2

/* Input rows that are summed, or moved, by one call of a kernel */
#define ROWS_AT_ONCE	32

/* of the tree of hierarchical softmax, about */
#define PATH_TARGETS	16

typedef struct Targets
{
	float	   *rows[STEP_MAX_TARGETS];
	float		labels[STEP_MAX_TARGETS];
	int			count;
} Targets;

static inline float *
input_row(SgdWorker *worker, int32_t row)
{
	return replica_row(&worker->input, row);
}

static inline float *
output_row(SgdWorker *worker, int32_t word)
{
	return replica_use(&worker->negative_output, word, &worker->joins);
}

/*
 * A word comes near the windows: its row is fetched, and joins of its rows are
 * prepared.
 */
static inline void
approach_word(SgdWorker *worker, int32_t word)
{
	const SgdModel *model = worker->model;
	Replica    *input = &worker->input;

	row_prefetch(replica_use(input, word, &worker->joins), model->stride);
	if (model->subword_start == NULL || input->copies == 0)
		return;
	for (int64_t i = model->subword_start[word];
		 i < model->subword_start[word + 1]; i++)
		replica_use(input, model->subword_rows[i], &worker->joins);
}

size_t
sgd_scratch_size(const SgdModel *model)
{
	return sizeof(int32_t) * SGD_MAX_DOCUMENT +
		3 * sizeof(float) * model->stride;
}

static int
report_interval(const SgdModel *model)
{
	double		targets = (model->negative > 0 ? model->negative + 1 : 0) +
		(model->hierarchical_softmax ? PATH_TARGETS : 0);
	double		work = 2.0 * model->stride * targets *
		(model->cbow ? 1 : model->window_size + 1);
	double		words = REPORT_WORK / (work + 1);

	return words < 1 ? 1 : words > REPORT_WORDS ? REPORT_WORDS : (int) words;
}

void
sgd_worker_init(SgdWorker *worker, const SgdModel *model, uint64_t seed,
				void *memory)
{
	memset(worker, 0, sizeof(*worker));
	worker->model = model;
	worker->report_interval = report_interval(model);
	worker->kernels = step_kernels(NULL);
	worker->joins.kernels = worker->kernels;
	replica_init(&worker->input, model->input, model->stride);
	replica_init(&worker->negative_output, model->negative_output,
				 model->stride);
	replica_init(&worker->tree_output, model->tree_output, model->stride);
	random_seed(&worker->random, seed);
	worker->hidden = memory;
	worker->before = worker->hidden + model->stride;
	worker->change = worker->before + model->stride;
	worker->kept = (int32_t *) (worker->change + model->stride);
}

void
sgd_init_row(float *row, int dims, int stride, Random *random)
{
	for (int i = 0; i < dims; i++)
		row[i] = (random_float(random) - 0.5f) / dims;
	for (int i = dims; i < stride; i++)
		row[i] = 0;
}

/*
 * The word and its negatives.  A negative equal to the word is drawn again;
 * with a vocabulary of one word there are none.
 */
static inline void
targets_negative(SgdWorker *worker, int32_t word, Targets *targets)
{
	const SgdModel *model = worker->model;
	float	   *own = output_row(worker, word);
	int			count = 0;

	targets->rows[count] = own;
	targets->labels[count++] = 1;
	for (int i = 0; i < model->negative && model->words > 1; i++)
	{
		int32_t		other = word;

		for (int tries = 0; other == word && tries < 11; tries++)
			other = sgd_draw_negative(&worker->random, model->negatives,
									  model->words);
		if (other == word)
			continue;
		targets->rows[count] = output_row(worker, other);
		targets->labels[count++] = 0;
	}
	targets->count = count;
}

/* The inner nodes on the way to a word; the label of branch 0 is 1. */
static inline void
targets_path(SgdWorker *worker, int32_t word, Targets *targets)
{
	const SgdModel *model = worker->model;
	const HuffmanPath *path = &model->paths[word];

	for (int i = 0; i < path->length; i++)
	{
		targets->rows[i] = replica_use(&worker->tree_output,
									   model->nodes[path->start + i],
									   &worker->joins);
		targets->labels[i] = ((path->code >> i) & 1) ? 0 : 1;
	}
	targets->count = path->length;
}

static inline void
targets_prefetch(const Targets *targets, int stride)
{
	for (int i = 0; i < targets->count; i++)
		row_prefetch(targets->rows[i], stride);
}

/* Minus the log likelihood of the targets. */
static void
add_loss(SgdWorker *worker, const Targets *targets, const float *scores)
{
	double		loss = 0;

	for (int i = 0; i < targets->count; i++)
	{
		double		x = targets->labels[i] > 0 ? -scores[i] : scores[i];

		loss += x > 30 ? x : log1p(exp(x));
	}
	worker->loss += loss;
	worker->loss_count++;
}

static inline void
take_step(SgdWorker *worker, float *input, Targets *targets)
{
	float		scores[STEP_MAX_TARGETS];

	if (targets->count == 0)
		return;
	worker->kernels->step(worker->model->stride, input, targets->rows,
						  targets->labels, targets->count, worker->alpha,
						  scores, worker->change);
	if (++worker->steps % LOSS_SAMPLE == 0)
		add_loss(worker, targets, scores);
}

/*
 * Input rows that are added to the hidden one, or that all move by what is in
 * it.
 */
typedef struct HiddenRows
{
	float	   *rows[ROWS_AT_ONCE];
	int			count;
	int			all;			/* put so far */
	bool		moves;
} HiddenRows;

/* The rows themselves are left as they are: it is one window after another. */
static inline void
hidden_rows_begin(HiddenRows *rows, bool moves)
{
	rows->count = 0;
	rows->all = 0;
	rows->moves = moves;
}

static inline void
hidden_rows_run(SgdWorker *worker, HiddenRows *rows)
{
	int			stride = worker->model->stride;

	if (rows->moves)
		worker->kernels->move(stride, rows->rows, rows->count,
							  worker->hidden);
	else
		worker->kernels->sum(stride, worker->hidden,
							 (const float *const *) rows->rows, rows->count);
}

static inline void
move_row(SgdWorker *worker, int32_t row, const float *change)
{
	const SgdModel *model = worker->model;

	worker->kernels->add(model->stride, input_row(worker, row),
						 change, model->rates == NULL ? 1 : model->rates[row]);
}

static inline void
hidden_rows_put(SgdWorker *worker, HiddenRows *rows, int32_t row)
{
	rows->all++;
	/* rows with rates move each by their own part */
	if (rows->moves && worker->model->rates != NULL)
	{
		move_row(worker, row, worker->hidden);
		return;
	}
	if (rows->count == ROWS_AT_ONCE)
	{
		hidden_rows_run(worker, rows);
		rows->count = 0;
	}
	rows->rows[rows->count++] = input_row(worker, row);
}

/* The rows of a word and of its n-grams */
static inline void
hidden_rows_put_word(SgdWorker *worker, HiddenRows *rows, int32_t word)
{
	const SgdModel *model = worker->model;

	hidden_rows_put(worker, rows, word);
	if (model->subword_start == NULL)
		return;
	for (int64_t i = model->subword_start[word];
		 i < model->subword_start[word + 1]; i++)
		hidden_rows_put(worker, rows, model->subword_rows[i]);
}

/* The rows of a window, and that of the document if it is one of them */
static inline void
hidden_rows_of_window(SgdWorker *worker, HiddenRows *rows,
					  const int32_t *words, int from, int to, int middle)
{
	for (int i = from; i <= to; i++)
		if (i != middle)
			hidden_rows_put_word(worker, rows, words[i]);
	if (worker->model->documents == SGD_DOCUMENT_IN_WINDOW)
		hidden_rows_put(worker, rows, worker->document);
	hidden_rows_run(worker, rows);
}

static inline int
hidden_rows_of_word(SgdWorker *worker, int32_t word, bool moves)
{
	HiddenRows	rows;

	hidden_rows_begin(&rows, moves);
	hidden_rows_put_word(worker, &rows, word);
	hidden_rows_run(worker, &rows);
	return rows.all;
}

/* hidden = mean of "count" summed rows; kept in "before" as well */
static inline void
hidden_begin(SgdWorker *worker, int count)
{
	worker->kernels->scale(worker->model->stride, worker->hidden,
						   1.0f / count, worker->before);
}

/* what the hidden row moved by, left in "hidden" */
static inline void
hidden_change(SgdWorker *worker)
{
	worker->kernels->add(worker->model->stride, worker->hidden,
						 worker->before, -1);
}

/*
 * The steps of one window word on a copy of its row, a share of whose change
 * the row then makes.
 */
static void
take_steps_in_part(SgdWorker *worker, int32_t word, Targets *negatives,
				   Targets *path)
{
	const SgdModel *model = worker->model;

	memcpy(worker->hidden, input_row(worker, word),
		   sizeof(float) * model->stride);
	hidden_begin(worker, 1);
	take_step(worker, worker->hidden, negatives);
	take_step(worker, worker->hidden, path);
	hidden_change(worker);
	move_row(worker, word, worker->hidden);
}

/* Skip-gram, word2vec's direction: window words predict the middle word. */
static inline void
skipgram(SgdWorker *worker, const int32_t *words, int from, int to, int middle,
		 Targets *negatives)
{
	const SgdModel *model = worker->model;
	Targets		path;

	path.count = 0;
	if (model->hierarchical_softmax)
		targets_path(worker, words[middle], &path);

	for (int i = from; i <= to; i++)
	{
		float	   *input;

		if (i == middle)
			continue;
		if (model->rates != NULL)
		{
			take_steps_in_part(worker, words[i], negatives, &path);
			continue;
		}
		input = input_row(worker, words[i]);
		take_step(worker, input, negatives);
		take_step(worker, input, &path);
	}
}

/* Skip-gram, fastText's direction: the middle word predicts the window. */
static void
skipgram_subwords(SgdWorker *worker, const int32_t *words, int from, int to,
				  int middle)
{
	const SgdModel *model = worker->model;
	Targets		targets[2];
	int			current = 0;
	int			next;

	memset(worker->hidden, 0, sizeof(float) * model->stride);
	hidden_begin(worker, hidden_rows_of_word(worker, words[middle], false));

	/* the targets of the next prediction are fetched during this one */
	targets[0].count = 0;
	for (int i = from; i <= to + 1; i++)
	{
		if (i == middle)
			continue;
		joins_run(&worker->joins);
		next = 1 - current;
		targets[next].count = 0;
		if (i <= to && model->negative > 0)
		{
			targets_negative(worker, words[i], &targets[next]);
			targets_prefetch(&targets[next], model->stride);
		}
		take_step(worker, worker->hidden, &targets[current]);
		if (i <= to && model->hierarchical_softmax)
		{
			Targets		path;

			targets_path(worker, words[i], &path);
			take_step(worker, worker->hidden, &path);
		}
		current = next;
	}

	hidden_change(worker);
	(void) hidden_rows_of_word(worker, words[middle], true);
}

/*
 * CBOW: the mean of the window predicts the middle word.  Every row gets the
 * whole change, not its share of the mean, as in word2vec.c.  A document's
 * row is as one more word of the window (PV-DM).
 */
static void
cbow(SgdWorker *worker, const int32_t *words, int from, int to, int middle,
	 Targets *negatives)
{
	const SgdModel *model = worker->model;
	HiddenRows	rows;

	hidden_rows_begin(&rows, false);
	memset(worker->hidden, 0, sizeof(float) * model->stride);
	hidden_rows_of_window(worker, &rows, words, from, to, middle);
	if (rows.all == 0)
		return;
	hidden_begin(worker, rows.all);
	take_step(worker, worker->hidden, negatives);
	if (model->hierarchical_softmax)
	{
		Targets		path;

		targets_path(worker, words[middle], &path);
		take_step(worker, worker->hidden, &path);
	}
	hidden_change(worker);
	if (rows.count == rows.all && model->rates == NULL)
	{
		/* all are at hand yet */
		rows.moves = true;
		hidden_rows_run(worker, &rows);
		return;
	}
	hidden_rows_begin(&rows, true);
	hidden_rows_of_window(worker, &rows, words, from, to, middle);
}

/*
 * Drop frequent words at random.  Windows are laid over what is left, so that
 * they reach further, as in word2vec.c.
 */
static int
subsample(SgdWorker *worker, const int32_t *words, int count)
{
	const uint32_t *keep = worker->model->keep;
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		worker->kept[kept] = words[i];
		kept += sgd_keeps(&worker->random, keep[words[i]]);
	}
	return kept;
}

/* so many words' rows are on their way at once */
#define TARGETS_AHEAD 4

/*
 * PV-DBOW: the row of the document predicts each of its words.  One step a
 * word is little time to fetch its rows in, so more of them are fetched ahead.
 */
static void
document_predicts(SgdWorker *worker, int count, int kept)
{
	const SgdModel *model = worker->model;
	float	   *row = input_row(worker, worker->document);
	Targets		ring[TARGETS_AHEAD];
	int			work = model->documents == SGD_DOCUMENT_ALONE ? count : 0;
	int			reported = 0;
	int			drawn = 0;

	for (int i = 0; i < kept; i++)
	{
		for (; drawn < kept && drawn < i + TARGETS_AHEAD; drawn++)
		{
			Targets    *targets = &ring[drawn % TARGETS_AHEAD];

			/* joins are due at any moment between two steps */
			if (drawn % TARGETS_AHEAD == 0)
				joins_run(&worker->joins);
			targets_negative(worker, worker->kept[drawn], targets);
			targets_prefetch(targets, model->stride);
		}
		take_step(worker, row, &ring[i % TARGETS_AHEAD]);
		if ((i + 1) % worker->report_interval == 0)
		{
			int			done = (int) ((int64_t) work * (i + 1) / kept);

			worker->report(worker, done - reported);
			reported = done;
		}
	}
	worker->report(worker, work - reported);
}

static void
train_windows(SgdWorker *worker, int count, int kept)
{
	const SgdModel *model = worker->model;
	bool		per_middle = model->negative > 0 &&
		(model->cbow || model->subword_start == NULL);
	Targets		negatives[2];
	int			reported = 0;
	int			near = 0;
	int			ahead = model->window_size + INPUT_AHEAD;

	negatives[0].count = negatives[1].count = 0;
	if (per_middle && kept > 0)
		targets_negative(worker, worker->kept[0], &negatives[0]);

	for (int middle = 0; middle < kept; middle++)
	{
		int			window = 1 + (int) random_below(&worker->random,
													model->window_size);
		int			from = middle - window < 0 ? 0 : middle - window;
		int			to = middle + window >= kept ? kept - 1 : middle + window;
		Targets    *current = &negatives[middle % 2];
		Targets    *next = &negatives[(middle + 1) % 2];

		joins_run(&worker->joins);
		for (; near < kept && near <= middle + ahead; near++)
			approach_word(worker, worker->kept[near]);
		if (per_middle && middle + 1 < kept)
		{
			targets_negative(worker, worker->kept[middle + 1], next);
			targets_prefetch(next, model->stride);
		}

		if (model->cbow)
			cbow(worker, worker->kept, from, to, middle, current);
		else if (model->subword_start != NULL)
			skipgram_subwords(worker, worker->kept, from, to, middle);
		else
			skipgram(worker, worker->kept, from, to, middle, current);

		/* words dropped by subsampling count as done, too */
		if ((middle + 1) % worker->report_interval == 0)
		{
			int			done = (int) ((int64_t) count * (middle + 1) / kept);

			worker->report(worker, done - reported);
			reported = done;
		}
	}
	worker->report(worker, count - reported);
}

void
sgd_train_document(SgdWorker *worker, const int32_t *words, int count)
{
	SgdDocuments documents = worker->model->documents;
	int			kept = subsample(worker, words, count);

	if (documents == SGD_DOCUMENT_ALONE || documents == SGD_DOCUMENT_AND_WORDS)
		document_predicts(worker, count, kept);
	if (documents != SGD_DOCUMENT_ALONE)
		train_windows(worker, count, kept);
}

static void
join_all(SgdWorker *worker, Replica *replica, double first)
{
	int32_t		start = (int32_t) (first * replica->copies);

	for (int32_t i = 0; i < replica->copies; i++)
	{
		replica_join(replica,
					 (int32_t) (((int64_t) start + i) % replica->copies),
					 worker->kernels);
		if ((i + 1) % worker->report_interval == 0)
			worker->report(worker, 0);
	}
}

void
sgd_join_all(SgdWorker *worker, double first)
{
	worker->joins.count = 0;
	join_all(worker, &worker->input, first);
	join_all(worker, &worker->negative_output, first);
	join_all(worker, &worker->tree_output, first);
}

void
sgd_build_keep(const int64_t *counts, int words, int64_t total, double sample,
			   uint32_t *keep)
{
	for (int i = 0; i < words; i++)
	{
		double		f = (double) counts[i] / total;
		double		p = sample <= 0 ? 1 : (sqrt(f / sample) + 1) * sample / f;

		keep[i] = p >= 1 ? UINT32_MAX : (uint32_t) (p * 4294967295.0);
	}
}

/*
 * Walker's method in Vose's form (IEEE Transactions on Software Engineering
 * 17(9), 1991): slots with less than the mean are filled up from slots with
 * more.
 */
void
sgd_build_negatives(const int64_t *counts, int words, double exponent,
					AliasSlot *slots, void *scratch)
{
	double	   *share = scratch;
	int32_t    *queue = (int32_t *) (share + words);
	int			small = 0;		/* queue[0 .. small): less than the mean */
	int			large = words;	/* queue[large .. words): the others */
	double		sum = 0;

	for (int i = 0; i < words; i++)
		sum += share[i] = pow((double) counts[i], exponent);
	for (int i = 0; i < words; i++)
	{
		share[i] *= words / sum;
		if (share[i] < 1)
			queue[small++] = i;
		else
			queue[--large] = i;
	}
	while (small > 0 && large < words)
	{
		int32_t		poor = queue[--small];
		int32_t		rich = queue[large];

		slots[poor].threshold = (uint32_t) (share[poor] * 4294967295.0);
		slots[poor].other = rich;
		share[rich] -= 1 - share[poor];
		if (share[rich] < 1)
		{
			large++;
			queue[small++] = rich;
		}
	}
	while (small > 0)
	{
		slots[queue[--small]].threshold = UINT32_MAX;
		slots[queue[small]].other = queue[small];
	}
	for (; large < words; large++)
	{
		slots[queue[large]].threshold = UINT32_MAX;
		slots[queue[large]].other = queue[large];
	}
}
