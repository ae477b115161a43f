/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  What a long training tells while it runs.
 *
 * About once a second, as embed.progress says: to the client, to the
 * server's log, or not at all.  In any case the same line stands before the
 * statement in pg_stat_activity, for those who may see the statement there.
 *
 *-------------------------------------------------------------------------
 */
#include "train/progress.h"

#include <math.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define REPORT_SECONDS	1.0

typedef enum ProgressMode
{
	PROGRESS_OFF,
	PROGRESS_LOG,
	PROGRESS_NOTICE
} ProgressMode;

static const struct config_enum_entry progress_modes[] = {
	{"notice", PROGRESS_NOTICE, false},
	{"log", PROGRESS_LOG, false},
	{"off", PROGRESS_OFF, false},
	{NULL, 0, false}
};

static int	progress_mode = PROGRESS_NOTICE;

struct Progress
{
	char	   *activity;
	char	   *unit;
	char	   *phase;
	double		total;			/* of the phase, 0 if not known */
	instr_time	phase_start;
	instr_time	last_report;
};

void
progress_init(void)
{
	DefineCustomEnumVariable("embed.progress",
							 "Where training and import report their progress.",
							 "About once a second: to the client as a notice, to the server's log, or not at all.",
							 &progress_mode, PROGRESS_NOTICE, progress_modes,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

Progress *
progress_begin(const char *activity, const char *unit)
{
	Progress   *progress = palloc0(sizeof(Progress));

	progress->activity = pstrdup(activity);
	progress->unit = pstrdup(unit);
	progress->phase = pstrdup("starting");
	INSTR_TIME_SET_CURRENT(progress->phase_start);
	progress->last_report = progress->phase_start;
	return progress;
}

static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static void
append_amount(StringInfo line, double amount)
{
	if (amount >= 10e6)
		appendStringInfo(line, "%.1f million", amount / 1e6);
	else if (amount >= 10e3)
		appendStringInfo(line, "%.0f thousand", amount / 1e3);
	else
		appendStringInfo(line, "%.0f", amount);
}

static void
append_duration(StringInfo line, double seconds)
{
	if (seconds >= 5400)
		appendStringInfo(line, "%.1f h", seconds / 3600);
	else if (seconds >= 90)
		appendStringInfo(line, "%.0f min", seconds / 60);
	else
		appendStringInfo(line, "%.0f s", seconds);
}

static void
compose_line(Progress *progress, double done, double loss, StringInfo line)
{
	double		elapsed = seconds_since(progress->phase_start);

	appendStringInfo(line, "%s: %s", progress->activity, progress->phase);
	if (progress->total > 0)
		appendStringInfo(line, ", %.1f %%",
						 100 * Min(done / progress->total, 1.0));
	else
	{
		appendStringInfoString(line, ", ");
		append_amount(line, done);
		appendStringInfo(line, " %s", progress->unit);
	}
	if (elapsed > 0 && done > 0)
	{
		appendStringInfoString(line, ", ");
		append_amount(line, done / elapsed);
		appendStringInfo(line, " %s/s", progress->unit);
	}
	if (!isnan(loss))
		appendStringInfo(line, ", loss %.4f", loss);
	if (progress->total > 0 && done > 0)
	{
		appendStringInfoString(line, ", ");
		append_duration(line, elapsed * Max(progress->total / done - 1, 0));
		appendStringInfoString(line, " left");
	}
}

/* line NULL: nothing but the statement again */
static void
show_activity(const char *line)
{
	const char *statement = debug_query_string ? debug_query_string : "";

	/* reporting an activity forgets which query it belongs to */
	uint64		query = pgstat_get_my_query_id();

	if (line == NULL)
		pgstat_report_activity(STATE_RUNNING, statement);
	else
	{
		/* no more of a long statement than can be shown */
		char	   *text = psprintf("%s -- %.*s", line,
									pgstat_track_activity_query_size,
									statement);

		pgstat_report_activity(STATE_RUNNING, text);
		pfree(text);
	}
	pgstat_report_query_id(query, true);
}

/* Show the line in pg_stat_activity, and return it. */
static char *
show_line(Progress *progress, double done, double loss)
{
	StringInfoData line;

	initStringInfo(&line);
	compose_line(progress, done, loss, &line);
	show_activity(line.data);
	return line.data;
}

void
progress_name(Progress *progress, const char *phase)
{
	char	   *before = progress->phase;

	progress->phase = MemoryContextStrdup(GetMemoryChunkContext(progress),
										  phase);
	pfree(before);
}

/* pg_stat_activity tells of a phase at once, others only of one that lasts. */
void
progress_phase(Progress *progress, const char *phase, double total)
{
	char	   *before = progress->phase;

	progress->phase = MemoryContextStrdup(GetMemoryChunkContext(progress),
										  phase);
	pfree(before);
	progress->total = total;
	INSTR_TIME_SET_CURRENT(progress->phase_start);
	progress->last_report = progress->phase_start;
	pfree(show_line(progress, 0, NAN));
}

static void
send_line(const char *line)
{
	if (progress_mode == PROGRESS_NOTICE)
		ereport(NOTICE, (errmsg_internal("%s", line)));
	else if (progress_mode == PROGRESS_LOG)
		ereport(LOG_SERVER_ONLY, (errmsg_internal("%s", line)));
}

static void
report(Progress *progress, double done, double loss)
{
	char	   *line = show_line(progress, done, loss);

	send_line(line);
	pfree(line);
}

void
progress_result(Progress *progress, const char *result)
{
	char	   *line = psprintf("%s: %s", progress->activity, result);

	send_line(line);
	pfree(line);
}

void
progress_update(Progress *progress, double done, double loss)
{
	CHECK_FOR_INTERRUPTS();
	if (seconds_since(progress->last_report) < REPORT_SECONDS)
		return;
	INSTR_TIME_SET_CURRENT(progress->last_report);
	report(progress, done, loss);
}

void
progress_end(Progress *progress)
{
	show_activity(NULL);
	pfree(progress->activity);
	pfree(progress->unit);
	pfree(progress->phase);
	pfree(progress);
}
