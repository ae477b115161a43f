-- Would fail if co-occurrences were not counted as GloVe counts them, or if a
-- model were not trained, repeated, continued or refused as its arguments say.
SET client_min_messages = warning;
SET embed.progress = off;

-- a document's window ends with it; both directions are added, so a word met
-- with itself counts twice; 1 / distance
SELECT * FROM glove_cooccurrences(corpus => $$VALUES ('a b a c'), ('b b')$$, min_count => 1, window_size => 3)
ORDER BY word, context;
SELECT * FROM glove_cooccurrences(corpus => $$VALUES ('a b a c'), ('b b')$$, min_count => 1, window_size => 3,
	"symmetric" => false, distance_weighting => false)
ORDER BY word, context;
-- a published report's lines: an empty one, two blanks and a tab between words
SELECT string_agg(word || ' ' || context || ' ' || weight, ', ' ORDER BY word, context) AS left_only
FROM glove_cooccurrences(corpus => $$VALUES ('a b c a'), (''), ('b b'), (E'd a  b\tc')$$, min_count => 1, window_size => 2,
	"symmetric" => false);
SELECT string_agg(word || ' ' || context || ' ' || weight, ', ' ORDER BY word, context) AS two_or_more
FROM glove_cooccurrences(corpus => $$VALUES ('a b c a'), (''), ('b b'), (E'd a  b\tc')$$, min_count => 2, window_size => 2);
-- rare words are taken out before distances are measured
SELECT * FROM glove_cooccurrences(corpus => $$VALUES ('a x b'), ('a b')$$, min_count => 2, window_size => 1)
ORDER BY word, context;

-- the same counts, whether they fit into memory or not, and as SQL counts them
CREATE TABLE glove_text AS
SELECT d AS id, string_agg('w' || floor(power(('x' || substr(md5(d || ',' || p), 1, 6))::bit(24)::int / 16777216.0, 2) * 1500)::int, ' ' ORDER BY p) AS body
FROM generate_series(1, 40) d, generate_series(1, 400) p GROUP BY d;
CREATE TABLE glove_counts AS SELECT * FROM glove_cooccurrences(corpus => 'SELECT body FROM glove_text', min_count => 3, window_size => 12);
SET maintenance_work_mem = '1MB';
CREATE TABLE glove_spilled AS SELECT * FROM glove_cooccurrences(corpus => 'SELECT body FROM glove_text', min_count => 3, window_size => 12);
RESET maintenance_work_mem;
CREATE TABLE glove_expected AS
WITH tokens AS (
	SELECT t.id, k.token, row_number() OVER (PARTITION BY t.id ORDER BY k.position) AS at
	FROM glove_text t, text_tokens(t.body, 'embed_words') k
	WHERE k.token IN (SELECT k2.token FROM glove_text t2, text_tokens(t2.body, 'embed_words') k2 GROUP BY 1 HAVING count(*) >= 3))
SELECT a.token AS word, b.token AS context, sum(1.0::float8 / abs(a.at - b.at)) AS weight
FROM tokens a JOIN tokens b ON a.id = b.id AND a.at <> b.at AND abs(a.at - b.at) <= 12 GROUP BY 1, 2;
SELECT count(*) > 50000 AS many, count(DISTINCT (word, context)) = count(*) AS once FROM glove_counts;
SELECT count(*) AS differ FROM glove_counts c FULL JOIN glove_expected e USING (word, context)
WHERE c.weight IS NULL OR e.weight IS NULL OR abs(c.weight - e.weight) > 1e-9 * e.weight;
SELECT count(*) AS differ FROM glove_spilled c FULL JOIN glove_expected e USING (word, context)
WHERE c.weight IS NULL OR e.weight IS NULL OR abs(c.weight - e.weight) > 1e-9 * e.weight;

