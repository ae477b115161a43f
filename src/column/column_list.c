/*-------------------------------------------------------------------------
 *
 * column_list.c
 *	  embed_columns(): what is kept fresh in this database.
 *
 * It reads triggers, and of the rows what statistics say unless they are to
 * be counted.  Like embed_models() it must be readable whatever tables there
 * are: what is not known, or not for this user to know, is NULL.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

EMBED_FUNCTION(embed_columns);

/* columns of the result */
enum
{
	OUT_TABLE,
	OUT_COLUMN,
	OUT_MODEL,
	OUT_ENCODER,
	OUT_SOURCES,
	OUT_INDEX,
	OUT_OPERATOR,
	OUT_FILLED,
	OUT_MISSING,
	OUT_STALE,
	OUT_PROBLEM,
	OUT_COLUMNS
};

typedef struct Counts
{
	int64		filled;			/* -1: not known */
	int64		missing;
	int64		stale;
} Counts;

/* ---------- the index ---------- */

char *
family_operator(Oid family)
{
	CatCList   *list = SearchSysCacheList1(AMOPSTRATEGY,
										   ObjectIdGetDatum(family));
	char	   *name = NULL;

	for (int i = 0; i < list->n_members && name == NULL; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&list->members[i]->tuple);

		if (form->amoppurpose == AMOP_ORDER)
			name = get_opname(form->amopopr);
	}
	ReleaseSysCacheList(list);
	return name;
}

char *
column_index_operator(Oid index)
{
	HeapTuple	row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	bool		isnull;
	Datum		classes;
	Oid			family;

	if (!HeapTupleIsValid(row))
		return NULL;
	classes = SysCacheGetAttr(INDEXRELID, row, Anum_pg_index_indclass,
							  &isnull);
	family = get_opclass_family(((oidvector *)
								 DatumGetPointer(classes))->values[0]);
	ReleaseSysCache(row);
	return family_operator(family);
}

/* ---------- the version ---------- */

/*
 * The present version of the model; NULL where the model cannot be read.
 */
static char *
try_version(const KeptColumn *kept, Relation table)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile version = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		ColumnEncoder *encoder = column_encoder_create(kept, table, context);

		version = TextDatumGetCString(column_encoder_version(encoder));
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		MemoryContextSwitchTo(context);
		if (ERRCODE_TO_CATEGORY(code) == ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return version;
}

/* ---------- numbers ---------- */

static void
count_rows(const KeptColumn *kept, Relation table, const char *version,
		   Counts *counts)
{
	const char *column = quote_identifier(kept->column);
	const char *name = qualified_relation_name(RelationGetRelid(table));
	Datum		values[3];
	bool		nulls[3];
	char	   *other = "false";

	if (kept->version != NULL && version != NULL)
	{
		const char *held = quote_identifier(kept->version);

		other = psprintf("(t.%s IS NULL OR t.%s OPERATOR(pg_catalog.<>) %s)",
						 held, held, quote_literal_cstr(version));
	}
	(void) execute_row(psprintf("SELECT pg_catalog.count(t.%s),"
								" pg_catalog.count(*) FILTER (WHERE t.%s IS NULL AND %s OPERATOR(pg_catalog.>) 0 AND %s),"
								" pg_catalog.count(*) FILTER (WHERE t.%s IS NOT NULL AND %s) FROM %s AS t",
								column, column, kept_column_known(kept, "t"),
								kept->version != NULL && version != NULL ?
								other : "true", column, other,
								name),
					   SPI_OK_SELECT, NULL, 3, values, nulls);
	counts->filled = DatumGetInt64(values[0]);
	counts->missing = DatumGetInt64(values[1]);
	if (kept->version != NULL && version != NULL)
		counts->stale = DatumGetInt64(values[2]);
}

static HeapTuple
column_statistics(Relation table, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(table), column);
	bool		of_children = table->rd_rel->relkind ==
		RELKIND_PARTITIONED_TABLE;

	return SearchSysCache3(STATRELATTINH,
						   ObjectIdGetDatum(RelationGetRelid(table)),
						   Int16GetDatum(number), BoolGetDatum(of_children));
}

