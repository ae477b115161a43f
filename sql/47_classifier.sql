
-- classifiers trained on examples

CREATE FUNCTION train_classifier(model text, examples text,
	encoder regclass DEFAULT NULL, features text DEFAULT 'embed',
	penalty text DEFAULT 'l2', c float8 DEFAULT 1.0,
	class_weight text DEFAULT NULL, multi_class text DEFAULT 'multinomial',
	replace boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'train_classifier' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION train_classifier(text, text, regclass, text, text, float8, text, text, boolean) IS 'learn to give labels from examples: (text or vector, label)';

CREATE FUNCTION cross_validate(examples text, encoder regclass DEFAULT NULL,
	features text DEFAULT 'embed', penalty text DEFAULT 'l2',
	c float8 DEFAULT 1.0, class_weight text DEFAULT NULL,
	multi_class text DEFAULT 'multinomial', folds integer DEFAULT 5)
RETURNS TABLE (fold integer, accuracy float8, examples bigint)
AS 'MODULE_PATHNAME', 'cross_validate' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION cross_validate(text, regclass, text, text, float8, text, text, integer) IS 'accuracy of a classifier on examples held out, a fold of them at a time';

CREATE FUNCTION classify(model regclass, input vector) RETURNS text
AS 'MODULE_PATHNAME', 'classify_vector' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION classify(regclass, vector) IS 'label that a classifier gives to a vector';

CREATE FUNCTION classify(model regclass, input sparsevec) RETURNS text
AS 'MODULE_PATHNAME', 'classify_vector' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION classify(regclass, sparsevec) IS 'label that a classifier gives to a sparse vector';

CREATE FUNCTION classify_scores(model regclass, input vector)
RETURNS TABLE (label text, probability double precision)
AS 'MODULE_PATHNAME', 'classify_vector_scores' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 3;
COMMENT ON FUNCTION classify_scores(regclass, vector) IS 'all labels of a classifier, with their probabilities for a vector';

CREATE FUNCTION classify_scores(model regclass, input sparsevec)
RETURNS TABLE (label text, probability double precision)
AS 'MODULE_PATHNAME', 'classify_vector_scores' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 3;
COMMENT ON FUNCTION classify_scores(regclass, sparsevec) IS 'all labels of a classifier, with their probabilities for a sparse vector';

CREATE FUNCTION classify_labels(model regclass, input text, threshold float8 DEFAULT 0.5) RETURNS text[]
AS 'MODULE_PATHNAME', 'classify_labels' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION classify_labels(regclass, text, float8) IS 'labels of a text more probable than the threshold, the likeliest first';

CREATE FUNCTION classify_labels(model regclass, input vector, threshold float8 DEFAULT 0.5) RETURNS text[]
AS 'MODULE_PATHNAME', 'classify_vector_labels' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION classify_labels(regclass, vector, float8) IS 'labels of a vector more probable than the threshold, the likeliest first';

CREATE FUNCTION classify_labels(model regclass, input sparsevec, threshold float8 DEFAULT 0.5) RETURNS text[]
AS 'MODULE_PATHNAME', 'classify_vector_labels' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION classify_labels(regclass, sparsevec, float8) IS 'labels of a sparse vector more probable than the threshold, the likeliest first';

CREATE FUNCTION evaluate_classifier(model regclass, examples text)
RETURNS TABLE (label text, "precision" float8, recall float8, f1 float8, support bigint)
AS 'MODULE_PATHNAME', 'evaluate_classifier' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 4;
COMMENT ON FUNCTION evaluate_classifier(regclass, text) IS 'how well a classifier does on examples: each label, the mean of labels, all examples';

CREATE FUNCTION classifier_confusion(model regclass, examples text)
RETURNS TABLE (label text, given text, count bigint)
AS 'MODULE_PATHNAME', 'classifier_confusion' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 4;
COMMENT ON FUNCTION classifier_confusion(regclass, text) IS 'how many examples of each label a classifier gave which label';

CREATE FUNCTION classifier_terms(model regclass, label text, count integer DEFAULT 10)
RETURNS TABLE (term text, weight float8)
AS 'MODULE_PATHNAME', 'classifier_terms' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION classifier_terms(regclass, text, integer) IS 'terms that speak for a label, the strongest first';
