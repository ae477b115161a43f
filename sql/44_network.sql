
-- Models that are a published folder: tokenizers, static models

CREATE FUNCTION import_model(model text, directory text DEFAULT NULL, file text DEFAULT NULL,
	large_object oid DEFAULT NULL, data bytea DEFAULT NULL, files text DEFAULT NULL,
	"precision" text DEFAULT 'float32', max_tokens integer DEFAULT NULL, replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'import_model' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION import_model(text, text, text, oid, bytea, text, text, integer, boolean) IS 'make a model of the folder in which one is published, or of a tar, a tokenizer.json or a file of word vectors';

CREATE FUNCTION export_model(model regclass) RETURNS oid
AS 'MODULE_PATHNAME', 'export_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION export_model(regclass) IS 'write the folder of an imported model to a large object, as a tar';

CREATE FUNCTION model_files(model regclass) RETURNS TABLE (name text, data bytea)
AS 'MODULE_PATHNAME', 'model_files' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION model_files(regclass) IS 'the files of an imported model, byte by byte as they came';

CREATE FUNCTION model_tokens(model regclass, input text)
RETURNS TABLE ("position" integer, token text, id integer, start integer, length integer)
AS 'MODULE_PATHNAME', 'model_tokens' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100;
COMMENT ON FUNCTION model_tokens(regclass, text) IS 'tokens that a model reads of a text, with those that it adds, and where in the text they are';

CREATE FUNCTION count_tokens(model regclass, input text) RETURNS integer
AS 'MODULE_PATHNAME', 'count_tokens' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION count_tokens(regclass, text) IS 'how many tokens a text has for a model, those that the model adds included';

CREATE FUNCTION split_text(input text, model regclass, max_tokens integer DEFAULT NULL, overlap integer DEFAULT 0)
RETURNS TABLE ("position" integer, start integer, length integer, passage text)
AS 'MODULE_PATHNAME', 'split_text_by_model' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION split_text(text, regclass, integer, integer) IS 'passages of a text with at most as many tokens as a model reads, cut at ends of paragraphs and sentences';
