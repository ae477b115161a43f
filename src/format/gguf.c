/*-------------------------------------------------------------------------
 *
 * gguf.c
 *	  Reading what stands before the data of a GGUF file.
 *
 * After ggml's definition of the format and the gguf package.  Every count is
 * compared with the bytes that are left before memory is taken for it.
 *
 *-------------------------------------------------------------------------
 */
#include "format/gguf.h"

#include "format/utf8.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_ALIGNMENT 32

/* ggml's own limit */
#define MAX_DIMENSIONS 4

/* The fewest bytes of a setting (key, type, value) and of a tensor. */
#define LEAST_VALUE (8 + 4 + 1)
#define LEAST_TENSOR (8 + 4 + 4 + 8)

/* Bytes of a number of each type; 0 for what is none. */
static const int number_size[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4,
											1, 0, 0, 8, 8, 8};

/* ggml's numbers of tensor types; those without a type here are refused. */
static const struct
{
	uint32_t	number;
	const char *name;
	int			type;
}			tensor_types[] = {
	{0, "F32", TENSOR_F32},
	{1, "F16", TENSOR_F16},
	{2, "Q4_0", TENSOR_Q4_0},
	{3, "Q4_1", TENSOR_Q4_1},
	{6, "Q5_0", TENSOR_Q5_0},
	{7, "Q5_1", TENSOR_Q5_1},
	{8, "Q8_0", TENSOR_Q8_0},
	{9, "Q8_1", -1},
	{10, "Q2_K", -1},
	{11, "Q3_K", -1},
	{12, "Q4_K", TENSOR_Q4_K},
	{13, "Q5_K", TENSOR_Q5_K},
	{14, "Q6_K", TENSOR_Q6_K},
	{15, "Q8_K", -1},
	{16, "IQ2_XXS", -1},
	{17, "IQ2_XS", -1},
	{18, "IQ3_XXS", -1},
	{19, "IQ1_S", -1},
	{20, "IQ4_NL", -1},
	{21, "IQ3_S", -1},
	{22, "IQ2_S", -1},
	{23, "IQ4_XS", -1},
	{24, "I8", TENSOR_I8},
	{25, "I16", TENSOR_I16},
	{26, "I32", TENSOR_I32},
	{27, "I64", TENSOR_I64},
	{28, "F64", TENSOR_F64},
	{29, "IQ1_M", -1},
	{30, "BF16", TENSOR_BF16},
	{34, "TQ1_0", -1},
	{35, "TQ2_0", -1},
	{39, "MXFP4", -1}
};

#define TENSOR_TYPE_COUNT (sizeof(tensor_types) / sizeof(tensor_types[0]))

/* One file while it is read. */
typedef struct Reader
{
	Arena	   *arena;
	FormatCursor cursor;
	FormatFault *fault;
	uint64_t	tensor_count;
	GgufValue  *values;
	size_t		value_count;
	Tensor	   *tensors;
	uint64_t	alignment;
	uint64_t	data_start;
} Reader;

static bool
malformed(Reader *reader, const char *detail)
{
	format_fault(reader->fault, FORMAT_MALFORMED, reader->cursor.at, 0, "%s", detail);
	return false;
}

static void *
take(Reader *reader, size_t count, size_t size)
{
	void	   *memory = arena_alloc_array(reader->arena, count, size);

	if (memory == NULL)
		format_fault(reader->fault, FORMAT_OUT_OF_MEMORY, reader->cursor.at, 0,
					 "No memory for %zu times %zu bytes.", count, size);
	return memory;
}

/* A count of things that have at least so many bytes each. */
static bool
check_count(Reader *reader, uint64_t count, uint64_t least_bytes,
			const char *what)
{
	if (count <= format_cursor_rest(&reader->cursor) / least_bytes)
		return true;
	format_fault(reader->fault, FORMAT_TRUNCATED, reader->cursor.at, 0,
				 "%llu %s are announced, but %llu bytes are left.", (unsigned long long) count, what,
				 (unsigned long long) format_cursor_rest(&reader->cursor));
	return false;
}

