/*-------------------------------------------------------------------------
 *
 * tsne.c
 *	  Places in the plane that keep who is whose neighbour.
 *
 * What is minimized is the divergence of q from p, where p(i, j) is the mean
 * of how likely i and j choose each other, by normal distributions around
 * each, among their nearest neighbours; and q(i, j) is 1 / (1 + d^2) divided
 * by the sum of that over all pairs.  An edge is listed once for each end that
 * has the other one as its neighbour, and pulls at both: so that p, which is
 * symmetric, never need be.
 *
 *-------------------------------------------------------------------------
 */
#include "math/tsne.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/random.h"
#include "math/repulsion.h"

#define EARLY_STEPS		250		/* when p is exaggerated */
#define EXAGGERATION	12
#define EARLY_MOMENTUM	0.5f
#define LATE_MOMENTUM	0.8f
#define THETA			0.5f
#define FIRST_EXTENT	1e-4	/* standard deviation of x at the beginning */
#define LONGEST_MOVE	5.0f
#define LEAST_GAIN		0.01f

/* Points between two calls of check */
#define PIECE			4096

/* ---------- attraction ---------- */

/* Entropy of exp(-precision (d - d0)) over the neighbours; sum: of those */
static double
entropy(const float *squares, int count, double precision, double *sum)
{
	double		weighted = 0;

	*sum = 0;
	for (int i = 0; i < count; i++)
	{
		double		beyond = squares[i] - squares[0];
		double		weight = exp(-precision * beyond);

		*sum += weight;
		weighted += weight * beyond;
	}
	return log(*sum) + precision * weighted / *sum;
}

/*
 * Squared distances, ascending, become the chances of each neighbour to be
 * chosen, as unequal as gives the perplexity.
 */
static void
set_attraction(float *squares, int count, double perplexity, double share)
{
	double		least = 0;
	double		most = INFINITY;
	double		extent = squares[count - 1] - squares[0];
	double		precision = extent > 0 ? 1 / extent : 1;
	double		sum = 0;
	float		first = squares[0];

	for (int i = 0; i < 64; i++)
	{
		double		beyond = entropy(squares, count, precision, &sum) -
			log(perplexity);

		if (fabs(beyond) < 1e-5)
			break;
		if (beyond > 0)
			least = precision;
		else
			most = precision;
		precision = isinf(most) ? 2 * precision : (least + most) / 2;
	}
	(void) entropy(squares, count, precision, &sum);
	for (int i = 0; i < count; i++)
		squares[i] = (float) (share * exp(-precision * (squares[i] - first)) /
							  sum);
}

static void
set_attractions(Tsne *tsne)
{
	int			count = tsne->neighbours;
	double		perplexity = count / 3.0 > 1 ? count / 3.0 : 1;

	for (int i = 0; i < tsne->points && count > 0; i++)
	{
		set_attraction(tsne->attraction + (size_t) i * count, count,
					   perplexity, 1.0 / tsne->points);
		if (i % 64 == 0)
			tsne->check();
	}
}

/* ---------- the beginning ---------- */

static size_t
lay_out(Tsne *tsne, char *memory)
{
	size_t		bytes = (sizeof(float) * 2 * (size_t) tsne->points + 63) &
		~(size_t) 63;

	if (memory != NULL)
	{
		tsne->forces = (float *) memory;
		tsne->pulls = (float *) (memory + bytes);
		tsne->speeds = (float *) (memory + 2 * bytes);
		tsne->gains = (float *) (memory + 3 * bytes);
		tsne->repulsion = memory + 4 * bytes;
	}
	return 4 * bytes + repulsion_bytes(tsne->points);
}

size_t
tsne_bytes(int points)
{
	Tsne		tsne = {.points = points};

	return lay_out(&tsne, NULL);
}

/* Less their mean; returns the standard deviation of x. */
static double
center_places(Tsne *tsne)
{
	double		mean[2] = {0};
	double		variance = 0;

	for (int i = 0; i < 2 * tsne->points; i++)
		mean[i % 2] += (double) tsne->places[i] / tsne->points;
	for (int i = 0; i < 2 * tsne->points; i++)
	{
		tsne->places[i] -= (float) mean[i % 2];
		if (i % 2 == 0)
			variance += (double) tsne->places[i] * tsne->places[i] /
				tsne->points;
	}
	return sqrt(variance);
}

