/*-------------------------------------------------------------------------
 *
 * points.c
 *	  Vectors with names: the rows of a query, and their longest axes.
 *
 * Vectors go to one temporary file and names to another, so that any number
 * of them may be read; the axes are found in some passes over the file.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "math/krylov.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* columns of a declaration, and of the names kept */
enum
{
	POINT_LABEL,
	POINT_VECTOR,
	POINT_GROUP,
	POINT_SIZE
};

enum
{
	NAME_LABEL,
	NAME_GROUP,
	NAME_SIZE,
	NAMES
};

/* Passes that find the axes, at the most */
#define MOST_PASSES 100

/*
 * An axis is none along which points, of elements up to one, stray less than
 * this, or less than this share of the first axis: it is what floats make of
 * zero.
 */
#define LEAST_EXTENT 1e-7
#define LEAST_SHARE 1e-6

/* ---------- reading ---------- */

static void
begin_names(Points *points)
{
	TupleDesc	shape = CreateTemplateTupleDesc(NAMES);

	TupleDescInitEntry(shape, NAME_LABEL + 1, "label", TEXTOID, -1, 0);
	TupleDescInitEntry(shape, NAME_GROUP + 1, "group", TEXTOID, -1, 0);
	TupleDescInitEntry(shape, NAME_SIZE + 1, "size", FLOAT8OID, -1, 0);
	points->names = tuplestore_begin_heap(false, false, work_mem);
	points->slot = MakeSingleTupleTableSlot(shape, &TTSOpsMinimalTuple);
	points->context = AllocSetContextCreate(CurrentMemoryContext,
											"name of a point",
											ALLOCSET_DEFAULT_SIZES);
}

static void
put_text(const QueryValue *value, int column, Datum *values, bool *nulls)
{
	nulls[column] = value == NULL || value->is_null;
	if (!nulls[column])
		values[column] = PointerGetDatum(
			cstring_to_text_with_len(value->text, value->length));
}

static void
put_name(Points *points, const QueryDeclaration *declaration,
		 const QueryReader *reader)
{
	Datum		values[NAMES] = {0};
	bool		nulls[NAMES] = {false, false, true};
	const QueryValue *size = declaration->column_count > POINT_SIZE ?
		query_value(reader, POINT_SIZE) : NULL;

	put_text(query_value(reader, POINT_LABEL), NAME_LABEL, values, nulls);
	put_text(declaration->column_count > POINT_GROUP ?
			 query_value(reader, POINT_GROUP) : NULL, NAME_GROUP, values,
			 nulls);
	if (size != NULL && !size->is_null)
	{
		if (size->number < 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("size of a point must not be negative")));
		nulls[NAME_SIZE] = false;
		values[NAME_SIZE] = Float8GetDatum(size->number);
	}
	points->has_group |= !nulls[NAME_GROUP];
	points->has_size |= !nulls[NAME_SIZE];
	tuplestore_putvalues(points->names, points->slot->tts_tupleDescriptor,
						 values, nulls);
}

static void
find_largest(Points *points, const SparseRow *row)
{
	for (int i = 0; i < row->count; i++)
		points->largest = Max(points->largest, fabsf(row->values[i]));
}

/* Elements are divided by the largest one from here on. */
static void
find_mean(Points *points)
{
	SparseFile *file = points->rows.file;

	points->mean = palloc_extended(
		sizeof(double) * Max(points->rows.features, 1),
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	sparse_file_rewind(file);
	while (sparse_file_next(file))
		for (int i = 0; i < file->count; i++)
			points->mean[file->keys[i]] += (double) file->values[i];
	for (int f = 0; f < points->rows.features; f++)
		points->mean[f] /= (double) points->count * points->largest;
}

static void
read_rows(Points *points, const QueryDeclaration *declaration,
		  QueryReader *reader)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "row of points",
												  ALLOCSET_DEFAULT_SIZES);
	SparseRow	row;

	sparse_row_init(&row, CurrentMemoryContext);
	while (query_next(reader))
	{
		const QueryValue *vector = query_value(reader, POINT_VECTOR);
		MemoryContext old = MemoryContextSwitchTo(context);

		if (points->count == PG_INT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("query has too many rows")));
		sparse_row_of_vector(&row, vector->datum, vector->type);
		points->dense = vector->type != extension_type("sparsevec");
		MemoryContextSwitchTo(old);
		find_largest(points, &row);
		vector_rows_put(&points->rows, &row);
		MemoryContextSwitchTo(context);
		put_name(points, declaration, reader);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		points->count++;
		progress_update(points->progress, (double) points->count, NAN);
	}
	MemoryContextDelete(context);
}

