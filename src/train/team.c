/*-------------------------------------------------------------------------
 *
 * team.c
 *	  Several processes that each do their share of what one of them says.
 *
 * A member works between two meetings with the leader and waits before the
 * next.  The last meeting finds the team dismissed.  An error of the leader's
 * ends its workers, as the server does with those of any parallel operation;
 * an error of a worker's reaches the leader while it waits.
 *
 *-------------------------------------------------------------------------
 */
#include "train/team.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "train/trainer.h"

#define MOST_TASKS 4
#define TEAM_ALIGNMENT 64

/* At the begin of the memory */
typedef struct TeamControl
{
	char		task[NAMEDATALEN];
	TeamMeeting meeting;
	bool		dismissed;
} TeamControl;

struct Team
{
	const TeamTask *task;
	TrainerFiles *files;
	TrainerMemory *memory;
	TeamControl *control;
	int			wanted;
	int			members;
	uint64		meetings;
	void		(*body) (void *argument);
	void	   *argument;
};

static const TeamTask *tasks[MOST_TASKS];
static int	task_count = 0;

/* The leader's, while it runs */
static Team *running = NULL;

void
team_task_register(const TeamTask *task)
{
	if (task_count == MOST_TASKS)
		elog(ERROR, "too many tasks of teams");
	tasks[task_count++] = task;
}

/* ---------- meetings ---------- */

void
team_meeting_init(TeamMeeting *meeting)
{
	pg_atomic_init_u64(&meeting->arrived, 0);
	ConditionVariableInit(&meeting->met);
}

void
team_meet(TeamMeeting *meeting, int members, uint64 *count)
{
	uint64		wanted = ++*count * members;

	if (pg_atomic_add_fetch_u64(&meeting->arrived, 1) == wanted)
	{
		ConditionVariableBroadcast(&meeting->met);
		return;
	}
	ConditionVariablePrepareToSleep(&meeting->met);
	while (pg_atomic_read_u64(&meeting->arrived) < wanted)
		ConditionVariableSleep(&meeting->met, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

/* ---------- members ---------- */

static void *
memory_of(TeamControl *control)
{
	return (char *) control + TYPEALIGN(TEAM_ALIGNMENT, sizeof(TeamControl));
}

static void
follow(Trainer *trainer)
{
	TeamControl *control = trainer->memory;
	int			members = trainer_members(trainer);
	const TeamTask *task = NULL;
	uint64		meetings = 0;
	void	   *state;

	for (int i = 0; i < task_count; i++)
		if (strcmp(tasks[i]->name, control->task) == 0)
			task = tasks[i];
	if (task == NULL)
		elog(ERROR, "unknown task \"%s\" of a team", control->task);
	state = task->join(memory_of(control), trainer->worker);
	for (;;)
	{
		team_meet(&control->meeting, members, &meetings);
		if (control->dismissed)
			break;
		task->work(state, trainer->worker, members);
		team_meet(&control->meeting, members, &meetings);
	}
}

static void
lead(Team *team, Trainer *trainer)
{
	team->members = trainer_members(trainer);
	team->body(team->argument);
	team->control->dismissed = true;
	if (team->members > 1)
		team_meet(&team->control->meeting, team->members, &team->meetings);
	team->members = 1;
}

static void
take_part(Trainer *trainer)
{
	if (trainer->worker == 0)
		lead(running, trainer);
	else
		follow(trainer);
}

static const TrainerTask team_task = {"team", take_part};

void
team_init(void)
{
	trainer_task_register(&team_task);
}

/* ---------- the leader ---------- */

Team *
team_create(const TeamTask *task, Size bytes, const char *what, int members)
{
	Team	   *team = palloc0(sizeof(Team));

	team->task = task;
	team->wanted = members;
	team->members = 1;
	team->files = trainer_files_create();
	team->memory = trainer_memory_create(
		add_size(TYPEALIGN(TEAM_ALIGNMENT, sizeof(TeamControl)), bytes), what);
	team->control = team->memory->memory;
	strlcpy(team->control->task, task->name, NAMEDATALEN);
	team_meeting_init(&team->control->meeting);
	return team;
}

void *
team_memory(const Team *team)
{
	return memory_of(team->control);
}

void
team_free(Team *team)
{
	trainer_memory_free(team->memory);
	trainer_files_free(team->files);
	pfree(team);
}

void
team_run(Team *team, void (*body) (void *argument), void *argument,
		 Progress *progress)
{
	Team	   *outer = running;

	team->body = body;
	team->argument = argument;
	trainer_plan(team->memory, 1, 0, 1);
	PG_TRY();
	{
		running = team;
		(void) trainer_run(&team_task, team->files, team->memory,
						   team->wanted, 0, progress, NULL);
	}
	PG_FINALLY();
	{
		running = outer;
	}
	PG_END_TRY();
}

int
team_members(const Team *team)
{
	return team == NULL ? 1 : team->members;
}

void
team_begin(Team *team)
{
	if (team_members(team) > 1)
		team_meet(&team->control->meeting, team->members, &team->meetings);
}

void
team_end(Team *team)
{
	team_begin(team);
}
