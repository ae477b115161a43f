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

-- Columns to filter by: USING ktree (embedding, tenant, price).
CREATE OPERATOR FAMILY integer_ops USING ktree;
COMMENT ON OPERATOR FAMILY integer_ops USING ktree IS 'columns to filter by: integers of any width';
CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE int2 USING ktree FAMILY integer_ops AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS int2_ops USING ktree IS 'a column to filter by';
CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE int4 USING ktree FAMILY integer_ops AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS int4_ops USING ktree IS 'a column to filter by';
CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE int8 USING ktree FAMILY integer_ops AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS int8_ops USING ktree IS 'a column to filter by';
ALTER OPERATOR FAMILY integer_ops USING ktree ADD
	OPERATOR 2 < (int2, int4),
	OPERATOR 3 <= (int2, int4),
	OPERATOR 4 = (int2, int4),
	OPERATOR 5 >= (int2, int4),
	OPERATOR 6 > (int2, int4),
	OPERATOR 2 < (int2, int8),
	OPERATOR 3 <= (int2, int8),
	OPERATOR 4 = (int2, int8),
	OPERATOR 5 >= (int2, int8),
	OPERATOR 6 > (int2, int8),
	OPERATOR 2 < (int4, int2),
	OPERATOR 3 <= (int4, int2),
	OPERATOR 4 = (int4, int2),
	OPERATOR 5 >= (int4, int2),
	OPERATOR 6 > (int4, int2),
	OPERATOR 2 < (int4, int8),
	OPERATOR 3 <= (int4, int8),
	OPERATOR 4 = (int4, int8),
	OPERATOR 5 >= (int4, int8),
	OPERATOR 6 > (int4, int8),
	OPERATOR 2 < (int8, int2),
	OPERATOR 3 <= (int8, int2),
	OPERATOR 4 = (int8, int2),
	OPERATOR 5 >= (int8, int2),
	OPERATOR 6 > (int8, int2),
	OPERATOR 2 < (int8, int4),
	OPERATOR 3 <= (int8, int4),
	OPERATOR 4 = (int8, int4),
	OPERATOR 5 >= (int8, int4),
	OPERATOR 6 > (int8, int4);
CREATE OPERATOR FAMILY float_ops USING ktree;
COMMENT ON OPERATOR FAMILY float_ops USING ktree IS 'columns to filter by: floating-point numbers';
CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE float4 USING ktree FAMILY float_ops AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS float4_ops USING ktree IS 'a column to filter by';
CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE float8 USING ktree FAMILY float_ops AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS float8_ops USING ktree IS 'a column to filter by';
ALTER OPERATOR FAMILY float_ops USING ktree ADD
	OPERATOR 2 < (float4, float8),
	OPERATOR 3 <= (float4, float8),
	OPERATOR 4 = (float4, float8),
	OPERATOR 5 >= (float4, float8),
	OPERATOR 6 > (float4, float8),
	OPERATOR 2 < (float8, float4),
	OPERATOR 3 <= (float8, float4),
	OPERATOR 4 = (float8, float4),
	OPERATOR 5 >= (float8, float4),
	OPERATOR 6 > (float8, float4);
CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE bool USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS bool_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY bool_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS char_ops DEFAULT FOR TYPE "char" USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS char_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY char_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS oid_ops DEFAULT FOR TYPE oid USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS oid_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY oid_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS date_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY date_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS time_ops DEFAULT FOR TYPE time USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS time_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY time_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS timestamp_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY timestamp_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamptz USING ktree AS OPERATOR 2 <, OPERATOR 3 <=, OPERATOR 4 =, OPERATOR 5 >=, OPERATOR 6 >;
COMMENT ON OPERATOR CLASS timestamptz_ops USING ktree IS 'a column to filter by';
COMMENT ON OPERATOR FAMILY timestamptz_ops USING ktree IS 'columns to filter by';
CREATE OPERATOR CLASS text_ops DEFAULT FOR TYPE text USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS text_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY text_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS bpchar_ops DEFAULT FOR TYPE bpchar USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS bpchar_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY bpchar_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS name_ops DEFAULT FOR TYPE name USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS name_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY name_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS numeric_ops DEFAULT FOR TYPE numeric USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS numeric_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY numeric_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS uuid_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY uuid_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS bytea_ops DEFAULT FOR TYPE bytea USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS bytea_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY bytea_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS inet_ops DEFAULT FOR TYPE inet USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS inet_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY inet_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS macaddr_ops DEFAULT FOR TYPE macaddr USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS macaddr_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY macaddr_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS interval_ops DEFAULT FOR TYPE interval USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS interval_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY interval_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS timetz_ops DEFAULT FOR TYPE timetz USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS timetz_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY timetz_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS jsonb_ops DEFAULT FOR TYPE jsonb USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS jsonb_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY jsonb_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS enum_ops DEFAULT FOR TYPE anyenum USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS enum_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY enum_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS array_ops DEFAULT FOR TYPE anyarray USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS array_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY array_ops USING ktree IS 'columns to filter by, for equality';
CREATE OPERATOR CLASS range_ops DEFAULT FOR TYPE anyrange USING ktree AS OPERATOR 4 =;
COMMENT ON OPERATOR CLASS range_ops USING ktree IS 'a column to filter by, for equality';
COMMENT ON OPERATOR FAMILY range_ops USING ktree IS 'columns to filter by, for equality';
