-- Would fail if a picture were not well-formed SVG that loads nothing, if a
-- text from outside could become markup, or if labels lay over each other.
SET client_min_messages = warning;
SET embed.progress = off;

CREATE TABLE picture_words (word text, e vector(4), kind text, weight float8);
INSERT INTO picture_words SELECT 'word' || n, ARRAY[sin(n), cos(n * 3), sin(n * 5), n % 4]::vector, 'kind ' || n % 4, n FROM generate_series(1, 40) n;

-- the whole of a small one
SELECT regexp_replace(embed_map($$ VALUES ('a', '[0,0]'::vector), ('b', '[4,0]'), ('c', '[4,2]') $$, width => 200, height => 120, title => 'Three'),
	'<style>.*</style>', '<style/>');
-- what all of them share: the elements, and what a style may say
CREATE FUNCTION picture_elements(svg text) RETURNS TABLE (element text, count bigint) LANGUAGE sql AS
$$ SELECT m[1], count(*) FROM regexp_matches(svg, '<([a-z]+)[ >/]', 'g') m GROUP BY 1 ORDER BY 1 $$;
SELECT * FROM picture_elements(embed_map('SELECT word, e, kind, weight FROM picture_words'));
SELECT s ~ 'href|url\(|@import|<script|<foreignObject|<image|on[a-z]+=' AS loads,
	s LIKE '%@media(prefers-color-scheme:dark)%' AS dark, s LIKE '<svg xmlns="http://www.w3.org/2000/svg" %</svg>' || chr(10) AS whole
FROM embed_map('SELECT word, e, kind, weight FROM picture_words') s;
-- one class a group, the area of a circle as its size
SELECT m[1] AS class FROM regexp_matches(embed_map('SELECT word, e, kind FROM picture_words'), '<g class="(\w+)"', 'g') m GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT m[1]) AS radii, max(m[1]::float8) AS largest FROM regexp_matches(embed_map('SELECT word, e, NULL::text, weight FROM picture_words'), ' r="([0-9.]+)"', 'g') m;
SELECT embed_map('SELECT word, e, NULL::text FROM picture_words') = embed_map('SELECT word, e FROM picture_words') AS same;
SELECT embed_map('SELECT word, e FROM picture_words', 'neighbours') = embed_map('SELECT word, e FROM picture_words', 'neighbours') AS same;
-- more groups than there are of shapes and colours
SELECT (SELECT count(*) FROM regexp_matches(s, '<g class="other"', 'g')) > 0 AS others, s LIKE '%>others (5)<%' AS counted
FROM embed_map($$ SELECT n, ARRAY[n, n % 7]::vector, n FROM generate_series(1, 40) n $$, height => 1000) s;
SELECT s LIKE '%>and 12 more<%' AS counted FROM embed_map($$ SELECT n, ARRAY[n, n % 7]::vector, n FROM generate_series(1, 20) n $$, height => 200) s;

-- hostile texts: nothing of them is markup, nothing of them is missing
CREATE TABLE picture_hostile (label text, e vector(2), kind text);
INSERT INTO picture_hostile VALUES
	('</title><script>alert(1)</script>', '[1,0]', '"><svg onload=alert(1)>'), ('a & b &lt; ''c'' "d"', '[0,1]', '</style>'),
	(E'tab\tline\nreturn\r.', '[1,2]', ']]>'), (E'bell\x07 escape\x1b[31m delete\x7f.', '[3,1]', '<!--'), ('', '[2,2]', ''),
	(repeat('long ', 2000), '[5,5]', repeat('g', 3000));
SELECT l FROM embed_map('SELECT * FROM picture_hostile', title => '<b>&</b>') s, regexp_split_to_table(s, '\n') l
WHERE l !~ '^<style|(long ){100}|g{100}' AND l ~ '[^ -~]|alert|tab|bell|&';
SELECT * FROM picture_elements(embed_map('SELECT * FROM picture_hostile', title => '<b>&</b>'));
SELECT * FROM picture_elements(embed_heatmap('SELECT label, e FROM picture_hostile', title => '<b>&</b>'));

-- labels: as each is no wider than it is thought to be, none is over another
CREATE TABLE picture_boxes AS
SELECT row_number() OVER () AS id, m[1]::float8 AS x, m[2]::float8 AS y, length(m[3]) AS letters
FROM regexp_matches(embed_map('SELECT ''w'' || n, ARRAY[sin(n), cos(n * 3), sin(n * 5)]::vector FROM generate_series(1, 400) n'),
	'<text x="([0-9.]+)" y="([0-9.]+)" text-anchor="middle" class="label">([^<]+)', 'g') m;
