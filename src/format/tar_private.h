/*-------------------------------------------------------------------------
 *
 * tar_private.h
 *	  The header block of an archive, for its reader and its writer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_TAR_PRIVATE_H
#define FORMAT_TAR_PRIVATE_H

#include "format/tar.h"

/* POSIX.1-2017, pax, "ustar Interchange Format": all fields are bytes. */
typedef struct TarBlock
{
	char		name[100];
	char		mode[8];
	char		user[8];
	char		group[8];
	char		size[12];
	char		time[12];
	char		sum[8];
	char		type;
	char		link[100];
	char		magic[6];
	char		version[2];
	char		user_name[32];
	char		group_name[32];
	char		major[8];
	char		minor[8];
	char		prefix[155];
	char		unused[12];
} TarBlock;

_Static_assert(sizeof(TarBlock) == TAR_BLOCK, "header block of an archive");

/* The sum of the block's bytes, its own field taken as blanks. */
extern unsigned int tar_sum(const TarBlock *block);

#endif							/* FORMAT_TAR_PRIVATE_H */
