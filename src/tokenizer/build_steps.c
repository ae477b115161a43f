/*-------------------------------------------------------------------------
 *
 * build_steps.c
 *	  Normalizers, pre-tokenizers and post-processors of tokenizer.json.
 *
 * Each type is a row of a table: its name and the function that reads its
 * options.  A name that is not there is refused; so is an option that the
 * `tokenizers` package would refuse.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_build.h"
#include "tokenizer/tokenizer_run.h"

#define GPT2_PATTERN \
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

#define MAX_TEMPLATE 1024

typedef bool (*ReadStep) (Build *build, const JsonValue *value);

typedef struct StepType
{
	const char *name;
	ReadStep	read;
} StepType;

/* ---------- options ---------- */

static bool
missing(Build *build, const JsonValue *object, const char *name,
		const char *wanted)
{
	const JsonValue *type = json_get(object, "type");
	char		excerpt[UTF8_EXCERPT];

	return build_fault(build, FORMAT_MALFORMED, "\"%s\" of %s must be %s, not %s.", name,
					   json_is(type, JSON_STRING) ?
					   utf8_excerpt(type->text, type->length, excerpt) : "tokenizer.json", wanted,
					   json_kind_name(json_get(object, name)));
}

static bool
need_bool(Build *build, const JsonValue *object, const char *name)
{
	bool		result = false;

	if (!json_bool(json_get(object, name), &result))
		missing(build, object, name, "true or false");
	return result;
}

static bool
bool_or(Build *build, const JsonValue *object, const char *name,
		bool otherwise)
{
	return json_get(object, name) == NULL ? otherwise
										  : need_bool(build, object, name);
}

static const JsonValue *
need_string(Build *build, const JsonValue *object, const char *name)
{
	const JsonValue *value = json_get(object, name);

	if (json_is(value, JSON_STRING))
		return value;
	missing(build, object, name, "a string");
	return NULL;
}

/* A string of one character. */
static uint32_t
need_character(Build *build, const JsonValue *object, const char *name)
{
	const JsonValue *value = need_string(build, object, name);
	uint32_t	code = 0;

	if (value != NULL &&
		(value->length == 0 ||
		 utf8_decode((const unsigned char *) value->text, value->length,
					 &code) != (int) value->length))
		missing(build, object, name, "one character");
	return code;
}

static bool
unsupported(Build *build, const char *what, const JsonValue *name)
{
	char		excerpt[UTF8_EXCERPT];

	return build_fault(build, FORMAT_UNSUPPORTED,
					   "The %s \"%s\" is not supported.", what,
					   json_is(name, JSON_STRING)
						   ? utf8_excerpt(name->text, name->length, excerpt)
						   : json_kind_name(name));
}

/* {"String": ...} or {"Regex": ...} */
static bool
read_pattern(Build *build, const JsonValue *object, ImageStep *result)
{
	const JsonValue *pattern = json_get(object, "pattern");
	const JsonValue *text = json_get(pattern, "String");

	if (json_is(text, JSON_STRING) && text->length > 0)
	{
		result->text = build_string(build, text->text, text->length);
		result->pattern = NO_ID;
		return true;
	}
	/* an empty string matches like an empty pattern */
	if (!json_is(text, JSON_STRING))
		text = json_get(pattern, "Regex");
	if (!json_is(text, JSON_STRING))
		return missing(build, object, "pattern", "a String or a Regex");
	result->pattern = build_pattern(build, text->text, text->length);
	return true;
}

/* Adds a finished step. */
static bool
add_step(Build *build, ImageSectionName section, const ImageStep *step)
{
	ImageStep  *place = build_step(build, section, (ImageStepKind) step->kind);

	if (place == NULL)
		return false;
	*place = *step;
	return true;
}

static ImageStep
new_step(ImageStepKind kind, uint32_t flags)
{
	ImageStep	step;

	memset(&step, 0, sizeof(step));
	step.kind = kind;
	step.flags = flags;
	step.pattern = NO_ID;
	return step;
}

