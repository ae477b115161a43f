
-- word2vec

CREATE FUNCTION train_word2vec(model text, corpus text,
	config regconfig DEFAULT NULL,
	dims integer DEFAULT NULL, algorithm text DEFAULT NULL,
	window_size integer DEFAULT NULL, negative integer DEFAULT NULL,
	hierarchical_softmax boolean DEFAULT NULL, sample float8 DEFAULT NULL,
	epochs integer DEFAULT NULL, alpha float8 DEFAULT NULL,
	min_count integer DEFAULT NULL, min_n integer DEFAULT NULL,
	max_n integer DEFAULT NULL, buckets integer DEFAULT NULL,
	workers integer DEFAULT NULL, seed bigint DEFAULT NULL,
	replace boolean DEFAULT false, from_model regclass DEFAULT NULL)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_word2vec' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_word2vec(text, text, regconfig, integer, text, integer, integer, boolean, float8, integer, float8, integer, integer, integer, integer, integer, bigint, boolean, regclass) IS 'train word vectors on the texts of a query';
