/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  The memory that the workers of a training share, and their task.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/word2vec/word2vec.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static inline void *
part(Word2vecShared *shared, Size offset)
{
	return offset == 0 ? NULL : (char *) shared + offset;
}

static void
lay_out(Word2vecShared *layout, const Word2vecOptions *options,
		const EncodedCorpus *corpus, const Subwords *subwords, int64 nodes)
{
	Size		row = sizeof(float) * layout->stride;
	Size		bytes = sizeof(Word2vecShared);
	Size		words = corpus->words;

	layout->input = trainer_reserve(&bytes, layout->rows, row);
	if (options->negative > 0)
	{
		layout->negative_output = trainer_reserve(&bytes, words, row);
		layout->negatives = trainer_reserve(&bytes, words, sizeof(AliasSlot));
	}
	if (options->hierarchical_softmax)
	{
		layout->tree_output = trainer_reserve(&bytes, words, row);
		layout->paths = trainer_reserve(&bytes, words, sizeof(HuffmanPath));
		layout->nodes = trainer_reserve(&bytes, Max(nodes, 1), sizeof(int32));
	}
	layout->keep = trainer_reserve(&bytes, words, sizeof(uint32));
	if (subwords != NULL)
	{
		layout->subword_start = trainer_reserve(&bytes, words + 1,
												sizeof(int64));
		layout->subword_rows = trainer_reserve(&bytes,
											   Max(subwords->start[words], 1),
											   sizeof(int32));
	}
	if (OidIsValid(options->from_model))
		layout->rates = trainer_reserve(&bytes, layout->rows, sizeof(float));
	if (options->documents != SGD_NO_DOCUMENTS)
		layout->first_documents = trainer_reserve(&bytes, layout->slices,
												  sizeof(int64));
	layout->bytes = bytes;
}

static void
fill_input(Word2vecShared *shared)
{
	Random		random;

	random_seed_stream(&random, shared->seed, 0);
	for (int32 row = 0; row < shared->rows; row++)
	{
		sgd_init_row(word2vec_input_row(shared, row), shared->dims,
					 shared->stride, &random);
		if (row % 10000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

static int64
build_tree(const int64 *counts, int32 words, HuffmanPath *paths, int32 *nodes)
{
	void	   *scratch = palloc_extended(mul_size(words, 32),
										  MCXT_ALLOC_HUGE);
	int64		count = huffman_build(counts, words, paths, nodes, scratch);

	pfree(scratch);
	if (count < 0 || count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("word counts are too uneven for hierarchical softmax"),
				 errhint("Use negative sampling, or raise min_count.")));
	return count;
}

static void
fill_tables(Word2vecShared *shared, const Word2vecOptions *options,
			const EncodedCorpus *corpus, const int64 *counts)
{
	sgd_build_keep(counts, corpus->words, corpus->tokens, options->sample,
				   part(shared, shared->keep));
	if (shared->negative > 0)
	{
		void	   *scratch = palloc_extended(mul_size(corpus->words, 12),
											  MCXT_ALLOC_HUGE);

		sgd_build_negatives(counts, corpus->words, 0.75,
							part(shared, shared->negatives), scratch);
		pfree(scratch);
	}
	if (shared->hierarchical_softmax)
		build_tree(counts, corpus->words, part(shared, shared->paths),
				   part(shared, shared->nodes));
}

/*
 * Create the memory and fill in what training starts from.
 */
TrainerMemory *
word2vec_share(const Word2vecOptions *options, const EncodedCorpus *corpus,
			   const Subwords *subwords)
{
	Word2vecShared layout = {0};
	Word2vecShared *shared;
	TrainerMemory *memory;
	int64	   *counts = palloc_extended(
			 mul_size(corpus->words, sizeof(int64)), MCXT_ALLOC_HUGE);
	int64		nodes = 0;

	for (int32 i = 0; i < corpus->words; i++)
		counts[i] = corpus->vocabulary[i].count;
	if (options->hierarchical_softmax)
	{
		HuffmanPath *paths = palloc_extended(
			mul_size(corpus->words, sizeof(HuffmanPath)), MCXT_ALLOC_HUGE);

		nodes = build_tree(counts, corpus->words, paths, NULL);
		pfree(paths);
	}

	if (options->document_count > PG_INT32_MAX - corpus->words)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("corpus has too many documents"),
				 errdetail("It has " INT64_FORMAT "; training holds a row for each of them.",
						   options->document_count),
				 errhint("Train on a part of them: other texts get their vectors by embed().")));
	layout.words = corpus->words;
	layout.rows = corpus->words + (subwords ? subwords->touched : 0) +
		(int32) options->document_count;
	layout.documents = options->documents;
	layout.dims = options->dims;
	layout.stride = TYPEALIGN(STEP_LANES, options->dims);
	layout.window_size = options->window_size;
	layout.negative = options->negative;
	layout.cbow = options->cbow;
	layout.hierarchical_softmax = options->hierarchical_softmax;
	layout.alpha = options->alpha;
	layout.seed = options->seed;
	layout.ids = corpus->ids;
	layout.slices = (corpus->ids + ENCODED_SLICE - 1) / ENCODED_SLICE;
	lay_out(&layout, options, corpus, subwords, nodes);

	memory = trainer_memory_create(layout.bytes, "weights");
	shared = memory->memory;
	*shared = layout;
	trainer_plan(memory, shared->slices * options->epochs,
				 corpus->tokens * options->epochs, options->epochs);

	fill_input(shared);
	fill_tables(shared, options, corpus, counts);
	if (shared->first_documents != 0)
		memcpy(part(shared, shared->first_documents),
			   options->first_documents, sizeof(int64) * shared->slices);
	if (subwords != NULL)
	{
		memcpy(part(shared, shared->subword_start), subwords->start,
			   sizeof(int64) * (corpus->words + 1));
		memcpy(part(shared, shared->subword_rows), subwords->rows,
			   sizeof(int32) * subwords->start[corpus->words]);
	}
	pfree(counts);
	return memory;
}

