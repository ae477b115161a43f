/*-------------------------------------------------------------------------
 *
 * model_private.h
 *	  What the files of the model room share with each other only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_MODEL_PRIVATE_H
#define MODEL_MODEL_PRIVATE_H

#include "model/model.h"

#include "access/xlogdefs.h"
#include "storage/block.h"
#include "storage/lock.h"
#include "storage/lockdefs.h"

/* ---------- method.c ---------- */

extern const char *const *model_method_names(void);

/* ---------- description.c ---------- */

#define MODEL_TRIGGER	"embed_model"

/*
 * The trigger that makes the table a model, or NULL: a copy, because what the
 * relcache holds may go with the next look at a catalog.
 */
struct Trigger;
extern struct Trigger *model_trigger(Relation table);

/*
 * The description that a trigger with these options would give; ereports on
 * the first that is wrong, with this hint.
 */
extern ModelDescription *model_describe_options(const ModelMethod *method,
												const char *table_name,
												List *options,
												const char *hint);

/* any relation, which must exist; close it with relation_close */
extern Relation model_table_open(Oid relation, LOCKMODE mode);

/* whether one of the options, a list of ModelOption, has this name */
extern bool model_option_given(const List *options, const char *name);

/* options with one more, copied */
extern List *model_option_append(List *options, const char *name,
								 const char *value);

extern char *model_trigger_arguments(const ModelMethod *method,
									 List *options);
extern char *model_trigger_name(Oid table);
extern Oid	model_column_type(const ModelColumn *column);

extern ModelDescription *
model_description_copy(const ModelDescription *description,
					   MemoryContext context);

/* ---------- shape.c ---------- */

/* ereports when the table cannot be a model of any kind */
extern void model_check_table(Relation table);

/* column "id integer", or InvalidAttrNumber */
extern AttrNumber model_id_attribute(Relation table);

/* the index of the primary key (id), or InvalidOid */
extern Oid	model_primary_key(Relation table, AttrNumber id);

/* attribute numbers of the method's columns; ereports on the first misfit */
extern void model_check_columns(Relation table, const ModelMethod *method,
								AttrNumber *attributes);

/* ---------- create.c ---------- */

extern void model_create_trigger(Oid table, const char *arguments);

/* make (id) the primary key, unless it is */
extern void model_create_key(Oid table);

/* ---------- stale.c ---------- */

/* WARNING of what was computed by the contents about to be replaced */
extern void model_warn_of_stale(Oid table);

/* ---------- owner.c ---------- */

/* ereports unless the current user owns the table */
extern void model_check_owner(Oid table);

/* ---------- trigger.c ---------- */

/* Give row 0 a new version; false if there is none. */
extern bool model_touch(Relation table);

/* ---------- changes.c ---------- */

/* What this transaction has done to a table, at this moment */
typedef struct ModelChanges
{
	uint64		serial;			/* of the last change; 0: none */
	CommandId	command;		/* snapshots of later commands see the
								 * change */
	int64		rows;			/* inserted, updated and deleted, or -1 */
	bool		going_on;		/* a statement that is not over has changed
								 * rows since */
} ModelChanges;

/* a statement has changed the table; versioned: row 0 is now our own */
extern void model_changed(Relation table, bool versioned);

/* whether row 0 has had a new version in this transaction */
extern bool model_is_versioned(Relation table);

extern void model_changes(Relation table, ModelChanges *changes);

/* how many subtransactions this backend has rolled back */
extern uint64 model_rollbacks(void);

/* serial of the last change of any table */
extern uint64 model_last_change(void);

/* that of the last change of a table in a transaction that is about to end */
extern uint64 model_final_change(Oid table, LocalTransactionId transaction);

/* ---------- header.c ---------- */

/* a copy of row 0 as a snapshot sees it, or NULL */
extern HeapTuple model_find_header(Relation table, AttrNumber id,
								   Snapshot snapshot);

/*
 * What identifies the contents that a snapshot sees: the place and the
 * inserting transaction of row 0.  The description is not versioned by MVCC,
 * so its hash is part of it.
 */
