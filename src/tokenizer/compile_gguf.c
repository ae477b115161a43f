/*-------------------------------------------------------------------------
 *
 * compile_gguf.c
 *	  From the keys of a GGUF file to an image.
 *
 * llama.cpp keeps a vocabulary in a form of its own; it is turned back into
 * what tokenizer.json would say:
 *
 * bert		pieces that begin a word have a metaspace in front, others have
 *			lost their "##"; special ones are as they were
 * gpt2		byte-level BPE; which pattern splits the text is named by "pre"
 * llama	SentencePiece's BPE: what two pieces merge to is chosen by its
 *			score, so that merges are all ways to halve a piece
 * t5		Unigram
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>

#include "tokenizer/tokenizer_build.h"
#include "tokenizer/tokenizer_run.h"

/* tokenizer.ggml.token_type */
#define TYPE_UNKNOWN	2
#define TYPE_CONTROL	3
#define TYPE_USER		4
#define TYPE_UNUSED		5

#define METASPACE		"\xE2\x96\x81"
#define METASPACE_LENGTH 3
#define MAX_PIECES		(1 << 23)
#define MAX_HALVED		2048	/* bytes of a piece that merges are made for */

static bool
equals(TokenizerGgufString string, const char *text)
{
	return string.length == strlen(text) &&
		   memcmp(string.text, text, string.length) == 0;
}

static bool
is_added(const TokenizerGguf *keys, uint32_t id)
{
	return keys->types != NULL &&
		   (keys->types[id] == TYPE_CONTROL || keys->types[id] == TYPE_USER ||
			keys->types[id] == TYPE_UNKNOWN);
}

static bool
check_strings(Build *build, const TokenizerGgufString *strings, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
	{
		if (strings[i].length > UINT32_MAX / 4 ||
			utf8_valid_length((const unsigned char *) strings[i].text,
							  strings[i].length) != strings[i].length)
			return build_fault(build, FORMAT_MALFORMED, "Token %u of the vocabulary is not valid UTF-8.", i);
	}
	return true;
}

/* An id that a key names, or NO_ID. */
static uint32_t
key_id(Build *build, const TokenizerGguf *keys, int64_t id)
{
	if (id < 0)
		return NO_ID;
	if (id >= keys->token_count)
	{
		build_fault(build, FORMAT_MALFORMED, "A special token's id is beyond the vocabulary.");
		return NO_ID;
	}
	return (uint32_t) id;
}

static bool
read_pieces(Build *build, const TokenizerGguf *keys)
{
	if (keys->token_count == 0 || keys->token_count > MAX_PIECES)
		return build_fault(build, FORMAT_MALFORMED, "The vocabulary has %u tokens.",
						   keys->token_count);
	if (!check_strings(build, keys->tokens, keys->token_count))
		return false;
	build->pieces = build_alloc(build, keys->token_count, sizeof(BuildPiece));
	build->added = build_alloc(build, keys->token_count, sizeof(BuildAdded));
	if (build->pieces == NULL || build->added == NULL)
		return false;
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		BuildPiece	piece = {keys->tokens[i].text,
							 (uint32_t) keys->tokens[i].length, i};

		build->pieces[i] = piece;
	}
	build->piece_count = keys->token_count;
	return true;
}

/* Control and user-defined tokens are matched in the text as they are. */
static void
add_tokens(Build *build, const TokenizerGguf *keys)
{
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		BuildAdded	added = {keys->tokens[i].text,
							 (uint32_t) keys->tokens[i].length, i, 0};

		if (!is_added(keys, i) || added.length == 0)
			continue;
		if (keys->types[i] != TYPE_USER)
			added.flags = ADDED_SPECIAL;
		build->added[build->added_count++] = added;
	}
}

/*
 * What is put around a text: an id before, one or two after; NO_ID for none.
 */
static bool
surround(Build *build, uint32_t before, uint32_t after)
{
	uint32_t	items[3];
	uint32_t	count = 0;

	if (before != NO_ID)
		items[count++] = before;
	items[count++] = NO_ID;
	if (after != NO_ID)
		items[count++] = after;
	return count == 1 || build_template(build, items, count);
}

