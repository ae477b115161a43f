# Broken if this fails: a session that has used a model does not see what
# another session changed, or sees what it must not see yet.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');
$node->safe_psql('postgres', q{
	CREATE TABLE texts (body text);
	INSERT INTO texts VALUES ('ant bee'), ('bee cow'), ('cow dog dog');
	SELECT train_vocabulary('terms', 'SELECT body FROM texts');
	CREATE ROLE reader;
	GRANT SELECT ON terms TO reader;
});
my $known = q{(SELECT string_agg(w, ' ' ORDER BY w) FROM unnest('{ant,bee,cow,dog,elk,fox,gnu,hen,owl}'::text[]) w WHERE one_hot('terms', w) IS NOT NULL)};

# A session that stays: ask() returns what it prints.
package Session;

sub new
{
	my ($class) = @_;
	my $self = bless { in => '', out => '', count => 0 }, $class;

	$self->{timer} = IPC::Run::timeout(180);
	$self->{run} = IPC::Run::start(
		[ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres') ],
		'<', \$self->{in}, '>', \$self->{out}, '2>&1', $self->{timer});
	return $self;
}

sub send
{
	my ($self, $sql) = @_;

	$self->{count}++;
	$self->{out} = '';
	$self->{in} .= "$sql;\n\\echo done-$self->{count}\n";
	$self->{run}->pump_nb;
	return;
}

sub result
{
	my ($self) = @_;
	my $end = "done-$self->{count}\n";

	$self->{run}->pump until $self->{out} =~ /^\Q$end\E/m;
	$self->{out} =~ s/^\Q$end\E.*//ms;
	chomp $self->{out};
	return $self->{out};
}

sub ask
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return $self->result;
}

package main;

my $writer = Session->new;
my $reader = Session->new;
my $repeatable = Session->new;

is($reader->ask("SELECT $known"), 'ant bee cow dog', 'the reader uses the model');
$reader->ask("PREPARE known AS SELECT $known");
is($reader->ask('EXECUTE known'), 'ant bee cow dog', 'also in a prepared statement');
$repeatable->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $other = Session->new;
$other->ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT $known");

# uncommitted changes are the writer's alone
$writer->ask(q{BEGIN; UPDATE terms SET term = 'elk' WHERE term = 'dog'});
is($writer->ask("SELECT $known"), 'ant bee cow elk', 'the writer sees its change');
is($reader->ask('EXECUTE known'), 'ant bee cow dog', 'the reader does not, before commit');
$writer->ask('COMMIT');
is($reader->ask('EXECUTE known'), 'ant bee cow elk', 'the reader does, after commit');
is($writer->ask("SELECT $known"), 'ant bee cow elk', 'the writer still does');

# every kind of change
my @changes = (
	[ 'DELETE', q{DELETE FROM terms WHERE term = 'ant'}, 'bee cow elk' ],
	[ 'INSERT', q{INSERT INTO terms VALUES (7, 'fox', 1, 1)}, 'bee cow elk fox' ],
	[ 'COPY', "COPY terms FROM stdin;\n8\tgnu\t1\t1\n\\.\nSELECT", 'bee cow elk fox gnu' ],
	[ 'replace', q{SELECT train_vocabulary('terms', 'SELECT body FROM texts', replace => true)}, 'ant bee cow dog' ],
	[ 'many at once', q{BEGIN; UPDATE terms SET term = 'hen' WHERE term = 'ant'; SAVEPOINT a; DELETE FROM terms WHERE term = 'bee'; ROLLBACK TO a; COMMIT}, 'bee cow dog hen' ]);
foreach my $change (@changes)
{
	my ($what, $sql, $expected) = @$change;

	$writer->ask($sql);
	is($reader->ask('EXECUTE known'), $expected, "$what by another session is seen by the next statement");
}
is($other->ask("SELECT $known"), 'ant bee cow dog', 'REPEATABLE READ keeps what it used');
is($repeatable->ask("SELECT $known"), 'ant bee cow dog', 'and what it had not used before the changes');
is($reader->ask('EXECUTE known'), 'bee cow dog hen', 'while others see the new rows');
is($node->safe_psql('postgres', 'SELECT count(*) FROM embed_images()'), 1, 'the old view left no image behind');
$repeatable->ask('COMMIT');
$other->ask('COMMIT');
is($repeatable->ask("SELECT $known"), 'bee cow dog hen', 'a new transaction sees the new rows');
$writer->ask('VACUUM FULL terms');
is($reader->ask('EXECUTE known'), 'bee cow dog hen', 'VACUUM FULL moves the rows and changes nothing');

# TRUNCATE waits for those who still want the old rows
$other->ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT $known");
$writer->send(q{CREATE TABLE keep AS SELECT * FROM terms; BEGIN; TRUNCATE terms; INSERT INTO terms SELECT * FROM keep WHERE term IS DISTINCT FROM 'hen'; COMMIT});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%TRUNCATE%' AND pid <> pg_backend_pid()}),
	'TRUNCATE waits');
