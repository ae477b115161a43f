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
#include "tokenizer/pattern_parse.h"

#include "tokenizer/tokenizer_characters.h"

#define MAX_DEPTH	32
#define MAX_REPEAT	1000
#define MAX_PATTERN 65536

typedef struct Parser
{
	Build	   *build;
	const unsigned char *text;
	uint32_t	length;
	uint32_t	at;
	int			depth;
	bool		ignore_case;
	bool		dot_all;
} Parser;

static Node *parse_choice(Parser *parser);

/* A fault with the pattern and what in it; NULL. */
static Node *
refuse(Parser *parser, const char *what)
{
	char		excerpt[UTF8_EXCERPT];

	build_fault(
		parser->build, FORMAT_UNSUPPORTED,
		"The pattern \"%s\" has %s at byte %u, which is not supported.",
		utf8_excerpt((const char *) parser->text, parser->length, excerpt),
		what, parser->at);
	return NULL;
}

static Node *
malformed(Parser *parser, const char *what)
{
	char		excerpt[UTF8_EXCERPT];

	build_fault(parser->build, FORMAT_MALFORMED,
				"The pattern \"%s\" has %s at byte %u.",
				utf8_excerpt((const char *) parser->text, parser->length,
							 excerpt),
				what, parser->at);
	return NULL;
}

static bool
more(const Parser *parser)
{
	return parser->at < parser->length && !build_failed(parser->build);
}

static int
peek(const Parser *parser, uint32_t ahead)
{
	return parser->length - parser->at > ahead
			   ? parser->text[parser->at + ahead]
			   : -1;
}

static bool
take(Parser *parser, const char *what)
{
	size_t		length = strlen(what);

	if (parser->length - parser->at < length ||
		memcmp(parser->text + parser->at, what, length) != 0)
		return false;
	parser->at += (uint32_t) length;
	return true;
}

static uint32_t
take_code(Parser *parser)
{
	uint32_t	code = utf8_code(parser->text + parser->at);

	parser->at += utf8_step(parser->text + parser->at);
	return code;
}

