/*-------------------------------------------------------------------------
 *
 * normalize.c
 *	  The normalizers of tokenizer.json, one step at a time.
 *
 * A step first looks whether it would change anything, and leaves the text
 * alone if not; otherwise it writes all pieces anew.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

/* ---------- what the Nmt normalizer does ---------- */

/* 0: keep; 1: remove; 2: a space. */
static int
nmt_action(uint32_t code)
{
	if ((code >= 0x01 && code <= 0x08) || code == 0x0B ||
		(code >= 0x0E && code <= 0x1F) || code == 0x7F || code == 0x8F ||
		code == 0x9F)
		return 1;
	if (code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D ||
		code == 0x1680 || (code >= 0x200B && code <= 0x200F) ||
		code == 0x2028 || code == 0x2029 || code == CODE_METASPACE ||
		code == 0xFEFF || code == 0xFFFD)
		return 2;
	return 0;
}

/* ---------- does a step change anything? ---------- */

static bool
character_changes(const ImageStep *step, uint32_t code)
{
	switch (step->kind)
	{
		case NORMALIZE_LOWERCASE:
			return character_record(code)->lower != 0;
		case NORMALIZE_STRIP_ACCENTS:
			return character_is(code, CHARACTER_MARK);
		case NORMALIZE_NMT:
			return nmt_action(code) != 0;
		default:
			return true;
	}
}

static bool
changes_by_character(const Run *run, const ImageStep *step, const Piece *piece)
{
	bool		ascii[128];

	for (uint32_t code = 0; code < 128; code++)
		ascii[code] = character_changes(step, code);
	for (uint32_t i = piece->begin; i < piece->end;)
	{
		const unsigned char *p = run->text.bytes + i;

		if (*p < 0x80 ? ascii[*p] : character_changes(step, utf8_code(p)))
			return true;
		i += utf8_step(p);
	}
	return false;
}

/* The first place of a literal from "at" on, or "end". */
static uint32_t
find_literal(const unsigned char *text, uint32_t at, uint32_t end,
			 const unsigned char *literal, uint32_t length)
{
	while (end - at >= length)
	{
		const unsigned char *found = memchr(text + at, literal[0],
											end - at - length + 1);

		if (found == NULL)
			break;
		if (memcmp(found, literal, length) == 0)
			return (uint32_t) (found - text);
		at = (uint32_t) (found - text) + 1;
	}
	return end;
}

static bool
piece_changes(const Run *run, const ImageStep *step, const Piece *piece)
{
	const unsigned char *text = run->text.bytes;

	switch (step->kind)
	{
		case NORMALIZE_LOWERCASE:
		case NORMALIZE_STRIP_ACCENTS:
		case NORMALIZE_NMT:
			return changes_by_character(run, step, piece);
		case NORMALIZE_FORM:
			return !form_changes_nothing(&run->text, piece, step->flags);
		case NORMALIZE_REPLACE:
			return step->pattern != NO_ID ||
				find_literal(text, piece->begin, piece->end,
							 image_string(run->tokenizer, step->text),
							 step->text.length) < piece->end;
		default:
			return true;
	}
}

static bool
step_changes(const Run *run, const ImageStep *step)
{
	for (uint32_t i = 0; i < run->piece_count; i++)
	{
		if (run->pieces[i].id == NO_ID &&
			piece_changes(run, step, &run->pieces[i]))
			return true;
	}
	return false;
}

/* ---------- simple steps ---------- */

static inline void
put_with_span(Text *target, uint32_t code, Span span)
{
	int			bytes = utf8_encode(code, target->bytes + target->length);

	if (target->spans != NULL)
	{
		for (int i = 0; i < bytes; i++)
			target->spans[target->length + i] = span;
	}
	target->length += (uint32_t) bytes;
}

static inline Span
span_if_wanted(const Text *target, const Text *source, uint32_t at)
{
	Span		none = {0, 0};

	return target->spans != NULL ? text_span(source, at) : none;
}

/* The lower-case form, with the same span. */
static inline void
put_lower(Text *target, uint32_t code, Span span)
{
	put_with_span(target, code + (uint32_t) character_record(code)->lower,
				  span);
	if (code == CODE_DOTTED_I)
		put_with_span(target, CODE_COMBINING_DOT, span);
}

