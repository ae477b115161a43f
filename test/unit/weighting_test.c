/*-------------------------------------------------------------------------
 *
 * weighting_test.c
 *	  If this failed, a weighting would not be the formula it is named after.
 *
 * The expected values are written out by hand from the formulas, for a term
 * with count 4 in a document of 10 words, 5 different ones, and present in
 * 2 of 8 documents; the most widespread term is in 6.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "encoder/vocabulary/weighting.h"

static const DocumentTotals document = {.length = 10,
										.distinct = 5,
										.max_count = 4};
static const CorpusTotals corpus = {.documents = 8, .max_documents = 6};

static int
place(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	CHECK(0, "no name \"%s\"", name);
	return 0;
}

static void
check_value(const char *name, double base, double value, double expected)
{
	CHECK(fabs(value - expected) <= 1e-14 * fabs(expected) ||
			  value == expected,
		  "%s to base %g is %.17g, not %.17g", name, base, value, expected);
}

static void
check_tf(const char *name, double base, double count, double expected)
{
	check_value(name, base,
				tf_weight(place(tf_names, name), weighting_log_scale(base),
						  count, &document),
				expected);
}

static void
check_idf(const char *name, double base, double documents, double expected)
{
	check_value(name, base,
				idf_weight(place(idf_names, name), weighting_log_scale(base),
						   documents, &corpus),
				expected);
}

static void
check_tf_weights(void)
{
	check_tf("raw", M_E, 4, 4.0);
	check_tf("binary", M_E, 4, 1.0);
	check_tf("log", M_E, 4, 2.386294361119891);		/* 1 + ln 4 */
	check_tf("log", 2, 4, 3.0);
	check_tf("log", 10, 1, 1.0);
	check_tf("double_log", 2, 8, 3.0);				/* 1 + log2(1 + 3) */
	check_tf("augmented", M_E, 4, 1.0);
	check_tf("augmented", M_E, 1, 0.625);
	check_tf("sqrt", M_E, 4, 2.0);
	check_tf("share", M_E, 4, 0.4);
	check_tf("log_average", 2, 4, 1.5);				/* 3 / (1 + log2(10 / 5)) */
}

static void
check_idf_weights(void)
{
	check_idf("smooth", M_E, 2, 2.0986122886681098); /* ln(9 / 3) + 1 */
	check_idf("standard", 2, 2, 3.0);				/* log2(8 / 2) + 1 */
	check_idf("textbook", 2, 2, 2.0);
	check_idf("textbook", 2, 8, 0.0);
	check_idf("shifted", 2, 2, 2.169925001442312);	/* log2(9 / 2) */
	check_idf("log1p", M_E, 2, 1.6094379124341003);	/* ln 5 */
	check_idf("max", 2, 2, 1.0);					/* log2(6 / 3) */
	check_idf("probabilistic", M_E, 2, 1.0986122886681098); /* ln(6 / 2) */
	check_idf("probabilistic", M_E, 6, -1.0986122886681098);
	check_idf("probabilistic", M_E, 8, -INFINITY);
	check_idf("probabilistic_clipped", M_E, 2, 1.0986122886681098);
	check_idf("probabilistic_clipped", M_E, 6, 0.0);
	check_idf("probabilistic_clipped", M_E, 8, 0.0);
	check_idf("none", M_E, 2, 1.0);
}

static void
check_norms(void)
{
	const double weights[] = {3.0, -4.0};
	const double zeros[] = {0.0, 0.0};

	CHECK(norm_divisor(NORM_L2, weights, 2) == 5.0, "l2 norm");
	CHECK(norm_divisor(NORM_L1, weights, 2) == 7.0, "l1 norm");
	CHECK(norm_divisor(NORM_NONE, weights, 2) == 1.0, "no norm");
	CHECK(norm_divisor(NORM_L2, zeros, 2) == 1.0, "norm of zeros");
	CHECK(norm_divisor(NORM_L1, NULL, 0) == 1.0, "norm of nothing");
}

int
main(void)
{
	check_tf_weights();
	check_idf_weights();
	check_norms();
	return check_result();
}
