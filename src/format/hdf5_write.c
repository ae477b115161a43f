/*-------------------------------------------------------------------------
 *
 * hdf5_write.c
 *	  The head of an HDF5 file of tensors.
 *
 * After the HDF5 File Format Specification, version 1.1, as hdf5.c reads it:
 * superblock 0; each group an object header with a symbol table message, a
 * B-tree of one node, one node of symbols and a heap of names; each dataset an
 * object header with its dataspace, datatype and contiguous layout.  What is
 * below a group comes before it, so every address is known when it is written;
 * only the superblock, which names the root, is written at the end.
 *
 * It is written twice: first to count, then with the places of the data.
 *
 *-------------------------------------------------------------------------
 */
#include "format/hdf5_write.h"

#include <string.h>

#define SUPERBLOCK_BYTES 96
#define LEAF_K (HDF5_GROUP_MEMBERS / 2)
#define INTERNAL_K 16
#define SYMBOL_BYTES 40
#define UNDEFINED UINT64_MAX

/* The head as far as it is written; bytes NULL: only counted. */
typedef struct Head
{
	unsigned char *bytes;
	size_t		at;
	const Tensor *tensors;
	bool		too_large;		/* a group has too many members */
} Head;

static void
put_bytes(Head *head, const void *bytes, size_t length)
{
	if (head->bytes != NULL)
		memcpy(head->bytes + head->at, bytes, length);
	head->at += length;
}

static void
put_zeros(Head *head, size_t length)
{
	if (head->bytes != NULL)
		memset(head->bytes + head->at, 0, length);
	head->at += length;
}

/* A little-endian number. */
static void
put(Head *head, int size, uint64_t value)
{
	unsigned char bytes[8];

	for (int i = 0; i < size; i++)
		bytes[i] = (unsigned char) (value >> (8 * i));
	put_bytes(head, bytes, (size_t) size);
}

static void
put_message(Head *head, int type, size_t length)
{
	put(head, 2, (uint64_t) type);
	put(head, 2, length);
	put(head, 4, 0);
}

/* An object header of version 1; "length" bytes of messages follow. */
static uint64_t
put_header(Head *head, int messages, size_t length)
{
	uint64_t	at = head->at;

	put(head, 2, 1);
	put(head, 2, (uint64_t) messages);
	put(head, 4, 1);
	put(head, 4, length);
	put(head, 4, 0);
	return at;
}

/* ---------- datasets ---------- */

static void
put_datatype(Head *head, TensorType type)
{
	static const unsigned char float32[24] = {
		0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127
	};
	static const unsigned char float64[24] = {
		0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 0xFF, 3
	};

	put_message(head, 0x03, 24);
	put_bytes(head, type == TENSOR_F32 ? float32 : float64, 24);
}

static uint64_t
put_dataset(Head *head, const Tensor *tensor)
{
	size_t		space = 8 + 8 * (size_t) tensor->rank;
	uint64_t	at = put_header(head, 3, 3 * 8 + space + 24 + 24);

	put_message(head, 0x01, space);
	put(head, 1, 1);
	put(head, 1, (uint64_t) tensor->rank);
	put(head, 6, 0);
	for (int i = 0; i < tensor->rank; i++)
		put(head, 8, tensor->shape[i]);
	put_datatype(head, tensor->type);
	put_message(head, 0x08, 24);
	put(head, 1, 3);
	put(head, 1, 1);
	put(head, 8, tensor->offset);
	put(head, 8, tensor->bytes);
	put(head, 6, 0);
	return at;
}

/* ---------- groups ---------- */

typedef struct Member
{
	const char *name;
	size_t		length;
	uint64_t	place;			/* of the name in the heap */
	uint64_t	header;
} Member;

/* Where the addresses of a group stand. */
typedef struct Group
{
	uint64_t	header;
	uint64_t	tree;
	uint64_t	heap;
} Group;

static uint64_t
put_heap(Head *head, Member *members, int count)
{
	uint64_t	data = head->at;
	uint64_t	at;

	put_zeros(head, 8);
	for (int i = 0; i < count; i++)
	{
		members[i].place = head->at - data;
		put_bytes(head, members[i].name, members[i].length);
		put_zeros(head, 8 - members[i].length % 8);
	}
	at = head->at;
	put_bytes(head, "HEAP", 4);
	put(head, 4, 0);
	put(head, 8, at - data);
	put(head, 8, 1);			/* nothing of it is free */
	put(head, 8, data);
	return at;
}

