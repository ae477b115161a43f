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
FROM embed_models WHERE model = 'goods_terms'::regclass;

-- a model is its table and nothing else: the extension brings no registry and
-- no event trigger, and embed_models shows what has the trigger
SELECT count(*) AS tables_and_event_triggers FROM pg_depend d LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND (d.classid = 'pg_event_trigger'::regclass OR c.relkind NOT IN ('v', 'c'));
BEGIN;
DROP TRIGGER embed_model ON goods_terms;
SELECT count(*) FROM embed_models WHERE model = 'goods_terms'::regclass;
ROLLBACK;
SELECT count(*) FROM embed_models WHERE model = 'goods_terms'::regclass;
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
SELECT count(*) FROM embed_models;
SELECT count(*) FROM embed_images();
SELECT register_model('goods_terms', 'vocabulary');
SELECT train_vocabulary('goods_terms', 'SELECT ''mine''::text', replace => true);

-- until anna says so, and no longer than she says so
SET ROLE model_rights_anna;
GRANT SELECT ON goods_terms TO model_rights_bert;
SET ROLE model_rights_bert;
SELECT tfidf('goods_terms', 'red car', norm => 'none', idf => 'none');
SELECT model FROM embed_models;
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

-- nor does the trigger run with more rights than the owner's
CREATE TABLE noted (who text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO model_rights_anna.noted VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE UPDATE ON goods_terms FOR EACH ROW EXECUTE FUNCTION note();
RESET ROLE;
UPDATE goods_terms SET documents = documents WHERE id = 1;
SELECT DISTINCT who = current_user AS of_the_caller, who FROM noted WHERE who <> current_user;
SET ROLE model_rights_anna;
DROP TRIGGER note ON goods_terms;

-- rename, move, rename a column's schema: the model goes along
SET search_path = public;
ALTER TABLE model_rights_anna.goods_terms RENAME TO "Terms of goods";
ALTER TABLE model_rights_anna."Terms of goods" SET SCHEMA model_rights_other;
SELECT tfidf('model_rights_other."Terms of goods"', 'red car', norm => 'none', idf => 'none');
UPDATE model_rights_other."Terms of goods" SET term = 'van' WHERE term = 'car';
SELECT tfidf('model_rights_other."Terms of goods"', 'red van', norm => 'none', idf => 'none');
SELECT model FROM embed_models;

-- dropped and gone
DROP TABLE model_rights_other."Terms of goods";
SELECT count(*) FROM embed_models;
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
DROP ROLE model_rights_anna, model_rights_bert;
