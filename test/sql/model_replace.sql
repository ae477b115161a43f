-- Broken if this fails: replacing a model by one of other dimensions breaks
-- what depends on it, or leaves half of either; a failed INSERT keeps a plan.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_replace;
SET search_path = model_replace, public;
CREATE TABLE texts AS SELECT 'red green blue word' || i % 5 AS body FROM generate_series(1, 100) i;
CREATE FUNCTION train(dims integer, words text DEFAULT 'body') RETURNS regclass LANGUAGE sql AS
$$ SELECT train_word2vec('model_replace.colours', format('SELECT %s FROM model_replace.texts', words), dims => dims, workers => 1, seed => 1, epochs => 1, replace => true) $$;
SELECT train(8);
SELECT count(*), min(vector_dims(vector)), max(vector_dims(vector)) FROM colours WHERE id > 0;
SELECT 'colours'::regclass::oid AS before \gset
GRANT SELECT ON colours TO PUBLIC;

-- the same dimensions, other options, other words
SELECT train(8, 'body || '' more more more more more''');
SELECT embed('colours', 'more') IS NOT NULL AS found;

-- other dimensions, nothing depends on the vectors but an index
CREATE INDEX colours_vector ON colours USING btree (vector);
SELECT train(16);
SELECT vector_dims(embed('colours', 'red')), embed('colours', 'more') IS NULL AS forgotten;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'colours'::regclass AND attname = 'vector';
SELECT model, method, dims FROM embed_models() WHERE model = 'colours'::regclass;
SELECT 'colours'::regclass::oid = :before AS same_table, has_table_privilege('public', 'colours', 'SELECT') AS granted;

-- a view depends on them
CREATE VIEW vectors AS SELECT word, vector FROM colours WHERE id > 0;
SELECT train(8);
SELECT vector_dims(embed('colours', 'red')), dims FROM embed_models() WHERE model = 'colours'::regclass;
SELECT train(16);
SELECT count(*) FROM vectors;

-- a trigger or a constraint of one's own refuses the new rows
ALTER TABLE colours ADD CONSTRAINT short CHECK (length(word) < 6);
\set VERBOSITY terse
SELECT train(16, 'body || '' lengthy lengthy lengthy lengthy lengthy''');
SELECT vector_dims(embed('colours', 'red')), embed('colours', 'lengthy') IS NULL AS refused;
\set VERBOSITY default
ALTER TABLE colours DROP CONSTRAINT short;
-- a column of one's own is filled as INSERT does
ALTER TABLE colours ADD COLUMN remark text DEFAULT 'none';
SELECT train(16);
SELECT DISTINCT remark FROM colours;

-- a model of another kind is not replaced
SELECT train_vocabulary('colours', 'SELECT body FROM texts', replace => true);
-- nor is one used as another kind
SELECT tfidf('colours', 'red');
SELECT train_vocabulary('terms', 'SELECT body FROM texts');
SELECT embed('terms', 'red');

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA model_replace CASCADE;
