/*-------------------------------------------------------------------------
 *
 * call_site.c
 *	  The last arguments and result of each place that calls a function.
 *
 * A STABLE function of constants is still evaluated for every row of a
 * sequential scan.  Comparing its arguments with those of the last call
 * costs next to nothing beside encoding them again, and makes
 * ORDER BY v <=> tfidf(m, 'query') encode the query once in every plan.
 * An index scan evaluates it at two places, for the index and for the rows;
 * so a place that does not know the answer asks the one that computed last.
 *
 * Arguments are compared as the bytes that came: a detoasted, packed or
 * compressed form of the same text are different keys, which costs one more
 * computation and never a wrong one.  A pointer to a toasted value names it
 * only as long as nothing can remove the value, that is under one snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "model/call_site.h"
#include "model/model_private.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "text/generation.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define CALL_SITE_MAGIC 0x656D6263

EMBED_FUNCTION(embed_call_statistics);

/* of this backend, for tests and the curious */
static int64 computed_results = 0;
static int64 reused_results = 0;

/* the call site of this backend that computed last */
static CallSite *latest = NULL;

/* The image must not outlive its last call site, nor the other way round */
static void
release_call_site(void *argument)
{
	CallSite   *site = argument;

	for (int i = 0; i < CALL_SITE_MODELS; i++)
	{
		if (site->models[i].model.image != NULL)
			image_release(site->models[i].model.image);
		site->models[i].model.image = NULL;
	}
	if (latest == site)
		latest = NULL;
}

static void
remember_types(CallSite *site, FmgrInfo *flinfo)
{
	Oid		   *types;
	Oid			result_type = get_func_signature(flinfo->fn_oid, &types,
												 &site->argument_count);

	site->function = flinfo->fn_oid;
	site->argument_lengths = MemoryContextAlloc(site->context,
												Max(site->argument_count, 1) *
												sizeof(int16));
	for (int i = 0; i < site->argument_count; i++)
	{
		int16		length;
		bool		by_value;

		get_typlenbyval(types[i], &length, &by_value);
		site->argument_lengths[i] = by_value ? 0 : length;
	}
	get_typlenbyval(result_type, &site->result_length,
					&site->result_by_value);
}

CallSite *
call_site_get(FmgrInfo *flinfo)
{
	CallSite   *site = flinfo->fn_extra;
	MemoryContextCallback *callback;

	if (likely(site != NULL))
	{
		Assert(site->magic == CALL_SITE_MAGIC);
		return site;
	}
	site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite));
	site->magic = CALL_SITE_MAGIC;
	site->context = flinfo->fn_mcxt;
	remember_types(site, flinfo);
	callback = MemoryContextAlloc(flinfo->fn_mcxt,
								  sizeof(MemoryContextCallback));
	callback->func = release_call_site;
	callback->arg = site;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, callback);
	flinfo->fn_extra = site;
	return site;
}

/* The number of a model of this site, in the order of opening */
static int
number_of_model(const CallSite *site, const Model *model)
{
	for (int i = 1; i < CALL_SITE_MODELS; i++)
	{
		if (&site->models[i].model == model)
			return i;
	}
	return 0;
}

void **
call_site_state_of(FmgrInfo *flinfo, const void *owner, const Model *model)
{
	CallSite   *site = call_site_get(flinfo);
	CallSiteState *state = site->states;
	int			number = number_of_model(site, model);

	while (state != NULL &&
		   (state->owner != owner || state->model_number != number))
		state = state->next;
	if (state == NULL)
	{
		state = MemoryContextAllocZero(site->context, sizeof(CallSiteState));
		state->owner = owner;
		state->model_number = number;
		state->next = site->states;
		site->states = state;
	}
	return &state->state;
}

void **
call_site_state(FmgrInfo *flinfo, const void *owner)
{
	return call_site_state_of(flinfo, owner, NULL);
}

/* ---------- keys ---------- */

/* A piece of the key: the bytes of one argument */
typedef struct KeyPart
{
	const void *data;
	Size		bytes;
} KeyPart;

/*
 * The bytes that stand for an argument; false if none do (the contents of an
 * expanded object change behind its pointer).
 */
static bool
key_part(const CallSite *site, FunctionCallInfo fcinfo, int argument,
		 KeyPart *part, bool *toasted)
{
	int16		length = site->argument_lengths[argument];
	const void *pointer;

	if (fcinfo->args[argument].isnull)
	{
		part->data = NULL;
		part->bytes = 0;
		return true;
	}
	if (length == 0)
	{
		part->data = &fcinfo->args[argument].value;
		part->bytes = sizeof(Datum);
		return true;
	}
	pointer = DatumGetPointer(fcinfo->args[argument].value);
	part->data = pointer;
	if (length > 0)
		part->bytes = length;
	else if (length == -2)
		part->bytes = strlen(pointer) + 1;
	else
	{
		if (VARATT_IS_EXTERNAL(pointer))
		{
			if (!VARATT_IS_EXTERNAL_ONDISK(pointer))
				return false;
			*toasted = true;
		}
		part->bytes = VARSIZE_ANY(pointer);
	}
	return true;
}

/*
 * The key of a call, or 0 parts when it has none.  A length that no argument
 * has marks NULL.
 */
