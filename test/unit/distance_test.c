/*-------------------------------------------------------------------------
 *
 * distance_test.c
 *	  Would fail if a dense or bit kernel of any set were wrong, read beyond
 *	  its arguments, or lost more precision than promised.
 *
 * The promise: within 4 * eps * sqrt(dims) of the sum of absolute terms, eps
 * = 2^-23, of the sum in double.  A term below the least denormal cannot be
 * told from zero in a float, so half a denormal is granted for each term.
 * What overflows in float is infinity (or, where infinities of both signs
 * may meet, not a number).
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "distance_sets_of_machine.h"
#include "math/distance.h"
#include "math/random.h"

#define MAX_DIMS 16000

static Random source;

/* Half precision by the definition, not by the code under test. */
static double
half_value(half value)
{
	int			exponent = (value >> 10) & 0x1F;
	int			mantissa = value & 0x3FF;
	double		magnitude = exponent == 0 ? ldexp(mantissa, -24) :
		ldexp(1024 + mantissa, exponent - 25);

	return value & 0x8000 ? -magnitude : magnitude;
}

/* A sum and the sum of its absolute terms. */
typedef struct Reference
{
	double		sum;
	double		absolute;
} Reference;

static void
add_term(Reference *reference, double value)
{
	reference->sum += value;
	reference->absolute += fabs(value);
}

static void
check_sum(const char *what, int dims, float result, Reference reference,
		  int sign_known)
{
	double		bound = 4 * (double) FLT_EPSILON * sqrt(dims) *
							reference.absolute +
						dims * 0x1p-150;

	if (reference.absolute <= FLT_MAX / (1 + 4 * FLT_EPSILON * sqrt(dims)))
		CHECK(fabs(result - reference.sum) <= bound,
			  "%s, %s, %d dims: %.9g, should be %.17g, differs by %.3g bounds",
			  distance_kernels, what, dims, result, reference.sum,
			  fabs(result - reference.sum) / bound);
	else if (sign_known)
		CHECK(result > 0.99f * FLT_MAX,
			  "%s, %s, %d dims: %.9g, should overflow", distance_kernels, what, dims, result);
	else
		CHECK(!isfinite(result) || fabs(result - reference.sum) <= bound,
			  "%s, %s, %d dims: %.9g, should be %.17g or overflow",
			  distance_kernels, what, dims, result, reference.sum);
}

typedef struct References
{
	Reference	l2_squared;
	Reference	inner;
	Reference	norm_a;
	Reference	norm_b;
	Reference	l1;
} References;

static void
add_pair(References *references, double a, double b)
{
	add_term(&references->l2_squared, (a - b) * (a - b));
	add_term(&references->inner, a * b);
	add_term(&references->norm_a, a * a);
	add_term(&references->norm_b, b * b);
	add_term(&references->l1, fabs(a - b));
}

static void
check_vectors(const char *kind, int dims, const float *a, const float *b)
{
	References	references;
	CosineSums	cosine = vector_cosine_kernel(dims, a, b);
	char		what[100];

	memset(&references, 0, sizeof(references));
	for (int i = 0; i < dims; i++)
		add_pair(&references, a[i], b[i]);
#define WHAT(name) (snprintf(what, sizeof(what), "%s of %s", name, kind), what)
	check_sum(WHAT("l2 squared"), dims, vector_l2_squared_kernel(dims, a, b),
			  references.l2_squared, 1);
	check_sum(WHAT("inner"), dims, vector_inner_kernel(dims, a, b), references.inner, 0);
	check_sum(WHAT("l1"), dims, vector_l1_kernel(dims, a, b), references.l1, 1);
	check_sum(WHAT("cosine, inner"), dims, (float) cosine.inner, references.inner, 0);
	check_sum(WHAT("cosine, norm of a"), dims, (float) cosine.norm_a, references.norm_a, 1);
	check_sum(WHAT("cosine, norm of b"), dims, (float) cosine.norm_b, references.norm_b, 1);
}

static void
check_halves(const char *kind, int dims, const half *a, const half *b)
{
	References	references;
	CosineSums	cosine = half_cosine_kernel(dims, a, b);
	char		what[100];

	memset(&references, 0, sizeof(references));
	for (int i = 0; i < dims; i++)
		add_pair(&references, half_value(a[i]), half_value(b[i]));
	check_sum(WHAT("half l2 squared"), dims, half_l2_squared_kernel(dims, a, b),
			  references.l2_squared, 1);
	check_sum(WHAT("half inner"), dims, half_inner_kernel(dims, a, b), references.inner, 0);
	check_sum(WHAT("half l1"), dims, half_l1_kernel(dims, a, b), references.l1, 1);
	check_sum(WHAT("half cosine, inner"), dims, (float) cosine.inner, references.inner, 0);
	check_sum(WHAT("half cosine, norm of a"), dims, (float) cosine.norm_a, references.norm_a, 1);
	check_sum(WHAT("half cosine, norm of b"), dims, (float) cosine.norm_b, references.norm_b, 1);
}

/* How the elements are drawn. */
static const char *const kinds[] = {
	"uniform", "normal", "equal terms", "all magnitudes", "cancelling terms", "near neighbours",
	"denormals", "denormals by large", "large", "overflowing", "zeros", "one-sided"
};

#define KINDS ((int) (sizeof(kinds) / sizeof(kinds[0])))

static float
uniform(void)
{
	return 2 * random_float(&source) - 1;
}

