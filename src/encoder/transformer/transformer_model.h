/*-------------------------------------------------------------------------
 *
 * transformer_model.h
 *	  Models of the method "transformer": a network of src/network, its
 *	  tokenizer, and what is done with the vectors of its tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRANSFORMER_TRANSFORMER_MODEL_H
#define TRANSFORMER_TRANSFORMER_MODEL_H

#include "encoder/network/prompts.h"
#include "model/classifier.h"
#include "model/tunable.h"
#include "network/steps.h"
#include "network/transformer.h"

/* sections of the image after those of the network room */
enum
{
	TRANSFORMER_SECTION_PLAN = NETWORK_SECTIONS,	/* one TransformerPlan,
													 * without its family */
	TRANSFORMER_SECTION_SETTINGS,	/* one TransformerSettings */
	TRANSFORMER_SECTION_WEIGHTS,	/* the packed form of src/network */
	TRANSFORMER_SECTION_STEPS,	/* VectorSteps */
	TRANSFORMER_SECTION_STEP_WEIGHTS,
	TRANSFORMER_SECTION_PROMPTS,
	TRANSFORMER_SECTION_LABELS, /* names, each ended by a zero */
	TRANSFORMER_SECTION_PAIR,	/* PairPieces */
	TRANSFORMER_SECTIONS
};

/* of modules, and of a head */
#define TRANSFORMER_MOST_STEPS (FOLDER_MAX_MODULES + 3)

/* of a head: terms of a vocabulary */
#define TRANSFORMER_MOST_OUTPUTS 10000000

typedef enum HeadKind
{
	HEAD_NONE,
	HEAD_LABELS,				/* scores of a text, or of two */
	HEAD_TERMS					/* scores of all terms at each place */
} HeadKind;

typedef enum ScoreKind
{
	SCORE_AS_IT_IS,
	SCORE_SIGMOID,
	SCORE_SOFTMAX
} ScoreKind;

typedef struct TransformerSettings
{
	char		family[32];		/* its name */
	int32		dims;			/* of a text's vector */
	int32		pooling_count;	/* whose results are put side by side; 0: it
								 * makes no vector of a text */
	int32		poolings[FOLDER_MAX_POOLINGS];
	int32		include_prompt; /* in a pooling */
	int32		step_count;		/* after pooling */
	int32		default_prompt; /* see NetworkPrompts */

	/* the head, whose steps follow those of vectors */
	int32		head_kind;
	int32		head_count;
	int32		head_pooling;
	int32		outputs;		/* labels or terms */
	int32		probability;	/* what classify makes of scores */
	int32		score;			/* and what rerank does */
} TransformerSettings;

/* What two texts read together consist of, in its order. */
typedef struct PairPiece
{
	int32		part;			/* 0: a special token; 1 and 2: the texts */
	int32		id;				/* of a special token */
	int32		type;			/* of these tokens */
} PairPiece;

#define PAIR_MOST_PIECES 16

/* Weights of a step: tensors of the folder. */
typedef struct StepTensors
{
	const Tensor *weight;		/* or NULL */
	const Tensor *bias;
} StepTensors;

/* What follows from a folder, each of its files checked. */
typedef struct TransformerModel
{
	TokenizerImage image;		/* palloc'd */
	NetworkLimits limits;
	TransformerPlan plan;
	TransformerSettings settings;
	VectorStep	steps[TRANSFORMER_MOST_STEPS];
	StepTensors tensors[TRANSFORMER_MOST_STEPS];
	uint64		step_bytes;		/* where the weights of steps end */
	StringInfo	labels;			/* or NULL */
	PairPiece	pair[PAIR_MOST_PIECES];
	int			pair_count;		/* 0: it cannot read two texts */
} TransformerModel;

/* transformer_folder.c */
extern void transformer_read_folder(const NetworkFolder *network,
									ProductPrecision precision,
									int64 max_tokens,
									TransformerModel *model);

/* "model_type" of config.json, or what GGUF has for it */
extern const char *transformer_type(const NetworkFolder *network);

/* transformer_gguf.c */
extern const char *const transformer_gguf_architectures[];
extern void transformer_gguf_config(const NetworkFolder *network,
									TransformerConfig *config);
extern Pooling transformer_gguf_pooling(const NetworkFolder *network);

/* the name that safetensors have for a tensor, or its own; palloc'd */
extern const char *transformer_gguf_tensor(const NetworkFolder *network,
										   const char *name);

/* transformer_heads.c */
extern void transformer_read_head(const NetworkFolder *network,
								  TransformerModel *model);

