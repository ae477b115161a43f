/*-------------------------------------------------------------------------
 *
 * trainer.c
 *	  Several processes train one model in shared memory.
 *
 * Workers come from the server's parallel contexts: they have the leader's
 * user, settings and snapshot, and end with it.  They run no SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "train/progress.h"
#include "train/trainer.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "postmaster/bgworker_internals.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define KEY_STATE			UINT64CONST(1)
#define MAX_TASKS			16
#define TRAINER_ALIGNMENT	64

/* how often a worker looks whether all have come */
#define WAIT_MILLISECONDS	2

/*
 * The recent loss is a mean over at least so many losses, each weighing less
 * by this factor when as many have followed.
 */
#define RECENT_LOSSES		4096
#define RECENT_DECAY		0.5

/* bytes cleared at once: what takes a few milliseconds */
#define CLEAR_PIECE			((Size) 16 * 1024 * 1024)

/* What a worker needs to begin, in the parallel context's own segment. */
typedef struct TrainerState
{
	char		task[NAMEDATALEN];
	dsm_handle	files;
	dsm_handle	memory;
	pg_atomic_uint32 workers;	/* numbers handed out */
} TrainerState;

static const TrainerTask *tasks[MAX_TASKS];
static int	task_count = 0;

void
trainer_task_register(const TrainerTask *task)
{
	if (task_count == MAX_TASKS)
		elog(ERROR, "too many training tasks");
	tasks[task_count++] = task;
}

static void *
memory_of(dsm_segment *segment)
{
	return (char *) dsm_segment_address(segment) +
		TYPEALIGN(TRAINER_ALIGNMENT, sizeof(TrainerControl));
}

void
trainer_check(void)
{
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot train a model during a parallel operation")));
}

int
trainer_workers(bool given, int workers)
{
	if (!given)
		return Min(max_parallel_maintenance_workers, max_parallel_workers) + 1;
	if (workers < 1 || workers > MAX_PARALLEL_WORKER_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("workers must be between 1 and %d",
						MAX_PARALLEL_WORKER_LIMIT),
				 errdetail("The session itself counts as one worker.")));
	return workers;
}

uint64
trainer_seed(bool given, int64 seed)
{
	uint64		random;

	if (given)
		return (uint64) seed;
	if (!pg_strong_random(&random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
	return random;
}

/*
 * Where shared memory is a small file system (such as /dev/shm of a
 * container) the server's message names a file nobody knows; say what it was
 * for.
 */
static dsm_segment *
segment_create(Size bytes, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	dsm_segment *segment;

	PG_TRY();
	{
		segment = dsm_create(bytes, 0);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_DISK_FULL &&
			error->sqlerrcode != ERRCODE_OUT_OF_MEMORY)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("not enough shared memory for the %s", what),
				 errdetail("%zu MB are needed: %s.",
						   bytes / (1024 * 1024) + 1, error->message),
				 errhint("Enlarge /dev/shm (in a container, its shared memory size), or train fewer words or dimensions.")));
	}
	PG_END_TRY();
	return segment;
}

TrainerFiles *
trainer_files_create(void)
{
	TrainerFiles *files = palloc(sizeof(TrainerFiles));

	files->segment = segment_create(sizeof(SharedFileSet), "corpus");
	files->files = dsm_segment_address(files->segment);
	SharedFileSetInit(files->files, files->segment);
	return files;
}

void
trainer_files_free(TrainerFiles *files)
{
	dsm_detach(files->segment);
	pfree(files);
}

Size
trainer_reserve(Size *bytes, Size count, Size size)
{
	Size		offset = TYPEALIGN(TRAINER_ALIGNMENT, *bytes);

	*bytes = add_size(offset, mul_size(count, size));
	return offset;
}

