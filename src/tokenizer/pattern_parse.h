/*-------------------------------------------------------------------------
 *
 * pattern_parse.h
 *	  The tree of a pattern, between its parser and its compiler.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_PATTERN_PARSE_H
#define TOKENIZER_PATTERN_PARSE_H

#include "tokenizer/tokenizer_build.h"

typedef enum NodeKind
{
	NODE_EMPTY,
	NODE_CHARACTER,				/* a */
	NODE_SET,
	NODE_SEQUENCE,				/* children */
	NODE_CHOICE,				/* children */
	NODE_REPEAT,				/* child, a to b times */
	NODE_LOOK,					/* child; a: the operation */
	NODE_ATOMIC,				/* child */
	NODE_ASSERTION				/* a: the operation */
} NodeKind;

typedef enum RepeatMode
{
	REPEAT_GREEDY,
	REPEAT_LAZY,
	REPEAT_POSSESSIVE
} RepeatMode;

typedef struct Node
{
	NodeKind	kind;
	RepeatMode	mode;
	uint32_t	a;
	uint32_t	b;
	Set			set;
	uint32_t	number;			/* of the set's class, once it has one */
	struct Node *child;			/* the first */
	struct Node *next;			/* of the same parent */
} Node;

/* NULL and a fault if it cannot be read, or says what is not supported. */
extern Node *pattern_parse(Build *build, const char *text, size_t length);

extern Node *pattern_node(Build *build, NodeKind kind);

#endif							/* TOKENIZER_PATTERN_PARSE_H */
