/*-------------------------------------------------------------------------
 *
 * tidset.c
 *	  A set of row addresses, for scans that must return each row once.
 *
 * A hash table of stretches of 64 offsets: neighbours on a page share an
 * entry of 24 bytes, so even the set of all rows of a table is small.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "storage/itemptr.h"

#include "index/ktree/ktree.h"

typedef struct TidStretch
{
	uint64		key;			/* block * 256 + offset / 64 */
	uint64		bits;
	char		status;
} TidStretch;

#define SH_PREFIX		stretch
#define SH_ELEMENT_TYPE TidStretch
#include "index/ktree/key_table.h"

typedef struct TidSet
{
	stretch_hash *stretches;
} TidSet;

struct TidSet *
tidset_create(void)
{
	TidSet	   *set = palloc(sizeof(TidSet));

	set->stretches = stretch_create(CurrentMemoryContext, 64, NULL);
	return set;
}

static uint64
key_of(ItemPointer tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) * 256 +
		ItemPointerGetOffsetNumberNoCheck(tid) / 64;
}

bool
tidset_has(struct TidSet *set, ItemPointer tid)
{
	TidStretch *stretch = stretch_lookup(set->stretches, key_of(tid));

	return stretch != NULL &&
		((stretch->bits >> (ItemPointerGetOffsetNumberNoCheck(tid) % 64)) & 1);
}

void
tidset_add(struct TidSet *set, ItemPointer tid)
{
	bool		found;
	TidStretch *stretch = stretch_insert(set->stretches, key_of(tid), &found);

	if (!found)
		stretch->bits = 0;
	stretch->bits |= UINT64CONST(1)
					 << (ItemPointerGetOffsetNumberNoCheck(tid) % 64);
}
