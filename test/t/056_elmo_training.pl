# Broken if this fails: the training of an ELMo cannot be cancelled at once or leaves something behind, what an epoch has trained
# is lost when a later one is stopped, or a model that was dumped, or trained in another encoding, does not go on as it would have.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main', 'max_wal_size = 2GB', 'fsync = off', 'max_parallel_maintenance_workers = 2');
my $texts = q{CREATE TABLE texts AS SELECT i, (SELECT string_agg(chr(97 + (i * j) % 23) || ((i + j * j) % 50), ' ') FROM generate_series(1, 3 + i % 30) j) AS body
	FROM generate_series(1, 2000) i};
my $corpus = q{'SELECT body FROM texts ORDER BY i'};
my $sizes = q{dims => 16, hidden => 32, filters => '{{1,8},{2,8}}', batch => 16, negatives => 100, min_count => 1, seed => 1};
my $settings = q{SET embed.progress = off; SET maintenance_work_mem = '512MB'; };
$node->safe_psql('postgres', $texts);

# ---------- cancelling ----------
# large products: 512 dims, 2048 cells
my @late;
foreach my $workers (1, 3)
{
	foreach my $after (map { 300 + 170 * $_ } 0 .. 3)
	{
		push @late, cancelled_late($node, $settings,
			"SELECT train_elmo('cancelled', $corpus, dims => 512, hidden => 2048, negatives => 100, min_count => 1, seed => 1, workers => $workers, epochs => 1000)",
			$after);
	}
}
my ($least) = sort { $a <=> $b } @late;
note(sprintf 'late by %s ms', join ', ', map { sprintf '%.0f', $_ } @late);
# a tenth of a second where nobody else wants the processor
cmp_ok($least, '<', 1000, 'cancelling is quick');
is($node->safe_psql('postgres', q{SELECT to_regclass('cancelled') IS NULL}), 't', 'nothing is left');
is(temporary_files($node), '', 'no temporary file either');

# ---------- a killed session: the epochs before are there ----------
# two in a row, then one, stopped, and the same call again
$node->safe_psql('postgres', "$settings SELECT train_elmo('whole', $corpus, $sizes, epochs => 3, workers => 1)");
my $call = "CALL train_elmo_epochs('kept', $corpus, $sizes, workers => 1";
$node->safe_psql('postgres', "$settings\n$call, epochs => 2);");
like(error_of($node, "$settings SET statement_timeout = '1s';\n$call, epochs => 1000000);"), qr/canceling statement/, 'stopped');
my $had = $node->safe_psql('postgres', q{SELECT (regexp_match(o, '^epochs=(.*)$'))[1]::int FROM embed_models() m, unnest(m.options) o
	WHERE m.model = 'kept'::regclass AND o LIKE 'epochs=%'});
cmp_ok($had, '>=', 2, "what $had epochs have trained is there");
$node->safe_psql('postgres', qq{DROP TABLE kept});
$node->safe_psql('postgres', "$settings\n$call, epochs => $_);") foreach 1, 3;
my $same = q{SELECT count(*) > 20 AND bool_and(a.data = b.data) FROM whole a FULL JOIN %s b USING (id) WHERE id > 0};
is($node->safe_psql('postgres', sprintf $same, 'kept'), 't', 'one epoch and then two more are three');

# ---------- dump, restore, go on ----------
my $dump = $node->basedir . '/dump.sql';
$node->safe_psql('postgres', "$settings SELECT train_elmo('half', $corpus, $sizes, epochs => 1, workers => 1)");
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-t', 'half', '-f', $dump ], 'dumped');
$node->safe_psql('postgres', 'DROP TABLE half');
$node->command_ok([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1', '-f', $dump ], 'restored');
$node->safe_psql('postgres', "$settings SELECT train_elmo('half', $corpus, $sizes, epochs => 2, workers => 1, from_model => 'half', replace => true)");
is($node->safe_psql('postgres', sprintf $same, 'half'), 't', 'it goes on as if nothing had been');

# ---------- another encoding: the same numbers ----------
my $umlauts = q{'SELECT ''größe fällt über straße '' || i % 7 FROM generate_series(1, 100) i'};
my $train = "$settings SET client_encoding = 'UTF8'; SELECT train_elmo('umlauts', $umlauts, $sizes, workers => 1, epochs => 1);";
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('latin', 'CREATE EXTENSION embed');
my $sum = q{SELECT md5(string_agg(data, ''::bytea ORDER BY id)) FROM umlauts WHERE id > 0 AND name <> 'training.state'};
$node->safe_psql($_, $train) foreach qw(postgres latin);
is($node->safe_psql('latin', $sum), $node->safe_psql('postgres', $sum), 'the same weights in LATIN1');
$node->safe_psql('latin', "$settings SET client_encoding = 'UTF8'; SELECT train_elmo('umlauts', $umlauts, $sizes, workers => 1, epochs => 1, from_model => 'umlauts', replace => true)");
is($node->safe_psql('latin', q{SELECT options @> '{epochs=2}' FROM embed_models() WHERE model = 'umlauts'::regclass}), 't', 'and it goes on');

done_testing();
