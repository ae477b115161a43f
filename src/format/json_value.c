/*-------------------------------------------------------------------------
 *
 * json_value.c
 *	  Going through a JSON tree, and what its values mean.
 *
 *-------------------------------------------------------------------------
 */
#include "format/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool
is_container(const JsonValue *value)
{
	return json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT);
}

uint32_t
json_count(const JsonValue *value)
{
	return is_container(value) ? value->length : 0;
}

/* Skips a value with everything in it. */
static const JsonValue *
after_value(const JsonValue *value)
{
	return value + (is_container(value) ? value->nodes : 1);
}

/* The first item from "item" on that is not shadowed. */
static const JsonValue *
live_item(const JsonValue *container, const JsonValue *item)
{
	const JsonValue *end = after_value(container);

	while (item < end && item->shadowed)
		item = after_value(json_member(item));
	return item < end ? item : NULL;
}

const JsonValue *
json_first(const JsonValue *container)
{
	return is_container(container) ? live_item(container, container + 1)
								   : NULL;
}

const JsonValue *
json_next(const JsonValue *container, const JsonValue *item)
{
	if (!is_container(container))
		return NULL;
	if (container->kind == JSON_OBJECT)
		item = json_member(item);
	return live_item(container, after_value(item));
}

const JsonValue *
json_get(const JsonValue *object, const char *name)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	for (const JsonValue *key = json_first(object); key != NULL;
		 key = json_next(object, key))
	{
		if (json_equals(key, name))
			return json_member(key);
	}
	return NULL;
}

bool
json_equals(const JsonValue *value, const char *text)
{
	size_t		length = strlen(text);

	return json_is(value, JSON_STRING) && value->length == length &&
		memcmp(value->text, text, length) == 0;
}

bool
json_bool(const JsonValue *value, bool *result)
{
	if (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE))
		return false;
	*result = value->kind == JSON_TRUE;
	return true;
}

bool
json_int64(const JsonValue *value, int64_t *result)
{
	bool		negative;
	uint64_t	limit;
	uint64_t	magnitude = 0;

	if (!json_is(value, JSON_NUMBER))
		return false;
	negative = value->text[0] == '-';
	limit = (uint64_t) INT64_MAX + negative;
	for (uint32_t i = negative; i < value->length; i++)
	{
		uint64_t	digit;

		if (value->text[i] < '0' || value->text[i] > '9')
			return false;
		digit = (uint64_t) (value->text[i] - '0');
		if (magnitude > (limit - digit) / 10)
			return false;
		magnitude = magnitude * 10 + digit;
	}
	*result = negative
				  ? -(int64_t) (magnitude - (magnitude > 0)) - (magnitude > 0)
				  : (int64_t) magnitude;
	return true;
}

bool
json_double(const JsonValue *value, double *result)
{
	double		number;

	if (!json_is(value, JSON_NUMBER) ||
		!format_parse_double(value->text, value->length, &number) ||
		isinf(number))
		return false;
	*result = number;
	return true;
}

/* Recurses as deep as the tree, which is at most JSON_MAX_DEPTH. */
static bool
visit_below(const JsonValue *value, char *path, size_t length, JsonVisit visit,
			void *context)
{
	uint32_t	place = 0;

	if (!is_container(value))
		return visit(context, path, value);
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		const JsonValue *below = value->kind == JSON_OBJECT ? json_member(item)
															: item;
		char		number[16];
		const char *key = number;
		size_t		key_length = (size_t) snprintf(number, sizeof(number), "%u", place++);
		size_t		end = length;

		if (value->kind == JSON_OBJECT)
		{
			key = item->text;
			key_length = item->length;
		}
		if (key_length + 2 > JSON_MAX_PATH - length ||
			memchr(key, '\0', key_length) != NULL)
			return false;
		if (length > 0)
			path[end++] = '.';
		memcpy(path + end, key, key_length);
		path[end + key_length] = '\0';
		if (!visit_below(below, path, end + key_length, visit, context))
			return false;
	}
	return true;
}

bool
json_visit_leaves(const JsonValue *root, JsonVisit visit, void *context)
{
	char		path[JSON_MAX_PATH + 1] = "";

	return visit_below(root, path, 0, visit, context);
}

const char *
json_kind_name(const JsonValue *value)
{
	static const char *const names[] = {
		"null", "false", "true", "a number", "a string", "an array", "an object"
	};

	return value != NULL ? names[value->kind] : "nothing";
}
