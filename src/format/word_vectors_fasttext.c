/*-------------------------------------------------------------------------
 *
 * word_vectors_fasttext.c
 *	  fastText .bin, versions 11 and 12: dictionary and input matrix.
 *
 * The layout, all little-endian (README): magic, version, twelve int32 and a
 * double of options, the dictionary, a byte that tells whether the matrix is
 * quantised, its two sizes, its floats.  The output matrix behind it is of no
 * use for word vectors and is not read.
 *
 *-------------------------------------------------------------------------
 */
#include "format/word_vectors_private.h"

#include <string.h>

/* Options, by their place in the file; after them a double. */
enum
{
	OPTION_DIM,
	OPTION_WINDOW,
	OPTION_EPOCHS,
	OPTION_MIN_COUNT,
	OPTION_NEGATIVE,
	OPTION_WORD_NGRAMS,
	OPTION_LOSS,
	OPTION_MODEL,
	OPTION_BUCKET,
	OPTION_MIN_N,
	OPTION_MAX_N,
	OPTION_UPDATE_RATE,
	OPTIONS
};

#define HEAD_SIZE (8 + 4 * OPTIONS + 8)
#define DICTIONARY_HEAD_SIZE (3 * 4 + 2 * 8)

/* What an n-gram or a number of buckets can be at all. */
#define GREATEST_N 1000
#define ENTRY_WORD 0
#define ENTRY_LABEL 1

static int32_t
signed32(const unsigned char *bytes)
{
	return (int32_t) format_read_uint32(bytes);
}

static int64_t
signed64(const unsigned char *bytes)
{
	return (int64_t) format_read_uint64(bytes);
}

static bool
read_head(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	const unsigned char *bytes;
	int32_t		version;
	int32_t		option[OPTIONS];

	if (format_source_fill(source, HEAD_SIZE) < HEAD_SIZE)
	{
		word_vectors_ended(reader, "the options");
		return false;
	}
	bytes = format_source_bytes(source);
	version = signed32(bytes + 4);
	if (version != 11 && version != 12)
	{
		word_vectors_fault(reader, FORMAT_UNSUPPORTED, 4,
						   "This is fastText's format version %d; 11 and 12 can be read.", version);
		return false;
	}
	for (int i = 0; i < OPTIONS; i++)
		option[i] = signed32(bytes + 8 + 4 * i);
	if (option[OPTION_DIM] < 1 || option[OPTION_DIM] > WORD_VECTORS_MAX_DIMS)
	{
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 8,
						   "The file says %d dimensions; vectors have 1 to %d.",
						   option[OPTION_DIM], WORD_VECTORS_MAX_DIMS);
		return false;
	}
	if (option[OPTION_MODEL] < FASTTEXT_CBOW ||
		option[OPTION_MODEL] > FASTTEXT_SUPERVISED ||
		option[OPTION_BUCKET] < 0 || option[OPTION_MIN_N] < 0 ||
		option[OPTION_MAX_N] < 0 || option[OPTION_MIN_N] > GREATEST_N ||
		option[OPTION_MAX_N] > GREATEST_N)
	{
		word_vectors_fault(reader, FORMAT_MALFORMED, 8 + 4 * OPTION_MODEL,
						   "Model %d, %d buckets and n-grams of %d to %d cannot be.",
						   option[OPTION_MODEL], option[OPTION_BUCKET],
						   option[OPTION_MIN_N], option[OPTION_MAX_N]);
		return false;
	}
	reader->dims = option[OPTION_DIM];
	reader->model = option[OPTION_MODEL];
	reader->buckets = option[OPTION_BUCKET];
	reader->min_n = option[OPTION_MIN_N];
	reader->max_n = option[OPTION_MAX_N];

	/* old supervised models had no n-grams of characters, whatever it says */
	if (version == 11 && reader->model == FASTTEXT_SUPERVISED)
		reader->max_n = 0;
	format_source_skip(source, HEAD_SIZE);
	return true;
}

static bool
read_dictionary_head(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	const unsigned char *bytes;
	int64_t		labels;
	int64_t		pruned;

	if (format_source_fill(source, DICTIONARY_HEAD_SIZE) <
		DICTIONARY_HEAD_SIZE)
	{
		word_vectors_ended(reader, "the dictionary");
		return false;
	}
	bytes = format_source_bytes(source);
	reader->entries = signed32(bytes);
	reader->word_count = signed32(bytes + 4);
	labels = signed32(bytes + 8);
	reader->tokens = signed64(bytes + 12);
	pruned = signed64(bytes + 20);
	if (reader->word_count < 1 || labels < 0 || reader->tokens < 0 ||
		pruned < -1 || reader->word_count + labels != reader->entries)
	{
		word_vectors_fault(
			reader, FORMAT_MALFORMED, 0,
			"A dictionary of %lld entries, %lld words and %lld labels cannot be.",
			(long long) reader->entries, (long long) reader->word_count,
			(long long) labels);
		return false;
	}
	if (pruned > 0)
	{
		word_vectors_fault(reader, FORMAT_UNSUPPORTED, 20,
						   "The dictionary is pruned, so the vectors of unknown words are lost.");
		return false;
	}
	format_source_skip(source, DICTIONARY_HEAD_SIZE);
	return true;
}

