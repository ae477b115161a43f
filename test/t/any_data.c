/*-------------------------------------------------------------------------
 *
 * any_data.c
 *	  Vectors of many kinds, for 067_ktree_any_data.pl.
 *
 *	any_data
 *		prints the kinds, a line each: name, least and most dimensions
 *	any_data KIND SEED DIMS ELEMENT ROWS ORDER NULLS QUESTIONS SCALE FOLDER
 *		writes FOLDER/rows and FOLDER/questions for COPY ... (FORMAT binary)
 *
 * ELEMENT is vector or halfvec.  Rows are (id, side, v), where side is the
 * row's percentile along some direction, 0 to 99.  ORDER "sorted" lets them
 * arrive along that direction, "natural" as the kind has them.  NULLS is a
 * share.  Questions are (id, v): three of four drawn like the rows, one a row
 * itself; all of them multiplied by 10 to some power within SCALE either way.
 *
 * Row n depends on the seed and n alone, so a question that is a row is made
 * the same way.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/random.h"

#define MOST_DIMS 4096
#define MOST_PARTS 3

/* Larger numbers are cut off: COPY would refuse the infinite. */
#define LARGEST_FLOAT 1e37
#define LARGEST_HALF 65504.0

typedef struct World World;

/*
 * One row of a kind.  "when" is its place in the order of arrival, from 0 to
 * 1; "first" tells the very first row.
 */
typedef void (*DrawRow) (const World *world, Random *random, double when,
						 bool first, double *out);

typedef struct Kind
{
	const char *name;
	int			least_dims;
	int			most_dims;
	DrawRow		draw;
} Kind;

/* What all rows of a draw have in common. */
struct World
{
	const Kind *kind;
	int			dims;
	bool		half;
	int			groups;
	double	   *centers;		/* groups of dims, standard normal */
	double	   *widths;			/* of groups */
	double	   *axis;			/* dims, length 1 */
	double		small;			/* log-uniform in 1e-7 .. 1e-3 */
	double		share;			/* of odd rows, log-uniform in 5e-4 .. 1e-2 */
	double		size;			/* log-uniform in 1e2 .. 1e30 */
	double		unit;			/* uniform in 0 .. 1 */
	const World *parts[MOST_PARTS];
};

static double
log_uniform(Random *random, double low, double high)
{
	return low * pow(high / low, random_double(random));
}

static const double *
some_center(const World *world, Random *random, int *group)
{
	*group = random_below(random, world->groups);
	return world->centers + (size_t) *group * world->dims;
}

/* ---------- kinds ---------- */

static void
uniform(const World *world, Random *random, double when, bool first,
		double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = random_double(random);
}

static void
gaussian(const World *world, Random *random, double when, bool first,
		 double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = random_gaussian(random);
}

/* Around a center, by "width" in each dimension. */
static void
around(const World *world, Random *random, const double *center, double width,
	   double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = center[d] + width * random_gaussian(random);
}

static void
clusters(const World *world, Random *random, double when, bool first,
		 double *out)
{
	int			group;
	const double *center = some_center(world, random, &group);

	around(world, random, center, pow(1000, world->unit - 1), out);
}

static void
near_duplicates(const World *world, Random *random, double when, bool first,
				double *out)
{
	int			group;
	const double *center = some_center(world, random, &group);

	around(world, random, center, world->small, out);
}

static void
equal(const World *world, Random *random, double when, bool first, double *out)
{
	int			group;

	memcpy(out, some_center(world, random, &group),
		   sizeof(double) * world->dims);
}

/* Tight clusters far from the origin, at unit distance from each other. */
static void
far_tight(const World *world, Random *random, double when, bool first,
		  double *out)
{
	int			group;
	const double *center = some_center(world, random, &group);

	around(world, random, center, 0.02 * pow(100, -world->unit), out);
	for (int d = 0; d < world->dims; d++)
		out[d] += 500;
}

/* Tight clusters far away, among wide rows. */
static void
tight_among_wide(const World *world, Random *random, double when, bool first,
				 double *out)
{
	if (random_double(random) < 0.5)
	{
		for (int d = 0; d < world->dims; d++)
			out[d] = 1000 * random_double(random);
	}
	else
		far_tight(world, random, when, first, out);
}

