/*-------------------------------------------------------------------------
 *
 * precompiled.c
 *	  SentencePiece's compiled map of characters.
 *
 * The map is a little-endian length, a double array of that many bytes and
 * the replacements, each ended by a zero byte.  A unit of the double array
 * (darts-clone): bits 0 to 7 and 31 the label, bit 8 whether a value hangs on
 * it, bits 10 on the offset, shifted by 8 if bit 9 is set; a value's unit has
 * 31 bits of value.
 *
 * `tokenizers` replaces a whole grapheme cluster of less than six bytes by
 * what its shortest prefix maps to, and otherwise character by character; so
 * do we.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

typedef struct Charsmap
{
	const unsigned char *units;
	uint32_t	unit_count;
	const unsigned char *strings;
	uint32_t	strings_length;
} Charsmap;

static bool
charsmap_open(Charsmap *map, const unsigned char *bytes, size_t length)
{
	uint32_t	size;

	if (length < 4)
		return false;
	size = format_read_uint32(bytes);
	if (size > length - 4 || size < 4 || length > UINT32_MAX)
		return false;
	map->units = bytes + 4;
	map->unit_count = size / 4;
	/*
	 * what divides by four is units, all the rest strings, as the library
	 * reads it
	 */
	map->strings = map->units + (size_t) map->unit_count * 4;
	map->strings_length = (uint32_t) (length - 4 -
									  (size_t) map->unit_count * 4);
	return true;
}

bool
precompiled_map_is_sound(const unsigned char *bytes, size_t length)
{
	Charsmap	map;

	return charsmap_open(&map, bytes, length) &&
		   utf8_valid_length(map.strings, map.strings_length) ==
			   map.strings_length;
}

static inline uint32_t
unit_at(const Charsmap *map, uint32_t at)
{
	return at < map->unit_count
			   ? format_read_uint32(map->units + (size_t) at * 4)
			   : 0;
}

static inline uint32_t
unit_offset(uint32_t unit)
{
	return (unit >> 10) << ((unit & 0x200) >> 6);
}

/*
 * The shortest prefix that the map knows: where its replacement begins, or -1.
 */
static int64_t
charsmap_find(const Charsmap *map, const unsigned char *key, uint32_t length)
{
	uint32_t	at = unit_offset(unit_at(map, 0));

	for (uint32_t i = 0; i < length && key[i] != 0; i++)
	{
		uint32_t	unit;

		at ^= key[i];
		unit = unit_at(map, at);
		if ((unit & 0x800000FF) != key[i])
			return -1;
		at ^= unit_offset(unit);
		if (unit & 0x100)
			return unit_at(map, at) & 0x7FFFFFFF;
	}
	return -1;
}

static uint32_t
count_characters(const unsigned char *text, uint32_t length)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < length; i++)
		count += (text[i] & 0xC0) != 0x80;
	return count;
}

/*
 * Changes wait for one place, because a removal counts for the character
 * before it, which may have been put already: the last one is held back.
 */
typedef struct Writer
{
	Run		   *run;
	Change		change;
	bool		held;
	uint32_t	code;
	int			difference;
} Writer;

static bool
writer_put(Writer *writer, uint32_t code, int difference)
{
	if (writer->held)
	{
		if (!text_reserve(writer->run, writer->change.target, 4))
			return false;
		change_put(&writer->change, writer->code, writer->difference);
	}
	writer->held = true;
	writer->code = code;
	writer->difference = difference;
	return true;
}

static bool
put_replacement(Writer *writer, const Charsmap *map, uint32_t old_count,
				int64_t at)
{
	const unsigned char *text;
	const unsigned char *end;
	uint32_t	length;
	uint32_t	count;

	if (at >= map->strings_length)
		length = 0;
	else
	{
		end = memchr(map->strings + at, 0, map->strings_length - (size_t) at);
		length = (uint32_t) (end == NULL ? map->strings_length - at
										 : end - (map->strings + at));
	}
	text = map->strings + at;
	if (length > 0 && (text[0] & 0xC0) == 0x80)
		return run_fail(writer->run, TOKENIZER_DAMAGED);
	count = count_characters(text, length);
	for (uint32_t i = 0, number = 0; i < length;
		 i += utf8_step(text + i), number++)
	{
		if (!writer_put(writer, utf8_code(text + i),
						count > old_count && number >= old_count))
			return false;
	}
	if (count < old_count && writer->held)
		writer->difference += (int) count - (int) old_count;
	return true;
}

/* One cluster; sets *changed if the map has something for it. */
static bool
put_cluster(Writer *writer, const Charsmap *map, const unsigned char *text,
			uint32_t length, bool *changed)
{
	int64_t		found;

	if (length < 6)
	{
		found = charsmap_find(map, text, length);
		if (found >= 0)
		{
			*changed = true;
			return put_replacement(writer, map, count_characters(text, length),
								   found);
		}
	}
	for (uint32_t i = 0; i < length; i += utf8_step(text + i))
	{
		found = charsmap_find(map, text + i, utf8_step(text + i));
		if (found >= 0)
			*changed = true;
		if (!(found >= 0 ? put_replacement(writer, map, 1, found) :
			  writer_put(writer, utf8_code(text + i), 0)))
			return false;
	}
	return true;
}

bool
normalize_precompiled(Run *run, Text *target, const Piece *piece,
					  const ImageStep *step)
{
	const unsigned char *text = run->text.bytes;
	uint32_t	begin = target->length;
	uint32_t	stop = piece->begin + RUN_UNIT;
	Charsmap	map;
	Writer		writer = {.run = run};
	bool		changed = false;

	if (!charsmap_open(&map, image_string(run->tokenizer, step->text),
					   step->text.length))
		return run_fail(run, TOKENIZER_DAMAGED);
	change_begin(&writer.change, &run->text, target, piece);
	for (uint32_t i = piece->begin; i < piece->end;)
	{
		uint32_t	end;

		run_pass(run, i, &stop);
		/* most clusters are a letter of ASCII before another */
		if (text[i] < 0x80 && text[i] >= 0x20 && i + 1 < piece->end &&
			text[i + 1] < 0x80)
			end = i + 1;
		else
			end = grapheme_end(text, i, piece->end);
		if (!put_cluster(&writer, &map, text + i, end - i, &changed))
			return false;
		i = end;
	}
	if (writer.held && !writer_put(&writer, 0, 0))
		return false;
	if (!changed)
	{
		/* nothing at all was mapped: as it was, with its spans */
		target->length = begin;
		if (!text_reserve(run, target, piece->end - piece->begin))
			return false;
		text_copy(target, &run->text, piece->begin, piece->end);
	}
	return true;
}
