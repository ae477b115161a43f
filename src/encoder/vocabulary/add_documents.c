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
 * A document changes a few rows of a large table.  Terms that have an id are
 * found in the model's image, and their rows by primary key; only terms that
 * are not there are looked for among those under the cut, which are together
 * at the lower end of the key.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "encoder/vocabulary/training.h"
#include "executor/spi.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(add_documents);

/* terms sent to the table by one statement, which may read much of it */
#define MERGE_TERMS		200000
#define MERGE_BYTES		(16 * 1024 * 1024)

/* Terms of one kind that wait for their statement, as its arrays */
typedef struct TermBatch
{
	int			count;
	int			capacity;
	Size		bytes;
	Oid			key_type;
	Datum	   *keys;			/* ids, or texts */
	Datum	   *documents;
	Datum	   *occurrences;
	MemoryContext context;		/* of texts, emptied by each flush */
} TermBatch;

typedef struct Merge
{
	Oid			table;
	char	   *name;			/* qualified and quoted */
	Vocabulary	vocabulary;		/* as it was before */
	int32		lowest_id;		/* so far */
	int32		highest_id;
	int64		visible;		/* terms with a dimension */
	int64		documents;		/* in the corpus, the new ones included */
	TermBatch	known;			/* by id */
	TermBatch	others;			/* by text: under the cut, or new */
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
 * Whether row 0 counts something, without which there is no image; and the
 * lowest id.
 */
static bool
read_table(Merge *merge)
{
	execute(psprintf("SELECT pg_catalog.min(id)::pg_catalog.int8,"
					 " (SELECT (documents OPERATOR(pg_catalog.>) 0"
					 "   AND occurrences OPERATOR(pg_catalog.>) 0)::pg_catalog.int4::pg_catalog.int8"
					 "  FROM %1$s WHERE id OPERATOR(pg_catalog.=) 0)"
					 " FROM %1$s", merge->name),
			SPI_OK_SELECT, 0, NULL, NULL);
	merge->lowest_id = (int32) Min(result_int64(1), 0);
	return result_int64(2) != 0;
}

/*
 * The image of what the table holds now.  Nobody else changes it: we have
 * locked it.
 */
static void
open_vocabulary(Merge *merge, FmgrInfo *flinfo)
{
	const VocabularyTotals *totals;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	vocabulary_attach(&merge->vocabulary,
					  model_open(flinfo, merge->table, &vocabulary_method));
	PopActiveSnapshot();
	totals = merge->vocabulary.totals;
	merge->visible = totals->terms;
	merge->highest_id = totals->terms == 0 ? 0 :
		merge->vocabulary.entries[totals->terms - 1].id;
}

/* The header takes the new documents in. */
static void
update_header(Merge *merge, const TermCounter *counter)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2] = {Int64GetDatum(counter->documents),
	Int64GetDatum(counter->occurrences)};

	execute(psprintf("UPDATE %s SET documents = documents OPERATOR(pg_catalog.+) $1,"
					 " occurrences = occurrences OPERATOR(pg_catalog.+) $2"
					 " WHERE id OPERATOR(pg_catalog.=) 0 RETURNING documents",
					 merge->name),
			SPI_OK_UPDATE_RETURNING, 2, types, values);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no row with id 0",
						get_rel_name(merge->table)),
				 errhint("Train the model again with replace => true.")));
	merge->documents = result_int64(1);
}

static void
begin_merge(Merge *merge, FmgrInfo *flinfo, Oid table,
			const TermCounter *counter)
{
	bool		counted;

	memset(merge, 0, sizeof(Merge));
	merge->table = table;
	merge->name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
											 get_rel_name(table));
	merge->known.key_type = INT4OID;
	merge->others.key_type = TEXTOID;

	/* an image before the header changes is likely to be at hand */
	counted = read_table(merge);
	if (counted)
		open_vocabulary(merge, flinfo);
	update_header(merge, counter);
	if (!counted)
		open_vocabulary(merge, flinfo);
}

/* ---------- terms waiting ---------- */

static void
batch_reserve(TermBatch *batch)
{
	if (batch->context == NULL)
		batch->context = AllocSetContextCreate(CurrentMemoryContext,
											   "terms to merge",
											   ALLOCSET_DEFAULT_SIZES);
	if (batch->count < batch->capacity)
		return;
	if (batch->capacity == 0)
	{
		batch->capacity = 64;
		batch->keys = palloc(sizeof(Datum) * batch->capacity);
		batch->documents = palloc(sizeof(Datum) * batch->capacity);
		batch->occurrences = palloc(sizeof(Datum) * batch->capacity);
		return;
	}
	batch->capacity *= 2;
	batch->keys = repalloc(batch->keys, sizeof(Datum) * batch->capacity);
	batch->documents = repalloc(batch->documents,
								sizeof(Datum) * batch->capacity);
	batch->occurrences = repalloc(batch->occurrences,
								  sizeof(Datum) * batch->capacity);
}

static void
batch_add(TermBatch *batch, Datum key, const CountedTerm *term)
{
	batch->keys[batch->count] = key;
	batch->documents[batch->count] = Int64GetDatum(term->documents);
	batch->occurrences[batch->count] = Int64GetDatum(term->occurrences);
	batch->count++;
	batch->bytes += term->length;
}

static bool
batch_is_full(const TermBatch *batch)
{
	return batch->count == MERGE_TERMS || batch->bytes >= MERGE_BYTES;
}

