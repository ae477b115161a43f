/*-------------------------------------------------------------------------
 *
 * posting_test.c
 *	  Packed posting blocks: what goes in comes out, bounds hold, and every
 *	  kernel equals the scalar one.  Broken bounds would lose search results.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/cpu.h"
#include "math/posting.h"
#include "math/posting_kernels.h"

static int	failures;
static uint64_t state = 20261123;

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			printf("line %d: %s\n", __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

static uint32_t
random_bits(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (state >> 32);
}

static double
random_unit(void)
{
	return random_bits() / 4294967296.0;
}

/* shape 0..5: what kind of weights and gaps */
static void
make_batch(PostingBatch *batch, int count, int shape, int gap_bits)
{
	uint32_t	document = random_bits() >> 8;
	int			i;

	batch->count = count;
	for (i = 0; i < count; i++)
	{
		uint32_t	gap = gap_bits == 0 ? 0 : random_bits() >> (32 - gap_bits);
		float		weight;

		if ((uint64_t) document + gap + 1 > 0xFFFFFFF0u)
			gap = 0;
		document += gap + 1;
		batch->document[i] = document;
		switch (shape)
		{
			case 0:
				weight = (float) random_unit();
				break;
			case 1:
				weight = (float) (random_unit() - 0.5) * 2e3f;
				break;
			case 2:
				weight = (float) (1 + random_bits() % 7);
				break;
			case 3:
				weight = 1;
				break;
			case 4:
				weight = (float) exp((random_unit() - 0.5) * 60);
				break;
			default:
				weight = 0.12345f;
				break;
		}
		batch->low[i] = batch->high[i] = weight;
	}
}

typedef void (*documents_kernel) (const PostingHeader *, const uint8_t *,
								  uint32_t *);
typedef void (*scores_kernel) (const PostingHeader *, const uint8_t *, float,
							   float *);

static void
check_kernels(const PostingHeader *header, const uint8_t *packed,
			  documents_kernel documents, scores_kernel scores)
{
	static const float factors[] = {1, -1, 0.3f, -2.5f};
	uint32_t	expected[POSTING_BLOCK],
				found[POSTING_BLOCK];
	float		expected_scores[POSTING_BLOCK],
				found_scores[POSTING_BLOCK];
	size_t		count = (size_t) header->last + 1;

	posting_documents_scalar(header, packed, expected);
	documents(header, packed, found);
	CHECK(memcmp(expected, found, count * sizeof(uint32_t)) == 0);
	for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++)
	{
		posting_scores_scalar(header, packed, factors[f], expected_scores);
		scores(header, packed, factors[f], found_scores);
		for (size_t i = 0; i < count; i++)
		{
			double		magnitude = fabs((double) factors[f]) *
				(fabs((double) bfloat_to_float(header->base)) +
				 fabs((double) bfloat_to_float(header->top)) +
				 header->steps * (double) posting_scale(header));

			CHECK(fabs((double) expected_scores[i] - found_scores[i]) <=
				  3e-7 * magnitude);
			CHECK(!(found_scores[i] == 0 && signbit(found_scores[i])));
		}
	}
}

