-- Would fail if a word2vec model were not trained, named, repeated or
-- continued as its arguments say.
SET client_min_messages = warning;
SET embed.progress = off;

-- two topics that share no word
CREATE TABLE w2v_text AS
SELECT n AS id, CASE WHEN n % 2 = 0
	THEN (ARRAY['the cat chases the mouse', 'the mouse fears the cat', 'the kitten becomes the cat', 'Cat, the kitten: asleep'])[1 + n / 2 % 4]
	ELSE (ARRAY['a ship sails a sea', 'a sailor dreads a storm', 'a boat follows a ship', 'Ship or a boat sink'])[1 + n / 2 % 4]
	END AS body
FROM generate_series(0, 1999) n;

SELECT train_word2vec('w2v_plain', 'SELECT body FROM w2v_text', dims => 20, sample => 0,
	epochs => 10, workers => 1, seed => 42);
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'w2v_plain'::regclass AND attnum > 0 ORDER BY attnum;
-- losses depend on the processor
SELECT regexp_replace(pg_get_triggerdef(oid), 'losses=[-+0-9.e,]+', 'losses=...') FROM pg_trigger WHERE tgrelid = 'w2v_plain'::regclass;
SELECT id, word, documents, occurrences, vector_dims(vector)
FROM w2v_plain WHERE id < 6 ORDER BY id;
SELECT documents = 2000 AS all_documents,
	occurrences = (SELECT sum(occurrences) FROM w2v_plain WHERE id > 0) AS all_words
FROM w2v_plain WHERE id = 0;
SELECT method, dims, config FROM embed_models() WHERE model = 'w2v_plain'::regclass;

-- words of a topic are nearer to each other than to the other topic
SELECT word_vector('w2v_plain', 'cat') <=> word_vector('w2v_plain', 'kitten') <
	word_vector('w2v_plain', 'cat') <=> word_vector('w2v_plain', 'boat') AS related;
SELECT embed('w2v_plain', 'cat') <=> embed('w2v_plain', 'kitten and mouse') <
	embed('w2v_plain', 'cat') <=> embed('w2v_plain', 'storm at sea') AS related;

-- the same seed and one worker give the same bits, another seed does not
SELECT train_word2vec('w2v_again', 'SELECT body FROM w2v_text', dims => 20, sample => 0,
	epochs => 10, workers => 1, seed => 42);
SELECT train_word2vec('w2v_other', 'SELECT body FROM w2v_text', dims => 20, sample => 0,
	epochs => 10, workers => 1, seed => 43);
SELECT bool_and(a.vector = p.vector) AS same_bits, bool_and(o.vector <> p.vector) AS other_bits
FROM w2v_plain p JOIN w2v_again a USING (id) JOIN w2v_other o USING (id) WHERE id > 0;

-- windows never cross rows: where each row is one word, nothing moves from
-- its first value, which is below 0.5 / 20
SELECT train_word2vec('w2v_rows', $$SELECT unnest('{cat,mouse}'::text[]) FROM generate_series(1, 500)$$,
	dims => 20, sample => 0, workers => 1, seed => 1);
SELECT max(abs(x)) <= 0.025 AS untrained FROM w2v_rows, unnest(vector::real[]) AS x;
SELECT train_word2vec('w2v_rows', $$SELECT 'cat mouse' FROM generate_series(1, 500)$$,
	dims => 20, sample => 0, workers => 1, seed => 1, replace => true);
SELECT max(abs(x)) <= 0.025 AS untrained FROM w2v_rows, unnest(vector::real[]) AS x;

-- each way of training finds which words have the same neighbour
CREATE TABLE w2v_pairs AS
SELECT (ARRAY['cat meows', 'ship sails', 'kitten meows', 'boat sails'])[1 + n % 4] AS body
FROM generate_series(0, 1999) n;
CREATE FUNCTION w2v_finds(model regclass) RETURNS boolean LANGUAGE sql AS $$
	SELECT word_vector(model, 'ship') <=> word_vector(model, 'boat') <
		word_vector(model, 'ship') <=> word_vector(model, 'kitten')
