/*-------------------------------------------------------------------------
 *
 * export.c
 *	  SQL function export_word_vectors: word2vec .bin in a large object.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "format/word_vectors.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "encoder/words/word_model.h"
#include "utils/fmgrprotos.h"

EMBED_FUNCTION(export_word_vectors);

#define PIECE (256 * 1024)

typedef struct Export
{
	int			object;			/* descriptor */
	int			used;			/* of the buffer */
	char	   *buffer;			/* a piece and one row */
} Export;

static void
flush(Export *export)
{
	if (lo_write(export->object, export->buffer, export->used) != export->used)
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("could not write large object")));
	export->used = 0;
}

static void
export_word(Export *export, const Words *words, const WordEntry *entry)
{
	const char *text = words->texts + entry->text;
	char	   *utf8 = pg_server_to_any(text, entry->length, PG_UTF8);
	Size		length = utf8 == text ? (Size) entry->length : strlen(utf8);

	if (memchr(utf8, ' ', length) != NULL ||
		memchr(utf8, '\n', length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("word \"%s\" cannot be exported", pnstrdup(text, entry->length)),
				 errdetail("In this format a word ends at the first space."),
				 errhint("Export the table with COPY instead.")));
	if (length > WORD_VECTORS_MAX_WORD)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a word of %zu bytes cannot be exported", length),
				 errdetail("The limit is %d bytes.", WORD_VECTORS_MAX_WORD)));
	export->used += (int) word_vectors_write_row(export->buffer + export->used,
												 utf8, length,
												 words_row(words, entry->row),
												 words->totals->dims);
	if (export->used >= PIECE)
		flush(export);
	if (utf8 != text)
		pfree(utf8);
}

Datum
export_word_vectors(PG_FUNCTION_ARGS)
{
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	Datum		object;
	Export		export;

	if (words->totals->words == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embedding model \"%s\" has no words",
						words->model->description->table_name)));
	object = DirectFunctionCall1(be_lo_create, ObjectIdGetDatum(InvalidOid));
	export.object = DatumGetInt32(
		DirectFunctionCall2(be_lo_open, object, Int32GetDatum(INV_WRITE)));
	export.buffer = palloc(PIECE + word_vectors_row_size(WORD_VECTORS_MAX_WORD,
														 words->totals->dims));
	export.used = (int) word_vectors_write_header(export.buffer,
												  words->totals->words,
												  words->totals->dims);
	for (int32 i = 0; i < words->totals->words; i++)
	{
		export_word(&export, words, &words->entries[i]);
		CHECK_FOR_INTERRUPTS();
	}
	flush(&export);
	DirectFunctionCall1(be_lo_close, Int32GetDatum(export.object));
	PG_RETURN_DATUM(object);
}
