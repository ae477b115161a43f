/*-------------------------------------------------------------------------
 *
 * import_source.c
 *	  Reading a server file, a large object or a value from front to back.
 *
 * A server file needs the privileges of pg_read_server_files, as COPY does; a
 * large object its SELECT privilege, which opening it checks.
 *
 *-------------------------------------------------------------------------
 */
#include "server/arguments.h"

#include <sys/stat.h>

#include "encoder/words/import.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/fmgrprotos.h"

struct ImportSource
{
	const char *path;			/* of a file */
	FILE	   *file;
	int			object;			/* descriptor of a large object, or -1 */
	const char *data;			/* of a value */
	int64		size;
	int64		at;				/* of a value */
};

ImportSource *
import_open_file(const char *path)
{
	ImportSource *source = palloc0(sizeof(ImportSource));
	struct stat status;

	require_server_files("Anyone can import a large object: \\lo_import in psql makes one of a file of the client.");
	source->object = -1;
	source->path = path;
	source->file = AllocateFile(path, PG_BINARY_R);
	if (source->file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for reading: %m", path)));
	if (fstat(fileno(source->file), &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	if (S_ISDIR(status.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a directory", path)));
	source->size = status.st_size;
	return source;
}

ImportSource *
import_open_large_object(Oid object)
{
	ImportSource *source = palloc0(sizeof(ImportSource));

	source->object = DatumGetInt32(DirectFunctionCall2(
		be_lo_open, ObjectIdGetDatum(object), Int32GetDatum(INV_READ)));
	source->size = DatumGetInt64(
		DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(source->object),
							Int64GetDatum(0), Int32GetDatum(SEEK_END)));
	DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(source->object),
						Int64GetDatum(0), Int32GetDatum(SEEK_SET));
	return source;
}

ImportSource *
import_open_bytea(bytea *data)
{
	ImportSource *source = palloc0(sizeof(ImportSource));

	source->object = -1;
	source->data = VARDATA_ANY(data);
	source->size = VARSIZE_ANY_EXHDR(data);
	return source;
}

void
import_close(ImportSource *source)
{
	if (source->file != NULL)
		FreeFile(source->file);
	if (source->object >= 0)
		DirectFunctionCall1(be_lo_close, Int32GetDatum(source->object));
	pfree(source);
}

int64
import_size(const ImportSource *source)
{
	return source->size;
}

/* At most this much between two looks for interrupts. */
#define PIECE ((size_t) 256 * 1024)

ptrdiff_t
import_read(void *context, void *buffer, size_t capacity)
{
	ImportSource *source = context;
	size_t		count = Min(capacity, PIECE);

	CHECK_FOR_INTERRUPTS();
	if (source->object >= 0)
		return lo_read(source->object, buffer, (int) count);
	if (source->file != NULL)
	{
		count = fread(buffer, 1, count, source->file);
		if (ferror(source->file))
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", source->path)));
		return (ptrdiff_t) count;
	}
	count = Min(count, (size_t) (source->size - source->at));
	memcpy(buffer, source->data + source->at, count);
	source->at += count;
	return (ptrdiff_t) count;
}
