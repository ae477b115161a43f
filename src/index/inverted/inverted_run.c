/*-------------------------------------------------------------------------
 *
 * inverted_run.c
 *	  Sorted postings put aside in a temporary file, when memory is short.
 *
 * A file has a header, the documents, and then for each term in order: a
 * header of its own, the numbers of the documents, and the weights.  One with
 * count 0 ends it.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"

#include "index/inverted/inverted_run.h"

typedef struct RunHeader
{
	uint64		postings;
	uint64		documents;
} RunHeader;

typedef struct RunTerm
{
	int32		term;
	uint32		count;
} RunTerm;

/* Write sorted postings to a file. */
void
run_write(Gathering *gathering, BufFile *file)
{
	const Posting *posting = gathering->posting;
	RunHeader	header = {gathering->postings, gathering->documents};
	Size		at = 0;
	RunTerm		term = {0};

	BufFileWrite(file, &header, sizeof(header));
	BufFileWrite(file, gathering->document,
				 sizeof(InvertedDocument) * (Size) gathering->documents);
	while (at < gathering->postings)
	{
		uint32		document[POSTING_BLOCK];
		float		weight[POSTING_BLOCK];

		/* a batch of up to 128; the reader joins those of one term */
		CHECK_FOR_INTERRUPTS();
		term.term = posting[at].term;
		for (term.count = 0;
			 term.count < POSTING_BLOCK && at < gathering->postings &&
			 posting[at].term == term.term;
			 term.count++, at++)
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
}

typedef struct RunSource
{
	PostingSource base;
	BufFile    *file;
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
run_next_batch(PostingSource *base, PostingBatch *batch,
			   const PostingHeader **grid)
{
	RunSource  *source = (RunSource *) base;
	BufFile    *file = source->file;

	*grid = NULL;
	if (source->ahead.count == 0 || source->ahead.term != base->term)
		return false;
	batch->count = (int) source->ahead.count;
	BufFileReadExact(file, batch->document, sizeof(uint32) * batch->count);
	BufFileReadExact(file, batch->high, sizeof(float) * batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		batch->document[i] += source->first_document;
		batch->low[i] = batch->high[i];
	}
	BufFileReadExact(file, &source->ahead, sizeof(RunTerm));
	return true;
}

static void
run_close(PostingSource *base)
{
	RunSource  *source = (RunSource *) base;

	BufFileClose(source->file);
	pfree(source);
}

/*
 * Read a run back: its documents go to the writer, its postings are the
 * source.  first_birth is added to the births; *documents and *postings are
 * their numbers so far, to which those of the run are added.
 */
PostingSource *
run_source(BufFile *file, SegmentWriter *writer, uint32 first_birth,
		   uint32 *documents, uint64 *postings)
{
	RunSource  *source = palloc0(sizeof(RunSource));
	RunHeader	header;

	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
	source->base.next_term = run_next_term;
	source->base.next_batch = run_next_batch;
	source->base.close = run_close;
	source->file = file;
	source->first_document = *documents;
	BufFileReadExact(file, &header, sizeof(header));
	for (uint64 i = 0; i < header.documents; i++)
	{
		InvertedDocument document;

		BufFileReadExact(file, &document, sizeof(document));
		document.birth += first_birth;
		writer_add_document(writer, &document);
	}
	*documents += (uint32) header.documents;
	*postings += header.postings;
	BufFileReadExact(file, &source->ahead, sizeof(RunTerm));
	return &source->base;
}
