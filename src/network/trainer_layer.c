/*-------------------------------------------------------------------------
 *
 * trainer_layer.c
 *	  One layer of a transformer, forward and backward.
 *
 *		after:	y = norm(x + attention(x));  to = norm(y + units(y))
 *		before: y = x + attention(norm(x));  to = y + units(norm(y))
 *
 * Kept are the results of products and what goes into norms; results of norms
 * and activations are computed again, which costs little beside the products.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_layer.h"

/* Everything that one call has at hand. */
typedef struct LayerCall
{
	const LayerShape *shape;
	const LayerTensors *tensors;
	const LayerGroup *group;
	const LayerPass *pass;
	const LayerKept *kept;
	const LayerScratch *scratch;
} LayerCall;

static const Real *
value_of(const LayerCall *call, TensorRole role)
{
	return call->tensors->values[LAYER_ROLE(role)];
}

static Real *
slope_of(const LayerCall *call, TensorRole role)
{
	return call->tensors->slopes[LAYER_ROLE(role)];
}

static Rows
columns_from(Rows rows, int column)
{
	Rows		part = {rows.values + column, rows.stride};

	return part;
}

static void
copy_rows(int rows, int count, Rows from, Rows to)
{
	for (int r = 0; r < rows && from.values != to.values; r++)
		memcpy(row_of(to, r), row_of(from, r), sizeof(Real) * count);
}

static void
add_rows(int rows, int count, Rows from, Rows to)
{
	for (int r = 0; r < rows; r++)
		real_add(count, row_of(from, r), row_of(to, r));
}

/* The result of a norm, whose bias is the next role. */
static void
normalize(const LayerCall *call, TensorRole role, Rows x, Rows to)
{
	norm_forward(&call->shape->norm, call->group->tokens, value_of(call, role),
				 value_of(call, role + 1), x, to);
}

static void
normalize_slope(const LayerCall *call, TensorRole role, Rows x, Rows slope)
{
	norm_backward(&call->shape->norm, call->group->tokens,
				  value_of(call, role), x, slope, slope, slope_of(call, role),
				  slope_of(call, role + 1));
}

static void
drop(const LayerCall *call, DropoutSite site, Rows x)
{
	dropout_rows(dropout_at(call->pass, call->shape->dropout, site),
				 call->group->offsets[0], call->group->tokens,
				 call->shape->hidden, x);
}

/* The input of attention, of the units: the residual or its norm. */
static Rows
attention_input(const LayerCall *call, Rows x)
{
	if (!call->shape->norm_first || call->tensors->norm_missing)
		return x;
	normalize(call, TENSOR_ATTENTION_NORM, x, call->scratch->normed);
	return call->scratch->normed;
}

static Rows
units_input(const LayerCall *call)
{
	normalize(call, call->shape->norm_first ? TENSOR_UNITS_NORM
			  : TENSOR_ATTENTION_NORM, call->kept->middle,
			  call->scratch->normed);
	return call->scratch->normed;
}

/*
 * Attention
 */

/* All heads of queries and keys turn by the angles of their places. */
static void
turn_rows(const LayerCall *call, Rows fused, bool back)
{
	const LayerShape *shape = call->shape;
	int			heads = shape->attention.heads + shape->attention.key_heads;
	int			half = shape->rotary_half;

	for (int t = 0; t < call->group->texts && half > 0; t++)
	{
		size_t		begin = call->group->offsets[t];
		size_t		end = call->group->offsets[t + 1];

		for (size_t i = begin; i < end; i++)
		{
			Real	   *row = row_of(fused, i - call->group->offsets[0]);
			const Real *turns = call->group->turns + (i - begin) * 2 * half;

			for (int h = 0; h < heads; h++)
			{
				Real	   *head = row + h * shape->attention.head_dims;

				if (back)
					turn_backward(half, shape->rotary_interleaved, turns,
								  turns + half, head);
				else
					turn_forward(half, shape->rotary_interleaved, turns,
								 turns + half, head);
			}
		}
	}
}

