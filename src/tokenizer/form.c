/*-------------------------------------------------------------------------
 *
 * form.c
 *	  Unicode's normal forms, with spans.
 *
 * Decomposition, canonical order and composition as Unicode Standard Annex
 * #15 defines them, one character after another.  Each character that comes
 * out carries how much it differs from the one it stands for: 1 for one that
 * decomposition added, less one for each that composition took in.  Marks
 * that canonical order moves take this number along, as in the library that
 * `tokenizers` uses; hence spans follow places, not characters.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

typedef struct Part
{
	uint32_t	code;
	int32_t		difference;
	uint32_t	combining;
} Part;

typedef struct Former
{
	Run		   *run;
	Change		change;
	bool		compose;
	uint32_t	pending;		/* marks since the last starter, in
								 * BUFFER_WORK */
	uint32_t	waiting;		/* marks that did not compose, in
								 * BUFFER_HEAP */
	bool		has_starter;
	Part		starter;
	int			last_combining; /* of those waiting, or -1 */
} Former;

static bool
former_emit(Former *former, const Part *part)
{
	if (!text_reserve(former->run, former->change.target, 4))
		return false;
	change_put(&former->change, part->code, part->difference);
	return true;
}

static bool
former_wait(Former *former, const Part *part)
{
	if (!run_buffer(former->run, BUFFER_HEAP,
					(size_t) (former->waiting + 1) * sizeof(Part)))
		return false;
	((Part *) former->run->scratch->buffers[BUFFER_HEAP]
		 .data)[former->waiting++] = *part;
	former->last_combining = (int) part->combining;
	return true;
}

static bool
former_emit_waiting(Former *former)
{
	for (uint32_t i = 0; i < former->waiting; i++)
	{
		if (!former_emit(
				former,
				(Part *) former->run->scratch->buffers[BUFFER_HEAP].data + i))
			return false;
	}
	former->waiting = 0;
	former->last_combining = -1;
	return true;
}

/* Composes the starter with this part, if both make one. */
static bool
former_join(Former *former, const Part *part)
{
	uint32_t	joined = character_compose(former->starter.code, part->code);

	if (joined == 0)
		return false;
	former->starter.code = joined;
	former->starter.difference += part->difference - 1;
	return true;
}

/* A part in canonical order. */
static bool
former_ordered(Former *former, const Part *part)
{
	bool		blocked;

	if (!former->compose)
		return former_emit(former, part);
	if (!former->has_starter)
	{
		if (part->combining != 0)
			return former_emit(former, part);
		former->starter = *part;
		former->has_starter = true;
		return true;
	}
	blocked = former->last_combining >= (int) part->combining;
	if (!blocked && former_join(former, part))
		return true;
	if (part->combining != 0)
		return former_wait(former, part);
	if (!former_emit(former, &former->starter) || !former_emit_waiting(former))
		return false;
	former->starter = *part;
	return true;
}

/* Sorts the marks that wait for a starter, equal classes as they came. */
static bool
former_flush(Former *former)
{
	uint32_t	count = former->pending;
	uint32_t	places[257] = {0};
	Part	   *parts = former->run->scratch->buffers[BUFFER_WORK].data;
	Part	   *sorted = parts;
	bool		ordered = true;

	for (uint32_t i = 1; i < count; i++)
		ordered = ordered && parts[i - 1].combining <= parts[i].combining;
	if (!ordered)
	{
		sorted = parts + count;
		for (uint32_t i = 0; i < count; i++)
			places[parts[i].combining + 1]++;
		for (int i = 0; i < 256; i++)
			places[i + 1] += places[i];
		for (uint32_t i = 0; i < count; i++)
			sorted[places[parts[i].combining]++] = parts[i];
	}
	former->pending = 0;
	for (uint32_t i = 0; i < count; i++)
	{
		if (!former_ordered(former, &sorted[i]))
			return false;
	}
	return true;
}

static bool
former_part(Former *former, uint32_t code, int difference)
{
	Part		part = {code, difference, character_record(code)->combining};

	if (part.combining == 0)
		return (former->pending == 0 || former_flush(former)) &&
			   former_ordered(former, &part);
	/* room for a sorted copy as well */
	if (!run_buffer(former->run, BUFFER_WORK,
					(size_t) (former->pending + 1) * 2 * sizeof(Part)))
		return false;
	((Part *) former->run->scratch->buffers[BUFFER_WORK]
		 .data)[former->pending++] = part;
	return true;
}

bool
normalize_form(Run *run, Text *target, const Piece *piece, uint32_t flags)
{
	Former		former = {.run = run,
						  .compose = (flags & FORM_COMPOSE) != 0,
						  .last_combining = -1};
	bool		compatible = (flags & FORM_COMPATIBLE) != 0;
	const unsigned char *text = run->text.bytes;
	uint32_t	stop = piece->begin + RUN_UNIT;

	change_begin(&former.change, &run->text, target, piece);
	for (uint32_t i = piece->begin; i < piece->end; i += utf8_step(text + i))
	{
		uint32_t	parts[DECOMPOSITION_MAX];
		uint32_t	code = utf8_code(text + i);
		int			count = 1;

		run_pass(run, i, &stop);
		parts[0] = code;
		if (code >= 0x80 && character_is(code, CHARACTER_DECOMPOSES))
			count = character_decompose(code, compatible, parts);
		for (int k = 0; k < count; k++)
		{
			if (!former_part(&former, parts[k], k > 0))
				return false;
		}
	}
	return (former.pending == 0 || former_flush(&former)) &&
		(!former.has_starter || former_emit(&former, &former.starter)) &&
		former_emit_waiting(&former);
}

/* Quickly: no character that this form might touch. */
bool
form_changes_nothing(const Text *text, const Piece *piece, uint32_t flags)
{
	uint16_t	touched = (flags & FORM_COMPOSE) ? CHARACTER_COMPOSES
												 : CHARACTER_DECOMPOSES;

	if (flags & FORM_COMPATIBLE)
		touched |= CHARACTER_DECOMPOSES;
	for (uint32_t i = piece->begin; i < piece->end;)
	{
		const unsigned char *p = text->bytes + i;

		if (*p >= 0x80)
		{
			const CharacterRecord *record = character_record(utf8_code(p));

			if ((record->flags & touched) || record->combining != 0)
				return false;
		}
		i += utf8_step(p);
	}
	return true;
}
