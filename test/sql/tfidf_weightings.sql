-- If this failed, TF-IDF weights would not be the published numbers.
--
-- Expected values: scikit-learn 1.2.1 (TfidfVectorizer, CountVectorizer) and
-- gensim 4.2.0 (TfidfModel, SMART letters in the column "source", logarithms
-- to the base 2), computed from the same three documents.
SET client_min_messages = warning;
CREATE TABLE tfidf_docs (id integer, body text);
INSERT INTO tfidf_docs VALUES
	(1, 'the cat sat on the mat'),
	(2, 'the dog sat on the log'),
	(3, 'cats and dogs and the mat');
SELECT train_vocabulary('tfidf_words', 'SELECT body FROM tfidf_docs ORDER BY id', sort_by => 'term');
SELECT * FROM tfidf_words ORDER BY id;

-- counts, presence
SELECT id, count_vector('tfidf_words', body), count_vector('tfidf_words', body, presence => true)
FROM tfidf_docs ORDER BY id;

CREATE TABLE tfidf_expected (source text, doc integer, tf text, idf text, norm text,
	log_base float8, term text, weight float8);
INSERT INTO tfidf_expected
SELECT 'sklearn ' || source, doc, tf, idf, norm, exp(1), term, weight
FROM (VALUES
	('default', 1, 'raw', 'smooth', 'l2', '{cat,mat,on,sat,the}', '{.49203758,.37420726,.37420726,.37420726,.58121064}'),
	('default', 2, 'raw', 'smooth', 'l2', '{dog,log,on,sat,the}', '{.46869865,.46869865,.3564574,.3564574,.55364194}'),
	('default', 3, 'raw', 'smooth', 'l2', '{and,cats,dogs,mat,the}', '{.75988923,.37994462,.37994462,.28895767,.22440141}'),
	('smooth_idf=False', 1, 'raw', 'standard', 'l2', '{cat,mat,on,sat,the}', '{.5543787,.37127388,.37127388,.37127388,.52832885}'),
	('sublinear_tf', 1, 'log', 'smooth', 'l2', '{cat,mat,on,sat,the}', '{.51741994,.3935112,.3935112,.3935112,.51741994}'),
	('l1', 1, 'raw', 'smooth', 'l1', '{cat,mat,on,sat,the}', '{.22407409,.17041412,.17041412,.17041412,.26468354}'),
	('norm None', 1, 'raw', 'smooth', 'none', '{cat,mat,on,sat,the}', '{1.69314718,1.28768207,1.28768207,1.28768207,2}'))
	AS v (source, doc, tf, idf, norm, terms, weights),
	unnest(terms::text[], weights::float8[]) AS u (term, weight);
INSERT INTO tfidf_expected
SELECT 'gensim ' || source, 1, tf, idf, norm, 2, term, weight
FROM (VALUES
	('nfc', 'raw', 'textbook', 'l2', '{cat,mat,on,sat}', '{.842559,.310963,.310963,.310963}'),
	('ltc', 'log', 'shifted', 'l2', '{cat,mat,on,sat,the}', '{.721264,.360632,.360632,.360632,.299352}'),
	('atn', 'augmented', 'shifted', 'none', '{cat,mat,on,sat,the}', '{1.5,.75,.75,.75,.415037}'),
	('bpc', 'binary', 'probabilistic_clipped', 'l2', '{cat}', '{1.0}'),
	('Lnn', 'log_average', 'none', 'none', '{cat,mat,on,sat,the}', '{.791744,.791744,.791744,.791744,1.583488}'),
	('dfn', 'double_log', 'textbook', 'none', '{cat,mat,on,sat}', '{1.584963,.584963,.584963,.584963}'))
	AS v (source, tf, idf, norm, terms, weights),
	unnest(terms::text[], weights::float8[]) AS u (term, weight);

-- Every term and every weight; the numbers above have 6 to 8 digits.
CREATE VIEW tfidf_ours AS
SELECT source, doc, ours.term, ours.weight
FROM (SELECT DISTINCT source, doc, tf, idf, norm, log_base FROM tfidf_expected) AS variant
	JOIN tfidf_docs ON tfidf_docs.id = variant.doc,
	vector_terms('tfidf_words', tfidf('tfidf_words', body, tf, idf, norm, log_base), 100) AS ours;
SELECT source, doc, count(*) AS terms,
	bool_and(abs(ours.weight - expected.weight) <= 2e-6 * expected.weight) AS equal,
	bool_and(ours.weight IS NOT NULL AND expected.weight IS NOT NULL) AS same_terms
FROM tfidf_expected AS expected FULL JOIN tfidf_ours AS ours USING (source, doc, term)
GROUP BY source, doc ORDER BY source COLLATE "C", doc;

-- The other variants, by the formula: N = 3; the: 3 documents, cat: 1, mat: 2.
-- sqrt(2); 2 of 6 terms; ln(1 + 3/1), ln(1 + 3/2), ln(1 + 3/3);
-- ln(3/2), ln(3/3), ln(3/4); ln(2/1), ln(1/2)
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'the cat sat on the mat', tf => 'sqrt', idf => 'none', norm => 'none'));
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'the cat sat on the mat', tf => 'share', idf => 'none', norm => 'none'));
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'the cat sat on the mat', tf => 'binary', idf => 'log1p', norm => 'none'));
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'the cat sat on the mat', tf => 'binary', idf => 'max', norm => 'none'));
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'cat sat on mat', tf => 'binary', idf => 'probabilistic', norm => 'none'));
-- logarithms to the base 10, as in textbooks
SELECT term, round(weight::numeric, 5) FROM vector_terms('tfidf_words',
	tfidf('tfidf_words', 'the cat sat on the mat', idf => 'textbook', norm => 'none', log_base => 10));

-- Unknown words count for nothing; no known word gives the empty vector.
SELECT tfidf('tfidf_words', 'zebra cat quagga') = tfidf('tfidf_words', 'cat') AS same;
SELECT tfidf('tfidf_words', 'zebra'), tfidf('tfidf_words', ''), count_vector('tfidf_words', '?!');
SELECT tfidf('tfidf_words', NULL) IS NULL AS null;

-- one_hot: unknown words give NULL, case is folded, a text is refused
SELECT one_hot('tfidf_words', 'Cat'), one_hot('tfidf_words', 'zebra') IS NULL AS unknown,
	one_hot('tfidf_words', '') IS NULL AS empty;
SELECT one_hot('tfidf_words', 'cat sat');
SELECT one_hot('tfidf_words', 'cat') <=> one_hot('tfidf_words', 'dog') AS distance;

-- wrong values
SELECT tfidf('tfidf_words', 'cat', idf => 'smoothed');
SELECT tfidf('tfidf_words', 'cat', tf => 'RAW');
SELECT tfidf('tfidf_words', 'cat', norm => '');
SELECT tfidf('tfidf_words', 'cat', log_base => 1);
SELECT tfidf('tfidf_words', 'cat', log_base => 'NaN');
SELECT tfidf('tfidf_words', 'the cat', idf => 'probabilistic');
SELECT * FROM vector_terms('tfidf_words', '{1:1}/5');
SELECT * FROM vector_terms('tfidf_words', tfidf('tfidf_words', 'cat'), -1);
SELECT * FROM vector_terms('tfidf_words', tfidf('tfidf_words', 'cat'), 0);

DROP VIEW tfidf_ours;
DROP TABLE tfidf_words, tfidf_docs, tfidf_expected;