/* One text of the group, as attention takes it; biases of its length. */
static AttentionText
text_of(const LayerCall *call, int number)
{
	const LayerGroup *group = call->group;
	size_t		begin = group->offsets[number];
	size_t		at = begin - group->offsets[0];
	Rows		fused = {row_of(call->kept->fused, at),
	call->kept->fused.stride};
	AttentionText text = {(int) (group->offsets[number + 1] - begin), begin,
		fused, columns_from(fused, query_width(call->shape)),
		columns_from(fused, query_width(call->shape) + key_width(call->shape)),
	NULL};
	int			wide = 2 * group->longest - 1;
	int			wanted = 2 * text.tokens - 1;

	if (group->bias == NULL)
		return text;
	for (int h = 0; h < call->shape->attention.heads; h++)
		memcpy(call->scratch->text_bias + h * wanted,
			   group->bias + h * wide + group->longest - text.tokens,
			   sizeof(Real) * wanted);
	text.bias = call->scratch->text_bias;
	return text;
}

static AttentionShape
attention_of(const LayerCall *call)
{
	AttentionShape shape = call->shape->attention;

	shape.dropout = dropout_at(call->pass, shape.dropout.share,
							   SITE_ATTENTION);
	return shape;
}

static bool
attend(const LayerCall *call)
{
	AttentionShape shape = attention_of(call);

	for (int t = 0; t < call->group->texts; t++)
	{
		AttentionText text = text_of(call, t);
		size_t		at = call->group->offsets[t] - call->group->offsets[0];
		Rows		result = {row_of(call->kept->attended, at),
		call->kept->attended.stride};

		if (!attention_train(&call->scratch->shop, &shape, &text, result,
							 call->scratch->attention))
			return false;
	}
	return true;
}

/* Slopes by distance of a text, added to those of the group. */
static void
add_bias_slope(const LayerCall *call, int tokens)
{
	const LayerGroup *group = call->group;
	int			wide = 2 * group->longest - 1;
	int			count = 2 * tokens - 1;

	for (int h = 0; h < call->shape->attention.heads; h++)
		real_add(count, call->scratch->text_bias_slope + h * count,
				 group->bias_slope + h * wide + group->longest - tokens);
}

static bool
attend_slope(const LayerCall *call)
{
	const LayerScratch *scratch = call->scratch;
	AttentionShape shape = attention_of(call);

	for (int t = 0; t < call->group->texts; t++)
	{
		AttentionText text = text_of(call, t);
		size_t		at = call->group->offsets[t] - call->group->offsets[0];
		Rows		result = {row_of(scratch->attended_slope, at),
		scratch->attended_slope.stride};
		Rows		fused = {row_of(scratch->fused_slope, at),
		scratch->fused_slope.stride};
		AttentionSlopes slopes = {fused,
			columns_from(fused, query_width(call->shape)),
			columns_from(fused, query_width(call->shape) +
						 key_width(call->shape)),
		NULL};

		if (call->group->bias_slope != NULL)
		{
			slopes.bias = scratch->text_bias_slope;
			memset(slopes.bias, 0, sizeof(Real) * shape.heads *
				   (2 * text.tokens - 1));
		}
		if (!attention_backward(&scratch->shop, &shape, &text, result, &slopes,
								scratch->attention))
			return false;
		if (slopes.bias != NULL)
			add_bias_slope(call, text.tokens);
	}
	return true;
}

/*
 * Linear layers by role; the bias's role is given, for it is not the next one
 */

static bool
linear(const LayerCall *call, TensorRole role, TensorRole bias, int inputs,
	   int outputs, Rows x, Rows y)
{
	return linear_forward(&call->scratch->shop, call->group->tokens, inputs,
						  outputs, value_of(call, role), value_of(call, bias),
						  x, y);
}

static bool
linear_slopes(const LayerCall *call, TensorRole role, TensorRole bias,
			  int inputs, int outputs, Rows x, Rows y_slope)
{
	const LowRank *change = &call->tensors->changes[LAYER_ROLE(role)];

	if (change->rank > 0 &&
		!low_rank_slope(&call->scratch->shop, change, call->group->tokens,
						inputs, outputs, x, y_slope, call->scratch->low_rank))
		return false;
	return linear_weight_slope(&call->scratch->shop, call->group->tokens,
							   inputs, outputs, x, y_slope,
							   slope_of(call, role), slope_of(call, bias));
}

static bool
linear_input(const LayerCall *call, TensorRole role, int inputs, int outputs,
			 Rows y_slope, bool add, Rows x_slope)
{
	return linear_input_slope(&call->scratch->shop, call->group->tokens,
							  inputs, outputs, value_of(call, role), y_slope,
							  add, x_slope);
}

/*
 * The two parts forward
 */

