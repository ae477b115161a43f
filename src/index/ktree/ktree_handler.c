/*-------------------------------------------------------------------------
 *
 * ktree_handler.c
 *	  The access method's entry point and its settings.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <limits.h>

#include "access/amapi.h"
#include "access/amvalidate.h"
#include "access/reloptions.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "index/ktree/ktree.h"

EMBED_FUNCTION(ktree_handler);

double		embed_recall = 0.95;
int			embed_candidates = 10;
int			embed_probes = 0;
int			embed_max_leaves = 0;

static const IndexRoom room = {
	ktree_build, ktree_check, ktree_statistics, ktree_cost_estimate
};

void
ktree_init(void)
{
	rabitq_select(NULL);
	index_register(&room);
	ktree_array_path_init();

	DefineCustomRealVariable("embed.recall",
							 "Share of the true nearest rows that a ktree scan should find.",
							 "Measured when an index is built, grows and is vacuumed.",
							 &embed_recall, 0.95, 0.5, 0.999,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("embed.candidates",
							"Rows that the first window of a ktree scan finds.",
							"A scan that is read further continues with larger windows.",
							&embed_candidates, 10, 1, 100000,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("embed.probes",
							"Leaves that a ktree scan visits, or as many as it needs, in place of embed.recall.",
							"0 leaves it to embed.recall.",
							&embed_probes, 0, 0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("embed.max_leaves",
							"Leaves after which a ktree scan stops with a warning.",
							"0 means that a scan reads on until it is told to stop or has returned every row.",
							&embed_max_leaves, 0, 0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
}

static bytea *
ktree_options(Datum options, bool validate)
{
	static const relopt_parse_elt none[1];

	return (bytea *) build_reloptions(options, validate, 0, 0, none, 0);
}

static char *
ktree_phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case KTREE_PHASE_SAMPLE:
			return "sampling";
		case KTREE_PHASE_LOAD:
			return "loading vectors";
		case KTREE_PHASE_CLUSTER:
			return "clustering and writing leaves";
		case KTREE_PHASE_LOG:
			return "writing to the write-ahead log";
		case KTREE_PHASE_CALIBRATE:
			return "calibrating";
		default:
			return NULL;
	}
}

/* Has a support function the signature that its number asks for? */
bool
ktree_right_signature(Form_pg_amproc function)
{
	if (function->amprocnum == KTREE_DISTANCE_PROC)
		return check_amproc_signature(function->amproc, FLOAT8OID, true, 2, 2,
									  function->amproclefttype,
									  function->amprocrighttype);
	return check_amproc_signature(function->amproc, INTERNALOID, true, 1, 1,
								  INTERNALOID);
}

static bool
ktree_validate(Oid opclass)
{
	Oid			family = get_opclass_family(opclass);
	Oid			type = get_opclass_input_type(opclass);

	/* a class to filter by has conditions only */
	if (!OidIsValid(get_opfamily_proc(family, type, type, KTREE_KIND_PROC)))
		return index_validate_conditions(opclass, "ktree", KTREE_LESS, KTREE_GREATER);
	return index_validate(opclass, "ktree", 1, KTREE_PROCS,
						  ktree_right_signature);
}

Datum
ktree_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = index_routine();

	routine->amstrategies = KTREE_STRATEGIES;
	routine->amcanmulticol = true;
	routine->amsearcharray = true;
	routine->amsearchnulls = true;
	routine->amsupport = KTREE_PROCS;
#if PG_VERSION_NUM >= 170000
	routine->amcanbuildparallel = true;
#endif

	routine->ambuild = ktree_build;
	routine->ambuildempty = ktree_build_empty;
	routine->aminsert = ktree_insert;
	routine->ambulkdelete = ktree_bulk_delete;
	routine->amvacuumcleanup = ktree_vacuum_cleanup;
	routine->amcostestimate = ktree_cost_estimate;
	routine->amoptions = ktree_options;
	routine->ambuildphasename = ktree_phase_name;
	routine->amvalidate = ktree_validate;
	routine->ambeginscan = ktree_beginscan;
	routine->amrescan = ktree_rescan;
	routine->amgettuple = ktree_gettuple;
	routine->amendscan = ktree_endscan;

	PG_RETURN_POINTER(routine);
}
