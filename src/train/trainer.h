/*-------------------------------------------------------------------------
 *
 * trainer.h
 *	  Several processes train one model in shared memory.
 *
 * Parallel mode forbids SQL writes, so training goes in four phases: the
 * corpus is read and encoded (encode_corpus.h), workers train on memory of
 * their own making (trainer_run), they end, and the leader writes the table.
 *
 * The memory is a segment that the leader creates before and reads after
 * parallel mode.  Its first part is a TrainerControl; what follows belongs to
 * the method.
 *
 * A training is so many slices of work in order, a pass over the corpus after
 * the other.  It may be run as a whole or in steps (TrainerRun.until), and
 * several trainings may follow each other on one memory, each with a plan of
 * its own: first a task that counts, then one that trains.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "server/server.h"

#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "storage/sharedfileset.h"
#include "train/progress.h"

/*
 * So many points has the curve of losses at the most; one an epoch if it may
 */
#define TRAINER_POINTS 256

/* Losses that were reported; both belong to all participants */
typedef struct TrainerLoss
{
	pg_atomic_uint64 sum;		/* in millionths, signed */
	pg_atomic_uint64 count;
} TrainerLoss;

/* What all participants may see and change. */
typedef struct TrainerControl
{
	pg_atomic_uint64 next_slice;	/* handed out by trainer_next_slice */
	pg_atomic_uint64 done;		/* units of work, for progress and decay */
	pg_atomic_uint32 members;	/* participants, 0: not yet known */
	uint32		runs;			/* steps of this plan so far */
	int64		until;			/* of this step: the first slice left out */
	int64		slices;			/* of the whole training */
	int64		total;			/* units of work of the whole training */
	int			points;			/* of the curve */
	TrainerLoss curve[TRAINER_POINTS];	/* equal shares of the slices */
} TrainerControl;

/* One participant: worker 0 is the leader. */
typedef struct Trainer
{
	TrainerControl *control;
	void	   *memory;			/* the method's part of the segment */
	SharedFileSet *files;		/* the encoded corpus */
	int			worker;
	uint32		run;			/* 0 for the first step of a plan */
	int64		slice;			/* the one handed out last */
	Progress   *progress;		/* leader only, as all that follows */
	double		recent;			/* loss of late, NAN: not known */
	int64		seen_sum;		/* of all losses, when recent was computed */
	int64		seen_count;
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

/*
 * Room for a part, in a memory that is laid out before it is there: the part's
 * offset, aligned for any kernel; "bytes" grows.
 */
extern Size trainer_reserve(Size *bytes, Size count, Size size);
extern void trainer_memory_free(TrainerMemory *memory);

/*
 * Say how much there is to do: slices in all, units of work in all (for
 * progress and decay), and in how many passes, for the curve of losses.
 * Forgets what was done under an earlier plan; the memory stays as it is.
 */
extern void trainer_plan(TrainerMemory *memory, int64 slices, int64 total,
						 int epochs);

/*
 * How a training went: the mean loss of each epoch, NAN where none was
 * reported; of more than TRAINER_POINTS epochs, that of equal shares of them.
 */
typedef struct TrainerCurve
{
	int			points;
	double	   *losses;
} TrainerCurve;

/* For whoever wants to know how it went: a message at DEBUG1 */
extern void trainer_report_curve(const TrainerCurve *curve);

/*
 * Run the task in "workers" processes, the leader included; fewer granted
 * workers are no error.  Works on the slices before "until" (0: all) that no
 * earlier run has worked on, so a training may be run in steps: what the task
 * keeps in the memory is there again, what a worker kept elsewhere is not
 * (Trainer.run tells the steps apart, for instance for random numbers).
 * Returns how many took part; curve may be NULL, and is of the whole plan so
 * far.
 */
extern int	trainer_run(const TrainerTask *task, TrainerFiles *files,
						TrainerMemory *memory, int workers, int64 until,
						Progress *progress, TrainerCurve *curve);

/* ereports when training cannot start here: inside a parallel plan */
extern void trainer_check(void);

/* max_parallel_maintenance_workers + 1 unless given; checks the argument */
extern int	trainer_workers(bool given, int workers);

/* the argument, or a seed that nobody knows */
extern uint64 trainer_seed(bool given, int64 seed);

/*
 * How many take part: workers that were asked for may not have been granted.
 * Waits until that is known.
 */
extern int	trainer_members(Trainer *trainer);

/* the next slice to work on, or -1 */
extern int64 trainer_next_slice(Trainer *trainer);

/*
 * Add work done; in the leader reports progress, with the mean loss of late.
 * Cancels: may not return.  Returns all work done so far by all participants.
 */
extern int64 trainer_report(Trainer *trainer, int64 done, double loss,
							int64 losses);

extern PGDLLEXPORT void embed_trainer_worker(dsm_segment *segment,
											 shm_toc *toc);

#endif							/* TRAIN_TRAINER_H */
