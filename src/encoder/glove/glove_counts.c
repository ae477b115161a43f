/*-------------------------------------------------------------------------
 *
 * glove_counts.c
 *	  How often words occur together in the windows of a corpus.
 *
 * Most pairs that a window meets are of frequent words, and few in number:
 * they are counted in an array, which holds the pairs whose product of ranks
 * is small (as the program of Pennington et al. does it).  All others are
 * sorted and added up.  Where windows are symmetric, a pair and its mirror
 * have the same count, so only the one with the more frequent word first is
 * counted.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/glove/glove.h"
#include "miscadmin.h"
#include "train/record_sort.h"
#include "utils/memutils.h"

/* of the memory; the rest is for sorting */
#define ARRAY_SHARE 0.5

typedef struct Counting
{
	bool		symmetric;
	int32		words;
	double	   *cells;
	int64	   *rows;			/* first cell of each row; words + 1 */
	RecordSort *rest;
} Counting;

/* ---------- the array of frequent pairs ---------- */

/* Columns of a row: from its first one to those whose product is too large */
static inline int64
row_cells(const Counting *counting, int64 product, int32 row)
{
	int64		end = Min(product / (row + 1), (int64) counting->words);

	return Max(end - (counting->symmetric ? row : 0), 0);
}

static int64
all_cells(const Counting *counting, int64 product, int64 most)
{
	int64		cells = 0;

	for (int32 row = 0; row < counting->words && cells <= most; row++)
	{
		int64		some = row_cells(counting, product, row);

		if (some == 0)
			break;
		cells += some;
	}
	return cells;
}

/* The largest product of ranks whose pairs fit. */
static int64
choose_product(const Counting *counting, int64 most)
{
	int64		low = 0;
	int64		high = (int64) counting->words * counting->words;

	while (low < high)
	{
		int64		middle = low + (high - low + 1) / 2;

		if (all_cells(counting, middle, most) <= most)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void
make_array(Counting *counting, Size memory)
{
	Size		rows = sizeof(int64) * ((Size) counting->words + 1);
	int64		cells = memory > rows ? (memory - rows) / sizeof(double) : 0;
	int64		product = choose_product(counting, cells);
	int64		at = 0;

	counting->rows = palloc_extended(rows, MCXT_ALLOC_HUGE);
	for (int32 row = 0; row < counting->words; row++)
	{
		counting->rows[row] = at;
		at += row_cells(counting, product, row);
	}
	counting->rows[counting->words] = at;
	counting->cells = palloc_extended(sizeof(double) * Max(at, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* ---------- counting ---------- */

static inline void
count_pair(Counting *counting, int32 word, int32 context, double weight)
{
	int64		column;

	if (counting->symmetric)
	{
		if (word == context)
			weight *= 2;
		else if (word > context)
		{
			int32		other = word;

			word = context;
			context = other;
		}
		column = context - word;
	}
	else
		column = context;
	column += counting->rows[word];
	if (column < counting->rows[word + 1])
		counting->cells[column] += weight;
	else
	{
		CountRecord record;

		record.key = (uint64) word * counting->words + context;
		record.count = weight;
		record_sort_put(counting->rest, &record);
	}
}

/*
 * Words from "first" on, with those before them.  Ends of documents stay
 * between the words: a window is over where it meets one.  weights: by
 * distance, from 1.
 */
static void
count_words(Counting *counting, const GloveWindow *window,
			const double *weights, const int32 *ids, int first, int count)
{
	for (int i = first; i < count; i++)
	{
		int			most = Min(window->size, i);

		for (int d = 1; d <= most && ids[i] != ENCODED_END; d++)
		{
			if (ids[i - d] == ENCODED_END)
				break;
			count_pair(counting, ids[i], ids[i - d], weights[d]);
		}
	}
}

static void
count_corpus(Counting *counting, const GloveWindow *window,
			 const EncodedCorpus *corpus, SharedFileSet *files,
			 Progress *progress)
{
	EncodedReader *reader = encoded_reader_open(files, corpus->ids);
	int64		slices = (corpus->ids + ENCODED_SLICE - 1) / ENCODED_SLICE;
	int32	   *ids = palloc(sizeof(int32) * (window->size + ENCODED_SLICE));
	double	   *weights = palloc(sizeof(double) * (window->size + 1));
	int			kept = 0;		/* words from the slice before */

	for (int d = 1; d <= window->size; d++)
		weights[d] = window->distance_weighting ? 1.0 / d : 1.0;
	for (int64 slice = 0; slice < slices; slice++)
	{
		int			count = encoded_reader_read(reader, slice, ids + kept);
		int			keep = Min(kept + count, window->size);

		count_words(counting, window, weights, ids, kept, kept + count);
		memmove(ids, ids + kept + count - keep, sizeof(int32) * keep);
		kept = keep;
		CHECK_FOR_INTERRUPTS();
		progress_update(progress, (double) slice * ENCODED_SLICE, NAN);
	}
	encoded_reader_close(reader);
	pfree(weights);
	pfree(ids);
}

/* ---------- giving ---------- */

static void
give_pair(const Counting *counting, int32 word, int32 context, double count,
		  GloveReceive receive, void *argument)
{
	receive(argument, word, context, count);
	if (counting->symmetric && word != context)
		receive(argument, context, word, count);
}

static void
give_array(Counting *counting, GloveReceive receive, void *argument)
{
	for (int32 row = 0; row < counting->words; row++)
	{
		const double *cells = counting->cells + counting->rows[row];
		int64		count = counting->rows[row + 1] - counting->rows[row];
		int32		first = counting->symmetric ? row : 0;

		for (int64 i = 0; i < count; i++)
			if (cells[i] > 0)
				give_pair(counting, row, first + (int32) i, cells[i], receive,
						  argument);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
give_rest(Counting *counting, GloveReceive receive, void *argument)
{
	const CountRecord *record;

	while ((record = record_sort_next(counting->rest)) != NULL)
		give_pair(counting, (int32) (record->key / counting->words),
				  (int32) (record->key % counting->words), record->count,
				  receive, argument);
}

void
glove_count(const GloveWindow *window, const EncodedCorpus *corpus,
			SharedFileSet *files, Size memory, Progress *progress,
			GloveReceive receive, void *argument)
{
	Counting	counting = {0};
	Size		array = (Size) (memory * ARRAY_SHARE);

	counting.symmetric = window->symmetric;
	counting.words = corpus->words;
	make_array(&counting, array);
	counting.rest = record_sort_begin(RECORDS_COUNTED, memory - array);
	progress_phase(progress, "counting co-occurrences", corpus->ids);
	count_corpus(&counting, window, corpus, files, progress);

	give_array(&counting, receive, argument);
	pfree(counting.cells);
	pfree(counting.rows);
	record_sort_finish(counting.rest);
	give_rest(&counting, receive, argument);
	record_sort_free(counting.rest);
}
