/*-------------------------------------------------------------------------
 *
 * word_vectors_binary.c
 *	  word2vec .bin: a word, a space, little-endian floats, and perhaps a
 *	  line feed; and how to write it.
 *
 * word2vec.c writes a line feed after each vector, other programs write none,
 * so one before a word is skipped.
 *
 *-------------------------------------------------------------------------
 */
#include "format/word_vectors_private.h"

#include <stdio.h>
#include <string.h>

/* Nothing may follow the last vector but a line feed. */
static WordVectorsEvent
binary_end(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;

	if (format_source_fill(source, 1) > 0 &&
		*format_source_bytes(source) == '\n')
		format_source_skip(source, 1);
	if (format_source_fill(source, 1) > 0)
		return word_vectors_fault(reader, FORMAT_MALFORMED, 0,
								  "The file goes on after the %lld words of the header.",
								  (long long) reader->word_count);
	if (source->failed)
		return word_vectors_ended(reader, "the end");
	reader->state = STATE_DONE;
	return WORD_VECTORS_END;
}

/*
 * The length of the word that is next, up to its space.  It must end within
 * its greatest length, not somewhere in a gigabyte.  False after a fault.
 */
static bool
find_word(WordVectorsReader *reader, size_t *length)
{
	FormatSource *source = &reader->source;
	size_t		available;
	size_t		limit;
	const unsigned char *bytes;
	const unsigned char *space;

	if (format_source_fill(source, 1) > 0 &&
		*format_source_bytes(source) == '\n')
		format_source_skip(source, 1);
	format_source_fill(source, WORD_VECTORS_MAX_WORD + 1);
	available = source->end - source->start;
	limit = available < WORD_VECTORS_MAX_WORD + 1 ? available :
		WORD_VECTORS_MAX_WORD + 1;
	bytes = format_source_bytes(source);
	space = memchr(bytes, ' ', limit);
	if (space == NULL && limit == WORD_VECTORS_MAX_WORD + 1)
		word_vectors_fault(reader, FORMAT_MALFORMED, 0,
						   "No word of up to %d bytes and a space is here.",
						   WORD_VECTORS_MAX_WORD);
	else if (space == NULL)
		word_vectors_ended(reader, "a word and a space");
	else
		*length = (size_t) (space - bytes);
	return space != NULL;
}

WordVectorsEvent
binary_next(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;

	for (;;)
	{
		size_t		length;
		bool		taken;

		if (reader->row + 1 == reader->word_count)
			return binary_end(reader);
		if (!find_word(reader, &length))
			return WORD_VECTORS_FAULT;
		taken = word_vectors_take_word(reader, format_source_bytes(source),
									   length);
		if (!taken && !word_vectors_leave_out(reader))
			return WORD_VECTORS_FAULT;
		reader->skipped_empty += length == 0;
		format_source_skip(source, length + 1);
		reader->row++;
		if (!word_vectors_take_row(reader))
		{
			/* its bytes are there if they are only not finite */
			if (reader->fault.status != FORMAT_NOT_FINITE ||
				!word_vectors_leave_out(reader))
				return WORD_VECTORS_FAULT;
			if (!taken)
				reader->skipped--;	/* one row, and two faults of it */
			format_source_skip(source, (size_t) reader->dims * sizeof(float));
			continue;
		}
		if (taken)
			return WORD_VECTORS_VECTOR;
	}
}

size_t
word_vectors_write_header(char *buffer, int64_t words, int dims)
{
	return (size_t) snprintf(buffer, WORD_VECTORS_HEADER_MAX, "%lld %d\n",
							 (long long) words, dims);
}

size_t
word_vectors_row_size(size_t word_length, int dims)
{
	return word_length + 1 + (size_t) dims * sizeof(float) + 1;
}

size_t
word_vectors_write_row(char *buffer, const char *word, size_t word_length,
					   const float *values, int dims)
{
	char	   *at = buffer;

	memcpy(at, word, word_length);
	at += word_length;
	*at++ = ' ';
	for (int i = 0; i < dims; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &values[i], sizeof(bits));
		for (int shift = 0; shift < 32; shift += 8)
			*at++ = (char) (bits >> shift);
	}
	*at++ = '\n';
	return (size_t) (at - buffer);
}
