/*-------------------------------------------------------------------------
 *
 * gap.c
 *	  What lies between two words, and where a text may be cut there.
 *
 * Pure.  A paragraph ends at a blank line, a form feed or U+2029.  A sentence
 * ends at a terminator, whatever closing quotes and brackets follow it, and
 * white space; those that occur nowhere else (of Chinese and Japanese, Arabic,
 * Devanagari, Khmer, Myanmar) need no white space.
 * A full stop does not end a sentence before a lower-case letter or after a
 * single capital (an initial).  No list of abbreviations: that would be one
 * for every language, and a cut after "Dr." costs little.
 *
 *-------------------------------------------------------------------------
 */
#include "text/gap.h"
#include "text/unicode.h"

typedef enum Sign
{
	SIGN_OTHER,
	SIGN_FULL_STOP,				/* also ends abbreviations */
	SIGN_TERMINATOR,			/* ends a sentence if white space follows */
	SIGN_WIDE_TERMINATOR,		/* ends a sentence */
	SIGN_CLOSER					/* belongs to the sentence before it */
} Sign;

/* A part of Unicode's Sentence_Terminal, and the common closing signs. */
static Sign
sign_of(uint32_t code)
{
	switch (code)
	{
		case '.':
			return SIGN_FULL_STOP;
		case '!':
		case '?':
		case 0x0589:			/* Armenian full stop */
		case 0x061E:			/* Arabic triple dot */
		case 0x1362:			/* Ethiopic full stop */
		case 0x1367:
		case 0x1368:
		case 0x1803:			/* Mongolian */
		case 0x2026:			/* horizontal ellipsis */
		case 0x203C:
		case 0x203D:
		case 0x2047:
		case 0x2048:
		case 0x2049:
			return SIGN_TERMINATOR;
		case 0x061F:			/* Arabic question mark */
		case 0x06D4:			/* Arabic full stop */
		case 0x0964:			/* danda */
		case 0x0965:			/* double danda */
		case 0x104A:			/* Myanmar */
		case 0x104B:
		case 0x17D4:			/* Khmer */
		case 0x17D5:
		case 0x3002:			/* ideographic full stop */
		case 0xFF01:			/* fullwidth forms */
		case 0xFF0E:
		case 0xFF1F:
		case 0xFF61:
			return SIGN_WIDE_TERMINATOR;
		case '"':
		case '\'':
		case ')':
		case ']':
		case '}':
		case 0x00BB:
		case 0x2019:
		case 0x201D:
		case 0x203A:
		case 0x3009:
		case 0x300B:
		case 0x300D:
		case 0x300F:
		case 0x3011:
		case 0x3015:
		case 0xFF63:
		case 0xFF09:
		case 0xFF3D:
			return SIGN_CLOSER;
		default:
			return SIGN_OTHER;
	}
}

typedef struct Reader
{
	CharacterSource *source;
	const unsigned char *input;
	size_t		length;
	size_t		offset;
	Character	character;		/* the one at the offset */
} Reader;

static bool
reader_look(Reader *reader)
{
	if (reader->offset >= reader->length)
		return false;
	character_read(reader->source, reader->input + reader->offset,
				   reader->length - reader->offset, &reader->character);
	return true;
}

/*
 * A letter whose lower-case form it is itself: neither capital nor caseless.
 */
static bool
is_small_letter(const Character *character)
{
	return (character->flags & CHARACTER_CASED) &&
		   character->code < CODE_LIMIT &&
		   unicode_lookup(character->code).lower == 0;
}

/* Is the character that ends before "offset" a capital standing alone? */
static bool
follows_initial(const Reader *reader, size_t offset)
{
	unsigned char last;

	if (offset < 1)
		return false;
	last = reader->input[offset - 1];
	if (last < 'A' || last > 'Z')
		return false;
	if (offset == 1)
		return true;
	last = reader->input[offset - 2];
	return last == ' ' || last == '\n' || last == '\t' || last == '.' ||
		last == '(';
}

/* Pass over white space; true if it ends a paragraph. */
static bool
pass_space(Reader *reader, size_t stop)
{
	int			lines = 0;
	bool		paragraph = false;

	while (reader->offset < stop && reader_look(reader) &&
		   (reader->character.flags & CHARACTER_SPACE))
	{
		uint32_t	code = reader->character.code;

		if (code == '\n' || code == 0x85 || code == 0x2028)
			lines++;
		if (code == '\f' || code == 0x2029)
			paragraph = true;
		reader->offset += (size_t) reader->character.length;
	}
	return paragraph || lines >= 2;
}

static void
propose(Gap *gap, GapKind kind, size_t left_end, size_t right_start)
{
	if (kind <= gap->kind)
		return;
	gap->kind = kind;
	gap->left_end = (int) left_end;
	gap->right_start = (int) right_start;
}

Gap
gap_examine(CharacterSource *source, const char *input, size_t length,
			size_t from, size_t to)
{
	Reader		reader = {source, (const unsigned char *) input, length, from};
	Gap			gap = {GAP_JOINED, (int) to, (int) to};
	size_t		stop = to - from > GAP_BYTES ? from + GAP_BYTES : to;
	Sign		ended = SIGN_OTHER; /* how the words so far ended */
	size_t		stop_at = 0;	/* where the full stop was */

	/* nine of ten gaps are a space, or a comma and a space */
	if (to > from && to - from <= 2 && input[to - 1] == ' ' &&
		(to - from == 1 || input[from] == ','))
		return (Gap) {GAP_SPACE, (int) to - 1, (int) to};

	while (reader.offset < stop && gap.kind < GAP_PARAGRAPH &&
		   reader_look(&reader))
	{
		size_t		start = reader.offset;
		Sign		sign;

		if (reader.character.flags & CHARACTER_SPACE)
		{
			bool		paragraph = pass_space(&reader, to);
			GapKind		kind = paragraph ? GAP_PARAGRAPH : GAP_SPACE;

			if (!paragraph && ended != SIGN_OTHER)
			{
				kind = GAP_SENTENCE;
				if (ended == SIGN_FULL_STOP &&
					(follows_initial(&reader, stop_at) ||
					 (reader_look(&reader) &&
					  is_small_letter(&reader.character))))
					kind = GAP_SPACE;
			}
			propose(&gap, kind, start, reader.offset);
			ended = SIGN_OTHER;
			continue;
		}
		sign = sign_of(reader.character.code);
		if (ended == SIGN_WIDE_TERMINATOR && sign == SIGN_OTHER)
			propose(&gap, GAP_SENTENCE, start, start);
		if (sign == SIGN_FULL_STOP && ended != SIGN_FULL_STOP)
			stop_at = start;
		if (sign == SIGN_CLOSER)
			sign = ended;
		else if (ended == SIGN_WIDE_TERMINATOR && sign == SIGN_TERMINATOR)
			sign = ended;
		ended = sign;
		reader.offset += (size_t) reader.character.length;
	}
	if (ended == SIGN_WIDE_TERMINATOR && reader.offset == to)
		propose(&gap, GAP_SENTENCE, to, to);
	return gap;
}
