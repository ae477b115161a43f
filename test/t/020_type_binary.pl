# Broken if this fails: bytes from a client that are no vector get into a table,
# crash the server, or a value changes on its way out and in again.
#
# COPY ... (FORMAT binary) of a bytea column writes the bytes as they are, so
# reading that file into a column of another type gives its receive function
# whatever bytes we choose.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');
my $file = PostgreSQL::Test::Utils::tempdir() . '/bytes';
my $rounds = is_long() ? 20_000 : 400;
my $seed = random_seed();

$node->safe_psql('postgres', qq{
	CREATE TABLE vectors (v vector);
	CREATE TABLE halfvecs (v halfvec);
	CREATE TABLE sparsevecs (v sparsevec);
	CREATE FUNCTION receive(type text, bytes bytea) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		value text;
	BEGIN
		EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', bytes, '$file');
		EXECUTE format('TRUNCATE %ss', type);
		EXECUTE format('COPY %ss FROM %L (FORMAT binary)', type, '$file');
		EXECUTE format('SELECT CASE WHEN %s_send(v) = %L::bytea THEN v::text ELSE ''changed'' END FROM %ss', type, bytes, type) INTO value;
		RETURN value;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END \$\$;});

# type, bytes, what comes of them
my @cases = (
	[ 'vector', '0002 0000 3f800000 c0000000', '[1,-2]' ],
	[ 'vector', '0000 0000', '22000 vector must have at least 1 dimension' ],
	[ 'vector', 'ffff 0000', '22000 vector must have at least 1 dimension' ],
	[ 'vector', '3e81 0000', '54000 vector cannot have more than 16000 dimensions' ],
	[ 'vector', '0001 0001 3f800000', '22000 expected unused to be 0, not 1' ],
	[ 'vector', '0001 0000 7fc00000', '22000 NaN not allowed in vector' ],
	[ 'vector', '0001 0000 ff800000', '22000 infinite value not allowed in vector' ],
	[ 'vector', '0002 0000 3f800000', '08P01 insufficient data left in message' ],
	[ 'vector', '0001 0000 3f80', '08P01 insufficient data left in message' ],
	[ 'vector', '00', '08P01 insufficient data left in message' ],
	[ 'vector', '', '08P01 insufficient data left in message' ],
	[ 'vector', '0001 0000 3f800000 00', '22P03 incorrect binary data format' ],
	[ 'halfvec', '0002 0000 3c00 c000', '[1,-2]' ],
	[ 'halfvec', '0001 0000 7e00', '22000 NaN not allowed in halfvec' ],
	[ 'halfvec', '0001 0000 fc00', '22000 infinite value not allowed in halfvec' ],
	[ 'halfvec', '3e81 0000', '54000 halfvec cannot have more than 16000 dimensions' ],
	[ 'halfvec', '0001 ffff 3c00', '22000 expected unused to be 0, not -1' ],
	[ 'halfvec', '0002 0000 3c00', '08P01 insufficient data left in message' ],
	[ 'sparsevec', '00000007 00000002 00000000 00000001 00000004 3f800000 c0000000', '{2:1,5:-2}/7' ],
	[ 'sparsevec', '00000007 00000000 00000000', '{}/7' ],
	[ 'sparsevec', '00000000 00000000 00000000', '22000 sparsevec must have at least 1 dimension' ],
	[ 'sparsevec', '3b9aca01 00000000 00000000', '54000 sparsevec cannot have more than 1000000000 dimensions' ],
	[ 'sparsevec', '00000007 ffffffff 00000000', '22000 sparsevec cannot have negative number of elements' ],
	[ 'sparsevec', '000f4240 00003e81 00000000', '54000 sparsevec cannot have more than 16000 non-zero elements' ],
	[ 'sparsevec', '00000001 00000002 00000000', '22000 sparsevec cannot have more elements than dimensions' ],
	[ 'sparsevec', '00000001 00000000 00000001', '22000 expected unused to be 0, not 1' ],
	[ 'sparsevec', '00000003 00000002 00000000 00000001 00000000 3f800000 3f800000', '22000 sparsevec indices must be in ascending order' ],
	[ 'sparsevec', '00000003 00000002 00000000 00000001 00000001 3f800000 3f800000', '22000 sparsevec indices must not contain duplicates' ],
	[ 'sparsevec', '00000003 00000001 00000000 00000003 3f800000', '22000 sparsevec index out of bounds' ],
	[ 'sparsevec', '00000003 00000001 00000000 ffffffff 3f800000', '22000 sparsevec index out of bounds' ],
	[ 'sparsevec', '00000003 00000001 00000000 00000000 00000000', '22000 binary representation of sparsevec cannot contain zero values' ],
	[ 'sparsevec', '00000003 00000001 00000000 00000000 80000000', '22000 binary representation of sparsevec cannot contain zero values' ],
	[ 'sparsevec', '00000003 00000001 00000000 00000000 7f800000', '22000 infinite value not allowed in sparsevec' ],
	[ 'sparsevec', '000f4240 00003e80 00000000 00000001', '08P01 insufficient data left in message' ]);

