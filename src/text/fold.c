/*-------------------------------------------------------------------------
 *
 * fold.c
 *	  Reading characters and lower-casing words, character by character.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/fold.h"
#include "text/unicode.h"

/* Fill in the lower-case form of a character of UTF-8. */
static void
fold_code(uint32_t code, UnicodeRecord record, Character *character)
{
	int			length;

	character->capital_sigma = code == CODE_CAPITAL_SIGMA;
	length = utf8_encode((uint32_t) ((int32_t) code + record.lower),
						 character->folded);
	if (code == CODE_DOTTED_I)
		length += utf8_encode(CODE_COMBINING_DOT, character->folded + length);
	character->folded_length = (uint8_t) length;
}

void
character_read(CharacterSource *source, const unsigned char *p,
			   size_t available, Character *character)
{
	uint32_t	code;

	if (source != NULL && p[0] >= 0x80)
	{
		source->read(source, p, available, character);
		return;
	}
	character->length = utf8_decode(p, available, &code);
	if (character->length == 0)
	{
		character->length = 1;
		character->code = CODE_LIMIT;
		character->flags = 0;
		character->folded_length = 1;
		character->capital_sigma = false;
		character->folded[0] = p[0];
		return;
	}
	{
		UnicodeRecord record = unicode_lookup(code);

		character->code = code;
		character->flags = record.flags;
		fold_code(code, record, character);
	}
}

/*
 * Append the lower-case form of the next character of a word.
 *
 * A capital sigma is final when a cased letter precedes it and none follows,
 * characters that case ignores set aside.  What follows is not known yet: it
 * is written as final and corrected when a cased letter comes.
 */
void
fold_append(FoldState *state, CharacterSource *source,
			const Character *character)
{
	bool		cased_before = state->cased;

	if (!(character->flags & CHARACTER_IGNORABLE))
	{
		state->cased = (character->flags & CHARACTER_CASED) != 0;
		if (state->cased && state->pending_sigma != NULL)
			memcpy(state->pending_sigma, state->sigma, state->sigma_length);
		state->pending_sigma = NULL;
	}
	memcpy(state->out, character->folded, character->folded_length);

	if (character->capital_sigma && cased_before)
	{
		unsigned char final_sigma[CHARACTER_BYTES];
		int			length;

		if (source == NULL)
			length = utf8_encode(CODE_FINAL_SIGMA, final_sigma);
		else
		{
			length = source->final_sigma_length;
			memcpy(final_sigma, source->final_sigma, CHARACTER_BYTES);
		}

		/* some encodings have no final form: then it stays as it is */
		if (length == character->folded_length)
		{
			state->sigma_length = length;
			memcpy(state->sigma, character->folded, (size_t) length);
			memcpy(state->out, final_sigma, (size_t) length);
			state->pending_sigma = state->out;
		}
	}
	state->out += character->folded_length;
}

size_t
word_fold(CharacterSource *source, const char *word, size_t length, char *out)
{
	FoldState	state = {.out = (unsigned char *) out};
	Character	character;

	for (size_t i = 0; i < length; i += (size_t) character.length)
	{
		character_read(source, (const unsigned char *) word + i, length - i,
					   &character);
		fold_append(&state, source, &character);
	}
	return (size_t) (state.out - (unsigned char *) out);
}
