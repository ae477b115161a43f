/*-------------------------------------------------------------------------
 *
 * network_source.c
 *	  The files of a model: of the server, large objects, values.
 *
 * Nothing is read here but names and sizes.  A server file needs the
 * privileges of pg_read_server_files, as COPY does; a large object its SELECT
 * privilege, which opening it checks.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/query.h"
#include "storage/buffile.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* Folders in folders, which a link may make endless. */
#define MOST_DEPTH 8

#define PIECE_BYTES (256 * 1024)

typedef struct ServerFile
{
	NetworkSource *source;
	char	   *path;
} ServerFile;

NetworkSource *
source_create(const char *model)
{
	NetworkSource *source = palloc0(sizeof(NetworkSource));

	source->model = model;
	source->descriptor = -1;
	source->capacity = 32;
	source->files = palloc(sizeof(FolderFile) * source->capacity);
	source->objects = palloc(sizeof(int) * FOLDER_MAX_FILES);
	return source;
}

void
source_add(NetworkSource *source, const char *name, FormatFile file)
{
	if (source->count >= FOLDER_MAX_FILES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many files for model \"%s\"", source->model),
				 errdetail("The most are %d.", FOLDER_MAX_FILES),
				 errhint("Give the folder of one model, not one of several.")));
	if (source->count == source->capacity)
	{
		source->capacity *= 2;
		source->files = repalloc(source->files,
								 sizeof(FolderFile) * source->capacity);
	}
	source->files[source->count].name = name;
	source->files[source->count++].file = file;
}

void
source_close(NetworkSource *source)
{
	if (source->descriptor >= 0)
		CloseTransientFile(source->descriptor);
	source->descriptor = -1;
	for (int i = 0; i < source->object_count; i++)
		DirectFunctionCall1(be_lo_close, Int32GetDatum(source->objects[i]));
	source->object_count = 0;
	if (source->spool != NULL)
		BufFileClose(source->spool);
	source->spool = NULL;
}

/* ---------- files of the server ---------- */

static void
check_may_read_files(void)
{
	require_server_files("Anyone can import large objects: \\lo_import in psql makes one of a file of the client; files => 'SELECT name, object FROM ...' takes several.");
}

static bool
read_server_file(void *context, uint64_t offset, void *buffer, size_t length)
{
	ServerFile *file = context;
	NetworkSource *source = file->source;
	char	   *to = buffer;

	if (source->open_path != file->path)
	{
		if (source->descriptor >= 0)
			CloseTransientFile(source->descriptor);
		source->open_path = NULL;
		source->descriptor = OpenTransientFile(file->path,
											   O_RDONLY | PG_BINARY);
		if (source->descriptor < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not open file \"%s\" for reading: %m", file->path)));
		source->open_path = file->path;
	}
	while (length > 0)
	{
		ssize_t		count;

		CHECK_FOR_INTERRUPTS();
		count = pread(source->descriptor, to,
					  Min(length, (size_t) PIECE_BYTES), (off_t) offset);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", file->path)));
		if (count == 0)
			ereport(ERROR,
					(errcode(ERRCODE_IO_ERROR),
					 errmsg("file \"%s\" became shorter while it was read", file->path)));
		to += count;
		offset += count;
		length -= count;
	}
	return true;
}

static void
add_server_file(NetworkSource *source, const char *name, const char *path,
				uint64 size)
{
	ServerFile *file = palloc(sizeof(ServerFile));

	file->source = source;
	file->path = pstrdup(path);
	source_add(source, pstrdup(name),
			   format_file(read_server_file, file, size));
}

/*
 * All files below a directory.  Hidden ones are not the model's; what is
 * neither a file nor a directory is passed over.
 */
