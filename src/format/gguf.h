/*-------------------------------------------------------------------------
 *
 * gguf.h
 *	  GGUF: one file, or several, with a model's settings, vocabulary and
 *	  tensors.
 *
 *		gguf_open(&gguf, &arena, &file, 1, &fault)
 *		gguf_text(gguf_find(&gguf, "general.architecture"), &text)
 *		tokens = gguf_find(&gguf, "tokenizer.ggml.tokens");
 *		for (i = 0; i < tokens->count; i++)
 *			gguf_element_text(tokens, i, &text)
 *		for each of gguf.list.tensors: name, type, shape, file, offset, bytes
 *
 * Shapes are turned round: ggml counts the contiguous dimension first, here
 * it comes last.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_GGUF_H
#define FORMAT_GGUF_H

#include "format/tensor.h"

typedef enum GgufType
{
	GGUF_UINT8,
	GGUF_INT8,
	GGUF_UINT16,
	GGUF_INT16,
	GGUF_UINT32,
	GGUF_INT32,
	GGUF_FLOAT32,
	GGUF_BOOL,
	GGUF_STRING,
	GGUF_ARRAY,
	GGUF_UINT64,
	GGUF_INT64,
	GGUF_FLOAT64,
	GGUF_TYPES					/* how many */
} GgufType;

/* Any bytes, with a zero byte after them. */
typedef struct GgufText
{
	const char *text;
	size_t		length;
} GgufText;

typedef struct GgufValue
{
	const char *key;			/* UTF-8 without a zero byte */
	GgufType	type;			/* of the value, or of an array's elements */
	bool		is_array;
	size_t		count;			/* 1 if it is no array */
	const GgufText *texts;		/* for strings */
	const unsigned char *numbers;	/* for all others, little-endian */
} GgufValue;

/* As in the definition; and more files than anybody has cut a model into. */
#define GGUF_MAX_KEY 65535
#define GGUF_MAX_FILES 1000

typedef struct Gguf
{
	GgufValue  *values;			/* of the first file, sorted by key */
	size_t		value_count;
	TensorList	list;			/* of all files */
	int			file_count;
	int			file;			/* the one that a fault is about */
} Gguf;

/*
 * Reads and checks everything before the data of all files of a model.
 *
 * files: one, or all that the model was cut into, in their order.  The bytes
 * of the tensors must fill each file to its end but for what the alignment
 * asks for.  Everything stays in the arena: 16 to 32 bytes for a token beside
 * its text.
 */
extern bool gguf_open(Gguf *gguf, Arena *arena, const FormatFile *files,
					  int count, FormatFault *fault);

/*
 * How many files the model was cut into, as one of them says, and which
 * this one is, from 0 on; 1 and 0 for a whole model.
 */
extern bool gguf_split(Arena *arena, const FormatFile *file, int *count,
					   int *number, FormatFault *fault);

extern const GgufValue *gguf_find(const Gguf *gguf, const char *key);

/*
 * A single value, or an element of an array: false if it is of another kind.
 */
extern bool gguf_element_text(const GgufValue *value, size_t i,
							  GgufText *text);
extern bool gguf_element_int64(const GgufValue *value, size_t i,
							   int64_t *number);
extern bool gguf_element_double(const GgufValue *value, size_t i,
								double *number);
extern bool gguf_element_bool(const GgufValue *value, size_t i, bool *truth);

/*
 * The same for what is no array; NULL for a value that is not there.  An
 * int64 is any whole number that fits, a double any number.
 */
extern bool gguf_text(const GgufValue *value, GgufText *text);
extern bool gguf_int64(const GgufValue *value, int64_t *number);
extern bool gguf_double(const GgufValue *value, double *number);
extern bool gguf_bool(const GgufValue *value, bool *truth);

#endif							/* FORMAT_GGUF_H */