/* ---------- bert ---------- */

static bool
starts_with_metaspace(TokenizerGgufString string)
{
	return string.length >= METASPACE_LENGTH &&
		memcmp(string.text, METASPACE, METASPACE_LENGTH) == 0;
}

static bool
bert_pieces(Build *build, const TokenizerGguf *keys)
{
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		TokenizerGgufString token = keys->tokens[i];
		BuildPiece *piece = &build->pieces[i];
		char	   *text;

		if (starts_with_metaspace(token))
		{
			piece->text += METASPACE_LENGTH;
			piece->length -= METASPACE_LENGTH;
			continue;
		}
		if (is_added(keys, i) || (token.length > 2 && token.text[0] == '[' &&
								  token.text[token.length - 1] == ']'))
			continue;
		text = build_alloc(build, token.length + 2, 1);
		if (text == NULL)
			return false;
		memcpy(text, "##", 2);
		if (token.length > 0)
			memcpy(text + 2, token.text, token.length);
		piece->text = text;
		piece->length += 2;
	}
	return build_index_pieces(build);
}

static bool
compile_bert(Build *build, const TokenizerGguf *keys)
{
	uint32_t	cls = key_id(build, keys,
							 keys->cls >= 0 ? keys->cls : keys->bos);
	uint32_t	separator = key_id(build, keys,
								   keys->separator >= 0 ? keys->separator
														: keys->eos);
	bool		lower = keys->lowercase != 0;
	bool		strips = keys->strip_accents < 0 ? lower
												 : keys->strip_accents != 0;
	ImageStep  *step = build_step(build, SECTION_NORMALIZERS, NORMALIZE_BERT);

	if (step == NULL)
		return false;
	step->flags = BERT_CLEAN | BERT_CHINESE | (strips ? BERT_STRIP : 0) |
				  (lower ? BERT_LOWER : 0);
	build->header.model = MODEL_WORDPIECE;
	build->header.max_characters = 100;
	build->header.unknown = key_id(build, keys, keys->unknown);
	return build_step(build, SECTION_SPLITTERS, SPLIT_BERT) != NULL &&
		bert_pieces(build, keys) && build_wordpiece(build, "##", 2) &&
		surround(build, cls, separator);
}

/* ---------- gpt2 ---------- */

#define LETTERS_GPT2 \
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
#define LETTERS_LLAMA3 \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" \
	" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS_QWEN2 \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" \
	" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS_QWEN35 \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|" \
	" ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS_DEEPSEEK_CODER_SYMBOLS "\\s?\\p{P}+"
/* as published, so wide by mistake: U+4E00 to U+9FA5, U+0800 to U+4E00 */
#define LETTERS_EAST_ASIA \
	"[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80" \
	"\xEA\xB0\x80-\xED\x9F\xBF]+"

typedef struct PreKind
{
	const char *name;
	bool		ignore_merges;
	const char *patterns[6];	/* applied one after another */
} PreKind;

