/*-------------------------------------------------------------------------
 *
 * classifier_examples.c
 *	  Texts or vectors with their labels: the rows of a query.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/classifier/trained_classifier.h"
#include "miscadmin.h"
#include "utils/memutils.h"

enum
{
	EXAMPLE_INPUT,
	EXAMPLE_LABEL
};

static const QueryColumn example_columns[] = {
	[EXAMPLE_INPUT] = {.name = "input", .kinds = QUERY_TEXT | QUERY_VECTOR,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Put the texts or vectors first."},
	[EXAMPLE_LABEL] = {.name = "label", .kinds = QUERY_LABEL | QUERY_TEXTS,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Cast the label to text, or the labels to text[]."}
};

static const QueryDeclaration example_declaration = {
	.subject = "list of examples",
	.columns = example_columns,
	.column_count = lengthof(example_columns),
	.hint = "The examples are a query such as 'SELECT body, label FROM reviews'.",
	.shape = "the first is the text or its vector, the second its label"
};

struct Examples
{
	QueryReader *reader;
	Features   *features;
	bool		multi;
	const char *label;			/* the only one of an example */
	MemoryContext context;		/* of one row */
};

Examples *
examples_open(const char *query, Features *features)
{
	Examples   *examples = palloc(sizeof(Examples));

	examples->reader = query_open(&example_declaration, query);
	examples->features = features;
	examples->multi = query_kind(examples->reader, EXAMPLE_LABEL) ==
		QUERY_TEXTS;
	examples->context = AllocSetContextCreate(CurrentMemoryContext, "example",
											  ALLOCSET_DEFAULT_SIZES);
	return examples;
}

bool
examples_next(Examples *examples, Example *example)
{
	const QueryValue *label;
	MemoryContext old;

	if (!query_next(examples->reader))
		return false;
	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(examples->context);
	old = MemoryContextSwitchTo(examples->context);
	features_of_value(examples->features,
					  query_value(examples->reader, EXAMPLE_INPUT));
	MemoryContextSwitchTo(old);
	label = query_value(examples->reader, EXAMPLE_LABEL);
	examples->label = label->text;
	example->count = examples->multi ? label->length : 1;
	example->labels = examples->multi ? (const char *const *) label->texts :
		&examples->label;
	return true;
}

bool
examples_are_multi(const Examples *examples)
{
	return examples->multi;
}

void
examples_close(Examples *examples)
{
	query_close(examples->reader);
	MemoryContextDelete(examples->context);
	pfree(examples);
}