typedef struct ModelVersion
{
	Oid			table;
	Oid			file_number;	/* pg_class.relfilenode */
	TransactionId xmin;			/* of row 0, as stored (frozen or not) */
	BlockNumber block;			/* of row 0 */
	uint32		offset;			/* of row 0 */
	TransactionId shape_xmin;	/* of the catalog's row of column id, as
								 * stored: coming to a parent and going from
								 * it changes that, and what the parent did
								 * in between fired no trigger here */
	uint64		description_hash;
} ModelVersion;

StaticAssertDecl(sizeof(ModelVersion) == 32, "no padding in ModelVersion");

extern char *model_version_text(const ModelVersion *version);

/*
 * Row 0 under a snapshot: false if there is none.  header_values and
 * header_nulls (of method->columns, values palloc'd) may be NULL.
 */
extern bool model_read_header(Relation table, Snapshot snapshot,
							  const ModelDescription *description,
							  const AttrNumber *attributes,
							  ModelVersion *version,
							  Datum *header_values, bool *header_nulls);

pg_noreturn extern void model_report_no_header(Relation table,
								   const ModelMethod *method);

/* ---------- open.c ---------- */

/* everything that a reader must hold and pass, for the current user */
extern ModelDescription *model_check_readable(Relation table,
											  const ModelMethod *method,
											  AttrNumber *attributes);

/* ---------- reader.c ---------- */

/* The rows that a page gave to an image */
typedef struct PageRows
{
	uint64		first;			/* of the ids, in ImagePages.ids */
	uint32		count;
	bool		open;			/* may be judged otherwise by a later snapshot
								 * though the page stays as it is */
} PageRows;

/* What an image knows of the pages that it was made of */
typedef struct ImagePages
{
	bool		noted;			/* the snapshot and all below are valid */
	XLogRecPtr	position;		/* of the server's log before the first was
								 * read */
	TransactionId xmax;			/* of the snapshot, as the next three */
	uint32		running;		/* transactions below xmax, our own included */
	bool		recovery;
	CommandId	command;
	TransactionId own;			/* our own transaction, or invalid */
	LocalTransactionId transaction;
	uint64		rollbacks;		/* of subtransactions so far */
	BlockNumber blocks;
	PageRows   *rows;			/* of each block */
	int32	   *ids;
	uint64		id_count;
	uint64		id_capacity;
	MemoryContext context;		/* of a copy that may be changed */
} ImagePages;

extern ModelReader *model_reader_create(Relation table, Snapshot snapshot,
										const ModelDescription *description,
										const AttrNumber *attributes);

/* the rows of some pages of a heap only; the list must stay */
extern ModelReader *
model_reader_create_for_blocks(Relation table, Snapshot snapshot,
							   const ModelDescription *description,
							   const AttrNumber *attributes,
							   const BlockNumber *blocks, BlockNumber count);
extern void model_reader_free(ModelReader *reader);

/*
 * Where the server's log is: what changes a page from now on gives it a
 * higher position.
 */
extern XLogRecPtr model_log_position(void);
extern BlockNumber model_reader_blocks(ModelReader *reader);

/*
 * What is known of the pages, once all rows were read: rows[i] is of the i-th
 * block read.  NULL if this table or snapshot does not allow it.  Good until
 * the reader is freed.
 */
extern const ImagePages *model_reader_pages(ModelReader *reader);

/*
 * Whether a row was met that a command not before this snapshot's, and after
 * the last change that has a mark, has written: a statement which this
 * snapshot sees nothing of is going on.
 */
extern bool model_reader_later_command(ModelReader *reader);

/* ---------- image.c ---------- */

/* Who may use an image */
typedef enum ImageKind
{
	IMAGE_SHARED,				/* whoever sees its version: a file, or what
								 * this backend made for itself instead */
	IMAGE_TRANSACTION,			/* this transaction, until its next change;
								 * row 0 is its own, or not the newest */
	IMAGE_UNSETTLED				/* only snapshots of the same command: rows may
								 * have changed since row 0 did, or the
								 * snapshot is older than the last change */
} ImageKind;

