/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  SQL commands of our own, run as the caller.
 *
 *-------------------------------------------------------------------------
 */
#include "server/execute.h"

#include "executor/spi.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

struct PreparedCommand
{
	const char *text;
	int			expected;
	int			argument_count;
	SPIPlanPtr	plan;
	MemoryContextCallback release;
};

static void
connect_spi(void)
{
	int			code = SPI_connect();

	if (code != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(code));
}

static void
check_result(const char *command, int code, int expected)
{
	if (code < 0 || (expected != EXECUTE_ANY && code != expected))
		elog(ERROR, "unexpected result of \"%s\": %s", command,
			 SPI_result_code_string(code));
}

/* SPI's way to say which arguments are null; NULL where none is */
static const char *
null_flags(int count, const bool *nulls, char *flags)
{
	if (count > EXECUTE_MAX_COLUMNS)
		elog(ERROR, "too many arguments of a command: %d", count);
	if (nulls == NULL)
		return NULL;
	for (int i = 0; i < count; i++)
		flags[i] = nulls[i] ? 'n' : ' ';
	return flags;
}

static void
run_connected(const char *command, int expected, bool read_only,
			  const ExecuteArguments *arguments)
{
	char		flags[EXECUTE_MAX_COLUMNS];
	int			code;

	if (arguments == NULL || arguments->count == 0)
		code = SPI_execute(command, read_only, 0);
	else
		code = SPI_execute_with_args(command, arguments->count,
									 unconstify(Oid *, arguments->types),
									 unconstify(Datum *, arguments->values),
									 null_flags(arguments->count,
												arguments->nulls, flags),
									 read_only, 0);
	check_result(command, code, expected);
}

uint64
execute_with(const char *command, int expected,
			 const ExecuteArguments *arguments)
{
	uint64		rows;

	connect_spi();
	run_connected(command, expected, false, arguments);
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

uint64
execute_command(const char *command, int expected)
{
	return execute_with(command, expected, NULL);
}

/* Copy the columns of a row out of SPI's memory */
static void
copy_row(SPITupleTable *table, int columns, Datum *values, bool *nulls,
		 MemoryContext target)
{
	MemoryContext caller = MemoryContextSwitchTo(target);

	if (table->tupdesc->natts != columns)
		elog(ERROR, "a command returned %d columns, not %d",
			 table->tupdesc->natts, columns);
	for (int i = 0; i < columns; i++)
	{
		int16		length;
		bool		by_value;

		values[i] = SPI_getbinval(table->vals[0], table->tupdesc, i + 1,
								  &nulls[i]);
		get_typlenbyval(SPI_gettypeid(table->tupdesc, i + 1), &length,
						&by_value);
		values[i] = nulls[i] ? (Datum) 0 :
			datumCopy(values[i], by_value, length);
	}
	MemoryContextSwitchTo(caller);
}

bool
execute_row(const char *command, int expected,
			const ExecuteArguments *arguments,
			int columns, Datum *values, bool *nulls)
{
	MemoryContext target = CurrentMemoryContext;
	bool		found;

	connect_spi();
	run_connected(command, expected, expected == SPI_OK_SELECT, arguments);
	found = SPI_processed > 0;
	if (found && columns > 0)
		copy_row(SPI_tuptable, columns, values, nulls, target);
	SPI_finish();
	return found;
}

/* ---------- prepared commands ---------- */

static void
release_plan(void *argument)
{
	PreparedCommand *command = argument;

	if (command->plan != NULL)
		(void) SPI_freeplan(command->plan);
}

PreparedCommand *
execute_prepare(const char *text, int expected, int argument_count,
				const Oid *types)
{
	PreparedCommand *command = palloc0(sizeof(PreparedCommand));
	SPIPlanPtr	plan;

	command->text = pstrdup(text);
	command->expected = expected;
	command->argument_count = argument_count;
	command->release.func = release_plan;
	command->release.arg = command;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &command->release);
	connect_spi();
	plan = SPI_prepare(text, argument_count, unconstify(Oid *, types));
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", text,
			 SPI_result_code_string(SPI_result));
	command->plan = plan;
	SPI_finish();
	return command;
}

static void
run_prepared(const PreparedCommand *command, const Datum *values,
			 const bool *nulls, bool read_only)
{
	char		flags[EXECUTE_MAX_COLUMNS];
	int			code;

	code = SPI_execute_plan(command->plan, unconstify(Datum *, values),
							null_flags(command->argument_count, nulls, flags),
							read_only, 0);
	check_result(command->text, code, command->expected);
}

uint64
execute_prepared(const PreparedCommand *command, const Datum *values,
				 const bool *nulls)
{
	uint64		rows;

	connect_spi();
	run_prepared(command, values, nulls, false);
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

uint64
execute_prepared_query(const PreparedCommand *command, const Datum *values,
					   const bool *nulls, ExecuteReceiver receive,
					   void *argument)
{
	uint64		rows;
	SPITupleTable *table;
	Datum	   *row;
	bool	   *row_nulls;

	connect_spi();
	run_prepared(command, values, nulls, true);
	rows = SPI_processed;
	table = SPI_tuptable;
	row = palloc(sizeof(Datum) * table->tupdesc->natts);
	row_nulls = palloc(sizeof(bool) * table->tupdesc->natts);
	for (uint64 i = 0; i < rows; i++)
	{
		heap_deform_tuple(table->vals[i], table->tupdesc, row, row_nulls);
		receive(row, row_nulls, argument);
	}
	SPI_finish();
	return rows;
}
