/*-------------------------------------------------------------------------
 *
 * elmo_pack.c
 *	  The packed form of an ELMo: where every tensor lies, how it gets there,
 *	  how it is opened.
 *
 * Files hold matrices with the outputs side by side; panels want the numbers
 * of an output one after the other.  A matrix is read in stripes of outputs
 * that fit into the memory at hand, each from a pass over the tensor, and
 * turned panel by panel.  What is made of x and what is made of the state are
 * one tensor in files and two matrices here.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "network/scratch.h"

#define PACKED_MAGIC "embed elmo"
#define PACKED_VERSION 1

/* What the packed form begins with. */
typedef struct PackedHeader
{
	char		magic[16];
	uint32_t	version;
	uint32_t	precision;
	uint64_t	bytes;
	char		layout[40];		/* of matrices */
	char		float_layout[40];	/* of filters */
	char		padding[16];
} PackedHeader;

_Static_assert(sizeof(PackedHeader) == 128, "header of a packed ELMo");

/* A stripe of a matrix takes about so much memory. */
#define STRIPE_BYTES ((size_t) 64 << 20)

/* Floats of a table that are written at once. */
#define TABLE_FLOATS 16384

/* ---------- the plan ---------- */

__attribute__((format(printf, 2, 3)))
static ElmoPlace *
add_place(ElmoPlan *plan, const char *format, ...)
{
	ElmoPlace  *place = &plan->places[plan->place_count++];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(place->name, sizeof(place->name), format, arguments);
	va_end(arguments);
	place->offset = plan->bytes;
	place->gates = 1;
	return place;
}

static int
panels_of(ProductPrecision precision, int outputs)
{
	int			columns = product_panel_columns(precision);

	return (outputs + columns - 1) / columns;
}

static void
size_matrix(ElmoPlan *plan, ElmoPlace *place, ProductPrecision precision,
			int inner, int outer)
{
	place->is_matrix = true;
	place->precision = precision;
	place->inner = inner;
	place->outer = outer;
	place->bytes = (size_t) place->gates *
				   panels_of(precision, outer / place->gates) *
				   product_panel_bytes(precision, inner);
	plan->bytes += place->bytes;
}

static void
size_table(ElmoPlan *plan, ElmoPlace *place, size_t floats)
{
	place->inner = 1;
	place->outer = (int) floats;
	place->bytes = sizeof(float) * floats;
	if (place->gates > 1)
		place->bytes = sizeof(float) * place->gates *
			panels_of(plan->precision, (int) floats / place->gates) *
			product_panel_columns(plan->precision);
	place->bytes = scratch_aligned(place->bytes);
	plan->bytes += place->bytes;
}

static void
plan_characters(ElmoPlan *plan)
{
	const ElmoOptions *options = &plan->options;

	size_table(plan, add_place(plan, "char_embed"),
			   (size_t) ELMO_CHARACTERS * options->character_dims);
	for (int i = 0; i < options->filter_count; i++)
	{
		size_matrix(plan, add_place(plan, "CNN/W_cnn_%d", i), PRODUCT_FLOAT32,
					options->filter_width[i] * options->character_dims,
					options->filter_size[i]);
		size_table(plan, add_place(plan, "CNN/b_cnn_%d", i),
				   (size_t) options->filter_size[i]);
	}
	for (int i = 0; i < 2 * options->highways; i++)
	{
		const char *part = i % 2 == 0 ? "carry" : "transform";

		size_matrix(plan, add_place(plan, "CNN_high_%d/W_%s", i / 2, part),
					plan->precision, options->filters, options->filters);
		size_table(plan, add_place(plan, "CNN_high_%d/b_%s", i / 2, part),
				   (size_t) options->filters);
	}
	size_matrix(plan, add_place(plan, "CNN_proj/W_proj"), plan->precision,
				options->filters, options->projection);
	size_table(plan, add_place(plan, "CNN_proj/b_proj"),
			   (size_t) options->projection);
}

