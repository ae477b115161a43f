-- Broken if this fails: a question in a language finds its passage in text of
-- that language.  Step "languages/LANGUAGE" of run.sh sets the language, its
-- text search configuration, and loads the passages of Debian's package.
SET embed.progress = off;
SET client_min_messages = warning;
CREATE EXTENSION embed;
CREATE TABLE passages (id serial PRIMARY KEY, file text, body text);
\copy passages (file, body) FROM 'passages.copy'
SELECT count(*) AS passages FROM passages;
SELECT train_vocabulary('terms', 'SELECT body FROM passages', config => :'config') AS model \gset
SELECT count(*) AS steps FROM embed_column('passages', '{body}', 'terms', 'words');

-- Questions are in words of their own; what is wanted is a passage that
-- answers, told by a part of it, among the first five of all.  The texts of
-- Debian 12, 13 and sid have them all.
CREATE TABLE questions (language text, question text, wanted text);
INSERT INTO questions VALUES
	('zh', '怎么看内存用了多少', '内存使用|内存的使用'),
	('zh', '怎样跟踪程序的系统调用', '跟踪系统调用'),
	('ja', 'systemd の自動マウントポイントを書くファイル', 'automount は systemd'),
	('ja', 'CD を焼く前にアンマウントする', 'wodim'),
	('de', 'Prozesse im Terminal laufen lassen, auch wenn die Verbindung abbricht', 'screen\(1\)'),
	('de', 'Welche Prozesse brauchen viel Speicher?', 'Prozess.*Speicher|Speicher.*Prozess'),
	('th', 'เนื้อหาของแพกเกจเหมือนที่ติดตั้งล่าสุดหรือไม่', 'เหมือนกับที่ติดตั้งครั้งล่าสุด'),
	('th', 'สคริปต์ของผู้ดูแลแพกเกจมีสิทธิ์ที่ไม่ถูกต้อง', 'มีการกำหนดสิทธิ์'),
	('ar', 'جدول الرموز لتحرير الروابط والربط الديناميكي', 'SHT_SYMTAB'),
	('ar', 'ما هي الوحدات التي حملها النظام', '/proc/modules');
CREATE TABLE answers AS
SELECT question, bool_or((hit).body ~ wanted) AS found, left(min((hit).body) FILTER (WHERE (hit).body ~ wanted), 60) AS passage
FROM questions, embed_search(NULL::passages, question, 5)
WHERE language = :'language' GROUP BY question;
TABLE answers;

-- Words of one and two characters, where a script has no spaces, and some of
-- spaced scripts: all that is found has them, up to ten, while there are such.
-- (German and Arabic are stemmed, so there it is enough that ten are found.)
CREATE TABLE short_words (language text, word text);
INSERT INTO short_words VALUES ('zh', '备份'), ('zh', '密码'), ('zh', '图'), ('ja', '圧縮'), ('ja', '鍵'), ('ja', 'カーネル'),
	('th', 'แฟ้ม'), ('th', 'ลบ'), ('de', 'Passwort'), ('de', 'Kernel'), ('ar', 'الملفات'), ('ar', 'النظام');
CREATE TABLE hits AS
SELECT word, (SELECT count(*) FROM embed_search(NULL::passages, word, 10) WHERE :'config' <> 'embed_words' OR position(word IN (hit).body) > 0) AS hits,
	(SELECT least(count(*), 10) FROM passages WHERE position(word IN body) > 0) AS wanted
FROM short_words WHERE language = :'language';
TABLE hits;

DO $$
DECLARE
	missed text;
BEGIN
	SELECT string_agg(question, '; ') INTO missed FROM answers WHERE NOT answers.found;
	IF missed IS NOT NULL OR NOT EXISTS (SELECT FROM answers) THEN RAISE EXCEPTION 'not answered: %', missed; END IF;
	SELECT string_agg(word, '; ') INTO missed FROM hits WHERE hits < wanted OR wanted = 0;
	IF missed IS NOT NULL OR NOT EXISTS (SELECT FROM hits) THEN RAISE EXCEPTION 'not found: %', missed; END IF;
END $$;
