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

#include "encoder/vocabulary/vocabulary.h"
#include "encoder/word2vec/word2vec.h"
#include "index/inverted/inverted.h"
#include "index/ktree/ktree.h"
#include "math/distance.h"
#include "model/model.h"
#include "train/progress.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "embed", .version = "0.1");
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	distance_init();
	progress_init();
	vocabulary_init();
	word2vec_init();
	index_order_init();
	inverted_init();
	ktree_init();
}
