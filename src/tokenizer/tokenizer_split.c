/*-------------------------------------------------------------------------
 *
 * tokenizer_split.c
 *	  The pre-tokenizers of tokenizer.json: pieces are cut smaller.
 *
 * A splitter goes through a piece and tells, one after another, parts that
 * match and parts between them; a behavior makes pieces of both.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

typedef struct Splitter
{
	Run		   *run;
	PieceList	list;
	SplitBehavior behavior;
	bool		invert;
	const Piece *piece;
	bool		held;			/* a part that the next one may join */
	uint32_t	held_begin;
	uint32_t	held_end;
	bool		last_match;
} Splitter;

static bool
splitter_add(Splitter *splitter, uint32_t begin, uint32_t end)
{
	return pieces_add(splitter->run, &splitter->list, begin, end,
					  text_origin(&splitter->run->text, begin,
								  splitter->piece->origin),
					  NO_ID);
}

static bool
splitter_hold(Splitter *splitter, uint32_t begin, uint32_t end)
{
	bool		done = !splitter->held ||
		splitter_add(splitter, splitter->held_begin, splitter->held_end);

	splitter->held = true;
	splitter->held_begin = begin;
	splitter->held_end = end;
	return done;
}

static void
splitter_begin(Splitter *splitter, const Piece *piece)
{
	splitter->piece = piece;
	splitter->held = false;
	splitter->last_match = false;
}

static bool
splitter_part(Splitter *splitter, uint32_t begin, uint32_t end, bool match)
{
	bool		last = splitter->last_match;

	match ^= splitter->invert;
	splitter->last_match = match;
	switch (splitter->behavior)
	{
		case BEHAVIOR_REMOVED:
			return match || splitter_add(splitter, begin, end);
		case BEHAVIOR_ISOLATED:
			return splitter_add(splitter, begin, end);
		case BEHAVIOR_CONTIGUOUS:
			if (match == last && splitter->held)
			{
				splitter->held_end = end;
				return true;
			}
			return splitter_hold(splitter, begin, end);
		case BEHAVIOR_PREVIOUS:
			if (match && !last && splitter->held)
			{
				splitter->held_end = end;
				return true;
			}
			return splitter_hold(splitter, begin, end);
		case BEHAVIOR_NEXT:
			/*
			 * only a match is held: what follows joins it unless a match too
			 */
			if (match)
				return splitter_hold(splitter, begin, end);
			if (splitter->held)
				begin = splitter->held_begin;
			splitter->held = false;
			return splitter_add(splitter, begin, end);
		default:
			return run_fail(splitter->run, TOKENIZER_DAMAGED);
	}
}

static bool
splitter_end(Splitter *splitter)
{
	bool		done = !splitter->held ||
		splitter_add(splitter, splitter->held_begin, splitter->held_end);

	splitter->held = false;
	return done;
}

/* ---------- by single characters ---------- */

static bool
is_wanted(const ImageStep *step, uint32_t code)
{
	switch (step->kind)
	{
		case SPLIT_DELIMITER:
			return code == step->number;
		case SPLIT_DIGITS:
			return character_is(code, CHARACTER_NUMERIC);
		case SPLIT_PUNCTUATION:
			return character_is(code, CHARACTER_PUNCTUATION);
		default:
			return character_is(code, CHARACTER_SPACE);
	}
}

static bool
split_characters(Splitter *splitter, const ImageStep *step)
{
	const unsigned char *text = splitter->run->text.bytes;
	const Piece *piece = splitter->piece;
	uint32_t	last = piece->begin;
	uint32_t	stop = last + RUN_UNIT;
	uint32_t	next;

	for (uint32_t i = piece->begin; i < piece->end; i = next)
	{
		next = i + utf8_step(text + i);
		run_pass(splitter->run, i, &stop);
		if (!is_wanted(step, utf8_code(text + i)))
			continue;
		if ((last < i && !splitter_part(splitter, last, i, false)) ||
			!splitter_part(splitter, i, next, true))
			return false;
		last = next;
	}
	return (last == piece->end ||
			splitter_part(splitter, last, piece->end, false)) &&
		   splitter_end(splitter);
}