static void
plan_layer(ElmoPlan *plan, int direction, int layer)
{
	const ElmoOptions *options = &plan->options;
	int			gates = 4 * options->cells;
	char		cell[64];
	ElmoPlace  *place;

	snprintf(cell, sizeof(cell), "RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell",
			 direction, layer);
	for (int part = 0; part < 2; part++)
	{
		place = add_place(plan, "%s/W_0", cell);
		place->gates = 4;
		place->skip = (uint64_t) part * options->projection * gates;
		size_matrix(plan, place, plan->precision, options->projection, gates);
	}
	place = add_place(plan, "%s/B", cell);
	place->gates = 4;
	place->forget = true;
	size_table(plan, place, (size_t) gates);
	size_matrix(plan, add_place(plan, "%s/W_P_0", cell), plan->precision,
				options->cells, options->projection);
}

bool
elmo_plan(ElmoPlan *plan, const ElmoOptions *options,
		  ProductPrecision precision, char message[ELMO_MESSAGE])
{
	bool		integer = precision == PRODUCT_INT16 ||
						  precision == PRODUCT_INT8;

	memset(plan, 0, sizeof(*plan));
	message[0] = '\0';
	if (integer && (options->filters > PRODUCT_MOST_INNER ||
					options->cells > PRODUCT_MOST_INNER ||
					options->projection > PRODUCT_MOST_INNER))
	{
		snprintf(message, ELMO_MESSAGE,
				 "Integers serve layers of up to %d numbers.",
				 PRODUCT_MOST_INNER);
		return false;
	}
	plan->options = *options;
	plan->precision = precision;
	plan->bytes = sizeof(PackedHeader);
	plan_characters(plan);
	for (int i = 0; i < 2 * options->layers; i++)
		plan_layer(plan, i / options->layers, i % options->layers);
	return true;
}

/* ---------- packing ---------- */

typedef struct Packer
{
	const ElmoPlan *plan;
	const ElmoFiles *files;
	const ElmoPlace *place;
	float	   *stripe;			/* inner x (until - from) floats */
	float	   *turned;			/* of a panel, one output after the other */
	char	   *panel;

	/* the stripe under way, in outputs of the file */
	int			from;
	int			until;
	uint64_t	at;				/* elements received */
	bool		good;
} Packer;

/* Outputs of a stripe: whole panels. */
static int
stripe_outputs(const ElmoPlace *place)
{
	int			columns = product_panel_columns(place->precision);
	size_t		fit = STRIPE_BYTES / sizeof(float) / place->inner / columns;
	size_t		most = (size_t) panels_of(place->precision,
										  place->outer / place->gates);

	if (fit > most)
		fit = most;
	return (int) (fit > 0 ? fit : 1) * columns;
}

static void
most_sizes(const ElmoPlan *plan, size_t *stripe, size_t *turned, size_t *panel)
{
	*stripe = TABLE_FLOATS;
	*turned = 0;
	*panel = sizeof(PackedHeader);
	for (int i = 0; i < plan->place_count; i++)
	{
		const ElmoPlace *place = &plan->places[i];
		size_t		floats;
		size_t		bytes;

		if (!place->is_matrix)
			continue;
		floats = (size_t) place->inner * stripe_outputs(place);
		*stripe = floats > *stripe ? floats : *stripe;
		floats = (size_t) place->inner *
				 product_panel_columns(place->precision);
		*turned = floats > *turned ? floats : *turned;
		bytes = product_panel_bytes(place->precision, place->inner);
		*panel = bytes > *panel ? bytes : *panel;
	}
}

size_t
elmo_pack_bytes(const ElmoPlan *plan)
{
	size_t		stripe;
	size_t		turned;
	size_t		panel;

	most_sizes(plan, &stripe, &turned, &panel);
	return scratch_aligned(sizeof(float) * stripe) +
		   scratch_aligned(sizeof(float) * turned) + scratch_aligned(panel);
}

/* Takes from each row of the tensor what belongs to the stripe. */
static void
receive_stripe(void *receiver, const float *values, size_t count)
{
	Packer	   *packer = receiver;
	const ElmoPlace *place = packer->place;
	int			width = packer->until - packer->from;

	while (count > 0)
	{
		uint64_t	row = packer->at / place->outer;
		int			column = (int) (packer->at % place->outer);
		size_t		rest = (size_t) (place->outer - column);
		size_t		some = count < rest ? count : rest;
		int			from = column > packer->from ? column : packer->from;
		int			until = column + (int) some;

		if (row >= (uint64_t) place->inner)
			return;
		if (until > packer->until)
			until = packer->until;
		if (from < until)
			memcpy(packer->stripe + row * width + (from - packer->from),
				   values + (from - column), sizeof(float) * (until - from));
		packer->at += some;
		values += some;
		count -= some;
	}
}

