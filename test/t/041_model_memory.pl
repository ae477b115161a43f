# Broken if this fails: a model whose packed form needs more memory than there
# is ends the session, keeps others waiting, or leaves memory, files or locks
# behind; or the error does not say what it is.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no prlimit here' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = embed_node('main', 'autovacuum = off', 'embed.progress = off', 'max_parallel_workers_per_gather = 0', 'shared_buffers = 16MB');
$node->safe_psql('postgres', q{
	SELECT train_vocabulary('terms', 'SELECT ''term number '' || i || '' of many terms'' FROM generate_series(1, 100000) i', max_ngram => 2);
	CREATE TABLE words (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(100));
	INSERT INTO words SELECT i, 'word' || i, 1, 1, array_fill(i % 7 + 1, ARRAY[100])::vector FROM generate_series(1, 50000) i;
	SELECT register_model('words', 'word2vec');
	CREATE FUNCTION tries(query text, count integer, OUT failed integer) LANGUAGE plpgsql AS $$
	DECLARE
		answer boolean;
	BEGIN
		failed := 0;
		FOR i IN 1 .. count LOOP
			BEGIN
				EXECUTE query INTO answer;
			EXCEPTION WHEN out_of_memory THEN
				failed := failed + 1;
			END;
		END LOOP;
	END $$});

# A session, its process, and how much more it may have
my ($in, $out) = ('', '');
my $session = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(300));

sub ask
{
	my ($sql) = @_;

	$out = '';
	$in .= "$sql;\n\\echo end\n";
	$session->pump until $out =~ /^end$/m;
	(my $answer = $out) =~ s/^end\n//m;
	chomp($answer);
	return $answer;
}

my $pid = ask('SELECT pg_backend_pid()');

sub address_space
{
	return slurp_file("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m ? $1 : die 'no VmSize';
}

sub maps
{
	return scalar(my @lines = split(/\n/, slurp_file("/proc/$pid/maps")));
}

sub allow
{
	my ($bytes) = @_;

	system('prlimit', "--pid=$pid", "--as=$bytes:") == 0 or die 'cannot set the limit';
	return;
}

sub unfinished_files
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp') f WHERE f ~ '^pgsql_tmp_embed.*[0-9A-F]{20}\.\d+$'});
}

my %uses = (
	terms => q{SELECT tfidf('terms', 'number 77') IS NOT NULL},
	words => q{SELECT word_vector('words', 'word77') IS NOT NULL});
my %change = (
	terms => q{UPDATE terms SET documents = documents WHERE id > 5},
	words => q{UPDATE words SET documents = 2 WHERE id > 5});

foreach my $model (sort keys %uses)
{
	my $use = $uses{$model};

	# what parsing, planning and the catalogs take, for once
	ask("SELECT tries('SELECT embed_models() IS NOT NULL', 2), tries('SELECT one_hot(''no'', ''x'') IS NULL', 0)");
	allow(1024 * (address_space() + 6000));

	# nobody has built it: neither can this session
	like(ask($use), qr/ERROR:  (out of memory|could not map file .*: Cannot allocate memory)/, "$model: a first user without the memory");
	is(ask('SELECT 1'), '1', 'the session goes on');
	is(unfinished_files(), 0, 'and leaves no file');
	ask(qq{SELECT tries(\$\$$use\$\$, 5)});
	my $before = address_space();
	my $maps = maps();
	is(ask(qq{SELECT tries(\$\$$use\$\$, 30)}), '30', 'caught thirty times');
	cmp_ok(address_space(), '<=', $before + 500, 'no memory is lost');
	cmp_ok(maps(), '<=', $maps + 3, 'nor a map');
	is(unfinished_files(), 0, 'and no file is left');
	is($node->safe_psql('postgres', $use), 't', 'another session is not kept from it');

	# the file is there, and too large
	like(ask($use), qr/ERROR:  could not map file .*: Cannot allocate memory/, "$model: a later user without the memory");
	is(ask(qq{SELECT tries(\$\$$use\$\$, 30)}), '30', 'caught thirty times');
	cmp_ok(maps(), '<=', $maps + 3, 'no map is left');

	# rows of its own, which no file may hold
	is(ask("BEGIN; $change{$model}"), '', "$model: its own changes");
	is(ask(qq{SELECT tries(\$\$$use\$\$, 30)}), '30', 'caught thirty times');
	cmp_ok(maps(), '<=', $maps + 3, 'no map is left');
	like(ask($use), qr/ERROR:  out of memory\nDETAIL:  (The packed form of an embedding model needs \d+ bytes|Failed on request of size)/, 'not caught');
	is(ask('ROLLBACK'), '', 'rolled back');

	allow('unlimited');
	is(ask($use), 't', 'with the memory, all is well');
	is(ask("BEGIN; $change{$model}; $use; ROLLBACK"), 't', 'its own changes too');
}
$in .= "\\q\n";
$session->finish;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', 'no lock is left');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|WARNING:  (?!there is)/, 'and nobody was disturbed');
$node->stop;
done_testing();
