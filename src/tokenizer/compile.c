/*-------------------------------------------------------------------------
 *
 * compile.c
 *	  From tokenizer.json, or vocab.txt, to an image.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tokenizer/tokenizer_build.h"
#include "tokenizer/tokenizer_run.h"

#define MAX_PIECES	(1 << 23)
#define MAX_AFFIX	24
#define MAX_ADDED	(1 << 20)

/* ---------- models ---------- */

static bool
model_fault(Build *build, const char *what)
{
	return build_fault(build, FORMAT_MALFORMED, "The model of tokenizer.json has %s.", what);
}

/* {"piece": id, ...} */
static bool
read_vocabulary(Build *build, const JsonValue *vocab)
{
	uint32_t	count = 0;

	if (!json_is(vocab, JSON_OBJECT))
		return model_fault(build, "no vocabulary");
	if (json_count(vocab) > MAX_PIECES)
		return build_fault(build, FORMAT_TOO_LARGE, "The vocabulary is too large.");
	build->pieces = build_alloc(build, json_count(vocab), sizeof(BuildPiece));
	if (build->pieces == NULL)
		return false;
	for (const JsonValue *key = json_first(vocab); key != NULL;
		 key = json_next(vocab, key))
	{
		BuildPiece *piece = &build->pieces[count++];
		int64_t		id;

		if (!json_int64(json_member(key), &id) || id < 0 || id >= BUILD_MAX_ID)
			return model_fault(build, "an invalid id");
		piece->text = key->text;
		piece->length = key->length;
		piece->id = (uint32_t) id;
	}
	build->piece_count = count;
	return build_index_pieces(build);
}

/* The unknown token of a model that names it; it may be missing. */
static bool
read_unknown(Build *build, const JsonValue *model, bool needed)
{
	const JsonValue *token = json_get(model, "unk_token");

	if (!needed && (token == NULL || json_is(token, JSON_NULL)))
		return true;
	if (!json_is(token, JSON_STRING))
		return model_fault(build, "no \"unk_token\"");
	build->header.unknown = build_find(build, token->text, token->length);
	if (build->header.unknown == NO_ID)
		build->header.model_flags |= BPE_UNKNOWN_MISSING;
	return true;
}

static bool
read_wordpiece(Build *build, const JsonValue *model)
{
	const JsonValue *prefix = json_get(model, "continuing_subword_prefix");
	int64_t		most;

	build->header.model = MODEL_WORDPIECE;
	if (!json_is(prefix, JSON_STRING))
		return model_fault(build, "no \"continuing_subword_prefix\"");
	if (!json_int64(json_get(model, "max_input_chars_per_word"), &most) || most < 0)
		return model_fault(build, "no \"max_input_chars_per_word\"");
	build->header.max_characters = most > 10000 ? 10000 : (uint32_t) most;
	return read_vocabulary(build, json_get(model, "vocab")) &&
		read_unknown(build, model, true) &&
		build_wordpiece(build, prefix->text, prefix->length);
}

static bool
read_wordlevel(Build *build, const JsonValue *model)
{
	build->header.model = MODEL_WORDLEVEL;
	return read_vocabulary(build, json_get(model, "vocab")) && read_unknown(build, model, true);
}

/* The double nearest to a power of ten, up to 308. */
static double
power_of_ten(int exponent)
{
	char		text[8];

	snprintf(text, sizeof(text), "1e%d", exponent);
	return strtod(text, NULL);
}

/*
 * A number as serde_json reads it, which is not always the nearest double.
 *
 * Without its feature float_roundtrip it takes the digits that fit in 64 bits
 * as a whole number and multiplies or divides it by a power of ten.  Ties
 * between segmentations depend on the last bit, so scores are read like this.
 */
