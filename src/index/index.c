/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Functions that look into an index, for every access method of ours.
 *
 * All of them show contents of the index to some degree, so they ask for the
 * same right as reading the table.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/bufmgr.h"
#include "nodes/pathnodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "index/index.h"
#include "server/set_result.h"

EMBED_FUNCTION(embed_index_check);
EMBED_FUNCTION(embed_index_stats);
EMBED_FUNCTION(embed_index_scan_stats);

/* One violated invariant. */
typedef struct Finding
{
	BlockNumber block;
	int			number;			/* in the order of their discovery */
	char	   *text;
} Finding;

struct IndexReport
{
	struct ReturnSetInfo *result;
	/* of one run of a check: */
	MemoryContext context;
	Finding    *findings;
	int			count;
	int			room;
};

/* A run of a check keeps no more findings than this. */
#define MOST_FINDINGS	100000

/* So often is a check run that finds something, before it is believed. */
#define CHECK_RUNS		4

IndexScanStatistics last_index_scan;

#define MAX_ROOMS 4
static const IndexRoom *rooms[MAX_ROOMS];
static int	room_count = 0;

void
index_register(const IndexRoom *room)
{
	if (room_count >= MAX_ROOMS)
		elog(ERROR, "too many index access methods");
	rooms[room_count++] = room;
}

bool
index_is_approximate(const IndexOptInfo *info)
{
	for (int i = 0; i < room_count; i++)
	{
		if (rooms[i]->approximate != NULL &&
			(amcostestimate_function) info->amcostestimate ==
				rooms[i]->approximate)
			return true;
	}
	return false;
}

/*
 * Both answer ORDER BY by distance and nothing else, rows in ascending
 * order only; ktree adds conditions on further columns to that.
 */
IndexAmRoutine *
index_routine(void)
{
	IndexAmRoutine *routine = makeNode(IndexAmRoutine);

	routine->amcanorderbyop = true;
	routine->amoptionalkey = true;
	routine->amkeytype = InvalidOid;
	routine->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	return routine;
}

void
index_report_problem(IndexReport *report, BlockNumber block,
					 const char *format,...)
{
	char		message[512];
	va_list		args;
	MemoryContext old;

	if (report->count == MOST_FINDINGS)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);

	old = MemoryContextSwitchTo(report->context);
	if (report->count == report->room)
	{
		report->room = Max(2 * report->room, 64);
		report->findings = report->findings == NULL ?
			palloc(sizeof(Finding) * report->room) :
			repalloc(report->findings, sizeof(Finding) * report->room);
	}
	report->findings[report->count].block = block;
	report->findings[report->count].number = report->count;
	report->findings[report->count++].text = pstrdup(message);
	MemoryContextSwitchTo(old);
}

static void
put_finding(IndexReport *report, const Finding *finding)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	nulls[0] = (finding->block == InvalidBlockNumber);
	values[0] = Int64GetDatum((int64) finding->block);
	values[1] = CStringGetTextDatum(finding->text);
	set_result_add(report->result, values, nulls);
}

void
index_report_property(IndexReport *report, const char *property, double value)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(property);
	values[1] = Float8GetDatum(value);
	set_result_add(report->result, values, nulls);
}

/*
 * Lock an index's table, which everybody locks before the index; who must
 * be allowed to read it.  The lock stays to the end of the transaction.
 */
static void
lock_table_of(Oid index)
{
	Oid			table = IndexGetRelation(index, true);

	if (OidIsValid(table))
	{
		if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
						   get_rel_name(table));
		LockRelationOid(table, AccessShareLock);
	}
	/* whoever had the lock may have dropped them */
	if (!OidIsValid(table) || IndexGetRelation(index, true) != table)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u does not exist", index),
				 errdetail("It was dropped in the meantime.")));
}

/*
 * Open an index of one of our access methods for reading and find the
 * room that knows it.  The caller must be allowed to read the table.
 */
Relation
index_open_ours(Oid oid, const IndexRoom **room)
{
	Relation	index;

	if (get_rel_relkind(oid) != RELKIND_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an index",
						get_rel_name(oid) ? get_rel_name(oid) : "?"),
				 get_rel_relkind(oid) != RELKIND_PARTITIONED_INDEX ? 0 :
				 errhint("A partitioned index has no contents: name the index of a partition.")));

	lock_table_of(oid);
	index = index_open(oid, AccessShareLock);
	*room = NULL;
	for (int i = 0; i < room_count; i++)
	{
		if (index->rd_indam->ambuild == rooms[i]->build)
			*room = rooms[i];
	}
	if (*room == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("index \"%s\" does not belong to an access method of this extension",
						RelationGetRelationName(index)),
				 errdetail("Its access method is \"%s\".",
						   get_am_name(index->rd_rel->relam))));

	if (RELATION_IS_OTHER_TEMP(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary indexes of other sessions")));
	return index;
}

/* ---------- checking ---------- */

/* A part of a check that may meet what cannot be read. */
typedef struct CheckPart
{
	Relation	index;
	const IndexRoom *room;
	IndexReport *report;
	BlockNumber block;			/* at which it is */
	BlockNumber blocks;
} CheckPart;

/*
 * Run a part of a check; false, with a finding in the report, if damage
 * made it an error.
 *
 * The server itself refuses pages whose header makes no sense, or whose
 * checksum is wrong, and files that have become too short.  Only the end of a
 * subtransaction cleans up behind such an error.
 */
static bool
survives(void (*run) (CheckPart *part), CheckPart *part)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool result = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(part);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INTERNAL_ERROR &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_SYSTEM_ERROR)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		index_report_problem(part->report, part->block, "%s", error->message);
		FreeErrorData(error);
		result = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

