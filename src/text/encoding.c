/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  Characters of server encodings other than UTF-8.
 *
 * The text is not converted: offsets stay those of the input and nothing as
 * large as the input is allocated.  Each character outside ASCII is converted
 * once in the life of the backend, to learn what it is and what its
 * lower-case form is, and remembered; the character set bounds the table.
 *
 * A lower-case form that the encoding cannot write leaves the character as it
 * is, except that U+0130 becomes a plain "i".  A character without an
 * equivalent in Unicode is no part of a word.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "text/encoding.h"
#include "text/unicode.h"

typedef struct CharacterEntry
{
	unsigned char bytes[MAX_CONVERSION_GROWTH];	/* hash key, zero-padded */
	Character	character;
} CharacterEntry;

StaticAssertDecl(MAX_CONVERSION_GROWTH >= 4, "a server character has up to 4 bytes");

static HTAB *characters = NULL;

/*
 * Convert a few bytes to or from UTF-8; false when there is no equivalent.
 *
 * The conversion functions hold nothing when they raise the error, so it can
 * be put aside without a subtransaction.
 */
static bool
convert(bool to_server, const unsigned char *from, int length,
		unsigned char *to, int capacity, int *to_length)
{
	MemoryContext context = CurrentMemoryContext;
	char		source[CHARACTER_BYTES + 1];
	volatile bool done = false;

	memcpy(source, from, (size_t) length);
	source[length] = '\0';

	PG_TRY();
	{
		char	   *result = to_server ?
			pg_any_to_server(source, length, PG_UTF8) :
			pg_server_to_any(source, length, PG_UTF8);
		size_t		size = strlen(result);

		if (size > 0 && size <= (size_t) capacity)
		{
			memcpy(to, result, size);
			*to_length = (int) size;
			done = true;
		}
		if (result != source)
			pfree(result);
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		if (code != ERRCODE_UNTRANSLATABLE_CHARACTER &&
			code != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return done;
}

/* Write a code point in the server encoding; 0 when it has no form there. */
static int
encode(uint32_t code, unsigned char *out)
{
	unsigned char utf8[4];
	int			length = utf8_encode(code, utf8);
	int			written;

	return convert(true, utf8, length, out, CHARACTER_BYTES, &written)
			   ? written
			   : 0;
}

static void
describe_character(const unsigned char *bytes, int length,
				   Character *character)
{
	unsigned char utf8[4 * CHARACTER_BYTES];
	int			utf8_length;
	uint32_t	code;
	UnicodeRecord record;
	int			folded = 0;

	memset(character, 0, sizeof(Character));
	character->length = length;
	character->code = CODE_LIMIT;
	character->folded_length = (uint8_t) length;
	memcpy(character->folded, bytes, (size_t) length);

	if (!convert(false, bytes, length, utf8, sizeof(utf8), &utf8_length) ||
		utf8_decode(utf8, (size_t) utf8_length, &code) == 0)
		return;
	record = unicode_lookup(code);
	character->code = code;
	character->flags = record.flags;
	character->capital_sigma = code == CODE_CAPITAL_SIGMA;
	if (record.lower != 0)
		folded = encode((uint32_t) ((int32_t) code + record.lower),
						character->folded);
	if (folded > 0)
		character->folded_length = (uint8_t) folded;
	else
		memcpy(character->folded, bytes, (size_t) length);
}

static void
read_server_character(CharacterSource *source, const unsigned char *p,
					  size_t available, Character *character)
{
	int			length = pg_encoding_mblen(GetDatabaseEncoding(),
										   (const char *) p);
	unsigned char key[MAX_CONVERSION_GROWTH] = {0};
	CharacterEntry *entry;
	bool		found;

	if (length > MAX_CONVERSION_GROWTH || (size_t) length > available)
		length = 1;				/* cut off: the server lets none in */
	memcpy(key, p, (size_t) length);
	entry = hash_search(characters, key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		describe_character(p, length, character);
		entry = hash_search(characters, key, HASH_ENTER, &found);
		entry->character = *character;
	}
	else
		*character = entry->character;
}

CharacterSource *
database_character_source(void)
{
	static CharacterSource source;
	HASHCTL		control;

	if (GetDatabaseEncoding() == PG_UTF8)
		return NULL;
	if (characters != NULL)
		return &source;
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("text cannot be split into words in a database with encoding SQL_ASCII"),
				 errdetail("SQL_ASCII does not say which characters the bytes stand for."),
				 errhint("Use a database with encoding UTF8.")));

	source.read = read_server_character;
	source.final_sigma_length = (uint8_t) encode(CODE_FINAL_SIGMA,
												 source.final_sigma);
	memset(&control, 0, sizeof(control));
	control.keysize = MAX_CONVERSION_GROWTH;
	control.entrysize = sizeof(CharacterEntry);
	control.hcxt = TopMemoryContext;
	characters = hash_create("embed characters", 256, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return &source;
}
