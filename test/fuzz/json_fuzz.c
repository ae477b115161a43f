/*-------------------------------------------------------------------------
 *
 * json_fuzz.c
 *	  Would fail if some text made the JSON reader read or write outside its
 *	  memory or take more of it than it may, or if a tree that is written and
 *	  read again were another one.
 *
 * The first byte chooses the options.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "format/json_write.h"
#include "format/utf8.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
	if (!condition)
		abort();
}

/* Every value is walked over, and read as everything that it may be. */
static size_t
count_values(const JsonValue *value, int depth)
{
	size_t		count = 1;
	uint32_t	items = 0;
	int64_t		whole;
	double		number;
	bool		truth;

	require(depth <= JSON_MAX_DEPTH);
	if (json_int64(value, &whole))
		require(json_double(value, &number) && number == (double) whole);
	require(json_bool(value, &truth) ==
			(json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE)));
	if (json_is(value, JSON_STRING))
		require(utf8_valid_length((const unsigned char *) value->text,
								  value->length) == value->length);
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		if (json_is(value, JSON_OBJECT))
			require(json_is(item, JSON_STRING) && !item->shadowed);
		count += count_values(json_is(value, JSON_OBJECT) ? json_member(item)
														  : item,
							  depth + 1);
		items++;
	}
	require(items == json_count(value));
	return count;
}

static char *
write_again(Arena *arena, const JsonValue *root, size_t *length)
{
	JsonWriter	writer;
	char	   *text;

	json_writer_begin(&writer, arena);
	json_write_value(&writer, root);
	text = json_writer_text(&writer, length);
	require(text != NULL);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	JsonOptions options = {0};
	Arena		arena;
	FormatFault fault;
	const JsonValue *root;

	if (size < 1)
		return 0;
	options.last_duplicate_wins = (data[0] & 1) != 0;
	options.replace_lone_surrogates = (data[0] & 2) != 0;
	options.max_depth = (data[0] >> 2) % 8;
	/* sometimes there is too little memory */
	arena_begin(&arena, arena_malloc, arena_free, NULL,
				(data[0] & 0x80) != 0 ? 64 * size : (size_t) 1 << 26);
	root = json_parse(&arena, (const char *) data + 1, size - 1, &options,
					  &fault);
	require((root != NULL) == (fault.status == FORMAT_OK));
	require(fault.offset <= size - 1);
	require(arena.taken <= arena.limit);
	arena.limit = (size_t) 1 << 28;
	if (root != NULL)
	{
		FormatFault none;
		size_t		length;
		size_t		length_again;
		char	   *text = write_again(&arena, root, &length);
		const JsonValue *again = json_parse(&arena, text, length, NULL, &none);

		require(again != NULL &&
				count_values(root, 0) == count_values(again, 0));
		require(memcmp(text, write_again(&arena, again, &length_again),
					   length) == 0 &&
				length == length_again);
	}
	arena_end(&arena);
	return 0;
}
