/*-------------------------------------------------------------------------
 *
 * transformer_families.h
 *	  The features by which families of transformers differ: this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRANSFORMER_FAMILIES_H
#define NETWORK_TRANSFORMER_FAMILIES_H

#include "network/transformer.h"

/* A tensor's name in files; # stands for the layer's number. */
typedef struct TensorName
{
	const char *pattern;
	TensorRole	role;
} TensorName;

struct TransformerFamily
{
	const char *name;			/* "model_type" of config.json */
	const char *prefix;			/* that names may have */
	NormPlace	norm_place;
	LayerNormKind	norm_kind;
	PositionKind positions;
	bool		types;			/* token types */
	bool		embedding_norm;
	bool		final_norm;
	bool		first_norm_missing;	/* layer 0 has none before attention */
	bool		head_norm;		/* queries and keys normalized head by head */
	bool		gated;
	bool		relative;		/* a bias by bucket of distance, shared by
								 * layers */
	bool		causal;
	bool		scaled_embedding;	/* by the root of "hidden" */
	bool		query_bias;
	bool		out_bias;
	bool		unit_bias;
	bool		down_bias;		/* of the second matrix of units alone */
	bool		norm_bias;
	double		epsilon;		/* unless config.json says otherwise */
	double		theta;
	double		local_theta;
	int			padding;
	bool		padding_fixed;	/* whatever config.json says */
	Activation	activation;
	const TensorName *const *names;	/* lists, NULL at the end */
};

extern const TransformerFamily *transformer_family(const char *model_type);

/*
 * The role of a name and its layer, or -1 for names that are known and do not
 * take part, or -2.
 */
extern int	transformer_role_of_name(const TransformerFamily *family,
									 const char *name, int *layer);

/* The roles of the parts of a tensor that files keep in one; how many. */
extern int	transformer_parts_of_role(TensorRole role, TensorRole to[3]);

/* The first of the names of a role, with the layer's number, for messages. */
extern void transformer_name_of_role(const TransformerFamily *family,
									 TensorRole role, int layer, char *name,
									 size_t size);

#endif							/* NETWORK_TRANSFORMER_FAMILIES_H */
