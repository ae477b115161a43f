-- Would fail if a passage were not a part of its text at the offset given,
-- were longer than the limit, overlapped by another number of tokens than
-- asked, or if a token of the text were in no passage.
SELECT * FROM split_text('Hello there. This is e.g. a test of J. Smith. And more words! Is it?  Yes.

New paragraph here, with "quoted text." Then the end.  ', 10, 3);
SELECT * FROM split_text('これはペンです。あれは本です！「それは何？」犬です。', 26, 0);
-- sentences that end without white space
SELECT passage FROM split_text('यह एक है।वह दो है।', 3);
SELECT passage FROM split_text('هل هذا سؤال؟نعم هو سؤال۔وهذا آخر', 4);
-- no token, or one that is left out: the text is not lost
SELECT passage FROM split_text(' ...!  ');
SELECT length, left(passage, 3), right(passage, 3) FROM split_text('a ' || repeat('x', 3000) || ' b', 1);
SELECT length FROM split_text(repeat('x', 2047));
-- the overlap is a tenth unless it is given
SELECT passage FROM split_text('a b c d e f g', 5);
SELECT * FROM split_text(repeat('a ', 400)) EXCEPT SELECT * FROM split_text(repeat('a ', 400), 200, 20);
SELECT count(*) FROM split_text('a b c', NULL::integer);
SELECT * FROM split_text(E'  one\f two three\u2029 four five six', 2, 0);
SELECT passage FROM split_text('state-of-the-art self-made well-known', 5, 0);
SELECT passage FROM split_text('The state-of-the-art was running at http://a.org/b?c=d all day', 4, 1, 'english');
SELECT count(*) FROM split_text('');
SELECT count(*) FROM split_text(E' \t\u2003\n ');
SELECT count(*) FROM split_text(NULL);
-- named arguments
SELECT "position", start, length, passage FROM split_text(input => 'a b c d e f', max_tokens => 4, overlap => 1, config => 'simple');

-- wrong arguments
SELECT * FROM split_text('a', 0);
SELECT * FROM split_text('a', 1000001);
SELECT * FROM split_text('a', 10, 20);
SELECT * FROM split_text('a', 10, 10);
SELECT * FROM split_text('a', 10, -1);
SELECT * FROM split_text('a', config => 'no_such_config');

-- the properties, on random texts
CREATE FUNCTION text_split_random(pieces text[]) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(pieces[1 + floor(random() * array_length(pieces, 1))::int], ''), '')
   FROM generate_series(1, (random() * 120)::int) $$;

CREATE FUNCTION text_split_faults(input text, max_tokens int, overlap int, config regconfig)
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	p record;
	previous record;
	tokens int;
	shared int;
	total int := 0;
	last_end int := 0;
BEGIN
	FOR p IN SELECT * FROM split_text(input, max_tokens, overlap, config) LOOP
		total := total + 1;
		IF p."position" <> total THEN
			RETURN NEXT 'position';
		END IF;
		IF substring(input FROM p.start FOR p.length) IS DISTINCT FROM p.passage
			OR char_length(p.passage) <> p.length THEN
			RETURN NEXT 'offsets';
		END IF;
		IF p.passage ~ '^\s|\s$' THEN
			RETURN NEXT 'white space at an end';
		END IF;
		SELECT count(*) INTO tokens FROM text_tokens(p.passage, config);
		IF tokens > max_tokens OR (tokens = 0 AND EXISTS (SELECT FROM text_tokens(input, config))) THEN
			RETURN NEXT format('%s tokens', tokens);
		END IF;
		IF previous IS NOT NULL THEN
			-- what lies between the start of this passage and the end of the
			-- one before
			SELECT count(*) INTO shared FROM text_tokens(
				substring(input FROM p.start FOR greatest(previous.start + previous.length - p.start, 0)), config);
			-- characters of a script without spaces are two tokens each
			IF shared > overlap OR shared < overlap - (CASE WHEN input ~ '日' THEN 2 ELSE 0 END) THEN
				RETURN NEXT format('overlap %s', shared);
			END IF;
			IF p.start <= previous.start OR p.start + p.length <= previous.start + previous.length THEN
				RETURN NEXT 'no progress';
			END IF;
		END IF;
		-- nothing but white space is left out
		IF substring(input FROM last_end + 1 FOR greatest(p.start - last_end - 1, 0)) ~ '[^[:space:]\u00a0\u2029]' THEN
			RETURN NEXT 'text left out';
		END IF;
		last_end := p.start + p.length - 1;
		previous := p;
	END LOOP;
	IF substring(input FROM last_end + 1) ~ '[^[:space:]\u00a0\u2029]' THEN
		RETURN NEXT 'text left out at the end';
	END IF;
END $$;

SELECT setseed(0.4242);
SELECT fault, count(*), min(format('%L, %s, %s', input, max_tokens, overlap))
FROM (SELECT text_split_random(ARRAY['word', 'Two words', ' ', ' ', ' ', '. ', '.', '!', E'\n', E'\n\n', 'é', 'Ω', '"', ') ',
		'hindi हिन्दी', '。', '日本', '😀', ', ', '-', 'x', 'X. ', E'\t', E'\u00a0', E'\u2029', '…', '7']) AS input,
	1 + (random() * 20)::int AS max_tokens, random() AS share, i
	FROM generate_series(1, 1500) i) AS texts,
LATERAL (SELECT floor(share * max_tokens)::int) AS o (overlap),
LATERAL text_split_faults(input, max_tokens, overlap, CASE WHEN i % 3 = 0 THEN 'embed_whitespace' ELSE 'embed_words' END::regconfig) AS fault
GROUP BY fault;

-- every character that is no white space is in a passage: random characters
-- of all of Unicode, in runs of one script
CREATE FUNCTION text_split_unicode(length int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text := ''; block int; code int;
BEGIN
	WHILE char_length(result) < length LOOP
		block := CASE WHEN random() < 0.5 THEN floor(random() * 53)::int ELSE floor(random() * 768)::int END * 256;
		FOR i IN 1 .. 1 + floor(random() * 30) LOOP
			code := block + floor(random() * 256)::int;
			IF code > 0 AND code NOT BETWEEN 55296 AND 57343 THEN
				result := result || CASE WHEN random() < 0.2 THEN ' ' ELSE chr(code) END;
			END IF;
		END LOOP;
	END LOOP;
	RETURN result;
END $$;
SELECT count(*) AS texts, sum(char_length(input)) > 100000 AS long, count(*) FILTER (WHERE lost ~ E'[^\\t-\\r\\x1c-\\x20\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]') AS faults
FROM (SELECT text_split_unicode(300) AS input, 1 + floor(random() * 30)::int AS n FROM generate_series(1, 500)) AS t,
LATERAL (SELECT string_agg(substring(input FROM last_end + 1 FOR start - last_end - 1), '') AS lost
	FROM (SELECT start, coalesce(max(start + length - 1) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS last_end
		FROM (SELECT position, start, length FROM split_text(input, n) UNION ALL SELECT 1000000, char_length(input) + 1, 0) p) q
	WHERE start > last_end + 1) AS l;

-- a long text in linear time
SELECT count(*), max(length) < 1500 AS bounded, min(start), max(start + length)
FROM split_text(repeat('The quick brown fox. ', 100000), 200, 20);

DROP FUNCTION text_split_random, text_split_faults, text_split_unicode;
