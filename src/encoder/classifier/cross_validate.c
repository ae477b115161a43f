/*-------------------------------------------------------------------------
 *
 * cross_validate.c
 *	  SQL function cross_validate: how well a classifier would do on examples
 *	  that it has not seen.
 *
 * Each label's examples are dealt to the folds in turn, in the order of the
 * query, so that all folds have about the same share of each label; examples
 * that may have several labels are dealt regardless of them.  Each fold
 * is held out once while the others are trained on.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/classifier/trained_classifier.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(cross_validate);

/* arguments of the SQL function, in order */
enum
{
	ARG_EXAMPLES,
	ARG_ENCODER,				/* and those up to multi_class */
	ARG_FOLDS = ARG_ENCODER + 6
};

#define MOST_FOLDS 100

static int
read_folds(FunctionCallInfo fcinfo)
{
	int			folds = PG_ARGISNULL(ARG_FOLDS) ? 0 :
		PG_GETARG_INT32(ARG_FOLDS);

	if (PG_ARGISNULL(ARG_EXAMPLES) || PG_ARGISNULL(ARG_FOLDS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null",
						PG_ARGISNULL(ARG_EXAMPLES) ? "examples" : "folds")));
	if (folds < 2 || folds > MOST_FOLDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("folds must be between 2 and %d", MOST_FOLDS)));
	return folds;
}

/* A label that is in fewer examples than folds would be missing in some. */
static uint8 *
deal(const ClassifierTraining *training, int folds)
{
	const Fit  *fit = &training->fit;
	uint8	   *dealt = palloc_extended(fit->rows->rows, MCXT_ALLOC_HUGE);
	int64	   *counts = palloc0(sizeof(int64) * fit->label_count);

	for (int64 n = 0; n < fit->rows->rows; n++)
		dealt[n] = (uint8) (fit->label_starts != NULL ? n % folds :
							counts[fit->labels[n]]++ % folds);
	if (fit->label_starts != NULL && fit->rows->rows < folds)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("there are fewer examples than folds")));
	for (int k = 0; k < fit->label_count && fit->label_starts == NULL; k++)
	{
		const EncodedWord *label = &training->chosen.vocabulary[k];

		if (counts[k] < folds)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("label \"%s\" has fewer examples than there are folds",
							pnstrdup(label->text, label->length)),
					 errdetail("It has " INT64_FORMAT ".", counts[k])));
	}
	pfree(counts);
	return dealt;
}

/* How many of the rows held out get their own label */
static void
count_right(const Fit *fit, int64 *right, int64 *held_out)
{
	double	   *scores = palloc(sizeof(double) * fit->outputs);

	*right = *held_out = 0;
	sparse_file_rewind(fit->rows);
	for (int64 n = 0; sparse_file_next(fit->rows); n++)
	{
		if (!fit_holds_out(fit, n))
			continue;
		(*held_out)++;
		*right += fit_is_right(fit, n, scores);
	}
	pfree(scores);
}

/* cross_validate(examples, ...) -> (fold, accuracy, examples) */
Datum
cross_validate(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	ClassifierTraining *training = palloc0(sizeof(ClassifierTraining));
	Fit		   *fit = &training->fit;
	int			folds = read_folds(fcinfo);

	trainer_check();
	training->query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_EXAMPLES));
	training_options(fcinfo, ARG_ENCODER, training);
	fit->progress = progress_begin("cross-validating", "examples");
	training_read(training);
	fit->folds = deal(training, folds);
	for (fit->fold = 0; fit->fold < folds; fit->fold++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};
		int64		right;
		int64		held_out;

		progress_phase(fit->progress, "fitting", 0);
		training_weigh(training);
		fit_run(fit);
		count_right(fit, &right, &held_out);
		pfree(fit->found);
		values[0] = Int32GetDatum(fit->fold + 1);
		values[1] = Float8GetDatum((double) right / held_out);
		values[2] = Int64GetDatum(held_out);
		set_result_add(set, values, nulls);
	}
	sparse_file_free(fit->rows);
	progress_end(fit->progress);
	return (Datum) 0;
}
