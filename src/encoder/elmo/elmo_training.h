/*-------------------------------------------------------------------------
 *
 * elmo_training.h
 *	  Training an ELMo: what its files share.
 *
 * The computing is src/network's (elmo_step.h); here a corpus becomes tokens
 * and texts in shared memory, processes take steps together, and what they
 * have trained becomes the files of a model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ELMO_ELMO_TRAINING_H
#define ELMO_ELMO_TRAINING_H

#include "encoder/elmo/elmo_model.h"
#include "network/elmo_step.h"
#include "train/encode_corpus.h"
#include "train/team.h"
#include "train/trainer.h"

/* Rows of the softmax before those of words: the two marks, and rare words. */
#define ELMO_ROW_RARE 2
#define ELMO_FIRST_ROW 3

typedef struct ElmoSettings
{
	const char *model;
	const char *corpus;
	Oid			config;
	ElmoOptions options;
	int			window_size;
	int			batch;
	int			negatives;
	int			epochs;
	double		learning_rate;
	double		dropout;
	double		clip_norm;
	double		held_out;
	int			min_count;
	int			workers;
	uint64		seed;
	Oid			from_model;
	bool		replace;
} ElmoSettings;

/* ---------- what training goes on from (elmo_state.c) ---------- */

/* Its file in the folder of the model. */
#define ELMO_TRAINING_FILE "training.state"

/*
 * What a model was trained to so far.  Of a model that was not trained here
 * only the weights are known.
 */
typedef struct ElmoPast
{
	ElmoOptions options;
	const ModelDescription *description;
	NetworkFolder network;
	int			file;			/* of the state, or -1 */
	int			words;			/* rows of the softmax; 0: none are known */
	int64		steps;
	int64		epochs;
	uint64		text;			/* where the words begin in the file */
} ElmoPast;

extern ElmoPast *elmo_past_open(Oid model);

/* The words of rows from ELMO_FIRST_ROW on, in their order. */
extern EncodedWord *elmo_past_words(const ElmoPast *past);

/* Weights, and where they are known their sums and the softmax. */
extern void elmo_past_weights(const ElmoPast *past,
							  const ElmoParameters *parameters,
							  float *weights);
extern void elmo_past_read(const ElmoPast *past,
						   const ElmoParameters *parameters, float *weights,
						   float *sums, float *table, float *table_sums);

/* ---------- shared memory and the task (elmo_shared.c) ---------- */

typedef struct ElmoShared
{
	/* of the training */
	ElmoOptions options;
	int			words;			/* rows of the softmax */
	int			candidates;
	int			lanes;
	int			steps;
	int			group;
	double		dropout;
	double		clip_norm;
	double		learning_rate;
	uint64		seed;
	int			tokens;
	int64		ids;			/* of the encoded corpus */
	int64		texts;			/* trained on, then those held out */
	int64		held_out;
	int			members;		/* there are parts for so many */

	/* of a run */
	bool		measures;		/* losses of the texts that were held out */
	int64		first_step;
	int			epoch;
	int64		taken;			/* steps, by the leader */
	double		loss;			/* the sum, by the leader, and of how many */
	int64		targets;
	TeamMeeting meeting;

	/* offsets of arrays */
	Size		weights;
	Size		sums;
	Size		table;
	Size		table_sums;
	Size		parts;			/* gradients, candidates, targets of each */
	Size		part_bytes;
	Size		squares;
	Size		losses;
	Size		text_offsets;	/* of tokens, one more */
	Size		text;
	Size		rows;			/* of the softmax, of each token */
	Size		firsts;			/* ids before each text */
	Size		lengths;
	Size		order;			/* in which texts are read */
	Size		bytes;
} ElmoShared;

static inline void *
elmo_shared_part(ElmoShared *shared, Size offset)
{
	return (char *) shared + offset;
}

/*
 * Lays out the memory for what "shared" says, text_bytes of tokens with it,
 * and makes the groups of lanes as small as maintenance_work_mem asks; an
 * error if that is not enough.
 */
extern void elmo_shared_plan(ElmoShared *shared, Size text_bytes);

extern const TrainerTask elmo_task;

/* ---------- writing (elmo_write.c) ---------- */

/* All weights as a file of HDF5; they and the arena must last. */
extern FolderFile elmo_weights_file(const char *name,
									const ElmoParameters *parameters,
									const float *weights, Arena *arena);

extern Oid	elmo_write_model(const ElmoSettings *settings,
							 ModelDefinition *definition, ElmoShared *shared,
							 int64 steps, int64 epochs, int64 trained,
							 Progress *progress);

#endif							/* ELMO_ELMO_TRAINING_H */
