/*-------------------------------------------------------------------------
 *
 * table.c
 *	  The rows of a model as the files that it came from.
 *
 * Rows are collected in any order, without their data: a value that the
 * server keeps out of line is remembered by its pointer, which is good as
 * long as the snapshot that showed the row.  In the order of their ids the
 * rows are the files, one after the other, so that whatever reads a folder
 * reads a table in the same way, and checks it again.  Anybody who may write
 * to the table may have written anything.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "encoder/network/sums.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

const ModelColumn network_columns[NETWORK_COLUMNS] = {
	{"id", INT4OID},
	{"name", TEXTOID},
	{"part", INT4OID},
	{"element", TEXTOID},
	{"shape", INT4ARRAYOID},
	{"data", BYTEAOID, NULL, true}
};

typedef enum RowKind
{
	ROW_FILE,
	ROW_HEAD,
	ROW_GAP,
	ROW_TENSOR
} RowKind;

typedef struct Row
{
	int32		id;
	int32		part;
	RowKind		kind;
	TensorType	type;			/* of a tensor */
	char	   *name;			/* UTF-8 */
	int			rank;
	int32		shape[TENSOR_MAX_RANK];
	struct varlena *data;		/* as it is stored */
	uint64		bytes;
	uint64		offset;			/* in its file */
} Row;

typedef struct TableFile
{
	NetworkTable *table;
	int			first;			/* of its rows */
	int			count;
} TableFile;

struct NetworkTable
{
	const char *model;
	MemoryContext context;		/* whoever reads may be in a shorter one */
	Row		   *rows;
	int			count;
	int			capacity;
	TableFile  *files;
	int			file_count;
	const Row  *fetched;		/* whose data, not in parts, is below */
	char	   *fetched_data;
};

NetworkTable *
network_table_begin(const char *model)
{
	NetworkTable *table = palloc0(sizeof(NetworkTable));

	table->model = model;
	table->context = CurrentMemoryContext;
	table->capacity = 64;
	table->rows = palloc(sizeof(Row) * table->capacity);
	return table;
}

static void report_row(const NetworkTable *table, int32 id, const char *detail,
					   ...) pg_attribute_printf(3, 4);

static void
report_row(const NetworkTable *table, int32 id, const char *detail,...)
{
	char		text[400];
	va_list		arguments;

	va_start(arguments, detail);
	vsnprintf(text, sizeof(text), detail, arguments);
	va_end(arguments);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("row %d of embedding model \"%s\" cannot be used", id, table->model),
			 errdetail_internal("%s", text),
			 errhint("Import the model again with replace => true.")));
}

/* ---------- rows ---------- */

static void
read_shape(const NetworkTable *table, Row *row, Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1 || count > TENSOR_MAX_RANK || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != INT4OID)
		report_row(table, row->id, "Its shape is not a list of at most %d numbers.",
				   TENSOR_MAX_RANK);
	row->rank = count;
	memcpy(row->shape, ARR_DATA_PTR(array), sizeof(int32) * count);
	for (int i = 0; i < count; i++)
	{
		if (row->shape[i] < 0)
			report_row(table, row->id, "Its shape has a number below zero.");
	}
	if ((Pointer) array != DatumGetPointer(datum))
		pfree(array);
}

static void
read_element(const NetworkTable *table, Row *row, Datum datum)
{
	char	   *element = TextDatumGetCString(datum);

	if (strcmp(element, ELEMENT_FILE) == 0)
		row->kind = ROW_FILE;
	else if (strcmp(element, ELEMENT_HEAD) == 0)
		row->kind = ROW_HEAD;
	else if (strcmp(element, ELEMENT_GAP) == 0)
		row->kind = ROW_GAP;
	else
	{
		row->kind = ROW_TENSOR;
		for (row->type = 0; row->type < TENSOR_TYPE_COUNT; row->type++)
		{
			if (strcmp(tensor_type_name(row->type), element) == 0)
				break;
		}
		if (row->type == TENSOR_TYPE_COUNT)
			report_row(table, row->id, "Its element \"%.100s\" is not known.", element);
	}
	pfree(element);
}

