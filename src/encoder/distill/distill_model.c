/*-------------------------------------------------------------------------
 *
 * distill_model.c
 *	  SQL function distill_model.
 *
 * The result is a folder as model2vec publishes them, with a tokenizer.json
 * of its own, and becomes a table in the way of every import.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/distill/distill.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "tcop/utility.h"
#include "tokenizer/prune.h"
#include "utils/builtins.h"
#include "utils/json.h"

EMBED_FUNCTION(distill_model);

/* The tree of the largest published tokenizers takes a third of it. */
#define PRUNE_MEMORY ((Size) 512 << 20)

enum
{
	ARG_MODEL,
	ARG_TEACHER,
	ARG_DIMS,
	ARG_CORPUS,
	ARG_SIF,
	ARG_PRECISION,
	ARG_REPLACE
};

typedef struct Distilling
{
	const char *model;
	Oid			teacher_table;
	const char *teacher_name;
	TransformerState *teacher;
	int			dims;			/* 0: as they are */
	const char *corpus;			/* or NULL */
	double		sif;			/* 0: no weights */
	DistillElement element;
	bool		replace;
	Progress   *progress;
	PrunedTokenizer tokenizer;
} Distilling;

static const char *const precisions[] = {
	[DISTILL_FLOAT32] = "float32",
	[DISTILL_FLOAT16] = "float16",
	[DISTILL_INT8] = "int8",
	NULL
};

/* ---------- arguments ---------- */

static void
require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

static void
read_arguments(FunctionCallInfo fcinfo, Distilling *distilling)
{
	require_argument(fcinfo, ARG_MODEL, "model");
	require_argument(fcinfo, ARG_TEACHER, "teacher");
	require_argument(fcinfo, ARG_PRECISION, "precision");
	require_argument(fcinfo, ARG_REPLACE, "replace");
	distilling->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	distilling->teacher_table = PG_GETARG_OID(ARG_TEACHER);
	if (!PG_ARGISNULL(ARG_DIMS))
		distilling->dims = PG_GETARG_INT32(ARG_DIMS);
	if (!PG_ARGISNULL(ARG_DIMS) && distilling->dims < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dims must be above zero"),
				 errdetail("It is %d.", distilling->dims),
				 errhint("NULL leaves the teacher's vectors as they are.")));
	if (!PG_ARGISNULL(ARG_CORPUS))
		distilling->corpus = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	if (!PG_ARGISNULL(ARG_SIF))
		distilling->sif = PG_GETARG_FLOAT8(ARG_SIF);
	if (!PG_ARGISNULL(ARG_SIF) &&
		!(distilling->sif > 0 && distilling->sif < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sif must be between 0 and 1"),
				 errdetail("It is %g.", distilling->sif),
				 errhint("NULL gives all tokens the same weight.")));
	if (distilling->corpus != NULL && distilling->sif == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a corpus has no meaning without sif"),
				 errdetail("Tokens are counted for their weights.")));
	distilling->element = (DistillElement)
		choice_index("precision", text_to_cstring(PG_GETARG_TEXT_PP(ARG_PRECISION)),
					 precisions);
	distilling->replace = PG_GETARG_BOOL(ARG_REPLACE);
}

static void
open_teacher(FunctionCallInfo fcinfo, Distilling *distilling)
{
	Model	   *model = model_open(fcinfo->flinfo, distilling->teacher_table,
								   NULL);
	const ModelDescription *description = model->description;

	if (description->method->encoder != &transformer_encoder)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" cannot be distilled", description->table_name),
				 errdetail("It is a model of method \"%s\".", description->method->name),
				 errhint("A teacher is a transformer, which has a vocabulary of tokens.")));
	distilling->teacher_name = pstrdup(description->table_name);
	distilling->teacher = transformer_open_state(
		fcinfo->flinfo, model, call_site_state(fcinfo->flinfo,
											   &transformer_encoder));
}

/* Before hours of work: may the model be made at all? */
static void
check_creation(const Distilling *distilling)
{
	ModelDefinition definition;

	model_definition_init(&definition, distilling->model,
						  model_method_find("static"), distilling->replace);
	model_check_creation(&definition);
}

/* The covariance of a teacher is the only thing that grows. */
static void
check_memory(const Distilling *distilling)
{
	Size		dims = distilling->teacher->plan.config.hidden;
	Size		needed = (sizeof(double) + sizeof(float)) * dims * dims;

	if (needed > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("maintenance_work_mem is too small to distill model \"%s\"",
						distilling->teacher_name),
				 errdetail("Vectors of %zu dimensions need %zu kB.", dims,
						   needed / 1024 + 1)));
}

/* ---------- the tokenizer ---------- */

static void
prune_tokenizer(Distilling *distilling)
{
	TokenizerCompileOptions options = {network_check_interrupts, NULL};
	NetworkFolder folder = {0};
	const Tokenizer *tokenizer = &distilling->teacher->tokenizer->tokenizer;
	FormatFault fault = {0};
	Arena	   *arena = palloc0(sizeof(Arena));
	char	   *name;
	char	   *text;
	size_t		length;

	folder.files = network_files_of_model(distilling->teacher_table, &name,
										  &folder.count);
	folder.model = name;
	folder.is_table = true;
	network_folder_read(&folder);
	text = network_folder_tokenizer_json(&folder, tokenizer, &length);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" cannot be distilled", name),
				 errdetail("Its tokenizer is that of a GGUF file."),
				 errhint("Import the model from the folder of which the file was made.")));
	network_arena_begin(arena, CurrentMemoryContext, PRUNE_MEMORY);
	if (tokenizer_prune(arena, tokenizer, text, length, &options,
						&distilling->tokenizer, &fault) != FORMAT_OK)
		network_folder_fault(&folder, NULL, &fault);
	pfree(text);
}

