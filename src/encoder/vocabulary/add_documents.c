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
 * A document changes a few rows of a large table.  All its terms are found
 * through the model's image, and their rows by primary key: of a term under
 * the cut the image knows which ids it may have, and the table decides.  Only
 * where the cut may let terms pass that the documents do not hold are all
 * terms under it looked at.
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
#include "server/execute.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(add_documents);

/* terms sent to the table by one statement */
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

/* Numbers that become an array of a statement */
typedef struct IdList
{
	int			count;
	int			capacity;
	Datum	   *ids;
} IdList;

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
	IdList		candidates;		/* ids that those waiting may have */
	IdList		touched;		/* ids under the cut with new counts */
	bool		many_touched;	/* so many that not all are listed */
	int64		hidden_documents;	/* see VocabularyTotals; before */
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

/* A number of a row that a statement of ours has returned */
static int64
number_of(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? 0 : DatumGetInt64(values[column]);
}

/*
 * Whether row 0 counts something, without which there is no image; and the
 * lowest id.
 */
static bool
read_table(Merge *merge)
{
	Datum		values[2];
	bool		nulls[2];

	/* EXECUTE_ANY: a new snapshot, which sees what the lock has waited for */
	(void) execute_row(psprintf("SELECT pg_catalog.min(id)::pg_catalog.int8,"
								" (SELECT (documents OPERATOR(pg_catalog.>) 0"
								"   AND occurrences OPERATOR(pg_catalog.>) 0)::pg_catalog.int4::pg_catalog.int8"
								"  FROM %1$s WHERE id OPERATOR(pg_catalog.=) 0)"
								" FROM %1$s", merge->name),
					   EXECUTE_ANY, NULL, 2, values, nulls);
	merge->lowest_id = (int32) Min(number_of(values, nulls, 0), 0);
	return number_of(values, nulls, 1) != 0;
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
	merge->hidden_documents = totals->hidden_documents;
	merge->highest_id = totals->terms == 0 ? 0 :
		merge->vocabulary.entries[totals->terms - 1].id;
}

/* The header takes the new documents in. */
static void
update_header(Merge *merge, const TermCounter *counter)
{
	const Oid	types[2] = {INT8OID, INT8OID};
	const Datum values[2] = {Int64GetDatum(counter->documents),
	Int64GetDatum(counter->occurrences)};
	ExecuteArguments arguments = {2, types, values, NULL};
	Datum		documents;
	bool		isnull;

	if (!execute_row(psprintf("UPDATE %s SET documents = documents OPERATOR(pg_catalog.+) $1,"
							  " occurrences = occurrences OPERATOR(pg_catalog.+) $2"
							  " WHERE id OPERATOR(pg_catalog.=) 0 RETURNING documents",
							  merge->name),
					 SPI_OK_UPDATE_RETURNING, &arguments, 1, &documents,
					 &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no row with id 0",
						get_rel_name(merge->table)),
				 errhint("Train the model again with replace => true.")));
	merge->documents = number_of(&documents, &isnull, 0);
}

static void
begin_merge(Merge *merge, FmgrInfo *flinfo, Oid table,
			const TermCounter *counter)
{
	bool		counted;

	memset(merge, 0, sizeof(Merge));
	merge->table = table;
	merge->name = quote_qualified_identifier(
		get_namespace_name(get_rel_namespace(table)), get_rel_name(table));
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

/* ---------- lists of ids ---------- */

static void
id_list_add(IdList *list, int32 id)
{
	if (list->ids == NULL)
	{
		list->capacity = 64;
		list->ids = palloc(sizeof(Datum) * list->capacity);
	}
	else if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->ids = repalloc_huge(list->ids, sizeof(Datum) * list->capacity);
	}
	list->ids[list->count++] = Int32GetDatum(id);
}

static Datum
id_list_array(const IdList *list)
{
	return PointerGetDatum(construct_array(list->ids, list->count, INT4OID,
										   4, true, TYPALIGN_INT));
}