/* ---------- by words ---------- */

enum
{
	KIND_WORD,
	KIND_SPACE,
	KIND_OTHER
};

static inline int
bert_kind(uint32_t code)
{
	uint16_t	flags = character_record(code)->flags;

	return flags & CHARACTER_SPACE		   ? KIND_SPACE
		   : flags & CHARACTER_PUNCTUATION ? KIND_OTHER
										   : KIND_WORD;
}

static inline int
whitespace_kind(uint32_t code)
{
	uint16_t	flags = character_record(code)->flags;

	return flags & CHARACTER_WORD	 ? KIND_WORD
		   : flags & CHARACTER_SPACE ? KIND_SPACE
									 : KIND_OTHER;
}

/*
 * BERT: spaces vanish, punctuation stands alone.  Whitespace: spaces vanish,
 * words and everything else are runs.
 */
static bool
split_words(Splitter *splitter, bool bert)
{
	const unsigned char *text = splitter->run->text.bytes;
	const Piece *piece = splitter->piece;
	unsigned char kinds[128];
	uint32_t	begin = piece->begin;
	uint32_t	stop = begin + RUN_UNIT;
	int			last = KIND_SPACE;

	for (uint32_t code = 0; code < 128; code++)
		kinds[code] = (unsigned char) (bert ? bert_kind(code)
											: whitespace_kind(code));
	for (uint32_t i = piece->begin; i < piece->end; i += utf8_step(text + i))
	{
		uint32_t	code = text[i];
		int			kind;

		run_pass(splitter->run, i, &stop);
		if (code < 0x80)
			kind = kinds[code];
		else
		{
			code = utf8_code(text + i);
			kind = bert ? bert_kind(code) : whitespace_kind(code);
		}
		if (kind == last && !(bert && kind == KIND_OTHER))
			continue;
		if (last != KIND_SPACE && !splitter_add(splitter, begin, i))
			return false;
		begin = i;
		last = kind;
	}
	return last == KIND_SPACE || splitter_add(splitter, begin, piece->end);
}

/* ---------- by patterns and literals ---------- */

static bool
split_pattern(Splitter *splitter, uint32_t pattern)
{
	const Piece *piece = splitter->piece;
	PatternSearch search;
	PatternMatch match;
	uint32_t	last = 0;
	int			found;

	pattern_begin(&search, pattern, splitter->run->text.bytes + piece->begin,
				  piece->end - piece->begin);
	while ((found = pattern_next(splitter->run, &search, &match)) > 0)
	{
		if ((last != match.begin &&
			 !splitter_part(splitter, piece->begin + last,
							piece->begin + match.begin, false)) ||
			!splitter_part(splitter, piece->begin + match.begin,
						   piece->begin + match.end, true))
			return false;
		last = match.end;
	}
	if (found < 0)
		return false;
	return (piece->begin + last == piece->end ||
			splitter_part(splitter, piece->begin + last, piece->end, false)) &&
		splitter_end(splitter);
}

static bool
split_literal(Splitter *splitter, const unsigned char *literal,
			  uint32_t length)
{
	const unsigned char *text = splitter->run->text.bytes;
	const Piece *piece = splitter->piece;
	uint32_t	last = piece->begin;
	uint32_t	at = piece->begin;
	uint32_t	stop = at + RUN_UNIT;

	while (piece->end - at >= length)
	{
		const unsigned char *found = memchr(text + at, literal[0],
											piece->end - at - length + 1);

		if (found == NULL)
			break;
		at = (uint32_t) (found - text);
		run_pass(splitter->run, at, &stop);
		if (memcmp(found, literal, length) != 0)
		{
			at++;
			continue;
		}
		if ((last < at && !splitter_part(splitter, last, at, false)) ||
			!splitter_part(splitter, at, at + length, true))
			return false;
		at += length;
		last = at;
	}
	return (last == piece->end ||
			splitter_part(splitter, last, piece->end, false)) &&
		   splitter_end(splitter);
}

/* ---------- by length and by script ---------- */