/* Lowercase, StripAccents and Nmt: each character for itself. */
static bool
each_character(Run *run, Text *target, const Piece *piece,
			   const ImageStep *step)
{
	const Text *source = &run->text;
	uint32_t	stop = piece->begin + RUN_UNIT;

	for (uint32_t i = piece->begin; i < piece->end;
		 i += utf8_step(source->bytes + i))
	{
		uint32_t	code = utf8_code(source->bytes + i);
		Span		span = span_if_wanted(target, source, i);
		int			action;

		run_pass(run, i, &stop);
		if (!text_reserve(run, target, 8))
			return false;
		switch (step->kind)
		{
			case NORMALIZE_LOWERCASE:
				put_lower(target, code, span);
				break;
			case NORMALIZE_STRIP_ACCENTS:
				if (!character_is(code, CHARACTER_MARK))
					put_with_span(target, code, span);
				break;
			default:
				action = nmt_action(code);
				if (action != 1)
					put_with_span(target, action == 2 ? ' ' : code, span);
		}
	}
	return true;
}

/* Copies part of the source, with room. */
static bool
copy_part(Run *run, Text *target, uint32_t begin, uint32_t end)
{
	if (!text_reserve(run, target, end - begin))
		return false;
	text_copy(target, &run->text, begin, end);
	return true;
}

static bool
strip(Run *run, Text *target, const Piece *piece, uint32_t flags)
{
	const unsigned char *text = run->text.bytes;
	uint32_t	begin = piece->begin;
	uint32_t	end = piece->end;

	while ((flags & STRIP_LEFT) && begin < end &&
		   character_is(utf8_code(text + begin), CHARACTER_SPACE))
		begin += utf8_step(text + begin);
	while ((flags & STRIP_RIGHT) && begin < end)
	{
		uint32_t	last = end - 1;

		while (last > begin && (text[last] & 0xC0) == 0x80)
			last--;
		if (!character_is(utf8_code(text + last), CHARACTER_SPACE))
			break;
		end = last;
	}
	return copy_part(run, target, begin, end);
}

/* Characters put in front have the span of the first of the piece. */
static bool
prepend(Run *run, Text *target, const Piece *piece, ImageString string)
{
	const unsigned char *text = image_string(run->tokenizer, string);
	Span		span = span_if_wanted(target, &run->text, piece->begin);

	if (!text_reserve(run, target, string.length))
		return false;
	memcpy(target->bytes + target->length, text, string.length);
	for (uint32_t i = 0; target->spans != NULL && i < string.length; i++)
		target->spans[target->length + i] = span;
	target->length += string.length;
	return copy_part(run, target, piece->begin, piece->end);
}

/* What replaces a match has the span of its last byte, or of what precedes. */
static bool
put_content(Run *run, Text *target, const Piece *piece, uint32_t match_end,
			ImageString content)
{
	Span		span = {piece->origin, piece->origin};

	if (!text_reserve(run, target, content.length))
		return false;
	if (target->spans != NULL && match_end > piece->begin)
		span = text_span(&run->text, match_end - 1);
	memcpy(target->bytes + target->length,
		   image_string(run->tokenizer, content), content.length);
	for (uint32_t i = 0; target->spans != NULL && i < content.length; i++)
		target->spans[target->length + i] = span;
	target->length += content.length;
	return true;
}

static bool
replace_literal(Run *run, Text *target, const Piece *piece,
				const ImageStep *step)
{
	const unsigned char *literal = image_string(run->tokenizer, step->text);
	uint32_t	at = piece->begin;
	uint32_t	stop = at + RUN_UNIT;

	for (;;)
	{
		uint32_t	found = find_literal(run->text.bytes, at, piece->end,
										 literal, step->text.length);

		if (!copy_part(run, target, at, found))
			return false;
		if (found == piece->end)
			return true;
		at = found + step->text.length;
		run_pass(run, at, &stop);
		if (!put_content(run, target, piece, at, step->content))
			return false;
	}
}

static bool
replace_pattern(Run *run, Text *target, const Piece *piece,
				const ImageStep *step)
{
	PatternSearch search;
	PatternMatch match;
	uint32_t	at = piece->begin;
	int			found;

	pattern_begin(&search, step->pattern, run->text.bytes + piece->begin,
				  piece->end - piece->begin);
	while ((found = pattern_next(run, &search, &match)) > 0)
	{
		if (!copy_part(run, target, at, piece->begin + match.begin))
			return false;
		at = piece->begin + match.end;
		if (!put_content(run, target, piece, at, step->content))
			return false;
	}
	return found == 0 && copy_part(run, target, at, piece->end);
}

/* ---------- BERT ---------- */

/* A character after cleaning: what it became, or CODE_LIMIT for nothing. */
static inline uint32_t
bert_clean(uint32_t code, uint32_t flags)
{
	if (!(flags & BERT_CLEAN))
		return code;
	if (character_is(code, CHARACTER_REMOVED))
		return CODE_LIMIT;
	return character_is(code, CHARACTER_SPACE) ? ' ' : code;
}