/* transformer_pair.c */
extern void transformer_read_pair(const NetworkFolder *network,
								  TransformerModel *model);

/* transformer_image.c */
extern void transformer_check_tensors(const NetworkFolder *network,
									  const TransformerModel *model);
extern void transformer_build_image(ImageBuilder *builder,
									ModelReader *reader);

/* transformer_method.c */
extern ProductPrecision transformer_precision(const char *name);
extern void transformer_init(void);

/* ---------- an open model (transformer_state.c) ---------- */

/* Of a call site; texts on their way lie in transformer_work. */
typedef struct TransformerState
{
	NetworkTokenizer *tokenizer;
	const void *packed;
	const TransformerSettings *settings;
	const VectorStep *steps;
	const void *step_weights;
	NetworkPrompts prompts;
	const char *labels;
	const PairPiece *pair;
	int			pair_count;
	uint64		version;
	TransformerPlan plan;
} TransformerState;

extern TransformerState *transformer_open_state(FmgrInfo *flinfo,
												Model *model, void **state);

/*
 * Memory of this backend for the texts under way.  There is one: encoding
 * calls nothing that could begin another.  It grows as texts need it, and
 * transformer_work_done gives back what only long ones need.
 */
typedef enum TransformerBuffer
{
	WORK_IDS,					/* int32, of all texts, one after the other */
	WORK_OFFSETS,				/* size_t, see TransformerBatch */
	WORK_TYPES,					/* uint8 */
	WORK_SCRATCH,				/* of transformer_encode */
	WORK_ROWS,					/* float, what that gives */
	WORK_VECTOR,				/* float, two vectors under way */
	WORK_BUFFERS
} TransformerBuffer;

/* At least so many bytes, aligned; what it holds stays. */
extern void *transformer_work(TransformerBuffer buffer, Size bytes);
extern void transformer_work_done(void);

/* Tokens that are gathered before the network runs: some groups of its own */
#define TRANSFORMER_BATCH_TOKENS 2048

/* Texts on their way: WORK_IDS, WORK_OFFSETS. */
typedef struct TransformerGathered
{
	int			count;
	size_t		tokens;
} TransformerGathered;

/* One text more, of at least one token; gives the room for its ids. */
extern int32 *transformer_gather(TransformerGathered *gathered,
								 uint32 tokens);

/* A text's tokens, as the model reads them; and the text in UTF-8. */
extern const char *transformer_read_text(TransformerState *state,
										 const char *prompt,
										 const EncoderText *text,
										 TokenizerOffsets offsets,
										 TokenizerTokens *tokens);

/*
 * The network, on texts that WORK_IDS, WORK_OFFSETS and, if types is set,
 * WORK_TYPES hold; errors become the server's.
 */
extern void transformer_run(TransformerState *state, int texts, bool types,
							const TransformerOutput *output);

/* for products of ours: it throws */
extern ProductInterrupt transformer_interrupt(void);

/*
 * Tokens of the vocabulary, each alone between what is put around a text
 * (transformer_alone.c): the mean of the last layer's vectors, those of the
 * special tokens too.  rows: count x hidden floats.
 */
typedef struct TransformerAlone
{
	TransformerState *state;
	int			before;			/* special tokens */
	int			after;
	int32	   *around;			/* them, one after the other */
} TransformerAlone;

extern void transformer_alone_begin(TransformerAlone *alone,
									TransformerState *state);
extern void transformer_alone(const TransformerAlone *alone, int count,
							  const uint32 *tokens, float *rows);

/* transformer_tokens.c */
extern const char *const transformer_units[];
extern int	transformer_token_dims(void *state);
extern void transformer_tokens(void *state, const EncoderRequest *request,
							   const EncoderText *text,
							   EncoderReceiveToken receive, void *argument);

extern const Encoder transformer_encoder;	/* transformer_texts.c */
extern const Tunable transformer_tunable;	/* transformer_tune.c */

/* transformer_train.c: its own weights are tuned */
extern TuneTarget *transformer_trained(const TuneNetwork *wanted, Model *base,
									   void *state);
extern Oid	transformer_write_trained(const TuneSource *source);

/*
 * transformer_scores.c: an open model that has a head of this kind, or an
 * error.
 */
extern TransformerState *transformer_open_head(FmgrInfo *flinfo,
											   Model *model, HeadKind kind);
extern const Classifier transformer_classifier;

#endif							/* TRANSFORMER_TRANSFORMER_MODEL_H */
