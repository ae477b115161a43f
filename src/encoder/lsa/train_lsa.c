/*-------------------------------------------------------------------------
 *
 * train_lsa.c
 *	  SQL function train_lsa.
 *
 * The corpus is read once: the counts of each document's terms go to a
 * temporary file, and from there, weighted, to another, which all further
 * passes read.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/lsa/lsa.h"
#include "encoder/vocabulary/sparse_encoder.h"
#include "math/krylov.h"
#include "math/layer.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/extension.h"
#include "train/corpus.h"
#include "train/progress.h"
#include "train/sparse_file.h"
#include "train/trainer.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_lsa);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_VOCABULARY,
	ARG_CORPUS,
	ARG_DIMS,
	ARG_WEIGHTING,
	ARG_ITERATIONS,
	ARG_OVERSAMPLING,
	ARG_SEED,
	ARG_REPLACE,
	ARG_TF,
	ARG_IDF,
	ARG_NORM,
	ARG_LOG_BASE,
	ARGS
};

static const char *const argument_names[] = {
	"model", "vocabulary", "corpus", "dims", "weighting", "iterations",
	"oversampling", "seed", "replace", "tf", "idf", "norm", "log_base"
};

/* Passes over the corpus unless iterations says otherwise */
#define MOST_PASSES		200

#define MOST_OVERSAMPLING 1000

/*
 * An axis is none where the matrix is shorter along it than this, beside the
 * longest: it is what floats make of zero.
 */
#define LEAST_VALUE		1e-5

typedef struct Options
{
	const char *model;
	Oid			vocabulary;
	const char *corpus;
	int			dims;
	LsaWeighting weighting;
	int			iterations;
	int			oversampling;
	uint64		seed;
	bool		replace;
} Options;

typedef struct Training
{
	Options		options;
	SparseEncoder *encoder;		/* of the vocabulary */
	TermOptions terms;			/* as the vocabulary has them */
	Progress   *progress;
	int			terms_count;	/* of the vocabulary */
	SparseFile *matrix;
	double	   *term_weights;	/* of the vocabulary's entries */
	float	   *vectors;		/* entries x dims */
	double	   *values;			/* singular ones */
} Training;

/* ---------- arguments ---------- */

static int
choice_argument(FunctionCallInfo fcinfo, int argument, const char *kind)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(argument));

	return option_choose(lsa_options, argument_names[argument], kind, value);
}

/* It is both weights of a term: those of tfidf are not passed over. */
static void
check_log_entropy(const LsaWeighting *weighting)
{
	static const char *const names[] = {"tf", "idf", "log_base"};
	double		values[] = {weighting->tfidf.tf, weighting->tfidf.idf,
	weighting->tfidf.log_base};

	for (int i = 0; weighting->log_entropy && i < (int) lengthof(names); i++)
		if (values[i] != option_require(lsa_options, names[i])->missing)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s has no meaning for weighting \"log_entropy\"",
							names[i]),
					 errhint("Leave it out.")));
}

static void
read_options(FunctionCallInfo fcinfo, Options *options)
{
	arguments_require(fcinfo,
					  arguments_but(ARGS, ARGUMENT(ARG_ITERATIONS) |
									ARGUMENT(ARG_SEED)),
					  argument_names);
	options->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	options->vocabulary = PG_GETARG_OID(ARG_VOCABULARY);
	options->corpus = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	options->dims = PG_GETARG_INT32(ARG_DIMS);
	options->weighting.log_entropy =
		choice_argument(fcinfo, ARG_WEIGHTING, "weighting") == 1;
	options->weighting.tfidf.tf = (TfWeighting)
		choice_argument(fcinfo, ARG_TF, "tf weighting");
	options->weighting.tfidf.idf = (IdfWeighting)
		choice_argument(fcinfo, ARG_IDF, "idf weighting");
	options->weighting.tfidf.norm = (NormKind)
		choice_argument(fcinfo, ARG_NORM, "norm");
	options->weighting.tfidf.log_base = PG_GETARG_FLOAT8(ARG_LOG_BASE);
	options->iterations = PG_ARGISNULL(ARG_ITERATIONS) ? MOST_PASSES :
		PG_GETARG_INT32(ARG_ITERATIONS);
	options->oversampling = PG_GETARG_INT32(ARG_OVERSAMPLING);
	options->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								 PG_ARGISNULL(ARG_SEED) ? 0 :
								 PG_GETARG_INT64(ARG_SEED));
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
	option_check_argument(lsa_options, "dims", options->dims);
	option_check_argument(lsa_options, "log_base",
						  options->weighting.tfidf.log_base);
	check_log_entropy(&options->weighting);
	if (options->iterations < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("iterations must be at least 1")));
	if (options->oversampling < 0 || options->oversampling > MOST_OVERSAMPLING)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("oversampling must be between 0 and %d",
						MOST_OVERSAMPLING)));
}