static void
write_panels(Packer *packer)
{
	const ElmoPlace *place = packer->place;
	int			columns = product_panel_columns(place->precision);
	int			width = packer->until - packer->from;

	for (int first = 0; first < width && packer->good; first += columns)
	{
		int			count = width - first < columns ? width - first : columns;

		for (int k = 0; k < place->inner; k++)
		{
			const float *from = packer->stripe + (size_t) k * width + first;

			for (int i = 0; i < count; i++)
				packer->turned[(size_t) i * place->inner + k] = from[i];
		}
		product_pack_panel(place->precision, place->inner, count,
						   packer->turned, (size_t) place->inner,
						   packer->panel);
		packer->good = packer->files->write(
			packer->files->argument, packer->panel,
			product_panel_bytes(place->precision, place->inner));
	}
}

static void
pack_matrix(Packer *packer)
{
	const ElmoPlace *place = packer->place;
	int			part = place->outer / place->gates;
	int			most = stripe_outputs(place);

	for (int gate = 0; gate < place->gates; gate++)
	{
		for (int at = 0; at < part && packer->good; at += most)
		{
			int			count = part - at < most ? part - at : most;

			packer->from = gate * part + at;
			packer->until = packer->from + count;
			packer->at = 0;
			packer->good = packer->files->read(
				packer->files->argument, place->name, place->skip,
				(uint64_t) place->inner * place->outer, receive_stripe,
				packer);
			if (packer->good)
				write_panels(packer);
		}
	}
}

/* Floats of a table, as they come. */
static void
receive_table(void *receiver, const float *values, size_t count)
{
	Packer	   *packer = receiver;
	size_t		size = sizeof(float) * count;

	packer->at += size;
	packer->good = packer->good &&
		packer->files->write(packer->files->argument, values, size);
}

/* Zeros up to the end of the place. */
static void
fill_place(Packer *packer)
{
	static const char zeros[PRODUCT_ALIGNMENT];

	while (packer->good && packer->at < packer->place->bytes)
	{
		size_t		rest = (size_t) (packer->place->bytes - packer->at);
		size_t		some = rest < sizeof(zeros) ? rest : sizeof(zeros);

		packer->good = packer->files->write(packer->files->argument, zeros,
											some);
		packer->at += some;
	}
}

/* The bias of the gates: each part in whole panels. */
static void
pack_gates(Packer *packer)
{
	const ElmoPlace *place = packer->place;
	int			part = place->outer / place->gates;
	int			columns = product_panel_columns(packer->plan->precision);
	int			gap = panels_of(packer->plan->precision, part) * columns;

	for (int at = 0; at < place->gates * gap && packer->good; at += columns)
	{
		int			gate = at / gap;
		int			begin = at % gap;
		int			count = part - begin < columns ? part - begin : columns;
		float	   *floats = packer->turned;

		memset(floats, 0, sizeof(float) * columns);
		packer->from = gate * part + begin;
		packer->until = packer->from + count;
		packer->at = 0;
		packer->good = packer->files->read(
			packer->files->argument, place->name, 0, (uint64_t) place->outer,
			receive_stripe, packer);
		if (!packer->good)
			return;
		for (int i = 0; i < count; i++)
			floats[i] = packer->stripe[i] +
						(place->forget && gate == 2 ? 1.0f : 0.0f);
		packer->good = packer->files->write(packer->files->argument, floats,
											sizeof(float) * columns);
	}
	packer->at = sizeof(float) * place->gates * gap;
	fill_place(packer);
}

static void
pack_table(Packer *packer)
{
	const ElmoPlace *place = packer->place;

	packer->at = 0;
	packer->good = packer->files->read(packer->files->argument, place->name, 0,
									   (uint64_t) place->outer, receive_table,
									   packer) && packer->good;
	fill_place(packer);
}

static void
header_of(const ElmoPlan *plan, PackedHeader *header)
{
	memset(header, 0, sizeof(*header));
	strcpy(header->magic, PACKED_MAGIC);
	header->version = PACKED_VERSION;
	header->precision = plan->precision;
	header->bytes = plan->bytes;
	snprintf(header->layout, sizeof(header->layout), "%s",
			 product_layout(plan->precision));
	snprintf(header->float_layout, sizeof(header->float_layout), "%s",
			 product_layout(PRODUCT_FLOAT32));
}

