/*-------------------------------------------------------------------------
 *
 * elmo_method.c
 *	  The method "elmo": its options, folders that become models, images.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_training.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "server/extension.h"
#include "type/vector.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

const char *const elmo_poolings[] = {"mean", "max", "first_last", NULL};

static const OptionDeclaration elmo_options[] = {
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0),
	OPTION_INTEGER_OF("layers", 1, ELMO_MAX_LAYERS, 0),
	OPTION_CHOICE_OF("precision", network_precisions, 0),
	OPTION_INTEGER_OF("epochs", 1, PG_INT32_MAX, 0),
	OPTION_NUMBER_OF("perplexity", 1, 1e300, 0),
	OPTION_CONFIG_KEPT("config"),
	OPTION_CHOICE_KEPT("pooling", elmo_poolings, 0),
	OPTION_NUMBERS_KEPT("layer_weights", -1e6, 1e6),
	OPTION_NUMBER_KEPT("gamma", -1e6, 1e6, 1),
	OPTION_BOOLEAN_KEPT("layer_norm", 0),
	OPTIONS_END
};

static void
check_elmo(const ModelDescription *description)
{
	int64		weights = model_option_int(description, "layer_weights");
	int64		layers = model_option_int(description, "layers");

	if (weights > 0 && layers > 0 && weights != layers + 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"layer_weights\" of embedding model \"%s\" must have %d numbers",
						description->table_name, (int) layers + 1),
				 errdetail("It has %d.", (int) weights),
				 errhint("The first is that of the words, the others are those of the layers.")));
}

/* What the folder says, each of its files checked. */
static void
read_options(const NetworkFolder *network, ElmoOptions *options)
{
	const ModelFolder *folder = &network->folder;
	FormatFault fault = {0};

	if (folder->kind != FOLDER_ELMO)
		network_folder_refuse(
			network, FORMAT_UNRECOGNIZED,
			psprintf("Its files are those of a %s, not of an ELMo.",
					 folder_kind_name(folder->kind)));
	if (!elmo_options_parse(options, folder->config, &fault))
		network_folder_fault(network, NULL, &fault);
	if (!elmo_check_tensors(options, &folder->weights, &fault))
		network_folder_fault(network, network->files[folder->hdf5].name,
							 &fault);
	if (2 * options->projection > VECTOR_MAX_DIMS)
		network_folder_refuse(
			network, FORMAT_TOO_LARGE,
			psprintf("A word has %d dimensions, the most are %d.",
					 2 * options->projection, VECTOR_MAX_DIMS));
}

static ProductPrecision
precision_of(int choice)
{
	static const ProductPrecision precisions[] = {
		PRODUCT_FLOAT32, PRODUCT_BFLOAT16, PRODUCT_INT16, PRODUCT_INT8,
		PRODUCT_FLOAT32			/* auto */
	};

	return precisions[choice];
}

static void
make_plan(const NetworkFolder *network, const ElmoOptions *options,
		  int precision, ElmoPlan *plan)
{
	char		message[ELMO_MESSAGE];

	if (!elmo_plan(plan, options, precision_of(precision), message))
		network_folder_refuse(network, FORMAT_TOO_LARGE, message);
}

static void
ignore_floats(void *argument, const float *values, size_t count)
{
}

static void
take_elmo(const NetworkFolder *network, const NetworkRequest *request,
		  ModelDefinition *definition, StringInfo notice)
{
	const TensorList *weights = &network->folder.weights;
	ElmoOptions options;
	ElmoPlan	plan;
	uint64		numbers = 0;
	int			precision = choice_index("precision", request->precision,
										 network_precisions);

	if (request->max_tokens > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens has no meaning for an ELMo"),
				 errdetail("It reads texts of any length.")));
	read_options(network, &options);
	make_plan(network, &options, precision, &plan);
	(void) elmo_start_of_folder(network, &options);
	for (size_t i = 0; i < weights->count; i++)
	{
		network_folder_floats(network, &weights->tensors[i], ignore_floats,
							  NULL);
		numbers += weights->tensors[i].elements;
	}
	model_definition_int(definition, "dims", 2 * options.projection);
	model_definition_int(definition, "layers", options.layers);
	if (strcmp(request->precision, "float32") != 0)
		model_definition_text(definition, "precision", request->precision);
	model_definition_config(definition,
							get_ts_config_oid(
								list_make2(makeString(get_namespace_name(
											   extension_schema())),
										   makeString("embed_whitespace")),
								false));
	appendStringInfo(notice, "%d layers of %d cells in both directions, %d dimensions, %d filters, " UINT64_FORMAT " numbers in %s",
					 options.layers, options.cells, 2 * options.projection,
					 options.filters, numbers,
					 tensor_type_name(weights->tensors[0].type));
}

/* ---------- image ---------- */

/* Between the packer and the server. */
typedef struct PackFiles
{
	const NetworkFolder *network;
	ImageBuilder *builder;
} PackFiles;

static bool
read_tensor(void *argument, const char *name, uint64_t first, uint64_t count,
			ElmoReceive receive, void *receiver)
{
	const PackFiles *files = argument;
	Tensor		part = *tensor_find(&files->network->folder.weights, name);
	uint64		size = part.bytes / part.elements;

	part.rank = 1;
	part.shape[0] = part.elements = count;
	part.offset += first * size;
	part.bytes = count * size;
	network_folder_floats(files->network, &part, receive, receiver);
	return true;
}

static bool
write_packed(void *argument, const void *bytes, size_t size)
{
	const PackFiles *files = argument;

	CHECK_FOR_INTERRUPTS();
	image_append(files->builder, bytes, size);
	return true;
}

static void
build_elmo(ImageBuilder *builder, ModelReader *reader)
{
	const ModelDescription *description = model_reader_description(reader);
	NetworkFolder *network = network_folder_of_table(reader);
	ElmoImageOptions image;
	ElmoPlan	plan;
	PackFiles	pack = {network, builder};
	ElmoFiles	files = {read_tensor, write_packed, &pack};
	char	   *memory;
	float	   *start;

	memset(&image, 0, sizeof(image));
	read_options(network, &image.options);
	make_plan(network, &image.options,
			  (int) model_option_int(description, "precision"), &plan);
	image.precision = plan.precision;
	image_begin_section(builder, ELMO_SECTION_OPTIONS);
	image_append(builder, &image, sizeof(image));
	image_begin_section(builder, ELMO_SECTION_PACKED);
	memory = palloc_extended(elmo_pack_bytes(&plan) + PRODUCT_ALIGNMENT,
							 MCXT_ALLOC_HUGE);
	(void) elmo_pack(&plan, &files,
					 (void *) TYPEALIGN(PRODUCT_ALIGNMENT, memory));
	pfree(memory);
	image_begin_section(builder, ELMO_SECTION_START);
	start = elmo_start_of_folder(network, &image.options);
	if (start != NULL)
		image_append(builder, start,
					 sizeof(float) * elmo_start_floats(&image.options));
}

const ModelMethod elmo_method = {
	.name = "elmo",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = elmo_options,
	.check = check_elmo,
	.build_image = build_elmo,
	.refresh_header = network_sums_refresh,
	.image_format = 1,
	.image_sections = ELMO_SECTIONS,
	.encoder = &elmo_encoder,
	.tunable = &elmo_tunable
};

static const NetworkMethod elmo_of_folder = {
	.method = &elmo_method,
	.kind = FOLDER_ELMO,
	.take = take_elmo
};

void
elmo_init(void)
{
	product_init();
	network_method_register(&elmo_of_folder);
	trainer_task_register(&elmo_task);
}
