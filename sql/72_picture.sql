
-- vectors in a plane, and pictures of them

CREATE FUNCTION embed_projection(query text, method text DEFAULT 'pca', seed bigint DEFAULT 1)
RETURNS TABLE (key text, x float8, y float8)
AS 'MODULE_PATHNAME', 'embed_projection' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000;
COMMENT ON FUNCTION embed_projection(text, text, bigint) IS 'places of vectors in a plane: by their longest axes, or by who is whose neighbour';

CREATE FUNCTION embed_map(query text, method text DEFAULT 'pca', width integer DEFAULT 900,
	height integer DEFAULT 600, title text DEFAULT NULL, seed bigint DEFAULT 1)
RETURNS text
AS 'MODULE_PATHNAME', 'embed_map' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION embed_map(text, text, integer, integer, text, bigint) IS 'vectors as points of a picture in SVG, with labels, groups and sizes';

CREATE FUNCTION embed_heatmap(query text, width integer DEFAULT 700, height integer DEFAULT 700,
	title text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'embed_heatmap' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION embed_heatmap(text, integer, integer, text) IS 'how similar vectors are to each other, as a picture in SVG';

CREATE FUNCTION embed_plot_training(model regclass, width integer DEFAULT 700, height integer DEFAULT 400,
	title text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'embed_plot_training' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION embed_plot_training(regclass, integer, integer, text) IS 'the loss in the course of the training of a model, as a picture in SVG';
