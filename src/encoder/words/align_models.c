/*-------------------------------------------------------------------------
 *
 * align_models.c
 *	  SQL function align_models: a model's words in the space of another, so
 *	  that words of two languages can be compared.
 *
 * Pairs of words give a first rotation; the words that are then each other's
 * nearest give the next one, as long as that brings the two nearer (Conneau
 * et al., ICLR 2018; Artetxe, Labaka and Agirre, "Learning bilingual word
 * embeddings with (almost) no bilingual data", ACL 2017).  A rotation leaves
 * all similarities within the source as they were.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/words/align.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "storage/shmem.h"
#include "train/progress.h"
#include "train/trainer.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(align_models);

enum
{
	ARG_NAME,
	ARG_SOURCE,
	ARG_TARGET,
	ARG_PAIRS,
	ARG_REFINE,
	ARG_REPLACE,
	ARGS
};

static const char *const argument_names[] = {
	"name", "source", "target", "pairs", "refine", "replace"
};

#define MOST_REFINEMENTS	1000

/* A round that gains less than this is the last. */
#define LEAST_GAIN			1e-6

typedef struct Alignment
{
	Words	   *source;
	Words	   *target;
	WordPairs	pairs;			/* given */
	bool		from_query;		/* by the caller, so that they stay */
	float	   *rotation;		/* the best so far */
	int			rounds;			/* of refinement that made it */
	int64		fitted;			/* pairs that it was fitted to */
	Progress   *progress;
} Alignment;

/* ---------- arguments ---------- */

static void
check_arguments(FunctionCallInfo fcinfo)
{
	arguments_require(fcinfo, arguments_but(ARGS, ARGUMENT(ARG_PAIRS)),
					  argument_names);
	if (PG_GETARG_INT32(ARG_REFINE) < 0 ||
		PG_GETARG_INT32(ARG_REFINE) > MOST_REFINEMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("refine must be between 0 and %d", MOST_REFINEMENTS),
				 errdetail("The value is %d.", PG_GETARG_INT32(ARG_REFINE))));
}

static void
check_models(const Words *source, const Words *target)
{
	const ModelDescription *description = source->model->description;

	if (description->method->build_image != words_build_image)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" cannot be aligned",
						description->table_name),
				 errdetail("It is a model of method \"%s\", whose vectors are of terms with weights.",
						   description->method->name),
				 errhint("It may be the target that a model of word vectors is aligned with.")));
	if (source->totals->dims != target->totals->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("models \"%s\" and \"%s\" have different dimensions",
						description->table_name,
						target->model->description->table_name),
				 errdetail("They are %d and %d.", source->totals->dims,
						   target->totals->dims),
				 errhint("Train both with the same dims.")));
}

static void
read_pairs(FunctionCallInfo fcinfo, Alignment *alignment)
{
	WordPairs  *pairs = &alignment->pairs;
	const char *source = alignment->source->model->description->table_name;
	const char *target = alignment->target->model->description->table_name;

	alignment->from_query = !PG_ARGISNULL(ARG_PAIRS);
	if (alignment->from_query)
		word_pairs_of_query(pairs, alignment->source, alignment->target,
							text_to_cstring(PG_GETARG_TEXT_PP(ARG_PAIRS)));
	else
		word_pairs_of_equal_words(pairs, alignment->source,
								  alignment->target);
	if (pairs->count > 0)
		return;
	if (alignment->from_query)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no pair of words is known to both models"),
				 errdetail("Of " INT64_FORMAT " rows none has a first word with a vector in \"%s\" and a second one with a vector in \"%s\".",
						   pairs->given, source, target),
				 errhint("The first column is a word of the source, the second one of the target.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("models \"%s\" and \"%s\" have no word in common", source,
					target),
			 errhint("Give a query of words that mean the same, as in pairs => 'SELECT french, english FROM dictionary'.")));
}

/* ---------- fitting ---------- */

static float *
rotation_create(int dims)
{
	return palloc_extended(mul_size(mul_size(dims, dims), sizeof(float)),
						   MCXT_ALLOC_HUGE);
}

/*
 * The pairs of the next fit: those that are each other's nearest, and those
 * that the caller has given.
 */
static void
add_given(const Alignment *alignment, WordPairs *pairs)
{
	if (!alignment->from_query)
		return;
	for (int64 i = 0; i < alignment->pairs.count; i++)
		word_pairs_add(pairs, alignment->pairs.items[i].source,
					   alignment->pairs.items[i].target);
}

/*
 * Each rotation is judged by the words' similarity to their nearest ones
 * under it; the best of them stays.
 */
static void
refine(Alignment *alignment, int rounds)
{
	AlignMatch *match = align_match_create(alignment->source,
										   alignment->target);
	float	   *rotation = rotation_create(alignment->source->totals->dims);
	WordPairs	pairs = {0};
	double		best = align_match(match, alignment->rotation, &pairs);

	for (int round = 1; round <= rounds; round++)
	{
		double		quality;
		float	   *better = rotation;
		int64		count;

		add_given(alignment, &pairs);
		count = pairs.count;
		align_fit(alignment->source, alignment->target, &pairs, rotation);
		pairs.count = 0;
		quality = align_match(match, rotation, &pairs);
		progress_update(alignment->progress, round, -quality);
		if (quality <= best)
			break;
		rotation = alignment->rotation;
		alignment->rotation = better;
		alignment->rounds = round;
		alignment->fitted = count;
		if (quality < best + LEAST_GAIN)
			break;
		best = quality;
	}
}

static void
report_rank(const Alignment *alignment, int rank)
{
	int			dims = alignment->source->totals->dims;

	if (rank < dims)
		ereport(NOTICE,
				(errmsg("pairs of words determine %d of %d dimensions", rank,
						dims),
				 errdetail("The others were turned as little as possible."),
				 errhint("Give more pairs: some times as many as the models have dimensions.")));
}

