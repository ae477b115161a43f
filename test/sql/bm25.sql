-- If this failed, document <#> query would not be minus the BM25 score.
SET client_min_messages = warning;
CREATE TABLE bm25_docs (id integer, body text);
INSERT INTO bm25_docs VALUES
	(1, 'the cat sat on the mat'),
	(2, 'the dog sat on the log'),
	(3, 'cats and dogs and the mat');
SELECT train_vocabulary('bm25_m', 'SELECT body FROM bm25_docs', sort_by => 'term');

-- N = 3, D1, k1 = 1.2, b = 0.75, from bm25s and Lucene's formula:
-- the .083457, cat .445831, sat, on and mat .213638
SELECT term, round(-(bm25_document('bm25_m', 'the cat sat on the mat') <#> bm25_query('bm25_m', term))::numeric, 6) AS lucene
FROM unnest(ARRAY['the', 'cat', 'sat', 'on', 'mat']) AS term;
-- ATIRE, k1 = 1.5: the 0, cat 1.098612, sat, on and mat .405465
SELECT term, round(-(bm25_document('bm25_m', 'the cat sat on the mat', k1 => 1.5, variant => 'atire') <#> bm25_query('bm25_m', term, 'atire'))::numeric, 6) AS atire
FROM unnest(ARRAY['the', 'cat', 'sat', 'on', 'mat']) AS term;

-- Every variant against its formula written out in SQL, for every document
-- (those without any term of the query too), repeated query terms, and documents
-- of other lengths than the average.
INSERT INTO bm25_docs VALUES (4, 'the the the dog sat log log log log log log log log'), (5, 'mat'), (6, 'nothing known');
CREATE FUNCTION bm25_formula(variant text, c float8, df float8, n float8, b float8, k1 float8, mean_odds float8) RETURNS float8
LANGUAGE sql AS $$
	SELECT CASE variant
		WHEN 'lucene' THEN ln(1 + (n - df + 0.5) / (df + 0.5)) * c / (c + k1 * b)
		WHEN 'robertson' THEN greatest(0, ln((n - df + 0.5) / (df + 0.5))) * c / (c + k1 * b)
		WHEN 'okapi' THEN CASE WHEN ln((n - df + 0.5) / (df + 0.5)) < 0 THEN 0.25 * mean_odds
			ELSE ln((n - df + 0.5) / (df + 0.5)) END * c * (k1 + 1) / (c + k1 * b)
		WHEN 'atire' THEN ln(n / df) * c * (k1 + 1) / (c + k1 * b)
		WHEN 'bm25l' THEN ln((n + 1) / (df + 0.5)) * (k1 + 1) * (c / b + 0.5) / (k1 + c / b + 0.5)
		WHEN 'lv_zhai' THEN CASE WHEN c = 0 THEN 0 ELSE ln((n + 1) / (df + 0.5)) * (k1 + 1) * (c / b + 0.5) / (k1 + c / b + 0.5) END
		WHEN 'bm25plus' THEN CASE WHEN c = 0 THEN 0 ELSE ln((n + 1) / df) * (c * (k1 + 1) / (c + k1 * b) + 1) END
	END
$$;
SELECT variant, count(*) AS scores, count(DISTINCT round(expected::numeric, 6)) AS different,
	bool_and(abs(ours - expected) <= 1e-6 * greatest(1, abs(expected))) AS equal
FROM (
	SELECT variant, d.id, q.input,
		-(bm25_document('bm25_m', d.body, k1, b, variant) <#> bm25_query('bm25_m', q.input, variant)) AS ours,
		(SELECT sum(bm25_formula(variant,
				(SELECT count(*) FROM string_to_table(d.body, ' ') AS w WHERE w = t.term), t.documents, 3,
				1 - b + b * (SELECT count(*) FROM string_to_table(d.body, ' ')) / 6.0, k1,
				(SELECT avg(ln((3 - documents + 0.5) / (documents + 0.5))) FROM bm25_m WHERE id > 0)))
			FROM string_to_table(q.input, ' ') AS w JOIN bm25_m AS t ON t.term = w) AS expected
	FROM bm25_docs AS d,
		unnest(ARRAY['the cat', 'log dog log', 'mat mat and on sat', 'cats zebra']) AS q (input),
		unnest(ARRAY['lucene', 'robertson', 'okapi', 'atire', 'bm25l', 'bm25plus', 'lv_zhai']) AS variant,
		(VALUES (1.2, 0.75), (2.0, 0.0), (0.4, 1.0)) AS parameters (k1, b)) AS scores
GROUP BY variant ORDER BY variant;

-- ranking
SELECT id, round((bm25_document('bm25_m', body) <#> bm25_query('bm25_m', 'dog on a log'))::numeric, 4) AS distance
FROM bm25_docs ORDER BY 2, 1;
SELECT bm25_document('bm25_m', ''), bm25_query('bm25_m', 'zebra'), bm25_query('bm25_m', NULL) IS NULL AS null;

SELECT bm25_document('bm25_m', 'cat', variant => 'bm25f');
SELECT bm25_query('bm25_m', 'cat', 'Lucene');
SELECT bm25_document('bm25_m', 'cat', k1 => -1);
SELECT bm25_document('bm25_m', 'cat', k1 => 'NaN');
SELECT bm25_document('bm25_m', 'cat', b => 1.1);
SELECT bm25_document('bm25_m', 'cat', b => 'NaN');

DROP FUNCTION bm25_formula(text, float8, float8, float8, float8, float8, float8);
DROP TABLE bm25_docs, bm25_m;