/* The last two substeps of a character that is already decomposed. */
static inline void
bert_put(Text *target, uint32_t code, uint32_t flags, Span span)
{
	if ((flags & BERT_STRIP) && character_is(code, CHARACTER_NONSPACING))
		return;
	if (flags & BERT_LOWER)
		put_lower(target, code, span);
	else
		put_with_span(target, code, span);
}

/* Whether a change of canonical order may begin at this character. */
static inline int
first_combining(uint32_t code)
{
	uint32_t	parts[DECOMPOSITION_MAX];
	const CharacterRecord *record = character_record(code);

	if (!(record->flags & CHARACTER_DECOMPOSES))
		return record->combining;
	character_decompose(code, false, parts);
	return character_record(parts[0])->combining;
}

typedef struct Mark
{
	uint32_t	code;
	uint32_t	combining;
	Span		span;
	uint32_t	added;
} Mark;

/*
 * Marks out of their canonical order, from a starter to the next one: the
 * characters are sorted but the spans stay where they are.  Returns where the
 * run ends, or 0 on failure.
 */
static uint32_t
bert_reorder(Run *run, Text *target, const Piece *piece, uint32_t from,
			 uint32_t flags)
{
	const Text *source = &run->text;
	Mark	   *marks = NULL;
	Span	   *spans;
	uint32_t	count = 0;
	uint32_t	old_count = 0;
	uint32_t	i;

	for (i = from; i < piece->end; i += utf8_step(source->bytes + i))
	{
		uint32_t	code = bert_clean(utf8_code(source->bytes + i), flags);
		uint32_t	parts[DECOMPOSITION_MAX];
		int			length;

		if (code == CODE_LIMIT)
			continue;
		if (i > from && first_combining(code) == 0)
			break;
		if (!run_buffer(run, BUFFER_WORK,
						(size_t) (count + DECOMPOSITION_MAX + 1) * 2 *
							sizeof(Mark)) ||
			!run_buffer(run, BUFFER_HEAP,
						(size_t) (old_count + 1) * sizeof(Span)))
			return 0;
		marks = run->scratch->buffers[BUFFER_WORK].data;
		spans = run->scratch->buffers[BUFFER_HEAP].data;
		spans[old_count++] = span_if_wanted(target, source, i);
		length = character_decompose(code, false, parts);
		for (int k = 0; k < length; k++)
		{
			marks[count].code = parts[k];
			marks[count].combining = character_record(parts[k])->combining;
			marks[count].added = k > 0;
			count++;
		}
	}
	if (count > 0)
	{
		/* a stable sort of what follows the last starter, class by class */
		uint32_t	first = count;
		uint32_t	cursor = 0;
		uint32_t	places[257] = {0};
		Mark	   *sorted = marks + count;

		spans = run->scratch->buffers[BUFFER_HEAP].data;
		while (first > 0 && marks[first - 1].combining != 0)
			first--;
		for (uint32_t k = first; k < count; k++)
			places[marks[k].combining + 1]++;
		for (int k = 0; k < 256; k++)
			places[k + 1] += places[k];
		for (uint32_t k = first; k < count; k++)
			sorted[first + places[marks[k].combining]++] = marks[k];
		for (uint32_t k = 0; k < count; k++)
		{
			const Mark *mark = k < first ? &marks[k] : &sorted[k];
			Span		span;

			if (!mark->added)
				cursor++;
			if (cursor > 0)
				span = spans[cursor - 1];
			else
				span.start = span.end = piece->origin;
			if (!text_reserve(run, target, 8))
				return 0;
			bert_put(target, mark->code, flags, span);
		}
	}
	return i;
}

/*
 * All four substeps of BERT at once: clean, spaces around Chinese characters,
 * strip accents, lower case.
 */
