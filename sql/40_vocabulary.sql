-- Sparse encoders: a vocabulary, and its readings as counts, TF-IDF, one-hot.

CREATE FUNCTION train_vocabulary(model text, corpus text,
	config regconfig DEFAULT '@extschema@.embed_words',
	min_token_length integer DEFAULT 1,
	min_ngram integer DEFAULT 1, max_ngram integer DEFAULT 1,
	min_documents bigint DEFAULT 1, max_documents bigint DEFAULT NULL,
	min_share float8 DEFAULT 0.0, max_share float8 DEFAULT 1.0,
	max_terms integer DEFAULT NULL, sort_by text DEFAULT 'frequency',
	capacity integer DEFAULT NULL, replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_vocabulary' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION train_vocabulary(text, text, regconfig, integer, integer, integer, bigint, bigint, float8, float8, integer, text, integer, boolean) IS 'makes a table of the terms of a corpus: (id, term, documents, occurrences)';

CREATE FUNCTION add_documents(model regclass, corpus text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'add_documents' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION add_documents(regclass, text) IS 'counts more documents into a vocabulary; returns how many';

CREATE FUNCTION one_hot(model regclass, input text)
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'one_hot' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION one_hot(regclass, text) IS 'vector of one term, NULL when the vocabulary does not have it';

CREATE FUNCTION count_vector(model regclass, input text,
	presence boolean DEFAULT false)
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'count_vector' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION count_vector(regclass, text, boolean) IS 'counts of the terms of a text, or ones for those present';

CREATE FUNCTION tfidf(model regclass, input text,
	tf text DEFAULT 'raw', idf text DEFAULT 'smooth', norm text DEFAULT 'l2',
	log_base float8 DEFAULT 2.718281828459045)
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'tfidf' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION tfidf(regclass, text, text, text, text, float8) IS 'TF-IDF weights of the terms of a text';

CREATE FUNCTION hashing_vector(input text, dims integer DEFAULT 1048576,
	config regconfig DEFAULT '@extschema@.embed_words',
	min_token_length integer DEFAULT 1,
	min_ngram integer DEFAULT 1, max_ngram integer DEFAULT 1,
	norm text DEFAULT 'l2', alternate_sign boolean DEFAULT true,
	presence boolean DEFAULT false)
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'hashing_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION hashing_vector(text, integer, regconfig, integer, integer, integer, text, boolean, boolean) IS 'counts of the terms of a text, each at the index its hash gives: needs no model';

CREATE FUNCTION vector_terms(model regclass, vector sparsevec,
	count integer DEFAULT 10)
RETURNS TABLE (term text, weight float8)
AS 'MODULE_PATHNAME', 'vector_terms' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION vector_terms(regclass, sparsevec, integer) IS 'terms with the largest weights in a vector: the key terms of a text';

CREATE FUNCTION bm25_document(model regclass, input text,
	k1 float8 DEFAULT 1.2, b float8 DEFAULT 0.75,
	variant text DEFAULT 'lucene')
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'bm25_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION bm25_document(regclass, text, float8, float8, text) IS 'BM25 weights of the terms of a document, to be multiplied by a bm25_query';

CREATE FUNCTION bm25_query(model regclass, input text,
	variant text DEFAULT 'lucene')
RETURNS sparsevec
AS 'MODULE_PATHNAME', 'bm25_query' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION bm25_query(regclass, text, text) IS 'BM25 weights of the terms of a query: document <#> query is minus the score';
