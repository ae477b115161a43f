/*-------------------------------------------------------------------------
 *
 * hdf5_object.c
 *	  Objects of an HDF5 file: headers of version 1 and their messages.
 *
 * After the HDF5 File Format Specification, version 1.1 (IV.A): a header is a
 * list of messages, which may go on elsewhere.  A message that is not known,
 * or says that the data is stored in another way, is a fault; what only
 * describes (times, attributes, fill values) is passed over.
 *
 *-------------------------------------------------------------------------
 */
#include "format/hdf5_private.h"

#include <stdio.h>
#include <string.h>

#define HEADER_BYTES 16
#define MESSAGE_HEAD_BYTES 8

/* More messages and pieces of a header than these are no model's. */
#define MAX_MESSAGES 4096
#define MAX_PIECES 64

/* The longest message that is looked into. */
#define LONGEST_MESSAGE 256

#define UNDEFINED UINT64_MAX

/* What the messages of one object said. */
typedef struct Object
{
	bool		is_group;
	uint64_t	tree;
	uint64_t	heap;
	bool		has_type;
	bool		has_space;
	bool		has_layout;
	uint64_t	address;
	uint64_t	size;
	Tensor		tensor;
} Object;

/* The two types that are known, bit by bit. */
static const struct
{
	TensorType	type;
	unsigned char bytes[20];
} float_types[] = {{TENSOR_F32, {0x11, 0x20, 31, 0, 4, 0,  0,	0, 0, 0,
								 32,   0,	 23, 8, 0, 23, 127, 0, 0, 0}},
				   {TENSOR_F64, {0x11, 0x20, 63, 0,	 8, 0,	0,	  0, 0, 0,
								 64,   0,	 52, 11, 0, 52, 0xFF, 3, 0, 0}}};

static bool
read_datatype(Hdf5 *hdf5, Object *object, const unsigned char *bytes,
			  size_t length, uint64_t at)
{
	static const char *const classes[] = {
		"integers", "floats other than little-endian ones of 32 or 64 bits", "times", "strings",
		"bit fields", "opaque values", "compound values", "references", "enumerations",
		"sequences of any length", "arrays"
	};
	char		what[120];
	int			class;

	if (length < 8)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A datatype cut short");
	class = bytes[0] & 0x0F;
	for (size_t i = 0;
		 class == 1 && i < sizeof(float_types) / sizeof(float_types[0]); i++)
	{
		/* versions 1 to 3 of the message are alike for floats */
		if (bytes[0] >> 4 < 1 || bytes[0] >> 4 > 3 ||
			length < sizeof(float_types[i].bytes) ||
			memcmp(bytes + 1, float_types[i].bytes + 1,
				   sizeof(float_types[i].bytes) - 1) != 0)
			continue;
		object->tensor.type = float_types[i].type;
		object->has_type = true;
		return true;
	}
	if (class > 10)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A datatype of no class");
	snprintf(what, sizeof(what), "A dataset of %s", classes[class]);
	return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, what);
}

static bool
read_dataspace(Hdf5 *hdf5, Object *object, const unsigned char *bytes,
			   size_t length, uint64_t at)
{
	Tensor	   *tensor = &object->tensor;
	size_t		head;

	if (length < 4 || (bytes[0] != 1 && bytes[0] != 2))
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A dataspace of another version than 1 and 2");
	if (bytes[0] == 2 && bytes[3] == 2)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A dataset without any element");
	head = bytes[0] == 1 ? 8 : 4;
	if (bytes[1] > TENSOR_MAX_RANK)
		return hdf5_fault(hdf5, FORMAT_TOO_LARGE, at, "More than 8 dimensions");
	tensor->rank = bytes[1];
	if (length < head + 8 * (size_t) tensor->rank)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A dataspace cut short");
	if ((bytes[2] & 2) != 0)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "Permuted dimensions");
	for (int i = 0; i < tensor->rank; i++)
		tensor->shape[i] = format_read_uint64(bytes + head + 8 * (size_t) i);
	object->has_space = true;
	return true;
}

static bool
read_layout(Hdf5 *hdf5, Object *object, const unsigned char *bytes,
			size_t length, uint64_t at)
{
	if (length < 2 || bytes[0] != 3)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A layout of another version than 3");
	if (bytes[1] != 1)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at,
						  bytes[1] == 2 ? "A dataset stored in chunks" :
						  bytes[1] == 0 ? "A dataset stored in its header (compact)" :
						  "A dataset stored in an unknown way");
	if (length < 18)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A layout cut short");
	object->address = format_read_uint64(bytes + 2);
	object->size = format_read_uint64(bytes + 10);
	object->has_layout = true;
	return true;
}

