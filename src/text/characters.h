/*-------------------------------------------------------------------------
 *
 * characters.h
 *	  From bytes to characters, as SQL's substring counts them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_CHARACTERS_H
#define TEXT_CHARACTERS_H

/*
 * Remembers the last place asked for.  Places mostly ascend, so that counting
 * through a whole text is linear.
 */
typedef struct CharacterCounter
{
	const char *input;
	int			bytes;
	int			characters;		/* before that byte */
} CharacterCounter;

static inline void
character_counter_begin(CharacterCounter *counter, const char *input)
{
	counter->input = input;
	counter->bytes = 0;
	counter->characters = 0;
}

/* Characters before byte "bytes", which becomes the place remembered. */
extern int	character_count(CharacterCounter *counter, int bytes);

/* The same for a place ahead, without remembering it. */
extern int	character_count_ahead(const CharacterCounter *counter, int bytes);

#endif							/* TEXT_CHARACTERS_H */
