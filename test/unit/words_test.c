/*-------------------------------------------------------------------------
 *
 * words_test.c
 *	  Would fail if words were cut, folded or hashed wrongly, if a word at the
 *	  edge of a block were lost, or if a byte beyond the input were read.
 *
 * Inputs are random mixtures of ASCII, letters with case, marks, scripts
 * without spaces, emoji, invalid bytes and separators; the fast scanner must
 * agree with the plain reading of the rule one character at a time
 * (word_span_start, word_pair_end, word_token_end, word_fold).
 * That those agree with Python is tested by test/oracle/words.py.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "math/hash.h"
#include "text/unicode.h"
#include "text/words.h"

static uint64_t random_state;

static uint32_t
next_random(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t) (random_state >> 33) % below;
}

/* Characters that meet every branch: case, sigma, marks, spaces, invalid. */
static const char *const pieces[] = {
	"a", "Z", "7", "_", " ", "\n", "-", "'", ".", "\x1c", "\x7f",
	"\xc3\x89", "\xc4\xb0", "\xce\xa3", "\xce\xa3", "\xcf\x82", "\xcc\x81",
	"\xc2\xa0", "\xe2\x80\x94", "\xe2\x80\x8d", "\xe2\x84\xaa", "\xe3\x80\x82",
	"\xe4\xb8\xad", "\xe0\xa4\xb9", "\xe0\xa4\xbf", "\xf0\x90\x90\x80",
	"\xf0\x9f\x98\x80", "\xc8\xba", "\xe2\x80\xa9",
	"\xe6\x97\xa5", "\xe6\x9c\xac", "\xe3\x82\xab", "\xe0\xb8\x99",
	"\xe0\xb8\xb4", "\xe2\x9d\xa4", "\xef\xb8\x8f", "\xf0\x9f\x8f\xbd",
	"\xf0\x9f\x87\xa9", "\xc2\xa9",
	"\x80", "\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"
};

#define PIECES ((uint32_t) (sizeof(pieces) / sizeof(pieces[0])))

static size_t
random_input(char *input, size_t most)
{
	size_t		length = 0;
	uint32_t	kinds = next_random(4);
	size_t		target = next_random((uint32_t) most - 8);

	while (length < target)
	{
		uint32_t	choice = kinds == 0 ? next_random(PIECES) :
			next_random(kinds * 8) ? next_random(3) : next_random(PIECES);
		const char *piece = pieces[choice];

		memcpy(input + length, piece, strlen(piece));
		length += strlen(piece);
	}
	return length;
}

/* The next token by the plain reading, too long or not */
typedef struct Plain
{
	size_t		offset;
	bool		pair_done;
	size_t		start;
	size_t		end;
	bool		pair;
} Plain;

static void
next_plain(Plain *plain, SplitRule rule, const char *input, size_t length)
{
	plain->start = word_span_start(rule, NULL, input, length, plain->offset,
								   length);
	plain->end = plain->pair_done ? 0 :
		word_pair_end(rule, NULL, input, length, plain->start);
	plain->pair = plain->pair_done = plain->end > 0;
	plain->offset = plain->start;
	if (plain->pair)
		return;
	plain->end = word_token_end(rule, NULL, input, length, plain->start,
								length);
	plain->offset = plain->end;
}

