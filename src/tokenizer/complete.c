/*-------------------------------------------------------------------------
 *
 * complete.c
 *	  What every way of compiling ends with: ids of added tokens, what they
 *	  are matched by, special ids, the image.
 *
 *-------------------------------------------------------------------------
 */
#include "math/hash.h"
#include "tokenizer/tokenizer_build.h"
#include "tokenizer/tokenizer_run.h"

/* ---------- ids of added tokens ---------- */

/*
 * How many pieces the package counts: texts of a map, or the list of Unigram.
 */
static uint32_t
distinct_pieces(const Build *build)
{
	uint32_t	count = 0;

	if (build->header.model == MODEL_UNIGRAM)
		return build->piece_count;
	for (uint32_t i = 0; i < build->piece_count; i++)
		count += build_find(build, build->pieces[i].text,
							build->pieces[i].length) == build->pieces[i].id;
	return count;
}

/*
 * A token that is a piece of the model has its id; any other the next one
 * behind the vocabulary, whatever its number in the file: so does the
 * `tokenizers` package.  Of equal tokens the last counts, and so of equal ids.
 */
static bool
number_added(Build *build)
{
	uint32_t	next = distinct_pieces(build);
	uint32_t	kept = 0;
	uint32_t	slots = 16;
	uint32_t   *table;

	while (slots < build->added_count * 2)
		slots *= 2;
	table = build_alloc(build, slots, sizeof(uint32_t));
	if (table == NULL)
		return false;
	memset(table, 0, slots * sizeof(uint32_t));
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		BuildAdded	added = build->added[i];
		uint32_t	slot = (uint32_t) hash_bytes64(added.text, added.length) &
						   (slots - 1);

		while (table[slot] != 0 &&
			   (build->added[table[slot] - 1].length != added.length ||
				memcmp(build->added[table[slot] - 1].text, added.text,
					   added.length) != 0))
			slot = (slot + 1) & (slots - 1);
		if (table[slot] != 0)
		{
			added.id = build->added[table[slot] - 1].id;
			build->added[table[slot] - 1] = added;
			continue;
		}
		added.id = build_find(build, added.text, added.length);
		if (added.id == NO_ID)
			added.id = next++;
		if (next > BUILD_MAX_ID)
			return build_fault(build, FORMAT_TOO_LARGE, "The vocabulary is too large.");
		build->added[kept++] = added;
		table[slot] = kept;
	}
	build->added_count = kept;
	return true;
}

/*
 * An id that two tokens claim is the later one's; the other is matched no
 * more.
 */
static bool
drop_overridden(Build *build)
{
	uint32_t	size = build->header.vocabulary_size;
	uint32_t   *owner = build_alloc(build, size, sizeof(uint32_t));
	uint32_t	kept = 0;

	if (owner == NULL)
		return false;
	memset(owner, 0, (size_t) size * sizeof(uint32_t));
	for (uint32_t i = 0; i < build->added_count; i++)
		owner[build->added[i].id] = i + 1;
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		if (owner[build->added[i].id] == i + 1)
			build->added[kept++] = build->added[i];
	}
	build->added_count = kept;
	return true;
}

static bool
count_ids(Build *build)
{
	uint32_t	size = 0;
	const ImageTemplateItem *items =
		(ImageTemplateItem *) build->sections[SECTION_TEMPLATE].bytes;
	size_t		item_count = build->sections[SECTION_TEMPLATE].size /
							 sizeof(ImageTemplateItem);

	for (uint32_t i = 0; i < build->piece_count; i++)
		size = build->pieces[i].id >= size ? build->pieces[i].id + 1 : size;
	for (uint32_t i = 0; i < build->added_count; i++)
		size = build->added[i].id >= size ? build->added[i].id + 1 : size;
	for (size_t i = 0; i < item_count; i++)
		size = items[i].id != NO_ID && items[i].id >= size ? items[i].id + 1
														   : size;
	if (size == 0)
		return build_fault(build, FORMAT_MALFORMED, "The vocabulary is empty.");
	build->header.vocabulary_size = size;
	return true;
}

/* ---------- what added tokens are matched by ---------- */

/* realloc over the arena, for a run while compiling. */
static void *
arena_resize(void *context, void *block, size_t size)
{
	Build	   *build = context;
	size_t	   *memory;

	if (size == 0)
		return NULL;
	memory = arena_alloc(build->arena, size + 16);
	if (memory == NULL)
		return NULL;
	memory[0] = size;
	if (block != NULL)
	{
		size_t		old = ((size_t *) ((char *) block - 16))[0];

		memcpy((char *) memory + 16, block, old < size ? old : size);
	}
	return (char *) memory + 16;
}

/*
 * Added tokens as they are after normalizing, by an image of the steps alone.
 */
