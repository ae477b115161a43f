/*-------------------------------------------------------------------------
 *
 * token.c
 *	  From a text search configuration and a text to a stream of tokens.
 *
 * Three ways, chosen by what the configuration is made of:
 *
 *	direct		our parser, embed_lower or embed_exact for words and nothing
 *				for blanks: the word scanner alone
 *	scanner		our parser with other dictionaries: the scanner's words go
 *				through the dictionaries (dictionaries.c)
 *	parser		any other parser of the server, likewise
 *
 * "Our parser" is recognised by the address of its start function, so it works
 * under any name and in any schema.  What was found is kept with a generation
 * number that every change of a text search object raises.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "tsearch/ts_cache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "text/encoding.h"
#include "text/generation.h"
#include "text/parser.h"
#include "text/stream.h"

static bool
is_our_parser(TSParserCacheEntry *parser, SplitRule *rule)
{
	if (parser->prsstart.fn_addr == embed_words_start)
		*rule = SPLIT_WORDS;
	else if (parser->prsstart.fn_addr == embed_whitespace_start)
		*rule = SPLIT_WHITESPACE;
	else
		return false;
	return true;
}

static bool
is_our_dictionary(Oid dictionary, bool *fold)
{
	TSDictionaryCacheEntry *entry = lookup_ts_dictionary_cache(dictionary);

	*fold = entry->lexize.fn_addr == embed_lower_lexize;
	return *fold || entry->lexize.fn_addr == embed_exact_lexize;
}

static inline int
mapped_dictionaries(TSConfigCacheEntry *config, int type)
{
	return type < config->lenmap ? config->map[type].len : 0;
}

/* Do the tokens of a type go through the dictionary of words, and no other? */
static bool
is_mapped_as_words(TSConfigCacheEntry *config, int type)
{
	return mapped_dictionaries(config, type) == 1 &&
		config->map[type].dictIds[0] == config->map[PARSER_WORD].dictIds[0];
}

/*
 * Find out which way the configuration takes, and prepare for it.  The
 * generation is set last: a stream outlives an error that somebody catches,
 * and what was prepared by half must not be used.
 */
static void
resolve(TokenStream *stream)
{
	uint64		generation = text_generation();
	MemoryContext caller;
	TSConfigCacheEntry *config;
	TSParserCacheEntry *parser;
	SplitRule	rule;
	bool		fold = false;
	bool		pairs;

	stream->generation = 0;
	MemoryContextReset(stream->resolved);
	stream->dictionaries = NULL;
	stream->scanner = NULL;

	if (!SearchSysCacheExists1(TSCONFIGOID, ObjectIdGetDatum(stream->config)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration with OID %u does not exist",
						stream->config)));

	config = lookup_ts_config_cache(stream->config);
	parser = lookup_ts_parser_cache(config->prsId);
	stream->source = database_character_source();

	caller = MemoryContextSwitchTo(stream->resolved);
	stream->way = WAY_PARSER;
	stream->parser = config->prsId;
	if (is_our_parser(parser, &rule) &&
		mapped_dictionaries(config, PARSER_BLANK) == 0)
	{
		pairs = mapped_dictionaries(config, PARSER_PAIR) > 0;
		stream->way = WAY_SCANNER;
		if (mapped_dictionaries(config, PARSER_WORD) == 1 &&
			is_our_dictionary(config->map[PARSER_WORD].dictIds[0], &fold) &&
			(!pairs || is_mapped_as_words(config, PARSER_PAIR)))
			stream->way = WAY_DIRECT;
		stream->scanner = palloc(sizeof(WordScanner));
		word_scanner_init(stream->scanner, rule, fold, stream->source);
		stream->scanner->pairs &= pairs;
		stream->scanner->cut_long = stream->cut_long &&
									stream->way == WAY_DIRECT;
	}
	if (stream->way != WAY_DIRECT)
		stream->dictionaries = dictionaries_create(stream, config, generation);
	MemoryContextSwitchTo(caller);

	/* to be resolved again if something changed while we looked */
	stream->generation = generation;
}

TokenStream *
token_stream_create(Oid config)
{
	TokenStream *stream = palloc0(sizeof(TokenStream));

	stream->config = config;
	stream->resolved = AllocSetContextCreate(CurrentMemoryContext,
											 "embed token stream",
											 ALLOCSET_SMALL_SIZES);
	resolve(stream);
	return stream;
}

void
token_stream_cut_long(TokenStream *stream)
{
	stream->cut_long = true;
	if (stream->way == WAY_DIRECT)
		stream->scanner->cut_long = true;
}

void
token_stream_begin(TokenStream *stream, const char *input, int length)
{
	if (stream->generation != text_generation())
		resolve(stream);
	stream->input = input;
	stream->length = length;
	if (stream->scanner != NULL)
		word_scanner_begin(stream->scanner, input, (size_t) length);
	if (stream->dictionaries != NULL)
		dictionaries_begin(stream->dictionaries);
}

/* Say once that words were left out. */
void
token_stream_too_long(TokenStream *stream)
{
	if (stream->noticed)
		return;
	stream->noticed = true;
	ereport(NOTICE,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("word is too long to be a token"),
			 errdetail("Words of %d bytes or more are left out.", WORD_TOO_LONG)));
}

/* The next batch of words as the scanner finds them. */
int
token_stream_scan(TokenStream *stream, Token *batch, int capacity)
{
	int			count = 0;

	while (count == 0 && !word_scanner_done(stream->scanner))
	{
		CHECK_FOR_INTERRUPTS();
		count = word_scanner_next(stream->scanner, batch, capacity);
	}
	if (stream->scanner->too_long > 0 && !stream->scanner->cut_long)
		token_stream_too_long(stream);
	return count;
}

int
token_stream_next(TokenStream *stream, Token *batch, int capacity)
{
	if (stream->way == WAY_DIRECT)
		return token_stream_scan(stream, batch, capacity);
	return dictionaries_next(stream->dictionaries, batch, capacity);
}

bool
token_stream_clusters(const TokenStream *stream)
{
	return stream->scanner != NULL && stream->scanner->rule == SPLIT_WORDS;
}
