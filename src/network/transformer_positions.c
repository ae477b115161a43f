/*-------------------------------------------------------------------------
 *
 * transformer_positions.c
 *	  Positions that are no table of vectors: angles by which queries and keys
 *	  turn, and biases of scores by distance.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_run.h"

#include <math.h>

bool
transformer_has_bias(const TransformerPlan *plan)
{
	return plan->config.family->relative ||
		   plan->config.family->positions == POSITION_ALIBI;
}

/*
 * Frequencies are stretched as the option says; Llama 3's: arXiv 2407.21783.
 */
static float
stretched(const RotaryStretch *stretch, float frequency)
{
	double		wave = 2 * M_PI / frequency;
	double		smooth;

	switch (stretch->kind)
	{
		case STRETCH_NONE:
			break;
		case STRETCH_LINEAR:
			return (float) (frequency / stretch->factor);
		case STRETCH_LLAMA3:
			if (wave < stretch->original_places / stretch->high_factor)
				break;
			if (wave > stretch->original_places / stretch->low_factor)
				return (float) (frequency / stretch->factor);
			smooth = (stretch->original_places / wave - stretch->low_factor) /
				(stretch->high_factor - stretch->low_factor);
			return (float) ((1 - smooth) * frequency / stretch->factor +
							smooth * frequency);
	}
	return frequency;
}

/*
 * For each place the cosines and then the sines of all angles.  Frequencies
 * and angles are floats, as in the reference: at place 8,000 an angle in
 * double would be another one.
 */
void
transformer_fill_turns(const TransformerConfig *config, bool is_local,
					   size_t places, float *turns)
{
	int			half = (int) (config->head_dims * config->rotary_share) / 2;
	double		theta = is_local ? config->local_theta : config->theta;
	const RotaryStretch *stretch = is_local ? &config->local_stretch
											: &config->stretch;

	for (int i = 0; i < half; i++)
	{
		float		frequency = 1.0f /
								powf((float) theta,
									 (float) (2 * i) / (float) (2 * half));

		frequency = stretched(stretch, frequency);
		for (size_t place = 0; place < places; place++)
		{
			float		angle = (float) place * frequency;

			turns[place * 2 * half + i] = cosf(angle);
			turns[place * 2 * half + half + i] = sinf(angle);
		}
	}
}

/*
 * The bucket of a distance j - i: Raffel et al. 2019 (arXiv 1910.10683), in
 * both directions; in floats, as the reference computes it.
 */
int
transformer_relative_bucket(int distance, int buckets)
{
	int			half = buckets / 2;
	int			exact = half / 2;
	int			bucket = distance > 0 ? half : 0;
	int			size = distance < 0 ? -distance : distance;
	int			large;

	if (size < exact)
		return bucket + size;
	large = exact + (int) (logf((float) size / exact) /
						   (float) log((double) RELATIVE_DISTANCE / exact) *
						   (half - exact));
	return bucket + at_most(large, half - 1);
}

/* The bias of each head for distances up to RELATIVE_DISTANCE either way. */
static void
fill_relative(Run *run)
{
	const TransformerConfig *config = &run->plan->config;
	const float *table =
		(const float *) (run->packed +
						 run->plan->model[TENSOR_RELATIVE].offset);

	for (int head = 0; head < config->heads; head++)
	{
		float	   *bias = run->relative +
						   (size_t) head * (2 * RELATIVE_DISTANCE + 1) +
						   RELATIVE_DISTANCE;

		for (int d = -RELATIVE_DISTANCE; d <= RELATIVE_DISTANCE; d++)
			bias[d] =
				table[transformer_relative_bucket(d, config->buckets) *
					  config->heads + head];
	}
}

const float *
transformer_bias_of_head(const Run *run, int head, int tokens)
{
	const TransformerConfig *config = &run->plan->config;
	float	   *middle = run->bias + tokens;

	if (!transformer_has_bias(run->plan))
		return NULL;
	if (config->family->relative)
	{
		const float *near = run->relative +
							(size_t) head * (2 * RELATIVE_DISTANCE + 1) +
							RELATIVE_DISTANCE;

		for (int d = 1 - tokens; d < tokens; d++)
			middle[d] = near[d < -RELATIVE_DISTANCE ? -RELATIVE_DISTANCE :
							 d > RELATIVE_DISTANCE ? RELATIVE_DISTANCE : d];
	}
	else
	{
		/*
		 * slopes are powers of 2^(-8 / heads), for the next power of two
		 * below, then between
		 */
		int			power = 1;
		double		slope;

		while (power * 2 <= config->heads)
			power *= 2;
		slope = head < power ? pow(2, -8.0 * (head + 1) / power)
			: pow(2, -4.0 * (2 * (head - power) + 1) / power);
		for (int d = 1 - tokens; d < tokens; d++)
			middle[d] = (float) (-slope * (d < 0 ? -d : d));
	}
	return middle;
}

void
transformer_fill_positions(Run *run, size_t longest)
{
	const TransformerConfig *config = &run->plan->config;

	if (config->family->positions == POSITION_ROTARY)
	{
		transformer_fill_turns(config, false, longest, run->turns[0]);
		transformer_fill_turns(config, true, longest, run->turns[1]);
	}
	if (config->family->relative)
		fill_relative(run);
}
