/*-------------------------------------------------------------------------
 *
 * judged.h
 *	  How good a ranking is, by the grades that people gave.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_JUDGED_H
#define SEARCH_JUDGED_H

/* Each of one question, or the mean over questions */
typedef struct JudgedFigures
{
	double		ndcg;
	double		map;
	double		recall;
	double		mrr;
} JudgedFigures;

/*
 * The figures of a ranking cut at its first "cut" rows, as trec_eval defines
 * them.
 *
 * ranking: grades of "count" rows in their order, at most "cut"; 0 for rows
 * without a judgement
 * ideal: all grades above 0 of the question, largest first
 */
extern void judged_figures(const double *ranking, int count, int cut,
						   const double *ideal, int ideal_count,
						   JudgedFigures *figures);

#endif							/* SEARCH_JUDGED_H */
