/*-------------------------------------------------------------------------
 *
 * config_cache.h
 *	  What is made for a text search configuration, once for each.
 *
 * For texts that bring their configurations: a corpus of two languages needs
 * two token streams, however its rows alternate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_CONFIG_CACHE_H
#define TEXT_CONFIG_CACHE_H

#include "server/server.h"

/*
 * So many are kept, the ones used last: each may hold a memo of work_mem.
 * More configurations than this are read rightly, but made again and again.
 */
#define CONFIG_CACHE_SIZE 8

typedef struct ConfigCache ConfigCache;

/* Makes what is kept for a configuration, all in CurrentMemoryContext */
typedef void *(*ConfigMaker) (Oid config, void *argument);

/* In CurrentMemoryContext */
extern ConfigCache *config_cache_create(ConfigMaker make, void *argument);

/* Of this configuration; good until the next call */
extern void *config_cache_get(ConfigCache *cache, Oid config);

extern void config_cache_free(ConfigCache *cache);

/* The same for plain token streams */
extern ConfigCache *token_streams_create(void);

#endif							/* TEXT_CONFIG_CACHE_H */
