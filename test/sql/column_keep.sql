-- Broken if it differs: embed_column makes something else than it says, a
-- vector is computed when nothing changed or is not when something did, or a
-- table of an unusual kind loses what keeps its column fresh.
SET embed.progress = off;
\pset format unaligned
CREATE TABLE column_keep (id integer PRIMARY KEY, title text, body varchar, code char(8), hits integer DEFAULT 0);
INSERT INTO column_keep (id, title, body) VALUES (1, 'red fox', 'a fox runs'), (2, 'blue whale', NULL), (3, NULL, NULL), (4, 'zzz', 'qqq');
SELECT train_vocabulary('column_keep_words', 'VALUES (''red fox a fox runs''), (''blue whale a whale swims'')', capacity => 16, sort_by => 'term');
SELECT import_word_vectors('column_keep_vectors', config => 'embed_words',
	data => convert_to(E'red 1 0\nfox 0 1\nblue -1 0\nwhale 0 -1\n', 'UTF8'));

-- everything by one call, and by the statements that it returns
CREATE TABLE column_keep_by_hand (LIKE column_keep INCLUDING ALL);
INSERT INTO column_keep_by_hand SELECT * FROM column_keep;
SELECT statement FROM embed_column('column_keep', ARRAY['title', 'body'], 'column_keep_words', 'words');
CREATE TABLE column_keep_statements AS
SELECT statement, n FROM embed_column('column_keep', '{title,body}', 'column_keep_vectors', 'meaning', version_column => true) WITH ORDINALITY AS s (statement, n);
SELECT statement FROM column_keep_statements ORDER BY n;
DO $$ DECLARE s text; BEGIN FOR s IN SELECT replace(statement, 'public.column_keep ', 'public.column_keep_by_hand ') FROM column_keep_statements ORDER BY n LOOP EXECUTE s; END LOOP; END $$;
SELECT count(*) FROM (SELECT id, meaning, meaning_version FROM column_keep EXCEPT SELECT id, meaning, meaning_version FROM column_keep_by_hand) x;
SELECT id, words, meaning, meaning_version = model_version('column_keep_vectors') AS version FROM column_keep ORDER BY id;
-- the second time nothing but the filling is left to do
SELECT left(statement, 30) AS statement FROM embed_column('column_keep', '{title,body}', 'column_keep_vectors', 'meaning', version_column => true);
SELECT "table", "column", model, encoder, sources, index, operator, filled, missing, stale FROM embed_columns(count_rows => true) WHERE "table" = 'column_keep'::regclass;