typedef struct Image
{
	ModelVersion version;
	ImageKind	kind;
	ModelChanges changes;		/* when it was made, of this transaction */
	LocalTransactionId transaction;
	CommandId	command;		/* of the snapshot */
	SubTransactionId subtransaction;
	bool		stable;			/* unsettled: what goes on is not seen by the
								 * snapshot, so no row of it matters */
	LocalTransactionId watched; /* see image_is_current */
	uint64		serial;			/* unique in this backend */
	bool		passing;		/* shared, but ends with the transaction */
	bool		in_memory;		/* map of our own, with room; not a file's */
	ImagePages *pages;			/* in context; NULL: not asked for, or none */
	char	   *base;			/* mapped; starts with an ImageHeader */
	Size		bytes;
	int			references;
	MemoryContext context;
	ModelDescription *description;	/* in context */
	struct Image *next;
} Image;

/*
 * The image of a version, found, attached or built; its reference count is
 * raised.
 */
extern Image *image_acquire(Relation table, Snapshot snapshot,
							const ModelVersion *version,
							const ModelDescription *description,
							const AttrNumber *attributes);
extern void image_release(Image *image);

/* Take an image that has room from the list of those at hand, to use it up. */
extern bool image_take(Image *image);
extern void image_unmap(Image *image);

/*
 * Whether a call site may go on with the image under a snapshot with which
 * it has used it before.
 */
extern bool image_is_current(const Image *image, Snapshot snapshot);

/* ---------- image_patch.c ---------- */

/* whether later images may be made of what this snapshot sees of the table */
extern bool image_can_note_pages(Relation table, Snapshot snapshot);
extern void image_note_snapshot(ImagePages *pages, Snapshot snapshot,
								XLogRecPtr position);
extern void image_append_pages(ImageBuilder *builder, const ImagePages *pages);

/* remember of an image just built what its last section does not say */
extern void image_keep_pages(Image *image, const ImagePages *pages);

/* whether an image under this snapshot may be made of that one */
extern bool image_is_base(Image *image, const ModelVersion *version,
						  Snapshot snapshot);
extern bool image_patch(Image *image, Image *base, Relation table,
						Snapshot snapshot, const AttrNumber *attributes);

/* ---------- image_file.c ---------- */

#define IMAGE_ALIGNMENT		64
#define IMAGE_LAYOUT		2

/* The start of every image, on disk and in memory */
typedef struct ImageHeader
{
	char		magic[8];
	uint32		layout;
	uint32		format;			/* the method's image_format */
	ModelVersion version;
	uint64		bytes;			/* of all */
	Oid			database;
	BlockNumber table_blocks;	/* when it was built */
	uint32		section_count;
	uint32		checksum;		/* CRC-32C of the header, this field zero */
	uint64		section_start[MODEL_MAX_SECTIONS];
	uint64		section_bytes[MODEL_MAX_SECTIONS];
} ImageHeader;

StaticAssertDecl(sizeof(ImageHeader) == 72 + 16 * MODEL_MAX_SECTIONS,
				 "image layout");
StaticAssertDecl(offsetof(ImageHeader, section_start) == 72,
				 "image layout");

extern void image_header_seal(ImageHeader *header);

/* NULL, or what is wrong with the header; bytes: size of the file */
extern const char *image_header_fault(const ImageHeader *header, Size bytes,
									  const ModelVersion *version,
									  const ModelMethod *method,
									  BlockNumber table_blocks);

extern char *image_path(const ModelVersion *version);
extern void image_make_directory(void);

/* the newest file of this table, of whatever version, or NULL */
extern char *image_newest_path(const ModelVersion *version);

/*
 * Remove other versions of this model, what other builders of it left
 * unfinished, and what no longer has a table.
 */
extern void image_remove_stale(const ModelVersion *version, int builder);

/* ---------- image_build.c ---------- */

/*
 * Build into a file, under the unfinished name until it is complete, or into
 * memory.  The first form returns false, with errno set, when the file could
 * not be written.
 */
extern bool image_build_file(const char *path, const char *unfinished,
							 ModelReader *reader,
							 const ModelVersion *version);
extern void image_build_memory(Image *image, ModelReader *reader);

#endif							/* MODEL_MODEL_PRIVATE_H */
