/*-------------------------------------------------------------------------
 *
 * network.h
 *	  Models that are a published folder, kept as a table of tensors.
 *
 * A tokenizer, a static model, a transformer come as a folder of files and
 * become a table that holds all of it (see README).  This room writes such
 * tables, reads them as files again, compiles their tokenizers and has the
 * functions that need no more than a tokenizer.  What is computed from the
 * tensors is another room's, which registers a NetworkMethod.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include "server/server.h"

#include "format/folder.h"
#include "lib/stringinfo.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

/* columns of the table, in this order */
enum
{
	NETWORK_ID,					/* 0: header */
	NETWORK_NAME,
	NETWORK_PART,				/* from 1 on */
	NETWORK_ELEMENT,			/* see below, or a type such as "F32" */
	NETWORK_SHAPE,				/* of a tensor; else the bytes of all parts */
	NETWORK_DATA,
	NETWORK_COLUMNS
};

extern const ModelColumn network_columns[NETWORK_COLUMNS];

/* Elements of rows that are no tensors; names are those of files. */
#define ELEMENT_FILE	"file"	/* a file */
#define ELEMENT_HEAD	"head"	/* what a file of tensors begins with */
#define ELEMENT_GAP		"gap"	/* bytes of it that belong to no tensor */

/* Files of a change of low rank that the weights have already */
#define NETWORK_ADAPTER	"adapter/"

#define NETWORK_PART_BYTES (16 * 1024 * 1024)

/* ---------- a folder, wherever its files lie (network_folder.c) ---------- */

typedef struct NetworkFolder
{
	const char *model;			/* its name, for messages */
	bool		is_table;		/* a fault is one of its rows */
	const FolderFile *files;
	int			count;
	MemoryContext context;
	Arena		arena;
	ModelFolder folder;
} NetworkFolder;

/* An arena whose blocks belong to a memory context. */
extern void network_arena_begin(Arena *arena, MemoryContext context,
								size_t limit);

/* Find out what the files are; every fault is an error. */
extern void network_folder_read(NetworkFolder *network);

/* An error that names the model and the file, which may be NULL. */
pg_noreturn extern void network_folder_fault(const NetworkFolder *network,
											 const char *file,
											 const FormatFault *fault);

/* The same for what a method cannot take; detail is a whole sentence. */
pg_noreturn extern void network_folder_refuse(const NetworkFolder *network,
											  FormatStatus status,
											  const char *detail);

/* All of a file, palloc'd and ended by a zero byte. */
extern char *network_folder_text(const NetworkFolder *network, int file,
								 size_t *length);

/* tensor_to_floats of a piece after the other, whose values are finite. */
typedef void (*NetworkReceive) (void *argument, const float *values,
								size_t count);
extern void network_folder_floats(const NetworkFolder *network,
								  const Tensor *tensor, NetworkReceive receive,
								  void *argument);

/* tensor_to_floats keeps no whole numbers above 2^24: these are exact. */
extern int64 *network_folder_integers(const NetworkFolder *network,
									  const Tensor *tensor);

/* The folder's tokenizer (network_compile.c); the bytes are palloc'd. */
extern void network_folder_compile(const NetworkFolder *network,
								   TokenizerImage *image);

/*
 * Is a text that is too long cut at its beginning?  tokenizer_config.json
 * says it, or else the truncation of tokenizer.json.
 */
extern bool network_folder_cuts_left(const NetworkFolder *network,
									 const Tokenizer *tokenizer);

/*
 * The text of tokenizer.json as tokenizer_config.json beside it has it read
 * (tokenizer_config.c), palloc'd; and what that lists is checked.
 */
extern char *network_tokenizer_text(const NetworkFolder *network,
									size_t *length);
extern void network_check_added(const NetworkFolder *network,
								const Tokenizer *tokenizer);

/*
 * A tokenizer.json of what the folder's tokenizer, which is compiled, is: its
 * own, or one that says what vocab.txt says; NULL of GGUF.  palloc'd.
 */
extern char *network_folder_tokenizer_json(const NetworkFolder *network,
										   const Tokenizer *tokenizer,
										   size_t *length);

/* ---------- settings of a GGUF file (network_gguf.c) ---------- */

/* "general.architecture", palloc'd */
extern char *network_gguf_architecture(const NetworkFolder *network);

/* The longest text that it says, or 0. */
extern int64 network_gguf_max_tokens(const NetworkFolder *network);

/* ---------- a table as files (table.c) ---------- */

typedef struct NetworkTable NetworkTable;

extern NetworkTable *network_table_begin(const char *model);
extern void network_table_add(NetworkTable *table, const Datum *values,
							  const bool *nulls);
extern FolderFile *network_table_finish(NetworkTable *table, int *count);

/* Are the rows of tensors what the files say? */
extern void network_table_check(const NetworkTable *table,
								const NetworkFolder *network);

/*
 * Rows were changed on purpose: row 0's checksums of them are written anew
 * (sums.c).  The refresh_header of all methods of networks.
 */
extern void network_sums_refresh(Oid table);

/* The files of a model that the caller may read (network_export.c). */
extern FolderFile *network_files_of_model(Oid model, char **name, int *count);

