-- Would fail if something that outlives a caught error were left half-way: a
-- call site that goes on with a configuration that was dropped, or that keeps
-- naming the dropped one after it was made again.
SET client_min_messages = warning;
CREATE TEXT SEARCH CONFIGURATION caught (COPY = english);
CREATE TABLE caught_docs AS SELECT 'the cats and dogs of number ' || i AS body FROM generate_series(1, 20) i;
SELECT train_word2vec('caught_words', 'SELECT body FROM caught_docs', 'caught', dims => 4, epochs => 1, min_count => 1, workers => 1, seed => 1);
SELECT train_vocabulary('caught_terms', 'SELECT body FROM caught_docs', 'caught');

CREATE FUNCTION caught_step(step integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := '';
BEGIN
	-- one place each, kept by the session
	BEGIN
		result := result || ' words: ' || (embed('caught_words', 'cats ' || step) IS NOT NULL);
	EXCEPTION WHEN undefined_object THEN result := result || ' words: ' || SQLERRM;
	END;
	BEGIN
		result := result || ' terms: ' || (tfidf('caught_terms', 'cats ' || step) IS NOT NULL);
	EXCEPTION WHEN undefined_object THEN result := result || ' terms: ' || SQLERRM;
	END;
	RETURN result;
END $$;

SELECT caught_step(1);
DROP TEXT SEARCH CONFIGURATION caught;
SELECT caught_step(2);
SELECT caught_step(3);
CREATE TEXT SEARCH CONFIGURATION caught (COPY = embed_words);
SELECT caught_step(4);
ALTER TEXT SEARCH CONFIGURATION caught RENAME TO caught_away;
SELECT caught_step(5);
ALTER TEXT SEARCH CONFIGURATION caught_away RENAME TO caught;
SELECT caught_step(6);

-- a corpus of more configurations than streams are kept
DO $$ BEGIN
	FOR i IN 1..12 LOOP
		EXECUTE format('CREATE TEXT SEARCH CONFIGURATION caught_%s (COPY = embed_words)', i);
	END LOOP;
END $$;
SELECT train_vocabulary('caught_many', $$SELECT 'word' || i % 5, ('caught_' || 1 + i % 12)::regconfig FROM generate_series(1, 600) i$$, 'caught');
SELECT id, term, documents, occurrences FROM caught_many WHERE id > 0 ORDER BY term;
SELECT train_word2vec('caught_many_words', $$SELECT 'word' || i % 5, ('caught_' || 1 + i % 12)::regconfig FROM generate_series(1, 600) i$$, 'caught', dims => 4, epochs => 1, min_count => 1, workers => 1, seed => 1);
SELECT word, documents, occurrences FROM caught_many_words WHERE id > 0 ORDER BY word;

DROP TABLE caught_docs, caught_words, caught_terms, caught_many, caught_many_words;
DROP FUNCTION caught_step;
DO $$ BEGIN
	FOR i IN 1..12 LOOP
		EXECUTE format('DROP TEXT SEARCH CONFIGURATION caught_%s', i);
	END LOOP;
END $$;
DROP TEXT SEARCH CONFIGURATION caught;
