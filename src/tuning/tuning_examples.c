/*-------------------------------------------------------------------------
 *
 * tuning_examples.c
 *	  The examples that a model is fitted to: the rows of the caller's query.
 *
 * What the columns are called says what the examples are.  A text that comes
 * several times is kept once: its number stands for it, so that equal texts
 * are found by comparing numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "math/hash.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "server/query.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* More would make looking at what is held out longer than the training. */
#define MOST_HELD_OUT 1000

enum
{
	COLUMN_ANCHOR,
	COLUMN_POSITIVE,
	COLUMN_NEGATIVE,
	COLUMN_SENTENCE1,
	COLUMN_SENTENCE2,
	COLUMN_SCORE,
	COLUMN_TEXT,
	COLUMN_LABEL,
	COLUMN_VECTOR,
	COLUMNS
};

#define TEXT_COLUMN(called) \
	{.name = called, .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR, \
	 .optional = true}

static const QueryColumn columns[COLUMNS] = {
	TEXT_COLUMN("anchor"),
	TEXT_COLUMN("positive"),
	{.name = "negative", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR,
	.optional = true, .repeated = true},
	TEXT_COLUMN("sentence1"),
	TEXT_COLUMN("sentence2"),
	{.name = "score", .kinds = QUERY_SCORE, .nulls = QUERY_NULL_ERROR,
	.optional = true},
	TEXT_COLUMN("text"),
	{.name = "label", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_ERROR,
	.optional = true},
	{.name = "vector", .kinds = QUERY_VECTOR, .nulls = QUERY_NULL_ERROR,
	.optional = true}
};

#define EXAMPLES_HINT \
	"Columns are called anchor, positive [, negative, negative_2 ...]; or sentence1, sentence2, score; or text, label; or sentence1, sentence2, label; or text, vector; or text: SELECT question AS anchor, answer AS positive FROM faq."

static const QueryDeclaration declaration = {
	.subject = "examples",
	.by_name = true,
	.columns = columns,
	.column_count = COLUMNS,
	.hint = EXAMPLES_HINT
};

/* ---------- shapes ---------- */

static const struct
{
	TuningShape shape;
	int			columns;		/* bits; negative may be there or not */
}			shapes[] = {
	{TUNING_PAIRS, 1 << COLUMN_ANCHOR | 1 << COLUMN_POSITIVE},
	{TUNING_SCORES, 1 << COLUMN_SENTENCE1 | 1 << COLUMN_SENTENCE2 |
	1 << COLUMN_SCORE},
	{TUNING_LABELS, 1 << COLUMN_TEXT | 1 << COLUMN_LABEL},
	{TUNING_TEXTS, 1 << COLUMN_TEXT},
	{TUNING_TEACHER, 1 << COLUMN_TEXT | 1 << COLUMN_VECTOR},
	{TUNING_RELATIONS, 1 << COLUMN_SENTENCE1 | 1 << COLUMN_SENTENCE2 |
	1 << COLUMN_LABEL}
};

static void
find_shape(const QueryReader *reader, TuningExamples *examples)
{
	int			negatives = query_columns(reader, COLUMN_NEGATIVE);
	int			given = 0;

	for (int i = 0; i < COLUMNS; i++)
		if (i != COLUMN_NEGATIVE && query_columns(reader, i) > 0)
			given |= 1 << i;
	for (int i = 0; i < (int) lengthof(shapes); i++)
	{
		examples->shape = shapes[i].shape;
		if (shapes[i].columns == given &&
			(negatives == 0 || examples->shape == TUNING_PAIRS))
		{
			examples->width = examples->shape == TUNING_PAIRS ?
				2 + negatives : examples->shape == TUNING_SCORES ||
				examples->shape == TUNING_RELATIONS ? 2 : 1;
			if (examples->width <= TUNING_MOST_TEXTS)
				return;
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("examples have more than %d negatives",
							TUNING_MOST_TEXTS - 2)));
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("columns of the examples query do not go together"),
			 errhint(EXAMPLES_HINT)));
}

/* ---------- rows ---------- */

static int32
number_of_text(TuningExamples *examples, const QueryValue *value)
{
	TextTable  *table = &examples->table;
	uint64		hash = hash_bytes64(value->text, value->length);

	if (table->count == table->capacity)
	{
		tuning_check_memory(tuning_examples_bytes(examples) +
							text_table_bytes(table, 2 * table->capacity));
		text_table_grow(table);
	}
	return (int32) text_table_number(table, sizeof(TextElement), value->text,
									 value->length, hash,
									 text_key(value->text, value->length,
											  hash));
}

