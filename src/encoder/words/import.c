/*-------------------------------------------------------------------------
 *
 * import.c
 *	  SQL function import_word_vectors.
 *
 * The parser (format/word_vectors.h) hands out words and vectors as it reads,
 * and each becomes a row at once.  Only fastText's .bin needs memory: there
 * the words come first, and the vector of a word is the mean of its own row
 * and the rows of its n-grams, which lie anywhere in the matrix.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/words/import.h"
#include "encoder/words/imported.h"
#include "format/word_vectors.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "encoder/words/word_model.h"
#include "math/hash.h"
#include "text/subword.h"
#include "text/text_table.h"
#include "train/progress.h"
#include "type/vector.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(import_word_vectors);

enum
{
	ARG_MODEL,
	ARG_FILE,
	ARG_LARGE_OBJECT,
	ARG_DATA,
	ARG_CONFIG,
	ARG_MAX_WORDS,
	ARG_REPLACE,
	ARG_ON_ERROR
};

static const char *const on_error_names[] = {"stop", "skip", NULL};

typedef struct Import
{
	ImportSource *source;
	WordVectorsReader *reader;
	ModelDefinition definition;
	ModelWriter *writer;
	Progress   *progress;
	int64		max_words;
	int64		written;		/* words */
	bool		skip;			/* bad words */
	TextTable	words;			/* so far, as in the file */
	int64		empty;			/* left out */
	int64		invalid;
	int64		repeated;
	Vector	   *vector;
} Import;

/* The words of a fastText file, and then its matrix. */
typedef struct FasttextWord
{
	char	   *text;			/* as in the file */
	int64		occurrences;
} FasttextWord;

static int
errcode_of_fault(FormatStatus status, bool binary)
{
	switch (status)
	{
		case FORMAT_READ_FAILED:
			return ERRCODE_IO_ERROR;
		case FORMAT_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case FORMAT_TOO_LARGE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		default:
			return binary ? ERRCODE_INVALID_BINARY_REPRESENTATION :
				ERRCODE_INVALID_TEXT_REPRESENTATION;
	}
}

pg_noreturn static void
report_fault(const WordVectorsReader *reader)
{
	const FormatFault *fault = &reader->fault;

	ereport(ERROR,
			(errcode(errcode_of_fault(fault->status, fault->line == 0)),
			 errmsg("could not import word vectors: %s",
					format_message(fault->status)),
			 fault->line > 0 ?
			 errdetail("%s Line " INT64_FORMAT ".", fault->detail, fault->line) :
			 errdetail("%s Byte " UINT64_FORMAT ".", fault->detail, fault->offset),
			 fault->status == FORMAT_UNRECOGNIZED ?
			 errhint("Files of word2vec (.bin and .txt), GloVe (.txt) and fastText (.vec and .bin) can be read.") : 0));
}

/* Where in the file, for errors that are not about its format. */
static void
add_place(void *argument)
{
	const WordVectorsReader *reader = argument;

	if (reader->fault.status != FORMAT_OK)
		return;
	if (reader->line > 0)
		errcontext("line " INT64_FORMAT " of the word vectors", reader->line);
	else
		errcontext("vector " INT64_FORMAT " of the word vectors", reader->row + 1);
}

static WordVectorsEvent
next_event(Import *import)
{
	WordVectorsEvent event = word_vectors_next(import->reader);

	if (event == WORD_VECTORS_FAULT)
		report_fault(import->reader);
	progress_update(import->progress,
					(double) word_vectors_position(import->reader), NAN);
	CHECK_FOR_INTERRUPTS();
	return event;
}

