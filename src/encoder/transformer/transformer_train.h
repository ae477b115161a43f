/*-------------------------------------------------------------------------
 *
 * transformer_train.h
 *	  A transformer in tuning: by one process, or by several.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRANSFORMER_TRANSFORMER_TRAIN_H
#define TRANSFORMER_TRANSFORMER_TRAIN_H

#include "encoder/transformer/transformer_model.h"
#include "model/tunable.h"
#include "network/trainer.h"

typedef struct NetworkTarget
{
	TuneTarget	target;
	TransformerState *state;
	Model	   *base;
	NetworkFolder *folder;
	TransformerModel *model;
	TrainerPlan plan;
	int			max_length;

	/* tokens of the texts, one after the other */
	int32	   *tokens;
	int64		token_count;
	int64		token_capacity;
	int64	   *start;			/* of each text; one more */
	int			texts;
	int			longest;

	/* a piece: what is trained at once */
	int			batch_texts;
	int			piece_texts;
	int64		piece_tokens;
	Size		bytes;			/* of the trainer */
	float	   *weights;
	Trainer    *trainer;
	FolderFile *adapter;		/* its files */
	int			adapter_files;
	float	   *best;

	/* the texts under way: they stay until their gradients were taken */
	int32	   *ids;
	size_t	   *offsets;
	TransformerBatch batch;

	/* other processes, or NULL */
	int			workers;
	struct NetworkTeam *team;
} NetworkTarget;

static inline int
network_text_size(const NetworkTarget *network, int32 text)
{
	return (int) (network->start[text + 1] - network->start[text]);
}

/*
 * Texts from number "first" of a batch on, by this process alone.  training:
 * backward will follow; noise: as in TuneTarget.
 */
extern void network_forward(NetworkTarget *network, int first, int count,
							const int32 *texts, bool training, uint64 noise,
							float *vectors);
extern void network_backward(NetworkTarget *network, int first, int count,
							 const int32 *texts, uint64 noise,
							 const float *gradients);
extern void network_begin_batches(NetworkTarget *network);
/*
 * Where a tensor of the folder lies among the weights; false if it takes no
 * part, or is several of them.
 */
extern bool network_tensor_of_name(const NetworkTarget *network,
								   const Tensor *tensor,
								   TrainerTensor *place);

/* ---------- adapters (transformer_adapter.c) ---------- */

/* What was tuned by low rank, as files that are allocated; before merging. */
extern void transformer_put_adapter(NetworkTarget *network,
									FolderFile **files, int *count);

/* An adapter that the base had is no longer what its weights have. */
extern void transformer_forget_adapter(FolderFile *files, int *count);

extern void *network_aligned(Size bytes, int flags);

/* ---------- several processes (transformer_team.c) ---------- */

/*
 * What the processes need beside the weights and the leader's trainer; other
 * members' trainers are as large as the leader's pieces make them.
 */
extern Size network_team_bytes(const NetworkTarget *network, int texts);

/* Room for the weights is in it: network->weights. */
extern void network_team_create(NetworkTarget *network, int texts);
extern void network_team_run(NetworkTarget *network,
							 void (*body) (void *argument), void *argument,
							 struct Progress *progress);
extern bool network_team_is_there(const NetworkTarget *network);
extern void network_team_forward(NetworkTarget *network, int count,
								 const int32 *texts, bool training,
								 uint64 noise, float *vectors);

/* Of the batch whose forward pass was the last. */
extern void network_team_backward(NetworkTarget *network,
								  const float *gradients);

extern void network_team_free(NetworkTarget *network);
extern void network_team_init(void);

#endif							/* TRANSFORMER_TRANSFORMER_TRAIN_H */
