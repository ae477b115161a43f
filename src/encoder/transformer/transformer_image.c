/*-------------------------------------------------------------------------
 *
 * transformer_image.c
 *	  From the tensors of a folder to the image.
 *
 * src/network packs tensors in the order in which files have them, and writes
 * each panel to its place; an image is written from front to back.  So the
 * packed form goes through a temporary file, and memory stays bounded by a
 * panel whatever the network's size.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#define COPY_BYTES (256 * 1024)

/* ---------- the network ---------- */

static bool
is_weight(TensorType type)
{
	return type <= TENSOR_BF16 || type >= TENSOR_Q4_0;
}

static void
check_packer(const NetworkFolder *network, const TransformerPacker *packer,
			 TransformerStatus status)
{
	const char *message = transformer_packer_message(packer);

	if (status == TRANSFORMER_OK)
		return;
	network_folder_refuse(network, FORMAT_MALFORMED,
						  psprintf("%c%s.", pg_toupper(message[0]),
								   message + 1));
}

typedef struct ValueReceiver
{
	const NetworkFolder *network;
	TransformerPacker *packer;
} ValueReceiver;

static void
receive_values(void *argument, const float *values, size_t count)
{
	ValueReceiver *receiver = argument;

	check_packer(receiver->network, receiver->packer,
				 transformer_tensor_values(receiver->packer, values, count));
}

static void
pack_tensor(const NetworkFolder *network, TransformerPacker *packer,
			const Tensor *tensor)
{
	ValueReceiver receiver = {network, packer};
	const char *name = tensor->name;
	int64_t		shape[TENSOR_MAX_RANK];
	TransformerStatus status;

	if (network->folder.kind == FOLDER_GGUF)
		name = transformer_gguf_tensor(network, name);
	for (int i = 0; i < (int) tensor->rank; i++)
		shape[i] = (int64_t) Min(tensor->shape[i], (uint64) PG_INT64_MAX);
	status = transformer_tensor_begin(packer, name, (int) tensor->rank,
									  shape);
	if (status == TRANSFORMER_IGNORED)
		return;
	check_packer(network, packer, status);
	if (!is_weight(tensor->type))
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("Tensor \"%.100s\" is of type %s.",
									   tensor->name,
									   tensor_type_name(tensor->type)));
	network_folder_floats(network, tensor, receive_values, &receiver);
	check_packer(network, packer, transformer_tensor_end(packer));
}

static void
pack_network(const NetworkFolder *network, const TransformerPlan *plan,
			 TransformerSink sink)
{
	const TensorList *weights = &network->folder.weights;
	void	   *memory = palloc_extended(transformer_packer_bytes(plan),
										 MCXT_ALLOC_HUGE);
	TransformerPacker *packer = transformer_packer(plan, sink, memory);

	for (size_t i = 0; i < weights->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		pack_tensor(network, packer, &weights->tensors[i]);
	}
	check_packer(network, packer, transformer_packer_finish(packer));
	pfree(memory);
}

static bool
write_nothing(void *argument, size_t offset, const void *bytes, size_t size)
{
	return true;
}

static void
ignore_floats(void *argument, const float *values, size_t count)
{
}

static int
all_steps(const TransformerModel *model)
{
	return model->settings.step_count + model->settings.head_count;
}

/* Everything is read once, so that what becomes a model can be packed. */
void
transformer_check_tensors(const NetworkFolder *network,
						  const TransformerModel *model)
{
	TransformerSink sink = {write_nothing, NULL};

	pack_network(network, &model->plan, sink);
	for (int i = 0; i < all_steps(model); i++)
	{
		const StepTensors *tensors = &model->tensors[i];

		if (tensors->weight != NULL)
			network_folder_floats(network, tensors->weight, ignore_floats,
								  NULL);
		if (tensors->bias != NULL)
			network_folder_floats(network, tensors->bias, ignore_floats,
								  NULL);
	}
}

/* ---------- through a temporary file ---------- */

static bool
write_to_file(void *argument, size_t offset, const void *bytes, size_t size)
{
	File		file = *(File *) argument;
	const char *from = bytes;

	while (size > 0)
	{
		int			count = (int) Min(size, COPY_BYTES);
		int			written;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		written = FileWrite(file, (char *) from, count, (off_t) offset,
							WAIT_EVENT_BUFFILE_WRITE);
		if (written != count)
		{
			if (errno == 0)
				errno = ENOSPC;
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to temporary file \"%s\": %m",
							FilePathName(file))));
		}
		from += count;
		offset += count;
		size -= count;
	}
	return true;
}

/* The file from its begin; what nothing was written to is zeros. */
static void
append_file(ImageBuilder *builder, File file, Size bytes)
{
	char	   *buffer = palloc(COPY_BYTES);

	for (Size at = 0; at < bytes;)
	{
		int			count = (int) Min(bytes - at, COPY_BYTES);
		int			got;

		CHECK_FOR_INTERRUPTS();
		got = FileRead(file, buffer, count, (off_t) at,
					   WAIT_EVENT_BUFFILE_READ);
		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read temporary file \"%s\": %m",
							FilePathName(file))));
		memset(buffer + got, 0, count - got);
		image_append(builder, buffer, count);
		at += count;
	}
	pfree(buffer);
}

static void
append_network(ImageBuilder *builder, const NetworkFolder *network,
			   const TransformerPlan *plan)
{
	File		file = OpenTemporaryFile(false);
	TransformerSink sink = {write_to_file, &file};

	pack_network(network, plan, sink);
	append_file(builder, file, plan->bytes);
	FileClose(file);
}

/* ---------- dense layers after it ---------- */

