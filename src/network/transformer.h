/*-------------------------------------------------------------------------
 *
 * transformer.h
 *	  Encoders and decoders of the transformer kind, from a table of features.
 *
 * The life of a model:
 *
 *	transformer_begin		takes the "model_type" of its config.json
 *	transformer_number,
 *	transformer_text		take the other entries, one by one
 *	transformer_finish		checks them and derives what follows
 *	transformer_plan		says where every tensor lies in the packed form
 *	transformer_packer_...	turn the tensors of the files, one after the other
 *							and in pieces of any size, into the packed form
 *	transformer_open		takes the packed form, wherever it is mapped
 *	transformer_encode		turns token ids into vectors
 *
 * Nothing here allocates: the caller owns every buffer and learns its size
 * from a function.  Codes are turned into errors by the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRANSFORMER_H
#define NETWORK_TRANSFORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/product.h"
#include "network/pooling.h"

#define TRANSFORMER_MOST_LAYERS 256
#define TRANSFORMER_MESSAGE 200

typedef enum TransformerStatus
{
	TRANSFORMER_OK,
	TRANSFORMER_IGNORED,		/* known, and without meaning for the
								 * vectors */
	TRANSFORMER_UNKNOWN,		/* not known: refuse the model */
	TRANSFORMER_INVALID,		/* the message says why */
	TRANSFORMER_STOPPED			/* by the interrupt or the sink */
} TransformerStatus;

/* Where layers are normalized. */
typedef enum NormPlace
{
	NORM_AFTER,					/* what is added to the residual, with it */
	NORM_BEFORE,				/* what goes into attention and into the
								 * units */
	NORM_BOTH					/* that, and what comes out of them */
} NormPlace;

typedef enum LayerNormKind
{
	NORM_LAYER,
	NORM_RMS,
	NORM_RMS_PLUS_ONE			/* weights are stored less one */
} LayerNormKind;

typedef enum PositionKind
{
	POSITION_TABLE,				/* a vector for each place */
	POSITION_TABLE_AFTER_PADDING,	/* numbered after the padding token's id;
									 * padding not counted */
	POSITION_ROTARY,
	POSITION_ALIBI				/* Press et al. 2022 (arXiv 2108.12409),
								 * symmetric */
} PositionKind;

typedef struct TransformerFamily TransformerFamily;

/* How angles of rotary positions are stretched. */
typedef struct RotaryStretch
{
	enum
	{
		STRETCH_NONE,
		STRETCH_LINEAR,
		STRETCH_LLAMA3
	}			kind;
	double		factor;
	double		low_factor;
	double		high_factor;
	double		original_places;
} RotaryStretch;

typedef struct TransformerConfig
{
	const TransformerFamily *family;
	int			vocabulary;
	int			embedding;		/* dimensions of embeddings, where not
								 * "hidden" */
	int			hidden;
	int			layers;
	int			groups;			/* of layers that share weights; ALBERT */
	int			layers_of_group;
	int			heads;
	int			key_heads;
	int			head_dims;
	int			units;			/* in the inner layer of the feed-forward
								 * part */
	int			places;			/* that the model was made for, rows of a
								 * table */
	int			types;
	int			padding;		/* id of the padding token, or -1 */
	int			buckets;		/* of relative positions */
	double		epsilon;
	Activation	activation;
	bool		query_bias;		/* of queries, keys and values */
	bool		out_bias;
	bool		unit_bias;
	bool		norm_bias;
	bool		causal;
	int			window;			/* of layers that see a window, or 0 */
	bool		window_wanted;
	bool		bidirectional;	/* asked for where the family is causal */
	int			window_layers;	/* the first layer with a window, Qwen */
	int			global_every;	/* one in so many layers sees all */
	int			layer_types;	/* how many were given */
	uint8_t		is_local[TRANSFORMER_MOST_LAYERS];
	double		theta;
	double		local_theta;
	double		rotary_share;	/* of a head's dimensions that turn */
	RotaryStretch stretch;
	RotaryStretch local_stretch;
	bool		rotary_interleaved;	/* neighbours turn, not halves */
	double		score_divisor;	/* instead of the root of a head's dimensions,
								 * squared */
	double		embedding_scale;
	bool		is_finished;
	char		message[TRANSFORMER_MESSAGE];
} TransformerConfig;

/* The families' names, NULL at the end. */
extern const char *const *transformer_families(void);

extern TransformerStatus transformer_begin(TransformerConfig *config,
										   const char *model_type);

/*
 * An entry of config.json: numbers and booleans (1 and 0), and texts.  Keys of
 * nested objects are joined by dots, places in arrays are keys from 0 on.
 * What is null is not given.
 */
extern TransformerStatus transformer_number(TransformerConfig *config,
											const char *key, double value);
extern TransformerStatus transformer_text(TransformerConfig *config,
										  const char *key, const char *value);
extern TransformerStatus transformer_finish(TransformerConfig *config);

/*
 * Tensors by role; those from TENSOR_QUERY on exist once for each layer that
 * has weights of its own.
 */
