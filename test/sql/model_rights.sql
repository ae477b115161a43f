-- Broken if this fails: an ordinary user cannot train, share, rename, move or
-- drop a model of their own, or somebody reads or changes one without right.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE ROLE model_rights_anna;
CREATE ROLE model_rights_bert;
CREATE SCHEMA model_rights_anna AUTHORIZATION model_rights_anna;
CREATE SCHEMA model_rights_other AUTHORIZATION model_rights_anna;
CREATE SCHEMA model_rights_shop;
GRANT USAGE ON SCHEMA model_rights_shop TO model_rights_anna, model_rights_bert;
CREATE TABLE model_rights_shop.goods (body text);
INSERT INTO model_rights_shop.goods VALUES ('a red ball'), ('a blue ball'), ('a red car');
GRANT SELECT ON model_rights_shop.goods TO model_rights_anna;

-- anna trains; the table is hers; the corpus runs under her search_path
SET ROLE model_rights_anna;
SET search_path = model_rights_anna, model_rights_shop, public;
SELECT train_vocabulary('goods_terms', 'SELECT body FROM goods');
SELECT relowner::regrole, relnamespace::regnamespace FROM pg_class WHERE relname = 'goods_terms';
SELECT tfidf('goods_terms', 'red car', norm => 'none', idf => 'none');
SELECT model, method, dims, "rows", config, documents, occurrences, bytes > 0 AS has_size
FROM embed_models(count_rows => true) WHERE model = 'goods_terms'::regclass;

-- a model is its table and nothing else: the extension brings no registry and
-- no event trigger, and embed_models shows what has the trigger
SELECT count(*) AS tables_and_event_triggers FROM pg_depend d LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND (d.classid = 'pg_event_trigger'::regclass OR c.relkind NOT IN ('v', 'c'));
BEGIN;
DROP TRIGGER embed_model ON goods_terms;
SELECT count(*) FROM embed_models() WHERE model = 'goods_terms'::regclass;
ROLLBACK;
SELECT count(*) FROM embed_models() WHERE model = 'goods_terms'::regclass;
-- no column of it is an OID under a name, which pg_upgrade would refuse
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'goods_terms'::regclass AND attnum > 0 ORDER BY attnum;

-- not where she may not create, nor from what she may not read
SELECT train_vocabulary('model_rights_shop.terms', 'SELECT body FROM goods');
RESET ROLE;
CREATE TABLE model_rights_shop.secret AS SELECT 'hidden' AS body;
SET ROLE model_rights_anna;
SELECT train_vocabulary('secret_terms', 'SELECT body FROM secret');

-- bert may do nothing with it
GRANT USAGE ON SCHEMA model_rights_anna TO model_rights_bert;
SET ROLE model_rights_bert;
SET search_path = model_rights_anna, public;
SELECT tfidf('goods_terms', 'red car');
SELECT model_version('goods_terms');
SELECT embed_refresh('goods_terms');
SELECT count(*) FROM embed_models();
SELECT count(*) FROM embed_images();
SELECT register_model('goods_terms', 'vocabulary');
SELECT train_vocabulary('goods_terms', 'SELECT ''mine''::text', replace => true);

-- until anna says so, and no longer than she says so
SET ROLE model_rights_anna;
GRANT SELECT ON goods_terms TO model_rights_bert;
SET ROLE model_rights_bert;
SELECT tfidf('goods_terms', 'red car', norm => 'none', idf => 'none');
SELECT model FROM embed_models();
SELECT count(*) FROM embed_images(clear => true);
SELECT count(*) FROM embed_images();
SELECT model_version('goods_terms') IS NOT NULL AS has_version;
SELECT embed_refresh('goods_terms');
UPDATE goods_terms SET documents = 1;
PREPARE encode AS SELECT tfidf('goods_terms', 'red car', norm => 'none', idf => 'none');
EXECUTE encode;
SET ROLE model_rights_anna;
REVOKE SELECT ON goods_terms FROM model_rights_bert;
SET ROLE model_rights_bert;
EXECUTE encode;

-- in one statement, a function with other rights than its caller's
SET ROLE model_rights_anna;
SET search_path = model_rights_anna, public;
CREATE FUNCTION encode_for_all(input text) RETURNS sparsevec LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = model_rights_anna, public AS
$$ BEGIN RETURN tfidf('goods_terms', input, norm => 'none', idf => 'none'); END $$;
SET ROLE model_rights_bert;
SELECT encode_for_all('blue');
SELECT encode_for_all('blue'), tfidf('goods_terms', 'blue');