/* Rows of a matrix that become panels. */
typedef struct PanelWriter
{
	ImageBuilder *builder;
	int			inner;
	int			columns;		/* of a panel */
	float	   *rows;
	size_t		filled;			/* floats of it */
	char	   *panel;
} PanelWriter;

static void
write_panel(PanelWriter *writer)
{
	if (writer->filled == 0)
		return;
	product_pack_panel(PRODUCT_FLOAT32, writer->inner,
					   (int) (writer->filled / writer->inner), writer->rows,
					   writer->inner, writer->panel);
	image_append(writer->builder, writer->panel,
				 product_panel_bytes(PRODUCT_FLOAT32, writer->inner));
	writer->filled = 0;
}

static void
take_rows(void *argument, const float *values, size_t count)
{
	PanelWriter *writer = argument;
	size_t		whole = (size_t) writer->inner * writer->columns;

	while (count > 0)
	{
		size_t		taken = Min(count, whole - writer->filled);

		memcpy(writer->rows + writer->filled, values, sizeof(float) * taken);
		writer->filled += taken;
		values += taken;
		count -= taken;
		if (writer->filled == whole)
			write_panel(writer);
	}
}

static void
append_matrix(ImageBuilder *builder, const NetworkFolder *network,
			  const VectorStep *step, const Tensor *tensor)
{
	PanelWriter writer = {builder, step->in,
	product_panel_columns(PRODUCT_FLOAT32)};
	Size		bytes = product_panel_bytes(PRODUCT_FLOAT32, step->in);
	char	   *memory = palloc(bytes + PRODUCT_ALIGNMENT);

	writer.panel = (char *) TYPEALIGN(PRODUCT_ALIGNMENT, memory);
	writer.rows = palloc(sizeof(float) * writer.inner * writer.columns);
	network_folder_floats(network, tensor, take_rows, &writer);
	write_panel(&writer);
	pfree(memory);
	pfree(writer.rows);
}

static void
append_floats(void *argument, const float *values, size_t count)
{
	image_append(argument, values, sizeof(float) * count);
}

/* Zeros up to a place of the section; returns it. */
static uint64
append_up_to(ImageBuilder *builder, uint64 at, uint64 place)
{
	static const char zeros[PRODUCT_ALIGNMENT] = {0};

	Assert(place >= at && place - at < PRODUCT_ALIGNMENT);
	image_append(builder, zeros, place - at);
	return place;
}

static void
append_steps(ImageBuilder *builder, const NetworkFolder *network,
			 const TransformerModel *model)
{
	uint64		at = 0;

	for (int i = 0; i < all_steps(model); i++)
	{
		const VectorStep *step = &model->steps[i];
		const StepTensors *tensors = &model->tensors[i];

		if (tensors->weight == NULL)
			continue;
		at = append_up_to(builder, at, step->weights);
		if (step->kind == STEP_DENSE)
			append_matrix(builder, network, step, tensors->weight);
		else
			network_folder_floats(network, tensors->weight, append_floats,
								  builder);
		at += step_weight_bytes(step);
		if (tensors->bias == NULL)
			continue;
		at = append_up_to(builder, at, step->bias);
		network_folder_floats(network, tensors->bias, append_floats, builder);
		at += sizeof(float) * step->out;
	}
}

/* ---------- all of it ---------- */

/* The plan is kept without what is an address. */
static void
append_plan(ImageBuilder *builder, const TransformerPlan *plan)
{
	TransformerPlan kept = *plan;

	kept.config.family = NULL;
	image_append(builder, &kept, sizeof(TransformerPlan));
}

void
transformer_build_image(ImageBuilder *builder, ModelReader *reader)
{
	const ModelDescription *description = model_reader_description(reader);
	const OptionValue *precision = model_option(description, "precision");
	NetworkFolder *network = network_folder_of_table(reader);
	TransformerModel *model = palloc(sizeof(TransformerModel));
	StringInfo	prompts;

	if (network->folder.kind != FOLDER_TRANSFORMER &&
		network->folder.kind != FOLDER_GGUF)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("Its files are those of a %s, not of a transformer.",
									   folder_kind_name(
										   network->folder.kind)));
	transformer_read_folder(network, (ProductPrecision) precision->integer,
							model_option_int(description, "max_tokens"),
							model);
	prompts = network_prompts_write(&network->folder,
									&model->settings.default_prompt);
	network_build_tokenizer(builder, &model->image, &model->limits);
	image_begin_section(builder, TRANSFORMER_SECTION_PLAN);
	append_plan(builder, &model->plan);
	image_begin_section(builder, TRANSFORMER_SECTION_SETTINGS);
	image_append(builder, &model->settings, sizeof(TransformerSettings));
	image_begin_section(builder, TRANSFORMER_SECTION_WEIGHTS);
	append_network(builder, network, &model->plan);
	image_begin_section(builder, TRANSFORMER_SECTION_STEPS);
	image_append(builder, model->steps,
				 sizeof(VectorStep) * all_steps(model));
	image_begin_section(builder, TRANSFORMER_SECTION_STEP_WEIGHTS);
	append_steps(builder, network, model);
	image_begin_section(builder, TRANSFORMER_SECTION_PROMPTS);
	image_append(builder, prompts->data, prompts->len);
	image_begin_section(builder, TRANSFORMER_SECTION_LABELS);
	if (model->labels != NULL)
		image_append(builder, model->labels->data, model->labels->len);
	image_begin_section(builder, TRANSFORMER_SECTION_PAIR);
	image_append(builder, model->pair, sizeof(PairPiece) * model->pair_count);
}
