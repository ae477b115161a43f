/*-------------------------------------------------------------------------
 *
 * heatmap.c
 *	  SQL function embed_heatmap: how similar each of some vectors is to each
 *	  other.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "math/distance.h"
#include "miscadmin.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(embed_heatmap);

/* arguments of the SQL function, in order */
enum
{
	ARG_QUERY,
	ARG_WIDTH
};

static const QueryColumn columns[] = {
	{.name = "label", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_KEEP,
	.hint = "Cast the label to text."},
	{.name = "vector", .kinds = QUERY_VECTOR, .nulls = QUERY_NULL_SKIP,
	.hint = "Put the vectors second."}
};

static const QueryDeclaration declaration = {
	.subject = "heatmap",
	.columns = columns,
	.column_count = lengthof(columns),
	.hint = "What is drawn is a query such as 'SELECT word, vector FROM model LIMIT 20'.",
	.shape = "the first is a label, the second its vector"
};

/* A cell for each pair: more would be neither read nor drawn in time. */
#define MOST_ROWS		200

#define MARGIN			16.0
#define SCALE_WIDTH		70.0	/* of the scale of colours, at the right */
#define LEAST_NUMBERED	30.0	/* width of a cell with its number in it */

typedef struct Heatmap
{
	Svg			svg;
	int			count;
	char	  **labels;
	double	   *similarities;	/* count x count; NAN: a vector is zero */
	double		left;			/* of the cells */
	double		top;
	double		side;			/* of a cell */
} Heatmap;

/* ---------- similarities ---------- */

typedef struct Row
{
	int			count;
	int32	   *keys;
	float	   *values;
	double		length;
} Row;

/* Keys of the file are numbered as they came: the kernels want them sorted. */
static int
compare_elements(const void *a, const void *b)
{
	int32		x = ((const SparseElement *) a)->index;
	int32		y = ((const SparseElement *) b)->index;

	return x < y ? -1 : x > y;
}

static void
copy_row(Row *row, const Points *points)
{
	const SparseFile *file = points->rows.file;
	SparseElement *elements = palloc(sizeof(SparseElement) *
									 Max(file->count, 1));
	double		sum = 0;

	row->count = file->count;
	row->keys = palloc(sizeof(int32) * Max(file->count, 1));
	row->values = palloc(sizeof(float) * Max(file->count, 1));
	for (int i = 0; i < file->count; i++)
	{
		elements[i].index = file->keys[i];
		elements[i].value = file->values[i] / points->largest;
	}
	qsort(elements, file->count, sizeof(SparseElement), compare_elements);
	for (int i = 0; i < file->count; i++)
	{
		row->keys[i] = elements[i].index;
		row->values[i] = elements[i].value;
		sum += (double) row->values[i] * row->values[i];
	}
	row->length = sqrt(sum);
	pfree(elements);
}

static double
cosine(const Row *a, const Row *b)
{
	double		product = sparse_inner_kernel(a->count, a->keys, a->values,
											  b->count, b->keys, b->values);
	double		lengths = a->length * b->length;

	return lengths > 0 ? Max(-1, Min(1, product / lengths)) : NAN;
}