static bool
read_text(Reader *reader, GgufText *text)
{
	uint64_t	length;
	char	   *bytes;

	if (!format_cursor_uint64(&reader->cursor, &length) ||
		!check_count(reader, length, 1, "bytes of a string"))
		return false;
	bytes = take(reader, (size_t) length + 1, 1);
	if (bytes == NULL ||
		!format_cursor_read(&reader->cursor, bytes, (size_t) length))
		return false;
	bytes[length] = '\0';
	text->text = bytes;
	text->length = (size_t) length;
	return true;
}

static bool
read_key(Reader *reader, const char **key)
{
	GgufText	text;

	if (!read_text(reader, &text))
		return false;
	if (text.length == 0 || text.length > GGUF_MAX_KEY ||
		strlen(text.text) != text.length ||
		utf8_valid_length((const unsigned char *) text.text, text.length) <
			text.length)
		return malformed(reader, "A key is empty, too long or not text in UTF-8.");
	*key = text.text;
	return true;
}

static bool
read_texts(Reader *reader, GgufValue *value)
{
	GgufText   *texts;

	if (!check_count(reader, value->count, 8, "strings"))
		return false;
	texts = take(reader, value->count, sizeof(*texts));
	if (texts == NULL)
		return false;
	for (size_t i = 0; i < value->count; i++)
	{
		if (!read_text(reader, &texts[i]))
			return false;
	}
	value->texts = texts;
	return true;
}

static bool
read_numbers(Reader *reader, GgufValue *value)
{
	size_t		size = (size_t) number_size[value->type];
	unsigned char *numbers;

	if (!check_count(reader, value->count, size, "numbers"))
		return false;
	numbers = take(reader, value->count, size);
	if (numbers == NULL ||
		!format_cursor_read(&reader->cursor, numbers, value->count * size))
		return false;
	for (size_t i = 0; value->type == GGUF_BOOL && i < value->count; i++)
	{
		if (numbers[i] > 1)
			return malformed(reader, "A truth value is neither 0 nor 1.");
	}
	value->numbers = numbers;
	return true;
}

static bool
read_type(Reader *reader, GgufType *type)
{
	uint32_t	number;

	if (!format_cursor_uint32(&reader->cursor, &number))
		return false;
	if (number >= GGUF_TYPES)
	{
		format_fault(reader->fault, FORMAT_MALFORMED, reader->cursor.at - 4, 0,
					 "A value has the type %u, which is not known.", number);
		return false;
	}
	*type = (GgufType) number;
	return true;
}

static bool
read_value(Reader *reader, GgufValue *value)
{
	uint64_t	count = 1;

	if (!read_key(reader, &value->key) || !read_type(reader, &value->type))
		return false;
	value->is_array = value->type == GGUF_ARRAY;
	if (value->is_array)
	{
		if (!read_type(reader, &value->type) ||
			!format_cursor_uint64(&reader->cursor, &count) ||
			!check_count(reader, count, 1, "elements"))
			return false;
		if (value->type == GGUF_ARRAY)
		{
			format_fault(reader->fault, FORMAT_UNSUPPORTED, reader->cursor.at,
						 0, "\"%.100s\" is an array of arrays.", value->key);
			return false;
		}
	}
	value->count = (size_t) count;
	return value->type == GGUF_STRING ? read_texts(reader, value)
									  : read_numbers(reader, value);
}

static int
compare_values(const void *a, const void *b)
{
	return strcmp(((const GgufValue *) a)->key, ((const GgufValue *) b)->key);
}