/* Read pages from part->block on, to see whether the server can. */
static void
read_pages(CheckPart *part)
{
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);

	for (; part->block < part->blocks; part->block++)
	{
		CHECK_FOR_INTERRUPTS();
		ReleaseBuffer(ReadBufferExtended(part->index, MAIN_FORKNUM,
										 part->block, RBM_NORMAL, strategy));
	}
	FreeAccessStrategy(strategy);
}

static void
check_structure(CheckPart *part)
{
	part->room->check(part->index, part->report);
}

static int
compare_findings(const void *a, const void *b)
{
	const Finding *x = a;
	const Finding *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return strcmp(x->text, y->text);
}

static int
compare_numbers(const void *a, const void *b)
{
	return ((const Finding *) a)->number - ((const Finding *) b)->number;
}

/*
 * Find what is wrong and stays so.
 *
 * Writers go on while a check walks through their index: a row's address may
 * be given back and used again between two pages, the head of a free list be
 * taken from it.  What a check believes to see then is not there when it looks
 * again, and damage is.  So what counts is what several runs in a row say in
 * the same words.
 */
static void
check_until_sure(CheckPart *part)
{
	IndexReport *report = part->report;
	Finding    *sure = NULL;
	int			sure_count = 0;

	for (int run = 0; run < CHECK_RUNS; run++)
	{
		int			kept = 0;

		report->findings = NULL;
		report->count = report->room = 0;
		part->block = InvalidBlockNumber;
		(void) survives(check_structure, part);
		if (report->count == 0)
			return;
		qsort(report->findings, report->count, sizeof(Finding),
			  compare_findings);
		if (run == 0)
		{
			sure = report->findings;
			sure_count = report->count;
		}
		else
		{
			for (int i = 0; i < sure_count; i++)
			{
				if (bsearch(&sure[i], report->findings, report->count,
							sizeof(Finding), compare_findings) != NULL)
					sure[kept++] = sure[i];
			}
			sure_count = kept;
		}
		if (sure_count == 0)
			return;
		pg_usleep(1000L * (run + 1));
	}
	qsort(sure, sure_count, sizeof(Finding), compare_numbers);
	for (int i = 0; i < sure_count; i++)
		put_finding(report, &sure[i]);
}

Datum
embed_index_check(PG_FUNCTION_ARGS)
{
	IndexReport report = {0};
	CheckPart	part = {0};

	part.index = index_open_ours(PG_GETARG_OID(0), &part.room);
	part.report = &report;
	report.result = set_result_begin(fcinfo);
	report.context = AllocSetContextCreate(CurrentMemoryContext, "index check",
										   ALLOCSET_DEFAULT_SIZES);

	part.blocks = RelationGetNumberOfBlocks(part.index);
	while (!survives(read_pages, &part))
		part.block++;
	for (int i = 0; i < report.count; i++)
		put_finding(&report, &report.findings[i]);

	check_until_sure(&part);
	MemoryContextDelete(report.context);
	index_close(part.index, AccessShareLock);
	return (Datum) 0;
}

Datum
embed_index_stats(PG_FUNCTION_ARGS)
{
	IndexReport report;
	const IndexRoom *room;
	Relation	index = index_open_ours(PG_GETARG_OID(0), &room);

	report.result = set_result_begin(fcinfo);
	room->statistics(index, &report);
	index_close(index, AccessShareLock);
	return (Datum) 0;
}

Datum
embed_index_scan_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[7];
	bool		nulls[7] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);

	values[0] = Int64GetDatum((int64) last_index_scan.rounds);
	values[1] = Int64GetDatum((int64) last_index_scan.leaves);
	values[2] = Int64GetDatum((int64) last_index_scan.pages);
	values[3] = Int64GetDatum((int64) last_index_scan.codes);
	values[4] = Int64GetDatum((int64) last_index_scan.refined);
	values[5] = Int64GetDatum((int64) last_index_scan.exact);
	values[6] = Int64GetDatum((int64) last_index_scan.returned);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
