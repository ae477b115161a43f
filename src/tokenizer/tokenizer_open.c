/*-------------------------------------------------------------------------
 *
 * tokenizer_open.c
 *	  Opening an image, and what it says of itself.
 *
 * What is small is checked whole: sections, steps, patterns' code, added
 * tokens.  Large tables are not gone through; whoever walks them checks each
 * number before using it, so that a damaged image gives wrong tokens at
 * worst.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

size_t
tokenizer_image_size(const void *bytes, size_t available)
{
	ImageHeader header;

	if (available < sizeof(header))
		return 0;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != IMAGE_MAGIC || header.version != IMAGE_VERSION ||
		header.size < sizeof(header) || header.size > available)
		return 0;
	return header.size;
}

/* The size of one element of each section. */
static const uint32_t element_sizes[SECTION_COUNT] =
{
	[SECTION_NORMALIZERS] = sizeof(ImageStep),
	[SECTION_SPLITTERS] = sizeof(ImageStep),
	[SECTION_PROCESSORS] = sizeof(ImageStep),
	[SECTION_TEMPLATE] = sizeof(ImageTemplateItem),
	[SECTION_STRINGS] = 1,
	[SECTION_PIECE_OFFSETS] = sizeof(uint32_t),
	[SECTION_PIECES] = 1,
	[SECTION_HASH] = sizeof(uint32_t),
	[SECTION_TRIE] = sizeof(ImageNode),
	[SECTION_TRIE_INNER] = sizeof(ImageNode),
	[SECTION_SCORES] = sizeof(double),
	[SECTION_MERGES] = sizeof(ImageMerge),
	[SECTION_UNITS] = sizeof(uint32_t),
	[SECTION_BYTE_TOKENS] = sizeof(uint32_t),
	[SECTION_ADJACENT] = 1,
	[SECTION_KNOWN] = 1,
	[SECTION_ADDED] = sizeof(ImageAdded),
	[SECTION_ADDED_TRIE] = sizeof(ImageNode),
	[SECTION_ADDED_TRIE_NORMALIZED] = sizeof(ImageNode),
	[SECTION_PATTERNS] = sizeof(ImagePattern),
	[SECTION_CODE] = sizeof(ImageInstruction),
	[SECTION_CLASSES] = CLASS_FIRST * sizeof(uint16_t),
	[SECTION_CLASS_BLOCKS] = CLASS_BLOCK,
	[SECTION_FIRST_BYTES] = FIRST_BYTES
};

static bool
sections_are_sound(const ImageHeader *header)
{
	for (int i = 0; i < SECTION_COUNT; i++)
	{
		const ImageSection *section = &header->sections[i];

		if (section->offset % IMAGE_ALIGNMENT != 0 ||
			section->offset > header->size ||
			section->size > header->size - section->offset ||
			section->size % element_sizes[i] != 0)
			return false;
	}
	return true;
}

