/*-------------------------------------------------------------------------
 *
 * map.c
 *	  SQL function embed_map: vectors as points of a picture.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "miscadmin.h"
#include "server/extension.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(embed_map);

/* arguments of the SQL function, in order */
enum
{
	ARG_QUERY,
	ARG_METHOD,
	ARG_WIDTH,
	ARG_HEIGHT,
	ARG_TITLE,
	ARG_SEED
};

static const QueryColumn columns[] = {
	{.name = "label", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_KEEP,
	.hint = "Cast the label to text."},
	{.name = "vector", .kinds = QUERY_VECTOR, .nulls = QUERY_NULL_SKIP,
	.hint = "Put the vectors second."},
	{.name = "group", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_KEEP,
		.optional = true,
	.hint = "Cast the group to text."},
	{.name = "size", .kinds = QUERY_SCORE, .nulls = QUERY_NULL_KEEP,
		.optional = true}
};

static const QueryDeclaration declaration = {
	.subject = "map",
	.columns = columns,
	.column_count = lengthof(columns),
	.hint = "What is drawn is a query such as 'SELECT word, vector FROM model'.",
	.shape = "a label and a vector, then, where it has them, a group and a size"
};

/*
 * Groups are told apart by colour and shape; more than there are of both
 * share one that says so.
 */
#define SHAPES		5
#define MOST_GROUPS (SVG_COLOURS * SHAPES)
#define NO_GROUP	(-1)

/* What stands beside the map */
#define LEGEND_LINE		18.0
#define LEGEND_MOST		200.0
#define MARGIN			16.0

typedef struct Group
{
	const char *name;
	int64		count;
} Group;

typedef struct Map
{
	Svg			svg;
	Points	   *points;
	MapPoint   *marks;
	Group		groups[MOST_GROUPS];
	int			group_count;
	int64		others;			/* points of further groups, or of none */
	int64		grouped;		/* points of further groups */
	Box			area;
	double		legend;			/* its width, 0: none */
} Map;

/* ---------- groups ---------- */

static int
group_number(Map *map, const char *name)
{
	for (int g = 0; g < map->group_count; g++)
		if (strcmp(map->groups[g].name, name) == 0)
			return g;
	if (map->group_count == MOST_GROUPS)
		return NO_GROUP;
	map->groups[map->group_count].name = pstrdup(name);
	return map->group_count++;
}

static void
read_marks(Map *map)
{
	Points	   *points = map->points;

	map->marks = palloc_extended(sizeof(MapPoint) * Max(points->count, 1),
								 MCXT_ALLOC_HUGE);
	points_rewind_names(points);
	for (int64 i = 0; i < points->count; i++)
	{
		MapPoint   *mark = &map->marks[i];
		PointName	name;

		CHECK_FOR_INTERRUPTS();
		points_next_name(points, &name);
		mark->label = name.label ? pstrdup(name.label) : NULL;
		mark->size = name.size;
		mark->group = name.group ? group_number(map, name.group) : NO_GROUP;
		if (mark->group == NO_GROUP)
		{
			map->others++;
			map->grouped += name.group != NULL;
		}
		else
			map->groups[mark->group].count++;
	}
}

/* ---------- from places to pixels ---------- */

static double
usual_radius(int64 count)
{
	return count <= 100 ? 5 : count <= 1000 ? 3.5 : count <= 10000 ? 2.2 :
		1.4;
}

/* Areas are as the sizes; a point without one is the smallest. */
static double
set_radii(Map *map)
{
	double		usual = usual_radius(map->points->count);
	double		largest = 0;
	double		least = Max(1, usual / 3);
	double		widest = usual;

	for (int64 i = 0; i < map->points->count; i++)
		largest = Max(largest, map->marks[i].size);
	for (int64 i = 0; i < map->points->count; i++)
	{
		MapPoint   *mark = &map->marks[i];

		mark->radius = usual;
		if (map->points->has_size)
			mark->radius = largest > 0 && mark->size > 0 ?
				Max(least, 3 * usual * sqrt(mark->size / largest)) : least;
		widest = Max(widest, mark->radius);
	}
	return widest;
}

