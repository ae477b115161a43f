/*-------------------------------------------------------------------------
 *
 * hdf5_private.h
 *	  Between the files of the HDF5 reader.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_HDF5_PRIVATE_H
#define FORMAT_HDF5_PRIVATE_H

#include "format/hdf5.h"

typedef struct Hdf5
{
	Arena	   *arena;
	const FormatFile *file;
	FormatFault *fault;
	int			visits;
	Tensor	   *tensors;
	size_t		count;
	size_t		capacity;
	char		path[TENSOR_MAX_NAME + 2];	/* of what is being read */
} Hdf5;

/* Keeps a fault, with the path; false. */
extern bool hdf5_fault(Hdf5 *hdf5, FormatStatus status, uint64_t at,
					   const char *what);

extern bool hdf5_read(Hdf5 *hdf5, uint64_t at, void *bytes, size_t length);

/* Everything below a group; depth: how many groups it lies in. */
extern bool hdf5_read_group(Hdf5 *hdf5, uint64_t tree, uint64_t heap_at,
							int depth);

/* A group, with all that is below it, or a dataset. */
extern bool hdf5_read_object(Hdf5 *hdf5, uint64_t at, int depth);

#endif							/* FORMAT_HDF5_PRIVATE_H */