static void
compare(SplitRule rule, bool fold, const char *input, size_t length,
		int capacity)
{
	static WordScanner scanner;
	Token		batch[64];
	static char folded[WORD_FOLDED_MAX * 4];
	Plain		plain = {0};
	int			expected = 0;

	word_scanner_init(&scanner, rule, fold, NULL);
	word_scanner_begin(&scanner, input, length);
	while (!word_scanner_done(&scanner))
	{
		int			count = word_scanner_next(&scanner, batch, capacity);

		for (int i = 0; i < count; i++)
		{
			size_t		start,
						end,
						size;
			const char *text;

			/* the next word that is not too long */
			do
			{
				next_plain(&plain, rule, input, length);
				start = plain.start;
				end = plain.end;
			} while (end - start >= WORD_TOO_LONG);
			text = input + start;
			size = end - start;
			if (fold)
			{
				size = word_fold(NULL, input + start, size, folded);
				text = folded;
			}
			CHECK(batch[i].start == (int32_t) start &&
				  batch[i].source_length == (int32_t) (end - start),
				  "word at %zu-%zu, found %d+%d", start, end, batch[i].start,
				  batch[i].source_length);
			CHECK(batch[i].length == (int32_t) size &&
				  memcmp(batch[i].text, text, size) == 0,
				  "text of word at %zu", start);
			CHECK(batch[i].hash == hash_bytes64(text, size), "hash");
			CHECK(batch[i].position == expected, "position");
			CHECK(batch[i].pair == plain.pair, "pair at %zu", start);
			expected++;
			if (check_failures > 20)
				return;
		}
	}
	next_plain(&plain, rule, input, length);
	if (plain.start < length)
		CHECK(plain.end - plain.start >= WORD_TOO_LONG,
			  "words after %zu of %zu lost", plain.start, length);
}

static void
test_random(void)
{
	for (int round = 0; round < 30000 && check_failures < 20; round++)
	{
		char		buffer[600];
		size_t		length;
		char	   *exact;

		random_state = (uint64_t) round * 7919 + 1;
		length = random_input(buffer, sizeof(buffer));
		exact = exact_alloc(length);
		memcpy(exact, buffer, length);
		compare((SplitRule) (round & 1), (round & 2) != 0, exact, length,
				1 + (int) next_random(64));
		if (check_failures)
			printf("in round %d\n", round);
		free(exact);
	}
}

/* Words around the limit, and one of a megabyte. */
static void
test_long_words(void)
{
	static const size_t lengths[] = {63, 64, 65, 128, WORD_TOO_LONG - 1,
		WORD_TOO_LONG, WORD_TOO_LONG + 1, 1 << 20};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (int shift = 0; shift < 130; shift += 13)
		{
			size_t		length = (size_t) shift + lengths[i] + 6;
			char	   *input = exact_alloc(length);

			memset(input, ' ', length);
			memset(input + shift, 'X', lengths[i]);
			memcpy(input + length - 5, "short", 5);
			for (int fold = 0; fold < 2; fold++)
			{
				compare(SPLIT_WORDS, fold, input, length, 8);
				compare(SPLIT_WHITESPACE, fold, input, length, 8);
			}
			free(input);
		}
}

/* The longest growth of a word that is still taken: U+0130, 2 to 3 bytes. */
static void
test_growth(void)
{
	size_t		length = 40 * WORD_TOO_LONG;
	char	   *input = exact_alloc(length);

	for (size_t i = 0; i < length; i += 2)
		memcpy(input + i, i % 2046 == 2044 ? "  " : "\xc4\xb0", 2);
	compare(SPLIT_WORDS, true, input, length, 64);
	free(input);
}

/* The tokens of a text, "|" before each */
static void
check_tokens(const char *input, const char *expected)
{
	static WordScanner scanner;
	Token		batch[3];
	char		found[512] = "";
	size_t		used = 0;

	word_scanner_init(&scanner, SPLIT_WORDS, true, NULL);
	word_scanner_begin(&scanner, input, strlen(input));
	while (!word_scanner_done(&scanner))
	{
		int			count = word_scanner_next(&scanner, batch, 3);

		for (int i = 0; i < count; i++)
			used += (size_t) snprintf(found + used, sizeof(found) - used,
									  "|%.*s", batch[i].length,
									  batch[i].text);
	}
	CHECK(strcmp(found, expected) == 0, "%s became %s, not %s", input, found,
		  expected);
}

