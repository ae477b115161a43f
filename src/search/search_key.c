/*-------------------------------------------------------------------------
 *
 * search_key.c
 *	  Keys of a table's rows, as others name them.
 *
 * The text of a value is not what tells it from others: character(n) has
 * blanks at its end or not, numbers have zeros behind the point, an uuid is
 * written in many ways.  So keys are compared by the type's own order, which
 * a key always has.
 *
 *-------------------------------------------------------------------------
 */
#include "search/search_key.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

void
search_key_find(const Search *search, SearchKey *key)
{
	TypeCacheEntry *entry;

	if (list_length(search->key) == 1)
		get_atttypetypmodcoll(search->table,
							  get_attnum(search->table,
										 linitial(search->key)),
							  &key->type, &key->modifier, &key->collation);
	else
	{
		key->type = TEXTOID;
		key->modifier = -1;
		key->collation = C_COLLATION_OID;
	}
	get_typlenbyval(key->type, &key->length, &key->by_value);
	entry = lookup_type_cache(key->type, TYPECACHE_CMP_PROC_FINFO);
	key->compare = &entry->cmp_proc_finfo;
	if (!OidIsValid(key->compare->fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify a comparison function for type %s",
						format_type_be(key->type))));
}

static char *
value_text(Oid type, Datum value)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

Datum
search_key_read(const SearchKey *key, Oid type, Datum value)
{
	Oid			input;
	Oid			parameter;

	if (getBaseType(type) == getBaseType(key->type))
		return datumCopy(value, key->by_value, key->length);
	getTypeInputInfo(key->type, &input, &parameter);
	return OidInputFunctionCall(input, value_text(type, value), parameter,
								key->modifier);
}

int
search_key_compare(const SearchKey *key, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2Coll(key->compare, key->collation, a,
										   b));
}

char *
search_key_text(const SearchKey *key, Datum value)
{
	return value_text(key->type, value);
}
