/*-------------------------------------------------------------------------
 *
 * add_documents.c
 *	  add_documents: a vocabulary follows its growing corpus.
 *
 * After it every count in the table is what training on all documents at
 * once would give.  Ids never change, because vectors hold them: a term that
 * passes the cuts for the first time takes the next id, and one that passes
 * them no longer keeps its own.
 *
 * The table is locked against other writers, not against readers, before the
 * first document is counted.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "encoder/vocabulary/training.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

EMBED_FUNCTION(add_documents);

/* terms sent to the table by one statement: each statement reads the table */
#define MERGE_TERMS		200000
#define MERGE_BYTES		(16 * 1024 * 1024)

typedef struct Merge
{
	Oid			table;
	char	   *name;			/* qualified and quoted */
	int32		lowest_id;		/* so far */
	int32		highest_id;
	int64		visible;		/* terms with a dimension */
	int64		documents;		/* in the corpus, the new ones included */

	int			count;			/* terms waiting */
	Size		bytes;
	Datum	   *terms;
	Datum	   *term_documents;
	Datum	   *term_occurrences;
	MemoryContext context;		/* of their texts, emptied by each flush */
} Merge;

/*
 * The caller will read and change the whole table, so the rights are asked
 * for before the lock, which would hold others up.
 */
static void
lock_model(Oid table)
{
	const AclMode needed = ACL_SELECT | ACL_INSERT | ACL_UPDATE;

	if (pg_class_aclmask(table, GetUserId(), needed, ACLMASK_ALL) != needed)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	LockRelationOid(table, ShareRowExclusiveLock);
	if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" has row security", get_rel_name(table)),
				 errdetail("Terms hidden from the user would be counted as new ones.")));
}

static void
execute(const char *query, int expected, int count, Oid *types, Datum *values)
{
	int			result = SPI_execute_with_args(query, count, types, values, NULL,
											   false, 0);

	if (result != expected)
		elog(ERROR, "unexpected result of \"%s\": %s", query,
			 SPI_result_code_string(result));
}

static int64
result_int64(int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
									  column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/*
 * The header takes the new documents in; what stands in the table is read.
 */
static void
begin_merge(Merge *merge, Oid table, const TermCounter *counter)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2] = {Int64GetDatum(counter->documents),
	Int64GetDatum(counter->occurrences)};

	memset(merge, 0, sizeof(Merge));
	merge->table = table;
	merge->name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
											 get_rel_name(table));
	merge->terms = palloc(sizeof(Datum) * MERGE_TERMS);
	merge->term_documents = palloc(sizeof(Datum) * MERGE_TERMS);
	merge->term_occurrences = palloc(sizeof(Datum) * MERGE_TERMS);
	merge->context = AllocSetContextCreate(CurrentMemoryContext, "terms to merge",
										   ALLOCSET_DEFAULT_SIZES);

	execute(psprintf("UPDATE %s SET documents = documents OPERATOR(pg_catalog.+) $1,"
					 " occurrences = occurrences OPERATOR(pg_catalog.+) $2"
					 " WHERE id OPERATOR(pg_catalog.=) 0 RETURNING documents",
					 merge->name),
			SPI_OK_UPDATE_RETURNING, 2, types, values);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model \"%s\" has no row with id 0", get_rel_name(table)),
				 errhint("Train the model again with replace => true.")));
	merge->documents = result_int64(1);

	execute(psprintf("SELECT pg_catalog.min(id)::pg_catalog.int8,"
					 " pg_catalog.max(id)::pg_catalog.int8,"
					 " pg_catalog.count(*) FILTER (WHERE id OPERATOR(pg_catalog.>) 0)"
					 " FROM %s", merge->name),
			SPI_OK_SELECT, 0, NULL, NULL);
	merge->lowest_id = (int32) result_int64(1);
	merge->highest_id = (int32) result_int64(2);
	merge->visible = result_int64(3);
}

/*
 * Add the waiting counts to those of the terms that the table has, and the
 * other terms to the table, under the cut for now.
 */
