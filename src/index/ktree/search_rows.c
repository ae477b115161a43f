/*-------------------------------------------------------------------------
 *
 * search_rows.c
 *	  The rows that a search knows by their four-bit codes, and which of them
 *	  set the threshold for all others.
 *
 * A code may be bad: its row lies far from the center it is relative to, and
 * its score errs by more than the scores of good codes differ.  The estimate
 * is unbiased, so that among many such rows some look very near.  Were the
 * places among the best given by the estimate alone, one leaf of bad codes
 * would take them all, and the threshold would shut out every good row.  So a
 * place is held by the worst that a row's score may be, and every row that may
 * be better than the worst place stays known.  Bad codes then cost exact
 * distances, never rows.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "utils/memutils.h"

#include "index/ktree/ktree_search.h"

/*
 * A score is taken as it is when it errs by less than this part of its size.
 */
#define GOOD_CODE		0.1f

static void
sink_seat(float *seats, int count, int at, float score)
{
	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && seats[child + 1] > seats[child])
			child++;
		if (seats[child] <= score)
			break;
		seats[at] = seats[child];
		at = child;
	}
	seats[at] = score;
}

/*
 * Put a score among the "limit" best, a max-heap of "count"; when all
 * places are taken it must be better than the worst.  Returns how many
 * there are.
 */
int
ktree_put_seat(float *seats, int count, int limit, float score)
{
	int			at = count;

	if (count == limit)
	{
		sink_seat(seats, count, 0, score);
		return count;
	}
	while (at > 0 && seats[(at - 1) / 2] < score)
	{
		seats[at] = seats[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	seats[at] = score;
	return count + 1;
}

/* Give a row one of the places, if it has a claim to one. */
static bool
take_seat(KtreeSearch *search, float score)
{
	if (search->seat_count == search->seat_limit)
	{
		if (!(score < search->seats[0]))
			return false;
	}
	else if (search->seat_count == search->seat_room)
	{
		search->seat_room *= 2;
		search->seats = repalloc_huge(
			search->seats, sizeof(float) * (Size) search->seat_room);
	}
	search->seat_count = ktree_put_seat(search->seats, search->seat_count,
										search->seat_limit, score);
	return true;
}

static Size
memory_used(const KtreeSearch *search)
{
	return sizeof(KtreeRow) * (Size) search->row_count +
		sizeof(float) * (Size) search->bounds_count +
		sizeof(KtreeVisited) * (Size) search->visited_count;
}

/* Keep only rows that may be among the best. */
static void
forget_rows(KtreeSearch *search)
{
	float		threshold = ktree_threshold(search);
	int			kept = 0;

	for (int i = 0; i < search->row_count; i++)
	{
		const KtreeRow *row = &search->rows[i];

		if (row->state != KTREE_ROW_DONE &&
			row->score - KTREE_WORST_DEVIATIONS * row->error <= threshold)
			search->rows[kept++] = *row;
	}
	search->row_count = kept;
	search->forgot = true;
}

/*
 * Remember a row.  size: of scores that matter, against which its error is
 * large or small
 */
void
ktree_keep_row(KtreeSearch *search, const KtreeRow *row, float size)
{
	KtreeRow   *kept;

	if (search->row_count == search->row_room)
	{
		if (memory_used(search) > search->memory &&
			search->seat_count == search->seat_limit)
			forget_rows(search);
		if (search->row_count > search->row_room / 2)
		{
			search->row_room *= 2;
			search->rows = repalloc_huge(
				search->rows, sizeof(KtreeRow) * (Size) search->row_room);
		}
	}
	kept = &search->rows[search->row_count++];
	*kept = *row;
	kept->bad = row->error > GOOD_CODE * size;
	if (take_seat(search, ktree_worst_score(kept)))
		search->last_change = Max(search->last_change, row->step);
}

/* Choose the best "limit" rows that are still to be handed out. */
void
ktree_fill_seats(KtreeSearch *search, int limit)
{
	search->seat_count = 0;
	search->seat_limit = limit;
	search->last_change = 0;
	for (int i = 0; i < search->row_count; i++)
	{
		const KtreeRow *row = &search->rows[i];

		if (row->state != KTREE_ROW_DONE)
			(void) take_seat(search, ktree_worst_score(row));
	}
	for (int i = 0; i < search->row_count; i++)
	{
		const KtreeRow *row = &search->rows[i];

		if (row->state != KTREE_ROW_DONE &&
			ktree_worst_score(row) <= ktree_threshold(search))
			search->last_change = Max(search->last_change, row->step);
	}
}

/* Room for the bounds of a leaf's rows; NULL when there is none. */
float *
ktree_new_bounds(KtreeSearch *search, KtreeLink link, int used)
{
	int			slots = (used + RABITQ_BLOCK - 1) / RABITQ_BLOCK *
						RABITQ_BLOCK;
	KtreeVisited *visited;

	if (search->visited_count == search->visited_room)
	{
		search->visited_room *= 2;
		search->visited = repalloc_huge(search->visited, sizeof(KtreeVisited) *
										(Size) search->visited_room);
	}
	visited = &search->visited[search->visited_count];
	if (memory_used(search) > search->memory)
		return NULL;
	if (search->bounds_count + slots > search->bounds_room)
	{
		search->bounds_room *= 2;
		search->bounds = repalloc_huge(search->bounds, sizeof(float) *
									   (Size) search->bounds_room);
	}
	visited->link = link;
	visited->used = used;
	visited->step = search->leaves;
	visited->bounds = search->bounds_count;
	search->visited_count++;
	search->bounds_count += slots;
	return search->bounds + visited->bounds;
}
