/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Characters of UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "format/utf8.h"

#include <string.h>

static inline int
is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

int
utf8_decode(const unsigned char *p, size_t available, uint32_t *code)
{
	unsigned char lead = p[0];

	if (lead < 0x80)
	{
		*code = lead;
		return 1;
	}
	if (lead < 0xC2)
		return 0;				/* a continuation byte, or overlong */
	if (lead < 0xE0)
	{
		if (available < 2 || !is_continuation(p[1]))
			return 0;
		*code = (uint32_t) (lead & 0x1F) << 6 | (p[1] & 0x3F);
		return 2;
	}
	if (lead < 0xF0)
	{
		if (available < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
			return 0;
		*code = (uint32_t) (lead & 0x0F) << 12 |
			(uint32_t) (p[1] & 0x3F) << 6 | (p[2] & 0x3F);
		return *code < 0x800 || (*code >= 0xD800 && *code <= 0xDFFF) ? 0 : 3;
	}
	if (lead > 0xF4 || available < 4 || !is_continuation(p[1]) ||
		!is_continuation(p[2]) || !is_continuation(p[3]))
		return 0;
	*code = (uint32_t) (lead & 0x07) << 18 | (uint32_t) (p[1] & 0x3F) << 12 |
		(uint32_t) (p[2] & 0x3F) << 6 | (p[3] & 0x3F);
	return *code < 0x10000 || *code >= CODE_LIMIT ? 0 : 4;
}

int
utf8_encode(uint32_t code, unsigned char *out)
{
	if (code < 0x80)
	{
		out[0] = (unsigned char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (unsigned char) (0xC0 | code >> 6);
		out[1] = (unsigned char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (unsigned char) (0xE0 | code >> 12);
		out[1] = (unsigned char) (0x80 | (code >> 6 & 0x3F));
		out[2] = (unsigned char) (0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (unsigned char) (0xF0 | code >> 18);
	out[1] = (unsigned char) (0x80 | (code >> 12 & 0x3F));
	out[2] = (unsigned char) (0x80 | (code >> 6 & 0x3F));
	out[3] = (unsigned char) (0x80 | (code & 0x3F));
	return 4;
}

size_t
utf8_valid_length(const unsigned char *p, size_t length)
{
	size_t		at = 0;

	while (at < length)
	{
		uint64_t	block;
		uint32_t	code;
		int			size;

		if (length - at >= sizeof(block))
		{
			memcpy(&block, p + at, sizeof(block));
			if ((block & UINT64_C(0x8080808080808080)) == 0)
			{
				at += sizeof(block);
				continue;
			}
		}
		size = utf8_decode(p + at, length - at, &code);
		if (size == 0)
			break;
		at += (size_t) size;
	}
	return at;
}

const char *
utf8_excerpt(const char *text, size_t length, char out[UTF8_EXCERPT])
{
	static const char more[] = "...";
	size_t		room = UTF8_EXCERPT - sizeof(more);
	size_t		shown = utf8_valid_length((const unsigned char *) text,
										  length < room ? length : room);

	for (size_t i = 0; i < shown; i++)
		out[i] = (unsigned char) text[i] < 0x20 || text[i] == 0x7F ? '?'
																   : text[i];
	memcpy(out + shown, more, sizeof(more));
	if (shown == length)
		out[shown] = '\0';
	return out;
}
