-- The access method ktree: nearest neighbours among dense vectors.

CREATE FUNCTION ktree_handler(internal) RETURNS index_am_handler
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION ktree_handler(internal) IS 'handler of the access method ktree';

CREATE ACCESS METHOD ktree TYPE INDEX HANDLER ktree_handler;
COMMENT ON ACCESS METHOD ktree IS 'nearest neighbours among vectors: a balanced tree of clusters of short codes';

CREATE FUNCTION ktree_vector_cosine_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_vector_cosine_kind(internal) IS 'support of operator class vector_cosine_ops of ktree';

CREATE FUNCTION ktree_vector_l2_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_vector_l2_kind(internal) IS 'support of operator class vector_l2_ops of ktree';

CREATE FUNCTION ktree_vector_ip_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_vector_ip_kind(internal) IS 'support of operator class vector_ip_ops of ktree';

CREATE FUNCTION ktree_halfvec_cosine_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_halfvec_cosine_kind(internal) IS 'support of operator class halfvec_cosine_ops of ktree';

CREATE FUNCTION ktree_halfvec_l2_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_halfvec_l2_kind(internal) IS 'support of operator class halfvec_l2_ops of ktree';

CREATE FUNCTION ktree_halfvec_ip_kind(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ktree_halfvec_ip_kind(internal) IS 'support of operator class halfvec_ip_ops of ktree';

CREATE OPERATOR CLASS vector_cosine_ops DEFAULT FOR TYPE vector USING ktree AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(vector, vector),
	FUNCTION 2 ktree_vector_cosine_kind(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ktree IS 'ORDER BY column <=> query, the default';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING ktree IS 'ORDER BY column <=> query, the default';

CREATE OPERATOR CLASS vector_l2_ops FOR TYPE vector USING ktree AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(vector, vector),
	FUNCTION 2 ktree_vector_l2_kind(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ktree IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING ktree IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS vector_ip_ops FOR TYPE vector USING ktree AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 ktree_vector_ip_kind(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ktree IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING ktree IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS halfvec_cosine_ops DEFAULT FOR TYPE halfvec USING ktree AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_cosine_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ktree IS 'ORDER BY column <=> query, the default';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING ktree IS 'ORDER BY column <=> query, the default';

CREATE OPERATOR CLASS halfvec_l2_ops FOR TYPE halfvec USING ktree AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_l2_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ktree IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING ktree IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS halfvec_ip_ops FOR TYPE halfvec USING ktree AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_ip_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ktree IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING ktree IS 'ORDER BY column <#> query';