/* The share of rows in which a column is NULL; -1: not known */
static double
null_share(Relation table, const char *column)
{
	HeapTuple	row = column_statistics(table, column);
	double		share;

	if (!HeapTupleIsValid(row))
		return -1;
	share = ((Form_pg_statistic) GETSTRUCT(row))->stanullfrac;
	ReleaseSysCache(row);
	return share;
}

/* The share of rows in which a column of text has this value */
static double
value_share(Relation table, const char *column, const char *value)
{
	HeapTuple	row = column_statistics(table, column);
	AttStatsSlot slot;
	double		share = -1;

	if (!HeapTupleIsValid(row))
		return -1;
	if (get_attstatsslot(&slot, row, STATISTIC_KIND_MCV, InvalidOid,
						 ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
	{
		share = 0;
		for (int i = 0; i < slot.nvalues && i < slot.nnumbers; i++)
		{
			if (strcmp(TextDatumGetCString(slot.values[i]), value) == 0)
				share = slot.numbers[i];
		}
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(row);
	return share;
}

/* As far as the last ANALYZE knows */
static void
estimate_rows(const KeptColumn *kept, Relation table, const char *version,
			  Counts *counts)
{
	double		rows = table->rd_rel->reltuples;
	double		empty = null_share(table, kept->column);
	double		nothing = 1;

	if (rows < 0 || empty < 0)
		return;
	for (int i = 0; i < kept->source_count; i++)
	{
		double		share = null_share(table, kept->sources[i]);

		nothing = Min(nothing, Max(share, 0));
	}
	counts->filled = (int64) rint(rows * (1 - empty));
	counts->missing = (int64) rint(rows * Max(empty - nothing, 0));
	if (kept->version != NULL && version != NULL)
	{
		double		fresh = value_share(table, kept->version, version);
		double		unknown = null_share(table, kept->version);

		/* of another version, or of none that is known */
		if (fresh >= 0 && unknown >= 0)
			counts->stale = (int64) rint(rows *
										 (Max(1 - unknown - fresh, 0) +
										  Max(unknown - empty, 0)));
	}
}

/* Whether this user may count the rows, by the table's name */
static bool
is_readable(Relation table)
{
	return pg_class_aclcheck(RelationGetRelid(table), GetUserId(),
							 ACL_SELECT) == ACLCHECK_OK &&
		namespace_aclcheck(RelationGetNamespace(table), GetUserId(),
						   ACL_USAGE) == ACLCHECK_OK;
}

void
kept_column_estimate(const KeptColumn *kept, Relation table, int64 *missing,
					 int64 *stale)
{
	Counts		counts = {-1, -1, -1};

	if (is_readable(table))
		estimate_rows(kept, table,
					  kept->version == NULL ? NULL : try_version(kept, table),
					  &counts);
	*missing = counts.missing;
	*stale = counts.stale;
}

/* ---------- rows of the result ---------- */

static void
set_text(Datum *values, bool *nulls, int place, const char *string)
{
	nulls[place] = string == NULL;
	values[place] = string == NULL ? (Datum) 0 : CStringGetTextDatum(string);
}

static void
set_oid(Datum *values, bool *nulls, int place, Oid oid)
{
	nulls[place] = !OidIsValid(oid);
	values[place] = ObjectIdGetDatum(oid);
}

static void
set_count(Datum *values, bool *nulls, int place, int64 count)
{
	nulls[place] = count < 0;
	values[place] = Int64GetDatum(count);
}

static Datum
sources_array(const KeptColumn *kept)
{
	Datum	   *sources = palloc(sizeof(Datum) * kept->source_count);

	for (int i = 0; i < kept->source_count; i++)
		sources[i] = CStringGetTextDatum(kept->sources[i]);
	return PointerGetDatum(construct_array(sources, kept->source_count,
										   TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* What keeps the column from being fresh, a sentence or two; or NULL */
static char *
problem_of(const KeptColumn *kept, const char *fault)
{
	const char *idle = NULL;

	if (!kept->enabled)
		idle = psprintf("Trigger \"%s\" is disabled.", kept->trigger);
	else if (!kept->complete)
		idle = psprintf("Trigger \"%s\" does not fire before every INSERT and UPDATE.",
						kept->trigger);
	if (fault == NULL || idle == NULL)
		return unconstify(char *, fault == NULL ? idle : fault);
	return psprintf("%s  %s", fault, idle);
}

static void
add_column(struct ReturnSetInfo *result, Relation table,
		   const KeptColumn *kept, bool count)
{
	Datum		values[OUT_COLUMNS];
	bool		nulls[OUT_COLUMNS] = {false};
	NameData	name;
	Oid			index = column_index(table,
									 get_attnum(RelationGetRelid(table),
												kept->column));
	Counts		counts = {-1, -1, -1};
	char	   *fault = kept_column_fault(kept, table);

	if (fault == NULL && is_readable(table))
	{
		char	   *version = kept->version == NULL ? NULL :
			try_version(kept, table);

		if (count)
			count_rows(kept, table, version, &counts);
		else
			estimate_rows(kept, table, version, &counts);
	}
	namestrcpy(&name, kept->column);
	values[OUT_TABLE] = ObjectIdGetDatum(RelationGetRelid(table));
	values[OUT_COLUMN] = NameGetDatum(&name);
	set_oid(values, nulls, OUT_MODEL, kept_column_model(kept, true));
	set_text(values, nulls, OUT_ENCODER,
			 kept->method != NULL ? kept->method->name : NULL);
	values[OUT_SOURCES] = sources_array(kept);
	set_oid(values, nulls, OUT_INDEX, index);
	set_text(values, nulls, OUT_OPERATOR,
			 OidIsValid(index) ? column_index_operator(index) : NULL);
	set_count(values, nulls, OUT_FILLED, counts.filled);
	set_count(values, nulls, OUT_MISSING, counts.missing);
	set_count(values, nulls, OUT_STALE, counts.stale);
	set_text(values, nulls, OUT_PROBLEM, problem_of(kept, fault));
	set_result_add(result, values, nulls);
}

/* The tables that have such triggers, of their own and not as partitions */
typedef struct Tables
{
	MemoryContext context;
	List	   *oids;
} Tables;

static void
receive_table(const Datum *values, const bool *nulls, void *argument)
{
	Tables	   *tables = argument;
	MemoryContext caller = MemoryContextSwitchTo(tables->context);

	tables->oids = lappend_oid(tables->oids, DatumGetObjectId(values[0]));
	MemoryContextSwitchTo(caller);
}

static List *
tables_with_kept_columns(void)
{
	Tables		tables = {.context = CurrentMemoryContext, .oids = NIL};
	Oid			types[1] = {TEXTOID};
	Datum		function;
	const char *schema;
	PreparedCommand *command;

	command = execute_prepare("SELECT DISTINCT c.oid, c.oid::pg_catalog.regclass::pg_catalog.text COLLATE pg_catalog.\"C\""
							  " FROM pg_catalog.pg_trigger AS t"
							  " JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid"
							  " WHERE t.tgfoid OPERATOR(pg_catalog.=) $1::pg_catalog.regprocedure"
							  " AND NOT t.tgisinternal AND t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid"
							  " ORDER BY 2",
							  SPI_OK_SELECT, 1, types);
	schema = quote_identifier(get_namespace_name(extension_schema()));
	function = CStringGetTextDatum(psprintf("%s.embed_update_trigger()",
											schema));
	(void) execute_prepared_query(command, &function, NULL, receive_table,
								  &tables);
	return tables.oids;
}

Datum
embed_columns(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	bool		count = PG_GETARG_BOOL(0);
	List	   *tables = tables_with_kept_columns();
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	table = try_relation_open(lfirst_oid(cell),
											  AccessShareLock);
		List	   *columns;
		ListCell   *column;

		CHECK_FOR_INTERRUPTS();
		if (table == NULL)
			continue;
		columns = kept_columns_of(table);
		foreach(column, columns)
			add_column(result, table, lfirst(column), count);
		relation_close(table, AccessShareLock);
	}
	return (Datum) 0;
}
