/*-------------------------------------------------------------------------
 *
 * tuning_pairs.c
 *	  SQL functions pairs_from_labels and pairs_from_structure: examples of
 *	  what a table knows already.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "miscadmin.h"
#include "server/arguments.h"
#include "server/query.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(pairs_from_labels);
EMBED_FUNCTION(pairs_from_structure);

#define MOST_PER_TEXT 1000

/* A text, what it belongs to, and its place there */
typedef struct Passage
{
	char	   *group;			/* a label, or a document */
	int64		position;
	int			number;			/* in the order of the query */
	text	   *heading;		/* or NULL */
	text	   *body;
} Passage;

typedef struct Passages
{
	Passage    *list;
	int			count;
	int			capacity;
	Size		bytes;
} Passages;

static text *
copy_text(Passages *passages, const QueryValue *value)
{
	if (value->is_null)
		return NULL;
	passages->bytes += VARHDRSZ + value->length;
	return cstring_to_text_with_len(value->text, value->length);
}

static Passage *
add_passage(Passages *passages)
{
	CHECK_FOR_INTERRUPTS();
	if (passages->count == passages->capacity)
	{
		passages->capacity = Max(256, 2 * passages->capacity);
		passages->list = passages->list == NULL ?
			palloc(sizeof(Passage) * passages->capacity) :
			repalloc_huge(passages->list, sizeof(Passage) *
						  (Size) passages->capacity);
	}
	tuning_check_memory(passages->bytes +
						sizeof(Passage) * (Size) passages->capacity);
	passages->list[passages->count].number = passages->count;
	return &passages->list[passages->count++];
}

/* By group, position, and where they came from */
static int
compare_passages(const void *a, const void *b)
{
	const Passage *x = a;
	const Passage *y = b;
	int			order = strcmp(x->group, y->group);

	if (order != 0)
		return order;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void
sort_passages(Passages *passages)
{
	if (passages->count > 0)
		qsort(passages->list, passages->count, sizeof(Passage),
			  compare_passages);
}

/* ---------- labels ---------- */

static const QueryColumn labelled_columns[] = {
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "label", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_SKIP}
};

static const QueryDeclaration labelled_declaration = {
	.subject = "list of examples",
	.columns = labelled_columns,
	.column_count = lengthof(labelled_columns),
	.shape = "the first is the text, the second its label",
	.hint = "The examples are a query such as 'SELECT body, topic FROM mails'."
};

static void
read_labelled(Passages *passages, const char *query)
{
	QueryReader *reader = query_open(&labelled_declaration, query);

	while (query_next(reader))
	{
		Passage    *passage = add_passage(passages);

		passage->body = copy_text(passages, query_value(reader, 0));
		passage->group = pstrdup(query_value(reader, 1)->text);
		passage->heading = NULL;
		passage->position = 0;
	}
	query_close(reader);
	sort_passages(passages);
}

static void
add_scored(struct ReturnSetInfo *set, const Passage *one,
		   const Passage *other, double score)
{
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = PointerGetDatum(one->body);
	values[1] = PointerGetDatum(other->body);
	values[2] = Float8GetDatum(score);
	set_result_add(set, values, nulls);
}

/*
 * The passages of a label are those from first on, "count" of them: each with
 * others of them, and with as many of other labels.
 */
static void
pair_label(const Passages *passages, int first, int count, int per_text,
		   Random *random, struct ReturnSetInfo *set)
{
	int			others = passages->count - count;

	for (int i = first; i < first + count; i++)
		for (int k = 0; k < per_text; k++)
		{
			const Passage *list = passages->list;
			int			same = first + (int) random_below(random, count);
			int			other = others == 0 ? 0 :
				(int) random_below(random, others);

			CHECK_FOR_INTERRUPTS();
			if (same == i && count > 1)
				same = first + (i - first + 1 +
								(int) random_below(random, count - 1)) %
					count;
			if (same != i)
				add_scored(set, &list[i], &list[same], 1);
			if (others > 0)
				add_scored(set, &list[i],
						   &list[other < first ? other : other + count], 0);
		}
}

/* pairs_from_labels(examples, per_text, seed) */
Datum
pairs_from_labels(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set;
	Passages	passages = {0};
	Random		random;
	int			per_text;

	argument_require(fcinfo, 0, "examples");
	argument_require(fcinfo, 1, "per_text");
	set = set_result_begin(fcinfo);
	per_text = PG_GETARG_INT32(1);
	if (per_text < 1 || per_text > MOST_PER_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("per_text must be between 1 and %d", MOST_PER_TEXT)));
	random_seed(&random, trainer_seed(!PG_ARGISNULL(2), PG_ARGISNULL(2) ? 0 :
									  PG_GETARG_INT64(2)));
	read_labelled(&passages, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int first = 0, last; first < passages.count; first = last)
	{
		last = first + 1;
		while (last < passages.count &&
			   strcmp(passages.list[last].group,
					  passages.list[first].group) == 0)
			last++;
		pair_label(&passages, first, last - first, per_text, &random, set);
	}
	return (Datum) 0;
}

/* ---------- structure ---------- */

enum
{
	STRUCTURE_DOCUMENT,
	STRUCTURE_POSITION,
	STRUCTURE_TEXT,
	STRUCTURE_HEADING
};

static const QueryColumn structure_columns[] = {
	{.name = "document", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_SKIP},
	{.name = "position", .kinds = QUERY_INTEGER, .nulls = QUERY_NULL_SKIP},
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "heading", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_KEEP,
	.optional = true}
};

static const QueryDeclaration structure_declaration = {
	.subject = "passages",
	.by_name = true,
	.columns = structure_columns,
	.column_count = lengthof(structure_columns),
	.hint = "The passages are a query such as 'SELECT page AS document, number AS position, body AS text, title AS heading FROM passages'."
};

static void
read_structure(Passages *passages, const char *query)
{
	QueryReader *reader = query_open(&structure_declaration, query);

	while (query_next(reader))
	{
		Passage    *passage = add_passage(passages);

		passage->group = pstrdup(query_value(reader,
											 STRUCTURE_DOCUMENT)->text);
		passage->position = query_value(reader,
										STRUCTURE_POSITION)->integer;
		passage->body = copy_text(passages,
								  query_value(reader, STRUCTURE_TEXT));
		passage->heading = copy_text(passages,
									 query_value(reader, STRUCTURE_HEADING));
	}
	query_close(reader);
	sort_passages(passages);
}

static void
add_pair(struct ReturnSetInfo *set, const text *anchor, const text *positive)
{
	Datum		values[2];
	bool		nulls[2] = {false};

	values[0] = PointerGetDatum(anchor);
	values[1] = PointerGetDatum(positive);
	set_result_add(set, values, nulls);
}

/*
 * pairs_from_structure(passages): a heading with its passage; a passage with
 * the one that follows it in its document
 */
Datum
pairs_from_structure(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set;
	Passages	passages = {0};

	argument_require(fcinfo, 0, "passages");
	set = set_result_begin(fcinfo);
	read_structure(&passages, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int i = 0; i < passages.count; i++)
	{
		const Passage *passage = &passages.list[i];

		CHECK_FOR_INTERRUPTS();
		if (passage->heading != NULL)
			add_pair(set, passage->heading, passage->body);
		if (i + 1 < passages.count &&
			strcmp(passage->group, passage[1].group) == 0)
			add_pair(set, passage->body, passage[1].body);
	}
	return (Datum) 0;
}
