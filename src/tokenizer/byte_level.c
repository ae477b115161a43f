/*-------------------------------------------------------------------------
 *
 * byte_level.c
 *	  The alphabet of byte-level BPE: a visible character for each byte.
 *
 * Printable bytes of Latin-1 stand for themselves, the others for the
 * characters from U+0100 on, in their order (Radford et al. 2019, GPT-2).
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

static bool
stands_for_itself(uint32_t byte)
{
	return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
		   byte >= 0xAE;
}

uint32_t
byte_level_character(unsigned char byte)
{
	if (stands_for_itself(byte))
		return byte;
	if (byte <= 0x20)
		return 0x100 + byte;
	if (byte <= 0xA0)
		return 0x100 + 0x21 + (byte - 0x7F);
	return 0x100 + 0x43;		/* the soft hyphen, U+00AD */
}

int
byte_level_byte(uint32_t code)
{
	if (code < 0x100)
		return stands_for_itself(code) ? (int) code : -1;
	code -= 0x100;
	if (code <= 0x20)
		return (int) code;
	if (code <= 0x42)
		return (int) (code - 0x21 + 0x7F);
	return code == 0x43 ? 0xAD : -1;
}
