/*-------------------------------------------------------------------------
 *
 * inverted_search_lists.h
 *	  The lists of a query in a window of a segment's documents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_SEARCH_LISTS_H
#define INVERTED_SEARCH_LISTS_H

#include "index/inverted/inverted_search.h"

#define CHUNK				16384	/* documents scored at a time */
#define RANGE				256		/* documents with a common bound */
#define CHUNK_RANGES		(CHUNK / RANGE)

struct SearchList
{
	InvertedList list;
	float		factor;

	/* in the window at hand */
	bool		dense;
	uint32		cursor;			/* first block that may reach into it */
	uint32		first_block;	/* number of header[0] in the list */
	uint32		headers;
	PostingHeader *header;
	uint32	   *document;		/* unpacked, relative to the window */
	float	   *score;
	uint32	   *start;			/* first of each chunk, and the end */
};

typedef struct Window
{
	Searcher   *searcher;
	SearchSegment *target;
	int			segment;		/* its number */
	uint32		begin;
	uint32		end;
	uint32		chunks;
	float	   *bound;			/* of each range */
} Window;

/* A page of postings kept locked while neighbouring blocks are read */
typedef struct PostingPage
{
	Buffer		buffer;
	Page		page;
	uint32		number;
} PostingPage;

extern bool lists_resolve(Searcher *searcher, SearchSegment *target);
extern bool list_load_headers(Window *window, SearchList *list);
extern void list_bound_by_headers(Window *window, const SearchList *list);
extern uint32 list_block_end(const Window *window, const SearchList *list,
							 uint32 block);
extern bool list_unpack(Window *window, SearchList *list);
extern const uint8 *posting_page_block(Window *window, PostingPage *page,
									   const PostingHeader *header);
extern void posting_page_release(PostingPage *page);

#endif							/* INVERTED_SEARCH_LISTS_H */
