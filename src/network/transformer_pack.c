/*-------------------------------------------------------------------------
 *
 * transformer_pack.c
 *	  The packed form of a model: where every tensor lies, and how it gets
 *	  there.
 *
 * The form begins with a header, then come the tensors of the model, then
 * those of each layer, every one aligned.  Matrices of queries, keys and
 * values lie side by side, each in whole panels, so that one product makes all
 * three or any of them; so do their biases.
 *
 * A tensor arrives in pieces of any size.  Numbers are gathered to rows, rows
 * to panels; a panel is written as soon as it is whole.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_families.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PACKED_MAGIC "embed transformer"
#define PACKED_VERSION 1

/* What the packed form begins with. */
typedef struct PackedHeader
{
	char		magic[20];
	uint32_t	version;
	char		layout[40];		/* of matrices and of attention's kernels */
	uint64_t	bytes;
	uint32_t	precision;
	uint32_t	layers;
	uint32_t	hidden;
	uint32_t	units;
	uint32_t	vocabulary;
	uint32_t	heads;
	char		padding[32];
} PackedHeader;

_Static_assert(sizeof(PackedHeader) == 128, "header of a packed transformer");

/* A part of a tensor in a file, and the role it has in the packed form. */
typedef struct Segment
{
	TensorRole	role;
	int64_t		rows;
} Segment;

struct TransformerPacker
{
	const TransformerPlan *plan;
	TransformerSink sink;
	float	   *rows;			/* of a panel, or some floats of a table */
	char	   *panel;
	uint8_t    *seen;			/* by role and layer */

	/* the tensor under way */
	char		name[120];
	int			layer;
	Segment		segments[3];
	int			segment_count;
	int			segment;
	int64_t		row;			/* of the segment, the next to be gathered */
	int			gathered_rows;
	int			column;
	char		message[TRANSFORMER_MESSAGE];
};

/* Floats of a table that are written at once. */
#define TABLE_FLOATS 16384

static size_t
aligned(size_t size)
{
	return (size + PRODUCT_ALIGNMENT - 1) / PRODUCT_ALIGNMENT *
		   PRODUCT_ALIGNMENT;
}

/*
 * The plan
 */

static int
round_to_panels(ProductPrecision precision, int count)
{
	int			columns = product_panel_columns(precision);

	return (count + columns - 1) / columns * columns;
}

static TensorPlace *
place_of(TransformerPlan *plan, TensorRole role)
{
	return role < TENSOR_QUERY ? &plan->model[role]
							   : &plan->layer[role - TENSOR_QUERY];
}

static const TensorPlace *
place_in(const TransformerPlan *plan, TensorRole role)
{
	return role < TENSOR_QUERY ? &plan->model[role]
							   : &plan->layer[role - TENSOR_QUERY];
}

static void
add_matrix(TransformerPlan *plan, TensorRole role, int rows, int columns)
{
	TensorPlace *place = place_of(plan, role);

	place->rows = rows;
	place->columns = columns;
	place->is_matrix = true;
	place->bytes = round_to_panels(plan->precision, rows) /
				   product_panel_columns(plan->precision) *
				   product_panel_bytes(plan->precision, columns);
}

static void
add_floats(TransformerPlan *plan, TensorRole role, int rows, int columns)
{
	TensorPlace *place = place_of(plan, role);

	place->rows = rows;
	place->columns = columns;
	place->bytes = aligned(sizeof(float) * rows * columns);
}

/*
 * A bias fills whole panels, for those of queries, keys and values are joined.
 */
static void
add_bias(TransformerPlan *plan, bool wanted, TensorRole role, int columns)
{
	if (!wanted)
		return;
	add_floats(plan, role, 1, columns);
	place_of(plan, role)->bytes = aligned(
		sizeof(float) * round_to_panels(plan->precision, columns));
}

static void
add_norm(TransformerPlan *plan, TensorRole role, int dims)
{
	const TransformerConfig *config = &plan->config;

	add_floats(plan, role, 1, dims);
	/* its bias is the next role */
	if (config->family->norm_kind == NORM_LAYER && config->norm_bias)
		add_floats(plan, role + 1, 1, dims);
}

