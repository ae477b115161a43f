/*-------------------------------------------------------------------------
 *
 * loss.h
 *	  What is to become small in tuning, and its gradient with respect to the
 *	  embeddings.
 *
 * The definitions are those of the classes of sentence-transformers with their
 * default arguments (release 6.2); papers stand at each kind.  A loss knows
 * nothing of the encoder: it takes a batch of embeddings, one row for each
 * example and one block of rows for each column of texts, and gives back as
 * many rows of gradients.
 *
 * So a batch may be larger than the memory for its activations (Gao et al.
 * 2021, arXiv 2101.06983): encode it in pieces and keep nothing but the
 * embeddings, compute the loss, then encode the pieces again, each with its
 * rows of the gradient.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_LOSS_H
#define NETWORK_LOSS_H

#include "network/real.h"

typedef enum LossKind
{
	/*
	 * Columns anchor, positive [, negative ...]: cross entropy of each
	 * anchor's own positive among all positives and negatives of the batch, by
	 * scale * cosine (Henderson et al. 2017, arXiv 1705.00652); symmetric: the
	 * mean of that and of each positive's own anchor among all anchors.
	 */
	LOSS_RANKING,
	LOSS_RANKING_SYMMETRIC,

	/* Columns first, second and a score. */
	LOSS_COSINE,				/* mean (cosine - score)^2 */
	LOSS_COSENT,				/* log(1 + sum exp(scale (cos_i - cos_j))),
								 * over score_i < score_j: Su 2022 */
	LOSS_ANGLE,					/* the same with the angle in complex space:
								 * Li and Li 2023, arXiv 2309.12871 */

	/* Columns anchor, positive, negative: max(0, d(a,p) - d(a,n) + margin) */
	LOSS_TRIPLET,

	/* Columns first, second and a score of 1 (alike) or 0 (not). */
	LOSS_CONTRASTIVE,			/* Hadsell, Chopra and LeCun 2006 */
	LOSS_ONLINE_CONTRASTIVE,	/* of the hard pairs of a batch alone */

	/*
	 * Columns first, second and a label: cross entropy of a linear layer on
	 * (u, v, |u - v|), whose weights are trained too: Reimers and Gurevych
	 * 2019, arXiv 1908.10084.
	 */
	LOSS_SOFTMAX,

	/*
	 * Any columns, and the vector that each text should have: mean square of
	 * the difference (Reimers and Gurevych 2020, arXiv 2004.09813).
	 */
	LOSS_TEACHER
} LossKind;

#define LOSS_KINDS 10

typedef enum LossDistance
{
	LOSS_DISTANCE_COSINE,		/* 1 - cosine */
	LOSS_DISTANCE_EUCLIDEAN,
	LOSS_DISTANCE_MANHATTAN
} LossDistance;

#define LOSS_MOST_COLUMNS 64

typedef struct LossSettings
{
	LossKind	kind;
	double		scale;			/* ranking, CoSENT, AnglE */
	double		margin;			/* triplet, contrastive */
	LossDistance distance;		/* triplet, contrastive */
	int			labels;			/* softmax */
	int			chunk;			/* rows of scores at a time, ranking */

	/*
	 * Matryoshka (Kusupati et al. 2022, arXiv 2205.13147): the weighted sum
	 * over all i of the loss of the first dims[i] numbers of the embeddings,
	 * normalized.  sizes 0: the loss itself.
	 */
	int			sizes;
	const int  *dims;
	const double *weights;		/* or NULL: ones */
} LossSettings;

/*
 * "multiple_negatives_ranking", "multiple_negatives_symmetric_ranking",
 * "cosine_similarity", "cosent", "angle", "triplet", "contrastive",
 * "online_contrastive", "softmax", "mse"; -1 if there is no such.
 */
extern int	loss_of_name(const char *name);
extern const char *loss_name(LossKind kind);

/* "cosine", "euclidean", "manhattan"; -1 if there is no such. */
extern int	loss_distance_of_name(const char *name);

/* The defaults of sentence-transformers. */
extern LossSettings loss_defaults(LossKind kind);

typedef struct LossBatch
{
	int			rows;			/* examples */
	int			dims;
	int			columns;		/* of texts */
	const Real *const *embeddings;	/* of each column, rows x dims */
	const float *scores;		/* of each row: similarity, or 1 and 0 */
	const int32_t *labels;		/* of each row, 0 .. labels - 1 */
	const Real *const *teacher; /* of each column, rows x dims */

	/*
	 * A number for each distinct text, of each column, or NULL: texts that are
	 * equal, and the positives of equal anchors, are never each other's
	 * negatives.
	 */
	const int64_t *const *texts;
	const Real *head;			/* softmax: loss_head_floats numbers, labels x
								 * 3 dims, then the labels' biases */
} LossBatch;

typedef struct LossGradient
{
	Real	   *const *embeddings;	/* as the embeddings; all are written */
	Real	   *head;			/* as the head; written */
} LossGradient;

/* What is wrong with settings for such a batch; NULL: nothing. */
extern const char *loss_complaint(const LossSettings *settings,
								  const LossBatch *batch);

extern size_t loss_head_floats(const LossSettings *settings, int dims);
extern size_t loss_scratch_bytes(const LossSettings *settings, int rows,
								 int dims, int columns);

/*
 * The loss and its gradient.  No complaint may stand.  The result is NaN if
 * embeddings are not finite.  False if it was interrupted.
 *
 * scratch: aligned to PRODUCT_ALIGNMENT
 */
extern bool loss_compute(const LossSettings *settings, const LossBatch *batch,
						 const LossGradient *gradient, double *loss,
						 void *scratch, ProductInterrupt *interrupt);

/*
 * The room's own: similarities of two vectors, and the gradient of one times
 * "factor", added.
 */
typedef enum PairKind
{
	PAIR_COSINE,
	PAIR_ANGLE,
	PAIR_EUCLIDEAN,
	PAIR_MANHATTAN,
	PAIR_EUCLIDEAN_SHIFTED,		/* 1e-6 added to each difference, as PyTorch's
								 * pairwise_distance does */
	PAIR_MANHATTAN_SHIFTED
} PairKind;

extern double pair_value(PairKind kind, int dims, const Real *x,
						 const Real *y);
extern void pair_add_gradient(PairKind kind, int dims, const Real *x,
							  const Real *y, double factor, Real *to_x,
							  Real *to_y);

/*
 * Rows divided by their lengths; a row of zeros stays.  And backwards: from
 * the gradient with respect to the results, in place.
 */
extern void loss_normalize(int rows, int dims, size_t stride, const Real *x,
						   Real *to, double *lengths);
extern void loss_normalize_backward(int rows, int dims, const Real *normal,
									const double *lengths, Real *gradient);

extern size_t ranking_scratch_bytes(const LossSettings *settings, int rows,
									int dims, int columns);
extern bool ranking_loss(const LossSettings *settings, const LossBatch *batch,
						 const LossGradient *gradient, double *loss,
						 void *scratch, ProductInterrupt *interrupt);

#endif							/* NETWORK_LOSS_H */
