/*-------------------------------------------------------------------------
 *
 * set.c
 *	  Sets of characters while a pattern is compiled, and the classes that
 *	  they become.
 *
 * A class of the image answers with two loads: the characters in blocks of
 * 256, equal blocks of all classes kept once.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_build.h"

#include <stdlib.h>

#include "tokenizer/tokenizer_characters.h"

#define MAX_CLASSES 512

void
set_add(Build *build, Set *set, uint32_t first, uint32_t last)
{
	if (set->count == set->capacity)
	{
		uint32_t	capacity = set->capacity == 0 ? 8 : set->capacity * 2;
		uint32_t(*ranges)[2] = build_alloc(build, capacity, sizeof(*ranges));

		if (ranges == NULL)
			return;
		if (set->count > 0)
			memcpy(ranges, set->ranges, set->count * sizeof(*ranges));
		set->ranges = ranges;
		set->capacity = capacity;
	}
	set->ranges[set->count][0] = first;
	set->ranges[set->count][1] = last;
	set->count++;
}

void
set_add_set(Build *build, Set *set, const Set *other)
{
	for (uint32_t i = 0; i < other->count; i++)
		set_add(build, set, other->ranges[i][0], other->ranges[i][1]);
}

static int
compare_ranges(const void *a, const void *b)
{
	const uint32_t *first = a;
	const uint32_t *second = b;

	return (first[0] > second[0]) - (first[0] < second[0]);
}

void
set_order(Set *set)
{
	uint32_t	count = 0;

	if (set->count == 0)
		return;
	qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
	for (uint32_t i = 1; i < set->count; i++)
	{
		if (set->ranges[i][0] <= set->ranges[count][1] + 1)
		{
			if (set->ranges[i][1] > set->ranges[count][1])
				set->ranges[count][1] = set->ranges[i][1];
		}
		else
		{
			count++;
			set->ranges[count][0] = set->ranges[i][0];
			set->ranges[count][1] = set->ranges[i][1];
		}
	}
	set->count = count + 1;
}

void
set_invert(Build *build, Set *set)
{
	Set			inverse = {0};
	uint32_t	next = 0;

	set_order(set);
	for (uint32_t i = 0; i < set->count; i++)
	{
		if (set->ranges[i][0] > next)
			set_add(build, &inverse, next, set->ranges[i][0] - 1);
		next = set->ranges[i][1] + 1;
	}
	if (next < CODE_LIMIT)
		set_add(build, &inverse, next, CODE_LIMIT - 1);
	*set = inverse;
}

void
set_intersect(Build *build, Set *set, Set *other)
{
	Set			common = {0};
	uint32_t	k = 0;

	set_order(set);
	set_order(other);
	for (uint32_t i = 0; i < set->count; i++)
	{
		uint32_t	first = set->ranges[i][0];
		uint32_t	last = set->ranges[i][1];

		while (k < other->count && other->ranges[k][1] < first)
			k++;
		for (uint32_t m = k; m < other->count && other->ranges[m][0] <= last;
			 m++)
			set_add(build, &common,
					other->ranges[m][0] > first ? other->ranges[m][0] : first,
					other->ranges[m][1] < last ? other->ranges[m][1] : last);
	}
	*set = common;
}

bool
set_holds(const Set *set, uint32_t code)
{
	for (uint32_t i = 0; i < set->count; i++)
	{
		if (code >= set->ranges[i][0] && code <= set->ranges[i][1])
			return true;
	}
	return false;
}

/* Adds every character that folds as one of the set does. */
void
set_fold(Build *build, Set *set)
{
	Set			before = *set;
	uint32_t	code;
	uint32_t	fold;

	set_order(&before);
	*set = before;
	set->capacity = set->count; /* what is added goes elsewhere */
	for (int i = 0; character_fold_pair(i, &code, &fold); i++)
	{
		uint32_t	orbit[FOLD_MAX];
		int			count;

		if (!set_holds(&before, code) && !set_holds(&before, fold))
			continue;
		count = character_fold_orbit(fold, orbit);
		for (int k = 0; k < count; k++)
			set_add(build, set, orbit[k], orbit[k]);
	}
	set_order(set);
}

