/*-------------------------------------------------------------------------
 *
 * murmur3.h
 *	  MurmurHash3, the 32-bit variant: what scikit-learn's HashingVectorizer
 *	  uses to give a term its column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_MURMUR3_H
#define VOCABULARY_MURMUR3_H

#include <stddef.h>
#include <stdint.h>

extern uint32_t murmur3_hash32(const void *bytes, size_t length,
							   uint32_t seed);

#endif							/* VOCABULARY_MURMUR3_H */
