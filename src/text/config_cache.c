/*-------------------------------------------------------------------------
 *
 * config_cache.c
 *	  What is made for a text search configuration, once for each.
 *
 *-------------------------------------------------------------------------
 */
#include "text/config_cache.h"

#include "text/token.h"
#include "utils/memutils.h"

typedef struct CachedConfig
{
	Oid			config;			/* InvalidOid: nothing made */
	void	   *value;
	MemoryContext context;		/* of the value; NULL: never used */
	uint64		used;			/* when, by the cache's clock */
} CachedConfig;

struct ConfigCache
{
	MemoryContext context;
	ConfigMaker make;
	void	   *argument;
	uint64		clock;
	CachedConfig *latest;		/* the one asked for last */
	CachedConfig entries[CONFIG_CACHE_SIZE];
};

ConfigCache *
config_cache_create(ConfigMaker make, void *argument)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed configurations",
												  ALLOCSET_SMALL_SIZES);
	ConfigCache *cache = MemoryContextAllocZero(context, sizeof(ConfigCache));

	cache->context = context;
	cache->make = make;
	cache->argument = argument;
	cache->latest = &cache->entries[0];
	return cache;
}

/* The entry of a configuration, or the one unused for longest */
static CachedConfig *
choose_entry(ConfigCache *cache, Oid config)
{
	CachedConfig *oldest = &cache->entries[0];

	for (int i = 0; i < CONFIG_CACHE_SIZE; i++)
	{
		if (cache->entries[i].config == config)
			return &cache->entries[i];
		if (cache->entries[i].used < oldest->used)
			oldest = &cache->entries[i];
	}
	return oldest;
}

/* If this fails, the entry is an empty one. */
static void
fill_entry(ConfigCache *cache, CachedConfig *entry, Oid config)
{
	MemoryContext caller;

	entry->config = InvalidOid;
	entry->used = 0;
	if (entry->context == NULL)
		entry->context = AllocSetContextCreate(cache->context,
											   "embed configuration",
											   ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(entry->context);
	caller = MemoryContextSwitchTo(entry->context);
	entry->value = cache->make(config, cache->argument);
	MemoryContextSwitchTo(caller);
	entry->config = config;
}

void *
config_cache_get(ConfigCache *cache, Oid config)
{
	CachedConfig *entry = cache->latest;

	if (entry->config == config && OidIsValid(config))
		return entry->value;
	entry = choose_entry(cache, config);
	if (entry->config != config || !OidIsValid(config))
		fill_entry(cache, entry, config);
	entry->used = ++cache->clock;
	cache->latest = entry;
	return entry->value;
}

void
config_cache_free(ConfigCache *cache)
{
	MemoryContextDelete(cache->context);
}

static void *
make_token_stream(Oid config, void *argument)
{
	return token_stream_create(config);
}

ConfigCache *
token_streams_create(void)
{
	return config_cache_create(make_token_stream, NULL);
}
