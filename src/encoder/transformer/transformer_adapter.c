/*-------------------------------------------------------------------------
 *
 * transformer_adapter.c
 *	  Changes of low rank in the file form of the package peft:
 *	  adapter_config.json and adapter_model.safetensors.
 *
 * A model that was tuned by low rank keeps its adapter in a folder of its own,
 * where nothing that loads the model looks for it: the weights have it
 * already.  export_adapter gives the two files; import_adapter adds those of
 * anybody to a base.  What a configuration says beyond W + scale * B A is
 * refused by name.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_train.h"

#include <math.h>

#include "encoder/network/source.h"
#include "format/json_write.h"
#include "format/safetensors.h"
#include "math/distance.h"
#include "miscadmin.h"
#include "network/transformer_families.h"
#include "server/arguments.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(import_adapter);
EMBED_FUNCTION(export_adapter);

#define CONFIG_FILE "adapter_config.json"
#define TENSOR_FILE "adapter_model.safetensors"

#define NAME_BEFORE "base_model.model."
#define A_BEHIND ".lora_A.weight"
#define B_BEHIND ".lora_B.weight"
#define WEIGHT_BEHIND ".weight"

/* Files of an adapter are smaller than this, or something is wrong. */
#define MOST_CONFIG_BYTES (16 * 1024 * 1024)
#define MOST_RANK 16000

void
transformer_forget_adapter(FolderFile *files, int *count)
{
	int			kept = 0;

	for (int i = 0; i < *count; i++)
		if (strncmp(files[i].name, NETWORK_ADAPTER,
					strlen(NETWORK_ADAPTER)) != 0)
			files[kept++] = files[i];
	*count = kept;
}

/* ---------- writing what was tuned ---------- */

typedef struct AdapterWriter
{
	NetworkTarget *network;
	NetworkFolder *folder;
	StringInfoData modules;		/* names, as a list of JSON */
	Tensor	   *tensors;		/* A and B of each, one after the other */
	TrainerAdapter *changes;	/* of two tensors each */
	int			count;			/* of tensors */
} AdapterWriter;

/* The module of a tensor, as the model itself calls it */
static char *
module_of(const NetworkTarget *network, const char *name)
{
	const char *prefix = network->plan.model.config.family->prefix;

	if (prefix != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	return pnstrdup(name, strlen(name) - strlen(WEIGHT_BEHIND));
}

static void
add_tensor(AdapterWriter *writer, const char *module, const char *behind,
		   int rows, int columns)
{
	Tensor	   *tensor = &writer->tensors[writer->count++];
	FormatFault fault = {0};

	*tensor = (Tensor) {
		psprintf("%s%s%s", NAME_BEFORE, module, behind), TENSOR_F32, 0, 2
	};
	tensor->shape[0] = rows;
	tensor->shape[1] = columns;
	if (!tensor_set_size(tensor, &fault))
		network_folder_fault(writer->folder, NULL, &fault);
}

/* A tensor of the base: its change, if it has one */
static void
add_module(AdapterWriter *writer, const Tensor *tensor)
{
	TrainerTensor place;
	TrainerAdapter change;
	char	   *module;

	if (!network_tensor_of_name(writer->network, tensor, &place) ||
		!name_ends_with(tensor->name, WEIGHT_BEHIND) ||
		!trainer_adapter(writer->network->trainer, place.role, place.layer,
						 &change))
		return;
	module = module_of(writer->network, tensor->name);
	writer->changes[writer->count / 2] = change;
	add_tensor(writer, module, A_BEHIND, change.rank, change.inputs);
	add_tensor(writer, module, B_BEHIND, change.outputs, change.rank);
	appendStringInfo(&writer->modules, "%s\"%s\"",
					 writer->modules.len == 0 ? "" : ", ", module);
}

static void
put_tensors(AdapterWriter *writer, FolderFile **files, int *count)
{
	FormatFault fault = {0};
	size_t		length;
	char	   *head = safetensors_head(&writer->folder->arena,
										writer->tensors, writer->count, NULL,
										0, &length, &fault);
	StringInfoData bytes;

	if (head == NULL)
		network_folder_fault(writer->folder, NULL, &fault);
	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, head, (int) length);
	for (int i = 0; i < writer->count; i++)
	{
		const TrainerAdapter *change = &writer->changes[i / 2];

		appendBinaryStringInfo(&bytes, (const char *) (i % 2 == 0 ?
													   change->a : change->b),
							   (int) writer->tensors[i].bytes);
	}
	network_put_file(files, count, NETWORK_ADAPTER TENSOR_FILE, bytes.data,
					 bytes.len);
}