/* All characters whose record has one of these categories or flags. */
static void
add_where(Build *build, Set *set, uint32_t categories, uint32_t flags)
{
	bool		holds[CHARACTER_RECORDS];
	uint8_t		kinds[CHARACTER_BLOCKS] = {0};	/* 1: none, 2: all, 3: some */
	uint32_t	first = 0;
	bool		inside = false;

	for (int i = 0; i < CHARACTER_RECORDS; i++)
		holds[i] = (categories >> character_records[i].category & 1) ||
			(character_records[i].flags & flags);
	for (uint32_t code = 0; code <= CODE_LIMIT;)
	{
		uint16_t	block = code < CODE_LIMIT ? character_first[code >> 7] : 0;
		const uint16_t *records = &character_second[block * 128];
		bool		now;

		/* whole blocks at once, where they are of one kind */
		if (code % 128 == 0 && code < CODE_LIMIT)
		{
			if (kinds[block] == 0)
			{
				for (int i = 0; i < 128; i++)
					kinds[block] |= holds[records[i]] ? 2 : 1;
			}
			if (kinds[block] != 3 && (kinds[block] == 2) == inside)
			{
				code += 128;
				continue;
			}
		}
		now = code < CODE_LIMIT && holds[records[code & 127]];
		if (now && !inside)
			first = code;
		if (!now && inside)
			set_add(build, set, first, code - 1);
		inside = now;
		code++;
	}
}

/* What a class has for \w; outside of brackets some more: see the README. */
static void
add_words(Build *build, Set *set, bool inside)
{
	static const uint32_t more[][2] = {{0xB2, 0xB3},
									   {0xB9, 0xB9},
									   {0xBC, 0xBE}};
	static uint32_t joiners[1][2] = {{0x200C, 0x200D}};
	Set			others = {joiners, 1, 1};
	Set			words = {0};

	add_where(build, &words, 0, CHARACTER_WORD);
	set_invert(build, &others);
	set_intersect(build, &words, &others);
	set_add_set(build, set, &words);
	for (int i = 0; i < 3 && !inside; i++)
		set_add(build, set, more[i][0], more[i][1]);
}

#define BIT(name) (UINT32_C(1) << CATEGORY_##name)
#define LETTERS (BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO))
#define MARKS (BIT(MN) | BIT(MC) | BIT(ME))
#define NUMBERS (BIT(ND) | BIT(NL) | BIT(NO))
#define PUNCTUATION \
	(BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO))
#define SYMBOLS (BIT(SM) | BIT(SC) | BIT(SK) | BIT(SO))
#define SEPARATORS (BIT(ZS) | BIT(ZL) | BIT(ZP))
#define OTHERS (BIT(CC) | BIT(CF) | BIT(CS) | BIT(CO) | BIT(CN))

static const struct
{
	const char *name;
	uint32_t	mask;
}			categories[] =
{
	{"L", LETTERS}, {"LU", BIT(LU)}, {"LL", BIT(LL)}, {"LT", BIT(LT)}, {"LM", BIT(LM)},
	{"LO", BIT(LO)}, {"M", MARKS}, {"MN", BIT(MN)}, {"MC", BIT(MC)}, {"ME", BIT(ME)},
	{"N", NUMBERS}, {"ND", BIT(ND)}, {"NL", BIT(NL)}, {"NO", BIT(NO)}, {"P", PUNCTUATION},
	{"PC", BIT(PC)}, {"PD", BIT(PD)}, {"PS", BIT(PS)}, {"PE", BIT(PE)}, {"PI", BIT(PI)},
	{"PF", BIT(PF)}, {"PO", BIT(PO)}, {"S", SYMBOLS}, {"SM", BIT(SM)}, {"SC", BIT(SC)},
	{"SK", BIT(SK)}, {"SO", BIT(SO)}, {"Z", SEPARATORS}, {"ZS", BIT(ZS)}, {"ZL", BIT(ZL)},
	{"ZP", BIT(ZP)}, {"C", OTHERS}, {"CC", BIT(CC)}, {"CF", BIT(CF)}, {"CS", BIT(CS)},
	{"CO", BIT(CO)}, {"CN", BIT(CN)}, {"LETTER", LETTERS}, {"MARK", MARKS},
	{"NUMBER", NUMBERS}, {"PUNCTUATION", PUNCTUATION}, {"SYMBOL", SYMBOLS},
	{"SEPARATOR", SEPARATORS}, {"OTHER", OTHERS}
};