/* The arrays of a batch: three arguments of its statement */
static void
batch_arguments(const TermBatch *batch, Oid *types, Datum *values)
{
	bool		by_id = batch->key_type == INT4OID;

	types[0] = by_id ? INT4ARRAYOID : TEXTARRAYOID;
	types[1] = types[2] = INT8ARRAYOID;
	values[0] = PointerGetDatum(construct_array(batch->keys, batch->count,
												batch->key_type,
												by_id ? 4 : -1, by_id,
												TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(batch->documents, batch->count,
												INT8OID, 8, FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	values[2] = PointerGetDatum(construct_array(batch->occurrences,
												batch->count, INT8OID, 8,
												FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
}

static void
batch_empty(TermBatch *batch, Datum *values)
{
	for (int i = 0; i < 3; i++)
		pfree(DatumGetPointer(values[i]));
	MemoryContextReset(batch->context);
	batch->count = 0;
	batch->bytes = 0;
}

/* Add the waiting counts to those of the terms with an id. */
static void
flush_known(Merge *merge)
{
	Oid			types[3];
	Datum		values[3];

	if (merge->known.count == 0)
		return;
	batch_arguments(&merge->known, types, values);
	execute(psprintf("UPDATE %s AS v SET"
					 " documents = v.documents OPERATOR(pg_catalog.+) added.documents,"
					 " occurrences = v.occurrences OPERATOR(pg_catalog.+) added.occurrences"
					 " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
					 "  AS added (id, documents, occurrences)"
					 " WHERE v.id OPERATOR(pg_catalog.=) added.id", merge->name),
			SPI_OK_UPDATE, 3, types, values);
	if (SPI_processed != merge->known.count)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("terms of model \"%s\" are not in its table",
						get_rel_name(merge->table)),
				 errdetail("%llu of %d were found.",
						   (unsigned long long) SPI_processed,
						   merge->known.count),
				 errhint("If the table was changed while its trigger was disabled, call embed_refresh().")));
	batch_empty(&merge->known, values);
}

/*
 * Add the waiting counts to those of the terms under the cut, and the other
 * terms to the table, under the cut for now.
 */
static void
flush_others(Merge *merge)
{
	Oid			types[4];
	Datum		values[4];

	if (merge->others.count == 0)
		return;
	batch_arguments(&merge->others, types, values);
	types[3] = INT8OID;
	values[3] = Int64GetDatum(merge->lowest_id);
	execute(psprintf("WITH added AS MATERIALIZED"
					 " (SELECT term, documents, occurrences FROM"
					 "  ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
					 "  AS a (term, documents, occurrences)),"
					 " known AS"
					 " (UPDATE %1$s AS v SET"
					 "  documents = v.documents OPERATOR(pg_catalog.+) added.documents,"
					 "  occurrences = v.occurrences OPERATOR(pg_catalog.+) added.occurrences"
					 "  FROM added WHERE v.id OPERATOR(pg_catalog.>=) $4::pg_catalog.int4"
					 "   AND v.id OPERATOR(pg_catalog.<) 0"
					 "   AND v.term COLLATE pg_catalog.\"C\""
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
	batch_empty(&merge->others, values);
}

static void
merge_term(Merge *merge, const CountedTerm *counted)
{
	uint64		hash = hash_bytes64(counted->text, counted->length);
	Term		term = {counted->text, counted->length, hash,
	text_key(counted->text, counted->length, hash)};
	int32		entry = vocabulary_find(&merge->vocabulary, &term);
	TermBatch  *batch = entry >= 0 ? &merge->known : &merge->others;

	batch_reserve(batch);
	if (entry >= 0)
		batch_add(batch, Int32GetDatum(merge->vocabulary.entries[entry].id),
				  counted);
	else
	{
		MemoryContext old = MemoryContextSwitchTo(batch->context);
		text	   *copy = cstring_to_text_with_len(counted->text,
													counted->length);

		MemoryContextSwitchTo(old);
		batch_add(batch, PointerGetDatum(copy), counted);
	}
	if (batch_is_full(&merge->known))
		flush_known(merge);
	if (batch_is_full(&merge->others))
		flush_others(merge);
}

/*
 * Terms under the cut that pass it now take the next ids.
 */
static void
promote_terms(Merge *merge, const ModelDescription *description)
{
	Oid			types[5] = {INT8OID, INT8OID, INT8OID, INT4OID, INT4OID};
	Datum		values[5];
	VocabularyCuts cuts;
	int			dims = (int) model_option_int(description, "dims");
	int64		lowest;
	int64		highest;
	int64		room;

	if (merge->lowest_id == 0)
		return;					/* no term is under the cut */
	cuts_of_description(&cuts, description);
	cuts_range(&cuts, merge->documents, &lowest, &highest);
	room = cuts.max_terms == 0 ? PG_INT32_MAX : Max(0, cuts.max_terms - merge->visible);
	values[0] = Int64GetDatum(lowest);
	values[1] = Int64GetDatum(highest);
	values[2] = Int64GetDatum(room);
	values[3] = Int32GetDatum(merge->highest_id);
	values[4] = Int32GetDatum(merge->lowest_id);
	execute(psprintf("WITH risen AS (SELECT id, term, occurrences FROM %1$s"
					 "  WHERE id OPERATOR(pg_catalog.>=) $5"
					 "  AND id OPERATOR(pg_catalog.<) 0"
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
			SPI_OK_UPDATE, 5, types, values);

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
	ModelCaller caller;
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

	model_become_writer(table, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	begin_merge(&merge, fcinfo->flinfo, table, counter);
	while (term_counter_next(counter, &term))
		merge_term(&merge, &term);
	flush_known(&merge);
	flush_others(&merge);
	model_close(fcinfo->flinfo);
	promote_terms(&merge, description);
	SPI_finish();
	model_become_caller(&caller);
	term_counter_free(counter);

	PG_RETURN_INT64(documents);
}