static void
add_directory(NetworkSource *source, const char *path, const char *prefix,
			  int depth)
{
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;

	if (depth > MOST_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("directory \"%s\" is too deep for a model", path)));
	while ((entry = ReadDir(directory, path)) != NULL)
	{
		char	   *full = psprintf("%s/%s", path, entry->d_name);
		char	   *name = psprintf("%s%s", prefix, entry->d_name);
		struct stat status;

		CHECK_FOR_INTERRUPTS();
		if (entry->d_name[0] == '.')
			continue;
		if (stat(full, &status) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not stat file \"%s\": %m", full)));
		if (S_ISDIR(status.st_mode))
			add_directory(source, full, psprintf("%s/", name), depth + 1);
		else if (S_ISREG(status.st_mode))
			add_server_file(source, name, full, status.st_size);
	}
	FreeDir(directory);
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(((const FolderFile *) left)->name,
				  ((const FolderFile *) right)->name);
}

NetworkSource *
source_of_directory(const char *model, const char *path)
{
	NetworkSource *source = source_create(model);
	struct stat status;

	check_may_read_files();
	if (stat(path, &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat directory \"%s\": %m", path)));
	if (!S_ISDIR(status.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a directory", path),
				 errhint("Use file => for a single file.")));
	add_directory(source, path, "", 0);
	if (source->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("directory \"%s\" holds no files", path)));
	/* a directory has no order of its own */
	qsort(source->files, source->count, sizeof(FolderFile), compare_names);
	return source;
}

/* "model-00001-of-00003.gguf": the length of the common start, or 0. */
static size_t
length_before_part(const char *name)
{
	size_t		length = strlen(name);
	const char *part;

	if (length < 20 || !name_ends_with(name, ".gguf"))
		return 0;
	part = name + length - 20;
	if (part[0] != '-' || strncmp(part + 6, "-of-", 4) != 0)
		return 0;
	for (int i = 1; i < 15; i++)
	{
		if ((i < 6 || i > 9) && (part[i] < '0' || part[i] > '9'))
			return 0;
	}
	return length - 20;
}

/* The other files of a model that is cut in parts. */
static void
add_parts(NetworkSource *source, const char *directory, const char *name)
{
	size_t		common = length_before_part(name);
	DIR		   *listing = AllocateDir(directory);
	struct dirent *entry;

	while ((entry = ReadDir(listing, directory)) != NULL)
	{
		char	   *full = psprintf("%s/%s", directory, entry->d_name);
		struct stat status;

		if (length_before_part(entry->d_name) == common &&
			strncmp(entry->d_name, name, common) == 0 &&
			strcmp(entry->d_name + strlen(name) - 9,
				   name + strlen(name) - 9) == 0 &&
			stat(full, &status) == 0 && S_ISREG(status.st_mode))
			add_server_file(source, entry->d_name, full, status.st_size);
	}
	FreeDir(listing);
	qsort(source->files, source->count, sizeof(FolderFile), compare_names);
}

NetworkSource *
source_of_file(const char *model, const char *path)
{
	NetworkSource *source;
	struct stat status;
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char	   *directory = slash == NULL ? "." : slash == path ? "/" :
		pnstrdup(path, slash - path);

	check_may_read_files();
	if (stat(path, &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for reading: %m", path)));
	if (S_ISDIR(status.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a directory", path),
				 errhint("Use directory => for the folder of a model.")));
	/* weights are of no use without the files beside them */
	if (name_ends_with(name, ".safetensors") || name_ends_with(name, ".safetensors.index.json"))
		return source_of_directory(model, directory);
	source = source_create(model);
	if (length_before_part(name) > 0)
		add_parts(source, directory, name);
	else
	{
		add_server_file(source, name, path, status.st_size);
		source->path = pstrdup(path);
		source_unpack(source);
	}
	return source;
}

/* ---------- large objects and values ---------- */

static bool
read_object(void *context, uint64_t offset, void *buffer, size_t length)
{
	int			descriptor = *(int *) context;
	char	   *to = buffer;

	DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(descriptor),
						Int64GetDatum((int64) offset),
						Int32GetDatum(SEEK_SET));
	while (length > 0)
	{
		int			count;

		CHECK_FOR_INTERRUPTS();
		count = lo_read(descriptor, to,
						(int) Min(length, (size_t) PIECE_BYTES));
		if (count <= 0)
			return false;
		to += count;
		length -= count;
	}
	return true;
}

FormatFile
source_object(NetworkSource *source, Oid object)
{
	int		   *descriptor = palloc(sizeof(int));
	int64		size;

	*descriptor = DatumGetInt32(DirectFunctionCall2(
		be_lo_open, ObjectIdGetDatum(object), Int32GetDatum(INV_READ)));
	source->objects[source->object_count++] = *descriptor;
	size = DatumGetInt64(
		DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(*descriptor),
							Int64GetDatum(0), Int32GetDatum(SEEK_END)));
	return format_file(read_object, descriptor, (uint64) size);
}

