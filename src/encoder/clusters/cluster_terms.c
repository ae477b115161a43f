/*-------------------------------------------------------------------------
 *
 * cluster_terms.c
 *	  SQL function cluster_terms: what the texts of each cluster are about.
 *
 * A term speaks for a cluster by how much heavier it is there than in all
 * texts: the mean of its TF-IDF weights in the cluster less the mean in all.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/clusters/clusters.h"

#include <math.h>

#include "encoder/classifier/trained_classifier.h"
#include "encoder/vocabulary/heavy_terms.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(cluster_terms);

/* arguments of the SQL function, in order */
enum
{
	ARG_QUERY,
	ARG_VOCABULARY,
	ARG_COUNT
};

enum
{
	ITEM_CLUSTER,
	ITEM_TEXT
};

static const QueryColumn columns[] = {
	[ITEM_CLUSTER] = {.name = "cluster", .kinds = QUERY_LABEL,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Cast the cluster to text."},
	[ITEM_TEXT] = {.name = "text", .kinds = QUERY_TEXT,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Put the texts second."}
};

static const QueryDeclaration declaration = {
	.subject = "list of clusters",
	.columns = columns,
	.column_count = lengthof(columns),
	.hint = "The clusters are a query such as 'SELECT cluster, body FROM clustered'.",
	.shape = "the first is the cluster, the second a text of it"
};

typedef struct Naming
{
	VectorRows	rows;
	Features	features;
	WordNumbers names;			/* of the clusters, as they come */
	int32	   *clusters;		/* of each row */
	int64		room;
	int			count;			/* of clusters */
	double	   *sums;			/* count x features */
	double	   *totals;			/* of all clusters */
	Progress   *progress;
} Naming;

static void
put_cluster(Naming *naming, const QueryValue *name)
{
	uint32		number = word_number(&naming->names, name->text, name->length,
									 hash_bytes64(name->text, name->length));
	int64		row = naming->rows.file->rows - 1;

	if (number >= CLUSTERS_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("texts have more than %d clusters", CLUSTERS_MOST)));
	word_of_number(&naming->names, number)->count++;
	if (row >= naming->room)
	{
		naming->room = Max(1024, 2 * naming->room);
		naming->clusters = naming->clusters == NULL ?
			palloc(sizeof(int32) * naming->room) :
			repalloc_huge(naming->clusters, sizeof(int32) * naming->room);
	}
	naming->clusters[row] = (int32) number;
}

static void
read_clusters(Naming *naming, const char *query)
{
	QueryReader *reader = query_open(&declaration, query);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "text of a cluster",
												  ALLOCSET_DEFAULT_SIZES);

	progress_phase(naming->progress, "reading texts", 0);
	vector_rows_init(&naming->rows);
	word_numbers_init(&naming->names, NULL, 0);
	while (query_next(reader))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		features_of_value(&naming->features, query_value(reader, ITEM_TEXT));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		vector_rows_put(&naming->rows, &naming->features.row);
		put_cluster(naming, query_value(reader, ITEM_CLUSTER));
		progress_update(naming->progress, (double) naming->rows.file->rows,
						NAN);
	}
	query_close(reader);
	MemoryContextDelete(context);
	naming->count = (int) naming->names.count;
}

static void
sum_terms(Naming *naming)
{
	SparseFile *file = naming->rows.file;
	Size		features = (Size) naming->rows.features;
	Size		bytes = sizeof(double) * features *
		((Size) naming->count + 1);

	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("terms of the clusters do not fit into maintenance_work_mem"),
				 errdetail("%d clusters with %d terms need %zu MB.",
						   naming->count, naming->rows.features,
						   bytes / (1024 * 1024) + 1),
				 errhint("SET maintenance_work_mem = '%zuMB';",
						 bytes / (1024 * 1024) + 1)));
	naming->sums = palloc_extended(Max(bytes, 1),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	naming->totals = naming->sums + features * naming->count;
	sparse_file_rewind(file);
	for (int64 n = 0; sparse_file_next(file); n++)
		for (int i = 0; i < file->count; i++)
		{
			naming->sums[features * naming->clusters[n] + file->keys[i]] +=
				file->values[i];
			naming->totals[file->keys[i]] += file->values[i];
		}
}

/* ---------- the heaviest terms ---------- */

static void
weigh_terms(const Naming *naming, int cluster, HeavyTerm *terms)
{
	Size		features = (Size) naming->rows.features;
	double		size = (double) word_of_number(&naming->names,
											   cluster)->count;

	for (Size f = 0; f < features; f++)
	{
		terms[f].dimension = naming->rows.dimensions[f];
		terms[f].weight = naming->sums[features * cluster + f] / size -
			naming->totals[f] / (double) naming->rows.file->rows;
		/* one cluster has nothing to be told apart from */
		if (naming->count == 1)
			terms[f].weight = naming->totals[f] / size;
	}
}

static void
write_terms(const Naming *naming, const Vocabulary *vocabulary, int cluster,
			HeavyTerm *terms, int most, struct ReturnSetInfo *set)
{
	const EncodedWord *name = word_of_number(&naming->names, cluster);
	int			count = heavy_terms(vocabulary, terms, naming->rows.features,
									most);

	for (int i = 0; i < count; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(name->text,
															 name->length));
		heavy_term_values(vocabulary, &terms[i], values + 1);
		set_result_add(set, values, nulls);
	}
}

static int
count_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_COUNT) || PG_GETARG_INT32(ARG_COUNT) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be negative")));
	return PG_GETARG_INT32(ARG_COUNT);
}

static Model *
vocabulary_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_QUERY) || PG_ARGISNULL(ARG_VOCABULARY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null",
						PG_ARGISNULL(ARG_QUERY) ? "query" : "vocabulary")));
	return model_open(fcinfo->flinfo, PG_GETARG_OID(ARG_VOCABULARY),
					  &vocabulary_method);
}

/* cluster_terms(query, vocabulary, count) -> (cluster, term, weight) */
Datum
cluster_terms(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Naming	   *naming = palloc0(sizeof(Naming));
	Model	   *model = vocabulary_argument(fcinfo);
	int			most = count_argument(fcinfo);
	Vocabulary	vocabulary;
	HeavyTerm  *terms;

	vocabulary_attach(&vocabulary, model);
	features_init_tfidf(&naming->features, PG_GETARG_OID(ARG_VOCABULARY));
	naming->progress = progress_begin("naming clusters", "texts");
	read_clusters(naming, text_to_cstring(PG_GETARG_TEXT_PP(ARG_QUERY)));
	sum_terms(naming);
	terms = heavy_terms_allocate(naming->rows.features);
	for (int k = 0; k < naming->count; k++)
	{
		weigh_terms(naming, k, terms);
		write_terms(naming, &vocabulary, k, terms, most, set);
	}
	sparse_file_free(naming->rows.file);
	progress_end(naming->progress);
	return (Datum) 0;
}
