/*-------------------------------------------------------------------------
 *
 * weighting.c
 *	  Weights of terms in documents: tf, idf, norms and their names.
 *
 * c is the count of a term in a document, N the number of documents, n how
 * many of them hold the term, log a logarithm to the base asked for (e by
 * default).  The base cancels in no formula that adds a constant to a
 * logarithm, which is why it is an option: scikit-learn works with e, gensim
 * with 2, textbooks with 10.
 *
 * Sources: [Manning] Manning, Raghavan, Schuetze, Introduction to Information
 * Retrieval, 2008, 6.4; [Salton] Salton and Buckley, Term-weighting
 * approaches in automatic text retrieval, 1988; [sklearn] the user guide of
 * scikit-learn, "TF-IDF term weighting"; [gensim] the table of SMART letters
 * in gensim.models.tfidfmodel.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stddef.h>

#include "encoder/vocabulary/weighting.h"

const char *const tf_names[] = {
	"raw", "binary", "log", "double_log", "augmented", "sqrt", "share",
	"log_average", NULL
};

const char *const idf_names[] = {
	"smooth", "standard", "textbook", "shifted", "log1p", "max",
	"probabilistic", "probabilistic_clipped", "none", NULL
};

const char *const norm_names[] = {"l2", "l1", "none", NULL};

double
weighting_log_scale(double log_base)
{
	return 1.0 / log(log_base);
}

double
tf_weight(TfWeighting tf, double log_scale, double count,
		  const DocumentTotals *document)
{
	switch (tf)
	{
		case TF_RAW:			/* c: sklearn; gensim n */
			return count;
		case TF_BINARY:			/* 1: gensim b */
			return 1.0;
		case TF_LOG:			/* 1 + log c: sklearn sublinear_tf; gensim l */
			return 1.0 + log(count) * log_scale;
		case TF_DOUBLE_LOG:		/* 1 + log(1 + log c): gensim d */
			return 1.0 + log(1.0 + log(count) * log_scale) * log_scale;
		case TF_AUGMENTED:		/* 0.5 + 0.5 c / max c: Salton; gensim a */
			return 0.5 + 0.5 * count / document->max_count;
		case TF_SQRT:			/* sqrt c: Lucene's ClassicSimilarity */
			return sqrt(count);
		case TF_SHARE:			/* c / sum of c: relative frequency */
			return count / document->length;
		case TF_LOG_AVERAGE:	/* (1 + log c) / (1 + log mean c): Manning,
								 * figure 6.15; gensim L */
			return (1.0 + log(count) * log_scale) /
				(1.0 + log(document->length / document->distinct) * log_scale);
	}
	return 0.0;
}

double
idf_weight(IdfWeighting idf, double log_scale, double documents,
		   const CorpusTotals *corpus)
{
	double		total = corpus->documents;
	double		odds;

	switch (idf)
	{
		case IDF_SMOOTH:		/* log((1+N)/(1+n)) + 1: sklearn */
			return log((1.0 + total) / (1.0 + documents)) * log_scale + 1.0;
		case IDF_STANDARD:		/* log(N/n) + 1: sklearn smooth_idf=False */
			return log(total / documents) * log_scale + 1.0;
		case IDF_TEXTBOOK:		/* log(N/n): Manning 6.7; gensim f */
			return log(total / documents) * log_scale;
		case IDF_SHIFTED:		/* log((N+1)/n): gensim t */
			return log((total + 1.0) / documents) * log_scale;
		case IDF_LOG1P:			/* log(1 + N/n) */
			return log1p(total / documents) * log_scale;
		case IDF_MAX:			/* log(max n / (1+n)) */
			return log(corpus->max_documents / (1.0 + documents)) * log_scale;
		case IDF_PROBABILISTIC: /* log((N-n)/n): Salton; -inf where n = N */
			return log((total - documents) / documents) * log_scale;
		case IDF_PROBABILISTIC_CLIPPED: /* the same, at least 0: gensim p */
			odds = (total - documents) / documents;
			return odds > 1.0 ? log(odds) * log_scale : 0.0;
		case IDF_NONE:
			return 1.0;
	}
	return 0.0;
}

double
norm_divisor(NormKind norm, const double *weights, int count)
{
	double		sum = 0.0;
	int			i;

	switch (norm)
	{
		case NORM_L2:
			for (i = 0; i < count; i++)
				sum += weights[i] * weights[i];
			sum = sqrt(sum);
			break;
		case NORM_L1:
			for (i = 0; i < count; i++)
				sum += fabs(weights[i]);
			break;
		case NORM_NONE:
			break;
	}
	return sum > 0.0 ? sum : 1.0;
}
