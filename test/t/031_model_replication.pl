# Broken if this fails: a hot standby or a logical subscriber cannot use a
# model, or goes on with an old version of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = embed_node('primary', 'wal_log_hints = on', 'wal_keep_size = 512MB');
$primary->safe_psql('postgres', q{
	CREATE TABLE texts (body text);
	INSERT INTO texts VALUES ('ant bee'), ('bee cow'), ('cow dog dog');
	SELECT train_vocabulary('terms', 'SELECT body FROM texts');
});

# which of the words the model knows
my $known = q{SELECT string_agg(w, ' ' ORDER BY w) FROM unnest('{ant,bee,cow,dog,elk,fox,gnu,hen}'::text[]) w WHERE one_hot('terms', w) IS NOT NULL};

# --- hot standby

is($primary->safe_psql('postgres', $known), 'ant bee cow dog', 'the primary uses the model');
is(scalar(my @of_primary = glob($primary->data_dir . '/base/pgsql_tmp/pgsql_tmp_embed.*')), 1, 'and has an image');
$primary->backup('base');
is(join(' ', glob($primary->backup_dir . '/base/base/pgsql_tmp/*embed*')), '', 'that is not in a base backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', $known), 'ant bee cow dog', 'the standby uses the model');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM embed_images()'), 1, 'and has its own image');
is($standby->safe_psql('postgres', q{SELECT model_version('terms')}),
	$primary->safe_psql('postgres', q{SELECT model_version('terms')}), 'of the same version');
like(error_of($standby, q{SELECT train_vocabulary('other', 'SELECT body FROM texts')}),
	qr/cannot execute CREATE TABLE during recovery|read-only/, 'it cannot train');

# one session of the standby sees each change when it has been replayed
sub follow
{
	my ($change, $expected, $what) = @_;

	$primary->safe_psql('postgres', $change);
	$primary->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', $known), $expected, "standby: $what");
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM embed_images()'), 1, "standby: one image after $what");
	return;
}
follow(q{UPDATE terms SET term = 'elk' WHERE term = 'dog'}, 'ant bee cow elk', 'UPDATE');
follow(q{DELETE FROM terms WHERE term = 'ant'}, 'bee cow elk', 'DELETE');
follow(q{INSERT INTO terms VALUES (7, 'fox', 1, 1)}, 'bee cow elk fox', 'INSERT');
follow(q{VACUUM FULL terms}, 'bee cow elk fox', 'VACUUM FULL');
follow(q{SELECT train_vocabulary('terms', 'SELECT body FROM texts', replace => true)}, 'ant bee cow dog', 'replace');
follow(q{BEGIN; CREATE TABLE keep AS SELECT * FROM terms; TRUNCATE terms; INSERT INTO terms SELECT * FROM keep WHERE id <> 1; COMMIT}, 'ant cow dog', 'TRUNCATE and INSERT');

# promotion: the image stays, changes go on
$standby->promote;
is($standby->safe_psql('postgres', $known), 'ant cow dog', 'promoted: the same model');
is($standby->safe_psql('postgres', q{UPDATE terms SET term = 'gnu' WHERE term = 'cow'; } . $known), 'ant dog gnu', 'promoted: changes are seen');
$standby->safe_psql('postgres', 'CHECKPOINT');

# --- logical subscriber: row 0 arrives as a row

my $subscriber = embed_node('subscriber');
$subscriber->safe_psql('postgres', q{
	CREATE TABLE terms (id integer PRIMARY KEY, term text, documents bigint, occurrences bigint);
	CREATE TRIGGER embed_model AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON terms
	FOR EACH STATEMENT EXECUTE FUNCTION embed_model('vocabulary', 'config=public.embed_words', 'dims=16');
	ALTER TABLE terms ENABLE ALWAYS TRIGGER embed_model;
});
like(error_of($subscriber, $known), qr/embedding model "terms" has no row 0/, 'subscriber: empty before the first copy');
$primary->safe_psql('postgres', 'CREATE PUBLICATION models FOR TABLE terms');
$subscriber->safe_psql('postgres', q{CREATE SUBSCRIPTION models CONNECTION '} . $primary->connstr . q{ dbname=postgres' PUBLICATION models});
$subscriber->poll_query_until('postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel})
	or die 'no initial copy';
is($subscriber->safe_psql('postgres', $known), 'ant cow dog', 'subscriber: initial copy');

sub apply
{
	my ($change, $expected, $what) = @_;

	$primary->safe_psql('postgres', $change);
	$primary->wait_for_catchup('models');
	is($subscriber->safe_psql('postgres', $known), $expected, "subscriber: $what");
	is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM terms WHERE id = 0'), 1, "subscriber: one row 0 after $what");
	return;
}
apply(q{UPDATE terms SET term = 'elk' WHERE term = 'dog'}, 'ant cow elk', 'UPDATE');
apply(q{DELETE FROM terms WHERE term = 'ant'}, 'cow elk', 'DELETE');
apply(q{INSERT INTO terms VALUES (7, 'fox', 1, 1)}, 'cow elk fox', 'INSERT');
apply(q{BEGIN; UPDATE terms SET term = 'hen' WHERE id = 7; SAVEPOINT a; UPDATE terms SET term = 'bee' WHERE id = 7; ROLLBACK TO a; COMMIT}, 'cow elk hen', 'a savepoint rolled back');
apply(q{SELECT train_vocabulary('terms', 'SELECT body FROM texts', replace => true)}, 'ant bee cow dog', 'replace');
apply(q{BEGIN; TRUNCATE keep; INSERT INTO keep SELECT * FROM terms; TRUNCATE terms; INSERT INTO terms SELECT * FROM keep WHERE term IS DISTINCT FROM 'bee'; COMMIT}, 'ant cow dog', 'TRUNCATE and INSERT');

# the subscriber's own changes count too
is($subscriber->safe_psql('postgres', q{UPDATE terms SET term = 'gnu' WHERE term = 'cow'; } . $known),
	'ant dog gnu', 'subscriber: a change of its own');

$subscriber->stop;

# --- pg_rewind: the old primary becomes a copy of the promoted standby, without its images

my @images = glob($standby->data_dir . '/base/pgsql_tmp/pgsql_tmp_embed.*');
is(scalar(@images), 1, 'the promoted standby has an image');
$primary->stop;
$primary->command_ok([ 'pg_rewind', '--source-server', $standby->connstr('postgres'), '-D', $primary->data_dir, '--no-sync' ],
	'pg_rewind');
is(join(' ', glob($primary->data_dir . '/base/pgsql_tmp/pgsql_tmp_embed.*')), '', 'pg_rewind leaves images out');

$standby->stop;
done_testing();
