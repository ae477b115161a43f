/*-------------------------------------------------------------------------
 *
 * lexize.c
 *	  Words through the dictionaries of a configuration.
 *
 * The server does this for tsvectors only, with their limits, and keeps the
 * function to itself; this one follows the documented protocol of
 * dictionaries.  A word is offered to the dictionaries of its token type in
 * order.  A dictionary may
 *
 *	- return lexemes (or none: a stop word), and the word is done;
 *	- return NULL: the next dictionary is asked;
 *	- return a lexeme marked TSL_FILTER: the next dictionary is asked about
 *	  that lexeme instead;
 *	- ask for the next word (getnext), as a thesaurus does.  From then on it
 *	  is offered every word whose type it is mapped for, until it stops
 *	  asking.  If it then has a result, or had one on the way, the words up to
 *	  there are done.  Otherwise the first word goes on to the dictionary after
 *	  it, and the words behind it are taken up again one by one.
 *
 * Words wait in a queue for as long as a dictionary may still want them.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "utils/memutils.h"

#include "text/lexize.h"

typedef struct Chain
{
	int			count;
	Oid		   *dictionaries;
} Chain;

struct Lexizer
{
	MemoryContext results;		/* what dictionaries allocate */
	int			types;
	Chain	   *chains;			/* by token type */

	/* queue of words not done yet */
	RawToken   *words;
	int			head;
	int			tail;
	int			capacity;

	int			next_dictionary;	/* for the word at the head */
	bool		took_word;

	/* while a dictionary asks for further words */
	Oid			phrase_dictionary;	/* or InvalidOid */
	int			cursor;			/* next word to offer it */
	TSLexeme   *partial;		/* its result so far, or NULL */
	int			partial_end;	/* words before this one are part of it */
	DictSubState state;
};

typedef enum Step
{
	STEP_AGAIN,
	STEP_RESULT,
	STEP_WAIT
} Step;

Lexizer *
lexizer_create(TSConfigCacheEntry *config)
{
	Lexizer    *lexizer = palloc0(sizeof(Lexizer));

	lexizer->results = AllocSetContextCreate(CurrentMemoryContext,
											 "embed dictionary results",
											 ALLOCSET_DEFAULT_SIZES);
	lexizer->types = config->lenmap;
	lexizer->chains = palloc0(sizeof(Chain) * Max(config->lenmap, 1));
	for (int type = 0; type < config->lenmap; type++)
	{
		Chain	   *chain = &lexizer->chains[type];
		int			count = config->map[type].len;

		if (type == 0 || count == 0)
			continue;
		chain->count = count;
		chain->dictionaries = palloc(sizeof(Oid) * count);
		memcpy(chain->dictionaries, config->map[type].dictIds,
			   sizeof(Oid) * count);
	}
	lexizer->capacity = 16;
	lexizer->words = palloc(sizeof(RawToken) * lexizer->capacity);
	return lexizer;
}

void
lexizer_begin(Lexizer *lexizer)
{
	lexizer->head = lexizer->tail = 0;
	lexizer->next_dictionary = 0;
	lexizer->phrase_dictionary = InvalidOid;
	lexizer->partial = NULL;
}

static inline Chain *
chain_of(Lexizer *lexizer, int type)
{
	static Chain none = {0, NULL};

	return type > 0 && type < lexizer->types ? &lexizer->chains[type] : &none;
}

bool
lexizer_takes(Lexizer *lexizer, int type)
{
	return chain_of(lexizer, type)->count > 0;
}

bool
lexizer_idle(Lexizer *lexizer)
{
	return lexizer->head == lexizer->tail;
}

bool
lexizer_took_word(Lexizer *lexizer)
{
	return lexizer->took_word;
}

void
lexizer_add(Lexizer *lexizer, const RawToken *token)
{
	if (lexizer_idle(lexizer))
	{
		MemoryContextReset(lexizer->results);
		lexizer->head = lexizer->tail = 0;
		lexizer->took_word = true;
	}
	if (lexizer->tail == lexizer->capacity)
	{
		lexizer->words = repalloc_huge(
			lexizer->words, sizeof(RawToken) * lexizer->capacity * 2);
		lexizer->capacity *= 2;
	}
	lexizer->words[lexizer->tail++] = *token;
}