$$;
SELECT w2v_finds(train_word2vec('w2v_cbow', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	algorithm => 'cbow', epochs => 20, alpha => 0.05, workers => 1, seed => 1));
SELECT w2v_finds(train_word2vec('w2v_tree', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	negative => 0, hierarchical_softmax => true, epochs => 10, workers => 1, seed => 1));
SELECT w2v_finds(train_word2vec('w2v_both', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	hierarchical_softmax => true, algorithm => 'cbow', epochs => 20, alpha => 0.05,
	workers => 1, seed => 1));
SELECT w2v_finds(train_word2vec('w2v_parallel', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	epochs => 10, workers => 2, seed => 1));

-- workers that are not to be had are done without
BEGIN;
SET LOCAL max_parallel_workers = 0;
SELECT w2v_finds(train_word2vec('w2v_alone', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	epochs => 10, workers => 3, seed => 1));
ROLLBACK;

-- subwords: unseen words have vectors, and buckets are rows of the table
SELECT w2v_finds(train_word2vec('w2v_subwords', 'SELECT body FROM w2v_pairs', dims => 20, sample => 0,
	min_n => 3, max_n => 5, buckets => 5000, epochs => 10, workers => 1, seed => 1));
SELECT count(*) FILTER (WHERE id >= 1000000000 AND id < 1000005000) > 30 AS buckets,
	count(*) FILTER (WHERE id >= 1000005000) AS beyond
FROM w2v_subwords WHERE word IS NULL;
SELECT word_vector('w2v_plain', 'kittens') IS NULL AS unknown,
	word_vector('w2v_subwords', 'kittens') IS NOT NULL AS composed;
SELECT word IN ('cat', 'kitten') AS nearest FROM nearest_words('w2v_subwords', 'kittens', 1);

-- min_count, and a stemming configuration
SELECT train_word2vec('w2v_english', 'SELECT body FROM w2v_text', config => 'english',
	dims => 4, min_count => 501, workers => 1, seed => 1);
SELECT word, occurrences FROM w2v_english WHERE id > 0 ORDER BY id;
SELECT word_vector('w2v_english', 'Cats') = word_vector('w2v_english', 'cat') AS same_stem;

-- continued training keeps ids, adds words
SELECT train_word2vec('w2v_next',
	$$SELECT 'the dog chases the cat' FROM generate_series(1, 100)$$,
	from_model => 'w2v_plain', sample => 0, workers => 1, seed => 1);
SELECT count(*) AS ids_kept FROM w2v_plain p JOIN w2v_next n USING (id, word);
SELECT count(*) AS words FROM w2v_plain WHERE word IS NOT NULL;
SELECT n.id > (SELECT max(id) FROM w2v_plain) AS appended, n.occurrences
FROM w2v_next n WHERE word = 'dog';

-- counts are those of all text; words that the new text has not stay as they
-- are, those that it has seldom nearly so
SELECT n.documents - p.documents AS documents, n.occurrences - p.occurrences AS occurrences, word
FROM w2v_plain p JOIN w2v_next n USING (id, word) WHERE word IN ('cat', 'the', 'ship') ORDER BY word;
SELECT n.documents - p.documents AS documents, n.occurrences - p.occurrences AS occurrences
FROM w2v_plain p JOIN w2v_next n USING (id) WHERE id = 0;
SELECT word, p.vector = n.vector AS same, cosine_similarity(p.vector, n.vector) > 0.95 AS near
FROM w2v_plain p JOIN w2v_next n USING (id, word) WHERE word IN ('cat', 'ship') ORDER BY word;
SELECT word_vector('w2v_next', 'dog') <=> word_vector('w2v_next', 'cat') <
	word_vector('w2v_next', 'dog') <=> word_vector('w2v_next', 'ship') AS related;
-- the same with subwords, and from vectors that do not say their counts
SELECT train_word2vec('w2v_subwords_next', $$SELECT 'cats meow' FROM generate_series(1, 500)$$,
	from_model => 'w2v_subwords', sample => 0, workers => 1, seed => 1);