static bool
is_power_of_two(uint32_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* What the model reads without asking is there. */
static bool
model_is_sound(const Tokenizer *tokenizer)
{
	const ImageHeader *header = tokenizer->header;
	uint32_t	offsets = image_count(tokenizer, SECTION_PIECE_OFFSETS,
									  sizeof(uint32_t));

	if (header->vocabulary_size == 0 ||
		offsets != header->vocabulary_size + 1 ||
		!is_power_of_two(
			image_count(tokenizer, SECTION_HASH, sizeof(uint32_t))) ||
		(header->unknown != NO_ID &&
		 header->unknown >= header->vocabulary_size))
		return false;
	switch (header->model)
	{
		case MODEL_WORDPIECE:
			return header->sections[SECTION_TRIE].size > 0 &&
				header->sections[SECTION_TRIE_INNER].size > 0;
		case MODEL_BPE:
			return is_power_of_two(image_count(tokenizer, SECTION_MERGES,
											   sizeof(ImageMerge))) &&
				   header->sections[SECTION_UNITS].size ==
					   256 * sizeof(uint32_t) &&
				   header->sections[SECTION_BYTE_TOKENS].size ==
					   256 * sizeof(uint32_t) &&
				   header->sections[SECTION_ADJACENT].size ==
					   ADJACENT_BITS / 8 &&
				   header->sections[SECTION_KNOWN].size == KNOWN_BITS / 8 &&
				   header->prefix_length + header->suffix_length <= 48 &&
				   header->prefix_offset + header->prefix_length <=
					   header->sections[SECTION_STRINGS].size &&
				   header->suffix_offset + header->suffix_length <=
					   header->sections[SECTION_STRINGS].size;
		case MODEL_UNIGRAM:
			return header->sections[SECTION_TRIE].size > 0 &&
				   header->sections[SECTION_BYTE_TOKENS].size ==
					   256 * sizeof(uint32_t);
		case MODEL_WORDLEVEL:
			return true;
		default:
			return false;
	}
}

static bool
string_is_sound(const Tokenizer *tokenizer, ImageString string)
{
	uint32_t	size = tokenizer->header->sections[SECTION_STRINGS].size;

	return string.offset <= size && string.length <= size - string.offset;
}

/* Is this text whole characters? */
static bool
text_is_sound(const Tokenizer *tokenizer, ImageString string)
{
	return string_is_sound(tokenizer, string) &&
		   utf8_valid_length(image_string(tokenizer, string), string.length) ==
			   string.length;
}

static bool
step_is_sound(const Tokenizer *tokenizer, const ImageStep *step,
			  ImageStepKind first, ImageStepKind last)
{
	uint32_t	patterns = image_count(tokenizer, SECTION_PATTERNS,
									   sizeof(ImagePattern));
	uint32_t	items = image_count(tokenizer, SECTION_TEMPLATE,
									sizeof(ImageTemplateItem));

	if (step->kind < (uint32_t) first || step->kind > (uint32_t) last ||
		step->behavior >= BEHAVIORS ||
		(step->pattern != NO_ID && step->pattern >= patterns) ||
		!text_is_sound(tokenizer, step->content))
		return false;
	if (step->kind == NORMALIZE_PRECOMPILED)
		return string_is_sound(tokenizer, step->text) &&
			   precompiled_map_is_sound(image_string(tokenizer, step->text),
										step->text.length);
	if (!text_is_sound(tokenizer, step->text))
		return false;
	switch (step->kind)
	{
		case NORMALIZE_REPLACE:
		case SPLIT_PATTERN:
			return step->pattern != NO_ID || step->text.length > 0;
		case SPLIT_BYTE_LEVEL:
			return step->pattern != NO_ID || !(step->flags & BYTE_PATTERN);
		case SPLIT_METASPACE:
			return step->text.length > 0 && step->text.length <= 4;
		case SPLIT_FIXED_LENGTH:
			return step->number > 0;
		case PROCESS_TEMPLATE:
			return step->first <= items && step->number <= items - step->first;
		default:
			return true;
	}
}

static bool
steps_are_sound(const Tokenizer *tokenizer)
{
	static const struct
	{
		ImageSectionName section;
		ImageStepKind first;
		ImageStepKind last;
	}			kinds[] =
	{
		{SECTION_NORMALIZERS, NORMALIZE_BERT, NORMALIZE_BYTE_LEVEL},
		{SECTION_SPLITTERS, SPLIT_BERT, SPLIT_WHITESPACE_ONLY},
		{SECTION_PROCESSORS, PROCESS_TRIM, PROCESS_TEMPLATE}
	};
	const ImageTemplateItem *items = image_section(tokenizer,
												   SECTION_TEMPLATE);

	for (int i = 0; i < 3; i++)
	{
		const ImageStep *steps = image_section(tokenizer, kinds[i].section);

		for (uint32_t k = 0;
			 k < image_count(tokenizer, kinds[i].section, sizeof(ImageStep));
			 k++)
		{
			if (!step_is_sound(tokenizer, &steps[k], kinds[i].first,
							   kinds[i].last))
				return false;
		}
	}
	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_TEMPLATE, sizeof(*items)); i++)
	{
		if (items[i].id != NO_ID &&
			items[i].id >= tokenizer->header->vocabulary_size)
			return false;
	}
	return true;
}

/* Every instruction's numbers are within what they count. */
static bool
code_is_sound(const Tokenizer *tokenizer)
{
	const ImageInstruction *code = image_section(tokenizer, SECTION_CODE);
	uint32_t	count = image_count(tokenizer, SECTION_CODE, sizeof(*code));
	uint32_t	classes = image_count(tokenizer, SECTION_CLASSES,
									  element_sizes[SECTION_CLASSES]);
	uint32_t	firsts = image_count(tokenizer, SECTION_FIRST_BYTES,
									 FIRST_BYTES);

	if (count > 0 && code[count - 1].operation != OP_MATCH)
		return false;
	for (uint32_t i = 0; i < count; i++)
	{
		switch (code[i].operation)
		{
			case OP_CLASS:
			case OP_REPEAT:
			case OP_REPEAT_LAZY:
			case OP_REPEAT_POSSESSIVE:
				if (code[i].a >= classes)
					return false;
				break;
			case OP_BRANCH:
				if (code[i].b >= firsts || code[i].a >= count)
					return false;
				break;
			case OP_JUMP:
			case OP_SPLIT:
			case OP_SPLIT_LAZY:
				if (code[i].a >= count)
					return false;
				break;
			case OP_LOOK_AHEAD:
			case OP_LOOK_AHEAD_NOT:
			case OP_LOOK_BEHIND:
			case OP_LOOK_BEHIND_NOT:
			case OP_ATOMIC:
				/* it goes on behind its own end */
				if (code[i].a >= count - 1)
					return false;
				break;
			default:
				if (code[i].operation >= OPERATIONS)
					return false;
		}
	}
	return true;
}

