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
} EncoderRequest;

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

	/*
	 * Called before each use, after model_open at the same call site.  *state
	 * belongs to the encoder: NULL at first, kept with the call site, in
	 * flinfo->fn_mcxt, beyond changes of the model, whose version tells of
	 * them.  Returns the number of dimensions.
	 */
	int			(*open) (FmgrInfo *flinfo, Model *model, void **state);

	/*
	 * Encode texts into rows of so many floats.  known tells which of them
	 * hold anything the model knows; the rows of others are not written.
	 */
	void		(*encode) (void *state, const EncoderRequest *request,
						   int count, const EncoderText *texts,
						   float *rows, bool *known);

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

/* The encoder of the model that model_open has just given for this call site */
extern void encoder_open(OpenEncoder *open, FmgrInfo *flinfo, Model *model);

/* Checks the request, then encodes; see Encoder. */
extern void encoder_encode(const OpenEncoder *open,
						   const EncoderRequest *request, int count,
						   const EncoderText *texts, float *rows,
						   bool *known);

#endif							/* MODEL_ENCODER_H */
