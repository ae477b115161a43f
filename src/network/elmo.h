/*-------------------------------------------------------------------------
 *
 * elmo.h
 *	  ELMo: vectors of words in their sentence, from characters.
 *
 * Peters et al. 2018 (arXiv 1802.05365).  Words become vectors by their
 * characters alone (layer 0); layers of LSTM cells read these from the first
 * word to the last, and others, of their own, from the last to the first.  A
 * word's vector in a layer is what both give for it, one behind the other.
 *
 * How it is used: elmo_plan; once elmo_pack, into a flat form that may lie in
 * a memory map; elmo_open for each use of that form; elmo_words for the
 * distinct words of some texts; elmo_layers for the texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_H
#define NETWORK_ELMO_H

#include "format/elmo_files.h"
#include "network/character_encoder.h"
#include "network/lstm.h"

#define ELMO_MESSAGE 200

/* What the packed form holds, and where: in the order of its bytes. */
typedef struct ElmoPlace
{
	char		name[80];		/* of the tensor in files */
	size_t		offset;
	size_t		bytes;
	bool		is_matrix;
	ProductPrecision precision;
	int			inner;			/* of a matrix: sums run over the first
								 * dimensions of the tensor */
	int			outer;			/* or floats of a table */
	uint64_t	skip;			/* elements of the tensor before it */
	int			gates;			/* the outputs are so many parts, each in
								 * whole panels */
	bool		forget;			/* one is added to the third of the gates */
} ElmoPlace;

#define ELMO_PLACES \
	(1 + 2 * ELMO_MAX_FILTERS + 4 * ELMO_MAX_HIGHWAYS + 2 + \
	 2 * 4 * ELMO_MAX_LAYERS)

typedef struct ElmoPlan
{
	ElmoOptions options;
	ProductPrecision precision;
	int			place_count;
	ElmoPlace	places[ELMO_PLACES];
	size_t		bytes;			/* of the packed form */
} ElmoPlan;

/* False, with a message, if the kernels cannot take a model of this size. */
extern bool elmo_plan(ElmoPlan *plan, const ElmoOptions *options,
					  ProductPrecision precision, char message[ELMO_MESSAGE]);

/*
 * Packing.  read: hands on the elements from "first" on, "count" of them, of a
 * tensor, in pieces of any size.  write: takes the bytes of the packed form,
 * one after the other.  False stops.
 */
typedef void (*ElmoReceive) (void *receiver, const float *values,
							 size_t count);

typedef struct ElmoFiles
{
	bool (*read) (void *argument, const char *name, uint64_t first,
				  uint64_t count, ElmoReceive receive, void *receiver);
	bool		(*write) (void *argument, const void *bytes, size_t size);
	void	   *argument;
} ElmoFiles;

/* memory: elmo_pack_bytes bytes, aligned to PRODUCT_ALIGNMENT. */
extern size_t elmo_pack_bytes(const ElmoPlan *plan);
extern bool elmo_pack(const ElmoPlan *plan, const ElmoFiles *files,
					  void *memory);

/* The packed form, ready for use. */
typedef struct Elmo
{
	int			layers;			/* of LSTM cells */
	int			dims;			/* of a word: two times the projection */
	CharacterEncoder encoder;
	LstmLayer	lstm[2][ELMO_MAX_LAYERS];
} Elmo;

/* False: it is the form of another plan, or of other kernels. */
extern bool elmo_open(Elmo *elmo, const ElmoPlan *plan, const void *packed,
					  size_t size);

/*
 * Texts, as rows of words.  Rows 0 and 1 of the words are the marks of a
 * text's begin and end, CHARACTER_TEXT_BEGIN and CHARACTER_TEXT_END.
 */
typedef struct ElmoTexts
{
	int			count;
	const int32_t *offsets;		/* text t: words from offsets[t] to
								 * offsets[t + 1] - 1 */
	const int32_t *rows;
	const float *words;			/* rows of layer 0, dims / 2 floats each */
	bool		last_marks;		/* is the mark that a direction reads last
								 * wanted?  No word depends on it. */
} ElmoTexts;

/*
 * States of all layers, first those that read forwards: cells, then state, of
 * each.
 */
extern size_t elmo_state_floats(const Elmo *elmo);

/*
 * What the layers give for each word and for the two marks around each text:
 * row offsets[t] + 2 t of "to" is the first mark of text t.  A row has the
 * vectors of layer 1, 2 and so on.  Without last_marks the backward half of a
 * first mark and the forward half of a last one are not written.
 *
 * start: a state that every text begins with, or NULL: zeros.  end: receives
 * the state after the text's end, if there is one and last_marks; or NULL.
 * scratch: elmo_scratch_bytes for so many words and texts, aligned.  False if
 * it was interrupted.
 */
extern size_t elmo_scratch_bytes(const Elmo *elmo, int words, int texts);
extern bool elmo_layers(const Elmo *elmo, const ElmoTexts *texts, float *to,
						const float *start, float *end, void *scratch,
						ProductInterrupt *interrupt);

#endif							/* NETWORK_ELMO_H */
