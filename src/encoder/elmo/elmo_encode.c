/*-------------------------------------------------------------------------
 *
 * elmo_encode.c
 *	  From texts to rows of words, through the layers, to vectors.
 *
 * Texts are gathered until they have a window of words; then the rows of new
 * words are computed, once for each, and the layers read all texts together.
 * A longer text is read in windows, each of which begins as a text does.
 * Words and their rows stay with the call site: a query over many texts
 * computes the row of "the" once.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_model.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "server/interrupts.h"
#include "utils/memutils.h"

/* What is gathered for the layers. */
typedef struct Gathered
{
	ElmoSite   *site;
	ElmoTake	take;
	void	   *argument;
	bool		marks;			/* see elmo_read */
	float	   *carried;		/* the state that a piece goes on from, or
								 * NULL */
	MemoryContext context;		/* of one pass through the layers */
	int32	   *rows;			/* of up to two windows of words */
	int32	   *positions;
	int32	   *offsets;		/* of each piece, and the end */
	int		   *texts;			/* whose pieces they are */
	int		   *firsts;			/* words of the text before them */
	int			pieces;
	int			words;			/* the piece that is begun with them */
} Gathered;

/* ---------- rows of words ---------- */

int32
elmo_word_number(TextTable *table, const char *text, int length)
{
	uint64		hash = hash_bytes64(text, (size_t) length);

	if (table->count == table->capacity)
		text_table_grow(table);
	if (table->count == table->capacity)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return (int32) text_table_number(table, sizeof(TextElement), text, length,
									 hash, text_key(text, length, hash));
}

void
elmo_add_marks(TextTable *table)
{
	if (table->count > 0)
		return;
	(void) elmo_word_number(table, CHARACTER_TEXT_BEGIN,
							strlen(CHARACTER_TEXT_BEGIN));
	(void) elmo_word_number(table, CHARACTER_TEXT_END,
							strlen(CHARACTER_TEXT_END));
}

CharacterWord
elmo_character_word(const TextTable *table, int64 number)
{
	const TextElement *element =
		(const TextElement *) table->elements + number;
	char	   *utf8 = pg_server_to_any(element->text, element->length,
										PG_UTF8);

	return (CharacterWord) {utf8, utf8 == element->text ?
		(size_t) element->length : strlen(utf8)};
}

static void *
aligned_block(MemoryContext context, Size size)
{
	return (void *) TYPEALIGN(PRODUCT_ALIGNMENT,
							  MemoryContextAllocHuge(context,
													 size +
													 PRODUCT_ALIGNMENT));
}

static void
grow_rows(ElmoSite *site)
{
	Size		row_bytes = sizeof(float) * (site->elmo.dims / 2);

	if (site->row_capacity >= site->words.capacity)
		return;
	site->rows = repalloc_huge(site->rows, site->words.capacity * row_bytes);
	site->row_capacity = site->words.capacity;
}

/* The rows of all words that have none yet. */
static void
compute_rows(Gathered *gathered, ProductInterrupt *interrupt)
{
	ElmoSite   *site = gathered->site;
	Size		half = site->elmo.dims / 2;
	void	   *scratch = NULL;

	grow_rows(site);
	while (site->computed < site->words.count)
	{
		CharacterWord words[CHARACTER_WORDS];
		int			count = (int) Min(site->words.count - site->computed,
									  CHARACTER_WORDS);

		if (scratch == NULL)
			scratch = aligned_block(
				gathered->context,
				character_scratch_bytes(&site->elmo.encoder));
		for (int i = 0; i < count; i++)
			words[i] = elmo_character_word(&site->words, site->computed + i);
		(void) character_encode(&site->elmo.encoder, count, words,
								site->rows + site->computed * half, half,
								scratch, interrupt);
		site->computed += count;
	}
}

/* ---------- through the layers ---------- */

static void
hand_on(Gathered *gathered, const float *layers)
{
	const Elmo *elmo = &gathered->site->elmo;

	for (int i = 0; i < gathered->pieces; i++)
	{
		int			begin = gathered->offsets[i];
		ElmoPiece	piece = {gathered->site, gathered->texts[i],
			gathered->firsts[i], gathered->offsets[i + 1] - begin,
			gathered->rows + begin, gathered->positions + begin,
			layers + ((Size) begin + 2 * i) * elmo->layers * elmo->dims};

		CHECK_FOR_INTERRUPTS();
		gathered->take(gathered->argument, &piece);
	}
}

