/*-------------------------------------------------------------------------
 *
 * text_table.h
 *	  Distinct texts, numbered as they first appear, with what is counted of
 *	  each.
 *
 * An open-addressing table of 16-byte slots (the text's key, its length and
 * its number) over one array of elements; the texts lie in an arena.  Who
 * counts words or terms gives the element, and decides what happens when
 * memory is used up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_TEXT_TABLE_H
#define TEXT_TEXT_TABLE_H

#include "server/server.h"

#include "math/hash.h"

/*
 * Most texts are known by eight bytes: a text never holds a zero byte, so up
 * to that length the bytes, padded with zeros, are as good as the text.
 * Longer ones have their hash for a key, and equal keys leave the texts to
 * compare.
 */
#define TEXT_KEY_BYTES	8

static inline uint64
text_key(const char *text, int length, uint64 hash)
{
	if (length > TEXT_KEY_BYTES)
		return hash;
	return hash_load_partial((const unsigned char *) text, length);
}

/* whether two long texts of one length are the same */
static inline bool
long_texts_equal(const char *a, const char *b, int length)
{
	const unsigned char *x = (const unsigned char *) a;
	const unsigned char *y = (const unsigned char *) b;

	if (length > 2 * TEXT_KEY_BYTES)
		return memcmp(a, b, length) == 0;
	return hash_load64(x) == hash_load64(y) &&
		hash_load64(x + length - 8) == hash_load64(y + length - 8);
}

/* Every element begins with these three; the rest is the caller's. */
typedef struct TextElement
{
	uint64		hash;			/* hash_bytes64(text, length) */
	const char *text;			/* not terminated; in the arena */
	int32		length;
} TextElement;

/* number of the element plus one, 0 in an empty slot */
typedef struct TextSlot
{
	uint64		key;			/* text_key */
	uint32		number;
	int32		length;
} TextSlot;

typedef struct TextTable
{
	MemoryContext context;
	MemoryContext arena;		/* child: texts */
	char	   *elements;
	Size		element_size;
	Size		count;
	Size		capacity;		/* of elements; half of the slots */
	TextSlot   *slots;
	Size		slot_mask;
	Size		text_bytes;		/* taken by texts */
	char	   *text_at;		/* rest of the newest piece of the arena */
	Size		text_left;
} TextTable;

/* slots hold 32-bit numbers */
#define TEXT_TABLE_MAX_CAPACITY ((Size) 1 << 31)

/* In a child of CurrentMemoryContext; capacity: a power of two */
extern void text_table_init(TextTable *table, Size element_size,
							Size capacity);

/* Twice the capacity; if there is no memory, the table stays, full. */
extern void text_table_grow(TextTable *table);

/* Without any text again, as large as it is */
extern void text_table_clear(TextTable *table);
extern void text_table_free(TextTable *table);

/* Bytes of a table of this capacity, and the same texts */
extern Size text_table_bytes(const TextTable *table, Size capacity);

/* for text_table_number: enters a text that is not there */
extern uint32 text_table_add(TextTable *table, Size slot, const char *text,
							 int length, uint64 hash, uint64 key);

/* Fetch the slot that text_table_number will probably look at. */
static inline void
text_table_prefetch(const TextTable *table, uint64 hash)
{
	__builtin_prefetch(&table->slots[hash & table->slot_mask]);
}

/*
 * The number of a text.  There must be room for one more: count < capacity.
 * The text is new if its number was count, and then the element is zero apart
 * from its beginning.
 */
static inline uint32
text_table_number(TextTable *table, Size element_size, const char *text,
				  int length, uint64 hash, uint64 key)
{
	Size		at = hash & table->slot_mask;

	for (; table->slots[at].number != 0; at = (at + 1) & table->slot_mask)
	{
		const TextSlot *slot = &table->slots[at];
		const TextElement *element;

		if (slot->key != key || slot->length != length)
			continue;
		if (length <= TEXT_KEY_BYTES)
			return slot->number - 1;
		element = (const TextElement *)
			(table->elements + element_size * (slot->number - 1));
		if (long_texts_equal(element->text, text, length))
			return slot->number - 1;
	}
	return text_table_add(table, at, text, length, hash, key);
}

#endif							/* TEXT_TEXT_TABLE_H */
