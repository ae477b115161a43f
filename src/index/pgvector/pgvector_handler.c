/*-------------------------------------------------------------------------
 *
 * pgvector_handler.c
 *	  The access methods hnsw and ivfflat, served by ours.
 *
 * They take pgvector's classes, options and settings, and hand every call on
 * to who serves the index's class: ktree, inverted, or the exact order.  See
 * README.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/reloptions.h"
#include "nodes/pathnodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/inverted/inverted.h"
#include "index/ktree/ktree.h"
#include "index/pgvector/pgvector.h"

EMBED_FUNCTION(hnsw_handler);
EMBED_FUNCTION(ivfflat_handler);

extern Datum ktree_handler(PG_FUNCTION_ARGS);
extern Datum inverted_handler(PG_FUNCTION_ARGS);

#define HNSW_M					16
#define HNSW_EF_CONSTRUCTION	64
#define IVFFLAT_LISTS			100

/* Begins as the options of inverted do, which may read them. */
typedef struct HnswOptions
{
	InvertedOptions inverted;
	int			m;
	int			ef_construction;
} HnswOptions;

typedef struct IvfflatOptions
{
	int32		vl_len_;
	int			lists;
} IvfflatOptions;

static relopt_kind hnsw_options_kind;
static relopt_kind ivfflat_options_kind;

/* ---------- who serves a class ---------- */

static const IndexAmRoutine *
kept_routine(PGFunction handler, const IndexAmRoutine **kept)
{
	if (*kept == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		*kept = (const IndexAmRoutine *) DatumGetPointer(
			DirectFunctionCall1(handler, PointerGetDatum(NULL)));
		MemoryContextSwitchTo(old);
	}
	return *kept;
}

static bool
is_ktree(Oid family, Oid type)
{
	return OidIsValid(get_opfamily_proc(family, type, type, KTREE_KIND_PROC));
}

/* The same of an index, without a look into catalogs: asked for each row. */
static bool
is_ktree_index(Relation index)
{
	return OidIsValid(index_getprocid(index, 1, KTREE_KIND_PROC));
}

static const IndexAmRoutine *
server_ktree(void)
{
	static const IndexAmRoutine *kept = NULL;

	return kept_routine(ktree_handler, &kept);
}

/* Who serves a class that is not ktree's? */
static const IndexAmRoutine *
other_server(Oid family, Oid type)
{
	static const IndexAmRoutine *inverted = NULL;

	if (OidIsValid(get_opfamily_member(family, type, type, PGVECTOR_EXACT)))
		return exact_routine();
	return kept_routine(inverted_handler, &inverted);
}

static const IndexAmRoutine *
server_of_class(Oid family, Oid type)
{
	return is_ktree(family, type) ? server_ktree() :
		other_server(family, type);
}

static const IndexAmRoutine *
server_of(Relation index)
{
	return is_ktree_index(index) ? server_ktree() :
		other_server(index->rd_opfamily[0], index->rd_opcintype[0]);
}

/* ---------- calls handed on ---------- */

static IndexBuildResult *
served_build(Relation heap, Relation index, IndexInfo *info)
{
	return server_of(index)->ambuild(heap, index, info);
}

static void
served_build_empty(Relation index)
{
	server_of(index)->ambuildempty(index);
}

static bool
served_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid,
			  Relation heap, IndexUniqueCheck unique,
#if PG_VERSION_NUM >= 140000
			  bool unchanged,
#endif
			  IndexInfo *info)
{
	return server_of(index)->aminsert(index, values, isnull, tid, heap, unique,
#if PG_VERSION_NUM >= 140000
									  unchanged,
#endif
									  info);
}

static IndexBulkDeleteResult *
served_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				   IndexBulkDeleteCallback callback, void *state)
{
	return server_of(info->index)->ambulkdelete(info, stats, callback, state);
}

static IndexBulkDeleteResult *
served_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	return server_of(info->index)->amvacuumcleanup(info, stats);
}

static void
served_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count,
					 Cost *startup, Cost *total, Selectivity *selectivity,
					 double *correlation, double *pages)
{
	const IndexAmRoutine *server = server_of_class(
		path->indexinfo->opfamily[0], path->indexinfo->opcintype[0]);

	server->amcostestimate(root, path, loop_count, startup, total, selectivity,
						   correlation, pages);
}

static IndexScanDesc
served_begin_scan(Relation index, int nkeys, int norderbys)
{
	return server_of(index)->ambeginscan(index, nkeys, norderbys);
}

static bool
served_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	return server_of(scan->indexRelation)->amgettuple(scan, direction);
}

static void
served_end_scan(IndexScanDesc scan)
{
	server_of(scan->indexRelation)->amendscan(scan);
}

/*
 * hnsw.ef_search candidates: the first window has as many, and a recall that
 * pgvector's own tests ask for at its default of 40, .99, and more for more.
 */
static void
hnsw_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
			int norderbys)
{
	Relation	index = scan->indexRelation;

	server_of(index)->amrescan(scan, keys, nkeys, orderbys, norderbys);
	if (is_ktree_index(index))
	{
		KtreeEffort effort = {0};

		effort.candidates = pgvector_ef_search();
		effort.recall = Min(1 - 0.4 / effort.candidates, 0.999);
		ktree_search_harder(scan, &effort);
	}
}

