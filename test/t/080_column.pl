# Broken if this fails: a kept column is computed again by a restore or on a
# logical subscriber, an owner who is no superuser cannot keep one, several
# sessions that fill one compute a row twice or leave one out, a cancelled
# call loses what it had done, or COPY costs more than UPDATE.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('publisher', 'wal_level = logical');
$node->safe_psql('postgres', q{
	SET embed.progress = off;
	CREATE TABLE texts (id int PRIMARY KEY, body text);
	INSERT INTO texts SELECT i, 'word' || i % 97 || ' word' || i % 89 || ' and word' || i % 7 FROM generate_series(1, 3000) i;
	SELECT train_vocabulary('terms', 'SELECT body FROM texts');
	SELECT count(*) FROM embed_column('texts', '{body}', 'terms', 'weights', 'tfidf');
});
my $contents = q{SELECT count(*), count(weights), md5(string_agg(id || ':' || weights::text, ';' ORDER BY id)) FROM texts};
my $before = $node->safe_psql('postgres', $contents);
like($before, qr/^3000\|3000\|/, 'all rows are filled');

# --- dump and restore: vectors come as they are.  A row is given a vector
# that the model would never make, which a computation would replace.
my $dims = $node->safe_psql('postgres', q{SELECT dims FROM embed_models() WHERE model = 'terms'::regclass});
$node->safe_psql('postgres', qq{UPDATE texts SET weights = '{1:42}/$dims' WHERE id = 17});
$before = $node->safe_psql('postgres', $contents);
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
command_ok(['pg_dump', '-f', $dump, '-d', $node->connstr('postgres')], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored')], 'restore');
is($node->safe_psql('restored', $contents), $before, 'the restored vectors are those dumped');
is($node->safe_psql('restored', q{SELECT "column", model, index IS NOT NULL FROM embed_columns()}), 'weights|terms|t',
	'and the restored column is kept');
$node->safe_psql('restored', q{INSERT INTO texts VALUES (5000, 'word1')});
is($node->safe_psql('restored', q{SELECT weights = tfidf('terms', 'word1') FROM texts WHERE id = 5000}), 't', 'as new rows show');
is($node->safe_psql('restored', q{SELECT count(*) FROM embed_columns(true) WHERE missing > 0}), '0', 'nothing is missing');

# --- a logical subscriber: vectors arrive
my $subscriber = embed_node('subscriber');
$node->safe_psql('postgres', 'CREATE TABLE marks (id int PRIMARY KEY)');
command_ok(['sh', '-c', join(' ', 'pg_dump', '-s', '-d', "'" . $node->connstr('postgres') . "'", '|', 'psql -X -q -v ON_ERROR_STOP=1', '-d',
	"'" . $subscriber->connstr('postgres') . "'")], 'the schema of the subscriber');
$node->safe_psql('postgres', 'CREATE PUBLICATION all_tables FOR ALL TABLES');
my $source = "'" . $node->connstr . " dbname=postgres'";
$subscriber->safe_psql('postgres', qq{CREATE SUBSCRIPTION one CONNECTION $source PUBLICATION all_tables});
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')}) or die 'no sync';
is($subscriber->safe_psql('postgres', $contents), $before, 'the copied vectors are the publisher\'s');
$node->safe_psql('postgres', qq{INSERT INTO texts VALUES (6000, 'word2', '{3:33}/$dims'); UPDATE texts SET body = 'word3' WHERE id = 18; UPDATE texts SET weights = NULL WHERE id = 19});
$node->wait_for_catchup('one');
is($subscriber->safe_psql('postgres', 'SELECT weights FROM texts WHERE id = 6000'), "{3:33}/$dims", 'a streamed row keeps its vector');
is($subscriber->safe_psql('postgres', q{SELECT weights = tfidf('terms', 'word3') FROM texts WHERE id = 18}), 't', 'a changed row gets the publisher\'s');
is($subscriber->safe_psql('postgres', 'SELECT weights IS NULL FROM texts WHERE id = 19'), 't', 'and a NULL stays one');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION one');
$subscriber->stop;

# --- an owner who is no superuser, with the extension in a schema of its own
$node->safe_psql('postgres', q{CREATE DATABASE plain; CREATE ROLE owner LOGIN; CREATE ROLE writer LOGIN;});
$node->safe_psql('plain', q{CREATE SCHEMA vectors; CREATE EXTENSION embed SCHEMA vectors; GRANT USAGE ON SCHEMA vectors TO PUBLIC; CREATE SCHEMA own AUTHORIZATION owner; GRANT USAGE ON SCHEMA own TO writer});
my $owner = $node->connstr('plain') . ' user=owner';
my $writer = $node->connstr('plain') . ' user=writer';
sub as { my ($who, $sql) = @_; my ($out, $err) = run_command(['psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $who, '-c', $sql]); return $out . $err; }
is(as($owner, q{CREATE TABLE own.docs (id int PRIMARY KEY, body text); INSERT INTO own.docs VALUES (1, 'ant bee'), (2, 'cow')}), '', 'a table');
as($owner, q{SELECT vectors.train_vocabulary('own.words', 'SELECT body FROM own.docs')});
like(as($owner, q{SELECT count(*) FROM vectors.embed_column('own.docs', '{body}', 'own.words')}), qr/^4$/m, 'the owner keeps a column without any search path');
is(as($owner, q{SELECT count(words) FROM own.docs}), '2', 'it is filled');
is(as($owner, q{UPDATE own.docs SET words = NULL}) . as($owner, q{CALL vectors.embed_fill('own.docs')}) . as($owner, q{SELECT count(words) FROM own.docs}), '2', 'and filled again');
as($owner, q{GRANT INSERT, SELECT ON own.docs TO writer});
like(as($writer, q{INSERT INTO own.docs VALUES (3, 'ant')}), qr/permission denied for table words/, 'who may not read the model cannot write');
as($owner, q{GRANT SELECT ON own.words TO writer});
is(as($writer, q{INSERT INTO own.docs VALUES (3, 'ant')}) . as($owner, q{SELECT count(words) FROM own.docs}), '3', 'who may, can');
as($owner, q{UPDATE own.docs SET words = NULL WHERE id = 1});
like(as($writer, q{CALL vectors.embed_fill('own.docs')}), qr/permission denied for table docs/, 'but not fill without UPDATE');

# --- several sessions at once, and cancelled in between: every row once,
# whatever isolation their transactions have by default
$node->safe_psql('postgres', q{
	SET embed.progress = off;
	CREATE TABLE many (id int PRIMARY KEY, body text, times int DEFAULT 0);
	INSERT INTO many SELECT i, 'word' || i % 97 || ' word' || i % 89 FROM generate_series(1, 20000) i;
	SELECT count(*) FROM embed_column('many', '{body}', 'terms', 'weights', 'tfidf', index => false, fill => false);
	CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.times := OLD.times + 1; RETURN NEW; END $$;
	CREATE TRIGGER counted BEFORE UPDATE ON many FOR EACH ROW EXECUTE FUNCTION counted();
});
my $call = q{CALL embed_fill('many', batch_rows => 100)};
my ($errors, $calls) = ('', 0);
for my $round (1 .. 3)
{
	my $isolation = ('serializable', 'repeatable read', 'read committed')[$round - 1];
	my @settings = map { ('-c', "SET $_") } 'embed.progress = off', 'client_min_messages = warning',
		"default_transaction_isolation = '$isolation'", 'statement_timeout = ' . ($round < 3 ? "'300ms'" : '0');
	my (@sessions, @told);
	for my $session (0 .. 3)
	{
		push @sessions, IPC::Run::start(['psql', '-X', '-q', '-d', $node->connstr('postgres'), @settings, '-c', $call],
			'>', \my $out, '2>', \$told[$session]);
	}
	$calls += $_->finish for @sessions;
	$errors .= join('', @told);
}
ok($calls >= 4, 'sessions fill at once') or diag($errors);
is(join('', grep { /^(ERROR|FATAL|PANIC|WARNING)/ && !/statement timeout/ } split /^/, $errors), '', 'and fail by nothing but the time they have');
$node->safe_psql('postgres', $call);
is($node->safe_psql('postgres', 'SELECT count(*), count(weights), min(times), max(times) FROM many'), '20000|20000|1|1', 'every row is computed once');

# --- COPY through the trigger and UPDATE with the encoder give the same, and
# what each costs is told (not asserted: a machine under load says nothing)
my $copy = PostgreSQL::Test::Utils::tempdir . '/rows';
$node->safe_psql('postgres', qq{COPY (SELECT id, body FROM many WHERE id <= 10000) TO '$copy'});
my $costs = $node->safe_psql('postgres', qq{
	CREATE TABLE by_copy (id int, body text, weights sparsevec($dims));
	CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON by_copy FOR EACH ROW EXECUTE FUNCTION embed_update_trigger('weights', 'public.terms', 'body', 'encoder=tfidf');
	COPY by_copy (id, body) FROM '$copy';
	SELECT count(*) FROM by_copy JOIN many USING (id) WHERE by_copy.weights = many.weights;
});
is($costs, '10000', 'COPY computes what UPDATE computes');
done_testing();
