/*-------------------------------------------------------------------------
 *
 * json_write.h
 *	  Writing JSON into memory of an arena.
 *
 *		json_writer_begin(&writer, &arena);
 *		json_write_begin(&writer, '{');
 *		json_write_key(&writer, "shape", 5);
 *		json_write_int64(&writer, 7);
 *		json_write_end(&writer, '}');
 *		text = json_writer_text(&writer, &length);	... or NULL: no memory
 *
 * Commas and colons come by themselves.  Whether what is written is a JSON
 * text is the caller's affair: a key before every value of an object, and an
 * end for every beginning.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_JSON_WRITE_H
#define FORMAT_JSON_WRITE_H

#include "format/json.h"

typedef struct JsonWriter
{
	Arena	   *arena;
	char	   *text;
	size_t		length;
	size_t		capacity;
	bool		failed;
	bool		separate;		/* a comma comes before what comes next */
} JsonWriter;

extern void json_writer_begin(JsonWriter *writer, Arena *arena);
extern void json_write_begin(JsonWriter *writer, char bracket);
extern void json_write_end(JsonWriter *writer, char bracket);
extern void json_write_key(JsonWriter *writer, const char *text,
						   size_t length);

/*
 * Well-formed UTF-8; quotes, backslashes and control characters are escaped.
 */
extern void json_write_string(JsonWriter *writer, const char *text,
							  size_t length);
extern void json_write_int64(JsonWriter *writer, int64_t number);
extern void json_write_uint64(JsonWriter *writer, uint64_t number);

/* The shortest form that is read back as the same double; finite. */
extern void json_write_double(JsonWriter *writer, double number);

/* "null", "true", a number as it was written. */
extern void json_write_raw(JsonWriter *writer, const char *text,
						   size_t length);

/* A whole tree, without shadowed keys. */
extern void json_write_value(JsonWriter *writer, const JsonValue *value);

/* Ended by a zero byte, which is not counted. */
extern char *json_writer_text(JsonWriter *writer, size_t *length);

#endif							/* FORMAT_JSON_WRITE_H */
