/*-------------------------------------------------------------------------
 *
 * word_vectors_test.c
 *	  Would fail if a file of word vectors were read wrongly, or if a damaged
 *	  one were not refused, with the right place.
 *
 * Every file is read in pieces of several sizes, down to single bytes.  With
 * EMBED_DATA, real files are read as well and compared with what gensim 4.2
 * makes of them.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "format/word_vectors.h"
#include "math/random.h"

/* A file in memory, handed out in pieces. */
typedef struct Bytes
{
	const char *bytes;
	size_t		size;
	size_t		at;
	size_t		piece;
	size_t		fails_at;		/* reading fails from here on */
} Bytes;

static ptrdiff_t
read_bytes(void *context, void *buffer, size_t capacity)
{
	Bytes	   *bytes = context;
	size_t		rest = bytes->size - bytes->at;
	size_t		count = bytes->piece < capacity ? bytes->piece : capacity;

	if (bytes->at >= bytes->fails_at)
		return -1;
	if (count > rest)
		count = rest;
	memcpy(buffer, bytes->bytes + bytes->at, count);
	bytes->at += count;
	return (ptrdiff_t) count;
}

static WordVectorsReader *reader;
static Bytes source;

static void
begin(const char *bytes, size_t size, size_t piece)
{
	Bytes		fresh = {bytes, size, 0, piece, (size_t) -1};

	source = fresh;
	word_vectors_begin(reader, read_bytes, &source);
}

static const size_t pieces[] = {1, 2, 3, 7, 64, 4096, 1 << 20};

#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

/* Words and two values each. */
static void
expect_pairs(const char *what, const char *bytes, size_t size,
			 WordVectorsKind kind, int count, const char *const *words,
			 const float *values)
{
	for (size_t p = 0; p < PIECES; p++)
	{
		begin(bytes, size, pieces[p]);
		for (int i = 0; i < count; i++)
		{
			WordVectorsEvent event = word_vectors_next(reader);

			CHECK(event == WORD_VECTORS_VECTOR, "%s, word %d: event %d, %s", what, i, event,
				  reader->fault.detail);
			if (event != WORD_VECTORS_VECTOR)
				return;
			CHECK(reader->kind == kind && reader->dims == 2 &&
					  reader->row == i,
				  "%s: kind %d, %d dims, row %d", what, reader->kind,
				  reader->dims, (int) reader->row);
			CHECK(reader->word_length == strlen(words[i]) &&
				  memcmp(reader->word, words[i], reader->word_length) == 0,
				  "%s: word \"%.*s\"", what, (int) reader->word_length, reader->word);
			CHECK(reader->values[0] == values[2 * i] &&
					  reader->values[1] == values[2 * i + 1],
				  "%s: values %g and %g", what, reader->values[0],
				  reader->values[1]);
		}
		CHECK(word_vectors_next(reader) == WORD_VECTORS_END, "%s: no end, %s", what,
			  reader->fault.detail);
		CHECK(word_vectors_next(reader) == WORD_VECTORS_END, "%s: no end twice", what);
		CHECK(word_vectors_position(reader) == size, "%s: position", what);
	}
}

/* Reads to the end; the fault must be this one. */
static void
expect_fault(const char *what, const char *bytes, size_t size,
			 FormatStatus status, long long line, long long offset,
			 const char *detail)
{
	for (size_t p = 0; p < PIECES; p++)
	{
		WordVectorsEvent event;

		begin(bytes, size, pieces[p]);
		while ((event = word_vectors_next(reader)) > WORD_VECTORS_END)
			;
		CHECK(event == WORD_VECTORS_FAULT && reader->fault.status == status,
			  "%s: event %d, \"%s\": %s", what, event, format_message(reader->fault.status),
			  reader->fault.detail);
		CHECK(line < 0 || reader->fault.line == line, "%s: line %lld", what,
			  (long long) reader->fault.line);
		CHECK(offset < 0 || reader->fault.offset == (uint64_t) offset, "%s: offset %lld", what,
			  (long long) reader->fault.offset);
		CHECK(strstr(reader->fault.detail, detail) != NULL, "%s: detail \"%s\"", what,
			  reader->fault.detail);
		CHECK(word_vectors_next(reader) == WORD_VECTORS_FAULT, "%s: goes on after the fault", what);
	}
}