/* Both axes by one scale, in the middle of the area */
static void
set_pixels(Map *map, const float *places)
{
	int64		count = map->points->count;
	double		edge = set_radii(map) + 2;
	double		least[2] = {INFINITY, INFINITY};
	double		most[2] = {-INFINITY, -INFINITY};
	double		scale;

	for (int64 i = 0; i < 2 * count; i++)
	{
		least[i % 2] = Min(least[i % 2], places[i]);
		most[i % 2] = Max(most[i % 2], places[i]);
	}
	if (count == 0)
		return;
	scale = Min((map->area.right - map->area.left - 2 * edge) /
				(most[0] - least[0]),
				(map->area.bottom - map->area.top - 2 * edge) /
				(most[1] - least[1]));
	if (!isfinite(scale) || scale < 0)
		scale = 0;
	for (int64 i = 0; i < count; i++)
	{
		map->marks[i].x = (map->area.left + map->area.right) / 2 + scale *
			(places[2 * i] - (least[0] + most[0]) / 2);
		map->marks[i].y = (map->area.top + map->area.bottom) / 2 - scale *
			(places[2 * i + 1] - (least[1] + most[1]) / 2);
	}
}

/* ---------- drawing ---------- */

static void
draw_pair(StringInfo out, double x, double y)
{
	svg_number(out, x);
	appendStringInfoChar(out, ',');
	svg_number(out, y);
	appendStringInfoChar(out, ' ');
}

/* Five shapes of about equal area, each an element that is left open */
static void
draw_shape(StringInfo out, int shape, double x, double y, double radius)
{
	double		r = radius;

	if (shape == 0)
	{
		appendStringInfoString(out, "<circle cx=\"");
		svg_number(out, x);
		appendStringInfoString(out, "\" cy=\"");
		svg_number(out, y);
		appendStringInfoString(out, "\" r=\"");
		svg_number(out, r);
		appendStringInfoString(out, "\">");
		return;
	}
	appendStringInfoString(out, "<polygon points=\"");
	switch (shape)
	{
		case 1:					/* a square */
			r *= 0.88;
			draw_pair(out, x - r, y - r);
			draw_pair(out, x + r, y - r);
			draw_pair(out, x + r, y + r);
			draw_pair(out, x - r, y + r);
			break;
		case 2:					/* a triangle */
			r *= 1.3;
			draw_pair(out, x, y - r);
			draw_pair(out, x + r, y + 0.75 * r);
			draw_pair(out, x - r, y + 0.75 * r);
			break;
		case 3:					/* a square on its corner */
			r *= 1.25;
			draw_pair(out, x, y - r);
			draw_pair(out, x + r, y);
			draw_pair(out, x, y + r);
			draw_pair(out, x - r, y);
			break;
		default:				/* a plus */
			r *= 1.25;
			for (int i = 0; i < 12; i++)
			{
				static const double across[] = {-.36, .36, .36, 1, 1, .36,
				.36, -.36, -.36, -1, -1, -.36};
				static const double down[] = {-1, -1, -.36, -.36, .36, .36, 1,
				1, .36, .36, -.36, -.36};

				draw_pair(out, x + r * across[i], y + r * down[i]);
			}
	}
	appendStringInfoString(out, "\">");
}

static void
close_shape(StringInfo out, int shape)
{
	appendStringInfoString(out, shape == 0 ? "</circle>" : "</polygon>");
}

static int
shape_of(int group)
{
	return group == NO_GROUP ? 0 : group / SVG_COLOURS;
}

static void
open_class(StringInfo out, const Map *map, int group)
{
	if (group == NO_GROUP && map->points->has_group)
		appendStringInfoString(out, "<g class=\"other\" fill-opacity=\"0.8\">\n");
	else
		appendStringInfo(out, "<g class=\"c%d\" fill-opacity=\"0.8\">\n",
						 group == NO_GROUP ? 0 : group % SVG_COLOURS);
}

static void
draw_mark(StringInfo out, const Map *map, const MapPoint *mark)
{
	int			shape = shape_of(mark->group);

	draw_shape(out, shape, mark->x, mark->y, mark->radius);
	if (mark->label != NULL || mark->group != NO_GROUP)
	{
		appendStringInfoString(out, "<title>");
		if (mark->label != NULL)
			svg_escape(out, mark->label);
		if (mark->group != NO_GROUP)
		{
			appendStringInfoString(out, mark->label ? " (" : "(");
			svg_escape(out, map->groups[mark->group].name);
			appendStringInfoChar(out, ')');
		}
		appendStringInfoString(out, "</title>");
	}
	close_shape(out, shape);
	appendStringInfoChar(out, '\n');
}

