/*-------------------------------------------------------------------------
 *
 * classifier.h
 *	  One face for whatever gives labels to texts.
 *
 * A method names its classifier (ModelMethod.classifier).  classify() and
 * classify_scores() know only this face, whether the model is a network with
 * a head of labels or was trained on examples.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_CLASSIFIER_H
#define MODEL_CLASSIFIER_H

#include "model/encoder.h"

typedef struct Classifier
{
	/*
	 * Called before each use, as Encoder.open.  Returns the number of labels,
	 * at least one.
	 */
	int			(*open) (FmgrInfo *flinfo, Model *model, void **state);

	/*
	 * Opens, by model_open_further, what else the labels depend on; called
	 * after model_open, before anything is looked up.  NULL: nothing.
	 */
	void		(*further) (FmgrInfo *flinfo, Model *model);

	/* The name of a label, in the server's encoding, palloc'd or constant. */
	const char *(*label) (void *state, int number);

	/* A number for each label, the greatest for the one that fits best. */
	void		(*classify) (void *state, const EncoderText *text,
							 double *probabilities);
} Classifier;

/* An array of text: the labels more probable than that (classify.c) */
extern Datum classifier_likely_labels(const Classifier *classifier,
									  void *state, int labels,
									  const double *probabilities,
									  double threshold);

#endif							/* MODEL_CLASSIFIER_H */
