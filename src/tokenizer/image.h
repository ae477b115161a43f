/*-------------------------------------------------------------------------
 *
 * image.h
 *	  Layout of a compiled tokenizer: one block without pointers.
 *
 * For this room only.  A header, then sections; what refers to something in a
 * section does so by its number or by the distance from the section's start.
 * Everything is in the byte order of the machine: an image is made anew where
 * it is used and never leaves it.  The README shows the sections one by one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_IMAGE_H
#define TOKENIZER_IMAGE_H

#include "tokenizer/tokenizer.h"

#define IMAGE_MAGIC		UINT64_C(0x31307a696e656b6f)	/* "okeniz01" */
#define IMAGE_VERSION	1
#define IMAGE_ALIGNMENT 16
#define IMAGE_MAX_SIZE	((size_t) 1 << 31)
#define NO_ID			UINT32_MAX

typedef enum ImageModel
{
	MODEL_WORDPIECE,
	MODEL_BPE,
	MODEL_UNIGRAM,
	MODEL_WORDLEVEL
} ImageModel;

/* ImageHeader.model_flags */
#define BPE_BYTE_FALLBACK	0x01
#define BPE_FUSE_UNKNOWN	0x02
#define BPE_IGNORE_MERGES	0x04
#define BPE_RAW_BYTES		0x08	/* byte-level, on the bytes themselves */
#define BPE_CUTS			0x10	/* SECTION_ADJACENT may be used */
#define BPE_AFFIXES			0x20	/* a prefix or a suffix of subwords */
#define BPE_UNKNOWN_MISSING 0x40	/* an unknown token that is no piece */

/* ImageHeader.flags */
#define IMAGE_NEEDS_SPANS	0x01	/* a step asks where a piece came from */
#define IMAGE_LEFT			0x02	/* truncation of the file cuts on the
									 * left */
#define IMAGE_TRUNCATES_ALL 0x04	/* its length is zero: nothing is left */

typedef enum ImageSectionName
{
	SECTION_NORMALIZERS,		/* ImageStep */
	SECTION_SPLITTERS,			/* ImageStep */
	SECTION_PROCESSORS,			/* ImageStep */
	SECTION_TEMPLATE,			/* ImageTemplateItem */
	SECTION_STRINGS,			/* bytes that steps refer to */
	SECTION_PIECE_OFFSETS,		/* uint32_t, vocabulary_size + 1 */
	SECTION_PIECES,				/* bytes */
	SECTION_HASH,				/* uint32_t, a power of two: id + 1 or 0 */
	SECTION_TRIE,				/* ImageNode */
	SECTION_TRIE_INNER,			/* ImageNode: WordPiece after the first */
	SECTION_SCORES,				/* double, of Unigram */
	SECTION_MERGES,				/* ImageMerge, a power of two */
	SECTION_UNITS,				/* uint32_t of 256: ids of bytes (or of
								 * ASCII) */
	SECTION_BYTE_TOKENS,		/* uint32_t of 256: ids of <0x00> ... */
	SECTION_ADJACENT,			/* bits: characters that merges join */
	SECTION_KNOWN,				/* bits: characters of the basic plane that are
								 * pieces */
	SECTION_ADDED,				/* ImageAdded */
	SECTION_ADDED_TRIE,			/* ImageNode: over original text */
	SECTION_ADDED_TRIE_NORMALIZED,	/* ImageNode: over normalized text */
	SECTION_PATTERNS,			/* ImagePattern */
	SECTION_CODE,				/* ImageInstruction */
	SECTION_CLASSES,			/* uint16_t, CLASS_FIRST a class */
	SECTION_CLASS_BLOCKS,		/* CLASS_BLOCK bytes each */
	SECTION_FIRST_BYTES,		/* FIRST_BYTES bytes each */
	SECTION_COUNT
} ImageSectionName;

typedef struct ImageSection
{
	uint32_t	offset;			/* from the start of the image */
	uint32_t	size;			/* in bytes */
} ImageSection;