/* Clusters within clusters within clusters. */
static void
hierarchy(const World *world, Random *random, double when, bool first,
		  double *out)
{
	const double *centers = world->centers;
	int			a = random_below(random, world->groups);
	int			b = random_below(random, world->groups);

	for (int d = 0; d < world->dims; d++)
		out[d] = 100 * centers[(size_t) a * world->dims + d] +
				 centers[(size_t) b * world->dims + d] +
				 0.01 * random_gaussian(random);
}

/* Every cluster has a width of its own, from 1e-4 to 100. */
static void
scales(const World *world, Random *random, double when, bool first,
	   double *out)
{
	int			group;
	const double *center = some_center(world, random, &group);

	around(world, random, center, world->widths[group], out);
}

static void
outliers(const World *world, Random *random, double when, bool first,
		 double *out)
{
	double		size = random_double(random) < world->share ? world->size : 1;

	for (int d = 0; d < world->dims; d++)
		out[d] = size * random_gaussian(random);
}

/* A number that stands for "not known" in one coordinate. */
static void
sentinels(const World *world, Random *random, double when, bool first,
		  double *out)
{
	uniform(world, random, when, first, out);
	if (random_double(random) < world->share)
		out[random_below(random, world->dims)] = world->unit < 0.7	 ? -9999
												 : world->unit < 0.9 ? 999
																	 : 1e6;
}

static void
first_far(const World *world, Random *random, double when, bool first,
		  double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = first ? fmin(world->size, 1e9) : random_double(random);
}

/* Degrees around cities; of three dimensions, on the globe in kilometers. */
static void
geographic(const World *world, Random *random, double when, bool first,
		   double *out)
{
	int			group;
	const double *center = some_center(world, random, &group);
	double		latitude = 25 * center[0] + 0.05 * random_gaussian(random);
	double		longitude = 60 * center[1] + 0.05 * random_gaussian(random);

	out[0] = longitude;
	out[1] = latitude;
	if (world->dims > 2)
	{
		longitude *= M_PI / 180;
		latitude *= M_PI / 180;
		out[0] = 6371 * cos(latitude) * cos(longitude);
		out[1] = 6371 * cos(latitude) * sin(longitude);
		out[2] = 6371 * sin(latitude);
	}
}

static void
integers_on_a_line(const World *world, Random *random, double when, bool first,
				   double *out)
{
	double		number = floor(random_double(random) *
							   (world->unit < 0.5 ? 1000 : 100000));

	for (int d = 0; d < world->dims; d++)
		out[d] = world->axis[d] < 0 ? -number : number;
}

static void
lattice(const World *world, Random *random, double when, bool first,
		double *out)
{
	int			values = 3 + (int) (10 * world->unit);

	for (int d = 0; d < world->dims; d++)
		out[d] = random_below(random, values);
}

static void
binary(const World *world, Random *random, double when, bool first,
	   double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = random_double(random) < 0.1 + 0.4 * world->unit;
}

/* Non-negative, nearly all zero, as counts of words are. */
static void
sparse(const World *world, Random *random, double when, bool first,
	   double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = random_double(random) < 0.01 + 0.09 * world->unit
					 ? -log(1 - random_double(random))
					 : 0;
}

static void
one_hot(const World *world, Random *random, double when, bool first,
		double *out)
{
	memset(out, 0, sizeof(double) * world->dims);
	out[random_below(random, world->dims)] = world->unit < 0.5
												 ? 1
												 : random_double(random);
}

static void
heavy_norms(const World *world, Random *random, double when, bool first,
			double *out)
{
	double		norm = exp((1 + 2 * world->unit) * random_gaussian(random));

	for (int d = 0; d < world->dims; d++)
		out[d] = norm * random_gaussian(random);
}

static void
cauchy(const World *world, Random *random, double when, bool first,
	   double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = tan(M_PI * (random_double(random) - 0.5));
}

/* One direction in which rows differ far more than in all others. */
static void
dominant(const World *world, Random *random, double when, bool first,
		 double *out)
{
	double		along = pow(10, 1 + 3 * world->unit) * random_gaussian(random);

	for (int d = 0; d < world->dims; d++)
		out[d] = random_gaussian(random) + along * world->axis[d];
}

/* A plane of few dimensions, and a little noise. */
static void
low_inner(const World *world, Random *random, double when, bool first,
		  double *out)
{
	int			inner = 1 + (int) (7 * world->unit);

	for (int d = 0; d < world->dims; d++)
		out[d] = 1e-3 * random_gaussian(random);
	for (int i = 0; i < inner && i < world->groups; i++)
	{
		double		along = random_gaussian(random);

		for (int d = 0; d < world->dims; d++)
			out[d] += along * world->centers[(size_t) i * world->dims + d];
	}
}

