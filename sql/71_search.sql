-- Searching kept columns, by all of them at once

CREATE FUNCTION embed_search("table" anyelement, query text, count integer DEFAULT 10, columns name[] DEFAULT NULL,
	filter text DEFAULT NULL, fusion text DEFAULT 'rrf', weights float8[] DEFAULT NULL, candidates integer DEFAULT 100)
RETURNS TABLE (hit anyelement, score float8, ranks integer[], distances float8[])
AS 'MODULE_PATHNAME', 'embed_search' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION embed_search(anyelement, text, integer, name[], text, text, float8[], integer) IS 'rows of a table that answer a question best, by all its kept columns';

CREATE FUNCTION embed_search_sql("table" anyelement, query text, count integer DEFAULT 10, columns name[] DEFAULT NULL,
	filter text DEFAULT NULL, fusion text DEFAULT 'rrf', weights float8[] DEFAULT NULL, candidates integer DEFAULT 100)
RETURNS text
AS 'MODULE_PATHNAME', 'embed_search_sql' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION embed_search_sql(anyelement, text, integer, name[], text, text, float8[], integer) IS 'statement that embed_search runs; without a query it stands as $1';

CREATE FUNCTION evaluate_search("table" anyelement, judgements text, count integer DEFAULT 10, of_columns name[] DEFAULT NULL,
	filter text DEFAULT NULL, candidates integer DEFAULT 100)
RETURNS TABLE (columns name[], fusion text, weights float8[], ndcg float8, map float8, recall float8, mrr float8, queries bigint)
AS 'MODULE_PATHNAME', 'evaluate_search' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 6;
COMMENT ON FUNCTION evaluate_search(anyelement, text, integer, name[], text, integer) IS 'how well each kept column and their fusions answer judged questions (question, key of a row, grade), by the definitions of trec_eval';

CREATE FUNCTION embed_explain(query text)
RETURNS text
AS 'MODULE_PATHNAME', 'embed_explain' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION embed_explain(text) IS 'says in sentences which index serves a search statement, and why or why not';

CREATE FUNCTION compare_models(questions text, candidates text[] DEFAULT NULL, documents text DEFAULT NULL,
	corpus text DEFAULT NULL, count integer DEFAULT 10, folds integer DEFAULT 5, max_seconds float8 DEFAULT 600,
	keep boolean DEFAULT false, seed bigint DEFAULT NULL)
RETURNS TABLE (method text, quality float8, texts_per_second float8, bytes_per_text float8, train_seconds float8, note text)
AS 'MODULE_PATHNAME', 'compare_models' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000000 ROWS 9;
COMMENT ON FUNCTION compare_models(text, text[], text, text, integer, integer, float8, boolean, bigint) IS 'how well each method does on texts and judgements: search, classification or similarity of texts';

-- candidates as the rows of a query; needed, so that a call without any means the one above
CREATE FUNCTION compare_models(questions text, candidates text, documents text DEFAULT NULL,
	corpus text DEFAULT NULL, count integer DEFAULT 10, folds integer DEFAULT 5, max_seconds float8 DEFAULT 600,
	keep boolean DEFAULT false, seed bigint DEFAULT NULL)
RETURNS TABLE (method text, quality float8, texts_per_second float8, bytes_per_text float8, train_seconds float8, note text)
AS 'MODULE_PATHNAME', 'compare_models_of_query' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000000 ROWS 9;
COMMENT ON FUNCTION compare_models(text, text, text, text, integer, integer, float8, boolean, bigint) IS 'how well each method that a query names does on texts and judgements';
