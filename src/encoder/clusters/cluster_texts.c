/*-------------------------------------------------------------------------
 *
 * cluster_texts.c
 *	  SQL function cluster_texts: texts or vectors that are alike.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/clusters/clusters.h"

#include <math.h>

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "encoder/classifier/trained_classifier.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

EMBED_FUNCTION(cluster_texts);

/* arguments of the SQL function, in order */
enum
{
	ARG_QUERY,
	ARG_CLUSTERS,
	ARG_ENCODER,
	ARG_FEATURES,
	ARG_SEED
};

enum
{
	ITEM_KEY,
	ITEM_INPUT
};

static const QueryColumn columns[] = {
	[ITEM_KEY] = {.name = "key", .kinds = QUERY_LABEL,
		.nulls = QUERY_NULL_KEEP,
	.hint = "Cast the key to text."},
	[ITEM_INPUT] = {.name = "input", .kinds = QUERY_TEXT | QUERY_VECTOR,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Put the texts or vectors second."}
};

static const QueryDeclaration declaration = {
	.subject = "list of texts",
	.columns = columns,
	.column_count = lengthof(columns),
	.hint = "The texts are a query such as 'SELECT id, body FROM reviews'.",
	.shape = "the first is a key, the second the text or its vector"
};

typedef struct Clustering
{
	VectorRows	rows;
	Features	features;
	Tuplestorestate *keys;
	TupleTableSlot *slot;
	ClustersFit fit;
} Clustering;

static void
put_key(Clustering *clustering, const QueryValue *key)
{
	Datum		value = 0;
	bool		null = key->is_null;

	if (!null)
		value = PointerGetDatum(cstring_to_text_with_len(key->text,
														 key->length));
	tuplestore_putvalues(clustering->keys,
						 clustering->slot->tts_tupleDescriptor, &value, &null);
}

static void
read_texts(Clustering *clustering, const char *query)
{
	QueryReader *reader = query_open(&declaration, query);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "text of a cluster",
												  ALLOCSET_DEFAULT_SIZES);
	TupleDesc	shape = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(shape, 1, "key", TEXTOID, -1, 0);
	clustering->keys = tuplestore_begin_heap(false, false, work_mem);
	clustering->slot = MakeSingleTupleTableSlot(shape, &TTSOpsMinimalTuple);
	vector_rows_init(&clustering->rows);
	while (query_next(reader))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		features_of_value(&clustering->features,
						  query_value(reader, ITEM_INPUT));
		put_key(clustering, query_value(reader, ITEM_KEY));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		vector_rows_put(&clustering->rows, &clustering->features.row);
		progress_update(clustering->fit.progress,
						(double) clustering->rows.file->rows, NAN);
	}
	query_close(reader);
	MemoryContextDelete(context);
	sparse_file_keep(clustering->rows.file,
					 (Size) maintenance_work_mem * 1024 / 2);
}

static int
clusters_argument(FunctionCallInfo fcinfo)
{
	int			clusters;

	if (PG_ARGISNULL(ARG_CLUSTERS))
		return 0;
	clusters = PG_GETARG_INT32(ARG_CLUSTERS);
	if (clusters < 1 || clusters > CLUSTERS_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("clusters must be between 1 and %d", CLUSTERS_MOST)));
	return clusters;
}

static void
write_result(Clustering *clustering, struct ReturnSetInfo *set)
{
	const ClustersFit *fit = &clustering->fit;

	for (int64 n = 0; n < clustering->rows.file->rows; n++)
	{
		bool		has_cluster = fit->clusters[n] >= 0;
		Datum		values[3] = {0};
		bool		nulls[3] = {false, !has_cluster, !has_cluster};

		CHECK_FOR_INTERRUPTS();
		if (!tuplestore_gettupleslot(clustering->keys, true, false,
									 clustering->slot))
			elog(ERROR, "keys of texts are missing");
		slot_getallattrs(clustering->slot);
		values[0] = clustering->slot->tts_values[0];
		nulls[0] = clustering->slot->tts_isnull[0];
		if (has_cluster)
		{
			values[1] = Int32GetDatum(fit->clusters[n] + 1);
			values[2] = Float8GetDatum(fit->distances[n]);
		}
		set_result_add(set, values, nulls);
	}
}

/* cluster_texts(query, clusters, encoder, features, seed) */
Datum
cluster_texts(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Clustering *clustering = palloc0(sizeof(Clustering));
	ClustersFit *fit = &clustering->fit;

	if (PG_ARGISNULL(ARG_QUERY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	fit->wanted = clusters_argument(fcinfo);
	fit->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
							 PG_ARGISNULL(ARG_SEED) ? 0 :
							 PG_GETARG_INT64(ARG_SEED));
	features_of_arguments(&clustering->features, fcinfo, ARG_ENCODER);
	fit->progress = progress_begin("clustering", "texts");
	progress_phase(fit->progress, "reading texts", 0);
	read_texts(clustering, text_to_cstring(PG_GETARG_TEXT_PP(ARG_QUERY)));
	fit->rows = &clustering->rows;
	clusters_fit(fit);
	write_result(clustering, set);
	progress_result(fit->progress,
					psprintf("%d clusters of " INT64_FORMAT " texts, silhouette %.3f, %d passes",
							 fit->count, clustering->rows.file->rows,
							 fit->silhouette, fit->passes));
	ExecDropSingleTupleTableSlot(clustering->slot);
	tuplestore_end(clustering->keys);
	sparse_file_free(clustering->rows.file);
	progress_end(fit->progress);
	return (Datum) 0;
}
