/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  Whether a table has the shape of a model.
 *
 * Asked when a table becomes a model and again at the first use in every
 * snapshot, because ALTER TABLE may come in between.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/genam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * Changes through a parent fire no statement trigger of its children, so that
 * nobody would learn of them; and what a query of a parent shows is more than
 * its own rows.
 */
static void
check_family(Relation table)
{
	const char *name = RelationGetRelationName(table);
	Oid			oid = RelationGetRelid(table);
	bool		is_partition = table->rd_rel->relispartition;

	if (is_partition || has_superclass(oid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s \"%s\" cannot be an embedding model",
						is_partition ? "partition" : "child table", name),
				 errdetail("Changes of its rows through its parent would go unnoticed."),
				 is_partition ?
				 errhint("Use ALTER TABLE ... DETACH PARTITION, then embed_refresh().") :
				 errhint("Use ALTER TABLE ... NO INHERIT, then embed_refresh().")));
	if (table->rd_rel->relhassubclass &&
		find_inheritance_children(oid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" with child tables cannot be an embedding model",
						name),
				 errdetail("Rows of its children would not be part of the model."),
				 errhint("Use ALTER TABLE ... NO INHERIT for each of them.")));
}

void
model_check_table(Relation table)
{
	const char *name = RelationGetRelationName(table);

	if (table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" cannot be an embedding model", name),
				 errdetail("A model is an ordinary table, neither partitioned nor foreign, nor a view."),
				 errhint("Copy its rows into a table of their own.")));
	if (table->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot be an embedding model",
						name),
				 errdetail("Parallel workers and other sessions cannot read temporary tables."),
				 errhint("Use an unlogged table.")));
	check_family(table);
	if (table->rd_rel->relrowsecurity)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" with row-level security cannot be an embedding model",
						name),
				 errdetail("The packed form of a model is shared by all who may read the table, so rows cannot be hidden from some."),
				 errhint("Use ALTER TABLE ... DISABLE ROW LEVEL SECURITY, and GRANT SELECT to those who may use the model.")));
}

/* The columns as a hint shows them: (id integer, word text, ...) */
static char *
column_list(const ModelMethod *method)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < method->column_count; i++)
		appendStringInfo(
			&list, "%s%s %s", i == 0 ? "" : ", ", method->columns[i].name,
			format_type_be(model_column_type(&method->columns[i])));
	return list.data;
}

static AttrNumber
check_column(Relation table, const ModelMethod *method,
			 const ModelColumn *column)
{
	TupleDesc	shape = RelationGetDescr(table);

	for (int i = 0; i < shape->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(shape, i);

		if (attribute->attisdropped ||
			strcmp(NameStr(attribute->attname), column->name) != 0)
			continue;
		if (attribute->atttypid != model_column_type(column))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of relation \"%s\" has the wrong type for a %s model",
							column->name, RelationGetRelationName(table),
							method->name),
					 errdetail("It has type %s instead of %s.",
							   format_type_be(attribute->atttypid),
							   format_type_be(model_column_type(column))),
					 errhint("Use ALTER TABLE ... ALTER COLUMN ... TYPE.")));
		if (attribute_is_virtual(attribute))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("column \"%s\" of relation \"%s\" is not stored",
							column->name, RelationGetRelationName(table)),
					 errdetail("The columns of a model are read as they are stored, but it is a virtual generated column."),
					 errhint("Make it a stored one.")));
		return attribute->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist",
					column->name, RelationGetRelationName(table)),
			 errdetail("A %s model has the columns (%s).", method->name,
					   column_list(method)),
			 errhint("Add or rename columns with ALTER TABLE.")));
}

void
model_check_columns(Relation table, const ModelMethod *method,
					AttrNumber *attributes)
{
	for (int i = 0; i < method->column_count; i++)
		attributes[i] = check_column(table, method, &method->columns[i]);
}

AttrNumber
model_id_attribute(Relation table)
{
	TupleDesc	shape = RelationGetDescr(table);

	for (int i = 0; i < shape->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(shape, i);

		if (!attribute->attisdropped && attribute->atttypid == INT4OID &&
			strcmp(NameStr(attribute->attname), "id") == 0)
			return attribute->attnum;
	}
	return InvalidAttrNumber;
}

Oid
model_primary_key(Relation table, AttrNumber id)
{
	Oid			result;
	Relation	index;

	list_free(RelationGetIndexList(table));
	result = table->rd_pkindex;
	if (!OidIsValid(result))
		return InvalidOid;
	index = index_open(result, AccessShareLock);
	if (index->rd_index->indnkeyatts != 1 ||
		index->rd_index->indkey.values[0] != id)
		result = InvalidOid;
	index_close(index, AccessShareLock);
	return result;
}
