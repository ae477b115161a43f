/*-------------------------------------------------------------------------
 *
 * distill_weights.c
 *	  How much a token counts in a text: less, the more often it is met.
 *
 * a / (a + p), where p is the share of a token in all texts (Arora, Liang and
 * Ma, "A simple but tough-to-beat baseline for sentence embeddings", ICLR
 * 2017).  Without texts to count in, p is that of Zipf's law, as model2vec
 * has it: the i-th token of the vocabulary, from 0 on, has a share in
 * proportion to 1 / (i + 2), for vocabularies begin with what is frequent.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/distill/distill.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "server/query.h"
#include "train/corpus.h"
#include "utils/memutils.h"

static double *
weights_of_shares(int64 count, double *shares, double total, double sif)
{
	for (int64 i = 0; i < count; i++)
		shares[i] = sif > 0 ? sif / (sif + shares[i] / total) : 1;
	return shares;
}

static double *
allocate_shares(int64 count)
{
	return palloc_extended(sizeof(double) * count,
						   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

double *
distill_zipf_weights(int64 count, double sif)
{
	double	   *shares = allocate_shares(count);
	double		total = 0;

	for (int64 i = 0; i < count; i++)
	{
		shares[i] = 1.0 / (double) (i + 2);
		total += shares[i];
	}
	return weights_of_shares(count, shares, total, sif);
}

/* ---------- counted ---------- */

static void
count_text(const Tokenizer *tokenizer, TokenizerScratch *scratch,
		   const char *text, int length, double *counts)
{
	TokenizerEncoding encoding = {.limit = TOKENIZER_LIMIT_NONE};
	TokenizerTokens tokens;
	TokenizerStatus status;
	char	   *utf8 = pg_server_to_any(text, length, PG_UTF8);

	status = tokenizer_encode(tokenizer, utf8,
							  utf8 == text ? length : strlen(utf8), &encoding,
							  scratch, &tokens);
	if (status != TOKENIZER_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("could not split a text of the corpus into tokens: %s",
						tokenizer_message(status))));
	for (uint32 i = 0; i < tokens.count; i++)
		counts[tokens.tokens[i].id]++;
	if (utf8 != text)
		pfree(utf8);
}

double *
distill_counted_weights(const TokenizerImage *image, const char *corpus,
						int64 count, double sif, Progress *progress)
{
	double	   *counts;
	double		total = 0;
	double		texts = 0;
	Tokenizer	tokenizer;
	TokenizerScratch scratch;
	QueryReader *reader;

	if (!tokenizer_open(&tokenizer, image->bytes, image->size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	counts = allocate_shares(Max(count, (int64) tokenizer_size(&tokenizer)));
	network_scratch_begin(&scratch, CurrentMemoryContext);
	progress_phase(progress, "counting tokens of texts", 0);
	reader = query_open(&corpus_of_texts, corpus);
	while (query_next(reader))
	{
		const QueryValue *value = query_value(reader, 0);

		count_text(&tokenizer, &scratch, value->text, value->length, counts);
		progress_update(progress, ++texts, NAN);
	}
	query_close(reader);
	tokenizer_scratch_end(&scratch);
	for (int64 i = 0; i < count; i++)
		total += counts[i];
	if (total == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the corpus is empty"),
				 errdetail("The query gave no text with a token of the teacher.")));
	return weights_of_shares(count, counts, total, sif);
}
