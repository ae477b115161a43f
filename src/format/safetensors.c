/*-------------------------------------------------------------------------
 *
 * safetensors.c
 *	  Reading and writing the heads of safetensors files.
 *
 * The rules are the safetensors crate's: the tensors, put in the order of
 * their offsets, begin where the one before ends, and the last one ends where
 * the file ends.
 *
 *-------------------------------------------------------------------------
 */
#include "format/safetensors.h"

#include "format/json_write.h"
#include "format/utf8.h"

#include <string.h>

/* The length of the head, before the head. */
#define PREFIX 8

static const struct
{
	const char *name;
	TensorType	type;
}			type_names[] = {
	{"F32", TENSOR_F32},
	{"F64", TENSOR_F64},
	{"F16", TENSOR_F16},
	{"BF16", TENSOR_BF16},
	{"I8", TENSOR_I8},
	{"U8", TENSOR_U8},
	{"I16", TENSOR_I16},
	{"U16", TENSOR_U16},
	{"I32", TENSOR_I32},
	{"U32", TENSOR_U32},
	{"I64", TENSOR_I64},
	{"U64", TENSOR_U64},
	{"BOOL", TENSOR_BOOL}
};

#define TYPE_NAMES (sizeof(type_names) / sizeof(type_names[0]))

/* Where a value of the head stands in the file, for messages. */
typedef struct Head
{
	const char *text;
	uint64_t	data_bytes;
	Safetensors *result;
	Arena	   *arena;
	FormatFault *fault;
} Head;

static uint64_t
place(const Head *head, const JsonValue *key)
{
	if (key->text >= head->text &&
		key->text < head->text + head->result->data_start - PREFIX)
		return PREFIX + (uint64_t) (key->text - head->text);
	return PREFIX;				/* a key with escapes is a copy */
}

static bool
malformed(const Head *head, const JsonValue *key, const char *what)
{
	char		excerpt[UTF8_EXCERPT];

	format_fault(head->fault, FORMAT_MALFORMED, place(head, key), 0, "Tensor \"%s\" %s.",
				 utf8_excerpt(key->text, key->length, excerpt), what);
	return false;
}

static bool
read_type(const Head *head, const JsonValue *key, const JsonValue *value,
		  Tensor *tensor)
{
	char		excerpt[UTF8_EXCERPT];

	if (!json_is(value, JSON_STRING))
		return malformed(head, key, "has no dtype");
	for (size_t i = 0; i < TYPE_NAMES; i++)
	{
		if (json_equals(value, type_names[i].name))
		{
			tensor->type = type_names[i].type;
			return true;
		}
	}
	format_fault(
		head->fault, FORMAT_UNSUPPORTED, place(head, key), 0,
		"Tensor \"%.80s\" has the type \"%.20s\"; supported are F64, F32, F16, BF16, I64, U64, I32, U32, I16, U16, I8, U8 and BOOL.",
		tensor->name, utf8_excerpt(value->text, value->length, excerpt));
	return false;
}

static bool
read_size(const JsonValue *value, uint64_t *size)
{
	int64_t		number;

	if (!json_int64(value, &number) || number < 0)
		return false;
	*size = (uint64_t) number;
	return true;
}

static bool
read_shape(const Head *head, const JsonValue *key, const JsonValue *value,
		   Tensor *tensor)
{
	if (!json_is(value, JSON_ARRAY))
		return malformed(head, key, "has no shape");
	if (json_count(value) > TENSOR_MAX_RANK)
		return malformed(head, key, "has more than 8 dimensions");
	tensor->rank = 0;
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		if (!read_size(item, &tensor->shape[tensor->rank++]))
			return malformed(head, key, "has a dimension that is not a size");
	}
	return tensor_set_size(tensor, head->fault);
}

static bool
read_offsets(const Head *head, const JsonValue *key, const JsonValue *value,
			 Tensor *tensor)
{
	const JsonValue *first = json_first(value);
	uint64_t	begin;
	uint64_t	end;

	if (!json_is(value, JSON_ARRAY) || json_count(value) != 2 ||
		!read_size(first, &begin) || !read_size(json_next(value, first), &end))
		return malformed(head, key, "has no data_offsets");
	if (begin > end || end > head->data_bytes)
		return malformed(head, key, "has data_offsets that are not within the file");
	if (end - begin != tensor->bytes)
		return malformed(head, key, "has data_offsets that do not fit its shape");
	tensor->offset = head->result->data_start + begin;
	return true;
}