static bool
score_as_written(const JsonValue *value, double *score)
{
	uint64_t	digits = 0;
	int64_t		exponent = 0;
	bool		full = false;
	bool		fraction = false;
	bool		negative;
	uint32_t	at = 0;
	double		exact;

	if (!json_double(value, &exact))
		return false;
	negative = value->text[0] == '-';
	at += negative;
	for (; at < value->length && (value->text[at] | 32) != 'e'; at++)
	{
		uint64_t	digit = (uint64_t) (value->text[at] - '0');

		if (value->text[at] == '.')
		{
			fraction = true;
			continue;
		}
		if (full || digits > (UINT64_MAX - digit) / 10)
		{
			full = true;
			exponent += !fraction;
			continue;
		}
		digits = digits * 10 + digit;
		exponent -= fraction;
	}
	if (at < value->length)
	{
		int64_t		power = 0;
		bool		down = value->text[at + 1] == '-';

		for (at++; at < value->length; at++)
		{
			if (value->text[at] >= '0' && value->text[at] <= '9' &&
				power < 100000)
				power = power * 10 + (value->text[at] - '0');
		}
		exponent += down ? -power : power;
	}
	*score = (double) digits;
	for (; exponent < -308 && *score != 0; exponent += 308)
		*score /= 1e308;
	if (*score != 0)
	{
		if (exponent > 308 || exponent < -308)
			return false;
		*score = exponent >= 0 ? *score * power_of_ten((int) exponent) :
			*score / power_of_ten((int) -exponent);
	}
	if (negative)
		*score = -*score;
	return isfinite(*score);
}

/* [["piece", score], ...] */
static bool
read_unigram(Build *build, const JsonValue *model)
{
	const JsonValue *vocab = json_get(model, "vocab");
	const JsonValue *unknown = json_get(model, "unk_id");
	const JsonValue *fallback = json_get(model, "byte_fallback");
	double	   *scores;
	uint32_t	count = 0;
	int64_t		id;
	bool		falls = false;

	build->header.model = MODEL_UNIGRAM;
	if (!json_is(vocab, JSON_ARRAY))
		return model_fault(build, "no vocabulary");
	if (json_count(vocab) > MAX_PIECES)
		return build_fault(build, FORMAT_TOO_LARGE, "The vocabulary is too large.");
	build->pieces = build_alloc(build, json_count(vocab), sizeof(BuildPiece));
	scores = build_alloc(build, json_count(vocab), sizeof(double));
	if (build->pieces == NULL || scores == NULL)
		return false;
	for (const JsonValue *item = json_first(vocab); item != NULL;
		 item = json_next(vocab, item))
	{
		const JsonValue *text = json_first(item);

		if (!json_is(item, JSON_ARRAY) || json_count(item) != 2 ||
			!json_is(text, JSON_STRING) ||
			!score_as_written(json_next(item, text), &scores[count]))
			return model_fault(build, "a piece that is not a text and a number");
		build->pieces[count].text = text->text;
		build->pieces[count].length = text->length;
		build->pieces[count].id = count;
		count++;
	}
	build->piece_count = count;
	if (fallback != NULL && !json_bool(fallback, &falls))
		return model_fault(build, "an invalid \"byte_fallback\"");
	if (falls)
		build->header.model_flags |= BPE_BYTE_FALLBACK;
	if (unknown != NULL && !json_is(unknown, JSON_NULL))
	{
		if (!json_int64(unknown, &id) || id < 0 || id >= count)
			return model_fault(build, "an invalid \"unk_id\"");
		build->header.unknown = (uint32_t) id;
	}
	return build_index_pieces(build) && build_unigram(build, scores, count);
}

/* "left right" or ["left", "right"] */
static bool
read_merge(Build *build, const JsonValue *item, BuildMerge *merge)
{
	const JsonValue *left = json_first(item);
	const char *blank;

	if (json_is(item, JSON_ARRAY))
	{
		const JsonValue *right = left == NULL ? NULL : json_next(item, left);

		if (json_count(item) != 2 || !json_is(left, JSON_STRING) ||
			!json_is(right, JSON_STRING))
			return model_fault(build, "a merge that is not a pair");
		merge->left = left->text;
		merge->left_length = left->length;
		merge->right = right->text;
		merge->right_length = right->length;
		return true;
	}
	blank = json_is(item, JSON_STRING) ? memchr(item->text, ' ', item->length)
									   : NULL;
	if (blank == NULL ||
		memchr(blank + 1, ' ',
			   item->length - (size_t) (blank + 1 - item->text)) != NULL)
		return model_fault(build, "a merge that is not two pieces with a blank between them");
	merge->left = item->text;
	merge->left_length = (uint32_t) (blank - item->text);
	merge->right = blank + 1;
	merge->right_length = item->length - merge->left_length - 1;
	return true;
}

/* A prefix or a suffix of subwords, which may be missing. */
static bool
read_affix(Build *build, const JsonValue *model, const char *name,
		   uint32_t *offset, uint32_t *length)
{
	const JsonValue *text = json_get(model, name);

	*offset = *length = 0;
	if (text == NULL || json_is(text, JSON_NULL))
		return true;
	if (!json_is(text, JSON_STRING) || text->length > MAX_AFFIX)
		return model_fault(build, "an invalid prefix or suffix");
	*offset = build_string(build, text->text, text->length).offset;
	*length = text->length;
	if (text->length > 0)
		build->header.model_flags |= BPE_AFFIXES;
	return true;
}

