/*-------------------------------------------------------------------------
 *
 * tokenizer_build.h
 *	  Compiling a tokenizer: sections that grow, and what fills them.
 *
 * For this room only.  A failure is kept in the fault and everything after it
 * does nothing, so that callers check at the end of a step, not at each line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_BUILD_H
#define TOKENIZER_BUILD_H

#include <string.h>

#include "format/json.h"
#include "tokenizer/image.h"

/* Ids are less than this: what is counted by them stays small. */
#define BUILD_MAX_ID	(1 << 24)

typedef struct BuildSection
{
	unsigned char *bytes;
	size_t		size;
	size_t		capacity;
} BuildSection;

/* A piece of the model's vocabulary on its way. */
typedef struct BuildPiece
{
	const char *text;
	uint32_t	length;
	uint32_t	id;
} BuildPiece;

/* An added token as the file has it. */
typedef struct BuildAdded
{
	const char *text;
	uint32_t	length;
	uint32_t	id;
	uint32_t	flags;
} BuildAdded;

typedef struct Build
{
	Arena	   *arena;
	FormatFault *fault;
	FormatInterrupt interrupt;
	void	   *interrupt_context;
	ImageHeader header;
	BuildSection sections[SECTION_COUNT];
	/* the model's pieces, in any order */
	BuildPiece *pieces;
	uint32_t	piece_count;
	uint32_t   *lookup;		/* of pieces by their text: number + 1 */
	uint32_t	lookup_mask;
	BuildAdded *added;
	uint32_t	added_count;
	unsigned char *class_bits;	/* of all characters, for build_class */
} Build;

static inline bool
build_failed(const Build *build)
{
	return build->fault->status != FORMAT_OK;
}

extern void build_begin(Build *build, Arena *arena,
						const TokenizerCompileOptions *options,
						FormatFault *fault);

/* Notes a fault; returns false. */
extern bool build_fault(Build *build, FormatStatus status, const char *detail,
						...) __attribute__((format(printf, 3, 4)));

extern void build_interrupt(Build *build);

/* Memory for the time of compiling; NULL and a fault without. */
extern void *build_alloc(Build *build, size_t count, size_t size);

/* Appends to a section; returns where, in bytes from its start. */
extern uint32_t build_append(Build *build, ImageSectionName section,
							 const void *bytes, size_t size);
extern ImageString build_string(Build *build, const void *text, size_t length);

/*
 * A section of this many zero bytes, which the caller fills; NULL on failure.
 */
extern void *build_section(Build *build, ImageSectionName section,
						   size_t size);

/* Puts all sections together behind the header. */
extern FormatStatus build_finish(Build *build, TokenizerImage *image);

/* ---------- vocabulary ---------- */

/*
 * Makes the look-up, once pieces and piece_count stand; the last of equals
 * wins.
 */
extern bool build_index_pieces(Build *build);

/* The id of a piece, or NO_ID. */
extern uint32_t build_find(const Build *build, const char *text,
						   size_t length);

/* Writes pieces, hash and the texts of added tokens. */
extern bool build_vocabulary(Build *build);

/* A double array of these keys, whose order changes. */
typedef struct BuildKey
{
	const unsigned char *text;
	uint32_t	length;
	uint32_t	value;
} BuildKey;

extern bool build_trie(Build *build, ImageSectionName section, BuildKey *keys,
					   uint32_t count);

/* ---------- patterns ---------- */

/* Compiles a pattern of Oniguruma's Ruby syntax; returns its number. */
extern uint32_t build_pattern(Build *build, const char *text, size_t length);

/* Characters as ranges. */
typedef struct Set
{
	uint32_t	(*ranges)[2];	/* first and last */
	uint32_t	count;
	uint32_t	capacity;
} Set;

extern void set_add(Build *build, Set *set, uint32_t first, uint32_t last);
extern void set_add_set(Build *build, Set *set, const Set *other);
extern void set_order(Set *set);
extern void set_invert(Build *build, Set *set);
extern void set_intersect(Build *build, Set *set, Set *other);
extern void set_fold(Build *build, Set *set);
extern bool set_holds(const Set *set, uint32_t code);

/* By the name between braces: a category or a script; false if unknown. */
extern bool set_add_property(Build *build, Set *set, const char *name,
							 size_t length);
extern bool set_add_posix(Build *build, Set *set, const char *name,
						  size_t length);

/*
 * By the letter after a backslash: d, w, s, h.  Inside of brackets \w has
 * fewer characters: see the README.
 */
extern void set_add_escape(Build *build, Set *set, char letter, bool inside);

/* The number of a class with these characters. */
extern uint32_t build_class(Build *build, const Set *set);

/* ---------- models ---------- */

typedef struct BuildMerge
{
	const char *left;
	const char *right;
	uint32_t	left_length;
	uint32_t	right_length;
	uint32_t	rank;
} BuildMerge;

extern bool build_wordpiece(Build *build, const char *prefix,
							size_t prefix_length);
extern bool build_unigram(Build *build, const double *scores, uint32_t count);
extern bool build_bpe(Build *build, const BuildMerge *merges, uint32_t count);

/* ---------- from tokenizer.json ---------- */

extern bool build_normalizers(Build *build, const JsonValue *value);
extern bool build_splitters(Build *build, const JsonValue *value);
extern bool build_processors(Build *build, const JsonValue *value);
extern bool build_model(Build *build, const JsonValue *value);
extern bool build_added(Build *build, const JsonValue *value);

/* What all of them end with: added tokens, special ids, the image. */
extern FormatStatus build_complete(Build *build, TokenizerImage *image);

/* Adds a step; returns it, or NULL on failure. */
extern ImageStep *build_step(Build *build, ImageSectionName section,
							 ImageStepKind kind);

/* The same steps for those who have no JSON: see compile_gguf.c. */
extern bool build_precompiled(Build *build, const unsigned char *map,
							  size_t length);
extern bool build_byte_level(Build *build, bool prefix, const char *pattern);
extern bool build_metaspace(Build *build, const char *mark, size_t length,
							uint32_t flags);
extern bool build_split(Build *build, const char *pattern,
						SplitBehavior behavior);
extern bool build_template(Build *build, const uint32_t *items,
						   uint32_t count);

#endif							/* TOKENIZER_BUILD_H */
