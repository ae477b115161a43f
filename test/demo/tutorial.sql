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
FROM sections, split_text(body, max_tokens => 60, overlap => 10)
WHERE passage ~ '(\w+\W+){12}';
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

-- A word weighs much that is frequent here and rare elsewhere (TF-IDF).
ALTER TABLE passages ADD COLUMN weights sparsevec;
UPDATE passages
SET weights = tfidf('manual_words', concat_ws(' ', title, heading, passage));

-- ---------------------------------------------------------------------------
-- 4. Search: the nearest vectors are the best answers
-- ---------------------------------------------------------------------------

SELECT heading, left(passage, 80) AS passage
FROM passages
ORDER BY weights <=> tfidf('manual_words', 'make bulk loading faster')
LIMIT 5;

SELECT heading, left(passage, 80) AS passage
FROM passages
ORDER BY weights <=> tfidf('manual_words', 'who is blocking my query')
LIMIT 3;

-- An ordinary WHERE narrows the search: only the pages of SQL commands.
SELECT title, heading, left(passage, 80) AS passage
FROM passages
WHERE page LIKE 'sql-%'
ORDER BY weights <=> tfidf('manual_words', 'remove duplicate rows from a result')
LIMIT 3;

-- The best pages, each with the similarity of its best passage.
SELECT title, round(max(1 - (weights <=> query))::numeric, 2) AS similarity
FROM passages, tfidf('manual_words', 'restore a backup to a point in time') AS query
GROUP BY title
ORDER BY similarity DESC
LIMIT 5;

-- ---------------------------------------------------------------------------
-- 5. Understand: what is a page about, and what is like it?
-- ---------------------------------------------------------------------------

-- The key terms of a page: its heaviest words.
SELECT page, string_agg(term, ', ' ORDER BY weight DESC) AS key_terms
FROM (SELECT page, string_agg(body, ' ') AS body FROM sections
      WHERE page IN ('mvcc-intro', 'backup-dump', 'populate', 'wal-intro')
      GROUP BY page) AS pages,
     vector_terms('manual_words', tfidf('manual_words', body), count => 8)
GROUP BY page;

-- More like this: the nearest pages to the one about locks.
SELECT other.page, round(max(1 - (other.weights <=> this.weights))::numeric, 2) AS similarity
FROM passages AS this, passages AS other
WHERE this.id = (SELECT min(id) FROM passages WHERE page = 'explicit-locking')
  AND other.page <> this.page
GROUP BY other.page
ORDER BY similarity DESC
LIMIT 5;

-- ---------------------------------------------------------------------------
-- 6. Meaning: words that are used alike become vectors that are alike
-- ---------------------------------------------------------------------------

SET embed.progress = off;
SELECT train_word2vec('manual_vectors',
                      'SELECT concat_ws('' '', title, heading, body) FROM sections',
                      config => 'english', dims => 100, epochs => 20);

-- Nobody told it: these it read out of the manual.
SELECT query AS word, string_agg(word, ', ' ORDER BY similarity DESC) AS nearest
FROM unnest('{backup,faster,lock,role}'::text[]) AS query,
     nearest_words('manual_vectors', query, count => 5)
GROUP BY query;

-- As "max" is to "maximum", so is "min" to ...
SELECT * FROM analogy('manual_vectors', '{maximum,min}', '{max}', count => 3);

-- A passage is the mean of its words.
ALTER TABLE passages ADD COLUMN embedding vector(100);
UPDATE passages
SET embedding = embed('manual_vectors', concat_ws(' ', title, heading, passage));

-- The same questions, by shared words and by meaning, side by side: the page
-- of the best passage.
SELECT question,
       (SELECT title FROM passages
        ORDER BY weights <=> tfidf('manual_words', question) LIMIT 1) AS by_words,
       (SELECT title FROM passages
        ORDER BY embedding <=> embed('manual_vectors', question) LIMIT 1) AS by_meaning
FROM unnest(ARRAY['make bulk loading faster', 'who is blocking my query',
                  'remove duplicate rows from a result',
                  'restore a backup to a point in time',
                  'my disk is full']) AS question;