void
network_table_add(NetworkTable *table, const Datum *values, const bool *nulls)
{
	Row		   *row;

	if (nulls[NETWORK_ID] || DatumGetInt32(values[NETWORK_ID]) == 0)
		return;
	if (table->count == table->capacity)
	{
		table->capacity *= 2;
		table->rows = repalloc_huge(table->rows,
									sizeof(Row) * table->capacity);
	}
	row = &table->rows[table->count++];
	memset(row, 0, sizeof(Row));
	row->id = DatumGetInt32(values[NETWORK_ID]);
	for (int i = NETWORK_NAME; i < NETWORK_COLUMNS; i++)
	{
		if (nulls[i])
			report_row(table, row->id, "Its %s is null.", network_columns[i].name);
	}
	row->name = TextDatumGetCString(values[NETWORK_NAME]);
	row->name = pg_server_to_any(row->name, (int) strlen(row->name), PG_UTF8);
	row->part = DatumGetInt32(values[NETWORK_PART]);
	read_element(table, row, values[NETWORK_ELEMENT]);
	read_shape(table, row, values[NETWORK_SHAPE]);
	row->bytes = toast_raw_datum_size(values[NETWORK_DATA]) - VARHDRSZ;
	row->data = palloc(VARSIZE_ANY(DatumGetPointer(values[NETWORK_DATA])));
	memcpy(row->data, DatumGetPointer(values[NETWORK_DATA]),
		   VARSIZE_ANY(DatumGetPointer(values[NETWORK_DATA])));
}

static int
compare_rows(const void *left, const void *right)
{
	int32		a = ((const Row *) left)->id;
	int32		b = ((const Row *) right)->id;

	return a < b ? -1 : a > b;
}

/* ---------- files ---------- */

/* All parts of what begins with this row: how many rows, and their bytes. */
static int
count_parts(const NetworkTable *table, int first, uint64 *bytes)
{
	const Row  *row = &table->rows[first];
	int			count = 1;

	if (row->part != 1)
		report_row(table, row->id, "It is part %d of \"%.200s\", but part %d is not before it.",
				   row->part, row->name, row->part - 1);
	*bytes = row->bytes;
	while (first + count < table->count)
	{
		const Row  *next = &table->rows[first + count];

		if (next->part != count + 1 || next->kind != row->kind ||
			next->type != row->type || strcmp(next->name, row->name) != 0)
			break;
		if (next->rank != row->rank ||
			memcmp(next->shape, row->shape, sizeof(int32) * row->rank) != 0)
			report_row(table, next->id, "Its shape is not that of part 1.");
		*bytes += next->bytes;
		count++;
	}
	return count;
}

/* The bytes that the shape asks for. */
static uint64
expected_bytes(const NetworkTable *table, const Row *row)
{
	Tensor		tensor = {0};
	FormatFault fault = {0};

	if (row->kind != ROW_TENSOR)
	{
		if (row->rank != 1)
			report_row(table, row->id, "Its shape is not one number, the bytes of \"%.200s\".",
					   row->name);
		return row->shape[0];
	}
	tensor.name = row->name;
	tensor.type = row->type;
	tensor.rank = row->rank;
	for (int i = 0; i < row->rank; i++)
		tensor.shape[i] = row->shape[i];
	if (!tensor_set_size(&tensor, &fault))
		report_row(table, row->id, "%s", fault.detail);
	return tensor.bytes;
}

static bool
read_table(void *context, uint64_t offset, void *buffer, size_t length);

/* Which rows are which file. */
static void
find_files(NetworkTable *table, FolderFile *files, uint64 *end)
{
	TableFile  *file = NULL;

	for (int i = 0; i < table->count;)
	{
		Row		   *row = &table->rows[i];
		uint64		bytes;
		int			parts = count_parts(table, i, &bytes);

		if (bytes != expected_bytes(table, row))
			report_row(table, row->id,
					   "The %d parts of \"%.200s\" have " UINT64_FORMAT " bytes together, its shape and element ask for " UINT64_FORMAT ".",
					   parts, row->name, bytes, expected_bytes(table, row));
		if (row->kind == ROW_FILE || row->kind == ROW_HEAD)
		{
			file = &table->files[table->file_count];
			file->table = table;
			file->first = i;
			files[table->file_count].name = row->name;
			files[table->file_count++].file = format_file(read_table, file, 0);
			*end = 0;
		}
		else if (file == NULL || table->rows[file->first].kind != ROW_HEAD)
			report_row(table, row->id, "There is no head of a file of tensors before \"%.200s\".",
					   row->name);
		for (int k = 0; k < parts; k++)
		{
			row[k].offset = *end;
			*end += row[k].bytes;
		}
		file->count = i + parts - file->first;
		files[table->file_count - 1].file.size = *end;
		i += parts;
	}
}

