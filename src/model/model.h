/*-------------------------------------------------------------------------
 *
 * model.h
 *	  What all models share: a table becomes a model, and a model is read.
 *
 * A model is an ordinary table.  Its description is the argument list of its
 * own trigger embed_model; its header is row 0, which the trigger rewrites
 * on every change; its image is the packed form of its rows, built once per
 * version and mapped by every backend.  See README.
 *
 * A method (vocabulary, word2vec, ...) describes itself by a ModelMethod,
 * registered once from _PG_init.  It fills tables through ModelWriter, packs
 * them in its build_image callback, and its SQL functions begin with
 *
 *		Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
 *									   &vocabulary_method);
 *		Datum		result;
 *
 *		if (call_site_lookup(fcinfo, &result))
 *			PG_RETURN_DATUM(result);
 *		... compute ...
 *		return call_site_store(fcinfo, result);
 *
 * flinfo->fn_extra belongs to this room in every function that calls
 * model_open: a set-returning function of a model materializes its result.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/option.h"
#include "server/server.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

typedef struct ImageBuilder ImageBuilder;
typedef struct ImagePatch ImagePatch;
typedef struct ModelReader ModelReader;
typedef struct ModelWriter ModelWriter;
typedef struct ModelDescription ModelDescription;

extern void model_init(void);	/* called from _PG_init */

/* ---------- methods (method.c) ---------- */

/*
 * A column of a model's table.  The type is one of the server's (type is
 * its OID, type_name NULL) or one of the extension's (type_name).  The first
 * column of every method is "id integer", its primary key.
 */
typedef struct ModelColumn
{
	const char *name;
	Oid			type;			/* such as TEXTOID, or InvalidOid */
	const char *type_name;		/* such as "vector", or NULL */
	bool		uncompressed;	/* STORAGE EXTERNAL: parts of it are read */
} ModelColumn;

#define MODEL_MAX_COLUMNS	16
#define MODEL_MAX_SECTIONS	24

typedef struct ModelMethod
{
	const char *name;			/* first trigger argument */
	const ModelColumn *columns; /* that its tables must have; others may be
								 * there too and are not read */
	int			column_count;
	const OptionDeclaration *options;	/* ended by OPTIONS_END */

	/*
	 * Checks what the declarations cannot say: that options fit each other.
	 * Ereports.  NULL: nothing to check.
	 */
	void		(*check) (const ModelDescription *description);

	/*
	 * Packs the rows into sections.  Rows come in heap order, row 0 is not
	 * among them (model_reader_header gives it).  Runs in a memory context
	 * of its own.
	 */
	void		(*build_image) (ImageBuilder *builder, ModelReader *reader);

	/*
	 * Changes a copy of an older image into the present one, given the rows
	 * of all pages that have changed: some are as they were, none of the ids
	 * above 0 is gone; of those below 0 nobody says that they are gone.  The
	 * sections have a little room.  Where that is not enough, or a row is not
	 * as it should be: false, in whatever state, and the image is built.
	 * NULL: it always is.
	 */
	bool		(*patch_image) (ImagePatch *patch, ModelReader *reader);
	uint32		image_format;	/* raised whenever the sections change */
	int			image_sections;

	/* how texts become dense vectors (encoder.h); NULL: they do not */
	const struct Encoder *encoder;

	/* how texts are given labels (classifier.h); NULL: they are not */
	const struct Classifier *classifier;

	/* how it is fitted to examples (tunable.h); NULL: it is not */
	const struct Tunable *tunable;

	/*
	 * Row 0 holds what the other rows cannot tell, such as the number of
	 * documents, so that embed_refresh cannot make it.
	 */
	bool		header_needed;

	/*
	 * Writes anew what row 0 says of the other rows, for register_model and
	 * embed_refresh; rows were changed on purpose.  NULL: it says nothing.
	 */
	void		(*refresh_header) (Oid table);
} ModelMethod;

extern void model_method_register(const ModelMethod *method);
extern const ModelMethod *model_method_find(const char *name);	/* or NULL */