#define TEXT(text) text, sizeof(text) - 1

static void
test_text(void)
{
	const char *const words[] = {"the", "of", "caf\xC3\xA9"};
	const char *const spaced[] = {". . .", "at name@domain.com", "x"};
	const float values[] = {0.25f, -1, 1e-3f, 7, 0.1f, 1e20f};

	expect_pairs("with header", TEXT("3 2\nthe 0.25 -1\nof 1e-3 7\ncaf\xC3\xA9 .1 1E+20\n"),
				 WORD_VECTORS_TEXT, 3, words, values);
	expect_pairs("spaces at the end",
				 TEXT("3 2 \nthe 0.25 -1 \nof 0.001 +7. \ncaf\xC3\xA9 0.1 1e20 "),
				 WORD_VECTORS_TEXT, 3, words, values);
	expect_pairs("carriage returns",
				 TEXT("3 2\r\nthe 0.25 -1\r\nof 0.001 7\r\ncaf\xC3\xA9 0.1 1e20\r\n\r\n\n"),
				 WORD_VECTORS_TEXT, 3, words, values);
	expect_pairs("byte order mark",
				 TEXT("\xEF\xBB\xBF" "3 2\nthe 0.25 -1\nof 0.001 7\ncaf\xC3\xA9 0.1 1e20"),
				 WORD_VECTORS_TEXT, 3, words, values);
	expect_pairs("without header", TEXT("the 0.25 -1\nof 0.001 7\ncaf\xC3\xA9\t0.1  1e20\n"),
				 WORD_VECTORS_TEXT_WITHOUT_HEADER, 3, words, values);
	expect_pairs("words with spaces",
				 TEXT("3 2\n. . . 0.25 -1\nat name@domain.com 0.001 7\nx 0.1 1e20\n"),
				 WORD_VECTORS_TEXT, 3, spaced, values);

	expect_fault("too few lines", TEXT("3 2\nthe 1 2\nof 1 2\n"), FORMAT_TRUNCATED, 3, 19,
				 "3 words");
	expect_fault("too many lines", TEXT("1 2\nthe 1 2\nof 1 2\n"), FORMAT_MALFORMED, 3, 12,
				 "more words");
	expect_fault("too few values", TEXT("2 2\nthe 1 2\nof 1\n"), FORMAT_MALFORMED, 3, 12, "fewer");
	expect_fault("only values", TEXT("2 2\nthe 1 2\n1 1\n"), FORMAT_MALFORMED, 3, 12, "fewer");
	expect_fault("not a number", TEXT("2 2\nthe 1 2\nof 1 2x\n"), FORMAT_MALFORMED, 3, 17,
				 "number");
	expect_fault("nan", TEXT("2 2\nthe 1 2\nof nan 2\n"), FORMAT_MALFORMED, 3, 15, "number");
	expect_fault("nan at once", TEXT("2 2\nthe nan 2\nof 1 2\n"), FORMAT_MALFORMED, 2, 8, "number");
	expect_fault("infinite", TEXT("2 2\nthe 1 2\nof 1 1e39\n"), FORMAT_NOT_FINITE, 3, 12,
				 "Value 2");
	expect_fault("empty line", TEXT("the 1 2\n\nof 1 2\n"), FORMAT_MALFORMED, 3, 9, "empty");
	expect_fault("zero byte", TEXT("the 1 2\no\0f 1 2\n"), FORMAT_MALFORMED, 2, 9, "zero byte");
	expect_fault("no numbers", TEXT("once upon a time\n"), FORMAT_UNRECOGNIZED, 0, 0, "header");
	expect_fault("nothing", TEXT(""), FORMAT_TRUNCATED, 0, 0, "first word");
	expect_fault("only a header", TEXT("3 2\n"), FORMAT_TRUNCATED, 1, 4, "3 words");
	expect_fault("no dimensions", TEXT("3 0\nthe\n"), FORMAT_TOO_LARGE, 0, 0, "0 dimensions");
	expect_fault("many dimensions", TEXT("3 16001\nthe 1\n"), FORMAT_TOO_LARGE, 0, 0, "16001");
	expect_fault("no words", TEXT("0 5\n"), FORMAT_TOO_LARGE, 0, 0, "0 words");
	expect_fault("many words", TEXT("9999999999 5\nx 1 2 3 4 5\n"), FORMAT_TOO_LARGE, 0, 0,
				 "9999999999");
	expect_fault("gzip", TEXT("\x1F\x8B\x08\0\0\0\0\0"), FORMAT_UNSUPPORTED, 0, 0, "gzip");
}

