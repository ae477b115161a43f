/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  Characters that stand together where no word is.
 *
 * In a script without spaces a cluster is a character with its marks.  An
 * emoji is a whole grapheme cluster of Unicode (UAX #29, rules GB9, GB11 and
 * GB12): a picture with its marks, modifiers and tags, further pictures
 * joined to it by U+200D, or two regional indicators.  A sign that is shown
 * as text unless told otherwise, such as the copyright sign, is an emoji only
 * when U+FE0F or a modifier follows.
 *
 *-------------------------------------------------------------------------
 */
#include "text/cluster.h"
#include "text/unicode.h"

static bool
is_regional_indicator(uint32_t code)
{
	return code >= 0x1F1E6 && code <= 0x1F1FF;
}

static bool
is_modifier(uint32_t code)
{
	return code >= 0x1F3FB && code <= 0x1F3FF;
}

static bool
is_tag(uint32_t code)
{
	return code >= 0xE0020 && code <= 0xE007F;
}

/* Read the character at "at"; false at the end. */
static bool
read_at(CharacterSource *source, const char *input, size_t length, size_t at,
		Character *character)
{
	if (at >= length)
		return false;
	character_read(source, (const unsigned char *) input + at, length - at,
				   character);
	return true;
}

ClusterKind
cluster_kind(CharacterSource *source, const char *input, size_t length,
			 size_t from, const Character *first)
{
	Character	next;

	if (first->flags & CHARACTER_PAIRED)
		return CLUSTER_PAIRED;
	if (first->flags & CHARACTER_WORD)
		return CLUSTER_NONE;
	if (first->flags & CHARACTER_EMOJI)
		return CLUSTER_EMOJI;
	if ((first->flags & CHARACTER_PICTOGRAPH) &&
		read_at(source, input, length, from + (size_t) first->length, &next) &&
		(next.code == CODE_EMOJI_STYLE || is_modifier(next.code)))
		return CLUSTER_EMOJI;
	return CLUSTER_NONE;
}

size_t
cluster_end(CharacterSource *source, const char *input, size_t length,
			size_t from, const Character *first, ClusterKind kind)
{
	size_t		end = from + (size_t) first->length;
	uint32_t	before = first->code;
	int			joiners = 0;	/* since the last picture */
	Character	next;

	for (int i = 1; i < CLUSTER_CHARACTERS &&
		 read_at(source, input, length, end, &next); i++)
	{
		bool		joined = (next.flags & CHARACTER_MARK) != 0;

		if (kind == CLUSTER_EMOJI)
			joined |= is_modifier(next.code) || is_tag(next.code) ||
				(before == CODE_JOINER && joiners == 1 &&
				 (next.flags & CHARACTER_PICTOGRAPH)) ||
				(i == 1 && is_regional_indicator(before) &&
				 is_regional_indicator(next.code));
		if (!joined)
			break;
		end += (size_t) next.length;
		before = next.code;
		if (before == CODE_JOINER)
			joiners++;
		else if (next.flags & CHARACTER_PICTOGRAPH)
			joiners = 0;
	}
	return end;
}
