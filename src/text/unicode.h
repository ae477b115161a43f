/*-------------------------------------------------------------------------
 *
 * unicode.h
 *	  What a character is and what its lower-case form is.
 *
 * Our own table, so that a model gives the same terms under every locale and
 * server version.  Pure: no server header.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#include "format/utf8.h"

#define CHARACTER_WORD		1	/* starts or continues a word */
#define CHARACTER_MARK		2	/* continues a word, starts none */
#define CHARACTER_SPACE		4	/* white space */
#define CHARACTER_CASED		8	/* a letter that has case */
#define CHARACTER_IGNORABLE 16	/* skipped when looking for such a letter */
#define CHARACTER_SPECIAL	32	/* U+0130 and U+03A3: not by distance alone */
#define CHARACTER_PAIRED	64	/* of a script without spaces */
#define CHARACTER_EMOJI		128 /* a picture by itself */
#define CHARACTER_PICTOGRAPH 256	/* a picture, perhaps when told so */

#define CODE_DOTTED_I		0x0130	/* becomes i and a combining dot above */
#define CODE_COMBINING_DOT	0x0307
#define CODE_CAPITAL_SIGMA	0x03A3
#define CODE_SMALL_SIGMA	0x03C3
#define CODE_FINAL_SIGMA	0x03C2
#define CODE_JOINER			0x200D
#define CODE_EMOJI_STYLE	0xFE0F

typedef struct UnicodeRecord
{
	uint16_t	flags;
	int32_t		lower;			/* distance to the lower-case character */
} UnicodeRecord;

extern const char *unicode_table_version(void);
extern UnicodeRecord unicode_lookup(uint32_t code);

#endif							/* TEXT_UNICODE_H */
