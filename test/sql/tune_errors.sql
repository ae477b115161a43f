-- Would fail if wrong examples or arguments were taken, if an error left a model
-- behind, or if tuning went past the rights of who calls it.
SET embed.progress = off;

CREATE TABLE terr_words (id integer, word text, documents bigint, occurrences bigint, vector vector(4));
INSERT INTO terr_words VALUES (0, NULL, 2, 8, NULL);
INSERT INTO terr_words SELECT n, 'w' || n, 1, 1, ARRAY[sin(n), cos(n), sin(3 * n), cos(5 * n)]::real[]::vector FROM generate_series(1, 40) n;
SELECT register_model('terr_words', 'word2vec', 'embed_words');
CREATE TABLE terr_pairs AS SELECT 'w' || n AS anchor, 'w' || n + 1 AS positive FROM generate_series(1, 39) n;
CREATE PROCEDURE tune_try(arguments text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE format('SELECT tune_model(''tune_bad'', %s)', arguments);
	RAISE INFO 'taken: %', arguments;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE INFO '% %', SQLSTATE, concat_ws(' | ', regexp_replace(SQLERRM, 'batch \d+ of epoch \d+', 'batch N of epoch N'), nullif(detail, ''), nullif(hint, ''));
END $$;

-- examples
CALL tune_try($$'terr_words', 'SELECT anchor, positive FROM terr_pairs WHERE false'$$);
CALL tune_try($$'terr_words', 'SELECT anchor FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, positive, 1 AS score FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS question, positive FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, positive AS negative FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, 1 AS positive FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, NULL::text AS positive FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, ''same'' AS label FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS sentence1, positive AS sentence2, 3 AS score FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS sentence1, positive AS sentence2, ''NaN''::float8 AS score FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS sentence1, positive AS sentence2, length(anchor) AS score FROM terr_pairs', loss => 'cosine_similarity'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS sentence1, positive AS sentence2, length(anchor) AS score FROM terr_pairs', loss => 'contrastive'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, ''[1,2]''::vector AS vector FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, ''[1,2,3,4]''::halfvec AS vector FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, array_fill(1, ARRAY[length(anchor)])::vector AS vector FROM terr_pairs'$$);
CALL tune_try($$'terr_words', 'SELECT ''nobody'' AS anchor, ''knows'' AS positive'$$);
CALL tune_try($$'terr_words', 'SELECT '''' AS anchor, '''' AS positive'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, positive FROM terr_pairs LIMIT 3'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, positive FROM terr_pairs LIMIT 1', held_out => 0$$);
CALL tune_try($$'terr_words', 'DELETE FROM terr_pairs RETURNING anchor, positive'$$);
CALL tune_try($$'terr_words', 'SELECT anchor, positive FROM tune_nothing'$$);
CALL tune_try($$'terr_words', NULL$$);

-- arguments
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'lora'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', loss => 'hinge'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', loss => 'cosent'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', loss => 'triplet'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', epochs => 0$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', epochs => NULL$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', batch => 1$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', learning_rate => 0$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', learning_rate => 'NaN'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', held_out => 1$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', held_out => 0, patience => 1$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', dropout => 1$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', rank => 0, method => 'layer'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', workers => 2$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', targets => '{query}'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', targets => '{}'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', max_length => 8$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'low_rank'$$);
-- what a method or a loss has no use for is refused, not passed over
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', loss => 'triplet'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', patience => 2$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', matryoshka => '{2}'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', weight_decay => 0$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', optimizer => 'sgd'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', schedule => 'constant'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', method => 'continue', held_out => 0.2$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', rank => 4$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', rank_alpha => 4$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', margin => 0.5$$);
CALL tune_try($$'terr_words', 'SELECT anchor AS text, left(positive, 2) AS label FROM terr_pairs', scale => 10$$);
CALL tune_try($$'terr_pairs', 'TABLE terr_pairs'$$);
CALL tune_try($$'terr_words', 'TABLE terr_pairs', replace => NULL$$);
SELECT tune_model('terr_words', 'terr_words', 'TABLE terr_pairs', replace => true);
SELECT tune_model('terr_pairs', 'terr_words', 'TABLE terr_pairs', replace => true);
SELECT tune_model('terr_pairs', 'terr_words', 'TABLE terr_pairs');
SELECT train_vocabulary('terr_terms', 'SELECT anchor FROM terr_pairs');
CALL tune_try($$'terr_terms', 'TABLE terr_pairs'$$);

-- numbers that break: which batch, which rate, and nothing kept
CALL tune_try($$'terr_words', 'TABLE terr_pairs', learning_rate => 1e6, weight_decay => 1e6, epochs => 20, warmup => 0, seed => 1$$);
-- what does not fit says what would
SET maintenance_work_mem = '1MB';
CALL tune_try($$'terr_words', 'SELECT ''w'' || n % 40 + 1 AS anchor, ''w'' || n AS positive FROM generate_series(1, 50000) n'$$);
RESET maintenance_work_mem;
SELECT to_regclass('tune_bad');

-- some examples hold nothing known: they are left out, and that is said
SELECT tune_model('tune_good', 'terr_words', 'SELECT anchor, positive FROM terr_pairs UNION ALL SELECT ''nobody'', ''w1''', held_out => 0, seed => 1);
-- nothing learned: a warning (a rate that moves nothing)
SELECT tune_model('tune_good', 'terr_words', 'SELECT anchor AS sentence1, positive AS sentence2, length(anchor) AS score FROM terr_pairs', learning_rate => 1e-12, seed => 1, replace => true);

-- ---------- rights ----------
CREATE ROLE tune_reader;
GRANT CREATE ON SCHEMA public TO tune_reader;
SET ROLE tune_reader;
SELECT tune_model('tune_mine', 'terr_words', 'SELECT ''w1''::text AS anchor, ''w2''::text AS positive');
SELECT * FROM tuning_history('tune_good');
RESET ROLE;
GRANT SELECT ON terr_words TO tune_reader;
SET ROLE tune_reader;
SELECT tune_model('tune_mine', 'terr_words', 'TABLE terr_pairs');
SELECT tune_model('tune_good', 'terr_words', 'SELECT ''w1''::text AS anchor, ''w2''::text AS positive', replace => true);
SELECT tune_model('tune_mine', 'terr_words', 'SELECT ''w'' || n AS anchor, ''w'' || n + 1 AS positive FROM generate_series(1, 30) n', held_out => 0);
SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'tune_mine'::regclass;
RESET ROLE;
DROP TABLE tune_mine, terr_words, terr_pairs, terr_terms, tune_good;
REVOKE CREATE ON SCHEMA public FROM tune_reader;
DROP ROLE tune_reader;
DROP PROCEDURE tune_try;
