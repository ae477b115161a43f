/*-------------------------------------------------------------------------
 *
 * word_vectors.c
 *	  Which kind of file it is, and what all kinds share.
 *
 *-------------------------------------------------------------------------
 */
#include "format/word_vectors.h"
#include "format/word_vectors_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
word_vectors_kind_name(WordVectorsKind kind)
{
	switch (kind)
	{
		case WORD_VECTORS_BINARY:
			return "word2vec binary";
		case WORD_VECTORS_TEXT:
			return "word2vec text";
		case WORD_VECTORS_TEXT_WITHOUT_HEADER:
			return "GloVe text";
		case WORD_VECTORS_FASTTEXT:
			return "fastText binary";
		case WORD_VECTORS_UNKNOWN:
			break;
	}
	return "unknown";
}

WordVectorsEvent
word_vectors_fault(WordVectorsReader *reader, FormatStatus status,
				   size_t distance, const char *detail, ...)
{
	char		text[sizeof(reader->fault.detail)];
	va_list		arguments;

	va_start(arguments, detail);
	vsnprintf(text, sizeof(text), detail, arguments);
	va_end(arguments);
	format_fault(&reader->fault, status, reader->source.position + distance,
				 reader->line, "%s", text);
	reader->state = STATE_DONE;
	return WORD_VECTORS_FAULT;
}

bool
word_vectors_leave_out(WordVectorsReader *reader)
{
	if (!reader->skip_bad)
		return false;
	memset(&reader->fault, 0, sizeof(reader->fault));
	reader->state = STATE_ROWS;
	reader->skipped++;
	return true;
}

WordVectorsEvent
word_vectors_ended(WordVectorsReader *reader, const char *expected)
{
	size_t		available = reader->source.end - reader->source.start;

	if (reader->source.failed)
		return word_vectors_fault(reader, FORMAT_READ_FAILED, available, "Reading failed.");
	return word_vectors_fault(reader, FORMAT_TRUNCATED, available,
							  "The file ends where %s should be.", expected);
}

bool
word_vectors_take_word(WordVectorsReader *reader, const unsigned char *word,
					   size_t length)
{
	const unsigned char *zero;

	if (length == 0)
	{
		word_vectors_fault(reader, FORMAT_MALFORMED, 0, "There is an empty word.");
		return false;
	}
	if (length > WORD_VECTORS_MAX_WORD)
	{
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 0, "A word of %zu bytes exceeds %d.",
						   length, WORD_VECTORS_MAX_WORD);
		return false;
	}
	zero = memchr(word, 0, length);
	if (zero != NULL)
	{
		word_vectors_fault(reader, FORMAT_MALFORMED, (size_t) (zero - word),
						   "A word contains a zero byte.");
		return false;
	}
	memcpy(reader->word_buffer, word, length);
	reader->word_buffer[length] = '\0';
	reader->word = reader->word_buffer;
	reader->word_length = length;
	return true;
}

bool
word_vectors_take_row(WordVectorsReader *reader)
{
	size_t		bytes = (size_t) reader->dims * sizeof(float);
	int			bad;

	if (format_source_fill(&reader->source, bytes) < bytes)
	{
		word_vectors_ended(reader, "values of a vector");
		return false;
	}
	format_read_floats(format_source_bytes(&reader->source),
					   reader->value_buffer, reader->dims);
	bad = format_first_not_finite(reader->value_buffer, reader->dims);
	if (bad >= 0)
	{
		word_vectors_fault(reader, FORMAT_NOT_FINITE,
						   (size_t) bad * sizeof(float),
						   "Value %d of vector %lld is NaN or infinite.",
						   bad + 1, (long long) reader->row + 1);
		return false;
	}
	format_source_skip(&reader->source, bytes);
	reader->values = reader->value_buffer;
	return true;
}

void
word_vectors_begin(WordVectorsReader *reader, FormatRead read, void *context)
{
	memset(reader, 0, offsetof(WordVectorsReader, word_buffer));
	reader->word_count = -1;
	reader->row = -1;
	format_source_begin(&reader->source, read, context);
}

