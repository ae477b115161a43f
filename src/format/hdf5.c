/*-------------------------------------------------------------------------
 *
 * hdf5.c
 *	  Going through the groups of an HDF5 file.
 *
 * After the HDF5 File Format Specification, version 1.1 (II.A superblock,
 * III.A B-trees of version 1, III.B symbol table nodes, III.D local heaps).
 * A group is a B-tree whose leaves are symbol table nodes: names, which lie in
 * the group's heap, and addresses of objects.  What an object is, its header
 * says (hdf5_object.c).
 *
 * A hostile file can make circles.  Levels of a B-tree must fall by one from
 * parent to child, groups may be HDF5_MAX_DEPTH deep, and no more than
 * HDF5_MAX_OBJECTS objects and nodes are visited in all.
 *
 *-------------------------------------------------------------------------
 */
#include "format/hdf5_private.h"

#include "format/utf8.h"

#include <stdio.h>
#include <string.h>

#define SUPERBLOCK_BYTES 96
#define HEAP_BYTES 32
#define NODE_HEAD_BYTES 24
#define SYMBOL_HEAD_BYTES 8
#define SYMBOL_BYTES 40

static const unsigned char magic[8] = {0x89, 'H',  'D',	 'F',
									   '\r', '\n', 0x1A, '\n'};

bool
hdf5_is_magic(const unsigned char *bytes)
{
	return memcmp(bytes, magic, sizeof(magic)) == 0;
}

bool
hdf5_fault(Hdf5 *hdf5, FormatStatus status, uint64_t at, const char *what)
{
	format_fault(hdf5->fault, status, at, 0, "%s in \"%.100s\".", what,
				 hdf5->path[0] != '\0' ? hdf5->path : "/");
	return false;
}

bool
hdf5_read(Hdf5 *hdf5, uint64_t at, void *bytes, size_t length)
{
	return format_file_read(hdf5->file, at, bytes, length, hdf5->fault);
}

/* Visits are counted so that no circle is endless. */
static bool
count_visit(Hdf5 *hdf5, uint64_t at)
{
	if (++hdf5->visits <= HDF5_MAX_OBJECTS)
		return true;
	return hdf5_fault(hdf5, FORMAT_TOO_LARGE, at, "More objects than a model has");
}

/* Where the names of a group lie, and how many bytes they have. */
typedef struct Heap
{
	uint64_t	address;
	uint64_t	size;
} Heap;

static bool
read_heap(Hdf5 *hdf5, uint64_t at, Heap *heap)
{
	unsigned char bytes[HEAP_BYTES];

	if (!hdf5_read(hdf5, at, bytes, sizeof(bytes)))
		return false;
	if (memcmp(bytes, "HEAP", 4) != 0 || bytes[4] != 0)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "No heap of names");
	heap->size = format_read_uint64(bytes + 8);
	heap->address = format_read_uint64(bytes + 24);
	if (heap->address > hdf5->file->size ||
		heap->size > hdf5->file->size - heap->address)
		return hdf5_fault(hdf5, FORMAT_TRUNCATED, at, "A heap of names beyond the end of the file");
	return true;
}

/*
 * Adds a name to the path; the caller cuts it off again.  Names are read in
 * small steps, because the heap may be of any size.
 */
static bool
enter_name(Hdf5 *hdf5, const Heap *heap, uint64_t offset)
{
	size_t		length = strlen(hdf5->path);
	size_t		room;
	size_t		shown;
	char	   *name;

	if (length > 0)
		hdf5->path[length++] = '/';
	name = hdf5->path + length;
	room = sizeof(hdf5->path) - 2 - length;
	*name = '\0';
	if (offset >= heap->size)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, heap->address, "A name outside its heap");
	shown = heap->size - offset < room ? (size_t) (heap->size - offset) : room;
	if (!hdf5_read(hdf5, heap->address + offset, name, shown))
		return false;
	if (memchr(name, '\0', shown) == NULL)
	{
		*name = '\0';
		return hdf5_fault(hdf5, FORMAT_MALFORMED, heap->address + offset,
						  "A name that does not end, or is too long,");
	}
	shown = strlen(name);
	if (shown == 0 || strchr(name, '/') != NULL ||
		utf8_valid_length((const unsigned char *) name, shown) < shown)
	{
		*name = '\0';
		return hdf5_fault(hdf5, FORMAT_MALFORMED, heap->address + offset, "A name that is none");
	}
	return true;
}

static bool
read_symbol(Hdf5 *hdf5, const Heap *heap, uint64_t at, int depth)
{
	unsigned char bytes[SYMBOL_BYTES];
	size_t		path = strlen(hdf5->path);
	bool		good;

	if (!count_visit(hdf5, at) || !hdf5_read(hdf5, at, bytes, sizeof(bytes)) ||
		!enter_name(hdf5, heap, format_read_uint64(bytes)))
		return false;
	if (format_read_uint32(bytes + 16) == 2)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, at, "A symbolic link");
	good = hdf5_read_object(hdf5, format_read_uint64(bytes + 8), depth + 1);
	hdf5->path[path] = '\0';
	return good;
}

