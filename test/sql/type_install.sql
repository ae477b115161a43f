-- If this fails, installing over types of the same name fails obscurely.  (18 adds
-- where in the script.)
SELECT current_database() AS previous \gset
CREATE DATABASE embed_type_install;
\c embed_type_install
CREATE TYPE halfvec AS (taken integer);
\set SHOW_CONTEXT never
CREATE EXTENSION embed;
\echo :LAST_ERROR_SQLSTATE
CREATE SCHEMA embed;
CREATE EXTENSION embed SCHEMA embed;
SELECT '[1,2]'::embed.vector OPERATOR(embed.<->) '[1,2]' AS distance;
-- everything lies in that schema, whatever the search path
SELECT count(*) AS elsewhere FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND p.pronamespace <> 'embed'::regnamespace;
SET search_path = pg_catalog;
SELECT embed.l2_distance('[1,2]'::embed.vector, '[1,3]'), embed.rrf_score(1) > 0 AS score;
RESET search_path;
DROP EXTENSION embed;
\c :previous
DROP DATABASE embed_type_install;
