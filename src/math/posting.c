/*-------------------------------------------------------------------------
 *
 * posting.c
 *	  Packed blocks of postings: encoding, decoding, and the choice of kernel.
 *
 * Layout behind the header: the gaps, then the weights, each a run of fields
 * of equal width in a little-endian bit stream that starts on a byte.  Field i
 * of the gaps is document[i] - document[i - 1] - 1; field 0 is zero, so that a
 * running sum needs no special case.  The vector kernels are in
 * posting_kernels.c.
 *
 * Bit streams with equal widths per block are the "FOR" family (Zukowski et
 * al., ICDE 2006; Lemire and Boytsov, SPE 2015).  Rounding weights up so that
 * quantised impacts stay safe bounds follows the impact-ordered indexes of
 * Anh and Moffat (SIGIR 2005).
 *
 *-------------------------------------------------------------------------
 */
#include "math/posting.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/cpu.h"
#include "math/posting_kernels.h"

const char *posting_kernels = "scalar";

void (*posting_documents) (const PostingHeader *, const uint8_t *,
						   uint32_t *) = posting_documents_scalar;
void (*posting_scores) (const PostingHeader *, const uint8_t *, float,
						float *) = posting_scores_scalar;
int (*posting_harvest) (float *, int, float,
						uint16_t *) = posting_harvest_scalar;

void
posting_init(void)
{
#ifdef POSTING_X86
	if (cpu_level() >= CPU_AVX512)
	{
		posting_kernels = "avx512";
		posting_documents = posting_documents_avx512;
		posting_scores = posting_scores_avx512;
		posting_harvest = posting_harvest_avx512;
	}
	else if (cpu_level() >= CPU_AVX2)
	{
		posting_kernels = "avx2";
		posting_documents = posting_documents_avx2;
		posting_scores = posting_scores_avx2;
		posting_harvest = posting_harvest_avx2;
	}
#endif
}

/* ---------- bfloat16, rounded to one side ---------- */

