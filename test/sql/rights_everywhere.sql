-- Broken if this fails: some function of the extension shows or changes what
-- belongs to another user, or runs that user's code as whoever calls it.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE ROLE rights_owner;
CREATE ROLE rights_stranger;
CREATE ROLE rights_boss SUPERUSER;
CREATE SCHEMA rights AUTHORIZATION rights_owner;
GRANT USAGE ON SCHEMA rights TO PUBLIC;

SET ROLE rights_owner;
SET search_path = rights, public;
SELECT train_vocabulary('v', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT train_word2vec('w', 'SELECT ''alpha beta gamma alpha beta gamma''::text', dims => 2, min_count => 1, epochs => 1, seed => 1);
SELECT train_classifier('c', 'SELECT ''[1]''::vector, 1 UNION ALL SELECT ''[2]'', 2');
SELECT import_model('n', data => '{"model": {"type": "WordLevel", "vocab": {"alpha": 0, "x": 1}, "unk_token": "x"}}');
CREATE TABLE items (id integer PRIMARY KEY, e vector(2), s sparsevec(16));
INSERT INTO items SELECT i, ARRAY[i, 1]::vector, '{1:1}/16' FROM generate_series(1, 10) i;
CREATE INDEX items_e ON items USING ktree (e);
CREATE INDEX items_s ON items USING inverted (s);
CREATE TABLE plain (id integer PRIMARY KEY, term text, documents bigint, occurrences bigint);
INSERT INTO plain VALUES (0, NULL, 1, 1);
CREATE TABLE kept (id integer PRIMARY KEY, body text);
SELECT count(*) FROM embed_column('kept', '{body}', 'v', 'words');

-- every function that takes a table, an index or a query, as a stranger
RESET ROLE;
CREATE TABLE public.rights_calls (function text, call text);
INSERT INTO public.rights_calls VALUES
	('register_model', $$register_model('rights.plain', 'vocabulary', 'embed_words', 'dims=16')$$),
	('embed_refresh', $$embed_refresh('rights.v')$$),
	('model_version', $$model_version('rights.v')$$),
	('embed_model_contents', $$embed_model_contents('rights.v', true)$$),
	('embed_models', $$count(*) FROM embed_models(true) WHERE model IN ('rights.v', 'rights.w')$$),
	('embed_images', $$count(*) FROM embed_images(clear => true) WHERE model IN ('rights.v', 'rights.w')$$),
	('train_vocabulary', $$train_vocabulary('rights.v', 'SELECT ''mine''::text', replace => true)$$),
	('train_vocabulary', $$train_vocabulary('mine', 'SELECT term FROM rights.v')$$),
	('train_vocabulary', $$train_vocabulary('rights.mine', 'SELECT ''mine''::text')$$),
	('train_word2vec', $$train_word2vec('rights.w', 'SELECT ''mine''::text', replace => true)$$),
	('train_word2vec', $$train_word2vec('mine', 'SELECT ''mine''::text', dims => 2, min_count => 1, from_model => 'rights.w')$$),
	('cross_validate', $$cross_validate('SELECT ''alpha'', n % 2 FROM generate_series(1, 4) n', encoder => 'rights.w', folds => 2)$$),
	('train_classifier', $$train_classifier('mine', 'SELECT ''[1]''::vector, term FROM rights.v')$$),
	('train_classifier', $$train_classifier('mine', 'SELECT ''alpha'', 1 UNION ALL SELECT ''beta'', 2', encoder => 'rights.w')$$),
	('train_classifier', $$train_classifier('rights.c', 'SELECT ''[1]''::vector, 1', replace => true)$$),
	('classify', $$classify('rights.c', '[1]'::vector)$$),
	('classify_labels', $$classify_labels('rights.c', '[1]'::vector)$$),
	('classify_labels', $$classify_labels('rights.n', 'alpha')$$),
	('classify_scores', $$classify_scores('rights.c', '[1]'::vector)$$),
	('evaluate_classifier', $$evaluate_classifier('rights.c', 'SELECT ''[1]''::vector, 1')$$),
	('classifier_confusion', $$classifier_confusion('rights.c', 'SELECT ''[1]''::vector, 1')$$),
	('classifier_terms', $$classifier_terms('rights.c', '1')$$),
	('tune_model', $$tune_model('mine', 'rights.w', 'SELECT ''alpha'' AS anchor, ''beta'' AS positive')$$),
	('tune_model', $$tune_model('rights.w', 'rights.w', 'SELECT ''alpha'' AS anchor, ''beta'' AS positive', replace => true)$$),
	('tuning_history', $$tuning_history('rights.w')$$),
	('mine_negatives', $$mine_negatives('rights.w', 'SELECT ''alpha'', ''beta''', 'SELECT ''gamma''')$$),
	('cluster_texts', $$cluster_texts('SELECT word, vector FROM rights.w')$$),
	('cluster_texts', $$cluster_texts('SELECT 1, ''alpha''', encoder => 'rights.v')$$),
	('cluster_terms', $$cluster_terms('SELECT 1, ''alpha''', 'rights.v')$$),
	('embed_projection', $$embed_projection('SELECT word, vector FROM rights.w')$$),
	('embed_map', $$embed_map('SELECT word, vector FROM rights.w')$$),
	('embed_heatmap', $$embed_heatmap('SELECT word, vector FROM rights.w')$$),
	('embed_plot_training', $$embed_plot_training('rights.w')$$),
	('train_lsa', $$train_lsa('mine', 'rights.v', 'SELECT ''alpha''::text')$$),
	('train_lsa', $$train_lsa('rights.w', 'rights.v', 'SELECT ''alpha''::text', replace => true)$$),
	('train_doc2vec', $$train_doc2vec('rights.w', 'SELECT ''mine''::text', replace => true)$$),
	('train_doc2vec', $$train_doc2vec('mine', 'SELECT ''alpha beta''::text', from_model => 'rights.w')$$),
	('train_doc2vec', $$train_doc2vec('mine', 'SELECT word FROM rights.w')$$),
	('train_glove', $$train_glove('rights.w', 'SELECT ''mine''::text', replace => true)$$),
	('train_glove', $$train_glove('mine', 'SELECT ''alpha beta''::text', dims => 2, min_count => 1, from_model => 'rights.w')$$),
	('train_glove', $$train_glove('mine', records => 'SELECT word, word FROM rights.w')$$),
	('glove_cooccurrences', $$glove_cooccurrences('rights.w', 'SELECT ''alpha beta''::text')$$),
	('glove_cooccurrences', $$glove_cooccurrences(corpus => 'SELECT word FROM rights.w')$$),
	('align_models', $$align_models('mine', 'rights.w', 'rights.w')$$),
	('align_models', $$align_models('rights.w', 'rights.w', 'rights.w', replace => true)$$),
	('import_word_vectors', $$import_word_vectors('rights.w', data => 'mine 1 2', replace => true)$$),
	('import_word_vectors', $$import_word_vectors('mine', file => '/etc/hostname')$$),
	('export_word_vectors', $$export_word_vectors('rights.w')$$),
	('import_model', $$import_model('rights.w', data => 'mine 1 2', replace => true)$$),
	('import_model', $$import_model('mine', directory => '/etc')$$),
	('import_model', $$import_model('mine', files => 'SELECT ''x'', word::bytea FROM rights.w')$$),
	('export_model', $$export_model('rights.n')$$),
	('export_adapter', $$(SELECT count(*) FROM export_adapter('rights.n'))$$),
	('import_adapter', $$import_adapter('mine', 'rights.n', 'SELECT ''adapter_config.json''::text, ''{}''::bytea')$$),
	('model_files', $$model_files('rights.n')$$),
	('model_tokens', $$model_tokens('rights.n', 'alpha')$$),
	('count_tokens', $$count_tokens('rights.n', 'alpha')$$),
	('split_text', $$split_text('alpha', model => 'rights.n', max_tokens => 3)$$),
	('add_documents', $$add_documents('rights.v', 'SELECT ''mine''::text')$$),
	('one_hot', $$one_hot('rights.v', 'alpha')$$),
	('count_vector', $$count_vector('rights.v', 'alpha')$$),
	('tfidf', $$tfidf('rights.v', 'alpha')$$),
	('vector_terms', $$vector_terms('rights.v', '{1:1}/16')$$),
	('bm25_document', $$bm25_document('rights.v', 'alpha')$$),
	('bm25_query', $$bm25_query('rights.v', 'alpha')$$),
	('set_model_option', $$set_model_option('rights.w', 'pooling', 'sif')$$),
	('train_elmo', $$train_elmo('rights.w', 'SELECT ''mine''::text', replace => true)$$),
	('train_elmo', $$train_elmo('mine', 'SELECT word FROM rights.w')$$),
	('train_elmo', $$train_elmo('mine', 'SELECT ''mine''::text', from_model => 'rights.n')$$),
	('train_elmo_epochs', $$train_elmo_epochs('rights.w', 'SELECT ''mine''::text')$$),
	('tune_mix', $$tune_mix('rights.n', 'SELECT ''mine''::text, 1')$$),
	('elmo_warm_state', $$elmo_warm_state('rights.n', 'SELECT ''mine''::text')$$),
	('elmo_layers', $$elmo_layers('rights.n', 'alpha')$$),
	('word_in_context', $$word_in_context('rights.n', 'alpha', 'alpha')$$),
	('elmo_embed', $$elmo_embed('rights.n', 'alpha')$$),
	('embed_tokens', $$embed_tokens('rights.n', 'alpha', layers => NULL)$$),
	('embed', $$embed('rights.w', 'alpha')$$),
	('embed_array', $$embed_array('rights.w', '{alpha}')$$),
	('embed_tokens', $$embed_tokens('rights.w', 'alpha')$$),
	('embed_sparse', $$embed_sparse('rights.n', 'alpha')$$),
	('distill_model', $$distill_model('mine', 'rights.n')$$),
	('distill_model', $$distill_model('rights.w', 'rights.n', replace => true)$$),
	('classify', $$classify('rights.n', 'alpha')$$),
	('classify_scores', $$classify_scores('rights.n', 'alpha')$$),
	('rerank', $$rerank('rights.n', 'alpha', '{alpha}')$$),
	('rerank_score', $$rerank_score('rights.n', 'alpha', 'alpha')$$),
	('word_vector', $$word_vector('rights.w', 'alpha')$$),
	('nearest_words', $$nearest_words('rights.w', 'alpha')$$),
	('nearest_words', $$nearest_words('rights.w', '[1,2]'::vector)$$),
	('nearest_words', $$nearest_words('rights.w', 'alpha', similarity => 'csls')$$),
	('analogy', $$analogy('rights.w', '{alpha}', '{beta}')$$),
	('evaluate_analogies', $$evaluate_analogies('rights.w', 'SELECT ''s'', ''alpha'', ''beta'', ''alpha'', ''beta''')$$),
	('evaluate_similarity', $$evaluate_similarity('rights.w', 'SELECT ''alpha'', ''beta'', 1.0')$$),
	('embed_column', $$embed_column('rights.items', '{t}', 'rights.v')$$),
	('embed_columns', $$count(*) FROM embed_columns(true) WHERE filled IS NOT NULL$$),
	('embed_fill', $$embed_fill('rights.kept')$$),
	('embed_search', $$embed_search(NULL::rights.kept, 'alpha')$$),
	('embed_search_sql', $$length(embed_search_sql(NULL::rights.kept, 'alpha')) > 0$$),
	('evaluate_search', $$evaluate_search(NULL::rights.kept, 'SELECT ''alpha''::text, 1, 1')$$),
	('compare_models', $$compare_models('SELECT word, 1 FROM rights.w')$$),
	('compare_models', $$bool_and(note ~ 'permission denied') FROM compare_models('SELECT ''alpha'', n % 2 FROM generate_series(1, 10) n', '{rights.w}')$$),
	('compare_models', $$compare_models('SELECT ''alpha'', n % 2 FROM generate_series(1, 10) n', 'SELECT word FROM rights.w')$$),
	('compare_models', $$bool_and(note ~ 'permission denied') FROM compare_models('SELECT ''alpha'', n % 2 FROM generate_series(1, 10) n', '{tfidf}', corpus => 'SELECT word FROM rights.w')$$),
	('embed_explain', $$embed_explain('SELECT id FROM rights.items ORDER BY e <=> ''[1,1]'' LIMIT 1')$$),
	('embed_update_trigger', $$embed_update_trigger()$$),
	('embed_index_check', $$embed_index_check('rights.items_e')$$),
	('embed_index_check', $$embed_index_check('rights.items_s')$$),
	('embed_index_stats', $$embed_index_stats('rights.items_e')$$),
	('embed_index_recall', $$embed_index_recall('rights.items_e', 'SELECT ''[1,1]''::vector')$$),
	('embed_index_recall', $$embed_index_recall('rights.items_e', 'SELECT e FROM rights.items')$$);
GRANT SELECT ON public.rights_calls TO PUBLIC;
-- the list is whole: what is left out takes nothing that has an owner
SELECT DISTINCT p.proname FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND (p.proargtypes::oid[] && '{regclass}'::regtype[]::oid[] OR p.proargnames && '{model,corpus,query,file,large_object,table}'
		 OR p.proname LIKE 'train%' OR p.proname LIKE 'import%' OR p.proname LIKE 'embed%')
	AND p.proname NOT IN (SELECT function FROM public.rights_calls)
ORDER BY 1;
CREATE FUNCTION public.rights_outcome(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN 'gave ' || coalesce(result, 'NULL');
EXCEPTION WHEN insufficient_privilege THEN RETURN SQLERRM;
WHEN OTHERS THEN RETURN 'other error: ' || SQLERRM;
END $$;
SET search_path = public;
SET ROLE rights_stranger;
SELECT function, public.rights_outcome(call) FROM public.rights_calls;

-- a superuser who uses what a stranger made: none of it runs as the superuser
RESET ROLE;
CREATE SCHEMA rights_stranger AUTHORIZATION rights_stranger;
CREATE TABLE public.rights_ran (who text, what text);
GRANT INSERT ON public.rights_ran TO PUBLIC;
SET ROLE rights_stranger;
SET search_path = rights_stranger, public;
SELECT train_vocabulary('v', 'SELECT ''alpha beta gamma''::text', capacity => 16);
SELECT train_word2vec('w', 'SELECT ''alpha beta gamma alpha beta gamma''::text', dims => 2, min_count => 1, epochs => 1, seed => 1);
CREATE TABLE items (id integer PRIMARY KEY, e vector(2), s sparsevec(16));
INSERT INTO items SELECT i, ARRAY[i, 1]::vector, '{1:1}/16' FROM generate_series(1, 10) i;
-- functions and operators that a name in SQL of ours might find
CREATE FUNCTION ran(what text) RETURNS boolean LANGUAGE sql AS
$$ INSERT INTO public.rights_ran VALUES (current_user, what) RETURNING true $$;
CREATE FUNCTION int4eq(integer, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT rights_stranger.ran('int4eq') AND false $$;
CREATE FUNCTION int4ne(integer, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT rights_stranger.ran('int4ne') AND false $$;
CREATE FUNCTION int8pl(bigint, bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint FROM rights_stranger.ran('int8pl') $$;
CREATE FUNCTION texteq(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT rights_stranger.ran('texteq') AND false $$;
CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
CREATE OPERATOR <> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4ne);
CREATE OPERATOR < (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4ne);
CREATE OPERATOR > (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4ne);
CREATE OPERATOR + (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8pl);
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'x' FROM rights_stranger.ran('unnest') $$;
CREATE FUNCTION row_number() RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint FROM rights_stranger.ran('row_number') $$;
CREATE FUNCTION cosine_distance(vector, vector) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT 1.0::float8 $$;
CREATE FUNCTION negative(vector, vector) RETURNS float8 LANGUAGE sql AS $$ SELECT 0.0::float8 FROM rights_stranger.ran('distance') $$;
CREATE OPERATOR <=> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = negative);
CREATE OPERATOR <-> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = negative);
CREATE CAST (integer AS vector) WITH FUNCTION public.array_to_vector(integer[], integer, boolean);
-- an expression of an index, and a trigger beside that of the model
CREATE FUNCTION told(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT $1 $$;
CREATE FUNCTION told_who(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN IF current_user = 'rights_boss' THEN RAISE 'runs as %', current_user; END IF; RETURN $1; END $$;
CREATE INDEX ON v (told_who(documents));
CREATE INDEX items_e ON items USING ktree (e);
CREATE TABLE kept (id integer PRIMARY KEY, body text);
INSERT INTO kept VALUES (1, 'alpha');
SELECT pg_catalog.count(*) FROM public.embed_column('kept', '{body}', 'v', 'words');
RESET ROLE;
-- the stranger's schema first in the path of the superuser
SET ROLE rights_boss;
SET search_path = rights_stranger, pg_catalog, public;
SELECT public.tfidf('rights_stranger.v', 'alpha') IS NOT NULL;
SELECT public.embed('rights_stranger.w', 'alpha') IS NOT NULL;
SELECT public.embed_refresh('rights_stranger.v');
SELECT pg_catalog.count(*) FROM public.embed_search(NULL::rights_stranger.kept, 'alpha');
SELECT pg_catalog.count(*) FROM public.evaluate_search(NULL::rights_stranger.kept, 'SELECT ''alpha''::text, 1, 1');
SELECT pg_catalog.count(*) FROM public.embed_columns(true) c WHERE c.filled OPERATOR(pg_catalog.=) 1;
SELECT pg_catalog.count(*) FROM public.embed_models(count_rows => true) m WHERE m.method OPERATOR(pg_catalog.=) 'word2vec';
SELECT pg_catalog.count(*) FROM public.embed_index_check('rights_stranger.items_e');
SELECT public.embed_index_recall('rights_stranger.items_e', 'SELECT ''[1,1]''::public.vector') > 0.9::float8;
SELECT pg_catalog.count(*) FROM public.nearest_words('rights_stranger.w', 'alpha'::text);
SELECT public.add_documents('rights_stranger.v', 'SELECT ''delta alpha''::text');
SELECT public.train_vocabulary('rights_stranger.v', 'SELECT ''one two''::text', capacity => 16, replace => true);
SELECT public.train_vocabulary('rights_stranger.boss_model', 'SELECT ''one two''::text', capacity => 16);
RESET search_path;
TABLE public.rights_ran;

RESET ROLE;
SET client_min_messages = error;
DROP SCHEMA rights, rights_stranger CASCADE;
DROP TABLE public.rights_calls, public.rights_ran;
DROP FUNCTION public.rights_outcome;
DROP ROLE rights_owner, rights_stranger, rights_boss;