typedef struct ImageHeader
{
	uint64_t	magic;
	uint32_t	version;
	uint32_t	size;
	uint64_t	identity;		/* a hash of the rest: whose a cache is */
	double		unknown_score;	/* Unigram */
	uint32_t	vocabulary_size;
	uint32_t	model;
	uint32_t	model_flags;
	uint32_t	flags;
	uint32_t	unknown;		/* id or NO_ID */
	uint32_t	max_characters; /* WordPiece: of a word */
	uint32_t	truncation;		/* 0: none */
	uint32_t	added_count;	/* by the template */
	uint32_t	prefix_offset;	/* BPE: in SECTION_STRINGS */
	uint32_t	prefix_length;
	uint32_t	suffix_offset;
	uint32_t	suffix_length;
	int32_t		specials[TOKENIZER_SPECIALS];
	uint32_t	max_piece;		/* bytes of the longest piece */
	ImageSection sections[SECTION_COUNT];
} ImageHeader;

typedef struct ImageString
{
	uint32_t	offset;			/* in SECTION_STRINGS */
	uint32_t	length;
} ImageString;

typedef enum ImageStepKind
{
	/* normalizers */
	NORMALIZE_BERT,
	NORMALIZE_LOWERCASE,
	NORMALIZE_FORM,				/* NFC and its kin */
	NORMALIZE_NMT,
	NORMALIZE_STRIP_ACCENTS,
	NORMALIZE_STRIP,
	NORMALIZE_PREPEND,			/* text */
	NORMALIZE_REPLACE,			/* text or pattern by content */
	NORMALIZE_PRECOMPILED,		/* text: the map as SentencePiece writes it */
	NORMALIZE_BYTE_LEVEL,
	/* splitters */
	SPLIT_BERT,
	SPLIT_BYTE_LEVEL,
	SPLIT_DELIMITER,			/* number: the character */
	SPLIT_DIGITS,
	SPLIT_FIXED_LENGTH,			/* number */
	SPLIT_METASPACE,			/* text: the replacement */
	SPLIT_PUNCTUATION,
	SPLIT_PATTERN,				/* text or pattern */
	SPLIT_SCRIPTS,
	SPLIT_WHITESPACE,
	SPLIT_WHITESPACE_ONLY,
	/* processors */
	PROCESS_TRIM,
	PROCESS_TEMPLATE,			/* number items from "first" */
	STEP_KINDS
} ImageStepKind;

/* ImageStep.flags, by kind */
#define BERT_CLEAN			0x01
#define BERT_CHINESE		0x02
#define BERT_STRIP			0x04
#define BERT_LOWER			0x08
#define FORM_COMPATIBLE		0x01
#define FORM_COMPOSE		0x02
#define STRIP_LEFT			0x01
#define STRIP_RIGHT			0x02
#define BYTE_PREFIX			0x01	/* add_prefix_space */
#define BYTE_PATTERN		0x02	/* use_regex */
#define BYTE_RAW			0x04	/* the last step: bytes stay as they are */
#define METASPACE_ALWAYS	0x01
#define METASPACE_FIRST		0x02
#define METASPACE_SPLIT		0x04
#define DIGITS_SINGLE		0x01
#define PATTERN_INVERT		0x01
#define TRIM_PREFIX			0x01

typedef enum SplitBehavior
{
	BEHAVIOR_REMOVED,
	BEHAVIOR_ISOLATED,
	BEHAVIOR_PREVIOUS,
	BEHAVIOR_NEXT,
	BEHAVIOR_CONTIGUOUS,
	BEHAVIORS
} SplitBehavior;

typedef struct ImageStep
{
	uint32_t	kind;
	uint32_t	flags;
	uint32_t	behavior;
	uint32_t	pattern;		/* or NO_ID: text */
	ImageString text;
	ImageString content;
	uint32_t	number;
	uint32_t	first;
} ImageStep;

/* A token of the template, or NO_ID for the text's own tokens. */
typedef struct ImageTemplateItem
{
	uint32_t	id;
} ImageTemplateItem;

/*
 * A node of a double array (Aoe 1989): the child for a byte is at base + byte,
 * if its check is this node.  Node 0 is the root.
 */
typedef struct ImageNode
{
	uint32_t	base;
	uint32_t	check;
	uint32_t	value;			/* one more than what ends here, or 0 */
} ImageNode;