static void
define_model(const Training *training, ModelDefinition *definition)
{
	const Options *options = &training->options;
	const Weighting *tfidf = &options->weighting.tfidf;

	model_definition_init(definition, options->model, &lsa_method,
						  options->replace);
	definition->typmods[TERMS_VECTOR] = options->dims;
	model_definition_int(definition, "dims", options->dims);
	model_definition_config(definition, training->terms.config);
	model_definition_int(definition, "min_token_length",
						 training->terms.min_token_length);
	model_definition_int(definition, "min_ngram", training->terms.min_ngram);
	model_definition_int(definition, "max_ngram", training->terms.max_ngram);
	model_definition_text(definition, "weighting",
						  lsa_weightings[options->weighting.log_entropy]);
	if (!options->weighting.log_entropy)
	{
		model_definition_text(definition, "tf", tf_names[tfidf->tf]);
		model_definition_text(definition, "idf", idf_names[tfidf->idf]);
		model_definition_float(definition, "log_base", tfidf->log_base);
	}
	model_definition_text(definition, "norm", norm_names[tfidf->norm]);
}

/* ---------- from texts to the matrix ---------- */

static SparseFile *
count_corpus(Training *training)
{
	SparseEncoder *encoder = training->encoder;
	SparseFile *counts = sparse_file_create();
	Corpus	   *corpus = corpus_open(training->options.corpus,
									 training->terms.config);
	CorpusDocument row;

	progress_phase(training->progress, "reading corpus", 0);
	while (corpus_next(corpus, &row))
	{
		text	   *input = cstring_to_text_with_len(row.text, row.length);
		EncodedDocument document;

		sparse_encoder_count(encoder, input, &document);
		sparse_file_reserve(counts, document.count);
		for (int i = 0; i < document.count; i++)
		{
			counts->keys[i] = document.counts[i].key;
			counts->values[i] = document.counts[i].count;
		}
		sparse_file_put(counts, document.count);
		pfree(input);
		CHECK_FOR_INTERRUPTS();
		progress_update(training->progress, (double) counts->rows, NAN);
	}
	corpus_close(corpus);
	return counts;
}

/*
 * One less the entropy of how a term is spread over the documents, in units
 * of the largest there could be: gensim's, whose unit is log(documents + 1).
 */
