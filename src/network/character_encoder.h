/*-------------------------------------------------------------------------
 *
 * character_encoder.h
 *	  A vector of a word from its characters: convolutions of several widths,
 *	  their largest values, highway layers, a projection.
 *
 * Kim, Jernite, Sontag and Rush 2016 (arXiv 1508.06615); characters are the
 * bytes of UTF-8, as bilm-tf has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_CHARACTER_ENCODER_H
#define NETWORK_CHARACTER_ENCODER_H

#include "math/product.h"

#define CHARACTER_FILTERS 32
#define CHARACTER_HIGHWAYS 8

/* What follows the 256 bytes. */
#define CHARACTER_BEGIN_TEXT 256
#define CHARACTER_END_TEXT 257
#define CHARACTER_BEGIN_WORD 258
#define CHARACTER_END_WORD 259
#define CHARACTER_PADDING 260
#define CHARACTER_COUNT 261

/* The words that stand for the begin and the end of a text. */
#define CHARACTER_TEXT_BEGIN "<S>"
#define CHARACTER_TEXT_END "</S>"

typedef struct CharacterEncoder
{
	int			dims;			/* of a character */
	int			most;			/* characters of a word, its marks with them */
	int			filter_count;
	int			width[CHARACTER_FILTERS];
	int			features;		/* of all filters */
	int			highways;
	int			out;
	Activation	activation;		/* of the largest values */
	const float *characters;	/* CHARACTER_COUNT rows */
	ProductMatrix filter[CHARACTER_FILTERS];	/* floats; inner is width x
												 * dims */
	ProductMatrix carry[CHARACTER_HIGHWAYS];
	ProductMatrix transform[CHARACTER_HIGHWAYS];
	ProductMatrix projection;
} CharacterEncoder;

typedef struct CharacterWord
{
	const char *text;			/* UTF-8 */
	size_t		length;
} CharacterWord;

/*
 * The characters of a word, without padding: as many of its bytes as find
 * room between the two marks, wherever that cuts.  Returns how many.
 */
extern int	character_ids(const CharacterWord *word, int most, int16_t *ids);

/* So many words are encoded at once. */
#define CHARACTER_WORDS 96

extern size_t character_scratch_bytes(const CharacterEncoder *encoder);

/*
 * One row of "out" floats for each word, "stride" floats apart.  A word's row
 * depends on that word alone.
 *
 * scratch: character_scratch_bytes, aligned to PRODUCT_ALIGNMENT.  False if it
 * was interrupted.
 */
extern bool character_encode(const CharacterEncoder *encoder, int words,
							 const CharacterWord *word, float *to,
							 size_t stride, void *scratch,
							 ProductInterrupt *interrupt);

#endif							/* NETWORK_CHARACTER_ENCODER_H */
