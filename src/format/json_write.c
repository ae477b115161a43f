/*-------------------------------------------------------------------------
 *
 * json_write.c
 *	  Writing JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "format/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 1024

void
json_writer_begin(JsonWriter *writer, Arena *arena)
{
	memset(writer, 0, sizeof(*writer));
	writer->arena = arena;
}

/* Room for so many more bytes; the text moves. */
static bool
reserve(JsonWriter *writer, size_t more)
{
	size_t		capacity = writer->capacity > 0 ? writer->capacity
												: FIRST_CAPACITY;
	char	   *text;

	if (writer->failed)
		return false;
	if (more <= writer->capacity - writer->length)
		return true;
	while (capacity - writer->length < more && capacity < SIZE_MAX / 2)
		capacity *= 2;
	text = capacity - writer->length < more
			   ? NULL
			   : arena_alloc(writer->arena, capacity);
	if (text == NULL)
	{
		writer->failed = true;
		return false;
	}
	if (writer->length > 0)
		memcpy(text, writer->text, writer->length);
	writer->text = text;
	writer->capacity = capacity;
	return true;
}

static void
append(JsonWriter *writer, const char *text, size_t length)
{
	if (!reserve(writer, length))
		return;
	memcpy(writer->text + writer->length, text, length);
	writer->length += length;
}

static void
separate(JsonWriter *writer)
{
	if (writer->separate)
		append(writer, ",", 1);
	writer->separate = true;
}

void
json_write_begin(JsonWriter *writer, char bracket)
{
	separate(writer);
	append(writer, &bracket, 1);
	writer->separate = false;
}

void
json_write_end(JsonWriter *writer, char bracket)
{
	append(writer, &bracket, 1);
	writer->separate = true;
}

/* The escape of a byte that may not stand for itself, or NULL. */
static const char *
escape_of(unsigned char c, char buffer[8])
{
	static const char *const short_ones[] = {
		['\b'] = "\\b",['\f'] = "\\f",['\n'] = "\\n",['\r'] = "\\r",['\t'] = "\\t"
	};

	if (c == '"')
		return "\\\"";
	if (c == '\\')
		return "\\\\";
	if (c >= 0x20)
		return NULL;
	if (c < sizeof(short_ones) / sizeof(short_ones[0]) &&
		short_ones[c] != NULL)
		return short_ones[c];
	snprintf(buffer, 8, "\\u%04x", c);
	return buffer;
}

static void
append_quoted(JsonWriter *writer, const char *text, size_t length)
{
	char		buffer[8];
	size_t		plain = 0;		/* from here on nothing was appended yet */

	append(writer, "\"", 1);
	for (size_t i = 0; i < length; i++)
	{
		const char *escape = escape_of((unsigned char) text[i], buffer);

		if (escape == NULL)
			continue;
		append(writer, text + plain, i - plain);
		append(writer, escape, strlen(escape));
		plain = i + 1;
	}
	append(writer, text + plain, length - plain);
	append(writer, "\"", 1);
}

void
json_write_string(JsonWriter *writer, const char *text, size_t length)
{
	separate(writer);
	append_quoted(writer, text, length);
}

void
json_write_key(JsonWriter *writer, const char *text, size_t length)
{
	json_write_string(writer, text, length);
	append(writer, ":", 1);
	writer->separate = false;
}

void
json_write_raw(JsonWriter *writer, const char *text, size_t length)
{
	separate(writer);
	append(writer, text, length);
}

void
json_write_int64(JsonWriter *writer, int64_t number)
{
	char		text[32];

	json_write_raw(writer, text, (size_t) snprintf(text, sizeof(text), "%lld", (long long) number));
}

void
json_write_uint64(JsonWriter *writer, uint64_t number)
{
	char		text[32];

	json_write_raw(writer, text,
				   (size_t) snprintf(text, sizeof(text), "%llu", (unsigned long long) number));
}

void
json_write_double(JsonWriter *writer, double number)
{
	char		text[32];
	int			length = 0;

	/* 17 digits always suffice, and most numbers need fewer */
	for (int digits = 15; digits <= 17; digits++)
	{
		length = snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	json_write_raw(writer, text, (size_t) length);
}

/*
 * Recurses as deep as the tree, which is at most JSON_MAX_DEPTH.
 */
void
json_write_value(JsonWriter *writer, const JsonValue *value)
{
	static const char *const words[] = {"null", "false", "true"};
	bool		is_object = value->kind == JSON_OBJECT;

	switch ((JsonKind) value->kind)
	{
		case JSON_NULL:
		case JSON_FALSE:
		case JSON_TRUE:
			json_write_raw(writer, words[value->kind],
						   strlen(words[value->kind]));
			return;
		case JSON_NUMBER:
			json_write_raw(writer, value->text, value->length);
			return;
		case JSON_STRING:
			json_write_string(writer, value->text, value->length);
			return;
		case JSON_ARRAY:
		case JSON_OBJECT:
			break;
	}
	json_write_begin(writer, is_object ? '{' : '[');
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		if (is_object)
			json_write_key(writer, item->text, item->length);
		json_write_value(writer, is_object ? json_member(item) : item);
	}
	json_write_end(writer, is_object ? '}' : ']');
}

char *
json_writer_text(JsonWriter *writer, size_t *length)
{
	append(writer, "", 1);
	if (writer->failed)
		return NULL;
	*length = writer->length - 1;
	return writer->text;
}
