/*-------------------------------------------------------------------------
 *
 * pattern_parse.c
 *	  Reading a pattern in Oniguruma's Ruby syntax.
 *
 * What published tokenizers use: literals, classes with categories, scripts,
 * intersections, groups with and without a name or options (i, m), look-ahead
 * and look-behind, atomic groups, greedy, lazy and possessive loops, anchors.
 * Everything else (references, conditions, recursion, \K, \G, \X, \R, absent
 * operators) is refused by its name.
 *
 * In Ruby's syntax ^ and $ stand at lines, (?m) lets the dot match a line
 * feed, and {n,m}+ is a loop around a loop.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pattern_parser.h"

#define MAX_REPEAT	1000
#define MAX_PATTERN 65536

static Node *parse_choice(PatternParser *parser);

Node *
pattern_refuse(PatternParser *parser, const char *what)
{
	char		excerpt[UTF8_EXCERPT];

	build_fault(
		parser->build, FORMAT_UNSUPPORTED,
		"The pattern \"%s\" has %s at byte %u, which is not supported.",
		utf8_excerpt((const char *) parser->text, parser->length, excerpt),
		what, parser->at);
	return NULL;
}

Node *
pattern_malformed(PatternParser *parser, const char *what)
{
	char		excerpt[UTF8_EXCERPT];

	build_fault(parser->build, FORMAT_MALFORMED,
				"The pattern \"%s\" has %s at byte %u.",
				utf8_excerpt((const char *) parser->text, parser->length,
							 excerpt),
				what, parser->at);
	return NULL;
}

Node *
pattern_node(Build *build, NodeKind kind)
{
	Node	   *node = build_alloc(build, 1, sizeof(*node));

	if (node == NULL)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->number = NO_ID;
	return node;
}

/* ---------- atoms ---------- */

/*
 * Characters that fold to several, alone or with a neighbour: without regard
 * to case Oniguruma would match those too.
 */
static bool
folds_to_several(uint32_t code)
{
	return code == 0xDF || code == 0x149 || code == 0x1F0 || code == 0x390 ||
		   code == 0x3B0 || code == 0x587 ||
		   (code >= 0x1E96 && code <= 0x1E9E) ||
		   (code >= 0x1F50 && code <= 0x1FFC) ||
		   (code >= 0xFB00 && code <= 0xFB17) || code == 0x130;
}

static Node *
character_node(PatternParser *parser, uint32_t code)
{
	Node	   *node = pattern_node(parser->build, NODE_CHARACTER);
	uint32_t	orbit[FOLD_MAX];
	int			count;

	if (node == NULL)
		return NULL;
	node->a = code;
	if (!parser->ignore_case)
		return node;
	if (folds_to_several(code))
		return pattern_refuse(
			parser, "a character without regard to case that folds to several");
	node->b = 1;				/* see check_neighbours */
	count = character_fold_orbit(code, orbit);
	if (count == 1)
		return node;
	node->kind = NODE_SET;
	for (int i = 0; i < count; i++)
		set_add(parser->build, &node->set, orbit[i], orbit[i]);
	set_order(&node->set);
	return node;
}

/* Two letters that a ligature folds to: ff, fi, fl, st, ss and so on. */
static bool
may_be_ligature(const Node *first, const Node *second)
{
	uint32_t	a;
	uint32_t	b;

	if (first->b != 1 || second->b != 1 || first->kind > NODE_SET ||
		second->kind > NODE_SET)
		return false;
	a = character_fold(first->a);
	b = character_fold(second->a);
	return (a == 's' && (b == 's' || b == 't')) ||
		   (a == 'f' && (b == 'f' || b == 'i' || b == 'l')) || b >= 0x300 ||
		   (a == 0x2BC && b == 'n');
}

static Node *
assertion_node(PatternParser *parser, ImageOperation operation)
{
	Node	   *node = pattern_node(parser->build, NODE_ASSERTION);

	if (node != NULL)
		node->a = operation;
	return node;
}

static Node *
set_node(PatternParser *parser, const Set *set)
{
	Node	   *node = pattern_node(parser->build, NODE_SET);

	if (node != NULL)
		node->set = *set;
	return node;
}

static Node *
parse_escape(PatternParser *parser)
{
	static const struct
	{
		char		letter;
		ImageOperation operation;
	}			assertions[] =
	{
		{'A', OP_TEXT_BEGIN}, {'z', OP_TEXT_END}, {'Z', OP_TEXT_END_LINE},
		{'b', OP_WORD_BOUNDARY}, {'B', OP_NOT_WORD_BOUNDARY}
	};
	uint32_t	code = 0;
	Set			set = {0};

	for (size_t i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++)
	{
		if (pattern_peek(parser, 0) == assertions[i].letter)
		{
			parser->at++;
			return assertion_node(parser, assertions[i].operation);
		}
	}
	switch (pattern_take_escape(parser, &code, &set, false))
	{
		case 1:
			return character_node(parser, code);
		case 2:
			return set_node(parser, &set);
		default:
			if (!build_failed(parser->build))
				pattern_refuse(parser, "an escape");
			return NULL;
	}
}