static void
add_layer(TransformerPlan *plan)
{
	const TransformerConfig *config = &plan->config;
	const TransformerFamily *family = config->family;
	int			queries = config->heads * config->head_dims;
	int			keys = config->key_heads * config->head_dims;

	add_matrix(plan, TENSOR_QUERY, queries, config->hidden);
	add_matrix(plan, TENSOR_KEY, keys, config->hidden);
	add_matrix(plan, TENSOR_VALUE, keys, config->hidden);
	add_bias(plan, config->query_bias, TENSOR_QUERY_BIAS, queries);
	add_bias(plan, config->query_bias, TENSOR_KEY_BIAS, keys);
	add_bias(plan, config->query_bias, TENSOR_VALUE_BIAS, keys);
	if (family->head_norm)
	{
		add_floats(plan, TENSOR_QUERY_NORM, 1, config->head_dims);
		add_floats(plan, TENSOR_KEY_NORM, 1, config->head_dims);
	}
	add_matrix(plan, TENSOR_OUT, config->hidden, queries);
	add_bias(plan, config->out_bias, TENSOR_OUT_BIAS, config->hidden);
	add_matrix(plan, TENSOR_GATE, config->units, config->hidden);
	add_bias(plan, config->unit_bias, TENSOR_GATE_BIAS, config->units);
	if (family->gated)
	{
		add_matrix(plan, TENSOR_UP, config->units, config->hidden);
		add_bias(plan, config->unit_bias, TENSOR_UP_BIAS, config->units);
	}
	add_matrix(plan, TENSOR_DOWN, config->hidden, config->units);
	add_bias(plan, config->unit_bias || family->down_bias, TENSOR_DOWN_BIAS,
			 config->hidden);
	add_norm(plan, TENSOR_ATTENTION_NORM, config->hidden);
	add_norm(plan, TENSOR_UNITS_NORM, config->hidden);
	if (family->norm_place == NORM_BOTH)
	{
		add_floats(plan, TENSOR_ATTENTION_POST_NORM, 1, config->hidden);
		add_floats(plan, TENSOR_UNITS_POST_NORM, 1, config->hidden);
	}
}

static void
add_model(TransformerPlan *plan)
{
	const TransformerConfig *config = &plan->config;
	const TransformerFamily *family = config->family;

	add_floats(plan, TENSOR_WORDS, config->vocabulary, config->embedding);
	if (family->positions == POSITION_TABLE ||
		family->positions == POSITION_TABLE_AFTER_PADDING)
		add_floats(plan, TENSOR_PLACES, config->places, config->embedding);
	if (family->types && config->types > 0)
		add_floats(plan, TENSOR_TYPES, config->types, config->embedding);
	if (family->embedding_norm)
		add_norm(plan, TENSOR_EMBEDDING_NORM, config->embedding);
	if (config->embedding != config->hidden || strcmp(family->name, "albert") == 0)
	{
		add_matrix(plan, TENSOR_PROJECTION, config->hidden, config->embedding);
		add_bias(plan, true, TENSOR_PROJECTION_BIAS, config->hidden);
	}
	if (family->relative)
		add_floats(plan, TENSOR_RELATIVE, config->buckets, config->heads);
	if (family->final_norm)
		add_norm(plan, TENSOR_FINAL_NORM, config->hidden);
}

