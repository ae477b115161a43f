/*-------------------------------------------------------------------------
 *
 * tar.c
 *	  Reading archives.
 *
 * After POSIX.1-2017 (pax: ustar and extended headers) and GNU tar's manual
 * (long names, sizes in base 256).  A header of type x, L or K says more about
 * the member after it.
 *
 *-------------------------------------------------------------------------
 */
#include "format/tar_private.h"

#include "format/utf8.h"

#include <string.h>

static bool
fault(TarReader *reader, FormatStatus status, const char *detail)
{
	format_fault(&reader->fault, status, reader->next, 0, "%s", detail);
	return false;
}

unsigned int
tar_sum(const TarBlock *block)
{
	const unsigned char *bytes = (const unsigned char *) block;
	size_t		field = offsetof(TarBlock, sum);
	unsigned int sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= field && i < field + sizeof(block->sum) ? ' ' : bytes[i];
	return sum;
}

/* Some old programs added the bytes up as signed ones. */
static int
signed_sum(const TarBlock *block)
{
	const unsigned char *bytes = (const unsigned char *) block;
	int			sum = (int) tar_sum(block);

	for (size_t i = 0; i < TAR_BLOCK; i++)
	{
		size_t		field = offsetof(TarBlock, sum);

		if (bytes[i] >= 0x80 && (i < field || i >= field + sizeof(block->sum)))
			sum -= 256;
	}
	return sum;
}

/* An octal number with blanks before it and a blank or zero after it. */
static bool
read_octal(const char *field, size_t size, uint64_t *number)
{
	size_t		i = 0;
	bool		any = false;

	*number = 0;
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, any = true)
	{
		if (*number > UINT64_MAX >> 3)
			return false;
		*number = *number << 3 | (uint64_t) (field[i] - '0');
	}
	for (; i < size; i++)
	{
		if (field[i] != ' ' && field[i] != '\0')
			return false;
	}
	return any;
}

/*
 * Octal, or big-endian after a byte of 0x80, as GNU tar writes from 8 GB on.
 */
static bool
read_size(const char *field, size_t size, uint64_t *number)
{
	const unsigned char *bytes = (const unsigned char *) field;

	if ((bytes[0] & 0x80) == 0)
		return read_octal(field, size, number);
	*number = 0;
	if (bytes[0] != 0x80)
		return false;
	for (size_t i = 1; i < size; i++)
	{
		if (*number > UINT64_MAX >> 8)
			return false;
		*number = *number << 8 | bytes[i];
	}
	return true;
}

static bool
right_sum(const TarBlock *block)
{
	uint64_t	sum;

	return read_octal(block->sum, sizeof(block->sum), &sum) &&
		(sum == tar_sum(block) || (int64_t) sum == signed_sum(block));
}

bool
tar_is_header(const unsigned char block[TAR_BLOCK])
{
	const TarBlock *header = (const TarBlock *) block;

	return header->name[0] != '\0' && right_sum(header);
}

static size_t
field_length(const char *field, size_t size)
{
	const char *end = memchr(field, '\0', size);

	return end != NULL ? (size_t) (end - field) : size;
}

/*
 * Takes over a name without "./" at its start and the slash at its end.  False
 * for one that leads out of the archive.
 */
static bool
set_name(TarReader *reader, const char *name, size_t length)
{
	size_t		kept = 0;
	size_t		start = 0;

	if (length > TAR_MAX_NAME)
		return fault(reader, FORMAT_TOO_LARGE, "A name has more than 4095 bytes.");
	if (memchr(name, '\0', length) != NULL ||
		utf8_valid_length((const unsigned char *) name, length) < length)
		return fault(reader, FORMAT_MALFORMED, "A name is not text in UTF-8.");
	if (length == 0 || name[0] == '/')
		return fault(reader, FORMAT_MALFORMED, "A name is empty or begins with a slash.");
	while (start < length)
	{
		const char *slash = memchr(name + start, '/', length - start);
		size_t		part = slash != NULL ? (size_t) (slash - name) - start
										 : length - start;

		if (part == 2 && memcmp(name + start, "..", 2) == 0)
			return fault(reader, FORMAT_MALFORMED, "A name contains \"..\".");
		if (part > 0 && !(part == 1 && name[start] == '.'))
		{
			if (kept > 0)
				reader->name[kept++] = '/';
			memcpy(reader->name + kept, name + start, part);
			kept += part;
		}
		start += part + 1;
	}
	reader->name[kept] = '\0';
	return true;
}

static bool
set_link(TarReader *reader, const char *name, size_t length)
{
	if (length > TAR_MAX_NAME)
		return fault(reader, FORMAT_TOO_LARGE, "A link's target has more than 4095 bytes.");
	memcpy(reader->link, name, length);
	reader->link[length] = '\0';
	return true;
}

/* ---------- extended headers ---------- */

