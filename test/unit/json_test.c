/*-------------------------------------------------------------------------
 *
 * json_test.c
 *	  Would fail if a JSON text were read wrongly, or if one that is not JSON
 *	  were taken for one, with the wrong place.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "format/json.h"
#include "math/random.h"

static Arena arena;
static FormatFault fault;

/* A block of exactly this size, so that no byte after the text is read. */
static const JsonValue *
parse_bytes(const char *text, size_t length, const JsonOptions *options)
{
	static char *copy;
	const JsonValue *root;

	arena_end(&arena);
	free(copy);
	copy = exact_alloc(length);
	memcpy(copy, text, length);
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 30);
	root = json_parse(&arena, copy, length, options, &fault);
	CHECK((root == NULL) == (fault.status != FORMAT_OK), "root %p, status %d", (void *) root,
		  fault.status);
	return root;
}

static const JsonValue *
parse(const char *text)
{
	return parse_bytes(text, strlen(text), NULL);
}

/* Writes the tree in one canonical way. */
static void
print(const JsonValue *value, char *out, size_t *used)
{
	static const char *const words[] = {"null", "false", "true"};
	const char *separator = "";

	switch ((JsonKind) value->kind)
	{
		case JSON_NULL:
		case JSON_FALSE:
		case JSON_TRUE:
			*used += (size_t) sprintf(out + *used, "%s", words[value->kind]);
			return;
		case JSON_NUMBER:
			*used += (size_t) sprintf(out + *used, "%.*s", (int) value->length, value->text);
			return;
		case JSON_STRING:
			*used += (size_t) sprintf(out + *used, "<%.*s>", (int) value->length, value->text);
			return;
		case JSON_ARRAY:
		case JSON_OBJECT:
			break;
	}
	*used += (size_t) sprintf(out + *used, "%s%u", value->kind == JSON_ARRAY ? "[" : "{",
							  json_count(value));
	for (const JsonValue *item = json_first(value); item != NULL;
		 item = json_next(value, item))
	{
		*used += (size_t) sprintf(out + *used, "%s", separator[0] ? separator : ":");
		separator = ",";
		print(item, out, used);
		if (value->kind == JSON_OBJECT)
		{
			*used += (size_t) sprintf(out + *used, "=");
			print(json_member(item), out, used);
		}
	}
	*used += (size_t) sprintf(out + *used, "%s", value->kind == JSON_ARRAY ? "]" : "}");
}

static void
expect_tree(const char *text, const char *expected, const JsonOptions *options)
{
	const JsonValue *root = parse_bytes(text, strlen(text), options);
	char		out[4096] = "";
	size_t		used = 0;

	if (root != NULL)
		print(root, out, &used);
	CHECK(strcmp(out, expected) == 0, "%s: read as %s, not %s (%s)", text, out, expected,
		  fault.detail);
}

static void
test_trees(void)
{
	expect_tree("null", "null", NULL);
	expect_tree(" true ", "true", NULL);
	expect_tree("\t\r\n-0", "-0", NULL);
	expect_tree("\"\"", "<>", NULL);
	expect_tree("[]", "[0]", NULL);
	expect_tree("[ ]", "[0]", NULL);
	expect_tree("{ }", "{0}", NULL);
	expect_tree("[1]", "[1:1]", NULL);
	expect_tree("[1,[2,[],3],{}]", "[3:1,[3:2,[0],3],{0}]", NULL);
	expect_tree("{\"a\":1,\"b\":[true,{\"c\":null}],\"\":\"x\"}",
				"{3:<a>=1,<b>=[2:true,{1:<c>=null}],<>=<x>}", NULL);
	expect_tree("{ \"a\" : { \"b\" : { } } , \"c\" : [ ] }", "{2:<a>={1:<b>={0}},<c>=[0]}", NULL);
	expect_tree("[0,-0,10,-12.5,1e5,1E+5,1.25e-7]", "[7:0,-0,10,-12.5,1e5,1E+5,1.25e-7]", NULL);
	/* brackets, commas and quotes in strings count for nothing */
	expect_tree("[\"[,{:\\\",\",\"\\\\\",\"]\"]", "[3:<[,{:\",>,<\\>,<]>]", NULL);
}

