/*-------------------------------------------------------------------------
 *
 * word_vectors_fuzz.c
 *	  Would fail if some file of word vectors made the reader read or write
 *	  outside its memory, run for ever, or hand out what it promises not to.
 *
 * The first byte chooses the size of the pieces in which the rest is read;
 * the events must not depend on it.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/word_vectors.h"
#include "math/hash.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input
{
	const uint8_t *data;
	size_t		size;
	size_t		at;
	size_t		piece;
} Input;

static WordVectorsReader reader;

static ptrdiff_t
read_input(void *context, void *buffer, size_t capacity)
{
	Input	   *input = context;
	size_t		count = input->size - input->at;

	if (count > input->piece)
		count = input->piece;
	if (count > capacity)
		count = capacity;
	memcpy(buffer, input->data + input->at, count);
	input->at += count;
	return (ptrdiff_t) count;
}

static void
require(int condition)
{
	if (!condition)
		abort();
}

/* Reads everything; returns a hash of all events. */
static uint64_t
read_all(const uint8_t *data, size_t size, size_t piece, int skip)
{
	Input		input = {data, size, 0, piece};
	uint64_t	hash = 0;
	uint64_t	events = 0;
	WordVectorsEvent event;

	word_vectors_begin(&reader, read_input, &input);
	reader.skip_bad = skip;
	while ((event = word_vectors_next(&reader)) > WORD_VECTORS_END)
	{
		require(++events <= size);
		require(reader.dims >= 1 && reader.dims <= WORD_VECTORS_MAX_DIMS);
		hash = hash * 31 + (uint64_t) event + (uint64_t) reader.row;
		if (event != WORD_VECTORS_ROW)
		{
			require((reader.word_length >= 1 ||
					 (skip && event == WORD_VECTORS_WORD)) &&
					reader.word_length <= WORD_VECTORS_MAX_WORD);
			require(strlen(reader.word) == reader.word_length);
			hash ^= hash_bytes64(reader.word, reader.word_length);
		}
		if (event == WORD_VECTORS_WORD)
			continue;
		for (int i = 0; i < reader.dims; i++)
			require(isfinite(reader.values[i]));
		hash ^= hash_bytes64(reader.values,
							 (size_t) reader.dims * sizeof(float));
	}
	require(word_vectors_next(&reader) == event);
	if (event == WORD_VECTORS_FAULT)
	{
		require(reader.fault.status != FORMAT_OK &&
				reader.fault.detail[0] != '\0');
		require(reader.fault.offset <= size);
		require(format_message(reader.fault.status)[0] != '\0');
		return hash * 31 + reader.fault.status + reader.fault.offset +
			   (uint64_t) reader.fault.line;
	}
	require(word_vectors_position(&reader) <= size);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	for (int skip = 0; skip < 2; skip++)
		require(read_all(data + 1, size - 1, (size_t) data[0] + 1, skip) ==
				read_all(data + 1, size - 1, size, skip));
	return 0;
}
