/*-------------------------------------------------------------------------
 *
 * trained_classifier.h
 *	  The room of classifiers: labels by logistic regression.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLASSIFIER_TRAINED_CLASSIFIER_H
#define CLASSIFIER_TRAINED_CLASSIFIER_H

#include "server/server.h"

#include "model/model.h"
#include "server/query.h"
#include "train/progress.h"
#include "train/vector_rows.h"
#include "train/word_numbers.h"

#define CLASSIFIER_MAX_LABELS	10000

/* ---------- features (classifier_features.c) ---------- */

extern const char *const classifier_features[];

/*
 * What makes vectors of texts: one of the functions of a model.  No encoder:
 * whoever classifies brings vectors.
 */
typedef struct Features
{
	Oid			encoder;		/* or InvalidOid */
	int			kind;			/* of classifier_features */
	FmgrInfo	function;
	SparseRow	row;			/* the vector last made */
} Features;

/* in context, where it grows */
extern void features_init(Features *features, Oid encoder, int kind,
						  MemoryContext context);

/* Those of tfidf() with its defaults, in the present context */
extern void features_init_tfidf(Features *features, Oid vocabulary);
extern void features_of_text(Features *features, const char *text,
							 int length);

/* A text or a vector of a query; a text without an encoder is an error. */
extern void features_of_value(Features *features, const QueryValue *value);

/*
 * The arguments encoder and features of an SQL function, the first of them at
 * "first"; NULL features are tfidf of a vocabulary, embed of other models.
 */
extern void features_of_arguments(Features *features, FunctionCallInfo fcinfo,
								  int first);

/* ---------- examples (classifier_examples.c) ---------- */

typedef struct Examples Examples;

/* An example's labels: one, or as many as its array has */
typedef struct Example
{
	int			count;
	const char *const *labels;
} Example;

extern Examples *examples_open(const char *query, Features *features);

/* Whether the labels are arrays */
extern bool examples_are_multi(const Examples *examples);

/* The next one; its vector is the features'. */
extern bool examples_next(Examples *examples, Example *example);
extern void examples_close(Examples *examples);

/* ---------- fitting (classifier_fit.c, classifier_nearest.c) ---------- */

/* option multi_class */
typedef enum ClassifierKind
{
	CLASSIFIER_MULTINOMIAL,
	CLASSIFIER_ONE_VS_REST,
	CLASSIFIER_NEAREST
} ClassifierKind;

/*
 * Examples in a file, keys numbered anew so that all are in use; and what is
 * to be found: a bias and weights for each output.  Two labels have one
 * output, which speaks for the second.
 */
typedef struct Fit
{
	SparseFile *rows;
	int32	   *labels;			/* of each row, or of all rows together */
	int64	   *label_starts;	/* of each row among those; NULL: one a row */
	double	   *label_weights;
	int			label_count;
	int			outputs;
	int			features;		/* in use */
	bool		penalty;
	ClassifierKind kind;
	double		strength;		/* option c */
	Progress   *progress;

	double	   *found;			/* features x outputs, then biases */
	int			passes;
	bool		converged;
	double	   *losses;			/* of each pass, mean of the examples */
	int			loss_count;

	/* rows of one fold may be held out; NULL: all are trained on */
	const uint8 *folds;
	int			fold;
	int64		examples;		/* that are not held out */
} Fit;

/* Labels of a row that may have any number of them */
static inline int
fit_label_count(const Fit *fit, int64 row)
{
	return fit->label_starts == NULL ? 1 :
		(int) (fit->label_starts[row + 1] - fit->label_starts[row]);
}

static inline const int32 *
fit_labels(const Fit *fit, int64 row)
{
	return fit->labels + (fit->label_starts == NULL ? row :
						  fit->label_starts[row]);
}

static inline bool
fit_holds_out(const Fit *fit, int64 row)
{
	return fit->folds != NULL && fit->folds[row] == fit->fold;
}

extern void fit_run(Fit *fit);

/* The part of it that is for CLASSIFIER_NEAREST */
extern void fit_nearest(Fit *fit);

/*
 * Whether the row last read, of this number, gets the label or the labels that
 * it has, by what was found
 */
extern bool fit_is_right(const Fit *fit, int64 row, double *scores);

/* ---------- a training (train_classifier.c) ---------- */

typedef struct ClassifierTraining
{
	const char *model;
	const char *query;
	bool		balanced;
	bool		replace;
	Features	features;
	WordNumbers labels;			/* as they come */
	VectorRows	vectors;		/* the fit's rows */
	int64		label_room;
	int64		label_total;	/* of all rows */
	int64		start_room;
	EncodedCorpus chosen;		/* labels in their order */
	Fit			fit;
} ClassifierTraining;

/*
 * The arguments from encoder to multi_class, the first of them at "first";
 * the examples; and the weights of labels, before each fit.
 */
extern void training_options(FunctionCallInfo fcinfo, int first,
							 ClassifierTraining *training);
extern void training_read(ClassifierTraining *training);
extern void training_weigh(ClassifierTraining *training);

/* ---------- the model (classifier_method.c) ---------- */

enum
{
	CLASSIFIER_ID,
	CLASSIFIER_LABEL,
	CLASSIFIER_BIAS,
	CLASSIFIER_WEIGHTS,
	CLASSIFIER_EXAMPLES,
	CLASSIFIER_COLUMNS
};

extern const char *const classifier_penalties[];
extern const char *const classifier_kinds[];	/* as ClassifierKind */
extern const OptionDeclaration classifier_options[];
extern const ModelMethod classifier_method;

extern void classifier_init(void);	/* called from _PG_init */

typedef struct LabelEntry
{
	uint64		text;			/* offset */
	int32		length;
	int32		id;
	double		bias;
	int64		row;			/* of the weights */
} LabelEntry;

/* A classifier at a call site */
typedef struct OpenLabels
{
	uint64		version;		/* of the model that features are for */
	int			count;
	int			dims;
	bool		one_vs_rest;
	bool		multi_label;
	const LabelEntry *entries;
	const float *weights;
	const char *texts;
	Features	features;
	bool		ready;			/* features are */
} OpenLabels;

extern OpenLabels *labels_open(FmgrInfo *flinfo, Model *model, void **state);

/* Probabilities for the vector that the features hold */
extern void labels_classify(const OpenLabels *labels, double *probabilities);
extern Oid	classifier_encoder(const ModelDescription *description);
extern void classifier_further(FmgrInfo *flinfo, Model *model);

#endif							/* CLASSIFIER_TRAINED_CLASSIFIER_H */
