/*-------------------------------------------------------------------------
 *
 * rabitq.c
 *	  RaBitQ codes: decoding, centres, scalar kernels.
 *
 *-------------------------------------------------------------------------
 */
#include "math/rabitq_sets.h"

static uint32_t
scan_scalar(const RabitqQuery *query, const uint8_t *block,
			float lead, float margin, float threshold, float *scores)
{
	int			groups = query->coded / 4;
	const float *factors = (const float *) (block +
											RABITQ_BLOCK_BYTES(query->coded));
	uint16_t	sums[RABITQ_BLOCK] = {0};

	for (int g = 0; g < groups; g++)
	{
		const uint8_t *codes = block + g * 16;
		const uint8_t *entries = query->table + g * 16;

		for (int j = 0; j < 16; j++)
		{
			sums[j] += entries[codes[j] & 15];
			sums[j + 16] += entries[codes[j] >> 4];
		}
	}
	return scores_of_sums(query, sums, factors, lead, margin, threshold,
						  scores);
}

static int32_t
dot_scalar(int dims, const uint8_t *code, const int16_t *levels)
{
	int32_t		sum = 0;

	for (int i = 0; i < dims; i += 64)
	{
		for (int j = 0; j < 32; j++)
		{
			sum += (code[i / 2 + j] & 15) * levels[i + j];
			sum += (code[i / 2 + j] >> 4) * levels[i + 32 + j];
		}
	}
	return sum;
}

static void
center_lead_scalar(const RabitqQuery *query, const uint8_t *codes,
				   float minimum, float step, bool inner,
				   float *lead, float *distance)
{
	center_lead_lanes(query, codes, minimum, step, inner, lead, distance);
}

static void
prepare_scalar(RabitqQuery *query)
{
	prepare_lanes(query);
}

static void
encode_scalar(int dims, int coded, const float *vector, const float *center,
			  float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	encode_lanes(dims, coded, vector, center, lost, inner, bits, factors);
}

static void
refine_encode_scalar(int dims, const float *vector, const float *center,
					 bool inner, uint8_t *code, RabitqFactors *factors)
{
	refine_encode_lanes(dims, vector, center, inner, code, factors);
}

static const RabitqSet set_scalar = {
	"scalar", scan_scalar, dot_scalar, center_lead_scalar, prepare_scalar,
	encode_scalar, refine_encode_scalar
};

const char *rabitq_kernels = "scalar";
uint32_t (*rabitq_scan) (const RabitqQuery *query, const uint8_t *block,
						 float lead, float margin, float threshold,
						 float *scores) = scan_scalar;
int32_t (*rabitq_dot) (int dims, const uint8_t *code,
					   const int16_t *levels) = dot_scalar;
void (*rabitq_center_lead) (const RabitqQuery *query, const uint8_t *codes,
							float minimum, float step, bool inner, float *lead,
							float *distance) = center_lead_scalar;
void		(*rabitq_query_prepare) (RabitqQuery *query) = prepare_scalar;
void (*rabitq_encode) (int dims, int coded, const float *vector,
					   const float *center, float lost, bool inner,
					   uint8_t *bits, RabitqFactors *factors) = encode_scalar;
void (*rabitq_refine_encode) (int dims, const float *vector,
							  const float *center, bool inner, uint8_t *code,
							  RabitqFactors *factors) = refine_encode_scalar;

bool
rabitq_select(const char *name)
{
	const RabitqSet *sets[4];

	sets[0] = rabitq_set_avx512();
	sets[1] = rabitq_set_avx2();
	sets[2] = rabitq_set_neon();
	sets[3] = &set_scalar;

	for (int i = 0; i < 4; i++)
	{
		if (sets[i] == NULL ||
			(name != NULL && strcmp(name, sets[i]->name) != 0))
			continue;
		rabitq_kernels = sets[i]->name;
		rabitq_scan = sets[i]->scan;
		rabitq_dot = sets[i]->dot;
		rabitq_center_lead = sets[i]->center_lead;
		rabitq_query_prepare = sets[i]->prepare;
		rabitq_encode = sets[i]->encode;
		rabitq_refine_encode = sets[i]->refine_encode;
		return true;
	}
	return false;
}

