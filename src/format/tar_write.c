/*-------------------------------------------------------------------------
 *
 * tar_write.c
 *	  Writing the headers of archives.
 *
 *-------------------------------------------------------------------------
 */
#include "format/tar_private.h"

#include <stdio.h>
#include <string.h>

/* The first size that eleven octal digits do not hold. */
#define LARGE_SIZE ((uint64_t) 1 << 33)

/* Octal digits that fill a field but for the zero byte at its end. */
static void
put_octal(char *field, size_t size, uint64_t number)
{
	field[size - 1] = '\0';
	for (size_t i = size - 1; i-- > 0; number >>= 3)
		field[i] = (char) ('0' + (number & 7));
}

/*
 * Puts a name into the header, cut at a slash if need be; false if it has no
 * room there.
 */
static bool
put_name(TarBlock *block, const char *name, size_t length)
{
	if (length <= sizeof(block->name))
	{
		memcpy(block->name, name, length);
		return true;
	}
	for (size_t cut = length < sizeof(block->prefix) ? length - 1
													 : sizeof(block->prefix);
		 cut > 0; cut--)
	{
		if (name[cut] != '/' || length - cut - 1 > sizeof(block->name) ||
			length - cut - 1 == 0)
			continue;
		memcpy(block->prefix, name, cut);
		memcpy(block->name, name + cut + 1, length - cut - 1);
		return true;
	}
	return false;
}

static void
finish_block(TarBlock *block, char type, uint64_t size, uint64_t time)
{
	char		sum[8];

	put_octal(block->mode, sizeof(block->mode), 0644);
	put_octal(block->user, sizeof(block->user), 0);
	put_octal(block->group, sizeof(block->group), 0);
	put_octal(block->size, sizeof(block->size), size < LARGE_SIZE ? size : 0);
	put_octal(block->time, sizeof(block->time), time < LARGE_SIZE ? time : 0);
	put_octal(block->major, sizeof(block->major), 0);
	put_octal(block->minor, sizeof(block->minor), 0);
	block->type = type;
	memcpy(block->magic, "ustar", 6);
	memcpy(block->version, "00", 2);
	/* six digits, a zero byte and a blank */
	put_octal(sum, 7, tar_sum(block));
	sum[7] = ' ';
	memcpy(block->sum, sum, sizeof(block->sum));
}

/* The length of a record counts its own digits. */
static size_t
put_record(char *out, const char *key, const char *value)
{
	/* blank, equals, line feed */
	size_t		rest = strlen(key) + strlen(value) + 3;
	size_t		length = rest + 1;
	char		digits[24];

	while (rest + (size_t) snprintf(digits, sizeof(digits), "%zu", length) != length)
		length++;
	return (size_t) sprintf(out, "%s %s=%s\n", digits, key, value);
}

static bool
is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
	{
		if ((unsigned char) *name >= 0x80)
			return false;
	}
	return true;
}

/* Extended header and its records, padded; the size of both. */
static size_t
put_extended(unsigned char *out, const char *path, uint64_t size,
			 uint64_t time)
{
	TarBlock	block;
	char	   *records = (char *) out + TAR_BLOCK;
	char		number[24];
	size_t		length = 0;

	if (path != NULL)
		length += put_record(records, "path", path);
	if (size >= LARGE_SIZE)
	{
		snprintf(number, sizeof(number), "%llu", (unsigned long long) size);
		length += put_record(records + length, "size", number);
	}
	memset(&block, 0, sizeof(block));
	put_name(&block, "PaxHeader", strlen("PaxHeader"));
	finish_block(&block, 'x', length, time);
	memcpy(out, &block, TAR_BLOCK);
	memset(records + length, 0, tar_padding(length));
	return TAR_BLOCK + length + tar_padding(length);
}

size_t
tar_write_head(unsigned char out[TAR_MAX_HEAD], const char *name,
			   uint64_t size, uint64_t time)
{
	TarBlock	block;
	size_t		length = strlen(name);
	size_t		used = 0;
	bool		fits;

	if (length == 0 || length > TAR_MAX_NAME)
		return 0;
	memset(&block, 0, sizeof(block));
	fits = is_ascii(name) && put_name(&block, name, length);
	if (!fits || size >= LARGE_SIZE)
		used = put_extended(out, fits ? NULL : name, size, time);
	/* readers that know no extended headers see the end of the name */
	if (!fits)
	{
		size_t		cut = length > sizeof(block.name)
							  ? length - sizeof(block.name)
							  : 0;

		put_name(&block, name + cut, length - cut);
	}
	finish_block(&block, '0', size, time);
	memcpy(out + used, &block, TAR_BLOCK);
	return used + TAR_BLOCK;
}

size_t
tar_padding(uint64_t size)
{
	return (size_t) ((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
