-- ---------------------------------------------------------------------------
-- 10. A model that others have trained
-- ---------------------------------------------------------------------------

-- Published models are folders.  This one came as a package, has a vector for
-- each of 32,000 tokens, and goes from a client to the server as a tar.
\lo_import wordllama.tar
SELECT import_model('wordllama', large_object => :LASTOID);
SELECT lo_unlink(:LASTOID);

-- It reads pieces of words, so that no word is unknown to it.
SELECT string_agg(token, ' ' ORDER BY position) AS tokens, count_tokens('wordllama', 'autovacuuming toasted tables')
FROM model_tokens('wordllama', 'autovacuuming toasted tables');

-- Nothing is trained, and a passage takes some microseconds.
ALTER TABLE passages ADD COLUMN published vector(256);
\timing on
UPDATE passages
SET published = embed('wordllama', concat_ws(' ', title, heading, passage));
\timing off

-- It knows words that the manual does not use.
SELECT question, answer.*
FROM unnest(ARRAY['my harddrive is full', 'read a spreadsheet file',
                  'geography coordinates', 'encrypt the connection',
                  'forgot my password']) AS question,
     LATERAL (SELECT heading, left(passage, 60) AS passage FROM passages
              ORDER BY published <=> embed('wordllama', question)
              LIMIT 1) AS answer;