typedef enum TensorRole
{
	TENSOR_WORDS,
	TENSOR_PLACES,
	TENSOR_TYPES,
	TENSOR_EMBEDDING_NORM,
	TENSOR_EMBEDDING_NORM_BIAS,
	TENSOR_PROJECTION,
	TENSOR_PROJECTION_BIAS,
	TENSOR_RELATIVE,
	TENSOR_FINAL_NORM,
	TENSOR_FINAL_NORM_BIAS,

	TENSOR_QUERY,				/* the next three lie side by side */
	TENSOR_KEY,
	TENSOR_VALUE,
	TENSOR_QUERY_BIAS,			/* and these */
	TENSOR_KEY_BIAS,
	TENSOR_VALUE_BIAS,
	TENSOR_QUERY_NORM,
	TENSOR_KEY_NORM,
	TENSOR_OUT,
	TENSOR_OUT_BIAS,
	TENSOR_GATE,				/* the activated half of gated units */
	TENSOR_GATE_BIAS,
	TENSOR_UP,
	TENSOR_UP_BIAS,
	TENSOR_DOWN,
	TENSOR_DOWN_BIAS,
	TENSOR_ATTENTION_NORM,		/* before or after attention, by NormPlace */
	TENSOR_ATTENTION_NORM_BIAS,
	TENSOR_ATTENTION_POST_NORM,
	TENSOR_UNITS_NORM,
	TENSOR_UNITS_NORM_BIAS,
	TENSOR_UNITS_POST_NORM,

	/* in files only */
	TENSOR_QUERY_KEY_VALUE,
	TENSOR_QUERY_KEY_VALUE_BIAS,
	TENSOR_GATE_UP,
	TENSOR_GATE_UP_BIAS,
	TENSOR_UP_GATE
} TensorRole;

#define TENSORS_OF_MODEL TENSOR_QUERY
#define TENSORS_OF_LAYER (TENSOR_QUERY_KEY_VALUE - TENSOR_QUERY)

/* A tensor in the packed form. */
typedef struct TensorPlace
{
	size_t		offset;
	size_t		bytes;			/* 0: the model has no such */
	int			rows;			/* outputs; 1 for a vector */
	int			columns;
	bool		is_matrix;		/* packed for products; else floats as they
								 * are */
} TensorPlace;

typedef struct TransformerPlan
{
	TransformerConfig config;
	ProductPrecision precision;
	int			weight_layers;	/* layers with weights of their own */
	int			query_dims;		/* of all heads, rounded up to whole panels */
	int			key_dims;
	size_t		bytes;			/* of the whole packed form */
	TensorPlace model[TENSORS_OF_MODEL];
	TensorPlace layer[TENSORS_OF_LAYER];	/* offsets from the layer's
											 * begin */
	size_t		layers_offset;
	size_t		layer_bytes;
} TransformerPlan;

/* INVALID if the model is too large for the kernels. */
extern TransformerStatus transformer_plan(TransformerPlan *plan,
										  const TransformerConfig *config,
										  ProductPrecision precision);

/*
 * Packing.  "write" takes bytes of the packed form in any order, every byte of
 * a tensor once; false stops.  The form's first bytes are written by
 * transformer_packer_finish, so that what was not finished cannot be opened.
 */
typedef struct TransformerSink
{
	bool (*write) (void *argument, size_t offset, const void *bytes,
				   size_t size);
	void	   *argument;
} TransformerSink;

typedef struct TransformerPacker TransformerPacker;

extern size_t transformer_packer_bytes(const TransformerPlan *plan);
extern TransformerPacker *transformer_packer(const TransformerPlan *plan,
											 TransformerSink sink,
											 void *memory);

/*
 * A tensor by the name and shape that it has in its file.  IGNORED: it does
 * not take part (poolers, heads, numbers of places).  Then its values, in
 * pieces of any size; then its end.
 */
extern TransformerStatus transformer_tensor_begin(TransformerPacker *packer,
												  const char *name, int dims,
												  const int64_t *shape);
extern TransformerStatus transformer_tensor_values(TransformerPacker *packer,
												   const float *values,
												   size_t count);
extern TransformerStatus transformer_tensor_end(TransformerPacker *packer);

/* INVALID if a tensor is missing; the message names it. */
extern TransformerStatus transformer_packer_finish(TransformerPacker *packer);
extern const char *transformer_packer_message(const TransformerPacker *packer);

/* Does this packed form belong to the plan, and to kernels chosen as now? */
extern TransformerStatus transformer_open(const TransformerPlan *plan,
										  const void *packed, size_t size);

/*
 * Encoding.  The ids of all texts lie one after the other; text i has those
 * from offsets[i] to offsets[i + 1] - 1, at least one.
 */
typedef struct TransformerBatch
{
	int			texts;
	const int32_t *ids;
	const size_t *offsets;		/* texts + 1 of them */
	const uint8_t *types;		/* token types, or NULL: zeros */
} TransformerBatch;

typedef struct TransformerOutput
{
	Pooling		pooling;
	int			skip;			/* first tokens that a mean leaves out (a
								 * prompt) */
	bool		normalize;
	int			layer;			/* after so many layers, or -1: the model's
								 * output */
	float	   *to;				/* of texts x hidden floats, or tokens x
								 * hidden */
} TransformerOutput;

/* For texts of up to "tokens" tokens, whatever their number. */
extern size_t transformer_scratch_bytes(const TransformerPlan *plan,
										size_t tokens);

/* The most tokens that a text may have; INT32_MAX if nothing bounds it. */
extern int	transformer_most_tokens(const TransformerPlan *plan);

/*
 * scratch: transformer_scratch_bytes of the longest text, aligned to
 * PRODUCT_ALIGNMENT.  INVALID for an id out of the vocabulary, a text that is
 * empty or too long.
 */
extern TransformerStatus transformer_encode(const TransformerPlan *plan,
											const void *packed,
											const TransformerBatch *batch,
											const TransformerOutput *output,
											void *scratch,
											ProductInterrupt *interrupt);

#endif							/* NETWORK_TRANSFORMER_H */