static bool
normalize_added(Build *build, BuildKey *keys, uint32_t count)
{
	Build		steps = *build;
	TokenizerImage image;
	Tokenizer	tokenizer;
	TokenizerScratch scratch;

	if (build->sections[SECTION_NORMALIZERS].size == 0)
		return true;
	for (int i = SECTION_PIECE_OFFSETS; i <= SECTION_KNOWN; i++)
		steps.sections[i].size = 0;
	if (build_finish(&steps, &image) != FORMAT_OK)
		return false;
	tokenizer.bytes = image.bytes;
	tokenizer.header = (const ImageHeader *) image.bytes;
	tokenizer_scratch_begin(&scratch, arena_resize, build, build->interrupt,
							build->interrupt_context);
	for (uint32_t i = 0; i < count; i++)
	{
		const unsigned char *text;
		size_t		length;
		TokenizerStatus status = normalize_text(&tokenizer, &scratch,
												keys[i].text, keys[i].length,
												&text, &length);

		if (status == TOKENIZER_OUT_OF_MEMORY)
			return build_fault(build, FORMAT_OUT_OF_MEMORY,
							   "The tokenizer needs more memory than it may have.");
		if (status != TOKENIZER_OK)
			return build_fault(build, FORMAT_MALFORMED, "An added token cannot be normalized: %s.",
							   tokenizer_message(status));
		keys[i].length = (uint32_t) length;
		keys[i].text = (unsigned char *) arena_copy(build->arena, text,
													length);
		if (keys[i].text == NULL)
			return build_fault(build, FORMAT_OUT_OF_MEMORY,
							   "The tokenizer needs more memory than it may have.");
	}
	return true;
}

static bool
check_keys(Build *build, const BuildKey *keys, uint32_t count)
{
	char		excerpt[UTF8_EXCERPT];

	for (uint32_t i = 0; i < count; i++)
	{
		/* sorted: equal ones are neighbours */
		if (keys[i].length == 0)
			return build_fault(build, FORMAT_MALFORMED,
							   "An added token is nothing after normalizing.");
		if (i > 0 && keys[i].length == keys[i - 1].length &&
			memcmp(keys[i].text, keys[i - 1].text, keys[i].length) == 0)
			return build_fault(
				build, FORMAT_MALFORMED,
				"Two added tokens are both \"%s\" after normalizing.",
				utf8_excerpt((const char *) keys[i].text, keys[i].length,
							 excerpt));
	}
	return true;
}

/* The trie of added tokens that are matched before or after normalizing. */
static bool
added_trie(Build *build, ImageSectionName section, bool normalized)
{
	BuildKey   *keys = build_alloc(build, build->added_count,
								   sizeof(BuildKey));
	uint32_t	count = 0;

	if (keys == NULL)
		return false;
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		BuildKey	key = {(const unsigned char *) build->added[i].text,
						   build->added[i].length, i};

		if (((build->added[i].flags & ADDED_NORMALIZED) != 0) == normalized)
			keys[count++] = key;
	}
	if (count == 0)
		return true;
	if (normalized && !normalize_added(build, keys, count))
		return false;
	return build_trie(build, section, keys, count) &&
		   check_keys(build, keys, count);
}

static bool
write_added(Build *build)
{
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		ImageAdded	added = {build->added[i].id,
							 build->added[i].flags,
							 {0, 0}};

		added.content = build_string(build, build->added[i].text,
									 build->added[i].length);
		build_append(build, SECTION_ADDED, &added, sizeof(added));
	}
	return !build_failed(build);
}

/* ---------- special ids ---------- */

/* The id of a special token by its text: an added one, or a piece. */
static int32_t
find_special(const Build *build, const char *name)
{
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		if (build->added[i].length == strlen(name) &&
			memcmp(build->added[i].text, name, strlen(name)) == 0)
			return (int32_t) build->added[i].id;
	}
	return -1;
}

static void
name_specials(Build *build)
{
	static const struct
	{
		TokenizerSpecial special;
		const char *name;
	}			names[] =
	{
		{TOKENIZER_CLS, "[CLS]"}, {TOKENIZER_CLS, "<cls>"}, {TOKENIZER_CLS, "<s>"},
		{TOKENIZER_SEP, "[SEP]"}, {TOKENIZER_SEP, "<sep>"}, {TOKENIZER_SEP, "</s>"},
		{TOKENIZER_PAD, "[PAD]"}, {TOKENIZER_PAD, "<pad>"}, {TOKENIZER_PAD, "<|padding|>"},
		{TOKENIZER_UNK, "[UNK]"}, {TOKENIZER_UNK, "<unk>"},
		{TOKENIZER_MASK, "[MASK]"}, {TOKENIZER_MASK, "<mask>"},
		{TOKENIZER_BOS, "<s>"}, {TOKENIZER_BOS, "<bos>"}, {TOKENIZER_BOS, "[BOS]"},
		{TOKENIZER_BOS, "<|begin_of_text|>"}, {TOKENIZER_BOS, "<|startoftext|>"},
		{TOKENIZER_EOS, "</s>"}, {TOKENIZER_EOS, "<eos>"}, {TOKENIZER_EOS, "[EOS]"},
		{TOKENIZER_EOS, "<|end_of_text|>"}, {TOKENIZER_EOS, "<|endoftext|>"}
	};

	if (build->header.unknown != NO_ID)
		build->header.specials[TOKENIZER_UNK] =
			(int32_t) build->header.unknown;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (build->header.specials[names[i].special] < 0)
			build->header.specials[names[i].special] =
				find_special(build, names[i].name);
	}
}

FormatStatus
build_complete(Build *build, TokenizerImage *image)
{
	if (!build_failed(build) && number_added(build) && count_ids(build) &&
		drop_overridden(build) && write_added(build) &&
		added_trie(build, SECTION_ADDED_TRIE, false) &&
		added_trie(build, SECTION_ADDED_TRIE_NORMALIZED, true) &&
		build_vocabulary(build))
	{
		name_specials(build);
		return build_finish(build, image);
	}
	return build->fault->status;
}
