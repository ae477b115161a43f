/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Whose rights count when a model's table is changed.
 *
 * Expressions of indexes and triggers belong to whoever may make them on the
 * table.  A superuser, or a member of the owning role, who changes a model
 * through a function of ours does so as the owner, so that nothing on the
 * table runs with more than the owner's rights.  Who has less than the
 * owner's rights changes it as who he is, as by SQL of his own.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

void
model_check_owner(Oid table)
{
	if (!relation_ownercheck(table, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", get_rel_name(table)),
				 errdetail("Role \"%s\" is neither its owner nor a member of the owning role.",
						   GetUserNameFromId(GetUserId(), false)),
				 errhint("Choose another name, or ask the owner.")));
}

static Oid
owner_of(Oid table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

void
model_become_writer(Oid table, ModelCaller *caller)
{
	Oid			owner = owner_of(table);

	GetUserIdAndSecContext(&caller->user, &caller->context);
	if (OidIsValid(owner) && owner != caller->user &&
		has_privs_of_role(caller->user, owner))
		SetUserIdAndSecContext(owner, caller->context |
							   SECURITY_RESTRICTED_OPERATION);
}

/* After an error the end of the transaction does the same. */
void
model_become_caller(const ModelCaller *caller)
{
	SetUserIdAndSecContext(caller->user, caller->context);
}