FolderFile *
network_table_finish(NetworkTable *table, int *count)
{
	int			most = 0;
	FolderFile *files;
	uint64		end = 0;

	qsort(table->rows, table->count, sizeof(Row), compare_rows);
	for (int i = 0; i < table->count; i++)
	{
		if (i > 0 && table->rows[i].id == table->rows[i - 1].id)
			report_row(table, table->rows[i].id, "There are two rows of this id.");
		if (table->rows[i].kind == ROW_FILE || table->rows[i].kind == ROW_HEAD)
			most++;
	}
	if (most == 0 || table->rows[0].id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embedding model \"%s\" cannot be used", table->model),
				 most == 0 ? errdetail("It has no rows of files.") :
				 errdetail("It has rows with ids below zero."),
				 errhint("Import the model again with replace => true.")));
	files = palloc0(sizeof(FolderFile) * most);
	table->files = palloc0(sizeof(TableFile) * most);
	find_files(table, files, &end);
	*count = table->file_count;
	return files;
}

/* ---------- bytes ---------- */

/* All of a row's data, kept until another row's is asked for. */
static void
fetch_row(NetworkTable *table, const Row *row)
{
	MemoryContext caller = MemoryContextSwitchTo(table->context);
	char	   *old = table->fetched_data;

	table->fetched = NULL;
	table->fetched_data = NULL;
	if (old != NULL)
		pfree(old);
	table->fetched_data = (char *) detoast_attr(row->data);
	if (table->fetched_data == (char *) row->data)
	{
		table->fetched_data = palloc(VARSIZE_ANY(row->data));
		memcpy(table->fetched_data, row->data, VARSIZE_ANY(row->data));
	}
	table->fetched = row;
	MemoryContextSwitchTo(caller);
}

/* Part of a row's data. */
static void
read_row(NetworkTable *table, const Row *row, uint64 offset, char *buffer,
		 size_t length)
{
	struct varlena *data;

	if (table->fetched != row)
	{
		/* out of line and not compressed: only what is asked for is read */
		if (VARATT_IS_EXTERNAL_ONDISK(row->data))
		{
			struct varatt_external pointer;

			VARATT_EXTERNAL_GET_POINTER(pointer, row->data);
			if (!VARATT_EXTERNAL_IS_COMPRESSED(pointer))
			{
				data = detoast_attr_slice(row->data, (int32) offset,
										  (int32) length);
				if (VARSIZE(data) - VARHDRSZ != length)
					report_row(table, row->id, "Its data is shorter than the server says.");
				memcpy(buffer, VARDATA(data), length);
				pfree(data);
				return;
			}
		}
		fetch_row(table, row);
	}
	data = (struct varlena *) table->fetched_data;
	if (VARSIZE_ANY_EXHDR(data) < offset + length)
		report_row(table, row->id, "Its data is shorter than the server says.");
	memcpy(buffer, VARDATA_ANY(data) + offset, length);
}