/* The counts of these terms under the cut have changed: they may rise. */
static void
note_touched(Merge *merge, Datum array)
{
	Datum	   *ids;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), INT4OID, 4, true,
					  TYPALIGN_INT, &ids, NULL, &count);
	merge->many_touched |= merge->touched.count + count > MERGE_TERMS;
	for (int i = 0; i < count && !merge->many_touched; i++)
		id_list_add(&merge->touched, DatumGetInt32(ids[i]));
	pfree(ids);
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
	ExecuteArguments arguments = {3, types, values, NULL};
	uint64		found;

	if (merge->known.count == 0)
		return;
	batch_arguments(&merge->known, types, values);
	found = execute_with(psprintf("UPDATE %s AS v SET"
								  " documents = v.documents OPERATOR(pg_catalog.+) added.documents,"
								  " occurrences = v.occurrences OPERATOR(pg_catalog.+) added.occurrences"
								  " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
								  "  AS added (id, documents, occurrences)"
								  " WHERE v.id OPERATOR(pg_catalog.=) added.id",
								  merge->name),
						 SPI_OK_UPDATE, &arguments);
	if (found != merge->known.count)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("terms of model \"%s\" are not in its table",
						get_rel_name(merge->table)),
				 errdetail("%llu of %d were found.",
						   (unsigned long long) found, merge->known.count),
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
	Oid			types[5];
	Datum		values[5];
	ExecuteArguments arguments = {5, types, values, NULL};
	Datum		result[2];
	bool		nulls[2];

	if (merge->others.count == 0)
		return;
	batch_arguments(&merge->others, types, values);
	types[3] = INT8OID;
	values[3] = Int64GetDatum(merge->lowest_id);
	types[4] = INT4ARRAYOID;
	values[4] = id_list_array(&merge->candidates);
	(void) execute_row(psprintf("WITH added AS MATERIALIZED"
								" (SELECT term, documents, occurrences FROM"
								"  ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
								"  AS a (term, documents, occurrences)),"
								" known AS"
								" (UPDATE %1$s AS v SET"
								"  documents = v.documents OPERATOR(pg_catalog.+) added.documents,"
								"  occurrences = v.occurrences OPERATOR(pg_catalog.+) added.occurrences"
								"  FROM pg_catalog.unnest($5) AS candidate (id), added"
								"  WHERE v.id OPERATOR(pg_catalog.=) candidate.id"
								"   AND v.term COLLATE pg_catalog.\"C\""
								"   OPERATOR(pg_catalog.=) added.term COLLATE pg_catalog.\"C\""
								"  RETURNING v.id, v.term),"
								" fresh AS"
								" (INSERT INTO %1$s (id, term, documents, occurrences)"
								"  SELECT ($4 OPERATOR(pg_catalog.-) pg_catalog.row_number() OVER ())::pg_catalog.int4,"
								"   term, documents, occurrences FROM added WHERE NOT EXISTS"
								"  (SELECT FROM known WHERE known.term COLLATE pg_catalog.\"C\""
								"   OPERATOR(pg_catalog.=) added.term COLLATE pg_catalog.\"C\")"
								"  RETURNING id)"
								" SELECT (SELECT pg_catalog.count(*) FROM fresh),"
								"  (SELECT pg_catalog.array_agg(id) FROM"
								"   (SELECT id FROM known UNION ALL SELECT id FROM fresh) AS touched)",
								merge->name),
					   EXECUTE_ANY, &arguments, 2, result, nulls);
	merge->lowest_id -= (int32) number_of(result, nulls, 0);
	if (!nulls[1])
		note_touched(merge, result[1]);
	pfree(DatumGetPointer(values[4]));
	merge->candidates.count = 0;
	batch_empty(&merge->others, values);
}

/* A term that the vocabulary does not have; it may be under the cut. */
static void
add_other(Merge *merge, const CountedTerm *counted, uint64 hash)
{
	const Vocabulary *vocabulary = &merge->vocabulary;
	MemoryContext caller = MemoryContextSwitchTo(merge->others.context);
	text	   *copy = cstring_to_text_with_len(counted->text,
												counted->length);
	Size		place = 0;
	int32		id;

	MemoryContextSwitchTo(caller);
	batch_add(&merge->others, PointerGetDatum(copy), counted);
	while ((id = hidden_terms_next(vocabulary->hidden,
								   vocabulary->hidden_slots, hash,
								   &place)) != 0)
		id_list_add(&merge->candidates, id);
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
		add_other(merge, counted, hash);
	if (batch_is_full(&merge->known))
		flush_known(merge);
	if (batch_is_full(&merge->others))
		flush_others(merge);
}