static void
test_long_lines(void)
{
	size_t		size = FORMAT_WINDOW + 100;
	char	   *bytes = exact_alloc(size);

	memset(bytes, 'x', size);
	memcpy(bytes, "2 2\nthe 1 2\n", 12);
	begin(bytes, size, 1 << 16);
	CHECK(word_vectors_next(reader) == WORD_VECTORS_VECTOR, "%s", reader->fault.detail);
	CHECK(word_vectors_next(reader) == WORD_VECTORS_FAULT &&
		  reader->fault.status == FORMAT_TOO_LARGE && reader->fault.line == 3, "a long line: %s",
		  reader->fault.detail);
	memcpy(bytes + 12 + WORD_VECTORS_MAX_WORD + 1, " 1 2\n", 5);
	begin(bytes, size, 1 << 16);
	word_vectors_next(reader);
	CHECK(word_vectors_next(reader) == WORD_VECTORS_FAULT &&
		  reader->fault.status == FORMAT_TOO_LARGE, "a long word: %s", reader->fault.detail);
	free(bytes);
}

static void
test_numbers(void)
{
	static const char *const bad[] = {"", "-", ".", "1e", "1e+", "e5", "1.2.3", "0x10", "inf",
									  "nan",
	"1 ", " 1", "1f", "--1", "1-", "1e5.0"};
	Random		random;
	float		value;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!format_parse_float(bad[i], strlen(bad[i]), &value), "\"%s\" is a number", bad[i]);
	random_seed(&random, 11);
	for (int i = 0; i < 300000; i++)
	{
		char		text[80];
		float		drawn;
		uint32_t	bits = (uint32_t) random_next(&random);

		memcpy(&drawn, &bits, sizeof(drawn));
		if (!isfinite(drawn))
			continue;
		snprintf(text, sizeof(text), i % 3 == 0 ? "%.9g" : i % 3 == 1 ? "%.17g" : "%f", drawn);
		CHECK(format_parse_float(text, strlen(text), &value) &&
				  value == (float) strtod(text, NULL),
			  "%s read as %a, should be %a", text, value,
			  (float) strtod(text, NULL));
		CHECK(i % 3 == 2 || value == drawn, "%s is not %a again", text, drawn);
		snprintf(text, sizeof(text), "%lld.%019llde%d",
				 (long long) random_below(&random, 1000),
				 (long long) (random_next(&random) >> 1),
				 (int) random_below(&random, 90) - 50);
		CHECK(format_parse_float(text, strlen(text), &value) &&
				  value == (float) strtod(text, NULL),
			  "%s read as %a, should be %a", text, value,
			  (float) strtod(text, NULL));
	}
}