-- who may change rows, but not update, still changes the version
SET ROLE model_rights_anna;
GRANT INSERT ON goods_terms TO model_rights_bert;
SELECT model_version('goods_terms') AS before \gset
SET ROLE model_rights_bert;
INSERT INTO goods_terms VALUES (6, 'green', 1, 1);
SET ROLE model_rights_anna;
SELECT model_version('goods_terms') <> :'before' AS changed;
SELECT tfidf('goods_terms', 'green', norm => 'none', idf => 'none');

-- nor does the trigger run anything: row triggers that others put on the
-- table run for the rows of the statement, as whoever gave it
CREATE TABLE noted (who text, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO model_rights_anna.noted VALUES (current_user, TG_OP); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON goods_terms FOR EACH ROW EXECUTE FUNCTION note();
RESET ROLE;
SELECT model_version('goods_terms') AS before \gset
UPDATE goods_terms SET documents = documents WHERE id = 1;
INSERT INTO goods_terms VALUES (7, 'yellow', 1, 1);
SELECT model_version('goods_terms') <> :'before' AS changed;
SELECT who = current_user AS of_the_caller, what FROM noted;
SET ROLE model_rights_anna;
DROP TRIGGER note ON goods_terms;

-- who may put a trigger on a table does not get the rights of those who use it
RESET ROLE;
CREATE TABLE model_rights_shop.shared (id integer PRIMARY KEY, note text);
INSERT INTO model_rights_shop.shared VALUES (0, 'zero');
GRANT ALL ON model_rights_shop.shared TO model_rights_bert;
SET ROLE model_rights_bert;
CREATE FUNCTION pg_temp.rise() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN ALTER ROLE model_rights_bert SUPERUSER; RETURN NEW; END $$;
CREATE TRIGGER rise BEFORE UPDATE ON model_rights_shop.shared FOR EACH ROW EXECUTE FUNCTION pg_temp.rise();
CREATE TRIGGER model AFTER INSERT ON model_rights_shop.shared FOR EACH STATEMENT EXECUTE FUNCTION public.embed_model('word2vec');
INSERT INTO model_rights_shop.shared VALUES (1, 'one');
SELECT rolsuper FROM pg_roles WHERE rolname = 'model_rights_bert';
SET ROLE model_rights_anna;

-- an index whose expression tells who evaluates it: the owner, whoever changes rows
CREATE FUNCTION teller(documents bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN IF current_user <> 'model_rights_anna' THEN RAISE 'evaluated as %', current_user; END IF; RETURN documents; END $$;
CREATE TABLE narrow (id integer, term text, documents bigint, occurrences bigint);
ALTER TABLE narrow ALTER term SET STORAGE PLAIN;
INSERT INTO narrow VALUES (0, repeat('x', 5000), 1, 1);
SELECT register_model('narrow', 'vocabulary', 'simple', 'dims=10');
CREATE INDEX ON narrow (teller(documents)) WHERE id = 0;
RESET ROLE;
INSERT INTO narrow VALUES (1, repeat('y', 500), 1, 1);
DELETE FROM narrow WHERE id = 1;
SET ROLE model_rights_anna;
SET enable_seqscan = off;
SELECT id, documents, ctid >= '(1,0)' AS moved FROM narrow WHERE id = 0 AND teller(documents) = 1;
RESET enable_seqscan;
DROP TABLE narrow;

-- rename, move, rename a column's schema: the model goes along
SET search_path = public;
ALTER TABLE model_rights_anna.goods_terms RENAME TO "Terms of goods";
ALTER TABLE model_rights_anna."Terms of goods" SET SCHEMA model_rights_other;
SELECT tfidf('model_rights_other."Terms of goods"', 'red car', norm => 'none', idf => 'none');
UPDATE model_rights_other."Terms of goods" SET term = 'van' WHERE term = 'car';
SELECT tfidf('model_rights_other."Terms of goods"', 'red van', norm => 'none', idf => 'none');
SELECT model FROM embed_models();

-- dropped and gone
DROP TABLE model_rights_other."Terms of goods";
SELECT count(*) FROM embed_models();
SELECT count(*) FROM embed_images();
RESET ROLE;

-- a function that others make a superuser call cannot create models
CREATE FUNCTION model_rights_shop.train() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM public.train_vocabulary('model_rights_shop.trap', 'SELECT ''x''::text'); RETURN 1; END $$;
CREATE MATERIALIZED VIEW model_rights_shop.trap_view AS SELECT model_rights_shop.train() WITH NO DATA;
REFRESH MATERIALIZED VIEW model_rights_shop.trap_view;

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA model_rights_anna, model_rights_other, model_rights_shop CASCADE;
DROP FUNCTION pg_temp.rise();
DROP ROLE model_rights_anna, model_rights_bert;