foreach my $case (@cases)
{
	my ($type, $bytes, $expected) = @$case;

	(my $hex = $bytes) =~ s/ //g;
	is($node->safe_psql('postgres', "SELECT receive('$type', '\\x$hex')"), $expected, "$type from " . ($bytes || 'nothing'));
}

# Type modifiers are checked here as well.
like(
	error_of($node, qq{
		COPY (SELECT '\\x000100003f800000'::bytea) TO '$file' (FORMAT binary);
		CREATE TEMP TABLE two (v vector(2));
		COPY two FROM '$file' (FORMAT binary);}),
	qr/expected 2 dimensions, not 1/, 'a type modifier is checked on receive');

# Random values come back as they went, by text and by binary.
is( $node->safe_psql('postgres', qq{
		SELECT setseed($seed / 2147483648.0);
		CREATE TABLE originals AS
		SELECT v, v::halfvec AS h, v::sparsevec AS s
		FROM (SELECT ARRAY(SELECT CASE WHEN random() < 0.3 THEN 0 ELSE (random() - 0.5) * 10 ^ (i % 9 - 4) END
						   FROM generate_series(1, 1 + i * 7 % 300))::vector AS v
			  FROM generate_series(1, 2000) i) AS t;
		INSERT INTO originals (v) VALUES ('[1e-45,-1e-45,3.4028235e38,1.1754944e-38]');
		CREATE TABLE copies (LIKE originals);
		COPY originals TO '$file' (FORMAT binary);
		COPY copies FROM '$file' (FORMAT binary);
		SELECT count(*) FROM (SELECT v::text, h::text, s::text FROM originals EXCEPT ALL SELECT v::text, h::text, s::text FROM copies) AS t
		UNION ALL SELECT count(*) FROM originals WHERE v <> v::text::vector OR h <> h::text::halfvec OR s <> s::text::sparsevec}),
	"\n0\n0", 'random values survive text and binary');

# Valid bytes with some changed, cut or added: either an error of an expected
# class or a value that is sent back as the same bytes.
my $strange = $node->safe_psql('postgres', qq{
	SELECT setseed($seed / 2147483648.0);
	CREATE FUNCTION mutated(bytes bytea) RETURNS bytea LANGUAGE plpgsql AS \$\$
	DECLARE
		position integer;
	BEGIN
		FOR i IN 1 .. 1 + (random() * 3)::integer LOOP
			position := floor(random() * length(bytes));
			CASE floor(random() * 4)
				WHEN 0 THEN bytes := substr(bytes, 1, position);
				WHEN 1 THEN bytes := bytes || decode(md5(random()::text), 'hex');
				ELSE
					IF length(bytes) > 0 THEN
						bytes := set_byte(bytes, position, (ARRAY[0, 1, 127, 128, 255, floor(random() * 256)::integer])[1 + floor(random() * 6)]);
					END IF;
			END CASE;
		END LOOP;
		RETURN bytes;
	END \$\$;
	SELECT type, outcome, encode(bytes, 'hex')
	FROM (SELECT type, bytes, receive(type, bytes) AS outcome
		  FROM (SELECT type, mutated(bytes) AS bytes
				FROM (VALUES ('vector', vector_send('[1,-2,3.5]')), ('halfvec', halfvec_send('[1,-2,3.5,0.25]')),
					('sparsevec', sparsevec_send('{1:1,3:-2,900:3}/1000'))) AS t (type, bytes),
				generate_series(1, $rounds)) AS t) AS t
	WHERE outcome = 'changed' OR outcome ~ '^[0-9A-Z]{5} ' AND outcome !~ '^(22000|22P03|08P01|54000) '});
is($strange, '', "changed bytes are refused or kept as they are ($rounds rounds for each type)");

$node->stop;
done_testing();
