/*-------------------------------------------------------------------------
 *
 * unigram.c
 *	  The Unigram model: the segmentation of the greatest probability.
 *
 * Kudo, Subword Regularization (2018), section 3.2, by Viterbi's algorithm:
 * for each place in the text the best score of what ends there.  The order of
 * additions and comparisons is that of the `tokenizers` package, so that ties
 * fall the same way.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

#define UNREACHED	UINT32_MAX

typedef struct Best
{
	double		score;
	uint32_t	begin;			/* UNREACHED: no piece ends here */
	uint32_t	id;
} Best;

static inline void
offer(Best *best, double score, uint32_t begin, uint32_t id)
{
	if (best->begin == UNREACHED || score > best->score)
	{
		best->score = score;
		best->begin = begin;
		best->id = id;
	}
}

/* The best ends of all prefixes; false without a token for the unknown. */
static bool
unigram_search(Run *run, const unsigned char *text, uint32_t length,
			   Best *best)
{
	const Tokenizer *tokenizer = run->tokenizer;
	const ImageNode *nodes = image_section(tokenizer, SECTION_TRIE);
	const double *scores = image_section(tokenizer, SECTION_SCORES);
	uint32_t	node_count = image_count(tokenizer, SECTION_TRIE,
										 sizeof(ImageNode));
	uint32_t	score_count = image_count(tokenizer, SECTION_SCORES,
										  sizeof(double));
	uint32_t	step;

	for (uint32_t i = 0; i <= length; i++)
	{
		best[i].score = 0;
		best[i].begin = UNREACHED;
		best[i].id = 0;
	}
	for (uint32_t at = 0; at < length; at += step)
	{
		double		here = best[at].score;
		uint32_t	node = 0;
		bool		single = false;
		uint32_t	i;

		step = utf8_step(text + at);
		for (i = at; i < length; i++)
		{
			uint32_t	child = nodes[node].base + text[i];
			uint32_t	id;

			if (child >= node_count || nodes[child].check != node ||
				child == 0)
				break;
			node = child;
			if (nodes[node].value == 0)
				continue;
			id = nodes[node].value - 1;
			if (id >= score_count)
				return run_fail(run, TOKENIZER_DAMAGED);
			offer(&best[i + 1], scores[id] + here, at, id);
			if (i + 1 - at == step)
				single = true;
		}
		if (!single)
		{
			if (tokenizer->header->unknown == NO_ID)
				return run_fail(run, TOKENIZER_NO_UNKNOWN);
			offer(&best[at + step], tokenizer->header->unknown_score + here,
				  at, tokenizer->header->unknown);
		}
		run_work(run, i - at);
	}
	return true;
}

/* A run of unknown pieces: a piece after all, its bytes, or unknown. */
static bool
emit_unknown(Run *run, const unsigned char *text, uint32_t length)
{
	const ImageHeader *header = run->tokenizer->header;
	const uint32_t *tokens = image_section(run->tokenizer,
										   SECTION_BYTE_TOKENS);
	uint32_t	id = image_find(run->tokenizer, text, length);
	uint32_t	at = run->emit_at;
	bool		fall_back = (header->model_flags & BPE_BYTE_FALLBACK) != 0;

	if (id != NO_ID)
		return run_emit(run, id, length);
	for (uint32_t i = 0; i < length && fall_back; i++)
		fall_back = tokens[text[i]] != NO_ID;
	if (!fall_back)
		return run_emit(run, header->unknown, length);
	for (uint32_t i = 0; i < length; i++)
	{
		/* each byte has the span of the whole */
		run->emit_at = at;
		if (!run_emit(run, tokens[text[i]], length))
			return false;
	}
	return true;
}

bool
unigram_piece(Run *run, const unsigned char *text, uint32_t length)
{
	uint32_t	unknown = run->tokenizer->header->unknown;
	uint32_t	count = 0;
	uint32_t	begin;
	uint32_t	pending = 0;	/* bytes of unknown pieces not put yet */
	Best	   *best;
	uint32_t   *ends;

	if (!run_buffer(run, BUFFER_WORK, ((size_t) length + 1) * sizeof(Best)) ||
		!run_buffer(run, BUFFER_HEAP,
					((size_t) length + 1) * sizeof(uint32_t)))
		return false;
	best = run->scratch->buffers[BUFFER_WORK].data;
	ends = run->scratch->buffers[BUFFER_HEAP].data;
	if (!unigram_search(run, text, length, best))
		return false;
	for (uint32_t at = length; at > 0; at = best[at].begin)
	{
		if (best[at].begin >= at)
			return run_fail(run, TOKENIZER_DAMAGED);
		ends[count++] = at;
	}
	begin = 0;
	while (count > 0)
	{
		uint32_t	end = ends[--count];

		if (unknown != NO_ID && best[end].id == unknown)
			pending += end - begin;
		else
		{
			if (pending > 0 &&
				!emit_unknown(run, text + begin - pending, pending))
				return false;
			pending = 0;
			if (!run_emit(run, best[end].id, end - begin))
				return false;
		}
		begin = end;
	}
	return pending == 0 || emit_unknown(run, text + begin - pending, pending);
}
