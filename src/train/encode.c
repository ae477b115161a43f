/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  A corpus read once and kept as word ids in a temporary file.
 *
 * Words are numbered as they first appear and written so while they are
 * counted; when the corpus has ended the numbers of rare words are known, and
 * a second pass over the file, which is all sequential, puts the final ids in
 * place and leaves the rare words out.  Windows therefore reach over rare
 * words, as in word2vec.c and gensim.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <fcntl.h>
#include <math.h>

#include "math/hash.h"
#include "miscadmin.h"
#include "train/corpus.h"
#include "train/encode.h"
#include "text/config_cache.h"
#include "text/token.h"
#include "train/progress.h"
#include "utils/memutils.h"

#define FILE_NAME			"ids"
#define FIRST_FILE_NAME		"first"
#define FIRST_SLOTS			8192
#define ARENA_PIECE			(64 * 1024)

/*
 * The words seen so far.  Slots hold a part of the hash and the word's
 * number plus one; words lie in one array, their texts in an arena.
 */
typedef struct WordSlot
{
	uint32		tag;
	uint32		word;
} WordSlot;

typedef struct WordTable
{
	MemoryContext context;
	EncodedWord *words;
	uint64	   *hashes;
	Size		count;
	Size		capacity;
	WordSlot   *slots;
	Size		mask;
	char	   *text_at;
	Size		text_left;
	Size		bytes;
	Size		limit;
} WordTable;

struct EncodedReader
{
	BufFile    *file;
	int64		ids;
};

static void
table_account(WordTable *table, Size bytes)
{
	table->bytes += bytes;
	if (table->bytes > table->limit)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("vocabulary of the corpus does not fit into maintenance_work_mem"),
				 errdetail("%zu different words need more than %d kB.",
						   table->count, maintenance_work_mem),
				 errhint("Increase maintenance_work_mem.")));
}

static WordTable *
table_create(void)
{
	WordTable  *table = palloc0(sizeof(WordTable));

	table->context = CurrentMemoryContext;
	table->limit = (Size) maintenance_work_mem * 1024;
	table->capacity = FIRST_SLOTS / 2;
	table->words = palloc(sizeof(EncodedWord) * table->capacity);
	table->hashes = palloc(sizeof(uint64) * table->capacity);
	table->slots = palloc0(sizeof(WordSlot) * FIRST_SLOTS);
	table->mask = FIRST_SLOTS - 1;
	table_account(table, FIRST_SLOTS * sizeof(WordSlot) +
				  table->capacity * (sizeof(EncodedWord) + sizeof(uint64)));
	return table;
}

static void
table_grow(WordTable *table)
{
	Size		slots = (table->mask + 1) * 2;

	if (table->count >= PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("corpus has too many different words")));
	table_account(table, slots / 2 * sizeof(WordSlot) +
				  table->capacity * (sizeof(EncodedWord) + sizeof(uint64)));

	table->capacity *= 2;
	table->words = repalloc_huge(table->words,
								 sizeof(EncodedWord) * table->capacity);
	table->hashes = repalloc_huge(table->hashes,
								  sizeof(uint64) * table->capacity);
	pfree(table->slots);
	table->slots = MemoryContextAllocExtended(table->context,
											  sizeof(WordSlot) * slots,
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->mask = slots - 1;
	for (Size i = 0; i < table->count; i++)
	{
		Size		slot = table->hashes[i] & table->mask;

		while (table->slots[slot].word != 0)
			slot = (slot + 1) & table->mask;
		table->slots[slot].tag = (uint32) (table->hashes[i] >> 32);
		table->slots[slot].word = (uint32) i + 1;
	}
}

static const char *
table_keep_text(WordTable *table, const char *text, Size length)
{
	char	   *kept;

	if (length > table->text_left)
	{
		Size		piece = Max(length, ARENA_PIECE);

		table_account(table, piece);
		table->text_at = MemoryContextAlloc(table->context, piece);
		table->text_left = piece;
	}
	kept = table->text_at;
	memcpy(kept, text, length);
	table->text_at += length;
	table->text_left -= length;
	return kept;
}