Points *
points_read(const QueryDeclaration *declaration, const char *query,
			Progress *progress)
{
	Points	   *points = palloc0(sizeof(Points));
	QueryReader *reader = query_open(declaration, query);

	points->progress = progress;
	progress_phase(progress, "reading vectors", 0);
	begin_names(points);
	vector_rows_init(&points->rows);
	read_rows(points, declaration, reader);
	query_close(reader);
	find_mean(points);
	return points;
}

void
points_rewind_names(Points *points)
{
	tuplestore_rescan(points->names);
}

/* What is given out lasts until the next one is read. */
void
points_next_name(Points *points, PointName *name)
{
	TupleTableSlot *slot = points->slot;
	MemoryContext old;

	MemoryContextReset(points->context);
	old = MemoryContextSwitchTo(points->context);
	if (!tuplestore_gettupleslot(points->names, true, false, slot))
		elog(ERROR, "names of points are missing");
	slot_getallattrs(slot);
	name->label = slot->tts_isnull[NAME_LABEL] ? NULL :
		TextDatumGetCString(slot->tts_values[NAME_LABEL]);
	name->group = slot->tts_isnull[NAME_GROUP] ? NULL :
		TextDatumGetCString(slot->tts_values[NAME_GROUP]);
	name->size = slot->tts_isnull[NAME_SIZE] ? -1 :
		DatumGetFloat8(slot->tts_values[NAME_SIZE]);
	MemoryContextSwitchTo(old);
}

void
points_free(Points *points)
{
	sparse_file_free(points->rows.file);
	ExecDropSingleTupleTableSlot(points->slot);
	tuplestore_end(points->names);
	MemoryContextDelete(points->context);
	pfree(points->mean);
	pfree(points);
}

/* ---------- axes ---------- */

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/* Dense rows less the mean; centered: keys from 0 on, and room for values */
static void
multiply_dense(Points *points, Krylov *krylov, const int32 *keys,
			   float *centered)
{
	SparseFile *file = points->rows.file;
	int			features = points->rows.features;

	while (sparse_file_next(file))
	{
		for (int f = 0; f < features; f++)
			centered[f] = (float) -points->mean[f];
		for (int i = 0; i < file->count; i++)
			centered[file->keys[i]] = (float)
				(file->values[i] / (double) points->largest -
				 points->mean[file->keys[i]]);
		krylov_add_row(krylov, features, keys, centered);
	}
}

/* Sparse rows as they are; the mean's part is taken off in the end. */
static void
multiply_sparse(Points *points, Krylov *krylov)
{
	SparseFile *file = points->rows.file;
	double		sums[KRYLOV_BLOCK] = {0};

	while (sparse_file_next(file))
	{
		for (int i = 0; i < file->count; i++)
			file->values[i] /= points->largest;
		krylov_add_row(krylov, file->count, file->keys, file->values);
	}
	for (int f = 0; f < points->rows.features; f++)
		for (int c = 0; c < KRYLOV_BLOCK; c++)
			sums[c] += points->mean[f] *
				krylov->block[(Size) f * KRYLOV_BLOCK + c];
	for (int f = 0; f < points->rows.features; f++)
		for (int c = 0; c < KRYLOV_BLOCK; c++)
			krylov->image[(Size) f * KRYLOV_BLOCK + c] -= (float)
				(points->count * points->mean[f] * sums[c]);
}