/* A symbol table node: a leaf of the tree. */
static bool
read_symbols(Hdf5 *hdf5, const Heap *heap, uint64_t at, int depth)
{
	unsigned char bytes[SYMBOL_HEAD_BYTES];
	int			count;

	if (!hdf5_read(hdf5, at, bytes, sizeof(bytes)))
		return false;
	if (memcmp(bytes, "SNOD", 4) != 0 || bytes[4] != 1)
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "No symbol table node");
	count = bytes[6] | bytes[7] << 8;
	for (int i = 0; i < count; i++)
	{
		if (!read_symbol(hdf5, heap,
						 at + SYMBOL_HEAD_BYTES + (uint64_t) i * SYMBOL_BYTES,
						 depth))
			return false;
	}
	return true;
}

/* A node of the tree; level: what it must have, or -1 for the root. */
static bool
read_node(Hdf5 *hdf5, const Heap *heap, uint64_t at, int level, int depth)
{
	unsigned char bytes[NODE_HEAD_BYTES];
	int			count;

	if (!count_visit(hdf5, at) || !hdf5_read(hdf5, at, bytes, sizeof(bytes)))
		return false;
	if (memcmp(bytes, "TREE", 4) != 0 || bytes[4] != 0 || (level >= 0 && bytes[5] != level))
		return hdf5_fault(hdf5, FORMAT_MALFORMED, at, "No node of a group's tree");
	level = bytes[5];
	count = bytes[6] | bytes[7] << 8;
	for (int i = 0; i < count; i++)
	{
		/* a key stands before each child and after the last */
		uint64_t	child_at = at + NODE_HEAD_BYTES + 16 * (uint64_t) i + 8;
		unsigned char child[8];

		if (!hdf5_read(hdf5, child_at, child, sizeof(child)))
			return false;
		if (!(level > 0 ? read_node(hdf5, heap, format_read_uint64(child),
									level - 1, depth)
						: read_symbols(hdf5, heap, format_read_uint64(child),
									   depth)))
			return false;
	}
	return true;
}

bool
hdf5_read_group(Hdf5 *hdf5, uint64_t tree, uint64_t heap_at, int depth)
{
	Heap		heap;

	if (depth > HDF5_MAX_DEPTH)
		return hdf5_fault(hdf5, FORMAT_TOO_LARGE, tree, "More groups within each other than a model has");
	return read_heap(hdf5, heap_at, &heap) &&
		   read_node(hdf5, &heap, tree, -1, depth);
}

/* Returns the address of the root group's header. */
static bool
read_superblock(Hdf5 *hdf5, uint64_t *root)
{
	unsigned char bytes[SUPERBLOCK_BYTES];

	if (!hdf5_read(hdf5, 0, bytes, 9))
		return false;
	if (!hdf5_is_magic(bytes))
	{
		format_fault(hdf5->fault, FORMAT_UNRECOGNIZED, 0, 0, "The file does not begin like HDF5.");
		return false;
	}
	if (bytes[8] != 0)
	{
		format_fault(hdf5->fault, FORMAT_UNSUPPORTED, 8, 0,
					 "The superblock has version %d; supported is 0, which h5py writes with libver \"earliest\".",
					 bytes[8]);
		return false;
	}
	if (!hdf5_read(hdf5, 0, bytes, sizeof(bytes)))
		return false;
	if (bytes[13] != 8 || bytes[14] != 8)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, 13, "Addresses or lengths that have not 8 bytes");
	if (format_read_uint64(bytes + 24) != 0)
		return hdf5_fault(hdf5, FORMAT_UNSUPPORTED, 24, "A base address that is not 0");
	if (format_read_uint64(bytes + 40) > hdf5->file->size)
		return hdf5_fault(hdf5, FORMAT_TRUNCATED, 40, "An end of the file beyond its end");
	*root = format_read_uint64(bytes + 64);
	return true;
}

bool
hdf5_open(TensorList *list, Arena *arena, const FormatFile *file,
		  FormatFault *fault)
{
	Hdf5	   *hdf5 = arena_alloc(arena, sizeof(*hdf5));
	uint64_t	root = 0;

	memset(list, 0, sizeof(*list));
	memset(fault, 0, sizeof(*fault));
	if (hdf5 == NULL)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for a reader.");
		return false;
	}
	memset(hdf5, 0, sizeof(*hdf5));
	hdf5->arena = arena;
	hdf5->file = file;
	hdf5->fault = fault;
	if (!read_superblock(hdf5, &root) || !hdf5_read_object(hdf5, root, 0))
		return false;
	list->tensors = hdf5->tensors;
	list->count = hdf5->count;
	return tensor_list_finish(arena, list, fault);
}