/* The names of llama.cpp's models and the patterns they stand for. */
static const PreKind pre_kinds[] =
{
	{"gpt-2", false, {LETTERS_GPT2 "|\\s+"}},
	{"mpt", false, {LETTERS_GPT2 "|\\s+"}},
	{"olmo", false, {LETTERS_GPT2 "|\\s+"}},
	{"jina-es", false, {LETTERS_GPT2 "|\\s+"}},
	{"jina-de", false, {LETTERS_GPT2 "|\\s+"}},
	{"jina-v1-en", false, {LETTERS_GPT2 "|\\s+"}},
	{"roberta-bpe", false, {LETTERS_GPT2 "|\\s+"}},
	{"llama-bpe", true, {LETTERS_LLAMA3}},
	{"llama-v3", true, {LETTERS_LLAMA3}},
	{"llama3", true, {LETTERS_LLAMA3}},
	{"dbrx", false, {LETTERS_LLAMA3}},
	{"smaug-bpe", false, {LETTERS_LLAMA3}},
	{"qwen2", false, {LETTERS_QWEN2}},
	{"stablelm2", false, {LETTERS_QWEN2}},
	{"deepseek-r1-qwen", false, {LETTERS_QWEN2}},
	{"qwen35", false, {LETTERS_QWEN35}},
	{"starcoder", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"refact", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"command-r", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"smollm", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"codeshell", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"exaone", false, {"\\p{N}", LETTERS_GPT2 "|\\s+"}},
	{"falcon", false, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", LETTERS_GPT2 "|\\s+", "[0-9][0-9][0-9]"}},
	{"deepseek-coder", false,
		{"[\\r\\n]", "\\s?\\p{L}+", LETTERS_DEEPSEEK_CODER_SYMBOLS,
		LETTERS_EAST_ASIA, "\\p{N}"}},
	{"deepseek-llm", false,
		{"[\\r\\n]", "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+",
		"\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
		"\\s+$", LETTERS_EAST_ASIA, "\\p{N}+"}}
};

static bool
split_by_pre(Build *build, const TokenizerGguf *keys)
{
	char		excerpt[UTF8_EXCERPT];

	for (size_t i = 0; i < sizeof(pre_kinds) / sizeof(pre_kinds[0]); i++)
	{
		const PreKind *kind = &pre_kinds[i];

		if (!equals(keys->pre, kind->name))
			continue;
		if (kind->ignore_merges)
			build->header.model_flags |= BPE_IGNORE_MERGES;
		for (int k = 0; k < 6 && kind->patterns[k] != NULL; k++)
		{
			if (!build_split(build, kind->patterns[k], BEHAVIOR_ISOLATED))
				return false;
		}
		return build_byte_level(build, keys->add_space_prefix == 1, NULL);
	}
	return build_fault(
		build, FORMAT_UNSUPPORTED,
		"The splitting \"%s\" (tokenizer.ggml.pre) is not supported.",
		utf8_excerpt(keys->pre.text, keys->pre.length, excerpt));
}

static bool
compile_gpt2(Build *build, const TokenizerGguf *keys)
{
	BuildMerge *merges = build_alloc(build, keys->merge_count,
									 sizeof(BuildMerge));

	build->header.model = MODEL_BPE;
	if (merges == NULL || !split_by_pre(build, keys) ||
		!check_strings(build, keys->merges, keys->merge_count) ||
		!build_index_pieces(build))
		return false;
	for (uint32_t i = 0; i < keys->merge_count; i++)
	{
		TokenizerGgufString merge = keys->merges[i];
		const char *blank = merge.length > 1
								? memchr(merge.text + 1, ' ', merge.length - 1)
								: NULL;

		if (blank == NULL)
			return build_fault(build, FORMAT_MALFORMED, "Merge %u is not two pieces.", i);
		merges[i].left = merge.text;
		merges[i].left_length = (uint32_t) (blank - merge.text);
		merges[i].right = blank + 1;
		merges[i].right_length = (uint32_t) (merge.length -
											 merges[i].left_length - 1);
		merges[i].rank = i;
	}
	return build_bpe(build, merges, keys->merge_count) &&
		   surround(build,
					keys->add_bos == 1 ? key_id(build, keys, keys->bos)
									   : NO_ID,
					keys->add_eos == 1 ? key_id(build, keys, keys->eos)
					: keys->add_separator == 1
						? key_id(build, keys, keys->separator)
						: NO_ID);
}

/* ---------- llama ---------- */

/* Pieces by falling score; equal scores have equal ranks. */
typedef struct Ranked
{
	float		score;
	uint32_t	id;
} Ranked;

static int
compare_ranked(const void *a, const void *b)
{
	float		first = ((const Ranked *) a)->score;
	float		second = ((const Ranked *) b)->score;

	return (first < second) - (first > second);
}

static uint32_t *
ranks_by_score(Build *build, const TokenizerGguf *keys)
{
	Ranked	   *ranked = build_alloc(build, keys->token_count, sizeof(Ranked));
	uint32_t   *ranks = build_alloc(build, keys->token_count,
									sizeof(uint32_t));
	uint32_t	rank = 0;

	if (ranked == NULL || ranks == NULL)
		return NULL;
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		ranked[i].score = keys->scores[i];
		ranked[i].id = i;
	}
	qsort(ranked, keys->token_count, sizeof(Ranked), compare_ranked);
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		if (i > 0 && ranked[i].score != ranked[i - 1].score)
			rank++;
		ranks[ranked[i].id] = rank;
	}
	return ranks;
}