static void
test_strings(void)
{
	JsonOptions replace = {.replace_lone_surrogates = true};
	const JsonValue *value;

	expect_tree("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "<\"\\/\b\f\n\r\t>", NULL);
	expect_tree("\"\\u0041\\u00e9\\u4E2d\\uD83D\\uDE00\"", "<A\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80>", NULL);
	expect_tree("\"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\x7F\"", "<\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\x7F>",
				NULL);
	expect_tree("\"\\uFFFF\\uDBFF\\uDFFF\"", "<\xEF\xBF\xBF\xF4\x8F\xBF\xBF>", NULL);
	expect_tree("\"a\\uD800b\"", "<a\xEF\xBF\xBD" "b>", &replace);
	expect_tree("\"\\uDC00\\uD800\"", "<\xEF\xBF\xBD\xEF\xBF\xBD>", &replace);
	expect_tree("\"\\uD800\\uD800\\uDC00\"", "<\xEF\xBF\xBD\xF0\x90\x80\x80>", &replace);
	expect_tree("\"\\uD800\\u0041\"", "<\xEF\xBF\xBD" "A>", &replace);

	value = parse("[\"a\\u0000b\", \"a\"]");
	CHECK(json_first(value)->length == 3 && memcmp(json_first(value)->text, "a\0b", 3) == 0,
		  "a zero byte");
	CHECK(!json_equals(json_first(value), "a"), "equal up to a zero byte");
	CHECK(json_equals(json_next(value, json_first(value)), "a"), "not equal to itself");
}

static void
expect_number(const char *text, bool whole, int64_t integer, double number)
{
	const JsonValue *value = parse(text);
	int64_t		got = -77;
	double		real = -77;

	CHECK(json_int64(value, &got) == whole && got == (whole ? integer : -77), "%s: %lld", text,
		  (long long) got);
	CHECK(json_double(value, &real) == isfinite(number) &&
		  real == (isfinite(number) ? number : -77), "%s: %.17g", text, real);
}

static void
test_numbers(void)
{
	char		text[64];
	Random		random;

	expect_number("0", true, 0, 0);
	expect_number("-0", true, 0, -0.0);
	expect_number("-17", true, -17, -17);
	expect_number("9223372036854775807", true, INT64_MAX, 0x1p63);
	expect_number("-9223372036854775808", true, INT64_MIN, -0x1p63);
	expect_number("9223372036854775808", false, 0, 0x1p63);
	expect_number("-9223372036854775809", false, 0, -0x1p63);
	expect_number("1000000000000000019884624838656", false, 0, 1e30);
	expect_number("1.0", false, 0, 1);
	expect_number("1e2", false, 0, 100);
	expect_number("0.1", false, 0, 0.1);
	expect_number("1e-12", false, 0, 1e-12);
	expect_number("123456789012345678", true, 123456789012345678, 123456789012345678.0);
	expect_number("2.2250738585072014e-308", false, 0, 0x1p-1022);
	expect_number("5e-324", false, 0, 0x1p-1074);
	expect_number("1e-400", false, 0, 0);
	expect_number("1.7976931348623157e308", false, 0, 1.7976931348623157e308);
	expect_number("1e309", false, 0, INFINITY);
	expect_number("-1e999999999999", false, 0, -INFINITY);

	/* 17 digits give every double back */
	random_seed(&random, 3);
	for (int i = 0; i < 20000; i++)
	{
		uint64_t	bits = random_next(&random);
		double		number;

		memcpy(&number, &bits, sizeof(number));
		if (!isfinite(number))
			continue;
		sprintf(text, "%.17g", number);
		if (strstr(text, ".") == NULL && strstr(text, "e") == NULL)
			continue;
		expect_number(text, false, 0, number);
	}
}