/* Scripts without spaces in pairs, and whole emoji; by hand. */
static void
test_clusters(void)
{
	check_tokens("\u65e5", "|\u65e5");
	check_tokens("\u65e5\u672c\u8a9e",
				 "|\u65e5\u672c|\u65e5|\u672c\u8a9e|\u672c|\u8a9e");
	check_tokens("iPhone\u624b\u6a5f7", "|iphone|\u624b\u6a5f|\u624b|\u6a5f|7");
	check_tokens("\u65e5 \u672c", "|\u65e5|\u672c");
	check_tokens("\ud55c\uad6d\uc5b4", "|\ud55c\uad6d\uc5b4");
	/* marks stay with their letter; Thai digits are a number */
	check_tokens("\u0e17\u0e35\u0e48\u0e19", "|\u0e17\u0e35\u0e48\u0e19|\u0e17\u0e35\u0e48|\u0e19");
	check_tokens("\u0e51\u0e52\u0e53", "|\u0e51\u0e52\u0e53");
	/* joined pictures, skin tones, flags, signs that are text by themselves */
	check_tokens("a\U0001F600b", "|a|\U0001F600|b");
	check_tokens("\U0001F468\u200d\U0001F469\u200d\U0001F467\U0001F44D\U0001F3FD",
				 "|\U0001F468\u200d\U0001F469\u200d\U0001F467|\U0001F44D\U0001F3FD");
	check_tokens("\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7\U0001F1EB",
				 "|\U0001F1E9\U0001F1EA|\U0001F1EB\U0001F1F7|\U0001F1EB");
	check_tokens("\u00a9 \u2764 \u2764\ufe0f \u261d\U0001F3FD", "|\u2764\ufe0f|\u261d\U0001F3FD");
	check_tokens("\U0001F3F4\U000E0067\U000E0062\U000E007F", "|\U0001F3F4\U000E0067\U000E0062\U000E007F");
}

static void
check_fold(const char *word, const char *expected)
{
	char		out[256];
	size_t		length = word_fold(NULL, word, strlen(word), out);

	CHECK(length == strlen(expected) && memcmp(out, expected, length) == 0,
		  "%s became %.*s, not %s", word, (int) length, out, expected);
}

static void
test_folding(void)
{
	check_fold("STRASSE", "strasse");
	check_fold("STRA\xe1\xba\x9e" "E", "stra\xc3\x9f" "e");
	check_fold("\xc4\xb0zmir", "i\xcc\x87zmir");
	check_fold("\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82");
	check_fold("\xce\xa3", "\xcf\x83");
	check_fold("\xce\xa3\xce\xa3", "\xcf\x83\xcf\x82");
	check_fold("\xce\x91\xce\xa3\xce\x91", "\xce\xb1\xcf\x83\xce\xb1");
	/* marks are passed over on both sides */
	check_fold("\xce\x91\xcc\x81\xce\xa3\xcc\x81", "\xce\xb1\xcc\x81\xcf\x82\xcc\x81");
	check_fold("\xce\x91\xce\xa3\xcc\x81\xce\x91", "\xce\xb1\xcf\x83\xcc\x81\xce\xb1");
	check_fold("\xf0\x90\x90\x80", "\xf0\x90\x90\xa8");
}

/* Every code point is written and read back; nothing else is accepted. */
static void
test_utf8(void)
{
	unsigned char bytes[4];
	uint32_t	code,
				back;
	uint32_t	accepted = 0;

	for (code = 0; code < CODE_LIMIT; code++)
	{
		int			length = utf8_encode(code, bytes);
		bool		surrogate = code >= 0xD800 && code <= 0xDFFF;

		CHECK(utf8_decode(bytes, (size_t) length, &back) ==
					  (surrogate ? 0 : length) &&
				  (surrogate || back == code),
			  "U+%04X", code);
		for (int cut = 1; cut < length; cut++)
			CHECK(utf8_decode(bytes, (size_t) cut, &back) == 0, "U+%04X cut", code);
	}
	/* all four-byte sequences whose second half is not examined */
	for (code = 0; code < 1 << 24; code++)
	{
		bytes[0] = (unsigned char) (code >> 16);
		bytes[1] = (unsigned char) (code >> 8);
		bytes[2] = (unsigned char) code;
		if (utf8_decode(bytes, 3, &back) == 3)
			accepted++;
	}
	CHECK(accepted == 0x10000 - 0x800 - 0x800, "%u sequences of three", accepted);
}

int
main(void)
{
	test_random();
	test_long_words();
	test_growth();
	test_clusters();
	test_folding();
	test_utf8();
	return check_result();
}