/* Number of a word, which is entered when it is new. */
static inline uint32
table_number(WordTable *table, const char *text, int length, uint64 hash)
{
	Size		slot = hash & table->mask;
	uint32		tag = (uint32) (hash >> 32);
	EncodedWord *word;

	for (; table->slots[slot].word != 0; slot = (slot + 1) & table->mask)
	{
		if (table->slots[slot].tag != tag)
			continue;
		word = &table->words[table->slots[slot].word - 1];
		if (word->length == length && memcmp(word->text, text, length) == 0)
			return table->slots[slot].word - 1;
	}

	if (table->count == table->capacity)
	{
		table_grow(table);
		slot = hash & table->mask;
		while (table->slots[slot].word != 0)
			slot = (slot + 1) & table->mask;
	}
	table->slots[slot].tag = tag;
	table->slots[slot].word = (uint32) table->count + 1;
	table->hashes[table->count] = hash;
	word = &table->words[table->count];
	word->text = table_keep_text(table, text, length);
	word->length = length;
	word->known = -1;
	word->count = 0;
	word->documents = 0;
	word->last_document = 0;
	return (uint32) table->count++;
}

/* ---------- the file ---------- */

typedef struct IdWriter
{
	BufFile    *file;
	int			count;
	int64		written;
	int32		ids[8192];
} IdWriter;

static void
writer_flush(IdWriter *writer)
{
	BufFileWrite(writer->file, writer->ids, sizeof(int32) * writer->count);
	writer->written += writer->count;
	writer->count = 0;
}

static inline void
writer_put(IdWriter *writer, int32 id)
{
	if (writer->count == lengthof(writer->ids))
		writer_flush(writer);
	writer->ids[writer->count++] = id;
}

static inline void
table_count(EncodedWord *word, int64 document)
{
	word->count++;
	word->documents += word->last_document != document;
	word->last_document = document;
}

/* First pass: numbers by first appearance. */
static int64
write_first(const EncodeOptions *options, WordTable *table, BufFile *file,
			EncodedCorpus *encoded)
{
	IdWriter   *writer = palloc(sizeof(IdWriter));
	Corpus	   *corpus = corpus_open(options->query, options->config);
	ConfigCache *streams = token_streams_create();
	Token		batch[TOKEN_BATCH];
	CorpusDocument document;
	int			count;

	writer->file = file;
	writer->count = 0;
	writer->written = 0;
	while (corpus_next(corpus, &document))
	{
		int64		before = encoded->all_tokens;
		int64		document_number = corpus_documents(corpus);
		TokenStream *stream = config_cache_get(streams, document.config);

		token_stream_begin(stream, document.text, document.length);
		while ((count = token_stream_next(stream, batch, TOKEN_BATCH)) > 0)
		{
			encoded->all_tokens += count;
			for (int i = 0; i < count; i++)
			{
				uint32		word = table_number(table, batch[i].text,
												batch[i].length, batch[i].hash);

				table_count(&table->words[word], document_number);
				writer_put(writer, (int32) word);
			}
		}
		if (encoded->all_tokens > before)
			writer_put(writer, ENCODED_END);
		CHECK_FOR_INTERRUPTS();
		progress_update(options->progress, (double) encoded->all_tokens, NAN);
	}
	encoded->documents = corpus_documents(corpus);
	corpus_close(corpus);
	config_cache_free(streams);
	writer_flush(writer);
	return writer->written;
}

static int
compare_words(const void *a, const void *b)
{
	const EncodedWord *x = *(const EncodedWord *const *) a;
	const EncodedWord *y = *(const EncodedWord *const *) b;
	int			order;

	/* millions of words take seconds to sort */
	CHECK_FOR_INTERRUPTS();
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	order = memcmp(x->text, y->text, Min(x->length, y->length));
	return order != 0 ? order : x->length - y->length;
}

/*
 * Choose and order the vocabulary; returns the id of each word by number, -1
 * for those left out.
 */
