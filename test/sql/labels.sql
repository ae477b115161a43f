-- If this fails, a function is labelled in a way that makes wrong plans, or an
-- expensive one looks free to the planner.
CREATE TEMP VIEW extension_functions AS
SELECT p.oid::regprocedure AS function, p.*
FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed');

-- A function that reads a model is never immutable.  (One that reads a text
-- search configuration may be, as to_tsvector is.)
SELECT function, provolatile AS immutable_although_it_reads_a_table FROM extension_functions
WHERE provolatile = 'i' AND 'regclass'::regtype = ANY (proargtypes::oid[])
ORDER BY function::text;

-- Whatever computes a value from its arguments or a model may run in parallel.
SELECT function, provolatile, proparallel AS not_parallel_safe FROM extension_functions
WHERE provolatile IN ('i', 's') AND proparallel <> 's' ORDER BY function::text;

-- What changes a table or a setting must not.  (Functions of internal
-- arguments are called by the server alone, at places it knows.)
SELECT function, proparallel AS volatile_and_parallel FROM extension_functions
WHERE provolatile = 'v' AND proparallel = 's' AND prorettype NOT IN ('trigger'::regtype, 'index_am_handler'::regtype)
	AND NOT 'internal'::regtype = ANY (proargtypes::oid[]) ORDER BY function::text;

-- Reading a model costs more than adding two integers.
SELECT function, procost FROM extension_functions
WHERE provolatile = 's' AND procost <= 1 AND 'regclass'::regtype = ANY (proargtypes::oid[])
ORDER BY function::text;

-- SQL and PL/pgSQL bodies fix their search path, or say every name in full.
SELECT function FROM extension_functions JOIN pg_language l ON l.oid = prolang
WHERE lanname NOT IN ('c', 'internal') AND NOT coalesce(proconfig::text, '') LIKE '%search_path=%'
	AND coalesce(to_jsonb(extension_functions)->>'prosqlbody', '') = '' AND prosrc NOT LIKE '%OPERATOR(%'
ORDER BY function::text;

-- Nobody but the owner of the extension may run as somebody else.
SELECT function FROM extension_functions WHERE prosecdef ORDER BY function::text;
