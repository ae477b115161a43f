/*-------------------------------------------------------------------------
 *
 * inverted_search.c
 *	  Searching the segments of an inverted index for the best documents.
 *
 * A pass finds the "wanted" documents of greatest bound on their score, with
 * term-at-a-time accumulation in chunks of 4,096 documents and block-max
 * pruning between chunks:
 *
 * The documents of a segment are taken a window at a time, as many as work_mem
 * allows.  Lists with few postings in the window are unpacked at once; of the
 * others only the headers of their blocks are read.  Both give, for each range
 * of 256 documents, an upper bound of what any document in it can score, as in
 * block-max pruning (Mallia, Suel and Tonellotto, SIGIR 2024).  Chunks are
 * then scored in the order of their bounds, and as soon as a chunk's bound
 * falls below the threshold, which is the worst of the best found so far, the
 * window is done.  Within a chunk, blocks of long lists that lie wholly in
 * ranges of too small a bound are not read.
 *
 * The threshold of the first pass starts from the weights stored in the
 * summaries of lists.  It need not be right: a pass reports the bound of all
 * that it left out, and the scan asks for another pass when it must know more.
 *
 * Scores are accumulated in float32.  "slack" covers the rounding of these
 * sums, of the bounds, and of the operator's own kernel.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "index/inverted/inverted_search_lists.h"

bool
candidate_before(const Candidate *a, const Candidate *b)
{
	if (a->bound != b->bound)
		return a->bound > b->bound;
	if (a->segment != b->segment)
		return a->segment < b->segment;
	return a->document < b->document;
}

void
search_begin(Searcher *searcher)
{
	searcher->scores = palloc(sizeof(float) * CHUNK);
	for (int i = 0; i < CHUNK; i++)
		searcher->scores[i] = -0.0f;
	searcher->window_context = AllocSetContextCreate(CurrentMemoryContext,
													 "inverted window",
													 ALLOCSET_DEFAULT_SIZES);
}

/* ---------- a chunk ---------- */

/* Add up the scores of a list that has been unpacked. */
static void
score_unpacked(float *scores, const SearchList *list, uint32 chunk)
{
	const uint32 *document = list->document;
	const float *score = list->score;
	uint32		end = list->start[chunk + 1];

	for (uint32 i = list->start[chunk]; i < end; i++)
		scores[document[i] % CHUNK] += score[i];
}

/* The first block that may reach to "document" or behind */
static uint32
first_block_at(const SearchList *list, uint32 document)
{
	uint32		low = 0;
	uint32		high = list->headers;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (list->header[middle].first <= document)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? 0 : low - 1;
}

/*
 * Add up the scores of a dense list's blocks that reach into a chunk and into
 * one of its living ranges.
 */
static bool
score_dense(Window *window, const SearchList *list, uint32 begin, uint32 end,
			uint64 living)
{
	PostingPage page = {InvalidBuffer};
	float	   *scores = window->searcher->scores;
	uint32		document[POSTING_BLOCK];
	float		score[POSTING_BLOCK];

	for (uint32 i = first_block_at(list, begin);
		 i < list->headers && list->header[i].first < end; i++)
	{
		const PostingHeader *header = &list->header[i];
		uint32		reach = list_block_end(window, list, i);
		uint32		from,
					to;
		const uint8 *packed;

		if (reach <= begin)
			continue;
		from = (Max(header->first, begin) - begin) / RANGE;
		to = (Min(reach, end) - 1 - begin) / RANGE;
		if ((living >> from & (PG_UINT64_MAX >> (63 - (to - from)))) == 0)
			continue;
		packed = posting_page_block(window, &page, header);
		if (packed == NULL)
			return false;
		posting_documents(header, packed, document);
		posting_scores(header, packed, list->factor, score);
		if (header->last == POSTING_BLOCK - 1 && header->first >= begin &&
			i + 1 < list->headers && reach <= end)
		{
			/*
			 * Wholly inside, as the next block tells: the window's last block
			 * may go on behind its end.  The remainder keeps damage inside as
			 * well.
			 */
			for (int j = 0; j < POSTING_BLOCK; j++)
				scores[(document[j] - begin) % CHUNK] += score[j];
		}
		else
		{
			for (int j = 0; j <= header->last; j++)
			{
				if (document[j] - begin < end - begin)
					scores[document[j] - begin] += score[j];
			}
		}
	}
	posting_page_release(&page);
	return true;
}

/* ---------- candidates ---------- */

static int
compare_candidates(const void *a, const void *b)
{
	if (candidate_before(a, b))
		return -1;
	return candidate_before(b, a) ? 1 : 0;
}