static bool
attention_part(const LayerCall *call, Rows x)
{
	const LayerShape *shape = call->shape;
	const LayerKept *kept = call->kept;

	if (!linear(call, TENSOR_QUERY, TENSOR_QUERY_BIAS, shape->hidden,
				fused_width(shape), attention_input(call, x), kept->fused))
		return false;
	turn_rows(call, kept->fused, false);
	if (!attend(call) ||
		!linear(call, TENSOR_OUT, TENSOR_OUT_BIAS, query_width(shape),
				shape->hidden, kept->attended, kept->middle))
		return false;
	drop(call, SITE_OUT, kept->middle);
	add_rows(call->group->tokens, shape->hidden, x, kept->middle);
	return true;
}

/* The activated units, from what is kept. */
static void
activate_units(const LayerCall *call)
{
	const LayerShape *shape = call->shape;

	for (int r = 0; r < call->group->tokens; r++)
	{
		Real	   *to = row_of(call->scratch->units, r);

		activation_forward(shape->activation, shape->units,
						   row_of(call->kept->gate, r), to);
		if (shape->gated)
		{
			const Real *up = row_of(call->kept->up, r);

			for (int i = 0; i < shape->units; i++)
				to[i] *= up[i];
		}
	}
}

static bool
units_part(const LayerCall *call)
{
	const LayerShape *shape = call->shape;
	const LayerKept *kept = call->kept;
	Rows		input = units_input(call);

	if (!linear(call, TENSOR_GATE, TENSOR_GATE_BIAS, shape->hidden,
				shape->units, input, kept->gate) ||
		(shape->gated &&
		 !linear(call, TENSOR_UP, TENSOR_UP_BIAS, shape->hidden, shape->units,
				 input, kept->up)))
		return false;
	activate_units(call);
	if (!linear(call, TENSOR_DOWN, TENSOR_DOWN_BIAS, shape->units,
				shape->hidden, call->scratch->units, kept->last))
		return false;
	drop(call, SITE_DOWN, kept->last);
	add_rows(call->group->tokens, shape->hidden,
			 shape->norm_first ? kept->middle : input, kept->last);
	return true;
}

bool
layer_forward(const LayerShape *shape, const LayerTensors *tensors,
			  const LayerGroup *group, const LayerPass *pass, Rows x,
			  const LayerKept *kept, Rows to, const LayerScratch *scratch)
{
	LayerCall	call = {shape, tensors, group, pass, kept, scratch};

	if (!attention_part(&call, x) || !units_part(&call))
		return false;
	if (shape->norm_first)
		copy_rows(group->tokens, shape->hidden, kept->last, to);
	else
		normalize(&call, TENSOR_UNITS_NORM, kept->last, to);
	return true;
}

/*
 * The two parts backward
 */

/* Slopes of the activated units to those of gate and up, in place. */
static void
units_slopes(const LayerCall *call)
{
	const LayerShape *shape = call->shape;

	for (int r = 0; r < call->group->tokens; r++)
	{
		Real	   *slope = row_of(call->scratch->units_slope, r);
		const Real *gate = row_of(call->kept->gate, r);

		if (shape->gated)
		{
			const Real *up = row_of(call->kept->up, r);
			Real	   *up_slope = row_of(call->scratch->up_slope, r);

			activation_forward(shape->activation, shape->units, gate,
							   up_slope);
			for (int i = 0; i < shape->units; i++)
			{
				up_slope[i] *= slope[i];
				slope[i] *= up[i];
			}
		}
		activation_slope(shape->activation, shape->units, gate, slope);
	}
}

/*
 * "slope" is that of the residual with the units in it, and becomes that of
 * the residual with attention in it: before its norm.
 */