/* One record, "length key=value\n", whose parts lie in memory. */
static bool
take_record(TarReader *reader, const char *key, size_t key_length,
			const char *value, size_t length, bool global)
{
	bool		is_path = key_length == 4 && memcmp(key, "path", 4) == 0;
	bool		is_link = key_length == 8 && memcmp(key, "linkpath", 8) == 0;
	bool		is_size = key_length == 4 && memcmp(key, "size", 4) == 0;

	if (key_length >= 11 && memcmp(key, "GNU.sparse.", 11) == 0)
		return fault(reader, FORMAT_UNSUPPORTED, "A sparse file.");
	if (global && (is_path || is_link || is_size))
		return fault(reader, FORMAT_UNSUPPORTED, "A name or size for all files of the archive.");
	if (is_path)
	{
		reader->has_name = true;
		return set_name(reader, value, length);
	}
	if (is_link)
	{
		reader->has_link = true;
		return set_link(reader, value, length);
	}
	if (is_size)
	{
		uint64_t	size = 0;

		for (size_t i = 0; i < length; i++)
		{
			if (value[i] < '0' || value[i] > '9' ||
				size > (UINT64_MAX - 9) / 10)
				return fault(reader, FORMAT_MALFORMED, "The size in an extended header is no number.");
			size = size * 10 + (uint64_t) (value[i] - '0');
		}
		if (length == 0)
			return fault(reader, FORMAT_MALFORMED, "The size in an extended header is no number.");
		reader->has_size = true;
		reader->extended_size = size;
	}
	return true;
}

/*
 * A record is read into a buffer that holds the longest name; of a longer
 * value (somebody's attributes) only the beginning is looked at.
 */
static bool
read_record(TarReader *reader, FormatCursor *cursor, uint64_t end, bool global)
{
	char		record[TAR_MAX_NAME + 64];
	uint64_t	start = cursor->at;
	uint64_t	text_start;
	uint64_t	length = 0;
	size_t		kept = 0;
	const char *equals;
	char		c;

	for (;;)
	{
		if (cursor->at >= end || !format_cursor_read(cursor, &c, 1))
			return fault(reader, FORMAT_MALFORMED, "A record of an extended header is cut short.");
		if (c == ' ')
			break;
		if (c < '0' || c > '9' || length > TAR_MAX_EXTENDED)
			return fault(reader, FORMAT_MALFORMED, "A record of an extended header has no length.");
		length = length * 10 + (uint64_t) (c - '0');
	}
	if (length > end - start || start + length <= cursor->at)
		return fault(reader, FORMAT_MALFORMED, "A record of an extended header has a wrong length.");
	text_start = cursor->at;
	while (cursor->at < start + length)
	{
		if (!format_cursor_read(cursor, &c, 1))
			return false;
		if (kept < sizeof(record))
			record[kept++] = c;
	}
	if (c != '\n')
		return fault(reader, FORMAT_MALFORMED, "A record of an extended header has a wrong length.");
	equals = memchr(record, '=', kept);
	if (equals == NULL)
		return fault(reader, FORMAT_MALFORMED, "A record of an extended header has no value.");

	/* the line feed was kept if the whole record was */
	if (kept == length - (text_start - start))
		kept--;
	return take_record(reader, record, (size_t) (equals - record), equals + 1,
					   (size_t) (record + kept - equals - 1), global);
}

static bool
read_pax(TarReader *reader, uint64_t at, uint64_t size, bool global)
{
	FormatCursor cursor;

	format_cursor_begin(&cursor, reader->file, at, &reader->fault);
	while (cursor.at < at + size)
	{
		if (!read_record(reader, &cursor, at + size, global))
			return false;
	}
	return true;
}

/* A name of GNU tar's kind: the bytes of a member, up to a zero byte. */
static bool
read_long_name(TarReader *reader, uint64_t at, uint64_t size, bool is_link)
{
	char		name[TAR_MAX_NAME + 1];
	size_t		length;

	if (size > sizeof(name))
		return fault(reader, FORMAT_TOO_LARGE, "A name has more than 4095 bytes.");
	if (!format_file_read(reader->file, at, name, (size_t) size,
						  &reader->fault))
		return false;
	length = field_length(name, (size_t) size);
	if (is_link)
	{
		reader->has_link = true;
		return set_link(reader, name, length);
	}
	reader->has_name = true;
	return set_name(reader, name, length);
}

/* ---------- members ---------- */

/* The name in the header itself. */
static bool
read_own_name(TarReader *reader, const TarBlock *block)
{
	char		name[sizeof(block->prefix) + 1 + sizeof(block->name)];
	size_t		length = 0;

	/* GNU tar's header has other fields where ustar has the prefix */
	if (memcmp(block->magic, "ustar\0", 6) == 0 && block->prefix[0] != '\0')
	{
		length = field_length(block->prefix, sizeof(block->prefix));
		memcpy(name, block->prefix, length);
		name[length++] = '/';
	}
	memcpy(name + length, block->name,
		   field_length(block->name, sizeof(block->name)));
	length += field_length(block->name, sizeof(block->name));
	return set_name(reader, name, length);
}

