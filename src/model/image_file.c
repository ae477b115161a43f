/*-------------------------------------------------------------------------
 *
 * image_file.c
 *	  Names, headers and removal of image files.
 *
 * The prefix of the names is the one that the server deletes from its
 * temporary directory at every start, and that base backups and pg_rewind
 * leave out: an image never survives a crash that might have lost the
 * transaction it shows, nor travels to where the version would mean
 * something else.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "common/file_perm.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "server/set_result.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define IMAGE_MAGIC		"EMBEDIMG"
#define IMAGE_DIRECTORY "base/" PG_TEMP_FILES_DIR
#define IMAGE_PREFIX	PG_TEMP_FILE_PREFIX "_embed."

EMBED_FUNCTION(embed_images);

/* ---------- header ---------- */

static uint32
header_checksum(const ImageHeader *header)
{
	ImageHeader copy = *header;
	pg_crc32c	checksum;

	copy.checksum = 0;
	INIT_CRC32C(checksum);
	COMP_CRC32C(checksum, &copy, sizeof(copy));
	FIN_CRC32C(checksum);
	return checksum;
}

void
image_header_seal(ImageHeader *header)
{
	memcpy(header->magic, IMAGE_MAGIC, sizeof(header->magic));
	header->layout = IMAGE_LAYOUT;
	header->database = MyDatabaseId;
	header->checksum = header_checksum(header);
}

const char *
image_header_fault(const ImageHeader *header, Size bytes,
				   const ModelVersion *version, const ModelMethod *method,
				   BlockNumber table_blocks)
{
	if (bytes < sizeof(ImageHeader))
		return "it is too short";
	if (memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)) != 0)
		return "it does not begin like an image";
	if (header->layout != IMAGE_LAYOUT ||
		header->format != method->image_format)
		return "it has another format";
	if (header->checksum != header_checksum(header))
		return "its header is damaged";
	if (header->database != MyDatabaseId ||
		memcmp(&header->version, version, sizeof(ModelVersion)) != 0)
		return "it belongs to something else";
	if (header->bytes != bytes)
		return "its size is wrong";

	/*
	 * A table that is now shorter has been cut or rewritten.  One that is
	 * longer may merely hold rows of a transaction that is still at it.
	 */
	if (header->table_blocks > table_blocks)
		return "the table is shorter now";
	if (header->section_count != method->image_sections + 1)
		return "it has another number of sections";
	for (int i = 0; i < header->section_count; i++)
	{
		if (header->section_start[i] % IMAGE_ALIGNMENT != 0 ||
			header->section_start[i] > bytes ||
			header->section_bytes[i] > bytes - header->section_start[i])
			return "a section lies outside of it";
	}
	return NULL;
}

/* ---------- names ---------- */

char *
image_path(const ModelVersion *version)
{
	return psprintf("%s/%s%u.%u.%s", IMAGE_DIRECTORY, IMAGE_PREFIX,
					MyDatabaseId, version->table,
					model_version_text(version));
}

void
image_make_directory(void)
{
	/* errors show up when a file is made in it */
	(void) MakePGDirectory(IMAGE_DIRECTORY);
}

typedef struct ImageName
{
	Oid			database;
	Oid			table;
	Oid			file_number;
	const char *version;		/* from the file number on */
	int			builder;		/* process of its unfinished form, else 0 */
} ImageName;

static bool
parse_image_name(const char *name, ImageName *parsed)
{
	int			start = 0;
	int			end = 0;
	unsigned int xmin;
	unsigned int block;
	unsigned int offset;

	if (strncmp(name, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) != 0)
		return false;
	name += strlen(IMAGE_PREFIX);
	if (sscanf(name, "%u.%u.%n%u.%8X%8X%4X%n", &parsed->database,
			   &parsed->table, &start, &parsed->file_number, &xmin, &block,
			   &offset, &end) != 6 || end == 0)
		return false;
	parsed->version = name + start;
	parsed->builder = name[end] == '.' ? atoi(name + end + 1) : 0;
	return true;
}

