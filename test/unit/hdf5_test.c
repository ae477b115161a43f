/*-------------------------------------------------------------------------
 *
 * hdf5_test.c
 *	  Would fail if an HDF5 file of the kind that ELMo weights come in were
 *	  read wrongly, or if a hostile one made the reader go in circles or read
 *	  beyond the end.
 *
 * Files are put together here: a group "g" with a dataset "w" of 2 x 3 floats
 * and, beside it, a dataset "d" of two doubles.  With EMBED_DATA, the weights
 * published with AllenNLP are read as well.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "case_files.h"
#include "check.h"
#include "format/hdf5.h"
#include "format/hdf5_write.h"
#include "math/distance.h"

static Arena arena;
static FormatFault fault;
static TensorList list;

static unsigned char bytes[8192];
static size_t used;

static void
put(size_t at, uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		bytes[at + (size_t) i] = (unsigned char) (number >> (8 * i));
	if (at + (size_t) size > used)
		used = at + (size_t) size;
}

static void
put_bytes(size_t at, const void *from, size_t length)
{
	memcpy(bytes + at, from, length);
	if (at + length > used)
		used = at + length;
}

/* Where the parts of the example lie. */
enum
{
	ROOT = 96,
	ROOT_TREE = 200,
	ROOT_HEAP = 300,
	ROOT_NAMES = 340,
	ROOT_SYMBOLS = 400,
	GROUP = 500,
	GROUP_TREE = 600,
	GROUP_HEAP = 700,
	GROUP_NAMES = 740,
	GROUP_SYMBOLS = 800,
	DATASET_W = 900,
	DATASET_D = 1100,
	DATA_W = 1400,
	DATA_D = 1424,
	END = 1440
};

/* Returns where the message's data begins. */
static size_t
put_message(size_t *at, int type, int size)
{
	size_t		data = *at + 8;

	put(*at, (uint64_t) type, 2);
	put(*at + 2, (uint64_t) size, 2);
	put(*at + 4, 0, 4);
	*at = data + (size_t) size;
	return data;
}

static void
put_header(size_t at, int messages, int size)
{
	put(at, 1, 2);
	put(at + 2, (uint64_t) messages, 2);
	put(at + 4, 1, 4);
	put(at + 8, (uint64_t) size, 4);
	put(at + 12, 0, 4);
}

static void
put_group(size_t at, size_t tree, size_t heap, size_t names, size_t symbols)
{
	size_t		message = at + 16;
	size_t		data;

	put_header(at, 1, 24);
	data = put_message(&message, 0x11, 16);
	put(data, tree, 8);
	put(data + 8, heap, 8);

	put_bytes(tree, "TREE", 4);
	put(tree + 4, 0, 2);
	put(tree + 6, 1, 2);
	put(tree + 8, UINT64_MAX, 8);
	put(tree + 16, UINT64_MAX, 8);
	put(tree + 24, 0, 8);
	put(tree + 32, symbols, 8);
	put(tree + 40, 8, 8);

	put_bytes(heap, "HEAP", 4);
	put(heap + 4, 0, 4);
	put(heap + 8, 40, 8);
	put(heap + 16, UINT64_MAX, 8);
	put(heap + 24, names, 8);
	memset(bytes + names, 0, 40);

	put_bytes(symbols, "SNOD", 4);
	put(symbols + 4, 1, 2);
	put(symbols + 6, 0, 2);
}

static void
add_symbol(size_t symbols, size_t names, const char *name, size_t header)
{
	int			count = bytes[symbols + 6];
	size_t		at = symbols + 8 + 40 * (size_t) count;

	put_bytes(names + 8 + 8 * (size_t) count, name, strlen(name) + 1);
	put(at, 8 + 8 * (uint64_t) count, 8);
	put(at + 8, header, 8);
	put(at + 16, 0, 8);
	put(at + 24, 0, 8);
	put(at + 32, 0, 8);
	put(symbols + 6, (uint64_t) count + 1, 2);
}

static const unsigned char float_type[] = {
	0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0
};
static const unsigned char double_type[] = {
	0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 0xFF, 3, 0, 0
};