static void
expect_fault_of(const char *text, size_t length, const JsonOptions *options,
				FormatStatus status, int line, int offset, const char *detail)
{
	const JsonValue *root = parse_bytes(text, length, options);

	CHECK(root == NULL && fault.status == status, "%s: status %d, not %d: %s", text, fault.status,
		  status, fault.detail);
	CHECK(fault.line == line &&
			  (offset < 0 || fault.offset == (uint64_t) offset),
		  "%s: line %d, offset %d", text, (int) fault.line,
		  (int) fault.offset);
	CHECK(strstr(fault.detail, detail) != NULL, "%s: %s", text, fault.detail);
}

static void
expect_fault(const char *text, FormatStatus status, int offset,
			 const char *detail)
{
	expect_fault_of(text, strlen(text), NULL, status, 1, offset, detail);
}

static void
test_faults(void)
{
	JsonOptions shallow = {.max_depth = 2};

	expect_fault("", FORMAT_TRUNCATED, 0, "Expected a value, found the end");
	expect_fault("  ", FORMAT_TRUNCATED, 2, "Expected a value");
	expect_fault("\xEF\xBB\xBF{}", FORMAT_MALFORMED, 0, "byte order mark");
	expect_fault("tru", FORMAT_MALFORMED, 0, "found \"t\"");
	expect_fault("nulL", FORMAT_MALFORMED, 0, "Expected a value");
	expect_fault("truex", FORMAT_MALFORMED, 4, "Expected the end of the text, found \"x\"");
	expect_fault("NaN", FORMAT_MALFORMED, 0, "Expected a value");
	expect_fault("[Infinity]", FORMAT_MALFORMED, 1, "Expected a value");
	expect_fault("[1,-Infinity]", FORMAT_MALFORMED, 4, "Expected a digit");
	expect_fault("01", FORMAT_MALFORMED, 1, "Expected the end");
	expect_fault("-", FORMAT_TRUNCATED, 1, "a digit");
	expect_fault("+1", FORMAT_MALFORMED, 0, "a value");
	expect_fault(".5", FORMAT_MALFORMED, 0, "a value");
	expect_fault("1.", FORMAT_TRUNCATED, 2, "a digit");
	expect_fault("[1.e5]", FORMAT_MALFORMED, 3, "a digit");
	expect_fault("1e", FORMAT_TRUNCATED, 2, "a digit");
	expect_fault("1e+,", FORMAT_MALFORMED, 3, "a digit");
	expect_fault("0x10", FORMAT_MALFORMED, 1, "found \"x\"");
	expect_fault("[1,]", FORMAT_MALFORMED, 3, "Expected a value, found \"]\"");
	expect_fault("[,1]", FORMAT_MALFORMED, 1, "Expected a value");
	expect_fault("[1 2]", FORMAT_MALFORMED, 3, "\",\" or \"]\"");
	expect_fault("[1", FORMAT_TRUNCATED, 2, "\",\" or \"]\"");
	expect_fault("[1}", FORMAT_MALFORMED, 2, "\",\" or \"]\"");
	expect_fault("]", FORMAT_MALFORMED, 0, "a value");
	expect_fault("[]]", FORMAT_MALFORMED, 2, "the end");
	expect_fault("{\"a\":1,}", FORMAT_MALFORMED, 7, "a key");
	expect_fault("{,}", FORMAT_MALFORMED, 1, "a key");
	expect_fault("{\"a\"}", FORMAT_MALFORMED, 4, "\":\"");
	expect_fault("{\"a\":}", FORMAT_MALFORMED, 5, "a value");
	expect_fault("{\"a\" 1}", FORMAT_MALFORMED, 5, "\":\"");
	expect_fault("{a:1}", FORMAT_MALFORMED, 1, "a key");
	expect_fault("{1:1}", FORMAT_MALFORMED, 1, "a key");
	expect_fault("{'a':1}", FORMAT_MALFORMED, 1, "a key");
	expect_fault("{\"a\":1 \"b\":2}", FORMAT_MALFORMED, 7, "\",\" or \"}\"");
	expect_fault("[1] // no", FORMAT_MALFORMED, 4, "the end");
	expect_fault("{}\f", FORMAT_MALFORMED, 2, "0x0C");
	expect_fault("\"a", FORMAT_TRUNCATED, 2, "within a string");
	expect_fault("\"\\", FORMAT_TRUNCATED, 1, "within an escape");
	expect_fault("\"\\u12", FORMAT_TRUNCATED, 1, "within an escape");
	expect_fault("\"\\u12g4\"", FORMAT_MALFORMED, 1, "hexadecimal");
	expect_fault("\"\\x41\"", FORMAT_MALFORMED, 1, "Unknown escape");
	expect_fault("\"\\'\"", FORMAT_MALFORMED, 1, "Unknown escape");
	expect_fault("\"a\tb\"", FORMAT_MALFORMED, 2, "0x09");
	expect_fault("\"\x80\"", FORMAT_MALFORMED, 1, "UTF-8");
	expect_fault("\"\xC0\x80\"", FORMAT_MALFORMED, 1, "UTF-8");
	expect_fault("\"a\xED\xA0\x80\"", FORMAT_MALFORMED, 2, "UTF-8");
	expect_fault("\"\xF4\x90\x80\x80\"", FORMAT_MALFORMED, 1, "UTF-8");
	expect_fault("\"\xE4\xB8", FORMAT_MALFORMED, 1, "UTF-8");
	expect_fault("\"\\uD800\"", FORMAT_MALFORMED, 1, "surrogate");
	expect_fault("\"x\\uDC00\"", FORMAT_MALFORMED, 2, "surrogate");
	expect_fault("\"\\uD800\\n\"", FORMAT_MALFORMED, 1, "surrogate");
	expect_fault("\xE4", FORMAT_MALFORMED, 0, "0xE4");
	expect_fault_of("[1,\0]", 5, NULL, FORMAT_MALFORMED, 1, 3, "0x00");
	expect_fault_of("\"\\\0\"", 4, NULL, FORMAT_MALFORMED, 1, 1, "Unknown escape");
	expect_fault_of("[1,\n2,\n3,\n?]", 12, NULL, FORMAT_MALFORMED, 4, 10, "found \"?\"");
	expect_fault_of("[[[]]]", 6, &shallow, FORMAT_TOO_LARGE, 1, 2, "more than 2 deep");
	expect_tree("[[],{}]", "[2:[0],{0}]", &shallow);
}

