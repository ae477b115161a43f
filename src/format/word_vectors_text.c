/*-------------------------------------------------------------------------
 *
 * word_vectors_text.c
 *	  Lines of a word and its values: word2vec .txt, fastText .vec, GloVe.
 *
 * The values are the last fields of a line, so that a word may contain
 * spaces, as some of GloVe's do.  Lines end with a line feed; a carriage
 * return and spaces before it do not count.
 *
 *-------------------------------------------------------------------------
 */
#include "format/word_vectors_private.h"

#include <string.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The length without what does not count at the end. */
static size_t
trimmed(const char *line, size_t length)
{
	while (length > 0 &&
		   (is_space(line[length - 1]) || line[length - 1] == '\r'))
		length--;
	return length;
}

/* Where the last field of the text begins. */
static size_t
last_field(const char *text, size_t length)
{
	while (length > 0 && !is_space(text[length - 1]))
		length--;
	return length;
}

/* A number of at most 18 digits; returns the digits read. */
static size_t
read_integer(const char *text, size_t length, int64_t *value)
{
	size_t		digits = 0;

	*value = 0;
	while (digits < length && digits < 18 && text[digits] >= '0' &&
		   text[digits] <= '9')
		*value = *value * 10 + (text[digits++] - '0');
	return digits;
}

/*
 * Is the first line two integers and nothing else?
 *
 * length: of the line with its line feed.
 */
bool
text_header(WordVectorsReader *reader, int64_t *words, int64_t *dims,
			size_t *length)
{
	size_t		found = format_source_find(&reader->source, '\n');
	const char *line = (const char *) format_source_bytes(&reader->source);
	size_t		size;
	size_t		first;
	size_t		second;

	if (found == FORMAT_NOT_FOUND)
		return false;
	*length = found + 1;
	size = trimmed(line, found);
	first = read_integer(line, size, words);
	if (first == 0 || first >= size || !is_space(line[first]))
		return false;
	while (first < size && is_space(line[first]))
		first++;
	second = read_integer(line + first, size - first, dims);
	return second > 0 && first + second == size;
}

/*
 * The last "dims" fields as numbers; returns the length of what is before
 * them and its separator, or 0.  *bad: where a field is no number.
 */
static size_t
take_values(const char *line, size_t length, int dims, float *values,
			size_t *bad)
{
	size_t		end = trimmed(line, length);

	*bad = FORMAT_NOT_FOUND;
	for (int i = dims - 1; i >= 0; i--)
	{
		size_t		start = last_field(line, end);
		float		value;

		if (start == 0 ||
			!format_parse_float(line + start, end - start, &value))
		{
			*bad = start;
			return 0;
		}
		if (values != NULL)
			values[i] = value;
		end = start;
		while (end > 0 && is_space(line[end - 1]))
			end--;
	}
	return end;
}

bool
text_line_fits(const char *line, size_t length, int dims)
{
	size_t		bad;

	return take_values(line, length, dims, NULL, &bad) > 0;
}

/*
 * Without a header the first line tells the dimensions: a word without
 * spaces, then numbers only.
 */
bool
text_begin_without_header(WordVectorsReader *reader)
{
	size_t		length = format_source_find(&reader->source, '\n');
	const char *line = (const char *) format_source_bytes(&reader->source);
	size_t		end;
	int64_t		dims = 0;

	if (reader->source.failed)
	{
		word_vectors_ended(reader, "the first line");
		return false;
	}
	if (length == FORMAT_NOT_FOUND)
		length = reader->source.end - reader->source.start;
	length = trimmed(line, length);
	end = 0;
	while (end < length && !is_space(line[end]))
		end++;
	while (end < length)
	{
		size_t		start = end;
		float		value;

		while (start < length && is_space(line[start]))
			start++;
		end = start;
		while (end < length && !is_space(line[end]))
			end++;
		if (!format_parse_float(line + start, end - start, &value))
		{
			dims = 0;
			break;
		}
		dims++;
	}
	if (dims == 0)
	{
		word_vectors_fault(reader, FORMAT_UNRECOGNIZED, 0,
						   "The file begins neither with a header nor with a word and numbers.");
		return false;
	}
	if (dims > WORD_VECTORS_MAX_DIMS)
	{
		reader->line = 1;
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 0,
						   "The first line has %lld values; vectors have 1 to %d.",
						   (long long) dims, WORD_VECTORS_MAX_DIMS);
		return false;
	}
	reader->kind = WORD_VECTORS_TEXT_WITHOUT_HEADER;
	reader->dims = (int) dims;
	reader->state = STATE_ROWS;
	return true;
}