/* All ways to make a piece of two others; counts them if merges is NULL. */
static uint32_t
halves(Build *build, const TokenizerGguf *keys, uint32_t id,
	   const uint32_t *ranks, BuildMerge *merges)
{
	const BuildPiece *piece = &build->pieces[id];
	uint32_t	count = 0;

	if (is_added(keys, id) || piece->length > MAX_HALVED)
		return 0;
	for (uint32_t i = 1; i < piece->length; i++)
	{
		BuildMerge	merge = {piece->text, piece->text + i, i,
							 piece->length - i, ranks[id]};

		if (((unsigned char) piece->text[i] & 0xC0) == 0x80 ||
			build_find(build, merge.left, merge.left_length) == NO_ID ||
			build_find(build, merge.right, merge.right_length) == NO_ID)
			continue;
		if (merges != NULL)
			merges[count] = merge;
		count++;
	}
	return count;
}

static bool
add_prepend(Build *build)
{
	ImageStep  *step = build_step(build, SECTION_NORMALIZERS,
								  NORMALIZE_PREPEND);
	ImageString mark = build_string(build, METASPACE, METASPACE_LENGTH);

	if (step == NULL || build_failed(build))
		return false;
	step->text = mark;
	return true;
}

static bool
add_replace(Build *build)
{
	ImageStep  *step = build_step(build, SECTION_NORMALIZERS,
								  NORMALIZE_REPLACE);
	ImageString blank = build_string(build, " ", 1);
	ImageString mark = build_string(build, METASPACE, METASPACE_LENGTH);

	if (step == NULL || build_failed(build))
		return false;
	step->text = blank;
	step->content = mark;
	return true;
}

static bool
compile_llama(Build *build, const TokenizerGguf *keys)
{
	uint32_t   *ranks = ranks_by_score(build, keys);
	BuildMerge *merges;
	uint64_t	total = 0;
	uint32_t	count = 0;

	if (ranks == NULL || !build_index_pieces(build))
		return false;
	build->header.model = MODEL_BPE;
	build->header.model_flags |= BPE_BYTE_FALLBACK | BPE_FUSE_UNKNOWN;
	build->header.unknown = key_id(build, keys,
								   keys->unknown >= 0 ? keys->unknown : 0);
	/* a mark in front, whatever the text begins with, and for all blanks */
	if ((keys->add_space_prefix != 0 && !add_prepend(build)) ||
		!add_replace(build))
		return false;
	for (uint32_t i = 0; i < keys->token_count; i++)
		total += halves(build, keys, i, ranks, NULL);
	if (total > MAX_PIECES * 4)
		return build_fault(build, FORMAT_TOO_LARGE, "The vocabulary has too many merges.");
	merges = build_alloc(build, (size_t) total, sizeof(BuildMerge));
	if (merges == NULL)
		return false;
	for (uint32_t i = 0; i < keys->token_count; i++)
		count += halves(build, keys, i, ranks, merges + count);
	return build_bpe(build, merges, count) &&
		   surround(
			   build,
			   keys->add_bos != 0 ? key_id(build, keys, keys->bos) : NO_ID,
			   keys->add_eos == 1 ? key_id(build, keys, keys->eos) : NO_ID);
}

/* ---------- t5 ---------- */

