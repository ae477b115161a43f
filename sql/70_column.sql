-- Columns of vectors that are kept fresh

CREATE FUNCTION embed_update_trigger() RETURNS trigger
AS 'MODULE_PATHNAME', 'embed_update_trigger' LANGUAGE C;
COMMENT ON FUNCTION embed_update_trigger() IS 'trigger that keeps a column of vectors fresh: arguments are the column, the model, the source columns, and options name=value';

CREATE FUNCTION embed_column("table" regclass, sources text[], model regclass, "column" name DEFAULT NULL,
	encoder text DEFAULT NULL, pooling text DEFAULT NULL, prompt text DEFAULT NULL,
	index boolean DEFAULT true, fill boolean DEFAULT true, version_column boolean DEFAULT false)
RETURNS TABLE (statement text)
AS 'MODULE_PATHNAME', 'embed_column' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION embed_column(regclass, text[], regclass, name, text, text, text, boolean, boolean, boolean) IS 'adds a column of vectors of a table''s text, keeps it fresh by a trigger, fills and indexes it; returns the statements it ran';

CREATE PROCEDURE embed_fill("table" regclass, "column" name DEFAULT NULL, batch_rows integer DEFAULT 1000,
	stale boolean DEFAULT false, max_rows bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'embed_fill' LANGUAGE C;
COMMENT ON PROCEDURE embed_fill(regclass, name, integer, boolean, bigint) IS 'computes the vectors that kept columns lack, or that another version of the model computed, in batches with a commit each';

CREATE FUNCTION embed_columns(count_rows boolean DEFAULT false)
RETURNS TABLE ("table" regclass, "column" name, model regclass, encoder text, sources text[],
	index regclass, operator text, filled bigint, missing bigint, stale bigint, problem text)
AS 'MODULE_PATHNAME', 'embed_columns' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION embed_columns(boolean) IS 'columns of vectors that are kept fresh, their indexes, and how many rows are filled, missing or stale, by statistics unless they are to be counted, and what keeps one from being kept';
