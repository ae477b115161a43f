-- ---------------------------------------------------------------------------
-- 1. The extension, and a table of text
-- ---------------------------------------------------------------------------

CREATE EXTENSION embed;

-- The manual: one row for each section of each page.
CREATE TABLE sections (page text, title text, heading text, body text);
\copy sections FROM 'sections.copy'
SELECT count(*) AS sections, count(DISTINCT page) AS pages,
       pg_size_pretty(sum(octet_length(body))) AS text
FROM sections;

-- Some sections are pages long.  What a reader wants is the passage, so each
-- is cut at the ends of sentences and paragraphs.  Scraps are left out.
CREATE TABLE passages AS
SELECT row_number() OVER () AS id, page, title, heading,
       regexp_replace(passage, '\s+', ' ', 'g') AS passage
FROM sections, split_text(body, max_tokens => 80, overlap => 0)
WHERE passage ~ '(\w+\W+){12}';
ALTER TABLE passages ADD PRIMARY KEY (id);
SELECT count(*) AS passages, round(avg(length(passage))) AS characters
FROM passages;
SELECT heading, left(passage, 70) AS passage
FROM passages WHERE page = 'populate' LIMIT 5;

-- ---------------------------------------------------------------------------
-- 2. Train: which words are there, and how rare is each?
-- ---------------------------------------------------------------------------

-- The corpus is a query.  The configuration is one of the server's own text
-- search configurations: with 'english', "loading" and "loads" are one word.
SELECT train_vocabulary('manual_words',
                        'SELECT concat_ws('' '', title, heading, passage) FROM passages',
                        config => 'english');

-- A model is an ordinary table: look into it, grant it, dump it, drop it.
SELECT * FROM manual_words WHERE id > 0 ORDER BY documents DESC LIMIT 3;

-- ---------------------------------------------------------------------------
-- 3. Keep: a column of vectors, its trigger, its index, in one call
-- ---------------------------------------------------------------------------

-- What it returns is the SQL that it ran: BM25 weights, and an index that
-- finds the best rows exactly.
SELECT left(statement, 76) AS statement
FROM embed_column('passages', '{title,heading,passage}', 'manual_words', 'words');

-- ---------------------------------------------------------------------------
-- 4. Search by words
-- ---------------------------------------------------------------------------

SELECT (hit).heading, left((hit).passage, 70) AS passage
FROM embed_search(NULL::passages, 'make bulk loading faster', 5);

-- The same by hand.  An ordinary WHERE narrows the search.
SELECT title, left(passage, 70) AS passage
FROM passages
WHERE page LIKE 'sql-%'
ORDER BY words <#> bm25_query('manual_words', 'remove duplicate rows from a result')
LIMIT 3;

-- The index serves it.
SELECT embed_explain($$SELECT title FROM passages
    ORDER BY words <#> bm25_query('manual_words', 'who is blocking me') LIMIT 3$$);

-- ---------------------------------------------------------------------------
-- 5. Understand: what is a page about?
-- ---------------------------------------------------------------------------

-- The key terms of a page: words that are frequent here and rare elsewhere.
SELECT page, string_agg(term, ', ' ORDER BY weight DESC) AS key_terms
FROM (SELECT page, string_agg(body, ' ') AS body FROM sections
      WHERE page IN ('mvcc-intro', 'backup-dump', 'populate', 'wal-intro')
      GROUP BY page) AS pages,
     vector_terms('manual_words', tfidf('manual_words', body), count => 8)
GROUP BY page ORDER BY page;

-- ---------------------------------------------------------------------------
-- 6. Meaning: words that are used alike become vectors that are alike
-- ---------------------------------------------------------------------------

-- It tells how far it is while it trains.
SELECT train_word2vec('manual_vectors',
                      'SELECT concat_ws('' '', title, heading, body) FROM sections',
                      config => 'english', dims => 100, epochs => 15, seed => 1);

-- Nobody told it: these it read out of the manual.
SELECT query AS word, string_agg(word, ', ' ORDER BY similarity DESC) AS nearest
FROM unnest('{backup,faster,lock,role}'::text[]) AS query,
     nearest_words('manual_vectors', query, count => 5)
GROUP BY query;

-- As "publisher" is to "subscriber", so is "primary" to ... ('english' keeps
-- the stems of words)
SELECT * FROM analogy('manual_vectors', '{subscrib,primari}', '{publish}', count => 3);

-- A passage is the mean of its words, rare ones first.  Again one call, and an
-- index that finds the nearest vectors.
SELECT left(statement, 76) AS statement
FROM embed_column('passages', '{title,heading,passage}', 'manual_vectors', 'meaning',
                  pooling => 'sif');

-- ---------------------------------------------------------------------------
-- 7. Search by words, by meaning, and by both
-- ---------------------------------------------------------------------------

-- The page of the best passage.
SELECT question,
       (SELECT (hit).title FROM embed_search(NULL::passages, question, 1,
                                             columns => '{words}')) AS by_words,
       (SELECT (hit).title FROM embed_search(NULL::passages, question, 1,
                                             columns => '{meaning}')) AS by_meaning,
       (SELECT (hit).title FROM embed_search(NULL::passages, question, 1)) AS by_both
FROM unnest(ARRAY['make bulk loading faster', 'find out who is blocking a session',
                  'remove duplicate rows from a result',
                  'restore a backup to a point in time',
                  'what happens when the disk is full']) AS question;

-- ---------------------------------------------------------------------------
-- 8. Fresh: what is written is found
-- ---------------------------------------------------------------------------

INSERT INTO passages (id, page, title, heading, passage)
VALUES (1000000, 'house', 'House rules', 'Passwords',
        'On the first Monday of a month the administrator resets all passwords.');
SELECT (hit).title, (hit).heading, ranks
FROM embed_search(NULL::passages, 'who resets passwords on Monday', 1);

-- What is kept fresh, by which index, and whether all of it is there.
SELECT "column", model, encoder, index, filled, missing
FROM embed_columns(count_rows => true);

-- ---------------------------------------------------------------------------
-- 9. Look: a map of the words, for a browser
-- ---------------------------------------------------------------------------

-- The most frequent words; those that are used alike stand side by side.  What
-- is answered goes to a file, without a heading.
\pset tuples_only on
\pset format unaligned
\o map.svg
SELECT embed_map('SELECT word, l2_normalize(vector) FROM manual_vectors
                  WHERE id > 0 ORDER BY occurrences DESC LIMIT 400',
                 'neighbours', title => 'Words of the manual');
\o
\pset format aligned
\pset tuples_only off