bool
elmo_pack(const ElmoPlan *plan, const ElmoFiles *files, void *memory)
{
	Packer		packer = {plan, files};
	PackedHeader header;
	size_t		stripe;
	size_t		turned;
	size_t		panel;

	most_sizes(plan, &stripe, &turned, &panel);
	packer.stripe = memory;
	packer.turned = packer.stripe + scratch_aligned(sizeof(float) * stripe) /
										sizeof(float);
	packer.panel = (char *) packer.turned +
				   scratch_aligned(sizeof(float) * turned);
	header_of(plan, &header);
	packer.good = files->write(files->argument, &header, sizeof(header));
	for (int i = 0; i < plan->place_count && packer.good; i++)
	{
		packer.place = &plan->places[i];
		if (packer.place->is_matrix)
			pack_matrix(&packer);
		else if (packer.place->gates > 1)
			pack_gates(&packer);
		else
			pack_table(&packer);
	}
	return packer.good;
}

/* ---------- opening ---------- */

/* Goes through the places in their order. */
typedef struct Opener
{
	const ElmoPlan *plan;
	const char *packed;
	int			next;
} Opener;

static const float *
next_table(Opener *opener)
{
	const ElmoPlace *place = &opener->plan->places[opener->next++];

	return (const float *) (opener->packed + place->offset);
}

static ProductMatrix
next_matrix(Opener *opener)
{
	const ElmoPlace *place = &opener->plan->places[opener->next++];
	ProductMatrix matrix = {place->precision, place->inner, place->outer,
							opener->packed + place->offset, NULL};

	if (place->gates > 1)
		matrix.outer = place->gates *
					   panels_of(place->precision,
								 place->outer / place->gates) *
					   product_panel_columns(place->precision);
	return matrix;
}

static ProductMatrix
next_with_bias(Opener *opener)
{
	ProductMatrix matrix = next_matrix(opener);

	matrix.bias = next_table(opener);
	return matrix;
}

static void
open_characters(Opener *opener, CharacterEncoder *encoder)
{
	const ElmoOptions *options = &opener->plan->options;

	encoder->dims = options->character_dims;
	encoder->most = options->most_characters;
	encoder->filter_count = options->filter_count;
	encoder->features = options->filters;
	encoder->highways = options->highways;
	encoder->out = options->projection;
	encoder->activation = options->activation == ELMO_TANH ? ACTIVATION_TANH
														   : ACTIVATION_RELU;
	encoder->characters = next_table(opener);
	for (int i = 0; i < options->filter_count; i++)
	{
		encoder->width[i] = options->filter_width[i];
		encoder->filter[i] = next_with_bias(opener);
	}
	for (int i = 0; i < options->highways; i++)
	{
		encoder->carry[i] = next_with_bias(opener);
		encoder->transform[i] = next_with_bias(opener);
	}
	encoder->projection = next_with_bias(opener);
}

static float
clip_of(double clip)
{
	return clip > 0 ? (float) clip : INFINITY;
}

static void
open_layer(Opener *opener, LstmLayer *layer, bool add_input)
{
	const ElmoOptions *options = &opener->plan->options;

	layer->in = layer->out = options->projection;
	layer->cells = options->cells;
	layer->input = next_matrix(opener);
	layer->recurrent = next_matrix(opener);
	layer->gap = layer->input.outer / 4;
	layer->input.bias = next_table(opener);
	layer->projection = next_matrix(opener);
	layer->cell_clip = clip_of(options->cell_clip);
	layer->out_clip = clip_of(options->projection_clip);
	layer->add_input = add_input;
}

bool
elmo_open(Elmo *elmo, const ElmoPlan *plan, const void *packed, size_t size)
{
	Opener		opener = {plan, packed, 0};
	PackedHeader header;

	header_of(plan, &header);
	if (size < plan->bytes || memcmp(packed, &header, sizeof(header)) != 0)
		return false;
	memset(elmo, 0, sizeof(*elmo));
	elmo->layers = plan->options.layers;
	elmo->dims = 2 * plan->options.projection;
	open_characters(&opener, &elmo->encoder);
	for (int i = 0; i < 2 * elmo->layers; i++)
		open_layer(&opener, &elmo->lstm[i / elmo->layers][i % elmo->layers],
				   plan->options.skip_connections && i % elmo->layers > 0);
	return true;
}
