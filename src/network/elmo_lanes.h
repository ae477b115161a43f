/*-------------------------------------------------------------------------
 *
 * elmo_lanes.h
 *	  Texts dealt out to lanes, a window of steps at a time.
 *
 * A lane reads a text from its begin to its end, over as many windows as it
 * takes, then the next one that no lane has read: the order of texts alone
 * says which.  A text of n words is <S> w1 ... wn </S>: forwards n + 1 steps,
 * each of which predicts what comes next, and backwards as many.  States begin
 * anew with every text, as they do when the model is used.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_LANES_H
#define NETWORK_ELMO_LANES_H

#include <stdbool.h>
#include <stdint.h>

/* Tokens: the marks, then words by their id. */
#define ELMO_TOKEN_BEGIN 0
#define ELMO_TOKEN_END 1
#define ELMO_FIRST_WORD 2

typedef struct ElmoText
{
	int64_t		first;			/* where its words lie, for "read" */
	int32_t		words;
} ElmoText;

typedef struct ElmoLane
{
	ElmoText	text;
	int64_t		at;				/* steps of it that were read */
	bool		busy;
} ElmoLane;

typedef struct ElmoLanes
{
	/* set by the caller */
	int			count;
	int			steps;
	int64_t		texts;
	ElmoText	(*text) (void *argument, int64_t number);
	void		(*read) (void *argument, int64_t first, int count,
						 int32_t *words);
	void	   *argument;

	int64_t		next;			/* text */
	ElmoLane   *lanes;			/* "count" of them, zeros at first */
	int32_t    *buffer;			/* of steps + 1 words */

	/* the window: rows are lanes in a step, step by step */
	int32_t    *input[2];		/* tokens, forwards and backwards */
	int32_t    *target[2];		/* tokens, or -1 where nothing is read */
	uint8_t    *begins;			/* the same both ways */
	int64_t		targets;		/* of both directions */
} ElmoLanes;

/* Fills the window; false: all texts have been read. */
extern bool elmo_lanes_next(ElmoLanes *lanes);

#endif							/* NETWORK_ELMO_LANES_H */
