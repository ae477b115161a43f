-- Hybrid search: one query fuses the rankings of a sparse and a dense index.
-- A failure would rank by one index only, or not use them.
SET client_min_messages = warning;
SET jit = off;
CREATE TABLE hybrid_docs (id int, terms sparsevec(50), meaning vector(4));
INSERT INTO hybrid_docs
	SELECT n, format('{%s:1,%s:2}/50', 1 + n % 20, 21 + n % 30)::sparsevec,
		ARRAY[sin(n), cos(n), sin(n / 7.0), 0.1]::vector
	FROM generate_series(1, 3000) AS n;
CREATE INDEX hybrid_terms ON hybrid_docs USING inverted (terms);
CREATE INDEX hybrid_meaning ON hybrid_docs USING ktree (meaning);
VACUUM ANALYZE hybrid_docs;

CREATE VIEW hybrid_search AS
WITH sparse AS MATERIALIZED (
	SELECT id, row_number() OVER (ORDER BY distance, id) AS rank
	FROM (SELECT id, terms <#> '{4:1,30:3}/50' AS distance FROM hybrid_docs
		  ORDER BY terms <#> '{4:1,30:3}/50' LIMIT 50) AS best
), dense AS MATERIALIZED (
	SELECT id, row_number() OVER (ORDER BY distance, id) AS rank
	FROM (SELECT id, meaning <=> '[0.5,0.5,0.2,0.1]' AS distance FROM hybrid_docs
		  ORDER BY meaning <=> '[0.5,0.5,0.2,0.1]' LIMIT 50) AS best
)
SELECT id, rrf_score(sparse.rank) + rrf_score(dense.rank) AS score,
	sparse.rank AS sparse_rank, dense.rank AS dense_rank
FROM sparse FULL JOIN dense USING (id)
ORDER BY score DESC, id LIMIT 10;

-- both indexes are used
CREATE FUNCTION hybrid_indexes() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN SELECT * FROM hybrid_search' LOOP
		IF line LIKE '%Index Scan using%' THEN
			RETURN NEXT substring(line FROM 'Index Scan using \w+');
		END IF;
	END LOOP;
END $$;
SELECT * FROM hybrid_indexes() ORDER BY 1;

-- the fused order is that of the same ranks by sequential scans
SELECT count(*), bool_and(score = coalesce(rrf_score(sparse_rank), 0) + coalesce(rrf_score(dense_rank), 0)) AS sums
FROM hybrid_search;
SELECT bool_and(h.terms <#> '{4:1,30:3}/50' <= (SELECT max(d) FROM (SELECT terms <#> '{4:1,30:3}/50' AS d
	FROM hybrid_docs ORDER BY 1 LIMIT 50) AS x)) AS among_the_best_terms
FROM hybrid_search AS s JOIN hybrid_docs AS h USING (id) WHERE sparse_rank IS NOT NULL;
DROP VIEW hybrid_search;
DROP TABLE hybrid_docs;
DROP FUNCTION hybrid_indexes;