char *
image_newest_path(const ModelVersion *version)
{
	DIR		   *directory = AllocateDir(IMAGE_DIRECTORY);
	struct dirent *entry;
	char	   *newest = NULL;
	time_t		time = 0;

	if (directory == NULL)
		return NULL;			/* no image has been built yet */
	while ((entry = ReadDirExtended(directory, IMAGE_DIRECTORY, LOG)) != NULL)
	{
		ImageName	name;
		struct stat status;
		char	   *path;

		if (!parse_image_name(entry->d_name, &name) || name.builder != 0 ||
			name.database != MyDatabaseId || name.table != version->table ||
			name.file_number != version->file_number)
			continue;
		path = psprintf("%s/%s", IMAGE_DIRECTORY, entry->d_name);
		if (stat(path, &status) == 0 &&
			(newest == NULL || status.st_mtime > time))
		{
			newest = path;
			time = status.st_mtime;
		}
	}
	FreeDir(directory);
	return newest;
}

/* ---------- removal ---------- */

static bool
has_no_owner(const ImageName *name)
{
	if (name->database != MyDatabaseId)
		return !SearchSysCacheExists1(DATABASEOID,
									  ObjectIdGetDatum(name->database));
	return !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(name->table));
}

/*
 * Called with the builder's lock of this model held, so what another builder
 * of it left unfinished is nobody's.  Those who have a removed file mapped
 * keep it until they let go.
 */
void
image_remove_stale(const ModelVersion *version, int builder)
{
	char	   *current = model_version_text(version);
	DIR		   *directory = AllocateDir(IMAGE_DIRECTORY);
	struct dirent *entry;

	while ((entry = ReadDirExtended(directory, IMAGE_DIRECTORY, LOG)) != NULL)
	{
		ImageName	name;
		bool		remove;

		if (!parse_image_name(entry->d_name, &name))
			continue;
		if (name.database == MyDatabaseId && name.table == version->table)
			remove = strncmp(name.version, current, strlen(current)) != 0 ||
				(name.builder != 0 && name.builder != builder);
		else
			remove = has_no_owner(&name);
		if (remove)
			(void) unlink(psprintf("%s/%s", IMAGE_DIRECTORY, entry->d_name));
	}
	FreeDir(directory);
}

/* ---------- shown and cleared ---------- */

static bool
may_see(Oid table)
{
	return pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static bool
may_clear(const ImageName *name)
{
	return name->builder == 0 && relation_ownercheck(name->table, GetUserId());
}

static void
show_image(ReturnSetInfo *result, const ImageName *name, const char *path)
{
	struct stat status;
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	if (stat(path, &status) != 0)
		return;					/* just removed */
	values[0] = ObjectIdGetDatum(name->table);
	values[1] = CStringGetTextDatum(name->version);
	values[2] = Int64GetDatum(status.st_size);
	values[3] = TimestampTzGetDatum(time_t_to_timestamptz(status.st_mtime));
	set_result_add(result, values, nulls);
}

/*
 * embed_images(clear boolean)
 *
 * The images of this database's models that the user may read; with clear,
 * those of the user's own models are removed after being listed.  Nothing is
 * lost: the next use builds them again.
 */
Datum
embed_images(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = set_result_begin(fcinfo);
	bool		clear = PG_GETARG_BOOL(0);
	DIR		   *directory;
	struct dirent *entry;

	directory = AllocateDir(IMAGE_DIRECTORY);
	if (directory == NULL && errno == ENOENT)
		return (Datum) 0;
	while ((entry = ReadDir(directory, IMAGE_DIRECTORY)) != NULL)
	{
		ImageName	name;
		char	   *path = psprintf("%s/%s", IMAGE_DIRECTORY, entry->d_name);

		CHECK_FOR_INTERRUPTS();
		if (!parse_image_name(entry->d_name, &name) ||
			name.database != MyDatabaseId ||
			!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(name.table)) ||
			!may_see(name.table))
			continue;
		show_image(result, &name, path);
		if (clear && may_clear(&name) && unlink(path) != 0 && errno != ENOENT)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not remove file \"%s\": %m", path)));
	}
	FreeDir(directory);
	return (Datum) 0;
}