/* Everything gathered so far. */
static void
pass_through(Gathered *gathered)
{
	ElmoSite   *site = gathered->site;
	const Elmo *elmo = &site->elmo;
	ProductInterrupt interrupt = {interrupts_stop};
	ElmoTexts	texts = {gathered->pieces, gathered->offsets, gathered->rows};
	MemoryContext caller;
	Size		rows;
	float	   *layers;
	void	   *scratch;

	if (gathered->pieces == 0)
		return;
	caller = MemoryContextSwitchTo(gathered->context);
	compute_rows(gathered, &interrupt);
	texts.words = site->rows;
	texts.last_marks = gathered->marks;
	rows = (Size) gathered->words + 2 * gathered->pieces;
	layers = aligned_block(gathered->context,
						   sizeof(float) * rows * elmo->layers * elmo->dims);
	scratch = aligned_block(gathered->context,
							elmo_scratch_bytes(elmo, gathered->words,
											   gathered->pieces));
	if (gathered->carried == NULL)
		(void) elmo_layers(elmo, &texts, layers, site->start, NULL, scratch,
						   &interrupt);
	texts.count = 1;
	for (int i = 0; gathered->carried != NULL && i < gathered->pieces; i++)
	{
		(void) elmo_layers(elmo, &texts, layers, gathered->carried,
						   gathered->carried, scratch, &interrupt);
		texts.offsets++;
	}
	MemoryContextSwitchTo(caller);
	if (gathered->take != NULL)
		hand_on(gathered, layers);
	MemoryContextReset(gathered->context);
	gathered->pieces = 0;
	gathered->words = 0;
}

/* ---------- reading ---------- */

/* What has been read of a text becomes a piece, if there is any. */
static void
end_piece(Gathered *gathered, int text, int first)
{
	ElmoSite   *site = gathered->site;

	if (gathered->words > gathered->offsets[gathered->pieces])
	{
		gathered->texts[gathered->pieces] = text;
		gathered->firsts[gathered->pieces] = first;
		gathered->offsets[++gathered->pieces] = gathered->words;
	}
	if (gathered->words >= site->window ||
		site->words.count + site->window > site->most_words)
		pass_through(gathered);
	if (site->words.count + site->window > site->most_words)
	{
		text_table_clear(&site->words);
		site->computed = 0;
		elmo_add_marks(&site->words);
	}
}

static void
read_text(Gathered *gathered, int number, const EncoderText *text)
{
	ElmoSite   *site = gathered->site;
	Token		batch[TOKEN_BATCH];
	int			count;
	int			first = 0;

	token_stream_begin(site->stream, text->text, text->length);
	while ((count = token_stream_next(site->stream, batch, TOKEN_BATCH)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			const Token *token = &batch[i];
			int			begin = gathered->offsets[gathered->pieces];

			if (gathered->words - begin == site->window)
			{
				end_piece(gathered, number, first);
				first += site->window;
			}
			gathered->rows[gathered->words] =
				elmo_word_number(&site->words, token->text, token->length);
			gathered->positions[gathered->words++] = token->position + 1;
		}
	}
	end_piece(gathered, number, first);
}

static void
read_all(Gathered *gathered, int count, const EncoderText *texts)
{
	Size		most = 2 * (Size) gathered->site->window;

	gathered->context = AllocSetContextCreate(CurrentMemoryContext,
											  "embed elmo layers",
											  ALLOCSET_DEFAULT_SIZES);
	gathered->rows = palloc(sizeof(int32) * most);
	gathered->positions = palloc(sizeof(int32) * most);
	gathered->offsets = palloc0(sizeof(int32) * (most + 1));
	gathered->texts = palloc(sizeof(int) * most);
	gathered->firsts = palloc(sizeof(int) * most);
	elmo_add_marks(&gathered->site->words);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_text(gathered, i, &texts[i]);
	}
	pass_through(gathered);
	MemoryContextDelete(gathered->context);
	pfree(gathered->rows);
	pfree(gathered->positions);
	pfree(gathered->offsets);
	pfree(gathered->texts);
	pfree(gathered->firsts);
}

void
elmo_read(ElmoSite *site, int count, const EncoderText *texts, bool marks,
		  ElmoTake take, void *argument)
{
	Gathered	gathered = {site, take, argument, marks};

	read_all(&gathered, count, texts);
}

void
elmo_read_on(ElmoSite *site, const EncoderText *text, float *state)
{
	Gathered	gathered = {site, NULL, NULL, true, state};

	read_all(&gathered, 1, text);
}

/* ---------- vectors of texts ---------- */

typedef enum Pooling
{
	POOLING_MEAN,
	POOLING_MAX,
	POOLING_FIRST_LAST
} Pooling;

typedef struct Pooled
{
	const ElmoMix *mix;
	Pooling		pooling;
	int			dims;
	float	   *row;			/* of one word */
	double	   *values;			/* of all texts */
	int64	   *words;			/* of each text */
} Pooled;

static void
pool_word(Pooled *pooled, double *values, int64 before, bool is_last)
{
	int			dims = pooled->dims;
	const float *row = pooled->row;

	switch (pooled->pooling)
	{
		case POOLING_MEAN:
			for (int i = 0; i < dims; i++)
				values[i] += row[i];
			break;
		case POOLING_MAX:
			for (int i = 0; i < dims; i++)
				values[i] = before == 0 || row[i] > values[i] ? row[i]
															  : values[i];
			break;
		case POOLING_FIRST_LAST:
			for (int i = dims / 2; before == 0 && i < dims; i++)
				values[i] = row[i];
			for (int i = 0; is_last && i < dims / 2; i++)
				values[i] = row[i];
			break;
	}
}

