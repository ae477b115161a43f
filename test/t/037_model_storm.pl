# Broken if this fails: sessions that use a model while others change it get
# errors, wait for ever, fill the log, or see what is not in the table.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = embed_node('main', 'embed.progress = off', 'max_connections = 40',
	'max_parallel_workers_per_gather = 0');
my $seconds = is_long() ? 30 : 3;

# Several scripts of pgbench at once: [clients, script, options].  All must
# end in time and without an error.
sub storm
{
	my ($what, @parts) = @_;
	my $log = -s $node->logfile;
	my $start = time;
	my @runs;

	foreach my $part (@parts)
	{
		my ($clients, $script, @options) = @$part;
		my $name = $node->basedir . '/storm' . scalar(@runs) . '.sql';
		my $run = { out => '', err => '' };

		append_to_file($name, $script);
		$run->{run} = IPC::Run::start([ 'pgbench', '-n', '-c', $clients, '-T', $seconds, '-f', $name, @options,
				$node->connstr('postgres') ], '>', \$run->{out}, '2>', \$run->{err});
		push @runs, $run;
	}
	foreach my $run (@runs)
	{
		ok($run->{run}->finish && $run->{err} !~ /ERROR|aborted/, "$what: no errors") or diag($run->{err});
		like($run->{out}, qr/number of transactions actually processed: [1-9]/, "$what: work was done");
	}
	unlink(glob($node->basedir . '/storm*.sql'));
	cmp_ok(time - $start, '<', $seconds + 20, "$what: everybody came to an end");
	my $written = slurp_file($node->logfile, $log);
	my $rebuilt = () = $written =~ /is rebuilt/g;
	cmp_ok($rebuilt, '<=', 1 + @runs, "$what: the log stays short");
	is(() = $written =~ /^.*(?:ERROR|FATAL|PANIC|WARNING):/mg, 0, "$what: nothing bad in it") or diag($written);
	return;
}

# The table grows while images are built.
$node->safe_psql('postgres', q{SELECT train_vocabulary('growing', 'SELECT ''a b c d''')});
storm('a growing table',
	[ 2, q{INSERT INTO growing SELECT -(random()*1e9)::int-10-i, 't'||random()||repeat('x',100),1,1 FROM generate_series(1,50) i ON CONFLICT DO NOTHING;} ],
	[ 4, q{SELECT tfidf('growing', 'a b');} ],
	[ 2, q{SELECT tfidf('growing', 'a b');}, '-C' ]);

# Contents are replaced under the readers, who always see one generation: both
# words of it and none of another.
$node->safe_psql('postgres', q{
	SELECT train_vocabulary('replaced', 'SELECT ''left0 right0''', capacity => 256);
	CREATE TABLE generation AS SELECT 0 AS number;
	CREATE FUNCTION check_generation() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		number integer;
		known integer;
		kept integer;
	BEGIN
		SELECT g.number, (SELECT count(*) FROM unnest(ARRAY['left', 'right']) s WHERE one_hot('replaced', s || g.number) IS NOT NULL),
			(SELECT count(*) FROM replaced WHERE term IN ('left' || g.number, 'right' || g.number))
		INTO number, known, kept FROM generation g;
		IF known <> 2 OR kept <> 2 THEN
			RAISE EXCEPTION 'generation %: % words known, % in the table', number, known, kept;
		END IF;
	END $$;});
storm('replace => true',
	[ 1, q{BEGIN;
UPDATE generation SET number = number + 1;
SELECT train_vocabulary('replaced', (SELECT format('SELECT ''left%s right%s''', number, number) FROM generation), capacity => 256, replace => true);
COMMIT;} ],
	[ 4, q{SELECT check_generation();} ],
	[ 2, q{SELECT check_generation();}, '-C' ],
	[ 1, q{VACUUM replaced;} ]);

# The same with documents that are added: the model never knows more than its
# own row 0 says, and counts only go up.
$node->safe_psql('postgres', q{
	SELECT train_vocabulary('added', 'SELECT ''word'' || i FROM generate_series(1, 3000) i');
	CREATE FUNCTION check_added() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		counts record;
	BEGIN
		SELECT (SELECT documents FROM added WHERE id = 0) AS total,
			(SELECT documents FROM added WHERE term = 'word7') AS documents,
			exp(((tfidf('added', 'word7', norm => 'none', idf => 'textbook'))::text::sparsevec <#> (count_vector('added', 'word7'))) * -1) AS ratio
		INTO counts;
		IF abs(counts.ratio * counts.documents / counts.total - 1) > 1e-5 THEN
			RAISE EXCEPTION 'total %, documents %, but N/n is %', counts.total, counts.documents, counts.ratio;
		END IF;
	END $$;});
storm('add_documents',
	[ 2, q{SELECT add_documents('added', 'SELECT ''word7 new' || (random() * 1e9)::bigint || '''');} ],
	[ 3, q{SELECT check_added();} ],
	[ 1, q{SELECT check_added();}, '-C' ],
	[ 1, q{BEGIN; UPDATE added SET documents = 1 WHERE term = 'word7'; ROLLBACK;} ],
	[ 1, q{SELECT embed_images(clear => true);} ]);
$node->stop;
done_testing();
