/*-------------------------------------------------------------------------
 *
 * hdf5_write.h
 *	  The head of an HDF5 file of tensors, in the form that hdf5.h reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_HDF5_WRITE_H
#define FORMAT_HDF5_WRITE_H

#include "format/tensor.h"

/* A group has no more members than find room in one node of symbols. */
#define HDF5_GROUP_MEMBERS 64

/*
 * All that comes before the data.
 *
 * tensors: name (groups before slashes; letters, digits and underscores), type
 * (TENSOR_F32 or TENSOR_F64), rank, shape, and the offset of its data behind
 * the head, to which the head's length is added; sorted by name.  Elements and
 * bytes are set.  NULL if there is no memory, or a group is too large.
 */
extern unsigned char *hdf5_write_head(Arena *arena, Tensor *tensors, int count,
									  size_t *length);

#endif							/* FORMAT_HDF5_WRITE_H */
