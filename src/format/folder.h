/*-------------------------------------------------------------------------
 *
 * folder.h
 *	  The folder of a model: which kind of model it is, and what its files
 *	  say about it.
 *
 * The caller lists the files, wherever they lie (a folder of the server,
 * members of an archive, large objects).  Nothing is guessed: a module,
 * pooling, activation or option that is not known is a fault with its name,
 * and so are two files that contradict each other.
 *
 * What the settings of a network mean (config.json of a transformer, the
 * settings of a GGUF file) is for those who compute with it: they get them as
 * they are (folder->config, folder->gguf).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_FOLDER_H
#define FORMAT_FOLDER_H

#include "format/gguf.h"
#include "format/safetensors.h"

/* Limits of what is read whole: configurations, but not tokenizers. */
#define FOLDER_MAX_FILES 1000
#define FOLDER_MAX_CONFIG ((uint64_t) 16 << 20)
#define FOLDER_MAX_MODULES 16
#define FOLDER_MAX_POOLINGS 8

typedef struct FolderFile
{
	const char *name;			/* "1_Pooling/config.json" */
	FormatFile	file;
} FolderFile;

typedef enum FolderKind
{
	FOLDER_TRANSFORMER,			/* config.json and safetensors */
	FOLDER_STATIC,				/* one vector for each token */
	FOLDER_ELMO,				/* options and HDF5 */
	FOLDER_GGUF,
	FOLDER_TOKENIZER,			/* tokenizer.json or vocab.txt alone */
	FOLDER_OTHER				/* one file of no kind above: word vectors,
								 * maybe */
} FolderKind;

typedef enum FolderModuleKind
{
	MODULE_TRANSFORMER,
	MODULE_STATIC,
	MODULE_POOLING,
	MODULE_DENSE,
	MODULE_NORMALIZE,
	MODULE_SPLADE				/* weights of all terms, the largest of each */
} FolderModuleKind;

/* What a network was trained to give, where the folder says it. */
typedef enum FolderTask
{
	TASK_UNSAID,
	TASK_FEATURES,				/* vectors of tokens */
	TASK_CLASSIFICATION,		/* scores of a text, or of two */
	TASK_MASKED					/* scores of all terms at each place */
} FolderTask;

typedef enum FolderActivation
{
	FOLDER_ACTIVATION_IDENTITY,
	FOLDER_ACTIVATION_TANH,
	FOLDER_ACTIVATION_RELU,
	FOLDER_ACTIVATION_GELU,
	FOLDER_ACTIVATION_SIGMOID
} FolderActivation;

/* A step of modules.json, in its order. */
typedef struct FolderModule
{
	FolderModuleKind kind;
	const char *path;			/* "" for the folder itself, else "2_Dense" */

	/* pooling: several are put one after the other */
	int			pooling_count;
	const char *poolings[FOLDER_MAX_POOLINGS];	/* "cls", "mean", "max",
												 * "mean_sqrt_len_tokens",
												 * "weightedmean", "lasttoken" */
	bool		include_prompt;
	int64_t		dims;			/* of a token; 0 if it is not said */

	/* dense */
	int64_t		in;
	int64_t		out;
	FolderActivation activation;
	const Tensor *weight;		/* [out, in]; "file" counts the folder's
								 * files */
	const Tensor *bias;			/* [out], or NULL */
} FolderModule;

typedef struct FolderPrompt
{
	const char *name;
	const char *text;
	size_t		length;
} FolderPrompt;

typedef struct ModelFolder
{
	FolderKind	kind;

	/* indexes of the files, or -1 */
	int			tokenizer;		/* tokenizer.json */
	int			vocabulary;		/* vocab.txt */
	int			hdf5;

	const JsonValue *config;	/* config.json; an ELMo's options; or NULL */
	const char *model_type;		/* of config.json, or NULL */
	const JsonValue *tokenizer_config;	/* tokenizer_config.json, or NULL */
	const char *truncation_side;	/* "left" or "right"; NULL: not said */
	TensorList	weights;		/* "file" of a tensor counts the folder's
								 * files */
	Gguf		gguf;

	FolderModule modules[FOLDER_MAX_MODULES];
	int			module_count;	/* 0 without modules.json */
	FolderPrompt *prompts;
	int			prompt_count;
	const char *default_prompt; /* its name, or NULL */
	const char *similarity;		/* "cosine", "dot", ...; or NULL */
	FolderTask	task;
	const char *score_activation;	/* of a cross-encoder's scores: a class of
									 * torch.nn; or NULL */
	int64_t		max_tokens;		/* with special tokens, or 0: not said */
	bool		lower_case;		/* before the tokenizer, as the folder says */

	/* static models */
	const Tensor *embeddings;	/* [rows, dims] */
	const Tensor *token_weights;	/* one for each token, or NULL */
	const Tensor *token_rows;	/* the row of each token, or NULL */
	bool		normalize;

	const char *file;			/* that a fault is about, or NULL */
} ModelFolder;

/*
 * Finds out what the files are.
 *
 * Everything stays in the arena.  files must stay as long as the result.
 * interrupt, and its context, may be NULL.
 */
extern bool folder_read(ModelFolder *folder, Arena *arena,
						const FolderFile *files, int count,
						FormatInterrupt interrupt, void *context,
						FormatFault *fault);

/*
 * The files of an archive, as a folder.
 *
 * Folders that all files lie in are taken off their names: an archive of
 * "minilm/config.json" and "minilm/vocab.txt" is one of a folder.  What macOS
 * adds ("._config.json") is left out.  A link is a fault, with advice.
 */
extern bool folder_of_archive(Arena *arena, const FormatFile *archive,
							  FolderFile **files, int *count,
							  FormatFault *fault);

/* "transformer", "static model", ...: for messages. */
extern const char *folder_kind_name(FolderKind kind);

#endif							/* FORMAT_FOLDER_H */
