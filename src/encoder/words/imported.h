/*-------------------------------------------------------------------------
 *
 * imported.h
 *	  Methods of models that other programs trained.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_IMPORTED_H
#define WORDS_IMPORTED_H

#include "server/server.h"

#include "format/word_vectors.h"
#include "model/model.h"

/* The method of a file: word2vec, glove or fasttext */
extern const ModelMethod *imported_method(WordVectorsKind kind);

extern void imported_init(void);	/* called from _PG_init */

#endif							/* WORDS_IMPORTED_H */