/* ---------- rising ---------- */

pg_noreturn static void
report_full(const ModelDescription *description, int64 terms, int dims)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("vocabulary \"%s\" is full", description->table_name),
			 errdetail("It would grow to %lld terms, but its vectors have %d dimensions, one of them kept for the constant of bm25l.",
					   (long long) terms, dims),
			 errhint("Train the model again with replace => true and a larger capacity, or with min_documents or max_terms.")));
}

/*
 * Terms under the cut that pass it now take the next ids.
 *
 * All of them are looked at only where one that has no new counts may pass:
 * where it is in enough documents already, and is under the cut for another
 * reason, such as max_share, which the growing corpus may take away.
 */
static void
promote_terms(Merge *merge, const ModelDescription *description)
{
	Oid			types[5] = {INT8OID, INT8OID, INT8OID, INT4OID, INT4OID};
	Datum		values[5];
	ExecuteArguments arguments = {5, types, values, NULL};
	VocabularyCuts cuts;
	int			dims = (int) model_option_int(description, "dims");
	int64		lowest;
	int64		highest;
	int64		room;
	uint64		risen;
	bool		all;

	cuts_of_description(&cuts, description);
	cuts_range(&cuts, merge->documents, &lowest, &highest);
	room = cuts.max_terms == 0 ? PG_INT32_MAX :
		Max(0, cuts.max_terms - merge->visible);
	all = merge->many_touched || merge->hidden_documents >= lowest;
	if (merge->lowest_id == 0 || room == 0 ||
		(!all && merge->touched.count == 0))
		return;
	values[0] = Int64GetDatum(lowest);
	values[1] = Int64GetDatum(highest);
	values[2] = Int64GetDatum(room);
	values[3] = Int32GetDatum(merge->highest_id);
	values[4] = Int32GetDatum(merge->lowest_id);
	if (!all)
	{
		types[4] = INT4ARRAYOID;
		values[4] = id_list_array(&merge->touched);
	}
	risen = execute_with(psprintf("WITH risen AS (SELECT v.id, v.term, v.occurrences FROM %1$s AS v%3$s"
								  "  AND v.id OPERATOR(pg_catalog.<) 0"
								  "  AND v.documents OPERATOR(pg_catalog.>=) $1"
								  "  AND v.documents OPERATOR(pg_catalog.<=) $2"
								  "  ORDER BY v.occurrences DESC, v.term COLLATE pg_catalog.\"C\" LIMIT $3),"
								  " numbered AS (SELECT id, $4 OPERATOR(pg_catalog.+)"
								  "  (pg_catalog.row_number() OVER (ORDER BY %2$s term COLLATE pg_catalog.\"C\"))::pg_catalog.int4"
								  "  AS new_id FROM risen)"
								  " UPDATE %1$s AS v SET id = numbered.new_id FROM numbered"
								  " WHERE v.id OPERATOR(pg_catalog.=) numbered.id",
								  merge->name,
								  model_option_int(description, "sort_by") ==
								  TERM_ORDER_TERM ? "" : "occurrences DESC,",
								  all ? " WHERE v.id OPERATOR(pg_catalog.>=) $5" :
								  ", pg_catalog.unnest($5) AS touched (id)"
								  " WHERE v.id OPERATOR(pg_catalog.=) touched.id"),
						 SPI_OK_UPDATE, &arguments);
	if (merge->highest_id + (int64) risen > VOCABULARY_MAX_ID(dims))
		report_full(description, merge->highest_id + (int64) risen, dims);
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
	begin_merge(&merge, fcinfo->flinfo, table, counter);
	while (term_counter_next(counter, &term))
		merge_term(&merge, &term);
	flush_known(&merge);
	flush_others(&merge);
	model_close(fcinfo->flinfo);
	promote_terms(&merge, description);
	model_become_caller(&caller);
	term_counter_free(counter);

	PG_RETURN_INT64(documents);
}
