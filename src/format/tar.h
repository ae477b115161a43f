/*-------------------------------------------------------------------------
 *
 * tar.h
 *	  Archives of files: reading ustar, GNU and pax, writing ustar and pax.
 *
 *		tar_begin(&reader, &file);
 *		while ((event = tar_next(&reader)) == TAR_MEMBER)
 *			reader.name, reader.kind, reader.offset, reader.size
 *		if (event == TAR_FAULT)
 *			... reader.fault
 *
 * Headers are read forward, and members may be read while going on or later:
 * format_file_part(&file, reader.offset, reader.size).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_TAR_H
#define FORMAT_TAR_H

#include "format/file.h"

#define TAR_BLOCK 512

/*
 * Longer names, or more bytes of extended headers for one member, are a fault.
 */
#define TAR_MAX_NAME 4095
#define TAR_MAX_EXTENDED ((uint64_t) 1 << 20)

typedef enum TarKind
{
	TAR_FILE,
	TAR_FOLDER,
	TAR_LINK					/* hard or symbolic: "link" says to what */
} TarKind;

typedef enum TarEvent
{
	TAR_FAULT,
	TAR_END,
	TAR_MEMBER
} TarEvent;

typedef struct TarReader
{
	/* the member */
	TarKind		kind;
	char		name[TAR_MAX_NAME + 1]; /* UTF-8, relative, without "." and "..",
										 * and without a slash at its end */
	char		link[TAR_MAX_NAME + 1];
	uint64_t	offset;			/* of its bytes in the archive */
	uint64_t	size;
	FormatFault fault;

	/* for the reader only */
	const FormatFile *file;
	uint64_t	next;			/* where the next header is */
	bool		ended;
	bool		has_name;		/* from an extended header */
	bool		has_link;
	bool		has_size;
	uint64_t	extended_size;
} TarReader;

extern void tar_begin(TarReader *reader, const FormatFile *file);

/*
 * Folders come too, but not the archive's own ("./").  Devices, sparse files
 * and names that leave the archive are faults.
 */
extern TarEvent tar_next(TarReader *reader);

/* Does this block look like the first one of an archive? */
extern bool tar_is_header(const unsigned char block[TAR_BLOCK]);

/*
 * What stands before the bytes of a file in an archive.
 *
 * Returns its size, a multiple of TAR_BLOCK and at most TAR_MAX_HEAD; or 0 if
 * the name is empty or too long.  A name that ustar has no room for, one that
 * is not ASCII, and a size from 8 GB on go to a pax header before it.
 */
#define TAR_MAX_HEAD \
	((size_t) (3 * TAR_BLOCK + (TAR_MAX_NAME + 1 + TAR_BLOCK)))
extern size_t tar_write_head(unsigned char out[TAR_MAX_HEAD], const char *name,
							 uint64_t size, uint64_t time);

/* Zeros that follow the bytes of a file; and those at the end of all. */
extern size_t tar_padding(uint64_t size);
#define TAR_END_BYTES ((size_t) 2 * TAR_BLOCK)

#endif							/* FORMAT_TAR_H */
