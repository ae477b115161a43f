/*-------------------------------------------------------------------------
 *
 * tensor.h
 *	  Tensors in files: what safetensors, GGUF and HDF5 have in common.
 *
 * A reader makes a list of what a file holds and where.  The values are then
 * read part by part, with format_file_read, and turned into floats where they
 * are needed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_TENSOR_H
#define FORMAT_TENSOR_H

#include "format/arena.h"
#include "format/file.h"

/* How elements are stored; all little-endian. */
typedef enum TensorType
{
	TENSOR_F32,
	TENSOR_F64,
	TENSOR_F16,
	TENSOR_BF16,
	TENSOR_I8,
	TENSOR_U8,
	TENSOR_I16,
	TENSOR_U16,
	TENSOR_I32,
	TENSOR_U32,
	TENSOR_I64,
	TENSOR_U64,
	TENSOR_BOOL,
	/* ggml's blocks of 32 elements */
	TENSOR_Q4_0,
	TENSOR_Q4_1,
	TENSOR_Q5_0,
	TENSOR_Q5_1,
	TENSOR_Q8_0,
	/* and of 256 */
	TENSOR_Q4_K,
	TENSOR_Q5_K,
	TENSOR_Q6_K,
	TENSOR_TYPE_COUNT				/* how many */
} TensorType;

extern const char *tensor_type_name(TensorType type);

/* Elements of a block, 1 for plain numbers, and its bytes. */
extern int	tensor_block_elements(TensorType type);
extern int	tensor_block_bytes(TensorType type);

/* More dimensions, or longer names, than these are a fault. */
#define TENSOR_MAX_RANK 8
#define TENSOR_MAX_NAME 1000

typedef struct Tensor
{
	const char *name;			/* UTF-8, ended by a zero byte */
	TensorType	type;
	int			file;			/* of several; else 0 */
	int			rank;
	uint64_t	shape[TENSOR_MAX_RANK]; /* the last one is contiguous */
	uint64_t	elements;
	uint64_t	offset;			/* in the file */
	uint64_t	bytes;
} Tensor;

/* Sorted by file and offset once it is finished. */
typedef struct TensorList
{
	Tensor	   *tensors;
	size_t		count;
	uint32_t   *by_name;		/* indexes of tensors */
} TensorList;

/*
 * Computes elements and bytes from type, rank and shape.
 *
 * A fault if they overflow, or if the last dimension is not made of whole
 * blocks.
 */
extern bool tensor_set_size(Tensor *tensor, FormatFault *fault);

/*
 * Takes a copy of a name; a fault if it is too long, not UTF-8 or contains
 * a zero byte.
 */
extern bool tensor_set_name(Arena *arena, Tensor *tensor, const char *name,
							size_t length, FormatFault *fault);

/*
 * Sorts the list; a fault if a name comes twice, or if two tensors share
 * bytes of a file.
 *
 * The caller has checked that every tensor lies within its file.
 */
extern bool tensor_list_finish(Arena *arena, TensorList *list,
							   FormatFault *fault);

/*
 * A fault unless the tensors of this file fill it from start to end, each
 * beginning at the next multiple of the alignment, counted from the start.
 */
extern bool tensor_list_check_gaps(const TensorList *list, int file,
								   uint64_t start, uint64_t end,
								   uint64_t alignment, FormatFault *fault);

extern const Tensor *tensor_find(const TensorList *list, const char *name);

/* "[2, 3]", for messages; cut short if it does not fit. */
#define TENSOR_SHAPE_TEXT 128
extern const char *tensor_shape_text(const Tensor *tensor,
									 char out[TENSOR_SHAPE_TEXT]);

/*
 * Values of "elements" elements, whole blocks, as floats.
 *
 * Wider numbers are rounded to the nearest float, and what is out of range
 * becomes infinity.  Quantised blocks give the values of ggml's and the gguf
 * package's dequantization, bit by bit.  Needs distance_init() once before.
 * bytes: at any address.
 */
extern void tensor_to_floats(TensorType type, const void *bytes,
							 size_t elements, float *values);

#endif							/* FORMAT_TENSOR_H */
