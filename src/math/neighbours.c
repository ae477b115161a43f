/*-------------------------------------------------------------------------
 *
 * neighbours.c
 *	  The nearest neighbours of every row among the others.
 *
 * Rows lie in lists, one for each cluster of an inverted file (Sivic and
 * Zisserman, "Video Google", ICCV 2003); a row is compared with all rows of
 * the lists whose centers are nearest to it.  List after list, its members
 * become a packed matrix, with which all rows that look into it are
 * multiplied, some dozens at a time.  Few rows are one list, into which all
 * look: the result is then exact.
 *
 *-------------------------------------------------------------------------
 */
#include "math/neighbours.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "math/distance.h"
#include "math/kmeans.h"
#include "math/product.h"
#include "math/random.h"

#define MEMBERS		1024		/* of a list, packed at once */
#define QUERIES		64			/* multiplied with them at once */
#define PROBES		20			/* lists that a row looks into */
#define MOST_LISTS	1024
#define SAMPLE		32			/* rows a list that find the centers */
#define ROUNDS		6			/* of that */

typedef struct Search
{
	const float *rows;
	int			points;
	int			dims;
	int			count;
	int			lists;
	int			probes;
	NeighboursCheck check;
	float	   *norms;			/* of the rows, squared */
	int32_t    *index;			/* of each row a heap, the farthest first */
	float	   *squares;

	/* list l: members from list_start[l], who looks from query_start[l] */
	int32_t    *list_start;
	int32_t    *members;
	int32_t    *query_start;
	int32_t    *queries;
	int32_t    *looked;			/* lists of each row, "probes" of them */

	float	   *centers;
	float	   *sample;
	void	   *kmeans;
	void	   *panels;			/* of members or centers */
	float	   *gathered;		/* rows of the queries at hand */
	float	   *sums;			/* their products */
} Search;

/* ---------- memory ---------- */

typedef struct Room
{
	char	   *base;			/* NULL: only counted */
	size_t		used;
} Room;

static void *
take(Room *room, size_t bytes)
{
	size_t		at = room->used;

	room->used += (bytes + 63) & ~(size_t) 63;
	return room->base ? room->base + at : NULL;
}

static int
panel_count(int columns)
{
	int			width = product_panel_columns(PRODUCT_FLOAT32);

	return (columns + width - 1) / width;
}

static int
sum_stride(void)
{
	return panel_count(MEMBERS) * product_panel_columns(PRODUCT_FLOAT32);
}

static int
list_count(int points)
{
	int			lists = (int) sqrt((double) points);

	if (points <= NEIGHBOURS_EXACT)
		return 1;
	return lists < MOST_LISTS ? lists : MOST_LISTS;
}

static void
lay_out(Search *search, Room *room)
{
	size_t		points = (size_t) search->points;
	size_t		dims = (size_t) search->dims;
	size_t		lists = (size_t) search->lists;

	search->norms = take(room, sizeof(float) * points);
	search->list_start = take(room, sizeof(int32_t) * (lists + 1));
	search->members = take(room, sizeof(int32_t) * points);
	search->query_start = take(room, sizeof(int32_t) * (lists + 1));
	search->queries = take(room, sizeof(int32_t) * points *
						   (size_t) search->probes);
	search->panels = take(room, (size_t) panel_count(MEMBERS) *
						  product_panel_bytes(PRODUCT_FLOAT32, search->dims));
	search->gathered = take(room, sizeof(float) * QUERIES * dims);
	search->sums = take(room, sizeof(float) * QUERIES *
						(size_t) sum_stride());
	if (lists == 1)
		return;
	search->looked = take(room, sizeof(int32_t) * points *
						  (size_t) search->probes);
	search->centers = take(room, sizeof(float) * lists * dims);
	search->sample = take(room, sizeof(float) * lists * SAMPLE * dims);
	search->kmeans = take(room, kmeans_work_bytes((int) lists * SAMPLE,
												  (int) lists, search->dims));
}

static void
describe(Search *search, int points, int dims)
{
	memset(search, 0, sizeof(Search));
	search->points = points;
	search->dims = dims;
	search->lists = list_count(points);
	search->probes = search->lists == 1 ? 1 : PROBES;
}

size_t
neighbours_bytes(int points, int dims)
{
	Search		search;
	Room		room = {0};

	describe(&search, points, dims);
	lay_out(&search, &room);
	return room.used;
}

/* ---------- a row's neighbours so far ---------- */

static void
forget(Search *search, int point)
{
	for (int i = 0; i < search->count; i++)
	{
		search->index[(size_t) point * search->count + i] = -1;
		search->squares[(size_t) point * search->count + i] = INFINITY;
	}
}