TransformerStatus
transformer_plan(TransformerPlan *plan, const TransformerConfig *config,
				 ProductPrecision precision)
{
	size_t		at = sizeof(PackedHeader);

	if (!config->is_finished)
		return TRANSFORMER_INVALID;
	memset(plan, 0, sizeof(*plan));
	plan->config = *config;
	plan->precision = precision;
	plan->weight_layers = config->layers;
	if (strcmp(config->family->name, "albert") == 0)
		plan->weight_layers = config->groups * config->layers_of_group;
	plan->query_dims = round_to_panels(precision,
									   config->heads * config->head_dims);
	plan->key_dims = round_to_panels(precision,
									 config->key_heads * config->head_dims);
	add_model(plan);
	add_layer(plan);
	for (int i = 0; i < TENSORS_OF_MODEL; i++)
	{
		plan->model[i].offset = at;
		at += plan->model[i].bytes;
	}
	plan->layers_offset = at;
	for (int i = 0; i < TENSORS_OF_LAYER; i++)
	{
		plan->layer[i].offset = plan->layer_bytes;
		plan->layer_bytes += plan->layer[i].bytes;
	}
	plan->bytes = at + plan->layer_bytes * plan->weight_layers;
	return TRANSFORMER_OK;
}

static void
header_of(const TransformerPlan *plan, PackedHeader *header)
{
	memset(header, 0, sizeof(*header));
	strcpy(header->magic, PACKED_MAGIC);
	header->version = PACKED_VERSION;
	snprintf(header->layout, sizeof(header->layout), "%s", product_layout(plan->precision));
	header->bytes = plan->bytes;
	header->precision = plan->precision;
	header->layers = plan->weight_layers;
	header->hidden = plan->config.hidden;
	header->units = plan->config.units;
	header->vocabulary = plan->config.vocabulary;
	header->heads = plan->config.heads;
}

TransformerStatus
transformer_open(const TransformerPlan *plan, const void *packed, size_t size)
{
	PackedHeader header;

	header_of(plan, &header);
	if (size < sizeof(header) || size != plan->bytes ||
		memcmp(packed, &header, sizeof(header)) != 0)
		return TRANSFORMER_INVALID;
	return TRANSFORMER_OK;
}

/*
 * Packing
 */

static TransformerStatus __attribute__((format(printf, 3, 4)))
packing_failed(TransformerPacker *packer, TransformerStatus status,
			   const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(packer->message, sizeof(packer->message), format, arguments);
	va_end(arguments);
	return status;
}

static int
widest(const TransformerPlan *plan)
{
	int			most = 0;

	for (int i = 0; i < TENSORS_OF_LAYER; i++)
	{
		if (plan->layer[i].is_matrix && plan->layer[i].columns > most)
			most = plan->layer[i].columns;
	}
	if (plan->model[TENSOR_PROJECTION].columns > most)
		most = plan->model[TENSOR_PROJECTION].columns;
	return most;
}

static size_t
row_floats(const TransformerPlan *plan)
{
	size_t		panel = (size_t) widest(plan) *
						product_panel_columns(plan->precision);

	return panel > TABLE_FLOATS ? panel : TABLE_FLOATS;
}

static size_t
seen_bytes(const TransformerPlan *plan)
{
	return TENSORS_OF_MODEL + (size_t) TENSORS_OF_LAYER * plan->weight_layers;
}

size_t
transformer_packer_bytes(const TransformerPlan *plan)
{
	return aligned(sizeof(TransformerPacker)) +
		   aligned(sizeof(float) * row_floats(plan)) +
		   product_panel_bytes(plan->precision, widest(plan)) +
		   aligned(seen_bytes(plan)) + PRODUCT_ALIGNMENT;
}

TransformerPacker *
transformer_packer(const TransformerPlan *plan, TransformerSink sink,
				   void *memory)
{
	char	   *at = (char *) aligned((size_t) memory);
	TransformerPacker *packer = (TransformerPacker *) at;

	memset(packer, 0, sizeof(*packer));
	packer->plan = plan;
	packer->sink = sink;
	at += aligned(sizeof(TransformerPacker));
	packer->rows = (float *) at;
	at += aligned(sizeof(float) * row_floats(plan));
	packer->panel = at;
	at += product_panel_bytes(plan->precision, widest(plan));
	packer->seen = (uint8_t *) at;
	memset(packer->seen, 0, seen_bytes(plan));
	return packer;
}

const char *
transformer_packer_message(const TransformerPacker *packer)
{
	return packer->message;
}