static bool
read_values(Reader *reader)
{
	reader->values = take(reader, reader->value_count, sizeof(GgufValue));
	if (reader->values == NULL)
		return false;
	memset(reader->values, 0, reader->value_count * sizeof(GgufValue));
	for (size_t i = 0; i < reader->value_count; i++)
	{
		if (!read_value(reader, &reader->values[i]))
			return false;
	}
	qsort(reader->values, reader->value_count, sizeof(GgufValue),
		  compare_values);
	for (size_t i = 1; i < reader->value_count; i++)
	{
		if (compare_values(&reader->values[i - 1], &reader->values[i]) != 0)
			continue;
		format_fault(reader->fault, FORMAT_MALFORMED, reader->cursor.at, 0,
					 "The key \"%.100s\" comes twice.", reader->values[i].key);
		return false;
	}
	return true;
}

static const GgufValue *
find(const Reader *reader, const char *key)
{
	Gguf		one = {reader->values, reader->value_count};

	return gguf_find(&one, key);
}

static bool
read_alignment(Reader *reader)
{
	const GgufValue *value = find(reader, "general.alignment");
	int64_t		alignment = DEFAULT_ALIGNMENT;

	if (value != NULL &&
		(value->type != GGUF_UINT32 || !gguf_int64(value, &alignment) ||
		 alignment == 0 || (alignment & (alignment - 1)) != 0))
		return malformed(reader, "\"general.alignment\" is not a power of two in 32 bits.");
	reader->alignment = (uint64_t) alignment;
	return true;
}

static bool
read_tensor_type(Reader *reader, Tensor *tensor)
{
	uint32_t	number;

	if (!format_cursor_uint32(&reader->cursor, &number))
		return false;
	for (size_t i = 0; i < TENSOR_TYPE_COUNT; i++)
	{
		if (tensor_types[i].number != number)
			continue;
		if (tensor_types[i].type < 0)
		{
			format_fault(reader->fault, FORMAT_UNSUPPORTED, tensor->offset, 0,
						 "Tensor \"%.100s\" has the type %s; supported are F32, F16, BF16, F64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, I8, I16, I32 and I64.",
						 tensor->name, tensor_types[i].name);
			return false;
		}
		tensor->type = (TensorType) tensor_types[i].type;
		return true;
	}
	format_fault(reader->fault, FORMAT_UNSUPPORTED, tensor->offset, 0,
				 "Tensor \"%.100s\" has the type number %u, which is not known.", tensor->name,
				 number);
	return false;
}

/* Dimensions come with the contiguous one first. */
static bool
read_shape(Reader *reader, Tensor *tensor)
{
	uint32_t	rank;

	if (!format_cursor_uint32(&reader->cursor, &rank))
		return false;
	if (rank > MAX_DIMENSIONS)
	{
		format_fault(reader->fault, FORMAT_MALFORMED, reader->cursor.at - 4, 0,
					 "Tensor \"%.100s\" has %u dimensions, the most are %d.", tensor->name, rank,
					 MAX_DIMENSIONS);
		return false;
	}
	tensor->rank = (int) rank;
	for (int i = tensor->rank - 1; i >= 0; i--)
	{
		if (!format_cursor_uint64(&reader->cursor, &tensor->shape[i]))
			return false;
	}
	return true;
}

/* The offset is counted from the data's start, which is not known yet. */
static bool
read_tensor(Reader *reader, Tensor *tensor)
{
	GgufText	name;
	uint64_t	offset;

	tensor->offset = reader->cursor.at;
	if (!read_text(reader, &name) ||
		!tensor_set_name(reader->arena, tensor, name.text, name.length,
						 reader->fault) ||
		!read_shape(reader, tensor) || !read_tensor_type(reader, tensor) ||
		!format_cursor_uint64(&reader->cursor, &offset) ||
		!tensor_set_size(tensor, reader->fault))
		return false;
	tensor->offset = offset;
	return true;
}