static void
put_config(const AdapterWriter *writer, FolderFile **files, int *count)
{
	const TrainerSettings *settings = &writer->network->plan.settings;
	char	   *text =
		psprintf("{\"peft_type\": \"LORA\", \"task_type\": \"FEATURE_EXTRACTION\", "
				 "\"r\": %d, \"lora_alpha\": %.17g, \"lora_dropout\": 0.0, "
				 "\"bias\": \"none\", \"fan_in_fan_out\": false, "
				 "\"use_rslora\": false, \"use_dora\": false, "
				 "\"init_lora_weights\": true, \"inference_mode\": true, "
				 "\"base_model_name_or_path\": null, "
				 "\"modules_to_save\": null, \"target_modules\": [%s]}\n",
				 settings->rank, settings->rank_alpha, writer->modules.data);

	network_put_file(files, count, NETWORK_ADAPTER CONFIG_FILE, text,
					 strlen(text));
}

/*
 * The adapter's files.  A family whose files keep several of our matrices in
 * one has no such form: none.
 */
void
transformer_put_adapter(NetworkTarget *network, FolderFile **files,
						int *count)
{
	const TensorList *list = &network->folder->folder.weights;
	AdapterWriter writer = {network, network->folder};

	if (network->plan.settings.mode != TRAINER_LOW_RANK)
		return;
	initStringInfo(&writer.modules);
	writer.tensors = palloc(sizeof(Tensor) * 2 * Max(list->count, 1));
	writer.changes = palloc(sizeof(TrainerAdapter) * Max(list->count, 1));
	for (size_t i = 0; i < list->count; i++)
		add_module(&writer, &list->tensors[i]);
	if (writer.count == 0)
		return;
	*files = palloc(sizeof(FolderFile));
	*count = 0;
	put_tensors(&writer, files, count);
	put_config(&writer, files, count);
}

/* ---------- reading what comes from elsewhere ---------- */

/* A matrix and its change */
typedef struct AdapterPart
{
	char	   *module;
	const Tensor *a;			/* rank x inputs */
	const Tensor *b;			/* outputs x rank */
	const Tensor *target;		/* of the base; NULL: not met yet */
} AdapterPart;

typedef struct Adapter
{
	NetworkFolder *base;
	const FolderFile *config;
	const FolderFile *file;
	Arena		arena;
	TensorList	list;
	bool		root_of_rank;	/* alpha / sqrt(rank) */
	double		alpha;
	AdapterPart *parts;
	int			count;

	/* the part whose numbers are at hand */
	const AdapterPart *loaded;
	float	   *a;
	float	   *b;
} Adapter;

pg_noreturn static void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("adapter cannot be added to an embedding model"),
			 errdetail("%s", detail)));
}

pg_noreturn static void
fault_of(const char *file, const FormatFault *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid file \"%s\" of an adapter", file),
			 errdetail("%s: %s", format_message(fault->status), fault->detail)));
}

static const FolderFile *
find_file(const FolderFile *files, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		const char *slash = strrchr(files[i].name, '/');

		if (strcmp(slash == NULL ? files[i].name : slash + 1, name) == 0)
			return &files[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no \"%s\" among the files of the adapter",
					name),
			 errhint("An adapter is two files, " CONFIG_FILE " and " TENSOR_FILE ", as rows of name and data.")));
}

static char *
read_bytes(const FolderFile *file, uint64 offset, Size length)
{
	char	   *bytes = palloc_extended(length + 1, MCXT_ALLOC_HUGE);
	FormatFault fault = {0};

	if (!format_file_read(&file->file, offset, bytes, length, &fault))
		fault_of(file->name, &fault);
	bytes[length] = '\0';
	return bytes;
}