static void
pool_piece(void *argument, const ElmoPiece *piece)
{
	Pooled	   *pooled = argument;
	double	   *values = pooled->values + (Size) piece->text * pooled->dims;
	ElmoMixed	mixed;

	elmo_mixed_begin(&mixed, pooled->mix, piece);
	for (int w = 0; w < piece->words; w++)
	{
		bool		is_last = w == piece->words - 1;

		if (pooled->pooling == POOLING_FIRST_LAST && !is_last &&
			piece->first + w > 0)
			continue;
		elmo_mixed_row(&mixed, w, pooled->row);
		pool_word(pooled, values, (int64) piece->first + w, is_last);
	}
	pooled->words[piece->text] += piece->words;
}

void
elmo_embed_texts(ElmoSite *site, const ElmoMix *mix, const char *pooling,
				 int count, const EncoderText *texts, float *rows, bool *known)
{
	int			dims = site->elmo.dims;
	Pooled		pooled = {mix};

	pooled.pooling = (Pooling) choice_index("pooling", pooling, elmo_poolings);
	pooled.dims = dims;
	pooled.row = palloc(sizeof(float) * dims);
	pooled.values = palloc_extended(sizeof(double) * dims * Max(count, 1),
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pooled.words = palloc0(sizeof(int64) * Max(count, 1));
	elmo_read(site, count, texts, mix->norm, pool_piece, &pooled);
	for (int t = 0; t < count; t++)
	{
		double		divisor = pooled.pooling == POOLING_MEAN
							? (double) pooled.words[t] : 1;

		known[t] = pooled.words[t] > 0;
		for (int i = 0; known[t] && i < dims; i++)
			rows[(Size) t * dims + i] =
				(float) (pooled.values[(Size) t * dims + i] / divisor);
	}
	pfree(pooled.row);
	pfree(pooled.values);
	pfree(pooled.words);
}

/* ---------- vectors of words ---------- */

typedef struct Given
{
	const ElmoMix *mix;
	EncoderReceiveToken receive;
	void	   *argument;
	float	   *row;
} Given;

static void
give_piece(void *argument, const ElmoPiece *piece)
{
	const Given *given = argument;
	const TextElement *elements =
		(const TextElement *) piece->site->words.elements;
	ElmoMixed	mixed;

	elmo_mixed_begin(&mixed, given->mix, piece);
	for (int w = 0; w < piece->words; w++)
	{
		const TextElement *element = &elements[piece->rows[w]];

		elmo_mixed_row(&mixed, w, given->row);
		given->receive(given->argument, piece->positions[w], element->text,
					   element->length, given->row);
	}
}

void
elmo_embed_words(ElmoSite *site, const ElmoMix *mix, const EncoderText *text,
				 EncoderReceiveToken receive, void *argument)
{
	Given		given = {mix, receive, argument};

	given.row = palloc(sizeof(float) * site->elmo.dims);
	elmo_read(site, 1, text, mix->norm, give_piece, &given);
	pfree(given.row);
}

/* ---------- the face ---------- */

static int
open_elmo(FmgrInfo *flinfo, Model *model, void **state)
{
	return elmo_site(flinfo, model, state)->elmo.dims;
}

static void
encode_elmo(void *state, const EncoderRequest *request, int count,
			const EncoderText *texts, float *rows, bool *known)
{
	ElmoSite   *site = state;
	ElmoMixRequest plain = {NULL};
	ElmoMix		mix;

	elmo_mix(site, &plain, &mix);
	elmo_embed_texts(site, &mix,
					 request->pooling != NULL ? request->pooling
											  : site->pooling,
					 count, texts, rows, known);
}

static void
tokens_elmo(void *state, const EncoderRequest *request,
			const EncoderText *text, EncoderReceiveToken receive,
			void *argument)
{
	ElmoSite   *site = state;
	ElmoMixRequest wanted = {NULL};
	ElmoMix		mix;
	double		one = 1;
	bool		plain = false;

	/* a layer that is asked for is given as it is */
	if (request->layer != ENCODER_OUTPUT)
	{
		wanted.layers = &request->layer;
		wanted.layer_count = 1;
		wanted.gamma = &one;
		wanted.norm = &plain;
	}
	elmo_mix(site, &wanted, &mix);
	elmo_embed_words(site, &mix, text, receive, argument);
}

static const char *const units[] = {"word", NULL};

const Encoder elmo_encoder = {
	.poolings = elmo_poolings,
	.units = units,
	.takes_layers = true,
	.open = open_elmo,
	.encode = encode_elmo,
	.tokens = tokens_elmo
};
