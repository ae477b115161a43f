/*-------------------------------------------------------------------------
 *
 * json_keys.c
 *	  Keys of an object that come more than once.
 *
 * Few keys are compared with each other.  Many, as in a vocabulary, are sorted
 * by hash, length and bytes, after which equal ones are neighbours: a sort has
 * no bad case that a file could aim at, as a hash table has.
 *
 *-------------------------------------------------------------------------
 */
#include "format/json_private.h"

#include "math/hash.h"

#include <string.h>

/* Up to this many, comparing all pairs is faster. */
#define FEW_KEYS 12

typedef struct SortedKey
{
	uint64_t	hash;
	JsonValue  *key;
} SortedKey;

static bool
equal_keys(const JsonValue *a, const JsonValue *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void
shadow(JsonValue *object, JsonValue *key)
{
	key->shadowed = true;
	object->length--;
}

static bool
shadow_few(JsonValue *object, const JsonValue **again)
{
	bool		found = false;

	for (const JsonValue *key = json_first(object); key != NULL;
		 key = json_next(object, key))
	{
		for (const JsonValue *later = json_next(object, key); later != NULL;
			 later = json_next(object, later))
		{
			if (!equal_keys(key, later))
				continue;
			shadow(object, (JsonValue *) key);
			*again = later;
			found = true;
			break;
		}
	}
	return found;
}

static int
compare_keys(const SortedKey *a, const SortedKey *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->key->length != b->key->length)
		return a->key->length < b->key->length ? -1 : 1;
	return memcmp(a->key->text, b->key->text, a->key->length);
}

/*
 * One pass of a merge sort from below: runs of "width" become twice as long.
 */
static void
merge_runs(const SortedKey *from, SortedKey *to, size_t count, size_t width)
{
	for (size_t start = 0; start < count; start += 2 * width)
	{
		size_t		middle = start + width < count ? start + width : count;
		size_t		end = middle + width < count ? middle + width : count;
		size_t		left = start;
		size_t		right = middle;

		for (size_t i = start; i < end; i++)
		{
			if (left < middle &&
				(right == end || compare_keys(&from[left], &from[right]) <= 0))
				to[i] = from[left++];
			else
				to[i] = from[right++];
		}
	}
}

/* Sorts stably, so that equal keys keep the order of the text. */
static SortedKey *
sort_keys(SortedKey *keys, SortedKey *spare, size_t count,
		  const JsonOptions *options)
{
	for (size_t width = 1; width < count; width *= 2)
	{
		SortedKey  *sorted = spare;

		merge_runs(keys, spare, count, width);
		spare = keys;
		keys = sorted;
		if (options->interrupt != NULL)
			options->interrupt(options->context);
	}
	return keys;
}

static bool
shadow_neighbours(JsonValue *object, const SortedKey *keys, size_t count,
				  const JsonValue **again)
{
	bool		found = false;

	for (size_t i = 1; i < count; i++)
	{
		if (keys[i - 1].hash != keys[i].hash ||
			!equal_keys(keys[i - 1].key, keys[i].key))
			continue;
		shadow(object, keys[i - 1].key);
		*again = keys[i].key;
		found = true;
	}
	return found;
}

JsonDuplicates
json_shadow_duplicates(Arena *arena, JsonValue *object,
					   const JsonOptions *options, const JsonValue **again)
{
	ArenaMark	mark = arena_mark(arena);
	size_t		count = object->length;
	SortedKey  *keys;
	size_t		filled = 0;
	bool		found;

	if (count <= FEW_KEYS)
		return shadow_few(object, again) ? JSON_DUPLICATES_FOUND
										 : JSON_DUPLICATES_NONE;

	keys = arena_alloc_array(arena, count, 2 * sizeof(SortedKey));
	if (keys == NULL)
		return JSON_DUPLICATES_NO_MEMORY;
	for (const JsonValue *key = json_first(object); key != NULL;
		 key = json_next(object, key))
	{
		keys[filled].hash = hash_bytes64(key->text, key->length);
		keys[filled++].key = (JsonValue *) key;
	}
	found = shadow_neighbours(object,
							  sort_keys(keys, keys + count, count, options),
							  count, again);
	arena_release(arena, mark);
	return found ? JSON_DUPLICATES_FOUND : JSON_DUPLICATES_NONE;
}
