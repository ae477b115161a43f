-- Would fail if a doc2vec model were not trained, repeated or continued as its
-- arguments say, or a text had more than one vector.
SET client_min_messages = warning;
SET embed.progress = off;

-- two topics: every other word is of one of them, those between are of both
CREATE FUNCTION d2v_words(seed text, topic integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg('of' || get_byte(h, 0) % 12 || ' ' || (ARRAY['cat', 'ship'])[topic + 1] || get_byte(h, 1) % 12, ' ' ORDER BY n)
	FROM (SELECT n, decode(md5(seed || n), 'hex') AS h FROM generate_series(1, 40) n) w
$$;
CREATE TABLE d2v_texts AS SELECT d2v_words(n::text, n % 2) AS body FROM generate_series(1, 200) n;
CREATE FUNCTION d2v_finds(model regclass) RETURNS boolean LANGUAGE sql AS $$
	WITH a AS MATERIALIZED (SELECT n, n % 2 AS topic, embed(model, d2v_words('a' || n, n % 2)) AS e FROM generate_series(1, 20) n)
	SELECT avg(x.e <=> y.e) FILTER (WHERE x.topic = y.topic) < avg(x.e <=> y.e) FILTER (WHERE x.topic <> y.topic) - 0.1
	FROM a AS x, a AS y WHERE x.n < y.n
$$;

-- each way of training
SELECT d2v_finds(train_doc2vec('d2v_bag', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, workers => 1, seed => 1));
SELECT d2v_finds(train_doc2vec('d2v_words', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, train_words => true,
	workers => 1, seed => 1));
SELECT d2v_finds(train_doc2vec('d2v_memory', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, method => 'dm',
	workers => 1, seed => 1));
SELECT d2v_finds(train_doc2vec('d2v_parallel', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, workers => 2, seed => 1));
\d d2v_bag
SELECT model, method, dims FROM embed_models() WHERE model::text LIKE 'd2v\_%' ORDER BY model::text;
-- words, and output rows where they are not the words' own
SELECT id, word, documents, occurrences, vector_dims(vector) FROM d2v_memory WHERE id < 4 ORDER BY id;
SELECT count(*) FILTER (WHERE word IS NOT NULL) AS words, count(*) FILTER (WHERE id > 1000000000) AS outputs FROM d2v_bag;
SELECT count(*) AS words, count(o.id) AS outputs FROM d2v_memory w LEFT JOIN d2v_memory o ON o.id = w.id + 1000000000 WHERE w.word IS NOT NULL;
-- a text's vector is near the words that it predicts
SELECT bool_and(word ~ 'cat') AS of_the_topic FROM nearest_words('d2v_bag', embed('d2v_bag', d2v_words('a2', 0)), 4);

-- a text has one vector: in each session, place and batch
SELECT count(DISTINCT e) = count(DISTINCT body) AS one_each FROM (SELECT body, embed('d2v_memory', body)::text AS e FROM d2v_texts, generate_series(1, 2)) t;
SELECT embed('d2v_bag', 'CAT2, unknownword of3!') = embed('d2v_bag', 'cat2 of3') AS same_known_words,
	embed_array('d2v_bag', ARRAY['ship1', 'cat2 of3'])::vector[] @> ARRAY[embed('d2v_bag', 'cat2 of3')] AS in_an_array;
SELECT embed('d2v_bag', 'unknownword') IS NULL AS unknown, embed('d2v_bag', '') IS NULL AS empty, embed('d2v_bag', NULL) IS NULL AS null;
SELECT position, token, embedding IS NOT NULL AS known FROM embed_tokens('d2v_bag', 'Of3 unknownword cat2');
SELECT embed('d2v_bag', 'cat1', pooling => 'mean');
SELECT vector_dims(embed('d2v_memory', repeat('cat1 of1 ship1 cat7 ', 20000))) AS of_a_long_text;

-- the same seed and one worker give the same bits, another seed does not
SELECT train_doc2vec('d2v_again', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, method => 'dm', workers => 1, seed => 1);
SELECT train_doc2vec('d2v_other', 'SELECT body FROM d2v_texts', dims => 20, sample => 0, epochs => 20, method => 'dm', workers => 1, seed => 2);
SELECT bool_and(a.vector = p.vector) AS same_bits, bool_and(o.vector <> p.vector) AS other_bits
FROM d2v_memory p JOIN d2v_again a USING (id) JOIN d2v_other o USING (id) WHERE id > 0;

-- a document that is longer than what a worker takes at once, among others
SELECT d2v_finds(train_doc2vec('d2v_long', $$SELECT string_agg(body, ' ') FROM d2v_texts, generate_series(1, 10)
	UNION ALL SELECT '' UNION ALL SELECT body FROM d2v_texts$$, epochs => 20, dims => 20, sample => 0, workers => 1, seed => 1));

-- training goes on: ids are kept, new words follow, what is not given is the model's
SELECT train_doc2vec('d2v_next', $$SELECT 'a dog and cat1 of1' FROM generate_series(1, 100)$$, from_model => 'd2v_memory',
	workers => 1, seed => 1);
SELECT count(*) = (SELECT count(*) FROM d2v_memory WHERE word IS NOT NULL) AS ids_kept FROM d2v_memory p JOIN d2v_next n USING (id, word);
SELECT n.id > (SELECT max(id) FROM d2v_memory WHERE word IS NOT NULL) AS appended, n.occurrences,
	EXISTS (SELECT FROM d2v_next o WHERE o.id = n.id + 1000000000) AS output
FROM d2v_next n WHERE word = 'dog';
SELECT p.vector = n.vector AS input_stays FROM d2v_memory p JOIN d2v_next n USING (id) WHERE p.word = 'ship1';
SELECT d2v_finds('d2v_next') AS nothing_forgotten;
SELECT train_doc2vec('d2v_next', $$SELECT 'a dog and cat1 of1' FROM generate_series(1, 100)$$, from_model => 'd2v_bag',
	workers => 1, seed => 1, replace => true);
SELECT d2v_finds('d2v_next') AS nothing_forgotten;

-- what cannot be trained
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', method => 'both');
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', method => 'dm', train_words => true);
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', negative => 0);
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', epochs => NULL);
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', alpha => 'NaN');
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', dims => 0);
SELECT train_doc2vec('d2v_bad', 'SELECT 1 AS id FROM d2v_texts');
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts WHERE false');
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', min_count => 1000000);
SELECT train_doc2vec('d2v_bag', 'SELECT body FROM d2v_texts');
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', from_model => 'd2v_bag', dims => 30);
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', from_model => 'd2v_bag', method => 'dm');
SELECT train_word2vec('d2v_vectors', 'SELECT body FROM d2v_texts', dims => 4, workers => 1, seed => 1);
SELECT train_doc2vec('d2v_bad', 'SELECT body FROM d2v_texts', from_model => 'd2v_vectors');
SELECT count(*) FROM pg_class WHERE relname = 'd2v_bad';
-- and a table that was changed
DELETE FROM d2v_memory WHERE id = 1000000001;
SELECT embed('d2v_memory', 'cat1');
UPDATE d2v_bag SET occurrences = NULL WHERE word = 'cat1';
SELECT embed('d2v_bag', 'ship1');
-- one word only
SELECT train_doc2vec('d2v_single', $$SELECT 'word word word' FROM generate_series(1, 10)$$, dims => 3, workers => 1, seed => 1);
SELECT vector_dims(embed('d2v_single', 'word')) AS dims;

DROP FUNCTION d2v_finds, d2v_words;
DROP TABLE d2v_texts, d2v_bag, d2v_words, d2v_memory, d2v_parallel, d2v_again, d2v_other, d2v_long, d2v_next, d2v_vectors, d2v_single;
