/*-------------------------------------------------------------------------
 *
 * safetensors.h
 *	  Files of tensors with a head in JSON, one or several of a model.
 *
 *		safetensors_open(&head, &arena, &file, &fault)
 *			for each of head.list.tensors: name, type, shape, offset, bytes
 *
 * A large model lies in several files, and model.safetensors.index.json says
 * which tensor is read from which (safetensors_index_parse): a name that a
 * file holds beyond what the index says is left alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include "format/json.h"
#include "format/tensor.h"

/* As in the safetensors crate. */
#define SAFETENSORS_MAX_HEAD ((uint64_t) 100000000)

typedef struct Safetensors
{
	TensorList	list;
	uint64_t	data_start;		/* in the file */
	const JsonValue *metadata;	/* an object of strings, or NULL */
} Safetensors;

/*
 * Reads and checks the head of a file.
 *
 * The bytes of all tensors must fill the file to its end without a hole; a
 * type that cannot be read here is FORMAT_UNSUPPORTED, by its name.
 * Everything stays in the arena: about four times the size of the head.
 * options: its interrupt function alone counts.
 */
extern bool safetensors_open(Safetensors *head, Arena *arena,
							 const FormatFile *file,
							 const JsonOptions *options, FormatFault *fault);

/* Which file a tensor is read from. */
typedef struct SafetensorsPlace
{
	const char *tensor;
	int			file;			/* index into files */
} SafetensorsPlace;

typedef struct SafetensorsIndex
{
	const char **files;			/* names without a folder, sorted */
	int			file_count;
	SafetensorsPlace *places;	/* sorted by tensor */
	size_t		count;
} SafetensorsIndex;

/* A name of a file that leaves the model's folder is a fault. */
extern bool safetensors_index_parse(SafetensorsIndex *index, Arena *arena,
									const char *text, size_t length,
									const JsonOptions *options,
									FormatFault *fault);

/*
 * One list of the tensors that the index names, each from its file.
 *
 * heads: of index->files, in their order.  A tensor that its file does not
 * hold is a fault.
 */
extern bool safetensors_index_merge(const SafetensorsIndex *index,
									Arena *arena, const Safetensors *heads,
									TensorList *list, FormatFault *fault);

/*
 * The head of a file that holds these tensors, for writing one.
 *
 * Gives every tensor its offset in the file, in the order of the array and
 * after the head, which is padded with blanks to a multiple of eight bytes.
 * metadata: pairs of key and value, "pairs" of them.  NULL, and a fault, if a
 * type has no name in this format.
 */
extern char *safetensors_head(Arena *arena, Tensor *tensors, size_t count,
							  const char *const *metadata, int pairs,
							  size_t *length, FormatFault *fault);

#endif							/* FORMAT_SAFETENSORS_H */
