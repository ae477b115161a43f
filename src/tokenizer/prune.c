/*-------------------------------------------------------------------------
 *
 * prune.c
 *	  A tokenizer.json without the tokens that a static model has no use for.
 *
 * The tree of the old file is written again: all of it but the parts that
 * speak of ids, which are new ones without gaps.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/prune.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_write.h"

#define GONE UINT32_MAX

#define TOKENS_PER_INTERRUPT 16384

typedef struct Entry
{
	const char *text;
	uint32_t	length;
	uint32_t	id;				/* old */
	uint32_t	place;			/* in the file */
	uint32_t	renamed;		/* the new id, or GONE */
	const JsonValue *value;		/* of a list: the element */
} Entry;

typedef struct Pruning
{
	Arena	   *arena;
	FormatFault *fault;
	TokenizerCompileOptions options;
	const JsonValue *root;
	const JsonValue *vocabulary;
	const char *kept[2];		/* added tokens that stay, or NULL */
	size_t		kept_length[2];
	Entry	   *entries;		/* by id: pieces of the model, then others */
	uint32_t	pieces;
	uint32_t	count;
	Entry	  **by_text;
	Entry	   *removed;		/* names that are gone, by text */
	uint32_t	removed_count;
	JsonWriter	writer;
} Pruning;

static void
interrupt(const Pruning *pruning, uint32_t number)
{
	if (number % TOKENS_PER_INTERRUPT == 0 &&
		pruning->options.interrupt != NULL)
		pruning->options.interrupt(pruning->options.context);
}

static void *
allocate(Pruning *pruning, size_t count, size_t size)
{
	void	   *memory = arena_alloc_array(pruning->arena, count + 1, size);

	if (memory == NULL)
		format_fault(pruning->fault, FORMAT_OUT_OF_MEMORY, 0, 0,
					 "No memory for %zu tokens.", count);
	return memory;
}

static bool
refuse(Pruning *pruning, const char *what)
{
	format_fault(pruning->fault, FORMAT_MALFORMED, 0, 0,
				 "%s of tokenizer.json is not as it should be.", what);
	return false;
}

/* ---------- the tokens ---------- */

