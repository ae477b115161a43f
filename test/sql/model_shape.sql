-- Broken if this fails: a table that event triggers, parents or its owner have
-- shaped in an unexpected way crashes a function of a model, or gives values
-- of other columns, or answers from rows that have changed unnoticed.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_shape;
SET search_path = model_shape, public;

-- an event trigger adds columns before, after and between, with defaults
CREATE FUNCTION reshape() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE' LOOP
		EXECUTE (SELECT format(command, r.object_identity) FROM commands ORDER BY ordinal DESC LIMIT 1);
	END LOOP;
END $$;
CREATE TABLE commands (ordinal serial, command text);
CREATE EVENT TRIGGER model_shape ON ddl_command_end WHEN tag IN ('CREATE TABLE') EXECUTE FUNCTION reshape();

INSERT INTO commands (command) VALUES ('ALTER TABLE %s ADD made integer DEFAULT 7, ADD note text NOT NULL DEFAULT ''none''');
SELECT train_vocabulary('more', 'SELECT ''alpha beta gamma''::text', capacity => 16);
TABLE more ORDER BY id;
SELECT count_vector('more', 'beta alpha beta');

-- drops one and adds it again, at the end
INSERT INTO commands (command) VALUES ('ALTER TABLE %1$s DROP term; ALTER TABLE %1$s ADD term text');
SELECT train_vocabulary('moved', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT id, term, documents, occurrences FROM moved ORDER BY id;
SELECT count_vector('moved', 'beta alpha beta');
SELECT add_documents('moved', 'SELECT ''delta alpha''::text');
SELECT count_vector('moved', 'delta');
SELECT train_vocabulary('moved', 'SELECT ''one two''::text', capacity => 16, replace => true);
SELECT id, term, documents, occurrences FROM moved ORDER BY id;

-- a key of its own, an identity, a trigger, row security, a check
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ADD CONSTRAINT key PRIMARY KEY (id), ADD row_number integer GENERATED ALWAYS AS IDENTITY');
SELECT train_vocabulary('keyed', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT id, term, row_number FROM keyed ORDER BY id;
SELECT count_vector('keyed', 'beta alpha beta');
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ALTER id ADD GENERATED ALWAYS AS IDENTITY');
SELECT train_vocabulary('numbered', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT id, term FROM numbered ORDER BY id;
SELECT train_vocabulary('numbered', 'SELECT ''two words''::text', capacity => 16, replace => true);
SELECT id, term FROM numbered ORDER BY id;
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ADD length integer GENERATED ALWAYS AS (length(term)) STORED, ADD CHECK (occurrences > 0)');
SELECT train_vocabulary('computed', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT id, term, length FROM computed ORDER BY id;
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ENABLE ROW LEVEL SECURITY');
SELECT train_vocabulary('secured', 'SELECT ''alpha beta gamma''::text', capacity => 16);
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ALTER documents TYPE text');
SELECT train_vocabulary('retyped', 'SELECT ''alpha beta gamma''::text', capacity => 16);
INSERT INTO commands (command) VALUES ('ALTER TABLE %s DROP occurrences');
SELECT train_vocabulary('shorter', 'SELECT ''alpha beta gamma''::text', capacity => 16);
INSERT INTO commands (command) VALUES ('ALTER TABLE %s ADD CONSTRAINT second_key PRIMARY KEY (documents)');
SELECT train_vocabulary('other_key', 'SELECT ''alpha alpha''::text', capacity => 16);
INSERT INTO commands (command) VALUES ('ALTER TABLE %s RENAME TO elsewhere');
SELECT train_vocabulary('renamed', 'SELECT ''alpha beta gamma''::text', capacity => 16);
INSERT INTO commands (command) VALUES ('DROP TABLE %s');
SELECT train_vocabulary('dropped', 'SELECT ''alpha beta gamma''::text', capacity => 16);
DROP EVENT TRIGGER model_shape;

-- word vectors, whose column is of a type of ours
CREATE TABLE w (note text, vector vector(2), word text, gone text, occurrences bigint, documents bigint, id integer PRIMARY KEY);
ALTER TABLE w DROP gone;
INSERT INTO w VALUES ('first', '[1,2]', 'cat', 1, 1, 1), ('second', '[3,4]', 'dog', 1, 1, 2);
SELECT register_model('w', 'word2vec');
SELECT embed('w', 'cat dog');
ALTER TABLE w ADD later text DEFAULT 'x';
ALTER TABLE w DROP note;
SELECT embed('w', 'dog');

-- parents, children, partitions: before and after
CREATE TABLE parent (id integer NOT NULL, term text, documents bigint, occurrences bigint);
CREATE TABLE empty_parent ();
SELECT train_vocabulary('child', 'SELECT ''alpha beta''::text', capacity => 16);
SELECT one_hot('child', 'alpha');
ALTER TABLE child INHERIT empty_parent;
SELECT one_hot('child', 'alpha');
SELECT model_version('child');
SELECT add_documents('child', 'SELECT ''gamma''::text');
SELECT embed_refresh('child');
ALTER TABLE child NO INHERIT empty_parent;
SELECT one_hot('child', 'alpha');
ALTER TABLE child INHERIT parent;
UPDATE parent SET term = 'omega' WHERE term = 'alpha';
SELECT one_hot('child', 'alpha');
ALTER TABLE child NO INHERIT parent;
SELECT one_hot('child', 'alpha') AS alpha, one_hot('child', 'omega') AS omega;
CREATE TABLE grandchild () INHERITS (child);
SELECT one_hot('child', 'omega');
DROP TABLE grandchild;
SELECT one_hot('child', 'omega');
CREATE TABLE whole (id integer NOT NULL, term text, documents bigint, occurrences bigint) PARTITION BY RANGE (id);
ALTER TABLE whole ATTACH PARTITION child DEFAULT;
SELECT one_hot('child', 'omega');
INSERT INTO whole VALUES (7, 'seven', 1, 1);
ALTER TABLE whole DETACH PARTITION child;
SELECT one_hot('child', 'seven');
SELECT register_model('whole', 'vocabulary', 'embed_words', 'dims=16');
CREATE TABLE attached PARTITION OF whole FOR VALUES FROM (0) TO (10);
INSERT INTO attached VALUES (0, NULL, 1, 1);
SELECT register_model('attached', 'vocabulary', 'embed_words', 'dims=16');
SELECT train_vocabulary('child', 'SELECT ''new words''::text', capacity => 16, replace => true);

-- options of a trigger made by hand are foreign input
CREATE TABLE hand (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(4));
INSERT INTO hand VALUES (0, NULL, 1, 1, NULL), (1, 'cat', 1, 1, '[1,2,3,4]'), (1000000000, NULL, NULL, NULL, '[1,1,1,1]'), (1000000001, NULL, NULL, NULL, '[1,1,1,2]');
CREATE FUNCTION described(VARIADIC arguments text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	DROP TRIGGER IF EXISTS embed_model ON hand;
	EXECUTE format('CREATE TRIGGER embed_model AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON hand FOR EACH STATEMENT EXECUTE FUNCTION embed_model(%s)',
		(SELECT string_agg(quote_literal(a), ', ') FROM unnest(arguments) a));
	RETURN embed('hand', repeat('abcdefghij', 99));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN message || ' | ' || detail;
END $$;
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'min_n=1', 'max_n=4286395', 'buckets=2');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'min_n=1', 'max_n=100', 'buckets=2');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'min_n=4', 'max_n=3', 'buckets=2');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'min_n=-1', 'max_n=3');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'min_n=1', 'max_n=3', 'buckets=0');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'buckets=9223372036854775808');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'sample=nan');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'hierarchical_softmax=perhaps');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'pooling=sum');
SELECT described('word2vec', 'dims=4', 'config=public.embed_whitespace', 'algorithm=');
SELECT described('word2vec', 'dims=4', 'config=');
SELECT described('word2vec', 'dims=4', 'config=a.b.c.d');

