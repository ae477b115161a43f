/*-------------------------------------------------------------------------
 *
 * term_sort.c
 *	  Terms with their counts, put into an order, in memory or on disk.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "encoder/vocabulary/term_sort.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

struct TermSorter
{
	TermOrder	order;

	/* in memory */
	CountedTerm *terms;
	Size		count;
	Size		capacity;
	Size		next;

	/* on disk */
	Tuplesortstate *tuples;
	TupleTableSlot *put_slot;
	TupleTableSlot *get_slot;
	StringInfoData varlena;		/* the term being put */
};

/* columns of the tuples sorted; the rank is the negated occurrences */
#define COLUMN_RANK				1
#define COLUMN_TERM				2
#define COLUMN_FIRST_DOCUMENT	3
#define COLUMN_LAST_DOCUMENT	4
#define COLUMN_DOCUMENTS		5
#define COLUMNS					5

/*
 * By bytes, the shorter first where one is the beginning of the other: what
 * the C collation does.
 */
static inline int
compare_texts(const CountedTerm *a, const CountedTerm *b)
{
	int			result = memcmp(a->text, b->text, Min(a->length, b->length));

	return result != 0 ? result : a->length - b->length;
}

static int
compare_by_term(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return compare_texts(a, b);
}

static int
compare_by_frequency(const void *a, const void *b)
{
	const CountedTerm *x = a;
	const CountedTerm *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->occurrences != y->occurrences)
		return x->occurrences > y->occurrences ? -1 : 1;
	return compare_texts(x, y);
}

static void
begin_tuplesort(TermSorter *sorter, int memory_kilobytes)
{
	TupleDesc	descriptor = CreateTemplateTupleDesc(COLUMNS);
	/* by frequency the first two, by term the last three */
	AttrNumber	columns[4] = {COLUMN_RANK, COLUMN_TERM,
	COLUMN_FIRST_DOCUMENT, COLUMN_LAST_DOCUMENT};
	Oid			operators[4] = {Int8LessOperator, TextLessOperator,
	Int8LessOperator, Int8LessOperator};
	Oid			collations[4] = {InvalidOid, C_COLLATION_OID, InvalidOid,
								 InvalidOid};
	bool		nulls_first[4] = {false};
	int			first = sorter->order == TERM_ORDER_TERM ? 1 : 0;
	int			count = sorter->order == TERM_ORDER_TERM ? 3 : 2;

	TupleDescInitEntry(descriptor, COLUMN_RANK, "rank", INT8OID, -1, 0);
	TupleDescInitEntry(descriptor, COLUMN_TERM, "term", TEXTOID, -1, 0);
	TupleDescInitEntry(descriptor, COLUMN_FIRST_DOCUMENT, "first", INT8OID, -1, 0);
	TupleDescInitEntry(descriptor, COLUMN_LAST_DOCUMENT, "last", INT8OID, -1, 0);
	TupleDescInitEntry(descriptor, COLUMN_DOCUMENTS, "documents", INT8OID, -1, 0);

	sorter->tuples = tuplesort_begin_heap(descriptor, count, columns + first,
										  operators + first,
										  collations + first, nulls_first,
										  memory_kilobytes, NULL, 0);
	sorter->put_slot = MakeSingleTupleTableSlot(descriptor, &TTSOpsVirtual);
	sorter->get_slot = MakeSingleTupleTableSlot(descriptor,
												&TTSOpsMinimalTuple);
	initStringInfo(&sorter->varlena);
}

TermSorter *
term_sorter_create(TermOrder order, bool in_memory, int memory_kilobytes)
{
	TermSorter *sorter = palloc0(sizeof(TermSorter));

	sorter->order = order;
	if (!in_memory)
		begin_tuplesort(sorter, memory_kilobytes);
	return sorter;
}

static void
put_tuple(TermSorter *sorter, const CountedTerm *term)
{
	TupleTableSlot *slot = sorter->put_slot;
	text	   *varlena;

	resetStringInfo(&sorter->varlena);
	enlargeStringInfo(&sorter->varlena, VARHDRSZ + term->length);
	varlena = (text *) sorter->varlena.data;
	SET_VARSIZE(varlena, VARHDRSZ + term->length);
	memcpy(VARDATA(varlena), term->text, term->length);

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, sizeof(bool) * COLUMNS);
	slot->tts_values[COLUMN_RANK - 1] = Int64GetDatum(-term->occurrences);
	slot->tts_values[COLUMN_TERM - 1] = PointerGetDatum(varlena);
	slot->tts_values[COLUMN_FIRST_DOCUMENT - 1] = Int64GetDatum(
		term->first_document);
	slot->tts_values[COLUMN_LAST_DOCUMENT - 1] = Int64GetDatum(
		term->last_document);
	slot->tts_values[COLUMN_DOCUMENTS - 1] = Int64GetDatum(term->documents);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(sorter->tuples, slot);
}

void
term_sorter_put(TermSorter *sorter, const CountedTerm *term)
{
	if (sorter->tuples != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		put_tuple(sorter, term);
		return;
	}

	if (sorter->count == sorter->capacity)
	{
		Size		capacity = Max(1024, sorter->capacity * 2);

		if (sorter->terms == NULL)
			sorter->terms = MemoryContextAllocHuge(
				CurrentMemoryContext, sizeof(CountedTerm) * capacity);
		else
			sorter->terms = repalloc_huge(sorter->terms,
										  sizeof(CountedTerm) * capacity);
		sorter->capacity = capacity;
	}
	sorter->terms[sorter->count++] = *term;
}

void
term_sorter_perform(TermSorter *sorter)
{
	if (sorter->tuples != NULL)
		tuplesort_performsort(sorter->tuples);
	else
		qsort(sorter->terms, sorter->count, sizeof(CountedTerm),
			  sorter->order == TERM_ORDER_TERM ? compare_by_term
											   : compare_by_frequency);
}

bool
term_sorter_get(TermSorter *sorter, CountedTerm *term)
{
	Datum	   *values;
	text	   *varlena;

	if (sorter->tuples == NULL)
	{
		if (sorter->next == sorter->count)
			return false;
		*term = sorter->terms[sorter->next++];
		return true;
	}

	if (!tuplesort_gettupleslot(sorter->tuples, true, false, sorter->get_slot,
								NULL))
		return false;
	slot_getallattrs(sorter->get_slot);
	values = sorter->get_slot->tts_values;
	varlena = DatumGetTextPP(values[COLUMN_TERM - 1]);
	term->text = VARDATA_ANY(varlena);
	term->length = VARSIZE_ANY_EXHDR(varlena);
	term->occurrences = -DatumGetInt64(values[COLUMN_RANK - 1]);
	term->first_document = DatumGetInt64(values[COLUMN_FIRST_DOCUMENT - 1]);
	term->last_document = DatumGetInt64(values[COLUMN_LAST_DOCUMENT - 1]);
	term->documents = DatumGetInt64(values[COLUMN_DOCUMENTS - 1]);
	return true;
}

void
term_sorter_end(TermSorter *sorter)
{
	if (sorter->tuples != NULL)
	{
		tuplesort_end(sorter->tuples);
		ExecDropSingleTupleTableSlot(sorter->put_slot);
		ExecDropSingleTupleTableSlot(sorter->get_slot);
		pfree(sorter->varlena.data);
	}
	else if (sorter->terms != NULL)
		pfree(sorter->terms);
	pfree(sorter);
}