static void
reserve(TuningExamples *examples)
{
	Size		capacity;

	if (examples->count < examples->capacity)
		return;
	if (examples->capacity > PG_INT32_MAX / 2 / TUNING_MOST_TEXTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d examples",
						examples->count)));
	tuning_check_memory(2 * tuning_examples_bytes(examples));
	capacity = examples->capacity *= 2;
	examples->texts = repalloc_huge(examples->texts, sizeof(int32) *
									capacity * examples->width);
	examples->scores = repalloc_huge(examples->scores,
									 sizeof(float) * capacity);
	examples->labels = repalloc_huge(examples->labels,
									 sizeof(int32) * capacity);
	if (examples->teacher != NULL)
		examples->teacher = repalloc_huge(examples->teacher, sizeof(float) *
										  examples->teacher_dims * capacity);
}

static void
read_label(TuningExamples *examples, const QueryValue *label,
		   TextTable *labels)
{
	uint64		hash = hash_bytes64(label->text, label->length);

	if (labels->count == labels->capacity)
		text_table_grow(labels);
	examples->labels[examples->count] = (int32)
		text_table_number(labels, sizeof(TextElement), label->text,
						  label->length, hash,
						  text_key(label->text, label->length, hash));
	examples->label_count = (int) labels->count;
}

static void
read_teacher(TuningExamples *examples, const QueryValue *value)
{
	Vector	   *vector;

	if (value->type != extension_type("vector"))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"vector\" of the examples query is of type %s",
						format_type_be(value->type)),
				 errhint("Cast it to vector.")));
	vector = DatumGetVector(value->datum);
	if (examples->count == 0)
	{
		examples->teacher_dims = vector->dims;
		examples->teacher = palloc_extended(sizeof(float) * vector->dims *
											(Size) examples->capacity,
											MCXT_ALLOC_HUGE);
	}
	if (vector->dims != examples->teacher_dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d",
						examples->teacher_dims, vector->dims)));
	memcpy(examples->teacher + (Size) examples->count * vector->dims,
		   vector->x, sizeof(float) * vector->dims);
}

static void
read_row(TuningExamples *examples, const QueryReader *reader,
		 TextTable *labels)
{
	static const int first[] = {COLUMN_ANCHOR, COLUMN_SENTENCE1, COLUMN_TEXT,
	COLUMN_TEXT, COLUMN_TEXT, COLUMN_SENTENCE1};
	static const int second[] = {COLUMN_POSITIVE, COLUMN_SENTENCE2, 0, 0, 0,
	COLUMN_SENTENCE2};
	int32	   *texts;

	reserve(examples);
	texts = examples->texts + (Size) examples->count * examples->width;
	texts[0] = number_of_text(examples,
							  query_value(reader, first[examples->shape]));
	if (examples->width > 1)
		texts[1] = number_of_text(examples,
								  query_value(reader,
											  second[examples->shape]));
	for (int i = 2; i < examples->width; i++)
		texts[i] = number_of_text(examples,
								  query_value(reader, COLUMN_NEGATIVE) +
								  i - 2);
	if (examples->shape == TUNING_SCORES)
		examples->scores[examples->count] =
			(float) query_value(reader, COLUMN_SCORE)->number;
	if (tuning_has_labels(examples))
		read_label(examples, query_value(reader, COLUMN_LABEL), labels);
	if (examples->shape == TUNING_TEACHER)
		read_teacher(examples, query_value(reader, COLUMN_VECTOR));
	examples->count++;
}

static void
check_scores(const TuningExamples *examples)
{
	for (int i = 1; i < examples->count; i++)
		if (examples->scores[i] != examples->scores[0])
			return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("all examples have the same score"),
			 errdetail("%d examples have score %g: nothing tells which of them are more alike.",
					   examples->count, examples->scores[0])));
}

static void
check_examples(const TuningExamples *examples)
{
	if (examples->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("there are no examples"),
				 errdetail("The query gave no row.")));
	if (examples->shape == TUNING_SCORES)
		check_scores(examples);
	if (tuning_has_labels(examples) && examples->label_count < 2)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("all examples have the same label"),
				 errdetail("Examples of two labels or more are needed: what has one is to be told from what has another.")));
}

