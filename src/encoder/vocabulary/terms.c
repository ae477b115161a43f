/*-------------------------------------------------------------------------
 *
 * terms.c
 *	  From text to terms: tokens and their n-grams.
 *
 * Tokens come in batches.  Without n-grams a batch of terms is the batch of
 * tokens, hashed by the tokenizer already.  With n-grams the tokens of a
 * batch are laid end to end into a window, a space between them, behind the
 * last max_ngram - 1 tokens of the batch before: every n-gram is then a slice
 * of the window, and only its hash remains to be computed.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/terms.h"
#include "mb/pg_wchar.h"
#include "text/token.h"
#include "utils/memutils.h"

struct TermStream
{
	TokenStream *tokens;
	int			min_token_length;
	int			min_ngram;
	int			max_ngram;

	const char *input;			/* of this text */
	const char *input_end;

	Token		batch[TOKEN_BATCH];
	Term	   *terms;			/* room for every n-gram of a batch */

	/* n-grams only: tokens joined by spaces, and where each one starts */
	char	   *window;
	Size		window_size;
	Size	   *start;			/* carried tokens first */
	int		   *length;
	int			carried;		/* tokens kept from the batch before */
};

void
term_options_check(const TermOptions *options)
{
	if (options->min_ngram < 1 || options->max_ngram > MAX_NGRAM ||
		options->min_ngram > options->max_ngram)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid range of n-grams: %d to %d",
						options->min_ngram, options->max_ngram),
				 errhint("Use 1 <= min_ngram <= max_ngram <= %d.", MAX_NGRAM)));
}

TermStream *
term_stream_create(const TermOptions *options)
{
	TermStream *stream = palloc0(sizeof(TermStream));
	int			sizes = options->max_ngram - options->min_ngram + 1;

	stream->tokens = token_stream_create(options->config);
	stream->min_token_length = options->min_token_length;
	stream->min_ngram = options->min_ngram;
	stream->max_ngram = options->max_ngram;
	stream->terms = palloc(sizeof(Term) * TOKEN_BATCH * sizes);
	if (stream->max_ngram > 1)
	{
		int			tokens = TOKEN_BATCH + stream->max_ngram;

		stream->start = palloc(sizeof(Size) * tokens);
		stream->length = palloc(sizeof(int) * tokens);
		stream->window_size = 8192;
		stream->window = palloc(stream->window_size);
	}
	return stream;
}

void
term_stream_begin(TermStream *stream, const char *input, int length)
{
	token_stream_begin(stream->tokens, input, length);
	stream->input = input;
	stream->input_end = input + length;
	stream->carried = 0;
}

/*
 * Does a token have at least min_length characters?
 */
static inline bool
token_is_long_enough(const Token *token, int min_length)
{
	if (token->length < min_length)
		return false;
	if (min_length == 1 || pg_database_encoding_max_length() == 1)
		return true;
	/* no character has more bytes than that */
	if (token->length > MAX_MULTIBYTE_CHAR_LEN * (min_length - 1))
		return true;
	return pg_mbstrlen_with_len(token->text, token->length) >= min_length;
}

/*
 * The next tokens that are long enough; 0 only at the end of the text.
 */
static int
next_tokens(TermStream *stream)
{
	int			count;
	int			kept;

	do
	{
		count = token_stream_next(stream->tokens, stream->batch, TOKEN_BATCH);
		kept = count;
		if (stream->min_token_length > 1)
		{
			kept = 0;
			for (int i = 0; i < count; i++)
				if (token_is_long_enough(&stream->batch[i],
										 stream->min_token_length))
					stream->batch[kept++] = stream->batch[i];
		}
	} while (count > 0 && kept == 0);

	return kept;
}

/*
 * Make room for the carried tokens and those of the batch.
 */
static void
reserve_window(TermStream *stream, Size used, int count)
{
	Size		needed = used;

	for (int i = 0; i < count; i++)
		needed += (Size) stream->batch[i].length + 1;
	if (needed <= stream->window_size)
		return;

	stream->window = repalloc_huge(stream->window, needed * 2);
	stream->window_size = needed * 2;
}

/*
 * Move the tokens that later n-grams still begin with to the front of the
 * window, append the batch, and return the number of tokens there.
 */
static int
fill_window(TermStream *stream, int count)
{
	Size		used = 0;
	int			tokens = stream->carried;

	if (tokens > 0)
	{
		Size		from = stream->start[0];

		used = stream->start[tokens - 1] + stream->length[tokens - 1] + 1 -
			   from;
		memmove(stream->window, stream->window + from, used);
		for (int i = 0; i < tokens; i++)
			stream->start[i] -= from;
	}
	reserve_window(stream, used, count);
	for (int i = 0; i < count; i++, tokens++)
	{
		const Token *token = &stream->batch[i];

		memcpy(stream->window + used, token->text, token->length);
		stream->start[tokens] = used;
		stream->length[tokens] = token->length;
		used += token->length;
		stream->window[used++] = ' ';
	}
	return tokens;
}

/*
 * Every n-gram that ends with a token of this batch.
 */
static int
make_ngrams(TermStream *stream, int count)
{
	int			carried = stream->carried;
	int			tokens = fill_window(stream, count);
	int			made = 0;
	int			keep;

	for (int last = carried; last < tokens; last++)
	{
		Size		end = stream->start[last] + stream->length[last];

		for (int n = stream->min_ngram;
			 n <= stream->max_ngram && n <= last + 1; n++)
		{
			Term	   *term = &stream->terms[made++];
			Size		start = stream->start[last + 1 - n];

			if (end - start > MaxAllocSize)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("n-gram is too long"),
						 errdetail("%d neighbouring tokens take more than %zu bytes.",
								   n, (Size) MaxAllocSize)));
			term->text = stream->window + start;
			term->length = (int) (end - start);
			term->hash = n == 1 ? stream->batch[last - carried].hash :
				hash_bytes64(term->text, term->length);
			term->key = text_key(term->text, term->length, term->hash);
		}
	}

	/* positions stay those of the window until the next batch moves them */
	keep = Min(stream->max_ngram - 1, tokens);
	memmove(stream->start, stream->start + tokens - keep, sizeof(Size) * keep);
	memmove(stream->length, stream->length + tokens - keep,
			sizeof(int) * keep);
	stream->carried = keep;
	return made;
}

/*
 * The key of a token.  Most tokens lie in the input as they are, and a few
 * bytes of it follow: then eight bytes are read at once, whatever the length.
 */
static inline uint64
token_key(const TermStream *stream, const Token *token)
{
	if (token->text >= stream->input &&
		stream->input_end - token->text >= TEXT_KEY_BYTES && token->length > 0)
	{
		uint64		word = hash_load64((const unsigned char *) token->text);

		return token->length > TEXT_KEY_BYTES ? token->hash :
			word & (~UINT64_C(0) >> (8 * (TEXT_KEY_BYTES - token->length)));
	}
	return text_key(token->text, token->length, token->hash);
}

int
term_stream_next(TermStream *stream, const Term **terms)
{
	int			count;
	int			made = 0;

	*terms = stream->terms;

	/* a text shorter than min_ngram has tokens and no term */
	while (made == 0 && (count = next_tokens(stream)) > 0)
	{
		if (stream->max_ngram > 1)
			made = make_ngrams(stream, count);
		else
		{
			for (int i = 0; i < count; i++)
			{
				Term	   *term = &stream->terms[i];

				term->text = stream->batch[i].text;
				term->length = stream->batch[i].length;
				term->hash = stream->batch[i].hash;
				term->key = token_key(stream, &stream->batch[i]);
			}
			made = count;
		}
	}
	return made;
}