static int
hexadecimal(int letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	if (letter >= 'a' && letter <= 'f')
		return letter - 'a' + 10;
	if (letter >= 'A' && letter <= 'F')
		return letter - 'A' + 10;
	return -1;
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

/* ---------- escapes ---------- */

/* Hexadecimal digits after \x, \x{ and \u; false and a fault if none. */
static bool
take_number(Parser *parser, uint32_t *code, int most, bool braces)
{
	int			count = 0;

	*code = 0;
	while (count < most && hexadecimal(peek(parser, 0)) >= 0)
	{
		*code = *code * 16 + (uint32_t) hexadecimal(peek(parser, 0));
		parser->at++;
		count++;
	}
	if (count == 0 || *code >= CODE_LIMIT ||
		(*code >= 0xD800 && *code < 0xE000) || (braces && !take(parser, "}")))
	{
		malformed(parser, "an invalid number of a character");
		return false;
	}
	return true;
}

/*
 * After a backslash: a character (1), a set (2), or neither (0: nothing was
 * taken, or there is a fault).  inside: of brackets.
 */
static int
take_escape(Parser *parser, uint32_t *code, Set *set, bool inside)
{
	int			letter = peek(parser, 0);
	bool		inverse;
	uint32_t	begin;

	switch (letter)
	{
		case 'n':
			*code = '\n';
			break;
		case 'r':
			*code = '\r';
			break;
		case 't':
			*code = '\t';
			break;
		case 'f':
			*code = '\f';
			break;
		case 'v':
			*code = '\v';
			break;
		case 'a':
			*code = 7;
			break;
		case 'e':
			*code = 27;
			break;
		case 'x':
			parser->at++;
			if (take(parser, "{"))
				return take_number(parser, code, 8, true);
			/*
			 * two digits are a byte to Oniguruma, the same as a character
			 * below 128
			 */
			if (!take_number(parser, code, 2, false))
				return 0;
			if (*code >= 0x80)
				refuse(parser, "a byte that is no character");
			return !build_failed(parser->build);
		case 'u':
			parser->at++;
			return take_number(parser, code, 4, false);
		case 'd':
		case 'D':
		case 'w':
		case 'W':
		case 's':
		case 'S':
		case 'h':
		case 'H':
			parser->at++;
			set_add_escape(parser->build, set, (char) (letter | 32), inside);
			if (!(letter & 32))
				set_invert(parser->build, set);
			set_order(set);
			return 2;
		case 'p':
		case 'P':
			inverse = letter == 'P';
			parser->at++;
			if (!take(parser, "{"))
			{
				refuse(parser, "a property without braces");
				return 0;
			}
			if (take(parser, "^"))
				inverse = !inverse;
			begin = parser->at;
			while (more(parser) && peek(parser, 0) != '}')
				parser->at++;
			if (!set_add_property(parser->build, set,
								  (const char *) parser->text + begin,
								  parser->at - begin))
			{
				parser->at = begin;
				refuse(parser, "a property of that name");
				return 0;
			}
			if (!take(parser, "}"))
			{
				malformed(parser, "a property without an end");
				return 0;
			}
			set_order(set);
			if (inverse)
				set_invert(parser->build, set);
			return 2;
		case -1:
			malformed(parser, "a backslash");
			return 0;
		default:
			if ((letter >= 'a' && letter <= 'z') ||
				(letter >= 'A' && letter <= 'Z') ||
				(letter >= '0' && letter <= '9'))
				return 0;
			*code = take_code(parser);
			return 1;
	}
	parser->at++;
	return 1;
}

/* ---------- classes ---------- */

static bool parse_class(Parser *parser, Set *set);

/* [:name:] or [:^name:]; false if it is none. */
static bool
take_posix(Parser *parser, Set *set)
{
	uint32_t	begin = parser->at + 2;
	uint32_t	end;
	Set			named = {0};
	bool		inverse;

	if (peek(parser, 0) != '[' || peek(parser, 1) != ':')
		return false;
	inverse = peek(parser, 2) == '^';
	begin += inverse;
	for (end = begin; end < parser->length && parser->text[end] >= 'a' &&
					  parser->text[end] <= 'z';)
		end++;
	if (parser->length - end < 2 || parser->text[end] != ':' ||
		parser->text[end + 1] != ']')
		return false;
	if (!set_add_posix(parser->build, &named,
					   (const char *) parser->text + begin, end - begin))
		refuse(parser, "a class of that name");
	set_order(&named);
	if (inverse)
		set_invert(parser->build, &named);
	set_add_set(parser->build, set, &named);
	parser->at = end + 2;
	return true;
}

/* One element of a class: a character (1) or a set, already added (2). */
static int
take_element(Parser *parser, Set *set, uint32_t *code)
{
	Set			inner = {0};
	int			kind;

	if (take_posix(parser, set))
		return 2;
	if (take(parser, "["))
	{
		if (++parser->depth > MAX_DEPTH)
			refuse(parser, "too many classes within classes");
		else if (parse_class(parser, &inner))
			set_add_set(parser->build, set, &inner);
		parser->depth--;
		return 2;
	}
	if (!take(parser, "\\"))
	{
		*code = take_code(parser);
		return 1;
	}
	if (take(parser, "b"))
	{
		*code = 8;
		return 1;
	}
	kind = take_escape(parser, code, &inner, true);
	if (kind == 0 && !build_failed(parser->build))
		refuse(parser, "an escape in a class");
	if (kind == 2)
		set_add_set(parser->build, set, &inner);
	return kind;
}

/* After the opening bracket, up to and with the closing one. */
static bool
parse_class(Parser *parser, Set *set)
{
	bool		inverse = take(parser, "^");
	bool		intersect = false;
	Set			left = {0};
	Set			now = {0};

	if (peek(parser, 0) == ']')
	{
		refuse(parser, "a bracket that closes an empty class");
		return false;
	}
	while (more(parser) && peek(parser, 0) != ']')
	{
		uint32_t	first = 0;
		uint32_t	last = 0;
		int			kind;

		if (take(parser, "&&"))
		{
			if (intersect)
				set_intersect(parser->build, &left, &now);
			else
				left = now;
			intersect = true;
			memset(&now, 0, sizeof(now));
			continue;
		}
		kind = take_element(parser, &now, &first);
		if (kind == 1 && peek(parser, 0) == '-' && peek(parser, 1) != ']' &&
			peek(parser, 1) >= 0)
		{
			parser->at++;
			kind = take_element(parser, &now, &last);
			if (kind == 2)
				refuse(parser, "a range that ends in a class");
			if (last < first)
				malformed(parser, "a range that ends before it begins");
			set_add(parser->build, &now, first, last);
		}
		else if (kind == 1)
			set_add(parser->build, &now, first, first);
	}
	if (build_failed(parser->build))
		return false;
	if (!take(parser, "]"))
	{
		malformed(parser, "a class without an end");
		return false;
	}
	set_order(&now);
	if (intersect)
	{
		set_intersect(parser->build, &left, &now);
		now = left;
	}
	if (parser->ignore_case)
		set_fold(parser->build, &now);
	set_order(&now);
	if (inverse)
		set_invert(parser->build, &now);
	*set = now;
	return !build_failed(parser->build);
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
character_node(Parser *parser, uint32_t code)
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
		return refuse(parser, "a character without regard to case that folds to several");
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
assertion_node(Parser *parser, ImageOperation operation)
{
	Node	   *node = pattern_node(parser->build, NODE_ASSERTION);

	if (node != NULL)
		node->a = operation;
	return node;
}

static Node *
set_node(Parser *parser, const Set *set)
{
	Node	   *node = pattern_node(parser->build, NODE_SET);

	if (node != NULL)
		node->set = *set;
	return node;
}

static Node *
parse_escape(Parser *parser)
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
		if (peek(parser, 0) == assertions[i].letter)
		{
			parser->at++;
			return assertion_node(parser, assertions[i].operation);
		}
	}
	switch (take_escape(parser, &code, &set, false))
	{
		case 1:
			return character_node(parser, code);
		case 2:
			return set_node(parser, &set);
		default:
			if (!build_failed(parser->build))
				refuse(parser, "an escape");
			return NULL;
	}
}