static bool
compile_t5(Build *build, const TokenizerGguf *keys)
{
	double	   *scores = build_alloc(build, keys->token_count, sizeof(double));

	if (scores == NULL || !build_index_pieces(build))
		return false;
	build->header.model = MODEL_UNIGRAM;
	build->header.unknown = key_id(build, keys,
								   keys->unknown >= 0 ? keys->unknown : 2);
	if (keys->charsmap_length > 0 &&
		!build_precompiled(build, keys->charsmap, keys->charsmap_length))
		return false;
	if (keys->remove_extra_whitespaces == 1)
	{
		ImageStep  *strip = build_step(build, SECTION_NORMALIZERS,
									   NORMALIZE_STRIP);
		ImageStep  *replace;
		uint32_t	pattern = build_pattern(build, " {2,}", 5);
		ImageString blank = build_string(build, " ", 1);

		if (strip == NULL)
			return false;
		strip->flags = STRIP_LEFT | STRIP_RIGHT;
		replace = build_step(build, SECTION_NORMALIZERS, NORMALIZE_REPLACE);
		if (replace == NULL)
			return false;
		replace->pattern = pattern;
		replace->content = blank;
	}
	if (!build_metaspace(build, METASPACE, METASPACE_LENGTH,
						 METASPACE_SPLIT |
							 (keys->add_space_prefix != 0 ? METASPACE_ALWAYS
														  : 0)))
		return false;
	for (uint32_t i = 0; i < keys->token_count; i++)
		scores[i] = keys->scores[i];
	return build_unigram(build, scores, keys->token_count) &&
		   surround(
			   build,
			   keys->add_bos == 1 ? key_id(build, keys, keys->bos) : NO_ID,
			   keys->add_eos != 0 ? key_id(build, keys, keys->eos) : NO_ID);
}

/* ---------- all of them ---------- */

static bool
check_scores(Build *build, const TokenizerGguf *keys)
{
	if (keys->scores == NULL)
		return build_fault(build, FORMAT_MALFORMED, "The vocabulary has no scores.");
	for (uint32_t i = 0; i < keys->token_count; i++)
	{
		if (!isfinite(keys->scores[i]))
			return build_fault(build, FORMAT_NOT_FINITE, "The score of token %u is not finite.", i);
	}
	return true;
}

static void
note_specials(Build *build, const TokenizerGguf *keys)
{
	const int64_t ids[TOKENIZER_SPECIALS] = {
		[TOKENIZER_CLS] = keys->cls,	 [TOKENIZER_SEP] = keys->separator,
		[TOKENIZER_PAD] = keys->padding, [TOKENIZER_UNK] = keys->unknown,
		[TOKENIZER_MASK] = keys->mask,	 [TOKENIZER_BOS] = keys->bos,
		[TOKENIZER_EOS] = keys->eos};

	for (int i = 0; i < TOKENIZER_SPECIALS; i++)
	{
		uint32_t	id = key_id(build, keys, ids[i]);

		if (id != NO_ID)
			build->header.specials[i] = (int32_t) id;
	}
}

static bool
compile_keys(Build *build, const TokenizerGguf *keys)
{
	char		excerpt[UTF8_EXCERPT];

	if (!read_pieces(build, keys))
		return false;
	note_specials(build, keys);
	add_tokens(build, keys);
	if (equals(keys->model, "bert"))
		return compile_bert(build, keys);
	if (equals(keys->model, "gpt2"))
		return compile_gpt2(build, keys);
	if (equals(keys->model, "llama"))
		return check_scores(build, keys) && compile_llama(build, keys);
	if (equals(keys->model, "t5"))
		return check_scores(build, keys) && compile_t5(build, keys);
	return build_fault(
		build, FORMAT_UNSUPPORTED,
		"The tokenizer \"%s\" (tokenizer.ggml.model) is not supported.",
		utf8_excerpt(keys->model.text, keys->model.length, excerpt));
}

FormatStatus
tokenizer_compile_gguf(Arena *arena, const TokenizerGguf *keys,
					   const TokenizerCompileOptions *options,
					   TokenizerImage *image, FormatFault *fault)
{
	Build		build;

	build_begin(&build, arena, options, fault);
	if (!compile_keys(&build, keys) || build_failed(&build))
		return fault->status;
	return build_complete(&build, image);
}
