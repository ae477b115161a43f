/*-------------------------------------------------------------------------
 *
 * key_table.h
 *	  A hash table whose elements have a uint64 "key" and a char "status".
 *
 * Define SH_PREFIX and SH_ELEMENT_TYPE, then include this, once for each
 * table; lib/simplehash.h undefines them again.
 *
 *-------------------------------------------------------------------------
 */
#define SH_KEY_TYPE		uint64
#define SH_KEY			key
#define SH_HASH_KEY(table, key) ((uint32) (((key) * HASH_KEY_A) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "math/hash.h"
#include "lib/simplehash.h"