float *
word2vec_input_row(Word2vecShared *shared, int32 row)
{
	return (float *) part(shared, shared->input) + (Size) row * shared->stride;
}

float *
word2vec_output_row(Word2vecShared *shared, int32 word)
{
	return (float *) part(shared, shared->negative_output) +
		(Size) word * shared->stride;
}

float *
word2vec_rates(Word2vecShared *shared)
{
	return part(shared, shared->rates);
}

/* ---------- the task ---------- */

typedef struct TaskState
{
	Trainer    *trainer;
	const Word2vecShared *shared;
	double		loss;			/* of the worker, already reported */
	int64		losses;
} TaskState;

/*
 * The learning rate falls linearly with all work done by all workers, down
 * to a ten-thousandth.
 */
static void
task_report(SgdWorker *worker, int words)
{
	TaskState  *state = worker->report_state;
	int64		done = trainer_report(state->trainer, words,
									  worker->loss - state->loss,
									  worker->loss_count - state->losses);
	double		left = 1 - (double) done / state->trainer->control->total;

	worker->alpha = state->shared->alpha * Max(left, 1e-4);
	state->loss = worker->loss;
	state->losses = worker->loss_count;
}

static void
model_of_shared(SgdModel *model, Word2vecShared *shared)
{
	memset(model, 0, sizeof(*model));
	model->words = shared->words;
	model->stride = shared->stride;
	model->window_size = shared->window_size;
	model->negative = shared->negative;
	model->cbow = shared->cbow;
	model->hierarchical_softmax = shared->hierarchical_softmax;
	model->documents = shared->documents;
	model->input = part(shared, shared->input);
	model->negative_output = part(shared, shared->negative_output);
	model->tree_output = part(shared, shared->tree_output);
	model->keep = part(shared, shared->keep);
	model->negatives = part(shared, shared->negatives);
	model->paths = part(shared, shared->paths);
	model->nodes = part(shared, shared->nodes);
	model->subword_start = part(shared, shared->subword_start);
	model->subword_rows = part(shared, shared->subword_rows);
	model->rates = part(shared, shared->rates);
}

/*
 * Inner nodes near the root are used with nearly every word: their copies must
 * not drift apart for as long as those of words may.
 */
