/*-------------------------------------------------------------------------
 *
 * tokenizer_steps_test.c
 *	  Would fail if a pattern matched elsewhere, or a normalizer wrote another
 *	  text, than in the `tokenizers` package.
 *
 * The expected values are those of tokenizers 0.23.3: pre_tokenize_str of
 * Split with the behavior "isolated", in bytes, and normalize_str.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "tokenizer/tokenizer_run.h"

static const struct
{
	const char *pattern;		/* as in JSON */
	const char *text;
	const char *pieces;
}			patterns[] =
{
	{"a+b|ab*?c", "aabxabbbc", "0-3 3-4 4-6 6-9"},
	{"(?:ab){2,3}", "abababab ab", "0-6 6-11"},
	{"\\\\d{1,3}(?=(?:\\\\d{3})*\\\\b)", "1234567 12", "0-1 1-4 4-7 7-8 8-10"},
	{"(?<=[a-z])(?=[A-Z])", "camelCaseWord", "0-5 5-9 9-13"},
	{"(?<![0-9])\\\\.(?![0-9])", "3.14 a.b .", "0-6 6-7 7-9 9-10"},
	{"(?i:'s|'ll)", "it's I'LL '\305\277", "0-2 2-4 4-6 6-9 9-10 10-13"},
	{"[^\\\\s\\\\p{L}&&[^b-d]]", "a b-c9d", "0-2 2-3 3-4 4-5 5-6 6-7"},
	{"(?>a+|ab)c", "aac abc", "0-3 3-7"},
	{"^x|y$", "x\012xy\012y", "0-1 1-2 2-3 3-4 4-5 5-6"},
	{"\\\\bz\\\\b", "z az z.", "0-1 1-5 5-6 6-7"},
	{"a++a|b", "aaab", "0-3 3-4"},
	{"x{2,}?", "xxxxx", "0-2 2-4 4-5"},
	{"(a|bc)*+d", "abcad d", "0-5 5-6 6-7"},
	{"[[:alpha:]]+|[[:^digit:]]", "ab1 \303\251", "0-2 2-3 3-4 4-6"},
	{"\\\\p{Han}+|\\\\P{L}", "\344\270\255\346\226\207a1", "0-6 6-7 7-8"},
	{"\\\\w", "a\302\262b", "0-1 1-3 3-4"},
	{"[\\\\w]", "a\302\262b", "0-1 1-3 3-4"},
	{"\\\\h+", "fg0AF", "0-1 1-2 2-5"},
	{"a|", "xa", "0-1 1-2"},
	{"(?<name>o)(?#note)|\\\\x{41}|\\\\u0042|\\\\x43", "oABC", "0-1 1-2 2-3 3-4"},
	{"q\\\\Z|\\\\Aq|\\\\z", "qq\012", "0-1 1-2 2-3"},
	{"(?m:.)b|.c", "\012b\012c", "0-2 2-4"},
	{"[a\\\\-z]|\\\\]|}", "a-z]}", "0-1 1-2 2-3 3-4 4-5"},
};

