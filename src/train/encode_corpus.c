/*-------------------------------------------------------------------------
 *
 * encode_corpus.c
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
#include "train/encode_corpus.h"
#include "text/config_cache.h"
#include "text/text_table.h"
#include "text/token.h"
#include "train/progress.h"
#include "utils/memutils.h"

#define FILE_NAME			"ids"
#define FIRST_FILE_NAME		"first"
#define FIRST_CAPACITY		4096
#define PREFETCH_DISTANCE	12

StaticAssertDecl(offsetof(EncodedWord, hash) == offsetof(TextElement, hash) &&
				 offsetof(EncodedWord, text) == offsetof(TextElement, text) &&
				 offsetof(EncodedWord, length) == offsetof(TextElement, length),
				 "a word must begin like an element of a text table");

struct EncodedReader
{
	BufFile    *file;
	int64		ids;
};

/* ---------- the words seen so far ---------- */

static void
check_memory(const TextTable *table, Size capacity)
{
	if (text_table_bytes(table, capacity) > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("vocabulary of the corpus does not fit into maintenance_work_mem"),
				 errdetail("%zu different words need more than %d kB.",
						   table->count, maintenance_work_mem),
				 errhint("Increase maintenance_work_mem.")));
}

static void
make_room(TextTable *table)
{
	if (table->count >= PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("corpus has too many different words")));
	check_memory(table, table->capacity * 2);
	text_table_grow(table);
}

static inline EncodedWord *
word_of(const TextTable *table, uint32 number)
{
	return (EncodedWord *) table->elements + number;
}

/* Number of a word, which is entered when it is new. */
static inline uint32
word_number(TextTable *table, const char *text, int length, uint64 hash)
{
	Size		before = table->count;
	uint32		number;

	if (unlikely(before == table->capacity))
		make_room(table);
	number = text_table_number(table, sizeof(EncodedWord), text, length, hash,
							   text_key(text, length, hash));
	if (unlikely(number == before))
	{
		check_memory(table, table->capacity);
		word_of(table, number)->known = -1;
	}
	return number;
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
write_first(const EncodeOptions *options, TextTable *table, BufFile *file,
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
				uint32		word;

				if (i + PREFETCH_DISTANCE < count)
					text_table_prefetch(table,
										batch[i + PREFETCH_DISTANCE].hash);
				word = word_number(table, batch[i].text, batch[i].length,
								   batch[i].hash);
				table_count(word_of(table, word), document_number);
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
choose_words(const EncodeOptions *options, TextTable *table,
			 EncodedCorpus *encoded)
{
	int32	   *ids = palloc_extended(sizeof(int32) * Max(table->count, 1),
									  MCXT_ALLOC_HUGE);
	EncodedWord **order = palloc_extended(sizeof(EncodedWord *) * Max(table->count, 1),
										  MCXT_ALLOC_HUGE);
	Size		chosen = 0;

	for (Size i = 0; i < table->count; i++)
	{
		EncodedWord *word = word_of(table, i);

		ids[i] = -1;
		if (word->known >= 0 || word->count >= options->min_count)
			order[chosen++] = word;
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
		ids[order[i] - word_of(table, 0)] = (int32) i;
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
	TextTable	table;
	BufFile    *first;
	BufFile    *final;
	int64		count;
	int32	   *ids;

	text_table_init(&table, sizeof(EncodedWord), FIRST_CAPACITY);
	check_memory(&table, table.capacity);
	for (int32 i = 0; i < options->known_words; i++)
	{
		const EncodedWord *known = &options->known[i];
		uint32		word = word_number(&table, known->text, known->length,
									   hash_bytes64(known->text, known->length));

		word_of(&table, word)->known = i;
	}

	progress_phase(options->progress, "reading corpus", 0);
	first = BufFileCreateFileSet(FILE_SET(options->files), FIRST_FILE_NAME);
	count = write_first(options, &table, first, encoded);

	ids = choose_words(options, &table, encoded);
	final = BufFileCreateFileSet(FILE_SET(options->files), FILE_NAME);
	encoded->ids = write_final(first, count, ids, final);
	BufFileExportFileSet(final);
	BufFileClose(final);
	BufFileClose(first);
	BufFileDeleteFileSet(FILE_SET(options->files), FIRST_FILE_NAME, false);

	pfree(ids);
	pfree(table.slots);
	pfree(table.elements);
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
