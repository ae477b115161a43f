/*-------------------------------------------------------------------------
 *
 * picture.h
 *	  The room of pictures: vectors as places in a plane, and SVG of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include "server/server.h"

#include "lib/stringinfo.h"
#include "server/query.h"
#include "train/progress.h"
#include "train/vector_rows.h"
#include "utils/tuplestore.h"

/* ---------- points (points.c) ---------- */

/* What a row of the query says of its point, besides the vector */
typedef struct PointName
{
	const char *label;			/* or NULL */
	const char *group;			/* or NULL */
	double		size;			/* -1: none */
} PointName;

typedef struct Points
{
	VectorRows	rows;
	int64		count;
	bool		dense;			/* of type vector or halfvec */
	bool		has_group;		/* some point has one */
	bool		has_size;
	float		largest;		/* absolute value of any element */
	double	   *mean;			/* of each feature, divided by largest */

	/* names, in the order of the rows: label, group, size */
	Tuplestorestate *names;
	struct TupleTableSlot *slot;
	MemoryContext context;		/* of the name last read */
	Progress   *progress;
} Points;

/* declaration: label, vector and, where it has them, group and size */
extern Points *points_read(const QueryDeclaration *declaration,
						   const char *query, Progress *progress);
extern void points_rewind_names(Points *points);
extern void points_next_name(Points *points, PointName *name);
extern void points_free(Points *points);

/*
 * The longest axes of the points around their mean, at most "count" of them:
 * features x count floats, zero where there are no more.
 */
extern float *points_axes(Points *points, int count, uint64 seed);

/* Places of all points along axes, as floats, count of each point */
extern void points_project(Points *points, const float *axes, int count,
						   float *places);

/* ---------- places in a plane (projection.c) ---------- */

extern const char *const projection_methods[];

/* x and y of each point, in the order of the rows */
extern float *points_place(Points *points, int method, uint64 seed);

/* An argument of an SQL function; NULL is an error that names it. */
extern char *picture_text_argument(FunctionCallInfo fcinfo, int argument,
								   const char *name);

/* ---------- SVG (svg.c) ---------- */

#define SVG_FONT	12.0		/* pixels */

/* Colours that all tell apart, by day and by night; classes c0, c1 ... */
#define SVG_COLOURS	7

typedef struct Svg
{
	StringInfoData out;
	int			width;
	int			height;
	double		top;			/* of what is below the title */
} Svg;

/* width and height are arguments "first" and "first" + 1, title the next */
extern void svg_begin(Svg *svg, FunctionCallInfo fcinfo, int first,
					  const char *style);
extern text *svg_end(Svg *svg);

/* Text that may be anything, such that it stays text */
extern void svg_escape(StringInfo out, const char *text);

/* What is shown while the pointer is over an element */
extern void svg_hover(StringInfo out, const char *text);

/*
 * How wide a text is, no less than it will be drawn; or at most "most", with
 * the length in bytes that fits and an ellipsis.
 */
typedef struct SvgLabel
{
	int			length;			/* bytes of the text that are drawn */
	bool		cut;			/* and an ellipsis */
	bool		held;			/* to this width: its letters are unknown */
	double		width;
} SvgLabel;

extern SvgLabel svg_measure(const char *text, double most);

/* anchor: "start", "middle" or "end"; attributes: more of them, or "" */
extern void svg_text(StringInfo out, const SvgLabel *label, const char *text,
					 double x, double y, const char *anchor,
					 const char *attributes);

/* A number of pixels, to a tenth */
extern void svg_number(StringInfo out, double number);

/* Steps of 1, 2 or 5 times a power of ten, about "count" in the range */
extern double svg_step(double range, int count);

/* ---------- labels (labels.c) ---------- */

typedef struct MapPoint
{
	double		x;				/* pixels */
	double		y;
	double		radius;
	double		size;
	const char *label;			/* or NULL */
	int			group;
} MapPoint;

typedef struct Box
{
	double		left;
	double		top;
	double		right;
	double		bottom;
} Box;

/* Draw as many labels within the area as have room, none over another. */
extern void labels_draw(StringInfo out, const MapPoint *points, int count,
						const Box *area);

#endif							/* PICTURE_PICTURE_H */