static void
write_row(Import *import, int32 id, const char *word, int length,
		  int64 occurrences, const float *values)
{
	Datum		row[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false};
	char	   *converted = NULL;
	text	   *name = NULL;

	row[WORDS_ID] = Int32GetDatum(id);
	row[WORDS_OCCURRENCES] = Int64GetDatum(occurrences);
	nulls[WORDS_OCCURRENCES] = occurrences < 0;
	nulls[WORDS_DOCUMENTS] = true;
	nulls[WORDS_WORD] = word == NULL;
	nulls[WORDS_VECTOR] = values == NULL;
	if (word != NULL)
	{
		/* checks the encoding, also where there is nothing to convert */
		converted = pg_any_to_server(word, length, PG_UTF8);
		name = converted == word ? cstring_to_text_with_len(word, length) :
			cstring_to_text(converted);
		row[WORDS_WORD] = PointerGetDatum(name);
	}
	if (values != NULL)
	{
		memcpy(import->vector->x, values,
			   sizeof(float) * import->vector->dims);
		row[WORDS_VECTOR] = PointerGetDatum(import->vector);
	}
	model_write_row(import->writer, row, nulls);
	if (name != NULL)
		pfree(name);
	if (converted != NULL && converted != word)
		pfree(converted);
}

/*
 * Whether a word becomes a row; otherwise it is counted, or an error.
 */
static bool
take_word(Import *import, const char *word, int length)
{
	uint64		hash = hash_bytes64(word, length);
	Size		before = import->words.count;

	if (length == 0)
	{
		import->empty++;
		return false;
	}
	if (import->skip && !pg_verify_mbstr(PG_UTF8, word, length, true))
	{
		import->invalid++;
		return false;
	}
	if (before == import->words.capacity)
	{
		if (before >= TEXT_TABLE_MAX_CAPACITY)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many words")));
		text_table_grow(&import->words);
	}
	(void) text_table_number(&import->words, sizeof(TextElement), word,
							 length, hash, text_key(word, length, hash));
	if (import->words.count > before)
		return true;
	if (!import->skip)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("word \"%s\" occurs more than once in the word vectors",
						pg_any_to_server(pnstrdup(word, length), length,
										 PG_UTF8)),
				 errhint("Use on_error => 'skip' to keep the first of them.")));
	import->repeated++;
	return false;
}

/* A model without a word is none. */
pg_noreturn static void
refuse_empty(const Import *import)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("no word of the file can be used"),
			 errhint("Use on_error => 'stop' to see what is wrong with the first.")));
}

/* What was left out, in one message */
static void
report_skipped(const Import *import)
{
	int64		empty = import->empty + import->reader->skipped_empty;
	int64		malformed = import->reader->skipped -
		import->reader->skipped_empty;
	int64		all = malformed + empty + import->invalid + import->repeated;

	if (all > 0)
		ereport(WARNING,
				(errmsg("words of the file that were left out: " INT64_FORMAT,
						all),
				 errdetail("Malformed: " INT64_FORMAT ", empty: " INT64_FORMAT
						   ", not UTF-8: " INT64_FORMAT
						   ", repeated: " INT64_FORMAT ".",
						   malformed, empty, import->invalid,
						   import->repeated)));
}

/* After the first event, which told the dims: the table, and its header. */
static void
begin_model(Import *import)
{
	WordVectorsReader *reader = import->reader;
	ModelDefinition *definition = &import->definition;

	definition->method = imported_method(reader->kind);
	definition->typmods[WORDS_VECTOR] = reader->dims;
	model_definition_int(definition, "dims", reader->dims);
	if (reader->kind == WORD_VECTORS_FASTTEXT)
	{
		model_definition_text(definition, "algorithm",
							  reader->model == FASTTEXT_CBOW ? "cbow" : "skipgram");
		if (reader->max_n > 0 && reader->buckets > 0)
		{
			model_definition_int(definition, "min_n", reader->min_n);
			model_definition_int(definition, "max_n", reader->max_n);
			model_definition_int(definition, "buckets", reader->buckets);
		}
	}
	import->vector = vector_create(reader->dims);
	import->writer = model_create(definition);
	write_row(import, 0, NULL, 0,
			  reader->kind == WORD_VECTORS_FASTTEXT ? reader->tokens : -1,
			  NULL);
}

