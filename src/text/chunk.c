/*-------------------------------------------------------------------------
 *
 * chunk.c
 *	  Where a text may be cut without the server's default parser noticing.
 *
 * Pure.  No token of that parser holds white space, except tags and what
 * stands between <script> or <style> and its end; and whatever state it is
 * in, white space brings it to the same one.  So the tokens of a text without
 * "<" are those of its chunks between white space, each parsed with one blank
 * on either side, as long as blanks themselves are of no interest.  (The
 * start and the end of a text are not white space to the parser: ".5" is a
 * number only there.)
 *
 * Tags may hold white space, so a chunk with "<" is extended to the white
 * space behind the tag.  What looks like one but is none is harmless: a
 * larger chunk is cut as rightly as a small one.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/chunk.h"

/* A tag longer than this is left to the parser. */
#define TAG_BYTES	1024

size_t
chunk_start(const char *input, size_t length, size_t from)
{
	while (from < length && chunk_is_blank(input[from]))
		from++;
	return from;
}

size_t
chunk_end(const char *input, size_t length, size_t from)
{
	while (from < length && !chunk_is_blank(input[from]))
		from++;
	return from;
}

static bool
is_letter(char byte)
{
	return ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

/* Bytes that may stand in a tag outside quotes. */
static bool
is_tag_byte(char byte)
{
	return is_letter(byte) || (byte >= '0' && byte <= '9') ||
		chunk_is_blank(byte) || (byte != '\0' && strchr("=/_:.-#&?%~", byte));
}

/* Does a tag's name begin like one that changes how text is parsed? */
static bool
begins_special(const char *name, size_t available)
{
	static const char *const special[] = {"script", "style"};

	for (int i = 0; i < 2; i++)
	{
		size_t		length = strlen(special[i]);
		size_t		equal = 0;

		while (equal < length && equal < available &&
			   (name[equal] | 0x20) == special[i][equal])
			equal++;
		if (equal == length)
			return true;
	}
	return false;
}

typedef enum TagKind
{
	TAG_NONE,					/* an ordinary "<" */
	TAG_ENDED,					/* "end" is behind it, or where it failed */
	TAG_UNKNOWN					/* only the parser can tell */
} TagKind;

static TagKind
examine_tag(const char *input, size_t length, size_t start, size_t *end)
{
	size_t		name = start + 1;

	if (name < length && (input[name] == '!' || input[name] == '?'))
		return TAG_UNKNOWN;
	if (name < length && input[name] == '/')
		name++;
	if (name >= length ||
		!(is_letter(input[name]) || input[name] == ':' || input[name] == '_'))
		return TAG_NONE;
	if (begins_special(input + name, length - name))
		return TAG_UNKNOWN;
	for (size_t i = name; i < length && i - start < TAG_BYTES; i++)
	{
		if (is_tag_byte(input[i]))
			continue;
		if (input[i] == '"' || input[i] == '\'' || (input[i] & 0x80))
			return TAG_UNKNOWN;
		*end = input[i] == '>' ? i + 1 : i;
		return TAG_ENDED;
	}
	return TAG_UNKNOWN;
}

size_t
chunk_extend(const char *input, size_t length, size_t start, size_t end)
{
	while (start < end)
	{
		const char *tag = memchr(input + start, '<', end - start);
		size_t		behind;

		if (tag == NULL)
			break;
		start = (size_t) (tag - input);
		switch (examine_tag(input, length, start, &behind))
		{
			case TAG_UNKNOWN:
				return length;
			case TAG_ENDED:
				if (behind > end)
					end = chunk_end(input, length, behind);
				break;
			case TAG_NONE:
				break;
		}
		start++;
	}
	return end;
}

/* What an ASCII byte means to the parser between two pieces of white space. */
enum
{
	BYTE_OTHER,					/* may begin or continue a larger token */
	BYTE_LETTER,
	BYTE_SIGN,					/* always ends a word and begins none */
	BYTE_STOP,					/* the same before white space or a sign */
	BYTE_BLANK
};

static const unsigned char byte_kinds[256] = {
	['a'...'z'] = BYTE_LETTER,['A'...'Z'] = BYTE_LETTER,
	[','] = BYTE_SIGN,[';'] = BYTE_SIGN,['!'] = BYTE_SIGN,['?'] = BYTE_SIGN,
	['"'] = BYTE_SIGN,['\''] = BYTE_SIGN,['('] = BYTE_SIGN,[')'] = BYTE_SIGN,
	['['] = BYTE_SIGN,[']'] = BYTE_SIGN,['*'] = BYTE_SIGN,['$'] = BYTE_SIGN,
	['.'] = BYTE_STOP,[':'] = BYTE_STOP,
	['\t'...'\r'] = BYTE_BLANK,[' '] = BYTE_BLANK
};

int
chunk_words(const char *input, size_t length, size_t start,
			ChunkWord *words, size_t *end)
{
	size_t		i = start;
	int			count = 0;

	while (i < length)
	{
		size_t		word = i;
		int			kind = byte_kinds[(unsigned char) input[i]];

		if (kind == BYTE_LETTER)
		{
			if (count == CHUNK_WORDS)
				return -1;
			do
				i++;
			while (i < length &&
				   byte_kinds[(unsigned char) input[i]] == BYTE_LETTER);
			words[count].start = word;
			words[count++].length = i - word;
			continue;
		}
		if (kind == BYTE_BLANK)
			break;
		if (kind == BYTE_OTHER)
			return -1;
		i++;
		if (kind == BYTE_STOP && i < length &&
			byte_kinds[(unsigned char) input[i]] != BYTE_SIGN &&
			byte_kinds[(unsigned char) input[i]] != BYTE_BLANK)
			return -1;
		if (kind == BYTE_STOP && word == 0)
			return -1;			/* ".", at the start of a text */
	}
	*end = i;
	return count;
}
