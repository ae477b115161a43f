/*-------------------------------------------------------------------------
 *
 * pattern_compile.c
 *	  From the tree of a pattern to the code of its machine.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pattern_parse.h"

#include "tokenizer/tokenizer_characters.h"

#define MAX_CODE	20000
#define MAX_WIDTH	100000

/* Which bytes a match may begin with, and whether it may be empty. */
typedef struct First
{
	unsigned char bits[FIRST_BYTES];
	bool		empty;
} First;

static void
first_set(First *first, const Set *set)
{
	for (uint32_t i = 0; i < set->count; i++)
	{
		unsigned char low[4];
		unsigned char high[4];

		utf8_encode(set->ranges[i][0], low);
		utf8_encode(set->ranges[i][1], high);
		for (int byte = low[0]; byte <= high[0]; byte++)
			first->bits[byte >> 3] |= (unsigned char) (1 << (byte & 7));
	}
}

static First
first_of(const Node *node)
{
	First		first = {{0}, false};
	Set			set = {0};
	uint32_t	range[1][2];

	switch (node->kind)
	{
		case NODE_CHARACTER:
			range[0][0] = range[0][1] = node->a;
			set.ranges = range;
			set.count = 1;
			first_set(&first, &set);
			break;
		case NODE_SET:
			first_set(&first, &node->set);
			break;
		case NODE_SEQUENCE:
			first.empty = true;
			for (const Node *child = node->child; child != NULL && first.empty;
				 child = child->next)
			{
				First		next = first_of(child);

				for (int i = 0; i < FIRST_BYTES; i++)
					first.bits[i] |= next.bits[i];
				first.empty = next.empty;
			}
			break;
		case NODE_CHOICE:
			for (const Node *child = node->child; child != NULL;
				 child = child->next)
			{
				First		next = first_of(child);

				for (int i = 0; i < FIRST_BYTES; i++)
					first.bits[i] |= next.bits[i];
				first.empty |= next.empty;
			}
			break;
		case NODE_REPEAT:
		case NODE_ATOMIC:
			first = first_of(node->child);
			if (node->kind == NODE_REPEAT && node->a == 0)
				first.empty = true;
			break;
		case NODE_EMPTY:
		case NODE_LOOK:
		case NODE_ASSERTION:
			first.empty = true;
			break;
	}
	return first;
}

/* How many characters exactly, or -1 if that varies. */
static int
width_of(const Node *node)
{
	int			width = 0;

	switch (node->kind)
	{
		case NODE_CHARACTER:
		case NODE_SET:
			return 1;
		case NODE_SEQUENCE:
			for (const Node *child = node->child; child != NULL;
				 child = child->next)
			{
				int			more = width_of(child);

				if (more < 0 || width > MAX_WIDTH)
					return -1;
				width += more;
			}
			return width;
		case NODE_CHOICE:
			width = width_of(node->child);
			for (const Node *child = node->child->next; child != NULL;
				 child = child->next)
			{
				if (width < 0 || width_of(child) != width)
					return -1;
			}
			return width;
		case NODE_REPEAT:
			width = width_of(node->child);
			return width >= 0 && node->a == node->b && width < MAX_WIDTH
					   ? width * (int) node->a
					   : -1;
		case NODE_ATOMIC:
			return width_of(node->child);
		default:
			return 0;
	}
}

static uint32_t
code_length(const Build *build)
{
	return (uint32_t) (build->sections[SECTION_CODE].size /
					   sizeof(ImageInstruction));
}

static uint32_t
emit(Build *build, ImageOperation operation, uint32_t a, uint32_t b,
	 uint32_t c)
{
	ImageInstruction instruction = {operation, a, b, c};
	uint32_t	at = code_length(build);

	if (at >= MAX_CODE)
		build_fault(build, FORMAT_TOO_LARGE, "The patterns are too large.");
	build_append(build, SECTION_CODE, &instruction, sizeof(instruction));
	return at;
}

