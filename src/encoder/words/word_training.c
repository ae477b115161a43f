/*-------------------------------------------------------------------------
 *
 * word_training.c
 *	  What trainings of word vectors share: the model they go on from, and
 *	  the rows they write.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/words/word_training.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

KnownWords *
known_words_open(FmgrInfo *flinfo, Oid table)
{
	KnownWords *known;
	int32		count;

	if (!OidIsValid(table))
		return NULL;
	known = palloc(sizeof(KnownWords));
	known->words = words_open(flinfo, table);
	count = known->words->totals->words;
	known->list = palloc_extended(mul_size(sizeof(EncodedWord), count + 1),
								  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int32 i = 0; i < count; i++)
	{
		const WordEntry *entry = &known->words->entries[i];

		known->list[i].text = known->words->texts + entry->text;
		known->list[i].length = entry->length;
	}
	return known;
}

const ModelDescription *
known_words_description(const KnownWords *known)
{
	return known == NULL ? NULL : known->words->model->description;
}

Oid
known_words_config(const KnownWords *known)
{
	return known != NULL ?
		model_option_config(known_words_description(known)) :
		extension_config("embed_words");
}

int64
known_words_occurrences(const KnownWords *known, const EncodedWord *word)
{
	if (known == NULL || word->known < 0)
		return 0;
	return Max(known->words->entries[word->known].occurrences, 0);
}

/* Of the new text and of what the model was trained on before, if known. */
static void
set_total(Datum *values, bool *nulls, int column, bool counted, int64 before,
		  int64 now)
{
	values[column] = Int64GetDatum(Max(before, 0) + now);
	nulls[column] = !counted;
}

void
word_writer_begin(WordWriter *writer, ModelDefinition *definition, int dims)
{
	const WordsTotals *before =
		writer->known ? writer->known->words->totals : NULL;
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS] = {false};

	writer->writer = model_create(definition);
	writer->next_id = before ? before->last_id + 1 : 1;
	writer->vector = vector_create(dims);
	values[WORDS_ID] = Int32GetDatum(0);
	set_total(values, nulls, WORDS_DOCUMENTS, writer->counted,
			  before ? before->documents : 0, writer->corpus->documents);
	set_total(values, nulls, WORDS_OCCURRENCES, writer->counted,
			  before ? before->occurrences : 0, writer->corpus->tokens);
	nulls[WORDS_WORD] = nulls[WORDS_VECTOR] = true;
	model_write_row(writer->writer, values, nulls);
}

static void
check_finite(const WordWriter *writer, const EncodedWord *word)
{
	const Vector *vector = writer->vector;

	for (int i = 0; i < vector->dims; i++)
		if (!isfinite(vector->x[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("training diverged"),
					 word == NULL ? 0 :
					 errdetail("The vector of word \"%.*s\" is not finite.",
							   pg_mbcliplen(word->text, word->length,
											100), word->text),
					 errhint("Lower %s.", writer->rate)));
}

void
word_writer_word(WordWriter *writer, int32 number)
{
	const EncodedWord *word = &writer->corpus->vocabulary[number];
	const WordEntry *before = word->known < 0 ? NULL :
		&writer->known->words->entries[word->known];
	text	   *name = cstring_to_text_with_len(word->text, word->length);
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS] = {false};

	check_finite(writer, word);
	values[WORDS_ID] = Int32GetDatum(before ? before->id : writer->next_id++);
	values[WORDS_WORD] = PointerGetDatum(name);
	set_total(values, nulls, WORDS_DOCUMENTS, writer->counted,
			  before ? before->documents : 0, word->documents);
	set_total(values, nulls, WORDS_OCCURRENCES, writer->counted,
			  before ? before->occurrences : 0, word->count);
	values[WORDS_VECTOR] = PointerGetDatum(writer->vector);
	model_write_row(writer->writer, values, nulls);
	pfree(name);
	CHECK_FOR_INTERRUPTS();
}

void
word_writer_bucket(WordWriter *writer, int32 bucket)
{
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false, true, true, true, false};

	check_finite(writer, NULL);
	values[WORDS_ID] = Int32GetDatum(WORDS_FIRST_BUCKET + bucket);
	values[WORDS_VECTOR] = PointerGetDatum(writer->vector);
	model_write_row(writer->writer, values, nulls);
	CHECK_FOR_INTERRUPTS();
}

Oid
word_writer_finish(WordWriter *writer)
{
	return model_finish(writer->writer);
}
