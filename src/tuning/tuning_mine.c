/*-------------------------------------------------------------------------
 *
 * tuning_mine.c
 *	  SQL function mine_negatives: texts that look like an answer and are none.
 *
 * Of a corpus, those nearest to an anchor that are less near than its positive
 * by a margin: what is nearer may well be an answer that nobody has marked
 * (the rule of sentence-transformers' mine_hard_negatives).  A corpus that has
 * an index (tuning_mine_index.c) is searched by it; of any other every text is
 * compared with every anchor, and all vectors are held in memory.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning_mine.h"

#include <math.h>

#include "math/distance.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "network/pooling.h"
#include "server/arguments.h"
#include "server/query.h"
#include "server/set_result.h"
#include "train/corpus.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(mine_negatives);

enum
{
	ARG_MODEL,
	ARG_PAIRS,
	ARG_CORPUS,
	ARG_PER_PAIR,
	ARG_MARGIN,
	ARGS
};

static const char *const argument_names[] = {
	"model", "pairs", "corpus", "per_pair", "margin"
};

#define RESULT_COLUMNS 3
#define MOST_PER_PAIR 1000

/* Texts encoded at once */
#define BATCH_TEXTS 64

static const QueryColumn pair_columns[] = {
	{.name = "anchor", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "positive", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP}
};

static const QueryDeclaration pair_declaration = {
	.subject = "pairs",
	.columns = pair_columns,
	.column_count = lengthof(pair_columns),
	.shape = "the first is the anchor, the second its positive",
	.hint = "The pairs are a query such as 'SELECT question, answer FROM faq'."
};

typedef struct Pair
{
	int32		anchor;
	int32		positive;
} Pair;

typedef struct Candidate
{
	double		cosine;
	int32		text;
} Candidate;

typedef struct Mining
{
	OpenEncoder encoder;
	TextTable	texts;			/* of pairs and corpus, each once */
	bool	   *in_corpus;
	Size		flags;			/* of in_corpus */
	Pair	   *pairs;
	int			pair_count;
	int			pair_capacity;
	float	   *vectors;		/* of all texts, of length one */
	bool	   *known;
	int			per_pair;
	double		margin;
	Candidate  *nearest;		/* of a pair, the nearest first */

	/* of a corpus with an index: the pair under way, how many are found */
	MineIndex  *index;
	const Pair *pair;
	int			found;
} Mining;

/* ---------- texts ---------- */

static int32
number_of_text(Mining *mining, const char *text, int length)
{
	TextTable  *table = &mining->texts;
	uint64		hash = hash_bytes64(text, length);

	if (table->count == table->capacity)
	{
		tuning_check_memory(text_table_bytes(table, 2 * table->capacity));
		text_table_grow(table);
	}
	return (int32) text_table_number(table, sizeof(TextElement), text, length,
									 hash, text_key(text, length, hash));
}

static int32
number_of(Mining *mining, const QueryValue *value)
{
	return number_of_text(mining, value->text, value->length);
}

static void
read_pairs(Mining *mining, const char *query)
{
	QueryReader *reader = query_open(&pair_declaration, query);

	mining->pair_capacity = 256;
	mining->pairs = palloc(sizeof(Pair) * mining->pair_capacity);
	while (query_next(reader))
	{
		CHECK_FOR_INTERRUPTS();
		if (mining->pair_count == mining->pair_capacity)
		{
			mining->pair_capacity *= 2;
			mining->pairs = repalloc_huge(mining->pairs, sizeof(Pair) *
										  (Size) mining->pair_capacity);
		}
		mining->pairs[mining->pair_count].anchor =
			number_of(mining, query_value(reader, 0));
		mining->pairs[mining->pair_count++].positive =
			number_of(mining, query_value(reader, 1));
	}
	query_close(reader);
}

static void
read_corpus(Mining *mining, const char *query)
{
	QueryReader *reader = query_open(&corpus_of_texts, query);

	while (query_next(reader))
	{
		int32		number = number_of(mining, query_value(reader, 0));

		CHECK_FOR_INTERRUPTS();
		if ((Size) number >= mining->flags)
		{
			Size		flags = mining->texts.capacity;

			mining->in_corpus = mining->in_corpus == NULL ? palloc(flags) :
				repalloc_huge(mining->in_corpus, flags);
			memset(mining->in_corpus + mining->flags, 0,
				   flags - mining->flags);
			mining->flags = flags;
		}
		mining->in_corpus[number] = true;
	}
	query_close(reader);
}

static void
encode_texts(Mining *mining)
{
	static const EncoderRequest as_the_model_says = {0};
	int			dims = mining->encoder.dims;
	Size		count = mining->texts.count;
	EncoderText texts[BATCH_TEXTS];

	tuning_check_memory(sizeof(float) * dims * count +
						text_table_bytes(&mining->texts,
										 mining->texts.capacity));
	mining->vectors = palloc_extended(sizeof(float) * dims * count,
									  MCXT_ALLOC_HUGE);
	mining->known = palloc_extended(count, MCXT_ALLOC_HUGE);
	for (Size first = 0; first < count; first += BATCH_TEXTS)
	{
		int			some = (int) Min(count - first, BATCH_TEXTS);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < some; i++)
		{
			const TextElement *element = (const TextElement *)
				mining->texts.elements + first + i;

			texts[i] = (EncoderText) {element->text, element->length};
		}
		encoder_encode(&mining->encoder, &as_the_model_says, some, texts,
					   mining->vectors + first * dims,
					   mining->known + first);
		for (int i = 0; i < some; i++)
			if (mining->known[first + i])
				pooling_normalize(dims,
								  mining->vectors + (first + i) * dims);
	}
}

/* ---------- search ---------- */