static int
key_parts(const CallSite *site, FunctionCallInfo fcinfo, KeyPart *parts,
		  bool *toasted)
{
	*toasted = false;
	if (fcinfo->nargs != site->argument_count || fcinfo->nargs > FUNC_MAX_ARGS)
		return 0;
	for (int i = 0; i < fcinfo->nargs; i++)
	{
		if (!key_part(site, fcinfo, i, &parts[i], toasted))
			return 0;
	}
	return fcinfo->nargs;
}

static bool
key_equals(const CallSite *site, const KeyPart *parts, int count)
{
	const char *key = site->key;
	const char *end = site->key + site->key_bytes;

	for (int i = 0; i < count; i++)
	{
		Size		bytes;

		if (key + sizeof(Size) > end)
			return false;
		memcpy(&bytes, key, sizeof(Size));
		key += sizeof(Size);
		if (bytes != parts[i].bytes ||
			memcmp(key, parts[i].data == NULL ? "" : parts[i].data, bytes) != 0)
			return false;
		key += bytes;
	}
	return key == end;
}

/* false if the key is too large to keep */
static bool
key_store(CallSite *site, const KeyPart *parts, int count)
{
	Size		bytes = 0;
	char	   *key;

	for (int i = 0; i < count; i++)
		bytes += sizeof(Size) + parts[i].bytes;
	if (bytes > (Size) work_mem * 1024)
		return false;
	if (bytes > site->key_capacity)
	{
		if (site->key != NULL)
			pfree(site->key);
		site->key = NULL;
		site->key_capacity = 0;
		site->key = MemoryContextAllocHuge(site->context, bytes);
		site->key_capacity = bytes;
	}
	key = site->key;
	for (int i = 0; i < count; i++)
	{
		memcpy(key, &parts[i].bytes, sizeof(Size));
		key += sizeof(Size);
		if (parts[i].bytes > 0)
			memcpy(key, parts[i].data, parts[i].bytes);
		key += parts[i].bytes;
	}
	site->key_bytes = bytes;
	return true;
}

/* ---------- lookup and store ---------- */

/* May "other" hold the result of a call of "site"?  Its key decides. */
static bool
may_hold_result(const CallSite *site, const CallSite *other)
{
	if (!other->filled || other->function != site->function ||
		other->version_count != site->model_count ||
		other->generation != text_generation())
		return false;
	for (int i = 0; i < site->model_count; i++)
	{
		if (other->versions[i] != site->models[i].model.version)
			return false;
	}
	return !other->by_toast_pointer ||
		memcmp(&other->filled_under, &site->models[0].snapshot,
			   sizeof(SnapshotIdentity)) == 0;
}

/* Keep a result under these arguments, unless they have no key. */
static void
keep_result(CallSite *site, const KeyPart *parts, int count, Datum result,
			bool is_null)
{
	if (site->filled && !site->result_is_null && !site->result_by_value)
		pfree(DatumGetPointer(site->result));
	site->filled = false;
	if (count == 0 || !key_store(site, parts, count))
		return;
	site->result = result;
	site->result_is_null = is_null;
	if (!is_null)
	{
		MemoryContext caller = MemoryContextSwitchTo(site->context);

		site->result = datumCopy(result, site->result_by_value,
								 site->result_length);
		MemoryContextSwitchTo(caller);
	}
	site->version_count = site->model_count;
	for (int i = 0; i < site->model_count; i++)
		site->versions[i] = site->models[i].model.version;
	site->generation = text_generation();
	site->filled_under = site->models[0].snapshot;
	site->filled = true;
}

bool
call_site_lookup(FunctionCallInfo fcinfo, Datum *result)
{
	CallSite   *site = call_site_get(fcinfo->flinfo);
	bool		own = may_hold_result(site, site);
	bool		other = latest != NULL && latest != site &&
	may_hold_result(site, latest);
	KeyPart		parts[FUNC_MAX_ARGS];
	bool		toasted;
	int			count;

	if (!own && !other)
		return false;
	count = key_parts(site, fcinfo, parts, &toasted);
	if (count == 0)
		return false;
	if (!own || !key_equals(site, parts, count))
	{
		if (!other || !key_equals(latest, parts, count))
			return false;
		keep_result(site, parts, count, latest->result,
					latest->result_is_null);
		if (!site->filled)
			return false;
		site->by_toast_pointer = toasted;
	}
	reused_results++;
	fcinfo->isnull = site->result_is_null;
	*result = site->result;
	return true;
}

Datum
call_site_store(FunctionCallInfo fcinfo, Datum result)
{
	CallSite   *site = call_site_get(fcinfo->flinfo);
	KeyPart		parts[FUNC_MAX_ARGS];
	int			count;

	computed_results++;
	ereport(DEBUG1,
			(errmsg_internal("computed an embedding at a call site")));
	count = key_parts(site, fcinfo, parts, &site->by_toast_pointer);
	keep_result(site, parts, count, result, fcinfo->isnull);
	if (site->filled)
		latest = site;
	return result;
}

/* embed_call_statistics() -> (computed bigint, reused bigint) */
Datum
embed_call_statistics(PG_FUNCTION_ARGS)
{
	TupleDesc	shape;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(computed_results);
	values[1] = Int64GetDatum(reused_results);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values,
											 nulls));
}
