/*-------------------------------------------------------------------------
 *
 * svg.c
 *	  Writing SVG: what all pictures share.
 *
 * A picture is one element that loads nothing: shapes, text and a style of
 * classes, whose names all lie below .embed-picture, so that several may
 * stand in one page.  Whatever text comes from outside goes through
 * svg_escape.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define LEAST_EXTENT	100
#define MOST_EXTENT		10000

#define TITLE_HEIGHT	30

#define ELLIPSIS_WIDTH	(1.4 * SVG_FONT)

/*
 * Okabe and Ito's colours ("Color Universal Design", 2008), their yellow, which
 * white swallows, replaced by grey, and lighter ones on dark paper; README has
 * how far apart they are for whom.
 */
static const char common_style[] =
	".embed-picture{font:12px system-ui,sans-serif;background:#fff}"
	".embed-picture text{fill:#222;unicode-bidi:isolate}"
	".embed-picture .title{font-size:16px;font-weight:600}"
	".embed-picture .label{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}"
	".embed-picture .faint{fill:none;stroke:#ddd}"
	".embed-picture .c0{fill:#0072b2}.embed-picture .c1{fill:#d55e00}"
	".embed-picture .c2{fill:#009e73}.embed-picture .c3{fill:#cc79a7}"
	".embed-picture .c4{fill:#e69f00}.embed-picture .c5{fill:#56b4e9}"
	".embed-picture .c6{fill:#4d4d4d}.embed-picture .other{fill:#c4c4c4}"
	".embed-picture .line{fill:none;stroke:#0072b2;stroke-width:2}"
	".embed-picture .more{fill:#0072b2}.embed-picture .less{fill:#d55e00}"
	".embed-picture .none{fill:#ccc}";

static const char dark_style[] =
	"@media(prefers-color-scheme:dark){"
	".embed-picture{background:#16181c}"
	".embed-picture text{fill:#e6e6e6}"
	".embed-picture .label{stroke:#16181c}"
	".embed-picture .faint{stroke:#3a3d44}"
	".embed-picture .c0{fill:#2f86d0}.embed-picture .c1{fill:#e8601c}"
	".embed-picture .c2{fill:#17c492}.embed-picture .c3{fill:#d48cbc}"
	".embed-picture .c4{fill:#ffcf55}.embed-picture .c5{fill:#a3dbff}"
	".embed-picture .c6{fill:#f2f2f2}.embed-picture .other{fill:#6b6f78}"
	".embed-picture .line{stroke:#2f86d0}"
	".embed-picture .more{fill:#2f86d0}.embed-picture .less{fill:#e8601c}"
	".embed-picture .none{fill:#50545c}}";

/* ---------- text ---------- */

/* U+FFFE and U+FFFF are no characters of XML, and neither are these. */
static bool
is_forbidden(const char *at, int length)
{
	unsigned char first = (unsigned char) *at;

	if (length == 1)
		return (first < 0x20 && first != '\t' && first != '\n' &&
				first != '\r') || first == 0x7F;
	return length == 3 && GetDatabaseEncoding() == PG_UTF8 &&
		memcmp(at, "\xEF\xBF", 2) == 0 && (unsigned char) at[2] >= 0xBE;
}

static void
escape_part(StringInfo out, const char *text, int length)
{
	const char *end = text + length;

	while (text < end)
	{
		int			bytes = pg_mblen(text);

		if (is_forbidden(text, bytes))
			;
		else if (*text == '<')
			appendStringInfoString(out, "&lt;");
		else if (*text == '>')
			appendStringInfoString(out, "&gt;");
		else if (*text == '&')
			appendStringInfoString(out, "&amp;");
		else if (*text == '"')
			appendStringInfoString(out, "&quot;");
		else if (*text == '\'')
			appendStringInfoString(out, "&#39;");
		else if (*text == '\t' || *text == '\n' || *text == '\r')
			appendStringInfoChar(out, ' ');
		else
			appendBinaryStringInfo(out, text, bytes);
		text += bytes;
	}
}

void
svg_escape(StringInfo out, const char *text)
{
	escape_part(out, text, strlen(text));
}

void
svg_hover(StringInfo out, const char *text)
{
	appendStringInfoString(out, "<title>");
	svg_escape(out, text);
	appendStringInfoString(out, "</title>");
}

/*
 * Of the fonts that sans-serif commonly stands for the widest is Verdana;
 * these are its widths, rounded up, in parts of the font's size.
 */