-- what the user chose goes on: replace, and from_model
CREATE TABLE chosen (id integer, word text, documents bigint, occurrences bigint, vector vector(3));
INSERT INTO chosen VALUES (0, NULL, 5, 50, NULL), (1, 'cat', 1, 1, '[1,2,3]');
SELECT register_model('chosen', 'word2vec', 'embed_words', 'pooling=sif');
SELECT train_word2vec('went_on', 'SELECT ''cat dog cat dog''::text', dims => 3, min_count => 1, seed => 1, from_model => 'chosen');
SELECT train_word2vec('chosen', 'SELECT ''cat dog cat dog''::text', dims => 3, min_count => 1, seed => 1, replace => true);
SELECT tgrelid::regclass, encode(tgargs, 'escape') LIKE '%pooling=sif%' AS kept FROM pg_trigger WHERE tgname = 'embed_model' AND tgrelid IN ('chosen'::regclass, 'went_on'::regclass) ORDER BY 1;

-- replacing says what becomes stale, as far as it can know
SET client_min_messages = notice;
CREATE MATERIALIZED VIEW stale_view AS SELECT embed('chosen'::regclass, 'cat');
CREATE TABLE stale_table (body text, e vector(3));
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.e := embed(TG_ARGV[0]::regclass, NEW.body); RETURN NEW; END $$;
CREATE TRIGGER fill BEFORE INSERT ON stale_table FOR EACH ROW EXECUTE FUNCTION fill('chosen');
SELECT train_word2vec('chosen', 'SELECT ''cat dog cat dog''::text', dims => 3, min_count => 1, seed => 1, replace => true);

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA model_shape CASCADE;