typedef struct ImageMerge
{
	uint32_t	left;			/* NO_ID: an empty slot */
	uint32_t	right;
	uint32_t	rank;
	uint32_t	id;
} ImageMerge;

#define ADDED_SINGLE_WORD	0x01
#define ADDED_LSTRIP		0x02
#define ADDED_RSTRIP		0x04
#define ADDED_NORMALIZED	0x08
#define ADDED_SPECIAL		0x10

typedef struct ImageAdded
{
	uint32_t	id;
	uint32_t	flags;
	ImageString content;
} ImageAdded;

/* Where the look-up of a merge begins. */
static inline uint32_t
merge_slot(uint32_t left, uint32_t right)
{
	uint64_t	key = ((uint64_t) left << 32 | right) *
					  UINT64_C(0x9E3779B97F4A7C15);

	return (uint32_t) (key >> 32);
}

/* Bits of SECTION_ADJACENT and how a pair of characters finds its own. */
#define ADJACENT_BITS	(1 << 18)
#define KNOWN_BITS		(1 << 16)

static inline uint32_t
adjacent_bit(uint32_t first, uint32_t second)
{
	return (first * UINT32_C(0x9E3779B1) + second * UINT32_C(0x85EBCA77)) >>
		   14;
}

/* A class: 256 characters a block, the blocks shared among all classes. */
#define CLASS_FIRST		(0x110000 / 256)
#define CLASS_BLOCK		32
#define FIRST_BYTES		32

typedef enum ImageOperation
{
	OP_MATCH,
	OP_CHARACTER,				/* a: the character */
	OP_CLASS,					/* a: the class */
	OP_JUMP,					/* a: where to */
	OP_SPLIT,					/* here first, a when that fails */
	OP_SPLIT_LAZY,				/* a first, here when that fails */
	OP_BRANCH,					/* as OP_SPLIT, if b allows the next byte */
	OP_REPEAT,					/* class a, from b to c times, as many as can
								 * be */
	OP_REPEAT_LAZY,
	OP_REPEAT_POSSESSIVE,
	OP_LOOK_AHEAD,				/* what follows up to a (OP_MATCH) must
								 * match */
	OP_LOOK_AHEAD_NOT,
	OP_LOOK_BEHIND,				/* the same, b characters further left */
	OP_LOOK_BEHIND_NOT,
	OP_ATOMIC,					/* the same, and goes on where it ended */
	OP_LINE_BEGIN,
	OP_LINE_END,
	OP_TEXT_BEGIN,
	OP_TEXT_END,
	OP_TEXT_END_LINE,
	OP_WORD_BOUNDARY,
	OP_NOT_WORD_BOUNDARY,
	OP_FAIL,
	OPERATIONS
} ImageOperation;

#define REPEAT_INFINITE UINT32_MAX

typedef struct ImageInstruction
{
	uint32_t	operation;
	uint32_t	a;
	uint32_t	b;
	uint32_t	c;
} ImageInstruction;

typedef struct ImagePattern
{
	uint32_t	begin;			/* in SECTION_CODE */
	uint32_t	end;
	uint32_t	first_bytes;	/* which bytes a match may begin with, or
								 * NO_ID */
	uint32_t	unused;
} ImagePattern;

static inline const void *
image_section(const Tokenizer *tokenizer, ImageSectionName name)
{
	return tokenizer->bytes + tokenizer->header->sections[name].offset;
}

static inline uint32_t
image_count(const Tokenizer *tokenizer, ImageSectionName name, size_t element)
{
	return (uint32_t) (tokenizer->header->sections[name].size / element);
}

static inline const unsigned char *
image_string(const Tokenizer *tokenizer, ImageString string)
{
	return (const unsigned char *) image_section(tokenizer, SECTION_STRINGS) +
		   string.offset;
}

/* The id of a piece of the model, or NO_ID. */
extern uint32_t image_find(const Tokenizer *tokenizer,
						   const unsigned char *text, size_t length);

/* The text of an id; NULL and 0 if it has none. */
extern const unsigned char *image_piece(const Tokenizer *tokenizer,
										uint32_t id, uint32_t *length);

#endif							/* TOKENIZER_IMAGE_H */