static void
curve(const World *world, Random *random, double when, bool first, double *out)
{
	double		at = random_double(random);

	for (int d = 0; d < world->dims; d++)
		out[d] = sin(
			5 * (world->centers[d] + at * world->centers[world->dims + d]));
}

static void
drift(const World *world, Random *random, double when, bool first, double *out)
{
	for (int d = 0; d < world->dims; d++)
		out[d] = random_gaussian(random) +
				 100 * world->unit * when * world->axis[d];
}

/* Cluster after cluster. */
static void
arrival(const World *world, Random *random, double when, bool first,
		double *out)
{
	int			group = (int) (when * world->groups);

	around(world, random, world->centers + (size_t) group * world->dims,
		   0.1 + world->unit, out);
}

static void
offset(const World *world, Random *random, double when, bool first,
	   double *out)
{
	double		far = world->half ? 30 : pow(10, 1 + 4 * world->unit);

	for (int d = 0; d < world->dims; d++)
		out[d] = far + random_double(random);
}

static void
tiny(const World *world, Random *random, double when, bool first, double *out)
{
	double		size = world->half ? 1e-5 : pow(10, -40 * world->unit);

	for (int d = 0; d < world->dims; d++)
		out[d] = size * random_gaussian(random);
}

static void
large(const World *world, Random *random, double when, bool first, double *out)
{
	double		size = world->half ? 1e4 : pow(10, 4 + 14 * world->unit);

	for (int d = 0; d < world->dims; d++)
		out[d] = size * random_gaussian(random);
}

static void
zeros(const World *world, Random *random, double when, bool first, double *out)
{
	double		size = random_double(random) < 0.5 * world->unit ? 0 : 1;

	for (int d = 0; d < world->dims; d++)
		out[d] = size * random_gaussian(random);
}

/*
 * Of length 1, in a narrow cone, with a spectrum that falls: as of a text
 * model.
 */
static void
text_like(const World *world, Random *random, double when, bool first,
		  double *out)
{
	double		squares = 0;

	for (int d = 0; d < world->dims; d++)
		out[d] = world->axis[d] +
				 0.3 * random_gaussian(random) / sqrt(world->dims);
	for (int i = 0; i < 16 && i < world->groups; i++)
	{
		double		along = random_gaussian(random) / (1 + i) /
							sqrt(world->dims);

		for (int d = 0; d < world->dims; d++)
			out[d] += along * world->centers[(size_t) i * world->dims + d];
	}
	for (int d = 0; d < world->dims; d++)
		squares += out[d] * out[d];
	for (int d = 0; d < world->dims && squares > 0; d++)
		out[d] /= sqrt(squares);
}

static void
mixture(const World *world, Random *random, double when, bool first,
		double *out)
{
	const World *part = world->parts[random_below(random, MOST_PARTS)];

	part->kind->draw(part, random, when, first, out);
}

/* The mixture last: its parts are drawn from those before it. */
static const Kind kinds[] = {
	{"uniform", 1, MOST_DIMS, uniform},
	{"few_dimensions", 1, 3, uniform},
	{"gaussian", 1, MOST_DIMS, gaussian},
	{"clusters", 1, MOST_DIMS, clusters},
	{"near_duplicates", 1, MOST_DIMS, near_duplicates},
	{"equal", 1, MOST_DIMS, equal},
	{"far_tight", 1, MOST_DIMS, far_tight},
	{"tight_among_wide", 1, MOST_DIMS, tight_among_wide},
	{"hierarchy", 1, MOST_DIMS, hierarchy},
	{"scales", 1, MOST_DIMS, scales},
	{"outliers", 1, MOST_DIMS, outliers},
	{"sentinels", 1, MOST_DIMS, sentinels},
	{"first_far", 1, MOST_DIMS, first_far},
	{"geographic", 2, 3, geographic},
	{"integers_on_a_line", 1, MOST_DIMS, integers_on_a_line},
	{"lattice", 1, MOST_DIMS, lattice},
	{"binary", 1, MOST_DIMS, binary},
	{"sparse", 4, MOST_DIMS, sparse},
	{"one_hot", 1, MOST_DIMS, one_hot},
	{"heavy_norms", 1, MOST_DIMS, heavy_norms},
	{"cauchy", 1, MOST_DIMS, cauchy},
	{"dominant", 1, MOST_DIMS, dominant},
	{"low_inner", 4, MOST_DIMS, low_inner},
	{"curve", 1, MOST_DIMS, curve},
	{"drift", 1, MOST_DIMS, drift},
	{"arrival", 1, MOST_DIMS, arrival},
	{"offset", 1, MOST_DIMS, offset},
	{"tiny", 1, MOST_DIMS, tiny},
	{"large", 1, MOST_DIMS, large},
	{"zeros", 1, MOST_DIMS, zeros},
	{"text_like", 8, MOST_DIMS, text_like},
	{"mixture", 8, MOST_DIMS, mixture},
};