static void
test_depth(void)
{
	static char text[100000];

	for (int depth = 1; depth <= 40000;
		 depth = depth < 200 ? depth + 1 : depth * 2)
	{
		memset(text, '[', (size_t) depth);
		memset(text + depth, ']', (size_t) depth);
		text[2 * depth] = '\0';
		CHECK((parse(text) != NULL) == (depth <= JSON_MAX_DEPTH), "%d deep: %s", depth,
			  fault.detail);
		/* brackets that are never closed */
		text[depth] = '\0';
		CHECK(parse(text) == NULL, "%d brackets left open", depth);
	}
}

/* A text cut anywhere is not JSON, and is never read beyond. */
static void
test_prefixes(void)
{
	static const char text[] =
		" {\"a\\n\": [1, -2.5e-3, true, null, {\"b\": \"\xC3\xA9\\u00e9\\uD83D\\uDE00\"}], \"c\": false } ";
	size_t		length = strlen(text);

	CHECK(parse(text) != NULL, "%s", fault.detail);
	for (size_t cut = 0; cut < length - 1; cut++)
		CHECK(parse_bytes(text, cut, NULL) == NULL && fault.offset <= cut,
			  "cut at %zu: offset %d", cut, (int) fault.offset);
}

static void
test_duplicates(void)
{
	JsonOptions last = {.last_duplicate_wins = true};
	const JsonValue *root;
	int64_t		number = 0;
	char	   *text = exact_alloc(4000000);

	expect_fault("{\"a\":1,\"b\":2,\"a\":3}", FORMAT_MALFORMED, -1, "\"a\" comes twice");
	expect_fault("[{\"\":1,\"\":2}]", FORMAT_MALFORMED, -1, "\"\" comes twice");
	expect_fault("{\"\\u0061\":1,\"a\":2}", FORMAT_MALFORMED, -1, "\"a\" comes twice");
	expect_tree("{\"a\":{\"a\":1},\"b\":{\"a\":2}}", "{2:<a>={1:<a>=1},<b>={1:<a>=2}}", NULL);
	expect_tree("{\"a\":[1,2],\"b\":2,\"a\":3}", "{2:<b>=2,<a>=3}", &last);
	expect_tree("{\"a\":1,\"a\":2,\"a\":{\"a\":1,\"a\":9},\"c\":4}", "{2:<a>={1:<a>=9},<c>=4}", &last);
	root = parse_bytes("{\"a\":1,\"b\":2,\"a\":3}", 19, &last);
	CHECK(json_int64(json_get(root, "a"), &number) && number == 3, "the last one wins: %d",
		  (int) number);

	/* many keys, sorted: every third one comes again at the end */
	for (int count = 1; count <= 100000;
		 count = count < 40 ? count + 1 : count * 7)
	{
		for (int again = 0; again <= 1; again++)
		{
			size_t		used = 0;
			int			seen = 0;

			used += (size_t) sprintf(text, "{");
			for (int i = 0; i < count; i++)
				used += (size_t) sprintf(text + used, "%s\"k%d\":%d", i ? "," : "", i, i);
			for (int i = 0; again && i < count; i += 3)
				used += (size_t) sprintf(text + used, ",\"k%d\":%d", i, i + 1000000);
			used += (size_t) sprintf(text + used, "}");
			CHECK((parse_bytes(text, used, NULL) == NULL) == again, "%d keys: %s", count,
				  fault.detail);
			root = parse_bytes(text, used, &last);
			CHECK(json_count(root) == (uint32_t) count, "%d keys, counted %u", count,
				  json_count(root));
			for (const JsonValue *key = json_first(root); key;
				 key = json_next(root, key), seen++)
			{
				int			k = atoi(key->text + 1);

				json_int64(json_member(key), &number);
				CHECK(number == (again && k % 3 == 0 ? k + 1000000 : k), "key %d is %d", k,
					  (int) number);
			}
			CHECK(seen == count, "%d keys, seen %d", count, seen);
		}
	}
	free(text);
}