static ImageInstruction *
instruction_at(Build *build, uint32_t at)
{
	return (ImageInstruction *) build->sections[SECTION_CODE].bytes + at;
}

/* Lets an instruction go to the place where the code ends now. */
static void
patch(Build *build, uint32_t at)
{
	if (!build_failed(build))
		instruction_at(build, at)->a = code_length(build);
}

static uint32_t
first_bytes(Build *build, const First *first)
{
	return build_append(build, SECTION_FIRST_BYTES, first->bits, FIRST_BYTES) /
		   FIRST_BYTES;
}

static void compile(Build *build, Node *node);

static void
compile_choice(Build *build, Node *node)
{
	/* the ends of all alternatives jump to one place: a chain through "a" */
	uint32_t	chain = NO_ID;

	for (Node *child = node->child; child != NULL; child = child->next)
	{
		First		first = first_of(child);
		uint32_t	branch;

		if (child->next == NULL)
		{
			compile(build, child);
			break;
		}
		if (first.empty)
			branch = emit(build, OP_SPLIT, 0, 0, 0);
		else
			branch = emit(build, OP_BRANCH, 0, first_bytes(build, &first), 0);
		compile(build, child);
		chain = emit(build, OP_JUMP, chain, 0, 0);
		patch(build, branch);
	}
	while (chain != NO_ID && !build_failed(build))
	{
		uint32_t	next = instruction_at(build, chain)->a;

		patch(build, chain);
		chain = next;
	}
}

/* The class of a set, which may be compiled many times. */
static uint32_t
node_class(Build *build, Node *node)
{
	if (node->number == NO_ID)
		node->number = build_class(build, &node->set);
	return node->number;
}

/* A loop around one character of a class. */
static bool
compile_class_repeat(Build *build, Node *node)
{
	static const ImageOperation operations[] = {OP_REPEAT, OP_REPEAT_LAZY,
												OP_REPEAT_POSSESSIVE};
	Node	   *child = node->child;

	if (child->kind == NODE_CHARACTER)
	{
		child->kind = NODE_SET;
		set_add(build, &child->set, child->a, child->a);
	}
	if (child->kind != NODE_SET)
		return false;
	emit(build, operations[node->mode], node_class(build, child), node->a,
		 node->b);
	return true;
}

static void
compile_repeat(Build *build, Node *node)
{
	ImageOperation split = node->mode == REPEAT_LAZY ? OP_SPLIT_LAZY
													 : OP_SPLIT;
	uint32_t	atom = NO_ID;
	uint32_t	chain = NO_ID;

	if (compile_class_repeat(build, node))
		return;
	if (first_of(node->child).empty)
	{
		build_fault(build, FORMAT_UNSUPPORTED,
					"A pattern has a loop around what may be empty, which is not supported.");
		return;
	}
	if (node->mode == REPEAT_POSSESSIVE)
		atom = emit(build, OP_ATOMIC, 0, 0, 0);
	for (uint32_t i = 0; i < node->a && !build_failed(build); i++)
		compile(build, node->child);
	if (node->b == REPEAT_INFINITE)
	{
		uint32_t	begin = code_length(build);

		if (node->mode == REPEAT_LAZY)
		{
			/* first what follows, then once more */
			uint32_t	out = emit(build, OP_SPLIT_LAZY, 0, 0, 0);

			compile(build, node->child);
			emit(build, OP_JUMP, begin, 0, 0);
			patch(build, out);
		}
		else
		{
			uint32_t	out = emit(build, OP_SPLIT, 0, 0, 0);

			compile(build, node->child);
			emit(build, OP_JUMP, begin, 0, 0);
			patch(build, out);
		}
	}
	else
	{
		for (uint32_t i = node->a; i < node->b && !build_failed(build); i++)
		{
			chain = emit(build, split, chain, 0, 0);
			compile(build, node->child);
		}
		while (chain != NO_ID && !build_failed(build))
		{
			uint32_t	next = instruction_at(build, chain)->a;

			patch(build, chain);
			chain = next;
		}
	}
	if (atom != NO_ID && !build_failed(build))
		instruction_at(build, atom)->a = emit(build, OP_MATCH, 0, 0, 0);
}

