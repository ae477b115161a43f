-- ELMo: a vector for a word in its sentence

CREATE FUNCTION elmo_embed(model regclass, input text, layers integer[] DEFAULT NULL, pooling text DEFAULT NULL,
	layer_weights float8[] DEFAULT NULL, gamma float8 DEFAULT NULL, layer_norm boolean DEFAULT NULL) RETURNS vector
AS 'MODULE_PATHNAME', 'elmo_embed' LANGUAGE C STABLE PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION elmo_embed(regclass, text, integer[], text, float8[], float8, boolean) IS 'vector of a text from chosen layers of an ELMo, mixed as asked for';

CREATE FUNCTION embed_tokens(model regclass, input text, layers integer[],
	layer_weights float8[] DEFAULT NULL, gamma float8 DEFAULT NULL, layer_norm boolean DEFAULT NULL)
RETURNS TABLE ("position" integer, token text, embedding vector)
AS 'MODULE_PATHNAME', 'elmo_embed_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION embed_tokens(regclass, text, integer[], float8[], float8, boolean) IS 'words of a text with their vectors in it, from chosen layers of an ELMo, mixed as asked for';

CREATE FUNCTION elmo_layers(model regclass, input text)
RETURNS TABLE ("position" integer, token text, layer integer, embedding vector)
AS 'MODULE_PATHNAME', 'elmo_layers_of_words' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000000 ROWS 300;
COMMENT ON FUNCTION elmo_layers(regclass, text) IS 'what each layer of an ELMo gives for the words of a text; layer 0 sees their characters only';

CREATE FUNCTION word_in_context(model regclass, input text, word text, occurrence integer DEFAULT 1,
	layers integer[] DEFAULT NULL, layer_weights float8[] DEFAULT NULL, gamma float8 DEFAULT NULL,
	layer_norm boolean DEFAULT NULL) RETURNS vector
AS 'MODULE_PATHNAME', 'word_in_context' LANGUAGE C STABLE PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION word_in_context(regclass, text, text, integer, integer[], float8[], float8, boolean) IS 'vector of a word as it stands in a text; NULL if it does not occur so many times';

CREATE FUNCTION elmo_warm_state(model regclass, corpus text) RETURNS bigint
AS 'MODULE_PATHNAME', 'elmo_warm_state' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION elmo_warm_state(regclass, text) IS 'lets an ELMo read the texts of a query once and keeps the state they leave, from which every text then begins; NULL: from zeros again';

CREATE FUNCTION train_elmo(model text, corpus text, config regconfig DEFAULT NULL,
	dims integer DEFAULT NULL, layers integer DEFAULT NULL, hidden integer DEFAULT NULL,
	filters integer[] DEFAULT NULL, max_characters integer DEFAULT NULL,
	window_size integer DEFAULT NULL, batch integer DEFAULT NULL, negatives integer DEFAULT NULL,
	epochs integer DEFAULT NULL, learning_rate float8 DEFAULT NULL, dropout float8 DEFAULT NULL,
	clip_norm float8 DEFAULT NULL, held_out float8 DEFAULT NULL, workers integer DEFAULT NULL,
	seed bigint DEFAULT NULL, from_model regclass DEFAULT NULL, replace boolean DEFAULT false,
	min_count integer DEFAULT NULL) RETURNS regclass
AS 'MODULE_PATHNAME', 'train_elmo' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_elmo(text, text, regconfig, integer, integer, integer, integer[], integer, integer, integer, integer, integer, float8, float8, float8, float8, integer, bigint, regclass, boolean, integer) IS 'trains an ELMo, a vector for a word in its sentence, on the texts of a query';

CREATE PROCEDURE train_elmo_epochs(model text, corpus text, config regconfig DEFAULT NULL,
	dims integer DEFAULT NULL, layers integer DEFAULT NULL, hidden integer DEFAULT NULL,
	filters integer[] DEFAULT NULL, max_characters integer DEFAULT NULL,
	window_size integer DEFAULT NULL, batch integer DEFAULT NULL, negatives integer DEFAULT NULL,
	epochs integer DEFAULT NULL, learning_rate float8 DEFAULT NULL, dropout float8 DEFAULT NULL,
	clip_norm float8 DEFAULT NULL, held_out float8 DEFAULT NULL, workers integer DEFAULT NULL,
	seed bigint DEFAULT NULL, min_count integer DEFAULT NULL)
AS 'MODULE_PATHNAME', 'train_elmo_epochs' LANGUAGE C;
COMMENT ON PROCEDURE train_elmo_epochs(text, text, regconfig, integer, integer, integer, integer[], integer, integer, integer, integer, integer, float8, float8, float8, float8, integer, bigint, integer) IS 'trains an ELMo and keeps the model of every epoch; called again, goes on until it has had so many';

CREATE FUNCTION tune_mix(model regclass, examples text, task text DEFAULT 'classification') RETURNS float8[]
AS 'MODULE_PATHNAME', 'tune_mix' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION tune_mix(regclass, text, text) IS 'learns how the layers of an ELMo are mixed from examples of a task, and sets the model''s options; returns the weights of the layers';
