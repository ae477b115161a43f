-- Broken if it differs: a search of several columns ranks otherwise than its
-- columns and its fusion say, a column that knows no word of the question
-- takes part, the statement that is shown is not the one that is run, or a
-- filter can be more than a condition.
SET embed.progress = off;
\pset format unaligned
CREATE TABLE search_fusion (id integer PRIMARY KEY, title text, price integer, "d" text);
INSERT INTO search_fusion VALUES (1, 'red fox', 10), (2, 'blue whale', 20), (3, 'red whale', 30), (4, 'blue fox', 40),
	(5, NULL, 50), (6, 'nothing known', 60), (7, 'red fox', 70), (8, 'fox', 80);
SELECT train_vocabulary('search_fusion_words', 'VALUES (''red fox''), (''blue whale''), (''green fox'')', capacity => 16, sort_by => 'term');
SELECT import_word_vectors('search_fusion_vectors', config => 'embed_words',
	data => convert_to(E'red 1 0\nfox 0 1\nblue -1 0\nwhale 0 -1\ncrimson 1 0.1\n', 'UTF8'));
SELECT count(*) FROM embed_column('search_fusion', '{title}', 'search_fusion_words', 'words');
SELECT count(*) FROM embed_column('search_fusion', '{title}', 'search_fusion_vectors', 'meaning');
CREATE FUNCTION search_fusion_rows(query text, VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT concat_ws('' '', (hit).id, (hit).title, round(score::numeric, 4), ranks) FROM embed_search(NULL::search_fusion, %L%s)',
		query, (SELECT string_agg(', ' || o, '') FROM unnest(options) o));
