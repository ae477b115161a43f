/*-------------------------------------------------------------------------
 *
 * trainer.h
 *	  Several processes train one model in shared memory.
 *
 * Parallel mode forbids SQL writes, so training goes in four phases: the
 * corpus is read and encoded (encode.h), workers train on memory of their
 * own making (trainer_run), they end, and the leader writes the table.
 *
 * The memory is a segment that the leader creates before and reads after
 * parallel mode.  Its first part is a TrainerControl; what follows belongs to
 * the method.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "server/server.h"

#include "train/progress.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "storage/sharedfileset.h"
#include "train/progress.h"

/* What all participants may see and change. */
typedef struct TrainerControl
{
	pg_atomic_uint64 next_slice;	/* handed out by trainer_next_slice */
	pg_atomic_uint64 done;		/* units of work, for progress and decay */
	pg_atomic_uint64 loss;		/* sum of losses, in millionths */
	pg_atomic_uint64 losses;	/* their number */
	pg_atomic_uint32 members;	/* participants, 0: not yet known */
	int64		slices;			/* of the whole training */
	int64		total;			/* units of work of the whole training */
} TrainerControl;

/* One participant: worker 0 is the leader. */
typedef struct Trainer
{
	TrainerControl *control;
	void	   *memory;			/* the method's part of the segment */
	SharedFileSet *files;		/* the encoded corpus */
	int			worker;
	Progress   *progress;		/* leader only */
} Trainer;

/*
 * What a participant does.  Registered under a name, since workers are other
 * processes.
 */
typedef struct TrainerTask
{
	const char *name;
	void		(*work) (Trainer *trainer);
} TrainerTask;

extern void trainer_task_register(const TrainerTask *task);

/*
 * Temporary files that workers can open, such as the encoded corpus.  They go
 * away with the resource owner or by trainer_files_free.
 */
typedef struct TrainerFiles
{
	dsm_segment *segment;
	SharedFileSet *files;
} TrainerFiles;

extern TrainerFiles *trainer_files_create(void);
extern void trainer_files_free(TrainerFiles *files);

/*
 * A segment of "bytes" bytes for the method, zeroed, aligned to 64 bytes, for
 * "what" (as in "weights"); too little shared memory is an error that says
 * how much is needed.  It
 * goes away with the resource owner or by trainer_memory_free.
 */
typedef struct TrainerMemory
{
	dsm_segment *segment;
	TrainerControl *control;
	void	   *memory;
} TrainerMemory;

extern TrainerMemory *trainer_memory_create(Size bytes, const char *what);
extern void trainer_memory_free(TrainerMemory *memory);

/*
 * Run the task in "workers" processes, the leader included; NULL or fewer
 * granted workers are no error.  Returns how many took part.
 */
extern int	trainer_run(const TrainerTask *task, TrainerFiles *files,
						TrainerMemory *memory, int workers,
						Progress *progress);

/* ereports when training cannot start here: inside a parallel plan */
extern void trainer_check(void);

/* max_parallel_maintenance_workers + 1 unless given; checks the argument */
extern int	trainer_workers(bool given, int workers);

/*
 * How many take part: workers that were asked for may not have been granted.
 * Waits until that is known.
 */
extern int	trainer_members(Trainer *trainer);

/* the next slice to work on, or -1 */
extern int64 trainer_next_slice(Trainer *trainer);

/*
 * Add work done; in the leader reports progress.  Cancels: may not return.
 * Returns all work done so far by all participants.
 */
extern int64 trainer_report(Trainer *trainer, int64 done, double loss,
							int64 losses);

extern PGDLLEXPORT void embed_trainer_worker(dsm_segment *segment, shm_toc *toc);

#endif							/* TRAIN_TRAINER_H */
