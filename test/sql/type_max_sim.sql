-- Would fail if late interaction were not the sum over the query's vectors of
-- the largest inner product with one of the document's.
SELECT max_sim(ARRAY['[1,0]', '[0,1]']::vector[], ARRAY['[0.5,0.25]', '[0.125,2]', '[-3,-3]']::vector[]) AS two_and_a_half;
SELECT max_sim(ARRAY['[-1,0]']::vector[], ARRAY['[2,0]', '[3,0]']::vector[]) AS minus_two;
-- what a model does not know takes no part
SELECT max_sim(ARRAY[NULL, '[1,0]']::vector[], ARRAY['[2,7]', NULL]::vector[]) AS two,
	max_sim(ARRAY[NULL]::vector[], ARRAY['[1]']::vector[]) AS no_query, max_sim(ARRAY['[1]']::vector[], '{}') AS no_document, max_sim(NULL, '{}') AS nothing;
SELECT max_sim(ARRAY['[1,0]']::vector[], ARRAY['[1]']::vector[]);
SELECT max_sim(ARRAY['[1,0]', '[1]']::vector[], ARRAY['[1,0]']::vector[]);
-- by definition, of random vectors
SELECT setseed(0.19);
CREATE TABLE max_sim_rows AS SELECT side, row, ARRAY(SELECT (random() - 0.5)::real FROM generate_series(1, 33 + row * 0))::vector AS v
	FROM (VALUES ('query', 7), ('document', 19)) AS s(side, count), generate_series(1, count) row;
WITH best AS (SELECT max(inner_product(q.v, d.v)) AS best FROM max_sim_rows q, max_sim_rows d WHERE q.side = 'query' AND d.side = 'document' GROUP BY q.row)
SELECT abs(max_sim((SELECT array_agg(v) FROM max_sim_rows WHERE side = 'query'), (SELECT array_agg(v) FROM max_sim_rows WHERE side = 'document')) - sum(best)) < 1e-6 AS equal FROM best;
DROP TABLE max_sim_rows;
