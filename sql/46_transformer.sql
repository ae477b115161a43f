
-- Heads of networks: labels, scores of two texts, weights of terms

CREATE FUNCTION classify(model regclass, input text) RETURNS text
AS 'MODULE_PATHNAME', 'classify' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION classify(regclass, text) IS 'label that a model gives to a text';

CREATE FUNCTION classify_scores(model regclass, input text) RETURNS TABLE (label text, probability double precision)
AS 'MODULE_PATHNAME', 'classify_scores' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 3;
COMMENT ON FUNCTION classify_scores(regclass, text) IS 'all labels of a model, with their probabilities for a text';

CREATE FUNCTION rerank_score(model regclass, query text, input text) RETURNS double precision
AS 'MODULE_PATHNAME', 'rerank_score' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION rerank_score(regclass, text, text) IS 'how well a text answers a query, by a model that reads both together';

CREATE FUNCTION rerank(model regclass, query text, inputs text[]) RETURNS TABLE ("position" integer, score double precision)
AS 'MODULE_PATHNAME', 'rerank' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION rerank(regclass, text, text[]) IS 'places of texts in an array, those that answer a query best first, by a model that reads both together';

CREATE FUNCTION embed_sparse(model regclass, input text, prompt text DEFAULT NULL) RETURNS sparsevec
AS 'MODULE_PATHNAME', 'embed_sparse' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION embed_sparse(regclass, text, text) IS 'weights of a model''s terms for a text, also of terms that are not in it';

CREATE FUNCTION distill_model(model text, teacher regclass, dims integer DEFAULT 256, corpus text DEFAULT NULL,
	sif double precision DEFAULT 1e-4, "precision" text DEFAULT 'float16', replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'distill_model' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION distill_model(text, regclass, integer, text, double precision, text, boolean) IS 'make a static model of a transformer: the vector that it has for each of its tokens alone, on fewer axes';