/* Writes what is then read: with and without the line feeds. */
static void
test_binary(void)
{
	const char *const words[] = {"the", "\xE2\x98\xBA", "New_York"};
	const float values[] = {1, 2, -0.5f, 1e-40f, 3e38f, 0};
	char		file[200];
	size_t		size = word_vectors_write_header(file, 3, 2);
	size_t		header = size;

	for (int i = 0; i < 3; i++)
	{
		size_t		row = word_vectors_write_row(file + size, words[i],
												 strlen(words[i]),
												 values + 2 * i, 2);

		CHECK(row == word_vectors_row_size(strlen(words[i]), 2), "size of a row");
		size += row;
	}
	expect_pairs("binary", file, size, WORD_VECTORS_BINARY, 3, words, values);
	/* up to the first value a cut file may as well be text */
	for (size_t cut = header + 5; cut < size - 1; cut++)
		expect_fault("cut binary", file, cut, FORMAT_TRUNCATED, -1, -1, "");
	expect_pairs("without the last line feed", file, size - 1, WORD_VECTORS_BINARY, 3, words,
				 values);
	file[size] = 'x';
	expect_fault("more binary", file, size + 1, FORMAT_MALFORMED, 0, (long long) size, "goes on");
	file[header + 4 + 3] = 0x7F;
	file[header + 4 + 2] = (char) 0xC0;
	expect_fault("NaN", file, size, FORMAT_NOT_FINITE, 0, (long long) header + 4, "vector 1");

	size = word_vectors_write_header(file, 3, 2);
	for (int i = 0; i < 3; i++)
		size += word_vectors_write_row(file + size, words[i], strlen(words[i]),
									   values + 2 * i, 2) -
				1;
	expect_pairs("without line feeds", file, size, WORD_VECTORS_BINARY, 3, words, values);

	size = word_vectors_write_header(file, 2, 2);
	size += word_vectors_write_row(file + size, "", 0, values, 2);
	expect_fault("empty word", file, size, FORMAT_MALFORMED, 0, -1, "empty word");
}

/* A small fastText model: 3 words, 1 label, 4 buckets, 2 dims. */
static size_t
put32(char *at, int32_t value)
{
	for (int shift = 0; shift < 32; shift += 8)
		*at++ = (char) ((uint32_t) value >> shift);
	return 4;
}

static size_t
put64(char *at, int64_t value)
{
	put32(at, (int32_t) value);
	put32(at + 4, (int32_t) (value >> 32));
	return 8;
}

#define LABELS_AT (8 + 48 + 8 + 8)
#define MATRIX_AT (LABELS_AT + 20 + (2 + 9) + (5 + 9) + (3 + 9) + (2 + 9))

static size_t
fasttext_model(char *file)
{
	static const int32_t options[] = {2, 5, 5, 1, 5, 1, 2, 2, 4, 3, 6, 100};
	static const char *const words[] = {"a", "word", "\xC3\xA9", "L"};
	size_t		size = put32(file, 793712314);

	size += put32(file + size, 12);
	for (int i = 0; i < 12; i++)
		size += put32(file + size, options[i]);
	size += put64(file + size, 0x3F1A36E2EB1C432D); /* 1e-4 */
	size += put32(file + size, 4);
	size += put32(file + size, 3);
	size += put32(file + size, 1);
	size += put64(file + size, 1234);
	size += put64(file + size, -1);
	for (int i = 0; i < 4; i++)
	{
		strcpy(file + size, words[i]);
		size += strlen(words[i]) + 1;
		size += put64(file + size, 100 - i);
		file[size++] = i == 3;
	}
	CHECK(size == MATRIX_AT, "the matrix is at %zu", size);
	file[size++] = 0;
	size += put64(file + size, 7);
	size += put64(file + size, 2);
	for (int i = 0; i < 14; i++)
	{
		float		value = (float) i / 4;

		memcpy(file + size, &value, 4);
		size += 4;
	}
	return size;
}

static void
expect_changed(const char *what, size_t at, int32_t value, FormatStatus status,
			   const char *detail)
{
	char		file[400];
	size_t		size = fasttext_model(file);

	put32(file + at, value);
	expect_fault(what, file, size, status, 0, -1, detail);
}

