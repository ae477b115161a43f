/*-------------------------------------------------------------------------
 *
 * labels.c
 *	  Labels of points, none over another.
 *
 * Points are taken in order of their size, then in order of the query.  A
 * label may stand at eight places around its point; of those where no other
 * label is, it takes the one that covers fewest points (after Christensen,
 * Marks and Shieber, "An empirical study of algorithms for point-feature label
 * placement", ACM TOG 1995, whose greedy one this is).  First those are drawn
 * that cover none.  Where points are many, others follow that cover some, and
 * the area of all labels is limited.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "miscadmin.h"

#define CELL			40.0	/* pixels of the grid that finds neighbours */
#define MOST_WIDTH		180.0
#define LINE			(SVG_FONT * 1.25)
#define GAP				2.0		/* between a point and its label */
#define FEW				300		/* points */
#define MOST_SHARE		0.15	/* of the area, where points are many */

/* What is in a cell: numbers of points or of boxes, linked */
typedef struct Grid
{
	int			columns;
	int			lines;
	int		   *heads;			/* of each cell, -1: none */
	int		   *next;
	int		   *item;
	int			used;
	int			room;
} Grid;

typedef struct Placing
{
	const MapPoint *points;
	int			count;
	const Box  *area;
	Grid		dots;
	Grid		taken;			/* boxes of labels */
	Box		   *boxes;
	int			box_count;
	double		covered;		/* area of all labels */
} Placing;

static void
grid_init(Grid *grid, const Box *area, int room)
{
	int			cells;

	grid->columns = (int) ceil((area->right - area->left) / CELL) + 1;
	grid->lines = (int) ceil((area->bottom - area->top) / CELL) + 1;
	cells = grid->columns * grid->lines;
	grid->heads = palloc(sizeof(int) * cells);
	for (int i = 0; i < cells; i++)
		grid->heads[i] = -1;
	grid->room = Max(room, 16);
	grid->next = palloc_extended(sizeof(int) * grid->room, MCXT_ALLOC_HUGE);
	grid->item = palloc_extended(sizeof(int) * grid->room, MCXT_ALLOC_HUGE);
	grid->used = 0;
}

static void
grid_add(Grid *grid, int cell, int item)
{
	if (grid->used == grid->room)
	{
		grid->room *= 2;
		grid->next = repalloc_huge(grid->next, sizeof(int) * grid->room);
		grid->item = repalloc_huge(grid->item, sizeof(int) * grid->room);
	}
	grid->item[grid->used] = item;
	grid->next[grid->used] = grid->heads[cell];
	grid->heads[cell] = grid->used++;
}

static int
column_of(const Placing *placing, double x)
{
	int			column = (int) ((x - placing->area->left) / CELL);

	return Max(0, Min(column, placing->dots.columns - 1));
}

static int
line_of(const Placing *placing, double y)
{
	int			line = (int) ((y - placing->area->top) / CELL);

	return Max(0, Min(line, placing->dots.lines - 1));
}

static bool
boxes_overlap(const Box *a, const Box *b)
{
	return a->left < b->right && b->left < a->right &&
		a->top < b->bottom && b->top < a->bottom;
}

static bool
is_free(const Placing *placing, const Box *box)
{
	const Grid *grid = &placing->taken;

	for (int l = line_of(placing, box->top);
		 l <= line_of(placing, box->bottom); l++)
		for (int c = column_of(placing, box->left);
			 c <= column_of(placing, box->right); c++)
			for (int i = grid->heads[l * grid->columns + c]; i >= 0;
				 i = grid->next[i])
				if (boxes_overlap(box, &placing->boxes[grid->item[i]]))
					return false;
	return true;
}

/* How many points lie within the box, up to a few more than matter */
static int
count_covered(const Placing *placing, const Box *box, int but)
{
	const Grid *grid = &placing->dots;
	int			covered = 0;

	for (int l = line_of(placing, box->top);
		 l <= line_of(placing, box->bottom); l++)
		for (int c = column_of(placing, box->left);
			 c <= column_of(placing, box->right); c++)
			for (int i = grid->heads[l * grid->columns + c]; i >= 0;
				 i = grid->next[i])
			{
				const MapPoint *point = &placing->points[grid->item[i]];

				covered += grid->item[i] != but &&
					point->x + point->radius > box->left &&
					point->x - point->radius < box->right &&
					point->y + point->radius > box->top &&
					point->y - point->radius < box->bottom;
			}
	return covered;
}

