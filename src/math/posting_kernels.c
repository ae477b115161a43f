/*-------------------------------------------------------------------------
 *
 * posting_kernels.c
 *	  Unpacking and scoring blocks of postings.
 *
 * A field of b bits at place i starts at bit i * b.  Sixteen fields span at
 * most 512 bits, so one load, two permutations of 32-bit words, two shifts by
 * varying counts and a mask unpack sixteen of them, whatever b is; eight at a
 * time with 256-bit registers.  The word and shift of each place are in a
 * table per width.
 *
 *-------------------------------------------------------------------------
 */
#include "math/posting_kernels.h"

#include <string.h>

#ifdef POSTING_X86
#include <immintrin.h>
#endif

/* The two factors of a block's scores: a code scores a + b * code. */
typedef struct Line
{
	float		a;
	float		b;
} Line;

/*
 * For a negative factor the upper bound comes from the lower end of the
 * weight's interval.  "a" is made +0 where it is zero: then a + b * code is
 * never -0, which a caller takes for "no posting here".
 */
static Line
score_line(const PostingHeader *header, float factor)
{
	Line		line;
	float		scale = posting_scale(header);
	float		base = bfloat_to_float(header->base);

	if (factor < 0)
		base -= (float) header->steps * scale;
	line.a = factor * base;
	line.b = factor * scale;
	if (line.a == 0)
		line.a = 0;
	return line;
}

static const uint8_t *
weight_stream(const PostingHeader *header, const uint8_t *packed)
{
	return packed +
		   ((size_t) header->document_bits * (header->last + 1) + 7) / 8;
}

/* ---------- scalar ---------- */

static inline uint32_t
stream_field(const uint8_t *stream, size_t bytes, int bits, int place)
{
	size_t		bit = (size_t) bits * place;
	size_t		at = bit / 8;
	uint64_t	window = 0;

	memcpy(&window, stream + at, bytes - at < 8 ? bytes - at : 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	window = __builtin_bswap64(window);
#endif
	return (uint32_t) ((window >> (bit % 8)) & ((UINT64_C(1) << bits) - 1));
}

void
posting_documents_scalar(const PostingHeader *header, const uint8_t *packed,
						 uint32_t *out)
{
	int			count = header->last + 1;
	size_t		bytes = ((size_t) header->document_bits * count + 7) / 8;
	uint32_t	document = header->first - 1;
	int			i;

	if (header->document_bits == 0)
	{
		for (i = 0; i < count; i++)
			out[i] = header->first + (uint32_t) i;
		return;
	}
	for (i = 0; i < count; i++)
	{
		document += stream_field(packed, bytes, header->document_bits, i) + 1;
		out[i] = document;
	}
}

void
posting_scores_scalar(const PostingHeader *header, const uint8_t *packed,
					  float factor, float *out)
{
	int			count = header->last + 1;
	const uint8_t *stream = weight_stream(header, packed);
	int			i;

	if (header->weight_bits == POSTING_RAW)
	{
		for (i = 0; i < count; i++)
		{
			float		weight;

			memcpy(&weight, stream + 4 * i, sizeof(weight));
			out[i] = factor * weight;
			if (out[i] == 0)
				out[i] = 0;
		}
	}
	else
	{
		Line		line = score_line(header, factor);
		size_t		bytes = ((size_t) header->weight_bits * count + 7) / 8;

		for (i = 0; i < count; i++)
			out[i] = line.a + line.b *
				(float) (header->weight_bits == 0 ? 0 :
						 stream_field(stream, bytes, header->weight_bits, i));
	}
}

int
posting_harvest_scalar(float *scores, int count, float least, uint16_t *out)
{
	int			found = 0;
	int			i;

	for (i = 0; i < count; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &scores[i], sizeof(bits));
		if (bits != 0x80000000 && scores[i] >= least)
			out[found++] = (uint16_t) i;
		scores[i] = -0.0f;
	}
	return found;
}

#ifdef POSTING_X86

/* Word and shift of place i in a stream of fields of a width, i < 16. */
#define PLACE_WORD(b, i)	(((i) * (b)) >> 5)
#define PLACE_SHIFT(b, i)	(((i) * (b)) & 31)
#define PLACES(f, b)                                                   \
	{                                                                  \
		f(b, 0), f(b, 1), f(b, 2), f(b, 3), f(b, 4), f(b, 5), f(b, 6), \
			f(b, 7), f(b, 8), f(b, 9), f(b, 10), f(b, 11), f(b, 12),   \
			f(b, 13), f(b, 14), f(b, 15)                               \
	}
