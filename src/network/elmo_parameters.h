/*-------------------------------------------------------------------------
 *
 * elmo_parameters.h
 *	  The weights of an ELMo in training: one array, tensor after tensor.
 *
 * Names and shapes are those of files, and so is the order of the numbers in
 * a tensor: the array is what a file of weights holds behind its head.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ELMO_PARAMETERS_H
#define NETWORK_ELMO_PARAMETERS_H

#include "format/elmo_files.h"
#include "network/character_train.h"
#include "network/lstm_train.h"

#define ELMO_TENSOR_RANK 4

/* of a tensor that has no place, for it does not move */
#define ELMO_FIXED ((size_t) -1)

typedef struct ElmoTensor
{
	char		name[80];
	int			rank;
	int			shape[ELMO_TENSOR_RANK];
	size_t		offset;			/* in the array, in numbers, or ELMO_FIXED */
	size_t		count;
} ElmoTensor;

#define ELMO_TENSORS \
	(1 + 2 * ELMO_MAX_FILTERS + 4 * ELMO_MAX_HIGHWAYS + 2 + \
	 2 * 3 * ELMO_MAX_LAYERS)

typedef struct ElmoParameters
{
	ElmoOptions options;
	int			count;
	ElmoTensor	tensors[ELMO_TENSORS];
	size_t		numbers;		/* of all */
} ElmoParameters;

extern void elmo_parameters(ElmoParameters *parameters,
							const ElmoOptions *options);

extern CharacterShape elmo_character_shape(const ElmoOptions *options);
extern LstmShape elmo_lstm_shape(const ElmoOptions *options, int layer);

/* What moves in a tuning. */
typedef enum ElmoMoving
{
	ELMO_PROJECTIONS,			/* of the characters' features, and of cells */
	ELMO_LAYERS,				/* all but what makes words of characters */
	ELMO_ALL
} ElmoMoving;

/*
 * Where gradients lie if only some weights move: tensor after tensor, those
 * that stay left out.
 */
extern void elmo_moving_parameters(ElmoParameters *moving,
								   const ElmoParameters *all,
								   ElmoMoving which);

/*
 * Where the tensors lie in an array of weights, or of gradients.  NULL: that
 * one does not move.
 */
extern CharacterWeights
elmo_character_weights(const ElmoParameters *parameters, Real *array);
extern LstmGradients
elmo_lstm_weights(const ElmoParameters *parameters, Real *array,
				  int direction, int layer);

/*
 * First weights of a tensor, as bilm-tf draws them: uniform in +-1 for
 * characters and in +-0.05 for filters, normal with the variance 1 / inputs
 * for highways and the projection, uniform after Glorot and Bengio 2010 for
 * the cells; biases are zeros, those of the highways' gates -2.
 */
extern void elmo_first_weights(const ElmoParameters *parameters,
							   int number, uint64_t seed, Real *array);

#endif							/* NETWORK_ELMO_PARAMETERS_H */