END $$;
-- both sides know the question; ties by key
SELECT search_fusion_rows('red fox');
SELECT (hit).id, score, ranks, distances FROM embed_search(NULL::search_fusion, 'red fox', 3);
-- one side only knows it, in both ways
SELECT search_fusion_rows('crimson');
SELECT search_fusion_rows('green');
-- a sparse side has those rows only that share a word
SELECT search_fusion_rows('green fox', $$columns => '{words}'$$);
-- none knows it; nothing is asked
SELECT search_fusion_rows('unheard of');
SELECT search_fusion_rows('');
SELECT count(*) FROM embed_search(NULL::search_fusion, NULL);
-- filter, count, columns, weights, fusion
SELECT search_fusion_rows('red fox', $$filter => 'price > 10 AND search_fusion.price < 80 -- cheap'$$, 'count => 2');
SELECT search_fusion_rows('red fox', $$columns => '{meaning}'$$, 'count => 3');
SELECT search_fusion_rows('red fox', $$weights => '{1,0.5}'$$, 'count => 3');
SELECT search_fusion_rows('red fox', $$fusion => 'score'$$);
SELECT search_fusion_rows('red fox', $$fusion => 'score'$$, $$weights => '{0,1}'$$, 'count => 3');
-- what only a column of weight 0 finds is not found
SELECT search_fusion_rows('crimson', $$weights => '{0,1}'$$);
-- what is shown is what is run: with the query, or with a parameter
CREATE FUNCTION search_fusion_same(query text, parameter boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint; statement text := embed_search_sql(NULL::search_fusion, CASE WHEN parameter THEN NULL ELSE query END, 5);
BEGIN
	CREATE TEMP TABLE shown (hit search_fusion, score float8, ranks integer[], distances float8[]);
	IF parameter THEN EXECUTE 'INSERT INTO shown ' || statement USING query; ELSE EXECUTE 'INSERT INTO shown ' || statement; END IF;
	SELECT count(*) INTO result FROM (TABLE shown EXCEPT SELECT * FROM embed_search(NULL::search_fusion, query, 5)) x;
	result := result + (SELECT count(*) FROM shown) * 100;
	DROP TABLE shown;
	RETURN result;
END $$;
SELECT search_fusion_same('red ''fox''', false), search_fusion_same('red fox', true);
SELECT embed_search_sql(NULL::search_fusion, 'it''s red', 3, columns => '{words}', filter => 'price < 5', fusion => 'score');
-- the operator is the one that the column's index has
DROP INDEX search_fusion_meaning_idx;
CREATE INDEX ON search_fusion USING ktree (meaning vector_l2_ops);
SELECT (hit).id, distances FROM embed_search(NULL::search_fusion, 'red whale', 2, columns => '{meaning}');
SET enable_seqscan = off;
CREATE FUNCTION search_fusion_indexes(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
	IF line ~ 'Index Scan' THEN RETURN NEXT trim(line, ' ->'); END IF; END LOOP; END $$;
SELECT search_fusion_indexes(embed_search_sql(NULL::search_fusion, 'red fox'));
RESET enable_seqscan;
-- without a key; partitions; a key of two columns of other types
CREATE TABLE search_fusion_parts (tenant text, n bigint, body varchar, PRIMARY KEY (tenant, n)) PARTITION BY LIST (tenant);
CREATE TABLE search_fusion_a PARTITION OF search_fusion_parts FOR VALUES IN ('a');
CREATE TABLE search_fusion_b PARTITION OF search_fusion_parts FOR VALUES IN ('b');
INSERT INTO search_fusion_parts VALUES ('b', 1, 'red fox'), ('a', 2, 'red fox'), ('a', 1, 'fox'), ('b', 0, 'whale');
SELECT count(*) FROM embed_column('search_fusion_parts', '{body}', 'search_fusion_words', 'words');
SELECT hit, ranks FROM embed_search(NULL::search_fusion_parts, 'red fox');
ALTER TABLE search_fusion_parts DROP CONSTRAINT search_fusion_parts_pkey;
SELECT hit, ranks FROM embed_search(NULL::search_fusion_parts, 'red fox');
SELECT hit, ranks FROM embed_search(NULL::search_fusion_a, 'red fox');
-- evaluation: by hand, ndcg of one relevant row of grade 2 at rank 2 is 1 / log2(3)
CREATE TABLE search_fusion_judged (query text, id integer, grade integer);
INSERT INTO search_fusion_judged VALUES ('fox', 1, 2), ('fox', 8, -1), ('fox', 2, 0), ('whale', 2, 1), ('whale', 3, 3), ('unheard of', 4, 1);
SELECT columns, fusion, weights, round(ndcg::numeric, 4) AS ndcg, round(map::numeric, 4) AS map, round(recall::numeric, 4) AS recall, round(mrr::numeric, 4) AS mrr, queries
FROM evaluate_search(NULL::search_fusion, 'TABLE search_fusion_judged', 2);
SELECT columns, round(ndcg::numeric, 4) AS ndcg, queries FROM evaluate_search(NULL::search_fusion, $$SELECT * FROM search_fusion_judged WHERE query = 'fox'$$, 2, '{words}');
-- keys are compared by their type, however the judgements write them
CREATE TABLE search_fusion_keys (blank char(5), host inet, code uuid, price numeric(6,2), fine boolean, name text COLLATE "C", title text);
INSERT INTO search_fusion_keys VALUES ('a', '10.0.0.1', '00000000-0000-0000-0000-00000000000a', 1, true, 'a', 'red fox'), ('b', '10.0.0.2', '00000000-0000-0000-0000-00000000000b', 2, false, 'b', 'whale');
SELECT count(*) FROM embed_column('search_fusion_keys', '{title}', 'search_fusion_words', 'words');
CREATE FUNCTION search_fusion_keyed(key text, judged text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; BEGIN
	EXECUTE format('ALTER TABLE search_fusion_keys DROP CONSTRAINT IF EXISTS search_fusion_keys_pkey, ADD PRIMARY KEY (%s)', key);
	SELECT ndcg || ' ' || recall INTO result FROM evaluate_search(NULL::search_fusion_keys, format('SELECT title, %s, 1 FROM search_fusion_keys', judged));
	RETURN result;
EXCEPTION WHEN data_exception THEN RETURN SQLERRM; END $$;
SELECT key, judged, search_fusion_keyed(key, judged) FROM (VALUES ('blank', 'blank'), ('blank', 'blank::text'), ('host', 'host'), ('host', 'host::text'),
	('code', 'code'), ('code', 'upper(code::text)'), ('price', 'price'), ('price', 'price::integer'), ('price', 'price::float8'), ('fine', 'fine'), ('fine', 'fine::text'),
	('name', 'name'), ('name', 'blank'), ('blank, price', 'ROW(blank, price)'), ('blank, price', 'ROW(blank, price)::text'), ('price', 'title')) AS v (key, judged);
-- errors
\set VERBOSITY default
SELECT * FROM embed_search('x'::text, 'fox');
SELECT * FROM embed_search(NULL::search_fusion_judged, 'fox');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', 0);
SELECT * FROM embed_search(NULL::search_fusion, 'fox', candidates => 1000000);
SELECT * FROM embed_search(NULL::search_fusion, 'fox', columns => '{title}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', columns => '{NULL}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', columns => '{}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', fusion => 'mean');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', weights => '{1}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', weights => '{1,-1}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', weights => '{1,NaN}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', weights => '{0,0}');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'true) UNION SELECT (1');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'true) ORDER BY (1');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'false) OR (true');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'true ORDER BY 1');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => '');
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'true); DROP TABLE search_fusion; SELECT (1');
\set VERBOSITY terse
SELECT * FROM embed_search(NULL::search_fusion, 'fox', filter => 'no_such_column > 1');
\set VERBOSITY default
SELECT * FROM evaluate_search(NULL::search_fusion, 'SELECT query, id FROM search_fusion_judged');
SELECT * FROM evaluate_search(NULL::search_fusion, 'SELECT query, id, grade FROM search_fusion_judged WHERE false');
SELECT * FROM evaluate_search(NULL::search_fusion, 'SELECT ''fox'', 1, 1 FROM generate_series(1, 2)');
SELECT * FROM evaluate_search(NULL::search_fusion, 'SELECT ''fox'', 1, NULL::integer');
SELECT * FROM evaluate_search(NULL::search_fusion_parts, 'SELECT ''fox'', 1, 1');
SET client_min_messages = error;
DROP TABLE search_fusion, search_fusion_words, search_fusion_vectors, search_fusion_parts, search_fusion_judged, search_fusion_keys;
DROP FUNCTION search_fusion_rows, search_fusion_same, search_fusion_indexes, search_fusion_keyed;
