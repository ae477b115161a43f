-- Would fail if examples made of labels, structure or a corpus were others than
-- they should be.
CREATE TABLE tex_words (id integer, word text, documents bigint, occurrences bigint, vector vector(2));
INSERT INTO tex_words VALUES (0, NULL, NULL, NULL, NULL), (1, 'north', NULL, NULL, '[0,1]'), (2, 'east', NULL, NULL, '[1,0]'), (3, 'south', NULL, NULL, '[0,-1]'),
	(4, 'northeast', NULL, NULL, '[1,1]'), (5, 'nearly', NULL, NULL, '[1,10]'), (6, 'between', NULL, NULL, '[1,2]');
SELECT register_model('tex_words', 'word2vec', 'embed_words');

-- the nearest that are less near than the positive by 0.05: not the positives of the anchor, not the anchor
SELECT * FROM mine_negatives('tex_words', $$VALUES ('north', 'between'), ('north', 'nearly'), ('east', 'northeast'), ('nobody', 'east'), (NULL, 'east')$$,
	'SELECT word FROM tex_words UNION ALL SELECT ''unknown'' UNION ALL SELECT word FROM tex_words', per_pair => 2);
SELECT negative FROM mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT word FROM tex_words', margin => -2);
SELECT negative FROM mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT word FROM tex_words', margin => 1);
SELECT count(*) FROM mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT word FROM tex_words WHERE false');
SELECT mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT word FROM tex_words', per_pair => 0);
SELECT mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT word FROM tex_words', margin => 'NaN');
SELECT mine_negatives('tex_words', $$VALUES ('north')$$, 'SELECT word FROM tex_words');
SELECT mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT id FROM tex_words');

-- a corpus whose vectors are kept beside it and have an index is searched by that, and the same is found
CREATE TABLE tex_corpus AS SELECT n AS id, (SELECT string_agg(word, ' ' ORDER BY word) FROM tex_words w WHERE w.id > 0 AND (n >> (w.id - 1)) & 1 = 1) AS body FROM generate_series(1, 250) n;
SELECT count(*) AS steps FROM embed_column('tex_corpus', '{body}', 'tex_words', 'meaning');
CREATE TEMP TABLE tex_indexed AS SELECT * FROM mine_negatives('tex_words', $$VALUES ('north', 'between'), ('east', 'northeast'), ('west', 'nobody')$$, 'SELECT body FROM tex_corpus', per_pair => 4);
CREATE TEMP TABLE tex_exact AS SELECT * FROM mine_negatives('tex_words', $$VALUES ('north', 'between'), ('east', 'northeast'), ('west', 'nobody')$$, 'SELECT body FROM tex_corpus WHERE true', per_pair => 4);
SELECT (SELECT count(*) FROM tex_indexed) AS mined, (SELECT count(*) FROM tex_exact) AS exact,
	(SELECT max(abs(a.s - b.s)) < 1e-6 FROM (SELECT anchor, round(cosine_similarity(embed('tex_words', anchor), embed('tex_words', negative))::numeric, 6) AS s, row_number() OVER (PARTITION BY anchor ORDER BY cosine_similarity(embed('tex_words', anchor), embed('tex_words', negative)) DESC) AS r FROM tex_indexed) a
		JOIN (SELECT anchor, round(cosine_similarity(embed('tex_words', anchor), embed('tex_words', negative))::numeric, 6) AS s, row_number() OVER (PARTITION BY anchor ORDER BY cosine_similarity(embed('tex_words', anchor), embed('tex_words', negative)) DESC) AS r FROM tex_exact) b USING (anchor, r)) AS as_near,
	(SELECT count(*) FROM tex_indexed WHERE negative IN (anchor, positive)) AS own;
-- another model, a condition, another column: read
SELECT count(*) > 0 AS read FROM mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT upper(body) FROM tex_corpus');
SELECT count(*) > 0 AS read FROM mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT body FROM tex_corpus LIMIT 200');
SELECT mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT nothing FROM tex_corpus');
SELECT mine_negatives('tex_words', $$VALUES ('north', 'between')$$, 'SELECT body FROM');

-- one of the label, one of another, for each text
CREATE TABLE tex_texts AS SELECT 't' || n AS body, n % 3 AS topic FROM generate_series(1, 30) n;
SELECT score, count(*), count(DISTINCT sentence1) AS texts, bool_and((a.topic = b.topic) = (score = 1)) AS right, bool_and(sentence1 <> sentence2) AS differ
FROM pairs_from_labels('SELECT body, topic FROM tex_texts', per_text => 3, seed => 5) p
JOIN tex_texts a ON a.body = sentence1 JOIN tex_texts b ON b.body = sentence2 GROUP BY score ORDER BY score;
SELECT count(*) AS same FROM (TABLE tex_texts) t, pairs_from_labels('SELECT body, topic FROM tex_texts', seed => 5) p
	JOIN pairs_from_labels('SELECT body, topic FROM tex_texts', seed => 5) q USING (sentence1, sentence2, score) WHERE t.body = 't1';
SELECT * FROM pairs_from_labels('VALUES (''alone'', ''x''), (''one'', ''y'')', seed => 1);
SELECT count(*) FROM pairs_from_labels('SELECT body, topic FROM tex_texts WHERE false');
SELECT pairs_from_labels('SELECT body, topic FROM tex_texts', per_text => 0);
SELECT pairs_from_labels('SELECT body FROM tex_texts');
SELECT pairs_from_labels(NULL);
SELECT pairs_from_structure(NULL);
SELECT mine_negatives(NULL, 'SELECT 1', 'SELECT 1');
SELECT mine_negatives('tex_words', 'SELECT 1', NULL);
SELECT mine_negatives('tex_words', 'SELECT 1', 'SELECT 1', margin => NULL);
SELECT import_adapter('tex_adapted', 'tex_words', NULL);
-- passages that have one place follow each other as the query gives them
SELECT string_agg(anchor || '-' || positive, ' ') AS pairs
FROM pairs_from_structure($$SELECT 'd' AS document, n % 2 AS position, 'p' || n AS text FROM generate_series(1, 40) n$$);

-- a heading and its passage, a passage and the next one of its document
CREATE TABLE tex_passages (page text, number integer, title text, body text);
INSERT INTO tex_passages VALUES ('one', 2, NULL, 'second'), ('one', 1, 'Title', 'first'), ('two', 1, 'Other', 'alone'), ('one', 3, 'Third', 'last'), (NULL, 1, 'x', 'nowhere');
SELECT * FROM pairs_from_structure('SELECT page AS document, number AS position, body AS text, title AS heading FROM tex_passages');
SELECT * FROM pairs_from_structure('SELECT page AS document, number AS position, body AS text FROM tex_passages');
SELECT * FROM pairs_from_structure('SELECT page AS document, body AS text FROM tex_passages');

-- they are what tune_model takes
SET embed.progress = off;
SELECT tune_model('tune_made', 'tex_words', $$SELECT * FROM mine_negatives('tex_words', 'VALUES (''north'', ''between''), (''east'', ''northeast'')', 'SELECT word FROM tex_words', per_pair => 1)$$, held_out => 0);
SELECT tune_model('tune_made', 'tex_words', $$SELECT * FROM pairs_from_labels('SELECT word, id < 4 FROM tex_words WHERE id > 0')$$, held_out => 0, replace => true);
DROP TABLE tex_corpus, tex_words, tex_texts, tex_passages, tune_made;
