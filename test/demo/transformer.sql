-- ---------------------------------------------------------------------------
-- 11. A model that reads sentences
-- ---------------------------------------------------------------------------

-- all-MiniLM-L6-v2, as sentence-transformers publishes it: six layers, whose
-- weights are computed with in eight bits.
\lo_import minilm.tar
SELECT import_model('minilm', large_object => :LASTOID, "precision" => 'int8');
SELECT lo_unlink(:LASTOID);

-- One more column that keeps itself fresh.
SELECT left(statement, 76) AS statement
FROM embed_column('passages', '{title,heading,passage}', 'minilm', 'sense',
                  fill => false);

-- Some minutes of one core for the whole manual, in batches that commit; it
-- may be stopped and called again, or called by several sessions.
SET embed.progress = notice;
\timing on
CALL embed_fill('passages', 'sense');
\timing off

-- What a question means, whatever its words are.
SELECT question, answer.*
FROM unnest(ARRAY['undo a mistake', 'two people change the same row',
                  'my disk is full', 'keep secrets from other users',
                  'why does it not use my index?']) AS question,
     LATERAL (SELECT heading, left(passage, 60) AS passage FROM passages
              ORDER BY sense <=> embed('minilm', question)
              LIMIT 1) AS answer;

-- Words and meaning, both indexes asked and their rankings fused.
SELECT (hit).heading, left((hit).passage, 60) AS passage, ranks
FROM embed_search(NULL::passages, 'why does it not use my index?', 5,
                  columns => '{words,sense}');
