/*-------------------------------------------------------------------------
 *
 * build_model.c
 *	  What the models look things up in: tries, scores, merges.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "tokenizer/tokenizer_build.h"
#include "tokenizer/tokenizer_run.h"

#define UNKNOWN_PENALTY 10.0	/* below the least score, as SentencePiece has
								 * it */
#define PER_INTERRUPT	16384
#define MAX_PASSES		16

static BuildKey *
new_keys(Build *build)
{
	return build_alloc(build, build->piece_count, sizeof(BuildKey));
}

/* Whether this piece is the one that its text stands for. */
static bool
is_current(const Build *build, const BuildPiece *piece)
{
	return build_find(build, piece->text, piece->length) == piece->id;
}

bool
build_wordpiece(Build *build, const char *prefix, size_t prefix_length)
{
	BuildKey   *keys = new_keys(build);
	uint32_t	count = 0;

	if (keys == NULL)
		return false;
	for (uint32_t i = 0; i < build->piece_count; i++)
	{
		const BuildPiece *piece = &build->pieces[i];
		BuildKey	key = {(const unsigned char *) piece->text, piece->length,
						   piece->id};

		if (piece->length > 0 && is_current(build, piece))
			keys[count++] = key;
	}
	if (!build_trie(build, SECTION_TRIE, keys, count))
		return false;
	count = 0;
	for (uint32_t i = 0; i < build->piece_count; i++)
	{
		const BuildPiece *piece = &build->pieces[i];
		BuildKey	key = {(const unsigned char *) piece->text + prefix_length,
		piece->length - (uint32_t) prefix_length, piece->id};

		if (piece->length > prefix_length &&
			memcmp(piece->text, prefix, prefix_length) == 0 &&
			is_current(build, piece))
			keys[count++] = key;
	}
	return build_trie(build, SECTION_TRIE_INNER, keys, count);
}

