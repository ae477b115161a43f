/*-------------------------------------------------------------------------
 *
 * pattern_parser.h
 *	  What is read of a pattern so far, for the files that read on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_PATTERN_PARSER_H
#define TOKENIZER_PATTERN_PARSER_H

#include "tokenizer/pattern_parse.h"
#include "tokenizer/tokenizer_characters.h"

#define PATTERN_MAX_DEPTH 32

typedef struct PatternParser
{
	Build	   *build;
	const unsigned char *text;
	uint32_t	length;
	uint32_t	at;
	int			depth;
	bool		ignore_case;
	bool		dot_all;
} PatternParser;

/* A fault with the pattern and what in it; NULL. */
extern Node *pattern_refuse(PatternParser *parser, const char *what);
extern Node *pattern_malformed(PatternParser *parser, const char *what);

/* pattern_class.c */
extern int	pattern_take_escape(PatternParser *parser, uint32_t *code,
								Set *set, bool inside);
extern bool pattern_parse_class(PatternParser *parser, Set *set);

static inline bool
pattern_more(const PatternParser *parser)
{
	return parser->at < parser->length && !build_failed(parser->build);
}

static inline int
pattern_peek(const PatternParser *parser, uint32_t ahead)
{
	return parser->length - parser->at > ahead
			   ? parser->text[parser->at + ahead]
			   : -1;
}

static inline bool
pattern_take(PatternParser *parser, const char *what)
{
	size_t		length = strlen(what);

	if (parser->length - parser->at < length ||
		memcmp(parser->text + parser->at, what, length) != 0)
		return false;
	parser->at += (uint32_t) length;
	return true;
}

static inline uint32_t
pattern_take_code(PatternParser *parser)
{
	uint32_t	code = utf8_code(parser->text + parser->at);

	parser->at += utf8_step(parser->text + parser->at);
	return code;
}

#endif							/* TOKENIZER_PATTERN_PARSER_H */
