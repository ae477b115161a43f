-- Models: tables with a description and a header

CREATE FUNCTION embed_model() RETURNS trigger
AS 'MODULE_PATHNAME', 'embed_model' LANGUAGE C;
COMMENT ON FUNCTION embed_model() IS 'trigger of every embedding model: its arguments describe the model, and each change gives it a new version';

CREATE FUNCTION register_model(model regclass, method text, config regconfig DEFAULT 'embed_words', VARIADIC options text[] DEFAULT '{}')
RETURNS regclass
AS 'MODULE_PATHNAME', 'register_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION register_model(regclass, text, regconfig, text[]) IS 'makes an embedding model of a table that has the columns of one';

CREATE FUNCTION embed_refresh(model regclass) RETURNS void
AS 'MODULE_PATHNAME', 'embed_refresh' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION embed_refresh(regclass) IS 'takes notice of changes of an embedding model made while its trigger was disabled';

CREATE FUNCTION model_version(model regclass) RETURNS text
AS 'MODULE_PATHNAME', 'model_version' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION model_version(regclass) IS 'version of the contents of an embedding model, another after every change';

CREATE FUNCTION embed_images(clear boolean DEFAULT false)
RETURNS TABLE (model regclass, version text, bytes bigint, created timestamptz)
AS 'MODULE_PATHNAME', 'embed_images' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION embed_images(boolean) IS 'packed forms of embedding models on disk; with clear, those of one''s own models are removed, to be built again at the next use';

CREATE FUNCTION embed_call_statistics(OUT computed bigint, OUT reused bigint) RETURNS record
AS 'MODULE_PATHNAME', 'embed_call_statistics' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION embed_call_statistics() IS 'how many results of functions of a model this session has computed, and how many it could use again';

CREATE FUNCTION embed_model_description(model regclass, OUT method text, OUT dims bigint, OUT config text, OUT options text[])
RETURNS record
AS 'MODULE_PATHNAME', 'embed_model_description' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION embed_model_description(regclass) IS 'description of an embedding model, as its trigger holds it';

CREATE FUNCTION embed_model_contents(model regclass, count_rows boolean, OUT row_count bigint, OUT documents bigint, OUT occurrences bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'embed_model_contents' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION embed_model_contents(regclass, boolean) IS 'number of rows of an embedding model besides row 0, from statistics or counted, and the totals in row 0';

CREATE FUNCTION embed_models(count_rows boolean DEFAULT false)
RETURNS TABLE (model regclass, method text, dims bigint, "rows" bigint, config text, options text[],
               documents bigint, occurrences bigint, bytes bigint)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10 AS $$
SELECT c.oid::pg_catalog.regclass, d.method, d.dims, n.row_count, d.config, d.options,
       n.documents, n.occurrences, pg_catalog.pg_total_relation_size(c.oid)
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid,
LATERAL @extschema@.embed_model_description(c.oid::pg_catalog.regclass) d,
LATERAL @extschema@.embed_model_contents(c.oid::pg_catalog.regclass, $1) n
WHERE t.tgfoid OPERATOR(pg_catalog.=) '@extschema@.embed_model()'::pg_catalog.regprocedure
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
$$;
COMMENT ON FUNCTION embed_models(boolean) IS 'embedding models that the current user may read; rows are estimated unless they are to be counted';