/* The ids of <0x00> to <0xFF>, or NO_ID. */
static bool
byte_tokens(Build *build)
{
	uint32_t   *tokens = build_section(build, SECTION_BYTE_TOKENS,
									   256 * sizeof(uint32_t));
	static const char digits[] = "0123456789ABCDEF";

	if (tokens == NULL)
		return false;
	for (int byte = 0; byte < 256; byte++)
	{
		char		name[6] = {
				   '<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};

		tokens[byte] = build_find(build, name, sizeof(name));
	}
	return true;
}

bool
build_unigram(Build *build, const double *scores, uint32_t count)
{
	BuildKey   *keys = new_keys(build);
	double		least = INFINITY;
	uint32_t	key_count = 0;

	if (keys == NULL || !byte_tokens(build))
		return false;
	for (uint32_t i = 0; i < count; i++)
		least = scores[i] < least ? scores[i] : least;
	build->header.unknown_score = least - UNKNOWN_PENALTY;
	build_append(build, SECTION_SCORES, scores, count * sizeof(double));
	for (uint32_t i = 0; i < build->piece_count; i++)
	{
		const BuildPiece *piece = &build->pieces[i];
		BuildKey	key = {(const unsigned char *) piece->text, piece->length,
						   piece->id};

		if (piece->length > 0 && is_current(build, piece))
			keys[key_count++] = key;
	}
	return build_trie(build, SECTION_TRIE, keys, key_count);
}

/* ---------- byte pair encoding ---------- */

/*
 * The bytes that a text of the byte-level alphabet stands for; false if any is
 * not of it.
 */
static bool
to_raw(const char *text, uint32_t length, unsigned char *first,
	   unsigned char *last)
{
	const unsigned char *p = (const unsigned char *) text;

	if (length == 0)
		return false;
	for (uint32_t i = 0; i < length; i += utf8_step(p + i))
	{
		int			byte = byte_level_byte(utf8_code(p + i));

		if (byte < 0)
			return false;
		if (i == 0)
			*first = (unsigned char) byte;
		*last = (unsigned char) byte;
	}
	return true;
}

/* Ids of single bytes of the byte-level alphabet, or of ASCII. */
static bool
units(Build *build)
{
	uint32_t   *ids = build_section(build, SECTION_UNITS,
									256 * sizeof(uint32_t));
	const ImageStep *steps =
		(ImageStep *) build->sections[SECTION_SPLITTERS].bytes;
	size_t		step_count = build->sections[SECTION_SPLITTERS].size /
							 sizeof(ImageStep);
	bool		raw = step_count > 0 &&
					  steps[step_count - 1].kind == SPLIT_BYTE_LEVEL &&
					  !(build->header.model_flags & BPE_AFFIXES);

	if (ids == NULL)
		return false;
	for (uint32_t byte = 0; byte < 256 && raw; byte++)
	{
		unsigned char text[4];
		int			length = utf8_encode(
					byte_level_character((unsigned char) byte), text);

		ids[byte] = build_find(build, (char *) text, (size_t) length);
		raw = ids[byte] != NO_ID;
	}
	if (raw)
	{
		build->header.model_flags |= BPE_RAW_BYTES;
		((ImageStep *) build->sections[SECTION_SPLITTERS]
			 .bytes)[step_count - 1]
			.flags |= BYTE_RAW;
		return true;
	}
	for (uint32_t byte = 0; byte < 256; byte++)
	{
		char		letter = (char) byte;

		ids[byte] = byte < 0x80 ? build_find(build, &letter, 1) : NO_ID;
	}
	return true;
}

/* One merge into the table; a pair that comes again counts from the last. */
static void
enter_merge(ImageMerge *table, uint32_t mask, ImageMerge merge)
{
	uint32_t	slot = merge_slot(merge.left, merge.right) & mask;

	while (table[slot].left != NO_ID && !(table[slot].left == merge.left &&
										  table[slot].right == merge.right))
		slot = (slot + 1) & mask;
	table[slot] = merge;
}

static bool
merge_fault(Build *build, const char *text, size_t length)
{
	char		excerpt[UTF8_EXCERPT];

	return build_fault(build, FORMAT_MALFORMED, "A merge needs \"%s\", which is not in the vocabulary.",
					   utf8_excerpt(text, length, excerpt));
}

/* The id of what a merge makes, the prefix of its right part taken off. */
static uint32_t
merged_id(Build *build, const BuildMerge *merge, char **buffer,
		  size_t *capacity)
{
	uint32_t	prefix = build->header.prefix_length;
	size_t		length;
	uint32_t	id;

	if (merge->right_length < prefix)
	{
		merge_fault(build, merge->right, merge->right_length);
		return NO_ID;
	}
	length = (size_t) merge->left_length + merge->right_length - prefix;
	if (length > *capacity)
	{
		*capacity = length * 2;
		*buffer = build_alloc(build, *capacity, 1);
		if (*buffer == NULL)
			return NO_ID;
	}
	memcpy(*buffer, merge->left, merge->left_length);
	memcpy(*buffer + merge->left_length, merge->right + prefix,
		   merge->right_length - prefix);
	id = build_find(build, *buffer, length);
	if (id == NO_ID)
		merge_fault(build, *buffer, length);
	return id;
}

/* ---------- where no merge joins ---------- */

static uint32_t
last_character(const char *text, uint32_t length)
{
	uint32_t	at = length - 1;

	while (at > 0 && ((unsigned char) text[at] & 0xC0) == 0x80)
		at--;
	return utf8_code((const unsigned char *) text + at);
}

static void
set_bit(unsigned char *bits, uint32_t bit)
{
	bits[bit >> 3] |= (unsigned char) (1 << (bit & 7));
}

/*
 * A text may be cut between two characters that no merge joins, if merges
 * join nothing but what the characters of a text become: symbols that stand
 * for a byte, or for a character with an affix, would not show.
 */
static bool
adjacent_characters(Build *build, const BuildMerge *merges, uint32_t count)
{
	unsigned char *bits = build_section(build, SECTION_ADJACENT,
										ADJACENT_BITS / 8);
	unsigned char *known = build_section(build, SECTION_KNOWN, KNOWN_BITS / 8);
	const uint32_t *tokens =
		(uint32_t *) build->sections[SECTION_BYTE_TOKENS].bytes;
	bool		raw = (build->header.model_flags & BPE_RAW_BYTES) != 0;

	if (bits == NULL || known == NULL)
		return false;
	if (build->header.model_flags & (BPE_AFFIXES | BPE_IGNORE_MERGES))
		return true;
	/* where unknown characters are dropped, their neighbours meet */
	if (!raw && build->header.unknown == NO_ID)
		return true;
	for (uint32_t i = 0; i < count; i++)
	{
		const BuildMerge *merge = &merges[i];
		unsigned char unused;
		unsigned char before = 0;
		unsigned char after = 0;
		uint32_t	left = build_find(build, merge->left, merge->left_length);
		uint32_t	right = build_find(build, merge->right,
									   merge->right_length);

		if (merge->left_length == 0 || merge->right_length == 0)
			return true;
		if (!raw &&
			(left == build->header.unknown || right == build->header.unknown))
			return true;
		for (int byte = 0; byte < 256; byte++)
		{
			if (tokens[byte] == left || tokens[byte] == right)
				return true;
		}
		if (!raw)
			set_bit(
				bits,
				adjacent_bit(last_character(merge->left, merge->left_length),
							 utf8_code((const unsigned char *) merge->right)));
		else if (to_raw(merge->left, merge->left_length, &unused, &before) &&
				 to_raw(merge->right, merge->right_length, &after, &unused))
			set_bit(bits, adjacent_bit(before, after));
		/* else a symbol that no text becomes */
	}
	for (uint32_t i = 0; i < build->piece_count && !raw; i++)
	{
		const BuildPiece *piece = &build->pieces[i];
		const unsigned char *text = (const unsigned char *) piece->text;

		if (piece->length > 0 && piece->length == utf8_step(text) &&
			utf8_code(text) < KNOWN_BITS)
			set_bit(known, utf8_code(text));
	}
	if (raw)
		memset(known, 0xFF, 256 / 8);
	build->header.model_flags |= BPE_CUTS;
	return true;
}

bool
build_bpe(Build *build, const BuildMerge *merges, uint32_t count)
{
	uint32_t	slots = 16;
	ImageMerge *table;
	char	   *buffer = NULL;
	size_t		capacity = 0;

	if (!byte_tokens(build) || !units(build))
		return false;
	while (slots < count * 2)
		slots *= 2;
	table = build_section(build, SECTION_MERGES,
						  (size_t) slots * sizeof(ImageMerge));
	if (table == NULL)
		return false;
	memset(table, 0xFF, (size_t) slots * sizeof(ImageMerge));
	for (uint32_t i = 0; i < count; i++)
	{
		const BuildMerge *merge = &merges[i];
		ImageMerge	entry;

		if (i % PER_INTERRUPT == 0)
			build_interrupt(build);
		entry.left = build_find(build, merge->left, merge->left_length);
		if (entry.left == NO_ID)
			return merge_fault(build, merge->left, merge->left_length);
		entry.right = build_find(build, merge->right, merge->right_length);
		if (entry.right == NO_ID)
			return merge_fault(build, merge->right, merge->right_length);
		entry.rank = merge->rank;
		entry.id = merged_id(build, merge, &buffer, &capacity);
		if (entry.id == NO_ID)
			return false;
		enter_merge(table, slots - 1, entry);
	}
	return adjacent_characters(build, merges, count);
}
