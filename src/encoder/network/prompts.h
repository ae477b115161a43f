/*-------------------------------------------------------------------------
 *
 * prompts.h
 *	  Texts that a model wants before those that it is given.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_PROMPTS_H
#define NETWORK_PROMPTS_H

#include "encoder/network/network.h"

/* A section of the image, and where in it the default's text begins, or -1 */
typedef struct NetworkPrompts
{
	const char *bytes;
	Size		size;
	int32		default_prompt;
} NetworkPrompts;

/* The bytes of that section. */
extern StringInfo network_prompts_write(const ModelFolder *folder,
										int32 *default_prompt);

/* The text of a prompt, or of the default for NULL, UTF-8; "" for none. */
extern const char *network_prompt(const NetworkPrompts *prompts,
								  const Model *model, const char *name);

/*
 * A prompt and a text in UTF-8, until the next one of this tokenizer; length
 * is changed.
 */
extern const char *network_prompted_text(NetworkTokenizer *tokenizer,
										 const char *prompt, const char *text,
										 int *length);

#endif							/* NETWORK_PROMPTS_H */