static void
flush_merge(Merge *merge)
{
	Oid			types[4] = {TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8OID};
	Datum		values[4];

	if (merge->count == 0)
		return;
	values[0] = PointerGetDatum(construct_array(merge->terms, merge->count,
												TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(merge->term_documents, merge->count,
												INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[2] = PointerGetDatum(construct_array(merge->term_occurrences, merge->count,
												INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[3] = Int64GetDatum(merge->lowest_id);
	execute(psprintf("WITH added AS MATERIALIZED"
					 " (SELECT term, documents, occurrences FROM"
					 "  ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
					 "  AS a (term, documents, occurrences)),"
					 " known AS"
					 " (UPDATE %1$s AS v SET"
					 "  documents = v.documents OPERATOR(pg_catalog.+) added.documents,"
					 "  occurrences = v.occurrences OPERATOR(pg_catalog.+) added.occurrences"
					 "  FROM added WHERE v.term COLLATE pg_catalog.\"C\""
					 "   OPERATOR(pg_catalog.=) added.term COLLATE pg_catalog.\"C\""
					 "  RETURNING v.term)"
					 " INSERT INTO %1$s (id, term, documents, occurrences)"
					 " SELECT ($4 OPERATOR(pg_catalog.-) pg_catalog.row_number() OVER ())::pg_catalog.int4,"
					 "  term, documents, occurrences FROM added WHERE NOT EXISTS"
					 " (SELECT FROM known WHERE known.term COLLATE pg_catalog.\"C\""
					 "  OPERATOR(pg_catalog.=) added.term COLLATE pg_catalog.\"C\")",
					 merge->name),
			SPI_OK_INSERT, 4, types, values);
	merge->lowest_id -= (int32) SPI_processed;

	for (int i = 0; i < 3; i++)
		pfree(DatumGetPointer(values[i]));
	MemoryContextReset(merge->context);
	merge->count = 0;
	merge->bytes = 0;
}

static void
merge_term(Merge *merge, const CountedTerm *term)
{
	MemoryContext old = MemoryContextSwitchTo(merge->context);

	merge->terms[merge->count] =
		PointerGetDatum(cstring_to_text_with_len(term->text, term->length));
	merge->term_documents[merge->count] = Int64GetDatum(term->documents);
	merge->term_occurrences[merge->count] = Int64GetDatum(term->occurrences);
	MemoryContextSwitchTo(old);

	merge->count++;
	merge->bytes += term->length;
	if (merge->count == MERGE_TERMS || merge->bytes >= MERGE_BYTES)
		flush_merge(merge);
}

/*
 * Terms under the cut that pass it now take the next ids.
 */
static void
promote_terms(Merge *merge, const ModelDescription *description)
{
	Oid			types[4] = {INT8OID, INT8OID, INT8OID, INT4OID};
	Datum		values[4];
	VocabularyCuts cuts;
	int			dims = (int) model_option_int(description, "dims");
	int64		lowest;
	int64		highest;
	int64		room;

	cuts_of_description(&cuts, description);
	cuts_range(&cuts, merge->documents, &lowest, &highest);
	room = cuts.max_terms == 0 ? PG_INT32_MAX : Max(0, cuts.max_terms - merge->visible);
	values[0] = Int64GetDatum(lowest);
	values[1] = Int64GetDatum(highest);
	values[2] = Int64GetDatum(room);
	values[3] = Int32GetDatum(merge->highest_id);
	execute(psprintf("WITH risen AS (SELECT id, term, occurrences FROM %1$s"
					 "  WHERE id OPERATOR(pg_catalog.<) 0"
					 "  AND documents OPERATOR(pg_catalog.>=) $1"
					 "  AND documents OPERATOR(pg_catalog.<=) $2"
					 "  ORDER BY occurrences DESC, term COLLATE pg_catalog.\"C\" LIMIT $3),"
					 " numbered AS (SELECT id, $4 OPERATOR(pg_catalog.+)"
					 "  (pg_catalog.row_number() OVER (ORDER BY %2$s term COLLATE pg_catalog.\"C\"))::pg_catalog.int4"
					 "  AS new_id FROM risen)"
					 " UPDATE %1$s AS v SET id = numbered.new_id FROM numbered"
					 " WHERE v.id OPERATOR(pg_catalog.=) numbered.id",
					 merge->name,
					 model_option_int(description, "sort_by") == TERM_ORDER_TERM ?
					 "" : "occurrences DESC,"),
			SPI_OK_UPDATE, 4, types, values);

	if (merge->highest_id + (int64) SPI_processed > VOCABULARY_MAX_ID(dims))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vocabulary \"%s\" is full", description->table_name),
				 errdetail("It would grow to %lld terms, but its vectors have %d dimensions, one of them kept for the constant of bm25l.",
						   (long long) (merge->highest_id + SPI_processed), dims),
				 errhint("Train the model again with replace => true and a larger capacity, or with min_documents or max_terms.")));
}

Datum
add_documents(PG_FUNCTION_ARGS)
{
	Oid			table = PG_GETARG_OID(0);
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ModelDescription *description;
	TermOptions options;
	TermCounter *counter;
	CountedTerm term;
	Merge		merge;
	int64		documents;

	model_require_method(model_describe(table), vocabulary_method.name);
	lock_model(table);

	/* once more: it may have been replaced while we waited */
	description = model_describe(table);
	model_require_method(description, vocabulary_method.name);
	vocabulary_term_options(&options, description);

	counter = count_corpus(query, &options,
						   psprintf("adding documents to vocabulary \"%s\"",
									description->table_name));
	documents = counter->documents;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	begin_merge(&merge, table, counter);
	while (term_counter_next(counter, &term))
		merge_term(&merge, &term);
	flush_merge(&merge);
	promote_terms(&merge, description);
	SPI_finish();
	term_counter_free(counter);

	PG_RETURN_INT64(documents);
}