#define TREE_SHORTER 4

static void
make_copies(Replica *replica, int64 copies, int longest_wait)
{
	void	   *memory;

	if (copies == 0)
		return;
	memory = palloc_extended(
		add_size(mul_size(copies, replica_row_size(replica->stride)),
				 STEP_ALIGNMENT),
		MCXT_ALLOC_HUGE);
	replica_attach(replica, (int32_t) copies, longest_wait,
				   (void *) TYPEALIGN(STEP_ALIGNMENT, memory));
	for (int32 row = 0; row < copies; row++)
	{
		replica_load(replica, row);
		if (row % 10000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/*
 * All but one of the workers train copies.  The leader is the one that does
 * not: it may be alone, and one set of copies less is half of them where there
 * are two workers.  The copies of all workers together are kept within
 * maintenance_work_mem; the rows with the lowest numbers have them, which are
 * the most frequent ones.
 */
static void
copy_rows(SgdWorker *worker, const Word2vecShared *shared, int workers)
{
	int64		rows = (int64) maintenance_work_mem * 1024 / workers /
		replica_row_size(shared->stride);
	int			matrices = 1 + (shared->negative > 0) +
		shared->hierarchical_softmax;
	int			longest_wait = replica_longest_wait(workers);
	int64		outputs = Min(rows / matrices, shared->words);

	/* a document has one worker at a time */
	int64		inputs = shared->documents != SGD_NO_DOCUMENTS ?
		shared->words : shared->rows;

	if (shared->negative > 0)
		make_copies(&worker->negative_output, outputs, longest_wait);
	if (shared->hierarchical_softmax)
		make_copies(&worker->tree_output, outputs,
					replica_longest_wait(workers * TREE_SHORTER));
	make_copies(&worker->input,
				Min(rows - outputs * (matrices - 1), inputs),
				longest_wait);
}

/*
 * Documents of one slice; one that goes on in the next slice is cut there.
 * row: of the first document, if they have rows
 */
static void
train_slice(SgdWorker *worker, const int32 *ids, int count, int32 row)
{
	int			start = 0;

	worker->document = row;

	for (int i = 0; i <= count; i++)
	{
		if (i < count && ids[i] != ENCODED_END)
			continue;
		if (i > start)
			sgd_train_document(worker, ids + start, i - start);
		start = i + 1;
		worker->document++;
	}
}

static int32
first_row(Word2vecShared *shared, int64 slice)
{
	const int64 *first = part(shared, shared->first_documents);

	return first == NULL ? 0 : shared->words + (int32) first[slice];
}

static void
word2vec_work(Trainer *trainer)
{
	Word2vecShared *shared = trainer->memory;
	EncodedReader *reader = encoded_reader_open(trainer->files, shared->ids);
	int32	   *ids = palloc(sizeof(int32) * ENCODED_SLICE);
	SgdModel	model;
	SgdWorker	worker;
	TaskState	state = {trainer, shared, 0, 0};
	void	   *scratch;
	int			members = trainer_members(trainer);
	int64		slice;

	model_of_shared(&model, shared);
	scratch = palloc(sgd_scratch_size(&model) + STEP_ALIGNMENT);
	sgd_worker_init(&worker, &model, 0,
					(void *) TYPEALIGN(STEP_ALIGNMENT, scratch));
	random_seed_stream(&worker.random, shared->seed,
					   ((uint64) trainer->run << 32) + 1 + trainer->worker);
	worker.report = task_report;
	worker.report_state = &state;
	task_report(&worker, 0);
	if (trainer->worker > 0)
		copy_rows(&worker, shared, members - 1);

	while ((slice = trainer_next_slice(trainer)) >= 0)
	{
		int			count = encoded_reader_read(reader, slice % shared->slices,
												ids);

		train_slice(&worker, ids, count,
					first_row(shared, slice % shared->slices));
	}
	sgd_join_all(&worker, (double) trainer->worker / members);
	encoded_reader_close(reader);
	pfree(scratch);
	pfree(ids);
}

const TrainerTask word2vec_task = {"word2vec", word2vec_work};