static void
compile_inside(Build *build, Node *child, ImageOperation operation,
			   uint32_t width)
{
	uint32_t	begin = emit(build, operation, 0, width, 0);
	uint32_t	end;

	compile(build, child);
	end = emit(build, OP_MATCH, 0, 0, 0);
	if (!build_failed(build))
		instruction_at(build, begin)->a = end;
}

/* Alternatives of a look-behind may differ in width, each for itself fixed. */
static void
compile_look_behind(Build *build, Node *node)
{
	Node	   *child = node->child;
	int			width = width_of(child);
	uint32_t	chain = NO_ID;

	if (width >= 0)
	{
		compile_inside(build, child, (ImageOperation) node->a,
					   (uint32_t) width);
		return;
	}
	for (Node *way = child->kind == NODE_CHOICE ? child->child : child;
		 way != NULL; way = way->next)
	{
		width = width_of(way);
		if (width < 0)
		{
			build_fault(build, FORMAT_UNSUPPORTED,
						"A pattern looks behind for a varying number of characters, which is not supported.");
			return;
		}
		if (node->a == OP_LOOK_BEHIND_NOT)
			compile_inside(build, way, OP_LOOK_BEHIND_NOT, (uint32_t) width);
		else
		{
			uint32_t	split = emit(build, OP_SPLIT, 0, 0, 0);

			compile_inside(build, way, OP_LOOK_BEHIND, (uint32_t) width);
			chain = emit(build, OP_JUMP, chain, 0, 0);
			patch(build, split);
		}
		if (child->kind != NODE_CHOICE)
			break;
	}
	if (node->a != OP_LOOK_BEHIND_NOT)
		emit(build, OP_FAIL, 0, 0, 0);
	while (chain != NO_ID && !build_failed(build))
	{
		uint32_t	next = instruction_at(build, chain)->a;

		patch(build, chain);
		chain = next;
	}
}

static void
compile(Build *build, Node *node)
{
	if (build_failed(build))
		return;
	switch (node->kind)
	{
		case NODE_EMPTY:
			break;
		case NODE_CHARACTER:
			emit(build, OP_CHARACTER, node->a, 0, 0);
			break;
		case NODE_SET:
			emit(build, OP_CLASS, node_class(build, node), 0, 0);
			break;
		case NODE_SEQUENCE:
			for (Node *child = node->child; child != NULL; child = child->next)
				compile(build, child);
			break;
		case NODE_CHOICE:
			compile_choice(build, node);
			break;
		case NODE_REPEAT:
			compile_repeat(build, node);
			break;
		case NODE_LOOK:
			if (node->a == OP_LOOK_BEHIND || node->a == OP_LOOK_BEHIND_NOT)
				compile_look_behind(build, node);
			else
				compile_inside(build, node->child, (ImageOperation) node->a,
							   0);
			break;
		case NODE_ATOMIC:
			compile_inside(build, node->child, OP_ATOMIC, 0);
			break;
		case NODE_ASSERTION:
			emit(build, (ImageOperation) node->a, 0, 0, 0);
			break;
	}
}

uint32_t
build_pattern(Build *build, const char *text, size_t length)
{
	ImagePattern pattern = {0};
	Node	   *node = pattern_parse(build, text, length);
	First		first;

	if (node == NULL)
		return 0;
	pattern.begin = code_length(build);
	compile(build, node);
	emit(build, OP_MATCH, 0, 0, 0);
	pattern.end = code_length(build);
	first = first_of(node);
	pattern.first_bytes = first.empty ? NO_ID : first_bytes(build, &first);
	return build_append(build, SECTION_PATTERNS, &pattern, sizeof(pattern)) /
		(uint32_t) sizeof(pattern);
}