#define KINDS ((int) (sizeof(kinds) / sizeof(kinds[0])))

/* ---------- drawing ---------- */

static void *
allocate(size_t bytes)
{
	void	   *result = malloc(bytes);

	if (result == NULL)
	{
		fprintf(stderr, "any_data: out of memory\n");
		exit(1);
	}
	return result;
}

static World *
make_world(const Kind *kind, Random *random, int dims, bool half)
{
	World	   *world = allocate(sizeof(World));
	double		squares = 0;

	world->kind = kind;
	world->dims = dims;
	world->half = half;
	world->groups = 2 + random_below(random, 199);
	world->centers = allocate(sizeof(double) * world->groups * dims);
	for (size_t i = 0; i < (size_t) world->groups * dims; i++)
		world->centers[i] = random_gaussian(random);
	world->widths = allocate(sizeof(double) * world->groups);
	for (int i = 0; i < world->groups; i++)
		world->widths[i] = log_uniform(random, 1e-4, 100);
	world->axis = allocate(sizeof(double) * dims);
	for (int d = 0; d < dims; d++)
	{
		world->axis[d] = random_gaussian(random);
		squares += world->axis[d] * world->axis[d];
	}
	for (int d = 0; d < dims; d++)
		world->axis[d] /= sqrt(squares);
	world->small = log_uniform(random, 1e-7, 1e-3);
	world->share = log_uniform(random, 5e-4, 1e-2);
	world->size = log_uniform(random, 1e2, 1e30);
	world->unit = random_double(random);
	for (int i = 0; i < MOST_PARTS && kind->draw == mixture; i++)
	{
		const Kind *part = &kinds[random_below(random, KINDS - 1)];

		/*
		 * of those that fit, without those that need two or three dimensions
		 */
		while (part->most_dims < MOST_DIMS)
			part = &kinds[random_below(random, KINDS - 1)];
		world->parts[i] = make_world(part, random, dims, half);
	}
	return world;
}

static void
draw_row(const World *world, uint64_t seed, int number, int rows, float *out)
{
	static double values[MOST_DIMS];
	double		largest = world->half ? LARGEST_HALF : LARGEST_FLOAT;
	double		when = (number + 0.5) / rows;
	Random		random;

	random_seed_stream(&random, seed, number);
	if (number >= rows)
		when = random_double(&random);	/* a question */
	world->kind->draw(world, &random, when, number == 0, values);
	for (int d = 0; d < world->dims; d++)
		out[d] = (float) fmax(-largest, fmin(largest, values[d]));
}

/* ---------- writing ---------- */

