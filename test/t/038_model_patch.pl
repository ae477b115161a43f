# Broken if this fails: the packed form of a vocabulary that is made of an older
# one is not that of the table: a change is missing, or one that was rolled
# back or not committed is there.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = is_long() ? 120 : 8;
my $terms = 800;
my $node = embed_node('main', 'embed.progress = off', 'max_connections = 40', 'autovacuum = off',
	'wal_level = replica', 'max_parallel_workers_per_gather = 0');

# check_model() knows from the rows what every weight has to be, bit for bit:
# the rows that the same snapshot sees.  It returns what is wrong.
$node->safe_psql('postgres', qq{
CREATE TABLE m (id integer PRIMARY KEY, term text, documents bigint, occurrences bigint) WITH (fillfactor = 90);
INSERT INTO m SELECT i, 'w' || i, 1 + i * 7919 % 1000, 1000 FROM generate_series(1, $terms) i;
INSERT INTO m VALUES (0, NULL, 1000000, 5000000);
INSERT INTO m SELECT -i, 'h' || i, 1, 1 FROM generate_series(1, 200) i;
SELECT register_model('m', 'vocabulary', 'embed_words', 'dims=1000000');
CREATE SEQUENCE next_id START 4000;
} . q{
CREATE FUNCTION elements(v sparsevec) RETURNS TABLE (id integer, weight real) LANGUAGE sql IMMUTABLE AS $$
	SELECT split_part(e, ':', 1)::integer, split_part(e, ':', 2)::real
	FROM regexp_split_to_table(substring(v::text, '\{(.+)\}'), ',') AS e WHERE e <> '' $$;
CREATE FUNCTION wrong_weights(kind text, OUT wrong text) LANGUAGE sql STABLE AS $$
	WITH header AS (SELECT documents::float8 AS n FROM m WHERE id = 0),
	highest AS (SELECT max(documents)::float8 AS most FROM m WHERE id > 0),
	given AS (SELECT e.* FROM (SELECT tfidf('m', string_agg(term, ' '), norm => 'none', idf => kind) AS v FROM m) AS t, elements(t.v) AS e),
	wanted AS (SELECT id, (CASE kind WHEN 'shifted' THEN ln((n + 1) / documents) ELSE ln(most / (1.0::float8 + documents)) END)::real AS weight
		FROM m, header, highest WHERE id > 0)
	SELECT format('%s: id %s has %s, should have %s', kind, coalesce(g.id, w.id), g.weight, w.weight)
	FROM given AS g FULL JOIN wanted AS w USING (id)
	WHERE coalesce(g.weight, 0) <> coalesce(w.weight, 0) LIMIT 1 $$;
CREATE FUNCTION check_model(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrong text;
BEGIN
	SELECT coalesce(wrong_weights('shifted'), wrong_weights('max')) INTO wrong;
	IF wrong IS NOT NULL THEN RAISE EXCEPTION '%: %', what, wrong; END IF;
	RETURN NULL;
END $$;

-- One change, by one of several clients, each with ids of its own.
CREATE FUNCTION change_model(client integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	kind double precision := random();
	chosen integer;
BEGIN
	SELECT id INTO chosen FROM m WHERE id > 0 AND id % 4 = client AND id >= (SELECT max(id) * random() FROM m) ORDER BY id LIMIT 1;
	IF chosen IS NULL THEN RETURN 'nothing'; END IF;
	IF kind < 0.45 THEN
		UPDATE m SET documents = 1 + floor(random() * 2000) WHERE id = chosen;
		RETURN 'counts';
	ELSIF kind < 0.55 THEN
		UPDATE m SET documents = 1 + floor(random() * 1000) WHERE id > 0 AND id % 4 = client AND id BETWEEN chosen - 200 AND chosen;
		RETURN 'many counts';
	ELSIF kind < 0.75 THEN
		INSERT INTO m SELECT i, 'n' || i, 1 + floor(random() * 1000), 1 FROM (SELECT 4 * nextval('next_id')::integer + client AS i) AS s;
		RETURN 'a new term';
	ELSIF kind < 0.83 THEN
		INSERT INTO m SELECT -1000 - i, 'h' || 1000 + i, 1, 1 FROM (SELECT 4 * nextval('next_id')::integer + client AS i) AS s;
		RETURN 'a hidden term';
	ELSIF kind < 0.90 THEN
		UPDATE m SET id = 4 * nextval('next_id')::integer + client WHERE id = (SELECT max(id) FROM m WHERE id < -1000 AND -id % 4 = client);
		RETURN 'a risen term';
	ELSIF kind < 0.93 THEN
		DELETE FROM m WHERE id = chosen;
		RETURN 'a term less';
	ELSIF kind < 0.95 THEN
		UPDATE m SET term = 'r' || chosen || 'x' || floor(random() * 1e6) WHERE id = chosen;
		RETURN 'another text';
	ELSIF kind < 0.97 THEN
		UPDATE m SET id = -id WHERE id = chosen AND NOT EXISTS (SELECT FROM m AS o WHERE o.id = -chosen);
		RETURN 'a term hidden';
	END IF;
	UPDATE m SET documents = documents + 1 WHERE id = 0;
	RETURN 'row 0';
END $$;

-- A transaction: changes, some of them rolled back, seen at once and through
-- cursors opened in between.
CREATE FUNCTION storm(client integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	cursors refcursor[];
	opened refcursor;
	what text;
	wrong text;
BEGIN
	FOR change IN 1 .. 1 + floor(random() * 4) LOOP
		IF random() < 0.3 THEN
			opened := NULL;
			OPEN opened FOR SELECT coalesce(wrong_weights('shifted'), wrong_weights('max')) FROM generate_series(1, 4);
			cursors := cursors || opened;
		END IF;
		IF random() < 0.25 THEN
			BEGIN
				what := change_model(client);
				IF random() < 0.5 THEN PERFORM check_model(what || ' in a block'); END IF;
				IF random() < 0.6 THEN RAISE division_by_zero; END IF;
			EXCEPTION WHEN division_by_zero THEN
				what := what || ' rolled back';
			END;
		ELSE
			what := change_model(client);
		END IF;
		IF random() < 0.7 THEN PERFORM check_model(what); END IF;
		FOREACH opened IN ARRAY coalesce(cursors, '{}') LOOP
			IF random() < 0.5 THEN
				FETCH opened INTO wrong;
				IF wrong IS NOT NULL THEN RAISE EXCEPTION 'cursor after %: %', what, wrong; END IF;
			END IF;
		END LOOP;
	END LOOP;
END $$;
});

sub start_pgbench
{
	my ($on, $name, $clients, $script, @options) = @_;
	my $file = $node->basedir . "/$name.sql";
	my $run = { name => $name, out => '', err => '' };

	unlink($file);
	append_to_file($file, $script);
	$run->{run} = IPC::Run::start([ 'pgbench', '-n', '-c', $clients, '-T', $seconds, '-f', $file, @options,
			$on->connstr('postgres') ], '>', \$run->{out}, '2>', \$run->{err});
	return $run;
}

sub finish_all
{
	foreach my $run (@_)
	{
		ok($run->{run}->finish && $run->{err} !~ /ERROR|aborted/, "$run->{name}: everything as in the table") or diag($run->{err});
		my ($done) = $run->{out} =~ /number of transactions actually processed: (\d+)/;
		cmp_ok($done // 0, '>', 0, "$run->{name}: " . ($done // 'no') . ' transactions');
	}
	return;
}

$node->backup('start');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'start', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;

# One writer at a time from its second change on: all wait at row 0.
my $writer = q{\set end random(1, 10)
BEGIN ISOLATION LEVEL %s;
SELECT storm(:client_id);
\if :end <= 6
COMMIT;
\else
ROLLBACK;
\endif
SELECT check_model('after the transaction');
};
finish_all(
	start_pgbench($node, 'writers', 4, sprintf($writer, 'READ COMMITTED')),
	start_pgbench($node, 'readers', 2, q{SELECT check_model('a reader');}),
	start_pgbench($node, 'new sessions', 1, q{SELECT check_model('a new session');}, '-C'),
	start_pgbench($node, 'long snapshots', 1, q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT check_model('an old snapshot, at first');
SELECT pg_sleep(0.05);
SELECT check_model('an old snapshot, later');
COMMIT;}),
	start_pgbench($node, 'vacuum', 1, q{VACUUM m;
SELECT pg_sleep(0.05);
VACUUM (FREEZE) m;
SELECT pg_sleep(0.05);}),
	start_pgbench($standby, 'standby', 2, q{SELECT check_model('on the standby');}));

# Was any of this patched?  And with row locks that conflict no more: alone,
# under REPEATABLE READ.
my ($status, $out, $err) = $node->psql('postgres', q{
	SELECT count_vector('m', 'w1') \g /dev/null
	UPDATE m SET documents = 7 WHERE id = 5;
	SET client_min_messages = debug1;
	SELECT check_model('one change');});
like($err, qr/packed embedding model "m" anew from \d+ of \d+ pages/, 'a changed row is read, not all');
finish_all(start_pgbench($node, 'a writer alone', 1, sprintf($writer, 'REPEATABLE READ')),
	start_pgbench($standby, 'standby', 1, q{SELECT check_model('on the standby');}));

# The same function in a session that has to build: the same bytes.
my $all = q{SELECT md5(string_agg(tfidf('m', term || ' w1 w2', idf => idf)::text, ' ' ORDER BY id, idf)),
	md5(string_agg(bm25_query('m', term, variant => 'okapi')::text, ' ' ORDER BY id, idf)) FROM m, unnest(ARRAY['smooth', 'max']) AS idf WHERE id > 0};
my $different = 0;
foreach my $round (1 .. (is_long() ? 100 : 10))
{
	my $patched = $node->safe_psql('postgres', "SELECT count_vector('m', 'w1') \\g /dev/null\nSELECT storm($round % 4) \\g /dev/null\n$all");
	my $built = $node->safe_psql('postgres', "SELECT embed_images(clear => true) \\g /dev/null\n$all");
	$different++ if $patched ne $built;
}
is($different, 0, 'what was made of an older form is what a full build gives');

# A snapshot older than a transaction of the same session: it must not be
# served from what the session packed for that transaction.  The older one has
# the higher xmax of the two, for it was taken after another commit.
{
	my %in;
	my %out;
	my %session;
	my $ask = sub {
		my ($name, $sql) = @_;

		$session{$name} //= IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ],
			'<', \$in{$name}, '>', \$out{$name}, '2>&1', IPC::Run::timeout(180));
		$out{$name} = '';
		$in{$name} .= "$sql;\n\\echo end\n";
		$session{$name}->pump until $out{$name} =~ /^end$/m;
		(my $answer = $out{$name}) =~ s/\n|end\n//g;
		return $answer;
	};

	$node->safe_psql('postgres', 'CREATE TABLE other (i integer)');
	is($ask->('session', q{SELECT check_model('at first');
		BEGIN; UPDATE m SET documents = 77 WHERE id = 8; SELECT check_model('changed')}), '', 'a change, packed');
	$node->safe_psql('postgres', 'INSERT INTO other VALUES (1)');
	my $snapshot = $ask->('holder', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()');
	like($snapshot, qr/^[0-9A-F-]+$/, 'a snapshot from before its commit');
	$node->safe_psql('postgres', 'SELECT embed_images(clear => true)');
	is($ask->('session', "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$snapshot';
		SELECT check_model('imported')"), '', 'sees the model without the change');
	is($ask->('session', "COMMIT; SELECT check_model('afterwards')"), '', 'and others with it');
	foreach my $name (keys %session)
	{
		$in{$name} .= "\\q\n";
		$session{$name}->finish;
	}
}

# A row trigger that adds each document and encodes it: no insert packs the
# model again, in one transaction, in one each, and in two sessions in turn.
$node->safe_psql('postgres', q{
	SELECT train_vocabulary('voc', 'SELECT string_agg(''word'' || i, '' '') FROM generate_series(1, 20000) AS i GROUP BY i / 50');
	SELECT tfidf('voc', 'word7');
	CREATE TABLE docs (id serial, body text, v sparsevec);
	CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
	BEGIN
		PERFORM add_documents('voc', format('SELECT %L', new.body));
		new.v := tfidf('voc', new.body);
		RETURN new;
	END $$;
	CREATE TRIGGER follow BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION follow();});
foreach my $case ([ 'in one transaction', 'BEGIN', 'COMMIT' ], [ 'each in a transaction of its own', '', '' ])
{
	my ($what, $begin, $end) = @$case;
	(my $mark = $what) =~ s/ //g;
	my ($state, $stdout, $stderr) = $node->psql('postgres', join("\n", 'SET client_min_messages = debug1;', "$begin;",
		map({ "INSERT INTO docs (body) VALUES ('word$_ word" . 37 * $_ . " $mark$_');" } 1 .. 40),
		"SELECT count(*), count(DISTINCT v) FROM docs WHERE body ~ '$mark';", "$end;"));
	my @pages = $stderr =~ /packed embedding model "voc" anew from (\d+) of \d+ pages/g;
	my @built = images_of('voc');
	is($stdout, '40|40', "$what: every document has its vector");
	cmp_ok(scalar(@pages), '>=', 40, "$what: each is made of the one before");
	cmp_ok((sort { $a <=> $b } @pages)[-2], '<', 20, "$what: from few pages");
	is(scalar(@built), 1, "$what: and there is one file, the first");
}

# So it is where terms are under a cut: each document finds some of them again,
# and those rise.
$node->safe_psql('postgres', q{
	SELECT train_vocabulary('rare', 'SELECT string_agg(format(''word%s word%s once%s'', i, i, i), '' '') FROM generate_series(1, 20000) AS i GROUP BY i / 50
		UNION ALL SELECT string_agg(''word'' || i, '' '') FROM generate_series(1, 20000) AS i GROUP BY i / 50', min_documents => 2);
	SELECT tfidf('rare', 'word7')});
{
	my ($state, $stdout, $stderr) = $node->psql('postgres', join("\n", 'SET client_min_messages = debug1;',
		map({ "SELECT add_documents('rare', 'SELECT ''word$_ once$_ new$_ again'''); SELECT one_hot('rare', 'once$_') IS NOT NULL, one_hot('rare', 'new$_') IS NULL, one_hot('rare', 'again') IS NOT NULL;" } 1 .. 40)));
	my @pages = $stderr =~ /packed embedding model "rare" anew from (\d+) of \d+ pages/g;

	is($stdout, join("\n", 1, 't|t|f', (1, 't|t|t') x 39), 'terms rise from under the cut');
	cmp_ok(scalar(@pages), '>=', 40, 'each form is made of the one before');
	cmp_ok((sort { $a <=> $b } @pages)[-2], '<', 20, 'from few pages') or diag("@pages");
	is($node->safe_psql('postgres', q{SELECT count(*), sum(occurrences), min(id), count(DISTINCT term) = count(*) FROM rare WHERE id < 0}),
		'20000|20000|-20041|t', 'and no other does');
}

sub images_of
{
	my ($table) = @_;
	my $oid = $node->safe_psql('postgres', "SELECT '$table'::regclass::oid");

	return glob($node->data_dir . "/base/pgsql_tmp/pgsql_tmp_embed.*.$oid.*");
}

# The log position of a page says nothing where nothing is logged.
$node->safe_psql('postgres', q{ALTER TABLE m SET UNLOGGED; SELECT check_model('unlogged'); UPDATE m SET documents = 9 WHERE id = 1; SELECT check_model('unlogged'); });
$node->safe_psql('postgres', q{ALTER TABLE m SET LOGGED; SELECT check_model('logged'); UPDATE m SET documents = 8 WHERE id = 1; SELECT check_model('logged'); VACUUM FULL m; SELECT check_model('rewritten')});

# After promotion, with what the standby had.
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', q{SELECT check_model('before promotion')});
$standby->promote;
$standby->safe_psql('postgres', q{SELECT check_model('promoted'); SELECT storm(1); SELECT check_model('changed after promotion')});
pass('and after promotion');
$standby->stop;
$node->stop;
done_testing();
