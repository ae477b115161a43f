/*-------------------------------------------------------------------------
 *
 * inverted_search.h
 *	  Searching the segments of an inverted index for the best documents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_SEARCH_H
#define INVERTED_SEARCH_H

#include "index/inverted/inverted.h"

/* A query, prepared */
typedef struct SearchQuery
{
	int			metric;
	int			count;
	const int32 *term;			/* ascending */
	float	   *factor;			/* weights, normalized for cosine */
	bool		integers;		/* all factors are integers */
} SearchQuery;

/*
 * A document that may be among the best: its score is at most "bound".  Among
 * equals, the older document comes first: segments and the documents in them
 * are in order of birth.
 */
typedef struct Candidate
{
	double		bound;
	uint32		document;
	uint16		segment;
	bool		exact;			/* the score is the bound */
} Candidate;

/* What a query needs of a list of postings; see inverted_search.c */
typedef struct SearchList SearchList;

typedef struct SearchSegment
{
	InvertedSegment segment;
	bool		resolved;
	int			lists;
	SearchList *list;
	double		slack;			/* rounding of bounds and of the exact
								 * kernel */
	double		negative;		/* the least that all lists can add up to */
	bool		exact;			/* bounds are the scores */
	uint32		window;			/* documents at a time */
} SearchSegment;

typedef struct Searcher
{
	Relation	index;
	SearchQuery query;
	int			segments;
	SearchSegment *segment;
	double		offset;			/* score of a document that shares no term */

	/* result of a pass, best first */
	Candidate  *candidate;
	uint32		count;
	uint32		capacity;
	uint32		wanted;
	bool		more;			/* others follow, all after "last" */
	Candidate	last;

	/* the pass under way */
	bool		continues;		/* only what comes after "after" counts */
	Candidate	after;
	bool		limited;		/* only what is not behind "threshold"
								 * counts */
	Candidate	threshold;
	float	   *scores;
	uint64	   *touched;		/* for search_touched */
	MemoryContext window_context;
} Searcher;

#define CANDIDATE_END		PG_UINT32_MAX	/* document of a key behind all of
											 * equal bound */

extern bool candidate_before(const Candidate *a, const Candidate *b);
extern void search_begin(Searcher *searcher);
extern bool search_pass(Searcher *searcher, uint32 wanted,
						const Candidate *after);
extern bool search_touched(Searcher *searcher, int segment, uint64 *touched);

#endif							/* INVERTED_SEARCH_H */
