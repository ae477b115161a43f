/*-------------------------------------------------------------------------
 *
 * query_columns.c
 *	  Which column of a caller's query is which, and whether its type fits.
 *
 *-------------------------------------------------------------------------
 */
#include "server/query_private.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ---------- kinds ---------- */

/* How a message names what was expected, and how a type is named for it */
static const struct
{
	QueryColumnKind	kind;
	const char *what;
	const char *type;
}			kind_names[] = {
	{QUERY_TEXT, "text", "text"},
	{QUERY_CONFIG, "a text search configuration", "regconfig"},
	{QUERY_VECTOR, "a vector", "vector, halfvec or sparsevec"},
	{QUERY_LABEL, "a label", "text, integer or boolean"},
	{QUERY_SCORE, "a number", "a number"},
	{QUERY_INTEGER, "an integer", "integer"},
	{QUERY_OID, "an object", "oid"},
	{QUERY_BYTES, "bytes", "bytea"},
	{QUERY_TEXTS, "an array of text", "text[]"},
	{QUERY_ANY, "a value", "any"},
};

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID ||
		IsBinaryCoercible(type, TEXTOID);
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_vector(Oid type, Oid wanted)
{
	if (OidIsValid(wanted))
		return type == wanted;
	return type == extension_type("vector") ||
		type == extension_type("halfvec") ||
		type == extension_type("sparsevec");
}

static bool
type_fits(QueryColumnKind kind, Oid type, Oid wanted)
{
	switch (kind)
	{
		case QUERY_TEXT:
			return is_text(type);
		case QUERY_CONFIG:
			return type == REGCONFIGOID;
		case QUERY_VECTOR:
			return is_vector(type, wanted);
		case QUERY_LABEL:
			return is_text(type) || type == NAMEOID || type == CHAROID ||
				is_integer(type) || type == BOOLOID ||
				get_typtype(type) == TYPTYPE_ENUM;
		case QUERY_SCORE:
			return is_integer(type) || type == FLOAT4OID ||
				type == FLOAT8OID || type == NUMERICOID;
		case QUERY_INTEGER:
			return is_integer(type);
		case QUERY_OID:
			return type == OIDOID || type == REGCLASSOID;
		case QUERY_BYTES:
			return type == BYTEAOID;
		case QUERY_TEXTS:
			return OidIsValid(get_element_type(type)) &&
				is_text(getBaseType(get_element_type(type)));
		case QUERY_ANY:
			return true;
	}
	return false;
}

/* The declared kinds in words, joined by "or" */
static char *
kinds_in_words(const QueryColumn *column, bool as_types)
{
	StringInfoData words;

	initStringInfo(&words);
	for (int i = 0; i < (int) lengthof(kind_names); i++)
	{
		if ((column->kinds & kind_names[i].kind) == 0)
			continue;
		if (words.len > 0)
			appendStringInfoString(&words, " or ");
		if (as_types && kind_names[i].kind == QUERY_VECTOR &&
			OidIsValid(column->type))
			appendStringInfoString(&words, format_type_be(column->type));
		else
			appendStringInfoString(&words, as_types ? kind_names[i].type :
								   kind_names[i].what);
	}
	return words.data;
}

/* ---------- messages ---------- */

char *
query_column_place(const QueryDeclaration *declaration,
				   const QueryField *field)
{
	static const char *const ordinals[] = {"first", "second", "third",
	"fourth", "fifth", "sixth", "seventh", "eighth"};

	if (declaration->by_name)
		return psprintf("column \"%s\"", field->column->name);
	if (field->attribute < (int) lengthof(ordinals))
		return psprintf("%s column", ordinals[field->attribute]);
	return psprintf("column %d", field->attribute + 1);
}

/* Names of the declared columns, those that may be left out in brackets */
static char *
column_names(const QueryDeclaration *declaration)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < declaration->column_count; i++)
	{
		const QueryColumn *column = &declaration->columns[i];

		appendStringInfo(&names, column->optional ? "%s[%s]" : "%s%s",
						 i == 0 ? "" : ", ", column->name);
	}
	return names.data;
}

pg_noreturn static void
report_no_column(const QueryDeclaration *declaration)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s query returns no column", declaration->subject),
			 declaration->by_name ?
			 errdetail("Its columns are %s.", column_names(declaration)) :
			 errdetail("Its first column must be the %s.",
					   declaration->columns[0].name),
			 errhint("%s", declaration->hint)));
}

pg_noreturn static void
report_column_count(const QueryDeclaration *declaration, int count, bool few)
{
	const char *hint = !few && declaration->excess_hint != NULL ?
		declaration->excess_hint : declaration->hint;

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 few ? errmsg("%s query returns too few columns",
						  declaration->subject) :
			 errmsg("%s query returns too many columns",
					declaration->subject),
			 declaration->shape != NULL ?
			 errdetail_plural("It returns %d column; %s.",
							  "It returns %d columns; %s.",
							  count, count, declaration->shape) :
			 errdetail_plural("It returns %d column instead of %s.",
							  "It returns %d columns instead of %s.",
							  count, count, column_names(declaration)),
			 errhint("%s", hint)));
}

