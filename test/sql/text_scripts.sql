-- Broken if it differs: in a script without spaces a question of one, two or
-- three characters does not find its passage, or the wrong one; a headline
-- repeats characters; emoji are lost or taken apart.
SET embed.progress = off;
\pset format unaligned
SELECT string_agg(token, '|') FROM text_tokens('日本語 iPhone手機2024年 ソフトウェア 한국어');
SELECT string_agg(token, '|') FROM text_tokens('ที่นี่ ๑๒๓ ພາສາ ខ្មែរ မြန်');
SELECT string_agg(token, '|') FROM text_tokens('a😀b 👨‍👩‍👧👍🏽 🇩🇪🇫🇷 ©™ ❤️ ❤ 1️⃣');
-- of Unicode 15, 16 and 17
SELECT string_agg(token, '|') FROM text_tokens(U&'x\+01FAE8\+01FAE9y \+01FAEA \+01F6DC\200D\+01FABF');
SELECT "position", token, start, length FROM text_tokens('a日本', 'embed_words');
CREATE TABLE text_scripts (id integer PRIMARY KEY, body text);
INSERT INTO text_scripts VALUES
	(1, '東京都庁は新宿区にある。'), (2, '京都は古い都である。'), (3, '数据库管理系统用于存储数据。'), (4, '我的iPhone手機壞了'),
	(5, 'ソフトウェアの開発'), (6, 'ประเทศไทยมีกรุงเทพมหานครเป็นเมืองหลวง'), (7, 'ພາສາລາວ'), (8, 'ភាសាខ្មែរ'), (9, 'မြန်မာဘာသာ'),
	(10, '서울은 한국의 수도이다'), (11, 'so happy 👍🏽 today'), (12, 'so sad 👍 today');
SELECT train_vocabulary('text_scripts_words', 'SELECT body FROM text_scripts');
SELECT count(*) FROM embed_column('text_scripts', '{body}', 'text_scripts_words', 'words');
SELECT question, string_agg((hit).id::text, ' ' ORDER BY score DESC) AS passages
FROM (VALUES (1, '庁'), (2, '東京'), (3, '京都'), (4, '新宿区'), (5, '数据库'), (6, '机'), (7, '手機'), (8, 'IPHONE'), (9, '開発'), (10, 'ソフト'),
	(11, 'กรุง'), (12, 'ไทย'), (13, 'ລາວ'), (14, 'ខ្មែរ'), (15, 'မာ'), (16, '한국의'), (17, '👍🏽'), (18, '都')) AS q (n, question)
LEFT JOIN LATERAL embed_search(NULL::text_scripts, question, 3) ON true GROUP BY n, question ORDER BY n;
-- one and two characters are terms of their own
SELECT one_hot('text_scripts_words', '東京') IS NOT NULL AS pair, one_hot('text_scripts_words', '東') IS NOT NULL AS one, one_hot('text_scripts_words', '東古') IS NULL AS unknown;
-- text search of the server with the same configuration
SELECT id, ts_headline('embed_words', body, q) FROM text_scripts, plainto_tsquery('embed_words', '京都') AS q WHERE to_tsvector('embed_words', body) @@ q ORDER BY id;
SELECT to_tsvector('embed_words', '東京都') = to_tsvector('embed_words', '東京都'), phraseto_tsquery('embed_words', '東京');
-- a configuration that maps words only has no pairs
CREATE TEXT SEARCH CONFIGURATION text_scripts_single (PARSER = embed_words);
ALTER TEXT SEARCH CONFIGURATION text_scripts_single ADD MAPPING FOR word WITH embed_lower;
SELECT string_agg(token, '|') FROM text_tokens('日本語 ABC', 'text_scripts_single');
-- nor has embed_whitespace
SELECT string_agg(token, '|') FROM text_tokens('日本語 ABC 👍🏽', 'embed_whitespace');
DROP TABLE text_scripts, text_scripts_words;
DROP TEXT SEARCH CONFIGURATION text_scripts_single;