static bool
patterns_are_sound(const Tokenizer *tokenizer)
{
	const ImagePattern *patterns = image_section(tokenizer, SECTION_PATTERNS);
	const uint16_t *classes = image_section(tokenizer, SECTION_CLASSES);
	uint32_t	code = image_count(tokenizer, SECTION_CODE,
								   sizeof(ImageInstruction));
	uint32_t	firsts = image_count(tokenizer, SECTION_FIRST_BYTES,
									 FIRST_BYTES);
	uint32_t	blocks = image_count(tokenizer, SECTION_CLASS_BLOCKS,
									 CLASS_BLOCK);

	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_PATTERNS, sizeof(*patterns)); i++)
	{
		if (patterns[i].begin >= code || (patterns[i].first_bytes != NO_ID &&
										  patterns[i].first_bytes >= firsts))
			return false;
	}
	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_CLASSES, sizeof(uint16_t)); i++)
	{
		if (classes[i] >= blocks)
			return false;
	}
	return code_is_sound(tokenizer);
}

static bool
added_are_sound(const Tokenizer *tokenizer)
{
	const ImageAdded *added = image_section(tokenizer, SECTION_ADDED);

	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_ADDED, sizeof(*added)); i++)
	{
		if (added[i].id >= tokenizer->header->vocabulary_size ||
			!text_is_sound(tokenizer, added[i].content))
			return false;
	}
	return true;
}

bool
tokenizer_open(Tokenizer *tokenizer, const void *bytes, size_t size)
{
	tokenizer->bytes = bytes;
	tokenizer->header = bytes;
	return (uintptr_t) bytes % sizeof(uint64_t) == 0 &&
		tokenizer_image_size(bytes, size) != 0 &&
		sections_are_sound(tokenizer->header) &&
		model_is_sound(tokenizer) &&
		steps_are_sound(tokenizer) &&
		patterns_are_sound(tokenizer) &&
		added_are_sound(tokenizer);
}

/* ---------- what it says of itself ---------- */

int64_t
tokenizer_special(const Tokenizer *tokenizer, TokenizerSpecial special)
{
	return tokenizer->header->specials[special];
}

uint32_t
tokenizer_size(const Tokenizer *tokenizer)
{
	return tokenizer->header->vocabulary_size;
}

int64_t
tokenizer_id(const Tokenizer *tokenizer, const char *text, size_t length)
{
	const ImageAdded *added = image_section(tokenizer, SECTION_ADDED);
	uint32_t	id;

	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_ADDED, sizeof(*added)); i++)
	{
		if (added[i].content.length == length &&
			memcmp(image_string(tokenizer, added[i].content), text, length) ==
				0)
			return added[i].id;
	}
	id = image_find(tokenizer, (const unsigned char *) text, length);
	return id == NO_ID ? -1 : (int64_t) id;
}

const char *
tokenizer_token(const Tokenizer *tokenizer, uint32_t id, size_t *length)
{
	uint32_t	piece_length;
	const unsigned char *piece = image_piece(tokenizer, id, &piece_length);

	*length = piece_length;
	return (const char *) piece;
}

bool
tokenizer_is_special(const Tokenizer *tokenizer, uint32_t id)
{
	const ImageAdded *added = image_section(tokenizer, SECTION_ADDED);

	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_ADDED, sizeof(*added)); i++)
	{
		if (added[i].id == id)
			return (added[i].flags & ADDED_SPECIAL) != 0;
	}
	return false;
}

bool
tokenizer_lowercases(const Tokenizer *tokenizer)
{
	const ImageStep *steps = image_section(tokenizer, SECTION_NORMALIZERS);

	for (uint32_t i = 0;
		 i < image_count(tokenizer, SECTION_NORMALIZERS, sizeof(*steps)); i++)
	{
		if (steps[i].kind == NORMALIZE_LOWERCASE ||
			(steps[i].kind == NORMALIZE_BERT &&
			 (steps[i].flags & BERT_LOWER) != 0))
			return true;
	}
	return false;
}

const char *
tokenizer_model_name(const Tokenizer *tokenizer)
{
	static const char *const names[] = {
		[MODEL_WORDPIECE] = "WordPiece", [MODEL_BPE] = "BPE",
		[MODEL_UNIGRAM] = "Unigram", [MODEL_WORDLEVEL] = "WordLevel"
	};

	return names[tokenizer->header->model];
}

uint32_t
tokenizer_max_length(const Tokenizer *tokenizer)
{
	return tokenizer->header->truncation;
}

bool
tokenizer_cuts_left(const Tokenizer *tokenizer)
{
	return (tokenizer->header->flags & IMAGE_LEFT) != 0;
}

uint32_t
tokenizer_added_count(const Tokenizer *tokenizer)
{
	return tokenizer->header->added_count;
}
