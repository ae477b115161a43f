/*-------------------------------------------------------------------------
 *
 * safetensors_fuzz.c
 *	  Would fail if some file made the safetensors reader, or some text that
 *	  of the index, read or write outside its memory or hand out a tensor that
 *	  is not there.
 *
 * The first byte says which of the two.
 *
 *-------------------------------------------------------------------------
 */
#include "format/safetensors.h"
#include "fuzz_tensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The tensors as they were read, written to a head that is read again. */
static void
write_again(Arena *arena, Safetensors *head)
{
	Safetensors again;
	FormatFault fault;
	size_t		length;
	size_t		data = 0;
	char	   *text = safetensors_head(arena, head->list.tensors,
										head->list.count, NULL, 0, &length,
										&fault);
	FormatFile	file;
	char	   *whole;

	require(text != NULL);
	for (size_t i = 0; i < head->list.count; i++)
		data += head->list.tensors[i].bytes;
	whole = malloc(length + data + 1);
	memcpy(whole, text, length);
	memset(whole + length, 0, data);
	file = format_file_of_bytes(whole, length + data);
	require(safetensors_open(&again, arena, &file, NULL, &fault));
	require(again.list.count == head->list.count);
	free(whole);
}

static void
fuzz_file(Arena *arena, const uint8_t *data, size_t size)
{
	FormatFile	file = format_file_of_bytes(data, size);
	Safetensors head;
	FormatFault fault;
	size_t		start = 0;
	bool		good = safetensors_open(&head, arena, &file, NULL, &fault);

	require_fault(&fault, good);
	if (!good)
		return;
	require_tensors(&head.list, data, &start, &size);
	write_again(arena, &head);
}

static void
fuzz_index(Arena *arena, const uint8_t *data, size_t size)
{
	SafetensorsIndex index;
	FormatFault fault;
	bool		good = safetensors_index_parse(&index, arena,
											   (const char *) data, size,
											   NULL, &fault);

	require_fault(&fault, good);
	for (size_t i = 0; good && i < index.count; i++)
		require(index.places[i].file >= 0 &&
				index.places[i].file < index.file_count);
	for (int i = 0; good && i < index.file_count; i++)
		require(strchr(index.files[i], '/') == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena		arena;

	if (size < 1)
		return 0;
	require_kernels();
	arena_begin(&arena, arena_malloc, arena_free, NULL, FUZZ_ARENA(size));
	if (data[0] & 1)
		fuzz_index(&arena, data + 1, size - 1);
	else
		fuzz_file(&arena, data + 1, size - 1);
	arena_end(&arena);
	return 0;
}