/* (?i), (?i-m:...): returns false if it is something else. */
static bool
take_options(PatternParser *parser, bool *scoped)
{
	uint32_t	at = parser->at;
	bool		ignore_case = parser->ignore_case;
	bool		dot_all = parser->dot_all;
	bool		on = true;

	for (; at < parser->length; at++)
	{
		int			letter = parser->text[at];

		if (letter == '-')
			on = false;
		else if (letter == 'i')
			ignore_case = on;
		else if (letter == 'm')
			dot_all = on;
		else
			break;
	}
	if (at == parser->length ||
		(parser->text[at] != ':' && parser->text[at] != ')'))
		return false;
	*scoped = parser->text[at] == ':';
	parser->at = at + 1;
	parser->ignore_case = ignore_case;
	parser->dot_all = dot_all;
	return true;
}

/* After an opening parenthesis and what follows it, the rest of the group. */
static Node *
parse_rest(PatternParser *parser)
{
	bool		ignore_case = parser->ignore_case;
	bool		dot_all = parser->dot_all;
	Node	   *node;

	if (++parser->depth > PATTERN_MAX_DEPTH)
		return pattern_refuse(parser, "too many groups within groups");
	node = parse_choice(parser);
	parser->depth--;
	parser->ignore_case = ignore_case;
	parser->dot_all = dot_all;
	if (node != NULL && !pattern_take(parser, ")"))
		return pattern_malformed(parser, "a group without an end");
	return node;
}

static Node *
parse_inside(PatternParser *parser, NodeKind kind, uint32_t operation)
{
	Node	   *node = pattern_node(parser->build, kind);

	if (node == NULL)
		return NULL;
	node->a = operation;
	node->child = parse_rest(parser);
	return node->child == NULL ? NULL : node;
}

static Node *
parse_group(PatternParser *parser)
{
	bool		ignore_case = parser->ignore_case;
	bool		dot_all = parser->dot_all;
	bool		scoped;
	Node	   *node;

	if (!pattern_take(parser, "?"))
		return parse_rest(parser);
	if (pattern_take(parser, ":"))
		return parse_rest(parser);
	if (pattern_take(parser, "="))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_AHEAD);
	if (pattern_take(parser, "!"))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_AHEAD_NOT);
	if (pattern_take(parser, "<="))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_BEHIND);
	if (pattern_take(parser, "<!"))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_BEHIND_NOT);
	if (pattern_take(parser, ">"))
		return parse_inside(parser, NODE_ATOMIC, 0);
	if (pattern_take(parser, "#"))
	{
		while (pattern_more(parser) && pattern_peek(parser, 0) != ')')
			parser->at++;
		return pattern_take(parser, ")")
				   ? pattern_node(parser->build, NODE_EMPTY)
				   : pattern_malformed(parser, "a comment without an end");
	}
	if (pattern_peek(parser, 0) == '<' && pattern_peek(parser, 1) >= 'A')
	{
		while (pattern_more(parser) && pattern_peek(parser, 0) != '>')
			parser->at++;
		return pattern_take(parser, ">")
				   ? parse_rest(parser)
				   : pattern_malformed(parser, "a name without an end");
	}
	if (!take_options(parser, &scoped))
		return pattern_refuse(parser, "a group of that kind");
	if (!scoped)
	{
		/* up to the end of the group around it, alternatives and all */
		if (++parser->depth > PATTERN_MAX_DEPTH)
			return pattern_refuse(parser, "too many groups within groups");
		node = parse_choice(parser);
		parser->depth--;
		parser->ignore_case = ignore_case;
		parser->dot_all = dot_all;
		return node;
	}
	node = parse_rest(parser);
	parser->ignore_case = ignore_case;
	parser->dot_all = dot_all;
	return node;
}

static Node *
parse_atom(PatternParser *parser)
{
	Set			set = {0};
	int			letter = pattern_peek(parser, 0);

	switch (letter)
	{
		case '(':
			parser->at++;
			return parse_group(parser);
		case '[':
			parser->at++;
			return pattern_parse_class(parser, &set) ? set_node(parser, &set)
													 : NULL;
		case '\\':
			parser->at++;
			return parse_escape(parser);
		case '.':
			parser->at++;
			if (!parser->dot_all)
				set_add(parser->build, &set, '\n', '\n');
			set_invert(parser->build, &set);
			return set_node(parser, &set);
		case '^':
			parser->at++;
			return assertion_node(parser, OP_LINE_BEGIN);
		case '$':
			parser->at++;
			return assertion_node(parser, OP_LINE_END);
		case '*':
		case '+':
		case '?':
			return pattern_malformed(parser, "a loop around nothing");
		default:
			return character_node(parser, pattern_take_code(parser));
	}
}

/* ---------- loops, sequences, choices ---------- */

