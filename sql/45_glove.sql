
-- GloVe

CREATE FUNCTION train_glove(model text, corpus text DEFAULT NULL,
	config regconfig DEFAULT '@extschema@.embed_words'::regconfig,
	dims integer DEFAULT 100, window_size integer DEFAULT 15,
	min_count integer DEFAULT 5, x_max float8 DEFAULT 100,
	alpha float8 DEFAULT 0.75, eta float8 DEFAULT 0.05,
	epochs integer DEFAULT 25, "symmetric" boolean DEFAULT true,
	distance_weighting boolean DEFAULT true, workers integer DEFAULT NULL,
	seed bigint DEFAULT NULL, from_model regclass DEFAULT NULL,
	replace boolean DEFAULT false, records text DEFAULT NULL,
	unknown text DEFAULT 'nothing')
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_glove' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_glove(text, text, regconfig, integer, integer, integer, float8, float8, float8, integer, boolean, boolean, integer, bigint, regclass, boolean, text, text) IS 'train word vectors on how often words occur together, in texts or in records (word, context, weight)';

CREATE FUNCTION glove_cooccurrences(model regclass DEFAULT NULL, corpus text DEFAULT NULL,
	config regconfig DEFAULT '@extschema@.embed_words'::regconfig,
	window_size integer DEFAULT 15, min_count integer DEFAULT 5,
	"symmetric" boolean DEFAULT true, distance_weighting boolean DEFAULT true)
RETURNS TABLE (word text, context text, weight float8)
AS 'MODULE_PATHNAME', 'glove_cooccurrences' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION glove_cooccurrences(regclass, text, regconfig, integer, integer, boolean, boolean) IS 'how often words occur together in the texts of a query, as GloVe counts';