/*
 * ivfflat.probes of so many lists: the same share of ktree's leaves.  All of
 * them is what its users say for an exact answer.
 */
static void
ivfflat_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
			   int norderbys)
{
	Relation	index = scan->indexRelation;
	IvfflatOptions *options = (IvfflatOptions *) index->rd_options;

	server_of(index)->amrescan(scan, keys, nkeys, orderbys, norderbys);
	if (is_ktree_index(index))
	{
		KtreeEffort effort = {0};

		effort.share = Min((double) pgvector_probes() /
							   (options ? options->lists : IVFFLAT_LISTS), 1);
		effort.recall = effort.share == 1 ? 0.999 : 0;
		ktree_search_harder(scan, &effort);
	}
}

/* ---------- options ---------- */

/* pgvector's, checked as it checks them; nothing here depends on them. */
static bytea *
hnsw_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"m", RELOPT_TYPE_INT, offsetof(HnswOptions, m)},
		{"ef_construction", RELOPT_TYPE_INT,
		 offsetof(HnswOptions, ef_construction)},
	};
	HnswOptions *options = (HnswOptions *) build_reloptions(
		reloptions, validate, hnsw_options_kind, sizeof(HnswOptions), table,
		lengthof(table));

	if (options == NULL)
		return NULL;
	if (validate && options->ef_construction < 2 * options->m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction must be greater than or equal to 2 * m")));
	options->inverted.weight_bits = INVERTED_WEIGHT_BITS;
	return (bytea *) options;
}

static bytea *
ivfflat_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"lists", RELOPT_TYPE_INT, offsetof(IvfflatOptions, lists)},
	};

	return (bytea *) build_reloptions(reloptions, validate,
									  ivfflat_options_kind,
									  sizeof(IvfflatOptions), table,
									  lengthof(table));
}

/* ---------- the handlers ---------- */

static bool
validate(Oid opclass, const char *access_method)
{
	bool		ktree = is_ktree(get_opclass_family(opclass),
								 get_opclass_input_type(opclass));

	return index_validate(opclass, access_method, PGVECTOR_STRATEGIES,
						  ktree ? KTREE_PROCS : 0, ktree_right_signature);
}

static bool
hnsw_validate(Oid opclass)
{
	return validate(opclass, "hnsw");
}

static bool
ivfflat_validate(Oid opclass)
{
	return validate(opclass, "ivfflat");
}

static IndexAmRoutine *
served_routine(void)
{
	IndexAmRoutine *routine = index_routine();

	pgvector_define_settings();
	routine->amstrategies = PGVECTOR_STRATEGIES;
	routine->amsupport = KTREE_PROCS;
#if PG_VERSION_NUM >= 170000
	routine->amcanbuildparallel = true;
#endif
	routine->ambuild = served_build;
	routine->ambuildempty = served_build_empty;
	routine->aminsert = served_insert;
	routine->ambulkdelete = served_bulk_delete;
	routine->amvacuumcleanup = served_vacuum_cleanup;
	routine->amcostestimate = served_cost_estimate;
	routine->ambeginscan = served_begin_scan;
	routine->amgettuple = served_get_tuple;
	routine->amendscan = served_end_scan;
	return routine;
}

Datum
hnsw_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = served_routine();

	routine->amoptions = hnsw_options;
	routine->amvalidate = hnsw_validate;
	routine->amrescan = hnsw_rescan;
	PG_RETURN_POINTER(routine);
}

Datum
ivfflat_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = served_routine();

	routine->amoptions = ivfflat_options;
	routine->amvalidate = ivfflat_validate;
	routine->amrescan = ivfflat_rescan;
	PG_RETURN_POINTER(routine);
}

/* ---------- looking into an index ---------- */

static void
served_check(Relation index, IndexReport *report)
{
	const IndexAmRoutine *server = server_of(index);

	if (server == exact_routine())
		exact_check(index, report);
	else if (is_ktree_index(index))
		ktree_check(index, report);
	else
		inverted_check(index, report);
}

static void
served_statistics(Relation index, IndexReport *report)
{
	const IndexAmRoutine *server = server_of(index);

	if (server == exact_routine())
		exact_statistics(index, report);
	else if (is_ktree_index(index))
		ktree_statistics(index, report);
	else
		inverted_statistics(index, report);
}

static const IndexRoom room = {
	served_build, served_check, served_statistics, served_cost_estimate
};

/* Called when the library is loaded. */
void
pgvector_init(void)
{
	hnsw_options_kind = add_reloption_kind();
	add_int_reloption(hnsw_options_kind, "m",
					  "Accepted for pgvector's sake", HNSW_M, 2, 100,
					  AccessExclusiveLock);
	add_int_reloption(hnsw_options_kind, "ef_construction",
					  "Accepted for pgvector's sake", HNSW_EF_CONSTRUCTION, 4,
					  1000, AccessExclusiveLock);
	ivfflat_options_kind = add_reloption_kind();
	add_int_reloption(ivfflat_options_kind, "lists",
					  "Of which ivfflat.probes names a share", IVFFLAT_LISTS,
					  1, 32768, AccessExclusiveLock);
	index_register(&room);
}
