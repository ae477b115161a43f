/*-------------------------------------------------------------------------
 *
 * network_rewrite.c
 *	  A model's folder with other weights, or with files more.
 *
 * A file of tensors some of which change gets a head of its own; what follows
 * is put together as it is read: tensors that stay come from the base, those
 * that change are read there as floats, some rows at a time, and changed.  So
 * memory is that of some rows, whatever the model's size.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "encoder/network/store.h"
#include "format/safetensors.h"
#include "math/distance.h"
#include "miscadmin.h"
#include "train/progress.h"
#include "utils/memutils.h"

/* Values that are changed at once, at least a row */
#define CHANGED_BYTES (256 * 1024)

typedef struct RewrittenFile
{
	const NetworkRewrite *rewrite;
	const FolderFile *from;
	char	   *head;
	size_t		head_length;
	Tensor	   *tensors;		/* as they are in the new file ... */
	Tensor	   *before;			/* ... and in the old one */
	bool	   *changes;
	size_t		count;

	/* rows of a tensor that were changed last */
	const Tensor *tensor;		/* NULL: none */
	uint64		first;
	int			rows;
	float	   *values;
	char	   *bytes;			/* as they are stored */
} RewrittenFile;

/* ---------- reading ---------- */

static uint64
row_elements(const Tensor *tensor)
{
	return tensor->rank == 0 ? 1 : Max(tensor->shape[tensor->rank - 1], 1);
}

/* Has "values" hold the row with this number, and some after it. */
static bool
change_rows(RewrittenFile *file, size_t number, uint64 row)
{
	const Tensor *tensor = &file->tensors[number];
	const Tensor *before = &file->before[number];
	uint64		elements = row_elements(tensor);
	uint64		all = tensor->elements / elements;
	uint64		rows = Max(CHANGED_BYTES / (elements * sizeof(float)), 1);
	uint64		stored = elements * tensor_block_bytes(before->type);
	FormatFault fault = {0};

	if (file->tensor == tensor && row >= file->first &&
		row < file->first + file->rows)
		return true;
	CHECK_FOR_INTERRUPTS();
	rows = Min(rows, all - row);
	file->tensor = NULL;
	if (!format_file_read(&file->from->file, before->offset + row * stored,
						  file->bytes, rows * stored, &fault))
		return false;
	tensor_to_floats(before->type, file->bytes, rows * elements,
					 file->values);
	file->rewrite->change(file->rewrite->argument, before, row, (int) rows,
						  file->values);
	file->tensor = tensor;
	file->first = row;
	file->rows = (int) rows;
	return true;
}

/* A piece of a changed tensor, from this byte of it on; how much it was */
static size_t
read_changed(RewrittenFile *file, size_t number, uint64 at, char *to,
			 size_t length)
{
	uint64		row_bytes = row_elements(&file->tensors[number]) *
		sizeof(float);
	uint64		begin;
	size_t		count;

	if (!change_rows(file, number, at / row_bytes))
		return 0;
	begin = at - file->first * row_bytes;
	count = Min(length, file->rows * row_bytes - begin);
	memcpy(to, (char *) file->values + begin, count);
	return count;
}

static size_t
read_tensor(RewrittenFile *file, size_t number, uint64 at, char *to,
			size_t length)
{
	const Tensor *tensor = &file->tensors[number];
	FormatFault fault = {0};

	length = Min(length, tensor->bytes - at);
	if (file->changes[number])
		return read_changed(file, number, at, to, length);
	if (!format_file_read(&file->from->file,
						  file->before[number].offset + at, to, length,
						  &fault))
		return 0;
	return length;
}

/* The tensor that holds a byte of the new file */
static size_t
tensor_at(const RewrittenFile *file, uint64 offset)
{
	size_t		first = 0;
	size_t		last = file->count;

	while (last - first > 1)
	{
		size_t		middle = first + (last - first) / 2;

		if (file->tensors[middle].offset <= offset)
			first = middle;
		else
			last = middle;
	}
	/* of several without bytes at one place the last was found */
	while (first > 0 && file->tensors[first].bytes == 0)
		first--;
	return first;
}

static bool
read_rewritten(void *context, uint64_t offset, void *buffer, size_t length)
{
	RewrittenFile *file = context;
	char	   *to = buffer;

	while (length > 0)
	{
		size_t		count;

		if (offset < file->head_length)
		{
			count = Min(length, file->head_length - offset);
			memcpy(to, file->head + offset, count);
		}
		else
		{
			size_t		number = tensor_at(file, offset);

			count = read_tensor(file, number,
								offset - file->tensors[number].offset, to,
								length);
		}
		if (count == 0)
			return false;
		to += count;
		offset += count;
		length -= count;
	}
	return true;
}

/* ---------- the new file ---------- */

/* The metadata of the old head, as pairs of key and value */
static const char **
metadata_pairs(const Safetensors *head, int *pairs)
{
	const char **texts = palloc(sizeof(char *) * 2 *
								(json_count(head->metadata) + 1));

	*pairs = 0;
	for (const JsonValue *key = json_first(head->metadata); key != NULL;
		 key = json_next(head->metadata, key))
	{
		const JsonValue *value = json_member(key);

		texts[2 * *pairs] = pnstrdup(key->text, key->length);
		texts[2 * *pairs + 1] = pnstrdup(value->text, value->length);
		(*pairs)++;
	}
	return texts;
}

