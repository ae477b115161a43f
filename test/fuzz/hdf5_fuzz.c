/*-------------------------------------------------------------------------
 *
 * hdf5_fuzz.c
 *	  Would fail if some HDF5 file made the reader read or write outside its
 *	  memory, run for ever, or hand out a dataset that is not there.
 *
 *-------------------------------------------------------------------------
 */
#include "format/hdf5.h"
#include "fuzz_tensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FormatFile	file = format_file_of_bytes(data, size);
	Arena		arena;
	TensorList	list;
	FormatFault fault;
	size_t		start = 0;
	bool		good;

	require_kernels();
	arena_begin(&arena, arena_malloc, arena_free, NULL, FUZZ_ARENA(size));
	good = hdf5_open(&list, &arena, &file, &fault);
	require_fault(&fault, good);
	if (good)
		require_tensors(&list, data, &start, &size);
	arena_end(&arena);
	return 0;
}
