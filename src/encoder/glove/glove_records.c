/*-------------------------------------------------------------------------
 *
 * glove_records.c
 *	  Co-occurrences that a query of the caller gives: clicks, baskets,
 *	  edges of a graph, or counts of words kept from elsewhere.
 *
 * Rows of one pair are added up.  Words are numbered as they appear; a word's
 * frequency is the number of rows that it stands in.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/glove/glove.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/query.h"
#include "train/record_sort.h"
#include "train/word_numbers.h"

enum
{
	RECORD_WORD,
	RECORD_CONTEXT,
	RECORD_WEIGHT
};

static const QueryColumn record_columns[] = {
	[RECORD_WORD] = {.name = "word", .kinds = QUERY_LABEL,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Cast the column to text."},
	[RECORD_CONTEXT] = {.name = "context", .kinds = QUERY_LABEL,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Cast the column to text."},
	[RECORD_WEIGHT] = {.name = "weight", .kinds = QUERY_SCORE,
		.nulls = QUERY_NULL_SKIP, .optional = true,
	.hint = "Cast the column to float8."}
};

static const QueryDeclaration record_declaration = {
	.subject = "list of co-occurrences",
	.columns = record_columns,
	.column_count = lengthof(record_columns),
	.hint = "The co-occurrences are a query such as 'SELECT word, context, weight FROM counts'.",
	.shape = "the first is the word, the second its context, the third how often they meet"
};

struct GloveRecords
{
	RecordSort *sort;			/* keys: numbers of word and context */
	int32	   *ids;
};

/* An empty word could not be asked for, as a word of a text never is empty. */
static uint32
number_of(QueryReader *reader, int column, WordNumbers *numbers)
{
	const QueryValue *value = query_value(reader, column);
	EncodedWord *word;
	uint32		number;

	if (value->length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("empty %s in a list of co-occurrences",
						record_columns[column].name)));
	number = word_number(numbers, value->text, value->length,
						 hash_bytes64(value->text, value->length));
	word = word_of_number(numbers, number);
	word->count++;
	return number;
}

static double
weight_of(QueryReader *reader)
{
	const QueryValue *value = query_value(reader, RECORD_WEIGHT);

	if (query_columns(reader, RECORD_WEIGHT) == 0)
		return 1;
	if (value->number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of a co-occurrence must not be negative"),
				 errdetail("The value is %g.", value->number)));
	return value->number;
}

static void
read_rows(QueryReader *reader, WordNumbers *numbers, RecordSort *sort,
		  Progress *progress)
{
	while (query_next(reader))
	{
		CountRecord record;

		record.count = weight_of(reader);
		if (record.count == 0)
			continue;
		record.key = (uint64) number_of(reader, RECORD_WORD, numbers) << 32;
		record.key |= number_of(reader, RECORD_CONTEXT, numbers);
		record_sort_put(sort, &record);
		CHECK_FOR_INTERRUPTS();
		progress_update(progress, (double) query_rows(reader), NAN);
	}
}

GloveRecords *
glove_records_read(const char *query, const EncodedWord *known,
				   int32 known_words, Size memory, Progress *progress,
				   EncodedCorpus **vocabulary)
{
	GloveRecords *records = palloc0(sizeof(GloveRecords));
	QueryReader *reader = query_open(&record_declaration, query);
	WordNumbers numbers;

	*vocabulary = palloc0(sizeof(EncodedCorpus));
	word_numbers_init(&numbers, known, known_words);
	records->sort = record_sort_begin(RECORDS_COUNTED, memory);
	progress_phase(progress, "reading co-occurrences", 0);
	read_rows(reader, &numbers, records->sort, progress);
	query_close(reader);
	records->ids = word_numbers_choose(&numbers, 1, *vocabulary);
	word_numbers_free(&numbers);
	if (record_sort_finish(records->sort) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("list of co-occurrences is empty"),
				 errdetail("The query returned no row with a word, a context and a weight above zero.")));
	return records;
}

void
glove_records_give(GloveRecords *records, GloveReceive receive,
				   void *argument)
{
	const CountRecord *record;

	while ((record = record_sort_next(records->sort)) != NULL)
	{
		if (!isfinite(record->count))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("weights of a co-occurrence are too large to be added up")));
		receive(argument, records->ids[record->key >> 32],
				records->ids[(uint32) record->key], record->count);
	}
	record_sort_free(records->sort);
	pfree(records->ids);
	pfree(records);
}