/* At the end of the text: is it as long as the header says? */
static WordVectorsEvent
text_end(WordVectorsReader *reader)
{
	if (reader->source.failed)
		return word_vectors_ended(reader, "the next line");
	if (reader->word_count >= 0 && reader->row + 1 != reader->word_count)
		return word_vectors_fault(
			reader, FORMAT_TRUNCATED, 0,
			"The header says %lld words, the file has %lld.",
			(long long) reader->word_count, (long long) reader->row + 1);
	reader->state = STATE_DONE;
	return WORD_VECTORS_END;
}

/*
 * Empty lines are of no harm at the end, and a fault before another word.
 * False: that fault is left out.
 */
static bool
text_empty_lines(WordVectorsReader *reader, WordVectorsEvent *event)
{
	FormatSource *source = &reader->source;

	while (format_source_fill(source, 1) > 0)
	{
		char		c = (char) *format_source_bytes(source);

		if (c != '\n' && c != '\r' && !is_space(c))
		{
			*event = word_vectors_fault(reader, FORMAT_MALFORMED, 0,
										"The line before this is empty.");
			return !word_vectors_leave_out(reader);
		}
		reader->line += c == '\n';
		format_source_skip(source, 1);
	}
	*event = text_end(reader);
	return true;
}

/*
 * Take the word and the values of a line; false after a fault of this line.
 */
static bool
take_line(WordVectorsReader *reader, const char *line, size_t length)
{
	size_t		bad;
	int			not_finite;
	size_t		word_length = take_values(line, length, reader->dims,
										  reader->value_buffer, &bad);

	if (word_length == 0)
	{
		if (bad != FORMAT_NOT_FOUND && bad > 0)
			word_vectors_fault(reader, FORMAT_MALFORMED, bad,
							   "A field of the last %d is not a number.",
							   reader->dims);
		else
			word_vectors_fault(reader, FORMAT_MALFORMED, 0,
							   "The line has fewer fields than a word and %d values.",
							   reader->dims);
		return false;
	}
	not_finite = format_first_not_finite(reader->value_buffer, reader->dims);
	if (not_finite >= 0)
	{
		word_vectors_fault(reader, FORMAT_NOT_FINITE, 0,
						   "Value %d is out of range.", not_finite + 1);
		return false;
	}
	return word_vectors_take_word(reader, (const unsigned char *) line,
								  word_length);
}

WordVectorsEvent
text_next(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;

	for (;;)
	{
		size_t		found = format_source_find(source, '\n');
		const char *line = (const char *) format_source_bytes(source);
		size_t		length = found;
		WordVectorsEvent event;
		bool		taken;

		if (found == FORMAT_NOT_FOUND)
		{
			length = source->end - source->start;
			if (source->failed || length == 0)
				return text_end(reader);
			reader->line++;
			if (length == FORMAT_WINDOW)
				return word_vectors_fault(reader, FORMAT_TOO_LARGE, 0,
										  "A line is longer than %zu bytes.",
										  FORMAT_WINDOW);
		}
		else
			reader->line++;

		if (trimmed(line, length) == 0)
		{
			if (text_empty_lines(reader, &event))
				return event;
			continue;
		}
		if (reader->word_count >= 0 && reader->row + 1 == reader->word_count)
			return word_vectors_fault(reader, FORMAT_MALFORMED, 0,
									  "There are more words than the %lld of the header.",
									  (long long) reader->word_count);
		taken = take_line(reader, line, length);
		if (!taken && !word_vectors_leave_out(reader))
			return WORD_VECTORS_FAULT;
		reader->values = reader->value_buffer;
		reader->row++;
		format_source_skip(source,
						   found == FORMAT_NOT_FOUND ? length : found + 1);
		if (taken)
			return WORD_VECTORS_VECTOR;
	}
}
