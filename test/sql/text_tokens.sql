-- Would fail if words were cut or folded otherwise than documented, or if the
-- parsers, dictionaries and configurations did not work with text search.
SELECT * FROM text_tokens('Hello, World! snake_case don''t 3.14 Ünïcode—naïve');
SELECT token FROM text_tokens('ΟΔΟΣ ΣΣ ΑΣΑ İzmir STRASSE ẞ ǅ हिन्दी e' || U&'\0301' || ' 中文。日本 می‌خواهم');
SELECT token FROM text_tokens(E'Pre-tokenised  <s>\tText\u00a0here\u3000Is , split\n', 'embed_whitespace');
SELECT count(*) FROM text_tokens('');
SELECT count(*) FROM text_tokens(' .,;! ');
SELECT * FROM text_tokens(NULL);

-- the same words through text search itself
SELECT to_tsvector('embed_words', 'The Cat and the CAT');
SELECT to_tsvector('embed_whitespace', 'The Cat, and the Cat,');
SELECT alias, token, lexemes FROM ts_debug('embed_words', 'Àb-1 _X ');
SELECT alias, token, lexemes FROM ts_debug('embed_whitespace', 'Àb-1 _X ');
SELECT * FROM ts_token_type('embed_words');
SELECT ts_headline('embed_words', 'When the Cat is away, the mice will play (said the cat).',
	to_tsquery('embed_words', 'cat & MICE'));
SELECT ts_headline('embed_whitespace', 'a b c d e f g', to_tsquery('embed_whitespace', 'c'), 'MaxWords=3, MinWords=1');

-- other configurations: lexemes and positions are those of to_tsvector
SELECT * FROM text_tokens('The quick foxes, running in http://host.org/a?b=c state-of-the-art 3.5e7', 'english');
SELECT * FROM text_tokens('Die Häuser sind schöner', 'german');
SELECT * FROM text_tokens('The quick foxes', 'simple');

-- no limit of 256 positions a word or 16383 positions a text
SELECT count(*), max("position"), count(DISTINCT token)
FROM text_tokens((SELECT string_agg('word' || i % 10, ' ') FROM generate_series(1, 40000) i));
SELECT count(*), max("position"), count(DISTINCT token)
FROM text_tokens((SELECT string_agg('cats' || i % 10, ' ') FROM generate_series(1, 40000) i), 'english');

-- words of 2047 bytes are left out, as to_tsvector does, with one notice
SELECT count(*) FROM text_tokens(repeat('x', 2046) || ' ' || repeat('y', 2047) || ' z ' || repeat('w', 100000));
SELECT count(*) FROM text_tokens(repeat('x', 2046) || ' ' || repeat('y', 2047) || ' z', 'simple');
SELECT count(*) FROM text_tokens('a b', 0);

-- the configuration is followed when it changes
CREATE TEXT SEARCH CONFIGURATION text_changing (COPY = embed_words);
PREPARE text_change AS SELECT array_agg(token) FROM text_tokens('The Cats', 'text_changing');
EXECUTE text_change;
ALTER TEXT SEARCH CONFIGURATION text_changing ALTER MAPPING FOR word WITH english_stem;
EXECUTE text_change;
ALTER TEXT SEARCH CONFIGURATION text_changing ALTER MAPPING FOR word WITH embed_exact;
EXECUTE text_change;
ALTER TEXT SEARCH CONFIGURATION text_changing DROP MAPPING FOR word;
EXECUTE text_change;
DEALLOCATE text_change;
DROP TEXT SEARCH CONFIGURATION text_changing;

-- the dictionary templates take no parameter
CREATE TEXT SEARCH DICTIONARY text_wrong (TEMPLATE = embed_lower, stopwords = english);