-- computed only when a source has changed
CREATE FUNCTION column_keep_computed(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE before bigint := (SELECT computed FROM embed_call_statistics());
BEGIN EXECUTE statement; RETURN (SELECT computed FROM embed_call_statistics()) - before; END $$;
SELECT column_keep_computed($$UPDATE column_keep SET hits = hits + 1$$) AS counter;
SELECT column_keep_computed($$UPDATE column_keep SET title = title, body = body$$) AS same_text;
SELECT column_keep_computed($$UPDATE column_keep SET title = 'red whale' WHERE id = 1$$) AS changed;
SELECT id, words, meaning FROM column_keep WHERE id = 1;
-- programs write all columns back: the old vector beside a new text is not theirs
SELECT column_keep_computed($$UPDATE column_keep SET title = 'red', body = NULL, words = words, meaning = meaning WHERE id = 1$$) AS written_back;
SELECT id, words, meaning FROM column_keep WHERE id = 1;
-- another vector is
SELECT column_keep_computed($$UPDATE column_keep SET title = 'blue', words = '{1:9}/16', meaning = '[9,9]' WHERE id = 1$$) AS own_vector;
SELECT id, words, meaning, meaning_version FROM column_keep WHERE id = 1;
SELECT column_keep_computed($$INSERT INTO column_keep VALUES (5, 'red', NULL, NULL, 0, '{2:9}/16', '[9,9]')$$) AS given;
SELECT id, words, meaning, meaning_version FROM column_keep WHERE id = 5;
-- NULL sources give NULL; no known word: NULL if dense, empty if sparse
UPDATE column_keep SET title = NULL, body = NULL WHERE id = 5;
INSERT INTO column_keep (id, title) VALUES (6, 'unheard of'), (7, '');
SELECT id, words, meaning FROM column_keep WHERE id >= 5 ORDER BY id;
-- several sources are paragraphs of one text; blanks that pad are none of it
SELECT statement IS NOT NULL FROM embed_column('column_keep', '{code,title}', 'column_keep_vectors', 'coded', pooling => 'mean', index => false);
INSERT INTO column_keep (id, code, title) VALUES (8, 'fox', 'red'), (9, 'fox', NULL);
SELECT id, coded FROM column_keep WHERE id >= 8 ORDER BY id;

-- a trigger of somebody else's that changes a source comes before
CREATE FUNCTION column_keep_lower() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := 'whale'; RETURN NEW; END $$;
CREATE TRIGGER other BEFORE INSERT ON column_keep FOR EACH ROW EXECUTE FUNCTION column_keep_lower();
INSERT INTO column_keep (id, title) VALUES (10, 'fox');
SELECT id, title, meaning FROM column_keep WHERE id = 10;

-- quoted and Unicode names, another schema, partitions, generated columns
CREATE SCHEMA "Column Kéep";
CREATE TABLE "Column Kéep"."Täble 'x'" ("Id" integer, "Títle=1" text, part integer, "upper" text GENERATED ALWAYS AS (upper("Títle=1")) STORED) PARTITION BY LIST (part);
CREATE TABLE "Column Kéep".one PARTITION OF "Column Kéep"."Täble 'x'" FOR VALUES IN (1);
CREATE TABLE "Column Kéep".two ("Títle=1" text, "Id" integer, part integer, "upper" text GENERATED ALWAYS AS (upper("Títle=1")) STORED);
ALTER TABLE "Column Kéep"."Täble 'x'" ATTACH PARTITION "Column Kéep".two FOR VALUES IN (2);
INSERT INTO "Column Kéep"."Täble 'x'" VALUES (1, 'red fox', 1), (2, 'blue whale', 2);
CREATE TABLE "Column Kéep"."Módel" (LIKE column_keep_vectors INCLUDING ALL);
INSERT INTO "Column Kéep"."Módel" SELECT * FROM column_keep_vectors;
SELECT register_model('"Column Kéep"."Módel"', 'glove', 'embed_words', 'dims=2');
SELECT statement FROM embed_column('"Column Kéep"."Täble ''x''"', '{Títle=1}', '"Column Kéep"."Módel"', fill => false);
CALL embed_fill('"Column Kéep"."Täble ''x''"', batch_rows => 1);
INSERT INTO "Column Kéep"."Täble 'x'" VALUES (3, 'red', 2), (4, 'whale', 1);
UPDATE "Column Kéep"."Täble 'x'" SET "Títle=1" = 'blue' WHERE "Id" = 3;
SELECT tableoid::regclass, * FROM "Column Kéep"."Täble 'x'" ORDER BY "Id";
SELECT * FROM embed_columns(true) WHERE "table"::text LIKE '%äble%';

-- refused, with a hint
\set VERBOSITY default
CREATE FUNCTION column_keep_error(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE 'SELECT * FROM embed_column(' || call || ')';
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE TABLE column_keep_parent (body text);
CREATE TABLE column_keep_child () INHERITS (column_keep_parent);
CREATE VIEW column_keep_view AS SELECT 'x'::text AS body;
SELECT call, column_keep_error(call) FROM (VALUES
	($$'column_keep', '{title}', 'column_keep_words', 'words'$$),
	($$'column_keep', '{title}', 'column_keep_words', 'title'$$),
	($$'column_keep', '{title}', 'column_keep_words', 'meaning'$$),
	($$'column_keep', '{title}', 'column_keep_words', 'ctid'$$),
	($$'column_keep', '{nothing}', 'column_keep_words', 'new'$$),
	($$'column_keep', '{id}', 'column_keep_words', 'new'$$),
	($$'column_keep', '{title,title}', 'column_keep_words', 'new'$$),
	($$'column_keep', '{}', 'column_keep_words', 'new'$$),
	($$'column_keep', '{NULL}', 'column_keep_words', 'new'$$),
	($$'column_keep', NULL, 'column_keep_words', 'new'$$),
	($$'column_keep', '{title}', 'column_keep', 'new'$$),
	($$'column_keep', '{title}', 'column_keep_words', 'new', 'embed'$$),
	($$'column_keep', '{title}', 'column_keep_vectors', 'new', 'tfidf'$$),
	($$'column_keep', '{title}', 'column_keep_vectors', 'new', 'bert'$$),
	($$'column_keep', '{title}', 'column_keep_vectors', 'new', pooling => 'none'$$),
	($$'column_keep', '{title}', 'column_keep_vectors', 'new', prompt => 'query'$$),
	($$'column_keep', '{title}', 'column_keep_words', 'new', pooling => 'mean'$$),
	($$'column_keep_parent', '{body}', 'column_keep_words'$$),
	($$'column_keep_view', '{body}', 'column_keep_words'$$),
	($$'"Column Kéep"."Täble ''x''"', '{upper}', '"Column Kéep"."Módel"', 'new'$$),
	($$0, '{title}', 'column_keep_words'$$)) AS v (call);
-- and a trigger made by hand that makes no sense
CREATE TABLE column_keep_hand (body text, v vector(2), w vector(3), s sparsevec);
CREATE FUNCTION column_keep_trigger(arguments text, timing text DEFAULT 'BEFORE INSERT') RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE format('CREATE TRIGGER hand %s ON column_keep_hand FOR EACH ROW EXECUTE FUNCTION embed_update_trigger(%s)', timing, arguments);
	INSERT INTO column_keep_hand VALUES ('red fox');
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT arguments, column_keep_trigger(arguments) FROM (VALUES
	($$$$), ($$'v', 'public.column_keep_vectors'$$), ($$'v', 'column_keep_vectors', 'body'$$),
	($$'v', 'public.no_such_model', 'body'$$), ($$'v', 'public.column_keep_hand', 'body'$$),
	($$'w', 'public.column_keep_vectors', 'body'$$), ($$'s', 'public.column_keep_vectors', 'body'$$),
	($$'x', 'public.column_keep_vectors', 'body'$$), ($$'v', 'public.column_keep_vectors', 'x'$$),
	($$'v', 'public.column_keep_vectors', 'body', 'encoder=bert'$$), ($$'v', 'public.column_keep_vectors', 'body', 'layer=3'$$),
	($$'v', 'public.column_keep_vectors', 'encoder=embed'$$), ($$'v', 'public.column_keep_vectors', 'body', 'version=body2'$$),
	($$'v', 'public.column_keep_vectors', 'body', 'version=w'$$)) AS v (arguments);
SELECT column_keep_trigger($$'v', 'public.column_keep_vectors', 'body'$$, 'AFTER INSERT');
SELECT column_keep_trigger($$'v', 'public.column_keep_vectors', 'body'$$, 'BEFORE DELETE OR INSERT');
DELETE FROM column_keep_hand;
DROP TRIGGER IF EXISTS hand ON column_keep_hand;
-- the encoder may be left to the model
SELECT column_keep_trigger($$'s', 'public.column_keep_words', 'body'$$);
SELECT * FROM column_keep_hand;
-- what is no trigger
SELECT embed_update_trigger();
-- a name that is none of a model, and a trigger that does not fire, are told,
-- and the list is there whatever triggers there are
DROP TRIGGER hand ON column_keep_hand;
SELECT arguments, column_keep_trigger(arguments) FROM (VALUES ($$'v', 'public."column_keep', 'body'$$), ($$'v', 'a.b.c.d', 'body'$$), ($$'v', 'no_database.public.column_keep_vectors', 'body'$$)) AS v (arguments);
CREATE TRIGGER hand BEFORE INSERT OR UPDATE ON column_keep_hand FOR EACH ROW EXECUTE FUNCTION embed_update_trigger('v', 'public."column_keep', 'body');
SELECT problem FROM embed_columns(true) WHERE "table" = 'column_keep_hand'::regclass;
ALTER TABLE column_keep_hand DISABLE TRIGGER hand;
SELECT problem FROM embed_columns(true) WHERE "table" = 'column_keep_hand'::regclass;
DROP TRIGGER hand ON column_keep_hand;
CREATE TRIGGER hand BEFORE INSERT ON column_keep_hand FOR EACH ROW EXECUTE FUNCTION embed_update_trigger('v', 'public.column_keep_vectors', 'body');
SELECT problem FROM embed_columns(true) WHERE "table" = 'column_keep_hand'::regclass;
ALTER TABLE column_keep_hand ENABLE REPLICA TRIGGER hand;
SELECT problem FROM embed_columns(true) WHERE "table" = 'column_keep_hand'::regclass;
-- a model or a table in a schema that one may not use hides nothing else
CREATE ROLE column_keep_other;
GRANT SELECT ON ALL TABLES IN SCHEMA "Column Kéep" TO column_keep_other;
SET ROLE column_keep_other;
SELECT "table", model, filled, problem FROM embed_columns(true) WHERE "table"::text LIKE '%äble%';
SELECT count(*) > 1 AS others FROM embed_columns(true);
RESET ROLE;
REVOKE SELECT ON ALL TABLES IN SCHEMA "Column Kéep" FROM column_keep_other;
DROP ROLE column_keep_other;
-- names of version columns that are the same once cut
SELECT count(*) FROM embed_column('column_keep_hand', '{body}', 'column_keep_vectors', repeat('x', 62) || '1', version_column => true);
SELECT count(*) FROM embed_column('column_keep_hand', '{body}', 'column_keep_vectors', repeat('x', 62) || '2', version_column => true);

SET client_min_messages = error;
DROP SCHEMA "Column Kéep" CASCADE;
DROP TABLE column_keep, column_keep_by_hand, column_keep_statements, column_keep_words, column_keep_vectors, column_keep_parent, column_keep_hand CASCADE;
DROP VIEW column_keep_view;
DROP FUNCTION column_keep_computed, column_keep_error, column_keep_trigger, column_keep_lower;

-- a model or a column that is renamed: the next write, fill and search say so,
-- embed_columns() too, and embed_column makes the trigger again
CREATE TABLE column_renamed (id integer PRIMARY KEY, "a,b" text, body text);
INSERT INTO column_renamed VALUES (1, 'one', 'ant bee'), (2, NULL, 'cow');
SELECT train_vocabulary('column_renamed_words', 'SELECT body FROM column_renamed');
SELECT left(statement, 80) FROM embed_column('column_renamed', '{"a,b",body}', 'column_renamed_words', 'words', 'tfidf');
CREATE FUNCTION column_renamed_try() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	detail text;
	hint text;
BEGIN
	FOREACH statement IN ARRAY ARRAY['INSERT INTO column_renamed VALUES (9)', 'SELECT count(*) FROM embed_search(NULL::column_renamed, ''cow'')'] LOOP
		BEGIN
			EXECUTE statement;
			RETURN NEXT 'done';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			RETURN NEXT concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), left(hint, 30));
		END;
	END LOOP;
	RETURN QUERY SELECT concat_ws(' | ', "column", model, index, problem) FROM embed_columns(true) WHERE "table" = 'column_renamed'::regclass;
