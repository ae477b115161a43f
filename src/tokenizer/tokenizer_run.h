/*-------------------------------------------------------------------------
 *
 * tokenizer_run.h
 *	  A text on its way through a tokenizer: buffers, pieces, tokens.
 *
 * For this room only.  A text begins as the caller's bytes, whole.  Added
 * tokens cut it into pieces; each normalizer writes all pieces anew into the
 * other of two buffers, unless it would change nothing; splitters cut pieces
 * smaller; the model turns each piece into tokens.
 *
 * For offsets every byte of a buffer has a span: where in the original text
 * the character lies that it came from.  The original itself needs none.
 * How spans go through a change follows the `tokenizers` package, whose rule
 * is this: new characters take the place of old ones one after another; one
 * that is "added" has the span of what precedes, one that "removes" n passes
 * over n more old ones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_RUN_H
#define TOKENIZER_RUN_H

#include <string.h>

#include "tokenizer/tokenizer_characters.h"
#include "tokenizer/image.h"

typedef struct Span
{
	uint32_t	start;
	uint32_t	end;
} Span;

/* id: NO_ID, or that of an added token, which nothing touches any more. */
typedef struct Piece
{
	uint32_t	begin;			/* in the text */
	uint32_t	end;
	uint32_t	origin;			/* where the original of this piece begins */
	uint32_t	id;
} Piece;

typedef struct Text
{
	unsigned char *bytes;
	Span	   *spans;			/* NULL: they are not wanted */
	uint32_t	length;
	uint32_t	capacity;
	bool		original;		/* the caller's bytes, which have no spans */
} Text;

typedef struct Run
{
	const Tokenizer *tokenizer;
	TokenizerScratch *scratch;
	TokenizerStatus status;
	bool		want_spans;
	uint32_t	wanted;			/* no more tokens than this are needed */
	Text		text;			/* what the pieces are of */
	Piece	   *pieces;
	uint32_t	piece_count;
	uint32_t	piece_capacity;
	uint32_t	turn;			/* which buffers "text" and "pieces" use */
	uint32_t	piece_turn;
	TokenizerToken *tokens;
	uint32_t	token_count;
	uint32_t	token_capacity;
	uint32_t	work_done;		/* since the last interrupt call */
	/* the piece in the model's hands */
	uint32_t	emit_at;
} Run;

/* Grows a buffer to at least this; false without memory. */
extern bool run_buffer(Run *run, int number, size_t size);

/* Notes a failure; returns false. */
extern bool run_fail(Run *run, TokenizerStatus status);

/* Says that so many bytes were worked on. */
#define RUN_UNIT 65536
extern void run_interrupt(Run *run);

static inline void
run_work(Run *run, uint32_t bytes)
{
	run->work_done += bytes;
	if (__builtin_expect(run->work_done >= RUN_UNIT, 0))
		run_interrupt(run);
}

/* The same within a long piece: at every unit that a loop passes. */
static inline void
run_pass(Run *run, uint32_t at, uint32_t *stop)
{
	if (__builtin_expect(at >= *stop, 0))
	{
		run_interrupt(run);
		*stop = at + RUN_UNIT;
	}
}

/* ---------- texts ---------- */

/* The longest text after normalizing: offsets fit in 32 bits with room. */
#define TEXT_MAX ((uint32_t) 3 << 30)

extern bool text_grow(Run *run, Text *text, uint32_t more);

/* The text that a step writes, empty, in the buffers that are not in use. */
extern bool text_begin(Run *run, Text *text);

static inline bool
text_reserve(Run *run, Text *text, uint32_t more)
{
	return __builtin_expect(text->capacity - text->length >= more, 1) ||
		   text_grow(run, text, more);
}

/* The span of the character that holds this byte. */
extern Span text_original_span(const Text *text, uint32_t at);

static inline Span
text_span(const Text *text, uint32_t at)
{
	if (text->original)
	{
		Span		ascii = {at, at + 1};

		return text->bytes[at] < 0x80 ? ascii : text_original_span(text, at);
	}
	return text->spans[at];
}

/* Where the new piece's original begins. */
static inline uint32_t
text_origin(const Text *text, uint32_t at, uint32_t otherwise)
{
	if (text->original)
		return at;
	return text->spans != NULL && at < text->length ? text->spans[at].start
													: otherwise;
}

/*
 * A change of one piece: characters are put one after another.
 */
typedef struct Change
{
	const Text *source;
	Text	   *target;
	uint32_t	begin;			/* of the piece in the source */
	uint32_t	end;
	uint32_t	cursor;
	uint32_t	origin;
} Change;

static inline void
change_begin(Change *change, const Text *source, Text *target,
			 const Piece *piece)
{
	change->source = source;
	change->target = target;
	change->begin = change->cursor = piece->begin;
	change->end = piece->end;
	change->origin = piece->origin;
}