static Box
box_at(const MapPoint *point, double width, int place)
{
	static const struct
	{
		int			x;			/* -1: to the left, 0: centered */
		int			y;			/* -1: above */
	}			places[] = {
		{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}
	};
	double		away = point->radius + GAP;
	Box			box;

	/* at a corner a label is nearer to its point */
	if (places[place].x != 0 && places[place].y != 0)
		away = point->radius * 0.7 + GAP;
	box.left = point->x + (places[place].x > 0 ? away :
						   places[place].x < 0 ? -away - width : -width / 2);
	box.top = point->y + (places[place].y > 0 ? away :
						  places[place].y < 0 ? -away - LINE : -LINE / 2);
	box.right = box.left + width;
	box.bottom = box.top + LINE;
	return box;
}

#define PLACES 8

static bool
is_within(const Box *box, const Box *area)
{
	return box->left >= area->left && box->right <= area->right &&
		box->top >= area->top && box->bottom <= area->bottom;
}

/* The place that covers fewest points, if no more than "most" */
static bool
find_place(const Placing *placing, int point, double width, int most,
		   Box *found)
{
	int			fewest = most + 1;

	for (int place = 0; place < PLACES && fewest > 0; place++)
	{
		Box			box = box_at(&placing->points[point], width, place);
		int			covered;

		if (!is_within(&box, placing->area) || !is_free(placing, &box))
			continue;
		covered = count_covered(placing, &box, point);
		if (covered >= fewest)
			continue;
		fewest = covered;
		*found = box;
	}
	return fewest <= most;
}

static void
draw(Placing *placing, StringInfo out, const MapPoint *point,
	 const SvgLabel *label, const Box *box)
{
	Grid	   *grid = &placing->taken;

	for (int l = line_of(placing, box->top);
		 l <= line_of(placing, box->bottom); l++)
		for (int c = column_of(placing, box->left);
			 c <= column_of(placing, box->right); c++)
			grid_add(grid, l * grid->columns + c, placing->box_count);
	placing->boxes[placing->box_count++] = *box;
	placing->covered += (box->right - box->left) * LINE;
	svg_text(out, label, point->label, (box->left + box->right) / 2,
			 box->top + SVG_FONT, "middle", " class=\"label\"");
	appendStringInfoChar(out, '\n');
}

/* For qsort_arg: the larger first, then as they came */
static int
compare_points(const void *a, const void *b, void *argument)
{
	const MapPoint *points = argument;
	int			x = *(const int *) a;
	int			y = *(const int *) b;

	if (points[x].size != points[y].size)
		return points[x].size > points[y].size ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Labels that find a place now; those that do not stay in the order. */
static int
draw_round(Placing *placing, StringInfo out, int *order, int count, int most,
		   double most_area)
{
	int			left = 0;

	for (int i = 0; i < count && placing->covered < most_area; i++)
	{
		const MapPoint *point = &placing->points[order[i]];
		SvgLabel	label = svg_measure(point->label, MOST_WIDTH);
		Box			box;

		CHECK_FOR_INTERRUPTS();
		if (label.width <= 0)
			continue;
		if (find_place(placing, order[i], label.width, most, &box))
			draw(placing, out, point, &label, &box);
		else
			order[left++] = order[i];
	}
	return left;
}

void
labels_draw(StringInfo out, const MapPoint *points, int count,
			const Box *area)
{
	Placing		placing = {.points = points, .count = count, .area = area};
	int		   *order = palloc_extended(sizeof(int) * Max(count, 1),
										MCXT_ALLOC_HUGE);
	double		most_area = (area->right - area->left) *
		(area->bottom - area->top) * (count > FEW ? MOST_SHARE : 1);
	int			labels = 0;

	grid_init(&placing.dots, area, count);
	grid_init(&placing.taken, area, 4 * count);
	placing.boxes = palloc_extended(sizeof(Box) * Max(count, 1),
									MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		grid_add(&placing.dots,
				 line_of(&placing, points[i].y) * placing.dots.columns +
				 column_of(&placing, points[i].x), i);
		if (points[i].label != NULL)
			order[labels++] = i;
	}
	qsort_arg(order, labels, sizeof(int), compare_points,
			  unconstify(MapPoint *, points));
	labels = draw_round(&placing, out, order, labels, 0, most_area);
	if (count > FEW)
		draw_round(&placing, out, order, labels, count, most_area);
}