is($other->ask("SELECT $known"), 'bee cow dog hen', 'for a transaction that uses the model');
$other->ask('COMMIT');
$writer->result;
is($reader->ask('EXECUTE known'), 'bee cow dog', 'TRUNCATE and INSERT are seen');
$writer->ask('TRUNCATE terms');
like($reader->ask('EXECUTE known'), qr/embedding model "terms" has no row 0/, 'TRUNCATE alone is seen');
$writer->ask('INSERT INTO terms SELECT * FROM keep');
is($reader->ask('EXECUTE known'), 'bee cow dog hen', 'and the rows that come back');

# two writers: the second waits, both changes are there
$writer->ask(q{BEGIN; UPDATE terms SET term = 'ant' WHERE term = 'hen'});
$other->send(q{UPDATE terms SET term = 'owl' WHERE term = 'dog'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%owl%' AND pid <> pg_backend_pid()}),
	'a second writer waits for the first');
$writer->ask('COMMIT');
$other->result;
is($reader->ask('EXECUTE known'), 'ant bee cow owl', 'both changes are seen');

# serializable: reading a model and changing it conflict as rows do
$writer->ask("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT $known");
$other->ask("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT $known");
$writer->ask(q{UPDATE terms SET term = 'fox' WHERE term = 'ant'});
$writer->ask('COMMIT');
like($other->ask(q{UPDATE terms SET term = 'gnu' WHERE term = 'bee'}), qr/could not serialize access/, 'a serialization failure where two would not see one another');
$other->ask('ROLLBACK');

# a model is opened without a query: neither its description nor row 0 needs
# one.  The server logs what it parses; the function is there to see that.
$node->safe_psql('postgres', q{CREATE FUNCTION asks() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM terms); END'});
sub parsed_by
{
	my ($statement) = @_;
	my $log = -s $node->logfile;
	$node->safe_psql('postgres', "SET debug_print_parse = on; $statement");
	my $count = () = slurp_file($node->logfile, $log) =~ /parse tree:/g;
	return $count;
}
my $one_use = q{SELECT one_hot('terms', 'bee')};
my $without = parsed_by('SELECT 1');
cmp_ok(parsed_by('SELECT asks()'), '>', $without, 'a query within a function is logged');
is(parsed_by($one_use), $without, 'none is where a new session uses a model');
$node->safe_psql('postgres', 'SELECT embed_images(clear => true)');
is(parsed_by($one_use), $without, 'nor where it builds the image');

# privileges end with the statement in which they were lost
$other->ask('SET ROLE reader');
is($other->ask("SELECT $known"), 'bee cow fox owl', 'the other role reads');
$writer->ask('REVOKE SELECT ON terms FROM reader');
like($other->ask("SELECT $known"), qr/permission denied for table terms/, 'until it may not');
$writer->ask('GRANT SELECT ON terms TO reader');
is($other->ask("SELECT $known"), 'bee cow fox owl', 'or may again');
$writer->ask('ALTER TABLE terms ENABLE ROW LEVEL SECURITY');
like($other->ask("SELECT $known"), qr/row-level security/, 'row-level security is noticed');
$writer->ask('ALTER TABLE terms DISABLE ROW LEVEL SECURITY');

# parallel workers see what their leader sees, uncommitted changes included
my $parallel = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off};
$writer->ask($parallel);
$writer->ask(q{CREATE TABLE words AS SELECT CASE WHEN i % 2 = 0 THEN 'bee' ELSE 'hen' END AS word FROM generate_series(1, 20000) i; ANALYZE words});
my $count = q{SELECT count(*) FROM words WHERE one_hot('terms', word) IS NOT NULL};
like($writer->ask("EXPLAIN (COSTS OFF) $count"), qr/Parallel Seq Scan/, 'the plan is parallel');
is($writer->ask($count), '10000', 'workers use the model');
is($writer->ask("BEGIN; UPDATE terms SET term = 'hen' WHERE term = 'bee'; DELETE FROM terms WHERE term = 'cow'; $count; DELETE FROM terms WHERE term = 'hen'; $count; ROLLBACK; $count"),
	"10000\n0\n10000", 'workers see uncommitted changes');
$writer->ask('SELECT embed_images(clear => true)');
is($writer->ask($count), '10000', 'workers build the image');
is($writer->ask('SELECT count(*) FROM embed_images()'), '1', 'once');

# ORDER BY in a parallel plan encodes the query at most once a process
$writer->ask(q{CREATE TABLE vectors AS SELECT i, tfidf('terms', CASE WHEN i % 3 = 0 THEN 'bee' ELSE 'owl fox' END) AS v FROM generate_series(1, 20000) i; ANALYZE vectors});
my $nearest = q{SELECT i FROM vectors ORDER BY v <=> tfidf('terms', 'bee'), i LIMIT 1};
like($writer->ask("EXPLAIN (COSTS OFF) $nearest"), qr/Gather.*Parallel Seq Scan/s, 'the plan of ORDER BY is parallel');
my $messages = $writer->ask("SET client_min_messages = debug1; $nearest; RESET client_min_messages");
my $computed = () = $messages =~ /computed an embedding at a call site/g;
ok($computed >= 1 && $computed <= 3, "the query was encoded once a process: $computed times for 20000 rows");

foreach my $session ($writer, $reader, $other, $repeatable)
{
	$session->{in} .= "\\q\n";
	$session->{run}->finish;
}
$node->stop;
done_testing();