bool
set_add_property(Build *build, Set *set, const char *name, size_t length)
{
	char		plain[40];
	char		script_name[40];
	size_t		count = 0;
	uint32_t	first;
	uint32_t	last;
	int			script;
	int			wanted;

	/* blanks, hyphens, underscores and case do not matter in a name */
	for (size_t i = 0; i < length; i++)
	{
		char		letter = name[i];

		if (letter == ' ' || letter == '-' || letter == '_')
			continue;
		if (count == sizeof(plain) - 1)
			return false;
		plain[count++] = letter >= 'a' && letter <= 'z' ? (char) (letter - 32)
														: letter;
	}
	plain[count] = '\0';
	for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
	{
		if (strcmp(categories[i].name, plain) == 0)
		{
			add_where(build, set, categories[i].mask, 0);
			return true;
		}
	}
	if (strcmp(plain, "ALPHABETIC") == 0 || strcmp(plain, "ALPHA") == 0)
	{
		add_where(build, set, 0, CHARACTER_ALPHABETIC);
		return true;
	}
	if (strcmp(plain, "SPACE") == 0 || strcmp(plain, "WHITESPACE") == 0)
	{
		add_where(build, set, 0, CHARACTER_SPACE);
		return true;
	}
	if (strcmp(plain, "ANY") == 0)
	{
		set_add(build, set, 0, CODE_LIMIT - 1);
		return true;
	}
	/* scripts of one word: Han, Hiragana, ... */
	for (size_t i = 0; i < count; i++)
		script_name[i] = i > 0 && plain[i] >= 'A' && plain[i] <= 'Z'
							 ? (char) (plain[i] + 32)
							 : plain[i];
	wanted = script_by_name(script_name, count);
	if (wanted < 0)
		return false;
	for (int i = 0; script_range(i, &first, &last, &script); i++)
	{
		if (script == wanted)
			set_add(build, set, first, last);
	}
	return true;
}

bool
set_add_posix(Build *build, Set *set, const char *name, size_t length)
{
	if (length == 5 && memcmp(name, "digit", 5) == 0)
		set_add_escape(build, set, 'd', true);
	else if (length == 5 && memcmp(name, "space", 5) == 0)
		set_add_escape(build, set, 's', true);
	else if (length == 4 && memcmp(name, "word", 4) == 0)
		set_add_escape(build, set, 'w', true);
	else if (length == 5 && memcmp(name, "alpha", 5) == 0)
		add_where(build, set, 0, CHARACTER_ALPHABETIC);
	else if (length == 5 && memcmp(name, "alnum", 5) == 0)
	{
		add_where(build, set, 0, CHARACTER_ALPHABETIC);
		add_where(build, set, BIT(ND), 0);
	}
	else
		return false;
	return true;
}

void
set_add_escape(Build *build, Set *set, char letter, bool inside)
{
	switch (letter)
	{
		case 'd':
			add_where(build, set, BIT(ND), 0);
			break;
		case 'w':
			add_words(build, set, inside);
			break;
		case 's':
			add_where(build, set, 0, CHARACTER_SPACE);
			break;
		case 'h':
			set_add(build, set, '0', '9');
			set_add(build, set, 'A', 'F');
			set_add(build, set, 'a', 'f');
			break;
	}
}

/* The number of this block, found among those there are or added. */
static uint16_t
class_block(Build *build, const unsigned char *block)
{
	BuildSection *blocks = &build->sections[SECTION_CLASS_BLOCKS];
	uint32_t	count = (uint32_t) (blocks->size / CLASS_BLOCK);

	for (uint32_t i = 0; i < count; i++)
	{
		if (memcmp(blocks->bytes + (size_t) i * CLASS_BLOCK, block,
				   CLASS_BLOCK) == 0)
			return (uint16_t) i;
	}
	if (count == UINT16_MAX)
		build_fault(build, FORMAT_TOO_LARGE, "The patterns have too many classes of characters.");
	build_append(build, SECTION_CLASS_BLOCKS, block, CLASS_BLOCK);
	return (uint16_t) count;
}

uint32_t
build_class(Build *build, const Set *set)
{
	BuildSection *classes = &build->sections[SECTION_CLASSES];
	unsigned char *bits;
	uint16_t	first[CLASS_FIRST];
	uint32_t	count = (uint32_t) (classes->size / sizeof(first));

	if (build->class_bits == NULL)
		build->class_bits = build_alloc(build, CODE_LIMIT / 8, 1);
	bits = build->class_bits;
	if (bits == NULL)
		return 0;
	memset(bits, 0, CODE_LIMIT / 8);
	for (uint32_t i = 0; i < set->count; i++)
	{
		for (uint32_t code = set->ranges[i][0]; code <= set->ranges[i][1];
			 code++)
			bits[code >> 3] |= (unsigned char) (1 << (code & 7));
	}
	for (uint32_t i = 0; i < CLASS_FIRST; i++)
	{
		const unsigned char *block = bits + (size_t) i * CLASS_BLOCK;

		if (i > 0 && memcmp(block, block - CLASS_BLOCK, CLASS_BLOCK) == 0)
			first[i] = first[i - 1];
		else
			first[i] = class_block(build, block);
	}
	for (uint32_t i = 0; i < count; i++)
	{
		if (memcmp(classes->bytes + i * sizeof(first), first, sizeof(first)) ==
			0)
			return i;
	}
	if (count == MAX_CLASSES)
		build_fault(build, FORMAT_TOO_LARGE, "The patterns have too many classes of characters.");
	build_append(build, SECTION_CLASSES, first, sizeof(first));
	return count;
}
