/*-------------------------------------------------------------------------
 *
 * distill_write.c
 *	  Weighted vectors as a safetensors file, in a temporary file.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/distill/distill.h"

#include <math.h>

#include "math/distance.h"
#include "miscadmin.h"

#define ROWS_PER_INTERRUPT 256

#define MOST_INT8 127

static const struct
{
	const char *name;			/* in a safetensors file */
	int			bytes;
}			elements[] = {
	[DISTILL_FLOAT32] = {"F32", 4},
	[DISTILL_FLOAT16] = {"F16", 2},
	[DISTILL_INT8] = {"I8", 1}
};

/* One after the other, weighted, on axes that point to the farthest. */
static void
read_row(const DistillRows *rows, const double *weights, int64 number,
		 float *row)
{
	if (number % ROWS_PER_INTERRUPT == 0)
		CHECK_FOR_INTERRUPTS();
	distill_read(rows->file, row, sizeof(float) * rows->dims);
	for (int i = 0; i < rows->dims; i++)
	{
		bool		turned = rows->farthest != NULL && rows->farthest[i] < 0;
		double		value = row[i] * weights[number];

		row[i] = (float) (turned ? -value : value);
	}
}

/*
 * What makes the largest number 127.  It may be left out of the file: a
 * text's vector is made of length 1.
 */
static float
find_scale(const DistillRows *rows, const double *weights, float *row)
{
	float		largest = 0;

	distill_rewind(rows->file);
	for (int64 at = 0; at < rows->count; at++)
	{
		read_row(rows, weights, at, row);
		for (int i = 0; i < rows->dims; i++)
			largest = Max(largest, fabsf(row[i]));
	}
	return largest > 0 ? largest / MOST_INT8 : 1;
}

static void
narrow_row(int dims, DistillElement element, float scale, const float *row,
		   void *to)
{
	if (element == DISTILL_FLOAT32)
		memcpy(to, row, sizeof(float) * dims);
	else if (element == DISTILL_FLOAT16)
		float_to_half_kernel(dims, row, to);
	else
	{
		for (int i = 0; i < dims; i++)
			((int8 *) to)[i] = (int8) rintf(row[i] / scale);
	}
}

static bool
read_file(void *context, uint64_t offset, void *buffer, size_t length)
{
	if (BufFileSeek(context, 0, (off_t) offset, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file")));
	distill_read(context, buffer, length);
	return true;
}

/* The head: its length in eight bytes, then JSON, filled up with blanks. */
static Size
write_head(BufFile *file, const DistillRows *rows, DistillElement element)
{
	uint64		bytes = (uint64) rows->count * rows->dims *
						elements[element].bytes;
	char	   *json = psprintf("{\"embeddings\":{\"dtype\":\"%s\",\"shape\":[" INT64_FORMAT ",%d],\"data_offsets\":[0," UINT64_FORMAT "]}}",
								elements[element].name, rows->count,
								rows->dims, bytes);
	Size		length = strlen(json);
	Size		padded = TYPEALIGN(8, length);
	unsigned char number[8];
	char	   *text = palloc(padded);

	for (int i = 0; i < 8; i++)
		number[i] = (unsigned char) (padded >> (8 * i));
	memset(text, ' ', padded);
	memcpy(text, json, length);
	BufFileWrite(file, number, sizeof(number));
	BufFileWrite(file, text, padded);
	return sizeof(number) + padded + bytes;
}

BufFile *
distill_write(const DistillRows *rows, const double *weights,
			  DistillElement element, Progress *progress, FormatFile *file)
{
	BufFile    *written = BufFileCreateTemp(false);
	float	   *row = palloc(sizeof(float) * rows->dims);
	void	   *narrow = palloc(sizeof(float) * rows->dims);
	float		scale = 1;
	Size		size;

	distance_init();
	progress_phase(progress, "weighing vectors", (double) rows->count);
	if (element == DISTILL_INT8)
		scale = find_scale(rows, weights, row);
	size = write_head(written, rows, element);
	distill_rewind(rows->file);
	for (int64 at = 0; at < rows->count; at++)
	{
		read_row(rows, weights, at, row);
		narrow_row(rows->dims, element, scale, row, narrow);
		BufFileWrite(written, narrow, (Size) rows->dims *
					 elements[element].bytes);
		progress_update(progress, (double) (at + 1), NAN);
	}
	BufFileClose(rows->file);
	*file = format_file(read_file, written, size);
	pfree(row);
	pfree(narrow);
	return written;
}
