-- What both access methods offer for looking inside.

CREATE FUNCTION embed_index_check(index regclass)
RETURNS TABLE (block bigint, problem text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION embed_index_check(regclass) IS 'violated invariants found by walking a ktree or inverted index; no row means none';

CREATE FUNCTION embed_index_stats(index regclass)
RETURNS TABLE (property text, value float8)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION embed_index_stats(regclass) IS 'height, fill, size and calibration of a ktree or inverted index';

CREATE FUNCTION embed_index_scan_stats(OUT rounds bigint, OUT leaves bigint, OUT pages bigint,
	OUT codes bigint, OUT refined bigint, OUT exact bigint, OUT returned bigint)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION embed_index_scan_stats() IS 'what the last scan of a ktree or inverted index did in this session';

CREATE FUNCTION embed_index_recall(index regclass, query text, count integer DEFAULT 10) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION embed_index_recall(regclass, text, integer) IS 'share of the true nearest rows that an index finds for the vectors a query returns, under the present settings';
