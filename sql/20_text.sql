-- Text search: how raw text becomes words

CREATE FUNCTION embed_words_start(internal, integer) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_words_start' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_words_start(internal, integer) IS 'start of text search parser embed_words';

CREATE FUNCTION embed_whitespace_start(internal, integer) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_whitespace_start' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_whitespace_start(internal, integer) IS 'start of text search parser embed_whitespace';

CREATE FUNCTION embed_parser_token(internal, internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_parser_token' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_parser_token(internal, internal, internal) IS 'next token of text search parsers embed_words and embed_whitespace';

CREATE FUNCTION embed_parser_end(internal) RETURNS void
AS 'MODULE_PATHNAME', 'embed_parser_end' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_parser_end(internal) IS 'end of text search parsers embed_words and embed_whitespace';

CREATE FUNCTION embed_parser_types(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_parser_types' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_parser_types(internal) IS 'token types of text search parsers embed_words and embed_whitespace';

CREATE FUNCTION embed_dictionary_init(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_dictionary_init' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_dictionary_init(internal) IS 'init of text search dictionaries embed_lower and embed_exact';

CREATE FUNCTION embed_lower_lexize(internal, internal, internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_lower_lexize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_lower_lexize(internal, internal, internal, internal) IS 'lexize of text search dictionary embed_lower';

CREATE FUNCTION embed_exact_lexize(internal, internal, internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'embed_exact_lexize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION embed_exact_lexize(internal, internal, internal, internal) IS 'lexize of text search dictionary embed_exact';

CREATE TEXT SEARCH PARSER embed_words (
	START = embed_words_start,
	GETTOKEN = embed_parser_token,
	END = embed_parser_end,
	HEADLINE = pg_catalog.prsd_headline,
	LEXTYPES = embed_parser_types
);
COMMENT ON TEXT SEARCH PARSER embed_words IS 'runs of Unicode letters, digits, underscores and marks';

CREATE TEXT SEARCH PARSER embed_whitespace (
	START = embed_whitespace_start,
	GETTOKEN = embed_parser_token,
	END = embed_parser_end,
	HEADLINE = pg_catalog.prsd_headline,
	LEXTYPES = embed_parser_types
);
COMMENT ON TEXT SEARCH PARSER embed_whitespace IS 'what lies between white space';

CREATE TEXT SEARCH TEMPLATE embed_lower (INIT = embed_dictionary_init, LEXIZE = embed_lower_lexize);
COMMENT ON TEXT SEARCH TEMPLATE embed_lower IS 'lower-cases every word, equally under every locale';

CREATE TEXT SEARCH TEMPLATE embed_exact (INIT = embed_dictionary_init, LEXIZE = embed_exact_lexize);
COMMENT ON TEXT SEARCH TEMPLATE embed_exact IS 'leaves every word as it is';

CREATE TEXT SEARCH DICTIONARY embed_lower (TEMPLATE = embed_lower);
COMMENT ON TEXT SEARCH DICTIONARY embed_lower IS 'lower-cases every word, equally under every locale';

CREATE TEXT SEARCH DICTIONARY embed_exact (TEMPLATE = embed_exact);
COMMENT ON TEXT SEARCH DICTIONARY embed_exact IS 'leaves every word as it is';

CREATE TEXT SEARCH CONFIGURATION embed_words (PARSER = embed_words);
ALTER TEXT SEARCH CONFIGURATION embed_words ADD MAPPING FOR word, pair WITH embed_lower;
COMMENT ON TEXT SEARCH CONFIGURATION embed_words IS 'lower-cased runs of Unicode letters, digits, underscores and marks';

CREATE TEXT SEARCH CONFIGURATION embed_whitespace (PARSER = embed_whitespace);
ALTER TEXT SEARCH CONFIGURATION embed_whitespace ADD MAPPING FOR word WITH embed_exact;
COMMENT ON TEXT SEARCH CONFIGURATION embed_whitespace IS 'text split at white space and otherwise left as it is';

CREATE FUNCTION text_tokens(input text, config regconfig DEFAULT 'embed_words')
RETURNS TABLE ("position" integer, token text, start integer, length integer)
AS 'MODULE_PATHNAME', 'text_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 200;
COMMENT ON FUNCTION text_tokens(text, regconfig) IS 'tokens of a text as every function of this extension reads them';

CREATE FUNCTION split_text(input text, max_tokens integer DEFAULT 200, overlap integer DEFAULT NULL,
	config regconfig DEFAULT 'embed_words')
RETURNS TABLE ("position" integer, start integer, length integer, passage text)
AS 'MODULE_PATHNAME', 'split_text' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION split_text(text, integer, integer, regconfig) IS 'passages of a text with at most max_tokens tokens each, cut at ends of paragraphs and sentences; each begins with the last overlap tokens of the one before, by default a tenth';
