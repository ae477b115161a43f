/*-------------------------------------------------------------------------
 *
 * tensor.c
 *	  Lists of the tensors in files.
 *
 *-------------------------------------------------------------------------
 */
#include "format/tensor.h"

#include "format/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct
{
	const char *name;
	int			elements;
	int			bytes;
}			types[] = {
	[TENSOR_F32] = {"F32", 1, 4},
	[TENSOR_F64] = {"F64", 1, 8},
	[TENSOR_F16] = {"F16", 1, 2},
	[TENSOR_BF16] = {"BF16", 1, 2},
	[TENSOR_I8] = {"I8", 1, 1},
	[TENSOR_U8] = {"U8", 1, 1},
	[TENSOR_I16] = {"I16", 1, 2},
	[TENSOR_U16] = {"U16", 1, 2},
	[TENSOR_I32] = {"I32", 1, 4},
	[TENSOR_U32] = {"U32", 1, 4},
	[TENSOR_I64] = {"I64", 1, 8},
	[TENSOR_U64] = {"U64", 1, 8},
	[TENSOR_BOOL] = {"BOOL", 1, 1},
	[TENSOR_Q4_0] = {"Q4_0", 32, 18},
	[TENSOR_Q4_1] = {"Q4_1", 32, 20},
	[TENSOR_Q5_0] = {"Q5_0", 32, 22},
	[TENSOR_Q5_1] = {"Q5_1", 32, 24},
	[TENSOR_Q8_0] = {"Q8_0", 32, 34},
	[TENSOR_Q4_K] = {"Q4_K", 256, 144},
	[TENSOR_Q5_K] = {"Q5_K", 256, 176},
	[TENSOR_Q6_K] = {"Q6_K", 256, 210},
};

const char *
tensor_type_name(TensorType type)
{
	return types[type].name;
}

int
tensor_block_elements(TensorType type)
{
	return types[type].elements;
}

int
tensor_block_bytes(TensorType type)
{
	return types[type].bytes;
}

bool
tensor_set_size(Tensor *tensor, FormatFault *fault)
{
	uint64_t	block = (uint64_t) types[tensor->type].elements;
	uint64_t	elements = 1;

	if (block > 1 &&
		(tensor->rank == 0 || tensor->shape[tensor->rank - 1] % block != 0))
	{
		format_fault(fault, FORMAT_MALFORMED, tensor->offset, 0,
					 "Rows of tensor \"%s\" are not made of whole blocks of %s, %d elements each.",
					 tensor->name, types[tensor->type].name, (int) block);
		return false;
	}
	for (int i = 0; i < tensor->rank; i++)
	{
		if (__builtin_mul_overflow(elements, tensor->shape[i], &elements))
		{
			format_fault(fault, FORMAT_MALFORMED, tensor->offset, 0,
						 "The shape of tensor \"%s\" overflows.", tensor->name);
			return false;
		}
	}
	tensor->elements = elements;
	if (__builtin_mul_overflow(elements / block,
							   (uint64_t) types[tensor->type].bytes,
							   &tensor->bytes))
	{
		format_fault(fault, FORMAT_MALFORMED, tensor->offset, 0,
					 "The size of tensor \"%s\" overflows.", tensor->name);
		return false;
	}
	return true;
}

bool
tensor_set_name(Arena *arena, Tensor *tensor, const char *name, size_t length,
				FormatFault *fault)
{
	char		excerpt[UTF8_EXCERPT];

	if (length > TENSOR_MAX_NAME)
	{
		format_fault(fault, FORMAT_TOO_LARGE, tensor->offset, 0,
					 "The name of a tensor has %zu bytes: \"%s\".", length,
					 utf8_excerpt(name, length, excerpt));
		return false;
	}
	if (utf8_valid_length((const unsigned char *) name, length) < length ||
		memchr(name, '\0', length) != NULL)
	{
		format_fault(fault, FORMAT_MALFORMED, tensor->offset, 0,
					 "The name of a tensor is not text in UTF-8: \"%s\".",
					 utf8_excerpt(name, length, excerpt));
		return false;
	}
	tensor->name = arena_copy(arena, name, length);
	if (tensor->name == NULL)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, tensor->offset, 0, "No memory for a tensor's name.");
		return false;
	}
	return true;
}