bool
fasttext_begin(WordVectorsReader *reader)
{
	reader->kind = WORD_VECTORS_FASTTEXT;
	if (!read_head(reader) || !read_dictionary_head(reader))
		return false;
	reader->state = STATE_WORDS;
	return true;
}

/*
 * An entry: the word, a zero byte, its occurrences (int64), its type (int8).
 * Words come first, then labels.
 */
static bool
read_entry(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	size_t		wanted = WORD_VECTORS_MAX_WORD + 1 + 8 + 1;
	size_t		available = format_source_fill(source, wanted);
	const unsigned char *bytes = format_source_bytes(source);
	size_t		limit = available < WORD_VECTORS_MAX_WORD + 1 ? available :
		WORD_VECTORS_MAX_WORD + 1;
	const unsigned char *zero = memchr(bytes, 0, limit);
	bool		is_word = reader->entry < reader->word_count;
	size_t		length;

	if (zero == NULL && limit == WORD_VECTORS_MAX_WORD + 1)
	{
		word_vectors_fault(reader, FORMAT_TOO_LARGE, 0, "A word exceeds %d bytes.",
						   WORD_VECTORS_MAX_WORD);
		return false;
	}
	length = zero == NULL ? available : (size_t) (zero - bytes);
	if (zero == NULL || available < length + 1 + 8 + 1)
	{
		word_vectors_ended(reader, "an entry of the dictionary");
		return false;
	}
	if (bytes[length + 9] != (is_word ? ENTRY_WORD : ENTRY_LABEL))
	{
		word_vectors_fault(reader, FORMAT_MALFORMED, length + 9,
						   "Entry %lld of the dictionary is not a %s.",
						   (long long) reader->entry + 1, is_word ? "word" : "label");
		return false;
	}
	if (length == 0 && reader->skip_bad)
	{
		/* its row comes as others do */
		reader->word = memset(reader->word_buffer, 0, 1);
		reader->word_length = 0;
	}
	else if (!word_vectors_take_word(reader, bytes, length))
		return false;
	reader->occurrences = signed64(bytes + length + 1);
	if (reader->occurrences < 0)
	{
		word_vectors_fault(reader, FORMAT_MALFORMED, length + 1, "A word has %lld occurrences.",
						   (long long) reader->occurrences);
		return false;
	}
	reader->row = reader->entry++;
	format_source_skip(source, length + 1 + 8 + 1);
	return true;
}

/* Between the dictionary and the rows: is the matrix what the head says? */
static bool
read_matrix_head(WordVectorsReader *reader)
{
	FormatSource *source = &reader->source;
	const size_t size = 1 + 8 + 8;
	const unsigned char *bytes;
	int64_t		columns;

	if (format_source_fill(source, size) < size)
	{
		word_vectors_ended(reader, "the matrix");
		return false;
	}
	bytes = format_source_bytes(source);
	if (bytes[0] != 0)
	{
		word_vectors_fault(reader, FORMAT_UNSUPPORTED, 0,
						   "The matrix is quantised; only models of type .bin can be read.");
		return false;
	}
	reader->rows = signed64(bytes + 1);
	columns = signed64(bytes + 9);
	if (columns != reader->dims ||
		reader->rows != reader->word_count + reader->buckets)
	{
		word_vectors_fault(
			reader, FORMAT_MALFORMED, 1,
			"A matrix of %lld rows and %lld columns does not fit %lld words, "
			"%d buckets and %d dimensions.",
			(long long) reader->rows, (long long) columns,
			(long long) reader->word_count, reader->buckets, reader->dims);
		return false;
	}
	format_source_skip(source, size);
	reader->row = -1;
	reader->word = NULL;
	reader->word_length = 0;
	return true;
}

WordVectorsEvent
fasttext_next(WordVectorsReader *reader)
{
	if (reader->state == STATE_WORDS)
	{
		if (reader->entry < reader->word_count)
			return read_entry(reader) ? WORD_VECTORS_WORD : WORD_VECTORS_FAULT;
		while (reader->entry < reader->entries)
		{
			if (!read_entry(reader))
				return WORD_VECTORS_FAULT;
		}
		if (!read_matrix_head(reader))
			return WORD_VECTORS_FAULT;
		reader->state = STATE_ROWS;
	}
	if (reader->row + 1 == reader->rows)
	{
		reader->state = STATE_DONE;
		return WORD_VECTORS_END;
	}
	reader->row++;
	return word_vectors_take_row(reader) ? WORD_VECTORS_ROW
										 : WORD_VECTORS_FAULT;
}