/* ---------- sequences and types ---------- */

/* By its type, from this table. */
static bool
read_step(Build *build, const JsonValue *value, const StepType *types,
		  const char *what)
{
	const JsonValue *type = json_get(value, "type");

	if (build_failed(build))
		return false;
	for (; types->name != NULL; types++)
	{
		if (json_equals(type, types->name))
			return types->read(build, value) && !build_failed(build);
	}
	return unsupported(build, what, type);
}

static bool
read_list(Build *build, const JsonValue *value, const char *name,
		  bool (*read) (Build *build, const JsonValue *value))
{
	const JsonValue *list = json_get(value, name);

	if (!json_is(list, JSON_ARRAY))
		return missing(build, value, name, "an array");
	for (const JsonValue *item = json_first(list); item != NULL;
		 item = json_next(list, item))
	{
		if (!read(build, item))
			return false;
	}
	return true;
}

/* ---------- normalizers ---------- */

static bool read_normalizer(Build *build, const JsonValue *value);

static bool
read_normalizers(Build *build, const JsonValue *value)
{
	return read_list(build, value, "normalizers", read_normalizer);
}

static bool
read_bert_normalizer(Build *build, const JsonValue *value)
{
	bool		lower = need_bool(build, value, "lowercase");
	const JsonValue *strip = json_get(value, "strip_accents");
	bool		strips = strip == NULL || json_is(strip, JSON_NULL) ? lower :
		need_bool(build, value, "strip_accents");
	ImageStep	step = new_step(
		  NORMALIZE_BERT,
		  (need_bool(build, value, "clean_text") ? BERT_CLEAN : 0) |
			  (need_bool(build, value, "handle_chinese_chars") ? BERT_CHINESE
															   : 0) |
			  (strips ? BERT_STRIP : 0) | (lower ? BERT_LOWER : 0));

	return add_step(build, SECTION_NORMALIZERS, &step);
}

static bool
add_plain(Build *build, ImageSectionName section, ImageStepKind kind,
		  uint32_t flags)
{
	ImageStep	step = new_step(kind, flags);

	return add_step(build, section, &step);
}

static bool
read_lowercase(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_LOWERCASE, 0);
}

static bool
read_nfc(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_FORM, FORM_COMPOSE);
}

static bool
read_nfd(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_FORM, 0);
}

static bool
read_nfkc(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_FORM,
					 FORM_COMPOSE | FORM_COMPATIBLE);
}

static bool
read_nfkd(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_FORM,
					 FORM_COMPATIBLE);
}

static bool
read_nmt(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_NMT, 0);
}

static bool
read_strip_accents(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_STRIP_ACCENTS, 0);
}

static bool
read_byte_level_normalizer(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_BYTE_LEVEL, 0);
}

static bool
read_strip(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_NORMALIZERS, NORMALIZE_STRIP,
					 (need_bool(build, value, "strip_left") ? STRIP_LEFT : 0) |
					 (need_bool(build, value, "strip_right") ? STRIP_RIGHT : 0));
}

static bool
read_prepend(Build *build, const JsonValue *value)
{
	const JsonValue *text = need_string(build, value, "prepend");
	ImageStep	step = new_step(NORMALIZE_PREPEND, 0);

	if (text == NULL)
		return false;
	step.text = build_string(build, text->text, text->length);
	return add_step(build, SECTION_NORMALIZERS, &step);
}

static bool
read_replace(Build *build, const JsonValue *value)
{
	const JsonValue *content = need_string(build, value, "content");
	ImageStep	step = new_step(NORMALIZE_REPLACE, 0);

	if (content == NULL || !read_pattern(build, value, &step))
		return false;
	step.content = build_string(build, content->text, content->length);
	return add_step(build, SECTION_NORMALIZERS, &step);
}