static bool
read_flag(Build *build, const JsonValue *model, const char *name,
		  uint32_t flag)
{
	const JsonValue *value = json_get(model, name);
	bool		on = false;

	if (value != NULL && !json_is(value, JSON_NULL) && !json_bool(value, &on))
		return model_fault(build, "an option that is neither true nor false");
	if (on)
		build->header.model_flags |= flag;
	return true;
}

static bool
read_bpe(Build *build, const JsonValue *model)
{
	const JsonValue *list = json_get(model, "merges");
	const JsonValue *dropout = json_get(model, "dropout");
	bool		strings = json_is(json_first(list), JSON_STRING);
	BuildMerge *merges;
	uint32_t	count = 0;
	double		rate;

	build->header.model = MODEL_BPE;
	if (!json_is(list, JSON_ARRAY))
		return model_fault(build, "no merges");
	if (dropout != NULL && !json_is(dropout, JSON_NULL) &&
		(!json_double(dropout, &rate) || rate != 0))
		return build_fault(build, FORMAT_UNSUPPORTED, "A model with dropout is not supported: its tokens are random.");
	if (!read_vocabulary(build, json_get(model, "vocab")) || !read_unknown(build, model, false) ||
		!read_flag(build, model, "byte_fallback", BPE_BYTE_FALLBACK) ||
		!read_flag(build, model, "fuse_unk", BPE_FUSE_UNKNOWN) ||
		!read_flag(build, model, "ignore_merges", BPE_IGNORE_MERGES) ||
		!read_affix(build, model, "continuing_subword_prefix", &build->header.prefix_offset,
					&build->header.prefix_length) ||
		!read_affix(build, model, "end_of_word_suffix", &build->header.suffix_offset,
					&build->header.suffix_length))
		return false;
	merges = build_alloc(build, json_count(list), sizeof(BuildMerge));
	if (merges == NULL)
		return false;
	for (const JsonValue *item = json_first(list); item != NULL;
		 item = json_next(list, item))
	{
		if (json_is(item, JSON_STRING) != strings)
			return model_fault(build, "merges of two kinds");
		/* the head line of merges.txt, where it was copied along */
		if (strings && item->length >= 8 && memcmp(item->text, "#version", 8) == 0)
			continue;
		if (!read_merge(build, item, &merges[count]))
			return false;
		merges[count].rank = count;
		count++;
	}
	return build_bpe(build, merges, count);
}

bool
build_model(Build *build, const JsonValue *model)
{
	const JsonValue *type = json_get(model, "type");
	char		excerpt[UTF8_EXCERPT];

	if (!json_is(model, JSON_OBJECT))
		return build_fault(build, FORMAT_MALFORMED, "tokenizer.json has no model.");
	/* files of old do not say: the options that only one type has do */
	if (json_equals(type, "BPE") || (type == NULL && json_get(model, "merges") != NULL))
		return read_bpe(build, model);
	if (json_equals(type, "WordPiece") ||
		(type == NULL && json_get(model, "max_input_chars_per_word") != NULL))
		return read_wordpiece(build, model);
	if (json_equals(type, "Unigram") ||
		(type == NULL && json_is(json_get(model, "vocab"), JSON_ARRAY)))
		return read_unigram(build, model);
	if (json_equals(type, "WordLevel") || type == NULL)
		return read_wordlevel(build, model);
	return build_fault(build, FORMAT_UNSUPPORTED,
					   "The model \"%s\" is not supported.",
					   json_is(type, JSON_STRING)
						   ? utf8_excerpt(type->text, type->length, excerpt)
						   : json_kind_name(type));
}

/* ---------- added tokens ---------- */

