/*-------------------------------------------------------------------------
 *
 * trie.c
 *	  Building a double array from a set of keys.
 *
 * Aoe, An Efficient Digital Search Algorithm by Using a Double-Array
 * Structure (1989): the children of a node lie at its base plus their byte.
 * The keys are sorted; nodes are placed one after another, each at the first
 * of some free slots where all its children fit, or else at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_build.h"

#include <stdlib.h>

#define MAX_TRIES	64			/* free slots to try before the end is taken */
#define KEYS_PER_INTERRUPT 4096

typedef struct Task
{
	uint32_t	node;
	uint32_t	depth;
	uint32_t	begin;			/* keys below this node */
	uint32_t	end;
} Task;

typedef struct Trie
{
	Build	   *build;
	ImageSectionName section;
	BuildKey   *keys;
	uint32_t	count;			/* nodes */
	uint32_t	used_end;		/* behind the last one in use */
	uint32_t   *next_free;		/* a ring of free slots; 0: the head */
	uint32_t   *last_free;
	uint32_t	capacity;
} Trie;

static ImageNode *
node_at(Trie *trie, uint32_t number)
{
	return (ImageNode *) trie->build->sections[trie->section].bytes + number;
}

static int
compare_keys(const void *a, const void *b)
{
	const BuildKey *first = a;
	const BuildKey *second = b;
	uint32_t	length = first->length < second->length ? first->length
														: second->length;
	int			order = memcmp(first->text, second->text, length);

	if (order != 0)
		return order;
	if (first->length != second->length)
		return first->length < second->length ? -1 : 1;
	return (first->value > second->value) - (first->value < second->value);
}

/* Adds 256 or more free slots. */
static bool
grow(Trie *trie)
{
	uint32_t	more = trie->count < 1024 ? 1024 : trie->count / 2;
	ImageNode	empty = {0, NO_ID, 0};
	uint32_t	before = trie->count;

	if (trie->count + more > trie->capacity)
	{
		uint32_t	capacity = (trie->count + more) * 2;
		uint32_t   *next = build_alloc(trie->build, capacity,
									   sizeof(uint32_t));
		uint32_t   *last = build_alloc(trie->build, capacity,
									   sizeof(uint32_t));

		if (next == NULL || last == NULL)
			return false;
		if (before > 0)
		{
			memcpy(next, trie->next_free, before * sizeof(uint32_t));
			memcpy(last, trie->last_free, before * sizeof(uint32_t));
		}
		trie->next_free = next;
		trie->last_free = last;
		trie->capacity = capacity;
	}
	for (uint32_t i = 0; i < more; i++)
		build_append(trie->build, trie->section, &empty, sizeof(empty));
	if (build_failed(trie->build))
		return false;
	if (before == 0)
		trie->next_free[0] = trie->last_free[0] = 0;
	for (uint32_t i = before == 0 ? 1 : before; i < before + more; i++)
	{
		uint32_t	last = trie->last_free[0];

		trie->next_free[last] = i;
		trie->last_free[i] = last;
		trie->next_free[i] = 0;
		trie->last_free[0] = i;
	}
	trie->count += more;
	return true;
}

static void
occupy(Trie *trie, uint32_t slot)
{
	trie->next_free[trie->last_free[slot]] = trie->next_free[slot];
	trie->last_free[trie->next_free[slot]] = trie->last_free[slot];
	if (slot >= trie->used_end)
		trie->used_end = slot + 1;
}

static bool
fits(Trie *trie, uint32_t base, const unsigned char *bytes, int byte_count)
{
	for (int i = 0; i < byte_count; i++)
	{
		uint32_t	slot = base + bytes[i];

		if (slot == 0 || slot >= trie->count ||
			node_at(trie, slot)->check != NO_ID)
			return false;
	}
	return true;
}

/* Where children with these bytes fit; NO_ID on failure. */
static uint32_t
find_base(Trie *trie, const unsigned char *bytes, int byte_count)
{
	uint32_t	slot = trie->next_free[0];

	for (int tries = 0; slot != 0 && tries < MAX_TRIES;
		 slot = trie->next_free[slot], tries++)
	{
		if (slot >= bytes[0] && fits(trie, slot - bytes[0], bytes, byte_count))
			return slot - bytes[0];
	}
	/* behind the last slot in use, so that all are free */
	slot = trie->used_end < bytes[0] ? bytes[0] : trie->used_end;
	while (slot + 256 >= trie->count)
	{
		if (!grow(trie))
			return NO_ID;
	}
	return slot - bytes[0];
}

/* The children of one node: places them, and pushes their tasks. */
static bool
place_children(Trie *trie, const Task *task, Task *tasks, uint32_t *task_count)
{
	unsigned char bytes[256];
	uint32_t	begins[257];
	int			byte_count = 0;
	uint32_t	begin = task->begin;
	uint32_t	base;

	/* keys that end here come first */
	for (; begin < task->end && trie->keys[begin].length == task->depth;
		 begin++)
		node_at(trie, task->node)->value = trie->keys[begin].value + 1;
	if (begin == task->end)
		return true;
	for (uint32_t i = begin; i < task->end; i++)
	{
		unsigned char byte = trie->keys[i].text[task->depth];

		if (byte_count == 0 || bytes[byte_count - 1] != byte)
		{
			bytes[byte_count] = byte;
			begins[byte_count++] = i;
		}
	}
	begins[byte_count] = task->end;
	base = find_base(trie, bytes, byte_count);
	if (base == NO_ID)
		return false;
	node_at(trie, task->node)->base = base;
	for (int i = 0; i < byte_count; i++)
	{
		Task		child = {base + bytes[i], task->depth + 1, begins[i],
							 begins[i + 1]};

		node_at(trie, child.node)->check = task->node;
		occupy(trie, child.node);
		tasks[(*task_count)++] = child;
	}
	return true;
}

bool
build_trie(Build *build, ImageSectionName section, BuildKey *keys,
		   uint32_t count)
{
	Trie		trie = {.build = build, .section = section, .keys = keys,
	.used_end = 1};
	Task		root = {0, 0, 0, count};
	Task	   *tasks = build_alloc(build, (size_t) count + 256, sizeof(Task));
	uint32_t	task_count = 0;
	uint32_t	placed = 0;

	if (tasks == NULL || build_section(build, section, 0) == NULL ||
		!grow(&trie))
		return false;
	if (count > 1)
		qsort(keys, count, sizeof(*keys), compare_keys);

	/*
	 * Depth first: the tasks that wait belong to different keys, but for the
	 * children of one node at the end, so there are never more than keys.
	 */
	tasks[task_count++] = root;
	while (task_count > 0)
	{
		Task		task = tasks[--task_count];

		if (++placed % KEYS_PER_INTERRUPT == 0)
			build_interrupt(build);
		if (!place_children(&trie, &task, tasks, &task_count))
			return false;
	}
	return !build_failed(build);
}
