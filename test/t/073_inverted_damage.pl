# Broken if this fails: embed_index_check overlooks damage to an inverted index,
# or damaged pages bring down the server.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

random_seed();
my $node = embed_node('main', 'autovacuum = off', 'jit = off');

# Few rows: what an insert costs is printed, and bounded.
$node->safe_psql('postgres', q{
	CREATE FUNCTION random_vector(nonzeros int) RETURNS sparsevec LANGUAGE sql VOLATILE AS $$
		SELECT ('{' || string_agg(i || ':' || (random() - 0.2)::float4, ',') || '}/5000')::sparsevec
		FROM (SELECT DISTINCT 1 + floor(5000 * random() ^ 3)::int AS i FROM generate_series(1, nonzeros)) AS x
	$$;
	CREATE TABLE source AS SELECT random_vector(140) AS v FROM generate_series(1, 4000);
	CREATE TABLE plain (v sparsevec(5000));
	CREATE TABLE indexed (v sparsevec(5000));
	CREATE INDEX indexed_v ON indexed USING inverted (v)});
my %cost;
foreach my $table ('plain', 'indexed')
{
	my $plan = $node->safe_psql('postgres',
		"EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING off) INSERT INTO $table SELECT v FROM source");
	my ($hit, $read) = $plan =~ /Buffers: shared hit=(\d+)(?: read=(\d+))?/;
	my ($records) = $plan =~ /WAL: records=(\d+)/;
	$cost{$table} = [ $hit + ($read // 0), $records ];
}
my $buffers = ($cost{indexed}[0] - $cost{plain}[0]) / 4000;
my $records = ($cost{indexed}[1] - $cost{plain}[1]) / 4000;
note("an insert into the index: $buffers buffer accesses, $records WAL records, seals and merges included");
cmp_ok($buffers, '<=', 15, 'buffer accesses of an insert are bounded');
cmp_ok($records, '<=', 3, 'WAL records of an insert are bounded');

# One index for each page to damage; all are alike.
$node->safe_psql('postgres', q{
	CREATE TABLE docs (id serial, v sparsevec(5000));
	INSERT INTO docs (v) SELECT random_vector(30) FROM generate_series(1, 1500)});
my $count = 1;
my (%file, @names);
for (my $i = 0; $i < $count; $i++)
{
	$node->safe_psql('postgres', "CREATE INDEX docs_$i ON docs USING inverted (v)");
	$count = 2 * $node->safe_psql('postgres', "SELECT pg_relation_size('docs_0') / 8192") if $i == 0;
	push @names, "docs_$i";
}
# some rows in the tails
$node->safe_psql('postgres', 'INSERT INTO docs (v) SELECT random_vector(30) FROM generate_series(1, 30)');
$file{$_} = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") foreach @names;
is($node->safe_psql('postgres', "SELECT * FROM embed_index_check('$_')"), '', "$_ is sound") foreach @names[0 .. 1];
$node->stop;

# The first half loses the owner of one page, the second half gets garbage in
# the contents of one page.
foreach my $i (0 .. $#names)
{
	my $block = int($i % ($count / 2));
	my $lost = $i < $count / 2;
	my $bytes = $lost ? "\xEE" x 8 : join('', map { chr(int(rand(256))) } 1 .. 400);

	open(my $handle, '+<:raw', $file{ $names[$i] }) or die "$file{$names[$i]}: $!";
	seek($handle, $block * 8192 + ($lost ? 8192 - 32 : 24 + ($block == 0 ? 16 : 0)), 0);
	print $handle $bytes;
	close($handle);
}
$node->start;

my $found = 0;
foreach my $i (0 .. $#names)
{
	my $block = int($i % ($count / 2));
	my ($status, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM embed_index_check('$names[$i]')");

	# the metapage has no owner to lose
	ok($status != 0 || $out > 0, "a page without its owner is found: block $block") if $i < $count / 2 && $block > 0;
	$found++ if $i >= $count / 2 && ($status != 0 || $out > 0);
	unlike($err, qr/server closed|terminat/, "the checker survives: $names[$i]");
}
note("garbage was noticed in $found of " . $count / 2 . ' pages');
cmp_ok($found, '>=', 0.6 * $count / 2, 'garbage in most pages is noticed');

# Searching garbage gives an error or wrong rows, and no crash.
foreach my $i (0 .. $#names)
{
	my ($status, $out, $err) = $node->psql('postgres', qq{
		BEGIN;
		DO \$\$ DECLARE n text; BEGIN
			FOR n IN SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'docs'::regclass LOOP
				IF n <> '$names[$i]' THEN EXECUTE 'DROP INDEX ' || n; END IF;
			END LOOP; END \$\$;
		SET enable_seqscan = off;
		SELECT count(*) FROM (SELECT id FROM docs ORDER BY v <#> (SELECT v FROM docs WHERE id = 7) LIMIT 2000) AS x;
		ROLLBACK});
	unlike($err, qr/server closed|terminat/, "a search survives: $names[$i]");
}
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no process died');

done_testing();
