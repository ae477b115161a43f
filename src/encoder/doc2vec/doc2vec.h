/*-------------------------------------------------------------------------
 *
 * doc2vec.h
 *	  The room of doc2vec: vectors of documents that are trained, not pooled.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOC2VEC_DOC2VEC_H
#define DOC2VEC_DOC2VEC_H

#include "server/server.h"

#include "encoder/word2vec/word2vec.h"
#include "encoder/words/word_model.h"
#include "model/model.h"

/*
 * The bucket (see word_model.h) that holds the output row of a word, where
 * that is not the word's own vector.
 */
static inline int32
doc2vec_bucket(int32 word_id)
{
	return word_id;
}

/* doc2vec_method.c */
extern const char *const doc2vec_methods[];
extern const OptionDeclaration doc2vec_options[];
extern const ModelMethod doc2vec_method;
extern void doc2vec_init(void); /* called from _PG_init */

/*
 * What a model's options say of its rows: SGD_DOCUMENT_ALONE has one vector a
 * word, which is its output row; the others have an input and an output row.
 */
extern SgdDocuments doc2vec_documents(bool in_window, bool train_words);
extern SgdDocuments
doc2vec_documents_of(const ModelDescription *description);

#endif							/* DOC2VEC_DOC2VEC_H */