/* {n}, {n,}, {,m}, {n,m}; false, and nothing taken, if it is none. */
static bool
take_interval(PatternParser *parser, uint32_t *least, uint32_t *most)
{
	uint32_t	at = parser->at + 1;
	uint32_t	numbers[2] = {0, REPEAT_INFINITE};
	bool		given[2] = {false, false};
	bool		comma = false;

	if (pattern_peek(parser, 0) != '{')
		return false;
	for (int i = 0; i < 2; i++)
	{
		uint32_t	number = 0;

		while (at < parser->length && parser->text[at] >= '0' &&
			   parser->text[at] <= '9')
		{
			number = number > MAX_REPEAT
						 ? number
						 : number * 10 + (parser->text[at] - '0');
			given[i] = true;
			at++;
		}
		if (given[i])
			numbers[i] = number;
		if (i == 0 && at < parser->length && parser->text[at] == ',')
		{
			comma = true;
			at++;
		}
		else
			break;
	}
	if (at >= parser->length || parser->text[at] != '}' ||
		(!given[0] && !given[1]))
		return false;
	*least = numbers[0];
	*most = comma ? numbers[1] : numbers[0];
	parser->at = at + 1;
	return true;
}

static Node *
parse_repeat(PatternParser *parser)
{
	Node	   *node = parse_atom(parser);

	while (node != NULL && pattern_more(parser))
	{
		Node	   *repeat;
		uint32_t	least = 0;
		uint32_t	most = REPEAT_INFINITE;
		bool		interval = false;

		if (pattern_take(parser, "?"))
			most = 1;
		else if (pattern_take(parser, "+"))
			least = 1;
		else if (take_interval(parser, &least, &most))
			interval = true;
		else if (!pattern_take(parser, "*"))
			return node;
		if (least > MAX_REPEAT ||
			(most > MAX_REPEAT && most != REPEAT_INFINITE))
			return pattern_refuse(parser, "a loop of more than 1000 turns");
		if (most < least)
			return pattern_refuse(
				parser, "an interval that ends before it begins");
		if (node->kind == NODE_ASSERTION || node->kind == NODE_LOOK ||
			node->kind == NODE_EMPTY)
			return pattern_refuse(
				parser, "a loop around what takes no characters");
		repeat = pattern_node(parser->build, NODE_REPEAT);
		if (repeat == NULL)
			return NULL;
		repeat->a = least;
		repeat->b = most;
		repeat->child = node;
		if (pattern_peek(parser, 0) == '?')
		{
			if (interval && least == most)
				return pattern_refuse(
					parser, "an exact interval that is optional");
			parser->at++;
			repeat->mode = REPEAT_LAZY;
		}
		else if (!interval && pattern_take(parser, "+"))
			repeat->mode = REPEAT_POSSESSIVE;
		node = repeat;
	}
	return node;
}

static Node *
parse_sequence(PatternParser *parser)
{
	Node	   *sequence = pattern_node(parser->build, NODE_SEQUENCE);
	Node	   *last = NULL;

	while (pattern_more(parser) && pattern_peek(parser, 0) != '|' &&
		   pattern_peek(parser, 0) != ')')
	{
		Node	   *node = parse_repeat(parser);

		if (node == NULL || sequence == NULL)
			return NULL;
		if (last == NULL)
			sequence->child = node;
		else
		{
			if (may_be_ligature(last, node))
				return pattern_refuse(
					parser, "letters without regard to case that form a ligature");
			last->next = node;
		}
		last = node;
	}
	if (sequence != NULL && sequence->child == NULL)
		sequence->kind = NODE_EMPTY;
	else if (sequence != NULL && sequence->child->next == NULL)
		return sequence->child;
	return sequence;
}

static Node *
parse_choice(PatternParser *parser)
{
	Node	   *choice = NULL;
	Node	   *last;
	Node	   *first = parse_sequence(parser);

	last = first;
	while (last != NULL && pattern_take(parser, "|"))
	{
		if (choice == NULL)
		{
			choice = pattern_node(parser->build, NODE_CHOICE);
			if (choice == NULL)
				return NULL;
			/* a node of its own, since a child's "next" is taken */
			choice->child = first;
		}
		last->next = parse_sequence(parser);
		last = last->next;
	}
	if (last == NULL || build_failed(parser->build))
		return NULL;
	return choice == NULL ? first : choice;
}

Node *
pattern_parse(Build *build, const char *text, size_t length)
{
	PatternParser parser = {.build = build,
							.text = (const unsigned char *) text};
	Node	   *node;

	if (length > MAX_PATTERN)
	{
		build_fault(build, FORMAT_TOO_LARGE, "A pattern is longer than %d bytes.", MAX_PATTERN);
		return NULL;
	}
	if (utf8_valid_length(parser.text, length) != length)
	{
		build_fault(build, FORMAT_MALFORMED, "A pattern is not valid UTF-8.");
		return NULL;
	}
	parser.length = (uint32_t) length;
	node = parse_choice(&parser);
	if (node != NULL && parser.at < parser.length)
		return pattern_malformed(&parser, "a parenthesis too many");
	return build_failed(build) ? NULL : node;
}
