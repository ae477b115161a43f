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
	Assert(task_count < MAX_TASKS);
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

TrainerMemory *
trainer_memory_create(Size bytes, const char *what)
{
	TrainerMemory *memory = palloc(sizeof(TrainerMemory));
	TrainerControl *control;

	bytes += TYPEALIGN(TRAINER_ALIGNMENT, sizeof(TrainerControl));
	memory->segment = segment_create(bytes, what);
	memory->control = dsm_segment_address(memory->segment);
	memory->memory = memory_of(memory->segment);

	for (Size at = 0; at < bytes; at += CLEAR_PIECE)
	{
		CHECK_FOR_INTERRUPTS();
		memset((char *) memory->control + at, 0, Min(bytes - at, CLEAR_PIECE));
	}
	control = memory->control;
	pg_atomic_init_u64(&control->next_slice, 0);
	pg_atomic_init_u64(&control->done, 0);
	pg_atomic_init_u64(&control->loss, 0);
	pg_atomic_init_u64(&control->losses, 0);
	pg_atomic_init_u32(&control->members, 0);
	return memory;
}

void
trainer_memory_free(TrainerMemory *memory)
{
	dsm_detach(memory->segment);
	pfree(memory);
}

int
trainer_run(const TrainerTask *task, TrainerFiles *files,
			TrainerMemory *memory, int workers, Progress *progress)
{
	ParallelContext *context = NULL;
	Trainer		trainer;
	int			launched = 0;

	trainer_check();
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
	trainer.progress = progress;
	task->work(&trainer);

	if (context != NULL)
	{
		WaitForParallelWorkersToFinish(context);
		DestroyParallelContext(context);
		ExitParallelMode();
	}
	return launched + 1;
}

void
embed_trainer_worker(dsm_segment *segment, shm_toc *toc)
{
	TrainerState *state = shm_toc_lookup(toc, KEY_STATE, false);
	dsm_segment *files = dsm_attach(state->files);
	dsm_segment *memory = dsm_attach(state->memory);
	Trainer		trainer;

	if (files == NULL || memory == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map the memory of the training")));
	trainer.control = dsm_segment_address(memory);
	trainer.memory = memory_of(memory);
	trainer.files = dsm_segment_address(files);
	trainer.worker = (int) pg_atomic_fetch_add_u32(&state->workers, 1);
	trainer.progress = NULL;
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
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 WAIT_MILLISECONDS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return (int) members;
}

int64
trainer_next_slice(Trainer *trainer)
{
	uint64		slice = pg_atomic_fetch_add_u64(&trainer->control->next_slice, 1);

	return slice < trainer->control->slices ? (int64) slice : -1;
}

int64
trainer_report(Trainer *trainer, int64 done, double loss, int64 losses)
{
	TrainerControl *control = trainer->control;
	uint64		all = pg_atomic_add_fetch_u64(&control->done, done);

	CHECK_FOR_INTERRUPTS();
	if (losses > 0)
	{
		pg_atomic_fetch_add_u64(&control->loss, (uint64) (loss * 1e6));
		pg_atomic_fetch_add_u64(&control->losses, losses);
	}
	if (trainer->progress != NULL)
	{
		uint64		count = pg_atomic_read_u64(&control->losses);

		progress_update(trainer->progress, (double) all,
						count == 0 ? NAN :
						pg_atomic_read_u64(&control->loss) / 1e6 / count);
	}
	return (int64) all;
}
