# Broken if this fails: a page of an index that is zeroed, cut off, scribbled on
# or another page's copy is not an error of a search that needs it, is not found
# by embed_index_check, lets an INSERT or VACUUM run for ever, or crashes the
# server.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $block_size = 8192;
my $rows = 3000;
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'restart_after_crash = off', 'max_wal_size = 2GB');

# What an index of each access method is made of.
my %method = (
	ktree => {
		type => 'vector(5)',
		class => 'vector_l2_ops',
		value => 'ARRAY[random(), random(), random(), random(), i % 3]::vector',
		order => q{v <-> '[1,1,1,1,1]'},
		empty => q{'[0,0,0,0,1e20]'},
	},
	inverted => {
		type => 'sparsevec(900)',
		class => 'sparsevec_ip_ops',
		value => q{(SELECT ('{' || string_agg(d || ':' || random()::float4 + 0.1, ',') || '}/900')::sparsevec
			FROM (SELECT DISTINCT 1 + floor(900 * random() ^ 3 + 0 * i)::int AS d FROM generate_series(1, 12)) x)},
		order => q{v <#> '{1:1,2:0.5,300:1,700:1}/900'},
		empty => q{'{}/900'},
	});

# The table that all others are copies of; then the indexes, one to a damage.
# Half of an index is built, half of it inserted; some rows are gone.
my @tables;
sub make_table
{
	my ($access, $name) = @_;
	my $m = $method{$access};
	$node->safe_psql('postgres', qq{
		CREATE TABLE $name (id serial, v $m->{type});
		INSERT INTO $name SELECT * FROM ${access}_rows WHERE id <= $rows / 2;
		CREATE INDEX ${name}_v ON $name USING $access (v $m->{class});
		INSERT INTO $name SELECT * FROM ${access}_rows WHERE id > $rows / 2 AND id <= $rows;
		DELETE FROM $name WHERE id % 20 = 0;
		VACUUM $name;
		INSERT INTO $name SELECT * FROM ${access}_rows WHERE id > $rows;
	});
	return $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('${name}_v')");
}

foreach my $access (sort keys %method)
{
	my $m = $method{$access};
	$node->safe_psql('postgres', qq{
		SELECT setseed(0.$seed);
		CREATE TABLE ${access}_rows (id int, v $m->{type});
		INSERT INTO ${access}_rows SELECT i, CASE WHEN i % 100 = 5 THEN NULL WHEN i % 100 = 7 THEN $m->{empty} ELSE $m->{value} END
			FROM generate_series(1, $rows + 500) i;
	});
}

# A second index of each kind, whose pages are foreign to the first.
my %foreign = map { $_ => make_table($_, "${_}_foreign") } keys %method;
my %blocks;
foreach my $access (sort keys %method)
{
	$blocks{$access} = $node->safe_psql('postgres', "SELECT pg_relation_size('${access}_foreign_v') / $block_size");
	my @kinds = qw(zeroed truncated garbage heap moved);
	foreach my $kind (@kinds)
	{
		# all kinds of pages: the first ones, and some others
		my %chosen = map { $_ => 1 } 0 .. 3;
		$chosen{ int(rand($blocks{$access})) } = 1 while keys %chosen < (is_long() ? 40 : 11);
		foreach my $block (sort { $a <=> $b } keys %chosen)
		{
			my $name = "${access}_${kind}_$block";
			push @tables, { access => $access, kind => $kind, block => $block, name => $name, path => make_table($access, $name) };
		}
	}
}
my $heap = slurp_file($node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('ktree_rows')}));
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop;

sub page_of { my ($file, $block) = @_; return substr($file, $block * $block_size, $block_size) }
foreach my $table (@tables)
{
	my ($kind, $block) = ($table->{kind}, $table->{block});
	my $file = slurp_file($table->{path});
	my $pages = length($file) / $block_size;
	$block = $table->{block} = $pages - 1 if $block >= $pages;
	my $page = page_of($file, $block);
	if ($kind eq 'truncated')
	{
		substr($file, $block * $block_size) = '';
	}
	else
	{
		my $other = $page;
		$other = "\0" x $block_size if $kind eq 'zeroed';
		$other = pack('L*', map { int(rand(2**32)) } 1 .. $block_size / 4) if $kind eq 'garbage';
		$other = page_of($heap, 1) if $kind eq 'heap';
		# another page, of the same index or of one like it
		$other = page_of(rand() < 0.5 ? $file : slurp_file($foreign{ $table->{access} }), ($block + 1 + int(rand($pages - 1))) % $pages)
			if $kind eq 'moved';
		$table->{same} = $other eq $page;
		substr($file, $block * $block_size, $block_size) = $other;
	}
	open(my $out, '>:raw', $table->{path}) or die "$table->{path}: $!";
	print $out $file;
	close($out);
}

$node->start;
my $unnoticed = 0;
foreach my $table (@tables)
{
	next if $table->{same};
	my ($name, $m) = ($table->{name}, $method{ $table->{access} });
	my $what = "$table->{access}, block $table->{block} $table->{kind}";
	my $limits = q{SET statement_timeout = '20s'; SET enable_seqscan = off; SET enable_sort = off;};
	my ($status, $out, $err);

	($status, $out, $err) = $node->psql('postgres', "$limits SELECT * FROM embed_index_check('${name}_v')");
	is($status, 0, "$what: the check goes through") or diag($err);
	my $found = $out;

	# Of a free page the contents do not matter: nobody need notice.
	my $noticed = 0;
	($status, $out, $err) = $node->psql('postgres', qq{
		$limits
		SELECT count(*) FROM (SELECT id FROM $name ORDER BY $m->{order} LIMIT 100000) x;
		SET enable_indexscan = off; SET enable_seqscan = on; SELECT count(*) FROM $name});
	if ($status == 0)
	{
		my ($by_index, $by_table) = split /\n/, $out;
		is($by_index, $by_table, "$what: a search that succeeds has all rows");
	}
	else
	{
		like($err, qr/ERROR: .*(REINDEX|index|block)/s, "$what: a search gives an error that tells");
		unlike($err, qr/statement timeout/, "$what: a search ends");
		$noticed = 1;
	}
	foreach my $statement (
		"INSERT INTO $name SELECT * FROM $table->{access}_rows WHERE id <= 600", "VACUUM $name",
		"SELECT count(*) FROM embed_index_stats('${name}_v')")
	{
		($status, $out, $err) = $node->psql('postgres', $statement,
			extra_params => [ '-v', 'ON_ERROR_STOP=1' ],
			connstr => $node->connstr('postgres') . q{ options='-c statement_timeout=20s'});
		my $short = substr($statement, 0, 20);
		unlike($err, qr/statement timeout/, "$what: it ends: $short");
		unlike($err, qr/server closed|terminated/, "$what: the server lives after it: $short");
		$noticed = 1 if $status != 0;
	}
	ok($found ne '' || !$noticed, "$what: the check finds what is noticed") or diag($err);
	$unnoticed++ if $found eq '';
}
cmp_ok($unnoticed, '<', @tables / 4, "$unnoticed of " . scalar(@tables) . ' damages were to free pages');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server lives');
$node->stop;
done_testing();
