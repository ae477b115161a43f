-- Would fail if a text's vector were not the stated mean of its words'
-- vectors, or were computed more often than once a scan.
SET client_min_messages = warning;
SET embed.progress = off;

CREATE TABLE pooling_words (id integer PRIMARY KEY, word text, documents bigint,
	occurrences bigint, vector vector(3));
INSERT INTO pooling_words VALUES
	(0, NULL, 10, 100, NULL),
	(1, 'north', 4, 40, '[0,1,0]'),
	(2, 'east', 2, 10, '[1,0,0]'),
	(3, 'up', 1, 1, '[0,0,2]'),
	(4, 'nowhere', 1, 1, '[0,0,0]');
SELECT register_model('pooling_words', 'word2vec', 'embed_words', 'dims=3');

-- mean: each known word as often as it occurs
SELECT embed('pooling_words', 'north north EAST somewhere');
-- tfidf: weights ln(11/5)+1 twice, ln(11/3)+1; sklearn's smooth idf
SELECT round((embed('pooling_words', 'north north east', pooling => 'tfidf') <->
	ARRAY[ln(11/3.0)+1, 2*(ln(11/5.0)+1), 0]::vector *
	array_fill((1/(ln(11/3.0)+1 + 2*(ln(11/5.0)+1)))::real, ARRAY[3])::vector)::numeric, 6);
-- sif: 0.001/(0.001+0.4) twice and 0.001/(0.001+0.1), over three words
SELECT round((embed('pooling_words', 'north north east', pooling => 'sif') <->
	ARRAY[0.001/0.101/3, 2*0.001/0.401/3, 0]::vector)::numeric, 8);
SELECT embed('pooling_words', 'somewhere else') IS NULL AS none_known,
	embed('pooling_words', '') IS NULL AS empty,
	embed('pooling_words', NULL) IS NULL AS no_text,
	embed('pooling_words', 'nowhere') AS zero;
SELECT embed_array('pooling_words', ARRAY['north', NULL, 'somewhere', 'up east']);
SELECT embed_array('pooling_words', '{}');
SELECT * FROM embed_tokens('pooling_words', 'North, then up!');
SELECT word_vector('pooling_words', 'NORTH'), word_vector('pooling_words', 'somewhere'),
	word_vector('pooling_words', 'north east');

SELECT * FROM nearest_words('pooling_words', 'north', 2);
SELECT * FROM nearest_words('pooling_words', '[2,1,0]'::vector, 2);
SELECT * FROM nearest_words('pooling_words', 'somewhere');
SELECT * FROM nearest_words('pooling_words', 'nowhere');
SELECT * FROM nearest_words('pooling_words', 'north', 0);
SELECT * FROM nearest_words('pooling_words', 'north', -1);
SELECT * FROM nearest_words('pooling_words', '[1,2]'::vector);
SELECT word, round(similarity::numeric, 6) AS similarity
FROM analogy('pooling_words', '{north,up}', '{east}', 5);
SELECT * FROM analogy('pooling_words', '{north,somewhere}', '{}');
SELECT * FROM analogy('pooling_words', '{}', '{}');

SELECT embed('pooling_words', 'north', pooling => 'max');
SELECT embed('pooling_words', 'north', prompt => 'query: ');

-- a change by hand is seen at once
UPDATE pooling_words SET vector = '[0,3,0]' WHERE word = 'north';
SELECT embed('pooling_words', 'north');
UPDATE pooling_words SET documents = NULL WHERE id = 0;
SELECT embed('pooling_words', 'north', pooling => 'tfidf');
UPDATE pooling_words SET vector = NULL WHERE word = 'up';
SELECT embed('pooling_words', 'north');
UPDATE pooling_words SET vector = '[0,0,2]' WHERE word = 'up';

-- the query of a scan is encoded once in every plan
CREATE TABLE pooling_rows AS SELECT n AS id, ('[' || n || ',1,1]')::vector(3) AS e
FROM generate_series(1, 1000) n;
ANALYZE pooling_rows;
SELECT computed AS before FROM embed_call_statistics() \gset
SELECT id FROM pooling_rows ORDER BY e <=> embed('pooling_words', 'east up'), id LIMIT 1;
SELECT computed - :before AS computed FROM embed_call_statistics();
PREPARE pooling_query(text) AS
	SELECT id FROM pooling_rows ORDER BY e <=> embed('pooling_words', $1), id LIMIT 1;
EXECUTE pooling_query('east up');
SELECT computed - :before AS computed FROM embed_call_statistics();
DO $$
DECLARE found integer;
BEGIN
	SELECT id INTO found FROM pooling_rows
	ORDER BY e <=> embed('pooling_words', 'east up'), id LIMIT 1;
END $$;
SELECT computed - :before AS computed FROM embed_call_statistics();

SET plan_cache_mode = force_generic_plan;
EXECUTE pooling_query('north up');
SELECT computed - :before AS computed FROM embed_call_statistics();
RESET plan_cache_mode;

-- by an index
CREATE INDEX pooling_rows_e ON pooling_rows USING ktree (e);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM pooling_rows ORDER BY e <=> embed('pooling_words', 'east') LIMIT 1;
SELECT id FROM pooling_rows ORDER BY e <=> embed('pooling_words', 'east') LIMIT 1;
SELECT computed - :before AS computed FROM embed_call_statistics();
RESET enable_seqscan;

-- in parallel: workers read the model, too
CREATE TABLE pooling_texts AS
SELECT n AS id, (ARRAY['north', 'east up', 'north up up', 'unknown'])[1 + n % 4] AS body
FROM generate_series(1, 4000) n;
ANALYZE pooling_texts;
SELECT count(embed('pooling_words', body)) AS known, sum(embed('pooling_words', body)) AS total FROM pooling_texts;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF)
SELECT count(embed('pooling_words', body)) AS known, sum(embed('pooling_words', body)) AS total FROM pooling_texts;
SELECT count(embed('pooling_words', body)) AS known, sum(embed('pooling_words', body)) AS total FROM pooling_texts;
SELECT id FROM pooling_texts WHERE embed('pooling_words', body) IS NOT NULL
ORDER BY embed('pooling_words', body) <=> embed('pooling_words', 'up east'), id LIMIT 1;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

DROP TABLE pooling_texts, pooling_rows, pooling_words;
