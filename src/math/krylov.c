/*-------------------------------------------------------------------------
 *
 * krylov.c
 *	  The largest singular values of a matrix that is only seen row by row.
 *
 * All blocks lie as rows of a few floats, so that the pass over the matrix
 * meets one cache line for each of its elements.
 *
 *-------------------------------------------------------------------------
 */
#include "math/krylov.h"

#include <math.h>
#include <string.h>

#include "math/eigen.h"

/* The first look, in dims of columns: before, nothing can be settled */
#define LOOK_FROM		2

/* Between two looks at the values, and how much they may change meanwhile */
#define PASSES_BETWEEN	2
#define SETTLED			1e-3

/* Kept at a restart beyond dims: what is on its way to be among them */
#define KEPT_MORE		(2 * KRYLOV_BLOCK)

/*
 * A direction of a block is noise where it is so small beside the block's
 * largest, or beside the largest value of A'A, as products of floats round.
 */
#define NOISE_OF_BLOCK	1e-5
#define NOISE_OF_VALUES	1e-6

/* A value so much smaller than the largest is zero to floats. */
#define ZERO_VALUE		1e-7

/* Rows of the basis that are turned at once */
#define TURNED_ROWS		64

#define ALIGNMENT		64

int
krylov_least_columns(int dims)
{
	return dims + KEPT_MORE + 6 * KRYLOV_BLOCK;
}