/* ---------- description (description.c) ---------- */

typedef struct ModelOption
{
	const char *name;
	const char *value;
} ModelOption;

/*
 * An option that models of every method may have: how the tuning went that
 * made them.  Nothing that is computed depends on it.
 */
#define MODEL_HISTORY "tuning"

struct ModelDescription
{
	Oid			table;
	const char *table_name;		/* for messages, not qualified */
	const ModelMethod *method;
	int			option_count;
	ModelOption *options;		/* as they were given */
	OptionValue *values;		/* as method->options */
	uint64		hash;			/* of method and options */
};

/*
 * The description of a table, palloc'd; ereports with a hint when the table
 * is not a model.  The second form returns NULL instead.  No privilege is
 * checked here.
 */
extern ModelDescription *model_describe(Oid table);
extern ModelDescription *model_describe_relation(Relation table);

/* The same, of a model that the caller may read. */
extern ModelDescription *model_describe_readable(Oid table);
extern void model_require_method(const ModelDescription *description,
								 const char *method);

/*
 * The value of an option that the method declares, or what the declaration
 * gives when it was not given; descriptions are checked when they are made.
 */
extern const OptionValue *model_option(const ModelDescription *description,
									   const char *name);

static inline int64
model_option_int(const ModelDescription *description, const char *name)
{
	return model_option(description, name)->integer;
}

static inline double
model_option_float(const ModelDescription *description, const char *name)
{
	return model_option(description, name)->number;
}

/* the text search configuration named by option "config" */
extern Oid	model_option_config(const ModelDescription *description);

/* schema-qualified, quoted name of a configuration, as descriptions hold it */
extern char *model_config_name(Oid config);

/* ---------- creating (create.c) ---------- */

typedef struct ModelDefinition
{
	const char *name;			/* as the caller wrote it, maybe qualified */
	const ModelMethod *method;
	List	   *options;		/* of ModelOption *, see model_option_list_* */
	int32		typmods[MODEL_MAX_COLUMNS]; /* as method->columns; set them
											 * all (-1: none) */
	bool		replace;
} ModelDefinition;

extern void model_definition_init(ModelDefinition *definition,
								  const char *name,
								  const ModelMethod *method, bool replace);
extern void model_definition_text(ModelDefinition *definition,
								  const char *option, const char *value);
extern void model_definition_int(ModelDefinition *definition,
								 const char *option, int64 value);
extern void model_definition_float(ModelDefinition *definition,
								   const char *option, double value);
extern void model_definition_bool(ModelDefinition *definition,
								  const char *option, bool value);
extern void model_definition_config(ModelDefinition *definition, Oid config);

/*
 * How the training went (losses.c): the loss in the course of it, of methods
 * that declare MODEL_LOSSES.  NAN where there was none; more than a list of
 * numbers holds are joined.  It costs the table some hundred bytes.
 */
#define MODEL_LOSSES OPTION_NUMBERS_OF("losses", -1e12, 1e12)

extern void model_definition_losses(ModelDefinition *definition, int count,
									const double *losses);

/* Those, and how many: 0 where none were kept */
extern int	model_losses(const ModelDescription *description,
						 double losses[OPTION_MOST_NUMBERS]);

/* Options that are the user's choice (kept), and not given anew, go on. */
extern void model_definition_keep(ModelDefinition *definition,
								  const ModelDescription *from);

/*
 * Whether model_create could succeed: name, schema, privilege, kind of the
 * table to replace.  Called first, before hours of training.
 */
extern void model_check_creation(const ModelDefinition *definition);

/*
 * Create the table (or, under replace, delete its rows), fill it, then make
 * key, trigger and description.  One of the rows written has id 0: the
 * header.  Values are in the order of method->columns.  Everything belongs
 * to the transaction: nothing is left behind by an error.
 */
extern ModelWriter *model_create(ModelDefinition *definition);
extern void model_write_row(ModelWriter *writer, Datum *values, bool *nulls);
extern Oid	model_finish(ModelWriter *writer);