#define WIDTHS(f) \
	{PLACES(f, 0), PLACES(f, 1), PLACES(f, 2), PLACES(f, 3), PLACES(f, 4), \
	PLACES(f, 5), PLACES(f, 6), PLACES(f, 7), PLACES(f, 8), PLACES(f, 9), \
	PLACES(f, 10), PLACES(f, 11), PLACES(f, 12), \
	PLACES(f, 13), PLACES(f, 14), \
	PLACES(f, 15), PLACES(f, 16), PLACES(f, 17), \
	PLACES(f, 18), PLACES(f, 19), \
	PLACES(f, 20), PLACES(f, 21), PLACES(f, 22), \
	PLACES(f, 23), PLACES(f, 24), \
	PLACES(f, 25), PLACES(f, 26), PLACES(f, 27), \
	PLACES(f, 28), PLACES(f, 29), \
	PLACES(f, 30), PLACES(f, 31), PLACES(f, 32)}

static const int32_t place_word[33][16]
	__attribute__((aligned(64))) = WIDTHS(PLACE_WORD);
static const int32_t place_shift[33][16]
	__attribute__((aligned(64))) = WIDTHS(PLACE_SHIFT);

/* ---------- AVX2 ---------- */

/*
 * The stream may be followed by anything, but 32 bytes behind its end can be
 * read (POSTING_PADDING).
 */
__attribute__((target("avx2"))) static inline __m256i
fields_avx2(const uint8_t *stream, int bits, int place)
{
	__m256i		raw = _mm256_loadu_si256(
			(const __m256i *) (stream + (place >> 3) * bits));
	__m256i		word = _mm256_load_si256((const __m256i *) place_word[bits]);
	__m256i		shift = _mm256_load_si256((const __m256i *) place_shift[bits]);
	__m256i		low = _mm256_permutevar8x32_epi32(raw, word);
	__m256i		high = _mm256_permutevar8x32_epi32(
			raw, _mm256_add_epi32(word, _mm256_set1_epi32(1)));
	__m256i		mask = _mm256_set1_epi32(
			(int) (bits == 32 ? 0xFFFFFFFFu : (1u << bits) - 1));

	low = _mm256_srlv_epi32(low, shift);
	high = _mm256_sllv_epi32(high,
							 _mm256_sub_epi32(_mm256_set1_epi32(32), shift));
	return _mm256_and_si256(_mm256_or_si256(low, high), mask);
}

__attribute__((target("avx2"))) void
posting_documents_avx2(const PostingHeader *header, const uint8_t *packed,
					   uint32_t *out)
{
	int			count = header->last + 1;
	__m256i		document = _mm256_set1_epi32((int) (header->first - 1));
	int			i;

	for (i = 0; i < count; i += 8)
	{
		__m256i		sum = _mm256_add_epi32(
				fields_avx2(packed, header->document_bits, i),
				_mm256_set1_epi32(1));
		__m256i		carry;

		/* running sum: within the halves, then across */
		sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 4));
		sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 8));
		carry = _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(3));
		sum = _mm256_add_epi32(sum, _mm256_blend_epi32(_mm256_setzero_si256(),
													   carry, 0xF0));
		sum = _mm256_add_epi32(sum, document);
		_mm256_storeu_si256((__m256i *) (out + i), sum);
		document = _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(7));
	}
}

__attribute__((target("avx2"))) void
posting_scores_avx2(const PostingHeader *header, const uint8_t *packed,
					float factor, float *out)
{
	int			count = header->last + 1;
	const uint8_t *stream = weight_stream(header, packed);
	Line		line;
	int			i;

	if (header->weight_bits == POSTING_RAW)
	{
		posting_scores_scalar(header, packed, factor, out);
		return;
	}
	line = score_line(header, factor);
	for (i = 0; i < count; i += 8)
	{
		__m256		code = _mm256_cvtepi32_ps(
				 fields_avx2(stream, header->weight_bits, i));

		_mm256_storeu_ps(out + i,
						 _mm256_add_ps(_mm256_set1_ps(line.a),
									   _mm256_mul_ps(_mm256_set1_ps(line.b),
													 code)));
	}
}

__attribute__((target("avx2"))) int
posting_harvest_avx2(float *scores, int count, float least, uint16_t *out)
{
	__m256		mark = _mm256_set1_ps(-0.0f);
	__m256		limit = _mm256_set1_ps(least);
	int			found = 0;
	int			i;

	for (i = 0; i < count; i += 8)
	{
		__m256		score = _mm256_loadu_ps(scores + i);
		__m256i		same = _mm256_cmpeq_epi32(_mm256_castps_si256(score),
											  _mm256_castps_si256(mark));
		__m256		good = _mm256_cmp_ps(score, limit, _CMP_GE_OQ);
		unsigned	bits;

		bits = (unsigned) _mm256_movemask_ps(
			_mm256_andnot_ps(_mm256_castsi256_ps(same), good));

		_mm256_storeu_ps(scores + i, mark);
		for (; bits != 0; bits &= bits - 1)
			out[found++] = (uint16_t) (i + __builtin_ctz(bits));
	}
	return found;
}

