/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  Characters of UTF-8: one by one, and whether a text is made of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define CODE_LIMIT			0x110000

/*
 * Read one character; never a byte at or beyond p + available.
 *
 * Returns its length, or 0 when the bytes are not a well-formed character
 * (overlong, surrogate, beyond U+10FFFF, cut off).  available >= 1.
 */
extern int	utf8_decode(const unsigned char *p, size_t available,
						uint32_t *code);

/* Write one character, at most 4 bytes; returns the length. */
extern int	utf8_encode(uint32_t code, unsigned char *out);

/* How many bytes from the start are whole characters: all, if well-formed. */
extern size_t utf8_valid_length(const unsigned char *p, size_t length);

/*
 * A foreign name for a message: what is valid of its first characters,
 * control characters as question marks, "..." if that is not all.
 *
 * Returns "out", so that it can stand among the arguments of a message.
 */
#define UTF8_EXCERPT 96
extern const char *utf8_excerpt(const char *text, size_t length,
								char out[UTF8_EXCERPT]);

#endif							/* FORMAT_UTF8_H */
