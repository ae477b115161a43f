/*-------------------------------------------------------------------------
 *
 * pattern.c
 *	  Matching a compiled pattern: a backtracking machine with its own stack.
 *
 * The machine follows Oniguruma in what it finds: alternatives in their
 * order, loops greedy, lazy or possessive.  Nothing recurs: what waits to be
 * tried lies on a stack in the scratch, of bounded size, and the number of
 * steps for one match is bounded too, as Oniguruma's is.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

/* Oniguruma gives up after as many retries in one match. */
#define MAX_STEPS	UINT32_C(10000000)
#define MAX_STACK	(UINT32_C(1) << 22)
#define STEPS_PER_INTERRUPT 65536

/*
 * A way not taken yet: go on at "code" from "at".  If floor is not NO_ID the
 * way may be taken again, one character further left, down to floor; if it is
 * LAZY, one further right for a loop that has counted "count".
 */
typedef struct Way
{
	uint32_t	code;
	uint32_t	at;
	uint32_t	floor;
	uint32_t	count;
} Way;

/* floor of a way that stands for the beginning of a look-around or atom */
#define WALL		(NO_ID - 1)
#define LAZY		(NO_ID - 2)

typedef struct Machine
{
	Run		   *run;
	const ImageInstruction *code;
	uint32_t	code_end;
	const uint16_t *classes;
	const unsigned char *blocks;
	const unsigned char *first_bytes;
	const unsigned char *text;
	uint32_t	length;
	Way		   *ways;
	uint32_t	way_count;
	uint32_t	way_capacity;
	uint32_t	steps;
} Machine;

static inline bool
class_holds(const Machine *machine, uint32_t number, uint32_t code)
{
	uint32_t	block =
		   machine->classes[(size_t) number * CLASS_FIRST + (code >> 8)];

	return machine->blocks[block * CLASS_BLOCK + ((code >> 3) & 31)] >>
			   (code & 7) &
		   1;
}

static bool
push(Machine *machine, uint32_t code, uint32_t at, uint32_t floor,
	 uint32_t count)
{
	Way		   *way;

	if (machine->way_count == machine->way_capacity)
	{
		Run		   *run = machine->run;

		if (machine->way_count >= MAX_STACK)
			return run_fail(run, TOKENIZER_PATTERN_LIMIT);
		if (!run_buffer(run, BUFFER_STACK,
						((size_t) machine->way_count + 1) * sizeof(Way)))
			return false;
		machine->ways = run->scratch->buffers[BUFFER_STACK].data;
		machine->way_capacity =
			(uint32_t) (run->scratch->buffers[BUFFER_STACK].size /
						sizeof(Way));
	}
	way = &machine->ways[machine->way_count++];
	way->code = code;
	way->at = at;
	way->floor = floor;
	way->count = count;
	return true;
}

static uint32_t
step_back(const unsigned char *text, uint32_t at)
{
	do
		at--;
	while (at > 0 && (text[at] & 0xC0) == 0x80);
	return at;
}

static bool
is_word_at(const Machine *machine, uint32_t at)
{
	return at < machine->length &&
		   character_is_pattern_word(utf8_code(machine->text + at));
}

static bool
at_word_boundary(const Machine *machine, uint32_t at)
{
	bool		before = at > 0 &&
						 is_word_at(machine, step_back(machine->text, at));

	return before != is_word_at(machine, at);
}

static bool
assertion_holds(const Machine *machine, uint32_t operation, uint32_t at)
{
	const unsigned char *text = machine->text;
	uint32_t	end = machine->length;

	switch (operation)
	{
		case OP_TEXT_BEGIN:
			return at == 0;
		case OP_TEXT_END:
			return at == end;
		case OP_TEXT_END_LINE:
			return at == end || (at + 1 == end && text[at] == '\n');
		case OP_LINE_BEGIN:
			return at == 0 || (text[at - 1] == '\n' && at < end);
		case OP_LINE_END:
			return at == end || text[at] == '\n';
		case OP_WORD_BOUNDARY:
			return at_word_boundary(machine, at);
		case OP_NOT_WORD_BOUNDARY:
			return !at_word_boundary(machine, at);
		default:
			return false;
	}
}

/*
 * A loop over one class.  Returns where it ends after as many turns as it
 * can, or NO_ID if those are too few; *least is where it has had enough.
 */
static uint32_t
repeat_class(Machine *machine, const ImageInstruction *op, uint32_t at,
			 uint32_t *least)
{
	const unsigned char *text = machine->text;
	uint32_t	count = 0;

	*least = at;
	while (at < machine->length && count < op->c)
	{
		uint32_t	code = text[at] < 0x80 ? text[at] : utf8_code(text + at);

		if (!class_holds(machine, op->a, code))
			break;
		at += utf8_step(text + at);
		if (++count == op->b)
			*least = at;
	}
	return count < op->b ? NO_ID : at;
}