/* ---------- AVX-512 ---------- */

#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))

/* "left" bytes of the stream lie at and behind "stream"; no more are read */
TARGET_AVX512 static inline __m512i
fields_avx512(const uint8_t *stream, size_t left, __m512i word, __m512i shift,
			  __m512i mask)
{
	__m512i		raw = _mm512_maskz_loadu_epi8(
			left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1, stream);
	__m512i		low = _mm512_permutexvar_epi32(word, raw);
	__m512i		high = _mm512_permutexvar_epi32(
			_mm512_add_epi32(word, _mm512_set1_epi32(1)), raw);

	low = _mm512_srlv_epi32(low, shift);
	high = _mm512_sllv_epi32(high,
							 _mm512_sub_epi32(_mm512_set1_epi32(32), shift));
	return _mm512_and_si512(_mm512_or_si512(low, high), mask);
}

TARGET_AVX512 static inline __m512i
fields_mask(int bits)
{
	return _mm512_set1_epi32(
		(int) (bits == 32 ? 0xFFFFFFFFu : (1u << bits) - 1));
}

TARGET_AVX512 void
posting_documents_avx512(const PostingHeader *header, const uint8_t *packed,
						 uint32_t *out)
{
	int			bits = header->document_bits;
	int			count = header->last + 1;
	size_t		bytes = ((size_t) bits * count + 7) / 8;
	__m512i		word = _mm512_load_si512(place_word[bits]);
	__m512i		shift = _mm512_load_si512(place_shift[bits]);
	__m512i		mask = fields_mask(bits);
	__m512i		zero = _mm512_setzero_si512();
	__m512i		one = _mm512_set1_epi32(1);
	__m512i		fifteen = _mm512_set1_epi32(15);
	__m512i		document = _mm512_set1_epi32((int) (header->first - 1));
	size_t		at = 0;
	int			i;

	for (i = 0; i < count; i += 16, at += 2 * (size_t) bits)
	{
		__m512i		sum = _mm512_add_epi32(
				one,
				fields_avx512(packed + at, bytes - at, word, shift, mask));

		/* running sum of sixteen: shift in zeros by 1, 2, 4 and 8 places */
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 15));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 14));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 12));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 8));
		sum = _mm512_add_epi32(sum, document);
		_mm512_storeu_si512(out + i, sum);
		document = _mm512_permutexvar_epi32(fifteen, sum);
	}
}

TARGET_AVX512 void
posting_scores_avx512(const PostingHeader *header, const uint8_t *packed,
					  float factor, float *out)
{
	int			bits = header->weight_bits;
	int			count = header->last + 1;
	const uint8_t *stream = weight_stream(header, packed);
	__m512i		word,
				shift,
				mask;
	size_t		bytes = ((size_t) bits * count + 7) / 8;
	size_t		at = 0;
	Line		line;
	int			i;

	if (bits == POSTING_RAW)
	{
		posting_scores_scalar(header, packed, factor, out);
		return;
	}
	line = score_line(header, factor);
	word = _mm512_load_si512(place_word[bits]);
	shift = _mm512_load_si512(place_shift[bits]);
	mask = fields_mask(bits);
	for (i = 0; i < count; i += 16, at += 2 * (size_t) bits)
	{
		__m512		code = _mm512_cvtepi32_ps(
				 fields_avx512(stream + at, bytes - at, word, shift, mask));

		_mm512_storeu_ps(out + i,
						 _mm512_add_ps(_mm512_set1_ps(line.a),
									   _mm512_mul_ps(_mm512_set1_ps(line.b),
													 code)));
	}
}

TARGET_AVX512 int
posting_harvest_avx512(float *scores, int count, float least, uint16_t *out)
{
	__m512		mark = _mm512_set1_ps(-0.0f);
	__m512		limit = _mm512_set1_ps(least);
	int			found = 0;
	int			i;

	for (i = 0; i < count; i += 16)
	{
		__m512		score = _mm512_loadu_ps(scores + i);
		unsigned	bits = _mm512_cmp_ps_mask(score, limit, _CMP_GE_OQ) &
						   _mm512_cmpneq_epi32_mask(_mm512_castps_si512(score),
													_mm512_castps_si512(mark));

		_mm512_storeu_ps(scores + i, mark);
		for (; bits != 0; bits &= bits - 1)
			out[found++] = (uint16_t) (i + __builtin_ctz(bits));
	}
	return found;
}

#endif							/* POSTING_X86 */
