-- Would fail if the quality of word vectors were measured wrongly.
SET client_min_messages = warning;

CREATE TABLE evaluate_words (id integer PRIMARY KEY, word text, documents bigint,
	occurrences bigint, vector vector(3));
INSERT INTO evaluate_words VALUES
	(0, NULL, NULL, NULL, NULL),
	(1, 'man', NULL, NULL, '[1,0,0]'),
	(2, 'woman', NULL, NULL, '[1,1,0]'),
	(3, 'king', NULL, NULL, '[1,0,1]'),
	(4, 'queen', NULL, NULL, '[1,1,1.1]'),
	(5, 'stone', NULL, NULL, '[-1,-1,0.5]');
SELECT register_model('evaluate_words', 'word2vec', 'embed_words', 'dims=3');

-- the second is wrong, the third has an unknown word
SELECT * FROM evaluate_analogies('evaluate_words', $$VALUES
	('royal', 'man', 'woman', 'king', 'Queen'),
	('royal', 'man', 'king', 'woman', 'stone'),
	('royal', 'man', 'king', 'woman', 'princess'),
	('family', 'king', 'queen', 'man', 'woman')$$);
-- words beyond max_words are neither asked nor answered
SELECT * FROM evaluate_analogies('evaluate_words', $$VALUES
	('royal', 'man', 'woman', 'king', 'queen'),
	('rest', 'man', 'woman', 'king', 'king')$$, max_words => 3);
SELECT * FROM evaluate_analogies('evaluate_words', 'SELECT ''a'', ''b'', ''c'', ''d'', ''e'' WHERE false');

-- similarities 0.7071, 0.7071, -0.9428 against 2, 2, 1: ranks agree, ties share
SELECT pairs, answered, round(pearson::numeric, 6) AS pearson, spearman
FROM evaluate_similarity('evaluate_words', $$VALUES
	('man', 'woman', 2), ('man', 'king', 2.0), ('woman', 'stone', 1), ('man', 'ghost', 9)$$);
-- scores in the order 2, 1, 3, 5 against 0.707, -0.667, 0.5, 0.791: 1 - 6*2/(4*15) = 0.8
SELECT answered, round(spearman::numeric, 6) AS spearman
FROM evaluate_similarity('evaluate_words', $$VALUES
	('man', 'woman', 2), ('man', 'stone', 1), ('king', 'woman', 3), ('queen', 'woman', 5)$$);
SELECT * FROM evaluate_similarity('evaluate_words', $$VALUES ('man', 'woman', 3)$$);

SELECT * FROM evaluate_analogies('evaluate_words', 'SELECT 1');
SELECT * FROM evaluate_analogies('evaluate_words', 'DROP TABLE evaluate_words');
SELECT * FROM evaluate_analogies('evaluate_words', NULL);
SELECT * FROM evaluate_similarity('evaluate_words', $$VALUES ('man', 'woman', 'high')$$);
SELECT * FROM evaluate_similarity('evaluate_words', $$VALUES ('man', 'woman', NULL::float8)$$);
SELECT * FROM evaluate_similarity('evaluate_words', $$VALUES ('man', 'woman', 'NaN'::numeric)$$);
SELECT * FROM evaluate_similarity('evaluate_words', $$SELECT 'man', 'woman', 1 / (3 - i) FROM generate_series(1, 3) i$$);
SELECT * FROM evaluate_similarity('evaluate_words', $$SELECT 'man', 'woman', 1, 2$$);
SELECT * FROM evaluate_analogies('evaluate_words', $$SELECT 1, 'a', 2, 'c', 'd'$$);
-- a section may have any label; NULL is the section without a name
SELECT section, questions FROM evaluate_analogies('evaluate_words', $$VALUES (1, 'man', 'man', 'man', NULL), (NULL, 'man', 'man', 'man', 'man')$$);

DROP TABLE evaluate_words;