/* The last way not taken; false when there is none down to "base". */
static bool
backtrack(Machine *machine, uint32_t base, uint32_t *code, uint32_t *at,
		  uint32_t *wall)
{
	while (machine->way_count > base)
	{
		Way		   *way = &machine->ways[machine->way_count - 1];

		if (way->floor == WALL)
		{
			/* what stood behind this wall has failed */
			machine->way_count--;
			*code = way->code;
			*at = way->at;
			*wall = way->count;
			return true;
		}
		if (way->floor == LAZY)
		{
			const ImageInstruction *op = &machine->code[way->code];
			uint32_t	next;

			if (way->count >= op->c || way->at >= machine->length ||
				!class_holds(machine, op->a,
							 utf8_code(machine->text + way->at)))
			{
				machine->way_count--;
				continue;
			}
			next = way->at + utf8_step(machine->text + way->at);
			way->at = next;
			way->count++;
			*code = way->code + 1;
			*at = next;
			*wall = NO_ID;
			return true;
		}
		*code = way->code;
		*at = way->at;
		*wall = NO_ID;
		if (way->floor != NO_ID && way->at > way->floor)
		{
			way->at = step_back(machine->text, way->at);
			*at = way->at;
			if (way->at == way->floor)
				machine->way_count--;
		}
		else
			machine->way_count--;
		return true;
	}
	return false;
}

/* Is this the beginning of something that stands behind a wall? */
static bool
is_wall(uint32_t operation)
{
	return operation >= OP_LOOK_AHEAD && operation <= OP_ATOMIC;
}

/*
 * Match from here on: 1 and the end, 0, or -1 on failure.
 *
 * A look-around or atom pushes a wall and goes on inside; its own OP_MATCH
 * finds the last wall, drops what is above it, and decides.  When everything
 * above the wall has failed, backtracking comes to the wall itself.
 */
static int
run_machine(Machine *machine, uint32_t code, uint32_t at, uint32_t *end)
{
	const unsigned char *text = machine->text;
	uint32_t	length = machine->length;
	uint32_t	walls = 0;

	machine->way_count = 0;
	for (;;)
	{
		const ImageInstruction *op = &machine->code[code];
		bool		failed = false;
		uint32_t	least;
		uint32_t	reached;

		if (++machine->steps % STEPS_PER_INTERRUPT == 0)
		{
			if (machine->steps > MAX_STEPS)
			{
				run_fail(machine->run, TOKENIZER_PATTERN_LIMIT);
				return -1;
			}
			run_interrupt(machine->run);
		}
		switch (op->operation)
		{
			case OP_MATCH:
				if (walls == 0)
				{
					*end = at;
					return 1;
				}
				walls--;
				while (machine->way_count > 0 &&
					   machine->ways[machine->way_count - 1].floor != WALL)
					machine->way_count--;
				if (machine->way_count == 0)
				{
					run_fail(machine->run, TOKENIZER_DAMAGED);
					return -1;
				}
				machine->way_count--;
				op = &machine->code[machine->ways[machine->way_count].code];
				code = op->a + 1;
				if (op->operation == OP_LOOK_AHEAD_NOT ||
					op->operation == OP_LOOK_BEHIND_NOT)
					failed = true;
				else if (op->operation != OP_ATOMIC)
					at = machine->ways[machine->way_count].at;
				break;
			case OP_CHARACTER:
				if (at < length && utf8_code(text + at) == op->a)
				{
					at += utf8_step(text + at);
					code++;
				}
				else
					failed = true;
				break;
			case OP_CLASS:
				if (at < length &&
					class_holds(machine, op->a, utf8_code(text + at)))
				{
					at += utf8_step(text + at);
					code++;
				}
				else
					failed = true;
				break;
			case OP_JUMP:
				code = op->a;
				break;
			case OP_SPLIT:
				if (!push(machine, op->a, at, NO_ID, 0))
					return -1;
				code++;
				break;
			case OP_SPLIT_LAZY:
				if (!push(machine, code + 1, at, NO_ID, 0))
					return -1;
				code = op->a;
				break;
			case OP_BRANCH:
				if (at < length && (machine->first_bytes[op->b * FIRST_BYTES +
														 (text[at] >> 3)] >>
										(text[at] & 7) &
									1))
				{
					if (!push(machine, op->a, at, NO_ID, 0))
						return -1;
					code++;
				}
				else
					code = op->a;
				break;
			case OP_REPEAT:
			case OP_REPEAT_POSSESSIVE:
				reached = repeat_class(machine, op, at, &least);
				machine->run->work_done += reached == NO_ID ? 0 : reached - at;
				if (reached == NO_ID)
				{
					failed = true;
					break;
				}
				code++;
				if (op->operation == OP_REPEAT && reached > least &&
					!push(machine, code, reached, least, 0))
					return -1;
				at = reached;
				break;
			case OP_REPEAT_LAZY:
				{
					ImageInstruction few[1] = {*op};

					few->c = op->b;
					reached = repeat_class(machine, few, at, &least);
					if (reached == NO_ID)
					{
						failed = true;
						break;
					}
					at = reached;
					if (op->c > op->b && !push(machine, code, at, LAZY, op->b))
						return -1;
					code++;
				}
				break;
			case OP_LOOK_BEHIND:
			case OP_LOOK_BEHIND_NOT:
				{
					uint32_t	start = at;
					uint32_t	back = op->b;

					for (; back > 0 && start > 0; back--)
						start = step_back(text, start);
					if (back > 0)
					{
						/* not so many characters before: no match behind */
						if (op->operation == OP_LOOK_BEHIND)
							failed = true;
						else
							code = op->a + 1;
						break;
					}
					if (!push(machine, code, at, WALL, walls))
						return -1;
					walls++;
					at = start;
					code++;
				}
				break;
			case OP_LOOK_AHEAD:
			case OP_LOOK_AHEAD_NOT:
			case OP_ATOMIC:
				if (!push(machine, code, at, WALL, walls))
					return -1;
				walls++;
				code++;
				break;
			case OP_FAIL:
				failed = true;
				break;
			default:
				if (assertion_holds(machine, op->operation, at))
					code++;
				else
					failed = true;
		}
		while (failed)
		{
			uint32_t	wall;

			if (!backtrack(machine, 0, &code, &at, &wall))
				return 0;
			failed = false;
			if (wall != NO_ID && is_wall(machine->code[code].operation))
			{
				uint32_t	operation = machine->code[code].operation;

				walls = wall;
				if (operation == OP_LOOK_AHEAD_NOT ||
					operation == OP_LOOK_BEHIND_NOT)
					code = machine->code[code].a + 1;
				else
					failed = true;
			}
		}
	}
}

