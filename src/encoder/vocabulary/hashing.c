/*-------------------------------------------------------------------------
 *
 * hashing.c
 *	  hashing_vector: a sparse vector without any vocabulary.
 *
 * The column of a term is the absolute value of its signed MurmurHash3 modulo
 * the number of columns, its sign that of the hash: what scikit-learn's
 * HashingVectorizer does (Weinberger et al., Feature Hashing for Large Scale
 * Multitask Learning, 2009), number for number.  Terms are hashed as UTF-8
 * whatever the encoding of the database is.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/chosen_option.h"
#include "encoder/vocabulary/murmur3.h"
#include "encoder/vocabulary/sparse_result.h"
#include "encoder/vocabulary/terms.h"
#include "encoder/vocabulary/vocabulary.h"
#include "encoder/vocabulary/weighting.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(hashing_vector);

/* what a call site keeps between calls */
typedef struct HashingState
{
	TermOptions options;
	TermStream *stream;			/* NULL: options are not those of a stream */
	MemoryContext context;
	DocumentCounts counts;
	WeightArray weights;
	ChosenOption norm;
} HashingState;

static HashingState *
hashing_state(FunctionCallInfo fcinfo, const TermOptions *options)
{
	HashingState *state = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (state != NULL && state->stream != NULL &&
		memcmp(&state->options, options, sizeof(TermOptions)) == 0)
		return state;

	option_check_argument(vocabulary_options, "min_token_length",
						  options->min_token_length);
	term_options_check(options);
	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
									   sizeof(HashingState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "hashing_vector",
											   ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	state->stream = NULL;
	MemoryContextReset(state->context);
	memset(&state->weights, 0, sizeof(WeightArray));
	state->weights.context = state->context;

	old = MemoryContextSwitchTo(state->context);
	document_counts_init(&state->counts);
	state->options = *options;
	state->stream = term_stream_create(options);
	MemoryContextSwitchTo(old);
	return state;
}

static uint32
hash_term(const Term *term)
{
	char	   *utf8;
	uint32		hash;

	if (GetDatabaseEncoding() == PG_UTF8)
		return murmur3_hash32(term->text, term->length, 0);

	utf8 = pg_server_to_any(term->text, term->length, PG_UTF8);
	if (utf8 == term->text)
		return murmur3_hash32(term->text, term->length, 0);
	hash = murmur3_hash32(utf8, strlen(utf8), 0);
	pfree(utf8);
	return hash;
}

static void
count_hashes(HashingState *state, const text *input, int dims,
			 bool alternate_sign)
{
	const Term *terms;
	int			count;

	document_counts_clear(&state->counts);
	term_stream_begin(state->stream, VARDATA_ANY(input),
					  VARSIZE_ANY_EXHDR(input));
	while ((count = term_stream_next(state->stream, &terms)) > 0)
		for (int i = 0; i < count; i++)
		{
			uint32		hash = hash_term(&terms[i]);
			bool		negative = (hash >> 31) != 0;

			/* unsigned, because the lowest number has no absolute value */
			document_counts_add(&state->counts,
								(int32) ((negative ? -hash : hash) %
										 (uint32) dims),
								negative && alternate_sign ? -1 : 1);
		}
}

Datum
hashing_vector(PG_FUNCTION_ARGS)
{
	text	   *input = PG_GETARG_TEXT_PP(0);
	int			dims = PG_GETARG_INT32(1);
	TermOptions options = {
		.config = PG_GETARG_OID(2),
		.min_token_length = PG_GETARG_INT32(3),
		.min_ngram = PG_GETARG_INT32(4),
		.max_ngram = PG_GETARG_INT32(5)
	};
	bool		alternate_sign = PG_GETARG_BOOL(7);
	bool		presence = PG_GETARG_BOOL(8);
	HashingState *state;
	KeyCount   *counts;
	double	   *weights;
	int			count;
	NormKind	norm;

	if (dims < 1 || dims > SPARSEVEC_MAX_DIMS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dims must be between 1 and %d", SPARSEVEC_MAX_DIMS),
				 errdetail("It is the number of dimensions of the vector, here %d.", dims),
				 errhint("Powers of two from 65536 to 1048576 suit most texts.")));
	state = hashing_state(fcinfo, &options);
	norm = chosen_option(&state->norm, "norm", PG_GETARG_TEXT_PP(6), norm_names);

	count_hashes(state, input, dims, alternate_sign);
	count = state->counts.count;
	counts = document_counts_sort(&state->counts);
	weights_reserve(&state->weights, count);
	weights = state->weights.values;

	/* a column whose terms cancel out is present nevertheless */
	for (int i = 0; i < count; i++)
		weights[i] = presence ? 1.0 : counts[i].count;
	PG_RETURN_POINTER(sparse_result(dims, count, counts, weights,
									norm_divisor(norm, weights, count)));
}
