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

#include "storage/block.h"
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

/* options with one more, copied */
extern List *model_option_append(List *options, const char *name,
								 const char *value);

extern char *model_trigger_arguments(const ModelMethod *method,
									 List *options);
extern char *model_trigger_name(Oid table);
extern Oid	model_column_type(const ModelColumn *column);

extern ModelDescription *model_description_copy(const ModelDescription *description,
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

/* ereports unless the current user owns the table */
extern void model_check_owner(Oid table);

/* ---------- stale.c ---------- */

/* WARNING of what was computed by the contents about to be replaced */
extern void model_warn_of_stale(Oid table);

/* ---------- trigger.c ---------- */

/* Give row 0 a new version; false if there is none. */
extern bool model_touch(Relation table);

/*
 * The current transaction has seen the version that row 0 of this table now
 * has, so the next change must give it another one.
 */
extern void model_observed(Oid table);

/* ---------- open.c ---------- */

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
	uint32		unused;			/* zero: versions are compared by bytes */
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

/* everything that a reader must hold and pass, for the current user */
extern ModelDescription *model_check_readable(Relation table,
											  const ModelMethod *method,
											  AttrNumber *attributes);
pg_noreturn extern void model_report_no_header(Relation table,
								   const ModelMethod *method);

/* ---------- reader.c ---------- */

extern ModelReader *model_reader_create(Relation table, Snapshot snapshot,
										const ModelDescription *description,
										const AttrNumber *attributes);
extern void model_reader_free(ModelReader *reader);
extern BlockNumber model_reader_blocks(ModelReader *reader);

/* ---------- image.c ---------- */

/* Why an image is not shared */
typedef enum ImageKind
{
	IMAGE_SHARED,				/* a file, or the copy of it that did not fit
								 * on the disk */
	IMAGE_TRANSACTION,			/* row 0 is this transaction's own, or is not
								 * the newest any more */
	IMAGE_UNSETTLED				/* this transaction holds a lock to write, so
								 * rows may have changed before row 0 did */
} ImageKind;

typedef struct Image
{
	ModelVersion version;
	ImageKind	kind;
	CommandId	command;		/* of the snapshot, when unsettled */
	uint64		serial;			/* unique in this backend */
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

/* ---------- image_file.c ---------- */

#define IMAGE_ALIGNMENT		64
#define IMAGE_LAYOUT		1

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
