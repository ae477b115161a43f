/*-------------------------------------------------------------------------
 *
 * tokenizer_vocabulary.c
 *	  The pieces of a model: their texts by id, their ids by text.
 *
 *-------------------------------------------------------------------------
 */
#include "math/hash.h"
#include "tokenizer/tokenizer_build.h"

#define PIECES_PER_INTERRUPT 16384

static uint32_t
table_size(uint32_t count)
{
	uint32_t	size = 16;

	while (size < count * 2)
		size *= 2;
	return size;
}

static uint32_t
lookup_slot(const Build *build, const char *text, size_t length)
{
	uint32_t	slot = (uint32_t) hash_bytes64(text, length) &
					   build->lookup_mask;

	while (build->lookup[slot] != 0)
	{
		const BuildPiece *piece = &build->pieces[build->lookup[slot] - 1];

		if (piece->length == length && memcmp(piece->text, text, length) == 0)
			break;
		slot = (slot + 1) & build->lookup_mask;
	}
	return slot;
}

bool
build_index_pieces(Build *build)
{
	uint32_t	size = table_size(build->piece_count);

	build->lookup = build_alloc(build, size, sizeof(uint32_t));
	if (build->lookup == NULL)
		return false;
	memset(build->lookup, 0, size * sizeof(uint32_t));
	build->lookup_mask = size - 1;
	for (uint32_t i = 0; i < build->piece_count; i++)
	{
		if (i % PIECES_PER_INTERRUPT == 0)
			build_interrupt(build);
		build->lookup[lookup_slot(build, build->pieces[i].text,
								  build->pieces[i].length)] = i + 1;
	}
	return true;
}

uint32_t
build_find(const Build *build, const char *text, size_t length)
{
	uint32_t	found;

	if (build->lookup == NULL)
		return NO_ID;
	found = build->lookup[lookup_slot(build, text, length)];
	return found == 0 ? NO_ID : build->pieces[found - 1].id;
}

/* The text of each id, an added token's before a piece's. */
static bool
write_texts(Build *build, uint32_t size)
{
	BuildPiece *by_id = build_alloc(build, size, sizeof(BuildPiece));
	uint32_t   *offsets = build_section(build, SECTION_PIECE_OFFSETS,
										((size_t) size + 1) *
											sizeof(uint32_t));

	if (by_id == NULL || offsets == NULL)
		return false;
	memset(by_id, 0, (size_t) size * sizeof(BuildPiece));
	for (uint32_t i = 0; i < build->piece_count; i++)
		by_id[build->pieces[i].id] = build->pieces[i];
	for (uint32_t i = 0; i < build->added_count; i++)
	{
		by_id[build->added[i].id].text = build->added[i].text;
		by_id[build->added[i].id].length = build->added[i].length;
	}
	for (uint32_t i = 0; i < size; i++)
	{
		offsets[i] = (uint32_t) build->sections[SECTION_PIECES].size;
		build_append(build, SECTION_PIECES, by_id[i].text, by_id[i].length);
	}
	offsets[size] = (uint32_t) build->sections[SECTION_PIECES].size;
	return !build_failed(build);
}

bool
build_vocabulary(Build *build)
{
	uint32_t	size = build->header.vocabulary_size;
	uint32_t	slots = table_size(build->piece_count);
	uint32_t   *hash = build_section(build, SECTION_HASH,
									 (size_t) slots * sizeof(uint32_t));

	if (hash == NULL || !write_texts(build, size))
		return false;
	for (uint32_t i = 0; i < build->piece_count; i++)
	{
		const BuildPiece *piece = &build->pieces[i];
		uint32_t	slot = (uint32_t) hash_bytes64(piece->text,
												   piece->length) &
						   (slots - 1);

		if (i % PIECES_PER_INTERRUPT == 0)
			build_interrupt(build);
		/* an equal text that comes later counts, so this one is not needed */
		if (build_find(build, piece->text, piece->length) != piece->id)
			continue;
		if (piece->length > build->header.max_piece)
			build->header.max_piece = piece->length;
		while (hash[slot] != 0)
			slot = (slot + 1) & (slots - 1);
		hash[slot] = piece->id + 1;
	}
	return true;
}

/* ---------- in an image ---------- */

const unsigned char *
image_piece(const Tokenizer *tokenizer, uint32_t id, uint32_t *length)
{
	const uint32_t *offsets = image_section(tokenizer, SECTION_PIECE_OFFSETS);
	uint32_t	size = tokenizer->header->sections[SECTION_PIECES].size;

	*length = 0;
	if (id >= tokenizer->header->vocabulary_size ||
		offsets[id] >= offsets[id + 1] || offsets[id + 1] > size)
		return NULL;
	*length = offsets[id + 1] - offsets[id];
	return (const unsigned char *) image_section(tokenizer, SECTION_PIECES) +
		   offsets[id];
}

uint32_t
image_find(const Tokenizer *tokenizer, const unsigned char *text,
		   size_t length)
{
	const uint32_t *hash = image_section(tokenizer, SECTION_HASH);
	uint32_t	mask =
		   image_count(tokenizer, SECTION_HASH, sizeof(uint32_t)) - 1;
	uint32_t	slot;

	if (length > tokenizer->header->max_piece || length == 0)
		return NO_ID;
	slot = (uint32_t) hash_bytes64(text, length) & mask;
	for (uint32_t probes = 0; hash[slot] != 0 && probes <= mask; probes++)
	{
		uint32_t	piece_length;
		const unsigned char *piece = image_piece(tokenizer, hash[slot] - 1,
												 &piece_length);

		if (piece != NULL && piece_length == length &&
			memcmp(piece, text, length) == 0)
			return hash[slot] - 1;
		slot = (slot + 1) & mask;
	}
	return NO_ID;
}