END $$;
ALTER TABLE column_renamed_words RENAME TO column_renamed_terms;
SELECT column_renamed_try();
CALL embed_fill('column_renamed');
SELECT left(statement, 80) FROM embed_column('column_renamed', '{"a,b",body}', 'column_renamed_terms', 'words', 'tfidf');
ALTER TABLE column_renamed RENAME body TO text;
SELECT column_renamed_try();
CALL embed_fill('column_renamed');
SELECT left(statement, 80) FROM embed_column('column_renamed', '{"a,b",text}', 'column_renamed_terms', 'words', 'tfidf');
ALTER TABLE column_renamed RENAME words TO weights;
SELECT column_renamed_try();
-- the model as well, and an index of an expression is none of the column
CREATE INDEX ON column_renamed USING inverted ((l2_normalize(weights)::sparsevec(8)));
ALTER TABLE column_renamed_terms RENAME TO column_renamed_words;
SELECT column_renamed_try();
SELECT left(statement, 80) FROM embed_column('column_renamed', '{"a,b",text}', 'column_renamed_words', 'weights', 'tfidf');
SELECT column_renamed_try();
SELECT id, weights FROM column_renamed ORDER BY id;
SELECT left(statement, 80) FROM embed_column('column_renamed', '{"a,b",text}', 'column_renamed_words', 'weights', 'tfidf');
DROP TABLE column_renamed, column_renamed_words;
DROP FUNCTION column_renamed_try();
