-- Aggregates of the vector types.

CREATE FUNCTION vector_accum(state double precision[], a vector) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'vector_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_accum(double precision[], vector) IS 'adds a row to the state of avg';

CREATE FUNCTION vector_sum_accum(state double precision[], a vector) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'vector_sum_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_sum_accum(double precision[], vector) IS 'adds a row to the state of sum';

CREATE FUNCTION vector_combine(a double precision[], b double precision[]) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_combine(double precision[], double precision[]) IS 'adds the states of sum or avg of two groups of rows';

CREATE FUNCTION vector_avg(state double precision[]) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_avg(double precision[]) IS 'result of avg';

CREATE FUNCTION vector_sum(state double precision[]) RETURNS vector
AS 'MODULE_PATHNAME', 'vector_sum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION vector_sum(double precision[]) IS 'result of sum';

CREATE AGGREGATE avg(vector) (
	SFUNC = vector_accum, STYPE = double precision[], INITCOND = '{0}',
	FINALFUNC = vector_avg,
	COMBINEFUNC = vector_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(vector) IS 'mean by element; NULL where there are no rows';

CREATE AGGREGATE sum(vector) (
	SFUNC = vector_sum_accum, STYPE = double precision[], INITCOND = '{0}',
	FINALFUNC = vector_sum,
	COMBINEFUNC = vector_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(vector) IS 'sum by element; NULL where there are no rows';

CREATE FUNCTION halfvec_accum(state double precision[], a halfvec) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'halfvec_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_accum(double precision[], halfvec) IS 'adds a row to the state of avg';

CREATE FUNCTION halfvec_sum_accum(state double precision[], a halfvec) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'halfvec_sum_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_sum_accum(double precision[], halfvec) IS 'adds a row to the state of sum';

CREATE FUNCTION halfvec_combine(a double precision[], b double precision[]) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_combine(double precision[], double precision[]) IS 'adds the states of sum or avg of two groups of rows';

CREATE FUNCTION halfvec_avg(state double precision[]) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_avg(double precision[]) IS 'result of avg';

CREATE FUNCTION halfvec_sum(state double precision[]) RETURNS halfvec
AS 'MODULE_PATHNAME', 'halfvec_sum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION halfvec_sum(double precision[]) IS 'result of sum';

CREATE AGGREGATE avg(halfvec) (
	SFUNC = halfvec_accum, STYPE = double precision[], INITCOND = '{0}',
	FINALFUNC = halfvec_avg,
	COMBINEFUNC = halfvec_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(halfvec) IS 'mean by element; NULL where there are no rows';

CREATE AGGREGATE sum(halfvec) (
	SFUNC = halfvec_sum_accum, STYPE = double precision[], INITCOND = '{0}',
	FINALFUNC = halfvec_sum,
	COMBINEFUNC = halfvec_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(halfvec) IS 'sum by element; NULL where there are no rows';

CREATE FUNCTION sparsevec_accum(state internal, a sparsevec) RETURNS internal
AS 'MODULE_PATHNAME', 'sparsevec_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_accum(internal, sparsevec) IS 'adds a row to the state of sum or avg';

CREATE FUNCTION sparsevec_combine(a internal, b internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sparsevec_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_combine(internal, internal) IS 'adds the states of two groups of rows';

CREATE FUNCTION sparsevec_serialize(state internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sparsevec_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_serialize(internal) IS 'writes the state for another process';

CREATE FUNCTION sparsevec_deserialize(bytes bytea, unused internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sparsevec_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_deserialize(bytea, internal) IS 'reads the state of another process';

CREATE FUNCTION sparsevec_avg(state internal) RETURNS sparsevec
AS 'MODULE_PATHNAME', 'sparsevec_avg' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_avg(internal) IS 'result of avg';

CREATE FUNCTION sparsevec_sum(state internal) RETURNS sparsevec
AS 'MODULE_PATHNAME', 'sparsevec_sum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sparsevec_sum(internal) IS 'result of sum';

CREATE AGGREGATE avg(sparsevec) (
	SFUNC = sparsevec_accum, STYPE = internal,
	FINALFUNC = sparsevec_avg,
	SERIALFUNC = sparsevec_serialize, DESERIALFUNC = sparsevec_deserialize,
	COMBINEFUNC = sparsevec_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(sparsevec) IS 'mean by element; NULL where there are no rows';

CREATE AGGREGATE sum(sparsevec) (
	SFUNC = sparsevec_accum, STYPE = internal,
	FINALFUNC = sparsevec_sum,
	SERIALFUNC = sparsevec_serialize, DESERIALFUNC = sparsevec_deserialize,
	COMBINEFUNC = sparsevec_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(sparsevec) IS 'sum by element; NULL where there are no rows';
