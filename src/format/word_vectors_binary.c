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

	if (format_source_fill(source, 1) > 0 && *format_source_bytes(source) == '\n')
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

WordVectorsEvent
binary_next(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	size_t		length;

	if (reader->row + 1 == reader->word_count)
		return binary_end(reader);
	if (format_source_fill(source, 1) > 0 && *format_source_bytes(source) == '\n')
		format_source_skip(source, 1);

	/* the word must end within its greatest length, not somewhere in a gigabyte */
	format_source_fill(source, WORD_VECTORS_MAX_WORD + 1);
	{
		size_t		available = source->end - source->start;
		size_t		limit = available < WORD_VECTORS_MAX_WORD + 1 ? available :
			WORD_VECTORS_MAX_WORD + 1;
		const unsigned char *bytes = format_source_bytes(source);
		const unsigned char *space = memchr(bytes, ' ', limit);

		if (space == NULL && limit == WORD_VECTORS_MAX_WORD + 1)
			return word_vectors_fault(reader, FORMAT_MALFORMED, 0,
									  "No word of up to %d bytes and a space is here.",
									  WORD_VECTORS_MAX_WORD);
		if (space == NULL)
			return word_vectors_ended(reader, "a word and a space");
		length = (size_t) (space - bytes);
		if (!word_vectors_take_word(reader, bytes, length))
			return WORD_VECTORS_FAULT;
	}
	format_source_skip(source, length + 1);
	reader->row++;
	if (!word_vectors_take_row(reader))
		return WORD_VECTORS_FAULT;
	return WORD_VECTORS_VECTOR;
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