bool
build_added(Build *build, const JsonValue *list)
{
	static const struct
	{
		const char *name;
		uint32_t	flag;
	}			options[] =
	{
		{"single_word", ADDED_SINGLE_WORD}, {"lstrip", ADDED_LSTRIP}, {"rstrip", ADDED_RSTRIP},
		{"normalized", ADDED_NORMALIZED}, {"special", ADDED_SPECIAL}
	};

	if (list == NULL || json_is(list, JSON_NULL))
		return true;
	if (!json_is(list, JSON_ARRAY) || json_count(list) > MAX_ADDED)
		return build_fault(build, FORMAT_MALFORMED, "The added tokens are not a list.");
	build->added = build_alloc(build, json_count(list), sizeof(BuildAdded));
	if (build->added == NULL)
		return false;
	for (const JsonValue *item = json_first(list); item != NULL;
		 item = json_next(list, item))
	{
		const JsonValue *content = json_get(item, "content");
		BuildAdded	added = {0};

		if (!json_is(content, JSON_STRING))
			return build_fault(build, FORMAT_MALFORMED, "An added token has no content.");
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		{
			bool		on;

			if (!json_bool(json_get(item, options[i].name), &on))
				return build_fault(build, FORMAT_MALFORMED, "An added token has no \"%s\".",
								   options[i].name);
			added.flags |= on ? options[i].flag : 0;
		}
		added.text = content->text;
		added.length = content->length;
		if (added.length > 0)
			build->added[build->added_count++] = added;
	}
	return true;
}

/* ---------- vocab.txt ---------- */

typedef struct Lines
{
	const char *text;
	size_t		length;
	size_t		at;
} Lines;

/* The next line without its end; false after the last. */
static bool
next_line(Lines *lines, const char **line, uint32_t *length)
{
	const char *end;
	size_t		rest = lines->length - lines->at;

	if (rest == 0)
		return false;
	*line = lines->text + lines->at;
	end = memchr(*line, '\n', rest);
	*length = (uint32_t) (end == NULL ? rest : (size_t) (end - *line));
	lines->at += *length + (end != NULL);
	if (*length > 0 && (*line)[*length - 1] == '\r')
		(*length)--;
	return true;
}

static bool
read_lines(Build *build, const char *text, size_t length)
{
	Lines		lines = {text, length, 0};
	uint32_t	count = 0;
	const char *line;
	uint32_t	line_length;

	if (length > JSON_MAX_LENGTH)
		return build_fault(build, FORMAT_TOO_LARGE, "The vocabulary is too large.");
	if (utf8_valid_length((const unsigned char *) text, length) != length)
		return build_fault(build, FORMAT_MALFORMED, "The vocabulary is not valid UTF-8.");
	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		lines.at = 3;			/* a byte order mark is no part of the first
								 * piece */
	while (next_line(&lines, &line, &line_length))
		count++;
	if (count == 0 || count > MAX_PIECES)
		return build_fault(build,
						   count == 0 ? FORMAT_MALFORMED : FORMAT_TOO_LARGE,
						   "The vocabulary has %u lines.", count);
	build->pieces = build_alloc(build, count, sizeof(BuildPiece));
	if (build->pieces == NULL)
		return false;
	lines.at = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	while (next_line(&lines, &line, &line_length))
	{
		BuildPiece *piece = &build->pieces[build->piece_count];

		piece->text = line;
		piece->length = line_length;
		piece->id = build->piece_count++;
	}
	return build_index_pieces(build);
}

/* Adds one of BERT's special tokens, if the vocabulary has it. */
static uint32_t
add_special(Build *build, const char *name, const char *usual,
			TokenizerSpecial special)
{
	BuildAdded *added = &build->added[build->added_count];
	const char *text = name != NULL ? name : usual;
	uint32_t	id = build_find(build, text, strlen(text));

	if (id == NO_ID)
		return NO_ID;
	added->text = text;
	added->length = (uint32_t) strlen(text);
	added->flags = ADDED_SPECIAL;
	added->id = id;
	build->added_count++;
	build->header.specials[special] = (int32_t) id;
	return id;
}

static bool
build_from_lines(Build *build, const char *text, size_t length,
				 const TokenizerBertOptions *bert)
{
	static const TokenizerBertOptions usual = {.strip_accents = -1};
	ImageStep  *step;
	uint32_t	items[3];
	bool		strips;

	if (bert == NULL)
		bert = &usual;
	strips = bert->strip_accents < 0 ? !bert->keep_case
									 : bert->strip_accents != 0;
	step = build_step(build, SECTION_NORMALIZERS, NORMALIZE_BERT);
	if (step == NULL)
		return false;
	step->flags = BERT_CLEAN | (bert->keep_chinese ? 0 : BERT_CHINESE) |
		(strips ? BERT_STRIP : 0) | (bert->keep_case ? 0 : BERT_LOWER);
	build->header.model = MODEL_WORDPIECE;
	build->header.max_characters = 100;
	build->header.truncation = bert->max_length;
	build->added = build_alloc(build, TOKENIZER_SPECIALS, sizeof(BuildAdded));
	if (build_step(build, SECTION_SPLITTERS, SPLIT_BERT) == NULL ||
		build->added == NULL || !read_lines(build, text, length))
		return false;
	memset(build->added, 0, TOKENIZER_SPECIALS * sizeof(BuildAdded));
	build->header.unknown = add_special(build, bert->unk_token, "[UNK]", TOKENIZER_UNK);
	items[0] = add_special(build, bert->cls_token, "[CLS]", TOKENIZER_CLS);
	items[1] = NO_ID;
	items[2] = add_special(build, bert->sep_token, "[SEP]", TOKENIZER_SEP);
	add_special(build, bert->pad_token, "[PAD]", TOKENIZER_PAD);
	add_special(build, bert->mask_token, "[MASK]", TOKENIZER_MASK);
	if (build->header.unknown == NO_ID || items[0] == NO_ID ||
		items[2] == NO_ID)
		return build_fault(build, FORMAT_MALFORMED,
						   "The vocabulary lacks one of the special tokens for unknown words, the beginning and the end.");
	return build_wordpiece(build, "##", 2) && build_template(build, items, 3);
}