void
pattern_begin(PatternSearch *search, uint32_t pattern,
			  const unsigned char *text, uint32_t length)
{
	search->pattern = pattern;
	search->text = text;
	search->length = length;
	search->last_end = 0;
	search->last_match_end = NO_ID;
}

/* The first match from "from" on. */
static int
search_from(Machine *machine, const ImagePattern *pattern, uint32_t from,
			PatternMatch *match)
{
	for (uint32_t at = from; at <= machine->length;)
	{
		int			found;

		if (pattern->first_bytes != NO_ID)
		{
			const unsigned char *bits = machine->first_bytes +
				(size_t) pattern->first_bytes * FIRST_BYTES;

			while (
				at < machine->length &&
				!(bits[machine->text[at] >> 3] >> (machine->text[at] & 7) & 1))
				at++;
			if (at == machine->length)
				return 0;
		}
		machine->steps = 0;
		found = run_machine(machine, pattern->begin, at, &match->end);
		if (found != 0)
		{
			match->begin = at;
			return found;
		}
		if (at == machine->length)
			return 0;
		at += utf8_step(machine->text + at);
		run_work(machine->run, 4);
	}
	return 0;
}

int
pattern_next(Run *run, PatternSearch *search, PatternMatch *match)
{
	const Tokenizer *tokenizer = run->tokenizer;
	const ImagePattern *pattern =
		(const ImagePattern *) image_section(tokenizer, SECTION_PATTERNS) +
		search->pattern;
	Machine		machine;

	machine.run = run;
	machine.code = image_section(tokenizer, SECTION_CODE);
	machine.classes = image_section(tokenizer, SECTION_CLASSES);
	machine.blocks = image_section(tokenizer, SECTION_CLASS_BLOCKS);
	machine.first_bytes = image_section(tokenizer, SECTION_FIRST_BYTES);
	machine.text = search->text;
	machine.length = search->length;
	machine.ways = run->scratch->buffers[BUFFER_STACK].data;
	machine.way_capacity =
		(uint32_t) (run->scratch->buffers[BUFFER_STACK].size / sizeof(Way));
	while (search->last_end <= search->length)
	{
		int			found = search_from(&machine, pattern, search->last_end,
										match);

		if (found <= 0)
			return found;
		/* no empty match right where the last one ended */
		if (match->begin == match->end && search->last_match_end == match->end)
		{
			if (match->end == search->length)
				return 0;
			search->last_end += utf8_step(search->text + search->last_end);
			continue;
		}
		search->last_end = match->end;
		search->last_match_end = match->end;
		run_work(run, match->end - match->begin + 1);
		return 1;
	}
	return 0;
}