/* Small, and so that no two points stay together because they began so */
static void
shrink_places(Tsne *tsne, uint64_t seed)
{
	double		extent = center_places(tsne);
	double		scale = extent > 0 ? FIRST_EXTENT / extent : 0;
	Random		random;

	random_seed(&random, seed);
	for (int i = 0; i < 2 * tsne->points; i++)
		tsne->places[i] = (float) (tsne->places[i] * scale +
								   FIRST_EXTENT / 100 *
								   random_gaussian(&random));
}

void
tsne_begin(Tsne *tsne, int points, int neighbours, const int32_t *index,
		   float *squares, float *places, uint64_t seed, void *memory,
		   TsneCheck check)
{
	memset(tsne, 0, sizeof(Tsne));
	tsne->points = points;
	tsne->neighbours = neighbours;
	tsne->index = index;
	tsne->attraction = squares;
	tsne->places = places;
	tsne->check = check;
	lay_out(tsne, memory);
	set_attractions(tsne);
	shrink_places(tsne, seed);
	memset(tsne->speeds, 0, sizeof(float) * 2 * points);
	for (int i = 0; i < 2 * points; i++)
		tsne->gains[i] = 1;
}

/* ---------- a step ---------- */

static void
pull_neighbours(Tsne *tsne, int point)
{
	int			count = tsne->neighbours;
	const int32_t *index = tsne->index + (size_t) point * count;
	const float *attraction = tsne->attraction + (size_t) point * count;
	float		x = tsne->places[2 * point];
	float		y = tsne->places[2 * point + 1];
	float		pull_x = 0;
	float		pull_y = 0;

	for (int i = 0; i < count; i++)
	{
		float	   *other = tsne->places + 2 * index[i];
		float	   *other_pull = tsne->pulls + 2 * index[i];
		float		away_x = other[0] - x;
		float		away_y = other[1] - y;
		float		pull = attraction[i] /
			(1 + away_x * away_x + away_y * away_y);

		pull_x += pull * away_x;
		pull_y += pull * away_y;
		other_pull[0] -= pull * away_x;
		other_pull[1] -= pull * away_y;
	}
	tsne->pulls[2 * point] += pull_x;
	tsne->pulls[2 * point + 1] += pull_y;
}

static float
limited(float move)
{
	return move > LONGEST_MOVE ? LONGEST_MOVE :
		move < -LONGEST_MOVE ? -LONGEST_MOVE : move;
}

/*
 * Jacobs' gains: a coordinate that goes on in one direction goes faster.  The
 * pulls were of edges in one direction, hence half of them.
 */
static void
move(Tsne *tsne, double sum)
{
	bool		early = tsne->step < EARLY_STEPS;
	float		momentum = early ? EARLY_MOMENTUM : LATE_MOMENTUM;
	float		pull = (early ? EXAGGERATION : 1) / 2.0f;
	float		push = (float) (sum > 0 ? 1 / sum : 0);
	float		rate = 4 * (float) tsne->points /
		(early ? EXAGGERATION : 1);

	for (int i = 0; i < 2 * tsne->points; i++)
	{
		float		downhill = pull * tsne->pulls[i] + push * tsne->forces[i];
		bool		goes_on = downhill * tsne->speeds[i] > 0;
		float		gain = goes_on ? tsne->gains[i] + 0.2f :
			tsne->gains[i] * 0.8f;

		tsne->gains[i] = gain > LEAST_GAIN ? gain : LEAST_GAIN;
		tsne->speeds[i] = limited(momentum * tsne->speeds[i] +
								  rate * tsne->gains[i] * downhill);
		tsne->places[i] += tsne->speeds[i];
	}
}

bool
tsne_step(Tsne *tsne)
{
	double		sum;

	if (tsne->step == TSNE_STEPS || tsne->points < 2)
		return false;
	sum = repulsion_of(tsne->points, tsne->places, THETA, tsne->forces,
					   tsne->repulsion, tsne->check);
	memset(tsne->pulls, 0, sizeof(float) * 2 * tsne->points);
	for (int i = 0; i < tsne->points; i++)
	{
		pull_neighbours(tsne, i);
		if (i % PIECE == 0)
			tsne->check();
	}
	move(tsne, sum);
	tsne->step++;
	(void) center_places(tsne);
	return true;
}
