-- Tuning: models fitted to a user's own examples

CREATE FUNCTION tune_model(model text, base regclass, examples text,
	method text DEFAULT NULL, loss text DEFAULT NULL,
	epochs integer DEFAULT 1, batch integer DEFAULT NULL,
	learning_rate float8 DEFAULT NULL, warmup float8 DEFAULT 0.1,
	weight_decay float8 DEFAULT 0.01, scale float8 DEFAULT 20,
	margin float8 DEFAULT NULL, rank integer DEFAULT 8,
	rank_alpha float8 DEFAULT 16, targets text[] DEFAULT NULL,
	held_out float8 DEFAULT 0.1, patience integer DEFAULT NULL,
	dropout float8 DEFAULT NULL, max_length integer DEFAULT NULL,
	workers integer DEFAULT NULL, seed bigint DEFAULT NULL,
	replace boolean DEFAULT false, distance text DEFAULT NULL,
	matryoshka integer[] DEFAULT NULL, frozen_embeddings boolean DEFAULT false,
	token_weights boolean DEFAULT NULL, optimizer text DEFAULT 'adamw',
	schedule text DEFAULT 'linear')
RETURNS regclass
AS 'MODULE_PATHNAME', 'tune_model' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION tune_model(text, regclass, text, text, text, integer, integer, float8, float8, float8, float8, float8, integer, float8, text[], float8, integer, float8, integer, integer, bigint, boolean, text, integer[], boolean, boolean, text, text) IS 'fit a model to examples: a new model of the base''s own kind';

CREATE FUNCTION tuning_history(model regclass)
RETURNS TABLE (epoch integer, step bigint, loss float8, metric text, value float8, seconds float8)
AS 'MODULE_PATHNAME', 'tuning_history' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 4;
COMMENT ON FUNCTION tuning_history(regclass) IS 'how the tuning of a model went: loss and what was measured on examples held out, before and after each epoch';

CREATE FUNCTION mine_negatives(model regclass, pairs text, corpus text, per_pair integer DEFAULT 5, margin float8 DEFAULT 0.05)
RETURNS TABLE (anchor text, positive text, negative text)
AS 'MODULE_PATHNAME', 'mine_negatives' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mine_negatives(regclass, text, text, integer, float8) IS 'texts of a corpus that are near to an anchor but less near than its positive by a margin: hard negatives for tune_model';

CREATE FUNCTION pairs_from_labels(examples text, per_text integer DEFAULT 1, seed bigint DEFAULT NULL)
RETURNS TABLE (sentence1 text, sentence2 text, score float8)
AS 'MODULE_PATHNAME', 'pairs_from_labels' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION pairs_from_labels(text, integer, bigint) IS 'pairs of texts with the same label (score 1) and with different ones (score 0), for tune_model';

CREATE FUNCTION pairs_from_structure(passages text)
RETURNS TABLE (anchor text, positive text)
AS 'MODULE_PATHNAME', 'pairs_from_structure' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION pairs_from_structure(text) IS 'pairs of a heading and its passage, and of passages that follow each other in a document, for tune_model';

CREATE FUNCTION export_adapter(model regclass) RETURNS TABLE (name text, data bytea)
AS 'MODULE_PATHNAME', 'export_adapter' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 2;
COMMENT ON FUNCTION export_adapter(regclass) IS 'the change of low rank that a transformer was tuned by, as the two files of the package peft';

CREATE FUNCTION import_adapter(model text, base regclass, files text, replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'import_adapter' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION import_adapter(text, regclass, text, boolean) IS 'make a model of a transformer and a change of low rank in the file form of the package peft';
