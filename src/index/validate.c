/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  Is an operator class one that ktree can work with?
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "index/ktree/ktree.h"

static bool
complain(const char *family, const char *what)
{
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family \"%s\" of access method %s %s", family, "ktree", what)));
	return false;
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

bool
ktree_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	Oid			family;
	Oid			type;
	char	   *name;
	CatCList   *operators;
	CatCList   *procedures;
	bool		result = true;
	bool		has_operator = false;
	bool		has[KTREE_PROCS + 1] = {false};

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	family = form->opcfamily;
	type = form->opcintype;
	name = family_name(family);

	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (op->amopstrategy != 1)
			result = complain(name, "contains an operator with an unknown strategy number");
		if (op->amoppurpose != AMOP_ORDER)
			result = complain(name, "contains a search operator: only ordering is supported");
		else if (!opfamily_can_sort_type(op->amopsortfamily, get_op_rettype(op->amopopr)))
			result = complain(name, "contains an operator with an incorrect ORDER BY family");
		else if (!check_amop_signature(op->amopopr, FLOAT8OID, op->amoplefttype, op->amoprighttype))
			result = complain(name, "contains an operator with a wrong signature");
		if (op->amoplefttype == type && op->amoprighttype == type)
			has_operator = true;
	}
	ReleaseCatCacheList(operators);

	procedures = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
	for (int i = 0; i < procedures->n_members; i++)
	{
		Form_pg_amproc procedure = (Form_pg_amproc) GETSTRUCT(&procedures->members[i]->tuple);
		bool		right;

		switch (procedure->amprocnum)
		{
			case KTREE_DISTANCE_PROC:
				right = check_amproc_signature(procedure->amproc, FLOAT8OID, true, 2, 2,
											   procedure->amproclefttype,
											   procedure->amprocrighttype);
				break;
			case KTREE_KIND_PROC:
				right = check_amproc_signature(procedure->amproc, INTERNALOID, true, 1, 1,
											   INTERNALOID);
				break;
			default:
				result = complain(name, "contains a function with an unknown support number");
				continue;
		}
		if (!right)
			result = complain(name, "contains a function with a wrong signature");
		if (procedure->amproclefttype == type)
			has[procedure->amprocnum] = true;
	}
	ReleaseCatCacheList(procedures);

	if (!has_operator)
		result = complain(name, "lacks its operator");
	for (int i = 1; i <= KTREE_PROCS; i++)
	{
		if (!has[i])
			result = complain(name, "lacks a support function");
	}
	ReleaseSysCache(tuple);
	return result;
}
