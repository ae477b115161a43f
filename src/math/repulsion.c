/*-------------------------------------------------------------------------
 *
 * repulsion.c
 *	  How points of a plane push each other away, as t-SNE has it.
 *
 * Points are sorted along Morton's curve, so that every square of the
 * quadtree is a stretch of them.  The tree lies in preorder: the first child
 * follows its parent, and each square knows what follows its last descendant.
 *
 * All points of a leaf, up to LEAF of them, go through the tree together: a
 * square is far from them if it is far from the rectangle that they fill.
 * What they meet is listed and then summed for eight points at once, compiled
 * plainly and once more for AVX2, without FMA so that both give equal bits.
 *
 *-------------------------------------------------------------------------
 */
#include "math/repulsion.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "math/cpu.h"
#include "math/inline.h"

#define LEAF	16				/* points */
#define LANES	8
#define LEVELS	16				/* bits of a coordinate */
#define PIECE	1024			/* entries of a list, summed together */

typedef float v8 __attribute__((vector_size(32)));

#define LOAD8(v, p)		memcpy(&(v), (p), sizeof(v8))
#define STORE8(p, v)	memcpy((p), &(v), sizeof(v8))

typedef struct Square
{
	float		x;				/* mean of its points */
	float		y;
	float		mass;			/* their number */
	float		reach;			/* far from farther than this, squared */
	int32_t		skip;			/* what follows its last descendant */
	int32_t		first;			/* of its points, in Morton's order */
	int32_t		leaf;			/* how many, where it is a leaf, or 0 */
} Square;

typedef struct Tree
{
	int			points;
	float		theta;
	uint32_t   *codes;			/* sorted */
	int32_t    *order;			/* of each place in Morton's order the point */
	uint32_t   *other_codes;	/* for sorting */
	int32_t    *other_order;
	float	   *x;				/* in Morton's order, LANES more */
	float	   *y;
	Square	   *squares;
	int			count;
	float		side;			/* of the whole plane */
	float		left;
	float		bottom;
} Tree;

/* What the points of a leaf meet, x, y and mass */
typedef struct Meeting
{
	int			count;
	float		x[PIECE];
	float		y[PIECE];
	float		mass[PIECE];
} Meeting;

typedef struct Sums
{
	float		x[LEAF];
	float		y[LEAF];
	float		q[LEAF];
} Sums;

/* ---------- memory ---------- */

static size_t
take(char **place, size_t bytes)
{
	size_t		rounded = (bytes + 63) & ~(size_t) 63;

	if (*place != NULL)
		*place += rounded;
	return rounded;
}

static size_t
lay_out(Tree *tree, char *memory)
{
	size_t		points = (size_t) tree->points;
	char	   *at = memory;
	size_t		bytes = 0;

	tree->codes = (void *) at;
	bytes += take(&at, sizeof(uint32_t) * points);
	tree->other_codes = (void *) at;
	bytes += take(&at, sizeof(uint32_t) * points);
	tree->order = (void *) at;
	bytes += take(&at, sizeof(int32_t) * points);
	tree->other_order = (void *) at;
	bytes += take(&at, sizeof(int32_t) * points);
	tree->x = (void *) at;
	bytes += take(&at, sizeof(float) * (points + LANES));
	tree->y = (void *) at;
	bytes += take(&at, sizeof(float) * (points + LANES));
	/* every square that is no leaf has two children or more */
	tree->squares = (void *) at;
	bytes += take(&at, sizeof(Square) * 2 * points);
	return bytes;
}

size_t
repulsion_bytes(int points)
{
	Tree		tree = {.points = points};

	return lay_out(&tree, NULL);
}

/* ---------- Morton's order ---------- */

/* A zero between any two of 16 bits */
static uint32_t
spread(uint32_t bits)
{
	bits = (bits | bits << 8) & 0x00FF00FF;
	bits = (bits | bits << 4) & 0x0F0F0F0F;
	bits = (bits | bits << 2) & 0x33333333;
	return (bits | bits << 1) & 0x55555555;
}

static void
measure_plane(Tree *tree, const float *places)
{
	float		right = places[0];
	float		top = places[1];

	tree->left = right;
	tree->bottom = top;
	for (int i = 1; i < tree->points; i++)
	{
		float		x = places[2 * i];
		float		y = places[2 * i + 1];

		tree->left = x < tree->left ? x : tree->left;
		right = x > right ? x : right;
		tree->bottom = y < tree->bottom ? y : tree->bottom;
		top = y > top ? y : top;
	}
	tree->side = right - tree->left > top - tree->bottom ?
		right - tree->left : top - tree->bottom;
}

static uint32_t
grid(float distance, float scale)
{
	uint32_t	cell = (uint32_t) (distance * scale);

	return cell < (1 << LEVELS) - 1 ? cell : (1 << LEVELS) - 1;
}