/* Memory that fails at each call in turn, and an arena that is too small. */
static size_t calls_left;

static void *
failing_allocate(void *context, size_t size)
{
	return calls_left-- == 0 ? NULL : arena_malloc(context, size);
}

static void
test_memory(void)
{
	static char text[40000];
	size_t		used = 0;

	used += (size_t) sprintf(text, "{");
	for (int i = 0; i < 1000; i++)
		used += (size_t) sprintf(text + used, "%s\"key\\t%d\":[\"\\n%d\"]", i ? "," : "", i, i);
	used += (size_t) sprintf(text + used, "}");
	for (size_t calls = 0;; calls++)
	{
		Arena		own;
		const JsonValue *root;

		calls_left = calls;
		arena_begin(&own, failing_allocate, arena_free, NULL, SIZE_MAX);
		root = json_parse(&own, text, used, NULL, &fault);
		arena_end(&own);
		if (root != NULL)
			break;
		CHECK(fault.status == FORMAT_OUT_OF_MEMORY, "%zu calls: %s", calls, fault.detail);
		CHECK(calls < 100, "still out of memory");
		if (calls >= 100)
			break;
	}
	for (size_t limit = 0; limit < 200000; limit += 997)
	{
		Arena		own;
		const JsonValue *root;

		arena_begin(&own, arena_malloc, arena_free, NULL, limit);
		root = json_parse(&own, text, used, NULL, &fault);
		CHECK(root != NULL || fault.status == FORMAT_OUT_OF_MEMORY, "limit %zu: %s", limit,
			  fault.detail);
		CHECK(own.taken <= limit, "limit %zu: %zu", limit, own.taken);
		arena_end(&own);
	}
}

static void
count_interrupt(void *context)
{
	++*(int *) context;
}

