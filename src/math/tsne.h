/*-------------------------------------------------------------------------
 *
 * tsne.h
 *	  Places in the plane that keep who is whose neighbour.
 *
 * t-SNE (van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR
 * 2008) with the forces of all others summed after Barnes and Hut
 * (repulsion.h), begun and paced as Kobak and Berens found to keep also what
 * is far ("The art of using t-SNE for single-cell transcriptomics", Nature
 * Communications 2019) and Belkina et al. to converge ("Automated optimized
 * parameters for t-SNE", ibid.).
 *
 *		tsne_begin(&tsne, ...);
 *		while (tsne_step(&tsne))
 *			... tsne.step of TSNE_STEPS ...
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_TSNE_H
#define MATH_TSNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Neighbours of each point, three times the perplexity of 30 */
#define TSNE_NEIGHBOURS	90

#define TSNE_STEPS		750

/* Called every few milliseconds; it need not return. */
typedef void (*TsneCheck) (void);

typedef struct Tsne
{
	int			points;
	int			neighbours;		/* of each */
	const int32_t *index;
	float	   *attraction;		/* along each edge, of all 1 together */
	float	   *places;			/* x and y of each point */
	float	   *forces;			/* of all others */
	float	   *pulls;			/* of neighbours */
	float	   *speeds;
	float	   *gains;
	void	   *repulsion;
	TsneCheck	check;
	int			step;			/* done so far */
} Tsne;

/*
 * index, squares: points x neighbours, as neighbours_find gives them;
 * squares are turned into attractions
 * places: where the points begin, of any extent; they are moved
 * memory: tsne_bytes bytes, aligned to 64
 */
extern size_t tsne_bytes(int points);
extern void tsne_begin(Tsne *tsne, int points, int neighbours,
					   const int32_t *index, float *squares, float *places,
					   uint64_t seed, void *memory, TsneCheck check);
extern bool tsne_step(Tsne *tsne);

#endif							/* MATH_TSNE_H */
