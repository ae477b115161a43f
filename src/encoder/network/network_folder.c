/*-------------------------------------------------------------------------
 *
 * network_folder.c
 *	  A model's folder, read by the server: memory, errors, values.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "math/distance.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* What the configurations and the names of tensors may take. */
#define FOLDER_MEMORY ((size_t) 512 << 20)

/* A tokenizer.json is read whole; the largest published ones have 35 MB. */
#define FOLDER_MOST_TEXT ((uint64) 256 << 20)

#define PIECE_BYTES (1024 * 1024)

/*
 * Blocks of an arena are aligned as malloc aligns, which is more than palloc
 * does: the block that was asked for is noted before the one given out.
 */
static void *
allocate(void *context, size_t size)
{
	char	   *block;
	void	  **aligned;

	if (size > MaxAllocHugeSize - ARENA_ALIGNMENT)
		return NULL;
	block = MemoryContextAllocExtended((MemoryContext) context,
									   size + ARENA_ALIGNMENT,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		return NULL;
	aligned = (void **) TYPEALIGN(ARENA_ALIGNMENT, block + sizeof(void *));
	aligned[-1] = block;
	return aligned;
}

static void
release(void *context, void *block)
{
	pfree(((void **) block)[-1]);
}

void
network_arena_begin(Arena *arena, MemoryContext context, size_t limit)
{
	arena_begin(arena, allocate, release, context, limit);
}

static int
errcode_of_fault(const NetworkFolder *network, FormatStatus status)
{
	switch (status)
	{
		case FORMAT_OUT_OF_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case FORMAT_READ_FAILED:
			return ERRCODE_IO_ERROR;
		case FORMAT_UNSUPPORTED:
			return network->is_table ? ERRCODE_DATA_EXCEPTION :
				ERRCODE_FEATURE_NOT_SUPPORTED;
		case FORMAT_TOO_LARGE:
			return network->is_table ? ERRCODE_DATA_EXCEPTION :
				ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		default:
			return network->is_table ? ERRCODE_DATA_EXCEPTION :
				ERRCODE_INVALID_BINARY_REPRESENTATION;
	}
}

/*
 * Faults of what is read are told with the place in it, which says nothing
 * about a file that is missing or a limit.
 */
pg_noreturn void
network_folder_fault(const NetworkFolder *network, const char *file,
					 const FormatFault *fault)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfoString(&detail, fault->detail);
	if (file != NULL && fault->line > 0)
		appendStringInfo(&detail, " File \"%s\", line " INT64_FORMAT ".", file, fault->line);
	else if (file != NULL && fault->offset > 0)
		appendStringInfo(&detail, " File \"%s\", byte " UINT64_FORMAT ".", file, fault->offset);
	else if (file != NULL)
		appendStringInfo(&detail, " File \"%s\".", file);
	ereport(ERROR,
			(errcode(errcode_of_fault(network, fault->status)),
			 network->is_table ?
			 errmsg("embedding model \"%s\" cannot be used: %s", network->model,
					format_message(fault->status)) :
			 errmsg("could not import model \"%s\": %s", network->model,
					format_message(fault->status)),
			 errdetail_internal("%s", detail.data)));
}

pg_noreturn void
network_folder_refuse(const NetworkFolder *network, FormatStatus status,
					  const char *detail)
{
	FormatFault fault = {0};

	fault.status = status;
	strlcpy(fault.detail, detail, sizeof(fault.detail));
	network_folder_fault(network, NULL, &fault);
}

void
network_folder_read(NetworkFolder *network)
{
	FormatFault fault;

	distance_init();
	network->context = AllocSetContextCreate(CurrentMemoryContext, "embed folder",
											 ALLOCSET_DEFAULT_SIZES);
	network_arena_begin(&network->arena, network->context, FOLDER_MEMORY);
	if (!folder_read(&network->folder, &network->arena, network->files,
					 network->count, network_check_interrupts, NULL, &fault))
		network_folder_fault(network, network->folder.file, &fault);
}

