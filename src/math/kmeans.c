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

#include "math/inline.h"

#define GROUP 32

typedef float v16 __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));

#define ALL(x) ((v16) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x})

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

/*
 * nearest_few
 *	  "few" rows against all centers; few is a constant where it is inlined.
 */
ALWAYS_INLINE void
nearest_few(const int few, const float *rows, int dims, const float *packed,
			int count, int32_t *nearest, float *distances)
{
	v16			best[6];
	v16i		where[6];
	v16i		lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

	for (int p = 0; p < few; p++)
	{
		best[p] = ALL(FLT_MAX);
		where[p] = lane;
	}
	for (int g = 0; g < groups_of(count); g++)
	{
		const float *group = packed + (size_t) g * GROUP * (dims + 1);
		const float *values = group + GROUP;
		v16			sum[6][2];

		for (int p = 0; p < few; p++)
			sum[p][0] = sum[p][1] = ALL(0.0f);
		for (int d = 0; d < dims; d++)
		{
			v16			low;
			v16			high;

			memcpy(&low, values + (size_t) d * GROUP, sizeof(v16));
			memcpy(&high, values + (size_t) d * GROUP + 16, sizeof(v16));
			for (int p = 0; p < few; p++)
			{
				v16			x = ALL(rows[(size_t) p * dims + d]);

				sum[p][0] += x * low;
				sum[p][1] += x * high;
			}
		}
		for (int half = 0; half < 2; half++)
		{
			v16			norm;

			memcpy(&norm, group + half * 16, sizeof(v16));
			for (int p = 0; p < few; p++)
			{
				v16			distance = norm - 2.0f * sum[p][half];
				v16i		nearer = distance < best[p];

				best[p] = (v16) (((v16i) distance & nearer) | ((v16i) best[p] & ~nearer));
				where[p] = ((lane + (g * GROUP + half * 16)) & nearer) | (where[p] & ~nearer);
			}
		}
	}
	for (int p = 0; p < few; p++)
	{
		int			at = 0;

		for (int j = 1; j < 16; j++)
		{
			if (best[p][j] < best[p][at] ||
				(best[p][j] == best[p][at] && where[p][j] < where[p][at]))
				at = j;
		}
		nearest[p] = where[p][at] < count ? where[p][at] : 0;
		if (distances != NULL)
			distances[p] = best[p][at];
	}
}

#define NEAREST_BODY(few) \
	int			p = 0; \
	\
	for (; p + few <= points; p += few) \
		nearest_few(few, rows + (size_t) p * dims, dims, packed, count, \
					nearest + p, distances ? distances + p : NULL); \
	for (; p < points; p++) \
		nearest_few(1, rows + (size_t) p * dims, dims, packed, count, \
					nearest + p, distances ? distances + p : NULL)

static void
nearest_plain(const float *rows, int points, int dims, const float *packed,
			  int count, int32_t *nearest, float *distances)
{
	NEAREST_BODY(2);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void
nearest_avx2(const float *rows, int points, int dims, const float *packed,
			 int count, int32_t *nearest, float *distances)
{
	NEAREST_BODY(3);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) static void
nearest_avx512(const float *rows, int points, int dims, const float *packed,
			   int count, int32_t *nearest, float *distances)
{
	NEAREST_BODY(6);
}
#endif

void
kmeans_nearest(const float *rows, int points, int dims, const float *packed,
			   int count, int32_t *nearest, float *distances)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		nearest_avx512(rows, points, dims, packed, count, nearest, distances);
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		nearest_avx2(rows, points, dims, packed, count, nearest, distances);
	else
#endif
		nearest_plain(rows, points, dims, packed, count, nearest, distances);
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

static uint64_t
next_random(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

void
kmeans_train(const float *rows, int points, int dims, int count, int iterations,
			 uint64_t seed, float *centers, void *work, void (*check) (void))
{
	float	   *packed = work;
	int32_t    *nearest = (int32_t *) ((char *) work + aligned(kmeans_packed_bytes(count, dims)));
	int32_t    *size = (int32_t *) ((char *) nearest + aligned(sizeof(int32_t) * points));

	/* start from rows spread evenly, at a random place within each stretch */
	for (int c = 0; c < count; c++)
	{
		int64_t		from = (int64_t) points * c / count;
		int64_t		to = (int64_t) points * (c + 1) / count;
		int64_t		row = from + (to > from ? (int64_t) (next_random(&seed) % (uint64_t) (to - from)) : 0);

		memcpy(centers + (size_t) c * dims, rows + (size_t) row * dims, sizeof(float) * dims);
	}

	for (int iteration = 0; iteration < iterations; iteration++)
	{
		kmeans_pack(centers, count, dims, packed);
		for (int first = 0; first < points; first += 1024)
		{
			int			some = points - first < 1024 ? points - first : 1024;

			if (check != NULL)
				check();
			kmeans_nearest(rows + (size_t) first * dims, some, dims, packed, count,
						   nearest + first, NULL);
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
				uint64_t	row = next_random(&seed) % (uint64_t) points;

				memcpy(center, rows + row * dims, sizeof(float) * dims);
			}
		}
	}
}