/* Whether a value says nothing: null, false, nothing in it */
static bool
says_nothing(const JsonValue *value)
{
	return value == NULL || json_is(value, JSON_NULL) ||
		json_is(value, JSON_FALSE) ||
		((json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT)) &&
		 json_count(value) == 0);
}

static void
check_config(const JsonValue *root)
{
	static const char *const refused[] = {
		"use_dora", "use_qalora", "lora_bias", "fan_in_fan_out",
		"modules_to_save", "rank_pattern", "alpha_pattern",
		"layer_replication", "trainable_token_indices", "target_parameters",
		"alora_invocation_tokens", "arrow_config", "use_bdlora"
	};
	static const char *const begins[] = {"gaussian", "eva", "orthogonal"};
	const JsonValue *begin = json_get(root, "init_lora_weights");
	bool		known = !json_is(begin, JSON_STRING);

	if (!json_equals(json_get(root, "peft_type"), "LORA"))
		refuse("Its \"peft_type\" is not LORA.");
	if (json_get(root, "bias") != NULL &&
		!json_equals(json_get(root, "bias"), "none"))
		refuse("It changes biases.");
	for (int i = 0; i < (int) lengthof(refused); i++)
		if (!says_nothing(json_get(root, refused[i])))
			refuse(psprintf("Its configuration has \"%s\".", refused[i]));
	for (int i = 0; i < (int) lengthof(begins); i++)
		known |= json_equals(begin, begins[i]);
	if (!known)
		refuse("Its \"init_lora_weights\" changed the weights of its base.");
}

static void
read_config(Adapter *adapter)
{
	FormatFault fault = {0};
	const JsonValue *root;
	char	   *text;

	if (adapter->config->file.size > MOST_CONFIG_BYTES)
		refuse("Its configuration is too large.");
	text = read_bytes(adapter->config, 0, adapter->config->file.size);
	root = json_parse(&adapter->arena, text, adapter->config->file.size,
					  NULL, &fault);
	if (root == NULL)
		fault_of(adapter->config->name, &fault);
	check_config(root);
	(void) json_bool(json_get(root, "use_rslora"), &adapter->root_of_rank);
	if (!json_double(json_get(root, "lora_alpha"), &adapter->alpha) ||
		!isfinite(adapter->alpha))
		refuse("Its configuration has no number \"lora_alpha\".");
}

/* The tensor's module, if its name ends so */
static char *
module_of_name(const char *name, const char *behind)
{
	if (!name_ends_with(name, behind))
		return NULL;
	if (strncmp(name, NAME_BEFORE, strlen(NAME_BEFORE)) == 0)
		name += strlen(NAME_BEFORE);
	return pnstrdup(name, Max((int) strlen(name) - (int) strlen(behind), 0));
}

static void
check_part(const AdapterPart *part)
{
	if (part->b == NULL || part->a->rank != 2 || part->b->rank != 2 ||
		part->a->shape[0] != part->b->shape[1] || part->a->shape[0] < 1 ||
		part->a->shape[0] > MOST_RANK)
		refuse(psprintf("The change of \"%s\" is not two matrices that go together.",
						part->module));
}

static void
read_tensors(Adapter *adapter)
{
	FormatFault fault = {0};
	Safetensors head;
	size_t		met = 0;

	if (!safetensors_open(&head, &adapter->arena, &adapter->file->file, NULL,
						  &fault))
		fault_of(adapter->file->name, &fault);
	adapter->list = head.list;
	adapter->parts = palloc0(sizeof(AdapterPart) *
							 Max(adapter->list.count, 1));
	for (size_t i = 0; i < adapter->list.count; i++)
	{
		const Tensor *tensor = &adapter->list.tensors[i];
		AdapterPart *part = &adapter->parts[adapter->count];
		const char *before = tensor->name;

		part->module = module_of_name(before, A_BEHIND);
		if (part->module == NULL)
			continue;
		part->a = tensor;
		part->b = tensor_find(&adapter->list,
							  psprintf("%.*s" B_BEHIND,
									   (int) (strlen(before) -
											  strlen(A_BEHIND)), before));
		check_part(part);
		met += 2;
		adapter->count++;
	}
	if (met != adapter->list.count || met == 0)
		refuse("It has tensors that are no changes of low rank of matrices.");
}

