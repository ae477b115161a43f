/*-------------------------------------------------------------------------
 *
 * vocabulary.c
 *	  The vocabulary model: its description, and its image.
 *
 * The image is a hash table from terms to entries, and the entries in the
 * order of their ids.  Of terms under the cut it holds only where they are.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "catalog/pg_type.h"
#include "encoder/vocabulary/term_sort.h"
#include "encoder/vocabulary/training.h"
#include "encoder/vocabulary/vocabulary.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

const char *const sort_by_names[] = {"frequency", "term", NULL};

static const ModelColumn vocabulary_columns[VOCABULARY_COLUMNS] = {
	{"id", INT4OID},
	{"term", TEXTOID},
	{"documents", INT8OID},
	{"occurrences", INT8OID}
};

/*
 * A table that becomes a model by register_model says how long its vectors
 * are; max_documents and max_terms that are not given are no limit.
 */
const OptionDeclaration vocabulary_options[] = {
	OPTION_CONFIG_REQUIRED("config"),
	OPTION_INTEGER_REQUIRED("dims", 2, SPARSEVEC_MAX_DIMS),
	OPTION_INTEGER_OF("min_token_length", 1, PG_INT32_MAX, 1),
	OPTION_INTEGER_OF("min_ngram", 1, MAX_NGRAM, 1),
	OPTION_INTEGER_OF("max_ngram", 1, MAX_NGRAM, 1),
	OPTION_INTEGER_OF("min_documents", 1, (double) PG_INT64_MAX, 1),
	OPTION_INTEGER_OF("max_documents", 1, (double) PG_INT64_MAX, 0),
	OPTION_NUMBER_OF("min_share", 0.0, 1.0, 0.0),
	OPTION_NUMBER_OF("max_share", 0.0, 1.0, 1.0),
	OPTION_INTEGER_OF("max_terms", 1, PG_INT32_MAX, 0),
	OPTION_CHOICE_OF("sort_by", sort_by_names, 0),
	OPTIONS_END
};

static void check_description(const ModelDescription *description);
static void build_image(ImageBuilder *builder, ModelReader *reader);

const ModelMethod vocabulary_method = {
	.name = "vocabulary",
	.columns = vocabulary_columns,
	.column_count = VOCABULARY_COLUMNS,
	.options = vocabulary_options,
	.check = check_description,
	.build_image = build_image,
	.patch_image = vocabulary_patch_image,
	.image_format = VOCABULARY_IMAGE_FORMAT,
	.image_sections = VOCABULARY_SECTIONS,
	.header_needed = true
};

void
vocabulary_init(void)
{
	model_method_register(&vocabulary_method);
}

/* All but the configuration, which may be gone: that is an error in use. */
static void
term_options_read(TermOptions *options, const ModelDescription *description)
{
	options->config = InvalidOid;
	options->min_token_length = model_option_int(description, "min_token_length");
	options->min_ngram = model_option_int(description, "min_ngram");
	options->max_ngram = model_option_int(description, "max_ngram");
}

void
vocabulary_term_options(TermOptions *options,
						const ModelDescription *description)
{
	term_options_read(options, description);
	options->config = model_option_config(description);
}

static void
check_description(const ModelDescription *description)
{
	TermOptions options;
	VocabularyCuts cuts;

	term_options_read(&options, description);
	term_options_check(&options);
	cuts_of_description(&cuts, description);
	cuts_check(&cuts);
}

/* ---------- building ---------- */

/* what is collected from the rows; texts grow in huge memory */
typedef struct Collection
{
	const ModelDescription *description;
	int			dims;
	VocabularyTotals totals;
	VocabularyEntry *entries;
	Size		capacity;
	char	   *texts;
	Size		text_bytes;
	Size		text_capacity;
	HiddenTerms hidden;
} Collection;

pg_noreturn static void damaged(const Collection *collection,
								const char *detail, ...)
	pg_attribute_printf(2, 3);

static void
damaged(const Collection *collection, const char *detail,...)
{
	StringInfoData text;
	va_list		args;
	int			needed = 1;

	initStringInfo(&text);
	while (needed != 0)
	{
		va_start(args, detail);
		needed = appendStringInfoVA(&text, detail, args);
		va_end(args);
		if (needed != 0)
			enlargeStringInfo(&text, needed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("invalid row in vocabulary model \"%s\"",
					collection->description->table_name),
			 errdetail_internal("%s", text.data),
			 errhint("Correct the row, or train the model again with replace => true.")));
}

