/*-------------------------------------------------------------------------
 *
 * stream.h
 *	  What the files behind token.h share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_STREAM_H
#define TEXT_STREAM_H

#include "tsearch/ts_cache.h"

#include "text/token.h"

typedef struct Dictionaries Dictionaries;

typedef enum Way
{
	WAY_DIRECT,
	WAY_SCANNER,
	WAY_PARSER
} Way;

struct TokenStream
{
	Oid			config;
	MemoryContext resolved;		/* all that depends on the configuration */
	uint64		generation;		/* when it was resolved */
	Way			way;
	Oid			parser;
	CharacterSource *source;	/* NULL: UTF-8 */
	WordScanner *scanner;		/* WAY_DIRECT, WAY_SCANNER */
	Dictionaries *dictionaries; /* WAY_SCANNER, WAY_PARSER */
	bool		cut_long;		/* see token_stream_cut_long */
	bool		noticed;		/* said that words were left out */
	const char *input;
	int			length;
};

extern void token_stream_too_long(TokenStream *stream);
extern int	token_stream_scan(TokenStream *stream, Token *batch, int capacity);

extern Dictionaries *dictionaries_create(TokenStream *stream,
										 TSConfigCacheEntry *config,
										 uint64 generation);
extern void dictionaries_begin(Dictionaries *dictionaries);
extern int	dictionaries_next(Dictionaries *dictionaries, Token *batch,
							  int capacity);

#endif							/* TEXT_STREAM_H */