static void
draw(int kind, int i, float *a, float *b)
{
	*a = uniform();
	*b = uniform();
	switch (kind)
	{
		case 1:
			*a = (float) random_gaussian(&source);
			*b = (float) random_gaussian(&source);
			break;
		case 2:					/* rounding errors all to one side */
			*a = 0.1f;
			*b = -0.7f;
			break;
		case 3:
			*a = ldexpf(*a, (int) random_below(&source, 60) - 30);
			*b = ldexpf(*b, (int) random_below(&source, 60) - 30);
			break;
		case 4:					/* the sum is far smaller than its terms */
			*a = 1 + *a * 0x1p-20f;
			*b = i % 2 ? 1 : -1;
			break;
		case 5:
			*b = *a + *b * 0x1p-18f;
			break;
		case 6:
			*a = ldexpf(*a, -130);
			*b = ldexpf(*b, -140);
			break;
		case 7:
			*a = ldexpf(*a, -135);
			*b = ldexpf(*b, 60);
			break;
		case 8:					/* squares near 2^120 */
			*a = ldexpf(*a, 57);
			*b = ldexpf(*b, 57);
			break;
		case 9:
			*a *= FLT_MAX;
			*b *= FLT_MAX;
			break;
		case 10:
			*a = i % 3 ? 0.0f : -0.0f;
			*b = 0;
			break;
		case 11:
			*a = fabsf(*a);
			*b = fabsf(*b);
			break;
	}
}

/* Only what a halfvec may hold: finite halves of like distribution. */
static half
half_of(int kind, float value)
{
	if (kind == 6 || kind == 7)
		return (half) random_below(&source, 0x400); /* denormals */
	if (kind == 8 || kind == 9 || fabsf(value) > 65504)
		return float_to_half(uniform() * 65504);
	return float_to_half(value);
}

/* Both vectors end where their blocks end and begin at any offset. */
static void
check_dims(int dims, int kind)
{
	size_t		a_skip = random_below(&source, 17);
	size_t		b_skip = random_below(&source, 17);
	float	   *a_block = exact_alloc((a_skip + (size_t) dims) *
									  sizeof(float));
	float	   *b_block = exact_alloc((b_skip + (size_t) dims) *
									  sizeof(float));
	half	   *a_halves = exact_alloc((a_skip + (size_t) dims) *
									   sizeof(half));
	half	   *b_halves = exact_alloc((b_skip + (size_t) dims) *
									   sizeof(half));

	for (int i = 0; i < dims; i++)
	{
		draw(kind, i, &a_block[a_skip + i], &b_block[b_skip + i]);
		a_halves[a_skip + i] = half_of(kind, a_block[a_skip + i]);
		b_halves[b_skip + i] = half_of(kind, b_block[b_skip + i]);
	}
	check_vectors(kinds[kind], dims, a_block + a_skip, b_block + b_skip);
	check_halves(kinds[kind], dims, a_halves + a_skip, b_halves + b_skip);
	free(a_block);
	free(b_block);
	free(a_halves);
	free(b_halves);
}

static void
check_bits(size_t bytes)
{
	size_t		skip = random_below(&source, 9);
	uint8_t    *a = (uint8_t *) exact_alloc(skip + bytes) + skip;
	uint8_t    *b = (uint8_t *) exact_alloc(skip + bytes) + skip;
	uint32_t	density = random_below(&source, 4);
	uint64_t	differing = 0;
	uint64_t	both = 0;
	uint64_t	either = 0;
	double		jaccard;

	for (size_t i = 0; i < bytes; i++)
	{
		/* 0: no bit at all; 3: all of them */
		a[i] = density == 0	  ? 0
			   : density == 3 ? 0xFF
							  : (uint8_t) random_next(&source);
		b[i] = density == 1 ? a[i] : (uint8_t) random_next(&source);
		for (int bit = 0; bit < 8; bit++)
		{
			int			x = (a[i] >> bit) & 1;
			int			y = (b[i] >> bit) & 1;

			differing += (uint64_t) (x != y);
			both += (uint64_t) (x && y);
			either += (uint64_t) (x || y);
		}
	}
	jaccard = both == 0 ? 1 : 1 - (double) both / (double) either;
	CHECK(bit_hamming_kernel(bytes, a, b) == differing,
		  "%s, hamming of %zu bytes", distance_kernels, bytes);
	CHECK(bit_jaccard_kernel(bytes, a, b) == jaccard,
		  "%s, jaccard of %zu bytes", distance_kernels, bytes);
	free(a - skip);
	free(b - skip);
}

static void
test_set(void)
{
	static const int more[] = {192,	 255,  256,	  257,	   300,	 384,
							   511,	 512,  513,	  768,	   1000, 1023,
							   1024, 1025, 1536,  2000,	   3072, 4095,
							   4097, 8191, 15999, MAX_DIMS};

	random_seed(&source, 20240601);
	for (int kind = 0; kind < KINDS; kind++)
	{
		for (int dims = 1; dims <= 130; dims++)
			for (int repeat = 0; repeat < 3; repeat++)
				check_dims(dims, kind);
		for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
			check_dims(more[i], kind);
		for (int repeat = 0; repeat < 20; repeat++)
			check_dims(1 + (int) random_below(&source, MAX_DIMS), kind);
	}
	for (size_t bytes = 0; bytes <= 300; bytes++)
		for (int repeat = 0; repeat < 4; repeat++)
			check_bits(bytes);
	check_bits(8000);
	check_bits(1 << 20);
}

int
main(void)
{
	with_every_set(test_set);
	return check_result();
}