static void
collect_header(Collection *collection, ModelReader *reader)
{
	Datum		values[VOCABULARY_COLUMNS];
	bool		nulls[VOCABULARY_COLUMNS];

	model_reader_header(reader, values, nulls);
	if (nulls[VOCABULARY_DOCUMENTS] || nulls[VOCABULARY_OCCURRENCES])
		damaged(collection, "Row 0 lacks the number of documents or of occurrences.");
	collection->totals.documents = DatumGetInt64(values[VOCABULARY_DOCUMENTS]);
	collection->totals.occurrences = DatumGetInt64(
		values[VOCABULARY_OCCURRENCES]);
	if (collection->totals.documents < 1 || collection->totals.occurrences < 1)
		damaged(collection, "Row 0 counts no document or no occurrence.");
}

static uint64
collect_text(Collection *collection, const char *text, int length)
{
	uint64		offset = collection->text_bytes;

	if (collection->text_bytes + length > collection->text_capacity)
	{
		collection->text_capacity = (collection->text_bytes + length) * 2;
		collection->texts = repalloc_huge(collection->texts,
										  collection->text_capacity);
	}
	memcpy(collection->texts + offset, text, length);
	collection->text_bytes += length;
	return offset;
}

/* A term under the cut, where its row has one */
static void
collect_hidden(Collection *collection, Datum *values, bool *nulls)
{
	text	   *term;

	if (nulls[VOCABULARY_TERM])
		return;
	term = DatumGetTextPP(values[VOCABULARY_TERM]);
	hidden_terms_add(&collection->hidden, DatumGetInt32(values[VOCABULARY_ID]),
					 hash_bytes64(VARDATA_ANY(term), VARSIZE_ANY_EXHDR(term)));
	collection->totals.hidden++;
	if (!nulls[VOCABULARY_DOCUMENTS])
		collection->totals.hidden_documents =
			Max(collection->totals.hidden_documents,
				DatumGetInt64(values[VOCABULARY_DOCUMENTS]));
	if ((Pointer) term != DatumGetPointer(values[VOCABULARY_TERM]))
		pfree(term);
}

static void
collect_entry(Collection *collection, Datum *values, bool *nulls)
{
	VocabularyEntry *entry;
	text	   *term;
	int32		id = DatumGetInt32(values[VOCABULARY_ID]);

	if (id < 0)
	{
		collect_hidden(collection, values, nulls);
		return;
	}
	if (nulls[VOCABULARY_TERM] || nulls[VOCABULARY_DOCUMENTS])
		damaged(collection, "The row with id %d lacks its term or its number of documents.", id);
	if (id > VOCABULARY_MAX_ID(collection->dims))
		damaged(collection, "Id %d is beyond %d, the last one for %d dimensions.",
				id, VOCABULARY_MAX_ID(collection->dims), collection->dims);

	if (collection->totals.terms == collection->capacity)
	{
		collection->capacity *= 2;
		collection->entries = repalloc_huge(collection->entries,
											sizeof(VocabularyEntry) *
												collection->capacity);
	}
	entry = &collection->entries[collection->totals.terms++];
	term = DatumGetTextPP(values[VOCABULARY_TERM]);
	entry->id = id;
	entry->length = VARSIZE_ANY_EXHDR(term);
	entry->text = collect_text(collection, VARDATA_ANY(term), entry->length);
	entry->documents = DatumGetInt64(values[VOCABULARY_DOCUMENTS]);
	if (entry->documents < 1 ||
		entry->documents > collection->totals.documents)
		damaged(collection, "Id %d occurs in %lld of %lld documents.", id,
				(long long) entry->documents,
				(long long) collection->totals.documents);
	collection->totals.max_documents = Max(collection->totals.max_documents,
										   entry->documents);
	if ((Pointer) term != DatumGetPointer(values[VOCABULARY_TERM]))
		pfree(term);
}

static int
compare_entries(const void *a, const void *b)
{
	int32		x = ((const VocabularyEntry *) a)->id;
	int32		y = ((const VocabularyEntry *) b)->id;

	CHECK_FOR_INTERRUPTS();
	return x < y ? -1 : x > y;
}

/*
 * The slots of all entries; at most half of them are taken.
 */