/* ---------- changing by SQL (owner.c) ---------- */

/*
 * Around SQL of ours that changes the table of a model: who may do what its
 * owner may does it as the owner, and what others have put on the table gets
 * no more rights than the owner's.
 */
typedef struct ModelCaller
{
	Oid			user;
	int			context;
} ModelCaller;

extern void model_become_writer(Oid table, ModelCaller *caller);
extern void model_become_caller(const ModelCaller *caller);

/* ---------- reading (open.c, reader.c) ---------- */

typedef struct Model
{
	Oid			table;
	uint64		version;		/* differs, in this backend, whenever the
								 * contents or the description differ */
	const ModelDescription *description;
	struct Image *image;		/* see model_section */
} Model;

/*
 * The model as the active snapshot sees it, for the call site flinfo.
 * Privileges are checked once per snapshot and user.  Good until the next
 * model_open of the same call site; what it points at stays as it is until
 * then.  Costs a few nanoseconds when nothing changed.
 */
extern Model *model_open(FmgrInfo *flinfo, Oid table,
						 const ModelMethod *method);

/*
 * A further model of the same call, such as the weights of one for the
 * vectors of another: number 1 and up, after model_open and in order.  All
 * of them are part of the key of the last result.
 */
#define CALL_SITE_MODELS 4
extern Model *model_open_further(FmgrInfo *flinfo, int number, Oid table,
								 const ModelMethod *method);

/*
 * Let go of the image of a call site, which then costs nothing to change or
 * to remove.
 */
extern void model_close(FmgrInfo *flinfo);

/* a section of the image: 64-byte aligned, read-only, may be empty */
extern const void *model_section(const Model *model, int section,
								 Size *bytes);

/* columns of row 0 and of the other rows, in the order of method->columns */
extern void model_reader_header(ModelReader *reader, Datum *values,
								bool *nulls);
extern bool model_reader_next(ModelReader *reader, Datum *values,
							  bool *nulls); /* by-reference values stay good
											 * until the next call; varlenas
											 * may be toasted or short */
extern const ModelDescription *model_reader_description(ModelReader *reader);

/* ---------- image (image_build.c) ---------- */

/*
 * Sections are written one after the other, each exactly once, in ascending
 * order (missing ones are empty), by any number of appends.  Memory does not
 * grow with what is appended, so a matrix may be streamed.
 */
extern void image_begin_section(ImageBuilder *builder, int section);
extern void image_append(ImageBuilder *builder, const void *data, Size bytes);

/* ---------- patching (image_patch.c) ---------- */

/* a section of the copy, which may be written to; until the next append */
extern void *image_patch_section(ImagePatch *patch, int section, Size *bytes);

/* behind the section; false: there is no room */
extern bool image_patch_append(ImagePatch *patch, int section,
							   const void *data, Size bytes);

/* ---------- call site (call_site.c) ---------- */

/*
 * The last arguments and result of a call site are kept, keyed by the
 * version of the model opened there: ORDER BY v <=> tfidf(m, 'query') encodes
 * the query once per scan.  call_site_lookup is called after model_open, and
 * with no other fn_extra user.  True: *result (or fcinfo->isnull) is set.
 */
extern bool call_site_lookup(FunctionCallInfo fcinfo, Datum *result);

/* keeps a varlena result; honours fcinfo->isnull; returns what it was given */
extern Datum call_site_store(FunctionCallInfo fcinfo, Datum result);

/*
 * A pointer per call site that is the owner's own, NULL at first; allocate
 * what it points at in flinfo->fn_mcxt.  Survives changes of the model: keep
 * model->version beside anything derived from it.  A call site may meet
 * models of several kinds, so each kind has its own, told by the address of
 * something that only it has.
 */
extern void **call_site_state(FmgrInfo *flinfo, const void *owner);

/* the same for one of several models that this call has opened */
extern void **call_site_state_of(FmgrInfo *flinfo, const void *owner,
								 const Model *model);

#endif							/* MODEL_MODEL_H */