/* The six bits of a letter of base 64, or -1. */
static int
base64_digit(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (letter >= '0' && letter <= '9')
		return letter - '0' + 52;
	return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* Decodes base 64 (RFC 4648); false if it is not well-formed. */
static bool
base64_decode(const char *text, size_t length, unsigned char *out,
			  size_t *out_length)
{
	size_t		padding = 0;

	*out_length = 0;
	if (length % 4 != 0)
		return false;
	while (padding < 2 && padding < length &&
		   text[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4)
	{
		uint32_t	bits = 0;
		int			count = i + 4 == length ? 4 - (int) padding : 4;

		for (int k = 0; k < 4; k++)
		{
			int			digit = k < count ? base64_digit(text[i + (size_t) k])
										  : 0;

			if (digit < 0)
				return false;
			bits = bits << 6 | (uint32_t) digit;
		}
		for (int k = 0; k < count - 1; k++)
			out[(*out_length)++] = (unsigned char) (bits >> (16 - 8 * k));
	}
	return true;
}

bool
build_precompiled(Build *build, const unsigned char *map, size_t length)
{
	ImageStep	step = new_step(NORMALIZE_PRECOMPILED, 0);

	if (!precompiled_map_is_sound(map, length))
		return build_fault(build, FORMAT_MALFORMED, "The precompiled map of characters is damaged.");
	step.text = build_string(build, map, length);
	return add_step(build, SECTION_NORMALIZERS, &step);
}

static bool
read_precompiled(Build *build, const JsonValue *value)
{
	const JsonValue *text = need_string(build, value, "precompiled_charsmap");
	unsigned char *map;
	size_t		length;

	if (text == NULL)
		return false;
	map = build_alloc(build, text->length + 4, 1);
	if (map == NULL)
		return false;
	if (!base64_decode(text->text, text->length, map, &length))
		return build_fault(build, FORMAT_MALFORMED, "\"precompiled_charsmap\" is not base 64.");
	return build_precompiled(build, map, length);
}

static const StepType normalizers[] =
{
	{"Sequence", read_normalizers},
	{"BertNormalizer", read_bert_normalizer},
	{"Lowercase", read_lowercase},
	{"NFC", read_nfc},
	{"NFD", read_nfd},
	{"NFKC", read_nfkc},
	{"NFKD", read_nfkd},
	{"Nmt", read_nmt},
	{"StripAccents", read_strip_accents},
	{"ByteLevel", read_byte_level_normalizer},
	{"Strip", read_strip},
	{"Prepend", read_prepend},
	{"Replace", read_replace},
	{"Precompiled", read_precompiled},
	{NULL, NULL}
};

static bool
read_normalizer(Build *build, const JsonValue *value)
{
	return read_step(build, value, normalizers, "normalizer");
}

bool
build_normalizers(Build *build, const JsonValue *value)
{
	return value == NULL || json_is(value, JSON_NULL) ||
		   read_normalizer(build, value);
}

/* ---------- pre-tokenizers ---------- */

static bool read_splitter(Build *build, const JsonValue *value);

static bool
read_splitters(Build *build, const JsonValue *value)
{
	return read_list(build, value, "pretokenizers", read_splitter);
}

static bool
read_bert(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_SPLITTERS, SPLIT_BERT, 0);
}

static bool
read_whitespace(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_SPLITTERS, SPLIT_WHITESPACE, 0);
}

static bool
read_whitespace_only(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_SPLITTERS, SPLIT_WHITESPACE_ONLY, 0);
}

static bool
read_scripts(Build *build, const JsonValue *value)
{
	return add_plain(build, SECTION_SPLITTERS, SPLIT_SCRIPTS, 0);
}

bool
build_byte_level(Build *build, bool prefix, const char *pattern)
{
	ImageStep	step = new_step(SPLIT_BYTE_LEVEL, (prefix ? BYTE_PREFIX : 0) |
								(pattern != NULL ? BYTE_PATTERN : 0));

	step.behavior = BEHAVIOR_ISOLATED;
	if (pattern != NULL)
		step.pattern = build_pattern(build, pattern, strlen(pattern));
	return add_step(build, SECTION_SPLITTERS, &step);
}

