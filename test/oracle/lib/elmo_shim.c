/*-------------------------------------------------------------------------
 *
 * elmo_shim.c
 *	  An ELMo of the pure core for elmo_core.py.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/cpu.h"
#include "network/elmo.h"

#define MOST_TENSORS 200

typedef struct Shim
{
	ElmoOptions options;
	ElmoPlan	plan;
	Elmo		elmo;
	char		message[400];
	char	   *packed;
	size_t		written;

	/* tensors, which stay the caller's */
	int			count;
	char		names[MOST_TENSORS][100];
	const float *values[MOST_TENSORS];
	size_t		piece;
} Shim;

static void *
aligned_block(size_t size)
{
	void	   *block = NULL;

	if (posix_memalign(&block, PRODUCT_ALIGNMENT, size + 1) != 0)
		abort();
	return block;
}

const char *
shim_kernels(const char *name)
{
	if (name[0] == '\0')
		product_init();
	else if (product_select(name) != NULL)
		return "";
	return product_kernels;
}

const char *
shim_message(Shim *shim)
{
	return shim->message;
}

Shim *
shim_begin(const char *options, size_t length, size_t piece)
{
	Shim	   *shim = calloc(1, sizeof(Shim));
	FormatFault fault = {0};
	Arena		arena;
	const JsonValue *root;

	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	root = json_parse(&arena, options, length, NULL, &fault);
	if (root == NULL || !elmo_options_parse(&shim->options, root, &fault))
		snprintf(shim->message, sizeof(shim->message), "%s", fault.detail);
	arena_end(&arena);
	shim->piece = piece;
	return shim;
}

void
shim_end(Shim *shim)
{
	free(shim->packed);
	free(shim);
}

void
shim_tensor(Shim *shim, const char *name, const float *values)
{
	snprintf(shim->names[shim->count], sizeof(shim->names[0]), "%s", name);
	shim->values[shim->count++] = values;
}

static bool
read_tensor(void *argument, const char *name, uint64_t first, uint64_t count,
			ElmoReceive receive, void *receiver)
{
	Shim	   *shim = argument;

	for (int i = 0; i < shim->count; i++)
	{
		if (strcmp(shim->names[i], name) != 0)
			continue;
		while (count > 0)
		{
			size_t		some = count < shim->piece ? count : shim->piece;

			receive(receiver, shim->values[i] + first, some);
			first += some;
			count -= some;
		}
		return true;
	}
	snprintf(shim->message, sizeof(shim->message), "%s is missing", name);
	return false;
}

static bool
write_packed(void *argument, const void *bytes, size_t size)
{
	Shim	   *shim = argument;

	memcpy(shim->packed + shim->written, bytes, size);
	shim->written += size;
	return true;
}

int
shim_pack(Shim *shim, int precision)
{
	ElmoFiles	files = {read_tensor, write_packed, shim};
	void	   *memory;
	bool		good;

	if (!elmo_plan(&shim->plan, &shim->options, precision, shim->message))
		return 0;
	free(shim->packed);
	shim->packed = aligned_block(shim->plan.bytes);
	shim->written = 0;
	memory = aligned_block(elmo_pack_bytes(&shim->plan));
	good = elmo_pack(&shim->plan, &files, memory);
	free(memory);
	return good && shim->written == shim->plan.bytes &&
		   elmo_open(&shim->elmo, &shim->plan, shim->packed, shim->written);
}

size_t
shim_state_floats(Shim *shim)
{
	return elmo_state_floats(&shim->elmo);
}

int
shim_characters(const char *bytes, size_t length, int most, int16_t *ids)
{
	CharacterWord word = {bytes, length};

	return character_ids(&word, most, ids);
}

/* The bytes of all words lie one after the other. */
int
shim_words(Shim *shim, int count, const char *bytes, const size_t *offsets,
		   float *to)
{
	CharacterWord *words = malloc(sizeof(CharacterWord) * count);
	void	   *scratch = aligned_block(
			   character_scratch_bytes(&shim->elmo.encoder));
	bool		good;

	for (int i = 0; i < count; i++)
	{
		words[i].text = bytes + offsets[i];
		words[i].length = offsets[i + 1] - offsets[i];
	}
	good = character_encode(&shim->elmo.encoder, count, words, to,
							shim->elmo.dims / 2, scratch, NULL);
	free(scratch);
	free(words);
	return good;
}

int
shim_layers(Shim *shim, int count, const int32_t *offsets,
			const int32_t *rows, const float *words, float *to,
			const float *start, float *end)
{
	ElmoTexts	texts = {count, offsets, rows, words, end != NULL};
	void	   *scratch = aligned_block(
			   elmo_scratch_bytes(&shim->elmo, offsets[count], count));
	bool		good = elmo_layers(&shim->elmo, &texts, to, start, end,
								   scratch, NULL);

	free(scratch);
	return good;
}
