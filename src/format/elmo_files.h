/*-------------------------------------------------------------------------
 *
 * elmo_files.h
 *	  What the files of an ELMo must hold: its options, and the tensors that
 *	  follow from them.
 *
 * The forms of bilm-tf and AllenNLP, which are the same (Peters et al. 2018;
 * names of tensors as in bilm-tf's weights).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_ELMO_FILES_H
#define FORMAT_ELMO_FILES_H

#include "format/json.h"
#include "format/tensor.h"

#define ELMO_MAX_FILTERS 32
#define ELMO_MAX_LAYERS 8
#define ELMO_MAX_HIGHWAYS 8

/* Bytes, the marks of sentence and word, and padding. */
#define ELMO_CHARACTERS 261

typedef enum ElmoActivation
{
	ELMO_RELU,
	ELMO_TANH
} ElmoActivation;

typedef struct ElmoOptions
{
	/* characters to a word */
	int			character_dims;
	int			filter_count;
	int			filter_width[ELMO_MAX_FILTERS];
	int			filter_size[ELMO_MAX_FILTERS];	/* how many of that width */
	int			filters;		/* of all widths */
	int			highways;
	int			most_characters;	/* of a word, its two marks included */
	ElmoActivation activation;

	/* two directions of layers */
	int			layers;
	int			cells;			/* of a layer */
	int			projection;		/* dims of a word and of what a layer hands
								 * on */
	double		cell_clip;		/* 0: none */
	double		projection_clip;	/* 0: none */
	bool		skip_connections;
} ElmoOptions;

/* Reads options.json; what is not known, or missing, is a fault. */
extern bool elmo_options_parse(ElmoOptions *options, const JsonValue *root,
							   FormatFault *fault);

/*
 * A fault, with the name, if a tensor is missing, of another shape than the
 * options say, or one too many.
 */
extern bool elmo_check_tensors(const ElmoOptions *options,
							   const TensorList *list, FormatFault *fault);

#endif							/* FORMAT_ELMO_FILES_H */