static int32 *
choose_words(const EncodeOptions *options, WordTable *table,
			 EncodedCorpus *encoded)
{
	int32	   *ids = palloc_extended(sizeof(int32) * Max(table->count, 1),
									  MCXT_ALLOC_HUGE);
	EncodedWord **order = palloc_extended(sizeof(EncodedWord *) * Max(table->count, 1),
										  MCXT_ALLOC_HUGE);
	Size		chosen = 0;

	for (Size i = 0; i < table->count; i++)
	{
		ids[i] = -1;
		if (table->words[i].known >= 0 ||
			table->words[i].count >= options->min_count)
			order[chosen++] = &table->words[i];
	}
	qsort(order, chosen, sizeof(EncodedWord *), compare_words);
	CHECK_FOR_INTERRUPTS();

	encoded->words = (int32) chosen;
	encoded->vocabulary = palloc_extended(sizeof(EncodedWord) * Max(chosen, 1),
										  MCXT_ALLOC_HUGE);
	for (Size i = 0; i < chosen; i++)
	{
		encoded->vocabulary[i] = *order[i];
		encoded->tokens += order[i]->count;
		ids[order[i] - table->words] = (int32) i;
	}
	pfree(order);
	return ids;
}

/* Second pass: final ids, without the words left out. */
static int64
write_final(BufFile *from, int64 count, const int32 *ids, BufFile *to)
{
	IdWriter   *writer = palloc(sizeof(IdWriter));
	int32	   *block = palloc(sizeof(int32) * ENCODED_SLICE);
	int32		last = ENCODED_END;

	writer->file = to;
	writer->count = 0;
	writer->written = 0;
	if (BufFileSeek(from, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
	while (count > 0)
	{
		int			some = (int) Min(count, ENCODED_SLICE);

		BufFileReadExact(from, block, sizeof(int32) * some);
		for (int i = 0; i < some; i++)
		{
			int32		id = block[i] == ENCODED_END ? ENCODED_END : ids[block[i]];

			/* a document whose words are all rare leaves no mark */
			if ((block[i] == ENCODED_END && last == ENCODED_END) ||
				(block[i] != ENCODED_END && id < 0))
				continue;
			writer_put(writer, id);
			last = id;
		}
		count -= some;
		CHECK_FOR_INTERRUPTS();
	}
	writer_flush(writer);
	pfree(block);
	return writer->written;
}

EncodedCorpus *
corpus_encode(const EncodeOptions *options)
{
	EncodedCorpus *encoded = palloc0(sizeof(EncodedCorpus));
	WordTable  *table = table_create();
	BufFile    *first;
	BufFile    *final;
	int64		count;
	int32	   *ids;

	for (int32 i = 0; i < options->known_words; i++)
	{
		const EncodedWord *known = &options->known[i];
		uint32		word = table_number(table, known->text, known->length,
										hash_bytes64(known->text, known->length));

		table->words[word].known = i;
	}

	progress_phase(options->progress, "reading corpus", 0);
	first = BufFileCreateFileSet(FILE_SET(options->files), FIRST_FILE_NAME);
	count = write_first(options, table, first, encoded);

	ids = choose_words(options, table, encoded);
	final = BufFileCreateFileSet(FILE_SET(options->files), FILE_NAME);
	encoded->ids = write_final(first, count, ids, final);
	BufFileExportFileSet(final);
	BufFileClose(final);
	BufFileClose(first);
	BufFileDeleteFileSet(FILE_SET(options->files), FIRST_FILE_NAME, false);

	pfree(ids);
	pfree(table->slots);
	pfree(table->hashes);
	pfree(table->words);
	return encoded;
}

/* ---------- reading ---------- */

EncodedReader *
encoded_reader_open(SharedFileSet *files, int64 ids)
{
	EncodedReader *reader = palloc(sizeof(EncodedReader));

	reader->file = BufFileOpenFileSet(FILE_SET(files), FILE_NAME, O_RDONLY, false);
	reader->ids = ids;
	return reader;
}

/* ids: room for ENCODED_SLICE; returns how many there are */
int
encoded_reader_read(EncodedReader *reader, int64 slice, int32 *ids)
{
	int64		first = slice * ENCODED_SLICE;
	int			count = (int) Min(reader->ids - first, ENCODED_SLICE);

	if (BufFileSeekBlock(reader->file,
						 slice * (ENCODED_SLICE * sizeof(int32) / BLCKSZ)) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
	BufFileReadExact(reader->file, ids, sizeof(int32) * count);
	return count;
}

void
encoded_reader_close(EncodedReader *reader)
{
	BufFileClose(reader->file);
	pfree(reader);
}
