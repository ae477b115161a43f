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
-- is cut at the ends of sentences and paragraphs.
CREATE TABLE passages AS
SELECT row_number() OVER () AS id, page, title, heading, split.position, passage
FROM sections, split_text(body, max_tokens => 150, overlap => 20) AS split;
ALTER TABLE passages ADD PRIMARY KEY (id);
SELECT count(*) AS passages FROM passages;

-- ---------------------------------------------------------------------------
-- 2. Train: which words are there, and how rare is each?
-- ---------------------------------------------------------------------------

-- The corpus is a query.  The configuration is one of the server's own text
-- search configurations: with 'english', "loading" and "loads" are one word.
SELECT train_vocabulary('manual_words',
                        'SELECT concat_ws('' '', title, heading, passage) FROM passages',
                        config => 'english');

-- A model is an ordinary table: look into it, grant it, dump it, drop it.
SELECT * FROM manual_words WHERE id > 0 ORDER BY documents DESC LIMIT 5;

-- ---------------------------------------------------------------------------
-- 3. Compute: every passage becomes a vector of word weights
-- ---------------------------------------------------------------------------

ALTER TABLE passages ADD COLUMN weights sparsevec;
UPDATE passages
SET weights = tfidf('manual_words', concat_ws(' ', title, heading, passage));

-- ---------------------------------------------------------------------------
-- 4. Search: the nearest vectors are the best answers
-- ---------------------------------------------------------------------------

SELECT heading, title, left(passage, 60) AS passage
FROM passages
ORDER BY weights <=> tfidf('manual_words', 'make bulk loading faster')
LIMIT 5;

SELECT heading, title, left(passage, 60) AS passage
FROM passages
ORDER BY weights <=> tfidf('manual_words', 'who is blocking my query')
LIMIT 5;

-- The best passage of each page, with its similarity.
SELECT DISTINCT ON (page) page, heading,
       round((1 - (weights <=> query))::numeric, 3) AS similarity
FROM passages, tfidf('manual_words', 'restore a backup to a point in time') AS query
WHERE weights <=> query < 0.75
ORDER BY page, weights <=> query;

-- An ordinary WHERE narrows the search: only the pages of SQL commands.
SELECT title, heading, left(passage, 60) AS passage
FROM passages
WHERE page LIKE 'sql-%'
ORDER BY weights <=> tfidf('manual_words', 'remove duplicate rows from a result')
LIMIT 3;

-- ---------------------------------------------------------------------------
-- 5. Understand: what is a page about, and what is like it?
-- ---------------------------------------------------------------------------

-- The key terms of a page: its heaviest words.
SELECT term, round(weight::numeric, 3) AS weight
FROM vector_terms('manual_words',
                  tfidf('manual_words', (SELECT string_agg(body, ' ') FROM sections
                                         WHERE page = 'mvcc-intro')),
                  count => 8);

-- Why does a passage match?  The words that it shares with the question.
SELECT p.heading, string_agg(t.term, ', ' ORDER BY t.weight DESC) AS key_terms
FROM (SELECT * FROM passages
      ORDER BY weights <=> tfidf('manual_words', 'who is blocking my query')
      LIMIT 3) AS p,
     vector_terms('manual_words', p.weights, count => 5) AS t
GROUP BY p.id, p.heading;

-- More like this: the nearest neighbours of a passage.
SELECT other.page, other.heading,
       round((1 - (other.weights <=> this.weights))::numeric, 3) AS similarity
FROM passages AS this, passages AS other
WHERE this.id = (SELECT min(id) FROM passages WHERE page = 'explicit-locking')
  AND other.page <> this.page
ORDER BY other.weights <=> this.weights
LIMIT 5;