static void
compare_rows(Heatmap *heatmap, Points *points)
{
	int			count = (int) points->count;
	Row		   *rows = palloc(sizeof(Row) * Max(count, 1));
	int			at = 0;

	heatmap->count = count;
	heatmap->labels = palloc(sizeof(char *) * Max(count, 1));
	heatmap->similarities = palloc(sizeof(double) * Max(count * count, 1));
	sparse_file_rewind(points->rows.file);
	while (sparse_file_next(points->rows.file))
		copy_row(&rows[at++], points);
	points_rewind_names(points);
	for (int i = 0; i < count; i++)
	{
		PointName	name;

		points_next_name(points, &name);
		heatmap->labels[i] = pstrdup(name.label ? name.label : "");
		for (int j = 0; j < count; j++)
			heatmap->similarities[i * count + j] = cosine(&rows[i], &rows[j]);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---------- drawing ---------- */

static void
write_number(StringInfo out, double similarity)
{
	if (isnan(similarity))
		appendStringInfoString(out, "no direction");
	else
		/* not minus zero */
		appendStringInfo(out, "%.2f", rint(similarity * 100) / 100 + 0.0);
}

static void
draw_rectangle(StringInfo out, double x, double y, double width,
			   double height, double similarity)
{
	appendStringInfoString(out, "<rect x=\"");
	svg_number(out, x);
	appendStringInfoString(out, "\" y=\"");
	svg_number(out, y);
	appendStringInfoString(out, "\" width=\"");
	svg_number(out, width);
	appendStringInfoString(out, "\" height=\"");
	svg_number(out, height);
	if (isnan(similarity))
		appendStringInfoString(out, "\" class=\"none\"");
	else
		appendStringInfo(out, "\" class=\"%s\" fill-opacity=\"%.2f\"",
						 similarity < 0 ? "less" : "more", fabs(similarity));
	appendStringInfoChar(out, '>');
}

static void
draw_cell(Heatmap *heatmap, int row, int column)
{
	StringInfo	out = &heatmap->svg.out;
	double		similarity = heatmap->similarities[row * heatmap->count +
												   column];
	double		x = heatmap->left + column * heatmap->side;
	double		y = heatmap->top + row * heatmap->side;

	draw_rectangle(out, x, y, heatmap->side, heatmap->side, similarity);
	appendStringInfoString(out, "<title>");
	svg_escape(out, heatmap->labels[row]);
	appendStringInfoString(out, " / ");
	svg_escape(out, heatmap->labels[column]);
	appendStringInfoString(out, ": ");
	write_number(out, similarity);
	appendStringInfoString(out, "</title></rect>\n");
	if (heatmap->side >= LEAST_NUMBERED && !isnan(similarity))
	{
		appendStringInfo(out, "<text class=\"%s\" x=\"",
						 fabs(similarity) > 0.55 ? "on" : "off");
		svg_number(out, x + heatmap->side / 2);
		appendStringInfoString(out, "\" y=\"");
		svg_number(out, y + heatmap->side / 2 + 4);
		appendStringInfoString(out, "\" text-anchor=\"middle\">");
		write_number(out, similarity);
		appendStringInfoString(out, "</text>\n");
	}
}

/* Labels of rows at the left, of columns above, upright */
static void
draw_labels(Heatmap *heatmap, double most)
{
	StringInfo	out = &heatmap->svg.out;

	for (int i = 0; i < heatmap->count && heatmap->side >= SVG_FONT - 2; i++)
	{
		SvgLabel	label = svg_measure(heatmap->labels[i], most);
		double		middle = (i + 0.5) * heatmap->side + 4;
		char	   *turned = psprintf(" transform=\"rotate(-90 %.1f %.1f)\"",
									  heatmap->left + middle,
									  heatmap->top - 5);

		svg_text(out, &label, heatmap->labels[i], heatmap->left - 5,
				 heatmap->top + middle, "end", "");
		svg_text(out, &label, heatmap->labels[i], heatmap->left + middle,
				 heatmap->top - 5, "start", turned);
		appendStringInfoChar(out, '\n');
	}
}

/* What the colours mean: from 1 at the top to -1, or 0 if nothing is below */
static void
draw_scale(Heatmap *heatmap)
{
	StringInfo	out = &heatmap->svg.out;
	double		x = heatmap->left + heatmap->count * heatmap->side + 14;
	double		height = Max(heatmap->count * heatmap->side, 60);
	double		least = 0;
	int			steps;

	for (int i = 0; i < heatmap->count * heatmap->count; i++)
		if (heatmap->similarities[i] < -0.005)
			least = -1;
	steps = least < 0 ? 40 : 20;
	for (int i = 0; i < steps; i++)
	{
		double		similarity = 1 - (1 - least) * (i + 0.5) / steps;

		draw_rectangle(out, x, heatmap->top + height * i / steps, 12,
					   height / steps, similarity);
		appendStringInfoString(out, "</rect>\n");
	}
	for (double mark = 1; mark >= least; mark -= 0.5)
	{
		SvgLabel	label = svg_measure("-0.5", 100);
		char	   *text = psprintf("%g", mark);

		label.length = strlen(text);
		svg_text(out, &label, text, x + 17, heatmap->top + 4 + height *
				 (1 - mark) / (1 - least), "start", "");
		appendStringInfoChar(out, '\n');
	}
}

/* Whether lines of cells are high enough, if labels take no room */
static bool
has_labels(const Heatmap *heatmap)
{
	double		most = Min(heatmap->svg.width, heatmap->svg.height);

	return most >= (SVG_FONT - 1) * heatmap->count;
}

static void
draw_heatmap(Heatmap *heatmap)
{
	Svg		   *svg = &heatmap->svg;
	double		most = Min(180, Min(svg->width, svg->height) / 4.0);
	double		widest = 0;

	for (int i = 0; i < heatmap->count && has_labels(heatmap); i++)
		widest = Max(widest, svg_measure(heatmap->labels[i], most).width);
	heatmap->left = MARGIN + widest + 6;
	heatmap->top = svg->top + MARGIN + widest + 6;
	heatmap->side = Min(svg->width - heatmap->left - MARGIN - SCALE_WIDTH,
						svg->height - heatmap->top - MARGIN) /
		Max(heatmap->count, 1);
	heatmap->side = Max(heatmap->side, 0.1);
	for (int i = 0; i < heatmap->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < heatmap->count; j++)
			draw_cell(heatmap, i, j);
	}
	draw_labels(heatmap, most);
	draw_scale(heatmap);
}

/* embed_heatmap(query, width, height, title) -> text */
Datum
embed_heatmap(PG_FUNCTION_ARGS)
{
	Heatmap    *heatmap = palloc0(sizeof(Heatmap));
	char	   *query = picture_text_argument(fcinfo, ARG_QUERY, "query");
	Progress   *progress;
	Points	   *points;

	svg_begin(&heatmap->svg, fcinfo, ARG_WIDTH,
			  ".embed-picture .on{fill:#fff}"
			  ".embed-picture rect{shape-rendering:crispEdges}");
	progress = progress_begin("drawing heatmap", "vectors");
	points = points_read(&declaration, query, progress);
	if (points->count > MOST_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a heatmap shows at most %d rows", MOST_ROWS),
				 errdetail("The query gave " INT64_FORMAT ".", points->count),
				 errhint("Add LIMIT, or draw them with embed_map().")));
	compare_rows(heatmap, points);
	draw_heatmap(heatmap);
	points_free(points);
	progress_end(progress);
	PG_RETURN_TEXT_P(svg_end(&heatmap->svg));
}