static bool
split_fixed_length(Splitter *splitter, uint32_t length)
{
	const unsigned char *text = splitter->run->text.bytes;
	const Piece *piece = splitter->piece;
	uint32_t	begin = piece->begin;
	uint32_t	stop = begin + RUN_UNIT;
	uint32_t	count = 0;

	for (uint32_t i = piece->begin; i < piece->end;)
	{
		run_pass(splitter->run, i, &stop);
		i += utf8_step(text + i);
		if (++count == length || i >= piece->end)
		{
			if (!splitter_add(splitter, begin, i))
				return false;
			begin = i;
			count = 0;
		}
	}
	return true;
}

/* Kana count as Han; a blank and what has no script belong to any. */
static int
script_of(uint32_t code)
{
	int			script;

	if (code == ' ')
		return SCRIPT_UNKNOWN;
	if (code == 0x30FC)
		return SCRIPT_HAN;
	script = character_old_script(code);
	return script == SCRIPT_HIRAGANA || script == SCRIPT_KATAKANA ? SCRIPT_HAN
																  : script;
}

/* What precedes the first character with a script is dropped. */
static bool
split_scripts(Splitter *splitter)
{
	const unsigned char *text = splitter->run->text.bytes;
	const Piece *piece = splitter->piece;
	uint32_t	begin = piece->begin;
	uint32_t	stop = begin + RUN_UNIT;
	int			last = -1;

	for (uint32_t i = piece->begin; i < piece->end; i += utf8_step(text + i))
	{
		int			script = script_of(utf8_code(text + i));

		run_pass(splitter->run, i, &stop);
		if (script == SCRIPT_UNKNOWN || script == last)
			continue;
		if (last >= 0 && !splitter_add(splitter, begin, i))
			return false;
		begin = i;
		last = script;
	}
	return last < 0 || splitter_add(splitter, begin, piece->end);
}

/* ---------- steps that change the text first ---------- */

/* Blanks become the mark, with a mark in front as the scheme says. */
static bool
metaspace_text(Run *run, const ImageStep *step)
{
	const unsigned char *mark = image_string(run->tokenizer, step->text);
	uint32_t	length = step->text.length;
	Text		target;
	PieceList	list;

	if (!text_begin(run, &target))
		return false;
	pieces_begin(run, &list);
	for (uint32_t n = 0; n < run->piece_count; n++)
	{
		const Piece *piece = &run->pieces[n];
		const unsigned char *text = run->text.bytes;
		uint32_t	begin = target.length;
		uint32_t	stop = piece->begin + RUN_UNIT;
		bool		marked;

		run_work(run, piece->end - piece->begin);
		if (piece->id != NO_ID)
		{
			if (!text_reserve(run, &target, piece->end - piece->begin))
				return false;
			text_copy(&target, &run->text, piece->begin, piece->end);
			if (!pieces_add(run, &list, begin, target.length, piece->origin,
							piece->id))
				return false;
			continue;
		}
		marked = text[piece->begin] == ' ' ||
				 (piece->end - piece->begin >= length &&
				  memcmp(text + piece->begin, mark, length) == 0);
		for (uint32_t i = piece->begin; i < piece->end;)
		{
			uint32_t	end = i;
			bool		front = i == piece->begin && !marked &&
				((step->flags & METASPACE_ALWAYS) ||
				 ((step->flags & METASPACE_FIRST) && piece->origin == 0));

			run_pass(run, i, &stop);
			if (!text_reserve(run, &target, 2 * length))
				return false;
			if (front || text[i] == ' ')
			{
				memcpy(target.bytes + target.length, mark, length);
				for (uint32_t k = 0; target.spans != NULL && k < length; k++)
					target.spans[target.length + k] = text_span(&run->text, i);
				target.length += length;
				i += !front;
				if (!front)
					continue;
			}
			while (end < piece->end && text[end] != ' ')
				end++;
			if (!text_reserve(run, &target, end - i))
				return false;
			text_copy(&target, &run->text, i, end);
			i = end;
		}
		if (!pieces_add(run, &list, begin, target.length, piece->origin,
						NO_ID))
			return false;
	}
	pieces_take(run, &list);
	run_take_text(run, &target);
	return true;
}