static void
weigh_by_entropy(Training *training, SparseFile *counts)
{
	double	   *sums = palloc_extended(sizeof(double) * training->terms_count,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	double	   *weights = training->term_weights;
	double		unit = log(counts->rows + 1.0);

	sparse_file_rewind(counts);
	while (sparse_file_next(counts))
		for (int i = 0; i < counts->count; i++)
			sums[counts->keys[i]] += counts->values[i];
	for (int t = 0; t < training->terms_count; t++)
		weights[t] = 1;
	sparse_file_rewind(counts);
	while (sparse_file_next(counts))
		for (int i = 0; i < counts->count; i++)
		{
			double		share = counts->values[i] / sums[counts->keys[i]];

			weights[counts->keys[i]] += share * log(share) / unit;
		}
	pfree(sums);
}

static void
weigh_by_idf(Training *training)
{
	const Vocabulary *vocabulary = &training->encoder->vocabulary;
	const Weighting *weighting = &training->options.weighting.tfidf;

	for (int64 t = 0; t < vocabulary->totals->terms; t++)
	{
		training->term_weights[t] = vocabulary_idf(vocabulary, weighting,
												   (int) t);
		if (isinf(training->term_weights[t]))
			vocabulary_refuse_idf(vocabulary, &vocabulary->entries[t]);
	}
}

/* Documents without a weight are left out: they change nothing. */
static void
weigh_documents(Training *training, SparseFile *counts)
{
	KeyCount   *keys = palloc_extended(sizeof(KeyCount) * counts->longest,
									   MCXT_ALLOC_HUGE);
	double	   *weights = palloc_extended(sizeof(double) * counts->longest,
										  MCXT_ALLOC_HUGE);

	training->matrix = sparse_file_create();
	sparse_file_reserve(training->matrix, counts->longest);
	sparse_file_rewind(counts);
	while (sparse_file_next(counts))
	{
		for (int i = 0; i < counts->count; i++)
		{
			keys[i].key = counts->keys[i];
			keys[i].count = (int32) counts->values[i];
		}
		if (!lsa_weigh(&training->options.weighting, training->term_weights,
					   counts->count, keys, weights))
			continue;
		for (int i = 0; i < counts->count; i++)
		{
			training->matrix->keys[i] = keys[i].key;
			training->matrix->values[i] = (float) weights[i];
		}
		sparse_file_put(training->matrix, counts->count);
	}
	pfree(keys);
	pfree(weights);
}

static int64
read_matrix(Training *training)
{
	SparseFile *counts = count_corpus(training);
	int64		documents = counts->rows;

	training->term_weights = palloc_extended(
		sizeof(double) * Max(training->terms_count, 1), MCXT_ALLOC_HUGE);
	if (training->options.weighting.log_entropy)
		weigh_by_entropy(training, counts);
	else
		weigh_by_idf(training);
	weigh_documents(training, counts);
	sparse_file_free(counts);
	if (training->matrix->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("corpus has no term of the vocabulary with a weight"),
				 errdetail("Number of texts: " INT64_FORMAT ".", documents)));
	return documents;
}

/* ---------- decomposition ---------- */

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

static void
multiply(SparseFile *matrix, Krylov *krylov)
{
	memset(krylov->image, 0,
		   sizeof(float) * krylov->rows * KRYLOV_BLOCK);
	sparse_file_rewind(matrix);
	while (sparse_file_next(matrix))
		krylov_add_row(krylov, matrix->count, matrix->keys, matrix->values);
}

/*
 * Columns of the basis: more for more oversampling, fewer where they would
 * not fit into maintenance_work_mem.
 */
static int
basis_columns(const Options *options, int64 terms)
{
	int			least = krylov_least_columns(options->dims);
	int			most = least + 2 * KRYLOV_BLOCK * options->oversampling;

	while (most > least && krylov_bytes(terms, options->dims, most) >
		   (size_t) maintenance_work_mem * 1024)
		most -= KRYLOV_BLOCK;
	return Max(most, least);
}

/* Each value is the length of the matrix along its axis, summed in double. */
static void
measure_values(Training *training)
{
	SparseFile *matrix = training->matrix;
	int			dims = training->options.dims;
	float	   *folded = palloc(sizeof(float) * dims);
	double	   *values = training->values;

	memset(values, 0, sizeof(double) * dims);
	sparse_file_rewind(matrix);
	while (sparse_file_next(matrix))
	{
		memset(folded, 0, sizeof(float) * dims);
		for (int i = 0; i < matrix->count; i++)
			layer->add_scaled(dims, matrix->values[i], training->vectors +
							  (Size) matrix->keys[i] * dims, folded);
		for (int d = 0; d < dims; d++)
			values[d] += (double) folded[d] * folded[d];
	}
	for (int d = 0; d < dims; d++)
		values[d] = sqrt(values[d]);
	pfree(folded);
}

/* Axes along which there is nothing are zero. */
static void
drop_empty_axes(Training *training)
{
	int			dims = training->options.dims;

	for (int d = 0; d < dims; d++)
	{
		if (training->values[d] > LEAST_VALUE * training->values[0])
			continue;
		training->values[d] = 0;
		for (int t = 0; t < training->terms_count; t++)
			training->vectors[(Size) t * dims + d] = 0;
	}
}

