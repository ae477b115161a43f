/*-------------------------------------------------------------------------
 *
 * tokenizer_characters.c
 *	  Look-ups in the tables of characters.
 *
 * Decomposition, composition and the arithmetic of Hangul syllables: The
 * Unicode Standard, sections 3.11 and 3.12.
 *
 *-------------------------------------------------------------------------
 */
#define UNICODE_TABLES
#include "tokenizer/tokenizer_characters.h"

#include <string.h>

#define HANGUL_S	0xAC00
#define HANGUL_L	0x1100
#define HANGUL_V	0x1161
#define HANGUL_T	0x11A7
#define HANGUL_L_COUNT 19
#define HANGUL_V_COUNT 21
#define HANGUL_T_COUNT 28
#define HANGUL_S_COUNT (HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT)

int
character_decompose(uint32_t code, bool compatible,
					uint32_t out[DECOMPOSITION_MAX])
{
	const DecompositionRecord *record;
	int			length;

	if (code - HANGUL_S < HANGUL_S_COUNT)
	{
		uint32_t	index = code - HANGUL_S;

		out[0] = HANGUL_L + index / (HANGUL_V_COUNT * HANGUL_T_COUNT);
		out[1] = HANGUL_V + index / HANGUL_T_COUNT % HANGUL_V_COUNT;
		out[2] = HANGUL_T + index % HANGUL_T_COUNT;
		return out[2] == HANGUL_T ? 2 : 3;
	}
	record = &decomposition_records
				 [decomposition_second[decomposition_first[code >> 6] * 64 +
									   (code & 63)]];
	length = compatible ? record->compatible_length : record->canonical_length;
	if (length == 0)
	{
		out[0] = code;
		return 1;
	}
	memcpy(out,
		   decomposition_pool +
			   (compatible ? record->compatible : record->canonical),
		   (size_t) length * sizeof(uint32_t));
	return length;
}

uint32_t
character_compose(uint32_t first, uint32_t second)
{
	int			low = 0;
	int			high = COMPOSITION_COUNT;

	if (first - HANGUL_L < HANGUL_L_COUNT &&
		second - HANGUL_V < HANGUL_V_COUNT)
		return HANGUL_S +
			   ((first - HANGUL_L) * HANGUL_V_COUNT + (second - HANGUL_V)) *
				   HANGUL_T_COUNT;
	if (first - HANGUL_S < HANGUL_S_COUNT &&
		(first - HANGUL_S) % HANGUL_T_COUNT == 0 && second > HANGUL_T &&
		second - HANGUL_T < HANGUL_T_COUNT)
		return first + (second - HANGUL_T);
	while (low < high)
	{
		int			middle = (low + high) / 2;
		const uint32_t *pair = composition_pairs[middle];

		if (pair[0] < first || (pair[0] == first && pair[1] < second))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < COMPOSITION_COUNT && composition_pairs[low][0] == first &&
		composition_pairs[low][1] == second)
		return composition_pairs[low][2];
	return 0;
}

uint32_t
character_fold(uint32_t code)
{
	int			low = 0;
	int			high = FOLD_COUNT;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (fold_pairs[middle][0] < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < FOLD_COUNT && fold_pairs[low][0] == code ? fold_pairs[low][1]
														  : code;
}

bool
character_fold_pair(int number, uint32_t *code, uint32_t *fold)
{
	if (number >= FOLD_COUNT)
		return false;
	*code = fold_pairs[number][0];
	*fold = fold_pairs[number][1];
	return true;
}

int
character_fold_orbit(uint32_t code, uint32_t out[FOLD_MAX])
{
	uint32_t	fold = character_fold(code);
	int			count = 0;

	out[count++] = fold;
	for (int i = 0; i < FOLD_COUNT && count < FOLD_MAX; i++)
	{
		if (fold_pairs[i][1] == fold)
			out[count++] = fold_pairs[i][0];
	}
	return count;
}

int
character_old_script(uint32_t code)
{
	int			low = 0;
	int			high = SCRIPT_RANGES;

	while (high - low > 1)
	{
		int			middle = (low + high) / 2;

		if (script_ranges[middle].first <= code)
			low = middle;
		else
			high = middle;
	}
	return script_ranges[low].old_script;
}

int
script_by_name(const char *name, size_t length)
{
	for (int i = 0; i < SCRIPT_COUNT; i++)
	{
		if (strlen(script_names[i]) == length &&
			memcmp(script_names[i], name, length) == 0)
			return i;
	}
	return -1;
}

bool
script_range(int number, uint32_t *first, uint32_t *last, int *script)
{
	if (number >= SCRIPT_RANGES)
		return false;
	*first = script_ranges[number].first;
	*last = (number + 1 < SCRIPT_RANGES ? script_ranges[number + 1].first
										: CODE_LIMIT) -
			1;
	*script = script_ranges[number].script;
	return true;
}