static double
cosine(const Mining *mining, int32 x, int32 y)
{
	int			dims = mining->encoder.dims;

	return vector_inner_kernel(dims, mining->vectors + (Size) x * dims,
							   mining->vectors + (Size) y * dims);
}

static bool
is_positive(const Mining *mining, int32 anchor, int32 text)
{
	for (int i = 0; i < mining->pair_count; i++)
		if (mining->pairs[i].anchor == anchor &&
			mining->pairs[i].positive == text)
			return true;
	return false;
}

/* Into the list of the nearest, if it is one; returns how many there are */
static int
offer(Mining *mining, int count, double nearness, int32 text)
{
	int			at = Min(count, mining->per_pair - 1);

	if (count == mining->per_pair &&
		!(nearness > mining->nearest[count - 1].cosine))
		return count;
	for (; at > 0 && nearness > mining->nearest[at - 1].cosine; at--)
		mining->nearest[at] = mining->nearest[at - 1];
	mining->nearest[at] = (Candidate) {nearness, text};
	return Min(count + 1, mining->per_pair);
}

static int
nearest_of(Mining *mining, const Pair *pair)
{
	double		most = cosine(mining, pair->anchor, pair->positive) -
		mining->margin;
	int			count = 0;

	for (Size i = 0; i < Min(mining->texts.count, mining->flags); i++)
	{
		int32		text = (int32) i;
		double		nearness;

		if ((i & 1023) == 0)
			CHECK_FOR_INTERRUPTS();
		if (!mining->in_corpus[i] || !mining->known[i] ||
			text == pair->anchor)
			continue;
		nearness = cosine(mining, pair->anchor, text);
		if (nearness <= most &&
			(count < mining->per_pair ||
			 nearness > mining->nearest[count - 1].cosine) &&
			!is_positive(mining, pair->anchor, text))
			count = offer(mining, count, nearness, text);
	}
	return count;
}

/* ---------- by an index ---------- */

static void
begin_search(void *argument)
{
	((Mining *) argument)->found = 0;
}

/* They come in their order, equal texts too. */
static void
receive_text(void *argument, const char *text, int length, double nearness)
{
	Mining	   *mining = argument;
	const Pair *pair = mining->pair;
	double		most = cosine(mining, pair->anchor, pair->positive) -
		mining->margin;
	int32		number;

	if (mining->found == mining->per_pair || nearness > most)
		return;
	number = number_of_text(mining, text, length);
	if (number == pair->anchor || is_positive(mining, pair->anchor, number))
		return;
	for (int i = 0; i < mining->found; i++)
		if (mining->nearest[i].text == number)
			return;
	mining->nearest[mining->found++] = (Candidate) {nearness, number};
}

static bool
has_enough(void *argument)
{
	const Mining *mining = argument;

	return mining->found == mining->per_pair;
}

static int
indexed_nearest_of(Mining *mining, const Pair *pair)
{
	int			dims = mining->encoder.dims;

	mining->pair = pair;
	mining->found = 0;
	mine_index_search(mining->index, dims,
					  mining->vectors + (Size) pair->anchor * dims,
					  begin_search, receive_text, has_enough, mining);
	return mining->found;
}

static Datum
text_datum(const Mining *mining, int32 number)
{
	const TextElement *element = (const TextElement *)
		mining->texts.elements + number;

	return PointerGetDatum(cstring_to_text_with_len(element->text,
													element->length));
}

static void
add_rows(Mining *mining, const Pair *pair, struct ReturnSetInfo *set)
{
	int			count;

	if (!mining->known[pair->anchor] || !mining->known[pair->positive])
		return;
	count = mining->index != NULL ? indexed_nearest_of(mining, pair) :
		nearest_of(mining, pair);
	for (int i = 0; i < count; i++)
	{
		Datum		values[RESULT_COLUMNS];
		bool		nulls[RESULT_COLUMNS] = {false};

		values[0] = text_datum(mining, pair->anchor);
		values[1] = text_datum(mining, pair->positive);
		values[2] = text_datum(mining, mining->nearest[i].text);
		set_result_add(set, values, nulls);
		for (int k = 0; k < RESULT_COLUMNS; k++)
			pfree(DatumGetPointer(values[k]));
	}
}

/* mine_negatives(model, pairs, corpus, per_pair, margin) */
Datum
mine_negatives(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Mining	   *mining = palloc0(sizeof(Mining));

	arguments_require(fcinfo, arguments_but(ARGS, 0), argument_names);
	distance_init();
	mining->per_pair = PG_GETARG_INT32(ARG_PER_PAIR);
	mining->margin = PG_GETARG_FLOAT8(ARG_MARGIN);
	if (mining->per_pair < 1 || mining->per_pair > MOST_PER_PAIR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("per_pair must be between 1 and %d", MOST_PER_PAIR)));
	if (!(fabs(mining->margin) <= 2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("margin must be between -2 and 2"),
				 errdetail("It is a difference of cosines.")));
	encoder_open(&mining->encoder, fcinfo->flinfo,
				 model_open(fcinfo->flinfo, PG_GETARG_OID(ARG_MODEL), NULL));
	mining->index =
		mine_index_find(text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS)),
						PG_GETARG_OID(ARG_MODEL));
	text_table_init(&mining->texts, sizeof(TextElement), 1024);
	read_pairs(mining,
			   text_to_cstring(PG_GETARG_TEXT_PP(ARG_PAIRS)));
	if (mining->index == NULL)
		read_corpus(mining,
					text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS)));
	encode_texts(mining);
	mining->nearest = palloc(sizeof(Candidate) * mining->per_pair);
	for (int i = 0; i < mining->pair_count; i++)
		add_rows(mining, &mining->pairs[i], set);
	return (Datum) 0;
}
