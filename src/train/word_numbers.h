/*-------------------------------------------------------------------------
 *
 * word_numbers.h
 *	  The words of a training, numbered as they first appear.
 *
 * While a training reads, it numbers and counts its words; at the end the
 * vocabulary is chosen, and the numbers become ids: most frequent first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_WORD_NUMBERS_H
#define TRAIN_WORD_NUMBERS_H

#include "server/server.h"

#include "text/text_table.h"
#include "train/encode_corpus.h"

/* elements are of EncodedWord */
typedef TextTable WordNumbers;

/* Known words have the first numbers, and are chosen whatever their count. */
extern void word_numbers_init(WordNumbers *numbers, const EncodedWord *known,
							  int32 known_words);

/*
 * Number of a word, which is entered when it is new; an error when the words
 * need more than maintenance_work_mem.
 */
extern uint32 word_number(WordNumbers *numbers, const char *text, int length,
						  uint64 hash);

static inline EncodedWord *
word_of_number(const WordNumbers *numbers, uint32 number)
{
	return (EncodedWord *) numbers->elements + number;
}

/*
 * Choose and order the vocabulary, which goes into encoded with the number of
 * its tokens; returns the id of each word by number, -1 for those left out.
 */
extern int32 *word_numbers_choose(const WordNumbers *numbers, int64 min_count,
								  EncodedCorpus *encoded);

/* The texts stay: a vocabulary that was chosen points to them. */
extern void word_numbers_free(WordNumbers *numbers);

#endif							/* TRAIN_WORD_NUMBERS_H */