static double
ascii_width(char letter)
{
	if (strchr("ijlI.,:;'|! ", letter) != NULL)
		return 0.45;
	if (strchr("mwMW@%", letter) != NULL)
		return 1.08;
	if (strchr("frt()[]{}/\\-\"", letter) != NULL)
		return 0.48;
	if (letter >= 'A' && letter <= 'Z')
		return 0.80;
	if (strchr("+<>=#~^_&", letter) != NULL)
		return 0.82;
	return 0.66;
}

/* Latin, Greek and Cyrillic letters are as wide as we think. */
static bool
is_known(const char *at, int length)
{
	if (length == 1 && (unsigned char) *at < 0x80)
		return true;
	return GetDatabaseEncoding() == PG_UTF8 && length == 2 &&
		(unsigned char) *at < 0xD5;
}

static double
width_of(const char *at, int length)
{
	if (length == 1 && (unsigned char) *at < 0x80)
		return SVG_FONT * ascii_width(*at);
	return SVG_FONT * (pg_encoding_dsplen(GetDatabaseEncoding(), at) > 1 ?
					   1.05 : 0.85);
}

SvgLabel
svg_measure(const char *text, double most)
{
	SvgLabel	label = {0};
	SvgLabel	fits = {0};		/* with an ellipsis */

	for (const char *at = text; *at != '\0';)
	{
		int			bytes = pg_mblen(at);

		if (!is_forbidden(at, bytes))
		{
			label.width += width_of(at, bytes);
			label.held |= !is_known(at, bytes);
		}
		at += bytes;
		label.length = at - text;
		if (label.width + ELLIPSIS_WIDTH <= most)
			fits = label;
		if (label.width > most)
		{
			fits.cut = true;
			fits.width += ELLIPSIS_WIDTH;
			return fits;
		}
	}
	return label;
}

void
svg_number(StringInfo out, double number)
{
	double		rounded = rint(number * 10) / 10;

	appendStringInfo(out, rounded == floor(rounded) ? "%.0f" : "%.1f",
					 rounded + 0.0);
}

void
svg_text(StringInfo out, const SvgLabel *label, const char *text, double x,
		 double y, const char *anchor, const char *attributes)
{
	appendStringInfoString(out, "<text x=\"");
	svg_number(out, x);
	appendStringInfoString(out, "\" y=\"");
	svg_number(out, y);
	appendStringInfoChar(out, '"');
	if (strcmp(anchor, "start") != 0)
		appendStringInfo(out, " text-anchor=\"%s\"", anchor);
	if (label->held)
		appendStringInfo(out, " textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\"",
						 label->width);
	appendStringInfo(out, "%s>", attributes);
	escape_part(out, text, label->length);
	appendStringInfoString(out, label->cut ? "...</text>" : "</text>");
}

/* ---------- the whole ---------- */

static int
extent_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	int			extent;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	extent = PG_GETARG_INT32(argument);
	if (extent < LEAST_EXTENT || extent > MOST_EXTENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between %d and %d", name, LEAST_EXTENT,
						MOST_EXTENT)));
	return extent;
}

static void
write_title(Svg *svg, const char *title)
{
	SvgLabel	label = svg_measure(title, (svg->width - 32) / 1.5);

	svg_hover(&svg->out, title);
	label.held = false;
	svg_text(&svg->out, &label, title, 16, 24, "start", " class=\"title\"");
	svg->top = TITLE_HEIGHT;
}

/* The arguments are read here; style: rules of this picture alone. */
void
svg_begin(Svg *svg, FunctionCallInfo fcinfo, int first, const char *style)
{
	svg->width = extent_argument(fcinfo, first, "width");
	svg->height = extent_argument(fcinfo, first + 1, "height");
	svg->top = 0;
	initStringInfo(&svg->out);
	appendStringInfo(&svg->out,
					 "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"embed-picture\" role=\"img\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
					 svg->width, svg->height, svg->width, svg->height);
	appendStringInfo(&svg->out, "<style>%s%s%s</style>\n", common_style,
					 style, dark_style);
	if (!PG_ARGISNULL(first + 2))
		write_title(svg, text_to_cstring(PG_GETARG_TEXT_PP(first + 2)));
}

text *
svg_end(Svg *svg)
{
	text	   *result;

	appendStringInfoString(&svg->out, "</svg>\n");
	result = cstring_to_text_with_len(svg->out.data, svg->out.len);
	pfree(svg->out.data);
	return result;
}

double
svg_step(double range, int count)
{
	double		step = range / count;
	double		unit = pow(10, floor(log10(step)));

	return step <= unit ? unit : step <= 2 * unit ? 2 * unit :
		step <= 5 * unit ? 5 * unit : 10 * unit;
}
