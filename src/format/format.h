/*-------------------------------------------------------------------------
 *
 * format.h
 *	  What all parsers of foreign files share: where bytes come from, and how
 *	  a fault is told.
 *
 * A parser owns no memory: its caller provides one struct, whose size is known
 * beforehand, and where the file decides how much is needed an arena
 * (format/arena.h).  So the caller may leave it at any time, also by longjmp
 * out of a function that it was given.  Nothing in a file is believed before
 * it is checked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum FormatStatus
{
	FORMAT_OK,
	FORMAT_READ_FAILED,			/* the source said so */
	FORMAT_UNRECOGNIZED,		/* not a file of a known kind */
	FORMAT_UNSUPPORTED,			/* of a known kind, but of no use here */
	FORMAT_TRUNCATED,			/* ends in the middle */
	FORMAT_MALFORMED,			/* contradicts itself or its kind */
	FORMAT_NOT_FINITE,			/* NaN, infinity or out of range */
	FORMAT_TOO_LARGE,			/* over a limit of ours */
	FORMAT_OUT_OF_MEMORY		/* of the server's, or over the arena's
								 * limit */
} FormatStatus;

/* The primary message of a status: lower case, without a full stop. */
extern const char *format_message(FormatStatus status);

/* The first fault found.  detail: whole sentences. */
typedef struct FormatFault
{
	FormatStatus status;
	uint64_t	offset;			/* of the byte where it was noticed */
	int64_t		line;			/* from 1, or 0 where there are no lines */
	char		detail[240];
} FormatFault;

/*
 * Reads up to "capacity" bytes; returns how many, 0 at the end, or -1 when
 * reading failed.
 */
typedef ptrdiff_t (*FormatRead) (void *context, void *buffer, size_t capacity);

/* A longer line, word or row than this is a fault. */
#define FORMAT_WINDOW ((size_t) 1 << 20)

/* A window over the bytes of a source, which moves forward only. */
typedef struct FormatSource
{
	FormatRead	read;
	void	   *context;
	bool		ended;
	bool		failed;
	uint64_t	position;		/* of window[start] in the file */
	size_t		start;
	size_t		end;
	unsigned char window[FORMAT_WINDOW];
} FormatSource;

extern void format_source_begin(FormatSource *source, FormatRead read,
								void *context);

/*
 * Makes at least "wanted" bytes available, if there are as many and they fit
 * the window; returns how many there are.
 */
extern size_t format_source_fill(FormatSource *source, size_t wanted);

/* Drops bytes that are available. */
extern void format_source_skip(FormatSource *source, size_t count);

static inline const unsigned char *
format_source_bytes(const FormatSource *source)
{
	return source->window + source->start;
}

/*
 * The distance of the next byte of this value, reading on as needed, or
 * FORMAT_NOT_FOUND when the file or the window ends before it.
 */
#define FORMAT_NOT_FOUND ((size_t) -1)
extern size_t format_source_find(FormatSource *source, unsigned char value);

/* Keeps the first fault, with printf's arguments for the detail. */
extern void format_fault(FormatFault *fault, FormatStatus status,
						 uint64_t offset, int64_t line, const char *detail,
						 ...) __attribute__((format(printf, 5, 6)));
extern void format_fault_list(FormatFault *fault, FormatStatus status,
							  uint64_t offset, int64_t line,
							  const char *detail, va_list arguments)
	__attribute__((format(printf, 5, 0)));

/* Little-endian numbers at any address. */
extern uint32_t format_read_uint32(const unsigned char *bytes);
extern uint64_t format_read_uint64(const unsigned char *bytes);
extern void format_read_floats(const unsigned char *bytes, float *values,
							   int count);

/* Are all values finite?  Else the index of the first that is not, or -1. */
extern int	format_first_not_finite(const float *values, int count);

/*
 * format_parse_double, format_parse_float
 *	  A decimal number that fills the text from first to last exactly.
 *
 * The value is that of strtod, and for a float this rounded once more, which
 * is what the libraries that write and read such files compute.  Returns false
 * for anything but digits, one point, one exponent and signs ("nan", "inf" and
 * hexadecimal are not numbers here), and for a number of more characters than
 * anybody writes; what is out of range is infinity.
 */
#define FORMAT_LONGEST_NUMBER 400
extern bool format_parse_double(const char *text, size_t length,
								double *value);
extern bool format_parse_float(const char *text, size_t length, float *value);

/*
 * What a parser that computes for long calls now and then, every few
 * milliseconds; it need not return.
 */
typedef void (*FormatInterrupt) (void *context);

/* Names of files and tensors: does it end so? */
extern bool name_ends_with(const char *name, const char *end);

#endif							/* FORMAT_FORMAT_H */
