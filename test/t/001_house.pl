# Broken if this fails: the extension cannot be installed by an ordinary
# owner of a database, leaves something behind when dropped, has an object
# without a comment, or loads more than it should into a backend.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');

# Every object has a comment, one line.
my $objects = q{
	SELECT pg_describe_object(classid, objid, objsubid) AS object,
		   coalesce(obj_description(objid, classid::regclass::name), '') AS comment
	FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	  AND classid NOT IN ('pg_amop'::regclass, 'pg_amproc'::regclass)
	  AND NOT (classid = 'pg_type'::regclass
			   AND objid IN (SELECT typarray FROM pg_type UNION SELECT reltype FROM pg_class))
};
is( $node->safe_psql('postgres', "SELECT object FROM ($objects) AS o WHERE comment = '' ORDER BY 1"),
	'', 'every object has a comment');
is( $node->safe_psql(
		'postgres', "SELECT object FROM ($objects) AS o WHERE comment LIKE E'%\\n%' ORDER BY 1"),
	'', 'every comment is one line');

# Reading a model is stable, training is unsafe; nothing that SQL may call is
# volatile and parallel safe at once.
is( $node->safe_psql('postgres', q{
	SELECT p.oid::regprocedure FROM pg_proc AS p
	JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'embed'
	WHERE p.provolatile = 'v' AND p.proparallel = 's'
	  AND NOT ('internal'::regtype = ANY (p.proargtypes)) ORDER BY 1}),
	'', 'no volatile function is labelled parallel safe');

# A database's owner may install it: the extension is trusted.
$node->safe_psql('postgres', q{
	CREATE ROLE owner LOGIN;
	CREATE DATABASE theirs OWNER owner;});
$node->safe_psql('theirs', 'SET ROLE owner; CREATE SCHEMA embeddings; CREATE EXTENSION embed SCHEMA embeddings;');
is( $node->safe_psql('theirs', 'SELECT extowner::regrole FROM pg_extension WHERE extname = \'embed\''),
	'owner', 'the owner of a database may install it, in a schema of its own');

# Dropped, it is gone.
$node->safe_psql('theirs', 'SET ROLE owner; DROP EXTENSION embed');
is( $node->safe_psql('theirs', q{
	SELECT count(*) FROM pg_proc WHERE probin LIKE '%embed%'
	UNION ALL SELECT count(*) FROM pg_depend WHERE refobjid = 'embeddings'::regnamespace AND deptype = 'n'}),
	"0\n0", 'nothing is left after DROP EXTENSION');

$node->stop;
done_testing();