/* Is one name the other with something before it? */
static bool
same_module(const char *x, const char *y)
{
	const char *longer = strlen(x) > strlen(y) ? x : y;
	const char *shorter = longer == x ? y : x;
	size_t		more = strlen(longer) - strlen(shorter);

	return strcmp(longer + more, shorter) == 0 &&
		(more == 0 || longer[more - 1] == '.');
}

static AdapterPart *
part_of(const Adapter *adapter, const Tensor *tensor)
{
	char	   *module;

	if (!name_ends_with(tensor->name, WEIGHT_BEHIND) || tensor->rank != 2)
		return NULL;
	module = pnstrdup(tensor->name, strlen(tensor->name) -
					  strlen(WEIGHT_BEHIND));
	for (int i = 0; i < adapter->count; i++)
		if (same_module(adapter->parts[i].module, module))
			return &adapter->parts[i];
	return NULL;
}

/* Every part has one matrix of the base, of its shape. */
static void
find_targets(Adapter *adapter)
{
	const TensorList *list = &adapter->base->folder.weights;

	for (size_t i = 0; i < list->count; i++)
	{
		const Tensor *tensor = &list->tensors[i];
		AdapterPart *part = part_of(adapter, tensor);

		if (part == NULL)
			continue;
		if (part->target != NULL || tensor->shape[0] != part->b->shape[0] ||
			tensor->shape[1] != part->a->shape[1])
			refuse(psprintf("\"%s\" of the base has another shape than the change of it, or there are several.",
							tensor->name));
		part->target = tensor;
	}
	for (int i = 0; i < adapter->count; i++)
		if (adapter->parts[i].target == NULL)
			refuse(psprintf("The base has no matrix \"%s\".",
							adapter->parts[i].module));
}

/* ---------- adding ---------- */

static float *
read_floats(const Adapter *adapter, const Tensor *tensor)
{
	char	   *bytes = read_bytes(adapter->file, tensor->offset,
								   tensor->bytes);
	float	   *values = palloc_extended(sizeof(float) * tensor->elements,
										 MCXT_ALLOC_HUGE);

	tensor_to_floats(tensor->type, bytes, tensor->elements, values);
	for (uint64 i = 0; i < tensor->elements; i++)
		if (!isfinite(values[i]))
			refuse(psprintf("\"%s\" has a number that is not finite.",
							tensor->name));
	pfree(bytes);
	return values;
}

static void
load_part(Adapter *adapter, const AdapterPart *part)
{
	if (adapter->loaded == part)
		return;
	if (adapter->loaded != NULL)
	{
		pfree(adapter->a);
		pfree(adapter->b);
	}
	adapter->a = read_floats(adapter, part->a);
	adapter->b = read_floats(adapter, part->b);
	adapter->loaded = part;
}

static bool
changes(void *argument, const Tensor *tensor)
{
	return part_of(argument, tensor) != NULL;
}

static void
add_change(void *argument, const Tensor *tensor, uint64 first, int rows,
		   float *values)
{
	Adapter    *adapter = argument;
	const AdapterPart *part = part_of(adapter, tensor);
	int			rank = (int) part->a->shape[0];
	Size		inputs = part->a->shape[1];
	double		scale = adapter->alpha /
		(adapter->root_of_rank ? sqrt(rank) : rank);
	double	   *sum = palloc(sizeof(double) * inputs);

	load_part(adapter, part);
	for (int r = 0; r < rows; r++)
	{
		const float *b = adapter->b + (first + r) * rank;
		float	   *to = values + r * inputs;

		CHECK_FOR_INTERRUPTS();
		memset(sum, 0, sizeof(double) * inputs);
		for (int k = 0; k < rank; k++)
			for (Size i = 0; i < inputs; i++)
				sum[i] += (double) b[k] * adapter->a[k * inputs + i];
		for (Size i = 0; i < inputs; i++)
			to[i] = (float) (to[i] + scale * sum[i]);
	}
	pfree(sum);
}

/* ---------- functions ---------- */

