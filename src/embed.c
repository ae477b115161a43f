/*-------------------------------------------------------------------------
 *
 * embed.c
 *	  The door of the library: module magic and what happens at load.
 *
 * Loading must stay cheap: a backend that only compares two vectors pays for
 * this function and nothing else.  No thread is started and no library is
 * opened here, because the postmaster may be the process that loads us.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/classifier/trained_classifier.h"
#include "encoder/elmo/elmo_model.h"
#include "encoder/doc2vec/doc2vec.h"
#include "encoder/glove/glove.h"
#include "encoder/lsa/lsa.h"
#include "encoder/network/network.h"
#include "encoder/static/static.h"
#include "encoder/transformer/transformer_model.h"
#include "encoder/vocabulary/vocabulary.h"
#include "encoder/word2vec/word2vec.h"
#include "encoder/words/imported.h"
#include "index/inverted/inverted.h"
#include "index/ktree/ktree.h"
#include "index/pgvector/pgvector.h"
#include "math/cpu.h"
#include "math/distance.h"
#include "model/model.h"
#include "train/progress.h"
#include "train/team.h"
#include "utils/guc.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "embed", .version = "0.1");
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

/* A limit that is not understood must not look like one that is kept. */
static void
check_cpu_limit(void)
{
	const char *name = getenv("EMBED_CPU");

	if (name != NULL && cpu_level_of_name(name) == CPU_UNKNOWN)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown value of the environment variable EMBED_CPU: \"%s\"",
						name),
				 errhint("Use one of scalar, neon, avx2, avx512.")));
}

void
_PG_init(void)
{
	check_cpu_limit();
	distance_init();
	progress_init();
	model_init();
	vocabulary_init();
	word2vec_init();
	glove_init();
	doc2vec_init();
	lsa_init();
	classifier_init();
	imported_init();
	team_init();
	network_init();
	static_init();
	elmo_init();
	transformer_init();
	index_order_init();
	index_demand_init();
	inverted_init();
	ktree_init();
	pgvector_init();

	/* a misspelt embed.* setting is an error from here on */
	reserve_settings("embed");
}
