-- If this failed, hashing_vector would not be HashingVectorizer.
-- Expected: scikit-learn 1.2.1, HashingVectorizer; its columns begin at 0,
-- ours at 1.
SELECT hashing_vector('the cat sat on the mat', norm => 'none');
SELECT hashing_vector('the cat sat on the mat', dims => 16);
SELECT hashing_vector('the cat sat on the mat', dims => 8, norm => 'none', alternate_sign => false);
SELECT hashing_vector('the cat sat on the mat', dims => 4, norm => 'none', presence => true);
SELECT hashing_vector('the cat sat', dims => 64, norm => 'l1', min_ngram => 1, max_ngram => 2);
SELECT hashing_vector('a cat', dims => 64) = hashing_vector('cat', dims => 64, min_token_length => 2) AS same,
	hashing_vector('a cat', dims => 64, min_token_length => 2) = hashing_vector('cat', dims => 64) AS shorter_left_out;
SELECT hashing_vector('Cats and CATS', dims => 64, config => 'english', norm => 'none');
SELECT hashing_vector('', dims => 7), hashing_vector(NULL) IS NULL AS null;
SELECT hashing_vector('cat', dims => 1, norm => 'none');

-- It needs no model and so may stand in an index or a generated column.
CREATE TABLE hashing_docs (body text,
	terms sparsevec(4096) GENERATED ALWAYS AS (hashing_vector(body, dims => 4096)) STORED);
INSERT INTO hashing_docs VALUES ('the cat sat'), ('the dog ran'), ('a mat');
SELECT body, terms <=> hashing_vector('a dog', dims => 4096) < 1 AS shares FROM hashing_docs ORDER BY 2 DESC, 1;
DROP TABLE hashing_docs;

SELECT hashing_vector('cat', dims => 0);
SELECT hashing_vector('cat', dims => 1000000001);
SELECT hashing_vector('cat', norm => 'max');
SELECT hashing_vector('cat', min_ngram => 2);
SELECT hashing_vector('cat', max_ngram => 17);
SELECT hashing_vector('cat', min_token_length => 0);
SELECT hashing_vector((SELECT string_agg('w' || i, ' ') FROM generate_series(1, 17000) AS i)) IS NULL;