static void
put_dataset(size_t at, int rank, const uint64_t *shape,
			const unsigned char *type, size_t data, uint64_t size)
{
	size_t		message = at + 16;
	size_t		place;

	put_header(at, 3, 8 + 8 + 8 * rank + 8 + 24 + 8 + 24);
	place = put_message(&message, 0x01, 8 + 8 * rank);
	put(place, 1, 1);
	put(place + 1, (uint64_t) rank, 1);
	put(place + 2, 0, 6);
	for (int i = 0; i < rank; i++)
		put(place + 8 + 8 * (size_t) i, shape[i], 8);
	place = put_message(&message, 0x03, 24);
	put_bytes(place, type, 20);
	put(place + 20, 0, 4);
	place = put_message(&message, 0x08, 24);
	put(place, 3, 1);
	put(place + 1, 1, 1);
	put(place + 2, data, 8);
	put(place + 10, size, 8);
}

/* The messages of the dataset "w". */
#define W_SPACE (DATASET_W + 24)
#define W_TYPE (W_SPACE + 24 + 8)
#define W_LAYOUT (W_TYPE + 24 + 8)

static void
build(void)
{
	static const uint64_t w[] = {2, 3};
	static const uint64_t d[] = {2};
	static const float floats[] = {0, 1, 2, 3, 4, 5};
	static const double doubles[] = {0.1, -1e10};

	memset(bytes, 0, sizeof(bytes));
	used = 0;
	put_bytes(0, "\211HDF\r\n\032\n", 8);
	put(13, 8, 1);
	put(14, 8, 1);
	put(16, 4, 2);
	put(18, 16, 2);
	put(24, 0, 8);
	put(32, UINT64_MAX, 8);
	put(40, END, 8);
	put(48, UINT64_MAX, 8);
	put(64, ROOT, 8);
	put_group(ROOT, ROOT_TREE, ROOT_HEAP, ROOT_NAMES, ROOT_SYMBOLS);
	add_symbol(ROOT_SYMBOLS, ROOT_NAMES, "d", DATASET_D);
	add_symbol(ROOT_SYMBOLS, ROOT_NAMES, "g", GROUP);
	put_group(GROUP, GROUP_TREE, GROUP_HEAP, GROUP_NAMES, GROUP_SYMBOLS);
	add_symbol(GROUP_SYMBOLS, GROUP_NAMES, "w", DATASET_W);
	put_dataset(DATASET_W, 2, w, float_type, DATA_W, 24);
	put_dataset(DATASET_D, 1, d, double_type, DATA_D, 16);
	put_bytes(DATA_W, floats, sizeof(floats));
	put_bytes(DATA_D, doubles, sizeof(doubles));
}

static bool
open_bytes(const unsigned char *from, size_t size)
{
	unsigned char *copy = exact_alloc(size);
	FormatFile	file;
	bool		good;

	memcpy(copy, from, size);
	file = format_file_of_bytes(copy, size);
	arena_end(&arena);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 26);
	good = hdf5_open(&list, &arena, &file, &fault);
	CHECK(good == (fault.status == FORMAT_OK), "status %d", fault.status);
	free(copy);
	return good;
}

static void
expect_bad(const char *what, FormatStatus status, const char *detail)
{
	CHECK(!open_bytes(bytes, used) && fault.status == status &&
			  strstr(fault.detail, detail) != NULL,
		  "%s: status %d, %s", what, fault.status, fault.detail);
	build();
}

static void
test_example(void)
{
	const Tensor *tensor;
	float		values[6];

	build();
	CHECK(used == END && open_bytes(bytes, used) && list.count == 2, "%s", fault.detail);
	tensor = tensor_find(&list, "g/w");
	CHECK(tensor != NULL && tensor->type == TENSOR_F32 && tensor->rank == 2 &&
			  tensor->shape[0] == 2 && tensor->shape[1] == 3 &&
			  tensor->offset == DATA_W && tensor->bytes == 24,
		  "g/w");
	tensor_to_floats(tensor->type, bytes + tensor->offset, 6, values);
	CHECK(values[0] == 0 && values[5] == 5, "values of g/w");
	tensor = tensor_find(&list, "d");
	CHECK(tensor != NULL && tensor->type == TENSOR_F64 && tensor->rank == 1 &&
		  tensor->offset == DATA_D && tensor->elements == 2, "d");
	tensor_to_floats(tensor->type, bytes + tensor->offset, 2, values);
	CHECK(values[0] == 0.1f && values[1] == -1e10f, "values of d");
}