-- training: the same seed gives the same bits, whatever the workers
SELECT train_glove('glove_one', 'SELECT body FROM glove_text', dims => 20, epochs => 4, min_count => 3,
	workers => 1, seed => 7);
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'glove_one'::regclass AND attnum > 0 ORDER BY attnum;
-- losses depend on the processor
SELECT regexp_replace(pg_get_triggerdef(oid), 'losses=[-+0-9.e,]+', 'losses=...') FROM pg_trigger WHERE tgrelid = 'glove_one'::regclass;
SELECT train_glove('glove_three', 'SELECT body FROM glove_text', dims => 20, epochs => 4, min_count => 3,
	workers => 3, seed => 7);
SELECT train_glove('glove_other', 'SELECT body FROM glove_text', dims => 20, epochs => 4, min_count => 3,
	workers => 1, seed => 8);
SELECT count(*) > 500 AS words, bool_and(a.vector = b.vector) AS same_bits, bool_or(a.vector = c.vector) AS other_same
FROM glove_one a JOIN glove_three b USING (id, word) JOIN glove_other c USING (id, word) WHERE id > 0;
SELECT documents, occurrences > 10000 AS occurrences FROM glove_one WHERE id = 0;
SELECT method, dims, config FROM embed_models() WHERE model = 'glove_one'::regclass;

-- counts given as records make the same model
SELECT train_glove('glove_records', records => 'SELECT word, context, weight FROM glove_counts ORDER BY weight',
	dims => 20, epochs => 4, workers => 1, seed => 7);
SELECT count(*) AS words, count(documents) AS documents, count(occurrences) AS occurrences,
	(SELECT count(*) FROM glove_one) - count(*) AS missing
FROM glove_records;

-- two groups whose members meet twenty times as often as strangers: what
-- belongs together is near to each other
CREATE TABLE glove_meetings AS
SELECT a.n AS one, b.n AS other, CASE WHEN (a.n <= 10) = (b.n <= 10) THEN 20 ELSE 1 END AS times
FROM generate_series(1, 20) a(n), generate_series(1, 20) b(n) WHERE a.n <> b.n;
SELECT train_glove('glove_graph', records => 'SELECT one, other, times FROM glove_meetings', dims => 4,
	epochs => 200, x_max => 20, workers => 1, seed => 1);
SELECT avg(cosine_similarity(a.vector, b.vector)) FILTER (WHERE (a.word::int <= 10) = (b.word::int <= 10)) >
	avg(cosine_similarity(a.vector, b.vector)) FILTER (WHERE (a.word::int <= 10) <> (b.word::int <= 10)) + 0.5 AS apart
FROM glove_graph a JOIN glove_graph b ON a.id < b.id AND a.id > 0;

CREATE TABLE glove_topics AS
SELECT CASE WHEN n % 2 = 0
	THEN (ARRAY['the cat chases the mouse', 'the mouse fears the cat', 'the kitten becomes the cat', 'Cat, the kitten: asleep'])[1 + n / 2 % 4]
	ELSE (ARRAY['a ship sails a sea', 'a sailor dreads a storm', 'a boat follows a ship', 'Ship or a boat sink'])[1 + n / 2 % 4]
	END AS body
FROM generate_series(0, 399) n;
SELECT train_glove('glove_plain', 'SELECT body FROM glove_topics', dims => 10, epochs => 50, workers => 1, seed => 1);
SELECT embed('glove_plain', 'cat mouse') IS NOT NULL AS text, embed('glove_plain', 'cat mouse', pooling => 'sif') IS NOT NULL AS sif;

-- unknown words: nothing, or the mean of the hundred rarest words
SELECT word_vector('glove_plain', 'zebra') IS NULL AS nothing, embed('glove_plain', 'zebra') IS NULL AS no_text;
SELECT train_glove('glove_unknown', 'SELECT body FROM glove_topics', dims => 10, epochs => 50, workers => 1, seed => 1,
	unknown => 'mean');
SELECT max(abs(a.x - b.x)) < 1e-6 AS mean_of_all
FROM unnest((SELECT avg(vector) FROM glove_unknown WHERE word IS NOT NULL)::real[]) WITH ORDINALITY a(x, n)
JOIN unnest(word_vector('glove_unknown', 'zebra')::real[]) WITH ORDINALITY b(x, n) USING (n);
SELECT word_vector('glove_unknown', 'cat') = word_vector('glove_plain', 'cat') AS known_word,
	embed('glove_unknown', 'zebra') = word_vector('glove_unknown', 'zebra') AS text;

