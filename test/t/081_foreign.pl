# Broken if this fails: what the reference says of foreign tables: which parts
# of a search another server answers with its index, and which it does not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use Test::More;

my $node = embed_node('main');

plan skip_all => 'the server has no postgres_fdw'
	if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'}) eq '0';

$node->safe_psql('postgres', q{
	CREATE TABLE docs (id integer PRIMARY KEY, body text, v vector(3), w sparsevec(4096));
	SELECT train_vocabulary('terms', 'SELECT ''tea coffee cup''', capacity => 4096);
	INSERT INTO docs SELECT i, CASE i % 2 WHEN 0 THEN 'tea' ELSE 'cup' END, ARRAY[i, i % 7, i % 3]::vector FROM generate_series(1, 2000) i;
	UPDATE docs SET w = tfidf('terms', body);
	CREATE INDEX docs_v ON docs USING ktree (v vector_l2_ops);
	VACUUM ANALYZE docs;
});
$node->safe_psql('postgres', 'CREATE DATABASE near');
$node->safe_psql('near', sprintf(q{
	CREATE EXTENSION embed;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'postgres', extensions 'embed');
	CREATE USER MAPPING FOR CURRENT_USER SERVER far;
	CREATE FOREIGN TABLE docs (id integer, body text, v vector(3), w sparsevec(4096)) SERVER far;
	SELECT train_vocabulary('terms', 'SELECT ''tea coffee cup''', capacity => 4096);
}, $node->host, $node->port));

# What the other server is asked.
sub remote
{
	my ($sql) = @_;
	my ($statement) = $node->safe_psql('near', "EXPLAIN (VERBOSE, COSTS OFF) $sql") =~ /Remote SQL: (.*)/;
	return $statement;
}

my $nearest = q{SELECT id FROM docs ORDER BY v <-> '[500,3,2]' LIMIT 3};
like(remote($nearest), qr/ORDER BY \(v OPERATOR\(public\.<->\) .* LIMIT 3/, 'order and limit go to the other server');
is($node->safe_psql('near', $nearest), $node->safe_psql('postgres', $nearest), 'and the answer is the same');
is($node->safe_psql('near', q{SELECT count(*) FROM docs WHERE v <-> '[500,3,2]' < 3}),
	$node->safe_psql('postgres', q{SELECT count(*) FROM docs WHERE v <-> '[500,3,2]' < 3}), 'a distance as a condition');
like(remote(q{SELECT avg(v) FROM docs}), qr/public\.avg\(v\)/, 'an aggregate goes there');

# Functions of models are STABLE: they know the models of this database.
unlike(remote(q{SELECT id FROM docs ORDER BY w <=> tfidf('terms', 'tea') LIMIT 3}), qr/ORDER BY/,
	'an encoder in the ORDER BY fetches all rows');
my $once = q{SELECT id FROM docs ORDER BY w <=> (SELECT tfidf('terms', 'tea')), id LIMIT 3};
like(remote($once), qr/ORDER BY \(w OPERATOR\(public\.<=>\) \$1/, 'encoded here once, the order goes there');
is($node->safe_psql('near', $once), "2\n4\n6", 'with the right answer');
like($node->safe_psql('near', q{
	SET plan_cache_mode = force_generic_plan;
	PREPARE near (vector) AS SELECT id FROM docs ORDER BY v <-> $1 LIMIT 3;
	EXPLAIN (VERBOSE, COSTS OFF) EXECUTE near ('[1,2,3]')}), qr/LIMIT 3/, 'a parameter of an application too');

# Without the server's option nothing of ours is known to be there.
$node->safe_psql('near', 'ALTER SERVER far OPTIONS (DROP extensions)');
unlike(remote($nearest), qr/ORDER BY/, 'without the option extensions all rows come');
is($node->safe_psql('near', $nearest), $node->safe_psql('postgres', $nearest), 'with the same answer');

$node->stop;
done_testing();