static bool
read_byte_level(Build *build, const JsonValue *value)
{
	bool		prefix = need_bool(build, value, "add_prefix_space");

	return build_byte_level(build, prefix,
							bool_or(build, value, "use_regex", true) ? GPT2_PATTERN : NULL);
}

static bool
read_delimiter(Build *build, const JsonValue *value)
{
	ImageStep	step = new_step(SPLIT_DELIMITER, 0);

	step.number = need_character(build, value, "delimiter");
	step.behavior = BEHAVIOR_REMOVED;
	return add_step(build, SECTION_SPLITTERS, &step);
}

static bool
read_digits(Build *build, const JsonValue *value)
{
	ImageStep	step = new_step(SPLIT_DIGITS, 0);

	step.behavior = need_bool(build, value, "individual_digits") ? BEHAVIOR_ISOLATED :
		BEHAVIOR_CONTIGUOUS;
	return add_step(build, SECTION_SPLITTERS, &step);
}

static bool
read_fixed_length(Build *build, const JsonValue *value)
{
	ImageStep	step = new_step(SPLIT_FIXED_LENGTH, 0);
	int64_t		length = 5;

	if (json_get(value, "length") != NULL &&
		(!json_int64(json_get(value, "length"), &length) || length < 1))
		return missing(build, value, "length", "a positive whole number");
	step.number = length > TOKENIZER_MAX_TEXT ? (uint32_t) TOKENIZER_MAX_TEXT
											  : (uint32_t) length;
	return add_step(build, SECTION_SPLITTERS, &step);
}

bool
build_metaspace(Build *build, const char *mark, size_t length, uint32_t flags)
{
	ImageStep	step = new_step(SPLIT_METASPACE, flags);
	bool		moved = build->sections[SECTION_NORMALIZERS].size > 0 ||
		build->sections[SECTION_SPLITTERS].size > 0;

	step.behavior = BEHAVIOR_NEXT;
	step.text = build_string(build, mark, length);
	/* the first piece is told by where in the original it begins */
	if ((flags & METASPACE_FIRST) && moved)
		build->header.flags |= IMAGE_NEEDS_SPANS;
	return add_step(build, SECTION_SPLITTERS, &step);
}

static bool
read_metaspace(Build *build, const JsonValue *value)
{
	const JsonValue *scheme = json_get(value, "prepend_scheme");
	const JsonValue *prefix = json_get(value, "add_prefix_space");
	const JsonValue *split = json_get(value, "split");
	uint32_t	flags = 0;
	bool		never = false;

	need_character(build, value, "replacement");
	if (scheme == NULL || json_equals(scheme, "always"))
		flags = METASPACE_ALWAYS;
	else if (json_equals(scheme, "first"))
		flags = METASPACE_FIRST;
	else if (json_equals(scheme, "never"))
		never = true;
	else
		return unsupported(build, "prepend scheme", scheme);
	if (prefix != NULL && !json_is(prefix, JSON_NULL) &&
		!need_bool(build, value, "add_prefix_space") && !never)
		return build_fault(build, FORMAT_MALFORMED,
						   "\"add_prefix_space\" of Metaspace contradicts its \"prepend_scheme\".");
	if (split == NULL || json_is(split, JSON_NULL) || need_bool(build, value, "split"))
		flags |= METASPACE_SPLIT;
	if (build_failed(build))
		return false;
	return build_metaspace(build, json_get(value, "replacement")->text,
						   json_get(value, "replacement")->length, flags);
}

