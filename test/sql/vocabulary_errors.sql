-- If this failed, bad input would crash, lose something, or say nothing useful.
SET client_min_messages = warning;
CREATE TABLE wrong_docs (id integer, body text);
INSERT INTO wrong_docs VALUES (1, 'some words'), (2, 'other words');

-- the corpus query
SELECT train_vocabulary('wrong_m', 'SELECT nothing FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs WHERE false');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT NULL::text FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT id FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body, 1 FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'DELETE FROM wrong_docs RETURNING body');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', '');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT ''?!'' FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_ngram => 5, max_ngram => 5);
\echo :SQLSTATE

-- options
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', sort_by => 'count');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_ngram => 2);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', max_ngram => 17);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_token_length => 0);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_documents => 0);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_documents => 3, max_documents => 2);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', max_documents => 0);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_share => 0.6, max_share => 0.5);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', max_share => 'NaN');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', max_terms => 0);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', min_documents => 3);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', config => 'klingon');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', config => NULL);
\echo :SQLSTATE
SELECT train_vocabulary(NULL, 'SELECT body FROM wrong_docs');
\echo :SQLSTATE
-- dims over the limit, and too few of them
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', capacity => 1000000001);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', capacity => 3);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', capacity => 1);
\echo :SQLSTATE

-- nothing was left behind by any of these
SELECT to_regclass('wrong_m') IS NULL AS nothing_left;

-- names
SELECT train_vocabulary('wrong_docs', 'SELECT body FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('no_schema.wrong_m', 'SELECT body FROM wrong_docs');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs', replace => true);
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT body FROM wrong_docs');
\echo :SQLSTATE
SELECT tfidf('wrong_docs', 'words');
\echo :SQLSTATE

-- a model of another kind
CREATE TABLE wrong_vectors (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(2));
INSERT INTO wrong_vectors VALUES (0, NULL, 1, 1, NULL), (1, 'cat', 1, 1, '[1,2]');
SELECT register_model('wrong_vectors', 'word2vec');
SELECT tfidf('wrong_vectors', 'cat');
\echo :SQLSTATE
SELECT add_documents('wrong_vectors', 'SELECT ''cat''');
\echo :SQLSTATE
DROP TABLE wrong_vectors;

-- rights, row security, temporary tables
CREATE ROLE wrong_user;
SET ROLE wrong_user;
SELECT tfidf('wrong_m', 'words');
\echo :SQLSTATE
RESET ROLE;
GRANT SELECT ON wrong_m TO wrong_user;
SET ROLE wrong_user;
SELECT tfidf('wrong_m', 'words');
\echo :SQLSTATE
SELECT train_vocabulary('wrong_m', 'SELECT ''text''', replace => true);
\echo :SQLSTATE
RESET ROLE;
ALTER TABLE wrong_m ENABLE ROW LEVEL SECURITY;
SET ROLE wrong_user;
SELECT tfidf('wrong_m', 'words');
\echo :SQLSTATE
RESET ROLE;
ALTER TABLE wrong_m DISABLE ROW LEVEL SECURITY;
SELECT train_vocabulary('pg_temp.wrong_temporary', 'SELECT body FROM wrong_docs');
\echo :SQLSTATE

-- rows changed by hand
BEGIN;
UPDATE wrong_m SET documents = 3 WHERE id = 1;
SAVEPOINT s;
SELECT tfidf('wrong_m', 'words');
ROLLBACK TO s;
UPDATE wrong_m SET documents = 1;
INSERT INTO wrong_m SELECT 7, term, 1, 1 FROM wrong_m WHERE id = 1;
SAVEPOINT s;
SELECT tfidf('wrong_m', 'words');
ROLLBACK TO s;
UPDATE wrong_m SET term = 'new', id = 8 WHERE id = 7;
SAVEPOINT s;
SELECT tfidf('wrong_m', 'words');
ROLLBACK TO s;
UPDATE wrong_m SET id = 7 WHERE id = 8;
SELECT count_vector('wrong_m', 'words new');
UPDATE wrong_m SET term = NULL WHERE id = 7;
SAVEPOINT s;
SELECT tfidf('wrong_m', 'words');
ROLLBACK TO s;
ROLLBACK;
SELECT count_vector('wrong_m', 'words');

-- any table of this shape is a model once it is registered
CREATE TABLE wrong_table (id integer PRIMARY KEY, term text, documents bigint, occurrences bigint);
INSERT INTO wrong_table VALUES (0, NULL, 10, 100), (1, '', 1, 1), (2, 'dog', 5, 9), (3, 'cat', 1, 1);
SELECT register_model('wrong_table', 'vocabulary');
SELECT register_model('wrong_table', 'vocabulary', 'embed_words', 'dims=1');
SELECT register_model('wrong_table', 'vocabulary', 'embed_words', 'dims=8', 'sort_by=size');
SELECT register_model('wrong_table', 'vocabulary', 'embed_words', 'dims=8', 'min_ngram=3');
SELECT register_model('wrong_table', 'vocabulary', 'embed_words', 'dims=8');
SELECT tfidf('wrong_table', 'Cat dog', norm => 'none');
DROP TABLE wrong_table;

-- a text with more different terms than a sparsevec holds
SELECT train_vocabulary('wrong_wide', $$SELECT string_agg('w' || i, ' ') FROM generate_series(1, 16001) AS i$$);
SELECT count_vector('wrong_wide', string_agg('w' || i, ' ')) IS NULL FROM generate_series(1, 16001) AS i;
SELECT l2_norm(count_vector('wrong_wide', string_agg('w' || i, ' '))) FROM generate_series(1, 16000) AS i;
SELECT add_documents('wrong_wide', 'SELECT ''w1''') AS added;
-- weights of zero do not count: w1 is in every document
SELECT l2_norm(tfidf('wrong_wide', string_agg('w' || i, ' '), idf => 'textbook')) FROM generate_series(1, 16001) AS i;
DROP TABLE wrong_wide;

DROP OWNED BY wrong_user;
DROP ROLE wrong_user;
DROP TABLE wrong_m, wrong_docs;
