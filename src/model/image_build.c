/*-------------------------------------------------------------------------
 *
 * image_build.c
 *	  Writing an image, to a file or to memory.
 *
 * Files are written with write() through a small buffer, never through a
 * writable map: on a full disk that would be a signal instead of an error.
 * The header comes last, at the front, then the file gets its name: a file
 * under its final name is complete.  It needs no fsync, since no image
 * outlives the server that wrote it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#define BUFFER_BYTES	(256 * 1024)
#define FIRST_MAP_BYTES (1024 * 1024)

struct ImageBuilder
{
	ImageHeader header;
	int			section;		/* being written, -1 before the first */
	uint64		position;		/* bytes so far, header included */

	/* to a file */
	int			file;			/* -1: to memory */
	int			failure;		/* errno of the write that failed, or 0 */
	char	   *buffer;
	Size		buffered;

	/* to memory */
	Image	   *image;
};

/* ---------- sinks ---------- */

/* Write all of it at the current position, or remember why not */
static void
write_fully(ImageBuilder *builder, const char *data, Size bytes)
{
	while (bytes > 0 && builder->failure == 0)
	{
		ssize_t		written;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		written = write(builder->file, data, Min(bytes, BUFFER_BYTES));
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			builder->failure = errno != 0 ? errno : ENOSPC;
			return;
		}
		data += written;
		bytes -= written;
	}
}

static void
flush_buffer(ImageBuilder *builder)
{
	write_fully(builder, builder->buffer, builder->buffered);
	builder->buffered = 0;
}

static void
append_to_file(ImageBuilder *builder, const char *data, Size bytes)
{
	if (bytes > BUFFER_BYTES - builder->buffered)
		flush_buffer(builder);
	if (bytes > BUFFER_BYTES)
	{
		write_fully(builder, data, bytes);
		return;
	}
	memcpy(builder->buffer + builder->buffered, data, bytes);
	builder->buffered += bytes;
}

pg_noreturn static void
report_no_memory(Size bytes)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("The packed form of an embedding model needs %zu bytes.",
					   bytes)));
}

/* Room for so many bytes in the map of a private image */
static void
grow_map(Image *image, Size bytes)
{
	Size		wanted = Max(image->bytes, FIRST_MAP_BYTES);
	void	   *base;

	while (wanted < bytes)
		wanted *= 2;
	if (wanted == image->bytes)
		return;
	if (image->base == NULL)
		base = mmap(NULL, wanted, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		base = mremap(image->base, image->bytes, wanted, MREMAP_MAYMOVE);
	if (base == MAP_FAILED)
		report_no_memory(wanted);
	image->base = base;
	image->bytes = wanted;
}

static void
append_bytes(ImageBuilder *builder, const void *data, Size bytes)
{
	if (bytes == 0)
		return;
	if (builder->file >= 0)
		append_to_file(builder, data, bytes);
	else
	{
		grow_map(builder->image, builder->position + bytes);
		memcpy(builder->image->base + builder->position, data, bytes);
	}
	builder->position += bytes;
}

/* ---------- what a method calls ---------- */

void
image_begin_section(ImageBuilder *builder, int section)
{
	static const char zeros[IMAGE_ALIGNMENT] = {0};

	if (section <= builder->section ||
		section >= builder->header.section_count)
		elog(ERROR, "section %d of an image written out of order", section);
	append_bytes(builder, zeros,
				 TYPEALIGN(IMAGE_ALIGNMENT, builder->position) -
				 builder->position);
	builder->section = section;
	builder->header.section_start[section] = builder->position;
}

void
image_append(ImageBuilder *builder, const void *data, Size bytes)
{
	Assert(builder->section >= 0);
	append_bytes(builder, data, bytes);
	builder->header.section_bytes[builder->section] += bytes;
}

/* ---------- building ---------- */

/* Everything but the place where the header goes */
static void
build_sections(ImageBuilder *builder, ModelReader *reader,
			   const ModelVersion *version)
{
	const ModelMethod *method = model_reader_description(reader)->method;
	ImageHeader placeholder = {{0}};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "embed image builder",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);

	builder->section = -1;
	builder->header.format = method->image_format;
	builder->header.version = *version;
	builder->header.section_count = method->image_sections + 1;
	builder->header.table_blocks = model_reader_blocks(reader);
	append_bytes(builder, &placeholder, sizeof(placeholder));
	method->build_image(builder, reader);
	image_begin_section(builder, method->image_sections);
	if (method->patch_image != NULL && model_reader_pages(reader) != NULL)
		image_append_pages(builder, model_reader_pages(reader));
	builder->header.bytes = builder->position;
	image_header_seal(&builder->header);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

void
image_build_memory(Image *image, ModelReader *reader)
{
	ImageBuilder builder = {{{0}}};

	builder.file = -1;
	builder.image = image;
	build_sections(&builder, reader, &image->version);
	memcpy(image->base, &builder.header, sizeof(ImageHeader));
	image_keep_pages(image, model_reader_pages(reader));
	(void) mprotect(image->base, image->bytes, PROT_READ);
}

static void
remove_unfinished(int code, Datum path)
{
	(void) unlink((const char *) DatumGetPointer(path));
}

static void
write_file(ImageBuilder *builder, const char *path, ModelReader *reader,
		   const ModelVersion *version)
{
	build_sections(builder, reader, version);
	flush_buffer(builder);
	if (builder->failure == 0 && lseek(builder->file, 0, SEEK_SET) != 0)
		builder->failure = errno;
	write_fully(builder, (const char *) &builder->header,
				sizeof(ImageHeader));
	if (CloseTransientFile(builder->file) != 0 && builder->failure == 0)
		builder->failure = errno;
}

/*
 * False, with errno: the file could not be written.  EEXIST: somebody else
 * is writing it.
 */
bool
image_build_file(const char *path, const char *unfinished,
				 ModelReader *reader, const ModelVersion *version)
{
	ImageBuilder builder = {{{0}}};

	builder.file = OpenTransientFile(unfinished,
									 O_CREAT | O_EXCL | O_WRONLY | PG_BINARY);
	if (builder.file < 0)
		return false;
	builder.buffer = palloc(BUFFER_BYTES);
	PG_ENSURE_ERROR_CLEANUP(remove_unfinished, PointerGetDatum(unfinished));
	{
		write_file(&builder, path, reader, version);
		if (builder.failure == 0 && rename(unfinished, path) != 0)
			builder.failure = errno;
	}
	PG_END_ENSURE_ERROR_CLEANUP(remove_unfinished,
								PointerGetDatum(unfinished));
	if (builder.failure != 0)
		(void) unlink(unfinished);
	errno = builder.failure;
	return builder.failure == 0;
}