SELECT word, cosine_similarity(p.vector, n.vector) > 0.95 AS near
FROM w2v_subwords p JOIN w2v_subwords_next n USING (id, word) WHERE word IN ('cat', 'ship') ORDER BY word;
SELECT count(*) AS old_buckets_lost FROM w2v_subwords p LEFT JOIN w2v_subwords_next n USING (id) WHERE n.id IS NULL;
UPDATE w2v_plain SET documents = NULL, occurrences = NULL;
SELECT train_word2vec('w2v_next', $$SELECT 'the dog chases the cat' FROM generate_series(1, 100)$$,
	from_model => 'w2v_plain', sample => 0, workers => 1, seed => 1, replace => true);
SELECT word, documents, occurrences FROM w2v_next WHERE word IN ('cat', 'dog', 'ship') OR id = 0 ORDER BY word;

-- an argument that is not given is that of the model trained on, or the default
SELECT train_word2vec('w2v_base', 'SELECT body FROM w2v_text', config => 'english', dims => 6, algorithm => 'cbow',
	window_size => 3, negative => 0, hierarchical_softmax => true, sample => 0, epochs => 2, alpha => 0.04,
	min_count => 2, min_n => 3, max_n => 4, buckets => 1000, workers => 1, seed => 1);
SELECT train_word2vec('w2v_on', 'SELECT body FROM w2v_text LIMIT 200', from_model => 'w2v_base', workers => 1, seed => 1);
SELECT DISTINCT method, dims, config, options FROM embed_models() WHERE model IN ('w2v_base'::regclass, 'w2v_on'::regclass);
SELECT train_word2vec('w2v_on', 'SELECT body FROM w2v_text LIMIT 200', from_model => 'w2v_base', config => 'simple', epochs => 1,
	algorithm => 'skipgram', dims => 6, workers => 1, seed => 1, replace => true);
SELECT dims, config, options FROM embed_models() WHERE model = 'w2v_on'::regclass;
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', from_model => 'w2v_base', dims => 7);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', from_model => 'w2v_base', max_n => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', from_model => 'w2v_base', buckets => 2000000);
SELECT import_word_vectors('w2v_glove', data => E'the 1 2\ncat 3 4\n');
SELECT train_word2vec('w2v_on', 'SELECT body FROM w2v_text LIMIT 200', from_model => 'w2v_glove', workers => 1, seed => 1, replace => true);
SELECT method, dims, config, options FROM embed_models() WHERE model = 'w2v_on'::regclass;
SELECT train_word2vec('w2v_on', 'SELECT body FROM w2v_text LIMIT 200', config => NULL, dims => NULL, epochs => NULL, workers => 1, seed => 1,
	replace => true);
SELECT method, dims, config, options FROM embed_models() WHERE model = 'w2v_on'::regclass;

-- replacing keeps the table
SELECT 'w2v_again'::regclass::oid AS before \gset
SELECT train_word2vec('w2v_again', 'SELECT body FROM w2v_text WHERE id % 2 = 0', dims => 20, sample => 0,
	workers => 1, seed => 1, replace => true);
SELECT 'w2v_again'::regclass::oid = :before AS same_table,
	word_vector('w2v_again', 'ship') IS NULL AS new_contents;

-- bad arguments
SELECT train_word2vec('w2v_plain', 'SELECT body FROM w2v_text');
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', dims => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', dims => 16001);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', algorithm => 'glove');
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', window_size => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', negative => 64);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', negative => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', alpha => 'NaN');
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', epochs => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', min_n => 4, max_n => 3);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', workers => 0);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', min_count => 100000);
SELECT train_word2vec('w2v_bad', NULL);
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text WHERE false');
SELECT train_word2vec('w2v_bad', 'SELECT 1/0');
SELECT train_word2vec('w2v_bad', 'SELECT body FROM w2v_text', from_model => 'w2v_text');
SET maintenance_work_mem = '1MB';
SELECT train_word2vec('w2v_bad', 'SELECT md5(n::text) FROM generate_series(1, 100000) n');
RESET maintenance_work_mem;
SELECT to_regclass('w2v_bad') IS NULL AS nothing_left;

DROP FUNCTION w2v_finds;
DROP TABLE w2v_text, w2v_pairs, w2v_plain, w2v_again, w2v_other, w2v_cbow, w2v_tree, w2v_both,
	w2v_parallel, w2v_subwords, w2v_subwords_next, w2v_english, w2v_next, w2v_rows, w2v_base, w2v_on, w2v_glove;
