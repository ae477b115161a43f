/*-------------------------------------------------------------------------
 *
 * characters.c
 *	  From bytes to characters, as SQL's substring counts them.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "mb/pg_wchar.h"

#include "text/characters.h"

/* In valid UTF-8, a character is a byte that continues none. */
static int
count_utf8(const char *text, int length)
{
	int			count = 0;

	for (int i = 0; i < length; i++)
		count += (text[i] & 0xC0) != 0x80;
	return count;
}

static int
count_between(const char *text, int length)
{
	if (pg_database_encoding_max_length() == 1)
		return length;
	if (GetDatabaseEncoding() == PG_UTF8)
		return count_utf8(text, length);
	return pg_mbstrlen_with_len(text, length);
}

int
character_count_ahead(const CharacterCounter *counter, int bytes)
{
	return counter->characters +
		count_between(counter->input + counter->bytes, bytes - counter->bytes);
}

int
character_count(CharacterCounter *counter, int bytes)
{
	if (bytes >= counter->bytes)
		counter->characters = character_count_ahead(counter, bytes);
	else
		counter->characters -= count_between(counter->input + bytes,
											 counter->bytes - bytes);
	counter->bytes = bytes;
	return counter->characters;
}