/* Replace the farthest one: a step of heap sort. */
static void
replace(int32_t *index, float *squares, int count, int32_t member,
		float square)
{
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && squares[child + 1] > squares[child])
			child++;
		if (squares[child] <= square)
			break;
		squares[at] = squares[child];
		index[at] = index[child];
		at = child;
	}
	squares[at] = square;
	index[at] = member;
}

static bool
is_before(float square, int32_t member, float other, int32_t other_member)
{
	return square < other || (square == other && member < other_member);
}

/* By the differences themselves, and in order. */
static void
measure(Search *search, int point)
{
	int32_t    *index = search->index + (size_t) point * search->count;
	float	   *squares = search->squares + (size_t) point * search->count;
	const float *row = search->rows + (size_t) point * search->dims;

	for (int i = 0; i < search->count; i++)
	{
		int32_t		member = index[i];
		float		square = vector_l2_squared_kernel(search->dims, row,
											 search->rows +
											 (size_t) member * search->dims);
		int			at = i;

		for (; at > 0 && is_before(square, member, squares[at - 1],
								   index[at - 1]); at--)
		{
			squares[at] = squares[at - 1];
			index[at] = index[at - 1];
		}
		squares[at] = square;
		index[at] = member;
	}
}

/* ---------- products ---------- */

/* Rows of these numbers, or of all from "first" on where there are none */
static void
pack_rows(Search *search, const float *rows, const int32_t *numbers,
		  int count)
{
	int			width = product_panel_columns(PRODUCT_FLOAT32);
	size_t		bytes = product_panel_bytes(PRODUCT_FLOAT32, search->dims);
	float	   *gathered = search->gathered;

	for (int first = 0; first < count; first += width)
	{
		int			columns = count - first < width ? count - first : width;

		for (int i = 0; i < columns; i++)
		{
			size_t		number = numbers ? (size_t) numbers[first + i] :
								 (size_t) (first + i);

			memcpy(gathered + (size_t) i * search->dims,
				   rows + number * search->dims,
				   sizeof(float) * search->dims);
		}
		product_pack_panel(PRODUCT_FLOAT32, search->dims, columns, gathered,
						   search->dims,
						   (char *) search->panels + first / width * bytes);
	}
}