/* Keep the "wanted" best; the last of them is the threshold for all others. */
static void
keep_best(Searcher *searcher)
{
	qsort(searcher->candidate, searcher->count, sizeof(Candidate),
		  compare_candidates);
	if (searcher->count > searcher->wanted)
	{
		searcher->count = searcher->wanted;
		searcher->threshold = searcher->candidate[searcher->wanted - 1];
		searcher->limited = true;
		searcher->more = true;
	}
}

static void
add_candidate(Searcher *searcher, const Candidate *candidate)
{
	if (searcher->continues && !candidate_before(&searcher->after, candidate))
		return;
	if (searcher->limited && candidate_before(&searcher->threshold, candidate))
		return;
	searcher->candidate[searcher->count++] = *candidate;
	if (searcher->count == searcher->capacity)
		keep_best(searcher);
}

/* The least accumulated score that can pass the threshold */
static float
least_score(const Searcher *searcher, const SearchSegment *target)
{
	float		least;

	if (!searcher->limited)
		return -INFINITY;
	least = (float) (searcher->threshold.bound - searcher->offset -
					 target->slack);
	return nextafterf(least, -INFINITY);
}

/* Collect the candidates of a chunk whose scores are complete. */
static void
harvest_chunk(Window *window, uint32 begin, uint32 end)
{
	Searcher   *searcher = window->searcher;
	uint16		place[CHUNK];
	float		copy[CHUNK];
	int			found;

	memcpy(copy, searcher->scores, sizeof(float) * CHUNK);
	found = posting_harvest(searcher->scores, CHUNK,
							least_score(searcher, window->target), place);
	for (int i = 0; i < found; i++)
	{
		Candidate	candidate = {0};

		if (place[i] >= end - begin)
			break;
		candidate.bound = (double) copy[place[i]] + window->target->slack +
						  searcher->offset;
		candidate.document = begin + place[i];
		candidate.segment = (uint16) window->segment;
		candidate.exact = window->target->exact;
		add_candidate(searcher, &candidate);
	}
}

typedef struct ChunkBound
{
	float		bound;
	uint32		chunk;
} ChunkBound;

static int
compare_chunks(const void *a, const void *b)
{
	const ChunkBound *x = a;
	const ChunkBound *y = b;

	if (x->bound != y->bound)
		return x->bound > y->bound ? -1 : 1;
	return x->chunk < y->chunk ? -1 : 1;
}

/* Can a document of this bound still be a candidate? */
static bool
can_pass(const Searcher *searcher, const SearchSegment *target, float bound)
{
	return !searcher->limited ||
		   (double) bound + 2 * target->slack + searcher->offset >=
			   searcher->threshold.bound;
}

static bool
score_chunk(Window *window, uint32 chunk)
{
	SearchSegment *target = window->target;
	uint32		begin = window->begin + chunk * CHUNK;
	uint32		end = Min(begin + CHUNK, window->end);
	uint64		living = 0;

	for (uint32 i = 0; i < CHUNK_RANGES; i++)
	{
		if (can_pass(window->searcher, target,
					 window->bound[chunk * CHUNK_RANGES + i]))
			living |= UINT64CONST(1) << i;
	}
	for (int i = 0; i < target->lists; i++)
	{
		if (!target->list[i].dense)
			score_unpacked(window->searcher->scores, &target->list[i], chunk);
		else if (!score_dense(window, &target->list[i], begin, end, living))
			return false;
	}
	harvest_chunk(window, begin, end);
	return true;
}

static bool
search_window(Window *window)
{
	SearchSegment *target = window->target;
	ChunkBound *order;

	window->chunks = (window->end - window->begin + CHUNK - 1) / CHUNK;
	window->bound = palloc0(sizeof(float) * window->chunks * CHUNK_RANGES);
	for (int i = 0; i < target->lists; i++)
	{
		SearchList *list = &target->list[i];

		if (list->dense)
		{
			if (!list_load_headers(window, list))
				return false;
			list_bound_by_headers(window, list);
		}
		else if (!list_unpack(window, list))
			return false;
	}

	order = palloc(sizeof(ChunkBound) * window->chunks);
	for (uint32 i = 0; i < window->chunks; i++)
	{
		order[i].chunk = i;
		order[i].bound = 0;
		for (int j = 0; j < CHUNK_RANGES; j++)
			order[i].bound = Max(order[i].bound,
								 window->bound[i * CHUNK_RANGES + j]);
	}
	qsort(order, window->chunks, sizeof(ChunkBound), compare_chunks);
	for (uint32 i = 0; i < window->chunks; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!can_pass(window->searcher, target, order[i].bound))
			break;
		if (!score_chunk(window, order[i].chunk))
			return false;
	}
	return true;
}