static int
compare_texts(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		both = a_length < b_length ? a_length : b_length;
	int			order = memcmp(a, b, both);

	if (order != 0)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_ids(const void *left, const void *right)
{
	const Entry *a = left;
	const Entry *b = right;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static int
compare_entries(const void *left, const void *right)
{
	const Entry *a = left;
	const Entry *b = right;

	return compare_texts(a->text, a->length, b->text, b->length);
}

static int
compare_places(const void *left, const void *right)
{
	return compare_entries(*(const Entry *const *) left,
						   *(const Entry *const *) right);
}

/* The token of this text, or NULL. */
static Entry *
find_entry(const Pruning *pruning, const char *text, size_t length)
{
	uint32_t	low = 0;
	uint32_t	high = pruning->pieces;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		Entry	   *entry = pruning->by_text[middle];
		int			order = compare_texts(entry->text, entry->length, text,
										  length);

		if (order == 0)
			return entry;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool
is_removed(const Pruning *pruning, const char *text, size_t length)
{
	Entry		key = {text, (uint32_t) length};

	return bsearch(&key, pruning->removed, pruning->removed_count,
				   sizeof(Entry), compare_entries) != NULL;
}

static Entry *
add_entry(Pruning *pruning, const JsonValue *text, int64_t id)
{
	Entry	   *entry = &pruning->entries[pruning->count];

	if (!json_is(text, JSON_STRING) || id < 0 || id >= UINT32_MAX)
		return NULL;
	memset(entry, 0, sizeof(Entry));
	entry->text = text->text;
	entry->length = text->length;
	entry->id = (uint32_t) id;
	entry->place = pruning->count++;
	return entry;
}

/* An object of ids, or a list of pieces with their scores. */
static bool
read_pieces(Pruning *pruning)
{
	const JsonValue *vocabulary = pruning->vocabulary;
	bool		is_list = json_is(vocabulary, JSON_ARRAY);

	for (const JsonValue *item = json_first(vocabulary); item != NULL;
		 item = json_next(vocabulary, item))
	{
		Entry	   *entry = NULL;
		int64_t		id = pruning->count;

		interrupt(pruning, pruning->count);
		if (is_list)
			entry = add_entry(pruning, json_first(item), id);
		else if (json_int64(json_member(item), &id))
			entry = add_entry(pruning, item, id);
		if (entry == NULL)
			return refuse(pruning, "The vocabulary");
		entry->value = item;
	}
	pruning->pieces = pruning->count;
	qsort(pruning->entries, pruning->pieces, sizeof(Entry), compare_ids);
	for (uint32_t i = 0; i < pruning->pieces; i++)
		pruning->by_text[i] = &pruning->entries[i];
	qsort(pruning->by_text, pruning->pieces, sizeof(Entry *), compare_places);
	return true;
}

static bool
is_kept(const Pruning *pruning, const JsonValue *text)
{
	for (int i = 0; i < 2; i++)
	{
		if (pruning->kept[i] != NULL &&
			pruning->kept_length[i] == text->length &&
			memcmp(pruning->kept[i], text->text, text->length) == 0)
			return true;
	}
	return false;
}

/* "[unused0]" and so on: places that a vocabulary keeps free. */
static bool
is_unused(const Entry *entry)
{
	static const char start[] = "[unused";
	size_t		at = sizeof(start) - 1;

	if (entry->length < at || memcmp(entry->text, start, at) != 0)
		return false;
	while (at < entry->length && entry->text[at] >= '0' &&
		   entry->text[at] <= '9')
		at++;
	return at > sizeof(start) - 1 && at < entry->length &&
		entry->text[at] == ']';
}

static void
remove_text(Pruning *pruning, const char *text, uint32_t length)
{
	Entry	   *removed = &pruning->removed[pruning->removed_count++];

	memset(removed, 0, sizeof(Entry));
	removed->text = text;
	removed->length = length;
}

/* Those that stay and are no pieces of the model come after these. */
static bool
read_added(Pruning *pruning, const JsonValue *list)
{
	for (const JsonValue *item = json_first(list); item != NULL;
		 item = json_next(list, item))
	{
		const JsonValue *content = json_get(item, "content");
		Entry	   *entry;
		int64_t		id;

		if (!json_is(content, JSON_STRING) ||
			!json_int64(json_get(item, "id"), &id))
			return refuse(pruning, "An added token");
		entry = find_entry(pruning, content->text, content->length);
		if (!is_kept(pruning, content))
		{
			if (entry != NULL)
				entry->renamed = GONE;
			remove_text(pruning, content->text, content->length);
		}
		else if (entry == NULL && add_entry(pruning, content, id) == NULL)
			return refuse(pruning, "An added token");
	}
	qsort(pruning->entries + pruning->pieces,
		  pruning->count - pruning->pieces, sizeof(Entry), compare_ids);
	return true;
}

static void
number_entries(Pruning *pruning, PrunedTokenizer *pruned)
{
	pruned->count = 0;
	for (uint32_t i = 0; i < pruning->count; i++)
	{
		Entry	   *entry = &pruning->entries[i];

		interrupt(pruning, i);
		if (entry->renamed == GONE)
			continue;
		if (i < pruning->pieces && is_unused(entry))
		{
			entry->renamed = GONE;
			remove_text(pruning, entry->text, entry->length);
			continue;
		}
		entry->renamed = pruned->count;
		pruned->ids[pruned->count++] = entry->id;
	}
	qsort(pruning->removed, pruning->removed_count, sizeof(Entry),
		  compare_entries);
}

/* ---------- the file ---------- */

static void
write_key(Pruning *pruning, const JsonValue *key)
{
	json_write_key(&pruning->writer, key->text, key->length);
}

/* One that stays, which is among the pieces or behind them. */
static const Entry *
find_added(const Pruning *pruning, const JsonValue *content)
{
	const Entry *entry = find_entry(pruning, content->text, content->length);

	for (uint32_t i = pruning->pieces; entry == NULL && i < pruning->count;
		 i++)
	{
		const Entry *other = &pruning->entries[i];

		if (compare_texts(other->text, other->length, content->text,
						  content->length) == 0)
			entry = other;
	}
	return entry;
}

static void
write_added(Pruning *pruning, const JsonValue *list)
{
	JsonWriter *writer = &pruning->writer;

	json_write_begin(writer, '[');
	for (const JsonValue *item = json_first(list); item != NULL;
		 item = json_next(list, item))
	{
		const JsonValue *content = json_get(item, "content");

		if (!is_kept(pruning, content))
			continue;
		json_write_begin(writer, '{');
		for (const JsonValue *key = json_first(item); key != NULL;
			 key = json_next(item, key))
		{
			write_key(pruning, key);
			if (json_equals(key, "id"))
				json_write_uint64(writer,
								  find_added(pruning, content)->renamed);
			else
				json_write_value(writer, json_member(key));
		}
		json_write_end(writer, '}');
	}
	json_write_end(writer, ']');
}

static void
write_pieces(Pruning *pruning)
{
	JsonWriter *writer = &pruning->writer;
	bool		is_list = json_is(pruning->vocabulary, JSON_ARRAY);

	json_write_begin(writer, is_list ? '[' : '{');
	for (uint32_t i = 0; i < pruning->pieces; i++)
	{
		const Entry *entry = &pruning->entries[i];

		interrupt(pruning, i);
		if (entry->renamed == GONE)
			continue;
		if (is_list)
			json_write_value(writer, entry->value);
		else
		{
			json_write_key(writer, entry->text, entry->length);
			json_write_uint64(writer, entry->renamed);
		}
	}
	json_write_end(writer, is_list ? ']' : '}');
}

/* A merge is "a b" or ["a", "b"]. */
static bool
read_merge(const JsonValue *merge, const char *texts[2], size_t lengths[2])
{
	const JsonValue *left = json_first(merge);
	const JsonValue *right = left == NULL ? NULL : json_next(merge, left);

	if (json_is(merge, JSON_STRING))
	{
		const char *blank = memchr(merge->text, ' ', merge->length);

		if (blank == NULL)
			return false;
		texts[0] = merge->text;
		lengths[0] = blank - merge->text;
		texts[1] = blank + 1;
		lengths[1] = merge->length - lengths[0] - 1;
		return true;
	}
	if (!json_is(left, JSON_STRING) || !json_is(right, JSON_STRING))
		return false;
	texts[0] = left->text;
	lengths[0] = left->length;
	texts[1] = right->text;
	lengths[1] = right->length;
	return true;
}

/* Does it need a token that is gone, or make one? */
static bool
merge_is_removed(Pruning *pruning, const JsonValue *merge)
{
	ArenaMark	mark = arena_mark(pruning->arena);
	const char *texts[2];
	size_t		lengths[2];
	char	   *whole;
	bool		removed;

	if (!read_merge(merge, texts, lengths))
		return false;
	if (is_removed(pruning, texts[0], lengths[0]) ||
		is_removed(pruning, texts[1], lengths[1]))
		return true;
	whole = arena_alloc(pruning->arena, lengths[0] + lengths[1] + 1);
	if (whole == NULL)
	{
		pruning->writer.failed = true;
		return false;
	}
	memcpy(whole, texts[0], lengths[0]);
	memcpy(whole + lengths[0], texts[1], lengths[1]);
	removed = is_removed(pruning, whole, lengths[0] + lengths[1]);
	arena_release(pruning->arena, mark);
	return removed;
}

static void
write_merges(Pruning *pruning, const JsonValue *merges)
{
	uint32_t	number = 0;

	json_write_begin(&pruning->writer, '[');
	for (const JsonValue *merge = json_first(merges); merge != NULL;
		 merge = json_next(merges, merge))
	{
		interrupt(pruning, number++);
		if (!merge_is_removed(pruning, merge))
			json_write_value(&pruning->writer, merge);
	}
	json_write_end(&pruning->writer, ']');
}

static void
write_model(Pruning *pruning, const JsonValue *model)
{
	JsonWriter *writer = &pruning->writer;

	json_write_begin(writer, '{');
	for (const JsonValue *key = json_first(model); key != NULL;
		 key = json_next(model, key))
	{
		const JsonValue *value = json_member(key);
		int64_t		id;

		write_key(pruning, key);
		if (value == pruning->vocabulary)
			write_pieces(pruning);
		else if (json_equals(key, "merges") && json_is(value, JSON_ARRAY))
			write_merges(pruning, value);
		else if (json_equals(key, "unk_id") && json_int64(value, &id) &&
				 id >= 0 && id < pruning->pieces &&
				 pruning->entries[id].renamed != GONE)
			json_write_uint64(writer, pruning->entries[id].renamed);
		else
			json_write_value(writer, value);
	}
	json_write_end(writer, '}');
}

/* The first ByteLevel is told to put a blank before a text. */
static void
write_splitter(Pruning *pruning, const JsonValue *splitter, bool *found)
{
	JsonWriter *writer = &pruning->writer;
	bool		is_bytes = json_equals(json_get(splitter, "type"), "ByteLevel");
	const JsonValue *steps = json_get(splitter, "pretokenizers");

	if (!json_is(splitter, JSON_OBJECT) || *found ||
		(!is_bytes && steps == NULL))
	{
		json_write_value(writer, splitter);
		return;
	}
	*found = is_bytes;
	json_write_begin(writer, '{');
	for (const JsonValue *key = json_first(splitter); key != NULL;
		 key = json_next(splitter, key))
	{
		write_key(pruning, key);
		if (is_bytes && json_equals(key, "add_prefix_space"))
			json_write_raw(writer, "true", 4);
		else if (json_member(key) == steps && json_is(steps, JSON_ARRAY))
		{
			json_write_begin(writer, '[');
			for (const JsonValue *step = json_first(steps); step != NULL;
				 step = json_next(steps, step))
				write_splitter(pruning, step, found);
			json_write_end(writer, ']');
		}
		else
			json_write_value(writer, json_member(key));
	}
	json_write_end(writer, '}');
}

static bool
write_file(Pruning *pruning, PrunedTokenizer *pruned)
{
	JsonWriter *writer = &pruning->writer;
	bool		found = false;

	json_writer_begin(writer, pruning->arena);
	json_write_begin(writer, '{');
	for (const JsonValue *key = json_first(pruning->root); key != NULL;
		 key = json_next(pruning->root, key))
	{
		const JsonValue *value = json_member(key);

		write_key(pruning, key);
		if (json_equals(key, "added_tokens"))
			write_added(pruning, value);
		else if (json_equals(key, "model"))
			write_model(pruning, value);
		else if (json_equals(key, "pre_tokenizer"))
			write_splitter(pruning, value, &found);
		else if (json_equals(key, "post_processor") ||
				 json_equals(key, "truncation") || json_equals(key, "padding"))
			json_write_raw(writer, "null", 4);
		else
			json_write_value(writer, value);
	}
	json_write_end(writer, '}');
	pruned->json = json_writer_text(writer, &pruned->length);
	if (pruned->json == NULL)
		format_fault(pruning->fault, FORMAT_OUT_OF_MEMORY, 0, 0,
					 "No memory for a tokenizer of %u tokens.", pruned->count);
	return pruned->json != NULL;
}

/* ---------- all of it ---------- */

static void
find_kept(Pruning *pruning, const Tokenizer *tokenizer)
{
	static const TokenizerSpecial specials[2] = {TOKENIZER_UNK, TOKENIZER_PAD};

	for (int i = 0; i < 2; i++)
	{
		int64_t		id = tokenizer_special(tokenizer, specials[i]);

		if (id >= 0)
			pruning->kept[i] = tokenizer_token(tokenizer, (uint32_t) id,
											   &pruning->kept_length[i]);
	}
}

static bool
read_tree(Pruning *pruning, const char *json, size_t length)
{
	JsonOptions options = {.last_duplicate_wins = true};

	options.interrupt = pruning->options.interrupt;
	options.context = pruning->options.context;
	pruning->root = json_parse(pruning->arena, json, length, &options,
							   pruning->fault);
	if (pruning->root == NULL)
		return false;
	pruning->vocabulary = json_get(json_get(pruning->root, "model"), "vocab");
	if (!json_is(pruning->vocabulary, JSON_OBJECT) &&
		!json_is(pruning->vocabulary, JSON_ARRAY))
		return refuse(pruning, "The vocabulary");
	return true;
}

FormatStatus
tokenizer_prune(Arena *arena, const Tokenizer *tokenizer, const char *json,
				size_t length, const TokenizerCompileOptions *options,
				PrunedTokenizer *pruned, FormatFault *fault)
{
	Pruning		pruning = {arena, fault};
	const JsonValue *added;
	size_t		most;

	memset(pruned, 0, sizeof(PrunedTokenizer));
	fault->status = FORMAT_OK;
	if (options != NULL)
		pruning.options = *options;
	if (!read_tree(&pruning, json, length))
		return fault->status;
	added = json_get(pruning.root, "added_tokens");
	if (!json_is(added, JSON_ARRAY))
		added = NULL;
	most = (size_t) json_count(pruning.vocabulary) + json_count(added);
	pruning.entries = allocate(&pruning, most, sizeof(Entry));
	pruning.removed = allocate(&pruning, most, sizeof(Entry));
	pruning.by_text = allocate(&pruning, most, sizeof(Entry *));
	pruned->ids = allocate(&pruning, most, sizeof(uint32_t));
	if (fault->status != FORMAT_OK)
		return fault->status;
	find_kept(&pruning, tokenizer);
	if (!read_pieces(&pruning) || !read_added(&pruning, added))
		return fault->status;
	number_entries(&pruning, pruned);
	if (pruned->count == 0)
	{
		refuse(&pruning, "The vocabulary");
		return fault->status;
	}
	(void) write_file(&pruning, pruned);
	return fault->status;
}