static size_t
aligned(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* the eigenvalue problem: matrix, values, its own scratch */
static size_t
scratch_bytes(int most)
{
	return sizeof(double) * ((size_t) most * most + 3 * (size_t) most) +
		sizeof(float) * ((size_t) most + TURNED_ROWS + 2 * KRYLOV_BLOCK) *
		(most + KRYLOV_BLOCK);
}

size_t
krylov_bytes(int64_t rows, int dims, int most)
{
	return 2 * aligned(sizeof(float) * rows * KRYLOV_BLOCK) +
		aligned(sizeof(float) * rows * most) +
		aligned(sizeof(double) * most * most) +
		aligned(sizeof(double) * dims) + aligned(scratch_bytes(most));
}

static void *
take(char **at, size_t bytes)
{
	void	   *part = *at;

	*at += aligned(bytes);
	return part;
}

static void
fill_random(Krylov *krylov, int first)
{
	for (int64_t r = 0; r < krylov->rows; r++)
		for (int c = first; c < KRYLOV_BLOCK; c++)
			krylov->block[r * KRYLOV_BLOCK + c] =
				(float) random_gaussian(&krylov->random);
}

/* ---------- products of tall matrices ---------- */

/* Rows between two checks: some tens of millions of multiplications */
static int64_t
piece_rows(const Krylov *krylov, int64_t first)
{
	int64_t		rows = (1 << 24) / (krylov->columns + KRYLOV_BLOCK) + 1;

	krylov->check();
	return krylov->rows - first < rows ? krylov->rows - first : rows;
}

/* to (columns x KRYLOV_BLOCK) = basis' block */
static void
project(const Krylov *krylov, const float *block, float *to)
{
	int64_t		some;

	memset(to, 0, sizeof(float) * krylov->columns * KRYLOV_BLOCK);
	for (int64_t r = 0; r < krylov->rows; r += some)
	{
		some = piece_rows(krylov, r);
		krylov->kernels->project(some, krylov->columns,
								 krylov->basis + r * krylov->most,
								 krylov->most, block + r * KRYLOV_BLOCK, to);
	}
}

/* block -= basis projection; projection: columns x KRYLOV_BLOCK */
static void
take_away(const Krylov *krylov, float *block, const float *projection)
{
	int64_t		some;

	for (int64_t r = 0; r < krylov->rows; r += some)
	{
		some = piece_rows(krylov, r);
		krylov->kernels->combine(some, krylov->columns,
								 krylov->basis + r * krylov->most,
								 krylov->most, projection, true,
								 block + r * KRYLOV_BLOCK);
	}
}

/* ---------- a block ---------- */

/*
 * Columns of length 1 that span what the block spans, as many as are alive,
 * zero after them.  least: length below which a direction is none.
 */
static int
orthonormalize(const Krylov *krylov, float *block, double least)
{
	double		vectors[KRYLOV_BLOCK * KRYLOV_BLOCK];
	double		values[KRYLOV_BLOCK];
	double		scratch[2 * KRYLOV_BLOCK];
	float		turn[KRYLOV_BLOCK * KRYLOV_BLOCK] = {0};
	int			alive = 0;

	krylov->check();
	krylov->kernels->gram(block, krylov->rows, vectors);
	if (!eigen_symmetric(KRYLOV_BLOCK, vectors, true, values, scratch, NULL))
		return 0;
	for (int i = 0; i < KRYLOV_BLOCK; i++)
	{
		double		length = sqrt(fmax(values[i], 0));

		if (length <= least || length <= NOISE_OF_BLOCK * sqrt(values[0]))
			break;
		alive++;
		for (int c = 0; c < KRYLOV_BLOCK; c++)
			turn[c * KRYLOV_BLOCK + i] =
				(float) (vectors[i * KRYLOV_BLOCK + c] / length);
	}
	krylov->kernels->combine(krylov->rows, KRYLOV_BLOCK, block, KRYLOV_BLOCK,
							 turn, false, block);
	return alive;
}

/*
 * The block becomes the next one: orthogonal to the basis and in itself.
 * Directions that are lost are replaced at random while there are any left:
 * there may be further ones that the first block did not see.
 */
static void
make_block(Krylov *krylov, double largest, float *projection)
{
	int			rounds = 1;

	krylov->alive = orthonormalize(krylov, krylov->block,
								   NOISE_OF_VALUES * largest);
	if (krylov->alive < KRYLOV_BLOCK)
	{
		fill_random(krylov, krylov->alive);
		rounds = 2;
	}
	for (int round = 0; round < rounds; round++)
	{
		project(krylov, krylov->block, projection);
		take_away(krylov, krylov->block, projection);
		krylov->alive = orthonormalize(krylov, krylov->block,
									   NOISE_OF_BLOCK);
	}
}

/* ---------- the small problem ---------- */

/* Eigenvalues of the products, and the vectors, as rows */
static double *
solve(Krylov *krylov, bool vectors, double **values)
{
	int			n = krylov->columns;
	double	   *matrix = krylov->scratch;
	double	   *scratch = matrix + (size_t) krylov->most * krylov->most;

	*values = scratch + 2 * krylov->most;
	for (int i = 0; i < n; i++)
		memcpy(matrix + (size_t) i * n,
			   krylov->products + (size_t) i * krylov->most,
			   sizeof(double) * n);
	if (!eigen_symmetric(n, matrix, vectors, *values, scratch,
						 krylov->check))
		memset(*values, 0, sizeof(double) * n);
	return matrix;
}

/* floats behind what solve uses */
static float *
float_scratch(Krylov *krylov)
{
	double	   *matrix = krylov->scratch;

	return (float *) (matrix + (size_t) krylov->most * krylov->most +
					  3 * (size_t) krylov->most);
}

/*
 * to = basis turned by the first "count" vectors; to may be the basis, of
 * stride krylov->most.
 */
static void
turn_basis(Krylov *krylov, const double *vectors, int count, float *to,
		   int stride)
{
	int			n = krylov->columns;
	float	   *turned = float_scratch(krylov);
	float	   *factors = turned + (size_t) TURNED_ROWS * krylov->most;
	int			blocks = (count + KRYLOV_BLOCK - 1) / KRYLOV_BLOCK;

	memset(factors, 0, sizeof(float) * n * KRYLOV_BLOCK * blocks);
	for (int i = 0; i < count; i++)
	{
		float	   *block = factors + (size_t) (i / KRYLOV_BLOCK) * n *
			KRYLOV_BLOCK;

		for (int c = 0; c < n; c++)
			block[c * KRYLOV_BLOCK + i % KRYLOV_BLOCK] =
				(float) vectors[(size_t) i * n + c];
	}
	for (int64_t r = 0; r < krylov->rows; r += TURNED_ROWS)
	{
		int			some = krylov->rows - r < TURNED_ROWS ?
			(int) (krylov->rows - r) : TURNED_ROWS;

		krylov->check();
		for (int b = 0; b < blocks; b++)
			krylov->kernels->combine(some, n,
									 krylov->basis + r * krylov->most,
									 krylov->most,
									 factors + (size_t) b * n * KRYLOV_BLOCK,
									 false,
									 turned + b * TURNED_ROWS * KRYLOV_BLOCK);
		for (int i = 0; i < some; i++)
			for (int c = 0; c < count; c++)
				to[(r + i) * stride + c] =
					turned[((c / KRYLOV_BLOCK) * TURNED_ROWS + i) *
						   KRYLOV_BLOCK + c % KRYLOV_BLOCK];
	}
}

/*
 * Whether the values stay as they are.  Those that floats cannot tell from
 * zero beside the largest are.
 */
static bool
values_settled(Krylov *krylov, const double *values)
{
	double		zero = ZERO_VALUE * values[0];

	krylov->change = krylov->looked > 0 ? 0 : INFINITY;
	for (int i = 0; i < krylov->dims && i < krylov->columns; i++)
	{
		double		value = values[i] > zero ? sqrt(values[i]) : 0;
		double		change = fabs(value - krylov->settled[i]);

		if (krylov->looked > 0 && value > 0)
			krylov->change = fmax(krylov->change, change / value);
		krylov->settled[i] = value;
	}
	krylov->looked = krylov->columns;
	return krylov->change <= SETTLED;
}

static void
restart(Krylov *krylov)
{
	double	   *values;
	double	   *vectors = solve(krylov, true, &values);
	int			kept = krylov->dims + KEPT_MORE;

	turn_basis(krylov, vectors, kept, krylov->basis, krylov->most);
	memset(krylov->products, 0,
		   sizeof(double) * krylov->most * krylov->most);
	for (int i = 0; i < kept; i++)
		krylov->products[(size_t) i * krylov->most + i] = values[i];
	krylov->columns = kept;
}

/* ---------- the face ---------- */

void
krylov_begin(Krylov *krylov, int64_t rows, int dims, int most, void *memory,
			 uint64_t seed, KrylovCheck check)
{
	char	   *at = memory;

	memset(krylov, 0, sizeof(*krylov));
	krylov->rows = rows;
	krylov->dims = dims;
	krylov->most = most;
	krylov->check = check;
	krylov->kernels = krylov_kernels(NULL);
	random_seed(&krylov->random, seed);
	krylov->block = take(&at, sizeof(float) * rows * KRYLOV_BLOCK);
	krylov->image = take(&at, sizeof(float) * rows * KRYLOV_BLOCK);
	krylov->basis = take(&at, sizeof(float) * rows * most);
	krylov->products = take(&at, sizeof(double) * most * most);
	krylov->settled = take(&at, sizeof(double) * dims);
	krylov->scratch = take(&at, scratch_bytes(most));
	memset(krylov->products, 0, sizeof(double) * most * most);
	memset(krylov->settled, 0, sizeof(double) * dims);
	fill_random(krylov, 0);
	krylov->alive = orthonormalize(krylov, krylov->block, 0);
	krylov->alive = orthonormalize(krylov, krylov->block, 0);
}

/* The block's columns join the basis, and its image the products. */
static double
append_block(Krylov *krylov, float *projection)
{
	int			before = krylov->columns;
	double		largest = 0;

	for (int64_t r = 0; r < krylov->rows; r++)
		memcpy(krylov->basis + r * krylov->most + before,
			   krylov->block + r * KRYLOV_BLOCK,
			   sizeof(float) * krylov->alive);
	krylov->columns += krylov->alive;
	project(krylov, krylov->image, projection);
	for (int i = 0; i < krylov->columns; i++)
	{
		for (int c = 0; c < krylov->alive; c++)
		{
			int			j = before + c;
			double		product = projection[i * KRYLOV_BLOCK + c];

			/* within the block both halves come: their mean */
			if (i >= before)
				product = (product +
						   projection[j * KRYLOV_BLOCK + i - before]) / 2;
			krylov->products[(size_t) i * krylov->most + j] = product;
			krylov->products[(size_t) j * krylov->most + i] = product;
		}
	}
	for (int i = 0; i < krylov->columns; i++)
		largest = fmax(largest,
					   krylov->products[(size_t) i * krylov->most + i]);
	return largest;
}

void
krylov_add_row(const Krylov *krylov, int count, const int32_t *keys,
			   const float *values)
{
	krylov->kernels->add_row(krylov->block, krylov->image, count, keys,
							 values);
}

bool
krylov_advance(Krylov *krylov)
{
	float	   *projection = float_scratch(krylov);
	double		largest = append_block(krylov, projection);
	double	   *values;

	if (krylov->columns >= krylov->rows)
		return false;
	take_away(krylov, krylov->image, projection);
	memcpy(krylov->block, krylov->image,
		   sizeof(float) * krylov->rows * KRYLOV_BLOCK);
	make_block(krylov, largest, projection);
	if (krylov->alive == 0)
		return false;
	if (krylov->columns >= LOOK_FROM * krylov->dims &&
		(krylov->looked == 0 || krylov->columns < krylov->looked ||
		 krylov->columns >= krylov->looked + PASSES_BETWEEN * KRYLOV_BLOCK))
	{
		(void) solve(krylov, false, &values);
		if (values_settled(krylov, values))
			return false;
	}
	if (krylov->columns + KRYLOV_BLOCK > krylov->most)
	{
		restart(krylov);
		krylov->looked = krylov->columns;
	}
	return true;
}

/* The largest element of each vector is positive. */
static void
fix_signs(const Krylov *krylov, float *vectors, int count)
{
	float	   *largest = float_scratch((Krylov *) krylov);

	memset(largest, 0, sizeof(float) * krylov->dims);
	for (int64_t r = 0; r < krylov->rows; r++)
		for (int i = 0; i < count; i++)
			if (fabsf(vectors[r * krylov->dims + i]) > fabsf(largest[i]))
				largest[i] = vectors[r * krylov->dims + i];
	for (int64_t r = 0; r < krylov->rows; r++)
		for (int i = 0; i < count; i++)
			if (largest[i] < 0)
				vectors[r * krylov->dims + i] *= -1;
}

void
krylov_finish(Krylov *krylov, float *vectors, double *values)
{
	double	   *found;
	double	   *turn = solve(krylov, true, &found);
	int			count = krylov->columns < krylov->dims ? krylov->columns :
		krylov->dims;

	while (count > 0 && found[count - 1] <= 0)
		count--;
	memset(vectors, 0, sizeof(float) * krylov->rows * krylov->dims);
	memset(values, 0, sizeof(double) * krylov->dims);
	for (int i = 0; i < count; i++)
		values[i] = sqrt(found[i]);
	if (count > 0)
		turn_basis(krylov, turn, count, vectors, krylov->dims);
	fix_signs(krylov, vectors, count);
}
