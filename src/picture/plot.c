/*-------------------------------------------------------------------------
 *
 * plot.c
 *	  SQL function embed_plot_training: the loss in the course of a training.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "model/model.h"
#include "utils/builtins.h"

EMBED_FUNCTION(embed_plot_training);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_WIDTH
};

#define MARGIN_LEFT		70.0
#define MARGIN_RIGHT	20.0
#define MARGIN_TOP		16.0
#define MARGIN_BOTTOM	44.0

typedef struct Plot
{
	Svg			svg;
	int			count;
	double		losses[OPTION_MOST_NUMBERS];
	double		length;			/* of the training, in units of the axis */
	const char *unit;			/* "epoch" */
	double		least;			/* at the bottom */
	double		most;			/* at the top */
	double		left;
	double		right;
	double		top;
	double		bottom;
} Plot;

/* A training without epochs goes from 0 to 100 percent. */
static void
read_training(Plot *plot, Oid model)
{
	ModelDescription *description = model_describe_readable(model);

	plot->count = model_losses(description, plot->losses);
	if (plot->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no record of its training",
						description->table_name),
				 errdetail("It is a model of method \"%s\"; trainings by word2vec, GloVe and of classifiers keep their losses.",
						   description->method->name)));
	plot->unit = "% of the training";
	plot->length = 100;
	if (option_find(description->method->options, "epochs") != NULL)
	{
		plot->unit = "epoch";
		plot->length = model_option_int(description, "epochs");
	}
}

static void
set_range(Plot *plot)
{
	double		step;

	plot->least = plot->most = plot->losses[0];
	for (int i = 1; i < plot->count; i++)
	{
		plot->least = Min(plot->least, plot->losses[i]);
		plot->most = Max(plot->most, plot->losses[i]);
	}
	if (plot->most - plot->least < 1e-9 * Max(1, fabs(plot->most)))
	{
		plot->least -= Max(1, fabs(plot->most)) / 2;
		plot->most += Max(1, fabs(plot->most)) / 2;
	}
	step = svg_step(plot->most - plot->least, 5);
	plot->least = floor(plot->least / step) * step;
	plot->most = ceil(plot->most / step) * step;
}

static double
x_of(const Plot *plot, double time)
{
	return plot->left + (plot->right - plot->left) * time / plot->length;
}

static double
y_of(const Plot *plot, double loss)
{
	return plot->bottom - (plot->bottom - plot->top) *
		(loss - plot->least) / (plot->most - plot->least);
}

/* A place of the curve stands where its share of the training ends. */
static double
time_of(const Plot *plot, int place)
{
	return plot->length * (place + 1) / plot->count;
}

static void
draw_mark(Plot *plot, double x, double y, const char *anchor, double mark)
{
	char	   *text = psprintf("%.6g", mark);
	SvgLabel	label = svg_measure(text, 1000);

	svg_text(&plot->svg.out, &label, text, x, y, anchor, "");
	appendStringInfoChar(&plot->svg.out, '\n');
}

static void
draw_line(Plot *plot, double x, double y, double to_x, double to_y)
{
	StringInfo	out = &plot->svg.out;

	appendStringInfoString(out, "<path class=\"faint\" d=\"M");
	svg_number(out, x);
	appendStringInfoChar(out, ' ');
	svg_number(out, y);
	appendStringInfoChar(out, 'L');
	svg_number(out, to_x);
	appendStringInfoChar(out, ' ');
	svg_number(out, to_y);
	appendStringInfoString(out, "\"/>\n");
}

static void
draw_axes(Plot *plot)
{
	double		step = svg_step(plot->most - plot->least, 5);
	int			lines = (int) rint((plot->most - plot->least) / step);
	double		mark = Max(1, svg_step(plot->length, 8));
	SvgLabel	unit = svg_measure(plot->unit, 1000);
	SvgLabel	loss = svg_measure("loss", 1000);

	for (int i = 0; i <= lines; i++)
	{
		double		y = y_of(plot, plot->least + i * step);

		draw_line(plot, plot->left, y, plot->right, y);
		/* a sum of steps is not quite zero where it should be */
		draw_mark(plot, plot->left - 6, y + 4, "end",
				  rint((plot->least + i * step) / step) * step);
	}
	for (double time = 0; time <= plot->length; time += mark)
	{
		draw_line(plot, x_of(plot, time), plot->bottom,
				  x_of(plot, time), plot->bottom + 4);
		draw_mark(plot, x_of(plot, time), plot->bottom + 18, "middle", time);
	}
	svg_text(&plot->svg.out, &unit, plot->unit,
			 (plot->left + plot->right) / 2, plot->bottom + 36, "middle", "");
	svg_text(&plot->svg.out, &loss, "loss", 16,
			 (plot->top + plot->bottom) / 2, "middle",
			 psprintf(" transform=\"rotate(-90 16 %.1f)\"",
					  (plot->top + plot->bottom) / 2));
	appendStringInfoChar(&plot->svg.out, '\n');
}

static void
draw_curve(Plot *plot)
{
	StringInfo	out = &plot->svg.out;

	appendStringInfoString(out, "<polyline class=\"line\" points=\"");
	for (int i = 0; i < plot->count; i++)
	{
		svg_number(out, x_of(plot, time_of(plot, i)));
		appendStringInfoChar(out, ',');
		svg_number(out, y_of(plot, plot->losses[i]));
		appendStringInfoChar(out, ' ');
	}
	appendStringInfoString(out, "\"/>\n<g class=\"c0\">\n");
	for (int i = 0; i < plot->count; i++)
	{
		appendStringInfoString(out, "<circle cx=\"");
		svg_number(out, x_of(plot, time_of(plot, i)));
		appendStringInfoString(out, "\" cy=\"");
		svg_number(out, y_of(plot, plot->losses[i]));
		appendStringInfoString(out, "\" r=\"3\">");
		svg_hover(out, psprintf("%.4g: loss %.6g", time_of(plot, i),
								plot->losses[i]));
		appendStringInfoString(out, "</circle>\n");
	}
	appendStringInfoString(out, "</g>\n");
}

/* embed_plot_training(model, width, height, title) -> text */
Datum
embed_plot_training(PG_FUNCTION_ARGS)
{
	Plot	   *plot = palloc0(sizeof(Plot));

	if (PG_ARGISNULL(ARG_MODEL))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	read_training(plot, PG_GETARG_OID(ARG_MODEL));
	svg_begin(&plot->svg, fcinfo, ARG_WIDTH, "");
	plot->left = MARGIN_LEFT;
	plot->right = plot->svg.width - MARGIN_RIGHT;
	plot->top = plot->svg.top + MARGIN_TOP;
	plot->bottom = Max(plot->svg.height - MARGIN_BOTTOM, plot->top + 1);
	set_range(plot);
	draw_axes(plot);
	draw_curve(plot);
	PG_RETURN_TEXT_P(svg_end(&plot->svg));
}
