/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  Is an operator class one that our access methods can work with?
 *
 * It has one operator, between two values of its type, that orders by a
 * distance in double precision, and the support functions that its access
 * method needs.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "index/index.h"

typedef struct Validation
{
	const char *access_method;
	char	   *family;
	Oid			type;
	bool		valid;
} Validation;

static void
complain(Validation *validation, const char *what)
{
	validation->valid = false;
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family \"%s\" of access method %s %s", validation->family,
					validation->access_method, what)));
}

static char *
family_name(Oid family)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	name = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);
	return name;
}

static void
check_operators(Validation *validation, Oid family, int strategies)
{
	CatCList   *operators = SearchSysCacheList1(AMOPSTRATEGY,
												ObjectIdGetDatum(family));
	int			of_type = 0;

	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop operator=(Form_pg_amop)
			GETSTRUCT(&operators->members[i]->tuple);

		if (operator->amopstrategy < 1 || operator->amopstrategy > strategies)
			complain(validation, "contains an operator with an unknown strategy number");
		if (operator->amoppurpose != AMOP_ORDER)
			complain(validation, "contains a search operator: only ordering is supported");
		else if (!opfamily_can_sort_type(operator->amopsortfamily, FLOAT8OID))
			complain(validation, "contains an operator that does not order by double precision");
		if (!check_amop_signature(operator->amopopr,
								  FLOAT8OID, operator->amoplefttype,
											 operator->amoprighttype))
			complain(validation, "contains an operator with a wrong signature");
		of_type += operator->amoplefttype == validation->type &&
			operator->amoprighttype == validation->type;
	}
	ReleaseCatCacheList(operators);
	if (of_type != 1)
		complain(validation, "must contain one operator between values of its type");
}

static void
check_functions(Validation *validation, Oid family, int count,
				bool (*right) (Form_pg_amproc function))
{
	CatCList   *functions = SearchSysCacheList1(AMPROCNUM,
												ObjectIdGetDatum(family));
	int			of_type = 0;

	for (int i = 0; i < functions->n_members; i++)
	{
		Form_pg_amproc function = (Form_pg_amproc) GETSTRUCT(
			&functions->members[i]->tuple);

		if (function->amprocnum < 1 || function->amprocnum > count)
			complain(validation, "contains a function with an unknown support number");
		else if (!right(function))
			complain(validation, "contains a function with a wrong signature");
		else
			of_type += function->amproclefttype == validation->type;
	}
	ReleaseCatCacheList(functions);
	if (of_type < count)
		complain(validation, "lacks a support function");
}

/*
 * For amvalidate.  strategies: numbers an operator may have, from 1 on;
 * functions: how many support functions a type needs; right: has one of
 * them the signature its number asks for?
 */
bool
index_validate(Oid opclass, const char *access_method, int strategies,
			   int functions, bool (*right) (Form_pg_amproc function))
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Validation	validation = {access_method, NULL, InvalidOid, true};
	Oid			family;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	family = ((Form_pg_opclass) GETSTRUCT(tuple))->opcfamily;
	validation.type = ((Form_pg_opclass) GETSTRUCT(tuple))->opcintype;
	validation.family = family_name(family);
	ReleaseSysCache(tuple);

	check_operators(&validation, family, strategies);
	check_functions(&validation, family, functions, right);
	return validation.valid;
}

/*
 * For amvalidate of a class that has search operators only, numbered from
 * "first" to "last", and no support functions.
 */
bool
index_validate_conditions(Oid opclass, const char *access_method, int first,
						  int last)
{
	Oid			family = get_opclass_family(opclass);
	Validation	validation = {access_method, family_name(family),
	get_opclass_input_type(opclass), true};
	CatCList   *operators = SearchSysCacheList1(AMOPSTRATEGY,
												ObjectIdGetDatum(family));
	int			of_type = 0;

	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop operator=(Form_pg_amop)
			GETSTRUCT(&operators->members[i]->tuple);

		if (operator->amopstrategy < first || operator->amopstrategy > last)
			complain(&validation, "contains an operator with an unknown strategy number");
		if (operator->amoppurpose != AMOP_SEARCH)
			complain(&validation, "contains an ordering operator: only conditions are supported");
		if (!check_amop_signature(operator->amopopr,
								  BOOLOID, operator->amoplefttype,
										   operator->amoprighttype))
			complain(&validation, "contains an operator with a wrong signature");
		of_type += operator->amoplefttype == validation.type &&
			operator->amoprighttype == validation.type;
	}
	ReleaseCatCacheList(operators);
	if (of_type < 1)
		complain(&validation, "must contain an operator between values of its type");
	return validation.valid;
}