static bool
units_part_slope(const LayerCall *call, Rows slope)
{
	const LayerShape *shape = call->shape;
	const LayerScratch *scratch = call->scratch;
	const int	tokens = call->group->tokens;
	Rows		dropped = slope;
	Rows		input;

	if (dropout_at(call->pass, shape->dropout, SITE_DOWN).share > 0)
	{
		dropped = scratch->residual;
		copy_rows(tokens, shape->hidden, slope, dropped);
		drop(call, SITE_DOWN, dropped);
	}
	if (slope_of(call, TENSOR_DOWN) != NULL ||
		call->tensors->changes[LAYER_ROLE(TENSOR_DOWN)].rank > 0)
		activate_units(call);
	if (!linear_slopes(call, TENSOR_DOWN, TENSOR_DOWN_BIAS, shape->units,
					   shape->hidden, scratch->units, dropped) ||
		!linear_input(call, TENSOR_DOWN, shape->units, shape->hidden, dropped,
					  false, scratch->units_slope))
		return false;
	units_slopes(call);
	input = units_input(call);
	if (!linear_slopes(call, TENSOR_GATE, TENSOR_GATE_BIAS, shape->hidden,
					   shape->units, input, scratch->units_slope) ||
		(shape->gated &&
		 !linear_slopes(call, TENSOR_UP, TENSOR_UP_BIAS, shape->hidden,
						shape->units, input, scratch->up_slope)))
		return false;

	/* after: into the residual, then through its norm; before: the reverse */
	dropped = shape->norm_first ? scratch->residual : slope;
	if (!linear_input(call, TENSOR_GATE, shape->hidden, shape->units,
					  scratch->units_slope, !shape->norm_first, dropped) ||
		(shape->gated &&
		 !linear_input(call, TENSOR_UP, shape->hidden, shape->units,
					   scratch->up_slope, true, dropped)))
		return false;
	normalize_slope(call, shape->norm_first ? TENSOR_UNITS_NORM
					: TENSOR_ATTENTION_NORM, call->kept->middle, dropped);
	if (shape->norm_first)
		add_rows(tokens, shape->hidden, dropped, slope);
	return true;
}

static bool
fused_slopes(const LayerCall *call, Rows input)
{
	const LayerShape *shape = call->shape;
	static const TensorRole roles[] = {TENSOR_QUERY, TENSOR_KEY, TENSOR_VALUE};
	Rows		part = call->scratch->fused_slope;

	if (!linear_weight_slope(&call->scratch->shop, call->group->tokens,
							 shape->hidden, fused_width(shape), input, part,
							 slope_of(call, TENSOR_QUERY),
							 slope_of(call, TENSOR_QUERY_BIAS)))
		return false;
	for (int i = 0; i < 3; i++)
	{
		const LowRank *change =
			&call->tensors->changes[LAYER_ROLE(roles[i])];
		int			outputs = i == 0 ? query_width(shape) : key_width(shape);

		if (change->rank > 0 &&
			!low_rank_slope(&call->scratch->shop, change, call->group->tokens,
							shape->hidden, outputs, input, part,
							call->scratch->low_rank))
			return false;
		part = columns_from(part, outputs);
	}
	return true;
}

static bool
attention_part_slope(const LayerCall *call, Rows x, Rows slope, bool further)
{
	const LayerShape *shape = call->shape;
	const LayerScratch *scratch = call->scratch;
	const int	tokens = call->group->tokens;
	bool		normed = shape->norm_first && !call->tensors->norm_missing;
	Rows		dropped = slope;

	if (dropout_at(call->pass, shape->dropout, SITE_OUT).share > 0)
	{
		dropped = scratch->residual;
		copy_rows(tokens, shape->hidden, slope, dropped);
		drop(call, SITE_OUT, dropped);
	}
	if (!linear_slopes(call, TENSOR_OUT, TENSOR_OUT_BIAS, query_width(shape),
					   shape->hidden, call->kept->attended, dropped) ||
		!linear_input(call, TENSOR_OUT, query_width(shape), shape->hidden,
					  dropped, false, scratch->attended_slope) ||
		!attend_slope(call))
		return false;
	turn_rows(call, scratch->fused_slope, true);
	if (!fused_slopes(call, attention_input(call, x)))
		return false;
	if (!further && !(normed && slope_of(call, TENSOR_ATTENTION_NORM) != NULL))
		return true;
	dropped = normed ? scratch->residual : slope;
	if (!linear_input(call, TENSOR_QUERY, shape->hidden, fused_width(shape),
					  scratch->fused_slope, !normed, dropped))
		return false;
	if (normed)
	{
		normalize_slope(call, TENSOR_ATTENTION_NORM, x, dropped);
		add_rows(tokens, shape->hidden, dropped, slope);
	}
	return true;
}

bool
layer_backward(const LayerShape *shape, const LayerTensors *tensors,
			   const LayerGroup *group, const LayerPass *pass, Rows x,
			   const LayerKept *kept, Rows slope, bool further,
			   const LayerScratch *scratch)
{
	LayerCall	call = {shape, tensors, group, pass, kept, scratch};

	if (!shape->norm_first)
		normalize_slope(&call, TENSOR_UNITS_NORM, kept->last, slope);
	return units_part_slope(&call, slope) &&
		attention_part_slope(&call, x, slope, further);
}
