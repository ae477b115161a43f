
-- files of word vectors

CREATE FUNCTION import_word_vectors(model text, file text DEFAULT NULL,
	large_object oid DEFAULT NULL, data bytea DEFAULT NULL,
	config regconfig DEFAULT '@extschema@.embed_whitespace'::regconfig,
	max_words integer DEFAULT NULL, replace boolean DEFAULT false,
	on_error text DEFAULT 'stop')
RETURNS regclass
AS 'MODULE_PATHNAME', 'import_word_vectors' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION import_word_vectors(text, text, oid, bytea, regconfig, integer, boolean, text) IS 'make a model of a file of word2vec, GloVe or fastText';

CREATE FUNCTION export_word_vectors(model regclass) RETURNS oid
AS 'MODULE_PATHNAME', 'export_word_vectors' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION export_word_vectors(regclass) IS 'write the words of a model to a large object in the format word2vec .bin';