static uint8_t *
seen_of(const TransformerPacker *packer, TensorRole role, int layer)
{
	if (role < TENSOR_QUERY)
		return &packer->seen[role];
	return &packer->seen[TENSORS_OF_MODEL + (size_t) layer * TENSORS_OF_LAYER +
						 role - TENSOR_QUERY];
}

int
transformer_parts_of_role(TensorRole role, TensorRole to[3])
{
	static const TensorRole parts[][3] = {
		{TENSOR_QUERY, TENSOR_KEY, TENSOR_VALUE},
		{TENSOR_QUERY_BIAS, TENSOR_KEY_BIAS, TENSOR_VALUE_BIAS},
		{TENSOR_GATE, TENSOR_UP},
		{TENSOR_GATE_BIAS, TENSOR_UP_BIAS},
		{TENSOR_UP, TENSOR_GATE},
	};
	int			count = role <= TENSOR_QUERY_KEY_VALUE_BIAS ? 3 : 2;

	to[0] = role;
	if (role < TENSOR_QUERY_KEY_VALUE)
		return 1;
	for (int i = 0; i < count; i++)
		to[i] = parts[role - TENSOR_QUERY_KEY_VALUE][i];
	return count;
}

/* The parts of a tensor that a file keeps in one. */
static void
choose_segments(TransformerPacker *packer, TensorRole role)
{
	const TransformerPlan *plan = packer->plan;
	TensorRole	parts[3];

	packer->segment_count = transformer_parts_of_role(role, parts);
	for (int i = 0; i < packer->segment_count; i++)
	{
		const TensorPlace *place = place_in(plan, parts[i]);

		packer->segments[i].role = parts[i];
		packer->segments[i].rows = place->rows == 1 && !place->is_matrix
									   ? place->columns
									   : place->rows;
	}
}

/* Has the tensor of the file the shape that its parts have together? */
static bool
shape_fits(const TransformerPacker *packer, int dims, const int64_t *shape)
{
	const TensorPlace *place = place_in(packer->plan,
										packer->segments[0].role);
	bool		vector = place->rows == 1 && !place->is_matrix;
	int64_t		rows = 0;

	for (int i = 0; i < packer->segment_count; i++)
		rows += packer->segments[i].rows;

	/* a table of one row is still a table */
	if (vector && dims == 2 && shape[0] == 1 &&
		packer->segments[0].role <= TENSOR_TYPES)
		return shape[1] == place->columns;
	if (vector)
		return dims == 1 && shape[0] == rows;
	return dims == 2 && shape[0] == rows && shape[1] == place->columns;
}

TransformerStatus
transformer_tensor_begin(TransformerPacker *packer, const char *name, int dims,
						 const int64_t *shape)
{
	const TransformerPlan *plan = packer->plan;
	const TransformerConfig *config = &plan->config;
	int			layer = 0;
	int			role = transformer_role_of_name(config->family, name, &layer);

	snprintf(packer->name, sizeof(packer->name), "%.*s", (int) sizeof(packer->name) - 1, name);
	if (role == -1)
		return TRANSFORMER_IGNORED;
	if (role < 0)
		return packing_failed(packer, TRANSFORMER_UNKNOWN, "unknown tensor \"%s\"", packer->name);
	if (strcmp(config->family->name, "albert") == 0 && role >= TENSOR_QUERY)
	{
		if (layer / 10000 >= config->groups ||
			layer % 10000 >= config->layers_of_group)
			return packing_failed(packer, TRANSFORMER_UNKNOWN, "tensor \"%s\" is of no layer", packer->name);
		layer = layer / 10000 * config->layers_of_group + layer % 10000;
	}
	if (role >= TENSOR_QUERY && layer >= plan->weight_layers)
		return packing_failed(packer, TRANSFORMER_UNKNOWN, "tensor \"%s\" is of no layer", packer->name);
	packer->layer = layer;
	choose_segments(packer, role);
	for (int i = 0; i < packer->segment_count; i++)
	{
		TensorRole	part = packer->segments[i].role;

		if (place_in(plan, part)->bytes == 0)
			return packing_failed(packer, TRANSFORMER_UNKNOWN,
								  "tensor \"%s\" has no place in this model", packer->name);
		if (*seen_of(packer, part, layer))
			return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" comes twice", packer->name);
	}
	if (!shape_fits(packer, dims, shape))
		return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" has the wrong shape", packer->name);
	packer->segment = 0;
	packer->row = 0;
	packer->gathered_rows = 0;
	packer->column = 0;
	return TRANSFORMER_OK;
}