static int
compare_places(const void *a, const void *b)
{
	const Tensor *left = a;
	const Tensor *right = b;

	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	/* what is empty stands before what begins at the same place */
	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* Of pointers to tensors: the names, and then where they lie. */
static int
compare_names(const void *a, const void *b)
{
	const Tensor *left = *(Tensor *const *) a;
	const Tensor *right = *(Tensor *const *) b;
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order : left < right ? -1 : left > right;
}

static bool
check_overlaps(const TensorList *list, FormatFault *fault)
{
	for (size_t i = 1; i < list->count; i++)
	{
		const Tensor *before = &list->tensors[i - 1];
		const Tensor *tensor = &list->tensors[i];

		if (before->file != tensor->file ||
			tensor->offset >= before->offset + before->bytes)
			continue;
		format_fault(fault, FORMAT_MALFORMED, tensor->offset, 0,
					 "Tensors \"%.80s\" and \"%.80s\" overlap.", before->name, tensor->name);
		return false;
	}
	return true;
}

static bool
sort_by_name(Arena *arena, TensorList *list, FormatFault *fault)
{
	ArenaMark	mark;
	Tensor	  **pointers;
	const Tensor *twice = NULL;

	list->by_name = arena_alloc_array(arena, list->count,
									  sizeof(*list->by_name));
	mark = arena_mark(arena);
	pointers = arena_alloc_array(arena, list->count, sizeof(*pointers));
	if (list->by_name == NULL || pointers == NULL || list->count > UINT32_MAX)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for %zu tensors.", list->count);
		return false;
	}
	for (size_t i = 0; i < list->count; i++)
		pointers[i] = &list->tensors[i];
	qsort(pointers, list->count, sizeof(*pointers), compare_names);
	for (size_t i = 0; i < list->count; i++)
	{
		if (i > 0 && strcmp(pointers[i - 1]->name, pointers[i]->name) == 0)
			twice = pointers[i];
		list->by_name[i] = (uint32_t) (pointers[i] - list->tensors);
	}
	arena_release(arena, mark);
	if (twice != NULL)
		format_fault(fault, FORMAT_MALFORMED, twice->offset, 0, "There are two tensors \"%s\".",
					 twice->name);
	return twice == NULL;
}

bool
tensor_list_finish(Arena *arena, TensorList *list, FormatFault *fault)
{
	if (list->count > 0)
		qsort(list->tensors, list->count, sizeof(*list->tensors),
			  compare_places);
	return sort_by_name(arena, list, fault) && check_overlaps(list, fault);
}

bool
tensor_list_check_gaps(const TensorList *list, int file, uint64_t start,
					   uint64_t end, uint64_t alignment, FormatFault *fault)
{
	uint64_t	next = start;

	for (size_t i = 0; i < list->count; i++)
	{
		const Tensor *tensor = &list->tensors[i];

		if (tensor->file != file)
			continue;
		if (tensor->offset != next)
		{
			format_fault(fault, FORMAT_MALFORMED, next, 0,
						 "Tensor \"%s\" should begin here, but begins at byte %llu.", tensor->name,
						 (unsigned long long) tensor->offset);
			return false;
		}
		next = tensor->offset + tensor->bytes;
		next += (alignment - (next - start) % alignment) % alignment;
	}
	if (next < end)
	{
		format_fault(fault, FORMAT_MALFORMED, next, 0, "%llu bytes belong to no tensor.",
					 (unsigned long long) (end - next));
		return false;
	}
	return true;
}

const Tensor *
tensor_find(const TensorList *list, const char *name)
{
	size_t		low = 0;
	size_t		high = list->count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		const Tensor *tensor = &list->tensors[list->by_name[middle]];
		int			order = strcmp(name, tensor->name);

		if (order == 0)
			return tensor;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const char *
tensor_shape_text(const Tensor *tensor, char out[TENSOR_SHAPE_TEXT])
{
	size_t		used = 1;

	strcpy(out, "[");
	for (int i = 0; i < tensor->rank && used < TENSOR_SHAPE_TEXT - 30; i++)
		used += (size_t) snprintf(out + used, TENSOR_SHAPE_TEXT - used, "%s%llu", i > 0 ? ", " : "",
								  (unsigned long long) tensor->shape[i]);
	strcpy(out + used, "]");
	return out;
}
