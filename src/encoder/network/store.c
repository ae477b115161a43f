/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The files of a folder become the rows of a table.
 *
 * One part is in memory at a time.  A file of tensors becomes its head, its
 * tensors and what may lie between them, in the order of the bytes, so that
 * the data of the rows in the order of their ids are the files again.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/store.h"

#include "encoder/network/sums.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define PIECE_BYTES (1024 * 1024)

/* A file that is no weights is read whole by those who read it. */
#define FILE_MOST_BYTES ((uint64) PG_INT32_MAX)

typedef struct Store
{
	const NetworkFolder *network;
	ModelWriter *writer;
	Progress   *progress;
	double		done;
	int32		id;
	bytea	   *part;			/* room for one */
	float	   *values;			/* of a piece */
	NetworkSums sums;			/* of the rows written */
} Store;

/* Is it a file that the tensors of the model are read from? */
static bool
has_weights(const ModelFolder *folder, int file)
{
	for (size_t i = 0; i < folder->weights.count; i++)
	{
		if (folder->weights.tensors[i].file == file)
			return true;
	}
	for (int i = 0; i < folder->module_count; i++)
	{
		if ((folder->modules[i].weight != NULL &&
			 folder->modules[i].weight->file == file) ||
			(folder->modules[i].bias != NULL &&
			 folder->modules[i].bias->file == file))
			return true;
	}
	return false;
}

/*
 * Published folders often hold the weights five times, for other programs.
 */
static bool
is_other_form(const NetworkFolder *network, int file)
{
	static const char *const ends[] = {
		".bin", ".onnx", ".onnx_data", ".h5", ".ot", ".msgpack", ".pt", ".pth", ".ckpt", ".pkl",
		".npz", ".tflite", ".mlmodel", ".safetensors", NULL
	};
	const char *name = network->files[file].name;

	if (network->folder.weights.count == 0 ||
		has_weights(&network->folder, file) ||
		strncmp(name, NETWORK_ADAPTER, strlen(NETWORK_ADAPTER)) == 0)
		return false;
	if (strncmp(name, "onnx/", 5) == 0 || strncmp(name, "openvino/", 9) == 0)
		return true;
	for (int i = 0; ends[i] != NULL; i++)
	{
		if (name_ends_with(name, ends[i]))
			return true;
	}
	return false;
}

StorePlan *
store_plan(const NetworkFolder *network)
{
	StorePlan  *plan = palloc0(sizeof(StorePlan));

	plan->left_out = palloc0(sizeof(bool) * network->count);
	for (int i = 0; i < network->count; i++)
	{
		uint64		size = network->files[i].file.size;

		if (is_other_form(network, i))
		{
			plan->left_out[i] = true;
			plan->left_out_count++;
			plan->left_out_bytes += size;
			continue;
		}
		plan->bytes += size;
		if (size > FILE_MOST_BYTES && !has_weights(&network->folder, i))
		{
			FormatFault fault = {0};

			format_fault(
				&fault, FORMAT_TOO_LARGE, 0, 0,
				"It has %llu bytes; files that are no weights may have %llu.",
				(unsigned long long) size,
				(unsigned long long) FILE_MOST_BYTES);
			network_folder_fault(network, network->files[i].name, &fault);
		}
	}
	return plan;
}

/* ---------- rows ---------- */

