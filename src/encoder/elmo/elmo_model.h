/*-------------------------------------------------------------------------
 *
 * elmo_model.h
 *	  The method "elmo": a vector for a word in its sentence.
 *
 * The network is src/network's; this room makes an image of a folder, turns
 * texts into rows of words, and what the layers give into vectors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ELMO_ELMO_MODEL_H
#define ELMO_ELMO_MODEL_H

#include "encoder/network/network.h"
#include "model/encoder.h"
#include "network/elmo.h"
#include "text/text_table.h"
#include "text/token.h"

/* sections of the image after those of the network room, which are empty */
enum
{
	ELMO_SECTION_OPTIONS = NETWORK_SECTIONS,	/* one ElmoImageOptions */
	ELMO_SECTION_PACKED,		/* of elmo_pack */
	ELMO_SECTION_START,			/* floats of a state, or empty */
	ELMO_SECTIONS
};

typedef struct ElmoImageOptions
{
	ElmoOptions options;
	ProductPrecision precision;
} ElmoImageOptions;

/* Its floats, and how the file is called and begins. */
#define ELMO_STATE_FILE "warm_state.f32"
#define ELMO_STATE_MAGIC "ELMOWARM"
#define ELMO_STATE_MAGIC_BYTES 8

static inline Size
elmo_start_floats(const ElmoOptions *options)
{
	return 2 * (Size) options->layers *
		((Size) options->cells + (Size) options->projection);
}

#define ELMO_MOST_MIXED (ELMO_MAX_LAYERS + 1)

/*
 * How layers become one vector: gamma times the sum of the softmax of s, times
 * the layers (Peters et al. 2018, equation 1).
 */
typedef struct ElmoMix
{
	int			count;			/* layers, that of the words with them */
	double		weight[ELMO_MOST_MIXED];	/* gamma in it; 0: left out */
	bool		norm;			/* each layer has mean 0 and variance 1
								 * before */
} ElmoMix;

/* What a caller says of the mix; the model says the rest. */
typedef struct ElmoMixRequest
{
	const int  *layers;			/* those that take part, or NULL: all */
	int			layer_count;
	const double *weights;		/* s of each of them, or NULL */
	int			weight_count;
	const double *gamma;		/* or NULL */
	const bool *norm;			/* or NULL */
} ElmoMixRequest;

/* The model of a call site. */
typedef struct ElmoSite
{
	MemoryContext context;		/* of all below; reset with the model */
	const Model *model;
	uint64		version;		/* 0: nothing below is there */
	const char *pooling;		/* of the model */
	const void *packed;			/* what "elmo" was opened from */
	ElmoPlan	plan;
	Elmo		elmo;
	const float *start;			/* the state that texts begin with, or NULL:
								 * zeros */
	TokenStream *stream;
	int			window;			/* most words that the layers read at once */

	/* words seen at this call site, and their rows of layer 0 */
	TextTable	words;
	float	   *rows;
	Size		row_capacity;
	Size		computed;		/* of the table's words, the first */
	Size		most_words;
} ElmoSite;

extern ElmoSite *elmo_site(FmgrInfo *flinfo, Model *model, void **state);

/* The mix of a model, with what a caller wants otherwise. */
extern void elmo_mix(const ElmoSite *site, const ElmoMixRequest *request,
					 ElmoMix *mix);

/*
 * A text, or a window of it, as the layers have read it.
 */
typedef struct ElmoPiece
{
	const ElmoSite *site;
	int			text;			/* which */
	int			first;			/* words of the text before it */
	int			words;
	const int32 *rows;			/* words of the site's table */
	const int32 *positions;		/* in the text */
	const float *layers;		/* of the mark before the first word, see
								 * elmo_layers */
} ElmoPiece;

/*
 * Words have numbers, those of the two marks first (elmo_add_marks); their
 * characters are palloc'd if the server's encoding is not UTF-8.
 */
extern void elmo_add_marks(TextTable *table);
extern int32 elmo_word_number(TextTable *table, const char *text, int length);
extern CharacterWord elmo_character_word(const TextTable *table,
										 int64 number);

typedef void (*ElmoTake) (void *argument, const ElmoPiece *piece);

/*
 * Calls "take" for each piece of the texts, in their order.  A text without
 * words has none.  marks: are the vectors of the two marks of a piece wanted?
 */
extern void elmo_read(ElmoSite *site, int count, const EncoderText *texts,
					  bool marks, ElmoTake take, void *argument);

/*
 * Reads a text as one that goes on from a state, which is that of its end
 * afterwards.
 */
extern void elmo_read_on(ElmoSite *site, const EncoderText *text,
						 float *state);

/*
 * The file of a folder that holds the state which texts begin with
 * (elmo_warm.c).  NULL: there is none.  Everything wrong with it is an error.
 */
extern float *elmo_start_of_folder(const NetworkFolder *network,
								   const ElmoOptions *options);

/* Half a row of a layer, 0 that of the words; direction 0 or 1. */
static inline const float *
elmo_half(const ElmoPiece *piece, int word, int layer, int direction)
{
	const Elmo *elmo = &piece->site->elmo;
	int			half = elmo->dims / 2;

	if (layer == 0)
	{
		int32		row = word < 0 ? 0 :
			word >= piece->words ? 1 : piece->rows[word];

		return piece->site->rows + (Size) row * half;
	}
	return piece->layers + ((Size) (word + 1) * elmo->layers + layer - 1) *
		elmo->dims + (Size) direction * half;
}

/* A mix, made ready for the words of a piece. */
typedef struct ElmoMixed
{
	const ElmoPiece *piece;
	const ElmoMix *mix;
	double		factor[ELMO_MOST_MIXED];
	double		shift;
} ElmoMixed;

extern void elmo_mixed_begin(ElmoMixed *mixed, const ElmoMix *mix,
							 const ElmoPiece *piece);
extern void elmo_mixed_row(const ElmoMixed *mixed, int word, float *to);

/* Vectors of texts by a mix; see Encoder. */
extern void elmo_embed_texts(ElmoSite *site, const ElmoMix *mix,
							 const char *pooling, int count,
							 const EncoderText *texts, float *rows,
							 bool *known);

/* The same of words; receive is called in their order. */
extern void elmo_embed_words(ElmoSite *site, const ElmoMix *mix,
							 const EncoderText *text,
							 EncoderReceiveToken receive, void *argument);

/* ---------- the mix, learned (tune_mix.c, elmo_tune.c) ---------- */

/* An error if a text's vector is not linear in its layers. */
extern void elmo_check_mix(const ElmoSite *site);
extern bool elmo_pooled_layers(ElmoSite *site, const EncoderText *text,
							   float *to);
extern void elmo_model_weights(const ElmoSite *site, double *weights,
							   int count);
extern const struct Tunable elmo_tunable;

extern const char *const elmo_poolings[];
extern const Encoder elmo_encoder;	/* elmo_encode.c */
extern const ModelMethod elmo_method;	/* elmo_method.c */

extern void elmo_init(void);

#endif							/* ELMO_ELMO_MODEL_H */