/* For build_image: all of it, its checksums compared. */
extern NetworkFolder *network_folder_of_table(ModelReader *reader);

/* ---------- a folder with other weights (network_rewrite.c) ---------- */

/*
 * Changes the values of whole rows of a tensor, as floats, from number
 * "first" on; a row is as long as the last dimension.
 */
typedef void (*NetworkChange) (void *argument, const Tensor *tensor,
							   uint64 first, int rows, float *values);

typedef struct NetworkRewrite
{
	NetworkFolder *base;
	bool		(*changes) (void *argument, const Tensor *tensor);
	NetworkChange change;
	void	   *argument;
} NetworkRewrite;

/* A base's folder, whose table the caller may read. */
extern NetworkFolder *network_folder_of_model(Oid model);

/*
 * The base's files, those with tensors that change as new ones: these tensors
 * are float32 there.  Files are read when they are stored; base and argument
 * must last until then.
 */
extern FolderFile *network_rewrite(const NetworkRewrite *rewrite, int *count);

/* A file of its name is replaced, or one more; bytes must last. */
extern void network_put_file(FolderFile **files, int *count, const char *name,
							 const void *bytes, size_t length);

/* Writes the model of these files; what they are was decided by its base. */
extern Oid	network_write_files(ModelDefinition *definition,
								FolderFile *files, int count);

/* ---------- methods (network_method.c) ---------- */

typedef struct NetworkRequest
{
	const char *precision;		/* one of network_precisions */
	int			max_tokens;		/* 0: as the folder says */
} NetworkRequest;

typedef struct NetworkMethod
{
	const ModelMethod *method;
	FolderKind	kind;

	/*
	 * Architectures of GGUF that it takes too, such as "bert", up to a NULL;
	 * or NULL if it takes none.
	 */
	const char *const *architectures;

	/*
	 * Checks a folder that is to become a model, sets options, and adds to
	 * what the user is told.
	 */
	void (*take) (const NetworkFolder *network, const NetworkRequest *request,
				  ModelDefinition *definition, StringInfo notice);
} NetworkMethod;

extern const char *const network_precisions[];

/*
 * A folder that has been read becomes a model, of which the user is told
 * (network_import.c).
 */
struct Progress;
extern Oid	network_create(const NetworkFolder *network,
						   const NetworkRequest *request, bool replace,
						   struct Progress *progress);

extern void network_method_register(const NetworkMethod *method);
/* The method for a folder that is to become a model; an error without one. */
extern const NetworkMethod *
network_method_require(const NetworkFolder *network);
extern void network_init(void);

/* option "max_tokens", for all of them; 0 is none */
#define NETWORK_MOST_TOKENS 1000000000
#define NETWORK_OPTIONS \
	OPTION_INTEGER_OF("max_tokens", 1, NETWORK_MOST_TOKENS, 0)

/* ---------- image: what all methods have ---------- */

enum
{
	NETWORK_SECTION_TOKENIZER,	/* a TokenizerImage */
	NETWORK_SECTION_LIMITS,		/* one NetworkLimits */
	NETWORK_SECTIONS			/* the first of the method's own */
};

typedef struct NetworkLimits
{
	int32		max_tokens;		/* that the model reads, special tokens with
								 * them; 0: no limit */
	int16		special_tokens; /* that it adds to a text: 0 or 1 */
	int16		cuts_left;		/* a long text loses its beginning: 0 or 1 */
} NetworkLimits;

/* How a text is cut to max_tokens. */
static inline TokenizerLimit
network_limit(const NetworkLimits *limits)
{
	return limits->cuts_left ? TOKENIZER_LIMIT_LEFT : TOKENIZER_LIMIT_RIGHT;
}

extern void network_build_tokenizer(ImageBuilder *builder,
									const TokenizerImage *image,
									const NetworkLimits *limits);

/* ---------- tokens (tokens.c) ---------- */

/* What the pure core calls in its long loops; for all rooms of networks. */
extern void network_check_interrupts(void *context);

/* Buffers of a tokenizer, which belong to a memory context. */
extern void network_scratch_begin(TokenizerScratch *scratch,
								  MemoryContext context);

/* The tokenizer of a call site; filled anew by network_tokenizer. */
typedef struct NetworkTokenizer
{
	Model	   *model;
	const NetworkLimits *limits;
	Tokenizer	tokenizer;
	TokenizerScratch scratch;
	uint64		version;
	char	   *converted;		/* the present text, if it is not the
								 * caller's */
} NetworkTokenizer;

extern NetworkTokenizer *network_tokenizer(FmgrInfo *flinfo, Model *model);

/* A text in UTF-8, until the next one; length is changed. */
extern const char *network_text(NetworkTokenizer *tokenizer, const char *text,
								int *length);

/* Tokens of a text in UTF-8, until the next call. */
extern void network_encode(NetworkTokenizer *tokenizer, const char *text,
						   int length, const TokenizerEncoding *encoding,
						   TokenizerTokens *tokens);

/* The text of a token in the server's encoding, palloc'd. */
extern char *network_token_text(const NetworkTokenizer *tokenizer,
								const TokenizerTokens *tokens, int number,
								int *length);

#endif							/* NETWORK_NETWORK_H */
