/*-------------------------------------------------------------------------
 *
 * fold.h
 *	  Lower-casing a word while its characters are read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include "text/words.h"

typedef struct FoldState
{
	unsigned char *out;			/* where the next character goes */
	bool		cased;			/* the last letter that counts has case */
	unsigned char *pending_sigma;	/* a final sigma that may prove not to
									 * be */
	int			sigma_length;
	unsigned char sigma[CHARACTER_BYTES];	/* what it is then */
} FoldState;

extern void fold_append(FoldState *state, CharacterSource *source,
						const Character *character);

#endif							/* TEXT_FOLD_H */
