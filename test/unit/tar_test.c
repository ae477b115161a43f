/*-------------------------------------------------------------------------
 *
 * tar_test.c
 *	  Would fail if an archive were read wrongly, if one that leads out of its
 *	  folder or is cut were accepted, or if what is written were not read back.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "format/tar.h"
#include "math/random.h"

static unsigned char archive[200000];
static size_t used;
static TarReader *reader;
static FormatFile file;

/* Begins to read what was put together. */
static void
begin(void)
{
	file = format_file_of_bytes(archive, used);
	tar_begin(reader, &file);
}

static void
put_bytes(const void *bytes, size_t length)
{
	memcpy(archive + used, bytes, length);
	memset(archive + used + length, 0, tar_padding(length));
	used += length + tar_padding(length);
}

static void
put_end(void)
{
	memset(archive + used, 0, TAR_END_BYTES);
	used += TAR_END_BYTES;
}

static void
put_sum(unsigned char *block)
{
	unsigned int sum = 0;

	memset(block + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	sprintf((char *) block + 148, "%06o", sum);
}

/* A header by hand; returns it, so that a field can be changed. */
static unsigned char *
put_header(const char *name, const char *size, char type, const char *magic)
{
	unsigned char *block = archive + used;

	memset(block, 0, TAR_BLOCK);
	memcpy(block, name, strlen(name));
	memcpy(block + 100, "0000644", 7);
	memcpy(block + 124, size, strlen(size));
	block[156] = (unsigned char) type;
	memcpy(block + 257, magic, 8);
	put_sum(block);
	used += TAR_BLOCK;
	return block;
}

#define USTAR "ustar\00000"
#define GNU "ustar  \0"
#define OLD "\0\0\0\0\0\0\0\0"

static void
expect_member(TarKind kind, const char *name, const char *bytes)
{
	size_t		length = strlen(bytes);
	TarEvent	event = tar_next(reader);

	CHECK(event == TAR_MEMBER, "%s: event %d, %s", name, event, reader->fault.detail);
	CHECK(reader->kind == kind && strcmp(reader->name, name) == 0, "%s: kind %d, \"%s\"", name,
		  reader->kind, reader->name);
	if (kind == TAR_LINK)
		CHECK(strcmp(reader->link, bytes) == 0, "%s: linked to \"%s\"", name, reader->link);
	else
		CHECK(reader->size == length && reader->offset + length <= used &&
			  memcmp(archive + reader->offset, bytes, length) == 0, "%s: %d bytes at %d", name,
			  (int) reader->size, (int) reader->offset);
}

static void
expect_end(void)
{
	CHECK(tar_next(reader) == TAR_END, "no end: %s", reader->fault.detail);
	CHECK(tar_next(reader) == TAR_END, "no end twice");
}

/* The first event is this fault. */
static void
expect_fault(const char *what, FormatStatus status, const char *detail)
{
	TarEvent	event;

	begin();
	while ((event = tar_next(reader)) == TAR_MEMBER)
		;
	CHECK(event == TAR_FAULT && reader->fault.status == status &&
		  strstr(reader->fault.detail, detail) != NULL, "%s: event %d, status %d, %s", what, event,
		  reader->fault.status, reader->fault.detail);
	CHECK(tar_next(reader) == TAR_FAULT, "%s: goes on after the fault", what);
	used = 0;
}

static void
test_kinds(void)
{
	char		name[101];

	used = 0;
	put_header("./", "0", '5', USTAR);
	put_header("./config.json", "00000000005", '0', USTAR);
	put_bytes("{\"a\"}", 5);
	put_header("1_Pooling/", "00000000000 ", '5', GNU);
	put_header("old/", "0", '\0', OLD);
	put_header("old/file", "      3 ", '\0', OLD);
	put_bytes("abc", 3);
	put_header("same", "77", '1', USTAR);
	memcpy(archive + used - TAR_BLOCK + 157, "./config.json", 13);
	put_sum(archive + used - TAR_BLOCK);
	put_header("a//b/./c", "1", '7', USTAR);
	put_bytes("x", 1);
	put_header("empty", "0", '0', USTAR);
	put_end();
	begin();
	CHECK(tar_is_header(archive), "a header");
	CHECK(!tar_is_header(archive + used - TAR_BLOCK), "zeros are no header");
	expect_member(TAR_FILE, "config.json", "{\"a\"}");
	expect_member(TAR_FOLDER, "1_Pooling", "");
	expect_member(TAR_FOLDER, "old", "");
	expect_member(TAR_FILE, "old/file", "abc");
	expect_member(TAR_LINK, "same", "./config.json");
	expect_member(TAR_FILE, "a/b/c", "x");
	expect_member(TAR_FILE, "empty", "");
	expect_end();

	/* a name that fills its field, and a prefix that fills its own */
	used = 0;
	memset(name, 'n', 100);
	name[100] = '\0';
	put_header(name, "0", '0', USTAR);
	memset(archive + 345, 'p', 155);
	put_sum(archive);
	put_end();
	begin();
	CHECK(tar_next(reader) == TAR_MEMBER && strlen(reader->name) == 256 &&
			  reader->name[154] == 'p' && reader->name[155] == '/' &&
			  reader->name[156] == 'n',
		  "a name of 256 bytes: %s", reader->name);
	expect_end();
}

static void
test_extended(void)
{
	static const char pax[] = "20 mtime=1234567890\n19 path=long/\xC3\xA9.js\n10 size=4\n18 linkpath=there\n";
	static char long_name[3000];

	used = 0;
	put_header("PaxHeaders/x", "103", 'x', USTAR);
	put_bytes(pax, sizeof(pax) - 1);
	/* the name that is replaced was cut at a slash: no folder for all that */
	put_header("long/", "0", '0', USTAR);
	put_bytes("data", 4);
	put_header("next", "1", '0', USTAR);
	put_bytes("y", 1);
	put_header("pax_global_header", "33", 'g', USTAR);
	put_bytes("27 comment=not of interest\n", 27);
	put_header("V", "0", 'V', GNU);
	memset(long_name, 'q', sizeof(long_name) - 1);
	put_header("././@LongLink", "5670", 'L', GNU);	/* 3000 */
	put_bytes(long_name, sizeof(long_name));
	put_header("././@LongLink", "4", 'K', GNU);
	put_bytes("far\0", 4);
	put_header("qqq", "0", '2', GNU);
	put_header("after", "0", '0', GNU);
	put_end();
	begin();
	expect_member(TAR_FILE, "long/\xC3\xA9.js", "data");
	expect_member(TAR_FILE, "next", "y");
	expect_member(TAR_LINK, long_name, "far");
	expect_member(TAR_FILE, "after", "");
	expect_end();

	/* sizes in base 256, one of which is more than the archive has */
	used = 0;
	put_header("binary", "", '0', GNU);
	memcpy(archive + 124, "\x80\0\0\0\0\0\0\0\0\0\0\2", 12);
	put_sum(archive);
	put_bytes("ab", 2);
	put_end();
	begin();
	expect_member(TAR_FILE, "binary", "ab");
	expect_end();
	archive[124 + 3] = 1;
	put_sum(archive);
	expect_fault("2^64 bytes", FORMAT_MALFORMED, "no number");
}

static void
expect_bad_name(const char *name, const char *detail)
{
	put_header(name, "0", '0', USTAR);
	put_end();
	expect_fault(name, FORMAT_MALFORMED, detail);
}

static void
expect_bad_pax(const char *record, FormatStatus status, const char *detail)
{
	char		size[12];

	sprintf(size, "%o", (unsigned int) strlen(record));
	put_header("p", size, 'x', USTAR);
	put_bytes(record, strlen(record));
	put_header("short", "0", '0', USTAR);
	put_end();
	expect_fault(record, status, detail);
}

static void
test_bad(void)
{
	used = 0;
	expect_fault("nothing", FORMAT_TRUNCATED, "512 bytes expected");
	put_header("a", "0", '0', USTAR);
	expect_fault("no end", FORMAT_TRUNCATED, "512 bytes expected");
	put_header("a", "0", '0', USTAR);
	archive[0] = 'b';
	put_end();
	expect_fault("sum", FORMAT_UNRECOGNIZED, "sum of a header");
	put_header("a", "0", '0', USTAR);
	put_header("b", "0", '0', USTAR)[5] = 1;
	put_end();
	expect_fault("a later sum", FORMAT_MALFORMED, "sum of a header");
	put_header("a", "8", '0', USTAR);
	put_end();
	expect_fault("a size with an 8", FORMAT_MALFORMED, "no number");
	put_header("a", "", '0', USTAR);
	put_end();
	expect_fault("no size", FORMAT_MALFORMED, "no number");
	put_header("a", "2001", '0', USTAR);
	put_end();
	expect_fault("more than there is", FORMAT_TRUNCATED, "1025 bytes begins");
	put_header("a", "77777777777", '0', USTAR);
	put_end();
	expect_fault("8 GB", FORMAT_TRUNCATED, "8589934591 bytes");
	expect_bad_name("/etc/passwd", "begins with a slash");
	expect_bad_name("../up", "\"..\"");
	expect_bad_name("a/../b", "\"..\"");
	expect_bad_name("a/..", "\"..\"");
	expect_bad_name("a\xFF", "not text");
	expect_bad_name(".", "without a name");
	expect_bad_name("", "empty");
	put_header("d", "0", '3', USTAR);
	expect_fault("a device", FORMAT_UNSUPPORTED, "device");
	put_header("d", "0", 'S', GNU);
	expect_fault("sparse", FORMAT_UNSUPPORTED, "sparse");
	put_header("d", "0", 'Q', GNU);
	expect_fault("unknown", FORMAT_UNSUPPORTED, "unknown type");
	put_header("x", "4000001", 'x', GNU);
	expect_fault("a large extended header", FORMAT_TOO_LARGE, "1 MB");
	put_header("x", "10001", 'L', GNU);
	used += 4608;
	expect_fault("a long name", FORMAT_TOO_LARGE, "4095 bytes");
	expect_bad_pax("x", FORMAT_MALFORMED, "no length");
	expect_bad_pax("12", FORMAT_MALFORMED, "cut short");
	expect_bad_pax("3 a=b\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("0 a=b\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("99 path=b\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("99999999999999999999 path=b\n", FORMAT_MALFORMED, "no length");
	expect_bad_pax("7 pathb\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("8 pathb\n", FORMAT_MALFORMED, "no value");
	expect_bad_pax("13 path=../b\n", FORMAT_MALFORMED, "\"..\"");
	expect_bad_pax("8 path=\n", FORMAT_MALFORMED, "empty");
	expect_bad_pax("8 size=\n", FORMAT_MALFORMED, "no number");
	expect_bad_pax("10 size=-1\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("11 size=-1\n", FORMAT_MALFORMED, "no number");
	expect_bad_pax("31 size=18446744073709551616\n", FORMAT_MALFORMED, "wrong length");
	expect_bad_pax("29 size=18446744073709551616\n", FORMAT_MALFORMED, "no number");
	expect_bad_pax("29 size=18446744073709551609\n", FORMAT_TRUNCATED, "18446744073709551609 bytes");
	expect_bad_pax("22 GNU.sparse.major=1\n", FORMAT_UNSUPPORTED, "sparse");
	put_header("p", "12", 'g', USTAR);
	put_bytes("10 path=a\n", 10);
	expect_fault("a name for all", FORMAT_UNSUPPORTED, "for all files");
}

/* A long value of no interest is passed over; a long name is not. */
static void
test_long_records(void)
{
	static char record[20001];

	memset(record, 'v', sizeof(record));
	memcpy(record, "20000 some.attribute=", 21);
	record[19999] = '\n';
	used = 0;
	put_header("p", "47040", 'x', USTAR);	/* 20000 */
	put_bytes(record, 20000);
	put_header("short", "0", '0', USTAR);
	put_end();
	begin();
	expect_member(TAR_FILE, "short", "");
	expect_end();
	memcpy(record, "20000 path=vvvvvvvvvv", 21);
	used = 0;
	put_header("p", "47040", 'x', USTAR);
	put_bytes(record, 20000);
	put_header("short", "0", '0', USTAR);
	put_end();
	expect_fault("a name of 20,000 bytes", FORMAT_TOO_LARGE, "4095");
}

static void
test_damage(void)
{
	size_t		size;

	test_extended();
	test_kinds();
	used = 0;
	put_header("p", "22", 'x', USTAR);
	put_bytes("19 path=long/abcd\n", 18);
	put_header("a", "3", '0', USTAR);
	put_bytes("xyz", 3);
	put_header("b", "0", '0', USTAR);
	put_end();
	size = used;
	for (used = 0; used < size - TAR_BLOCK; used++)
	{
		unsigned char *copy = exact_alloc(used);
		TarEvent	event;

		memcpy(copy, archive, used);
		file = format_file_of_bytes(copy, used);
		tar_begin(reader, &file);
		while ((event = tar_next(reader)) == TAR_MEMBER)
			;
		CHECK(event == TAR_FAULT, "cut at %zu", used);
		free(copy);
	}
	used = size;
	for (size_t i = 0; i < size; i++)
	{
		unsigned char kept = archive[i];

		archive[i] ^= (unsigned char) (1 + i % 255);
		put_sum(archive);
		begin();
		while (tar_next(reader) == TAR_MEMBER)
			;
		archive[i] = kept;
		put_sum(archive);
	}
}

/* Names of every length and kind, written and read back. */
static void
test_round_trip(void)
{
	Random		random;

	random_seed(&random, 17);
	for (int round = 0; round < 4000; round++)
	{
		static char name[TAR_MAX_NAME + 1];
		size_t		length = round < 1200
								 ? (size_t) round / 3 + 1
								 : 1 + random_next(&random) % TAR_MAX_NAME;
		uint64_t	size = random_next(&random) % 2000;
		unsigned char head[TAR_MAX_HEAD];
		size_t		head_size;

		for (size_t i = 0; i < length; i++)
			name[i] = "abcdefgh/"[random_next(&random) % 9];
		for (size_t i = 0; i < length; i++)
		{
			/* no empty parts */
			if (name[i] == '/' &&
				(i == 0 || i == length - 1 || name[i - 1] == '/'))
				name[i] = 'x';
		}
		if (round % 3 == 1 && length > 1)
			memcpy(name + length / 2, "\xC3\xA9", 2);
		name[length] = '\0';
		if (name[length - 1] == '\xC3')
			name[length - 1] = 'x';
		head_size = tar_write_head(head, name, size, 1234567890);
		CHECK(head_size > 0 && head_size % TAR_BLOCK == 0 &&
				  head_size <= TAR_MAX_HEAD,
			  "a head of %zu bytes", head_size);
		used = 0;
		put_bytes(head, head_size);
		memset(archive + used, 1, size);
		used += size;
		memset(archive + used, 0, tar_padding(size));
		used += tar_padding(size);
		put_end();
		begin();
		CHECK(tar_next(reader) == TAR_MEMBER && reader->kind == TAR_FILE &&
				  reader->size == size && strcmp(reader->name, name) == 0,
			  "round %d: \"%s\" read as \"%s\", %s", round, name, reader->name,
			  reader->fault.detail);
		expect_end();
	}
	{
		unsigned char head[TAR_MAX_HEAD];
		char		name[TAR_MAX_NAME + 2];

		memset(name, 'n', sizeof(name));
		name[sizeof(name) - 1] = '\0';
		CHECK(tar_write_head(head, "", 0, 0) == 0, "no name");
		CHECK(tar_write_head(head, name, 0, 0) == 0, "too long a name");
		name[TAR_MAX_NAME] = '\0';
		CHECK(tar_write_head(head, name, UINT64_MAX, UINT64_MAX) <= TAR_MAX_HEAD, "the largest head");
	}
}

/* A file of 9 GB, of which only the head is there. */
static bool
read_large(void *context, uint64_t offset, void *buffer, size_t length)
{
	memset(buffer, 0, length);
	if (offset < used)
		memcpy(buffer, archive + offset,
			   length < used - offset ? length : used - offset);
	return true;
}

static void
test_large(void)
{
	uint64_t	size = (uint64_t) 9 << 30;
	unsigned char head[TAR_MAX_HEAD];
	size_t		length = tar_write_head(head, "model.safetensors", size, 0);

	CHECK(length == 3 * TAR_BLOCK, "a head of %zu bytes", length);
	used = 0;
	put_bytes(head, length);
	file = format_file(read_large, NULL, length + size + TAR_END_BYTES);
	tar_begin(reader, &file);
	CHECK(tar_next(reader) == TAR_MEMBER && reader->size == size &&
			  reader->offset == length,
		  "9 GB: %s", reader->fault.detail);
	expect_end();
	file.size -= TAR_END_BYTES + 1;
	tar_begin(reader, &file);
	CHECK(tar_next(reader) == TAR_FAULT && reader->fault.status == FORMAT_TRUNCATED, "cut by a byte");
}

int
main(void)
{
	reader = exact_alloc(sizeof(*reader));
	test_kinds();
	test_extended();
	test_bad();
	test_long_records();
	test_damage();
	test_round_trip();
	test_large();
	free(reader);
	return check_result();
}