TrainerMemory *
trainer_memory_create(Size bytes, const char *what)
{
	TrainerMemory *memory = palloc(sizeof(TrainerMemory));

	bytes += TYPEALIGN(TRAINER_ALIGNMENT, sizeof(TrainerControl));
	memory->segment = segment_create(bytes, what);
	memory->control = dsm_segment_address(memory->segment);
	memory->memory = memory_of(memory->segment);

	for (Size at = 0; at < bytes; at += CLEAR_PIECE)
	{
		CHECK_FOR_INTERRUPTS();
		memset((char *) memory->control + at, 0, Min(bytes - at, CLEAR_PIECE));
	}
	pg_atomic_init_u32(&memory->control->members, 0);
	trainer_plan(memory, 0, 0, 1);
	return memory;
}

/* No other process has the memory mapped now. */
void
trainer_plan(TrainerMemory *memory, int64 slices, int64 total, int epochs)
{
	TrainerControl *control = memory->control;

	pg_atomic_init_u64(&control->next_slice, 0);
	pg_atomic_init_u64(&control->done, 0);
	control->runs = 0;
	control->until = 0;
	control->slices = slices;
	control->total = total;
	control->points = Max(1, Min(epochs, TRAINER_POINTS));
	for (int i = 0; i < TRAINER_POINTS; i++)
	{
		pg_atomic_init_u64(&control->curve[i].sum, 0);
		pg_atomic_init_u64(&control->curve[i].count, 0);
	}
}

void
trainer_memory_free(TrainerMemory *memory)
{
	dsm_detach(memory->segment);
	pfree(memory);
}

static void
read_curve(TrainerControl *control, TrainerCurve *curve)
{
	curve->points = control->points;
	curve->losses = palloc(sizeof(double) * control->points);
	for (int i = 0; i < control->points; i++)
	{
		TrainerLoss *loss = &control->curve[i];
		uint64		count = pg_atomic_read_u64(&loss->count);

		curve->losses[i] = count == 0 ? NAN :
			(int64) pg_atomic_read_u64(&loss->sum) / 1e6 / count;
	}
}

void
trainer_report_curve(const TrainerCurve *curve)
{
	StringInfoData line;

	initStringInfo(&line);
	for (int i = 0; i < curve->points; i++)
		appendStringInfo(&line, " %.9g", curve->losses[i]);
	ereport(DEBUG1,
			(errmsg_internal("loss of each epoch:%s", line.data)));
	pfree(line.data);
}

/*
 * Begin a step where the one before has ended; the counter of slices went on
 * when nothing was left.
 */
static void
begin_step(TrainerControl *control, int64 until)
{
	uint64		next = pg_atomic_read_u64(&control->next_slice);

	if (control->runs > 0)
		next = Min(next, (uint64) control->until);
	pg_atomic_write_u64(&control->next_slice, next);
	control->until = until > 0 ? Min(until, control->slices) :
		control->slices;
	pg_atomic_write_u32(&control->members, 0);
}

int
trainer_run(const TrainerTask *task, TrainerFiles *files,
			TrainerMemory *memory, int workers, int64 until,
			Progress *progress, TrainerCurve *curve)
{
	ParallelContext *context = NULL;
	Trainer		trainer = {0};
	int			launched = 0;

	trainer_check();
	begin_step(memory->control, until);
	if (workers > 1)
	{
		TrainerState *state;

		EnterParallelMode();
		context = CreateParallelContext("embed", "embed_trainer_worker",
										workers - 1);
		shm_toc_estimate_chunk(&context->estimator, sizeof(TrainerState));
		shm_toc_estimate_keys(&context->estimator, 1);
		InitializeParallelDSM(context);

		state = shm_toc_allocate(context->toc, sizeof(TrainerState));
		strlcpy(state->task, task->name, NAMEDATALEN);
		state->files = dsm_segment_handle(files->segment);
		state->memory = dsm_segment_handle(memory->segment);
		pg_atomic_init_u32(&state->workers, 1);
		shm_toc_insert(context->toc, KEY_STATE, state);

		LaunchParallelWorkers(context);
		launched = context->nworkers_launched;
		if (launched > 0)
			WaitForParallelWorkersToAttach(context);
	}

	pg_atomic_write_u32(&memory->control->members, launched + 1);
	trainer.control = memory->control;
	trainer.memory = memory->memory;
	trainer.files = files->files;
	trainer.worker = 0;
	trainer.run = memory->control->runs;
	trainer.progress = progress;
	trainer.recent = NAN;
	task->work(&trainer);

	if (context != NULL)
	{
		WaitForParallelWorkersToFinish(context);
		DestroyParallelContext(context);
		ExitParallelMode();
	}
	memory->control->runs++;
	if (curve != NULL)
		read_curve(memory->control, curve);
	return launched + 1;
}