/* Files that people have at hand and that need a step before. */
static bool
refuse_packed(WordVectorsReader *reader)
{
	static const struct
	{
		const char *magic;
		size_t		length;
		const char *name;
	}			packed[] =
	{
		{"\x1F\x8B", 2, "gzip"},
		{"PK\x03\x04", 4, "zip"},
		{"BZh", 3, "bzip2"},
		{"\xFD" "7zXZ", 5, "xz"},
		{"\x28\xB5\x2F\xFD", 4, "zstd"},
	};
	size_t		available = format_source_fill(&reader->source, 6);

	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
	{
		if (available >= packed[i].length &&
			memcmp(format_source_bytes(&reader->source), packed[i].magic,
				   packed[i].length) == 0)
		{
			word_vectors_fault(reader, FORMAT_UNSUPPORTED, 0,
							   "The file is compressed with %s; unpack it first.", packed[i].name);
			return true;
		}
	}
	return false;
}

/* The most that is looked at to tell text from binary rows. */
#define SAMPLE_SIZE 4096

/*
 * After a header of two numbers come lines of text or binary rows.  A line
 * whose last fields are as many numbers as the header says is text: that
 * cannot happen to binary rows by chance.  A line that is damaged is still
 * text, to be complained of as such, if there are no control characters;
 * binary values hardly ever do without.
 */
static bool
rows_are_text(WordVectorsReader *reader)
{
	size_t		length = format_source_find(&reader->source, '\n');
	size_t		available = format_source_fill(&reader->source, SAMPLE_SIZE);
	const unsigned char *bytes = format_source_bytes(&reader->source);

	if (length == FORMAT_NOT_FOUND)
		length = available;
	if (text_line_fits((const char *) bytes, length, reader->dims))
		return true;
	for (size_t i = 0; i < available && i < SAMPLE_SIZE; i++)
	{
		if (bytes[i] < ' ' && bytes[i] != '\n' && bytes[i] != '\r' &&
			bytes[i] != '\t')
			return false;
	}
	return true;
}

static bool
begin_with_header(WordVectorsReader *reader, int64_t words, int64_t dims,
				  size_t length)
{
	if (dims < 1 || dims > WORD_VECTORS_MAX_DIMS)
	{
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 0,
						   "The header says %lld dimensions; vectors have 1 to %d.",
						   (long long) dims, WORD_VECTORS_MAX_DIMS);
		return false;
	}
	if (words < 1 || words > INT32_MAX)
	{
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 0,
						   "The header says %lld words; there must be 1 to %d.",
						   (long long) words, INT32_MAX);
		return false;
	}
	reader->word_count = words;
	reader->dims = (int) dims;
	format_source_skip(&reader->source, length);
	if (rows_are_text(reader))
	{
		reader->kind = WORD_VECTORS_TEXT;
		reader->line = 1;
	}
	else
	{
		reader->kind = WORD_VECTORS_BINARY;
		reader->line = 0;
	}
	reader->state = STATE_ROWS;
	return true;
}

/* The first call: find out what it is.  False after a fault. */
static bool
begin(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	size_t		available;
	size_t		length;
	int64_t		words;
	int64_t		dims;

	if (refuse_packed(reader))
		return false;
	available = format_source_fill(source, 4);
	if (available == 0)
	{
		word_vectors_ended(reader, "the first word");
		return false;
	}
	if (available >= 4 &&
		format_read_uint32(format_source_bytes(source)) == FASTTEXT_MAGIC)
		return fasttext_begin(reader);
	if (available >= 3 && memcmp(format_source_bytes(source), "\xEF\xBB\xBF", 3) == 0)
		format_source_skip(source, 3);	/* a byte order mark of UTF-8 */
	if (text_header(reader, &words, &dims, &length))
		return begin_with_header(reader, words, dims, length);
	return text_begin_without_header(reader);
}

WordVectorsEvent
word_vectors_next(WordVectorsReader *reader)
{
	if (reader->state == STATE_BEGIN && !begin(reader))
		return WORD_VECTORS_FAULT;
	if (reader->state == STATE_DONE)
		return reader->fault.status == FORMAT_OK ? WORD_VECTORS_END
												 : WORD_VECTORS_FAULT;
	switch (reader->kind)
	{
		case WORD_VECTORS_BINARY:
			return binary_next(reader);
		case WORD_VECTORS_FASTTEXT:
			return fasttext_next(reader);
		default:
			return text_next(reader);
	}
}

uint64_t
word_vectors_position(const WordVectorsReader *reader)
{
	return reader->source.position;
}