static bool
read_behavior(Build *build, const JsonValue *value, SplitBehavior *behavior)
{
	static const struct
	{
		const char *name;
		SplitBehavior behavior;
	}			names[] =
	{
		{"Removed", BEHAVIOR_REMOVED}, {"Isolated", BEHAVIOR_ISOLATED},
		{"MergedWithPrevious", BEHAVIOR_PREVIOUS}, {"MergedWithNext", BEHAVIOR_NEXT},
		{"Contiguous", BEHAVIOR_CONTIGUOUS}
	};
	const JsonValue *name = need_string(build, value, "behavior");

	for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]);
		 i++)
	{
		if (json_equals(name, names[i].name))
		{
			*behavior = names[i].behavior;
			return true;
		}
	}
	return name != NULL && unsupported(build, "behavior", name);
}

static bool
read_punctuation(Build *build, const JsonValue *value)
{
	ImageStep	step = new_step(SPLIT_PUNCTUATION, 0);
	SplitBehavior behavior = BEHAVIOR_ISOLATED;

	if (json_get(value, "behavior") != NULL && !read_behavior(build, value, &behavior))
		return false;
	step.behavior = behavior;
	return add_step(build, SECTION_SPLITTERS, &step);
}

static bool
read_split(Build *build, const JsonValue *value)
{
	ImageStep	step = new_step(SPLIT_PATTERN,
								need_bool(build, value, "invert") ? PATTERN_INVERT : 0);
	SplitBehavior behavior;

	if (!read_behavior(build, value, &behavior) ||
		!read_pattern(build, value, &step))
		return false;
	step.behavior = behavior;
	return add_step(build, SECTION_SPLITTERS, &step);
}

bool
build_split(Build *build, const char *pattern, SplitBehavior behavior)
{
	ImageStep	step = new_step(SPLIT_PATTERN, 0);

	step.pattern = build_pattern(build, pattern, strlen(pattern));
	step.behavior = behavior;
	return add_step(build, SECTION_SPLITTERS, &step);
}

static const StepType splitters[] =
{
	{"Sequence", read_splitters},
	{"BertPreTokenizer", read_bert},
	{"ByteLevel", read_byte_level},
	{"CharDelimiterSplit", read_delimiter},
	{"Digits", read_digits},
	{"FixedLength", read_fixed_length},
	{"Metaspace", read_metaspace},
	{"Punctuation", read_punctuation},
	{"Split", read_split},
	{"UnicodeScripts", read_scripts},
	{"Whitespace", read_whitespace},
	{"WhitespaceSplit", read_whitespace_only},
	{NULL, NULL}
};

static bool
read_splitter(Build *build, const JsonValue *value)
{
	return read_step(build, value, splitters, "pre-tokenizer");
}

bool
build_splitters(Build *build, const JsonValue *value)
{
	return value == NULL || json_is(value, JSON_NULL) ||
		   read_splitter(build, value);
}

/* ---------- post-processors ---------- */

static bool read_processor(Build *build, const JsonValue *value);

static bool
read_processors(Build *build, const JsonValue *value)
{
	return read_list(build, value, "processors", read_processor);
}

bool
build_template(Build *build, const uint32_t *items, uint32_t count)
{
	ImageStep	step = new_step(PROCESS_TEMPLATE, 0);

	step.first = (uint32_t) (build->sections[SECTION_TEMPLATE].size /
							 sizeof(ImageTemplateItem));
	step.number = count;
	for (uint32_t i = 0; i < count; i++)
	{
		ImageTemplateItem item = {items[i]};

		build_append(build, SECTION_TEMPLATE, &item, sizeof(item));
		build->header.added_count += items[i] != NO_ID;
	}
	return add_step(build, SECTION_PROCESSORS, &step);
}

static bool
read_id(Build *build, const JsonValue *value, uint32_t *id)
{
	int64_t		number;

	if (!json_int64(value, &number) || number < 0 || number >= BUILD_MAX_ID)
		return build_fault(build, FORMAT_MALFORMED, "The post-processor has an invalid id.");
	*id = (uint32_t) number;
	return true;
}