static const struct
{
	const char *normalizer;
	const char *text;
	const char *result;
}			normal[] =
{
	{"NFC", "e\314\243\314\201", "\341\272\271\314\201"},
	{"NFC", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "\341\273\207 \355\225\234 \355\225\234"},
	{"NFC", "\357\254\201 \342\221\240 \341\272\233\314\243", "\357\254\201 \342\221\240 \341\272\233\314\243"},
	{"NFC", "\304\260 \316\243 \341\272\236", "\304\260 \316\243 \341\272\236"},
	{"NFC", "a\314\201\314\202b\340\244\203", "\303\241\314\202b\340\244\203"},
	{"NFC", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"NFC", "\342\204\253 \340\245\230", "\303\205 \340\244\225\340\244\274"},
	{"NFC", "\315\204a\314\226\314\225\326\260", "\314\210\314\201a\326\260\314\226\314\225"},
	{"NFD", "e\314\243\314\201", "e\314\243\314\201"},
	{"NFD", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "e\314\243\314\202 \341\204\222\341\205\241\341\206\253 \341\204\222\341\205\241\341\206\253"},
	{"NFD", "\357\254\201 \342\221\240 \341\272\233\314\243", "\357\254\201 \342\221\240 \305\277\314\243\314\207"},
	{"NFD", "\304\260 \316\243 \341\272\236", "I\314\207 \316\243 \341\272\236"},
	{"NFD", "a\314\201\314\202b\340\244\203", "a\314\201\314\202b\340\244\203"},
	{"NFD", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"NFD", "\342\204\253 \340\245\230", "A\314\212 \340\244\225\340\244\274"},
	{"NFD", "\315\204a\314\226\314\225\326\260", "\314\210\314\201a\326\260\314\226\314\225"},
	{"NFKC", "e\314\243\314\201", "\341\272\271\314\201"},
	{"NFKC", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "\341\273\207 \355\225\234 \355\225\234"},
	{"NFKC", "\357\254\201 \342\221\240 \341\272\233\314\243", "fi 1 \341\271\251"},
	{"NFKC", "\304\260 \316\243 \341\272\236", "\304\260 \316\243 \341\272\236"},
	{"NFKC", "a\314\201\314\202b\340\244\203", "\303\241\314\202b\340\244\203"},
	{"NFKC", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"NFKC", "\342\204\253 \340\245\230", "\303\205 \340\244\225\340\244\274"},
	{"NFKC", "\315\204a\314\226\314\225\326\260", "\314\210\314\201a\326\260\314\226\314\225"},
	{"NFKD", "e\314\243\314\201", "e\314\243\314\201"},
	{"NFKD", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "e\314\243\314\202 \341\204\222\341\205\241\341\206\253 \341\204\222\341\205\241\341\206\253"},
	{"NFKD", "\357\254\201 \342\221\240 \341\272\233\314\243", "fi 1 s\314\243\314\207"},
	{"NFKD", "\304\260 \316\243 \341\272\236", "I\314\207 \316\243 \341\272\236"},
	{"NFKD", "a\314\201\314\202b\340\244\203", "a\314\201\314\202b\340\244\203"},
	{"NFKD", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"NFKD", "\342\204\253 \340\245\230", "A\314\212 \340\244\225\340\244\274"},
	{"NFKD", "\315\204a\314\226\314\225\326\260", "\314\210\314\201a\326\260\314\226\314\225"},
	{"Lowercase", "e\314\243\314\201", "e\314\243\314\201"},
	{"Lowercase", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253"},
	{"Lowercase", "\357\254\201 \342\221\240 \341\272\233\314\243", "\357\254\201 \342\221\240 \341\272\233\314\243"},
	{"Lowercase", "\304\260 \316\243 \341\272\236", "i\314\207 \317\203 \303\237"},
	{"Lowercase", "a\314\201\314\202b\340\244\203", "a\314\201\314\202b\340\244\203"},
	{"Lowercase", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"Lowercase", "\342\204\253 \340\245\230", "\303\245 \340\245\230"},
	{"Lowercase", "\315\204a\314\226\314\225\326\260", "\315\204a\314\226\314\225\326\260"},
	{"StripAccents", "e\314\243\314\201", "e"},
	{"StripAccents", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253"},
	{"StripAccents", "\357\254\201 \342\221\240 \341\272\233\314\243", "\357\254\201 \342\221\240 \341\272\233"},
	{"StripAccents", "\304\260 \316\243 \341\272\236", "\304\260 \316\243 \341\272\236"},
	{"StripAccents", "a\314\201\314\202b\340\244\203", "ab"},
	{"StripAccents", "x\001\342\200\213y\011", "x\001\342\200\213y\011"},
	{"StripAccents", "\342\204\253 \340\245\230", "\342\204\253 \340\245\230"},
	{"StripAccents", "\315\204a\314\226\314\225\326\260", "a"},
	{"Nmt", "e\314\243\314\201", "e\314\243\314\201"},
	{"Nmt", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253", "\341\273\207 \355\225\234 \341\204\222\341\205\241\341\206\253"},
	{"Nmt", "\357\254\201 \342\221\240 \341\272\233\314\243", "\357\254\201 \342\221\240 \341\272\233\314\243"},
	{"Nmt", "\304\260 \316\243 \341\272\236", "\304\260 \316\243 \341\272\236"},
	{"Nmt", "a\314\201\314\202b\340\244\203", "a\314\201\314\202b\340\244\203"},
	{"Nmt", "x\001\342\200\213y\011", "x y "},
	{"Nmt", "\342\204\253 \340\245\230", "\342\204\253 \340\245\230"},
	{"Nmt", "\315\204a\314\226\314\225\326\260", "\315\204a\314\226\314\225\326\260"},
};

/* What is not supported is refused, not guessed. */
static const char *const refused[] =
{
	"(a)\\\\1", "a\\\\Gb", "\\\\X", "\\\\R", "(a*)*", "(?<=a+)b", "\\\\p{Klingon}", "(?i:ss)", "(?i:\303\237)",
	"a**b(", "[b-a]", "[a", "(?(1)a)", "a{2}?", "*a", "\\\\k<x>", "(?~a)", "\\\\pL", "a{1001}"
};

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

static void *
resize(void *context, void *block, size_t size)
{
	if (size == 0)
	{
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

static bool
compile(Arena *arena, Tokenizer *tokenizer, const char *normalizer,
		const char *pattern, FormatFault *fault)
{
	char		json[1000];
	TokenizerImage image;

	if (normalizer != NULL)
		snprintf(json, sizeof(json), "{\"normalizer\":{\"type\":\"%s\"},\"model\":{\"type\":\"WordLevel\","
				 "\"vocab\":{\"u\":0},\"unk_token\":\"u\"}}", normalizer);
	else
		snprintf(json, sizeof(json), "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},"
				 "\"behavior\":\"Isolated\",\"invert\":false},\"model\":{\"type\":\"WordLevel\","
				 "\"vocab\":{\"u\":0},\"unk_token\":\"u\"}}", pattern);
	return tokenizer_compile(arena, json, strlen(json), NULL, &image, fault) ==
			   FORMAT_OK &&
		   tokenizer_open(tokenizer, image.bytes, image.size);
}

static void
test_pattern(Arena *arena, TokenizerScratch *scratch, const char *pattern,
			 const char *text, const char *pieces)
{
	TokenizerEncoding encoding = {.offsets = TOKENIZER_BYTES};
	TokenizerTokens tokens;
	Tokenizer	tokenizer;
	FormatFault fault;
	char		got[400] = "";
	size_t		length = strlen(text);
	char	   *exact = exact_alloc(length);

	memcpy(exact, text, length);
	if (!compile(arena, &tokenizer, NULL, pattern, &fault))
	{
		CHECK(false, "%s: %s", pattern, fault.detail);
		free(exact);
		return;
	}
	CHECK(tokenizer_encode(&tokenizer, exact, length, &encoding, scratch,
						   &tokens) == TOKENIZER_OK,
		  "%s", pattern);
	for (uint32_t i = 0; i < tokens.count; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u-%u",
				 i > 0 ? " " : "", tokens.tokens[i].start,
				 tokens.tokens[i].start + tokens.tokens[i].length);
	CHECK(strcmp(got, pieces) == 0, "%s on \"%s\": %s, not %s", pattern, text, got, pieces);
	free(exact);
}

static void
test_normalizer(Arena *arena, TokenizerScratch *scratch, const char *name,
				const char *text, const char *wanted)
{
	Tokenizer	tokenizer;
	FormatFault fault;
	const unsigned char *result;
	size_t		length = 0;

	CHECK(compile(arena, &tokenizer, name, NULL, &fault), "%s", name);
	CHECK(normalize_text(&tokenizer, scratch, (const unsigned char *) text,
						 strlen(text), &result, &length) == TOKENIZER_OK,
		  "%s", name);
	CHECK(length == strlen(wanted) && memcmp(result, wanted, length) == 0, "%s of \"%s\": \"%.*s\", not \"%s\"",
		  name, text, (int) length, (const char *) result, wanted);
}

/* Unicode Standard Annex #29: where clusters end, in bytes. */
static void
test_graphemes(void)
{
	static const struct
	{
		const char *text;
		uint32_t	end;
	}			clusters[] =
	{
		{"ab", 1}, {"\r\n", 2}, {"e\xCC\x81x", 3}, {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xABx", 9},
		{"\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9x", 11},
		{"\xF0\x9F\x87\xA6\xF0\x9F\x87\xA7\xF0\x9F\x87\xA8", 8},
		{"\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xB7x", 9}, {"a\xE2\x80\x8D" "b", 4}
	};

	for (size_t i = 0; i < COUNT(clusters); i++)
	{
		uint32_t	end =
			   grapheme_end((const unsigned char *) clusters[i].text, 0,
							(uint32_t) strlen(clusters[i].text));

		CHECK(end == clusters[i].end, "cluster %zu ends at %u, not %u", i, end, clusters[i].end);
	}
}

/* A pattern that tries every way gives up instead of hanging. */
static void
test_patience(Arena *arena, TokenizerScratch *scratch)
{
	TokenizerEncoding encoding = {.offsets = TOKENIZER_BYTES};
	TokenizerTokens tokens;
	Tokenizer	tokenizer;
	FormatFault fault;

	CHECK(compile(arena, &tokenizer, NULL, "(a|a)+(a|a)+(a|a)+(a|a)+$b", &fault), "%s", fault.detail);
	CHECK(tokenizer_encode(&tokenizer, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 38, &encoding, scratch,
						   &tokens) == TOKENIZER_PATTERN_LIMIT, "a hopeless pattern went on");
}

int
main(void)
{
	TokenizerScratch scratch;
	Arena		arena;

	tokenizer_scratch_begin(&scratch, resize, NULL, NULL, NULL);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 30);
	for (size_t i = 0; i < COUNT(patterns); i++)
		test_pattern(&arena, &scratch, patterns[i].pattern, patterns[i].text,
					 patterns[i].pieces);
	for (size_t i = 0; i < COUNT(normal); i++)
		test_normalizer(&arena, &scratch, normal[i].normalizer, normal[i].text,
						normal[i].result);
	for (size_t i = 0; i < COUNT(refused); i++)
	{
		Tokenizer	tokenizer;
		FormatFault fault;

		CHECK(!compile(&arena, &tokenizer, NULL, refused[i], &fault), "%s was taken", refused[i]);
		CHECK(fault.detail[0] != '\0', "%s was refused without a reason", refused[i]);
	}
	test_graphemes();
	test_patience(&arena, &scratch);
	arena_end(&arena);
	tokenizer_scratch_end(&scratch);
	return check_result();
}
