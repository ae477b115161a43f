/*-------------------------------------------------------------------------
 *
 * unpack.c
 *	  A single file of a model: an archive, or what its contents say.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/source.h"

#include "format/tar.h"
#include "miscadmin.h"

/* How much of a file is looked at to tell what it is. */
#define SAMPLE_BYTES 4096

pg_noreturn static void
report_archive(const NetworkSource *source, const FormatFault *fault)
{
	ereport(ERROR,
			(errcode(fault->status == FORMAT_READ_FAILED ? ERRCODE_IO_ERROR
					 : fault->status == FORMAT_UNSUPPORTED
						 ? ERRCODE_FEATURE_NOT_SUPPORTED
						 : ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("could not import model \"%s\": %s", source->model,
					format_message(fault->status)),
			 errdetail("%s Byte " UINT64_FORMAT " of the archive.",
					   fault->detail, (uint64) fault->offset)));
}

/* The length of "folder/" if all names begin with it, or 0. */
static size_t
common_folder(const NetworkSource *source)
{
	const char *slash = strchr(source->files[0].name, '/');
	size_t		length;

	if (slash == NULL)
		return 0;
	length = slash + 1 - source->files[0].name;
	for (int i = 1; i < source->count; i++)
	{
		if (strncmp(source->files[i].name, source->files[0].name, length) != 0)
			return 0;
	}
	return length;
}

static void
unpack_tar(NetworkSource *source)
{
	TarReader  *reader = palloc(sizeof(TarReader));
	FormatFile *archive = palloc(sizeof(FormatFile));
	TarEvent	event;
	size_t		folder;

	*archive = source->files[0].file;
	source->count = 0;
	tar_begin(reader, archive);
	while ((event = tar_next(reader)) == TAR_MEMBER)
	{
		CHECK_FOR_INTERRUPTS();
		if (reader->kind == TAR_LINK)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("could not import model \"%s\": the archive holds a link",
							source->model),
					 errdetail("\"%s\" stands for \"%s\".", reader->name, reader->link),
					 errhint("Use tar --dereference.")));
		if (reader->kind == TAR_FILE)
			source_add(source, pstrdup(reader->name),
					   format_file_part(archive, reader->offset,
										reader->size));
	}
	if (event == TAR_FAULT)
		report_archive(source, &reader->fault);
	pfree(reader);
	if (source->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("could not import model \"%s\": the archive holds no files",
						source->model)));
	folder = common_folder(source);
	for (int i = 0; i < source->count; i++)
		source->files[i].name += folder;
}

/*
 * What a file without a name is called: a tokenizer if it is an object of JSON
 * or begins like BERT's vocabulary; weights; else anything.
 */
static const char *
name_of_contents(const unsigned char *bytes, size_t length)
{
	size_t		at = length >= 3 && memcmp(bytes, "\357\273\277", 3) == 0 ? 3 : 0;

	if (length >= 4 && memcmp(bytes, "GGUF", 4) == 0)
		return "model.gguf";
	if (length >= 9 && bytes[8] == '{' && bytes[6] == 0 && bytes[7] == 0)
		return "model.safetensors";
	if (length >= at + 6 && memcmp(bytes + at, "[PAD]", 5) == 0 &&
		(bytes[at + 5] == '\n' || bytes[at + 5] == '\r'))
		return "vocab.txt";
	while (at < length &&
		   (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r')))
		at++;
	if (at < length && bytes[at] == '{')
		return "tokenizer.json";
	return NULL;
}

void
source_unpack(NetworkSource *source)
{
	FolderFile *file = &source->files[0];
	size_t		length = Min(file->file.size, SAMPLE_BYTES);
	unsigned char *bytes = palloc(SAMPLE_BYTES);
	FormatFault fault = {0};
	const char *name;

	if (!format_file_read(&file->file, 0, bytes, length, &fault))
		report_archive(source, &fault);
	if (length >= TAR_BLOCK && tar_is_header(bytes))
	{
		unpack_tar(source);
		source->path = NULL;
		source->object = InvalidOid;
		source->data = NULL;
		return;
	}
	name = name_of_contents(bytes, length);
	/* GGUF is known by its contents, whatever its name */
	if (name != NULL && strcmp(file->name, "vocab.txt") != 0 &&
		(file->name[0] == '\0' || strcmp(name, "model.gguf") != 0))
		file->name = name;
	else if (file->name[0] == '\0')
		file->name = "data";
	pfree(bytes);
}
