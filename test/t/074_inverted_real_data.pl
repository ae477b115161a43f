# Broken if this fails: an inverted index does not return what a sequential scan
# returns on TF-IDF of real reviews, or on vectors like those of SPLADE.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'jit = off', 'shared_buffers = 128MB');

$node->safe_psql('postgres', q{
	-- One statement, so one snapshot: the order by index and the order by sort.
	CREATE FUNCTION agree(place regclass, operator text, query sparsevec, count bigint, filter text DEFAULT 'true')
	RETURNS boolean LANGUAGE plpgsql STABLE SET enable_sort = off AS $$
	DECLARE
		equal boolean;
	BEGIN
		EXECUTE format('SELECT (SELECT array_agg(d) FROM (SELECT v %2$s $1 AS d FROM %1$s WHERE %3$s ORDER BY v %2$s $1 LIMIT $2) AS x)
			IS NOT DISTINCT FROM (SELECT array_agg(d) FROM (SELECT d FROM (SELECT v %2$s $1 AS d FROM %1$s WHERE %3$s OFFSET 0) AS y
				ORDER BY d LIMIT $2) AS z)', place, operator, filter) INTO equal USING query, count;
		RETURN equal;
	END $$});

# Learned sparse vectors: of 30,522 dimensions, a frequent head, weights log(1 + x).
$node->safe_psql('postgres', q{
	SELECT setseed(0.} . $seed . q{);
	CREATE TABLE learned AS SELECT n AS id,
		('{' || string_agg(i || ':' || ln(1 + 8 * random() ^ 3 + 0.01)::float4, ',') || '}/30522')::sparsevec AS v
	FROM (SELECT DISTINCT n, 1 + floor(30522 * random() ^ 3)::int AS i
		  FROM generate_series(1, 6000) AS n, generate_series(1, 120)) AS x GROUP BY n;
	CREATE INDEX ON learned USING inverted (v);
	VACUUM ANALYZE learned});
foreach my $count (1, 10, 100, 'NULL')
{
	my $queries = $count eq 'NULL' ? 4 : 25;
	is($node->safe_psql('postgres', qq{
			SELECT count(*) FILTER (WHERE agree('learned', '<#>', v, $count)) FROM (SELECT v FROM learned ORDER BY id LIMIT $queries) AS q}),
		$queries, "like SPLADE, limit $count");
	is($node->safe_psql('postgres', qq{
			SELECT count(*) FILTER (WHERE agree('learned', '<#>', v, $count, 'id % 7 = 3')) FROM (SELECT v FROM learned ORDER BY id LIMIT $queries) AS q}),
		$queries, "like SPLADE, limit $count, with a filter");
}

SKIP:
{
	my $reviews = real_data('corpora/imdb_train.copy.tsv.xz');
	skip('no IMDB reviews: set EMBED_DATA', 1) if !defined $reviews;

	my $file = $node->basedir . '/reviews.tsv';
	system_or_bail('sh', '-c', "xz -dc '$reviews' | head -n 8000 > '$file'");
	$node->safe_psql('postgres', "CREATE TABLE reviews (split text, label text, id int, rating int, body text)");
	$node->safe_psql('postgres', "\\copy reviews FROM '$file'");
	$node->safe_psql('postgres', q{
		SELECT train_vocabulary('terms', 'SELECT body FROM reviews');
		CREATE TABLE docs (id serial, rating int, v sparsevec);
		INSERT INTO docs (rating, v) SELECT rating, tfidf('terms', body) FROM reviews LIMIT 6000;
		CREATE INDEX ON docs USING inverted (v);
		CREATE INDEX ON docs USING inverted (v sparsevec_cosine_ops);
		INSERT INTO docs (rating, v) SELECT rating, tfidf('terms', body) FROM reviews OFFSET 6000;
		DELETE FROM docs WHERE id % 10 = 3;
		VACUUM ANALYZE docs});
	foreach my $operator ('<#>', '<=>')
	{
		foreach my $words ('great acting', 'boring plot terrible ending', 'the', 'a film about war and friendship')
		{
			is($node->safe_psql('postgres', qq{
					SELECT bool_and(agree('docs', '$operator', tfidf('terms', '$words'), count))
					FROM unnest('{1,10,100,NULL}'::bigint[]) AS count}), 't', "reviews, $operator, $words");
		}
		is($node->safe_psql('postgres', qq{
				SELECT count(*) FILTER (WHERE agree('docs', '$operator', v, 10)) FROM (SELECT v FROM docs ORDER BY id LIMIT 25) AS q}),
			25, "reviews, $operator, whole reviews as queries");
		is($node->safe_psql('postgres', qq{
				SELECT count(*) FILTER (WHERE agree('docs', '$operator', v, 10, 'rating = 9')) FROM (SELECT v FROM docs ORDER BY id LIMIT 10) AS q}),
			10, "reviews, $operator, with a filter");
	}
	like($node->safe_psql('postgres', q{SET enable_sort = off;
		EXPLAIN SELECT v FROM docs ORDER BY v <=> (SELECT v FROM docs WHERE id = 1) LIMIT 10}),
		qr/Index Scan using docs_v_idx1/, 'the index is what is tested');
}

done_testing();