static VocabularySlot *
fill_slots(const Collection *collection, Size *slot_count)
{
	VocabularySlot *slots;
	Size		count = 64;

	while (count < 2 * collection->totals.terms)
		count *= 2;
	slots = MemoryContextAllocExtended(CurrentMemoryContext,
									   sizeof(VocabularySlot) * count,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int64 i = 0; i < collection->totals.terms; i++)
	{
		const VocabularyEntry *entry = &collection->entries[i];
		const char *text = collection->texts + entry->text;
		uint64		hash = hash_bytes64(text, entry->length);
		uint64		key = text_key(text, entry->length, hash);
		Size		at = (uint32) hash & (count - 1);

		CHECK_FOR_INTERRUPTS();
		for (; slots[at].entry != 0; at = (at + 1) & (count - 1))
		{
			const VocabularyEntry *other =
				&collection->entries[slots[at].entry - 1];

			if (slots[at].key == key && other->length == entry->length &&
				memcmp(collection->texts + other->text, text, entry->length) ==
					0)
				damaged(collection, "The rows with ids %d and %d have the same term.",
						other->id, entry->id);
		}
		slots[at].key = key;
		slots[at].length = entry->length;
		slots[at].entry = (uint32) (i + 1);
	}
	*slot_count = count;
	return slots;
}

static void
build_image(ImageBuilder *builder, ModelReader *reader)
{
	Collection	collection = {0};
	Datum		values[VOCABULARY_COLUMNS];
	bool		nulls[VOCABULARY_COLUMNS];
	VocabularySlot *slots;
	Size		slot_count;

	collection.description = model_reader_description(reader);
	collection.dims = model_option_int(collection.description, "dims");
	collection.capacity = 1024;
	collection.entries = palloc(sizeof(VocabularyEntry) * collection.capacity);
	collection.text_capacity = 8192;
	collection.texts = palloc(collection.text_capacity);
	collect_header(&collection, reader);
	while (model_reader_next(reader, values, nulls))
		collect_entry(&collection, values, nulls);
	qsort(collection.entries, collection.totals.terms, sizeof(VocabularyEntry),
		  compare_entries);
	slots = fill_slots(&collection, &slot_count);

	image_begin_section(builder, VOCABULARY_SECTION_TOTALS);
	image_append(builder, &collection.totals, sizeof(VocabularyTotals));
	image_begin_section(builder, VOCABULARY_SECTION_SLOTS);
	image_append(builder, slots, sizeof(VocabularySlot) * slot_count);
	image_begin_section(builder, VOCABULARY_SECTION_TERMS);
	image_append(builder, collection.entries,
				 sizeof(VocabularyEntry) * collection.totals.terms);
	image_begin_section(builder, VOCABULARY_SECTION_TEXTS);
	image_append(builder, collection.texts, collection.text_bytes);
	hidden_terms_append(&collection.hidden, builder,
						VOCABULARY_SECTION_HIDDEN);
}

/* ---------- reading ---------- */

void
vocabulary_attach(Vocabulary *vocabulary, const Model *model)
{
	Size		bytes;

	vocabulary->totals = model_section(model, VOCABULARY_SECTION_TOTALS,
									   &bytes);
	vocabulary->slots = model_section(model, VOCABULARY_SECTION_SLOTS, &bytes);
	vocabulary->slot_mask = (uint32) (bytes / sizeof(VocabularySlot) - 1);
	vocabulary->entries = model_section(model, VOCABULARY_SECTION_TERMS,
										&bytes);
	vocabulary->texts = model_section(model, VOCABULARY_SECTION_TEXTS, &bytes);
	vocabulary->hidden = model_section(model, VOCABULARY_SECTION_HIDDEN,
									   &bytes);
	vocabulary->hidden_slots = bytes / sizeof(HiddenSlot);
	vocabulary->dims = model_option_int(model->description, "dims");
}

const VocabularyEntry *
vocabulary_entry_among(const VocabularyEntry *entries, int64 count, int id)
{
	int64		low = 0;
	int64		high = count;

	/* ids usually have no gaps */
	if (id >= 1 && id <= high && entries[id - 1].id == id)
		return &entries[id - 1];
	while (low < high)
	{
		int64		middle = (low + high) / 2;

		if (entries[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < count && entries[low].id == id)
		return &entries[low];
	return NULL;
}

const VocabularyEntry *
vocabulary_entry_of_id(const Vocabulary *vocabulary, int id)
{
	return vocabulary_entry_among(vocabulary->entries,
								  vocabulary->totals->terms, id);
}
