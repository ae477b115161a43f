-- If this failed, a vocabulary would have the wrong terms, ids or counts.
SET client_min_messages = warning;
CREATE TABLE vocab_docs (id integer, body text, config regconfig);
INSERT INTO vocab_docs VALUES
	(1, 'New York, new york!', 'embed_words'),
	(2, 'The state of New York', 'english'),
	(3, 'a b a', 'embed_words'),
	(4, '', 'embed_words'),
	(5, NULL, 'embed_words'),
	(6, 'b Ünïcode ÜNÏCODE 数据库', 'embed_words');

-- ids by occurrences, then by bytes; NULL is no document, '' is one
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_docs ORDER BY id');
SELECT * FROM vocab_m ORDER BY id;
SELECT method, dims, config, options, documents, occurrences FROM embed_models()
WHERE model = 'vocab_m'::regclass;
DROP TABLE vocab_m;

-- ids by term: the order of code points
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_docs', sort_by => 'term', capacity => 16);
SELECT string_agg(id || ' ' || term, ', ' ORDER BY id) FROM vocab_m;
SELECT count_vector('vocab_m', 'York state');
DROP TABLE vocab_m;

-- n-grams, joined by a space, not beyond the row
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_docs', min_ngram => 1, max_ngram => 3);
SELECT string_agg(term || ' ' || documents || '/' || occurrences, ', ' ORDER BY term COLLATE "C") FROM vocab_m WHERE id > 0;
SELECT one_hot('vocab_m', 'New York') = one_hot('vocab_m', 'new, york') AS joined, one_hot('vocab_m', 'york state') IS NULL AS unknown;
DROP TABLE vocab_m;

-- a configuration for each row; stop words go before n-grams are formed, and
-- the model's own configuration reads what is encoded
SELECT train_vocabulary('vocab_m', 'SELECT body, config FROM vocab_docs', min_ngram => 2, max_ngram => 2);
SELECT string_agg(term, ', ' ORDER BY term COLLATE "C") FROM vocab_m WHERE id > 0;
DROP TABLE vocab_m;
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_docs', config => 'english');
SELECT string_agg(term, ', ' ORDER BY term COLLATE "C") FROM vocab_m WHERE id > 0;
SELECT count_vector('vocab_m', 'the states') = count_vector('vocab_m', 'state') AS stemmed;
DROP TABLE vocab_m;

-- tokens of two characters or more, characters and not bytes; n-grams bridge
SELECT train_vocabulary('vocab_m', $$SELECT unnest(ARRAY['ab é cd', 'éà x'])$$, min_token_length => 2, max_ngram => 2);
SELECT string_agg(term, ', ' ORDER BY term COLLATE "C") FROM vocab_m WHERE id > 0;
DROP TABLE vocab_m;

-- Cuts.  What is under them stays in the table with negative ids.
CREATE TABLE vocab_cut (body text);
INSERT INTO vocab_cut VALUES ('a b c d'), ('a b c'), ('a b'), ('a a a a e e');
CREATE FUNCTION vocab_terms(options text) RETURNS TABLE (visible text, hidden text) AS $$
BEGIN
	EXECUTE format('SELECT train_vocabulary(''vocab_m'', ''SELECT body FROM vocab_cut'', replace => to_regclass(''vocab_m'') IS NOT NULL%s)', options);
	RETURN QUERY SELECT string_agg(term, ' ' ORDER BY id) FILTER (WHERE id > 0),
		string_agg(term, ' ' ORDER BY id DESC) FILTER (WHERE id < 0) FROM vocab_m;
END $$ LANGUAGE plpgsql;
SELECT * FROM vocab_terms(', min_documents => 2');
SELECT * FROM vocab_terms(', max_documents => 3');
SELECT * FROM vocab_terms(', min_share => 0.5, max_share => 0.75');
SELECT * FROM vocab_terms(', min_share => 0.51');
SELECT * FROM vocab_terms(', max_terms => 3');
-- b 3, c 2, e 2: of equals the first by bytes
SELECT * FROM vocab_terms(', max_terms => 2, max_share => 0.9');
SELECT * FROM vocab_terms(', max_terms => 3, sort_by => ''term''');
SELECT id, documents, occurrences FROM vocab_m WHERE id = 0;
SELECT count_vector('vocab_m', 'a b c d e');
DROP TABLE vocab_m;

-- replace keeps the table and what hangs on it, and changes the readings
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_cut');
CREATE VIEW vocab_view AS SELECT term FROM vocab_m WHERE id = 1;
SELECT count_vector('vocab_m', 'a b e');
SELECT train_vocabulary('vocab_m', 'SELECT ''e e e''', replace => true, capacity => 16);
SELECT count_vector('vocab_m', 'a b e'), (SELECT term FROM vocab_view);
DROP VIEW vocab_view;
DROP TABLE vocab_m;

-- Counting beyond the memory: the same counts as SQL gives.  Long rows make
-- it spill in the middle of documents; n-grams are mostly unique.
CREATE TABLE vocab_large AS
SELECT d AS id, (SELECT string_agg('w' || (hashint4(d * 7919 + i) & 2047) % (1 + (i & 1023)), ' ' ORDER BY i)
	FROM generate_series(1, CASE WHEN d % 10 = 0 THEN 20000 ELSE 300 END) AS i) AS body
FROM generate_series(1, 100) AS d;
SET maintenance_work_mem = '1MB';
SELECT train_vocabulary('vocab_m', 'SELECT body FROM vocab_large ORDER BY id', max_ngram => 2, min_documents => 2, max_terms => 20000, sort_by => 'term');
RESET maintenance_work_mem;
CREATE TABLE vocab_sql AS
WITH tokens AS (
	SELECT id, n, token, lead(token) OVER (PARTITION BY id ORDER BY n) AS following
	FROM vocab_large, unnest(string_to_array(body, ' ')) WITH ORDINALITY AS t (token, n)),
terms AS (SELECT id, token AS term FROM tokens
	UNION ALL SELECT id, token || ' ' || following FROM tokens WHERE following IS NOT NULL)
SELECT term COLLATE "C" AS term, count(DISTINCT id) AS documents, count(*) AS occurrences FROM terms GROUP BY 1;
SELECT count(*) > 100000 AS many, count(*) FILTER (WHERE m.documents = s.documents AND m.occurrences = s.occurrences) = count(*) AS equal
FROM (SELECT * FROM vocab_m WHERE id <> 0) AS m FULL JOIN vocab_sql AS s USING (term);
SELECT documents, occurrences = (SELECT sum(occurrences) FROM vocab_sql) AS equal FROM vocab_m WHERE id = 0;
-- the 20,000 with most occurrences, in the order of terms
SELECT count(*) AS terms, min(id), max(id), bool_and(rank = id) AS ordered
FROM (SELECT id, row_number() OVER (ORDER BY term COLLATE "C") AS rank FROM vocab_m WHERE id > 0) AS ranked;
SELECT count(*) AS wrongly_left_out FROM (
	SELECT term FROM vocab_sql WHERE documents >= 2 ORDER BY occurrences DESC, term LIMIT 20000) AS best
WHERE NOT EXISTS (SELECT FROM vocab_m WHERE id > 0 AND vocab_m.term = best.term);
DROP TABLE vocab_m, vocab_sql, vocab_large;

DROP FUNCTION vocab_terms(text);
DROP TABLE vocab_docs, vocab_cut;
