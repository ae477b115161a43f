/*-------------------------------------------------------------------------
 *
 * json.h
 *	  JSON texts (RFC 8259), read strictly into a compact tree.
 *
 *		root = json_parse(&arena, text, length, NULL, &fault);
 *		if (root == NULL)
 *			... fault says what and where
 *		vocab = json_get(json_get(root, "model"), "vocab");
 *		if (!json_is(vocab, JSON_OBJECT))
 *			... missing, or of another kind
 *		for (key = json_first(vocab); key != NULL; key = json_next(vocab, key))
 *		{
 *			value = json_member(key);
 *			if (!json_int64(value, &id))
 *				... not a whole number, or out of range
 *			... key->text, key->length; json_equals(key, "[UNK]")
 *		}
 *		for (item = json_first(list); item != NULL;
 *			 item = json_next(list, item))
 *			...
 *
 * The tree is one array of nodes of 16 bytes in the order of the text.
 * Strings without escapes and all numbers point into the text, which must
 * stay where it is as long as the tree; strings with escapes lie in the arena.
 * No string ends in a zero byte, and any may contain one (\u0000).
 *
 * Every function takes NULL for a value that is not there, so that a path is
 * followed without a check on each step.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "format/arena.h"
#include "format/format.h"

typedef enum JsonKind
{
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonKind;

typedef struct JsonValue
{
	uint8_t		kind;
	bool		shadowed;		/* a key that comes again later in its
								 * object */
	uint32_t	length;			/* bytes of a string or a number as written;
								 * elements of an array, members of an object
								 * without shadowed ones */
	union
	{
		const char *text;		/* of a string or number */
		size_t		nodes;		/* of an array or object, with this one */
	};
} JsonValue;

/* All zero, or no options at all, is strict. */
typedef struct JsonOptions
{
	bool		last_duplicate_wins;	/* else an equal key is a fault */
	bool		replace_lone_surrogates;	/* by U+FFFD, else a fault */
	int			max_depth;		/* 0 for JSON_MAX_DEPTH, which is the most */
	FormatInterrupt interrupt;	/* may be NULL */
	void	   *context;
} JsonOptions;

/* As deep as serde_json goes, which wrote nearly all that is read here. */
#define JSON_MAX_DEPTH 128

/* Lengths and counts are kept in 32 bits; a bytea is not longer anyway. */
#define JSON_MAX_LENGTH ((size_t) 1 << 30)

/*
 * The root of the tree, or NULL and a fault.
 *
 * Takes 16 bytes of the arena for each key and value, 32 more for a while for
 * each key of the largest object, and the strings that have escapes.
 */
extern const JsonValue *json_parse(Arena *arena, const char *text,
								   size_t length, const JsonOptions *options,
								   FormatFault *fault);

static inline bool
json_is(const JsonValue *value, JsonKind kind)
{
	return value != NULL && value->kind == kind;
}

/* How many elements or members; 0 for anything else. */
extern uint32_t json_count(const JsonValue *value);

/*
 * The first element of an array or the first key of an object, and the one
 * after another; NULL at the end.  Shadowed keys are passed over.
 */
extern const JsonValue *json_first(const JsonValue *container);
extern const JsonValue *json_next(const JsonValue *container,
								  const JsonValue *item);

/* The value of a key. */
static inline const JsonValue *
json_member(const JsonValue *key)
{
	return key + 1;
}

/* The value of a name, searched from the start; NULL if there is none. */
extern const JsonValue *json_get(const JsonValue *object, const char *name);

/* Is it a string of these characters? */
extern bool json_equals(const JsonValue *value, const char *text);

/* False, and nothing stored, if the value is not of this kind. */
extern bool json_bool(const JsonValue *value, bool *result);

/* Only digits and a minus sign: neither 1.0 nor 1e2 is a whole number. */
extern bool json_int64(const JsonValue *value, int64_t *result);

/* Rounded correctly; false also for what is beyond a double's range. */
extern bool json_double(const JsonValue *value, double *result);

/*
 * Calls a function for each value that is no container, in their order.
 *
 * Its key is that of every object and the place in every array on the way,
 * joined by dots: "rope_parameters.factor", "layer_types.0".  Empty containers
 * are not seen.  False if the function returned it, or if a key has more than
 * JSON_MAX_PATH bytes or a zero byte; at that the function is not called.
 */
#define JSON_MAX_PATH 1000
typedef bool (*JsonVisit) (void *context, const char *key,
						   const JsonValue *value);
extern bool json_visit_leaves(const JsonValue *root, JsonVisit visit,
							  void *context);

/* "an object", "a string", ...: for messages. */
extern const char *json_kind_name(const JsonValue *value);

#endif							/* FORMAT_JSON_H */