/* What is written is read again, at any number of groups and tensors. */
static void
test_written(void)
{
	static char names[200][80];
	static Tensor tensors[200];
	Arena		own;

	arena_begin(&own, arena_malloc, arena_free, NULL, (size_t) 1 << 26);
	for (int count = 0; count <= 130; count += count < 5 ? 1 : 25)
	{
		unsigned char *head;
		unsigned char *file;
		size_t		length;
		uint64_t	size = 0;

		for (int i = 0; i < count; i++)
		{
			snprintf(names[i], sizeof(names[i]), "g%d/in%d_name/t%03d", i / 60,
					 i / 40, i);
			tensors[i] = (Tensor) {names[i], i % 2 ? TENSOR_F64 : TENSOR_F32};
			tensors[i].rank = 1 + i % 4;
			for (int d = 0; d < tensors[i].rank; d++)
				tensors[i].shape[d] = (uint64_t) (1 + (i + d) % 3);
			/* the last one first */
			tensors[i].offset = (uint64_t) (count - 1 - i) * 1000;
		}
		head = hdf5_write_head(&own, tensors, count, &length);
		CHECK(head != NULL, "no head of %d", count);
		size = length + (uint64_t) (count - 1) * 1000 +
			(count > 0 ? tensors[0].bytes : 1000);
		file = calloc(1, (size_t) size);
		memcpy(file, head, length);
		CHECK(open_bytes(file, (size_t) size) &&
			  list.count == (size_t) count, "%d written: %s", count,
			  fault.detail);
		for (int i = 0; i < count; i++)
		{
			const Tensor *found = tensor_find(&list, names[i]);

			CHECK(found != NULL && found->type == tensors[i].type &&
				  found->rank == tensors[i].rank &&
				  memcmp(found->shape, tensors[i].shape,
						 sizeof(uint64_t) * (size_t) found->rank) == 0 &&
				  found->offset == length + (uint64_t) (count - 1 - i) * 1000,
				  "%s", names[i]);
		}
		free(file);
	}
	/* more than find room in a group */
	for (int i = 0; i < 65; i++)
	{
		snprintf(names[i], sizeof(names[i]), "t%03d", i);
		tensors[i] = (Tensor) {names[i], TENSOR_F32, 0, 1, {1}};
	}
	{
		size_t		length;

		CHECK(hdf5_write_head(&own, tensors, 65, &length) == NULL, "65 members");
		CHECK(hdf5_write_head(&own, tensors, 64, &length) != NULL, "64 members");
	}
	arena_end(&own);
}

static void
test_unsupported(void)
{
	build();
	bytes[1] = 'h';
	expect_bad("magic", FORMAT_UNRECOGNIZED, "begin like HDF5");
	bytes[8] = 2;
	expect_bad("superblock 2", FORMAT_UNSUPPORTED, "version 2; supported is 0");
	bytes[13] = 4;
	expect_bad("short addresses", FORMAT_UNSUPPORTED, "8 bytes");
	bytes[24] = 1;
	expect_bad("base address", FORMAT_UNSUPPORTED, "base address");
	put_bytes(GROUP, "OHDR", 4);
	expect_bad("new header", FORMAT_UNSUPPORTED, "version 2 in \"g\"");
	bytes[GROUP + 16] = 0x06;
	expect_bad("new group", FORMAT_UNSUPPORTED, "new kind in \"g\"");
	bytes[GROUP_SYMBOLS + 8 + 16] = 2;
	expect_bad("link", FORMAT_UNSUPPORTED, "symbolic link in \"g/w\"");
	bytes[W_LAYOUT + 1] = 2;
	expect_bad("chunks", FORMAT_UNSUPPORTED, "in chunks in \"g/w\"");
	bytes[W_LAYOUT + 1] = 0;
	expect_bad("compact", FORMAT_UNSUPPORTED, "compact");
	bytes[W_LAYOUT] = 4;
	expect_bad("layout 4", FORMAT_UNSUPPORTED, "another version than 3");
	bytes[W_LAYOUT - 8] = 0x0B;
	expect_bad("filters", FORMAT_UNSUPPORTED, "Compressed");
	bytes[W_LAYOUT - 8] = 0x07;
	expect_bad("external", FORMAT_UNSUPPORTED, "other files");
	bytes[W_LAYOUT - 8] = 0x44;
	expect_bad("message", FORMAT_UNSUPPORTED, "unknown type 68");
	bytes[W_TYPE - 4] = 2;
	expect_bad("shared", FORMAT_UNSUPPORTED, "shared");
	bytes[W_TYPE + 1] |= 1;
	expect_bad("big-endian", FORMAT_UNSUPPORTED, "floats other than");
	bytes[W_TYPE + 16] = 126;
	expect_bad("another bias", FORMAT_UNSUPPORTED, "floats other than");
	bytes[W_TYPE] = 0x10;
	expect_bad("integers", FORMAT_UNSUPPORTED, "integers in \"g/w\"");
	bytes[W_TYPE] = 0x13;
	expect_bad("strings", FORMAT_UNSUPPORTED, "strings");
	bytes[W_SPACE] = 3;
	expect_bad("dataspace 3", FORMAT_UNSUPPORTED, "dataspace");
	put(W_LAYOUT + 2, UINT64_MAX, 8);
	expect_bad("never written", FORMAT_UNSUPPORTED, "nothing was written");
}