static void
test_interrupts(void)
{
	size_t		length = 20 << 20;
	char	   *text = exact_alloc(length);
	int			calls = 0;
	JsonOptions options = {.interrupt = count_interrupt,.context = &calls};
	const JsonValue *root;

	memset(text, 'x', length);
	text[0] = text[length - 1] = '"';
	root = parse_bytes(text, length, &options);
	CHECK(root != NULL && root->length == length - 2, "a long string");
	CHECK(calls >= 40, "%d interrupts in a long string", calls);
	memset(text, ' ', length);
	for (size_t i = 0; i < length; i += 2)
		text[i] = i ? ',' : '[', text[i + 1] = '1';
	text[length - 2] = ' ';
	text[length - 1] = ']';
	calls = 0;
	root = parse_bytes(text, length, &options);
	CHECK(root != NULL && json_count(root) == length / 2 - 1, "a long array: %s", fault.detail);
	CHECK(calls >= 40, "%d interrupts in a long array", calls);
	free(text);
}

static void
test_absent(void)
{
	const JsonValue *root = parse("{\"a\":[true,\"x\"],\"b\":1}");
	bool		yes = false;
	int64_t		number;
	double		real;

	CHECK(json_get(json_get(json_get(root, "nothing"), "a"), "b") == NULL, "what is not there");
	CHECK(json_get(json_get(root, "a"), "b") == NULL, "a member of an array");
	CHECK(json_first(json_get(root, "b")) == NULL && json_count(json_get(root, "b")) == 0,
		  "an element of a number");
	CHECK(json_count(NULL) == 0 && json_first(NULL) == NULL, "nothing has elements");
	CHECK(!json_bool(NULL, &yes) && !json_int64(NULL, &number) &&
			  !json_double(NULL, &real) && !json_equals(NULL, ""),
		  "nothing is nothing");
	CHECK(json_bool(json_first(json_get(root, "a")), &yes) && yes, "true");
	CHECK(!json_bool(json_get(root, "b"), &yes), "1 is not true");
	CHECK(!json_int64(json_get(root, "a"), &number), "an array is no number");
	CHECK(strcmp(json_kind_name(json_get(root, "a")), "an array") == 0 &&
		  strcmp(json_kind_name(NULL), "nothing") == 0, "names of kinds");
}

static bool
collect(void *context, const char *key, const JsonValue *value)
{
	char	   *out = context;

	sprintf(out + strlen(out), "%s=%.*s ", key, json_is(value, JSON_NUMBER) ? (int) value->length : 1,
			json_is(value, JSON_NUMBER) ? value->text : "?");
	return !json_is(value, JSON_NULL);
}

static void
test_leaves(void)
{
	static char text[3 * JSON_MAX_PATH];
	static char out[2 * JSON_MAX_PATH];
	const JsonValue *root = parse("{\"a\":1,\"b\":{\"c\":[2,[],{\"d\":3}],\"e\":{}},\"f\":true,\"\":4}");

	CHECK(json_visit_leaves(root, collect, out) && strcmp(out, "a=1 b.c.0=2 b.c.2.d=3 f=? =4 ") == 0,
		  "leaves: %s", out);
	out[0] = '\0';
	CHECK(!json_visit_leaves(parse("[1,null,2]"), collect, out) && strcmp(out, "0=1 1=? ") == 0,
		  "stopped: %s", out);
	out[0] = '\0';
	CHECK(json_visit_leaves(parse("7"), collect, out) && strcmp(out, "=7 ") == 0, "a leaf: %s", out);
	CHECK(!json_visit_leaves(parse("{\"a\\u0000\":1}"), collect, out), "a zero byte in a key");
	for (size_t length = JSON_MAX_PATH - 10; length < JSON_MAX_PATH + 10;
		 length++)
	{
		memset(text, 'k', sizeof(text));
		memcpy(text, "{\"x\":{\"", 7);
		memcpy(text + 7 + length, "\":1}}", 6);
		out[0] = '\0';
		root = parse(text);
		CHECK(root != NULL && json_count(root) == 1, "a long key: %s", fault.detail);
		if (length > JSON_MAX_PATH)
			CHECK(!json_visit_leaves(root, collect, out), "a key of %zu bytes", length);
	}
}

int
main(void)
{
	test_trees();
	test_strings();
	test_numbers();
	test_faults();
	test_depth();
	test_prefixes();
	test_duplicates();
	test_memory();
	test_interrupts();
	test_absent();
	test_leaves();
	parse("0");
	return check_result();
}
