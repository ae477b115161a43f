/*-------------------------------------------------------------------------
 *
 * unicode.c
 *	  Characters: properties, lower case.
 *
 *-------------------------------------------------------------------------
 */
#include "text/unicode.h"
#include "text/unicode_table.h"

const char *
unicode_table_version(void)
{
	return UNICODE_TABLE_VERSION;
}

/* code < CODE_LIMIT */
UnicodeRecord
unicode_lookup(uint32_t code)
{
	uint32_t	block = code >> UNICODE_BLOCK_SHIFT;

	if (block > UNICODE_BLOCKS)
		block = UNICODE_BLOCKS;
	return unicode_records[unicode_second[unicode_first[block]]
						   [code & ((1 << UNICODE_BLOCK_SHIFT) - 1)]];
}
