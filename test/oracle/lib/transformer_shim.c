/*-------------------------------------------------------------------------
 *
 * transformer_shim.c
 *	  Transformers of the pure core as a shared object that transformer.py and
 *	  the benchmark of transformers call.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "network/transformer.h"

typedef struct Shim
{
	TransformerConfig config;
	TransformerPlan plan;
	char	   *packed;
	void	   *packer_memory;
	TransformerPacker *packer;
	void	   *scratch;
	size_t		scratch_size;
	char		message[TRANSFORMER_MESSAGE];
} Shim;

extern const char *shim_kernels(const char *name);
extern Shim *shim_begin(const char *model_type);
extern void shim_end(Shim *shim);
extern const char *shim_message(const Shim *shim);
extern int	shim_number(Shim *shim, const char *key, double value);
extern int	shim_text(Shim *shim, const char *key, const char *value);
extern int	shim_plan(Shim *shim, int precision);
extern int	shim_tensor(Shim *shim, const char *name, int dims,
						const int64_t *shape, const float *values,
						size_t count, size_t piece);
extern int	shim_open(Shim *shim);
extern int	shim_encode(Shim *shim, int texts, const int32_t *ids,
						const size_t *offsets, const uint8_t *types,
						int pooling, int normalize, int layer, float *to);
extern size_t shim_bytes(const Shim *shim);
extern size_t shim_scratch(const Shim *shim, size_t tokens);

const char *
shim_kernels(const char *name)
{
	product_init();
	if (name[0] != '\0' && product_select(name) != NULL)
		return "";
	return product_kernels;
}

Shim *
shim_begin(const char *model_type)
{
	Shim	   *shim = calloc(1, sizeof(*shim));

	if (transformer_begin(&shim->config, model_type) != TRANSFORMER_OK)
		strcpy(shim->message, shim->config.message);
	return shim;
}

void
shim_end(Shim *shim)
{
	if (shim->packed != NULL)
		munmap(shim->packed, shim->plan.bytes);
	free(shim->packer_memory);
	free(shim->scratch);
	free(shim);
}

const char *
shim_message(const Shim *shim)
{
	if (shim->message[0] != '\0')
		return shim->message;
	return shim->packer != NULL ? transformer_packer_message(shim->packer)
								: shim->config.message;
}

int
shim_number(Shim *shim, const char *key, double value)
{
	return transformer_number(&shim->config, key, value);
}

int
shim_text(Shim *shim, const char *key, const char *value)
{
	return transformer_text(&shim->config, key, value);
}

static bool
write_packed(void *argument, size_t offset, const void *bytes, size_t size)
{
	Shim	   *shim = argument;

	if (offset + size > shim->plan.bytes)
		abort();
	memcpy(shim->packed + offset, bytes, size);
	return true;
}

int
shim_plan(Shim *shim, int precision)
{
	TransformerStatus status = transformer_finish(&shim->config);
	TransformerSink sink = {write_packed, shim};

	if (status == TRANSFORMER_OK)
		status = transformer_plan(&shim->plan, &shim->config, precision);
	if (status != TRANSFORMER_OK)
		return status;
	shim->packed = mmap(NULL, shim->plan.bytes, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shim->packed == MAP_FAILED)
		abort();
	/* what is not written must show */
	memset(shim->packed, 0xFF, shim->plan.bytes);
	shim->packer_memory = malloc(transformer_packer_bytes(&shim->plan));
	shim->packer = transformer_packer(&shim->plan, sink, shim->packer_memory);
	return TRANSFORMER_OK;
}

int
shim_tensor(Shim *shim, const char *name, int dims, const int64_t *shape,
			const float *values, size_t count, size_t piece)
{
	TransformerStatus status = transformer_tensor_begin(shim->packer, name,
														dims, shape);

	for (size_t at = 0; status == TRANSFORMER_OK && at < count; at += piece)
		status = transformer_tensor_values(shim->packer, values + at,
										   count - at < piece ? count - at
															  : piece);
	return status == TRANSFORMER_OK ? transformer_tensor_end(shim->packer)
									: status;
}

int
shim_open(Shim *shim)
{
	TransformerStatus status = transformer_packer_finish(shim->packer);

	return status == TRANSFORMER_OK
			   ? transformer_open(&shim->plan, shim->packed, shim->plan.bytes)
			   : status;
}

int
shim_encode(Shim *shim, int texts, const int32_t *ids, const size_t *offsets,
			const uint8_t *types, int pooling, int normalize, int layer,
			float *to)
{
	TransformerBatch batch = {texts, ids, offsets, types};
	TransformerOutput output = {pooling, 0, normalize != 0, layer, to};
	size_t		longest = 0;
	size_t		size;

	for (int t = 0; t < texts; t++)
		longest = offsets[t + 1] - offsets[t] > longest
					  ? offsets[t + 1] - offsets[t]
					  : longest;
	size = transformer_scratch_bytes(&shim->plan, longest);
	if (size > shim->scratch_size)
	{
		free(shim->scratch);
		if (posix_memalign(&shim->scratch, 2 << 20, size) != 0)
			abort();
		shim->scratch_size = size;
	}
	return transformer_encode(&shim->plan, shim->packed, &batch, &output,
							  shim->scratch, NULL);
}

size_t
shim_bytes(const Shim *shim)
{
	return shim->plan.bytes;
}

size_t
shim_scratch(const Shim *shim, size_t tokens)
{
	return transformer_scratch_bytes(&shim->plan, tokens);
}