static size_t
offset_of(const TransformerPacker *packer, TensorRole role)
{
	const TransformerPlan *plan = packer->plan;

	if (role < TENSOR_QUERY)
		return plan->model[role].offset;
	return plan->layers_offset + plan->layer_bytes * packer->layer +
		   plan->layer[role - TENSOR_QUERY].offset;
}

/* The gathered rows of a matrix, as a panel. */
static bool
write_panel(TransformerPacker *packer, TensorRole role)
{
	const TransformerPlan *plan = packer->plan;
	const TensorPlace *place = place_in(plan, role);
	int			columns = product_panel_columns(plan->precision);
	size_t		size = product_panel_bytes(plan->precision, place->columns);
	size_t		at = (packer->row - packer->gathered_rows) / columns * size;

	product_pack_panel(plan->precision, place->columns, packer->gathered_rows,
					   packer->rows, place->columns, packer->panel);
	packer->gathered_rows = 0;
	return packer->sink.write(packer->sink.argument,
							  offset_of(packer, role) + at, packer->panel,
							  size);
}

/*
 * Values of a matrix; returns how many were taken, or 0 when the sink stops.
 */
static size_t
take_matrix(TransformerPacker *packer, TensorRole role, const float *values,
			size_t count)
{
	const TensorPlace *place = place_in(packer->plan, role);
	int64_t		rows = packer->segments[packer->segment].rows;
	size_t		taken = 0;

	while (taken < count && packer->row < rows)
	{
		size_t		some = place->columns - packer->column;

		some = some < count - taken ? some : count - taken;
		memcpy(packer->rows + (size_t) packer->gathered_rows * place->columns +
				   packer->column,
			   values + taken, sizeof(float) * some);
		taken += some;
		packer->column += some;
		if (packer->column < place->columns)
			break;
		packer->column = 0;
		packer->row++;
		packer->gathered_rows++;
		if ((packer->gathered_rows ==
				 product_panel_columns(packer->plan->precision) ||
			 packer->row == rows) &&
			!write_panel(packer, role))
			return 0;
	}
	return taken;
}

/*
 * Values of a vector or a table: to their place, changed where the family
 * does.
 */
static size_t
take_floats(TransformerPacker *packer, TensorRole role, const float *values,
			size_t count)
{
	const TransformerPlan *plan = packer->plan;
	const TensorPlace *place = place_in(plan, role);
	bool		vector = place->rows == 1;
	size_t		width = vector ? 1 : place->columns;
	size_t		at = (size_t) packer->row * width + packer->column;
	size_t		left =
			 (size_t) packer->segments[packer->segment].rows * width - at;
	bool		is_norm = role == TENSOR_QUERY_NORM ||
						  role == TENSOR_KEY_NORM ||
						  role == TENSOR_ATTENTION_NORM ||
						  role == TENSOR_UNITS_NORM ||
						  role == TENSOR_FINAL_NORM ||
						  role == TENSOR_ATTENTION_POST_NORM ||
						  role == TENSOR_UNITS_POST_NORM;

	count = count < left ? count : left;
	count = count < TABLE_FLOATS ? count : TABLE_FLOATS;
	for (size_t i = 0; i < count; i++)
	{
		packer->rows[i] = values[i];
		if (is_norm && plan->config.family->norm_kind == NORM_RMS_PLUS_ONE)
			packer->rows[i] += 1;
		else if (role == TENSOR_WORDS && plan->config.embedding_scale != 1)
			packer->rows[i] *= (float) plan->config.embedding_scale;
	}
	if (!packer->sink.write(packer->sink.argument,
							offset_of(packer, role) + sizeof(float) * at,
							packer->rows, sizeof(float) * count))
		return 0;
	at += count;
	packer->row = at / width;
	packer->column = at % width;
	return count;
}