SELECT count(*) > 20 AS labels, bool_and(x - 5 * letters > 0 AND x + 5 * letters < 900 AND y > 12 AND y < 600) AS within FROM picture_boxes;
SELECT count(*) AS overlap FROM picture_boxes a JOIN picture_boxes b ON a.id < b.id AND abs(a.y - b.y) < 12 AND abs(a.x - b.x) < 4 * (a.letters + b.letters);

-- heatmap
SELECT regexp_replace(embed_heatmap($$ VALUES ('a', '[1,0]'::vector), ('b', '[-1,0]'), (NULL, '[0,0]') $$, width => 200, height => 200), '<style>.*</style>|(<rect[^\n]*\n){20,}', '<.../>', 'g');
SELECT count(*) AS cells FROM regexp_matches(embed_heatmap($$ SELECT n, ('{' || n || ':1,9:1}/20')::sparsevec FROM generate_series(10, 12) n $$),
	'/ 1[0-2]: ([0-9.-]+)', 'g') m WHERE m[1] IN ('1.00', '0.50');
SELECT * FROM picture_elements(embed_heatmap($$ SELECT 'none', '[1]'::vector WHERE false $$));
SELECT * FROM picture_elements(embed_map($$ SELECT 'none', '[1]'::vector WHERE false $$));

-- training: kept with the model, of methods that have a loss
SELECT train_word2vec('picture_w2v', 'SELECT string_agg(word, '' '') FROM picture_words, generate_series(1, 9)', dims => 4, min_count => 1, epochs => 3, seed => 1, workers => 1);
SELECT train_glove('picture_glove', 'SELECT string_agg(word, '' '') FROM picture_words', dims => 4, min_count => 1, epochs => 100, seed => 1, workers => 1);
SELECT train_classifier('picture_moods', 'SELECT e, kind FROM picture_words');
SELECT tgrelid::regclass AS model, cardinality(string_to_array(substring(encode(tgargs, 'escape') FROM 'losses=([-+0-9.e,]+)'), ',')) AS places
FROM pg_trigger WHERE tgname = 'embed_model' AND tgrelid::regclass::text IN ('picture_w2v', 'picture_glove') ORDER BY 1;
SELECT * FROM picture_elements(embed_plot_training('picture_w2v', title => 'w2v'));
SELECT count(*) AS places, bool_and(loss > 0) AS known, (array_agg(loss ORDER BY n DESC))[1] < (array_agg(loss ORDER BY n))[1] AS falls FROM (
	SELECT n, m[1]::float8 AS loss FROM regexp_matches(embed_plot_training('picture_glove'), ': loss ([-+0-9.e]+)', 'g') WITH ORDINALITY r(m, n)) l;
SELECT embed_plot_training('picture_moods') LIKE '%of the training%' AS shares;
-- a table filled by hand has none
SELECT train_vocabulary('picture_terms', 'SELECT word FROM picture_words');
SELECT embed_plot_training('picture_terms');
SELECT embed_plot_training('picture_words');
SELECT embed_plot_training(NULL);

-- bad input
SELECT embed_map(NULL);
SELECT embed_map('SELECT word, e FROM picture_words', 'tsne');
SELECT embed_map('SELECT word, e FROM picture_words', width => 99);
SELECT embed_map('SELECT word, e FROM picture_words', height => 10001);
SELECT embed_map('SELECT word, e FROM picture_words', width => NULL);
SELECT embed_map('SELECT word, e, kind, -weight FROM picture_words');
SELECT embed_map('SELECT word, e, kind, ''NaN''::float8 FROM picture_words');
SELECT embed_map('SELECT word, e, weight FROM picture_words');
SELECT embed_map('SELECT word, e, kind, weight, 1 FROM picture_words');
SELECT embed_map('SELECT 1/0, e FROM picture_words');
SELECT embed_heatmap('SELECT n, e FROM picture_words, generate_series(1, 6) n');
SELECT embed_heatmap(NULL);

DROP FUNCTION picture_elements(text);
DROP TABLE picture_words, picture_hostile, picture_boxes, picture_w2v, picture_glove, picture_moods, picture_terms;
