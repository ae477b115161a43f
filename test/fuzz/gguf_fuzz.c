/*-------------------------------------------------------------------------
 *
 * gguf_fuzz.c
 *	  Would fail if some GGUF file, whole or cut in two, made the reader read
 *	  or write outside its memory, or hand out a value or tensor that is not
 *	  there.
 *
 * The first two bytes say how long the first file is; 0 for a single one.
 *
 *-------------------------------------------------------------------------
 */
#include "format/gguf.h"
#include "fuzz_tensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require_value(const Gguf *gguf, const GgufValue *value)
{
	require(gguf_find(gguf, value->key) == value);
	for (size_t i = 0; i < value->count; i++)
	{
		GgufText	text;
		int64_t		whole;
		double		number;
		bool		truth;

		if (gguf_element_text(value, i, &text))
			require(text.text[text.length] == '\0');
		else if (gguf_element_int64(value, i, &whole))
			require(gguf_element_double(value, i, &number));
		else
			require(gguf_element_double(value, i, &number) ||
					gguf_element_bool(value, i, &truth));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena		arena;
	Gguf		gguf;
	FormatFault fault;
	FormatFile	files[2];
	size_t		starts[2] = {0, 0};
	size_t		sizes[2];
	int			count = 1;
	bool		good;

	if (size < 2)
		return 0;
	require_kernels();
	sizes[0] = (size_t) data[0] | (size_t) data[1] << 8;
	data += 2;
	size -= 2;
	if (sizes[0] == 0 || sizes[0] > size)
		sizes[0] = size;
	else
		count = 2;
	starts[1] = sizes[0];
	sizes[1] = size - sizes[0];
	for (int i = 0; i < count; i++)
		files[i] = format_file_of_bytes(data + starts[i], sizes[i]);
	arena_begin(&arena, arena_malloc, arena_free, NULL, FUZZ_ARENA(size));
	good = gguf_open(&gguf, &arena, files, count, &fault);
	require_fault(&fault, good);
	require(gguf.file >= 0 && gguf.file < count);
	if (good)
	{
		require_tensors(&gguf.list, data, starts, sizes);
		for (size_t i = 0; i < gguf.value_count; i++)
			require_value(&gguf, &gguf.values[i]);
	}
	arena_end(&arena);
	return 0;
}