static bool
place_tensors(Reader *reader, uint64_t size)
{
	for (size_t i = 0; i < reader->tensor_count; i++)
	{
		Tensor	   *tensor = &reader->tensors[i];
		uint64_t	rest = size - reader->data_start;

		/*
		 * even one without elements has a place, which the padding may lie
		 * beyond
		 */
		if (reader->data_start > size || tensor->offset > rest ||
			tensor->bytes > rest - tensor->offset)
		{
			format_fault(reader->fault, FORMAT_TRUNCATED, size, 0,
						 "Tensor \"%.100s\" ends beyond the end of the file.", tensor->name);
			return false;
		}
		tensor->offset += reader->data_start;
	}
	return true;
}

static bool
read_tensors(Reader *reader, int file)
{
	uint64_t	end;

	if (!check_count(reader, reader->tensor_count, LEAST_TENSOR, "tensors"))
		return false;
	reader->tensors = take(reader, (size_t) reader->tensor_count,
						   sizeof(Tensor));
	if (reader->tensors == NULL)
		return false;
	memset(reader->tensors, 0, (size_t) reader->tensor_count * sizeof(Tensor));
	for (size_t i = 0; i < reader->tensor_count; i++)
	{
		reader->tensors[i].file = file;
		if (!read_tensor(reader, &reader->tensors[i]))
			return false;
	}
	end = reader->cursor.at;
	reader->data_start = end + (reader->alignment - end % reader->alignment) %
								   reader->alignment;
	return place_tensors(reader, reader->cursor.file->size);
}

/* Up to the settings. */
static bool
read_head(Reader *reader)
{
	unsigned char magic[4];
	uint32_t	version;
	uint64_t	count;

	if (!format_cursor_read(&reader->cursor, magic, sizeof(magic)))
		return false;
	if (memcmp(magic, "GGUF", 4) != 0)
	{
		format_fault(reader->fault, FORMAT_UNRECOGNIZED, 0, 0, "The file does not begin with \"GGUF\".");
		return false;
	}
	if (!format_cursor_uint32(&reader->cursor, &version))
		return false;
	if (version != 2 && version != 3)
	{
		if ((version & 0xFFFF) == 0)
			format_fault(reader->fault, FORMAT_UNSUPPORTED, 4, 0, "The file is big-endian.");
		else
			format_fault(reader->fault, FORMAT_UNSUPPORTED, 4, 0,
						 "The file has version %u of the format; supported are 2 and 3.", version);
		return false;
	}
	if (!format_cursor_uint64(&reader->cursor, &reader->tensor_count) ||
		!format_cursor_uint64(&reader->cursor, &count) ||
		!check_count(reader, count, LEAST_VALUE, "settings"))
		return false;
	reader->value_count = (size_t) count;
	return read_values(reader);
}

static bool
read_split(const Reader *reader, int *count, int *number)
{
	const GgufValue *count_value = find(reader, "split.count");
	const GgufValue *number_value = find(reader, "split.no");
	int64_t		counted = 1;
	int64_t		numbered = 0;

	if (count_value != NULL || number_value != NULL)
	{
		if (!gguf_int64(count_value, &counted) ||
			!gguf_int64(number_value, &numbered) || counted < 0 ||
			counted > GGUF_MAX_FILES || numbered < 0 ||
			numbered >= (counted > 1 ? counted : 1))
		{
			format_fault(reader->fault, FORMAT_MALFORMED, reader->cursor.at, 0,
						 "\"split.no\" and \"split.count\" contradict each other.");
			return false;
		}
	}
	*count = counted > 1 ? (int) counted : 1;
	*number = (int) numbered;
	return true;
}

static void
begin(Reader *reader, Arena *arena, const FormatFile *file, FormatFault *fault)
{
	reader->arena = arena;
	reader->fault = fault;
	reader->tensor_count = 0;
	reader->values = NULL;
	reader->value_count = 0;
	reader->tensors = NULL;
	reader->alignment = DEFAULT_ALIGNMENT;
	reader->data_start = 0;
	format_cursor_begin(&reader->cursor, file, 0, fault);
}

