/*-------------------------------------------------------------------------
 *
 * pgvector_settings.c
 *	  pgvector's settings, and what they mean to our access methods.
 *
 * They are defined when an index of one of these access methods is first met
 * in a session, not when the library is loaded: pgvector's own library, which
 * has the same settings, may be loaded beside ours.  A value that was set
 * before is kept by the server until then.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <limits.h>

#include "utils/guc.h"

#include "index/pgvector/pgvector.h"

typedef enum IterativeScan
{
	ITERATIVE_OFF,
	ITERATIVE_RELAXED,
	ITERATIVE_STRICT
} IterativeScan;

static const struct config_enum_entry hnsw_iterative[] = {
	{"off", ITERATIVE_OFF, false},
	{"relaxed_order", ITERATIVE_RELAXED, false},
	{"strict_order", ITERATIVE_STRICT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry ivfflat_iterative[] = {
	{"off", ITERATIVE_OFF, false},
	{"relaxed_order", ITERATIVE_RELAXED, false},
	{NULL, 0, false}
};

static int	ef_search = 40;
static int	probes = 1;

/*
 * Accepted, and always met: our scans go on until the executor has what it
 * wants, in strict order, within work_mem.
 */
static int	iterative_scan = ITERATIVE_OFF;
static int	max_scan_tuples = 20000;
static double scan_mem_multiplier = 1;
static int	ivfflat_iterative_scan = ITERATIVE_OFF;
static int	max_probes = 32768;

static bool defined = false;

/* Names, ranges and defaults are pgvector's. */
void
pgvector_define_settings(void)
{
	if (defined)
		return;
	defined = true;
	DefineCustomIntVariable("hnsw.ef_search",
							"Candidates that a scan of an hnsw index considers at least.",
							"A recall of 1 - 0.4/ef_search is asked for where that is more than embed.recall.",
							&ef_search, 40, 1, 1000, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("hnsw.iterative_scan",
							 "Accepted for pgvector's sake: a scan always goes on, in strict order.",
							 NULL, &iterative_scan, ITERATIVE_OFF,
							 hnsw_iterative, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hnsw.max_scan_tuples",
							"Accepted for pgvector's sake: a scan has no such limit.",
							NULL, &max_scan_tuples, 20000, 1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("hnsw.scan_mem_multiplier",
							 "Accepted for pgvector's sake: work_mem bounds a scan.",
							 NULL, &scan_mem_multiplier, 1, 1, 1000,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ivfflat.probes",
							"Lists that a scan of an ivfflat index visits at least, as a share of all.",
							"As many as the index has lists make a search exact.",
							&probes, 1, 1, 32768, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("ivfflat.iterative_scan",
							 "Accepted for pgvector's sake: a scan always goes on.",
							 NULL, &ivfflat_iterative_scan, ITERATIVE_OFF,
							 ivfflat_iterative, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("ivfflat.max_probes",
							"Accepted for pgvector's sake: a scan has no such limit.",
							NULL, &max_probes, 32768, 1, 32768,
							PGC_USERSET, 0, NULL, NULL, NULL);
	reserve_settings("hnsw");
	reserve_settings("ivfflat");
}

int
pgvector_ef_search(void)
{
	return ef_search;
}

int
pgvector_probes(void)
{
	return probes;
}