/* What stands in a header's messages, by their numbers. */
enum
{
	MESSAGE_NIL = 0x00,
	MESSAGE_DATASPACE = 0x01,
	MESSAGE_LINK_INFO = 0x02,
	MESSAGE_DATATYPE = 0x03,
	MESSAGE_OLD_FILL = 0x04,
	MESSAGE_FILL = 0x05,
	MESSAGE_LINK = 0x06,
	MESSAGE_EXTERNAL = 0x07,
	MESSAGE_LAYOUT = 0x08,
	MESSAGE_GROUP_INFO = 0x0A,
	MESSAGE_FILTERS = 0x0B,
	MESSAGE_ATTRIBUTE = 0x0C,
	MESSAGE_COMMENT = 0x0D,
	MESSAGE_OLD_TIME = 0x0E,
	MESSAGE_CONTINUATION = 0x10,
	MESSAGE_SYMBOL_TABLE = 0x11,
	MESSAGE_TIME = 0x12,
	MESSAGE_ATTRIBUTE_INFO = 0x15,
	MESSAGE_REFERENCES = 0x16
};

static bool
read_symbol_table(Hdf5 *hdf5, Object *object, const unsigned char *bytes,
				  size_t length, uint64_t at)
{
	if (length < 16)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A symbol table cut short");
	object->is_group = true;
	object->tree = format_read_uint64(bytes);
	object->heap = format_read_uint64(bytes + 8);
	return true;
}

/* One message but for continuations, whose data is "bytes". */
static bool
read_message(Hdf5 *hdf5, Object *object, int type, const unsigned char *bytes,
			 size_t length, uint64_t at)
{
	char		what[60];

	switch (type)
	{
		case MESSAGE_NIL:
		case MESSAGE_OLD_FILL:
		case MESSAGE_FILL:
		case MESSAGE_ATTRIBUTE:
		case MESSAGE_COMMENT:
		case MESSAGE_OLD_TIME:
		case MESSAGE_TIME:
		case MESSAGE_ATTRIBUTE_INFO:
		case MESSAGE_REFERENCES:
			return true;
		case MESSAGE_DATASPACE:
			return read_dataspace(hdf5, object, bytes, length, at);
		case MESSAGE_DATATYPE:
			return read_datatype(hdf5, object, bytes, length, at);
		case MESSAGE_LAYOUT:
			return read_layout(hdf5, object, bytes, length, at);
		case MESSAGE_SYMBOL_TABLE:
			return read_symbol_table(hdf5, object, bytes, length, at);
		case MESSAGE_LINK_INFO:
		case MESSAGE_LINK:
		case MESSAGE_GROUP_INFO:
			return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A group of the new kind");
		case MESSAGE_EXTERNAL:
			return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "Data in other files");
		case MESSAGE_FILTERS:
			return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "Compressed or filtered data");
	}
	snprintf(what, sizeof(what), "A message of the unknown type %d", type);
	return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, what);
}

/* Pieces of a header that are still to be read. */
typedef struct Pieces
{
	int			count;
	int			read;
	uint64_t	at[MAX_PIECES];
	uint64_t	length[MAX_PIECES];
} Pieces;

static bool
add_piece(Hdf5 *hdf5, Pieces *pieces, uint64_t at, uint64_t length)
{
	if (pieces->count == MAX_PIECES)
		return hdf5_fault(hdf5, FORMAT_TOO_LARGE, at, "A header in too many pieces");
	if (at > hdf5->file->size || length > hdf5->file->size - at)
		return hdf5_fault(hdf5, FORMAT_TRUNCATED, at, "A header beyond the end of the file");
	pieces->at[pieces->count] = at;
	pieces->length[pieces->count++] = length;
	return true;
}

/*
 * The messages of one piece; what is too short for a message at its end, is
 * none.
 */