void
embed_trainer_worker(dsm_segment *segment, shm_toc *toc)
{
	TrainerState *state = shm_toc_lookup(toc, KEY_STATE, false);
	dsm_segment *files = dsm_attach(state->files);
	dsm_segment *memory = dsm_attach(state->memory);
	Trainer		trainer = {0};

	if (files == NULL || memory == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map the memory of the training")));
	trainer.control = dsm_segment_address(memory);
	trainer.memory = memory_of(memory);
	trainer.files = dsm_segment_address(files);
	trainer.worker = (int) pg_atomic_fetch_add_u32(&state->workers, 1);
	trainer.run = trainer.control->runs;
	SharedFileSetAttach(trainer.files, files);

	for (int i = 0; i < task_count; i++)
	{
		if (strcmp(tasks[i]->name, state->task) == 0)
		{
			tasks[i]->work(&trainer);
			dsm_detach(memory);
			dsm_detach(files);
			return;
		}
	}
	elog(ERROR, "unknown training task \"%s\"", state->task);
}

int
trainer_members(Trainer *trainer)
{
	uint32		members;

	while ((members = pg_atomic_read_u32(&trainer->control->members)) == 0)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 WAIT_MILLISECONDS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return (int) members;
}

int64
trainer_next_slice(Trainer *trainer)
{
	uint64		slice =
			 pg_atomic_fetch_add_u64(&trainer->control->next_slice, 1);

	if (slice >= (uint64) trainer->control->until)
		return -1;
	trainer->slice = (int64) slice;
	return (int64) slice;
}

/*
 * A loss that is no number is left out: the weights are none either then, and
 * the method says so before it writes them.
 */
static void
add_loss(Trainer *trainer, double loss, int64 losses)
{
	TrainerControl *control = trainer->control;
	TrainerLoss *point = &control->curve[trainer->slice * control->points /
										 Max(control->slices, 1)];

	if (losses <= 0 || !(fabs(loss) < 1e12))
		return;
	pg_atomic_fetch_add_u64(&point->sum, (uint64) (int64) (loss * 1e6));
	pg_atomic_fetch_add_u64(&point->count, losses);
}

/* The mean loss of late: a mean since the start would hide what goes on. */
static double
recent_loss(Trainer *trainer)
{
	TrainerControl *control = trainer->control;
	int64		sum = 0;
	int64		count = 0;
	double		mean;

	for (int i = 0; i < control->points; i++)
	{
		sum += (int64) pg_atomic_read_u64(&control->curve[i].sum);
		count += (int64) pg_atomic_read_u64(&control->curve[i].count);
	}
	if (count - trainer->seen_count <
		(isnan(trainer->recent) ? 1 : RECENT_LOSSES))
		return trainer->recent;
	mean = (sum - trainer->seen_sum) / 1e6 / (count - trainer->seen_count);
	trainer->recent = isnan(trainer->recent) ? mean :
		RECENT_DECAY * trainer->recent + (1 - RECENT_DECAY) * mean;
	trainer->seen_sum = sum;
	trainer->seen_count = count;
	return trainer->recent;
}

int64
trainer_report(Trainer *trainer, int64 done, double loss, int64 losses)
{
	TrainerControl *control = trainer->control;
	uint64		all = pg_atomic_add_fetch_u64(&control->done, done);

	CHECK_FOR_INTERRUPTS();
	add_loss(trainer, loss, losses);
	if (trainer->progress != NULL)
		progress_update(trainer->progress, (double) all,
						recent_loss(trainer));
	return (int64) all;
}