/* (?i), (?i-m:...): returns false if it is something else. */
static bool
take_options(Parser *parser, bool *scoped)
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
parse_rest(Parser *parser)
{
	bool		ignore_case = parser->ignore_case;
	bool		dot_all = parser->dot_all;
	Node	   *node;

	if (++parser->depth > MAX_DEPTH)
		return refuse(parser, "too many groups within groups");
	node = parse_choice(parser);
	parser->depth--;
	parser->ignore_case = ignore_case;
	parser->dot_all = dot_all;
	if (node != NULL && !take(parser, ")"))
		return malformed(parser, "a group without an end");
	return node;
}

static Node *
parse_inside(Parser *parser, NodeKind kind, uint32_t operation)
{
	Node	   *node = pattern_node(parser->build, kind);

	if (node == NULL)
		return NULL;
	node->a = operation;
	node->child = parse_rest(parser);
	return node->child == NULL ? NULL : node;
}

static Node *
parse_group(Parser *parser)
{
	bool		ignore_case = parser->ignore_case;
	bool		dot_all = parser->dot_all;
	bool		scoped;
	Node	   *node;

	if (!take(parser, "?"))
		return parse_rest(parser);
	if (take(parser, ":"))
		return parse_rest(parser);
	if (take(parser, "="))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_AHEAD);
	if (take(parser, "!"))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_AHEAD_NOT);
	if (take(parser, "<="))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_BEHIND);
	if (take(parser, "<!"))
		return parse_inside(parser, NODE_LOOK, OP_LOOK_BEHIND_NOT);
	if (take(parser, ">"))
		return parse_inside(parser, NODE_ATOMIC, 0);
	if (take(parser, "#"))
	{
		while (more(parser) && peek(parser, 0) != ')')
			parser->at++;
		return take(parser, ")") ? pattern_node(parser->build, NODE_EMPTY) :
			malformed(parser, "a comment without an end");
	}
	if (peek(parser, 0) == '<' && peek(parser, 1) >= 'A')
	{
		while (more(parser) && peek(parser, 0) != '>')
			parser->at++;
		return take(parser, ">") ? parse_rest(parser) :
			malformed(parser, "a name without an end");
	}
	if (!take_options(parser, &scoped))
		return refuse(parser, "a group of that kind");
	if (!scoped)
	{
		/* up to the end of the group around it, alternatives and all */
		if (++parser->depth > MAX_DEPTH)
			return refuse(parser, "too many groups within groups");
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
parse_atom(Parser *parser)
{
	Set			set = {0};
	int			letter = peek(parser, 0);

	switch (letter)
	{
		case '(':
			parser->at++;
			return parse_group(parser);
		case '[':
			parser->at++;
			return parse_class(parser, &set) ? set_node(parser, &set) : NULL;
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
			return malformed(parser, "a loop around nothing");
		default:
			return character_node(parser, take_code(parser));
	}
}

/* ---------- loops, sequences, choices ---------- */

/* {n}, {n,}, {,m}, {n,m}; false, and nothing taken, if it is none. */
static bool
take_interval(Parser *parser, uint32_t *least, uint32_t *most)
{
	uint32_t	at = parser->at + 1;
	uint32_t	numbers[2] = {0, REPEAT_INFINITE};
	bool		given[2] = {false, false};
	bool		comma = false;

	if (peek(parser, 0) != '{')
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
parse_repeat(Parser *parser)
{
	Node	   *node = parse_atom(parser);

	while (node != NULL && more(parser))
	{
		Node	   *repeat;
		uint32_t	least = 0;
		uint32_t	most = REPEAT_INFINITE;
		bool		interval = false;

		if (take(parser, "?"))
			most = 1;
		else if (take(parser, "+"))
			least = 1;
		else if (take_interval(parser, &least, &most))
			interval = true;
		else if (!take(parser, "*"))
			return node;
		if (least > MAX_REPEAT ||
			(most > MAX_REPEAT && most != REPEAT_INFINITE))
			return refuse(parser, "a loop of more than 1000 turns");
		if (most < least)
			return refuse(parser, "an interval that ends before it begins");
		if (node->kind == NODE_ASSERTION || node->kind == NODE_LOOK ||
			node->kind == NODE_EMPTY)
			return refuse(parser, "a loop around what takes no characters");
		repeat = pattern_node(parser->build, NODE_REPEAT);
		if (repeat == NULL)
			return NULL;
		repeat->a = least;
		repeat->b = most;
		repeat->child = node;
		if (peek(parser, 0) == '?')
		{
			if (interval && least == most)
				return refuse(parser, "an exact interval that is optional");
			parser->at++;
			repeat->mode = REPEAT_LAZY;
		}
		else if (!interval && take(parser, "+"))
			repeat->mode = REPEAT_POSSESSIVE;
		node = repeat;
	}
	return node;
}

static Node *
parse_sequence(Parser *parser)
{
	Node	   *sequence = pattern_node(parser->build, NODE_SEQUENCE);
	Node	   *last = NULL;

	while (more(parser) && peek(parser, 0) != '|' && peek(parser, 0) != ')')
	{
		Node	   *node = parse_repeat(parser);

		if (node == NULL || sequence == NULL)
			return NULL;
		if (last == NULL)
			sequence->child = node;
		else
		{
			if (may_be_ligature(last, node))
				return refuse(parser, "letters without regard to case that form a ligature");
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
parse_choice(Parser *parser)
{
	Node	   *choice = NULL;
	Node	   *last;
	Node	   *first = parse_sequence(parser);

	last = first;
	while (last != NULL && take(parser, "|"))
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
	Parser		parser = {.build = build,
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
		return malformed(&parser, "a parenthesis too many");
	return build_failed(build) ? NULL : node;
}