static bool
read_tensor(const Head *head, const JsonValue *key, Tensor *tensor)
{
	const JsonValue *value = json_member(key);

	memset(tensor, 0, sizeof(*tensor));
	tensor->offset = place(head, key);
	if (!json_is(value, JSON_OBJECT))
		return malformed(head, key, "is not described by an object");
	return tensor_set_name(head->arena, tensor, key->text, key->length,
						   head->fault) &&
		   read_type(head, key, json_get(value, "dtype"), tensor) &&
		   read_shape(head, key, json_get(value, "shape"), tensor) &&
		   read_offsets(head, key, json_get(value, "data_offsets"), tensor);
}

static bool
read_metadata(const Head *head, const JsonValue *key)
{
	const JsonValue *value = json_member(key);

	if (!json_is(value, JSON_OBJECT))
		return malformed(head, key, "is not an object");
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		if (!json_is(json_member(item), JSON_STRING))
			return malformed(head, key, "has a value that is not a string");
	}
	head->result->metadata = value;
	return true;
}

static bool
read_tensors(const Head *head, const JsonValue *root)
{
	TensorList *list = &head->result->list;

	if (!json_is(root, JSON_OBJECT))
	{
		format_fault(head->fault, FORMAT_MALFORMED, PREFIX, 0, "The head is not an object.");
		return false;
	}
	list->tensors = arena_alloc_array(head->arena, json_count(root),
									  sizeof(Tensor));
	if (list->tensors == NULL)
	{
		format_fault(head->fault, FORMAT_OUT_OF_MEMORY, PREFIX, 0, "No memory for %u tensors.",
					 json_count(root));
		return false;
	}
	for (const JsonValue *key = json_first(root); key != NULL;
		 key = json_next(root, key))
	{
		if (json_equals(key, "__metadata__"))
		{
			if (!read_metadata(head, key))
				return false;
		}
		else if (!read_tensor(head, key, &list->tensors[list->count++]))
			return false;
	}
	return tensor_list_finish(head->arena, list, head->fault) &&
		   tensor_list_check_gaps(list, 0, head->result->data_start,
								  head->result->data_start + head->data_bytes,
								  1, head->fault);
}

/* The head's text; NULL and a fault. */
static char *
read_head(Arena *arena, const FormatFile *file, uint64_t *length,
		  FormatFault *fault)
{
	unsigned char prefix[PREFIX];
	char	   *text;

	if (!format_file_read(file, 0, prefix, PREFIX, fault))
		return NULL;
	*length = format_read_uint64(prefix);
	if (*length > SAFETENSORS_MAX_HEAD)
	{
		format_fault(fault, FORMAT_TOO_LARGE, 0, 0,
					 "The head is said to have %llu bytes, the most are %llu.",
					 (unsigned long long) *length,
					 (unsigned long long) SAFETENSORS_MAX_HEAD);
		return NULL;
	}
	if (*length > file->size - PREFIX)
	{
		format_fault(fault, FORMAT_TRUNCATED, file->size, 0,
					 "The head is said to have %llu bytes, the file has %llu.",
					 (unsigned long long) *length,
					 (unsigned long long) file->size);
		return NULL;
	}
	text = arena_alloc(arena, (size_t) *length);
	if (text == NULL)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for a head of %llu bytes.",
					 (unsigned long long) *length);
		return NULL;
	}
	return format_file_read(file, PREFIX, text, (size_t) *length, fault)
			   ? text
			   : NULL;
}

bool
safetensors_open(Safetensors *result, Arena *arena, const FormatFile *file,
				 const JsonOptions *options, FormatFault *fault)
{
	Head		head = {NULL, 0, result, arena, fault};
	JsonOptions strict = {0};
	uint64_t	length = 0;
	const JsonValue *root;

	memset(result, 0, sizeof(*result));
	memset(fault, 0, sizeof(*fault));
	head.text = read_head(arena, file, &length, fault);
	if (head.text == NULL)
		return false;
	result->data_start = PREFIX + length;
	head.data_bytes = file->size - result->data_start;
	if (options != NULL)
	{
		strict.interrupt = options->interrupt;
		strict.context = options->context;
	}
	root = json_parse(arena, head.text, (size_t) length, &strict, fault);
	if (root == NULL)
	{
		fault->offset += PREFIX;
		fault->line = 0;
		return false;
	}
	return read_tensors(&head, root);
}

