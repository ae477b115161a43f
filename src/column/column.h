/*-------------------------------------------------------------------------
 *
 * column.h
 *	  Columns of vectors that are kept fresh: the face of this room.
 *
 * A kept column is described by the arguments of its own trigger
 * embed_update_trigger, and by nothing else.  See README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef COLUMN_COLUMN_H
#define COLUMN_COLUMN_H

#include "server/server.h"

#include "catalog/pg_attribute.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

/* ---------- encoders (column_encoder.c) ---------- */

/*
 * What makes vectors of texts, as SQL knows it: the function for stored
 * texts, and what a search does with its vectors.
 */
typedef struct ColumnMethod
{
	const char *name;			/* of the function, and of the encoder */
	const char *query;			/* the function for questions */
	const char *type;			/* of the column */
	const char *access_method;	/* of an index */
	const char *operator_class;
	const char *operator_name;	/* that the class orders by */
	bool		dense;			/* takes pooling and prompt */
} ColumnMethod;

extern const ColumnMethod *column_method(const char *name); /* ereports */
/* the same, or NULL */
extern const ColumnMethod *column_method_find(const char *name);

/* the method for a model when none is named; ereports when it is no model */
extern const ColumnMethod *column_method_of_model(Oid model);

/*
 * Open the model once for what the method makes with it: ereports when the
 * caller may not, when the method cannot use it, or when it knows no such
 * pooling or prompt.  Returns the number of dimensions.
 */
extern int	column_method_check(const ColumnMethod *method, FmgrInfo *flinfo,
								Oid model, const char *pooling,
								const char *prompt);

/* ---------- descriptions (column_describe.c) ---------- */

typedef struct KeptColumn
{
	const char *column;
	const char *model;			/* its name, qualified and quoted */
	const ColumnMethod *method;	/* NULL: not given */
	const char *pooling;		/* NULL: not given */
	const char *prompt;
	const char *version;		/* the column that holds the version */
	const char *trigger;		/* its name */
	bool		enabled;		/* it fires, but on a replica */
	bool		complete;		/* before every INSERT and UPDATE */
	int			source_count;
	const char **sources;
} KeptColumn;

/*
 * What the arguments of a trigger of the table say; ereports when they make
 * no sense.  Strings belong to the trigger.
 */
extern KeptColumn *kept_column_read(Relation table, const Trigger *trigger);

/* the arguments that say it, as a list of C strings */
extern List *kept_column_arguments(const KeptColumn *kept);

/* Whether a trigger keeps a column; its number, or NULL */
extern bool is_column_trigger(const Trigger *trigger);

/*
 * All columns that triggers of the table keep, a list of KeptColumn, copied.
 * Those whose arguments make no sense are left out.
 */
extern List *kept_columns_of(Relation table);

/* the one of this name, or an error that names those there are */
extern KeptColumn *kept_column_find(Relation table, const char *column);

/*
 * What the trigger names and is not there any more, as a sentence, or NULL:
 * arguments are text and do not follow a RENAME.  The second form is an error
 * that says it, and how the trigger is made again.
 */
extern char *kept_column_fault(const KeptColumn *kept, Relation table);
extern void kept_column_check(const KeptColumn *kept, Relation table);

/* the model; an error with a hint, or InvalidOid where that is enough */
extern Oid	kept_column_model(const KeptColumn *kept, bool missing_ok);

/* the method, which the model tells where none is named */
extern const ColumnMethod *kept_column_method(const KeptColumn *kept);

/* an SQL expression: how many of the sources are not null */
extern char *kept_column_known(const KeptColumn *kept, const char *alias);

/* an SQL expression for the text of the sources, NULL when all are NULL */
extern char *kept_column_text(const KeptColumn *kept, const char *alias);

/*
 * An SQL call of the method's function for a stored text, or for a question,
 * with this expression as its input.
 */
extern char *kept_column_call(const KeptColumn *kept, bool question,
							  const char *prompt, const char *input);

/* ---------- computing (column_encoder.c) ---------- */

typedef struct ColumnEncoder ColumnEncoder;

/* In the memory context given, which owns all it needs. */
extern ColumnEncoder *column_encoder_create(const KeptColumn *kept,
											Relation table,
											MemoryContext context);

/* The vector of a text; *isnull: the model knows no word of it. */
extern Datum column_encode(ColumnEncoder *encoder, const text *input,
						   bool *isnull);

/* the version of the model, a text */
extern Datum column_encoder_version(ColumnEncoder *encoder);

/* ---------- tables (column_describe.c) ---------- */

/* ereport unless there is such a column, and what a source must be */
extern Form_pg_attribute table_column(Relation table, const char *name);
extern Form_pg_attribute source_column(Relation table, const char *name);
extern Form_pg_attribute version_column(Relation table, const char *name);

/* names of the columns of the primary key, in order; NIL: there is none */
extern List *table_key(Relation table);

/*
 * A valid index that begins with the column and that a search of it can use,
 * or InvalidOid
 */
extern Oid	column_index(Relation table, AttrNumber column);

/* ---------- tables of Citus (column_distributed.c) ---------- */

extern bool table_is_distributed(Oid table);

/* ereport, with the way round, where the table or the model is one */
extern void refuse_distributed_model(Oid model);
extern void refuse_distributed_fill(Oid table);

/* CALL embed_fill of each shard, on its worker; column NULL: all of them */
extern void fill_shards(Oid table, const char *column, int batch_rows,
						bool stale);

/* ---------- listing (column_list.c) ---------- */

/* rows that lack a vector or have a stale one, by statistics; -1: unknown */
extern void kept_column_estimate(const KeptColumn *kept, Relation table,
								 int64 *missing, int64 *stale);

/* name of the operator by which an index, or a family, orders, or NULL */
extern char *column_index_operator(Oid index);
extern char *family_operator(Oid family);

#endif							/* COLUMN_COLUMN_H */