static void
iterate(Points *points, Krylov *krylov)
{
	int			features = points->rows.features;
	int32	   *keys = palloc_extended(sizeof(int32) * features,
									   MCXT_ALLOC_HUGE);
	float	   *centered = palloc_extended(sizeof(float) * features,
										   MCXT_ALLOC_HUGE);
	bool		more;
	int			passes = 0;

	for (int f = 0; f < features; f++)
		keys[f] = f;
	do
	{
		memset(krylov->image, 0,
			   sizeof(float) * (Size) features * KRYLOV_BLOCK);
		sparse_file_rewind(points->rows.file);
		if (points->dense)
			multiply_dense(points, krylov, keys, centered);
		else
			multiply_sparse(points, krylov);
		more = krylov_advance(krylov);
		progress_update(points->progress, (double) ++passes * points->count,
						NAN);
	} while (more && passes < MOST_PASSES);
	pfree(keys);
	pfree(centered);
}

static void
require_memory(Size bytes, const Points *points)
{
	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("axes of the vectors do not fit into maintenance_work_mem"),
				 errdetail("%d dimensions need %zu MB.",
						   points->rows.features, bytes / (1024 * 1024) + 1),
				 errhint("SET maintenance_work_mem = '%zuMB';",
						 bytes / (1024 * 1024) + 1)));
}

float *
points_axes(Points *points, int count, uint64 seed)
{
	int			features = points->rows.features;
	int			found = Min(count, features);
	float	   *axes = palloc_extended(
		sizeof(float) * Max((Size) features * count, 1),
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Krylov		krylov;
	int			columns;
	Size		bytes;
	char	   *memory;
	float	   *vectors;
	double	   *values;

	if (found == 0)
		return axes;
	progress_phase(points->progress, "finding axes", 0);
	columns = krylov_least_columns(found) + 4 * KRYLOV_BLOCK;
	bytes = krylov_bytes(features, found, columns);
	require_memory(bytes, points);
	memory = palloc_extended(bytes + 64, MCXT_ALLOC_HUGE);
	krylov_begin(&krylov, features, found, columns,
				 (void *) TYPEALIGN(64, memory), seed, check_interrupts);
	iterate(points, &krylov);
	vectors = palloc_extended(sizeof(float) * (Size) features * found,
							  MCXT_ALLOC_HUGE);
	values = palloc(sizeof(double) * found);
	krylov_finish(&krylov, vectors, values);
	pfree(memory);
	for (int a = 0; a < found; a++)
		for (int f = 0; f < features &&
			 values[a] > LEAST_EXTENT * sqrt((double) points->count); f++)
			axes[(Size) f * count + a] = vectors[(Size) f * found + a];
	pfree(vectors);
	pfree(values);
	return axes;
}

void
points_project(Points *points, const float *axes, int count, float *places)
{
	SparseFile *file = points->rows.file;
	double	   *middle = palloc0(sizeof(double) * count);
	double	   *sums = palloc(sizeof(double) * count);
	double	   *extents = palloc0(sizeof(double) * count);
	float	   *place = places;

	for (int f = 0; f < points->rows.features; f++)
		for (int a = 0; a < count; a++)
			middle[a] += points->mean[f] * axes[(Size) f * count + a];
	sparse_file_rewind(file);
	while (sparse_file_next(file))
	{
		for (int a = 0; a < count; a++)
			sums[a] = -middle[a];
		for (int i = 0; i < file->count; i++)
		{
			const float *row = axes + (Size) file->keys[i] * count;
			double		value = file->values[i] / (double) points->largest;

			for (int a = 0; a < count; a++)
				sums[a] += value * row[a];
		}
		for (int a = 0; a < count; a++)
		{
			*place++ = (float) sums[a];
			extents[a] += sums[a] * sums[a];
		}
	}
	for (int a = 1; a < count; a++)
		for (int64 i = 0; i < points->count &&
			 extents[a] < LEAST_SHARE * LEAST_SHARE * extents[0]; i++)
			places[i * count + a] = 0;
	pfree(middle);
	pfree(sums);
	pfree(extents);
}