/* Every kind but fastText's .bin: a word is a row. */
static void
import_rows(Import *import)
{
	do
	{
		const WordVectorsReader *reader = import->reader;

		if (take_word(import, reader->word, (int) reader->word_length))
			write_row(import, (int32) ++import->written, reader->word,
					  (int) reader->word_length, -1, reader->values);
	} while (import->written < import->max_words &&
			 next_event(import) == WORD_VECTORS_VECTOR);
}

/*
 * The matrix has to be in memory while vectors of words are put together.
 */
static float *
fasttext_matrix(const WordVectorsReader *reader)
{
	double		bytes = ((double) reader->word_count + reader->buckets) *
		reader->dims * sizeof(float);

	if (bytes > maintenance_work_mem * 1024.0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("fastText model does not fit into maintenance_work_mem"),
				 errdetail(INT64_FORMAT " words and %d buckets of %d dimensions need %.0f MB.",
						   reader->word_count, reader->buckets, reader->dims,
						   ceil(bytes / (1024 * 1024))),
				 errhint("SET maintenance_work_mem = '%.0fMB'; or import the .vec file, which has no subwords.",
						 ceil(bytes / (1024 * 1024)))));
	return palloc_extended((Size) bytes, MCXT_ALLOC_HUGE);
}

/* fastText gives the end of a sentence no n-grams. */
static int
buckets_of_word(const WordVectorsReader *reader, const char *word,
				int32 *buckets, int capacity)
{
	if (reader->max_n == 0 || reader->buckets == 0 || strcmp(word, "</s>") == 0)
		return 0;
	return subword_buckets(word, (int) strlen(word), reader->min_n,
						   reader->max_n, reader->buckets, buckets, capacity);
}

static void
write_fasttext_words(Import *import, const FasttextWord *words,
					 const float *matrix)
{
	WordVectorsReader *reader = import->reader;
	int			dims = reader->dims;
	int			capacity = (SUBWORD_MAX_WORD + 2) * Max(reader->max_n, 1);
	int32	   *buckets = palloc(sizeof(int32) * capacity);
	double	   *sum = palloc(sizeof(double) * dims);
	float	   *mean = palloc(sizeof(float) * dims);

	for (int64 i = 0; i < reader->word_count &&
		 import->written < import->max_words; i++)
	{
		int			count;

		if (!take_word(import, words[i].text, (int) strlen(words[i].text)))
			continue;
		count = buckets_of_word(reader, words[i].text, buckets, capacity);
		for (int d = 0; d < dims; d++)
			sum[d] = matrix[i * dims + d];
		for (int n = 0; n < count; n++)
		{
			const float *row = matrix +
							   (reader->word_count + buckets[n]) * dims;

			for (int d = 0; d < dims; d++)
				sum[d] += row[d];
		}
		for (int d = 0; d < dims; d++)
			mean[d] = (float) (sum[d] / (count + 1));
		write_row(import, (int32) ++import->written, words[i].text,
				  (int) strlen(words[i].text), words[i].occurrences, mean);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
import_fasttext(Import *import)
{
	WordVectorsReader *reader = import->reader;
	FasttextWord *words;
	float	   *matrix = fasttext_matrix(reader);
	WordVectorsEvent event = WORD_VECTORS_WORD;
	int64		dims = reader->dims;

	if (reader->buckets > PG_INT32_MAX - WORDS_FIRST_BUCKET)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("fastText model has too many buckets"),
				 errdetail("It has %d, the most are %d.", reader->buckets,
						   PG_INT32_MAX - WORDS_FIRST_BUCKET)));
	words = palloc_extended(mul_size(reader->word_count, sizeof(FasttextWord)),
							MCXT_ALLOC_HUGE);
	for (; event == WORD_VECTORS_WORD; event = next_event(import))
	{
		words[reader->row].text = pstrdup(reader->word);
		words[reader->row].occurrences = reader->occurrences;
	}
	for (; event == WORD_VECTORS_ROW; event = next_event(import))
		memcpy(matrix + reader->row * dims, reader->values,
			   sizeof(float) * dims);

	write_fasttext_words(import, words, matrix);
	if (reader->max_n == 0)
		return;
	for (int32 bucket = 0; bucket < reader->buckets; bucket++)
	{
		write_row(import, WORDS_FIRST_BUCKET + bucket, NULL, 0, -1,
				  matrix + (reader->word_count + bucket) * dims);
		CHECK_FOR_INTERRUPTS();
	}
}