/* The ids of one special token of a template. */
static bool
special_ids(Build *build, const JsonValue *template, const JsonValue *name,
			uint32_t *items, uint32_t *count)
{
	const JsonValue *specials = json_get(template, "special_tokens");
	const JsonValue *ids = NULL;
	char		excerpt[UTF8_EXCERPT];

	for (const JsonValue *key = json_first(specials);
		 key != NULL && json_is(name, JSON_STRING);
		 key = json_next(specials, key))
	{
		if (key->length == name->length &&
			memcmp(key->text, name->text, key->length) == 0)
			ids = json_get(json_member(key), "ids");
	}
	if (!json_is(ids, JSON_ARRAY))
		return build_fault(build, FORMAT_MALFORMED, "The template has no ids for \"%s\".",
						   json_is(name, JSON_STRING) ?
						   utf8_excerpt(name->text, name->length, excerpt) : "a special token");
	for (const JsonValue *id = json_first(ids); id != NULL;
		 id = json_next(ids, id))
	{
		if (*count == MAX_TEMPLATE)
			return build_fault(build, FORMAT_TOO_LARGE, "The template is too long.");
		if (!read_id(build, id, &items[(*count)++]))
			return false;
	}
	return true;
}

static bool
read_template(Build *build, const JsonValue *value)
{
	const JsonValue *single = json_get(value, "single");
	uint32_t	items[MAX_TEMPLATE];
	uint32_t	count = 0;
	int			sequences = 0;

	if (!json_is(single, JSON_ARRAY))
		return missing(build, value, "single", "an array");
	for (const JsonValue *item = json_first(single); item != NULL;
		 item = json_next(single, item))
	{
		const JsonValue *sequence = json_get(item, "Sequence");

		if (sequence == NULL)
		{
			if (!special_ids(build, value, json_get(json_get(item, "SpecialToken"), "id"), items,
							 &count))
				return false;
			continue;
		}
		if (!json_equals(json_get(sequence, "id"), "A") || count == MAX_TEMPLATE)
			return build_fault(build, FORMAT_UNSUPPORTED,
							   "A template for one text that uses another is not supported.");
		items[count++] = NO_ID;
		sequences++;
	}
	if (sequences != 1)
		return build_fault(build, FORMAT_UNSUPPORTED,
						   "A template that uses its text %d times is not supported.", sequences);
	return build_template(build, items, count);
}

/* "cls" and "sep": [token, id] */
static bool
read_pair(Build *build, const JsonValue *value)
{
	uint32_t	items[3] = {0, NO_ID, 0};
	static const char *const names[] = {"cls", NULL, "sep"};

	for (int i = 0; i < 3; i += 2)
	{
		const JsonValue *pair = json_get(value, names[i]);
		const JsonValue *text = json_first(pair);

		if (!json_is(pair, JSON_ARRAY) || json_count(pair) != 2)
			return missing(build, value, names[i], "a token and its id");
		if (!read_id(build, json_next(pair, text), &items[i]))
			return false;
	}
	return build_template(build, items, 3);
}

static bool
read_trim(Build *build, const JsonValue *value)
{
	bool		trim = need_bool(build, value, "trim_offsets");
	bool		prefix = need_bool(build, value, "add_prefix_space");

	return !trim || add_plain(build, SECTION_PROCESSORS, PROCESS_TRIM,
							  prefix ? TRIM_PREFIX : 0);
}

static bool
read_roberta(Build *build, const JsonValue *value)
{
	return read_trim(build, value) && read_pair(build, value);
}

static const StepType processors[] =
{
	{"Sequence", read_processors},
	{"BertProcessing", read_pair},
	{"RobertaProcessing", read_roberta},
	{"ByteLevel", read_trim},
	{"TemplateProcessing", read_template},
	{NULL, NULL}
};

static bool
read_processor(Build *build, const JsonValue *value)
{
	return read_step(build, value, processors, "post-processor");
}

bool
build_processors(Build *build, const JsonValue *value)
{
	return value == NULL || json_is(value, JSON_NULL) ||
		   read_processor(build, value);
}