void
rabitq_block_put(int coded, uint8_t *block, int slot, const uint8_t *bits)
{
	int			at = slot % 16;
	int			shift = slot < 16 ? 0 : 4;

	for (int g = 0; g < coded / 4; g++)
	{
		int			nibble = (bits[g / 2] >> (g % 2 * 4)) & 15;
		uint8_t    *byte = block + g * 16 + at;

		*byte = (uint8_t) ((*byte & ~(15 << shift)) | (nibble << shift));
	}
}

void
rabitq_block_get(int coded, const uint8_t *block, int slot, uint8_t *bits)
{
	int			at = slot % 16;
	int			shift = slot < 16 ? 0 : 4;

	memset(bits, 0, coded / 8);
	for (int g = 0; g < coded / 4; g++)
		bits[g / 2] |= (uint8_t) (((block[g * 16 + at] >> shift) & 15)
								  << (g % 2 * 4));
}

float
rabitq_refine_decode(int dims, const uint8_t *code,
					 const RabitqFactors *factors, const float *center,
					 float *vector)
{
	double		xx = 0;
	double		k = -0.5 * factors->scale;
	double		length;
	double		step;

	for (int i = 0; i < dims / 2; i++)
	{
		double		low = (code[i] & 15) - 7.5;
		double		high = (code[i] >> 4) - 7.5;

		xx += low * low + high * high;
	}

	/* undo finish_factors: |r|^2, then the multiple of x nearest to r */
	length = k * k * xx -
			 (double) factors->error * factors->error * (dims - 1);
	if (length < 0 || k <= 0)
		length = 0;
	step = k > 0 ? length / (k * xx) : 0;

	for (int i = 0; i < dims; i += 64)
	{
		for (int j = 0; j < 32; j++)
		{
			uint8_t		byte = code[i / 2 + j];

			vector[i + j] = center[i + j] +
							(float) step * ((byte & 15) - 7.5f);
			vector[i + 32 + j] = center[i + 32 + j] +
								 (float) step * ((byte >> 4) - 7.5f);
		}
	}
	length -= step * step * xx;
	return length > 0 ? (float) length : 0;
}

double
rabitq_refine_product(int dims, const uint8_t *code, const float *vector)
{
	double		result = 0;

	for (int i = 0; i < dims; i += 64)
	{
		for (int j = 0; j < 32; j++)
		{
			uint8_t		byte = code[i / 2 + j];

			result += ((byte & 15) - 7.5) * vector[i + j] +
					  ((byte >> 4) - 7.5) * vector[i + 32 + j];
		}
	}
	return result;
}

void
rabitq_lead(const RabitqQuery *query, const float *center, bool inner,
			float *lead, float *distance)
{
	lanes		squares[PARTS] = {{0}};
	lanes		products[PARTS] = {{0}};

	for (int i = 0; i < query->dims; i += 16)
	{
		EACH_PART(p)
		{
			lanes		q;
			lanes		c;

			LOAD(q, query->vector + i + p * LANES);
			LOAD(c, center + i + p * LANES);
			squares[p] += (q - c) * (q - c);
			products[p] += q * c;
		}
	}
	*distance = sqrtf(sum_lanes(squares));
	*lead = inner ? -2.0f * sum_lanes(products) : sum_lanes(squares);
}

void
rabitq_center_quantize(int dims, const float *center, uint8_t *codes,
					   float *minimum, float *step)
{
	float		low = center[0];
	float		high = center[0];

	for (int i = 1; i < dims; i++)
	{
		low = center[i] < low ? center[i] : low;
		high = center[i] > high ? center[i] : high;
	}
	*minimum = low;
	*step = (high - low) / 255.0f;
	for (int i = 0; i < dims; i++)
		codes[i] = *step > 0 ? (uint8_t) ((center[i] - low) / *step + 0.5f)
							 : 0;
}

void
rabitq_center_decode(int dims, const uint8_t *codes, float minimum, float step,
					 float *center)
{
	for (int i = 0; i < dims; i++)
		center[i] = minimum + step * (float) codes[i];
}