static bool
bert(Run *run, Text *target, const Piece *piece, uint32_t flags)
{
	const Text *source = &run->text;
	unsigned char ascii[128];
	uint32_t	run_source = piece->begin;	/* the last starter */
	uint32_t	run_target = target->length;
	uint32_t	stop = piece->begin + RUN_UNIT;
	int			last_combining = 0;

	for (uint32_t code = 0; code < 128; code++)
	{
		uint32_t	clean = bert_clean(code, flags);

		ascii[code] = 0xFF;		/* removed */
		if (clean != CODE_LIMIT)
			ascii[code] =
				(unsigned char) ((flags & BERT_LOWER)
									 ? clean +
										   (uint32_t) character_record(clean)
											   ->lower
									 : clean);
	}
	for (uint32_t i = piece->begin; i < piece->end;)
	{
		uint32_t	code = source->bytes[i];
		uint32_t	parts[DECOMPOSITION_MAX];
		uint32_t	step;
		int			count = 1;
		bool		chinese;
		Span		span;

		run_pass(run, i, &stop);
		if (!text_reserve(run, target, 4 * DECOMPOSITION_MAX + 8))
			return false;
		if (code < 0x80)
		{
			if (ascii[code] != 0xFF)
			{
				run_source = i;
				run_target = target->length;
				last_combining = 0;
				if (target->spans != NULL)
					target->spans[target->length] = text_span(source, i);
				target->bytes[target->length++] = ascii[code];
			}
			i++;
			continue;
		}
		step = utf8_step(source->bytes + i);
		code = bert_clean(utf8_code(source->bytes + i), flags);
		if (code == CODE_LIMIT)
		{
			i += step;
			continue;
		}
		span = span_if_wanted(target, source, i);
		parts[0] = code;
		if ((flags & BERT_STRIP) && character_is(code, CHARACTER_DECOMPOSES))
			count = character_decompose(code, false, parts);
		if (flags & BERT_STRIP)
		{
			int			combining = character_record(parts[0])->combining;

			if (combining == 0)
			{
				run_source = i;
				run_target = target->length;
			}
			else if (combining < last_combining)
			{
				target->length = run_target;
				i = bert_reorder(run, target, piece, run_source, flags);
				if (i == 0)
					return false;
				last_combining = 0;
				continue;
			}
			last_combining = character_record(parts[count - 1])->combining;
		}
		chinese = (flags & BERT_CHINESE) && character_is_chinese(code);
		if (chinese)
			put_with_span(target, ' ', span);
		for (int k = 0; k < count; k++)
			bert_put(target, parts[k], flags, span);
		if (chinese)
		{
			/* marks that follow belong to the space now */
			put_with_span(target, ' ', span);
			last_combining = 0;
			run_source = i + step;
			run_target = target->length;
		}
		i += step;
	}
	return true;
}

/* ---------- byte level, as a normalizer ---------- */

static bool
byte_level(Run *run, Text *target, const Piece *piece)
{
	uint32_t	stop = piece->begin + RUN_UNIT;

	for (uint32_t i = piece->begin; i < piece->end; i++)
	{
		run_pass(run, i, &stop);
		if (!text_reserve(run, target, 4))
			return false;
		put_with_span(target, byte_level_character(run->text.bytes[i]),
					  span_if_wanted(target, &run->text, i));
	}
	return true;
}

bool
byte_level_map(Run *run)
{
	static const ImageStep step = {.kind = NORMALIZE_BYTE_LEVEL};

	return normalize_step(run, &step);
}

/* ---------- all of them ---------- */

static bool
normalize_piece(Run *run, Text *target, const Piece *piece,
				const ImageStep *step)
{
	switch (step->kind)
	{
		case NORMALIZE_BERT:
			return bert(run, target, piece, step->flags);
		case NORMALIZE_LOWERCASE:
		case NORMALIZE_STRIP_ACCENTS:
		case NORMALIZE_NMT:
			return each_character(run, target, piece, step);
		case NORMALIZE_FORM:
			return normalize_form(run, target, piece, step->flags);
		case NORMALIZE_STRIP:
			return strip(run, target, piece, step->flags);
		case NORMALIZE_PREPEND:
			return prepend(run, target, piece, step->text);
		case NORMALIZE_REPLACE:
			return step->pattern == NO_ID
					   ? replace_literal(run, target, piece, step)
					   : replace_pattern(run, target, piece, step);
		case NORMALIZE_PRECOMPILED:
			return normalize_precompiled(run, target, piece, step);
		case NORMALIZE_BYTE_LEVEL:
			return byte_level(run, target, piece);
		default:
			return run_fail(run, TOKENIZER_DAMAGED);
	}
}

bool
normalize_step(Run *run, const ImageStep *step)
{
	Text		target;
	PieceList	list;

	if (!step_changes(run, step))
		return true;
	if (!text_begin(run, &target))
		return false;
	pieces_begin(run, &list);
	for (uint32_t i = 0; i < run->piece_count; i++)
	{
		const Piece *piece = &run->pieces[i];
		uint32_t	begin = target.length;

		run_work(run, piece->end - piece->begin);
		if (piece->id != NO_ID)
		{
			if (!copy_part(run, &target, piece->begin, piece->end))
				return false;
		}
		else if (!normalize_piece(run, &target, piece, step))
			return false;
		if (!pieces_add(run, &list, begin, target.length, piece->origin,
						piece->id))
			return false;
	}
	pieces_take(run, &list);
	run_take_text(run, &target);
	return true;
}