static void
test_fasttext(void)
{
	char		file[400];
	size_t		size = fasttext_model(file);

	for (size_t p = 0; p < PIECES; p++)
	{
		begin(file, size, pieces[p]);
		for (int i = 0; i < 3; i++)
		{
			CHECK(word_vectors_next(reader) == WORD_VECTORS_WORD, "word %d: %s", i,
				  reader->fault.detail);
			CHECK(reader->row == i && reader->occurrences == 100 - i, "occurrences of word %d", i);
		}
		CHECK(strcmp(reader->word, "\xC3\xA9") == 0, "word \"%s\"", reader->word);
		CHECK(reader->kind == WORD_VECTORS_FASTTEXT && reader->dims == 2 &&
				  reader->min_n == 3 && reader->max_n == 6 &&
				  reader->buckets == 4 && reader->model == FASTTEXT_SKIPGRAM &&
				  reader->tokens == 1234 && reader->word_count == 3,
			  "what the head says");
		for (int i = 0; i < 7; i++)
		{
			CHECK(word_vectors_next(reader) == WORD_VECTORS_ROW, "row %d: %s", i,
				  reader->fault.detail);
			CHECK(reader->row == i && reader->values[0] == (float) i / 2 &&
				  reader->values[1] == (float) (2 * i + 1) / 4, "values of row %d", i);
		}
		CHECK(word_vectors_next(reader) == WORD_VECTORS_END, "%s", reader->fault.detail);
	}
	for (size_t cut = 4; cut < size; cut++)
		expect_fault("cut fastText", file, cut, FORMAT_TRUNCATED, 0, -1, "");
	expect_changed("version", 4, 13, FORMAT_UNSUPPORTED, "version 13");
	expect_changed("dims", 8, -1, FORMAT_TOO_LARGE, "-1 dimensions");
	expect_changed("model", 8 + 28, 4, FORMAT_MALFORMED, "Model 4");
	expect_changed("buckets", 8 + 32, 5, FORMAT_MALFORMED, "5 buckets");
	expect_changed("words", LABELS_AT - 4, 4, FORMAT_MALFORMED, "4 words");
	expect_changed("pruned", LABELS_AT + 12, 7, FORMAT_MALFORMED, "dictionary");
	expect_changed("occurrences", MATRIX_AT - 5, -1, FORMAT_MALFORMED, "");
	expect_changed("rows", MATRIX_AT + 1, 8, FORMAT_MALFORMED, "8 rows");
	expect_changed("rows", MATRIX_AT + 5, 1, FORMAT_MALFORMED, "rows");
	expect_changed("columns", MATRIX_AT + 9, 3, FORMAT_MALFORMED, "3 columns");
	expect_changed("quantised", MATRIX_AT, 1, FORMAT_UNSUPPORTED, "quantised");
	expect_changed("infinite", MATRIX_AT + 17 + 8, 0x7F800000, FORMAT_NOT_FINITE, "vector 2");
	put64(file + LABELS_AT + 12, 3);
	expect_fault("pruned", file, size, FORMAT_UNSUPPORTED, 0, -1, "pruned");
}

/* Words about as long as allowed: what is said must not depend on pieces. */
static void
test_fasttext_long_words(void)
{
	enum
	{
		DICTIONARY_AT = LABELS_AT + 20
	};
	static char file[WORD_VECTORS_MAX_WORD + 4000];

	for (size_t length = WORD_VECTORS_MAX_WORD - 2;
		 length < WORD_VECTORS_MAX_WORD + 20; length++)
	{
		size_t		size = DICTIONARY_AT + length + 1;

		fasttext_model(file);
		memset(file + DICTIONARY_AT, 'x', length);
		file[size - 1] = 0;
		size += put64(file + size, 7);
		file[size++] = 0;
		if (length > WORD_VECTORS_MAX_WORD)
			expect_fault("long word", file, size + 1000, FORMAT_TOO_LARGE, 0, DICTIONARY_AT,
						 "exceeds 2000 bytes");
		for (size_t p = 0; length <= WORD_VECTORS_MAX_WORD && p < PIECES; p++)
		{
			begin(file, size, pieces[p]);
			CHECK(word_vectors_next(reader) == WORD_VECTORS_WORD &&
				  reader->word_length == length && reader->occurrences == 7,
				  "word of %zu bytes: %s", length, reader->fault.detail);
		}
	}
}