-- training goes on: ids stay, words are added, what the text has not stays
SELECT train_glove('glove_next', $$SELECT 'the dog chases the cat' FROM generate_series(1, 50)$$, from_model => 'glove_plain',
	epochs => 10, workers => 1, seed => 1);
SELECT count(*) FILTER (WHERE p.word = n.word) AS kept, count(*) FILTER (WHERE p.word IS NULL) AS added
FROM glove_plain p RIGHT JOIN glove_next n USING (id) WHERE id > 0;
SELECT word, p.vector = n.vector AS same, n.occurrences - p.occurrences AS occurrences
FROM glove_plain p JOIN glove_next n USING (id, word) WHERE word IN ('cat', 'ship') ORDER BY word;

-- too large numbers are said with their word
CREATE TABLE glove_huge AS SELECT * FROM glove_plain;
SELECT register_model('glove_huge', 'glove', 'embed_words', 'dims=10');
UPDATE glove_huge SET vector = array_fill(1e30::real, '{10}')::vector WHERE word IN ('cat', 'the');
SELECT train_glove('glove_broken', 'SELECT body FROM glove_topics', from_model => 'glove_huge', workers => 1, seed => 1);
SELECT to_regclass('glove_broken') IS NULL AS nothing_left;

-- replacing keeps the table
SELECT 'glove_next'::regclass::oid AS before \gset
SELECT train_glove('glove_next', 'SELECT body FROM glove_topics', dims => 10, epochs => 2, workers => 1, seed => 1, replace => true);
SELECT 'glove_next'::regclass::oid = :before AS same_table;

-- what cannot be trained
SELECT train_glove('glove_bad');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', records => 'SELECT 1, 2');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text');
SELECT train_glove('glove_bad', 'SELECT ''a''::text', min_count => 1);
SELECT train_glove('glove_bad', 'SELECT ''''::text', min_count => 1);
SELECT train_glove('glove_bad', 'SELECT ''a b''::text WHERE false');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, dims => 0);
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, x_max => 0);
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, eta => 'NaN');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, window_size => 100000);
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, unknown => 'guess');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, epochs => NULL);
SELECT train_glove('glove_bad', records => 'SELECT ''a'', ''b'', -1');
SELECT train_glove('glove_bad', records => 'SELECT ''a'', ''b'', ''NaN''::float8');
SELECT train_glove('glove_bad', records => 'SELECT ''a'', '''', 1');
SELECT train_glove('glove_bad', records => 'SELECT ''a'', ''b'', 1 WHERE false');
SELECT train_glove('glove_bad', records => 'SELECT ''a'', NULL::text, 1');
SELECT train_glove('glove_bad', records => 'SELECT ''a''');
SELECT train_glove('glove_bad', records => 'SELECT ''a'', ''b'', 1e308::float8 FROM generate_series(1, 3)');
SELECT train_glove('glove_bad', 'SELECT ''a b''::text', min_count => 1, from_model => 'glove_text');
SELECT glove_cooccurrences();
SELECT glove_cooccurrences('glove_plain', 'SELECT ''zebra gnu''::text');
SELECT * FROM glove_cooccurrences('glove_plain', 'SELECT ''the zebra cat''::text', window_size => 1);
SELECT count(*) FROM pg_class WHERE relname = 'glove_bad';
-- weights of any size
SELECT train_glove('glove_sizes', records => 'SELECT ''a'', ''b'', 1e300::float8 UNION ALL SELECT ''b'', ''a'', 1e-300::float8', dims => 3,
	seed => 1);
SELECT count(*) AS finite FROM glove_sizes WHERE vector::real[] IS NOT NULL;

DROP TABLE glove_text, glove_counts, glove_spilled, glove_expected, glove_one, glove_three, glove_other, glove_records,
	glove_meetings, glove_graph, glove_topics, glove_plain, glove_unknown, glove_next, glove_huge, glove_sizes;
