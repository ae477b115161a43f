/*-------------------------------------------------------------------------
 *
 * static.h
 *	  Static models: a vector for each token, and their mean for a text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STATIC_STATIC_H
#define STATIC_STATIC_H

#include "encoder/network/prompts.h"
#include "model/tunable.h"

/* sections of the image after those of the network room */
enum
{
	STATIC_SECTION_SETTINGS = NETWORK_SECTIONS,	/* one StaticSettings */
	STATIC_SECTION_MATRIX,		/* rows of stride elements, zero-padded */
	STATIC_SECTION_SCALES,		/* a float for each row, or empty */
	STATIC_SECTION_WEIGHTS,		/* a float for each token */
	STATIC_SECTION_ROWS,		/* the row of each token, or empty */
	STATIC_SECTION_PROMPTS,		/* see NetworkPrompts */
	STATIC_SECTIONS
};

typedef struct StaticSettings
{
	int32		tokens;			/* one more than the greatest id */
	int32		rows;
	int32		dims;
	int32		stride;
	int32		unknown;		/* id of the token that is left out, or -1 */
	int32		characters;		/* as far as a text is read, or 0 */
	int32		precision;		/* a StaticPrecision */
	int32		normalize;
	int32		default_prompt; /* offset in the section, or -1 */
} StaticSettings;

/*
 * Of a folder: what follows from its files, each of them checked.  The image
 * and the values are palloc'd; weights and rows may be NULL.
 */
typedef struct StaticModel
{
	TokenizerImage image;
	NetworkLimits limits;
	StaticSettings settings;
	float	   *weights;
	int32	   *rows;
} StaticModel;

extern void static_read(const NetworkFolder *network, int64 max_tokens,
						StaticModel *model);
extern void static_build_image(ImageBuilder *builder, ModelReader *reader);

extern const Encoder static_encoder;	/* static_encode.c */

/* For tuning: texts as rows, of static_encode.c; the model, static_tune.c. */
extern bool static_features(void *state, const EncoderText *text,
							TuneReceiveRow receive, void *argument);
extern bool static_tokens(void *state, const EncoderText *text,
						  TuneReceiveToken receive, void *argument);
extern bool static_has_weights(void *state);
extern void static_row(void *state, int64 row, float *values);
extern bool static_normalizes(void *state);
extern const Tunable static_tunable;

extern void static_init(void);

#endif							/* STATIC_STATIC_H */