TuningExamples *
tuning_read_examples(const char *query, Progress *progress)
{
	TuningExamples *examples = palloc0(sizeof(TuningExamples));
	QueryReader *reader = query_open(&declaration, query);
	TextTable	labels;

	progress_phase(progress, "reading examples", 0);
	find_shape(reader, examples);
	examples->capacity = 1024;
	examples->texts = palloc(sizeof(int32) * examples->capacity *
							 examples->width);
	examples->scores = palloc(sizeof(float) * examples->capacity);
	examples->labels = palloc(sizeof(int32) * examples->capacity);
	text_table_init(&examples->table, sizeof(TextElement), 1024);
	text_table_init(&labels, sizeof(TextElement), 64);
	while (query_next(reader))
	{
		read_row(examples, reader, &labels);
		progress_update(progress, examples->count, NAN);
	}
	query_close(reader);
	text_table_free(&labels);
	check_examples(examples);
	examples->known = palloc_extended(examples->table.count,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return examples;
}

Size
tuning_examples_bytes(const TuningExamples *examples)
{
	return text_table_bytes(&examples->table, examples->table.capacity) +
		sizeof(int32) * (Size) examples->capacity *
		(examples->width + 3 + examples->teacher_dims);
}

/* ---------- what is held out ---------- */

static bool
all_known(const TuningExamples *examples, int example)
{
	const int32 *texts = examples->texts + (Size) example * examples->width;

	for (int i = 0; i < examples->width; i++)
		if (!examples->known[texts[i]])
			return false;
	return true;
}

static void
shuffle(int32 *numbers, int count, Random *random)
{
	for (int i = count - 1; i > 0; i--)
	{
		int			other = (int) random_below(random, (uint32) i + 1);
		int32		number = numbers[i];

		numbers[i] = numbers[other];
		numbers[other] = number;
	}
}

static int
first_text(const TuningExamples *examples, int example)
{
	return examples->texts[(Size) example * examples->width];
}

/*
 * Examples come in a random order; until there are enough, the next one and
 * all that have its first text are held out.  Two passes keep the order of
 * each side.
 */
static void
hold_out(TuningExamples *examples, int usable, int wanted)
{
	bool	   *chosen = palloc_extended(examples->table.count,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int		   *with_text = palloc_extended(sizeof(int) *
											examples->table.count,
											MCXT_ALLOC_HUGE |
											MCXT_ALLOC_ZERO);
	int32	   *order = palloc_extended(sizeof(int32) * usable,
										MCXT_ALLOC_HUGE);
	int			taken = 0;
	int			at = 0;

	for (int i = 0; i < usable; i++)
		with_text[first_text(examples, examples->order[i])]++;
	for (int i = 0; i < usable && taken < wanted; i++)
	{
		int			text = first_text(examples, examples->order[i]);

		if (chosen[text] || taken + with_text[text] > Max(2 * wanted, 2) ||
			with_text[text] > usable / 2)
			continue;
		chosen[text] = true;
		taken += with_text[text];
	}
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < usable; i++)
			if (chosen[first_text(examples, examples->order[i])] == side)
				order[at++] = examples->order[i];
	memcpy(examples->order, order, sizeof(int32) * usable);
	examples->held_out = taken;
	pfree(chosen);
	pfree(with_text);
	pfree(order);
}

static void
report_unknown(const TuningExamples *examples, int usable)
{
	if (usable == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no example can be used"),
				 errdetail("In each of %d there is a text that holds nothing the model knows.",
						   examples->count)));
	if (usable < examples->count)
		ereport(NOTICE,
				(errmsg("%d of %d examples are left out: the model knows nothing of one of their texts",
						examples->count - usable, examples->count)));
}

static void
check_training(const TuningExamples *examples)
{
	int			label = -1;
	bool		differ = !tuning_has_labels(examples);

	for (int i = 0; i < examples->training && !differ; i++)
	{
		int			next = examples->labels[examples->order[i]];

		differ = label >= 0 && next != label;
		label = next;
	}
	if (examples->training < 2 || !differ)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("there are too few examples to train on"),
				 errdetail("%d are left, %d more are held out.",
						   examples->training, examples->held_out),
				 errhint("Give more examples, or hold out none: held_out => 0.")));
}

void
tuning_split(TuningExamples *examples, double held_out, Random *random)
{
	int			usable = 0;
	int			wanted;

	examples->order = palloc_extended(sizeof(int32) * examples->count,
									  MCXT_ALLOC_HUGE);
	for (int i = 0; i < examples->count; i++)
		if (all_known(examples, i))
			examples->order[usable++] = i;
	report_unknown(examples, usable);
	shuffle(examples->order, usable, random);
	wanted = (int) Min(ceil(held_out * usable), MOST_HELD_OUT);
	/* one is always the nearest of one */
	wanted = held_out > 0 ? Max(wanted, 2) : 0;
	if (wanted > 0)
		hold_out(examples, usable, wanted);
	examples->training = usable - examples->held_out;
	check_training(examples);
}
