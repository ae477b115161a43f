/*-------------------------------------------------------------------------
 *
 * gguf_keys.h
 *	  From the settings of a GGUF file to what a tokenizer is compiled from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_GGUF_KEYS_H
#define TOKENIZER_GGUF_KEYS_H

#include "format/gguf.h"
#include "tokenizer/tokenizer.h"

/*
 * The keys "tokenizer.ggml.*", for tokenizer_compile_gguf.  What they point
 * to lies in the arena, or where gguf has it.  A key of a wrong kind or
 * length is a fault with its name; keys that are not known are passed over,
 * since other programs add their own.
 */
extern FormatStatus tokenizer_gguf_keys(Arena *arena, const Gguf *gguf,
										TokenizerGguf *keys,
										FormatFault *fault);

#endif							/* TOKENIZER_GGUF_KEYS_H */
