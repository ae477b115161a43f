
-- doc2vec

CREATE FUNCTION train_doc2vec(model text, corpus text,
	config regconfig DEFAULT NULL, dims integer DEFAULT NULL,
	method text DEFAULT NULL, window_size integer DEFAULT 5,
	negative integer DEFAULT 5, sample float8 DEFAULT 1e-3,
	epochs integer DEFAULT 10, alpha float8 DEFAULT 0.025,
	min_count integer DEFAULT 5, train_words boolean DEFAULT NULL,
	workers integer DEFAULT NULL, seed bigint DEFAULT NULL,
	replace boolean DEFAULT false, from_model regclass DEFAULT NULL)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_doc2vec' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_doc2vec(text, text, regconfig, integer, text, integer, integer, float8, integer, float8, integer, boolean, integer, bigint, boolean, regclass) IS 'train vectors of whole texts on the texts of a query, so that a text''s vector predicts its words';
