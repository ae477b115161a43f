/*-------------------------------------------------------------------------
 *
 * fuzz_tensors.h
 *	  What the targets that read tensors share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_TENSORS_H
#define FUZZ_TENSORS_H

#include <stdlib.h>
#include <string.h>

#include "format/tensor.h"
#include "format/utf8.h"
#include "math/distance.h"

/* What a file of this many bytes may take from its arena. */
#define FUZZ_ARENA(size) ((size_t) 1 << 26)

static inline void
require(int condition)
{
	if (!condition)
		abort();
}

/* Asking the processor each time would take longer than the rest. */
static inline void
require_kernels(void)
{
	if (distance_kernels == NULL)
		distance_init();
}

static inline void
require_fault(const FormatFault *fault, bool good)
{
	require(good == (fault->status == FORMAT_OK));
	require(good || fault->detail[0] != '\0');
	require(utf8_valid_length((const unsigned char *) fault->detail,
							  strlen(fault->detail)) == strlen(fault->detail));
}

/* Every tensor lies within its file, is found by its name, and has values. */
static inline void
require_tensors(const TensorList *list, const uint8_t *data,
				const size_t *starts, const size_t *sizes)
{
	float		values[256];

	for (size_t i = 0; i < list->count; i++)
	{
		const Tensor *tensor = &list->tensors[i];
		size_t		size = sizes[tensor->file];
		int			block = tensor_block_elements(tensor->type);
		size_t		some = 256 / block * block;

		require(tensor_find(list, tensor->name) == tensor);
		require(tensor->offset <= size &&
				tensor->bytes <= size - tensor->offset);
		require(tensor->rank >= 0 && tensor->rank <= TENSOR_MAX_RANK);
		require(tensor->bytes ==
				tensor->elements / block * tensor_block_bytes(tensor->type));
		for (uint64_t at = 0; at < tensor->elements; at += some)
		{
			if (some > tensor->elements - at)
				some = (size_t) (tensor->elements - at);
			tensor_to_floats(tensor->type,
							 data + starts[tensor->file] + tensor->offset +
								 at / block * tensor_block_bytes(tensor->type),
							 some, values);
		}
	}
}

#endif							/* FUZZ_TENSORS_H */