static void
test_malformed(void)
{
	build();
	put(40, END + 1, 8);
	expect_bad("cut short", FORMAT_TRUNCATED, "end of the file");
	put(64, UINT64_MAX, 8);
	expect_bad("root at 2^64", FORMAT_TRUNCATED, "expected at");
	put(64, UINT64_MAX - 4, 8);
	expect_bad("root at 2^64 - 5", FORMAT_TRUNCATED, "expected at");
	bytes[ROOT] = 7;
	expect_bad("no header", FORMAT_MALFORMED, "No object header");
	bytes[GROUP_TREE] = 'X';
	expect_bad("no tree", FORMAT_MALFORMED, "tree in \"g\"");
	bytes[GROUP_HEAP] = 'X';
	expect_bad("no heap", FORMAT_MALFORMED, "heap");
	bytes[GROUP_SYMBOLS] = 'X';
	expect_bad("no symbols", FORMAT_MALFORMED, "symbol table node");
	put(GROUP_HEAP + 24, UINT64_MAX - 10, 8);
	expect_bad("heap far away", FORMAT_TRUNCATED, "heap");
	put(GROUP_HEAP + 8, UINT64_MAX, 8);
	expect_bad("endless heap", FORMAT_TRUNCATED, "heap");
	put(GROUP_SYMBOLS + 8, 40, 8);
	expect_bad("a name outside", FORMAT_MALFORMED, "outside its heap");
	memset(bytes + GROUP_NAMES, 'n', 40);
	expect_bad("an endless name", FORMAT_MALFORMED, "does not end");
	bytes[GROUP_NAMES + 8] = '/';
	expect_bad("a name with a slash", FORMAT_MALFORMED, "that is none");
	bytes[GROUP_NAMES + 8] = 0xFF;
	expect_bad("a name that is no text", FORMAT_MALFORMED, "that is none");
	bytes[GROUP_NAMES + 8] = 0;
	expect_bad("an empty name", FORMAT_MALFORMED, "that is none");
	put(W_SPACE + 8, 3, 8);
	expect_bad("another shape", FORMAT_MALFORMED, "does not fit the shape");
	put(W_SPACE + 8, UINT64_MAX, 8);
	expect_bad("a shape that overflows", FORMAT_MALFORMED, "overflows");
	put(W_LAYOUT + 2, END - 23, 8);
	expect_bad("data beyond the end", FORMAT_TRUNCATED, "Data beyond");
	put(W_LAYOUT + 2, UINT64_MAX - 1, 8);
	expect_bad("data far away", FORMAT_TRUNCATED, "Data beyond");
	put(W_LAYOUT + 2, DATA_W + 8, 8);
	expect_bad("data of both", FORMAT_MALFORMED, "overlap");
	bytes[DATASET_W + 2] = 2;
	expect_bad("no layout", FORMAT_MALFORMED, "whole dataset");
	bytes[DATASET_W + 2] = 9;
	expect_bad("messages missing", FORMAT_MALFORMED, "Fewer messages");
	put(DATASET_W + 2, 0xFFFF, 2);
	expect_bad("messages", FORMAT_TOO_LARGE, "More messages");
	put(DATASET_W + 8, UINT32_MAX, 4);
	expect_bad("a long header", FORMAT_TRUNCATED, "header beyond");
	put(W_SPACE - 6, 0xFFFF, 2);
	expect_bad("a long message", FORMAT_MALFORMED, "longer than its header");
	put(W_SPACE - 6, 8, 2);
	expect_bad("a short message", FORMAT_MALFORMED, "cut short");
}