bool
gguf_split(Arena *arena, const FormatFile *file, int *count, int *number,
		   FormatFault *fault)
{
	ArenaMark	mark = arena_mark(arena);
	Reader		reader;
	bool		good;

	memset(fault, 0, sizeof(*fault));
	begin(&reader, arena, file, fault);
	good = read_head(&reader) && read_split(&reader, count, number);
	arena_release(arena, mark);
	return good;
}

static bool
check_split(const Reader *reader, int count, int file)
{
	int			said_count;
	int			said_number;

	if (!read_split(reader, &said_count, &said_number))
		return false;
	if (said_count == count && said_number == file)
		return true;
	format_fault(reader->fault, FORMAT_MALFORMED, 0, 0,
				 "This is file %d of %d of a model, given as file %d of %d.", said_number + 1,
				 said_count, file + 1, count);
	return false;
}

/* All tensors in one list, after those of the files before. */
static bool
add_tensors(Gguf *gguf, Reader *reader)
{
	TensorList *list = &gguf->list;
	size_t		count = list->count + (size_t) reader->tensor_count;
	Tensor	   *all = reader->tensors;

	if (list->count > 0)
	{
		all = take(reader, count, sizeof(Tensor));
		if (all == NULL)
			return false;
		memcpy(all, list->tensors, list->count * sizeof(Tensor));
		memcpy(all + list->count, reader->tensors,
			   (size_t) reader->tensor_count * sizeof(Tensor));
	}
	list->tensors = all;
	list->count = count;
	return true;
}

static bool
read_file(Gguf *gguf, Arena *arena, const FormatFile *file, Reader *reader,
		  FormatFault *fault)
{
	begin(reader, arena, file, fault);
	if (!read_head(reader) ||
		!check_split(reader, gguf->file_count, gguf->file) ||
		!read_alignment(reader) || !read_tensors(reader, gguf->file) ||
		!add_tensors(gguf, reader))
		return false;
	if (gguf->file == 0)
	{
		gguf->values = reader->values;
		gguf->value_count = reader->value_count;
	}
	return true;
}

static bool
check_tensor_count(const Gguf *gguf, FormatFault *fault)
{
	const GgufValue *value = gguf_find(gguf, "split.tensors.count");
	int64_t		count;

	if (value == NULL ||
		(gguf_int64(value, &count) && count == (int64_t) gguf->list.count))
		return true;
	format_fault(fault, FORMAT_MALFORMED, 0, 0,
				 "The files hold %zu tensors, which is not what \"split.tensors.count\" says.",
				 gguf->list.count);
	return false;
}

bool
gguf_open(Gguf *gguf, Arena *arena, const FormatFile *files, int count,
		  FormatFault *fault)
{
	Reader		reader;
	uint64_t   *data_starts = arena_alloc_array(arena, (size_t) count,
												2 * sizeof(uint64_t));

	memset(gguf, 0, sizeof(*gguf));
	memset(fault, 0, sizeof(*fault));
	gguf->file_count = count;
	if (data_starts == NULL)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for %d files.", count);
		return false;
	}
	for (gguf->file = 0; gguf->file < count; gguf->file++)
	{
		if (!read_file(gguf, arena, &files[gguf->file], &reader, fault))
			return false;
		data_starts[2 * gguf->file] = reader.data_start;
		data_starts[2 * gguf->file + 1] = reader.alignment;
	}
	gguf->file = 0;
	if (!check_tensor_count(gguf, fault) ||
		!tensor_list_finish(arena, &gguf->list, fault))
		return false;
	for (gguf->file = 0; gguf->file < count; gguf->file++)
	{
		const uint64_t *start = &data_starts[2 * gguf->file];

		if (!tensor_list_check_gaps(&gguf->list, gguf->file, start[0],
									files[gguf->file].size, start[1], fault))
			return false;
	}
	gguf->file = 0;
	return true;
}