static void
test_reading_fails(void)
{
	char		file[400];
	size_t		size = fasttext_model(file);

	for (size_t at = 0; at < size; at += 13)
	{
		begin(file, size, 13);
		source.fails_at = at;
		while (word_vectors_next(reader) > WORD_VECTORS_END)
			;
		CHECK(reader->fault.status == FORMAT_READ_FAILED, "reading fails at %zu: %s", at,
			  format_message(reader->fault.status));
	}
	begin("3 2\nthe 1 2\nof 3 4\nx 5 6\n", 25, 5);
	source.fails_at = 10;
	while (word_vectors_next(reader) > WORD_VECTORS_END)
		;
	CHECK(reader->fault.status == FORMAT_READ_FAILED, "reading fails in a text: %s",
		  format_message(reader->fault.status));
}

static ptrdiff_t
read_file(void *context, void *buffer, size_t capacity)
{
	size_t		count = fread(buffer, 1, capacity, context);

	return count == 0 && ferror((FILE *) context) ? -1 : (ptrdiff_t) count;
}

static FILE *
open_data(const char *name)
{
	const char *data = getenv("EMBED_DATA");
	char		path[1000];
	FILE	   *file;

	if (data == NULL || data[0] == '\0')
		return NULL;
	snprintf(path, sizeof(path), "%s/vectors/%s", data, name);
	file = fopen(path, "rb");
	if (file != NULL)
		word_vectors_begin(reader, read_file, file);
	return file;
}

/* What gensim 4.2 has in memory after loading the file, summed in double. */
static void
check_real(const char *name, WordVectorsKind kind, int words, int dims,
		   double sum, double squares)
{
	FILE	   *file = open_data(name);
	int			count = 0;

	if (file == NULL)
	{
		printf("%s: skipped, EMBED_DATA does not lead to it\n", name);
		return;
	}
	while (word_vectors_next(reader) == WORD_VECTORS_VECTOR)
	{
		count++;
		for (int d = 0; d < reader->dims; d++)
		{
			sum -= reader->values[d];
			squares -= (double) reader->values[d] * reader->values[d];
		}
	}
	CHECK(reader->fault.status == FORMAT_OK && reader->kind == kind &&
			  count == words && reader->dims == dims,
		  "%s: %d words of %d dims, %s", name, count, reader->dims,
		  reader->fault.detail);
	CHECK(fabs(sum) < 1e-7 && fabs(squares) < 1e-7, "%s: sums differ by %g and %g", name, sum,
		  squares);
	printf("%s: %s, %d words\n", name, word_vectors_kind_name(reader->kind), count);
	fclose(file);
}

/* fastText's hash of an n-gram: FNV-1a over bytes with their sign. */
static uint32_t
ngram_hash(const char *bytes, size_t length)
{
	uint32_t	hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint32_t) (int8_t) bytes[i]) * 16777619u;
	return hash;
}

