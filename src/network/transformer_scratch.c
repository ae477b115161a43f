/*-------------------------------------------------------------------------
 *
 * transformer_scratch.c
 *	  The memory that encoding takes, and who has which part of it.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_run.h"

/*
 * Rows are a multiple of registers wide; not of 4096 bytes, for twelve rows
 * that many bytes apart would share a few lines of the first cache.
 */
size_t
transformer_row_width(int dims)
{
	size_t		width = ((size_t) dims + 15) / 16 * 16;

	return width % 256 == 0 ? width + 16 : width;
}

typedef struct ScratchSizes
{
	size_t		x,
				normed,
				fused,
				units,
				embedding,
				rounded,
				heads,
				attention,
				turns,
				relative,
				bias;
} ScratchSizes;

static ScratchSizes
scratch_sizes(const TransformerPlan *plan, size_t tokens)
{
	const TransformerConfig *config = &plan->config;
	ScratchSizes sizes = {0};
	size_t		group = tokens > GROUP_TOKENS ? tokens : GROUP_TOKENS;
	size_t		fused_rows = group > FUSED_TOKENS ? FUSED_TOKENS : group;
	size_t		heads = group > FUSED_TOKENS ? config->key_heads : 1;
	int			widest = config->hidden > config->units ? config->hidden
														: config->units;

	if (plan->query_dims > widest)
		widest = plan->query_dims;
	if (config->embedding > widest)
		widest = config->embedding;
	sizes.x = group * transformer_row_width(config->hidden) * sizeof(float);
	sizes.normed = BLOCK_ROWS * transformer_row_width(config->hidden) *
				   sizeof(float);
	sizes.fused = fused_rows *
				  transformer_row_width(plan->query_dims +
										2 * plan->key_dims) *
				  sizeof(float);
	sizes.units = BLOCK_ROWS * transformer_row_width(config->units) *
				  sizeof(float);
	sizes.embedding = BLOCK_ROWS * transformer_row_width(config->embedding) *
					  sizeof(float);
	sizes.rounded = product_rows_bytes(plan->precision, widest, BLOCK_ROWS);
	sizes.heads = heads * aligned(sizeof(float) *
								  attention_head_floats((int) group,
														config->head_dims));
	sizes.attention = sizeof(float) *
					  attention_scratch_floats(config->head_dims);
	if (config->family->positions == POSITION_ROTARY)
		sizes.turns = group * config->head_dims * sizeof(float);
	if (transformer_has_bias(plan))
	{
		sizes.relative = sizeof(float) * config->heads *
						 (2 * RELATIVE_DISTANCE + 1);
		sizes.bias = sizeof(float) * (2 * group + 16);
	}
	return sizes;
}

static size_t
scratch_total(const ScratchSizes *sizes)
{
	return aligned(sizes->x) + aligned(sizes->normed) + aligned(sizes->fused) +
		   aligned(sizes->units) + aligned(sizes->embedding) +
		   aligned(sizes->rounded) + aligned(sizes->heads) +
		   aligned(sizes->attention) + 2 * aligned(sizes->turns) +
		   aligned(sizes->relative) + aligned(sizes->bias);
}

size_t
transformer_scratch_bytes(const TransformerPlan *plan, size_t tokens)
{
	ScratchSizes sizes = scratch_sizes(plan, tokens);

	return scratch_total(&sizes) + 2 * PRODUCT_ALIGNMENT;
}

static void *
take(char **at, size_t size)
{
	void	   *block = *at;

	*at += aligned(size);
	return block;
}

void
transformer_divide_scratch(Run *run, size_t longest, void *scratch)
{
	ScratchSizes sizes = scratch_sizes(run->plan, longest);
	char	   *at = (char *) aligned((size_t) scratch);

	run->x = take(&at, sizes.x);
	run->normed = take(&at, sizes.normed);
	run->fused = take(&at, sizes.fused);
	run->units = take(&at, sizes.units);
	run->embedding = take(&at, sizes.embedding);
	run->rounded = take(&at, sizes.rounded);
	run->heads = take(&at, sizes.heads);
	run->attention = take(&at, sizes.attention);
	run->turns[0] = take(&at, sizes.turns);
	run->turns[1] = take(&at, sizes.turns);
	run->relative = take(&at, sizes.relative);
	run->bias = take(&at, sizes.bias);
	run->width = transformer_row_width(run->plan->config.hidden);
	run->fused_width = transformer_row_width(run->plan->query_dims +
											 2 * run->plan->key_dims);
	run->unit_width = transformer_row_width(run->plan->config.units);
}