static void
make_head(RewrittenFile *file, Arena *arena, const Safetensors *head)
{
	const NetworkFolder *base = file->rewrite->base;
	FormatFault fault = {0};
	int			pairs;
	const char **metadata = metadata_pairs(head, &pairs);
	size_t		largest = CHANGED_BYTES;

	for (size_t i = 0; i < file->count; i++)
	{
		Tensor	   *tensor = &file->tensors[i];

		if (!file->changes[i])
			continue;
		largest = Max(largest, row_elements(tensor) * sizeof(double));
		tensor->type = TENSOR_F32;
		if (!tensor_set_size(tensor, &fault))
			network_folder_fault(base, file->from->name, &fault);
	}
	file->head = safetensors_head(arena, file->tensors, file->count,
								  metadata, pairs, &file->head_length,
								  &fault);
	if (file->head == NULL)
		network_folder_fault(base, file->from->name, &fault);
	/* elements of a row have eight bytes at most where they are stored */
	file->values = palloc_extended(largest, MCXT_ALLOC_HUGE);
	file->bytes = palloc_extended(2 * largest, MCXT_ALLOC_HUGE);
}

static void
rewrite_file(const NetworkRewrite *rewrite, FolderFile *to, int number)
{
	NetworkFolder *base = rewrite->base;
	RewrittenFile *file = palloc0(sizeof(RewrittenFile));
	Safetensors head;
	FormatFault fault = {0};
	Size		bytes;

	file->rewrite = rewrite;
	file->from = &base->files[number];
	if (!safetensors_open(&head, &base->arena, &file->from->file, NULL,
						  &fault))
		network_folder_fault(base, file->from->name, &fault);
	file->count = head.list.count;
	bytes = sizeof(Tensor) * Max(file->count, 1);
	file->before = head.list.tensors;
	file->tensors = palloc(bytes);
	memcpy(file->tensors, file->before, bytes);
	file->changes = palloc0(Max(file->count, 1));
	for (size_t i = 0; i < file->count; i++)
	{
		file->before[i].file = number;
		file->changes[i] = rewrite->changes(rewrite->argument,
											&file->before[i]);
	}
	make_head(file, &base->arena, &head);
	to->file = format_file(read_rewritten, file, file->head_length +
						   (file->count == 0 ? 0 :
							file->tensors[file->count - 1].offset +
							file->tensors[file->count - 1].bytes -
							file->head_length));
}

/* Whether a file of the base has tensors that change */
static bool
file_changes(const NetworkRewrite *rewrite, int number)
{
	const TensorList *list = &rewrite->base->folder.weights;

	for (size_t i = 0; i < list->count; i++)
		if (list->tensors[i].file == number &&
			rewrite->changes(rewrite->argument, &list->tensors[i]))
			return true;
	return false;
}

/* ---------- the face ---------- */

NetworkFolder *
network_folder_of_model(Oid model)
{
	NetworkFolder *network = palloc0(sizeof(NetworkFolder));
	char	   *name;

	network->files = network_files_of_model(model, &name, &network->count);
	network->model = name;
	network->is_table = true;
	network_folder_read(network);
	return network;
}

FolderFile *
network_rewrite(const NetworkRewrite *rewrite, int *count)
{
	const NetworkFolder *base = rewrite->base;
	FolderFile *files = palloc(sizeof(FolderFile) * Max(base->count, 1));
	NetworkRewrite *kept = palloc(sizeof(NetworkRewrite));

	*kept = *rewrite;
	distance_init();
	*count = base->count;
	memcpy(files, base->files, sizeof(FolderFile) * base->count);
	for (int i = 0; i < base->count; i++)
		if (file_changes(kept, i))
			rewrite_file(kept, &files[i], i);
	return files;
}

void
network_put_file(FolderFile **files, int *count, const char *name,
				 const void *bytes, size_t length)
{
	int			at = 0;

	while (at < *count && strcmp((*files)[at].name, name) != 0)
		at++;
	if (at == *count)
		*files = repalloc(*files, sizeof(FolderFile) * ++*count);
	(*files)[at].name = name;
	(*files)[at].file = format_file_of_bytes(bytes, length);
}

Oid
network_write_files(ModelDefinition *definition, FolderFile *files, int count)
{
	NetworkFolder network = {0};
	Progress   *progress;
	ModelWriter *writer;
	StorePlan  *plan;
	Oid			table;

	network.model = definition->name;
	network.files = files;
	network.count = count;
	network_folder_read(&network);
	progress = progress_begin(psprintf("writing model \"%s\"",
									   definition->name), "bytes");
	plan = store_plan(&network);
	progress_phase(progress, "writing rows", (double) plan->bytes);
	writer = model_create(definition);
	store_folder(&network, plan, writer, progress);
	table = model_finish(writer);
	progress_end(progress);
	return table;
}
