/*-------------------------------------------------------------------------
 *
 * network_import.c
 *	  SQL function import_model.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "encoder/network/source.h"
#include "encoder/network/store.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

EMBED_FUNCTION(import_model);
extern Datum import_word_vectors(PG_FUNCTION_ARGS);

enum
{
	ARG_MODEL,
	ARG_DIRECTORY,
	ARG_FILE,
	ARG_LARGE_OBJECT,
	ARG_DATA,
	ARG_FILES,
	ARG_PRECISION,
	ARG_MAX_TOKENS,
	ARG_REPLACE
};

static NetworkSource *
open_source(FunctionCallInfo fcinfo, const char *model)
{
	int			given = 0;

	for (int i = ARG_DIRECTORY; i <= ARG_FILES; i++)
		given += !PG_ARGISNULL(i);
	if (given != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one source of a model must be given"),
				 errdetail("%d are given.", given),
				 errhint("Use one of directory, file, large_object, data, files.")));
	if (!PG_ARGISNULL(ARG_DIRECTORY))
		return source_of_directory(model, text_to_cstring(PG_GETARG_TEXT_PP(
											  ARG_DIRECTORY)));
	if (!PG_ARGISNULL(ARG_FILE))
		return source_of_file(model,
							  text_to_cstring(PG_GETARG_TEXT_PP(ARG_FILE)));
	if (!PG_ARGISNULL(ARG_LARGE_OBJECT))
		return source_of_object(model, PG_GETARG_OID(ARG_LARGE_OBJECT));
	if (!PG_ARGISNULL(ARG_DATA))
		return source_of_data(model,
							  (struct varlena *) PG_GETARG_BYTEA_PP(ARG_DATA));
	return source_of_query(model,
						   text_to_cstring(PG_GETARG_TEXT_PP(ARG_FILES)));
}

static void
read_request(FunctionCallInfo fcinfo, NetworkRequest *request)
{
	int			precision;

	if (PG_ARGISNULL(ARG_MODEL) || PG_ARGISNULL(ARG_PRECISION) ||
		PG_ARGISNULL(ARG_REPLACE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null",
						PG_ARGISNULL(ARG_MODEL) ? "model" :
						PG_ARGISNULL(ARG_PRECISION) ? "precision" : "replace")));
	precision = choice_index("precision", text_to_cstring(PG_GETARG_TEXT_PP(ARG_PRECISION)),
							 network_precisions);
	request->precision = network_precisions[precision];
	request->max_tokens = PG_ARGISNULL(ARG_MAX_TOKENS)
							  ? 0
							  : PG_GETARG_INT32(ARG_MAX_TOKENS);
	if (!PG_ARGISNULL(ARG_MAX_TOKENS) &&
		(request->max_tokens < 1 || request->max_tokens > NETWORK_MOST_TOKENS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be between 1 and %d", NETWORK_MOST_TOKENS),
				 errdetail("It is %d.", request->max_tokens)));
}

/* ---------- word vectors ---------- */

/* A single member of an archive or row of a query, as a value */
static struct varlena *
contents_of(const NetworkSource *source)
{
	const FormatFile *file = &source->files[0].file;
	FormatFault fault = {0};
	struct varlena *data;

	if (file->size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("word vectors of " UINT64_FORMAT " bytes cannot be read from an archive",
						(uint64) file->size),
				 errhint("Use import_word_vectors() with file or large_object.")));
	data = palloc(VARHDRSZ + file->size);
	SET_VARSIZE(data, VARHDRSZ + file->size);
	if (!format_file_read(file, 0, VARDATA(data), file->size, &fault))
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("could not read \"%s\"", source->files[0].name)));
	return data;
}

static Datum
hand_over(FunctionCallInfo fcinfo, NetworkSource *source,
		  const NetworkRequest *request)
{
	LOCAL_FCINFO(call, 8);
	char	   *schema = get_namespace_name(extension_schema());
	Oid			config = get_ts_config_oid(list_make2(makeString(schema),
													  makeString("embed_whitespace")), false);
	struct varlena *data = source->data;

	if (request->max_tokens > 0 || strcmp(request->precision, "float32") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens and precision have no meaning for word vectors"),
				 errdetail("\"%s\" is no file of a known kind of network.",
						   source->files[0].name)));
	if (source->path == NULL && !OidIsValid(source->object) && data == NULL)
		data = contents_of(source);
	InitFunctionCallInfoData(*call, NULL, 8, InvalidOid, NULL, NULL);
	call->args[0].value = PG_GETARG_DATUM(ARG_MODEL);
	call->args[0].isnull = false;
	call->args[1].isnull = source->path == NULL;
	call->args[1].value = source->path == NULL
							  ? (Datum) 0
							  : CStringGetTextDatum(source->path);
	call->args[2].isnull = !OidIsValid(source->object);
	call->args[2].value = ObjectIdGetDatum(source->object);
	call->args[3].isnull = data == NULL;
	call->args[3].value = PointerGetDatum(data);
	call->args[4].value = ObjectIdGetDatum(config);
	call->args[4].isnull = false;
	call->args[5].isnull = true;
	call->args[6].value = PG_GETARG_DATUM(ARG_REPLACE);
	call->args[6].isnull = false;
	call->args[7].value = CStringGetTextDatum("stop");
	call->args[7].isnull = false;
	source_close(source);
	return import_word_vectors(call);
}

/* ---------- networks ---------- */

static void
tell(const NetworkFolder *network, const NetworkMethod *method,
	 const StorePlan *plan, const char *found)
{
	StringInfoData left_out;

	initStringInfo(&left_out);
	if (plan->left_out_count > 0)
		appendStringInfo(&left_out, "; left out: %d files of " UINT64_FORMAT " bytes with weights in other forms",
						 plan->left_out_count, plan->left_out_bytes);
	ereport(NOTICE, (errmsg("model \"%s\": %s, %s; %d files of " UINT64_FORMAT
							" bytes%s",
							network->model, folder_kind_name(method->kind),
							found, network->count - plan->left_out_count,
							plan->bytes, left_out.data)));
}

Oid
network_create(const NetworkFolder *network, const NetworkRequest *request,
			   bool replace, Progress *progress)
{
	const NetworkMethod *method = network_method_require(network);
	ModelDefinition definition;
	ModelWriter *writer;
	StorePlan  *plan;
	StringInfoData found;
	Oid			table;

	model_definition_init(&definition, network->model, method->method,
						  replace);
	model_check_creation(&definition);
	plan = store_plan(network);
	initStringInfo(&found);
	method->take(network, request, &definition, &found);
	progress_phase(progress, "writing rows", (double) plan->bytes);
	writer = model_create(&definition);
	store_folder(network, plan, writer, progress);
	table = model_finish(writer);
	tell(network, method, plan, found.data);
	return table;
}

Datum
import_model(PG_FUNCTION_ARGS)
{
	NetworkFolder network = {0};
	NetworkRequest request;
	NetworkSource *source;
	Progress   *progress;
	Oid			table;

	read_request(fcinfo, &request);
	network.model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	source = open_source(fcinfo, network.model);
	network.files = source->files;
	network.count = source->count;
	network_folder_read(&network);
	if (network.folder.kind == FOLDER_OTHER)
		return hand_over(fcinfo, source, &request);

	progress = progress_begin(psprintf("importing model \"%s\"", network.model), "bytes");
	table = network_create(&network, &request, PG_GETARG_BOOL(ARG_REPLACE),
						   progress);
	source_close(source);
	progress_end(progress);
	PG_RETURN_OID(table);
}
