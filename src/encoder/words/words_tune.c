/*-------------------------------------------------------------------------
 *
 * words_tune.c
 *	  Word vectors fitted to examples: the table with other vectors.
 *
 * Ids, words, counts and n-gram buckets are the base's; only the vectors are
 * new.  The order of the rows is that of the ids.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/words/word_model.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "model/tunable.h"
#include "server/execute.h"
#include "server/extension.h"
#include "utils/builtins.h"

void
words_tuned_row(void *state, int64 row, float *values)
{
	const Words *words = state;

	memcpy(values, words_row(words, (int32) row),
		   sizeof(float) * words->totals->dims);
}

typedef struct TunedWords
{
	const TuneSource *source;
	const Words *words;
	ModelWriter *writer;
	Vector	   *vector;
} TunedWords;

static void
set_count(Datum *values, bool *nulls, int column, int64 count)
{
	values[column] = Int64GetDatum(count);
	nulls[column] = count < 0;
}

static void
write_header(TunedWords *tuned)
{
	const WordsTotals *totals = tuned->words->totals;
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false, true, false, false, true};

	values[WORDS_ID] = Int32GetDatum(0);
	set_count(values, nulls, WORDS_DOCUMENTS, totals->documents);
	set_count(values, nulls, WORDS_OCCURRENCES, totals->occurrences);
	model_write_row(tuned->writer, values, nulls);
}

/* The vector of a row of the base's matrix */
static Datum
new_vector(TunedWords *tuned, int64 row)
{
	memcpy(tuned->vector->x, words_row(tuned->words, (int32) row),
		   sizeof(float) * tuned->vector->dims);
	tuned->source->row_values(tuned->source->argument, row,
							  tuned->vector->x);
	return PointerGetDatum(tuned->vector);
}

static text *
text_of_entry(const Words *words, const WordEntry *entry)
{
	return cstring_to_text_with_len(words->texts + entry->text,
									entry->length);
}

static void
write_word(TunedWords *tuned, const WordEntry *entry)
{
	text	   *word = text_of_entry(tuned->words, entry);
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false};

	values[WORDS_ID] = Int32GetDatum(entry->id);
	values[WORDS_WORD] = PointerGetDatum(word);
	set_count(values, nulls, WORDS_DOCUMENTS, entry->documents);
	set_count(values, nulls, WORDS_OCCURRENCES, entry->occurrences);
	values[WORDS_VECTOR] = new_vector(tuned, entry->row);
	model_write_row(tuned->writer, values, nulls);
	pfree(word);
}

static void
write_buckets(TunedWords *tuned)
{
	const Words *words = tuned->words;
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false, true, true, true, false};

	for (Size i = 0; words->bucket_slots != NULL && i <= words->bucket_mask;
		 i++)
	{
		const BucketSlot *slot = &words->bucket_slots[i];

		CHECK_FOR_INTERRUPTS();
		if (slot->row == 0)
			continue;
		values[WORDS_ID] = Int32GetDatum(WORDS_FIRST_BUCKET + slot->bucket);
		values[WORDS_VECTOR] = new_vector(tuned, slot->row - 1);
		model_write_row(tuned->writer, values, nulls);
	}
}

static Oid
write_words(const TuneSource *source)
{
	TunedWords	tuned = {source, source->state};

	source->definition->typmods[WORDS_VECTOR] = source->dims;
	tuned.writer = model_create(source->definition);
	tuned.vector = vector_create(source->dims);
	write_header(&tuned);
	for (int32 i = 0; i < tuned.words->totals->words; i++)
	{
		CHECK_FOR_INTERRUPTS();
		write_word(&tuned, &tuned.words->entries[i]);
	}
	write_buckets(&tuned);
	return model_finish(tuned.writer);
}

/* ---------- terms with weights ---------- */

/* Row 0 holds what the method alone understands: it is copied. */
static void
copy_header(TunedWords *tuned)
{
	Datum		values[TERMS_COLUMNS];
	bool		nulls[TERMS_COLUMNS];

	if (!execute_row(psprintf("SELECT id, term, weight, vector FROM ONLY %s WHERE id OPERATOR(pg_catalog.=) 0",
							  qualified_relation_name(
								  tuned->source->base->table)),
					 SPI_OK_SELECT, NULL, TERMS_COLUMNS, values, nulls))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("embedding model \"%s\" has no row 0",
						tuned->source->base->description->table_name)));
	model_write_row(tuned->writer, values, nulls);
}

Oid
terms_write_tuned(const TuneSource *source, const Words *words)
{
	TunedWords	tuned = {source, words};
	const double *weights = model_section(source->base,
										  WORDS_SECTION_WEIGHTS, NULL);

	source->definition->typmods[TERMS_VECTOR] = source->dims;
	tuned.writer = model_create(source->definition);
	tuned.vector = vector_create(source->dims);
	copy_header(&tuned);
	for (int32 i = 0; i < words->totals->words; i++)
	{
		const WordEntry *entry = &words->entries[i];
		text	   *term = text_of_entry(words, entry);
		Datum		values[TERMS_COLUMNS] = {0};
		bool		nulls[TERMS_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[TERMS_ID] = Int32GetDatum(entry->id);
		values[TERMS_TERM] = PointerGetDatum(term);
		values[TERMS_WEIGHT] = Float8GetDatum(weights[entry->row]);
		values[TERMS_VECTOR] = new_vector(&tuned, entry->row);
		model_write_row(tuned.writer, values, nulls);
		pfree(term);
	}
	return model_finish(tuned.writer);
}

const Tunable words_tunable = {
	.features = words_features,
	.row = words_tuned_row,
	.row_is_token = true,
	.layer_in_rows = true,
	.write = write_words,
	.trained_by = "train_word2vec"
};

const Tunable words_tunable_glove = {
	.features = words_features,
	.row = words_tuned_row,
	.row_is_token = true,
	.layer_in_rows = true,
	.write = write_words,
	.trained_by = "train_glove"
};