static ImportSource *
open_source(FunctionCallInfo fcinfo)
{
	int			given = !PG_ARGISNULL(ARG_FILE) +
						!PG_ARGISNULL(ARG_LARGE_OBJECT) +
						!PG_ARGISNULL(ARG_DATA);

	if (given != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one source of word vectors must be given"),
				 errdetail("%d are given.", given),
				 errhint("Use one of file, large_object, data.")));
	if (!PG_ARGISNULL(ARG_FILE))
		return import_open_file(text_to_cstring(PG_GETARG_TEXT_PP(ARG_FILE)));
	if (!PG_ARGISNULL(ARG_LARGE_OBJECT))
		return import_open_large_object(PG_GETARG_OID(ARG_LARGE_OBJECT));
	return import_open_bytea(PG_GETARG_BYTEA_PP(ARG_DATA));
}

static void
read_arguments(FunctionCallInfo fcinfo, Import *import)
{
	char	   *on_error;
	char	   *model;

	if (PG_ARGISNULL(ARG_MODEL) || PG_ARGISNULL(ARG_CONFIG) ||
		PG_ARGISNULL(ARG_REPLACE) || PG_ARGISNULL(ARG_ON_ERROR))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null",
						PG_ARGISNULL(ARG_MODEL) ? "model" :
						PG_ARGISNULL(ARG_CONFIG) ? "config" :
						PG_ARGISNULL(ARG_REPLACE) ? "replace" : "on_error")));
	on_error = text_to_cstring(PG_GETARG_TEXT_PP(ARG_ON_ERROR));
	import->skip = choice_index("on_error", on_error, on_error_names) == 1;
	import->max_words = PG_ARGISNULL(ARG_MAX_WORDS) ? PG_INT64_MAX :
		PG_GETARG_INT32(ARG_MAX_WORDS);
	if (import->max_words < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_words must be at least 1")));
	model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	/* the method is known when the file has been looked at */
	model_definition_init(&import->definition, model,
						  imported_method(WORD_VECTORS_BINARY),
						  PG_GETARG_BOOL(ARG_REPLACE));
	model_definition_config(&import->definition, PG_GETARG_OID(ARG_CONFIG));
	model_check_creation(&import->definition);
	import->source = open_source(fcinfo);
	import->progress = progress_begin(psprintf("importing model \"%s\"", model), "bytes");
	progress_phase(import->progress, "reading word vectors",
				   (double) import_size(import->source));
}

Datum
import_word_vectors(PG_FUNCTION_ARGS)
{
	Import		import = {0};
	ErrorContextCallback place;
	Oid			table;

	read_arguments(fcinfo, &import);
	import.reader = palloc(sizeof(WordVectorsReader));
	word_vectors_begin(import.reader, import_read, import.source);
	import.reader->skip_bad = import.skip;
	text_table_init(&import.words, sizeof(TextElement), 1024);

	place.callback = add_place;
	place.arg = import.reader;
	place.previous = error_context_stack;
	error_context_stack = &place;

	/* an empty file is a fault: the first event is a word, if any is good */
	if (next_event(&import) == WORD_VECTORS_END)
		refuse_empty(&import);
	begin_model(&import);
	if (import.reader->kind == WORD_VECTORS_FASTTEXT)
		import_fasttext(&import);
	else
		import_rows(&import);

	error_context_stack = place.previous;
	if (import.written == 0)
		refuse_empty(&import);
	report_skipped(&import);
	table = model_finish(import.writer);
	import_close(import.source);
	progress_end(import.progress);
	PG_RETURN_OID(table);
}
