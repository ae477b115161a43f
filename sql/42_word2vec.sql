
-- word2vec

CREATE FUNCTION train_word2vec(model text, corpus text,
	config regconfig DEFAULT '@extschema@.embed_words'::regconfig,
	dims integer DEFAULT 100, algorithm text DEFAULT 'skipgram',
	window_size integer DEFAULT 5, negative integer DEFAULT 5,
	hierarchical_softmax boolean DEFAULT false, sample float8 DEFAULT 0.001,
	epochs integer DEFAULT 5, alpha float8 DEFAULT 0.025,
	min_count integer DEFAULT 5, min_n integer DEFAULT 0,
	max_n integer DEFAULT 0, buckets integer DEFAULT 2000000,
	workers integer DEFAULT NULL, seed bigint DEFAULT NULL,
	replace boolean DEFAULT false, from_model regclass DEFAULT NULL)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_word2vec' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_word2vec(text, text, regconfig, integer, text, integer, integer, boolean, float8, integer, float8, integer, integer, integer, integer, integer, bigint, boolean, regclass) IS 'train word vectors on the texts of a query';
