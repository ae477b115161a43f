/*-------------------------------------------------------------------------
 *
 * generation.c
 *	  Whether text search objects have changed.
 *
 *-------------------------------------------------------------------------
 */
#include "text/generation.h"

#include "utils/inval.h"
#include "utils/syscache.h"

static uint64 generation = 0;

static void
objects_changed(Datum argument, int cache, uint32 hash)
{
	generation++;
}

static void
watch_objects(void)
{
	CacheRegisterSyscacheCallback(TSPARSEROID, objects_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TSDICTOID, objects_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TSTEMPLATEOID, objects_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TSCONFIGOID, objects_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TSCONFIGMAP, objects_changed, (Datum) 0);
}

uint64
text_generation(void)
{
	if (unlikely(generation == 0))
	{
		watch_objects();
		generation = 1;
	}
	return generation;
}
