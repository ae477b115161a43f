/*-------------------------------------------------------------------------
 *
 * added.c
 *	  Added tokens: found in the text before anything else, the longest at
 *	  the leftmost place.
 *
 * Once over the original text, for tokens that are matched as they are, and
 * once over the normalized one.  A match that must be a single word and is
 * not is passed over, whatever shorter one might be in its place.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

typedef struct AddedTrie
{
	const ImageNode *nodes;
	uint32_t	count;
	const ImageAdded *added;
	uint32_t	added_count;
} AddedTrie;

/* The longest added token that begins here: its number + 1, or 0. */
static inline uint32_t
longest_here(const AddedTrie *trie, const unsigned char *text, uint32_t at,
			 uint32_t end, uint32_t *stop)
{
	uint32_t	node = 0;
	uint32_t	found = 0;

	for (uint32_t i = at; i < end; i++)
	{
		uint32_t	child = trie->nodes[node].base + text[i];

		if (child >= trie->count || trie->nodes[child].check != node ||
			child == 0)
			break;
		node = child;
		if (trie->nodes[node].value != 0)
		{
			found = trie->nodes[node].value;
			*stop = i + 1;
		}
	}
	return found;
}

static uint32_t
character_before(const unsigned char *text, uint32_t at)
{
	do
		at--;
	while (at > 0 && (text[at] & 0xC0) == 0x80);
	return at;
}

static bool
is_single_word(const unsigned char *text, const Piece *piece, uint32_t begin,
			   uint32_t end)
{
	if (begin > piece->begin &&
		character_is(utf8_code(text + character_before(text, begin)),
					 CHARACTER_WORD))
		return false;
	return end >= piece->end ||
		   !character_is(utf8_code(text + end), CHARACTER_WORD);
}

static bool
split_piece(Run *run, const AddedTrie *trie, const Piece *piece,
			PieceList *list)
{
	const unsigned char *text = run->text.bytes;
	uint32_t	last = piece->begin;
	uint32_t	at = piece->begin;
	uint32_t	next_stop = at + RUN_UNIT;

	while (at < piece->end)
	{
		uint32_t	stop = 0;
		uint32_t	found = longest_here(trie, text, at, piece->end, &stop);
		uint32_t	begin = at;
		const ImageAdded *token;

		run_pass(run, at, &next_stop);
		if (found == 0)
		{
			at++;
			continue;
		}
		if (found > trie->added_count)
			return run_fail(run, TOKENIZER_DAMAGED);
		token = &trie->added[found - 1];
		at = stop;
		if ((token->flags & ADDED_SINGLE_WORD) &&
			!is_single_word(text, piece, begin, stop))
			continue;
		if (token->flags & ADDED_LSTRIP)
		{
			/* spaces that the token before took are not taken again */
			while (
				begin > piece->begin &&
				character_is(utf8_code(text + character_before(text, begin)),
							 CHARACTER_SPACE))
				begin = character_before(text, begin);
			if (begin < last)
				begin = last;
		}
		while ((token->flags & ADDED_RSTRIP) && stop < piece->end &&
			   character_is(utf8_code(text + stop), CHARACTER_SPACE))
			stop += utf8_step(text + stop);
		if (last < begin &&
			!pieces_add(run, list, last, begin,
						text_origin(&run->text, last, piece->origin), NO_ID))
			return false;
		if (begin < stop &&
			!pieces_add(run, list, begin, stop,
						text_origin(&run->text, begin, piece->origin),
						token->id))
			return false;
		last = stop;
	}
	return last >= piece->end ||
		   pieces_add(run, list, last, piece->end,
					  text_origin(&run->text, last, piece->origin), NO_ID);
}

static bool
split_by(Run *run, ImageSectionName section)
{
	AddedTrie	trie;
	PieceList	list;

	trie.nodes = image_section(run->tokenizer, section);
	trie.count = image_count(run->tokenizer, section, sizeof(ImageNode));
	trie.added = image_section(run->tokenizer, SECTION_ADDED);
	trie.added_count = image_count(run->tokenizer, SECTION_ADDED,
								   sizeof(ImageAdded));
	if (trie.count == 0)
	{
		/* what a splitter asks for is where the piece begins now */
		for (uint32_t i = 0; i < run->piece_count; i++)
			run->pieces[i].origin = text_origin(&run->text,
												run->pieces[i].begin,
												run->pieces[i].origin);
		return true;
	}
	pieces_begin(run, &list);
	for (uint32_t i = 0; i < run->piece_count; i++)
	{
		const Piece *piece = &run->pieces[i];

		run_work(run, piece->end - piece->begin);
		if (!(piece->id != NO_ID
				  ? pieces_add(run, &list, piece->begin, piece->end,
							   piece->origin, piece->id)
				  : split_piece(run, &trie, piece, &list)))
			return false;
	}
	pieces_take(run, &list);
	return true;
}

bool
added_split_original(Run *run)
{
	return split_by(run, SECTION_ADDED_TRIE);
}

bool
added_split_normalized(Run *run)
{
	return split_by(run, SECTION_ADDED_TRIE_NORMALIZED);
}
