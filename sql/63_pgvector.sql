-- Beside pgvector: the access methods for columns of its types.

CREATE FUNCTION embed_use_pgvector() RETURNS TABLE (kind text, statement text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION embed_use_pgvector() IS 'makes operator classes of ktree and inverted for pgvector''s own types, and casts between its types and these; returns what it ran';