FormatStatus
tokenizer_compile_vocabulary(Arena *arena, const char *text, size_t length,
							 const TokenizerBertOptions *bert,
							 const TokenizerCompileOptions *options,
							 TokenizerImage *image, FormatFault *fault)
{
	Build		build;

	build_begin(&build, arena, options, fault);
	if (!build_from_lines(&build, text, length, bert))
		return fault->status;
	return build_complete(&build, image);
}

/* ---------- tokenizer.json ---------- */

static bool
read_truncation(Build *build, const JsonValue *truncation)
{
	const JsonValue *direction = json_get(truncation, "direction");
	const JsonValue *strategy = json_get(truncation, "strategy");
	int64_t		most;

	if (truncation == NULL || json_is(truncation, JSON_NULL))
		return true;
	if (!json_int64(json_get(truncation, "max_length"), &most) || most < 0)
		return build_fault(build, FORMAT_MALFORMED, "The truncation has no \"max_length\".");
	if (json_equals(strategy, "OnlySecond"))
		return build_fault(build, FORMAT_UNSUPPORTED,
						   "The truncation strategy \"OnlySecond\" is not supported: there is no second text.");
	if (strategy != NULL && !json_equals(strategy, "LongestFirst") &&
		!json_equals(strategy, "OnlyFirst"))
		return build_fault(build, FORMAT_UNSUPPORTED, "The truncation has an unknown strategy.");
	if (json_equals(direction, "Left"))
		build->header.flags |= IMAGE_LEFT;
	else if (direction != NULL && !json_equals(direction, "Right"))
		return build_fault(build, FORMAT_UNSUPPORTED, "The truncation has an unknown direction.");
	/* no text has more tokens than that */
	build->header.truncation = most > INT32_MAX ? INT32_MAX : (uint32_t) most;
	if (most == 0)
		build->header.flags |= IMAGE_TRUNCATES_ALL;
	return true;
}

static bool
read_padding(Build *build, const JsonValue *padding)
{
	int64_t		id;

	if (json_int64(json_get(padding, "pad_id"), &id) && id >= 0 && id < BUILD_MAX_ID)
		build->header.specials[TOKENIZER_PAD] = (int32_t) id;
	return true;
}

FormatStatus
tokenizer_compile(Arena *arena, const char *json, size_t length,
				  const TokenizerCompileOptions *options,
				  TokenizerImage *image, FormatFault *fault)
{
	JsonOptions json_options = {.last_duplicate_wins = true};
	const JsonValue *root;
	Build		build;

	build_begin(&build, arena, options, fault);
	json_options.interrupt = build.interrupt;
	json_options.context = build.interrupt_context;
	root = json_parse(arena, json, length, &json_options, fault);
	if (root == NULL)
		return fault->status;
	if (!json_is(root, JSON_OBJECT))
	{
		build_fault(&build, FORMAT_MALFORMED, "tokenizer.json is not an object.");
		return fault->status;
	}
	if (!build_normalizers(&build, json_get(root, "normalizer")) ||
		!build_splitters(&build, json_get(root, "pre_tokenizer")) ||
		!build_processors(&build, json_get(root, "post_processor")) ||
		!build_model(&build, json_get(root, "model")) ||
		!build_added(&build, json_get(root, "added_tokens")) ||
		!read_truncation(&build, json_get(root, "truncation")) ||
		!read_padding(&build, json_get(root, "padding")))
		return fault->status;
	return build_complete(&build, image);
}
