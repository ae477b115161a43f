
-- vectors of words and texts

CREATE FUNCTION embed(model regclass, input text, pooling text DEFAULT NULL,
	prompt text DEFAULT NULL) RETURNS vector
AS 'MODULE_PATHNAME', 'embed' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION embed(regclass, text, text, text) IS 'vector of a text, pooled over its words; NULL if none is known';

CREATE FUNCTION embed_array(model regclass, inputs text[],
	pooling text DEFAULT NULL, prompt text DEFAULT NULL) RETURNS vector[]
AS 'MODULE_PATHNAME', 'embed_array' LANGUAGE C STABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION embed_array(regclass, text[], text, text) IS 'vectors of several texts, see embed';

CREATE FUNCTION embed_tokens(model regclass, input text, unit text DEFAULT NULL, layer integer DEFAULT NULL)
RETURNS TABLE ("position" integer, token text, embedding vector)
AS 'MODULE_PATHNAME', 'embed_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100;
COMMENT ON FUNCTION embed_tokens(regclass, text, text, integer) IS 'words or pieces of a text as a model sees them, each with its vector, in the text''s context where the model knows of one';

CREATE FUNCTION word_vector(model regclass, word text) RETURNS vector
AS 'MODULE_PATHNAME', 'word_vector' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION word_vector(regclass, text) IS 'vector of a word; NULL if it is not known';

CREATE FUNCTION nearest_words(model regclass, word text, count integer DEFAULT 10,
	similarity text DEFAULT 'cosine')
RETURNS TABLE (word text, similarity float8)
AS 'MODULE_PATHNAME', 'nearest_words_of_word' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION nearest_words(regclass, text, integer, text) IS 'words of a model most similar to a given word';

CREATE FUNCTION nearest_words(model regclass, query vector, count integer DEFAULT 10,
	similarity text DEFAULT 'cosine', source regclass DEFAULT NULL)
RETURNS TABLE (word text, similarity float8)
AS 'MODULE_PATHNAME', 'nearest_words_of_vector' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION nearest_words(regclass, vector, integer, text, regclass) IS 'words of a model most similar to a vector';

CREATE FUNCTION analogy(model regclass, positive text[], negative text[], count integer DEFAULT 10)
RETURNS TABLE (word text, similarity float8)
AS 'MODULE_PATHNAME', 'analogy' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION analogy(regclass, text[], text[], integer) IS 'words most similar to the sum of the positive words less the negative ones';

CREATE FUNCTION evaluate_analogies(model regclass, query text, max_words integer DEFAULT NULL)
RETURNS TABLE (section text, questions bigint, answered bigint, correct bigint, accuracy float8)
AS 'MODULE_PATHNAME', 'evaluate_analogies' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 15;
COMMENT ON FUNCTION evaluate_analogies(regclass, text, integer) IS 'share of analogy questions (section, a, b, c, expected) that a model answers rightly';

CREATE FUNCTION evaluate_similarity(model regclass, query text)
RETURNS TABLE (pairs bigint, answered bigint, pearson float8, spearman float8)
AS 'MODULE_PATHNAME', 'evaluate_similarity' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 1;
COMMENT ON FUNCTION evaluate_similarity(regclass, text) IS 'correlation of a model''s similarities with judged pairs (word, word, score)';

CREATE FUNCTION align_models(name text, source regclass, target regclass,
	pairs text DEFAULT NULL, refine integer DEFAULT 5,
	replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'align_models' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION align_models(text, regclass, regclass, text, integer, boolean) IS 'turn word vectors of one model into the space of another, so that words of two languages compare';
