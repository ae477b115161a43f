/*-------------------------------------------------------------------------
 *
 * hdf5.h
 *	  The part of HDF5 that published ELMo weights use.
 *
 * Superblock version 0, groups as symbol tables, object headers version 1,
 * datasets of little-endian 32 or 64 bit floats that lie in one piece.  This
 * is what h5py writes unless it is told otherwise.  All else is
 * FORMAT_UNSUPPORTED, by its name: chunks, compression, new-style groups,
 * links, other types.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_HDF5_H
#define FORMAT_HDF5_H

#include "format/tensor.h"

/* Deeper groups and more objects are no model. */
#define HDF5_MAX_DEPTH 16
#define HDF5_MAX_OBJECTS 65536

/* Lists the datasets of a file, named by their path: "CNN/W_cnn_0". */
extern bool hdf5_open(TensorList *list, Arena *arena, const FormatFile *file,
					  FormatFault *fault);

/* Does a file begin like one?  Wants 8 bytes. */
extern bool hdf5_is_magic(const unsigned char *bytes);

#endif							/* FORMAT_HDF5_H */