/* By eight bits at a time, the lowest first; four rounds end where it began */
static void
sort_codes(Tree *tree)
{
	for (int shift = 0; shift < 32; shift += 8)
	{
		int32_t		starts[257] = {0};
		uint32_t   *codes = tree->codes;
		int32_t    *order = tree->order;

		for (int i = 0; i < tree->points; i++)
			starts[(codes[i] >> shift & 255) + 1]++;
		for (int b = 0; b < 256; b++)
			starts[b + 1] += starts[b];
		for (int i = 0; i < tree->points; i++)
		{
			int32_t		to = starts[codes[i] >> shift & 255]++;

			tree->other_codes[to] = codes[i];
			tree->other_order[to] = order[i];
		}
		tree->codes = tree->other_codes;
		tree->order = tree->other_order;
		tree->other_codes = codes;
		tree->other_order = order;
	}
}

static void
sort_points(Tree *tree, const float *places)
{
	float		scale;

	measure_plane(tree, places);
	scale = tree->side > 0 ? (float) (1 << LEVELS) / tree->side : 0;
	if (!isfinite(scale))
		scale = 0;
	for (int i = 0; i < tree->points; i++)
	{
		uint32_t	x = grid(places[2 * i] - tree->left, scale);
		uint32_t	y = grid(places[2 * i + 1] - tree->bottom, scale);

		tree->codes[i] = spread(x) | spread(y) << 1;
		tree->order[i] = i;
	}
	sort_codes(tree);
	for (int i = 0; i < tree->points + LANES; i++)
	{
		int			point = tree->order[i < tree->points ? i : 0];

		tree->x[i] = places[2 * point];
		tree->y[i] = places[2 * point + 1];
	}
}

/* ---------- squares ---------- */