/* ---------- the folder ---------- */

static FolderFile
file_of_text(const char *name, const char *text, Size length)
{
	FolderFile	file = {name};

	file.file = format_file_of_bytes(text, length);
	return file;
}

/* config.json, with the keys that model2vec writes */
static FolderFile
write_config(const Distilling *distilling, int dims)
{
	StringInfoData text;
	char	   *name = pg_server_to_any(distilling->teacher_name,
										(int) strlen(distilling->teacher_name),
										PG_UTF8);

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"model_type\": \"model2vec\", \"architectures\": [\"StaticModel\"], \"tokenizer_name\": ");
	escape_json(&text, name);
	if (distilling->dims > 0)
		appendStringInfo(&text, ", \"apply_pca\": %d", distilling->dims);
	else
		appendStringInfoString(&text, ", \"apply_pca\": null");
	if (distilling->sif > 0)
		appendStringInfo(&text, ", \"sif_coefficient\": %g", distilling->sif);
	else
		appendStringInfoString(&text, ", \"sif_coefficient\": null");
	appendStringInfo(&text, ", \"hidden_dim\": %d, \"seq_length\": 1000000, \"normalize\": true, \"pooling\": \"mean\"}\n",
					 dims);
	return file_of_text("config.json", text.data, text.len);
}

static double *
find_weights(const Distilling *distilling)
{
	int64		count = distilling->tokenizer.count;
	NetworkFolder folder = {0};
	FolderFile	file = file_of_text("tokenizer.json",
									distilling->tokenizer.json,
									distilling->tokenizer.length);
	TokenizerImage image;

	if (distilling->corpus == NULL)
		return distill_zipf_weights(count, distilling->sif);
	folder.model = distilling->model;
	folder.files = &file;
	folder.count = 1;
	network_folder_read(&folder);
	network_folder_compile(&folder, &image);
	return distill_counted_weights(&image, distilling->corpus, count,
								   distilling->sif, distilling->progress);
}

/* As many as there are, and none where there are fewer tokens than axes. */
static int
choose_dims(const Distilling *distilling)
{
	int			hidden = distilling->teacher->plan.config.hidden;
	int			dims = Min(distilling->dims, hidden);

	if (distilling->dims > hidden)
		ereport(NOTICE,
				(errmsg("model \"%s\" has %d dimensions, all of which are kept",
						distilling->teacher_name, hidden)));
	if (dims > 0 && dims >= (int64) distilling->tokenizer.count)
	{
		ereport(NOTICE,
				(errmsg("model \"%s\" has %u tokens, too few to find %d dimensions: all are kept",
						distilling->teacher_name, distilling->tokenizer.count,
						dims)));
		return 0;
	}
	return dims;
}

static Oid
distill(Distilling *distilling)
{
	NetworkRequest request = {"float32", 0};
	NetworkFolder student = {0};
	FolderFile	files[3] = {{0}};
	double	   *weights = find_weights(distilling);
	int			dims = choose_dims(distilling);
	DistillRows rows;
	DistillRows reduced;
	DistillMoments moments;
	BufFile    *written;
	Oid			table;

	distill_encode(distilling->teacher, distilling->tokenizer.ids,
				   distilling->tokenizer.count, distilling->progress, &rows,
				   &moments);
	if (dims > 0)
		distill_reduce(&rows, &moments, dims, distilling->progress, &reduced);
	else
		reduced = rows;
	pfree(moments.sums);
	pfree(moments.products);
	files[0] = write_config(distilling, reduced.dims);
	files[1] = file_of_text("tokenizer.json", distilling->tokenizer.json,
							distilling->tokenizer.length);
	files[2].name = "model.safetensors";
	written = distill_write(&reduced, weights, distilling->element,
							distilling->progress, &files[2].file);
	student.model = distilling->model;
	student.files = files;
	student.count = lengthof(files);
	network_folder_read(&student);
	table = network_create(&student, &request, distilling->replace,
						   distilling->progress);
	BufFileClose(written);
	return table;
}

/*
 * distill_model(model text, teacher regclass, dims integer, corpus text,
 *				 sif float8, precision text, replace boolean) -> regclass
 */
Datum
distill_model(PG_FUNCTION_ARGS)
{
	Distilling	distilling = {0};
	Oid			table;

	read_arguments(fcinfo, &distilling);
	PreventCommandIfReadOnly("distill_model()");
	PreventCommandDuringRecovery("distill_model()");
	check_creation(&distilling);
	open_teacher(fcinfo, &distilling);
	check_memory(&distilling);
	distilling.progress = progress_begin(psprintf("distilling model \"%s\"", distilling.model),
										 "tokens");
	prune_tokenizer(&distilling);
	table = distill(&distilling);
	progress_end(distilling.progress);
	PG_RETURN_OID(table);
}