/* A blank in front of each piece that does not begin with one. */
static bool
prefix_text(Run *run)
{
	Text		target;
	PieceList	list;
	bool		changes = false;

	for (uint32_t n = 0; n < run->piece_count && !changes; n++)
		changes = run->pieces[n].id == NO_ID &&
				  run->text.bytes[run->pieces[n].begin] != ' ';
	if (!changes)
		return true;
	if (!text_begin(run, &target))
		return false;
	pieces_begin(run, &list);
	for (uint32_t n = 0; n < run->piece_count; n++)
	{
		const Piece *piece = &run->pieces[n];
		uint32_t	begin = target.length;

		run_work(run, piece->end - piece->begin);
		if (!text_reserve(run, &target, piece->end - piece->begin + 1))
			return false;
		if (piece->id == NO_ID && run->text.bytes[piece->begin] != ' ')
		{
			if (target.spans != NULL)
				target.spans[target.length] = text_span(&run->text,
														piece->begin);
			target.bytes[target.length++] = ' ';
		}
		text_copy(&target, &run->text, piece->begin, piece->end);
		if (!pieces_add(run, &list, begin, target.length, piece->origin,
						piece->id))
			return false;
	}
	pieces_take(run, &list);
	run_take_text(run, &target);
	return true;
}

/* ---------- all of them ---------- */

static bool
split_piece(Splitter *splitter, const ImageStep *step)
{
	const Tokenizer *tokenizer = splitter->run->tokenizer;

	switch (step->kind)
	{
		case SPLIT_BERT:
			return split_words(splitter, true);
		case SPLIT_WHITESPACE:
			return split_words(splitter, false);
		case SPLIT_WHITESPACE_ONLY:
		case SPLIT_DELIMITER:
		case SPLIT_DIGITS:
		case SPLIT_PUNCTUATION:
			return split_characters(splitter, step);
		case SPLIT_FIXED_LENGTH:
			return split_fixed_length(splitter, step->number);
		case SPLIT_SCRIPTS:
			return split_scripts(splitter);
		case SPLIT_METASPACE:
			return split_literal(splitter, image_string(tokenizer, step->text),
								 step->text.length);
		case SPLIT_BYTE_LEVEL:
		case SPLIT_PATTERN:
			return step->pattern != NO_ID
					   ? split_pattern(splitter, step->pattern)
					   : split_literal(splitter,
									   image_string(tokenizer, step->text),
									   step->text.length);
		default:
			return run_fail(splitter->run, TOKENIZER_DAMAGED);
	}
}

bool
split_step(Run *run, const ImageStep *step)
{
	Splitter	splitter = {.run = run,
							.behavior = (SplitBehavior) step->behavior};

	if (step->kind == SPLIT_METASPACE)
	{
		if (!metaspace_text(run, step))
			return false;
		if (!(step->flags & METASPACE_SPLIT))
			return true;
	}
	if (step->kind == SPLIT_BYTE_LEVEL && (step->flags & BYTE_PREFIX) &&
		!prefix_text(run))
		return false;
	if (step->kind != SPLIT_BYTE_LEVEL || (step->flags & BYTE_PATTERN))
	{
		splitter.invert = step->kind == SPLIT_PATTERN &&
						  (step->flags & PATTERN_INVERT);
		pieces_begin(run, &splitter.list);
		for (uint32_t i = 0; i < run->piece_count; i++)
		{
			const Piece *piece = &run->pieces[i];

			if (piece->id != NO_ID)
			{
				if (!pieces_add(run, &splitter.list, piece->begin, piece->end,
								piece->origin, piece->id))
					return false;
				continue;
			}
			run_work(run, piece->end - piece->begin);
			splitter_begin(&splitter, piece);
			if (!split_piece(&splitter, step))
				return false;
		}
		pieces_take(run, &splitter.list);
	}
	if (step->kind == SPLIT_BYTE_LEVEL && !(step->flags & BYTE_RAW))
		return byte_level_map(run);
	return true;
}
