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

#include "miscadmin.h"
#include "train/corpus.h"
#include "train/encode_corpus.h"
#include "text/config_cache.h"
#include "text/token.h"
#include "train/progress.h"
#include "train/word_numbers.h"
#include "utils/memutils.h"

#define FILE_NAME			"ids"
#define FIRST_FILE_NAME		"first"
#define PREFETCH_DISTANCE	12

struct EncodedReader
{
	BufFile    *file;
	int64		ids;
};

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
count_word(EncodedWord *word, int64 document)
{
	word->count++;
	word->documents += word->last_document != document;
	word->last_document = document;
}

/* First pass: numbers by first appearance. */
static int64
write_first(const EncodeOptions *options, WordNumbers *numbers, BufFile *file,
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
					text_table_prefetch(numbers,
										batch[i + PREFETCH_DISTANCE].hash);
				word = word_number(numbers, batch[i].text, batch[i].length,
								   batch[i].hash);
				count_word(word_of_number(numbers, word), document_number);
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
			int32		id = block[i] == ENCODED_END ? ENCODED_END
													 : ids[block[i]];

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

static void
check_tokens(const EncodeOptions *options, const EncodedCorpus *encoded)
{
	if (encoded->tokens > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("corpus has no word to train on"),
			 options->only_known ?
			 errdetail("It holds " INT64_FORMAT " words in " INT64_FORMAT
					   " texts, but none of the model's.",
					   encoded->all_tokens, encoded->documents) :
			 errdetail("It holds " INT64_FORMAT " words in " INT64_FORMAT
					   " texts, but none occurs " INT64_FORMAT " times.",
					   encoded->all_tokens, encoded->documents,
					   options->min_count),
			 options->only_known ? 0 :
			 errhint("Lower min_count or use a larger corpus.")));
}

EncodedCorpus *
corpus_encode(const EncodeOptions *options)
{
	EncodedCorpus *encoded = palloc0(sizeof(EncodedCorpus));
	WordNumbers numbers;
	BufFile    *first;
	BufFile    *final;
	int64		count;
	int32	   *ids;

	word_numbers_init(&numbers, options->known, options->known_words);
	progress_phase(options->progress, "reading corpus", 0);
	first = BufFileCreateFileSet(FILE_SET(options->files), FIRST_FILE_NAME);
	count = write_first(options, &numbers, first, encoded);

	ids = word_numbers_choose(&numbers, options->only_known ? PG_INT64_MAX :
							  options->min_count, encoded);
	check_tokens(options, encoded);
	final = BufFileCreateFileSet(FILE_SET(options->files), FILE_NAME);
	encoded->ids = write_final(first, count, ids, final);
	BufFileExportFileSet(final);
	BufFileClose(final);
	BufFileClose(first);
	BufFileDeleteFileSet(FILE_SET(options->files), FIRST_FILE_NAME, false);

	pfree(ids);
	word_numbers_free(&numbers);
	return encoded;
}

/* ---------- reading ---------- */

EncodedReader *
encoded_reader_open(SharedFileSet *files, int64 ids)
{
	EncodedReader *reader = palloc(sizeof(EncodedReader));

	reader->file = BufFileOpenFileSet(FILE_SET(files), FILE_NAME, O_RDONLY,
									  false);
	reader->ids = ids;
	return reader;
}

/* ids: room for ENCODED_SLICE; returns how many there are */
int
encoded_reader_read(EncodedReader *reader, int64 slice, int32 *ids)
{
	int64		first = slice * ENCODED_SLICE;
	int			count = (int) Min(reader->ids - first, ENCODED_SLICE);

	if (BufFileSeekBlock(reader->file, slice * (ENCODED_SLICE * sizeof(int32) /
												BLCKSZ)) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
	BufFileReadExact(reader->file, ids, sizeof(int32) * count);
	return count;
}

void
encoded_reader_part(EncodedReader *reader, int64 first, int count, int32 *ids)
{
	const int64 per_block = BLCKSZ / sizeof(int32);
	int64		block = first / per_block;

	/* a file of several segments is sought by whole blocks */
	if (BufFileSeekBlock(reader->file, block) != 0 ||
		BufFileSeek(reader->file, 0,
					(first - block * per_block) * sizeof(int32),
					SEEK_CUR) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
	BufFileReadExact(reader->file, ids, sizeof(int32) * count);
}

void
encoded_reader_close(EncodedReader *reader)
{
	BufFileClose(reader->file);
	pfree(reader);
}