/* Products of up to QUERIES rows with the packed ones */
static void
multiply(Search *search, const int32_t *numbers, int queries, int outer)
{
	ProductMatrix matrix = {PRODUCT_FLOAT32, search->dims, outer,
							search->panels, NULL};
	ProductResult result = {search->sums, (size_t) sum_stride(),
							ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows values;

	for (int i = 0; i < queries; i++)
		memcpy(search->gathered + (size_t) i * search->dims,
			   search->rows + (size_t) numbers[i] * search->dims,
			   sizeof(float) * search->dims);
	values = product_rows(PRODUCT_FLOAT32, search->dims, queries,
						  search->gathered, search->dims, NULL);
	product(&matrix, &values, &result, NULL);
	search->check();
}

static void
offer(Search *search, int point, const int32_t *members, int count,
	  const float *sums)
{
	int32_t    *index = search->index + (size_t) point * search->count;
	float	   *squares = search->squares + (size_t) point * search->count;
	float		norm = search->norms[point];

	for (int i = 0; i < count; i++)
	{
		float		square = norm + search->norms[members[i]] - 2 * sums[i];

		if (square < squares[0] && members[i] != point)
			replace(index, squares, search->count, members[i], square);
	}
}

/* All of a list's members are offered to all who look into it. */
static void
search_list(Search *search, const int32_t *members, int member_count,
			const int32_t *queries, int query_count)
{
	for (int m = 0; m < member_count && query_count > 0; m += MEMBERS)
	{
		int			count = member_count - m < MEMBERS ? member_count - m :
							MEMBERS;

		pack_rows(search, search->rows, members + m, count);
		for (int q = 0; q < query_count; q += QUERIES)
		{
			int			rows = query_count - q < QUERIES ? query_count - q :
							   QUERIES;

			multiply(search, queries + q, rows, count);
			for (int i = 0; i < rows; i++)
				offer(search, queries[q + i], members + m, count,
					  search->sums + (size_t) i * sum_stride());
		}
	}
}

/* ---------- lists ---------- */

static void
find_centers(Search *search, uint64_t seed)
{
	int			wanted = search->lists * SAMPLE;
	Random		random;
	int			taken = 0;

	/* each row as likely as any other (Knuth, TAOCP 2, 3.4.2, S) */
	random_seed(&random, seed);
	for (int i = 0; i < search->points && taken < wanted; i++)
	{
		if (random_below(&random, (uint32_t) (search->points - i)) >=
			(uint32_t) (wanted - taken))
			continue;
		memcpy(search->sample + (size_t) taken++ * search->dims,
			   search->rows + (size_t) i * search->dims,
			   sizeof(float) * search->dims);
	}
	kmeans_train(search->sample, taken, search->dims, search->lists, ROUNDS,
				 random_next(&random), search->centers, search->kmeans,
				 search->check);
}

/* The nearest lists by |center|^2 - 2 center row, the nearest first */
static void
nearest_lists(Search *search, const float *norms, const float *sums,
			  int32_t *found)
{
	float		distances[PROBES];
	int			count = 0;

	for (int l = 0; l < search->lists; l++)
	{
		float		distance = norms[l] - 2 * sums[l];
		int			at;

		if (count == search->probes && distance >= distances[count - 1])
			continue;
		at = count < search->probes ? count++ : count - 1;
		for (; at > 0 && distance < distances[at - 1]; at--)
		{
			distances[at] = distances[at - 1];
			found[at] = found[at - 1];
		}
		distances[at] = distance;
		found[at] = l;
	}
}

/*
 * Rows sorted by list, counting; a row is in each of the first "taken" of the
 * "each" lists that it has in list_of.
 */
static void
sort_by_list(const Search *search, const int32_t *list_of, int each,
			 int taken, int32_t *start, int32_t *sorted)
{
	memset(start, 0, sizeof(int32_t) * (search->lists + 1));
	for (int p = 0; p < search->points; p++)
		for (int i = 0; i < taken; i++)
			start[list_of[(size_t) p * each + i] + 1]++;
	for (int l = 0; l < search->lists; l++)
		start[l + 1] += start[l];
	for (int p = 0; p < search->points; p++)
		for (int i = 0; i < taken; i++)
			sorted[start[list_of[(size_t) p * each + i]]++] = p;
	memmove(start + 1, start, sizeof(int32_t) * search->lists);
	start[0] = 0;
}

static void
make_lists(Search *search, uint64_t seed)
{
	float		norms[MOST_LISTS];

	find_centers(search, seed);
	for (int l = 0; l < search->lists; l++)
	{
		const float *center = search->centers + (size_t) l * search->dims;

		norms[l] = vector_inner_kernel(search->dims, center, center);
	}
	pack_rows(search, search->centers, NULL, search->lists);
	for (int i = 0; i < search->points; i++)
		search->members[i] = i;
	for (int first = 0; first < search->points; first += QUERIES)
	{
		int			rows = search->points - first < QUERIES ?
						   search->points - first : QUERIES;

		multiply(search, search->members + first, rows, search->lists);
		for (int i = 0; i < rows; i++)
			nearest_lists(search, norms,
						  search->sums + (size_t) i * sum_stride(),
						  search->looked +
						  (size_t) (first + i) * search->probes);
	}
	sort_by_list(search, search->looked, search->probes, 1,
				 search->list_start, search->members);
	sort_by_list(search, search->looked, search->probes, search->probes,
				 search->query_start, search->queries);
}

/* A row whose lists had too few members looks at all rows. */
static void
search_again(Search *search)
{
	int			count = 0;

	for (int i = 0; i < search->points; i++)
	{
		search->members[i] = i;
		if (!isinf(search->squares[(size_t) i * search->count]))
			continue;
		forget(search, i);
		search->queries[count++] = i;
	}
	search_list(search, search->members, search->points, search->queries,
				count);
}

void
neighbours_find(const float *rows, int points, int dims, int count,
				uint64_t seed, int32_t *index, float *squares, void *memory,
				NeighboursCheck check)
{
	Room		room = {memory, 0};
	Search		search;

	if (count == 0)
		return;
	describe(&search, points, dims);
	search.rows = rows;
	search.count = count;
	search.index = index;
	search.squares = squares;
	search.check = check;
	lay_out(&search, &room);
	for (int i = 0; i < points; i++)
	{
		const float *row = rows + (size_t) i * dims;

		search.norms[i] = vector_inner_kernel(dims, row, row);
		forget(&search, i);
	}
	if (search.lists > 1)
	{
		make_lists(&search, seed);
		for (int l = 0; l < search.lists; l++)
			search_list(&search, search.members + search.list_start[l],
						search.list_start[l + 1] - search.list_start[l],
						search.queries + search.query_start[l],
						search.query_start[l + 1] - search.query_start[l]);
	}
	search_again(&search);
	for (int i = 0; i < points; i++)
	{
		measure(&search, i);
		if (i % 64 == 0)
			check();
	}
}
