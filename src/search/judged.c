/*-------------------------------------------------------------------------
 *
 * judged.c
 *	  How good a ranking is, by the grades that people gave.
 *
 * The measures are trec_eval's: ndcg_cut (gain is the grade, discount
 * log2(1 + rank); Jarvelin and Kekalainen, TOIS 2002), map_cut, recall and
 * recip_rank of the ranking cut at so many rows.  A row is relevant when its
 * grade is above 0; rows without a grade are not.
 *
 *-------------------------------------------------------------------------
 */
#include "search/judged.h"

#include <math.h>

static double
discounted_gain(const double *grades, int count)
{
	double		sum = 0;

	for (int i = 0; i < count; i++)
	{
		if (grades[i] > 0)
			sum += grades[i] / log2(i + 2.0);
	}
	return sum;
}

void
judged_figures(const double *ranking, int count, int cut,
			   const double *ideal, int ideal_count, JudgedFigures *figures)
{
	int			found = 0;
	double		best;

	figures->ndcg = figures->map = figures->recall = figures->mrr = 0;
	if (ideal_count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		if (!(ranking[i] > 0))
			continue;
		found++;
		figures->map += (double) found / (i + 1);
		if (found == 1)
			figures->mrr = 1.0 / (i + 1);
	}
	best = discounted_gain(ideal, ideal_count < cut ? ideal_count : cut);
	figures->ndcg = discounted_gain(ranking, count) / best;
	figures->map /= ideal_count;
	figures->recall = (double) found / ideal_count;
}
