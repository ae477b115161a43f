/*-------------------------------------------------------------------------
 *
 * kmeans.c
 *	  Clusters of vectors by Lloyd's iterations (Lloyd, IEEE Trans. Inf.
 *	  Theory 1982).
 *
 * Nearly all time goes into the products of rows and centers.  Centers are
 * packed in groups of 32 with a dimension's 32 values side by side, so that
 * a few rows against one group keep all sums in registers.
 *
 *-------------------------------------------------------------------------
 */
#include "math/kmeans.h"

#include <float.h>
#include <string.h>

#include "math/cpu.h"
#include "math/inline.h"
#include "math/random.h"

#define GROUP 32

static int
groups_of(int count)
{
	return (count + GROUP - 1) / GROUP;
}

/* per group: |c|^2 of its centers, then dims rows of 32 values */
size_t
kmeans_packed_bytes(int count, int dims)
{
	return sizeof(float) * (size_t) groups_of(count) * GROUP * (dims + 1);
}

void
kmeans_pack(const float *centers, int count, int dims, float *packed)
{
	for (int g = 0; g < groups_of(count); g++)
	{
		float	   *group = packed + (size_t) g * GROUP * (dims + 1);

		for (int j = 0; j < GROUP; j++)
		{
			const float *center = centers + (size_t) (g * GROUP + j) * dims;
			bool		real = g * GROUP + j < count;
			double		norm = 0;

			for (int d = 0; d < dims; d++)
			{
				float		value = real ? center[d] : 0;

				group[(size_t) (d + 1) * GROUP + j] = value;
				norm += (double) value * value;
			}
			/* a place left over is never nearest */
			group[j] = real ? (float) norm : FLT_MAX;
		}
	}
}

#define NEAREST nearest_plain
#define LANES 4
#define TARGET
#include "math/kmeans_nearest.h"

#if defined(__x86_64__)
#define NEAREST nearest_avx2
#define LANES 8
#define TARGET __attribute__((target("avx2,fma")))
#include "math/kmeans_nearest.h"

#define NEAREST nearest_avx512
#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#include "math/kmeans_nearest.h"
#endif

KmeansNearest
kmeans_nearest_function(int width)
{
	switch (width)
	{
		case 4:
			return nearest_plain;
#if defined(__x86_64__)
		case 8:
			return cpu_level() >= CPU_AVX2 ? nearest_avx2 : NULL;
		case 16:
			return cpu_level() >= CPU_AVX512 ? nearest_avx512 : NULL;
#endif
		default:
			return NULL;
	}
}

void
kmeans_nearest(const float *rows, int points, int dims, const float *packed,
			   int count, int32_t *nearest, float *distances)
{
	KmeansNearest function = NULL;

	for (int width = 16; function == NULL; width /= 2)
		function = kmeans_nearest_function(width);
	function(rows, points, dims, packed, count, nearest, distances);
}

static size_t
aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t) 63;
}

size_t
kmeans_work_bytes(int points, int count, int dims)
{
	return aligned(kmeans_packed_bytes(count, dims)) +
		aligned(sizeof(int32_t) * points) + aligned(sizeof(int32_t) * count);
}

void
kmeans_train(const float *rows, int points, int dims, int count,
			 int iterations, uint64_t seed, float *centers, void *work,
			 void (*check) (void))
{
	float	   *packed = work;
	int32_t    *nearest =
		   (int32_t *) ((char *) work +
						aligned(kmeans_packed_bytes(count, dims)));
	int32_t    *size = (int32_t *) ((char *) nearest +
									aligned(sizeof(int32_t) * points));

	/* start from rows spread evenly, at a random place within each stretch */
	for (int c = 0; c < count; c++)
	{
		int64_t		from = (int64_t) points * c / count;
		int64_t		to = (int64_t) points * (c + 1) / count;
		int64_t		row = from + (to > from
									  ? (int64_t) (splitmix64(&seed) %
												   (uint64_t) (to - from))
									  : 0);

		memcpy(centers + (size_t) c * dims, rows + (size_t) row * dims,
			   sizeof(float) * dims);
	}

	for (int iteration = 0; iteration < iterations; iteration++)
	{
		kmeans_pack(centers, count, dims, packed);
		for (int first = 0; first < points; first += 1024)
		{
			int			some = points - first < 1024 ? points - first : 1024;

			if (check != NULL)
				check();
			kmeans_nearest(rows + (size_t) first * dims, some, dims, packed,
						   count, nearest + first, NULL);
		}
		memset(size, 0, sizeof(int32_t) * count);
		memset(centers, 0, sizeof(float) * dims * count);
		for (int p = 0; p < points; p++)
		{
			float	   *center = centers + (size_t) nearest[p] * dims;
			const float *row = rows + (size_t) p * dims;

			size[nearest[p]]++;
			for (int d = 0; d < dims; d++)
				center[d] += row[d];
		}
		for (int c = 0; c < count; c++)
		{
			float	   *center = centers + (size_t) c * dims;

			if (size[c] > 0)
			{
				float		inverse = 1.0f / size[c];

				for (int d = 0; d < dims; d++)
					center[d] *= inverse;
			}
			else
			{
				/* a random row: more likely one of a large cluster */
				uint64_t	row = splitmix64(&seed) % (uint64_t) points;

				memcpy(center, rows + row * dims, sizeof(float) * dims);
			}
		}
	}
}
