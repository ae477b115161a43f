/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Reading JSON (RFC 8259) into an array of nodes.
 *
 * A first pass over the text counts what can become a node, so that the array
 * is taken once and never moved.  The second is a loop with a stack of the
 * containers that are open; nothing recurses, whatever the nesting.
 *
 *-------------------------------------------------------------------------
 */
#include "format/json.h"

#include "format/json_private.h"
#include "format/utf8.h"

#include <string.h>

/* The interrupt function is called after so many bytes. */
#define BYTES_BETWEEN_INTERRUPTS ((size_t) 1 << 20)

typedef struct Parser
{
	Arena	   *arena;
	const char *text;
	const char *end;
	const char *at;
	const char *next_interrupt;
	const JsonOptions *options;
	FormatFault *fault;
	JsonValue  *nodes;
	size_t		used;
	size_t		capacity;
	int			max_depth;
	int			depth;
	JsonValue  *open[JSON_MAX_DEPTH];
} Parser;

static bool __attribute__((format(printf, 4, 5)))
fault(Parser *parser, FormatStatus status, const char *at, const char *detail,
	  ...)
{
	int64_t		line = 1;
	va_list		arguments;

	for (const char *p = parser->text;
		 (p = memchr(p, '\n', (size_t) (at - p))) != NULL; p++)
		line++;
	va_start(arguments, detail);
	format_fault_list(parser->fault, status, (uint64_t) (at - parser->text),
					  line, detail, arguments);
	va_end(arguments);
	return false;
}

/* What was met where something else was expected. */
static bool
unexpected(Parser *parser, const char *expected)
{
	if (parser->at == parser->end)
		return fault(parser, FORMAT_TRUNCATED, parser->at, "Expected %s, found the end of the text.",
					 expected);
	if (*parser->at > ' ' && *parser->at < 0x7F)
		return fault(parser, FORMAT_MALFORMED, parser->at, "Expected %s, found \"%c\".", expected,
					 *parser->at);
	return fault(parser, FORMAT_MALFORMED, parser->at, "Expected %s, found the byte 0x%02X.",
				 expected, (unsigned char) *parser->at);
}

static void
interrupt(Parser *parser)
{
	size_t		rest = (size_t) (parser->end - parser->at);

	parser->next_interrupt = parser->at +
		(rest < BYTES_BETWEEN_INTERRUPTS ? rest : BYTES_BETWEEN_INTERRUPTS);
	if (parser->options->interrupt != NULL)
		parser->options->interrupt(parser->options->context);
}

/*
 * No valid text has more nodes: one for the root, one after each comma and
 * colon, and one after each opening bracket.
 */
static size_t
count_nodes(Parser *parser)
{
	size_t		count = 1;
	bool		in_string = false;

	for (parser->at = parser->text; parser->at < parser->end; parser->at++)
	{
		char		c = *parser->at;

		if (parser->at >= parser->next_interrupt)
			interrupt(parser);
		if (c == '"')
			in_string = !in_string;
		else if (in_string)
		{
			if (c == '\\' && parser->end - parser->at > 1)
				parser->at++;
		}
		else
			count += c == ',' || c == ':' || c == '[' || c == '{';
	}
	parser->at = parser->text;
	interrupt(parser);
	return count;
}