/* Row 0, which speaks of all the others. */
static void
write_header(Store *store)
{
	Datum		values[NETWORK_COLUMNS] = {0};
	bool		nulls[NETWORK_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	nulls[NETWORK_ID] = false;
	values[NETWORK_ID] = Int32GetDatum(0);
	nulls[NETWORK_DATA] = false;
	values[NETWORK_DATA] = PointerGetDatum(network_sums_value(&store->sums));
	model_write_row(store->writer, values, nulls);
}

/* What is not finite is found before it is in the table. */
static void
check_values(Store *store, const Tensor *tensor, const char *bytes,
			 size_t length, uint64 offset)
{
	size_t		block = tensor_block_bytes(tensor->type);
	size_t		elements = length / block *
						   tensor_block_elements(tensor->type);
	FormatFault fault = {0};
	int			wrong;

	if (tensor->type >= TENSOR_I8 && tensor->type <= TENSOR_BOOL)
		return;
	tensor_to_floats(tensor->type, bytes, elements, store->values);
	wrong = format_first_not_finite(store->values, (int) elements);
	if (wrong < 0)
		return;
	offset += wrong / tensor_block_elements(tensor->type) * block;
	format_fault(&fault, FORMAT_NOT_FINITE, offset, 0,
				 "Tensor \"%.100s\" has a value that is not finite.", tensor->name);
	network_folder_fault(store->network,
						 store->network->files[tensor->file].name, &fault);
}

/* Bytes of a file as the parts of one thing. */
static void
write_parts(Store *store, int file, uint64 offset, uint64 length,
			const char *name, const char *element, ArrayType *shape,
			const Tensor *tensor)
{
	const FolderFile *source = &store->network->files[file];
	size_t		block = tensor == NULL ? 1 : tensor_block_bytes(tensor->type);
	uint64		most = NETWORK_PART_BYTES / block * block;
	size_t		piece = PIECE_BYTES / block * block;
	Datum		values[NETWORK_COLUMNS];
	bool		nulls[NETWORK_COLUMNS] = {false};
	char	   *converted = pg_any_to_server(name, (int) strlen(name),
											 PG_UTF8);
	uint64		at = 0;
	int32		part = 0;

	values[NETWORK_NAME] = CStringGetTextDatum(converted);
	values[NETWORK_ELEMENT] = CStringGetTextDatum(element);
	values[NETWORK_SHAPE] = PointerGetDatum(shape);
	do
	{
		size_t		size = Min(length - at, most);
		FormatFault fault = {0};

		for (size_t done = 0; done < size; done += piece)
		{
			size_t		count = Min(size - done, piece);
			char	   *bytes = VARDATA(store->part) + done;

			if (!format_file_read(&source->file, offset + at + done, bytes,
								  count, &fault))
				network_folder_fault(store->network, source->name, &fault);
			if (tensor != NULL)
				check_values(store, tensor, bytes, count, offset + at + done);
			store->done += count;
			progress_update(store->progress, store->done, NAN);
			CHECK_FOR_INTERRUPTS();
		}
		SET_VARSIZE(store->part, VARHDRSZ + size);
		values[NETWORK_ID] = Int32GetDatum(++store->id);
		values[NETWORK_PART] = Int32GetDatum(++part);
		values[NETWORK_DATA] = PointerGetDatum(store->part);
		model_write_row(store->writer, values, nulls);
		network_sums_add(&store->sums, store->id,
						 network_sum(VARDATA(store->part), size));
		at += size;
	} while (at < length);
}

static ArrayType *
shape_of(const NetworkFolder *network, const uint64 *numbers, int count,
		 const char *name)
{
	Datum		elements[TENSOR_MAX_RANK];

	for (int i = 0; i < count; i++)
	{
		if (numbers[i] > PG_INT32_MAX)
			network_folder_refuse(network, FORMAT_TOO_LARGE,
								  psprintf("A dimension of \"%.100s\" is larger than %d.", name,
										   PG_INT32_MAX));
		elements[i] = Int32GetDatum((int32) numbers[i]);
	}
	return construct_array(elements, count, INT4OID, sizeof(int32), true,
						   TYPALIGN_INT);
}

static void
write_bytes(Store *store, int file, uint64 offset, uint64 length,
			const char *element)
{
	const char *name = store->network->files[file].name;

	write_parts(store, file, offset, length, name, element,
				shape_of(store->network, &length, 1, name), NULL);
}

/* Head, tensors and gaps, in the order of the bytes. */
static void
write_weights(Store *store, int file, const TensorList *list)
{
	uint64		size = store->network->files[file].file.size;
	uint64		end = 0;
	bool		head_written = false;

	for (size_t i = 0; i < list->count; i++)
	{
		const Tensor *tensor = &list->tensors[i];

		if (tensor->file != file)
			continue;
		if (!head_written)
			write_bytes(store, file, 0, tensor->offset, ELEMENT_HEAD);
		else if (tensor->offset > end)
			write_bytes(store, file, end, tensor->offset - end, ELEMENT_GAP);
		head_written = true;
		write_parts(store, file, tensor->offset, tensor->bytes, tensor->name,
					tensor_type_name(tensor->type),
					shape_of(store->network, tensor->shape, tensor->rank,
							 tensor->name),
					tensor);
		end = tensor->offset + tensor->bytes;
	}
	if (end < size)
		write_bytes(store, file, end, size - end, ELEMENT_GAP);
}

/* All tensors of a file, also those that an index leaves out. */
static void
write_safetensors(Store *store, int file)
{
	const FolderFile *source = &store->network->files[file];
	Safetensors head;
	FormatFault fault = {0};
	Arena	   *arena = unconstify(Arena *, &store->network->arena);

	if (!safetensors_open(&head, arena, &source->file, NULL, &fault))
		network_folder_fault(store->network, source->name, &fault);
	for (size_t i = 0; i < head.list.count; i++)
		head.list.tensors[i].file = file;
	write_weights(store, file, &head.list);
}

void
store_folder(const NetworkFolder *network, const StorePlan *plan,
			 ModelWriter *writer, Progress *progress)
{
	Store		store = {0};

	store.network = network;
	store.writer = writer;
	store.progress = progress;
	store.part = palloc(VARHDRSZ + NETWORK_PART_BYTES);
	/* the most elements that a piece has: two in a byte and more */
	store.values = palloc(sizeof(float) * PIECE_BYTES * 2);
	network_sums_begin(&store.sums);
	for (int i = 0; i < network->count; i++)
	{
		if (plan->left_out[i])
			continue;
		if (!has_weights(&network->folder, i))
			write_bytes(&store, i, 0, network->files[i].file.size,
						ELEMENT_FILE);
		else if (name_ends_with(network->files[i].name, ".safetensors"))
			write_safetensors(&store, i);
		else
			write_weights(&store, i, &network->folder.weights);
	}
	write_header(&store);
	pfree(store.part);
	pfree(store.values);
	pfree(store.sums.data);
}