/* Those of no group lie below the others. */
static void
draw_marks(Map *map)
{
	StringInfo	out = &map->svg.out;

	for (int g = NO_GROUP; g < map->group_count; g++)
	{
		if (g == NO_GROUP ? map->others == 0 : map->groups[g].count == 0)
			continue;
		open_class(out, map, g);
		for (int64 i = 0; i < map->points->count; i++)
		{
			if (map->marks[i].group == g)
				draw_mark(out, map, &map->marks[i]);
			if (i % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
		}
		appendStringInfoString(out, "</g>\n");
	}
}

/* ---------- legend ---------- */

static char *
group_text(const Map *map, int group)
{
	if (group != NO_GROUP)
		return psprintf("%s (" INT64_FORMAT ")", map->groups[group].name,
						map->groups[group].count);
	return psprintf("%s (" INT64_FORMAT ")",
					map->grouped > 0 ? "others" : "no group", map->others);
}

static int
legend_lines(const Map *map)
{
	return map->group_count + (map->others > 0);
}

static void
measure_legend(Map *map)
{
	double		most = Min(LEGEND_MOST, map->svg.width / 3.0);

	map->legend = 0;
	for (int i = 0; map->points->has_group && i < legend_lines(map); i++)
	{
		int			group = i < map->group_count ? i : NO_GROUP;

		map->legend = Max(map->legend, 24 +
						  svg_measure(group_text(map, group), most).width);
	}
}

static void
draw_legend_line(Map *map, int group, double x, double y)
{
	StringInfo	out = &map->svg.out;
	char	   *name = group_text(map, group);
	SvgLabel	label = svg_measure(name, map->legend - 23.9);

	open_class(out, map, group);
	draw_shape(out, shape_of(group), x + 6, y, 5);
	svg_hover(out, name);
	close_shape(out, shape_of(group));
	appendStringInfoString(out, "</g>\n");
	svg_text(out, &label, name, x + 18, y + 4, "start", "");
	appendStringInfoChar(out, '\n');
}

/* What does not fit into the height is counted in the last line. */
static void
draw_legend(Map *map)
{
	double		x = map->svg.width - MARGIN - map->legend + 6;
	double		y = map->area.top + LEGEND_LINE / 2;
	int			lines = legend_lines(map);
	int			room = (int) ((map->area.bottom - map->area.top) /
							  LEGEND_LINE);

	if (map->legend <= 0)
		return;
	for (int i = 0; i < lines; i++, y += LEGEND_LINE)
	{
		if (i == room - 1 && lines > room)
		{
			char	   *rest = psprintf("and %d more", lines - i);
			SvgLabel	label = svg_measure(rest, LEGEND_MOST);

			svg_text(&map->svg.out, &label, rest, x + 18, y + 4, "start", "");
			return;
		}
		draw_legend_line(map, i < map->group_count ? i : NO_GROUP, x, y);
	}
}

static void
draw_map(Map *map, const float *places)
{
	Svg		   *svg = &map->svg;

	measure_legend(map);
	map->area.left = MARGIN;
	map->area.right = svg->width - MARGIN -
		(map->legend > 0 ? map->legend + 8 : 0);
	map->area.top = MARGIN + svg->top;
	map->area.bottom = svg->height - MARGIN;
	set_pixels(map, places);
	draw_marks(map);
	labels_draw(&svg->out, map->marks, (int) map->points->count, &map->area);
	draw_legend(map);
}

/* embed_map(query, method, width, height, title, seed) -> text */
Datum
embed_map(PG_FUNCTION_ARGS)
{
	Map		   *map = palloc0(sizeof(Map));
	char	   *query = picture_text_argument(fcinfo, ARG_QUERY, "query");
	char	   *name = picture_text_argument(fcinfo, ARG_METHOD, "method");
	int			method = choice_index("method", name, projection_methods);
	uint64		seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
									PG_ARGISNULL(ARG_SEED) ? 0 :
									PG_GETARG_INT64(ARG_SEED));
	Progress   *progress;
	float	   *places;

	svg_begin(&map->svg, fcinfo, ARG_WIDTH, "");
	progress = progress_begin("drawing map", "vectors");
	map->points = points_read(&declaration, query, progress);
	places = points_place(map->points, method, seed);
	read_marks(map);
	progress_phase(progress, "drawing", 0);
	draw_map(map, places);
	pfree(places);
	points_free(map->points);
	progress_end(progress);
	PG_RETURN_TEXT_P(svg_end(&map->svg));
}
