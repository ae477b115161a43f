/*-------------------------------------------------------------------------
 *
 * grapheme.c
 *	  Extended grapheme clusters, Unicode Standard Annex #29, version 17.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

static bool
is_control(int kind)
{
	return kind == BREAK_CR || kind == BREAK_LF || kind == BREAK_CONTROL;
}

static bool
hangul_joins(int before, int after)
{
	switch (before)
	{
		case BREAK_L:
			return after == BREAK_L || after == BREAK_V || after == BREAK_LV ||
				after == BREAK_LVT;
		case BREAK_LV:
		case BREAK_V:
			return after == BREAK_V || after == BREAK_T;
		case BREAK_LVT:
		case BREAK_T:
			return after == BREAK_T;
		default:
			return false;
	}
}

uint32_t
grapheme_end(const unsigned char *text, uint32_t begin, uint32_t end)
{
	const CharacterRecord *record = character_record(utf8_code(text + begin));
	uint32_t	at = begin + utf8_step(text + begin);
	int			before = record->grapheme;
	int			indicators = before == BREAK_REGIONAL_INDICATOR;
	/* GB11, so far */
	bool		pictograph = (record->flags & CHARACTER_PICTOGRAPHIC) != 0;
	/* GB9c, so far */
	bool		consonant = (record->flags & CHARACTER_CONSONANT) != 0;
	bool		linker = false;

	while (at < end)
	{
		const CharacterRecord *next = character_record(utf8_code(text + at));
		int			after = next->grapheme;
		bool		joins;

		if (before == BREAK_CR && after == BREAK_LF)
			joins = true;		/* GB3 */
		else if (is_control(before) || is_control(after))
			joins = false;		/* GB4, GB5 */
		else
			joins =
				hangul_joins(before, after) || /* GB6 to GB8 */
				after == BREAK_EXTEND || after == BREAK_ZWJ ||
				after == BREAK_SPACINGMARK ||
				before == BREAK_PREPEND || /* GB9 to GB9b */
				(consonant && linker && (next->flags & CHARACTER_CONSONANT)) ||
				(before == BREAK_ZWJ && pictograph &&
				 (next->flags & CHARACTER_PICTOGRAPHIC)) ||
				(after == BREAK_REGIONAL_INDICATOR &&
				 before == BREAK_REGIONAL_INDICATOR && indicators % 2 == 1);
		if (!joins)
			break;
		if (after == BREAK_REGIONAL_INDICATOR)
			indicators++;
		if (next->flags & CHARACTER_CONSONANT)
		{
			consonant = true;
			linker = false;
		}
		else if (next->flags & CHARACTER_LINKER)
			linker = true;
		else if (!(next->flags & CHARACTER_CONJUNCT_EXTEND))
			consonant = false;
		if (next->flags & CHARACTER_PICTOGRAPHIC)
			pictograph = true;
		else if (after != BREAK_EXTEND && after != BREAK_ZWJ)
			pictograph = false;
		before = after;
		at += utf8_step(text + at);
	}
	return at;
}