/* The mean of a word's own row and those of its n-grams. */
static void
compose(const char *word, int row, const float *rows, int words, double *mean)
{
	char		bounded[250];
	size_t		length;
	int			used = 1;

	for (int d = 0; d < reader->dims; d++)
		mean[d] = rows[row * reader->dims + d];
	snprintf(bounded, sizeof(bounded), "<%s>", word);
	length = strlen(bounded);
	for (size_t start = 0; start < length; start++)
	{
		size_t		end = start;

		if ((bounded[start] & 0xC0) == 0x80)
			continue;
		for (int n = 1; n <= reader->max_n && end < length; n++)
		{
			int64_t		bucket;

			end++;
			while (end < length && (bounded[end] & 0xC0) == 0x80)
				end++;
			if (n < reader->min_n)
				continue;
			bucket = words + ngram_hash(bounded + start, end - start) %
								 (uint32_t) reader->buckets;
			for (int d = 0; d < reader->dims; d++)
				mean[d] += rows[bucket * reader->dims + d];
			used++;
		}
	}
	for (int d = 0; d < reader->dims; d++)
		mean[d] /= used;
}

/* As above, and four values of one word. */
static void
test_real_fasttext(void)
{
	const double hundred[] = {-0.025626840069890022, -0.11447837203741074,
	0.18115539848804474, -0.9677883386611938};
	FILE	   *file = open_data("fasttext/lee_fasttext_new.bin");
	char		(*words)[200];
	float	   *rows;
	int			count = 0;
	bool		found = false;
	double		sum = -2948.7435961977462;
	double		squares = 4219.3559558115885;
	double		mean[10];

	if (file == NULL)
	{
		printf("fastText .bin: skipped, EMBED_DATA does not lead to it\n");
		return;
	}
	CHECK(word_vectors_next(reader) == WORD_VECTORS_WORD, "%s", reader->fault.detail);
	CHECK(reader->dims == 10 && reader->word_count == 1763 &&
			  reader->min_n == 3 && reader->max_n == 6 &&
			  reader->buckets == 1000,
		  "the head of the real fastText file");
	if (check_failures > 0)
		return;
	words = exact_alloc(1763 * sizeof(*words));
	rows = exact_alloc((1763 + 1000) * 10 * sizeof(float));
	do
		snprintf(words[count++], sizeof(*words), "%s", reader->word);
	while (word_vectors_next(reader) == WORD_VECTORS_WORD);
	do
		memcpy(rows + reader->row * 10, reader->values, 10 * sizeof(float));
	while (word_vectors_next(reader) == WORD_VECTORS_ROW);
	CHECK(reader->fault.status == FORMAT_OK, "%s", reader->fault.detail);
	for (int word = 0; word < count; word++)
	{
		compose(words[word], word, rows, count, mean);
		for (int d = 0; d < 10; d++)
		{
			sum -= mean[d];
			squares -= mean[d] * mean[d];
		}
		if (strcmp(words[word], "hundred") != 0)
			continue;
		found = true;
		for (int d = 0; d < 4; d++)
			CHECK(fabs(mean[d] - hundred[d]) < 1e-6, "\"hundred\", value %d: %g", d, mean[d]);
	}
	CHECK(found, "the word \"hundred\" is missing");
	CHECK(fabs(sum) < 1e-3 && fabs(squares) < 1e-3, "sums differ by %g and %g", sum, squares);
	printf("fasttext/lee_fasttext_new.bin: fastText binary, %d words\n", count);
	fclose(file);
	free(words);
	free(rows);
}

int
main(void)
{
	reader = exact_alloc(sizeof(*reader));
	test_text();
	test_long_lines();
	test_numbers();
	test_binary();
	test_fasttext();
	test_fasttext_long_words();
	test_reading_fails();
	check_real("emoji2vec.bin", WORD_VECTORS_BINARY, 1661, 300,
			   -1139.5454854532004, 1660.9999982970016);
	check_real("glove.6B.50d.subset5403.txt", WORD_VECTORS_TEXT_WITHOUT_HEADER, 5403, 50,
			   1288.7040242692747, 129495.48609851472);
	check_real("fasttext/lee_fasttext.vec", WORD_VECTORS_TEXT, 1762, 10,
			   -2523.5123581186454, 6073.7709019005415);
	test_real_fasttext();
	free(reader);
	return check_result();
}
