/*-------------------------------------------------------------------------
 *
 * use_pgvector.c
 *	  ktree and inverted for columns of pgvector's own types.
 *
 * pgvector's types have the layout of ours, so our access methods can index
 * them where they are: all it takes are operator classes over pgvector's
 * operators, and casts that change nothing.  USING hnsw becomes USING ktree,
 * and no table is rewritten.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "index/pgvector/pgvector.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/set_result.h"

EMBED_FUNCTION(embed_use_pgvector);

typedef struct UsePgvector
{
	Oid			their_schema;
	const char *theirs;			/* quoted */
	const char *ours;
	struct ReturnSetInfo *result;
} UsePgvector;

/* A class: of whom, its name behind the type's, and what it orders by. */
typedef struct WantedClass
{
	const char *access_method;
	const char *type;
	const char *name;
	bool		is_default;
	int			strategy;
	const char *operator;
	const char *distance;		/* for ktree */
} WantedClass;

static const WantedClass wanted_classes[] = {
	{"ktree", "vector", "cosine", true, 1, "<=>", "cosine_distance"},
	{"ktree", "vector", "l2", false, 1, "<->", "l2_distance"},
	{"ktree", "vector", "ip", false, 1, "<#>",
	"vector_negative_inner_product"},
	{"ktree", "halfvec", "cosine", true, 1, "<=>", "cosine_distance"},
	{"ktree", "halfvec", "l2", false, 1, "<->", "l2_distance"},
	{"ktree", "halfvec", "ip", false, 1, "<#>",
	"halfvec_negative_inner_product"},
	{"inverted", "sparsevec", "ip", true, 1, "<#>", NULL},
	{"inverted", "sparsevec", "cosine", false, 2, "<=>", NULL},
};

static const char *const cast_types[] = {"vector", "halfvec", "sparsevec"};

static Oid
type_in(Oid schema, const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum(name), ObjectIdGetDatum(schema));
}

/* Run a statement, and say that it was run. */
static void
run(const UsePgvector *use, const char *kind, const char *statement)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	(void) execute_command(statement, SPI_OK_UTILITY);
	values[0] = CStringGetTextDatum(kind);
	values[1] = CStringGetTextDatum(statement);
	set_result_add(use->result, values, nulls);
}

static bool
has_class(const WantedClass *wanted, const char *name, Oid schema)
{
	return SearchSysCacheExists3(
		CLAAMNAMENSP,
		ObjectIdGetDatum(get_am_oid(wanted->access_method, false)),
		CStringGetDatum(name), ObjectIdGetDatum(schema));
}

static void
make_class(const UsePgvector *use, const WantedClass *wanted)
{
	char	   *name = psprintf("%s_%s_ops", wanted->type, wanted->name);
	StringInfoData statement;

	/* versions before 0.7 lack halfvec and sparsevec */
	if (!OidIsValid(type_in(use->their_schema, wanted->type)) ||
		has_class(wanted, name, use->their_schema))
		return;
	initStringInfo(&statement);
	appendStringInfo(&statement,
					 "CREATE OPERATOR CLASS %s.%s %sFOR TYPE %s.%s USING %s AS "
					 "OPERATOR %d %s.%s (%s.%s, %s.%s) "
					 "FOR ORDER BY pg_catalog.float_ops",
					 use->theirs, name, wanted->is_default ? "DEFAULT " : "",
					 use->theirs, wanted->type, wanted->access_method,
					 wanted->strategy, use->theirs, wanted->operator,
					 use->theirs, wanted->type, use->theirs, wanted->type);
	if (wanted->distance != NULL)
		appendStringInfo(&statement,
						 ", FUNCTION 1 %s.%s(%s.%s, %s.%s), "
						 "FUNCTION 2 %s.ktree_%s_%s_kind(internal)",
						 use->theirs, wanted->distance, use->theirs,
						 wanted->type, use->theirs, wanted->type, use->ours,
						 wanted->type, wanted->name);
	run(use, "operator class", statement.data);
}

static void
make_cast(const UsePgvector *use, Oid from, Oid to, const char *from_schema,
		  const char *to_schema, const char *type)
{
	if (!OidIsValid(from) || !OidIsValid(to) ||
		SearchSysCacheExists2(CASTSOURCETARGET, ObjectIdGetDatum(from),
							  ObjectIdGetDatum(to)))
		return;
	run(use, "cast",
		psprintf("CREATE CAST (%s.%s AS %s.%s) WITHOUT FUNCTION AS ASSIGNMENT",
				 from_schema, type, to_schema, type));
}

/* The schema of pgvector's types, in this database. */
static Oid
schema_of_pgvector(void)
{
	Oid			schema = schema_of_extension("vector");

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"vector\" is not installed in this database"),
				 errhint("Without pgvector there is nothing to use: the types of embed have these classes.")));
	if (getExtensionOfObject(TypeRelationId, type_in(schema, "vector")) !=
		get_extension_oid("vector", false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("extension \"vector\" of this database is not pgvector"),
				 errdetail("It is that of embed, whose types have these classes.")));
	return schema;
}

/*
 * Makes what is missing: classes of ktree and inverted for pgvector's types,
 * and casts between its types and ours.  Returns the statements that it ran,
 * as the caller, who has to be a superuser as for any operator class.
 */
Datum
embed_use_pgvector(PG_FUNCTION_ARGS)
{
	UsePgvector use;
	Oid			our_schema = extension_schema();

	use.result = set_result_begin(fcinfo);
	use.their_schema = schema_of_pgvector();
	use.theirs = quote_identifier(get_namespace_name(use.their_schema));
	use.ours = quote_identifier(get_namespace_name(our_schema));
	for (int i = 0; i < lengthof(wanted_classes); i++)
		make_class(&use, &wanted_classes[i]);
	for (int i = 0; i < lengthof(cast_types); i++)
	{
		Oid			theirs = type_in(use.their_schema, cast_types[i]);
		Oid			ours = type_in(our_schema, cast_types[i]);

		make_cast(&use, theirs, ours, use.theirs, use.ours, cast_types[i]);
		make_cast(&use, ours, theirs, use.ours, use.theirs, cast_types[i]);
	}
	return (Datum) 0;
}
