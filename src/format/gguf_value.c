/*-------------------------------------------------------------------------
 *
 * gguf_value.c
 *	  Settings of a GGUF file: finding them, and what they mean.
 *
 *-------------------------------------------------------------------------
 */
#include "format/gguf.h"

#include <string.h>

const GgufValue *
gguf_find(const Gguf *gguf, const char *key)
{
	size_t		low = 0;
	size_t		high = gguf->value_count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		int			order = strcmp(key, gguf->values[middle].key);

		if (order == 0)
			return &gguf->values[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool
gguf_element_text(const GgufValue *value, size_t i, GgufText *text)
{
	if (value == NULL || i >= value->count || value->type != GGUF_STRING)
		return false;
	*text = value->texts[i];
	return true;
}

static uint64_t
read_unsigned(const unsigned char *bytes, int size)
{
	uint64_t	number = 0;

	for (int i = size - 1; i >= 0; i--)
		number = number << 8 | bytes[i];
	return number;
}

bool
gguf_element_int64(const GgufValue *value, size_t i, int64_t *number)
{
	const unsigned char *numbers;
	uint64_t	wide;

	if (value == NULL || i >= value->count || value->numbers == NULL)
		return false;
	numbers = value->numbers;
	switch (value->type)
	{
		case GGUF_UINT8:
			*number = numbers[i];
			return true;
		case GGUF_INT8:
			*number = (int8_t) numbers[i];
			return true;
		case GGUF_UINT16:
			*number = (int64_t) read_unsigned(numbers + 2 * i, 2);
			return true;
		case GGUF_INT16:
			*number = (int16_t) read_unsigned(numbers + 2 * i, 2);
			return true;
		case GGUF_UINT32:
			*number = (int64_t) read_unsigned(numbers + 4 * i, 4);
			return true;
		case GGUF_INT32:
			*number = (int32_t) read_unsigned(numbers + 4 * i, 4);
			return true;
		case GGUF_UINT64:
			wide = read_unsigned(numbers + 8 * i, 8);
			if (wide > INT64_MAX)
				return false;
			*number = (int64_t) wide;
			return true;
		case GGUF_INT64:
			*number = (int64_t) read_unsigned(numbers + 8 * i, 8);
			return true;
		default:
			return false;
	}
}

bool
gguf_element_double(const GgufValue *value, size_t i, double *number)
{
	int64_t		whole;
	uint64_t	bits;
	float		single;

	if (value == NULL || i >= value->count || value->numbers == NULL)
		return false;
	if (value->type == GGUF_FLOAT32)
	{
		format_read_floats(value->numbers + 4 * i, &single, 1);
		*number = single;
		return true;
	}
	bits = value->type == GGUF_FLOAT64 || value->type == GGUF_UINT64 ?
		read_unsigned(value->numbers + 8 * i, 8) : 0;
	if (value->type == GGUF_FLOAT64)
	{
		memcpy(number, &bits, sizeof(*number));
		return true;
	}
	if (value->type == GGUF_UINT64)
	{
		*number = (double) bits;
		return true;
	}
	if (!gguf_element_int64(value, i, &whole))
		return false;
	*number = (double) whole;
	return true;
}

bool
gguf_element_bool(const GgufValue *value, size_t i, bool *truth)
{
	if (value == NULL || i >= value->count || value->type != GGUF_BOOL)
		return false;
	*truth = value->numbers[i] != 0;
	return true;
}

bool
gguf_text(const GgufValue *value, GgufText *text)
{
	return value != NULL && !value->is_array &&
		   gguf_element_text(value, 0, text);
}

bool
gguf_int64(const GgufValue *value, int64_t *number)
{
	return value != NULL && !value->is_array &&
		   gguf_element_int64(value, 0, number);
}

bool
gguf_double(const GgufValue *value, double *number)
{
	return value != NULL && !value->is_array &&
		   gguf_element_double(value, 0, number);
}

bool
gguf_bool(const GgufValue *value, bool *truth)
{
	return value != NULL && !value->is_array &&
		   gguf_element_bool(value, 0, truth);
}