static void
skip_space(Parser *parser)
{
	const char *at = parser->at;

	while (at < parser->end &&
		   (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	parser->at = at;
}

static bool
next_is(const Parser *parser, char c)
{
	return parser->at < parser->end && *parser->at == c;
}

static JsonValue *
add_node(Parser *parser, JsonKind kind)
{
	JsonValue  *node;

	if (parser->used == parser->capacity)
	{
		fault(parser, FORMAT_MALFORMED, parser->at, "More values than separators.");
		return NULL;
	}
	node = &parser->nodes[parser->used++];
	node->kind = (uint8_t) kind;
	node->shadowed = false;
	node->length = 0;
	node->nodes = 1;
	return node;
}

static int
hexadecimal(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits at "at", all within the string, as checked before. */
static uint32_t
read_code_unit(const char *at)
{
	uint32_t	unit = 0;

	for (int i = 0; i < 4; i++)
		unit = unit << 4 | (uint32_t) hexadecimal(at[i]);
	return unit;
}

/* Checks the escape at "at" (a backslash); its length, or 0 and a fault. */
static size_t
check_escape(Parser *parser, const char *at)
{
	size_t		rest = (size_t) (parser->end - at);

	if (rest < 2)
	{
		fault(parser, FORMAT_TRUNCATED, at, "The text ends within an escape.");
		return 0;
	}
	if (at[1] != 'u')
	{
		if (at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL)
			return 2;
		fault(parser, FORMAT_MALFORMED, at, "Unknown escape in a string.");
		return 0;
	}
	for (size_t i = 2; i < 6; i++)
	{
		if (i >= rest)
			fault(parser, FORMAT_TRUNCATED, at, "The text ends within an escape.");
		else if (hexadecimal(at[i]) < 0)
			fault(parser, FORMAT_MALFORMED, at, "\\u is not followed by four hexadecimal digits.");
		else
			continue;
		return 0;
	}
	return 6;
}

/*
 * Finds the end of the string whose first character is at "at".
 *
 * Returns the closing quote, or NULL and a fault.  After it every escape is
 * known to be whole, and every other byte to belong to a character.
 */
static const char *
scan_string(Parser *parser, const char *at, bool *escaped)
{
	*escaped = false;
	while (at < parser->end)
	{
		unsigned char c = (unsigned char) *at;
		size_t		length = 1;
		uint32_t	code;

		if (at >= parser->next_interrupt)
		{
			parser->at = at;
			interrupt(parser);
		}
		if (c == '"')
			return at;
		if (c == '\\')
		{
			*escaped = true;
			length = check_escape(parser, at);
			if (length == 0)
				return NULL;
		}
		else if (c < 0x20)
		{
			fault(parser, FORMAT_MALFORMED, at, "Control character 0x%02X in a string.", c);
			return NULL;
		}
		else if (c >= 0x80)
		{
			length = (size_t) utf8_decode((const unsigned char *) at,
										  (size_t) (parser->end - at), &code);
			if (length == 0)
			{
				fault(parser, FORMAT_MALFORMED, at, "Bytes in a string are not UTF-8.");
				return NULL;
			}
		}
		at += length;
	}
	fault(parser, FORMAT_TRUNCATED, at, "The text ends within a string.");
	return NULL;
}

static bool
is_high_surrogate(uint32_t unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool
is_low_surrogate(uint32_t unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Reads \uXXXX, and the second one of a pair; moves *at; false on a fault. */
static bool
read_code(Parser *parser, const char **at, const char *end, uint32_t *code)
{
	const char *start = *at;
	uint32_t	second;

	*code = read_code_unit(*at + 2);
	*at += 6;
	if (is_high_surrogate(*code) && end - *at >= 6 && (*at)[0] == '\\' &&
		(*at)[1] == 'u')
	{
		second = read_code_unit(*at + 2);
		if (is_low_surrogate(second))
		{
			*code = 0x10000 + ((*code - 0xD800) << 10) + (second - 0xDC00);
			*at += 6;
			return true;
		}
	}
	if (!is_high_surrogate(*code) && !is_low_surrogate(*code))
		return true;
	if (!parser->options->replace_lone_surrogates)
		return fault(parser, FORMAT_MALFORMED, start, "Half of a surrogate pair alone.");
	*code = 0xFFFD;
	return true;
}

/*
 * Writes the string from "at" to "end" without its escapes, which is shorter.
 */
static bool
unescape(Parser *parser, const char *at, const char *end, JsonValue *node)
{
	char	   *start = arena_alloc(parser->arena, (size_t) (end - at));
	char	   *to = start;
	uint32_t	code;

	if (start == NULL)
		return fault(parser, FORMAT_OUT_OF_MEMORY, at, "No memory for a string.");
	while (at < end)
	{
		if (*at != '\\')
		{
			*to++ = *at++;
			continue;
		}
		if (at[1] == 'u')
		{
			if (!read_code(parser, &at, end, &code))
				return false;
			to += utf8_encode(code, (unsigned char *) to);
			continue;
		}
		switch (at[1])
		{
			case 'b':
				*to++ = '\b';
				break;
			case 'f':
				*to++ = '\f';
				break;
			case 'n':
				*to++ = '\n';
				break;
			case 'r':
				*to++ = '\r';
				break;
			case 't':
				*to++ = '\t';
				break;
			default:
				*to++ = at[1];
		}
		at += 2;
	}
	node->text = start;
	node->length = (uint32_t) (to - start);
	return true;
}

/* The string whose opening quote is next. */
static bool
parse_string(Parser *parser)
{
	JsonValue  *node = add_node(parser, JSON_STRING);
	const char *start = parser->at + 1;
	const char *end;
	bool		escaped;

	if (node == NULL)
		return false;
	end = scan_string(parser, start, &escaped);
	if (end == NULL)
		return false;
	parser->at = end + 1;
	node->text = start;
	node->length = (uint32_t) (end - start);
	return !escaped || unescape(parser, start, end, node);
}

static const char *
skip_digits(const Parser *parser, const char *at)
{
	while (at < parser->end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Digits that must be there. */
static bool
require_digits(Parser *parser)
{
	const char *end = skip_digits(parser, parser->at);

	if (end == parser->at)
		return unexpected(parser, "a digit");
	parser->at = end;
	return true;
}

static bool
parse_number(Parser *parser)
{
	JsonValue  *node = add_node(parser, JSON_NUMBER);
	const char *start = parser->at;

	if (node == NULL)
		return false;
	if (next_is(parser, '-'))
		parser->at++;
	if (next_is(parser, '0'))
		parser->at++;
	else if (!require_digits(parser))
		return false;
	if (next_is(parser, '.'))
	{
		parser->at++;
		if (!require_digits(parser))
			return false;
	}
	if (next_is(parser, 'e') || next_is(parser, 'E'))
	{
		parser->at++;
		if (next_is(parser, '+') || next_is(parser, '-'))
			parser->at++;
		if (!require_digits(parser))
			return false;
	}
	if (parser->at - start > FORMAT_LONGEST_NUMBER)
		return fault(parser, FORMAT_TOO_LARGE, start, "A number of more than %d characters.",
					 FORMAT_LONGEST_NUMBER);
	node->text = start;
	node->length = (uint32_t) (parser->at - start);
	return true;
}

static bool
parse_word(Parser *parser, const char *word, JsonKind kind)
{
	size_t		length = strlen(word);

	if ((size_t) (parser->end - parser->at) < length ||
		memcmp(parser->at, word, length) != 0)
		return unexpected(parser, "a value");
	parser->at += length;
	return add_node(parser, kind) != NULL;
}

static bool
open_container(Parser *parser, JsonKind kind)
{
	JsonValue  *node;

	if (parser->depth == parser->max_depth)
		return fault(parser, FORMAT_TOO_LARGE, parser->at, "Nested more than %d deep.",
					 parser->max_depth);
	node = add_node(parser, kind);
	if (node == NULL)
		return false;
	parser->open[parser->depth++] = node;
	parser->at++;
	return true;
}

static bool
close_container(Parser *parser)
{
	JsonValue  *node = parser->open[--parser->depth];
	const JsonValue *again;
	JsonDuplicates outcome;
	char		excerpt[UTF8_EXCERPT];

	parser->at++;
	node->nodes = (size_t) (parser->nodes + parser->used - node);
	if (node->kind == JSON_ARRAY)
		return true;
	outcome = json_shadow_duplicates(parser->arena, node, parser->options,
									 &again);
	if (outcome == JSON_DUPLICATES_NO_MEMORY)
		return fault(parser, FORMAT_OUT_OF_MEMORY, parser->at, "No memory to compare %u keys.",
					 node->length);
	if (outcome == JSON_DUPLICATES_FOUND &&
		!parser->options->last_duplicate_wins)
		return fault(parser, FORMAT_MALFORMED, parser->at, "The key \"%s\" comes twice in an object.",
					 utf8_excerpt(again->text, again->length, excerpt));
	return true;
}

/* A whole scalar, or the opening of a container. */
static bool
parse_value(Parser *parser)
{
	if (parser->at == parser->end)
		return unexpected(parser, "a value");
	switch (*parser->at)
	{
		case '{':
			return open_container(parser, JSON_OBJECT);
		case '[':
			return open_container(parser, JSON_ARRAY);
		case '"':
			return parse_string(parser);
		case 't':
			return parse_word(parser, "true", JSON_TRUE);
		case 'f':
			return parse_word(parser, "false", JSON_FALSE);
		case 'n':
			return parse_word(parser, "null", JSON_NULL);
		case '-':
		case '0':
		case '1':
		case '2':
		case '3':
		case '4':
		case '5':
		case '6':
		case '7':
		case '8':
		case '9':
			return parse_number(parser);
	}
	return unexpected(parser, "a value");
}

static bool
parse_key(Parser *parser)
{
	skip_space(parser);
	if (!next_is(parser, '"'))
		return unexpected(parser, "a key");
	if (!parse_string(parser))
		return false;
	skip_space(parser);
	if (!next_is(parser, ':'))
		return unexpected(parser, "\":\"");
	parser->at++;
	return true;
}

/*
 * After an item of the container, or (first) after its opening: closes what
 * ends here, and goes to where the next value begins.  Returns false on a
 * fault; *done when nothing is open.
 */
static bool
go_to_next_value(Parser *parser, bool first, bool *done)
{
	for (; parser->depth > 0; first = false)
	{
		JsonValue  *container = parser->open[parser->depth - 1];
		bool		is_object = container->kind == JSON_OBJECT;

		skip_space(parser);
		if (next_is(parser, is_object ? '}' : ']'))
		{
			if (!close_container(parser))
				return false;
			continue;
		}
		if (!first)
		{
			if (!next_is(parser, ','))
				return unexpected(parser, is_object ? "\",\" or \"}\"" : "\",\" or \"]\"");
			parser->at++;
		}
		container->length++;
		*done = false;
		return !is_object || parse_key(parser);
	}
	*done = true;
	return true;
}

static bool
parse_text(Parser *parser)
{
	bool		done;

	do
	{
		int			depth = parser->depth;

		if (parser->at >= parser->next_interrupt)
			interrupt(parser);
		skip_space(parser);
		if (!parse_value(parser) ||
			!go_to_next_value(parser, parser->depth > depth, &done))
			return false;
	} while (!done);
	skip_space(parser);
	if (parser->at < parser->end)
		return unexpected(parser, "the end of the text");
	return true;
}

const JsonValue *
json_parse(Arena *arena, const char *text, size_t length,
		   const JsonOptions *options, FormatFault *fault_out)
{
	static const JsonOptions strict;
	Parser		parser = {arena};

	memset(fault_out, 0, sizeof(*fault_out));
	parser.text = parser.at = parser.next_interrupt = text;
	parser.end = text + length;
	parser.options = options != NULL ? options : &strict;
	parser.fault = fault_out;
	parser.max_depth = parser.options->max_depth;
	if (parser.max_depth <= 0 || parser.max_depth > JSON_MAX_DEPTH)
		parser.max_depth = JSON_MAX_DEPTH;
	if (length > JSON_MAX_LENGTH)
	{
		fault(&parser, FORMAT_TOO_LARGE, text, "A text of more than %zu bytes.", JSON_MAX_LENGTH);
		return NULL;
	}
	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
	{
		fault(&parser, FORMAT_MALFORMED, text, "The text begins with a byte order mark.");
		return NULL;
	}
	parser.capacity = count_nodes(&parser);
	parser.nodes = arena_alloc_array(arena, parser.capacity,
									 sizeof(JsonValue));
	if (parser.nodes == NULL)
	{
		fault(&parser, FORMAT_OUT_OF_MEMORY, text, "No memory for %zu values.", parser.capacity);
		return NULL;
	}
	return parse_text(&parser) ? parser.nodes : NULL;
}
