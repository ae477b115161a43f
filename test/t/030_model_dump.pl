# Broken if this fails: a model does not survive pg_dump and restore, whole or
# in parts, in any order of schema and data.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');
my $dumps = $node->basedir;

$node->safe_psql('postgres', q{
	CREATE SCHEMA news;
	CREATE TABLE news.texts (body text);
	INSERT INTO news.texts VALUES ('ant bee'), ('bee cow'), ('cow dog dog');
	SELECT train_vocabulary('news.terms', 'SELECT body FROM news.texts');
	-- row 0 moves behind the others, as after any change
	UPDATE news.terms SET term = 'elk' WHERE term = 'dog';
	VACUUM FULL news.terms;
	CREATE TABLE news.vectors AS SELECT body, tfidf('news.terms', body) AS v FROM news.texts;
	CREATE VIEW news.best AS SELECT body FROM news.vectors ORDER BY v <=> tfidf('news.terms', 'ant') LIMIT 1;
	CREATE ROLE reader;
	GRANT USAGE ON SCHEMA news TO reader;
	GRANT SELECT ON news.terms TO reader;
});
my $question = q{SELECT tfidf('news.terms', 'bee elk')::text || (SELECT string_agg(t::text, ' ' ORDER BY id) FROM news.terms t)};
my $answer = $node->safe_psql('postgres', $question);
my $trigger = q{SELECT pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE tgrelid = 'news.terms'::regclass};
my $description = $node->safe_psql('postgres', $trigger);

sub dump_database
{
	my ($file, @options) = @_;

	$node->command_ok(
		[ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$dumps/$file", @options ],
		"pg_dump @options");
	return "$dumps/$file";
}

sub restore
{
	my ($database, @files) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	foreach my $file (@files)
	{
		if ($file =~ /^CREATE/)
		{
			$node->safe_psql($database, $file);
		}
		elsif ($file =~ /archive/)
		{
			$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr($database), $file ],
				"pg_restore $file");
		}
		else
		{
			$node->command_ok(
				[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', $file ],
				"restore $file");
		}
	}
	return;
}

sub check
{
	my ($database, $how) = @_;

	is($node->safe_psql($database, $question), $answer, "$how: the model gives what it gave");
	# pg_dump --disable-triggers enables them again as ordinary ones
	my $there = $node->safe_psql($database, $trigger);
	$there =~ s/O$/A/ if $how =~ /triggers disabled/;
	is($there, $description, "$how: the description is the same");
	my $row = $node->safe_psql($database,
		q{UPDATE news.terms SET term = 'fox' WHERE term = 'elk'; SELECT one_hot('news.terms', 'fox') IS NOT NULL, one_hot('news.terms', 'elk') IS NOT NULL});
	is($row, 't|f', "$how: and notices changes");
	return;
}

# the whole database, as SQL, as rows in INSERTs, as an archive
restore('whole', dump_database('whole.sql'));
check('whole', 'whole database');
is($node->safe_psql('whole', 'SET ROLE reader; ' . q{SELECT tfidf('news.terms', 'bee') IS NOT NULL}),
	't', 'grants came along');
is($node->safe_psql('whole', 'SELECT body FROM news.best'), 'ant bee', 'a view over the model came along');

restore('inserts', dump_database('inserts.sql', '--inserts'));
check('inserts', 'rows as INSERTs');

restore('archive', dump_database('archive', '-Fd'));
check('archive', 'directory archive, parallel restore');

# the table alone; schema and data apart, also as INSERTs and without triggers
my @empty = ('CREATE EXTENSION embed', 'CREATE SCHEMA news');
restore('one_table', @empty, dump_database('one_table.sql', '-t', 'news.terms'));
check('one_table', 'one table');

my $schema = dump_database('schema.sql', '-s', '-t', 'news.terms');
restore('schema_data', @empty, $schema, dump_database('data.sql', '-a', '-t', 'news.terms'));
check('schema_data', 'schema, then data');

restore('schema_inserts', @empty, $schema, dump_database('data_inserts.sql', '-a', '--inserts', '-t', 'news.terms'));
check('schema_inserts', 'schema, then INSERTs');

restore('schema_disabled', @empty, $schema,
	dump_database('data_disabled.sql', '-a', '--disable-triggers', '-t', 'news.terms'));
check('schema_disabled', 'schema, then data with triggers disabled');

# the extension in another schema
restore('elsewhere', 'CREATE SCHEMA embeddings; CREATE EXTENSION embed SCHEMA embeddings');
$node->safe_psql('elsewhere', q{ALTER DATABASE elsewhere SET search_path = public, embeddings});
$node->safe_psql('elsewhere', q{
	CREATE TABLE texts (body text);
	INSERT INTO texts VALUES ('ant bee'), ('bee cow');
	SELECT train_vocabulary('terms', 'SELECT body FROM texts');});
my $elsewhere = "$dumps/elsewhere.sql";
$node->command_ok([ 'pg_dump', '-d', $node->connstr('elsewhere'), '-f', $elsewhere ], 'pg_dump, extension in a schema of its own');
restore('back', $elsewhere);
is($node->safe_psql('back', q{SELECT embeddings.one_hot('terms', 'bee')}),
	$node->safe_psql('elsewhere', q{SELECT embeddings.one_hot('terms', 'bee')}),
	'restored with the extension in a schema of its own');

$node->stop;
done_testing();
