/*-------------------------------------------------------------------------
 *
 * pooling.c
 *	  One vector of a text from those of its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "network/pooling.h"

#include <math.h>
#include <string.h>

#include "math/layer.h"

int
pooling_of_name(const char *name)
{
	static const struct
	{
		const char *name;
		Pooling		pooling;
	}			names[] = {
		{"cls", POOLING_CLS},
		{"mean", POOLING_MEAN},
		{"max", POOLING_MAX},
		{"mean_sqrt_len_tokens", POOLING_MEAN_SQRT_LENGTH},
		{"weightedmean", POOLING_WEIGHTED_MEAN},
		{"lasttoken", POOLING_LAST},
		{"pooling_mode_cls_token", POOLING_CLS},
		{"pooling_mode_mean_tokens", POOLING_MEAN},
		{"pooling_mode_max_tokens", POOLING_MAX},
		{"pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT_LENGTH},
		{"pooling_mode_weightedmean_tokens", POOLING_WEIGHTED_MEAN},
		{"pooling_mode_lasttoken", POOLING_LAST},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(names[i].name, name) == 0)
			return names[i].pooling;
	}
	return -1;
}

void
pooling_of_rows(Pooling pooling, int dims, int rows, int skip,
				const float *x, size_t stride, float *to)
{
	double		weights = 0;

	if (skip >= rows)
		skip = rows - 1;
	switch (pooling)
	{
		case POOLING_NONE:
			return;
		case POOLING_CLS:
			memcpy(to, x + skip * stride, sizeof(float) * dims);
			return;
		case POOLING_LAST:
			memcpy(to, x + (rows - 1) * stride, sizeof(float) * dims);
			return;
		case POOLING_MAX:
			memcpy(to, x + skip * stride, sizeof(float) * dims);
			for (int r = skip + 1; r < rows; r++)
				layer->maximum(dims, x + r * stride, to);
			return;
		case POOLING_MEAN:
		case POOLING_MEAN_SQRT_LENGTH:
		case POOLING_WEIGHTED_MEAN:
			break;
	}
	memset(to, 0, sizeof(float) * dims);
	for (int r = skip; r < rows; r++)
	{
		float		weight = pooling == POOLING_WEIGHTED_MEAN ? r + 1 : 1;

		layer->add_scaled(dims, weight, x + r * stride, to);
		weights += weight;
	}
	if (pooling == POOLING_MEAN_SQRT_LENGTH)
		weights = sqrt(weights);
	layer->scale(dims, (float) (1.0 / weights), to);
}

void
pooling_normalize(int dims, float *x)
{
	double		square = 0;
	double		norm;

	for (int i = 0; i < dims; i++)
		square += (double) x[i] * x[i];
	norm = sqrt(square);
	layer->scale(dims, (float) (1.0 / (norm > 1e-12 ? norm : 1e-12)), x);
}