static uint64_t
put_symbols(Head *head, const Member *members, int count)
{
	uint64_t	at = head->at;

	put_bytes(head, "SNOD", 4);
	put(head, 2, 1);
	put(head, 2, (uint64_t) count);
	for (int i = 0; i < count; i++)
	{
		put(head, 8, members[i].place);
		put(head, 8, members[i].header);
		put_zeros(head, SYMBOL_BYTES - 16);
	}
	put_zeros(head, (size_t) (2 * LEAF_K - count) * SYMBOL_BYTES);
	return at;
}

/* A tree of one node, with one child. */
static uint64_t
put_tree(Head *head, uint64_t symbols, uint64_t last)
{
	uint64_t	at = head->at;

	put_bytes(head, "TREE", 4);
	put(head, 2, 0);
	put(head, 2, 1);
	put(head, 8, UNDEFINED);
	put(head, 8, UNDEFINED);
	put(head, 8, 0);
	put(head, 8, symbols);
	put(head, 8, last);
	put_zeros(head, (2 * INTERNAL_K - 1) * 16);
	return at;
}

static Group put_group(Head *head, int first, int until, size_t prefix);

/* Members of the tensors from "first" on that share a path of "prefix". */
static int
put_members(Head *head, int first, int until, size_t prefix, Member *members)
{
	int			count = 0;

	while (first < until)
	{
		const char *name = head->tensors[first].name + prefix;
		const char *slash = strchr(name, '/');
		int			end = first + 1;
		Member	   *member = &members[count];

		if (count == HDF5_GROUP_MEMBERS)
		{
			head->too_large = true;
			break;
		}
		member->name = name;
		member->length = slash == NULL ? strlen(name)
									   : (size_t) (slash - name);
		while (slash != NULL && end < until &&
			   strncmp(head->tensors[end].name + prefix, name,
					   member->length + 1) == 0)
			end++;
		if (slash == NULL)
			member->header = put_dataset(head, &head->tensors[first]);
		else
			member->header = put_group(head, first, end,
									   prefix + member->length + 1).header;
		count++;
		first = end;
	}
	return count;
}

static Group
put_group(Head *head, int first, int until, size_t prefix)
{
	Member		members[HDF5_GROUP_MEMBERS];
	int			count = put_members(head, first, until, prefix, members);
	uint64_t	symbols;
	Group		group;

	group.heap = put_heap(head, members, count);
	symbols = put_symbols(head, members, count);
	group.tree = put_tree(head, symbols,
						  count > 0 ? members[count - 1].place : 0);
	group.header = put_header(head, 1, 8 + 16);
	put_message(head, 0x11, 16);
	put(head, 8, group.tree);
	put(head, 8, group.heap);
	return group;
}

static void
put_superblock(Head *head, const Group *root, uint64_t end)
{
	static const unsigned char magic[] = {0x89, 'H', 'D', 'F', '\r', '\n',
	0x1A, '\n', 0, 0, 0, 0, 0, 8, 8, 0};

	put_bytes(head, magic, sizeof(magic));
	put(head, 2, LEAF_K);
	put(head, 2, INTERNAL_K);
	put(head, 4, 0);
	put(head, 8, 0);
	put(head, 8, UNDEFINED);
	put(head, 8, end);
	put(head, 8, UNDEFINED);
	/* the root's own entry, its tree and heap with it */
	put(head, 8, 0);
	put(head, 8, root->header);
	put(head, 8, 1);
	put(head, 8, root->tree);
	put(head, 8, root->heap);
}

static size_t
write_head(Head *head, int count, uint64_t end)
{
	Group		root;
	size_t		length;

	head->at = SUPERBLOCK_BYTES;
	root = put_group(head, 0, count, 0);
	length = head->at;
	head->at = 0;
	put_superblock(head, &root, end);
	return length;
}

unsigned char *
hdf5_write_head(Arena *arena, Tensor *tensors, int count, size_t *length)
{
	Head		head = {NULL, 0, tensors, false};
	uint64_t	end;

	*length = write_head(&head, count, 0);
	end = *length;
	if (head.too_large)
		return NULL;
	for (int i = 0; i < count; i++)
	{
		FormatFault fault = {0};

		if (!tensor_set_size(&tensors[i], &fault))
			return NULL;
		tensors[i].offset += *length;
		if (tensors[i].offset + tensors[i].bytes > end)
			end = tensors[i].offset + tensors[i].bytes;
	}
	head.bytes = arena_alloc(arena, *length);
	if (head.bytes != NULL)
		(void) write_head(&head, count, end);
	return head.bytes;
}
