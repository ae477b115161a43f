CREATE FUNCTION set_model_option(model regclass, name text, value text) RETURNS void
AS 'MODULE_PATHNAME', 'set_model_option' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION set_model_option(regclass, text, text) IS 'sets how an embedding model is used, such as its pooling; NULL gives the option back its usual value';
