/*-------------------------------------------------------------------------
 *
 * tuning_history.c
 *	  How a tuning went: an option of the model, and SQL function
 *	  tuning_history.
 *
 * The option is an argument of the model's trigger, as all others: so the
 * curve is dumped, replicated and dropped with the model.  Points are
 * separated by semicolons, each "epoch,step,loss,metric,value,seconds", the
 * third to the fifth empty where there is nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

EMBED_FUNCTION(tuning_history);

/* An argument of a trigger is not meant for more. */
#define MOST_POINTS 128

#define COLUMNS 6

void
tuning_add_point(TuningHistory *history, const TuningPoint *point)
{
	if (history->count == history->capacity)
	{
		history->capacity = Max(16, 2 * history->capacity);
		history->points = history->points == NULL ?
			palloc(sizeof(TuningPoint) * history->capacity) :
			repalloc(history->points,
					 sizeof(TuningPoint) * history->capacity);
	}
	history->points[history->count++] = *point;
}

static void
append_point(StringInfo text, const TuningPoint *point)
{
	for (int i = 0; i < Max(point->metrics.count, 1); i++)
	{
		appendStringInfo(text, "%s%d," INT64_FORMAT ",",
						 text->len > 0 ? ";" : "", point->epoch,
						 point->step);
		if (!isnan(point->loss))
			appendStringInfo(text, "%.6g", point->loss);
		if (point->metrics.count > 0)
			appendStringInfo(text, ",%s,%.6g,", point->metrics.names[i],
							 point->metrics.values[i]);
		else
			appendStringInfoString(text, ",,,");
		appendStringInfo(text, "%.3f", point->seconds);
	}
}

/* Of a long curve every so many epochs, and the last */
char *
tuning_history_text(const TuningHistory *history)
{
	int			each = history->count / MOST_POINTS + 1;
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < history->count; i++)
		if (i % each == 0 || i == history->count - 1)
			append_point(&text, &history->points[i]);
	return text.data;
}

/* ---------- reading ---------- */

/* The fields of a point; false if it is none: an owner may write anything. */
static bool
read_point(char *text, Datum *values, bool *nulls)
{
	char	   *fields[COLUMNS];
	int			count = 0;

	for (char *at = text; at != NULL && count < COLUMNS;)
	{
		char	   *comma = strchr(at, ',');

		if (comma != NULL)
			*comma++ = '\0';
		fields[count++] = at;
		at = comma;
	}
	if (count != COLUMNS)
		return false;
	for (int i = 0; i < COLUMNS; i++)
	{
		char	   *end;
		double		number = strtod(fields[i], &end);

		nulls[i] = fields[i][0] == '\0';
		if (i == 3)
			values[i] = CStringGetTextDatum(fields[i]);
		else if (!nulls[i] && *end != '\0')
			return false;
		else if (i > 1)
			values[i] = Float8GetDatum(number);
		else if (!(number >= 0 && number <= (i == 0 ? PG_INT32_MAX : 1e15)))
			return false;
		else
			values[i] = i == 0 ? Int32GetDatum((int32) number) :
				Int64GetDatum((int64) number);
	}
	return true;
}

static void
check_privilege(Oid model)
{
	AclResult	result = pg_class_aclcheck(model, GetUserId(), ACL_SELECT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, get_rel_name(model));
}

/* tuning_history(model) */
Datum
tuning_history(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Oid			model = PG_GETARG_OID(0);
	ModelDescription *description = model_describe(model);
	char	   *next = NULL;

	check_privilege(model);
	for (int i = 0; i < description->option_count; i++)
		if (strcmp(description->options[i].name, MODEL_HISTORY) == 0)
			next = pstrdup(description->options[i].value);
	while (next != NULL && *next != '\0')
	{
		char	   *point = next;
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];

		next = strchr(point, ';');
		if (next != NULL)
			*next++ = '\0';
		if (read_point(point, values, nulls))
			set_result_add(set, values, nulls);
	}
	return (Datum) 0;
}
