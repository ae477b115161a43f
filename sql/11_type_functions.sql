-- Functions of vectors: distances, norms, parts, comparison and hashing.

-- What the planner asks about a distance: its cost by the length of the vectors.

CREATE FUNCTION vector_distance_support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'vector_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_distance_support(internal) IS 'planner support: what a distance of vector costs';

CREATE FUNCTION halfvec_distance_support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'halfvec_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_distance_support(internal) IS 'planner support: what a distance of halfvec costs';

CREATE FUNCTION sparsevec_distance_support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sparsevec_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_distance_support(internal) IS 'planner support: what a distance of sparsevec costs';

CREATE FUNCTION bit_distance_support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'bit_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bit_distance_support(internal) IS 'planner support: what a distance of bit costs';

CREATE FUNCTION l2_distance(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION l2_distance(vector, vector) IS 'Euclidean distance';

CREATE FUNCTION l2_distance(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'Euclidean distance';

CREATE FUNCTION l2_distance(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION l2_distance(sparsevec, sparsevec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION inner_product(vector, vector) IS 'inner product';

CREATE FUNCTION inner_product(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'inner product';

CREATE FUNCTION inner_product(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION inner_product(sparsevec, sparsevec) IS 'inner product';

CREATE FUNCTION cosine_distance(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION cosine_distance(vector, vector) IS 'cosine distance: 1 - cosine similarity';

CREATE FUNCTION cosine_distance(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS 'cosine distance: 1 - cosine similarity';

CREATE FUNCTION cosine_distance(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION cosine_distance(sparsevec, sparsevec) IS 'cosine distance: 1 - cosine similarity';

CREATE FUNCTION cosine_similarity(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_cosine_similarity' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION cosine_similarity(vector, vector) IS 'cosine of the angle between two vectors';

CREATE FUNCTION cosine_similarity(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_cosine_similarity' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION cosine_similarity(halfvec, halfvec) IS 'cosine of the angle between two vectors';

CREATE FUNCTION cosine_similarity(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_cosine_similarity' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION cosine_similarity(sparsevec, sparsevec) IS 'cosine of the angle between two vectors';

CREATE FUNCTION l1_distance(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION l1_distance(vector, vector) IS 'taxicab distance';

CREATE FUNCTION l1_distance(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'taxicab distance';

CREATE FUNCTION l1_distance(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION l1_distance(sparsevec, sparsevec) IS 'taxicab distance';

-- For index access methods.

CREATE FUNCTION vector_l2_squared_distance(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'squared Euclidean distance';

CREATE FUNCTION vector_negative_inner_product(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'inner product with its sign changed';

CREATE FUNCTION halfvec_l2_squared_distance(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'squared Euclidean distance';

CREATE FUNCTION halfvec_negative_inner_product(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'inner product with its sign changed';

CREATE FUNCTION sparsevec_l2_squared_distance(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) IS 'squared Euclidean distance';

CREATE FUNCTION sparsevec_negative_inner_product(a sparsevec, b sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT sparsevec_distance_support;
COMMENT ON FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) IS 'inner product with its sign changed';

CREATE FUNCTION vector_spherical_distance(a vector, b vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT vector_distance_support;
COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between two unit vectors as a share of a half turn';

CREATE FUNCTION halfvec_spherical_distance(a halfvec, b halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT halfvec_distance_support;
COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between two unit vectors as a share of a half turn';

-- Bit strings.

CREATE FUNCTION hamming_distance(a bit, b bit) RETURNS double precision
AS 'MODULE_PATHNAME', 'hamming_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2 SUPPORT bit_distance_support;
COMMENT ON FUNCTION hamming_distance(bit, bit) IS 'number of bits that differ';

CREATE FUNCTION jaccard_distance(a bit, b bit) RETURNS double precision
AS 'MODULE_PATHNAME', 'jaccard_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2 SUPPORT bit_distance_support;
COMMENT ON FUNCTION jaccard_distance(bit, bit) IS '1 - share of the set bits that both have';

-- Norms and parts.

CREATE FUNCTION vector_norm(a vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION vector_norm(vector) IS 'Euclidean norm';

CREATE FUNCTION l2_norm(a vector) RETURNS double precision
AS 'MODULE_PATHNAME', 'vector_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION l2_norm(vector) IS 'Euclidean norm';

CREATE FUNCTION l2_norm(a halfvec) RETURNS double precision
AS 'MODULE_PATHNAME', 'halfvec_l2_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION l2_norm(halfvec) IS 'Euclidean norm';

CREATE FUNCTION l2_norm(a sparsevec) RETURNS double precision
AS 'MODULE_PATHNAME', 'sparsevec_l2_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION l2_norm(sparsevec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(a vector) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION l2_normalize(vector) IS 'scales to Euclidean norm 1; a zero vector stays as it is';

CREATE FUNCTION l2_normalize(a halfvec) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION l2_normalize(halfvec) IS 'scales to Euclidean norm 1; a zero vector stays as it is';

CREATE FUNCTION l2_normalize(a sparsevec) RETURNS sparsevec
AS 'MODULE_PATHNAME', 'sparsevec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION l2_normalize(sparsevec) IS 'scales to Euclidean norm 1; a zero vector stays as it is';

CREATE FUNCTION vector_dims(a vector) RETURNS integer
AS 'MODULE_PATHNAME', 'vector_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(vector) IS 'number of dimensions';

CREATE FUNCTION vector_dims(a halfvec) RETURNS integer
AS 'MODULE_PATHNAME', 'halfvec_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(halfvec) IS 'number of dimensions';

CREATE FUNCTION subvector(a vector, start integer, count integer) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION subvector(vector, integer, integer) IS 'count dimensions from number start on, counted from 1';

CREATE FUNCTION subvector(a halfvec, start integer, count integer) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION subvector(halfvec, integer, integer) IS 'count dimensions from number start on, counted from 1';

CREATE FUNCTION binary_quantize(a vector) RETURNS bit
AS 'MODULE_PATHNAME', 'vector_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION binary_quantize(vector) IS 'one bit per dimension: 1 where it is positive';

CREATE FUNCTION binary_quantize(a halfvec) RETURNS bit
AS 'MODULE_PATHNAME', 'halfvec_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION binary_quantize(halfvec) IS 'one bit per dimension: 1 where it is positive';

-- Arithmetic by element.

CREATE FUNCTION vector_add(a vector, b vector) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_add(vector, vector) IS 'sum by element';

CREATE FUNCTION vector_sub(a vector, b vector) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_sub(vector, vector) IS 'difference by element';

CREATE FUNCTION vector_mul(a vector, b vector) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_mul(vector, vector) IS 'product by element';

CREATE FUNCTION vector_concat(a vector, b vector) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_concat(vector, vector) IS 'concatenation';

CREATE FUNCTION halfvec_add(a halfvec, b halfvec) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_add(halfvec, halfvec) IS 'sum by element';

CREATE FUNCTION halfvec_sub(a halfvec, b halfvec) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_sub(halfvec, halfvec) IS 'difference by element';

CREATE FUNCTION halfvec_mul(a halfvec, b halfvec) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_mul(halfvec, halfvec) IS 'product by element';

CREATE FUNCTION halfvec_concat(a halfvec, b halfvec) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_concat(halfvec, halfvec) IS 'concatenation';

-- Comparison and hashing.

CREATE FUNCTION vector_lt(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_lt(vector, vector) IS 'less than';

CREATE FUNCTION vector_le(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_le(vector, vector) IS 'less than or equal';

CREATE FUNCTION vector_eq(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_eq(vector, vector) IS 'equal';

CREATE FUNCTION vector_ne(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_ne(vector, vector) IS 'not equal';

CREATE FUNCTION vector_ge(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_ge(vector, vector) IS 'greater than or equal';

CREATE FUNCTION vector_gt(a vector, b vector) RETURNS boolean
AS 'MODULE_PATHNAME', 'vector_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_gt(vector, vector) IS 'greater than';

CREATE FUNCTION vector_cmp(a vector, b vector) RETURNS integer
AS 'MODULE_PATHNAME', 'vector_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION vector_cmp(vector, vector) IS 'less-equal-greater: -1, 0 or 1';

CREATE FUNCTION vector_hash(a vector) RETURNS integer
AS 'MODULE_PATHNAME', 'vector_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION vector_hash(vector) IS 'hash';

CREATE FUNCTION vector_hash_extended(a vector, seed bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'vector_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION vector_hash_extended(vector, bigint) IS 'hash with a seed';

CREATE FUNCTION halfvec_lt(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_lt(halfvec, halfvec) IS 'less than';

CREATE FUNCTION halfvec_le(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_le(halfvec, halfvec) IS 'less than or equal';

CREATE FUNCTION halfvec_eq(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_eq(halfvec, halfvec) IS 'equal';

CREATE FUNCTION halfvec_ne(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_ne(halfvec, halfvec) IS 'not equal';

CREATE FUNCTION halfvec_ge(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_ge(halfvec, halfvec) IS 'greater than or equal';

CREATE FUNCTION halfvec_gt(a halfvec, b halfvec) RETURNS boolean
AS 'MODULE_PATHNAME', 'halfvec_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_gt(halfvec, halfvec) IS 'greater than';

CREATE FUNCTION halfvec_cmp(a halfvec, b halfvec) RETURNS integer
AS 'MODULE_PATHNAME', 'halfvec_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION halfvec_cmp(halfvec, halfvec) IS 'less-equal-greater: -1, 0 or 1';

CREATE FUNCTION halfvec_hash(a halfvec) RETURNS integer
AS 'MODULE_PATHNAME', 'halfvec_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION halfvec_hash(halfvec) IS 'hash';

CREATE FUNCTION halfvec_hash_extended(a halfvec, seed bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'halfvec_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION halfvec_hash_extended(halfvec, bigint) IS 'hash with a seed';

CREATE FUNCTION sparsevec_lt(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_lt(sparsevec, sparsevec) IS 'less than';

CREATE FUNCTION sparsevec_le(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_le(sparsevec, sparsevec) IS 'less than or equal';

CREATE FUNCTION sparsevec_eq(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_eq(sparsevec, sparsevec) IS 'equal';

CREATE FUNCTION sparsevec_ne(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_ne(sparsevec, sparsevec) IS 'not equal';

CREATE FUNCTION sparsevec_ge(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_ge(sparsevec, sparsevec) IS 'greater than or equal';

CREATE FUNCTION sparsevec_gt(a sparsevec, b sparsevec) RETURNS boolean
AS 'MODULE_PATHNAME', 'sparsevec_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_gt(sparsevec, sparsevec) IS 'greater than';

CREATE FUNCTION sparsevec_cmp(a sparsevec, b sparsevec) RETURNS integer
AS 'MODULE_PATHNAME', 'sparsevec_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION sparsevec_cmp(sparsevec, sparsevec) IS 'less-equal-greater: -1, 0 or 1';

CREATE FUNCTION sparsevec_hash(a sparsevec) RETURNS integer
AS 'MODULE_PATHNAME', 'sparsevec_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION sparsevec_hash(sparsevec) IS 'hash';

CREATE FUNCTION sparsevec_hash_extended(a sparsevec, seed bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'sparsevec_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION sparsevec_hash_extended(sparsevec, bigint) IS 'hash with a seed';

-- Fusing ranked lists.

CREATE FUNCTION rrf_score(rank bigint, k double precision DEFAULT 60) RETURNS double precision
AS 'MODULE_PATHNAME', 'rrf_score' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rrf_score(bigint, double precision) IS 'reciprocal rank fusion: 1 / (k + rank), and 0 where rank is NULL';

-- Tokens against tokens.

CREATE FUNCTION max_sim(query vector[], document vector[]) RETURNS double precision
AS 'MODULE_PATHNAME', 'max_sim' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION max_sim(vector[], vector[]) IS 'sum over the vectors of a query of their largest inner product with a vector of a document (late interaction)';