/* Call "step" for each window of a segment. */
static bool
for_each_window(Searcher *searcher, int number, bool (*step) (Window *))
{
	SearchSegment *target = &searcher->segment[number];
	MemoryContext old;
	bool		alive = true;

	if (target->lists == 0)
		return true;
	for (int i = 0; i < target->lists; i++)
		target->list[i].cursor = 0;
	old = MemoryContextSwitchTo(searcher->window_context);
	for (uint32 begin = 0; alive && begin < target->segment.root.documents;
		 begin += target->window)
	{
		Window		window = {searcher, target, number, begin};

		window.end = Min(begin + target->window,
						 target->segment.root.documents);
		alive = step(&window);
		MemoryContextReset(searcher->window_context);
	}
	MemoryContextSwitchTo(old);
	return alive;
}

/* ---------- passes ---------- */

/*
 * A first threshold: "wanted" documents score at least this because of one
 * list alone, whatever the other lists take away.
 */
static void
seed_threshold(Searcher *searcher)
{
	double		best = -INFINITY;
	int			rank = 0;

	while (rank < INVERTED_SEEDS &&
		   inverted_seed_rank[rank] < searcher->wanted)
		rank++;
	if (rank == INVERTED_SEEDS)
		return;
	for (int i = 0; i < searcher->segments; i++)
	{
		SearchSegment *target = &searcher->segment[i];

		for (int j = 0; j < target->lists; j++)
		{
			SearchList *list = &target->list[j];

			if (TERM_IS_LONG(&list->list.term) && list->factor > 0 &&
				list->list.summary.seed[rank] > 0)
				best = Max(best, (double) list->factor *
										 list->list.summary.seed[rank] +
									 target->negative - target->slack);
		}
	}
	if (best > 0)
	{
		searcher->threshold.bound = best + searcher->offset;
		searcher->threshold.segment = PG_UINT16_MAX;
		searcher->threshold.document = CANDIDATE_END;
		searcher->limited = true;
		searcher->more = true;
	}
}

/*
 * Find the "wanted" best documents, of those that share a term with the
 * query, behind "after" if that is not NULL.
 *
 * Fills in candidate and count, best first; if others follow, "more" is set
 * and all of them come after "last".  False if a segment is gone.
 */
bool
search_pass(Searcher *searcher, uint32 wanted, const Candidate *after)
{
	if (searcher->candidate == NULL || searcher->capacity < 2 * wanted)
	{
		if (searcher->candidate != NULL)
			pfree(searcher->candidate);
		searcher->candidate = MemoryContextAllocHuge(
			CurrentMemoryContext, sizeof(Candidate) * 2 * (Size) wanted);
	}
	searcher->capacity = 2 * wanted;
	searcher->wanted = wanted;
	searcher->count = 0;
	searcher->more = false;
	searcher->limited = false;
	searcher->continues = after != NULL;
	if (after != NULL)
		searcher->after = *after;

	for (int i = 0; i < searcher->segments; i++)
	{
		if (!lists_resolve(searcher, &searcher->segment[i]))
			return false;
	}
	if (after == NULL)
		seed_threshold(searcher);
	for (int i = 0; i < searcher->segments; i++)
	{
		if (!for_each_window(searcher, i, search_window))
			return false;
	}

	keep_best(searcher);
	if (searcher->more)
		searcher->last = searcher->threshold;
	last_index_scan.rounds++;
	return true;
}

/* ---------- which documents share a term with the query ---------- */

static bool
mark_window(Window *window)
{
	SearchSegment *target = window->target;

	window->chunks = (window->end - window->begin + CHUNK - 1) / CHUNK;
	window->bound = palloc0(sizeof(float) * window->chunks * CHUNK_RANGES);
	for (int i = 0; i < target->lists; i++)
	{
		SearchList *list = &target->list[i];

		if (!list_unpack(window, list))
			return false;
		for (uint32 j = 0; j < list->start[window->chunks]; j++)
		{
			uint32		document = window->begin + list->document[j];

			window->searcher->touched[document >> 6] |= UINT64CONST(1)
														<< (document & 63);
		}
		pfree(list->document);
		pfree(list->score);
		pfree(list->start);
	}
	return true;
}

/*
 * Set the bit of each document of a segment that shares a term with the
 * query.  False if the segment is gone.
 */
bool
search_touched(Searcher *searcher, int segment, uint64 *touched)
{
	if (!lists_resolve(searcher, &searcher->segment[segment]))
		return false;
	searcher->touched = touched;
	return for_each_window(searcher, segment, mark_window);
}