char *
network_folder_text(const NetworkFolder *network, int file, size_t *length)
{
	const FolderFile *source = &network->files[file];
	FormatFault fault = {0};
	char	   *text;

	if (source->file.size > FOLDER_MOST_TEXT)
	{
		format_fault(&fault, FORMAT_TOO_LARGE, 0, 0, "It has %llu bytes, the most are %llu.",
					 (unsigned long long) source->file.size,
					 (unsigned long long) FOLDER_MOST_TEXT);
		network_folder_fault(network, source->name, &fault);
	}
	*length = (size_t) source->file.size;
	text = palloc_extended(*length + 1, MCXT_ALLOC_HUGE);
	for (size_t at = 0; at < *length;)
	{
		size_t		count = Min(*length - at, (size_t) PIECE_BYTES);

		CHECK_FOR_INTERRUPTS();
		if (!format_file_read(&source->file, at, text + at, count, &fault))
			network_folder_fault(network, source->name, &fault);
		at += count;
	}
	text[*length] = '\0';
	return text;
}

/* ---------- values ---------- */

static void
read_piece(const NetworkFolder *network, const Tensor *tensor, uint64 at,
		   void *bytes, size_t count)
{
	const FolderFile *file = &network->files[tensor->file];
	FormatFault fault = {0};

	CHECK_FOR_INTERRUPTS();
	if (!format_file_read(&file->file, tensor->offset + at, bytes, count,
						  &fault))
		network_folder_fault(network, file->name, &fault);
}

void
network_folder_floats(const NetworkFolder *network, const Tensor *tensor,
					  NetworkReceive receive, void *argument)
{
	size_t		block_bytes = tensor_block_bytes(tensor->type);
	size_t		block_elements = tensor_block_elements(tensor->type);
	size_t		blocks = (PIECE_BYTES / 8) / block_elements;
	char	   *bytes = palloc(blocks * block_bytes);
	float	   *values = palloc(blocks * block_elements * sizeof(float));

	for (uint64 at = 0; at < tensor->bytes;)
	{
		size_t		count = Min(tensor->bytes - at, blocks * block_bytes);
		size_t		elements = count / block_bytes * block_elements;
		int			wrong;

		read_piece(network, tensor, at, bytes, count);
		tensor_to_floats(tensor->type, bytes, elements, values);
		wrong = format_first_not_finite(values, (int) elements);
		if (wrong >= 0)
		{
			FormatFault fault = {0};

			format_fault(&fault, FORMAT_NOT_FINITE,
						 tensor->offset + at +
							 wrong / block_elements * block_bytes,
						 0,
						 "Tensor \"%.100s\" has a value that is not finite.",
						 tensor->name);
			network_folder_fault(network, network->files[tensor->file].name,
								 &fault);
		}
		receive(argument, values, elements);
		at += count;
	}
	pfree(bytes);
	pfree(values);
}

static int64
integer_of(TensorType type, const unsigned char *bytes)
{
	switch (type)
	{
		case TENSOR_I8:
			return (int8) bytes[0];
		case TENSOR_U8:
			return bytes[0];
		case TENSOR_I16:
			return (int16) (bytes[0] | bytes[1] << 8);
		case TENSOR_U16:
			return (uint16) (bytes[0] | bytes[1] << 8);
		case TENSOR_I32:
			return (int32) format_read_uint32(bytes);
		case TENSOR_U32:
			return format_read_uint32(bytes);
		default:
			/*
			 * a U64 above the largest int64 is negative, and so out of range
			 */
			return (int64) format_read_uint64(bytes);
	}
}

int64 *
network_folder_integers(const NetworkFolder *network, const Tensor *tensor)
{
	int			size = tensor_block_bytes(tensor->type);
	int64	   *values;
	unsigned char *bytes = palloc(PIECE_BYTES);

	if (tensor->elements > MaxAllocHugeSize / sizeof(int64) ||
		tensor->elements > PG_INT32_MAX)
		network_folder_refuse(network, FORMAT_TOO_LARGE, "A tensor of whole numbers is too large.");
	values = palloc_extended(Max(tensor->elements, 1) * sizeof(int64),
							 MCXT_ALLOC_HUGE);
	for (uint64 at = 0; at < tensor->bytes;)
	{
		size_t		count = Min(tensor->bytes - at, (uint64) PIECE_BYTES);

		read_piece(network, tensor, at, bytes, count);
		for (size_t i = 0; i < count / size; i++)
			values[at / size + i] = integer_of(tensor->type, bytes + i * size);
		at += count;
	}
	pfree(bytes);
	return values;
}
