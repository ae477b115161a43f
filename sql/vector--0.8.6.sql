-- The extension vector: pgvector's access methods and operator classes, served
-- by embed, whose types, functions and operators are pgvector's already.

\echo Use "CREATE EXTENSION vector CASCADE" to load this file. \quit

CREATE FUNCTION ivfflathandler(internal) RETURNS index_am_handler
AS 'MODULE_PATHNAME', 'ivfflat_handler' LANGUAGE C;
COMMENT ON FUNCTION ivfflathandler(internal) IS 'handler of the access method ivfflat';

CREATE ACCESS METHOD ivfflat TYPE INDEX HANDLER ivfflathandler;
COMMENT ON ACCESS METHOD ivfflat IS 'pgvector''s ivfflat, served by ktree, inverted or an exact order';

CREATE FUNCTION hnswhandler(internal) RETURNS index_am_handler
AS 'MODULE_PATHNAME', 'hnsw_handler' LANGUAGE C;
COMMENT ON FUNCTION hnswhandler(internal) IS 'handler of the access method hnsw';

CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER hnswhandler;
COMMENT ON ACCESS METHOD hnsw IS 'pgvector''s hnsw, served by ktree, inverted or an exact order';

-- ivfflat, dense vectors: ktree; taxicab distance: the exact order
CREATE OPERATOR CLASS vector_l2_ops
DEFAULT FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(vector, vector),
	FUNCTION 2 ktree_vector_l2_kind(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivfflat IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING ivfflat IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS vector_ip_ops
FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 ktree_vector_ip_kind(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivfflat IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING ivfflat IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS vector_cosine_ops
FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(vector, vector),
	FUNCTION 2 ktree_vector_cosine_kind(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivfflat IS 'ORDER BY column <=> query';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING ivfflat IS 'ORDER BY column <=> query';

CREATE OPERATOR CLASS halfvec_l2_ops
FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_l2_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ivfflat IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING ivfflat IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS halfvec_ip_ops
FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_ip_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ivfflat IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING ivfflat IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS halfvec_cosine_ops
FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_cosine_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ivfflat IS 'ORDER BY column <=> query';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING ivfflat IS 'ORDER BY column <=> query';

-- ivfflat, bits: the exact order
CREATE OPERATOR CLASS bit_hamming_ops
FOR TYPE bit USING ivfflat AS
	OPERATOR 3 <~> (bit, bit) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS bit_hamming_ops USING ivfflat IS 'ORDER BY column <~> query';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING ivfflat IS 'ORDER BY column <~> query';

-- hnsw, dense vectors: ktree; taxicab distance: the exact order
CREATE OPERATOR CLASS vector_l2_ops
FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(vector, vector),
	FUNCTION 2 ktree_vector_l2_kind(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING hnsw IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING hnsw IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS vector_ip_ops
FOR TYPE vector USING hnsw AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 ktree_vector_ip_kind(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING hnsw IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING hnsw IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS vector_cosine_ops
FOR TYPE vector USING hnsw AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(vector, vector),
	FUNCTION 2 ktree_vector_cosine_kind(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING hnsw IS 'ORDER BY column <=> query';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING hnsw IS 'ORDER BY column <=> query';

CREATE OPERATOR CLASS vector_l1_ops
FOR TYPE vector USING hnsw AS
	OPERATOR 3 <+> (vector, vector) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS vector_l1_ops USING hnsw IS 'ORDER BY column <+> query';
COMMENT ON OPERATOR FAMILY vector_l1_ops USING hnsw IS 'ORDER BY column <+> query';

CREATE OPERATOR CLASS halfvec_l2_ops
FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 l2_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_l2_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING hnsw IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING hnsw IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS halfvec_ip_ops
FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_ip_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING hnsw IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING hnsw IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS halfvec_cosine_ops
FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 cosine_distance(halfvec, halfvec),
	FUNCTION 2 ktree_halfvec_cosine_kind(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING hnsw IS 'ORDER BY column <=> query';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING hnsw IS 'ORDER BY column <=> query';

CREATE OPERATOR CLASS halfvec_l1_ops
FOR TYPE halfvec USING hnsw AS
	OPERATOR 3 <+> (halfvec, halfvec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING hnsw IS 'ORDER BY column <+> query';
COMMENT ON OPERATOR FAMILY halfvec_l1_ops USING hnsw IS 'ORDER BY column <+> query';

-- hnsw, bits: the exact order
CREATE OPERATOR CLASS bit_hamming_ops
FOR TYPE bit USING hnsw AS
	OPERATOR 3 <~> (bit, bit) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS bit_hamming_ops USING hnsw IS 'ORDER BY column <~> query';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING hnsw IS 'ORDER BY column <~> query';

CREATE OPERATOR CLASS bit_jaccard_ops
FOR TYPE bit USING hnsw AS
	OPERATOR 3 <%> (bit, bit) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING hnsw IS 'ORDER BY column <%> query';
COMMENT ON OPERATOR FAMILY bit_jaccard_ops USING hnsw IS 'ORDER BY column <%> query';

-- hnsw, sparse vectors: inverted, or the exact order
CREATE OPERATOR CLASS sparsevec_ip_ops
FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING hnsw IS 'ORDER BY column <#> query';
COMMENT ON OPERATOR FAMILY sparsevec_ip_ops USING hnsw IS 'ORDER BY column <#> query';

CREATE OPERATOR CLASS sparsevec_cosine_ops
FOR TYPE sparsevec USING hnsw AS
	OPERATOR 2 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING hnsw IS 'ORDER BY column <=> query';
COMMENT ON OPERATOR FAMILY sparsevec_cosine_ops USING hnsw IS 'ORDER BY column <=> query';

CREATE OPERATOR CLASS sparsevec_l2_ops
FOR TYPE sparsevec USING hnsw AS
	OPERATOR 3 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_l2_ops USING hnsw IS 'ORDER BY column <-> query';
COMMENT ON OPERATOR FAMILY sparsevec_l2_ops USING hnsw IS 'ORDER BY column <-> query';

CREATE OPERATOR CLASS sparsevec_l1_ops
FOR TYPE sparsevec USING hnsw AS
	OPERATOR 3 <+> (sparsevec, sparsevec) FOR ORDER BY float_ops;
COMMENT ON OPERATOR CLASS sparsevec_l1_ops USING hnsw IS 'ORDER BY column <+> query';
COMMENT ON OPERATOR FAMILY sparsevec_l1_ops USING hnsw IS 'ORDER BY column <+> query';
