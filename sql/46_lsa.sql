
-- latent semantic analysis

CREATE FUNCTION train_lsa(model text, vocabulary regclass, corpus text,
	dims integer DEFAULT 100, weighting text DEFAULT 'tfidf',
	iterations integer DEFAULT NULL, oversampling integer DEFAULT 10,
	seed bigint DEFAULT NULL, replace boolean DEFAULT false,
	tf text DEFAULT 'raw', idf text DEFAULT 'smooth', norm text DEFAULT 'l2',
	log_base float8 DEFAULT 2.718281828459045)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_lsa' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_lsa(text, regclass, text, integer, text, integer, integer, bigint, boolean, text, text, text, float8) IS 'find the main directions of the texts of a query: singular vectors of their weighted counts';