static uint32_t
float_bits(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * The nearest bfloat16 not above, or not below.  The magnitude grows where the
 * direction points away from zero.  Values are finite and far from FLT_MAX.
 */
static float
bfloat_round(float value, bool away, uint16_t *bits)
{
	uint32_t	wide = float_bits(value);

	if (away && (wide & 0xFFFF) != 0)
		wide += 0x10000;
	*bits = (uint16_t) (wide >> 16);
	return bfloat_to_float(*bits);
}

float
bfloat_down(float value, uint16_t *bits)
{
	return bfloat_round(value, value < 0, bits);
}

float
bfloat_up(float value, uint16_t *bits)
{
	return bfloat_round(value, value > 0, bits);
}

/* The next bfloat16 above. */
static float
bfloat_next(float value, uint16_t *bits)
{
	uint32_t	wide = float_bits(value) & 0xFFFF0000;

	if ((wide & 0x7FFFFFFF) == 0)
		wide = 0x00800000;		/* skip the subnormal numbers */
	else if (wide & 0x80000000)
		wide -= 0x10000;
	else
		wide += 0x10000;
	*bits = (uint16_t) (wide >> 16);
	return bfloat_to_float(*bits);
}

/* ---------- bit streams ---------- */

static int
bit_width(uint32_t value)
{
	return value == 0 ? 0 : 32 - __builtin_clz(value);
}

static size_t
stream_bytes(int bits, int count)
{
	return ((size_t) bits * count + 7) / 8;
}

static void
stream_pack(const uint32_t *fields, int count, int bits, uint8_t *out)
{
	uint64_t	window = 0;
	int			filled = 0;
	int			i;

	for (i = 0; i < count; i++)
	{
		window |= (uint64_t) fields[i] << filled;
		filled += bits;
		while (filled >= 8)
		{
			*out++ = (uint8_t) window;
			window >>= 8;
			filled -= 8;
		}
	}
	if (filled > 0)
		*out = (uint8_t) window;
}

size_t
posting_bytes(const PostingHeader *header)
{
	int			count = header->last + 1;
	size_t		bytes;

	bytes = stream_bytes(header->document_bits, count) +
		stream_bytes(header->weight_bits, count);
	return (bytes + 3) & ~(size_t) 3;
}

bool
posting_header_valid(const PostingHeader *header)
{
	float		base = bfloat_to_float(header->base);
	float		top = bfloat_to_float(header->top);

	return header->last < POSTING_BLOCK && header->document_bits <= 32 &&
		   (header->weight_bits <= POSTING_MAX_BITS ||
			header->weight_bits == POSTING_RAW) &&
		   isfinite(base) && isfinite(top) && base <= top &&
		   (header->weight_bits != 0 || header->base == header->top);
}

/* ---------- weights ---------- */

/* The grid of one block. */
typedef struct Grid
{
	float		base;
	float		top;
	float		scale;
	int			bits;
} Grid;

static void
grid_set_scale(Grid *grid)
{
	grid->scale = grid->bits == 0 ? 0 :
		(grid->top - grid->base) / (float) ((1 << grid->bits) - 1);
}

float
posting_scale(const PostingHeader *header)
{
	if (header->weight_bits == 0 || header->weight_bits == POSTING_RAW)
		return 0;
	return (bfloat_to_float(header->top) - bfloat_to_float(header->base)) /
		(float) ((1 << header->weight_bits) - 1);
}

/*
 * Counts and indicator variables are kept without loss: integers whose range
 * fits the codes, from a base that bfloat16 holds.
 */
static bool
grid_of_integers(const PostingBatch *batch, float lowest, float highest,
				 Grid *grid, PostingHeader *header)
{
	int			i;

	if (!(fabsf(lowest) <= 128 && fabsf(highest) <= 128))
		return false;
	for (i = 0; i < batch->count; i++)
		if (batch->high[i] != rintf(batch->high[i]) ||
			batch->low[i] != batch->high[i])
			return false;
	grid->bits = bit_width((uint32_t) (highest - lowest));
	if (grid->bits > POSTING_MAX_BITS - 1)
		return false;
	grid->base = bfloat_down(lowest, &header->base);
	grid->top = bfloat_up(lowest + (float) ((1 << grid->bits) - 1),
						  &header->top);
	if (grid->base != lowest ||
		grid->top != lowest + (float) ((1 << grid->bits) - 1))
		return false;
	grid_set_scale(grid);
	return true;
}

/*
 * The grid of any other block: as coarse as "wanted" bits over [0, largest
 * magnitude] would be, so that a narrow range of weights needs fewer bits, but
 * never finer than 1/250 of an interval that came in wide already.
 */
static void
grid_of_range(const PostingBatch *batch, float lowest, float highest,
			  int wanted, Grid *grid, PostingHeader *header)
{
	float		largest;
	float		widest = 0;
	float		target;
	int			i;

	grid->base = bfloat_down(lowest, &header->base);
	grid->top = bfloat_up(highest, &header->top);
	if (!(grid->top > grid->base))
		grid->top = bfloat_next(grid->base, &header->top);

	largest = fmaxf(fabsf(grid->base), fabsf(grid->top));
	target = largest / (float) ((1 << wanted) - 1);
	for (grid->bits = 1; grid->bits < POSTING_MAX_BITS; grid->bits++)
	{
		grid_set_scale(grid);
		if (grid->scale <= target * 1.0001f)
			break;
	}
	grid_set_scale(grid);

	for (i = 0; i < batch->count; i++)
		widest = fmaxf(widest, batch->high[i] - batch->low[i]);
	if (grid->scale < widest / 250)
	{
		grid->top = bfloat_up(grid->base +
								  widest / 250 *
									  (float) ((1 << grid->bits) - 1) * 1.01f,
							  &header->top);
		grid_set_scale(grid);
	}
}

/*
 * Codes of the weights, rounded up; returns how many steps below the value the
 * lowest true weight may lie.
 */
static int
grid_encode(const PostingBatch *batch, const Grid *grid, uint32_t *codes)
{
	int			most = (1 << grid->bits) - 1;
	float		steps = 0;
	int			i;

	for (i = 0; i < batch->count; i++)
	{
		int			code = 0;
		float		value;

		if (grid->scale > 0)
		{
			code = (int) ((batch->high[i] - grid->base) / grid->scale);
			code = code < 0 ? 0 : code > most ? most : code;
			while (code > 0 && grid->base + (float) (code - 1) * grid->scale >=
								   batch->high[i])
				code--;
			while (code < most &&
				   grid->base + (float) code * grid->scale < batch->high[i])
				code++;
		}
		codes[i] = (uint32_t) code;
		value = grid->base + (float) code * grid->scale;
		if (value > batch->low[i])
			steps = fmaxf(steps, grid->scale > 0
									 ? ceilf((value - batch->low[i]) /
											 grid->scale * 1.0001f)
									 : 255);
	}
	return steps > 255 ? 255 : (int) steps;
}

/*
 * Pack the documents and fill in what depends on them; returns the bytes
 * written.
 */
static size_t
encode_documents(const PostingBatch *batch, PostingHeader *header,
				 uint8_t *out)
{
	uint32_t	fields[POSTING_BLOCK];
	uint32_t	largest = 0;
	int			i;

	memset(header, 0, sizeof(*header));
	memset(out, 0, POSTING_MAX_BYTES);
	header->first = batch->document[0];
	header->last = (uint8_t) (batch->count - 1);
	fields[0] = 0;
	for (i = 1; i < batch->count; i++)
	{
		fields[i] = batch->document[i] - batch->document[i - 1] - 1;
		largest |= fields[i];
	}
	header->document_bits = (uint8_t) bit_width(largest);
	stream_pack(fields, batch->count, header->document_bits, out);
	return stream_bytes(header->document_bits, batch->count);
}

size_t
posting_encode(const PostingBatch *batch, int weight_bits,
			   PostingHeader *header, uint8_t *out)
{
	size_t		bytes = encode_documents(batch, header, out);
	uint32_t	codes[POSTING_BLOCK];
	float		lowest = batch->high[0];
	float		highest = batch->high[0];
	Grid		grid;
	int			i;

	for (i = 1; i < batch->count; i++)
	{
		lowest = fminf(lowest, batch->high[i]);
		highest = fmaxf(highest, batch->high[i]);
	}
	if (weight_bits == POSTING_RAW)
	{
		bfloat_down(lowest, &header->base);
		bfloat_up(highest, &header->top);
		header->weight_bits = POSTING_RAW;
		memcpy(out + bytes, batch->high,
			   sizeof(float) * (size_t) batch->count);
		return posting_bytes(header);
	}
	if (!grid_of_integers(batch, lowest, highest, &grid, header))
		grid_of_range(batch, lowest, highest, weight_bits, &grid, header);
	header->weight_bits = (uint8_t) grid.bits;
	header->steps = (uint8_t) grid_encode(batch, &grid, codes);
	stream_pack(codes, batch->count, grid.bits, out + bytes);
	return posting_bytes(header);
}

size_t
posting_encode_as(const PostingBatch *batch, const PostingHeader *grid,
				  PostingHeader *header, uint8_t *out)
{
	size_t		bytes = encode_documents(batch, header, out);
	float		base = bfloat_to_float(grid->base);
	float		scale = posting_scale(grid);

	header->base = grid->base;
	header->top = grid->top;
	header->weight_bits = grid->weight_bits;
	header->steps = grid->steps;
	if (grid->weight_bits == POSTING_RAW)
		memcpy(out + bytes, batch->high,
			   sizeof(float) * (size_t) batch->count);
	else
	{
		uint32_t	codes[POSTING_BLOCK];
		int			i;

		for (i = 0; i < batch->count; i++)
			codes[i] = scale > 0
						   ? (uint32_t) lrintf((batch->high[i] - base) / scale)
						   : 0;
		stream_pack(codes, batch->count, grid->weight_bits, out + bytes);
	}
	return posting_bytes(header);
}

void
posting_range(const PostingHeader *header, float *low, float *high)
{
	*low = bfloat_to_float(header->base) -
		(float) header->steps * posting_scale(header);
	*high = bfloat_to_float(header->top);
}

void
posting_decode(const PostingHeader *header, const uint8_t *packed,
			   PostingBatch *batch)
{
	float		width = (float) header->steps * posting_scale(header);
	int			i;

	batch->count = header->last + 1;
	posting_documents(header, packed, batch->document);
	posting_scores(header, packed, 1.0f, batch->high);
	for (i = 0; i < batch->count; i++)
		batch->low[i] = batch->high[i] - width;
}