static FILE *
open_copy(const char *folder, const char *name)
{
	char		path[4096];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	fwrite("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 1, 19, file);
	return file;
}

static void
put_16(FILE *file, unsigned number)
{
	uint16_t	bytes = htons((uint16_t) number);

	fwrite(&bytes, 2, 1, file);
}

static void
put_32(FILE *file, uint32_t number)
{
	uint32_t	bytes = htonl(number);

	fwrite(&bytes, 4, 1, file);
}

static void
put_integer(FILE *file, int number)
{
	put_32(file, 4);
	put_32(file, (uint32_t) number);
}

/* IEEE binary16, ties away from zero; the value is within its range. */
static unsigned
half_bits(double value)
{
	unsigned	sign = signbit(value) ? 0x8000 : 0;
	int			exponent;
	double		fraction = frexp(fabs(value), &exponent);
	long		mantissa;

	if (fraction == 0)
		return sign;
	if (exponent < -13)
		/* subnormal */
		return sign | (unsigned) lround(ldexp(fabs(value), 24));
	mantissa = lround(ldexp(fraction, 11)); /* 1024 .. 2048 */
	return sign | (unsigned) (((exponent + 13) << 10) + mantissa);
}

static void
put_vector(FILE *file, const World *world, const float *values, double scale)
{
	double		largest = world->half ? LARGEST_HALF : LARGEST_FLOAT;

	put_32(file, (uint32_t) (4 + (world->half ? 2 : 4) * world->dims));
	put_16(file, (unsigned) world->dims);
	put_16(file, 0);
	for (int d = 0; d < world->dims; d++)
	{
		float		value = (float) fmax(-largest,
										 fmin(largest, scale * values[d]));
		uint32_t	bits;

		memcpy(&bits, &value, 4);
		if (world->half)
			put_16(file, half_bits(value));
		else
			put_32(file, bits);
	}
}

static void
close_copy(FILE *file)
{
	put_16(file, 0xFFFF);
	if (ferror(file) || fclose(file) != 0)
	{
		perror("any_data");
		exit(1);
	}
}

typedef struct Place
{
	double		along;
	int			number;
} Place;

static int
compare_places(const void *a, const void *b)
{
	const Place *x = a;
	const Place *y = b;

	if (x->along != y->along)
		return x->along < y->along ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void
write_rows(const World *world, uint64_t seed, int rows, bool sorted,
		   double nulls, const char *folder)
{
	FILE	   *file = open_copy(folder, "rows");
	float	   *values = allocate(sizeof(float) * rows * world->dims);
	Place	   *places = allocate(sizeof(Place) * rows);
	int		   *sides = allocate(sizeof(int) * rows);
	Random		random;

	for (int i = 0; i < rows; i++)
	{
		const float *row = values + (size_t) i * world->dims;

		draw_row(world, seed, i, rows, values + (size_t) i * world->dims);
		places[i].number = i;
		places[i].along = 0;
		for (int d = 0; d < world->dims; d++)
			places[i].along += world->axis[d] * row[d];
	}
	qsort(places, rows, sizeof(Place), compare_places);
	for (int i = 0; i < rows; i++)
		sides[places[i].number] = (int) (100.0 * i / rows);

	random_seed_stream(&random, seed, UINT64_C(1) << 40);
	for (int i = 0; i < rows; i++)
	{
		int			number = sorted ? places[i].number : i;

		put_16(file, 3);
		put_integer(file, i + 1);
		put_integer(file, sides[number]);
		if (random_double(&random) < nulls)
			put_32(file, UINT32_MAX);
		else
			put_vector(file, world, values + (size_t) number * world->dims, 1);
	}
	close_copy(file);
}

static void
write_questions(const World *world, uint64_t seed, int rows, int questions,
				double scale, const char *folder)
{
	FILE	   *file = open_copy(folder, "questions");
	float	   *values = allocate(sizeof(float) * world->dims);
	Random		random;

	random_seed_stream(&random, seed, UINT64_C(1) << 41);
	for (int i = 0; i < questions; i++)
	{
		bool		stored = random_below(&random, 4) == 0;
		int			number = stored ? (int) random_below(&random, rows)
									: rows + i;

		draw_row(world, seed, number, rows, values);
		put_16(file, 2);
		put_integer(file, i + 1);
		put_vector(file, world, values,
				   pow(10, scale * (2 * random_double(&random) - 1)));
	}
	close_copy(file);
}

int
main(int argc, char **argv)
{
	const Kind *kind = NULL;
	uint64_t	seed;
	Random		random;
	World	   *world;

	for (int i = 0; i < KINDS; i++)
	{
		if (argc == 1)
			printf("%s %d %d\n", kinds[i].name, kinds[i].least_dims, kinds[i].most_dims);
		else if (strcmp(argv[1], kinds[i].name) == 0)
			kind = &kinds[i];
	}
	if (argc == 1)
		return 0;
	if (argc != 11 || kind == NULL)
	{
		fprintf(stderr, "any_data: wrong arguments\n");
		return 1;
	}
	seed = strtoull(argv[2], NULL, 10);
	random_seed(&random, seed);
	world = make_world(kind, &random, atoi(argv[3]), strcmp(argv[4], "halfvec") == 0);
	write_rows(world, seed, atoi(argv[5]), strcmp(argv[6], "sorted") == 0, atof(argv[7]), argv[10]);
	write_questions(world, seed, atoi(argv[5]), atoi(argv[8]), atof(argv[9]),
					argv[10]);
	return 0;
}