static void
check_block(int count, int shape, int gap_bits, int weight_bits)
{
	PostingBatch batch,
				back;
	PostingHeader header;
	uint8_t		packed[POSTING_MAX_BYTES + POSTING_PADDING];
	size_t		bytes;
	float		low,
				high;

	make_batch(&batch, count, shape, gap_bits);
	memset(packed, 0xAB, sizeof(packed));
	bytes = posting_encode(&batch, weight_bits, &header, packed);
	memset(packed + bytes, 0xCD, sizeof(packed) - bytes);

	CHECK(bytes == posting_bytes(&header) && bytes <= POSTING_MAX_BYTES);
	CHECK(posting_header_valid(&header));
	posting_decode(&header, packed, &back);
	posting_range(&header, &low, &high);
	CHECK(back.count == count);
	CHECK(memcmp(back.document, batch.document,
				 sizeof(uint32_t) * (size_t) count) == 0);
	for (int i = 0; i < count; i++)
	{
		double		slack = 4e-7 * (fabs((double) low) + fabs((double) high));

		CHECK(back.high[i] >= batch.high[i] - slack);
		CHECK(back.low[i] <= batch.low[i] + slack);
		CHECK(low <= batch.low[i] + slack && high >= batch.high[i] - slack);
		if (shape == 2 || shape == 3 || weight_bits == POSTING_RAW)
			CHECK(back.high[i] == batch.high[i] &&
				  back.low[i] == batch.low[i]);
	}
#ifdef POSTING_X86
	if (cpu_level() >= CPU_AVX2)
		check_kernels(&header, packed, posting_documents_avx2,
					  posting_scores_avx2);
	if (cpu_level() >= CPU_AVX512)
		check_kernels(&header, packed, posting_documents_avx512,
					  posting_scores_avx512);
#endif

	/* on the same grid, nothing changes */
	{
		PostingHeader again;
		uint8_t		repacked[POSTING_MAX_BYTES + POSTING_PADDING];

		memset(repacked, 0xCD, sizeof(repacked));
		CHECK(posting_encode_as(&back, &header, &again, repacked) == bytes);
		CHECK(memcmp(&again, &header, sizeof(header)) == 0);
		CHECK(memcmp(repacked, packed, bytes) == 0);
	}

	/* packing again what was packed, as a merge does, keeps the bounds */
	if (weight_bits != POSTING_RAW)
	{
		PostingBatch again;

		for (int round = 0; round < 4; round++)
		{
			posting_encode(&back, weight_bits, &header, packed);
			posting_decode(&header, packed, &again);
			for (int i = 0; i < count; i++)
			{
				double		slack = 4e-6 *
									(fabs((double) low) + fabs((double) high));

				CHECK(again.high[i] >= batch.high[i] - slack);
				CHECK(again.low[i] <= batch.low[i] + slack);
			}
			back = again;
		}
	}
}

static void
check_harvest(int (*harvest) (float *, int, float, uint16_t *))
{
	float		scores[256],
				copy[256];
	uint16_t	expected[256],
				found[256];

	for (int round = 0; round < 200; round++)
	{
		float		least = (float) (random_unit() - 0.5);
		int			n,
					m;

		for (int i = 0; i < 256; i++)
			scores[i] = random_bits() % 3 == 0 ? -0.0f :
				random_bits() % 5 == 0 ? 0.0f : (float) (random_unit() - 0.5);
		memcpy(copy, scores, sizeof(scores));
		if (round % 4 == 0)
			least = -INFINITY;
		n = posting_harvest_scalar(copy, 256, least, expected);
		m = harvest(scores, 256, least, found);
		CHECK(n == m &&
			  memcmp(expected, found, sizeof(uint16_t) * (size_t) n) == 0);
		CHECK(memcmp(scores, copy, sizeof(scores)) == 0);
	}
}

int
main(void)
{
	posting_init();
	for (int shape = 0; shape < 6; shape++)
		for (int gap_bits = 0; gap_bits <= 24; gap_bits++)
			for (int count = 1; count <= POSTING_BLOCK;
				 count += count < 20 ? 1 : 9)
				for (int weight_bits = 4; weight_bits <= 8; weight_bits++)
				{
					check_block(count, shape, gap_bits, weight_bits);
					check_block(count, shape, gap_bits, POSTING_RAW);
				}
	for (int count = 1; count <= POSTING_BLOCK; count++)
		check_block(count, 0, 3, 6);
#ifdef POSTING_X86
	if (cpu_level() >= CPU_AVX2)
		check_harvest(posting_harvest_avx2);
	if (cpu_level() >= CPU_AVX512)
		check_harvest(posting_harvest_avx512);
#endif
	printf("posting (%s): %d failures\n", posting_kernels, failures);
	return failures != 0;
}