/* ---------- the table ---------- */

/* The source's method and options: it is the same model, turned. */
static void
define_model(FunctionCallInfo fcinfo, const Words *source,
			 ModelDefinition *definition)
{
	const ModelDescription *description = source->model->description;

	model_definition_init(definition,
						  text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)),
						  description->method, PG_GETARG_BOOL(ARG_REPLACE));
	definition->typmods[WORDS_VECTOR] = source->totals->dims;
	for (int i = 0; i < description->option_count; i++)
		model_definition_text(definition,
							  pstrdup(description->options[i].name),
							  pstrdup(description->options[i].value));
}

typedef struct RowWriter
{
	ModelWriter *writer;
	const Alignment *alignment;
	Vector	   *vector;
} RowWriter;

static void
set_count(Datum *values, bool *nulls, int column, int64 count)
{
	nulls[column] = count < 0;
	values[column] = Int64GetDatum(count);
}

static void
write_header(RowWriter *writer)
{
	const WordsTotals *totals = writer->alignment->source->totals;
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false};

	values[WORDS_ID] = Int32GetDatum(0);
	set_count(values, nulls, WORDS_DOCUMENTS, totals->documents);
	set_count(values, nulls, WORDS_OCCURRENCES, totals->occurrences);
	nulls[WORDS_WORD] = nulls[WORDS_VECTOR] = true;
	model_write_row(writer->writer, values, nulls);
}

static void
turn_vector(RowWriter *writer, const float *row)
{
	const Alignment *alignment = writer->alignment;
	const Words *source = alignment->source;

	CHECK_FOR_INTERRUPTS();
	align_rotate(alignment->rotation, source->totals->dims, row,
				 writer->vector->x);
	for (int d = 0; d < writer->vector->dims; d++)
		if (!isfinite(writer->vector->x[d]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("a turned vector is not finite"),
					 errdetail("A vector of model \"%s\" is too long.",
							   source->model->description->table_name)));
}

static void
write_word(RowWriter *writer, const WordEntry *entry)
{
	const Words *source = writer->alignment->source;
	text	   *word = cstring_to_text_with_len(source->texts + entry->text,
												entry->length);
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS] = {false};

	turn_vector(writer, words_row(source, entry->row));
	values[WORDS_ID] = Int32GetDatum(entry->id);
	values[WORDS_WORD] = PointerGetDatum(word);
	set_count(values, nulls, WORDS_DOCUMENTS, entry->documents);
	set_count(values, nulls, WORDS_OCCURRENCES, entry->occurrences);
	values[WORDS_VECTOR] = PointerGetDatum(writer->vector);
	model_write_row(writer->writer, values, nulls);
	pfree(word);
}

/* n-grams: a composed vector is a mean of rows, and so is the turned one */
static void
write_bucket(RowWriter *writer, const BucketSlot *slot)
{
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS] = {false, true, true, true, false};

	turn_vector(writer, words_row(writer->alignment->source, slot->row - 1));
	values[WORDS_ID] = Int32GetDatum(WORDS_FIRST_BUCKET + slot->bucket);
	values[WORDS_VECTOR] = PointerGetDatum(writer->vector);
	model_write_row(writer->writer, values, nulls);
}

static Oid
write_model(const Alignment *alignment, ModelDefinition *definition)
{
	const Words *source = alignment->source;
	RowWriter	writer = {model_create(definition), alignment,
	vector_create(source->totals->dims)};

	progress_phase(alignment->progress, "writing model",
				   source->totals->words);
	write_header(&writer);
	for (int32 i = 0; i < source->totals->words; i++)
	{
		write_word(&writer, &source->entries[i]);
		progress_update(alignment->progress, i, NAN);
	}
	for (Size i = 0; source->bucket_slots != NULL &&
		 i <= source->bucket_mask; i++)
		if (source->bucket_slots[i].row != 0)
			write_bucket(&writer, &source->bucket_slots[i]);
	return model_finish(writer.writer);
}

/* align_models(name, source, target, pairs, refine, replace) -> regclass */
Datum
align_models(PG_FUNCTION_ARGS)
{
	Alignment	alignment = {0};
	ModelDefinition definition;
	int			rounds;
	Oid			table;

	trainer_check();
	check_arguments(fcinfo);
	rounds = PG_GETARG_INT32(ARG_REFINE);
	alignment.source = words_open(fcinfo->flinfo, PG_GETARG_OID(ARG_SOURCE));
	alignment.target = words_open_further(fcinfo->flinfo, 1,
										  PG_GETARG_OID(ARG_TARGET));
	check_models(alignment.source, alignment.target);
	define_model(fcinfo, alignment.source, &definition);
	model_check_creation(&definition);

	alignment.progress = progress_begin(
		psprintf("aligning model \"%s\"", definition.name), "rounds");
	progress_phase(alignment.progress, "fitting", rounds);
	read_pairs(fcinfo, &alignment);
	alignment.fitted = alignment.pairs.count;
	alignment.rotation = rotation_create(alignment.source->totals->dims);
	report_rank(&alignment, align_fit(alignment.source, alignment.target,
									  &alignment.pairs, alignment.rotation));
	if (rounds > 0)
		refine(&alignment, rounds);
	progress_result(alignment.progress,
					psprintf("fitted to " INT64_FORMAT " pairs of words; that of " INT64_FORMAT " after %d rounds of refinement was the best",
							 alignment.pairs.count, alignment.fitted,
							 alignment.rounds));
	table = write_model(&alignment, &definition);
	progress_end(alignment.progress);
	PG_RETURN_OID(table);
}