pg_noreturn static void
report_type(const QueryDeclaration *declaration, const QueryField *field,
			Form_pg_attribute attribute)
{
	const QueryColumn *column = field->column;

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s of the %s query is not %s",
					query_column_place(declaration, field),
					declaration->subject, kinds_in_words(column, false)),
			 errdetail("Column \"%s\" has type %s instead of %s.",
					   NameStr(attribute->attname),
					   format_type_be(attribute->atttypid),
					   kinds_in_words(column, true)),
			 errhint("%s", column->hint != NULL ? column->hint :
					 declaration->hint)));
}

pg_noreturn static void
report_name(const QueryDeclaration *declaration, const char *name,
			const char *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("%s query %s column \"%s\"", declaration->subject, fault,
					name),
			 errdetail("Its columns are %s.", column_names(declaration)),
			 errhint("%s", declaration->hint)));
}

/* ---------- matching ---------- */

/* Whether a repeated column "negative" has this name: "negative_2" */
static bool
is_repetition(const char *name, const char *column)
{
	Size		length = strlen(column);

	return strncmp(name, column, length) == 0 && name[length] == '_' &&
		name[length + 1] != '\0' &&
		strspn(name + length + 1, "0123456789") == strlen(name + length + 1);
}

/* The declared column of this name, or -1 */
static int
find_declared(const QueryDeclaration *declaration, const char *name)
{
	for (int i = 0; i < declaration->column_count; i++)
	{
		const QueryColumn *column = &declaration->columns[i];

		if (strcmp(name, column->name) == 0 ||
			(column->repeated && is_repetition(name, column->name)))
			return i;
	}
	return -1;
}

/* Find by name; which[i] becomes the declared column of attribute i */
static void
match_by_name(const QueryDeclaration *declaration, TupleDesc shape, int *which)
{
	int		   *found = palloc0(sizeof(int) * declaration->column_count);

	for (int i = 0; i < shape->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(shape, i)->attname);

		which[i] = find_declared(declaration, name);
		if (which[i] < 0)
			report_name(declaration, name, "returns an unknown");
		if (found[which[i]]++ > 0 &&
			!declaration->columns[which[i]].repeated)
			report_name(declaration, name, "returns more than one");
	}
	for (int i = 0; i < declaration->column_count; i++)
	{
		if (found[i] == 0 && !declaration->columns[i].optional)
			report_name(declaration, declaration->columns[i].name,
						"returns no");
	}
	pfree(found);
}

static void
match_by_position(const QueryDeclaration *declaration, TupleDesc shape,
				  int *which)
{
	int			required = 0;

	while (required < declaration->column_count &&
		   !declaration->columns[required].optional)
		required++;
	for (int i = 0; i < shape->natts; i++)
		which[i] = i;
	if (shape->natts < required)
		report_column_count(declaration, shape->natts, true);
}

static void
set_field(const QueryDeclaration *declaration, QueryField *field,
		  const QueryColumn *column, int attribute, TupleDesc shape)
{
	bool		is_varlena;
	Form_pg_attribute form = TupleDescAttr(shape, attribute);

	field->column = column;
	field->attribute = attribute;
	field->type = getBaseType(form->atttypid);
	for (int i = 0; i < (int) lengthof(kind_names); i++)
	{
		field->kind = kind_names[i].kind;
		if ((column->kinds & field->kind) == 0 ||
			!type_fits(field->kind, field->type, column->type))
			continue;
		if (field->kind == QUERY_LABEL)
			getTypeOutputInfo(field->type, &field->output, &is_varlena);
		return;
	}
	report_type(declaration, field, form);
}

int
query_match_columns(const QueryDeclaration *declaration, TupleDesc shape,
					QueryField **fields, QueryRange *ranges)
{
	int		   *which;
	int			count = 0;

	if (shape == NULL || shape->natts == 0)
		report_no_column(declaration);
	which = palloc(sizeof(int) * shape->natts);
	*fields = palloc0(sizeof(QueryField) * shape->natts);
	if (declaration->by_name)
		match_by_name(declaration, shape, which);
	else
		match_by_position(declaration, shape, which);
	for (int i = 0; i < declaration->column_count; i++)
	{
		ranges[i].first = count;
		for (int j = 0; j < shape->natts; j++)
		{
			if (which[j] == i)
				set_field(declaration, &(*fields)[count++],
						  &declaration->columns[i], j, shape);
		}
		ranges[i].count = count - ranges[i].first;
	}
	/* said last: a wrong type explains more than a column too many */
	if (count < shape->natts)
		report_column_count(declaration, shape->natts, false);
	pfree(which);
	return count;
}
