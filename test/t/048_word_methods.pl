# Broken if this fails: an aligned model or one of doc2vec is not the same
# after dump and restore, or a training of one, or a comparison of methods,
# cannot be stopped at once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = embed_node('main', 'autovacuum = off');
$node->safe_psql('postgres', q{
	SET embed.progress = off;
	CREATE TABLE texts AS SELECT string_agg('w' || get_byte(decode(md5(d || ',' || p), 'hex'), 0) % 40, ' ') AS body
		FROM generate_series(1, 200) d, generate_series(1, 30) p GROUP BY d;
	SELECT train_doc2vec('bag', 'SELECT body FROM texts', dims => 10, workers => 1, seed => 1);
	SELECT train_doc2vec('memory', 'SELECT body FROM texts', dims => 10, method => 'dm', workers => 1, seed => 1);
	SELECT train_word2vec('words', 'SELECT body FROM texts', dims => 10, min_n => 2, max_n => 3, buckets => 1000, workers => 1, seed => 1);
	SELECT align_models('aligned', 'words', 'memory');
	SELECT align_models('aligned_memory', 'memory', 'words');
});
my $question = q{SELECT md5(string_agg(concat(embed('bag', body), embed('memory', body), embed('aligned', body || ' w999'),
	embed('aligned_memory', body), (SELECT string_agg(word, ' ') FROM nearest_words('aligned', 'w1', 5, 'csls'))), ' ' ORDER BY body))
	FROM (SELECT * FROM texts ORDER BY body LIMIT 50) t};
my $answer = $node->safe_psql('postgres', $question);

# vectors of a turned model are those of the model, turned
is($node->safe_psql('postgres', q{SELECT abs(max(cosine_similarity(a.vector, b.vector) - cosine_similarity(x.vector, y.vector))) < 1e-5
	FROM memory a, memory b, aligned_memory x, aligned_memory y
	WHERE a.id > 0 AND b.id > 0 AND x.id = a.id AND y.id = b.id}), 't', 'output rows are turned with the words');

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
is($node->safe_psql('restored', $question), $answer, 'the same vectors after dump and restore');

# rows in another order
foreach my $table (qw(bag memory aligned aligned_memory texts))
{
	$node->safe_psql('restored', "UPDATE $table SET " . ($table eq 'texts' ? 'body = body' : 'vector = vector WHERE id % 3 = 0'));
}
is($node->safe_psql('restored', $question), $answer, 'and after rows have moved');

# stopped
sub stopped
{
	my ($what, $sql, $activity) = @_;
	my $output = '';
	my $before = $node->safe_psql('postgres', 'SELECT string_agg(relname || relfilenode, chr(32) ORDER BY oid) FROM pg_class');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$output, '2>&1',
		IPC::Run::timeout(180));

	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '$activity' AND pid <> pg_backend_pid()"),
		"$what runs");
	my $started = time();
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '$activity' AND pid <> pg_backend_pid()");
	$session->finish;
	note(sprintf('%s was cancelled in %.0f ms, psql and all', $what, 1000 * (time() - $started)));
	like($output, qr/canceling statement due to user request/, "$what is stopped");
	is($node->safe_psql('postgres', 'SELECT string_agg(relname || relfilenode, chr(32) ORDER BY oid) FROM pg_class'), $before,
		'and leaves nothing');
}
stopped('training', q{SELECT train_doc2vec('long', 'SELECT body FROM texts', epochs => 1000000, dims => 500)}, 'training model "long": training');
$node->safe_psql('postgres', q{CREATE TABLE many (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(1500));
	INSERT INTO many VALUES (0);
	INSERT INTO many SELECT n, 'v' || n, 1, 1, array_agg(sin(n * d))::real[]::vector
		FROM generate_series(1, 1600) n, generate_series(1, 1500) d GROUP BY n;
	SELECT register_model('many', 'word2vec', 'embed_words', 'dims=1500')});
stopped('aligning', q{SELECT align_models('turned', 'many', 'many')}, 'aligning model "turned"');
stopped('comparing', q{SELECT * FROM compare_models('SELECT body, length(body) % 2 FROM texts', '{"doc2vec(epochs => 1000000)",tfidf}')},
	'training model "public.compared_1_doc2vec": training');
is($node->safe_psql('postgres', $question), $answer, 'all else is as it was');

done_testing();