NetworkSource *
source_of_object(const char *model, Oid object)
{
	NetworkSource *source = source_create(model);

	source_add(source, "", source_object(source, object));
	source->object = object;
	source_unpack(source);
	return source;
}

NetworkSource *
source_of_data(const char *model, struct varlena *data)
{
	NetworkSource *source = source_create(model);

	source_add(source, "", format_file_of_bytes(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)));
	source->data = data;
	source_unpack(source);
	return source;
}

/* ---------- a query ---------- */

static bool
read_spool(void *context, uint64_t offset, void *buffer, size_t length)
{
	NetworkSource *source = context;
	char	   *to = buffer;

	if (BufFileSeek(source->spool, 0, (off_t) offset, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file")));
	while (length > 0)
	{
		size_t		count = Min(length, (size_t) PIECE_BYTES);

		CHECK_FOR_INTERRUPTS();
		BufFileReadExact(source->spool, to, count);
		to += count;
		length -= count;
	}
	return true;
}

static FormatFile
spool(NetworkSource *source, const char *bytes, size_t length)
{
	FormatFile	whole;
	FormatFile	file;

	if (source->spool == NULL)
		source->spool = BufFileCreateTemp(false);
	for (size_t at = 0; at < length; at += PIECE_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(source->spool, (char *) bytes + at,
					 Min(length - at, (size_t) PIECE_BYTES));
	}
	whole = format_file(read_spool, source, source->spooled + length);
	file = format_file_part(&whole, source->spooled, length);
	source->spooled += length;
	return file;
}

/* A relative path that leads nowhere else */
static char *
check_name(const char *text, int length)
{
	char	   *name = pnstrdup(text, length);
	char	   *part;
	bool		good;

	while (strncmp(name, "./", 2) == 0)
		name += 2;
	good = name[0] != '\0' && name[0] != '/' && strlen(name) <= 1000;
	for (part = name; good && part != NULL; part = strchr(part, '/'))
	{
		part += *part == '/';
		good = *part != '\0' && *part != '/' && strncmp(part, "../", 3) != 0 &&
			strcmp(part, "..") != 0;
	}
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not the name of a file in a folder", pnstrdup(text, length)),
				 errhint("Names are relative, such as config.json or 1_Pooling/config.json.")));
	return pg_server_to_any(name, (int) strlen(name), PG_UTF8);
}

NetworkSource *
source_of_query(const char *model, const char *query)
{
	static const QueryColumn columns[] = {
		{.name = "name", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR},
		{.name = "contents", .kinds = QUERY_OID | QUERY_BYTES, .nulls = QUERY_NULL_ERROR}
	};
	static const QueryDeclaration declaration = {
		.subject = "list of files",
		.columns = columns,
		.column_count = lengthof(columns),
		.hint = "The files are a query such as 'SELECT name, object FROM uploads', each a large object or a bytea.",
		.shape = "the first is the file's name in the folder, the second its contents"
	};
	NetworkSource *source = source_create(model);
	QueryReader *reader = query_open(&declaration, query);

	while (query_next(reader))
	{
		const QueryValue *value = query_value(reader, 1);
		const QueryValue *name = query_value(reader, 0);

		source_add(source, check_name(name->text, name->length),
				   value->kind == QUERY_BYTES
					   ? spool(source, value->text, value->length)
					   : source_object(source, value->oid));
	}
	query_close(reader);
	if (source->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the list of files for model \"%s\" is empty", model),
				 errdetail("The query gave no row.")));
	if (source->count == 1)
		source_unpack(source);
	return source;
}