TransformerStatus
transformer_tensor_values(TransformerPacker *packer, const float *values,
						  size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (!isfinite(values[i]))
			return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" holds a value that is not finite",
								  packer->name);
	}
	while (count > 0)
	{
		TensorRole	role;
		size_t		taken;

		if (packer->segment >= packer->segment_count)
			return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" is too long", packer->name);
		role = packer->segments[packer->segment].role;
		taken = place_in(packer->plan, role)->is_matrix
			? take_matrix(packer, role, values, count)
			: take_floats(packer, role, values, count);
		if (taken == 0)
			return packing_failed(packer, TRANSFORMER_STOPPED, "could not write tensor \"%s\"", packer->name);
		values += taken;
		count -= taken;
		if (packer->row == packer->segments[packer->segment].rows)
		{
			packer->segment++;
			packer->row = 0;
			packer->gathered_rows = 0;
		}
	}
	return TRANSFORMER_OK;
}

/* Zeros after a bias, up to the end of its panels. */
static bool
fill_up(TransformerPacker *packer, TensorRole role)
{
	static const char zeros[256] = {0};
	const TensorPlace *place = place_in(packer->plan, role);
	size_t		at = sizeof(float) * place->rows * place->columns;

	while (!place->is_matrix && at < place->bytes)
	{
		size_t		some = place->bytes - at < sizeof(zeros)
							   ? place->bytes - at
							   : sizeof(zeros);

		if (!packer->sink.write(packer->sink.argument,
								offset_of(packer, role) + at, zeros, some))
			return false;
		at += some;
	}
	return true;
}

TransformerStatus
transformer_tensor_end(TransformerPacker *packer)
{
	if (packer->segment < packer->segment_count)
		return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" is too short", packer->name);
	for (int i = 0; i < packer->segment_count; i++)
	{
		*seen_of(packer, packer->segments[i].role, packer->layer) = 1;
		if (!fill_up(packer, packer->segments[i].role))
			return packing_failed(packer, TRANSFORMER_STOPPED, "could not write tensor \"%s\"", packer->name);
	}
	return TRANSFORMER_OK;
}

static TransformerStatus
missing(TransformerPacker *packer, TensorRole role, int layer)
{
	char		name[100];

	transformer_name_of_role(packer->plan->config.family, role, layer, name,
							 sizeof(name));
	return packing_failed(packer, TRANSFORMER_INVALID, "tensor \"%s\" is missing", name);
}

TransformerStatus
transformer_packer_finish(TransformerPacker *packer)
{
	const TransformerPlan *plan = packer->plan;
	PackedHeader header;

	for (int role = 0; role < TENSORS_OF_MODEL; role++)
	{
		if (plan->model[role].bytes > 0 && !*seen_of(packer, role, 0))
			return missing(packer, role, 0);
	}
	for (int layer = 0; layer < plan->weight_layers; layer++)
	{
		for (int role = TENSOR_QUERY; role < TENSOR_QUERY_KEY_VALUE; role++)
		{
			/* the embedding's norm serves the first layer too */
			if (layer == 0 && plan->config.family->first_norm_missing &&
				(role == TENSOR_ATTENTION_NORM ||
				 role == TENSOR_ATTENTION_NORM_BIAS))
				continue;
			if (plan->layer[role - TENSOR_QUERY].bytes > 0 &&
				!*seen_of(packer, role, layer))
				return missing(packer, role, layer);
		}
	}
	header_of(plan, &header);
	if (!packer->sink.write(packer->sink.argument, 0, &header, sizeof(header)))
		return packing_failed(packer, TRANSFORMER_STOPPED, "could not write the header");
	return TRANSFORMER_OK;
}