static bool
read_piece(Hdf5 *hdf5, Object *object, Pieces *pieces, uint64_t at,
		   uint64_t end, int *left)
{
	while (*left > 0 && end - at >= MESSAGE_HEAD_BYTES)
	{
		unsigned char head[MESSAGE_HEAD_BYTES];
		unsigned char bytes[LONGEST_MESSAGE];
		size_t		length;
		size_t		kept;
		int			type;

		if (!hdf5_read(hdf5, at, head, sizeof(head)))
			return false;
		type = head[0] | head[1] << 8;
		length = (size_t) (head[2] | head[3] << 8);
		at += MESSAGE_HEAD_BYTES;
		if (length > end - at)
			return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A message longer than its header");
		kept = length < sizeof(bytes) ? length : sizeof(bytes);
		if (!hdf5_read(hdf5, at, bytes, kept))
			return false;
		if ((head[4] & 2) != 0 && type != MESSAGE_ATTRIBUTE)
			return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A message that is shared with other objects");
		if (type == MESSAGE_CONTINUATION)
		{
			if (length < 16)
				return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A continuation cut short");
			if (!add_piece(hdf5, pieces, format_read_uint64(bytes),
						   format_read_uint64(bytes + 8)))
				return false;
		}
		else if (!read_message(hdf5, object, type, bytes, kept, at))
			return false;
		at += length;
		(*left)--;
	}
	return true;
}

static bool
read_header(Hdf5 *hdf5, Object *object, uint64_t at)
{
	unsigned char bytes[HEADER_BYTES];
	Pieces		pieces = {0};
	int			left;

	if (!hdf5_read(hdf5, at, bytes, sizeof(bytes)))
		return false;
	if (memcmp(bytes, "OHDR", 4) == 0)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "An object header of version 2");
	if (bytes[0] != 1)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "No object header");
	left = bytes[2] | bytes[3] << 8;
	if (left > MAX_MESSAGES)
		return hdf5_fault(hdf5, FORMAT_TOO_LARGE, at, "More messages than a model has");
	if (!add_piece(hdf5, &pieces, at + HEADER_BYTES,
				   format_read_uint32(bytes + 8)))
		return false;
	while (pieces.read < pieces.count)
	{
		int			piece = pieces.read++;

		if (!read_piece(hdf5, object, &pieces, pieces.at[piece],
						pieces.at[piece] + pieces.length[piece], &left))
			return false;
	}
	if (left > 0)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "Fewer messages than announced");
	return true;
}

static bool
add_tensor(Hdf5 *hdf5, const Tensor *tensor)
{
	if (hdf5->count == hdf5->capacity)
	{
		size_t		capacity = hdf5->capacity > 0 ? 2 * hdf5->capacity : 32;
		Tensor	   *tensors = arena_alloc_array(hdf5->arena, capacity,
												sizeof(Tensor));

		if (tensors == NULL)
			return hdf5_fault(hdf5, FORMAT_OUT_OF_MEMORY, 0, "No memory for a dataset");
		if (hdf5->count > 0)
			memcpy(tensors, hdf5->tensors, hdf5->count * sizeof(Tensor));
		hdf5->tensors = tensors;
		hdf5->capacity = capacity;
	}
	hdf5->tensors[hdf5->count++] = *tensor;
	return true;
}

static bool
read_dataset(Hdf5 *hdf5, Object *object, uint64_t at)
{
	Tensor	   *tensor = &object->tensor;

	if (!object->has_type || !object->has_space || !object->has_layout)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "Neither a group nor a whole dataset");
	tensor->offset = at;
	if (!tensor_set_name(hdf5->arena, tensor, hdf5->path, strlen(hdf5->path),
						 hdf5->fault) ||
		!tensor_set_size(tensor, hdf5->fault))
		return false;
	tensor->offset = 0;
	if (tensor->bytes > 0)
	{
		if (object->address == UNDEFINED)
			return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A dataset that nothing was written to");
		if (object->size != tensor->bytes)
			return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "A size that does not fit the shape");
		if (object->address > hdf5->file->size ||
			tensor->bytes > hdf5->file->size - object->address)
			return hdf5_fault(hdf5, FORMAT_TRUNCATED, at, "Data beyond the end of the file");
		tensor->offset = object->address;
	}
	return add_tensor(hdf5, tensor);
}

bool
hdf5_read_object(Hdf5 *hdf5, uint64_t at, int depth)
{
	Object		object;

	memset(&object, 0, sizeof(object));
	if (!read_header(hdf5, &object, at))
		return false;
	if (object.is_group)
		return hdf5_read_group(hdf5, object.tree, object.heap, depth);
	return read_dataset(hdf5, &object, at);
}