/* Ask one dictionary about one word. */
static TSLexeme *
ask(Lexizer *lexizer, Oid dictionary, const char *text, int length)
{
	TSDictionaryCacheEntry *entry = lookup_ts_dictionary_cache(dictionary);
	MemoryContext caller = MemoryContextSwitchTo(lexizer->results);
	TSLexeme   *result;

	result = (TSLexeme *)
		DatumGetPointer(FunctionCall4(&entry->lexize,
									  PointerGetDatum(entry->dictData),
									  PointerGetDatum(text),
									  Int32GetDatum(length),
									  PointerGetDatum(&lexizer->state)));
	MemoryContextSwitchTo(caller);
	return result;
}

/* The words before "end" are done. */
static void
finish_words(Lexizer *lexizer, int end, TSLexeme *lexemes, Normalized *result)
{
	RawToken   *first = &lexizer->words[lexizer->head];
	RawToken   *last = &lexizer->words[end - 1];

	result->lexemes = lexemes;
	result->start = first->start;
	result->end = last->start + last->length;
	lexizer->head = end;
	lexizer->next_dictionary = 0;
	lexizer->phrase_dictionary = InvalidOid;
	lexizer->partial = NULL;
}

/* Offer the word at the head to its dictionaries. */
static Step
offer_word(Lexizer *lexizer, Normalized *result)
{
	RawToken   *word = &lexizer->words[lexizer->head];
	Chain	   *chain = chain_of(lexizer, word->type);
	const char *text = word->text;
	int			length = word->length;

	for (int i = lexizer->next_dictionary; i < chain->count; i++)
	{
		TSLexeme   *lexemes;

		memset(&lexizer->state, 0, sizeof(DictSubState));
		lexemes = ask(lexizer, chain->dictionaries[i], text, length);
		if (lexizer->state.getnext)
		{
			lexizer->took_word = false;
			lexizer->phrase_dictionary = chain->dictionaries[i];
			lexizer->next_dictionary = i + 1;
			lexizer->cursor = lexizer->head + 1;
			lexizer->partial = lexemes;
			lexizer->partial_end = lexizer->cursor;
			return STEP_AGAIN;
		}
		if (lexemes == NULL)
			continue;
		if (lexemes->flags & TSL_FILTER)
		{
			text = lexemes->lexeme;
			length = (int) strlen(text);
			continue;
		}
		finish_words(lexizer, lexizer->head + 1, lexemes, result);
		return STEP_RESULT;
	}

	/* no dictionary knows it: the word leaves no trace */
	lexizer->head++;
	lexizer->next_dictionary = 0;
	return STEP_AGAIN;
}

/* Offer the word at the cursor to the dictionary that asks for more. */
static Step
offer_phrase(Lexizer *lexizer, Normalized *result)
{
	RawToken   *word = &lexizer->words[lexizer->cursor];
	Chain	   *chain;
	TSLexeme   *lexemes;

	if (lexizer->cursor == lexizer->tail)
		return STEP_WAIT;
	chain = chain_of(lexizer, word->type);
	if (word->type != 0)
	{
		bool		mapped = false;

		if (chain->count == 0)
		{
			lexizer->cursor++;
			return STEP_AGAIN;
		}
		for (int i = 0; i < chain->count; i++)
			mapped |= chain->dictionaries[i] == lexizer->phrase_dictionary;
		if (!mapped)
		{
			/* not its kind of word: as if it had never asked */
			lexizer->phrase_dictionary = InvalidOid;
			lexizer->partial = NULL;
			return STEP_AGAIN;
		}
	}
	lexizer->state.isend = word->type == 0;
	lexizer->state.getnext = false;
	lexemes = ask(lexizer, lexizer->phrase_dictionary, word->text,
				  word->length);
	if (lexizer->state.getnext)
	{
		lexizer->cursor++;
		if (lexemes != NULL)
		{
			lexizer->partial = lexemes;
			lexizer->partial_end = lexizer->cursor;
		}
		return STEP_AGAIN;
	}
	if (lexemes != NULL)
		finish_words(lexizer, lexizer->cursor + 1, lexemes, result);
	else if (lexizer->partial != NULL)
		finish_words(lexizer, lexizer->partial_end, lexizer->partial, result);
	else
	{
		lexizer->phrase_dictionary = InvalidOid;
		return STEP_AGAIN;
	}
	return STEP_RESULT;
}

bool
lexizer_next(Lexizer *lexizer, Normalized *result)
{
	Step		step = STEP_AGAIN;

	while (step == STEP_AGAIN)
	{
		if (OidIsValid(lexizer->phrase_dictionary))
			step = offer_phrase(lexizer, result);
		else if (lexizer_idle(lexizer))
			step = STEP_WAIT;
		else
			step = offer_word(lexizer, result);
	}
	return step == STEP_RESULT;
}