/*
 * What the member is; a slash at the end of an old archive's name says folder.
 * A name that an extended header replaces may have been cut at a slash.
 */
static bool
read_kind(TarReader *reader, const TarBlock *block)
{
	size_t		length = field_length(block->name, sizeof(block->name));

	switch (block->type)
	{
		case '\0':
		case '0':
		case '7':
			reader->kind = !reader->has_name && length > 0 &&
								   block->name[length - 1] == '/'
							   ? TAR_FOLDER
							   : TAR_FILE;
			return true;
		case '5':
			reader->kind = TAR_FOLDER;
			return true;
		case '1':
		case '2':
			reader->kind = TAR_LINK;
			return true;
		case 'S':
			return fault(reader, FORMAT_UNSUPPORTED, "A sparse file.");
		case '3':
		case '4':
		case '6':
			return fault(reader, FORMAT_UNSUPPORTED, "A device or a pipe.");
	}
	return fault(reader, FORMAT_UNSUPPORTED, "A member of an unknown type.");
}

/* Moves on behind the bytes of the member, which must be there. */
static bool
skip_bytes(TarReader *reader, uint64_t size)
{
	uint64_t	start = reader->next + TAR_BLOCK;
	uint64_t	blocks = size / TAR_BLOCK + (size % TAR_BLOCK != 0);

	if (size > reader->file->size - start)
	{
		format_fault(&reader->fault, FORMAT_TRUNCATED, reader->file->size, 0,
					 "A member of %llu bytes begins at byte %llu of an archive of %llu.",
					 (unsigned long long) size, (unsigned long long) start,
					 (unsigned long long) reader->file->size);
		return false;
	}
	reader->offset = start;
	reader->size = size;
	/* the padding of the last member may be cut off; what follows will tell */
	reader->next = start + blocks * TAR_BLOCK;
	return true;
}

static bool
read_member(TarReader *reader, const TarBlock *block, uint64_t size)
{
	if ((!reader->has_name && !read_own_name(reader, block)) ||
		!read_kind(reader, block))
		return false;
	if (reader->has_size)
		size = reader->extended_size;
	if (reader->kind != TAR_FILE)
		size = 0;
	if (reader->kind == TAR_LINK && !reader->has_link &&
		!set_link(reader, block->link,
				  field_length(block->link, sizeof(block->link))))
		return false;
	if (reader->kind != TAR_LINK)
		reader->link[0] = '\0';
	if (reader->name[0] == '\0' && reader->kind != TAR_FOLDER)
		return fault(reader, FORMAT_MALFORMED, "A file without a name.");
	reader->has_name = reader->has_link = reader->has_size = false;
	return skip_bytes(reader, size);
}

/* A header that says something about the member after it. */
static bool
read_extended(TarReader *reader, const TarBlock *block, uint64_t size)
{
	if (size > TAR_MAX_EXTENDED)
		return fault(reader, FORMAT_TOO_LARGE, "An extended header has more than 1 MB.");
	if (!skip_bytes(reader, size))
		return false;
	switch (block->type)
	{
		case 'x':
			return read_pax(reader, reader->offset, size, false);
		case 'g':
			return read_pax(reader, reader->offset, size, true);
		case 'L':
			return read_long_name(reader, reader->offset, size, false);
		case 'K':
			return read_long_name(reader, reader->offset, size, true);
	}
	return true;				/* V: the name of a volume */
}

static bool
is_zero(const TarBlock *block)
{
	const char *bytes = (const char *) block;

	return bytes[0] == '\0' && memcmp(bytes, bytes + 1, TAR_BLOCK - 1) == 0;
}

void
tar_begin(TarReader *reader, const FormatFile *file)
{
	memset(reader, 0, sizeof(*reader));
	reader->file = file;
}

/* Reads headers up to a member that is handed out, or the end. */
static bool
read_headers(TarReader *reader)
{
	for (;;)
	{
		TarBlock	block;
		uint64_t	size;

		if (!format_file_read(reader->file, reader->next, &block, TAR_BLOCK,
							  &reader->fault))
			return false;
		if (is_zero(&block))
		{
			reader->ended = true;
			return true;
		}
		if (!right_sum(&block))
			return fault(reader,
						 reader->next == 0 ? FORMAT_UNRECOGNIZED
										   : FORMAT_MALFORMED,
						 "The sum of a header is wrong.");
		if (!read_size(block.size, sizeof(block.size), &size))
			return fault(reader, FORMAT_MALFORMED, "The size of a member is no number.");
		if (strchr("xgLKV", block.type) != NULL && block.type != '\0')
		{
			if (!read_extended(reader, &block, size))
				return false;
			continue;
		}
		if (!read_member(reader, &block, size))
			return false;
		if (reader->name[0] != '\0')
			return true;
	}
}

TarEvent
tar_next(TarReader *reader)
{
	if (!reader->ended && reader->fault.status == FORMAT_OK)
		read_headers(reader);
	if (reader->fault.status != FORMAT_OK)
		return TAR_FAULT;
	return reader->ended ? TAR_END : TAR_MEMBER;
}
