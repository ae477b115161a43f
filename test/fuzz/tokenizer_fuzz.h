/*-------------------------------------------------------------------------
 *
 * tokenizer_fuzz.h
 *	  What the fuzz targets of tokenizers share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_FUZZ_H
#define TOKENIZER_FUZZ_H

#include <stdlib.h>

/* Memory of a tokenizer's scratch. */
static void *
resize(void *context, void *block, size_t size)
{
	if (size == 0)
	{
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

static void
require(int condition)
{
	if (!condition)
		abort();
}

#endif							/* TOKENIZER_FUZZ_H */
