# Broken if this fails: a scan on a standby errs, repeats or loses rows while
# the primary splits and merges leaves and reuses their pages, redo of a ktree
# differs from what the primary did, or the index is wrong after promotion.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = is_long() ? 120 : 10;
my $primary = embed_node('primary', 'autovacuum = off', 'fsync = off',
	'wal_consistency_checking = generic', 'max_wal_size = 1GB', 'wal_keep_size = 16GB');
$primary->safe_psql('postgres', q{
	CREATE TABLE t (id bigserial, kept bool DEFAULT false, v vector(5));
	CREATE INDEX t_v ON t USING ktree (v vector_l2_ops);
	CREATE FUNCTION some_vectors(count int) RETURNS SETOF vector LANGUAGE sql AS
	$$ SELECT ARRAY[random(), random(), random(), random(), i % 3]::vector FROM generate_series(1, count) i $$;
	INSERT INTO t (kept, v) SELECT true, some_vectors(5000);
});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\n");
$standby->start;

my $until = time + $seconds;
my $err;
my $directory = PostgreSQL::Test::Utils::tempdir();
my $writer = 'INSERT INTO t (v) SELECT v + \'[9,0,0,0,0]\' FROM some_vectors(1500) v; DELETE FROM t WHERE NOT kept AND id % 20 <> 0; VACUUM t;';
my @handles;
foreach my $script ($writer, 'INSERT INTO t (v) SELECT some_vectors(100);')
{
	my $file = "$directory/writer" . scalar(@handles) . '.sql';
	append_to_file($file, "SET client_min_messages = error;\n" . ("$script\n" x 5000));
	push @handles, IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $primary->connstr('postgres'), '-f', $file ],
		'>', "$directory/out", '2>', "$directory/errors" . scalar(@handles));
}

my ($scans, $wrong, $failed) = (0, '', '');
while (time < $until)
{
	my ($status, $stdout, $stderr) = $standby->psql('postgres', q{
		SET enable_seqscan = off; SET enable_sort = off;
		SELECT count(*) - count(DISTINCT id), count(*) FILTER (WHERE kept)
		FROM (SELECT id, kept FROM t ORDER BY v <-> '[0.5,0.5,0.5,0.5,1]' OFFSET 0) s});
	$failed = $stderr if $status != 0;
	$wrong = $stdout if $status == 0 && $stdout ne '0|5000';
	$scans++;
}
$_->kill_kill foreach @handles;
$err = slurp_file("$directory/errors0") . slurp_file("$directory/errors1");
is($failed, '', 'no scan on the standby fails');
is($wrong, '', 'every scan on the standby returns the kept rows, each once');
cmp_ok($scans, '>', 5, "there were $scans scans");
is($err, '', 'the writers met no error');

my ($splits, $merges, $reused) = split /\|/, $primary->safe_psql('postgres', q{
	SELECT sum(value) FILTER (WHERE property = 'splits'), sum(value) FILTER (WHERE property = 'merges'),
		sum(value) FILTER (WHERE property = 'extents') FROM embed_index_stats('t_v')});
note "$splits splits, $merges merges, $reused extents";
cmp_ok(2 * $splits + $merges, '>', $reused + 50, 'extents were reused under the scans');

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('t_v')}), '0', 'structure on the standby');
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', 'INSERT INTO t (v) SELECT some_vectors(3000); DELETE FROM t WHERE NOT kept; VACUUM t');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('t_v')}), '0', 'structure after promotion');
is($standby->safe_psql('postgres', q{
	SET enable_seqscan = off; SET enable_sort = off;
	SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <-> '[0.5,0.5,0.5,0.5,1]' OFFSET 0) s}),
	'5000|5000', 'every row after promotion');
$standby->stop;
done_testing();
