/*-------------------------------------------------------------------------
 *
 * glove_shared.c
 *	  The memory that the workers of a GloVe training share, and their task.
 *
 * A slice of the trainer is a tile.  Those of one round share no row, so the
 * only thing to wait for is the end of the round before; see glove_order.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <fcntl.h>

#include "encoder/glove/glove.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buffile.h"

/* records read and trained at once */
#define PIECE 4096

static void *
part(GloveShared *shared, Size offset)
{
	return (char *) shared + offset;
}

float *
glove_word_row(GloveShared *shared, int32 word)
{
	return (float *) part(shared, shared->words) +
		glove_order_row(&shared->order, word) *
		glove_row_floats(shared->stride);
}

float *
glove_context_row(GloveShared *shared, int32 word)
{
	return (float *) part(shared, shared->contexts) +
		glove_order_row(&shared->order, word) *
		glove_row_floats(shared->stride);
}

int64 *
glove_starts(GloveShared *shared)
{
	return part(shared, shared->starts);
}

TrainerMemory *
glove_share(int32 words, int dims, double eta, uint64 seed)
{
	GloveShared layout = {0};
	GloveShared *shared;
	TrainerMemory *memory;
	Size		bytes = sizeof(GloveShared);
	Size		row;
	Size		tiles;

	layout.dims = dims;
	layout.stride = TYPEALIGN(GLOVE_LANES, dims);
	layout.eta = (float) eta;
	glove_order_init(&layout.order, words, layout.stride, seed);
	row = sizeof(float) * glove_row_floats(layout.stride);
	tiles = (Size) layout.order.blocks * layout.order.blocks;
	layout.words = trainer_reserve(&bytes, glove_order_rows(&layout.order),
								   row);
	layout.contexts = trainer_reserve(&bytes, glove_order_rows(&layout.order),
									  row);
	layout.starts = trainer_reserve(&bytes, tiles + 1, sizeof(int64));
	layout.bytes = bytes;

	memory = trainer_memory_create(layout.bytes, "weights");
	shared = memory->memory;
	*shared = layout;
	pg_atomic_init_u64(&shared->finished, 0);
	pg_atomic_init_u32(&shared->broken, 0);
	ConditionVariableInit(&shared->progress);
	for (int32 word = 0; word < words; word++)
	{
		glove_init_row(&shared->order, word, 0, dims, shared->stride,
					   glove_word_row(shared, word));
		glove_init_row(&shared->order, word, 1, dims, shared->stride,
					   glove_context_row(shared, word));
		if (word % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return memory;
}

/* ---------- the task ---------- */

/* Until so many tiles are finished */
static void
wait_for(GloveShared *shared, uint64 tiles)
{
	if (pg_atomic_read_u64(&shared->finished) >= tiles)
		return;
	ConditionVariablePrepareToSleep(&shared->progress);
	while (pg_atomic_read_u64(&shared->finished) < tiles)
		ConditionVariableSleep(&shared->progress, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

static void
finish_tile(GloveShared *shared)
{
	pg_atomic_fetch_add_u64(&shared->finished, 1);
	ConditionVariableBroadcast(&shared->progress);
}

/* The first record that broke is told; whoever comes later has its numbers. */
static void
tell_broken(GloveShared *shared, int64 epoch, const GloveRecord *record)
{
	uint32		whole = 0;

	if (pg_atomic_compare_exchange_u32(&shared->broken, &whole,
									   (uint32) epoch + 1))
	{
		shared->broken_word = glove_order_word(&shared->order, record->row);
		shared->broken_context = glove_order_word(&shared->order,
												  record->column);
	}
}

static double
train_tile(GloveShared *shared, BufFile *file, int64 epoch, int32 tile,
		   GloveRecord *records)
{
	const GloveKernels *kernels = glove_kernels(NULL);
	int64		at = glove_starts(shared)[tile];
	int64		end = glove_starts(shared)[tile + 1];
	double		cost = 0;
	GloveModel	model;

	if (at == end)
		return 0;
	model.words = part(shared, shared->words);
	model.contexts = part(shared, shared->contexts);
	model.stride = shared->stride;
	model.eta = shared->eta;
	if (BufFileSeek(file, 0, at * (off_t) sizeof(GloveRecord), SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
	for (; at < end; at += PIECE)
	{
		int			count = (int) Min(end - at, PIECE);
		int			trained;

		CHECK_FOR_INTERRUPTS();
		BufFileReadExact(file, records, sizeof(GloveRecord) * count);
		trained = kernels->train(&model, records, count, &cost);
		if (trained < count)
		{
			tell_broken(shared, epoch, &records[trained]);
			break;
		}
	}
	return cost;
}

static void
glove_work(Trainer *trainer)
{
	GloveShared *shared = trainer->memory;
	const GloveOrder *order = &shared->order;
	int64		tiles = (int64) order->blocks * order->blocks;
	BufFile    *file = BufFileOpenFileSet(FILE_SET(trainer->files),
										  GLOVE_RECORDS_FILE, O_RDONLY, false);
	GloveRecord *records = palloc(sizeof(GloveRecord) * PIECE);
	int64		slice;

	while ((slice = trainer_next_slice(trainer)) >= 0)
	{
		int64		epoch = slice / tiles;
		int32		round = (int32) (slice % tiles / order->blocks);
		int32		block = (int32) (slice % order->blocks);
		int32		tile = glove_order_tile(order, epoch, round, block);
		int64		count = glove_starts(shared)[tile + 1] -
			glove_starts(shared)[tile];
		double		cost = 0;

		wait_for(shared, slice - block);
		if (pg_atomic_read_u32(&shared->broken) == 0)
			cost = train_tile(shared, file, epoch, tile, records);
		trainer_report(trainer, count, cost, count);
		finish_tile(shared);
	}
	BufFileClose(file);
	pfree(records);
}

const TrainerTask glove_task = {"glove", glove_work};
