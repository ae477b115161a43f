/*-------------------------------------------------------------------------
 *
 * team.h
 *	  Several processes that each do their share of what one of them says.
 *
 * The leader runs a body of its own; whenever that says team_begin, all others
 * work on what stands in the shared memory, while the leader does its own
 * share, and team_end waits for them.  Who does what follows from numbers
 * alone, so the same members give the same results.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_TEAM_H
#define TRAIN_TEAM_H

#include "server/server.h"

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "train/progress.h"

/*
 * A place where all members of a training wait for each other.  Zeros are a
 * begin but for team_meeting_init; "count" is each member's own, from zero.
 */
typedef struct TeamMeeting
{
	pg_atomic_uint64 arrived;
	ConditionVariable met;
} TeamMeeting;

extern void team_meeting_init(TeamMeeting *meeting);
extern void team_meet(TeamMeeting *meeting, int members, uint64 *count);

/* What the others do.  Registered, since they are other processes. */
typedef struct TeamTask
{
	const char *name;

	/* a member's state, made when it joins; number: from 1 on */
	void	   *(*join) (void *memory, int number);
	void		(*work) (void *state, int number, int members);
} TeamTask;

extern void team_task_register(const TeamTask *task);

typedef struct Team Team;

/*
 * Memory of so many bytes that all see, for "what" (as in "weights"), zeroed,
 * until team_free or the end of the resource owner.
 */
extern Team *team_create(const TeamTask *task, Size bytes, const char *what,
						 int members);
extern void *team_memory(const Team *team);
extern void team_free(Team *team);

/*
 * Calls body with the others at hand; those that were asked for may not be
 * granted.  It runs in parallel mode: no SQL.
 */
extern void team_run(Team *team, void (*body) (void *argument),
					 void *argument, Progress *progress);

/* With the leader; 1 outside of team_run */
extern int	team_members(const Team *team);
extern void team_begin(Team *team);
extern void team_end(Team *team);

extern void team_init(void);

#endif							/* TRAIN_TEAM_H */
