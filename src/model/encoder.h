/*-------------------------------------------------------------------------
 *
 * encoder.h
 *	  One face for whatever makes dense vectors of texts.
 *
 * A method names its encoder (ModelMethod.encoder).  embed(), embed_array(),
 * embed_tokens() and all that keeps vectors fresh know only this face, so a
 * new kind of model brings no new function for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include "model/model.h"

/* What a caller asks besides the text; NULL: as the model says */
typedef struct EncoderRequest
{
	const char *pooling;		/* one of the encoder's */
	const char *prompt;			/* by its name */

	/* of tokens only */
	const char *unit;			/* one of the encoder's */
	int			layer;			/* of a network, or ENCODER_OUTPUT */
} EncoderRequest;

#define ENCODER_OUTPUT (-1)

typedef struct EncoderText
{
	const char *text;			/* server encoding, not terminated */
	int			length;
} EncoderText;

/*
 * Receives the tokens of a text in their order; vector is NULL for one that
 * the model knows nothing of.
 */
typedef void (*EncoderReceiveToken) (void *argument, int position,
									 const char *token, int length,
									 const float *vector);

typedef struct Encoder
{
	const char *const *poolings;	/* names, ended by NULL */
	bool		takes_prompts;
	const char *const *units;	/* of what tokens() gives, ended by NULL; the
								 * first of them unless another is asked for */
	bool		takes_layers;

	/*
	 * Called before each use, after model_open at the same call site.  *state
	 * belongs to the encoder: NULL at first, kept with the call site, in
	 * flinfo->fn_mcxt, beyond changes of the model, whose version tells of
	 * them; where a call opens several models, each has its own.  Returns
	 * the number of dimensions.
	 */
	int			(*open) (FmgrInfo *flinfo, Model *model, void **state);

	/*
	 * Encode texts into rows of so many floats.  known tells which of them
	 * hold anything the model knows; the rows of others are not written.
	 */
	void		(*encode) (void *state, const EncoderRequest *request,
						   int count, const EncoderText *texts,
						   float *rows, bool *known);

	/* token_dims: dimensions of these vectors; NULL: as those of texts */
	int			(*token_dims) (void *state);
	void		(*tokens) (void *state, const EncoderRequest *request,
						   const EncoderText *text,
						   EncoderReceiveToken receive, void *argument);
} Encoder;

/* An encoder, opened for one call */
typedef struct OpenEncoder
{
	const Encoder *encoder;
	Model	   *model;
	void	   *state;
	int			dims;
} OpenEncoder;

/* The encoder of a model that this call has opened, maybe among others */
extern void encoder_open(OpenEncoder *open, FmgrInfo *flinfo, Model *model);

/* Checks the request, then encodes; see Encoder. */
extern void encoder_encode(const OpenEncoder *open,
						   const EncoderRequest *request, int count,
						   const EncoderText *texts, float *rows,
						   bool *known);

/* A vector of a row; a number that is not finite is an error (22003). */
extern struct Vector *encoder_vector(const float *row, int dims);

#endif							/* MODEL_ENCODER_H */
