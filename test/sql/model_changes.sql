-- Broken if this fails: a change of a model is not seen, or is seen after it
-- was rolled back; a failed training leaves something behind; replace loses
-- what belongs to the table.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_changes;
SET search_path = model_changes, public;
CREATE TABLE texts (id serial, body text);
INSERT INTO texts (body) VALUES ('ant bee'), ('bee cow'), ('cow dog dog');
SELECT train_vocabulary('m', 'SELECT body FROM texts', capacity => 4096);
SELECT * FROM m ORDER BY id;

-- which of the words the model knows
CREATE FUNCTION found(words text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce(string_agg(word, ' '), '') FROM unnest(string_to_array(words, ' ')) AS word
   WHERE one_hot('model_changes.m', word) IS NOT NULL $$;
SELECT found('ant bee cow dog elk');

-- every kind of change, in the session that makes it
UPDATE m SET term = 'elk' WHERE term = 'dog';
SELECT found('ant bee cow dog elk');
DELETE FROM m WHERE term = 'ant';
SELECT found('ant bee cow dog elk');
INSERT INTO m VALUES (4, 'fox', 1, 1);
SELECT found('ant bee cow dog elk fox');
COPY m FROM stdin;
7	gnu	1	1
\.
SELECT found('gnu');
INSERT INTO m VALUES (8, 'hen', 1, 1) ON CONFLICT (id) DO NOTHING;
SELECT found('hen');
INSERT INTO m VALUES (8, 'hen', 1, 1) ON CONFLICT (id) DO UPDATE SET term = 'owl';
SELECT found('hen owl');
COPY m TO '/dev/null';

-- row 0 keeps its totals
SELECT id, term, documents, occurrences FROM m WHERE id = 0;

-- each version has its name, and is gone with its transaction
SELECT model_version('m') AS before \gset
BEGIN;
UPDATE m SET term = 'pig' WHERE term = 'owl';
SELECT model_version('m') <> :'before' AS changed, found('owl pig');
SAVEPOINT one;
UPDATE m SET term = 'rat' WHERE term = 'pig';
SELECT found('owl pig rat');
SAVEPOINT two;
UPDATE m SET term = 'yak' WHERE term = 'rat';
SELECT found('owl pig rat yak');
ROLLBACK TO two;
SELECT found('owl pig rat yak');
RELEASE one;
SELECT found('owl pig rat yak');
ROLLBACK;
SELECT model_version('m') = :'before' AS the_same, found('owl pig rat yak');

-- also where no command comes between the rollback and the reading
BEGIN;
SELECT found('owl pig');
DO $$
DECLARE
	seen text;
BEGIN
	BEGIN
		UPDATE m SET term = 'pig' WHERE term = 'owl';
		seen := found('owl pig');
		IF seen <> 'pig' THEN RAISE WARNING 'not seen: %', seen; END IF;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		IF found('owl pig') <> 'owl' THEN RAISE WARNING 'seen after rollback: %', found('owl pig'); END IF;
	END;
END $$;
COMMIT;

-- many changes in one transaction make one version, as long as nobody looks
BEGIN;
SELECT pg_stat_get_xact_tuples_updated('m'::regclass) AS before \gset
DO $$ BEGIN FOR i IN 100 .. 1099 LOOP INSERT INTO m VALUES (i, 'term' || i, 1, 1); END LOOP; END $$;
SELECT pg_stat_get_xact_tuples_updated('m'::regclass) - :before AS versions;
SELECT found('term100'), found('term1099');
UPDATE m SET term = 'last' WHERE id = 1099;
SELECT found('term1099'), found('last');
ROLLBACK;

-- seen from a cursor: what was when it was opened
BEGIN;
DECLARE before CURSOR FOR SELECT found('owl pig') FROM generate_series(1, 2);
FETCH before;
UPDATE m SET term = 'pig' WHERE term = 'owl';
FETCH before;
SELECT found('owl pig');
ROLLBACK;

-- a row trigger that looks while the statement is still going on
CREATE TABLE looks (found text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO looks VALUES (model_changes.found('owl pig')); RETURN NEW; END $$;
CREATE TRIGGER look AFTER UPDATE ON m FOR EACH ROW WHEN (old.id > 0) EXECUTE FUNCTION look();
UPDATE m SET term = 'pig' WHERE term = 'owl';
SELECT * FROM looks;
SELECT found('owl pig');
UPDATE m SET term = 'owl' WHERE term = 'pig';
SELECT found('owl pig');
DROP TRIGGER look ON m;

-- changes that the trigger did not see
ALTER TABLE m DISABLE TRIGGER embed_model;
UPDATE m SET term = 'pig' WHERE term = 'owl';
ALTER TABLE m ENABLE ALWAYS TRIGGER embed_model;
SELECT embed_refresh('m');
SELECT found('owl pig');
SET session_replication_role = replica;
UPDATE m SET term = 'owl' WHERE term = 'pig';
RESET session_replication_role;
SELECT found('owl pig');

-- TRUNCATE, and the rows as they were
CREATE TABLE saved AS SELECT * FROM m;
TRUNCATE m;
SELECT found('owl');
INSERT INTO m SELECT * FROM saved ORDER BY id DESC;
SELECT found('owl');

-- failed and undone training
BEGIN;
SELECT train_vocabulary('gone', 'SELECT body FROM texts');
SELECT tfidf('gone', 'bee', norm => 'none', idf => 'none');
ROLLBACK;
SELECT to_regclass('gone');
BEGIN;
SAVEPOINT a;
SELECT train_vocabulary('gone', 'SELECT body FROM texts');
ROLLBACK TO a;
SELECT to_regclass('gone');
SELECT train_vocabulary('kept', 'SELECT body FROM texts');
COMMIT;
SELECT tfidf('kept', 'bee', norm => 'none', idf => 'none');
SELECT train_vocabulary('gone', 'SELECT (CASE WHEN id < 3 THEN body ELSE (1 / 0)::text END) FROM texts');
SELECT train_vocabulary('kept', 'SELECT (CASE WHEN id < 3 THEN body ELSE (1 / 0)::text END) FROM texts', replace => true);
SELECT to_regclass('gone'), tfidf('kept', 'bee', norm => 'none', idf => 'none');

-- replace keeps the table and what belongs to it
CREATE VIEW terms AS SELECT term FROM kept WHERE id > 0;
CREATE INDEX kept_term ON kept (term);
CREATE ROLE model_changes_reader;
GRANT SELECT ON kept TO model_changes_reader;
COMMENT ON TABLE kept IS 'a comment';
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER mine AFTER INSERT ON kept FOR EACH STATEMENT EXECUTE FUNCTION nothing();
SELECT 'kept'::regclass::oid AS before \gset
INSERT INTO texts (body) VALUES ('emu emu');
SELECT train_vocabulary('kept', 'SELECT body FROM texts', sort_by => 'term', replace => true);
SELECT 'kept'::regclass::oid = :before AS same_table, has_table_privilege('model_changes_reader', 'kept', 'SELECT'), obj_description('kept'::regclass);
SELECT string_agg(term, ' ' ORDER BY term) FROM terms;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'kept'::regclass ORDER BY 1;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'kept'::regclass ORDER BY 1;
SELECT tfidf('kept', 'emu', norm => 'none', idf => 'none');
SELECT options && '{sort_by=term}' AS described FROM embed_models() WHERE model = 'kept'::regclass;
-- and makes it where there is none; unqualified, the one on the search_path
SELECT train_vocabulary('fresh', 'SELECT body FROM texts', replace => true);
CREATE SCHEMA model_changes_first;
SET search_path = model_changes_first, model_changes, public;
SELECT train_vocabulary('fresh', 'SELECT ''zebra''::text', replace => true);
SET search_path = model_changes, public;
SELECT string_agg(term, ' ' ORDER BY term) FROM fresh;

-- a table loaded by COPY becomes a model; unlogged ones too
CREATE UNLOGGED TABLE loaded (id integer, term text, documents bigint, occurrences bigint, remark text);
COPY loaded (id, term, documents, occurrences) FROM stdin;
2	bee	1	1
0	\N	2	3
1	ant	2	2
\.
SELECT register_model('loaded', 'vocabulary', 'simple', 'dims=10');
SELECT tfidf('loaded', 'Ant BEE', norm => 'none', idf => 'none');
SELECT * FROM embed_model_description('loaded');
\d loaded
UPDATE loaded SET remark = 'useful' WHERE id = 2;
SELECT tfidf('loaded', 'Ant BEE', norm => 'none', idf => 'none');
SELECT train_vocabulary('loaded', 'SELECT body FROM texts', replace => true);
SELECT relpersistence FROM pg_class WHERE oid = 'loaded'::regclass;

-- what a large packed form cannot take in is packed anew: a term between others
SELECT train_vocabulary('wide', $$SELECT 'w' || i FROM generate_series(1, 40000) i$$);
SELECT one_hot('wide', 'w7') IS NOT NULL AS known;
BEGIN;
DELETE FROM wide WHERE id = 7;
INSERT INTO wide VALUES (7, 'between', 1, 1);
SELECT one_hot('wide', 'between') IS NOT NULL AS known;
UPDATE wide SET term = 'beside' WHERE id = 7;
SELECT one_hot('wide', 'beside') IS NOT NULL AS known, one_hot('wide', 'between') IS NULL AS gone;
ROLLBACK;
SELECT one_hot('wide', 'between') IS NULL AS gone;

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA model_changes, model_changes_first CASCADE;
DROP ROLE model_changes_reader;
