
-- The access method inverted: exact nearest sparse vectors

CREATE FUNCTION inverted_handler(internal) RETURNS index_am_handler
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION inverted_handler(internal) IS 'handler of access method inverted';

CREATE ACCESS METHOD inverted TYPE INDEX HANDLER inverted_handler;
COMMENT ON ACCESS METHOD inverted IS 'exact nearest sparse vectors';

CREATE OPERATOR CLASS sparsevec_ip_ops
DEFAULT FOR TYPE sparsevec USING inverted AS
	OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING inverted IS 'sparse vectors by inner product';
COMMENT ON OPERATOR FAMILY sparsevec_ip_ops USING inverted IS 'sparse vectors by inner product';

CREATE OPERATOR CLASS sparsevec_cosine_ops
FOR TYPE sparsevec USING inverted AS
	OPERATOR 2 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING inverted IS 'sparse vectors by cosine';
COMMENT ON OPERATOR FAMILY sparsevec_cosine_ops USING inverted IS 'sparse vectors by cosine';
