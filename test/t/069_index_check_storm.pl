# Broken if this fails: embed_index_check reports damage that is not there,
# while other sessions insert, update, delete and vacuum; or it errs, or stops
# them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = is_long() ? 300 : 20;
my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'max_wal_size = 2GB', 'shared_buffers = 64MB', 'jit = off');
my $directory = PostgreSQL::Test::Utils::tempdir();

# Rows of every kind, few enough that addresses, extents and pages are given
# back and taken again all the time.
$node->safe_psql('postgres', qq{SELECT setseed(0.$seed)} . q{;
	CREATE TABLE dense (id bigserial PRIMARY KEY, v vector(5));
	CREATE INDEX dense_v ON dense USING ktree (v vector_cosine_ops);
	CREATE TABLE sparse (id bigserial PRIMARY KEY, v sparsevec(5000));
	CREATE INDEX sparse_v ON sparse USING inverted (v);
	CREATE FUNCTION dense_rows(count int, near float8) RETURNS SETOF vector LANGUAGE sql AS $$
		SELECT CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '[0,0,0,0,0]' WHEN 2 THEN '[1e30,0,0,0,0]'
			ELSE ARRAY[near + random(), random(), random(), random(), i % 3]::vector END FROM generate_series(1, count) i $$;
	CREATE FUNCTION sparse_rows(count int) RETURNS SETOF sparsevec LANGUAGE sql AS $$
		SELECT CASE i % 20 WHEN 0 THEN NULL WHEN 1 THEN '{}/5000' ELSE
			(SELECT ('{' || string_agg(d || ':1', ',') || '}/5000')::sparsevec FROM
				(SELECT DISTINCT 1 + floor(5000 * random() ^ 2)::int AS d FROM generate_series(1, CASE WHEN i % 50 = 2 THEN 2500 ELSE 20 END)) x) END
		FROM generate_series(1, count) i $$;
	INSERT INTO dense (v) SELECT dense_rows(4000, 0);
	INSERT INTO sparse (v) SELECT sparse_rows(3000);
});

my %script = (
	dense_insert => 'INSERT INTO dense (v) SELECT dense_rows(300, (random() * 5)::int)',
	dense_delete => 'DELETE FROM dense WHERE id IN (SELECT id FROM dense ORDER BY id LIMIT 300 FOR UPDATE SKIP LOCKED)',
	dense_update => 'UPDATE dense SET v = v WHERE id IN (SELECT id FROM dense ORDER BY random() LIMIT 100 FOR UPDATE SKIP LOCKED)',
	dense_vacuum => 'VACUUM dense',
	sparse_insert => 'INSERT INTO sparse (v) SELECT sparse_rows(100)',
	sparse_delete => 'DELETE FROM sparse WHERE id IN (SELECT id FROM sparse ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)',
	sparse_vacuum => 'VACUUM sparse');
my %weight = (dense_insert => 6, dense_delete => 6, dense_update => 3, dense_vacuum => 3, sparse_insert => 4, sparse_delete => 4, sparse_vacuum => 1);
my @arguments;
foreach my $name (sort keys %script)
{
	append_to_file("$directory/$name.sql", "$script{$name};\n");
	push @arguments, '-f', "$directory/$name.sql\@$weight{$name}";
}
my ($out, $err) = ('', '');
my $storm = IPC::Run::start([ 'pgbench', '-n', '-c', '5', '-T', $seconds, @arguments, $node->connstr('postgres') ],
	'>', \$out, '2>', \$err);

my ($checks, $found, $failed) = (0, '', '');
my $until = time + $seconds - 1;
while (time < $until)
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', q{
		SELECT * FROM embed_index_check('dense_v');
		SELECT * FROM embed_index_check('sparse_v')});
	$failed .= $stderr if $status != 0;
	$found .= $stdout;
	$checks++;
}
$storm->finish;
is($found, '', 'no false alarm');
is($failed, '', 'no check errs');
unlike($err, qr/ERROR|aborted/, 'no writer errs');
cmp_ok($checks, '>', 10, "there were $checks checks of each index");
note join(', ', $out =~ /(number of transactions actually processed: \d+)/);
note $node->safe_psql('postgres', q{SELECT string_agg(property || ' ' || value, ', ') FROM
	(SELECT * FROM embed_index_stats('dense_v') UNION ALL SELECT * FROM embed_index_stats('sparse_v')) s
	WHERE property IN ('splits', 'merges', 'seals', 'free nodes', 'rows aside')});
is($node->safe_psql('postgres', q{SELECT * FROM embed_index_check('dense_v'); SELECT * FROM embed_index_check('sparse_v')}), '', 'sound in the end');
$node->stop;
done_testing();