/* The first place from "first" on whose code is not below "code" */
static int32_t
find_code(const Tree *tree, int32_t first, int32_t last, uint64_t code)
{
	while (first < last)
	{
		int32_t		middle = first + (last - first) / 2;

		if (tree->codes[middle] < code)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

static void
set_leaf(Tree *tree, Square *square, int32_t first, int32_t last)
{
	float		x = 0;
	float		y = 0;

	for (int32_t i = first; i < last; i++)
	{
		x += tree->x[i];
		y += tree->y[i];
	}
	square->mass = (float) (last - first);
	square->x = x / square->mass;
	square->y = y / square->mass;
	square->first = first;
	square->leaf = last - first <= LEAF ? last - first : 0;
}

/*
 * The square of the points from first to last, whose codes agree in all levels
 * above "level", and all within it.  One that cannot be divided is small
 * enough to count as one point for everybody, those in it included.
 */
static int32_t
build(Tree *tree, int32_t first, int32_t last, int level)
{
	int32_t		number = tree->count++;
	uint32_t	differ = tree->codes[first] ^ tree->codes[last - 1];
	float		side;
	double		x = 0;
	double		y = 0;
	uint64_t	base;
	int			shift;

	/* where all are within one quarter, that is the square */
	while (level < LEVELS && differ >> (32 - 2 * (level + 1)) == 0)
		level++;
	side = ldexpf(tree->side, -level) / tree->theta;
	tree->squares[number].reach = level == LEVELS ? -1 : side * side;
	if (last - first <= LEAF || level == LEVELS)
	{
		set_leaf(tree, &tree->squares[number], first, last);
		tree->squares[number].skip = tree->count;
		return number;
	}
	shift = 32 - 2 * (level + 1);
	base = (uint64_t) tree->codes[first] >> (shift + 2) << (shift + 2);
	for (int quarter = 0, from = first; quarter < 4; quarter++)
	{
		int32_t		to = quarter == 3 ? last :
						 find_code(tree, from, last,
								   base + ((uint64_t) (quarter + 1) << shift));

		if (to > from)
		{
			const Square *child = &tree->squares[build(tree, from, to,
													   level + 1)];

			x += (double) child->x * child->mass;
			y += (double) child->y * child->mass;
		}
		from = to;
	}
	tree->squares[number].mass = (float) (last - first);
	tree->squares[number].x = (float) (x / (last - first));
	tree->squares[number].y = (float) (y / (last - first));
	tree->squares[number].first = first;
	tree->squares[number].leaf = 0;
	tree->squares[number].skip = tree->count;
	return number;
}

/* ---------- sums ---------- */

/* Add what is met to the sums of LANES points. */
ALWAYS_INLINE void
sum_meeting(const Meeting *meeting, const float *point_x,
			const float *point_y, float *sum_x, float *sum_y, float *sum_q)
{
	const v8	one = {1, 1, 1, 1, 1, 1, 1, 1};
	v8			px;
	v8			py;
	v8			force_x;
	v8			force_y;
	v8			total;

	LOAD8(px, point_x);
	LOAD8(py, point_y);
	LOAD8(force_x, sum_x);
	LOAD8(force_y, sum_y);
	LOAD8(total, sum_q);
	for (int i = 0; i < meeting->count; i++)
	{
		v8			x = px - meeting->x[i];
		v8			y = py - meeting->y[i];
		v8			q = one / (one + x * x + y * y);
		v8			all = q * meeting->mass[i];

		total += all;
		all *= q;
		force_x += all * x;
		force_y += all * y;
	}
	STORE8(sum_x, force_x);
	STORE8(sum_y, force_y);
	STORE8(sum_q, total);
}

static void
sum_plain(const Meeting *meeting, const float *point_x, const float *point_y,
		  float *sum_x, float *sum_y, float *sum_q)
{
	sum_meeting(meeting, point_x, point_y, sum_x, sum_y, sum_q);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
sum_avx2(const Meeting *meeting, const float *point_x, const float *point_y,
		 float *sum_x, float *sum_y, float *sum_q)
{
	sum_meeting(meeting, point_x, point_y, sum_x, sum_y, sum_q);
}
#endif

static void
end_piece(const Tree *tree, const Square *leaf, Meeting *meeting, Sums *sums)
{
	for (int i = 0; i < leaf->leaf; i += LANES)
	{
		const float *x = tree->x + leaf->first + i;
		const float *y = tree->y + leaf->first + i;

#if defined(__x86_64__)
		if (cpu_level() >= CPU_AVX2)
		{
			sum_avx2(meeting, x, y, sums->x + i, sums->y + i, sums->q + i);
			continue;
		}
#endif
		sum_plain(meeting, x, y, sums->x + i, sums->y + i, sums->q + i);
	}
	meeting->count = 0;
}

static void
meet(Meeting *meeting, float x, float y, float mass)
{
	meeting->x[meeting->count] = x;
	meeting->y[meeting->count] = y;
	meeting->mass[meeting->count++] = mass;
}

typedef struct Rectangle
{
	float		left;
	float		right;
	float		bottom;
	float		top;
} Rectangle;

static Rectangle
rectangle_of(const Tree *tree, const Square *leaf)
{
	const float *x = tree->x + leaf->first;
	const float *y = tree->y + leaf->first;
	Rectangle	rectangle = {x[0], x[0], y[0], y[0]};

	for (int i = 1; i < leaf->leaf; i++)
	{
		rectangle.left = x[i] < rectangle.left ? x[i] : rectangle.left;
		rectangle.right = x[i] > rectangle.right ? x[i] : rectangle.right;
		rectangle.bottom = y[i] < rectangle.bottom ? y[i] : rectangle.bottom;
		rectangle.top = y[i] > rectangle.top ? y[i] : rectangle.top;
	}
	return rectangle;
}

static bool
is_far(const Square *square, const Rectangle *from)
{
	float		x = square->x < from->left ? from->left - square->x :
					square->x > from->right ? square->x - from->right : 0;
	float		y = square->y < from->bottom ? from->bottom - square->y :
					square->y > from->top ? square->y - from->top : 0;

	return x * x + y * y > square->reach;
}

static void
go_through(const Tree *tree, const Square *leaf, Meeting *meeting, Sums *sums)
{
	Rectangle	from = rectangle_of(tree, leaf);

	for (int32_t i = 0; i < tree->count;)
	{
		const Square *square = &tree->squares[i];

		if (meeting->count > PIECE - LEAF)
			end_piece(tree, leaf, meeting, sums);
		if (is_far(square, &from))
		{
			meet(meeting, square->x, square->y, square->mass);
			i = square->skip;
			continue;
		}
		for (int p = 0; p < square->leaf; p++)
			meet(meeting, tree->x[square->first + p],
				 tree->y[square->first + p], 1);
		i++;
	}
	end_piece(tree, leaf, meeting, sums);
}

/*
 * Points that cannot be divided from each other feel the same; they are more
 * than a leaf can have.
 */
static double
copy_forces(const Tree *tree, const Square *leaf, const Sums *sums,
			float *forces)
{
	double		total = 0;

	for (int i = 0; i < (int) leaf->mass; i++)
	{
		int			point = tree->order[leaf->first + i];
		int			from = leaf->leaf == (int) leaf->mass ? i : 0;

		forces[2 * point] = sums->x[from];
		forces[2 * point + 1] = sums->y[from];
		total += sums->q[from] - 1;	/* itself it met too */
	}
	return total;
}

double
repulsion_of(int points, const float *places, float theta, float *forces,
			 void *memory, RepulsionCheck check)
{
	Tree		tree = {.points = points, .theta = theta};
	Meeting		meeting = {0};
	double		total = 0;

	if (points == 0)
		return 0;
	lay_out(&tree, memory);
	sort_points(&tree, places);
	build(&tree, 0, points, 0);
	for (int32_t s = 0; s < tree.count; s++)
	{
		Square		leaf = tree.squares[s];
		Sums		sums = {.x = {0}};

		if (leaf.skip != s + 1)
			continue;
		if (leaf.leaf == 0)
			leaf.leaf = 1;
		go_through(&tree, &leaf, &meeting, &sums);
		total += copy_forces(&tree, &leaf, &sums, forces);
		if (s % 256 == 0)
			check();
	}
	return total;
}
