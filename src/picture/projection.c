/*-------------------------------------------------------------------------
 *
 * projection.c
 *	  Places in a plane: by the longest axes, or by neighbours.
 *
 *-------------------------------------------------------------------------
 */
#include "picture/picture.h"

#include <math.h>

#include "math/neighbours.h"
#include "math/tsne.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(embed_projection);

const char *const projection_methods[] = {"pca", "neighbours", NULL};

/* Sparse vectors are first projected to so many axes. */
#define SPARSE_AXES		64

char *
picture_text_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

static float *
place_by_axes(Points *points, uint64 seed)
{
	float	   *axes = points_axes(points, 2, seed);
	float	   *places = palloc_extended(
		sizeof(float) * 2 * Max(points->count, 1), MCXT_ALLOC_HUGE);

	points_project(points, axes, 2, places);
	pfree(axes);
	return places;
}

/* ---------- by neighbours ---------- */

/* All that is in memory at once, apart from the places */
typedef struct Graph
{
	int			points;
	int			dims;			/* of a row of floats, a multiple of 16 */
	int			neighbours;		/* of each point */
	float	   *rows;
	int32	   *index;
	float	   *squares;
} Graph;

static void
require_memory(const Graph *graph)
{
	Size		edges = (Size) graph->points * graph->neighbours;
	Size		rows = sizeof(float) * (Size) graph->points * graph->dims;
	Size		search = neighbours_bytes(graph->points, graph->dims);
	Size		bytes = (sizeof(int32) + sizeof(float)) * edges +
		Max(rows + search, tsne_bytes(graph->points));
	Size		megabytes = bytes / (1024 * 1024) + 1;

	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("neighbours do not fit into maintenance_work_mem"),
				 errdetail("%d vectors of %d dimensions need %zu MB.",
						   graph->points, graph->dims, megabytes),
				 errhint("SET maintenance_work_mem = '%zuMB'; or select fewer vectors, or method => 'pca'.",
						 megabytes)));
}

/* Rows less their mean, each of dims floats, zeros at the end */
static void
load_dense(Points *points, Graph *graph)
{
	SparseFile *file = points->rows.file;
	float	   *row = graph->rows;

	sparse_file_rewind(file);
	for (; sparse_file_next(file); row += graph->dims)
	{
		for (int f = 0; f < points->rows.features; f++)
			row[f] = (float) -points->mean[f];
		for (int i = 0; i < file->count; i++)
			row[file->keys[i]] = (float)
				(file->values[i] / (double) points->largest -
				 points->mean[file->keys[i]]);
	}
}

static void
load_sparse(Points *points, Graph *graph, uint64 seed)
{
	float	   *axes = points_axes(points, graph->dims, seed);

	points_project(points, axes, graph->dims, graph->rows);
	pfree(axes);
}

static void
find_neighbours(Points *points, Graph *graph, uint64 seed)
{
	char	   *memory;
	Size		bytes = neighbours_bytes(graph->points, graph->dims);

	graph->rows = palloc_extended(
		sizeof(float) * (Size) graph->points * graph->dims,
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (points->dense)
		load_dense(points, graph);
	else
		load_sparse(points, graph, seed);
	progress_phase(points->progress, "finding neighbours", 0);
	memory = palloc_extended(bytes + 64, MCXT_ALLOC_HUGE);
	neighbours_find(graph->rows, graph->points, graph->dims,
					graph->neighbours, seed, graph->index, graph->squares,
					(void *) TYPEALIGN(64, memory), check_interrupts);
	pfree(memory);
	pfree(graph->rows);
}

static void
lay_out(Points *points, Graph *graph, float *places, uint64 seed)
{
	char	   *memory = palloc_extended(tsne_bytes(graph->points) + 64,
										 MCXT_ALLOC_HUGE);
	Tsne		tsne;

	progress_phase(points->progress, "laying out",
				   (double) points->count * TSNE_STEPS);
	tsne_begin(&tsne, graph->points, graph->neighbours, graph->index,
			   graph->squares, places, seed,
			   (void *) TYPEALIGN(64, memory), check_interrupts);
	while (tsne_step(&tsne))
		progress_update(points->progress, (double) points->count * tsne.step,
						NAN);
	pfree(memory);
}

static float *
place_by_neighbours(Points *points, uint64 seed)
{
	Graph		graph = {.points = (int) points->count};
	float	   *places;
	Size		edges;

	graph.neighbours = Min(TSNE_NEIGHBOURS, graph.points - 1);
	graph.dims = points->dense ? points->rows.features :
		Min(points->rows.features, SPARSE_AXES);
	graph.dims = Max(16, TYPEALIGN(16, graph.dims));
	require_memory(&graph);
	places = place_by_axes(points, seed);
	edges = (Size) graph.points * graph.neighbours;
	graph.index = palloc_extended(sizeof(int32) * edges, MCXT_ALLOC_HUGE);
	graph.squares = palloc_extended(sizeof(float) * edges, MCXT_ALLOC_HUGE);
	find_neighbours(points, &graph, seed);
	lay_out(points, &graph, places, seed);
	pfree(graph.index);
	pfree(graph.squares);
	return places;
}

float *
points_place(Points *points, int method, uint64 seed)
{
	if (method == 0 || points->count < 3)
		return place_by_axes(points, seed);
	return place_by_neighbours(points, seed);
}

/* ---------- embed_projection ---------- */

static const QueryColumn columns[] = {
	{.name = "key", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_KEEP,
	.hint = "Cast the key to text."},
	{.name = "vector", .kinds = QUERY_VECTOR, .nulls = QUERY_NULL_SKIP,
	.hint = "Put the vectors second."}
};

static const QueryDeclaration declaration = {
	.subject = "list of vectors",
	.columns = columns,
	.column_count = lengthof(columns),
	.hint = "The vectors are a query such as 'SELECT word, vector FROM model'.",
	.shape = "the first is a key, the second its vector"
};

/* embed_projection(query, method, seed) -> (key, x, y) */
Datum
embed_projection(PG_FUNCTION_ARGS)
{
	char	   *query = picture_text_argument(fcinfo, 0, "query");
	char	   *name = picture_text_argument(fcinfo, 1, "method");
	int			method = choice_index("method", name, projection_methods);
	uint64		seed = trainer_seed(!PG_ARGISNULL(2), PG_ARGISNULL(2) ? 0 :
									PG_GETARG_INT64(2));
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Progress   *progress = progress_begin("projecting vectors", "vectors");
	Points	   *points = points_read(&declaration, query, progress);
	float	   *places = points_place(points, method, seed);
	double		unit = method == 0 || points->count < 3 ? points->largest : 1;

	points_rewind_names(points);
	for (int64 i = 0; i < points->count; i++)
	{
		PointName	point;
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		CHECK_FOR_INTERRUPTS();
		points_next_name(points, &point);
		nulls[0] = point.label == NULL;
		if (point.label != NULL)
			values[0] = CStringGetTextDatum(point.label);
		/* not minus zero */
		values[1] = Float8GetDatum(places[2 * i] * unit + 0.0);
		values[2] = Float8GetDatum(places[2 * i + 1] * unit + 0.0);
		set_result_add(set, values, nulls);
		if (point.label != NULL)
			pfree(DatumGetPointer(values[0]));
	}
	pfree(places);
	points_free(points);
	progress_end(progress);
	return (Datum) 0;
}