/* Puts a character; the target has room for 4 bytes. */
extern void change_spans(Change *change, int bytes, int difference);

static inline void
change_put(Change *change, uint32_t code, int difference)
{
	Text	   *target = change->target;
	int			bytes = utf8_encode(code, target->bytes + target->length);

	if (target->spans != NULL)
		change_spans(change, bytes, difference);
	target->length += (uint32_t) bytes;
}

/* Copies source bytes as they are, with their spans; no room is checked. */
extern void text_copy(Text *target, const Text *source, uint32_t begin,
					  uint32_t end);

/* ---------- pieces ---------- */

/* A new list in the buffer not in use; then pieces_add; then pieces_take. */
typedef struct PieceList
{
	Piece	   *pieces;
	uint32_t	count;
	uint32_t	capacity;
} PieceList;

extern void pieces_begin(Run *run, PieceList *list);
extern bool pieces_grow(Run *run, PieceList *list);
extern void pieces_take(Run *run, PieceList *list);

static inline bool
pieces_add(Run *run, PieceList *list, uint32_t begin, uint32_t end,
		   uint32_t origin, uint32_t id)
{
	Piece	   *piece;

	if (begin == end)
		return true;			/* empty pieces are dropped wherever they come
								 * up */
	if (__builtin_expect(list->count == list->capacity, 0) &&
		!pieces_grow(run, list))
		return false;
	piece = &list->pieces[list->count++];
	piece->begin = begin;
	piece->end = end;
	piece->origin = origin;
	piece->id = id;
	return true;
}

/* Makes the text that a step wrote the current one. */
extern void run_take_text(Run *run, Text *text);

/* ---------- tokens ---------- */

extern bool tokens_grow(Run *run);

/* The next token, of the next "length" bytes of the piece. */
static inline bool
run_emit(Run *run, uint32_t id, uint32_t length)
{
	TokenizerToken *token;

	if (__builtin_expect(run->token_count == run->token_capacity, 0) &&
		!tokens_grow(run))
		return false;
	token = &run->tokens[run->token_count++];
	token->id = id;
	token->start = run->emit_at;
	token->length = length;
	token->text = 0;
	token->text_length = 0;
	run->emit_at += length;
	return true;
}

/* ---------- the steps ---------- */

extern bool added_split_original(Run *run);
extern bool added_split_normalized(Run *run);
extern bool normalize_step(Run *run, const ImageStep *step);
extern bool normalize_form(Run *run, Text *target, const Piece *piece,
						   uint32_t flags);
extern bool form_changes_nothing(const Text *text, const Piece *piece,
								 uint32_t flags);
extern bool normalize_precompiled(Run *run, Text *target, const Piece *piece,
								  const ImageStep *step);
extern bool precompiled_map_is_sound(const unsigned char *map, size_t length);
extern bool split_step(Run *run, const ImageStep *step);

/* The next grapheme cluster's end, from a cluster's beginning. */
extern uint32_t grapheme_end(const unsigned char *text, uint32_t begin,
							 uint32_t end);

/* Maps all pieces byte by byte to the alphabet of byte-level BPE. */
extern bool byte_level_map(Run *run);
extern uint32_t byte_level_character(unsigned char byte);

/* The byte of a character of that alphabet, or -1. */
extern int	byte_level_byte(uint32_t code);

extern bool model_piece(Run *run, const Piece *piece);
extern bool wordpiece_word(Run *run, const unsigned char *word,
						   uint32_t length);
extern bool bpe_word(Run *run, const unsigned char *word, uint32_t length);
extern bool bpe_piece(Run *run, const unsigned char *text, uint32_t length);

/* A word by the model, or from the cache. */
extern bool cached_word(Run *run, const unsigned char *word, uint32_t length);
extern bool unigram_piece(Run *run, const unsigned char *word,
						  uint32_t length);

/*
 * A whole text through the normalizers alone; the result lies in the scratch.
 */
extern TokenizerStatus normalize_text(const Tokenizer *tokenizer,
									  TokenizerScratch *scratch,
									  const unsigned char *text, size_t length,
									  const unsigned char **result,
									  size_t *result_length);

/* ---------- patterns ---------- */

typedef struct PatternMatch
{
	uint32_t	begin;
	uint32_t	end;
} PatternMatch;

typedef struct PatternSearch
{
	uint32_t	pattern;
	const unsigned char *text;
	uint32_t	length;
	uint32_t	last_end;
	uint32_t	last_match_end; /* or NO_ID */
} PatternSearch;

extern void pattern_begin(PatternSearch *search, uint32_t pattern,
						  const unsigned char *text, uint32_t length);

/* 1: a match; 0: no more; -1: run->status says. */
extern int	pattern_next(Run *run, PatternSearch *search, PatternMatch *match);

#endif							/* TOKENIZER_RUN_H */
