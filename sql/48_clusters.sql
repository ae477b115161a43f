
-- clusters of texts, and what they are about

CREATE FUNCTION cluster_texts(query text, clusters integer DEFAULT NULL,
	encoder regclass DEFAULT NULL, features text DEFAULT NULL, seed bigint DEFAULT 1)
RETURNS TABLE (key text, cluster integer, distance float8)
AS 'MODULE_PATHNAME', 'cluster_texts' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000;
COMMENT ON FUNCTION cluster_texts(text, integer, regclass, text, bigint) IS 'clusters of texts or vectors that are alike, the largest first: spherical k-means';

CREATE FUNCTION cluster_terms(query text, vocabulary regclass, count integer DEFAULT 5)
RETURNS TABLE (cluster text, term text, weight float8)
AS 'MODULE_PATHNAME', 'cluster_terms' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 50;
COMMENT ON FUNCTION cluster_terms(text, regclass, integer) IS 'terms that tell what the texts of each cluster are about, the strongest first';