/* ---------- writing ---------- */

static const char *
name_of_type(TensorType type)
{
	for (size_t i = 0; i < TYPE_NAMES; i++)
	{
		if (type_names[i].type == type)
			return type_names[i].name;
	}
	return NULL;
}

static void
write_metadata(JsonWriter *writer, const char *const *metadata, int pairs)
{
	json_write_key(writer, "__metadata__", strlen("__metadata__"));
	json_write_begin(writer, '{');
	for (int i = 0; i < pairs; i++)
	{
		json_write_key(writer, metadata[2 * i], strlen(metadata[2 * i]));
		json_write_string(writer, metadata[2 * i + 1],
						  strlen(metadata[2 * i + 1]));
	}
	json_write_end(writer, '}');
}

/* offset: from the end of the head */
static void
write_tensor(JsonWriter *writer, const Tensor *tensor)
{
	const char *type = name_of_type(tensor->type);

	json_write_key(writer, tensor->name, strlen(tensor->name));
	json_write_begin(writer, '{');
	json_write_key(writer, "dtype", strlen("dtype"));
	json_write_string(writer, type, strlen(type));
	json_write_key(writer, "shape", strlen("shape"));
	json_write_begin(writer, '[');
	for (int i = 0; i < tensor->rank; i++)
		json_write_uint64(writer, tensor->shape[i]);
	json_write_end(writer, ']');
	json_write_key(writer, "data_offsets", strlen("data_offsets"));
	json_write_begin(writer, '[');
	json_write_uint64(writer, tensor->offset);
	json_write_uint64(writer, tensor->offset + tensor->bytes);
	json_write_end(writer, ']');
	json_write_end(writer, '}');
}

static bool
place_tensors(Tensor *tensors, size_t count, FormatFault *fault)
{
	uint64_t	offset = 0;

	for (size_t i = 0; i < count; i++)
	{
		if (name_of_type(tensors[i].type) == NULL)
		{
			format_fault(fault, FORMAT_UNSUPPORTED, 0, 0,
						 "Tensor \"%s\" of type %s cannot be written to a safetensors file.",
						 tensors[i].name, tensor_type_name(tensors[i].type));
			return false;
		}
		if (!tensor_set_size(&tensors[i], fault))
			return false;
		tensors[i].offset = offset;
		if (__builtin_add_overflow(offset, tensors[i].bytes, &offset) ||
			offset > INT64_MAX)
		{
			format_fault(fault, FORMAT_TOO_LARGE, 0, 0, "The tensors have too many bytes.");
			return false;
		}
	}
	return true;
}

char *
safetensors_head(Arena *arena, Tensor *tensors, size_t count,
				 const char *const *metadata, int pairs, size_t *length,
				 FormatFault *fault)
{
	JsonWriter	writer;
	char	   *text;

	memset(fault, 0, sizeof(*fault));
	if (!place_tensors(tensors, count, fault))
		return NULL;
	json_writer_begin(&writer, arena);
	json_write_raw(&writer, "01234567", PREFIX);	/* where the length comes */
	writer.separate = false;
	json_write_begin(&writer, '{');
	if (pairs > 0)
		write_metadata(&writer, metadata, pairs);
	for (size_t i = 0; i < count; i++)
		write_tensor(&writer, &tensors[i]);
	json_write_end(&writer, '}');
	writer.separate = false;
	while (!writer.failed && writer.length % 8 != 0)
	{
		json_write_raw(&writer, " ", 1);
		writer.separate = false;
	}
	text = json_writer_text(&writer, length);
	if (text == NULL)
	{
		format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for the head of a file.");
		return NULL;
	}
	for (int i = 0; i < PREFIX; i++)
		text[i] = (char) ((uint64_t) (*length - PREFIX) >> (8 * i));
	for (size_t i = 0; i < count; i++)
		tensors[i].offset += *length;
	return text;
}