/* What would never end. */
static void
test_circles(void)
{
	build();
	/* a group within itself */
	put(GROUP_SYMBOLS + 16, GROUP, 8);
	expect_bad("a group within itself", FORMAT_TOO_LARGE, "within each other");
	put(GROUP_SYMBOLS + 16, ROOT, 8);
	expect_bad("the root within a group", FORMAT_TOO_LARGE, "within each other");
	/* a tree that is its own child */
	bytes[GROUP_TREE + 5] = 1;
	put(GROUP_TREE + 32, GROUP_TREE, 8);
	expect_bad("a tree within itself", FORMAT_MALFORMED, "No node");
	/* a header that goes on in itself */
	bytes[W_SPACE - 8] = 0x10;
	put(W_SPACE, W_SPACE - 8, 8);
	put(W_SPACE + 8, 32, 8);
	put(DATASET_W + 2, 4000, 2);
	expect_bad("a header within itself", FORMAT_TOO_LARGE, "pieces");
}

/* Few bytes that are many objects: 60 children of each node, all the same. */
static void
test_many(void)
{
	build();
	for (int level = 3; level >= 0; level--)
	{
		size_t		node = 2000 + 1000 * (size_t) (3 - level);

		put_bytes(node, "TREE", 4);
		put(node + 5, (uint64_t) level, 1);
		put(node + 6, level > 0 ? 60 : 0, 2);
		for (size_t child = 0; child < 60; child++)
			put(node + 24 + 16 * child + 8, node + 1000, 8);
	}
	put(GROUP + 24, 2000, 8);
	expect_bad("60 * 60 * 60 nodes", FORMAT_TOO_LARGE, "More objects");
}

static void
test_damage(void)
{
	build();
	for (size_t size = 0; size < END; size++)
		CHECK(!open_bytes(bytes, size), "cut at %zu", size);
	for (size_t i = 0; i < END; i++)
	{
		unsigned char kept = bytes[i];

		for (int change = 1; change < 256; change += change < 4 ? 1 : 63)
		{
			bytes[i] = (unsigned char) (kept + change);
			open_bytes(bytes, END);
		}
		bytes[i] = kept;
	}
	CHECK(open_bytes(bytes, END), "mended: %s", fault.detail);
}

/* The sum of all values by h5py 3.16 and numpy, in double. */
static void
test_real_weights(void)
{
	size_t		size;
	unsigned char *file = read_data_file("models/elmo_allennlp/lm_weights.hdf5", &size);
	const Tensor *tensor;
	double		sum = 0;

	if (file == NULL)
	{
		printf("no real weights: skipped\n");
		return;
	}
	CHECK(open_bytes(file, size) && list.count == 33, "%zu datasets: %s", list.count,
		  fault.detail);
	tensor = tensor_find(&list, "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_0");
	CHECK(tensor != NULL && tensor->rank == 2 && tensor->shape[0] == 32 &&
			  tensor->shape[1] == 256,
		  "weights of the second layer");
	for (size_t i = 0; i < list.count; i++)
	{
		float	   *values;

		tensor = &list.tensors[i];
		values = exact_alloc(tensor->elements * sizeof(float));
		tensor_to_floats(tensor->type, file + tensor->offset, tensor->elements,
						 values);
		for (size_t k = 0; k < tensor->elements; k++)
			sum += values[k] * (double) (k % 7 + 1);
		free(values);
	}
	CHECK(fabs(sum - -2093.694505) < 1e-6 * fabs(-2093.694505), "sum %.10g", sum);
	free(file);
}

int
main(void)
{
	distance_init();
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 26);
	test_example();
	test_written();
	test_unsupported();
	test_malformed();
	test_circles();
	test_many();
	test_damage();
	test_real_weights();
	arena_end(&arena);
	return check_result();
}
