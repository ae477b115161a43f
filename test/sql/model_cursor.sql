-- Broken if this fails: what one snapshot of a transaction sees of a model is
-- shown to another, whose rows are others.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_cursor;
SET search_path = model_cursor, public;
SELECT train_vocabulary('m', 'SELECT ''alpha beta gamma''', capacity => 64);

-- which of the words the model knows, asked through SQL and through plpgsql,
-- whose expressions keep what they have opened; and what the table says
CREATE FUNCTION known(words text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce(string_agg(word, ' ' ORDER BY word), '') FROM unnest(string_to_array(words, ' ')) AS word
   WHERE one_hot('model_cursor.m', word) IS NOT NULL $$;
CREATE FUNCTION counted(words text) RETURNS integer LANGUAGE plpgsql AS
$$ DECLARE result sparsevec;
BEGIN result := count_vector('model_cursor.m', words); RETURN -(result <#> result); END $$;
CREATE FUNCTION there(words text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce(string_agg(term, ' ' ORDER BY term), '') FROM model_cursor.m
   WHERE id > 0 AND term = ANY (string_to_array(words, ' ')) $$;

-- a cursor opened between two changes
CREATE FUNCTION between_changes() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c refcursor;
	early text;
BEGIN
	INSERT INTO m VALUES (10, 'delta', 1, 1);
	OPEN c FOR SELECT known('delta epsilon');
	INSERT INTO m VALUES (11, 'epsilon', 1, 1);
	FETCH c INTO early;
	CLOSE c;
	RETURN format('cursor %s; now %s; rows %s', early, known('delta epsilon'), there('delta epsilon'));
END $$;
BEGIN;
SELECT between_changes();
SELECT known('delta epsilon');
ROLLBACK;

-- a row of a cursor at a time, changes in between
BEGIN;
DECLARE old CURSOR FOR SELECT known('alpha delta epsilon'), there('alpha delta epsilon') FROM generate_series(1, 4);
FETCH old;
INSERT INTO m VALUES (10, 'delta', 1, 1);
DECLARE middle CURSOR WITH HOLD FOR SELECT known('alpha delta epsilon'), there('alpha delta epsilon') FROM generate_series(1, 4);
FETCH old;
FETCH middle;
SELECT known('alpha delta epsilon'), there('alpha delta epsilon');
SAVEPOINT s;
INSERT INTO m VALUES (11, 'epsilon', 1, 1);
DELETE FROM m WHERE term = 'alpha';
FETCH old;
FETCH middle;
SELECT known('alpha delta epsilon'), there('alpha delta epsilon');
ROLLBACK TO s;
FETCH old;
FETCH middle;
SELECT known('alpha delta epsilon'), there('alpha delta epsilon');
COMMIT;
FETCH middle;
SELECT known('alpha delta epsilon'), there('alpha delta epsilon');
CLOSE middle;
DELETE FROM m WHERE id = 10;

-- TRUNCATE in the transaction that made the table gives row 0 the same place
BEGIN;
SELECT train_vocabulary('fresh', 'SELECT ''one two''', capacity => 64);
SELECT one_hot('fresh', 'one'), one_hot('fresh', 'three');
CREATE TEMP TABLE rows ON COMMIT DROP AS SELECT * FROM fresh;
TRUNCATE fresh;
INSERT INTO fresh SELECT id, CASE term WHEN 'one' THEN 'three' ELSE term END, documents, occurrences FROM rows;
SELECT one_hot('fresh', 'one'), one_hot('fresh', 'three');
ROLLBACK;

-- statements that look while they change: rows so far are seen by what a row
-- trigger asks, and not by the statement itself
CREATE TABLE looks (id serial, asked integer, there text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	words constant text := 'w1 w2 w3 w4';
BEGIN
	INSERT INTO looks (asked, there) VALUES (counted(words), there(words));
	RETURN NEW;
END $$;
CREATE FUNCTION look_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	seen integer := counted('w1 w2 w3 w4');
	counted integer;
BEGIN
	SELECT count(*) INTO counted FROM m WHERE term ~ '^w[1-4]$';
	IF seen <> counted THEN RAISE EXCEPTION 'seen %, there %', seen, counted; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER look BEFORE INSERT ON m FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO m SELECT 20 + i, 'w' || i, 1, 1 FROM generate_series(1, 4) AS i;
SELECT asked, there FROM looks ORDER BY id;
TRUNCATE looks;
BEGIN;
DELETE FROM m WHERE id > 20;
INSERT INTO m SELECT 20 + i, 'w' || i, 1, 1 FROM generate_series(1, 4) AS i;
SELECT asked, there FROM looks ORDER BY id;
ROLLBACK;
DROP TRIGGER look ON m;
DELETE FROM m WHERE id > 20;
CREATE TRIGGER look BEFORE INSERT ON m FOR EACH ROW EXECUTE FUNCTION look_only();
INSERT INTO m SELECT 20 + i, 'w' || i, 1, 1 FROM generate_series(1, 4) AS i;
BEGIN;
INSERT INTO m SELECT 30 + i, 'v' || i, 1, 1 FROM generate_series(1, 4) AS i;
DELETE FROM m WHERE id BETWEEN 22 AND 24;
INSERT INTO m SELECT 21 + i, 'w' || 1 + i, 1, 1 FROM generate_series(1, 3) AS i;
SELECT known('w1 w2 w3 w4 v4');
ROLLBACK;
DROP TRIGGER look ON m;
UPDATE m SET documents = CASE WHEN one_hot('m', term) IS NULL THEN NULL ELSE documents END,
	term = 'x' || term WHERE id > 20 RETURNING id, term, one_hot('m', term) IS NULL AS not_yet;
SELECT known('w1 w4 xw1 xw4');

-- a failed change in a block with an exception handler
DO $$
BEGIN
	INSERT INTO m VALUES (40, 'kept', 1, 1);
	IF counted('kept gone') <> 1 THEN RAISE WARNING 'before: %', known('kept gone'); END IF;
	FOR i IN 1 .. 3 LOOP
		BEGIN
			INSERT INTO m VALUES (41, 'gone', 1, 1);
			IF counted('kept gone') <> 2 THEN RAISE WARNING 'inside: %', known('kept gone'); END IF;
			INSERT INTO m VALUES (42, 'more', 1, 1), (41, 'twice', 1, 1);
		EXCEPTION WHEN unique_violation THEN
			IF counted('kept gone more') <> 1 THEN RAISE WARNING 'after: %', known('kept gone more'); END IF;
		END;
	END LOOP;
	INSERT INTO m VALUES (41, 'last', 1, 1);
	IF counted('kept gone last') <> 2 THEN RAISE WARNING 'at the end: %', known('kept gone last'); END IF;
END $$;
SELECT known('kept gone more last'), there('kept gone more last');

-- without statistics of changed rows it is slower, and the same
SET track_counts = off;
BEGIN;
SELECT between_changes();
INSERT INTO m VALUES (51, 'zeta', 1, 1);
SELECT known('zeta eta'), there('zeta eta');
INSERT INTO m VALUES (52, 'eta', 1, 1);
SELECT known('zeta eta'), there('zeta eta');
ROLLBACK;
RESET track_counts;
SELECT known('zeta eta'), there('zeta eta');
DROP SCHEMA model_cursor CASCADE;
