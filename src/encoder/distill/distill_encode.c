/*-------------------------------------------------------------------------
 *
 * distill_encode.c
 *	  What the teacher makes of each token, into a temporary file.
 *
 * A vocabulary of 250,000 tokens has a gigabyte of vectors, so that they are
 * never all in memory.  What a reduction needs to know of them is summed
 * while they pass.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/distill/distill.h"

#include <math.h>

#include "miscadmin.h"

/* Some milliseconds of any teacher */
#define BATCH_TOKENS 256

/* Rows whose products are added together */
#define TOGETHER 4

/*
 * The products of four rows, added to the upper half: a number of the half is
 * read and written once for them.
 */
static void
add_products(int dims, const float *rows, double *products)
{
	const float *a = rows;
	const float *b = rows + dims;
	const float *c = rows + (Size) 2 * dims;
	const float *d = rows + (Size) 3 * dims;

	for (int i = 0; i < dims; i++)
	{
		double	   *line = products + (Size) i * dims;
		double		ai = a[i];
		double		bi = b[i];
		double		ci = c[i];
		double		di = d[i];

		for (int k = i; k < dims; k++)
			line[k] += ai * a[k] + bi * b[k] + ci * c[k] + di * d[k];
	}
}

/* rows: a multiple of TOGETHER, those beyond the count zero */
static void
add_moments(DistillMoments *moments, int dims, int count, const float *rows)
{
	for (int i = 0; i < count; i++)
	{
		const float *row = rows + (Size) i * dims;

		for (int k = 0; k < dims; k++)
			moments->sums[k] += row[k];
	}
	for (int i = 0; i < count; i += TOGETHER)
	{
		CHECK_FOR_INTERRUPTS();
		add_products(dims, rows + (Size) i * dims, moments->products);
	}
}

void
distill_encode(TransformerState *teacher, const uint32 *tokens, int64 count,
			   Progress *progress, DistillRows *rows, DistillMoments *moments)
{
	int			dims = teacher->plan.config.hidden;
	Size		floats = (Size) BATCH_TOKENS * dims;
	float	   *batch = palloc_extended(sizeof(float) * floats,
										MCXT_ALLOC_HUGE);
	TransformerAlone alone;

	transformer_alone_begin(&alone, teacher);
	rows->count = count;
	rows->dims = dims;
	rows->farthest = NULL;
	rows->file = BufFileCreateTemp(false);
	moments->sums = palloc0(sizeof(double) * dims);
	moments->products = palloc_extended(sizeof(double) * dims * dims,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	progress_phase(progress, "encoding tokens", (double) count);
	for (int64 at = 0; at < count; at += BATCH_TOKENS)
	{
		int			some = (int) Min(count - at, BATCH_TOKENS);

		CHECK_FOR_INTERRUPTS();
		memset(batch, 0, sizeof(float) * floats);
		transformer_alone(&alone, some, tokens + at, batch);
		if (format_first_not_finite(batch, some * dims) >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range: overflow")));
		BufFileWrite(rows->file, batch, sizeof(float) * some * dims);
		add_moments(moments, dims, some, batch);
		progress_update(progress, (double) (at + some), NAN);
	}
	pfree(batch);
}

/* ---------- temporary files ---------- */

void
distill_read(BufFile *file, void *bytes, Size length)
{
	BufFileReadExact(file, bytes, length);
}

void
distill_rewind(BufFile *file)
{
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file")));
}
