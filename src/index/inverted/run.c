/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Sorted postings put aside in a temporary file while an index is built.
 *
 * A file has the number of documents, the documents, and then for each term in
 * order: a header, the numbers of the documents, and the weights.  A header
 * with count 0 ends it.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "miscadmin.h"

#include "index/inverted/run.h"

typedef struct RunTerm
{
	int32		term;
	uint32		count;
} RunTerm;

static void
read_file(BufFile *file, void *to, Size length)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, to, length);
#else
	if (BufFileRead(file, to, length) != length)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
#endif
}

/*
 * run_write
 *	  Write sorted postings to a file, and rewind it.
 */
Run *
run_write(Gathering *gathering, BufFile *file)
{
	Run		   *run = palloc0(sizeof(Run));
	const Posting *posting = gathering->posting;
	Size		at = 0;
	RunTerm		term = {0};

	run->file = file;
	run->documents = gathering->documents;
	BufFileWrite(file, &gathering->documents, sizeof(uint32));
	BufFileWrite(file, gathering->document,
				 sizeof(InvertedDocument) * (Size) gathering->documents);
	while (at < gathering->postings)
	{
		uint32		document[POSTING_BLOCK];
		float		weight[POSTING_BLOCK];

		/* a batch of up to 128; the reader joins those of one term */
		CHECK_FOR_INTERRUPTS();
		term.term = posting[at].term;
		for (term.count = 0; term.count < POSTING_BLOCK && at < gathering->postings &&
			 posting[at].term == term.term; term.count++, at++)
		{
			document[term.count] = posting[at].document;
			weight[term.count] = posting[at].weight;
		}
		BufFileWrite(file, &term, sizeof(term));
		BufFileWrite(file, document, sizeof(uint32) * term.count);
		BufFileWrite(file, weight, sizeof(float) * term.count);
	}
	memset(&term, 0, sizeof(term));
	BufFileWrite(file, &term, sizeof(term));
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
	return run;
}

typedef struct RunSource
{
	PostingSource base;
	Run		   *run;
	uint32		first_document;
	RunTerm		ahead;			/* the batch that follows in the file */
} RunSource;

static bool
run_next_term(PostingSource *base)
{
	RunSource  *source = (RunSource *) base;

	/* next_batch has read the whole of the last term */
	base->term = source->ahead.term;
	return source->ahead.count > 0;
}

static bool
run_next_batch(PostingSource *base, PostingBatch *batch, const PostingHeader **grid)
{
	RunSource  *source = (RunSource *) base;
	BufFile    *file = source->run->file;

	*grid = NULL;
	if (source->ahead.count == 0 || source->ahead.term != base->term)
		return false;
	batch->count = (int) source->ahead.count;
	read_file(file, batch->document, sizeof(uint32) * batch->count);
	read_file(file, batch->high, sizeof(float) * batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		batch->document[i] += source->first_document;
		batch->low[i] = batch->high[i];
	}
	read_file(file, &source->ahead, sizeof(RunTerm));
	return true;
}

static void
run_close(PostingSource *base)
{
	RunSource  *source = (RunSource *) base;

	BufFileClose(source->run->file);
	pfree(source);
}

/*
 * run_source
 *	  Hand the run's documents to the writer, and read the postings as a source.
 */
PostingSource *
run_source(Run *run, SegmentWriter *writer, uint32 first_document)
{
	RunSource  *source = palloc0(sizeof(RunSource));
	uint32		documents;

	source->base.next_term = run_next_term;
	source->base.next_batch = run_next_batch;
	source->base.close = run_close;
	source->run = run;
	source->first_document = first_document;
	read_file(run->file, &documents, sizeof(documents));
	Assert(documents == run->documents);
	for (uint32 i = 0; i < documents; i++)
	{
		InvertedDocument document;

		read_file(run->file, &document, sizeof(document));
		document.birth += run->first_birth;
		writer_add_document(writer, &document);
	}
	read_file(run->file, &source->ahead, sizeof(RunTerm));
	return &source->base;
}
