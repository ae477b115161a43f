/*-------------------------------------------------------------------------
 *
 * gap.h
 *	  What lies between two words, and where a text may be cut there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_GAP_H
#define TEXT_GAP_H

#include "text/words.h"

/* In ascending order of how good a place to cut it is. */
typedef enum GapKind
{
	GAP_JOINED,					/* no white space: "state-of-the-art" */
	GAP_SPACE,
	GAP_SENTENCE,
	GAP_PARAGRAPH
} GapKind;

typedef struct Gap
{
	GapKind		kind;
	int			left_end;		/* what comes before ends here */
	int			right_start;	/* what comes after starts here */
} Gap;

/* How far a gap is read; what lies behind is not looked at. */
#define GAP_BYTES	65536

/*
 * Judge the gap between the byte offsets from and to of the input.
 *
 * The character after the gap is looked at as well: what ends in a full stop
 * and goes on in lower case is no sentence.
 */
extern Gap	gap_examine(CharacterSource *source, const char *input,
						size_t length, size_t from, size_t to);

#endif							/* TEXT_GAP_H */