static void
decompose(Training *training)
{
	const Options *options = &training->options;
	SparseFile *matrix = training->matrix;
	int			columns = basis_columns(options, training->terms_count);
	Size		bytes = krylov_bytes(training->terms_count, options->dims,
									 columns);
	char	   *memory = palloc_extended(bytes + 64, MCXT_ALLOC_HUGE);
	bool		more;
	Krylov		krylov;

	progress_phase(training->progress, "decomposing", 0);
	krylov_begin(&krylov, training->terms_count, options->dims, columns,
				 (void *) TYPEALIGN(64, memory), options->seed,
				 check_interrupts);
	do
	{
		multiply(matrix, &krylov);
		more = krylov_advance(&krylov);
		progress_update(training->progress,
						(double) matrix->rows * matrix->passes, NAN);
	} while (more && matrix->passes < options->iterations);

	training->vectors = palloc_extended(
		sizeof(float) * (Size) training->terms_count * options->dims,
		MCXT_ALLOC_HUGE);
	training->values = palloc(sizeof(double) * options->dims);
	krylov_finish(&krylov, training->vectors, training->values);
	pfree(memory);
	measure_values(training);
	drop_empty_axes(training);
	progress_result(training->progress,
					psprintf("%d singular values of " INT64_FORMAT
							 " documents and %d terms, %g to %g, in %d passes%s",
							 options->dims, matrix->rows,
							 training->terms_count,
							 training->values[0],
							 training->values[options->dims - 1],
							 matrix->passes,
							 more ? ", not yet settled" : ""));
}

/* ---------- the table ---------- */

static Oid
write_model(Training *training, ModelDefinition *definition, int64 documents)
{
	const Vocabulary *vocabulary = &training->encoder->vocabulary;
	int			dims = training->options.dims;
	ModelWriter *writer = model_create(definition);
	Vector	   *vector = vector_create(dims);
	Datum		values[TERMS_COLUMNS];
	bool		nulls[TERMS_COLUMNS] = {false};

	progress_phase(training->progress, "writing model",
				   (double) vocabulary->totals->terms);
	for (int d = 0; d < dims; d++)
		vector->x[d] = (float) training->values[d];
	values[TERMS_ID] = Int32GetDatum(0);
	values[TERMS_TERM] = (Datum) 0;
	nulls[TERMS_TERM] = true;
	values[TERMS_WEIGHT] = Float8GetDatum((double) documents);
	values[TERMS_VECTOR] = PointerGetDatum(vector);
	model_write_row(writer, values, nulls);
	nulls[TERMS_TERM] = false;
	for (int64 t = 0; t < vocabulary->totals->terms; t++)
	{
		const VocabularyEntry *entry = &vocabulary->entries[t];
		text	   *term = cstring_to_text_with_len(
			vocabulary->texts + entry->text, entry->length);

		memcpy(vector->x, training->vectors + (Size) t * dims,
			   sizeof(float) * dims);
		values[TERMS_ID] = Int32GetDatum(entry->id);
		values[TERMS_TERM] = PointerGetDatum(term);
		values[TERMS_WEIGHT] = Float8GetDatum(training->term_weights[t]);
		model_write_row(writer, values, nulls);
		pfree(term);
		CHECK_FOR_INTERRUPTS();
		progress_update(training->progress, (double) t, NAN);
	}
	return model_finish(writer);
}

Datum
train_lsa(PG_FUNCTION_ARGS)
{
	Training	training = {0};
	ModelDefinition definition;
	Model	   *vocabulary;
	int64		documents;
	Oid			table;

	trainer_check();
	read_options(fcinfo, &training.options);
	vocabulary = model_open(fcinfo->flinfo, training.options.vocabulary,
							&vocabulary_method);
	training.encoder = sparse_encoder_open(fcinfo, vocabulary);
	training.terms_count = (int) training.encoder->vocabulary.totals->terms;
	vocabulary_term_options(&training.terms, vocabulary->description);
	define_model(&training, &definition);
	model_check_creation(&definition);
	training.progress = progress_begin(psprintf("training model \"%s\"",
												training.options.model),
									   "documents");
	documents = read_matrix(&training);
	decompose(&training);
	table = write_model(&training, &definition, documents);
	sparse_file_free(training.matrix);
	progress_end(training.progress);
	PG_RETURN_OID(table);
}