/* Of a model that the caller may read */
static const ModelDescription *
require_transformer(Oid model)
{
	const ModelDescription *description = model_describe(model);

	if (pg_class_aclcheck(model, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   description->table_name);
	if (description->method->tunable != &transformer_tunable)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" can have no adapter",
						description->table_name),
				 errdetail("It is a model of method \"%s\".",
						   description->method->name),
				 errhint("Transformers can.")));
	return description;
}

static Oid
write_merged(Adapter *adapter, ModelDefinition *definition)
{
	NetworkRewrite rewrite = {adapter->base, changes, add_change, adapter};
	FolderFile *files;
	int			count;

	files = network_rewrite(&rewrite, &count);
	transformer_forget_adapter(files, &count);
	network_put_file(&files, &count, NETWORK_ADAPTER CONFIG_FILE,
					 read_bytes(adapter->config, 0,
								adapter->config->file.size),
					 adapter->config->file.size);
	network_put_file(&files, &count, NETWORK_ADAPTER TENSOR_FILE,
					 read_bytes(adapter->file, 0, adapter->file->file.size),
					 adapter->file->file.size);
	return network_write_files(definition, files, count);
}

/* import_adapter(model text, base regclass, files text, replace boolean) */
Datum
import_adapter(PG_FUNCTION_ARGS)
{
	static const char *const argument_names[] = {
		"model", "base", "files", "replace"
	};
	char	   *model;
	Oid			base;
	const ModelDescription *description;
	Adapter    *adapter = palloc0(sizeof(Adapter));
	ModelDefinition definition;
	NetworkSource *source;
	Oid			table;

	arguments_require(fcinfo, arguments_but(lengthof(argument_names), 0),
					  argument_names);
	model = text_to_cstring(PG_GETARG_TEXT_PP(0));
	base = PG_GETARG_OID(1);
	description = require_transformer(base);
	distance_init();
	model_definition_init(&definition, model, description->method,
						  PG_GETARG_BOOL(3));
	model_definition_like(&definition, description);
	model_check_creation(&definition);
	network_arena_begin(&adapter->arena, CurrentMemoryContext,
						(size_t) maintenance_work_mem * 1024);
	source = source_of_query(model, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	adapter->config = find_file(source->files, source->count, CONFIG_FILE);
	adapter->file = find_file(source->files, source->count, TENSOR_FILE);
	if (adapter->file->file.size > (uint64) maintenance_work_mem * 1024)
		refuse("It is larger than maintenance_work_mem.");
	read_config(adapter);
	read_tensors(adapter);
	adapter->base = network_folder_of_model(base);
	if (adapter->base->folder.kind == FOLDER_GGUF)
		refuse("The base was imported from a GGUF file, whose blocks cannot be written.");
	find_targets(adapter);
	table = write_merged(adapter, &definition);
	source_close(source);
	PG_RETURN_OID(table);
}

/* export_adapter(model regclass) -> table(name text, data bytea) */
Datum
export_adapter(PG_FUNCTION_ARGS)
{
	const ModelDescription *description =
		require_transformer(PG_GETARG_OID(0));
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	const Size	before = strlen(NETWORK_ADAPTER);
	char	   *model;
	int			count;
	FolderFile *files = network_files_of_model(PG_GETARG_OID(0), &model,
											   &count);
	int			given = 0;

	for (int i = 0; i < count; i++)
	{
		const FolderFile *file = &files[i];
		Datum		values[2];
		bool		nulls[2] = {false, false};
		bytea	   *data;

		if (strncmp(file->name, NETWORK_ADAPTER, before) != 0)
			continue;
		if (file->file.size > MaxAllocSize - VARHDRSZ)
			refuse("It is too large for a bytea.");
		data = palloc(VARHDRSZ + file->file.size);
		SET_VARSIZE(data, VARHDRSZ + file->file.size);
		memcpy(VARDATA(data), read_bytes(file, 0, file->file.size),
			   file->file.size);
		values[0] = CStringGetTextDatum(file->name + before);
		values[1] = PointerGetDatum(data);
		set_result_add(set, values, nulls);
		given++;
	}
	if (given == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("embedding model \"%s\" has no adapter",
						description->table_name),
				 errhint("tune_model() with method => 'low_rank' makes one.")));
	return (Datum) 0;
}
