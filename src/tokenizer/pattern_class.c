/*-------------------------------------------------------------------------
 *
 * pattern_class.c
 *	  The parts of a pattern that stand for one character: escapes and classes.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pattern_parser.h"

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

/* ---------- escapes ---------- */

/* Hexadecimal digits after \x, \x{ and \u; false and a fault if none. */
static bool
take_number(PatternParser *parser, uint32_t *code, int most, bool braces)
{
	int			count = 0;

	*code = 0;
	while (count < most && hexadecimal(pattern_peek(parser, 0)) >= 0)
	{
		*code = *code * 16 + (uint32_t) hexadecimal(pattern_peek(parser, 0));
		parser->at++;
		count++;
	}
	if (count == 0 || *code >= CODE_LIMIT ||
		(*code >= 0xD800 && *code < 0xE000) ||
		(braces && !pattern_take(parser, "}")))
	{
		pattern_malformed(parser, "an invalid number of a character");
		return false;
	}
	return true;
}

/*
 * After a backslash: a character (1), a set (2), or neither (0: nothing was
 * taken, or there is a fault).  inside: of brackets.
 */
int
pattern_take_escape(PatternParser *parser, uint32_t *code, Set *set,
					bool inside)
{
	int			letter = pattern_peek(parser, 0);
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
			if (pattern_take(parser, "{"))
				return take_number(parser, code, 8, true);
			/*
			 * two digits are a byte to Oniguruma, the same as a character
			 * below 128
			 */
			if (!take_number(parser, code, 2, false))
				return 0;
			if (*code >= 0x80)
				pattern_refuse(parser, "a byte that is no character");
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
			if (!pattern_take(parser, "{"))
			{
				pattern_refuse(parser, "a property without braces");
				return 0;
			}
			if (pattern_take(parser, "^"))
				inverse = !inverse;
			begin = parser->at;
			while (pattern_more(parser) && pattern_peek(parser, 0) != '}')
				parser->at++;
			if (!set_add_property(parser->build, set,
								  (const char *) parser->text + begin,
								  parser->at - begin))
			{
				parser->at = begin;
				pattern_refuse(parser, "a property of that name");
				return 0;
			}
			if (!pattern_take(parser, "}"))
			{
				pattern_malformed(parser, "a property without an end");
				return 0;
			}
			set_order(set);
			if (inverse)
				set_invert(parser->build, set);
			return 2;
		case -1:
			pattern_malformed(parser, "a backslash");
			return 0;
		default:
			if ((letter >= 'a' && letter <= 'z') ||
				(letter >= 'A' && letter <= 'Z') ||
				(letter >= '0' && letter <= '9'))
				return 0;
			*code = pattern_take_code(parser);
			return 1;
	}
	parser->at++;
	return 1;
}

/* ---------- classes ---------- */

/* [:name:] or [:^name:]; false if it is none. */
static bool
take_posix(PatternParser *parser, Set *set)
{
	uint32_t	begin = parser->at + 2;
	uint32_t	end;
	Set			named = {0};
	bool		inverse;

	if (pattern_peek(parser, 0) != '[' || pattern_peek(parser, 1) != ':')
		return false;
	inverse = pattern_peek(parser, 2) == '^';
	begin += inverse;
	for (end = begin; end < parser->length && parser->text[end] >= 'a' &&
					  parser->text[end] <= 'z';)
		end++;
	if (parser->length - end < 2 || parser->text[end] != ':' ||
		parser->text[end + 1] != ']')
		return false;
	if (!set_add_posix(parser->build, &named,
					   (const char *) parser->text + begin, end - begin))
		pattern_refuse(parser, "a class of that name");
	set_order(&named);
	if (inverse)
		set_invert(parser->build, &named);
	set_add_set(parser->build, set, &named);
	parser->at = end + 2;
	return true;
}

/* One element of a class: a character (1) or a set, already added (2). */
static int
take_element(PatternParser *parser, Set *set, uint32_t *code)
{
	Set			inner = {0};
	int			kind;

	if (take_posix(parser, set))
		return 2;
	if (pattern_take(parser, "["))
	{
		if (++parser->depth > PATTERN_MAX_DEPTH)
			pattern_refuse(parser, "too many classes within classes");
		else if (pattern_parse_class(parser, &inner))
			set_add_set(parser->build, set, &inner);
		parser->depth--;
		return 2;
	}
	if (!pattern_take(parser, "\\"))
	{
		*code = pattern_take_code(parser);
		return 1;
	}
	if (pattern_take(parser, "b"))
	{
		*code = 8;
		return 1;
	}
	kind = pattern_take_escape(parser, code, &inner, true);
	if (kind == 0 && !build_failed(parser->build))
		pattern_refuse(parser, "an escape in a class");
	if (kind == 2)
		set_add_set(parser->build, set, &inner);
	return kind;
}

/* After the opening bracket, up to and with the closing one. */
bool
pattern_parse_class(PatternParser *parser, Set *set)
{
	bool		inverse = pattern_take(parser, "^");
	bool		intersect = false;
	Set			left = {0};
	Set			now = {0};

	if (pattern_peek(parser, 0) == ']')
	{
		pattern_refuse(parser, "a bracket that closes an empty class");
		return false;
	}
	while (pattern_more(parser) && pattern_peek(parser, 0) != ']')
	{
		uint32_t	first = 0;
		uint32_t	last = 0;
		int			kind;

		if (pattern_take(parser, "&&"))
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
		if (kind == 1 && pattern_peek(parser, 0) == '-' &&
			pattern_peek(parser, 1) != ']' &&
			pattern_peek(parser, 1) >= 0)
		{
			parser->at++;
			kind = take_element(parser, &now, &last);
			if (kind == 2)
				pattern_refuse(parser, "a range that ends in a class");
			if (last < first)
				pattern_malformed(parser, "a range that ends before it begins");
			set_add(parser->build, &now, first, last);
		}
		else if (kind == 1)
			set_add(parser->build, &now, first, first);
	}
	if (build_failed(parser->build))
		return false;
	if (!pattern_take(parser, "]"))
	{
		pattern_malformed(parser, "a class without an end");
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