/* A FormatFileRead */
static bool
read_table(void *context, uint64_t offset, void *buffer, size_t length)
{
	TableFile  *file = context;
	Row		   *rows = file->table->rows + file->first;
	int			low = 0;
	int			high = file->count;
	char	   *to = buffer;

	/* the last row that begins at the offset or before it */
	while (high - low > 1)
	{
		int			middle = (low + high) / 2;

		if (rows[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	for (; length > 0 && low < file->count; low++)
	{
		uint64		within = offset - rows[low].offset;
		size_t		count = Min(length, rows[low].bytes - within);

		CHECK_FOR_INTERRUPTS();
		if (count > 0)
			read_row(file->table, &rows[low], within, to, count);
		to += count;
		offset += count;
		length -= count;
	}
	return length == 0;
}

/* ---------- tensors ---------- */

static void
check_tensor(const NetworkTable *table, const Tensor *tensor)
{
	const TableFile *file = &table->files[tensor->file];
	const Row  *rows = table->rows + file->first;
	int			low = 0;
	int			high = file->count;

	CHECK_FOR_INTERRUPTS();
	/* the first row that does not begin before the tensor */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (rows[middle].offset < tensor->offset)
			low = middle + 1;
		else
			high = middle;
	}
	/* empty tensors begin at the same place */
	for (; low < file->count && rows[low].offset == tensor->offset; low++)
	{
		const Row  *row = &rows[low];
		bool		equal = row->type == tensor->type &&
							row->rank == tensor->rank;

		if (row->kind != ROW_TENSOR || row->part != 1 ||
			strcmp(row->name, tensor->name) != 0)
			continue;
		for (int k = 0; equal && k < row->rank; k++)
			equal = (uint64) row->shape[k] == tensor->shape[k];
		if (!equal)
			report_row(table, row->id, "Element or shape of \"%.200s\" are not what \"%.100s\" says.",
					   row->name, rows[0].name);
		return;
	}
	report_row(table, rows[0].id, "The tensor \"%.200s\" is not where \"%.100s\" says.",
			   tensor->name, rows[0].name);
}

void
network_table_check(const NetworkTable *table, const NetworkFolder *network)
{
	const ModelFolder *folder = &network->folder;

	for (size_t i = 0; i < folder->weights.count; i++)
		check_tensor(table, &folder->weights.tensors[i]);
	for (int i = 0; i < folder->module_count; i++)
	{
		if (folder->modules[i].weight != NULL)
			check_tensor(table, folder->modules[i].weight);
		if (folder->modules[i].bias != NULL)
			check_tensor(table, folder->modules[i].bias);
	}
}

/* ---------- checksums ---------- */

pg_noreturn static void
report_sum(const NetworkTable *table, int32 id, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("row %d of embedding model \"%s\" is not as it was written", id, table->model),
			 errdetail("%s", what),
			 errhint("Import the model again with replace => true.  After a change on purpose, call embed_refresh().")));
}

/* Rows and checksums both go up by their ids. */
static void
check_sums(const NetworkTable *table, const bytea *sums)
{
	int			count = network_sums_count(sums);
	int			next = 0;

	if (count < 0)
		report_row(table, 0, "Its data is no list of checksums.");
	for (int i = 0; i < table->count || next < count; next++, i++)
	{
		int32		id = PG_INT32_MAX;
		uint32		sum = 0;

		if (next < count)
			network_sums_get(sums, next, &id, &sum);
		if (i == table->count || (next < count && id < table->rows[i].id))
			report_sum(table, id, "It is missing.");
		if (next == count || id > table->rows[i].id)
			report_sum(table, table->rows[i].id,
					   "Row 0 has no checksum of it.");
		if (network_sum_value(table->rows[i].data) != sum)
			report_sum(table, id, "Its data has another checksum than row 0 says.");
	}
}

/* A table made by hand has none. */
static void
check_sums_of_header(const NetworkTable *table, ModelReader *reader)
{
	Datum		values[NETWORK_COLUMNS];
	bool		nulls[NETWORK_COLUMNS];

	model_reader_header(reader, values, nulls);
	if (!nulls[NETWORK_DATA])
		check_sums(table, DatumGetByteaPP(values[NETWORK_DATA]));
}

NetworkFolder *
network_folder_of_table(ModelReader *reader)
{
	const ModelDescription *description = model_reader_description(reader);
	NetworkFolder *network = palloc0(sizeof(NetworkFolder));
	NetworkTable *table = network_table_begin(description->table_name);
	Datum		values[NETWORK_COLUMNS];
	bool		nulls[NETWORK_COLUMNS];

	while (model_reader_next(reader, values, nulls))
		network_table_add(table, values, nulls);
	network->model = description->table_name;
	network->is_table = true;
	network->files = network_table_finish(table, &network->count);
	network_folder_read(network);
	network_table_check(table, network);
	check_sums_of_header(table, reader);
	return network;
}
