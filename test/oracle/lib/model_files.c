/*-------------------------------------------------------------------------
 *
 * model_files.c
 *	  Prints what the readers of src/format make of a file of a model, for
 *	  test/oracle/model_files.py.
 *
 *		model_files safetensors|gguf|hdf5|tar VALUES FILE...
 *
 * The output is one JSON text; the values of all tensors, as floats in the
 * order of the output, go to the file VALUES.  A fault is printed as
 * {"fault": ...}.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"
#include "format/hdf5.h"
#include "format/json_write.h"
#include "format/safetensors.h"
#include "format/tar.h"
#include "math/distance.h"

static Arena arena;
static JsonWriter writer;
static FormatFault fault;

static void
key(const char *name)
{
	json_write_key(&writer, name, strlen(name));
}

static void
string(const char *text)
{
	json_write_string(&writer, text, strlen(text));
}

static void
die(const char *what)
{
	fprintf(stderr, "model_files: %s\n", what);
	exit(2);
}

static bool
read_stream(void *context, uint64_t offset, void *buffer, size_t length)
{
	return fseek(context, (long) offset, SEEK_SET) == 0 &&
		   fread(buffer, 1, length, context) == length;
}

static FormatFile
open_file(const char *path)
{
	FILE	   *stream = fopen(path, "rb");

	if (stream == NULL || fseek(stream, 0, SEEK_END) != 0)
		die(path);
	return format_file(read_stream, stream, (uint64_t) ftell(stream));
}

/* Blocks of whole elements, so that memory does not grow with the tensor. */
static void
write_values(FILE *values, const FormatFile *file, const Tensor *tensor)
{
	enum
	{
		SOME = 1 << 14
	};
	static float floats[SOME];
	static unsigned char bytes[SOME * 8];
	uint64_t	at = 0;

	for (uint64_t done = 0; done < tensor->elements; done += SOME)
	{
		size_t		some = tensor->elements - done < SOME
							   ? (size_t) (tensor->elements - done)
							   : SOME;
		size_t		size = some /
						   (size_t) tensor_block_elements(tensor->type) *
						   (size_t) tensor_block_bytes(tensor->type);

		if (!format_file_read(file, tensor->offset + at, bytes, size, &fault))
			die(fault.detail);
		tensor_to_floats(tensor->type, bytes, some, floats);
		if (fwrite(floats, sizeof(float), some, values) != some)
			die("cannot write values");
		at += size;
	}
}

static void
print_tensors(const TensorList *list, const FormatFile *files, FILE *values)
{
	key("tensors");
	json_write_begin(&writer, '[');
	for (size_t i = 0; i < list->count; i++)
	{
		const Tensor *tensor = &list->tensors[i];

		json_write_begin(&writer, '[');
		string(tensor->name);
		string(tensor_type_name(tensor->type));
		json_write_begin(&writer, '[');
		for (int k = 0; k < tensor->rank; k++)
			json_write_uint64(&writer, tensor->shape[k]);
		json_write_end(&writer, ']');
		json_write_uint64(&writer, tensor->offset);
		json_write_uint64(&writer, tensor->bytes);
		json_write_end(&writer, ']');
		write_values(values, &files[tensor->file], tensor);
	}
	json_write_end(&writer, ']');
}

static void
print_element(const GgufValue *value, size_t i)
{
	GgufText	text;
	int64_t		whole;
	double		number;
	bool		truth;

	if (gguf_element_text(value, i, &text))
		json_write_string(&writer, text.text, text.length);
	else if (gguf_element_bool(value, i, &truth))
		json_write_raw(&writer, truth ? "true" : "false", truth ? 4 : 5);
	else if (gguf_element_int64(value, i, &whole))
		json_write_int64(&writer, whole);
	else if (gguf_element_double(value, i, &number) && isfinite(number))
		json_write_double(&writer, number);
	else
		json_write_raw(&writer, "null", 4);
}

static void
print_values(const Gguf *gguf)
{
	key("values");
	json_write_begin(&writer, '{');
	for (size_t i = 0; i < gguf->value_count; i++)
	{
		const GgufValue *value = &gguf->values[i];

		key(value->key);
		if (value->is_array)
			json_write_begin(&writer, '[');
		for (size_t k = 0; k < value->count; k++)
			print_element(value, k);
		if (value->is_array)
			json_write_end(&writer, ']');
	}
	json_write_end(&writer, '}');
}

static void
print_archive(const FormatFile *file)
{
	static TarReader reader;
	static const char *const kinds[] = {"file", "folder", "link"};

	key("members");
	json_write_begin(&writer, '[');
	tar_begin(&reader, file);
	while (tar_next(&reader) == TAR_MEMBER)
	{
		json_write_begin(&writer, '[');
		string(reader.name);
		string(kinds[reader.kind]);
		string(reader.link);
		json_write_uint64(&writer, reader.offset);
		json_write_uint64(&writer, reader.size);
		json_write_end(&writer, ']');
	}
	json_write_end(&writer, ']');
	fault = reader.fault;
}

static void
print_model(const char *kind, const FormatFile *files, int count, FILE *values)
{
	Safetensors head;
	Gguf		gguf;
	TensorList	list;

	if (strcmp(kind, "safetensors") == 0)
	{
		if (safetensors_open(&head, &arena, files, NULL, &fault))
			print_tensors(&head.list, files, values);
	}
	else if (strcmp(kind, "gguf") == 0)
	{
		if (gguf_open(&gguf, &arena, files, count, &fault))
		{
			print_tensors(&gguf.list, files, values);
			print_values(&gguf);
		}
	}
	else if (strcmp(kind, "hdf5") == 0)
	{
		if (hdf5_open(&list, &arena, files, &fault))
			print_tensors(&list, files, values);
	}
	else if (strcmp(kind, "tar") == 0)
		print_archive(files);
	else
		die("unknown kind");
}

int
main(int argc, char **argv)
{
	FormatFile *files;
	FILE	   *values;
	char	   *text;
	size_t		length;

	if (argc < 4)
		die("usage: model_files KIND VALUES FILE...");
	distance_init();
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 31);
	values = fopen(argv[2], "wb");
	files = malloc((size_t) argc * sizeof(*files));
	if (values == NULL || files == NULL)
		die(argv[2]);
	for (int i = 3; i < argc; i++)
		files[i - 3] = open_file(argv[i]);
	json_writer_begin(&writer, &arena);
	json_write_begin(&writer, '{');
	print_model(argv[1], files, argc - 3, values);
	if (fault.status != FORMAT_OK)
	{
		key("fault");
		string(fault.detail);
	}
	json_write_end(&writer, '}');
	text = json_writer_text(&writer, &length);
	if (text == NULL)
		die("out of memory");
	puts(text);
	if (fclose(values) != 0)
		die("cannot write values");
	arena_end(&arena);
	return 0;
}
