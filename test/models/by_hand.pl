# by_hand.pl: models made by hand, of random options and random rows.
#
# Broken if this fails: a table that anybody may write crashes the server,
# makes it loop or takes its memory.  A model is a table with a trigger, so its
# owner can put anything there: options of the wrong kind, huge or twice, rows
# that contradict one another or row 0.  Every call on it must end within five
# seconds in a result or in an error that says what is wrong.
#
#   perl test/models/by_hand.pl         against the server that psql reaches
#
# EMBED_SEED      repeat a run; each batch has a seed of its own, printed with
#                 what it found
# EMBED_BATCH     run only this batch of it
# EMBED_MODELS    how many models (default: 20,000)
# EMBED_JOBS      sessions at a time (default: 2)
#
# What there is to call, and what a model may look like, is asked from the
# server, so that a new method or function is tested without a change here:
# methods, options and columns from the errors that name them, functions from
# the catalog.  Everything is done by psql, one statement a line, as a user
# without privileges; a fault is told with the lines that lead to it.
use strict;
use warnings;
use File::Temp qw(tempdir);
use POSIX ();

my $seed = $ENV{EMBED_SEED} // int(rand(2**31));
my $wanted = $ENV{EMBED_MODELS} // 20_000;
my $jobs = $ENV{EMBED_JOBS} // 2;
my $batch_size = 100;
my $batch_limit = 200;    # seconds
my $memory_limit = 1024;    # megabytes a backend
my $directory = tempdir(CLEANUP => 1);
my $owner = $ENV{PGUSER} // 'postgres';

sub slurp
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!";
	local $/;
	return <$handle> // '';
}

# Run SQL as a user; its rows, and what it says on stderr.
sub ask
{
	my ($user, $sql) = @_;
	open(my $handle, '>', "$directory/ask.sql") or die $!;
	print $handle $sql;
	close($handle);
	my $out = `PGUSER=$user psql -XqAt -v VERBOSITY=verbose -f $directory/ask.sql 2>$directory/ask.err`;
	return ($out, slurp("$directory/ask.err"));
}

sub must
{
	my ($user, $sql) = @_;
	my ($out, $err) = ask($user, $sql);
	die "setting up: $err" if $err =~ /ERROR|FATAL|error:/;
	return $out;
}

# ---------------------------------------------------------------------------
# What the server offers.
# ---------------------------------------------------------------------------

must($owner, qq{
	SET client_min_messages = warning;
	DROP SCHEMA IF EXISTS by_hand CASCADE;
	DO \$\$ BEGIN
		IF to_regrole('by_hand') IS NOT NULL THEN
			DROP OWNED BY by_hand CASCADE;
			DROP ROLE by_hand;
		END IF;
	END \$\$;
	CREATE EXTENSION IF NOT EXISTS embed;
	CREATE ROLE by_hand LOGIN;
	CREATE SCHEMA by_hand AUTHORIZATION by_hand;
	ALTER ROLE by_hand SET search_path = by_hand, public;
	ALTER ROLE by_hand SET statement_timeout = '5s';
	ALTER ROLE by_hand SET synchronous_commit = off;
	ALTER ROLE by_hand SET embed.progress = off;
	-- the most that this session's process ever had in memory
	CREATE FUNCTION by_hand.check_memory() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog AS \$\$
	DECLARE
		peak int := substring(pg_read_file('/proc/self/status', 0, 8192) from 'VmHWM:\\s+(\\d+)')::int / 1024;
	BEGIN
		IF peak > $memory_limit THEN
			RAISE EXCEPTION USING ERRCODE = 'MMMMM', MESSAGE = 'memory of this backend: ' || peak || ' MB';
		END IF;
	END \$\$;
	SET ROLE by_hand;
	-- whether a model can be used with that option, as far as these calls tell
	CREATE FUNCTION accepted(model regclass, method text, option text, calls text[]) RETURNS boolean LANGUAGE plpgsql AS \$\$
	DECLARE
		call text;
	BEGIN
		PERFORM register_model(model, method, 'embed_words', VARIADIC ARRAY['dims=4', option]);
		FOREACH call IN ARRAY calls LOOP
			EXECUTE call;
		END LOOP;
		RAISE EXCEPTION USING ERRCODE = 'AAAAA';
	EXCEPTION
		WHEN SQLSTATE 'AAAAA' THEN RETURN true;
		WHEN OTHERS THEN RETURN false;
	END \$\$;
	CREATE TABLE texts (id int, body text, word text, other text, score float8);
	INSERT INTO texts VALUES (1, 'cat dog', 'cat', 'dog', 1), (2, 'ab abc', 'ab', 'abc', 2), (3, NULL, NULL, '', 'NaN');
	CREATE TABLE shapeless (id int PRIMARY KEY);
	INSERT INTO shapeless VALUES (0);
});

# "Use one of a, b, c." in a hint
sub named
{
	my ($sql) = @_;
	my (undef, $err) = ask('by_hand', $sql);
	$err =~ /one of (.*?)\.?$/m or die "no names in: $err";
	return grep { /^\w+$/ } split(/, | and | or /, $1);
}

# Every kind of value an option may be given, right and wrong.
my @numbers = (
	0 .. 8, 10, 16, 50, 100, 1000, 2000, 16000, 16001, 65535, 65536, 1_000_000, 4_286_395,
	2_147_483_647, 2_147_483_648, -1, -2, -2_147_483_648, '4294967296', '9223372036854775807',
	'-9223372036854775808', '99999999999999999999999');
my @values = (
	@numbers, '0.5', '0.001', '0.025', '-0.5', '1e308', '1e-320', '1e999', 'nan', 'inf', '1_000', '0x10', ' 4', '4 ',
	'4x', '', ' ', '=', 'a=b', 'true', 'false', 'on', 'off', 'none', 'null', 'NULL', 'mean', 'tfidf', 'sif', 'max', 'cls',
	'frequency', 'term', 'skipgram', 'cbow', 'public.embed_words', 'public.embed_whitespace', 'pg_catalog.english',
	'pg_catalog.simple', 'no_such.thing', 'simple', '"', q{'}, "\x{e4}\x{f6}", "\x{1f600}", 'x' x 300, '.', '..', 'public.', '12345');
utf8::encode($_) foreach @values;

sub quoted
{
	my ($text) = @_;
	return 'NULL' if !defined $text;
	$text =~ s/'/''/g;
	return "'$text'";
}

# name => [ [ argument, type, has a default ], ... ], of each function that
# takes a model or the name of one
my @functions;
foreach my $line (split(/\n/, must($owner, q{
	SELECT p.proname || '|' || string_agg(concat_ws(' ', n.name, replace(format_type(t.type, NULL), ' ', '_'),
			CASE WHEN t.place > pronargs - pronargdefaults THEN 'default' ELSE 'needed' END), '|' ORDER BY t.place)
	FROM pg_depend AS d
	JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'embed'
	JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid,
	unnest(p.proargtypes) WITH ORDINALITY AS t (type, place)
	JOIN LATERAL unnest(p.proargnames) WITH ORDINALITY AS n (name, place) ON n.place = t.place
	WHERE p.provariadic = 0 AND p.prokind = 'f' AND (p.proargnames)[1] = 'model'
	GROUP BY p.oid, p.proname ORDER BY p.proname, p.oid})))
{
	my ($name, @arguments) = split(/\|/, $line);
	push @functions, [ $name, map { [ split / / ] } @arguments ];
}
die 'no functions found' if @functions < 10;

# name => { columns => [ [ name, type ], ... ], functions => [ those that do not
# refuse the method ], options => { name => [ values that are taken ] } }
my %methods;

sub make_shaped
{
	my ($columns) = @_;
	my $definition = join(', ', map { "$_->[0] $_->[1]" } @$columns);
	my @rows = map {
		my $id = $_;
		join(', ', map { $_->[0] eq 'id' ? $id : $_->[1] eq 'bigint' ? 1 : $id == 0 ? 'NULL' :
			$_->[1] eq 'text' ? "'cat'" : $_->[1] eq 'vector' ? "'[1,2,3,4]'" : 'NULL' } @$columns)
	} 0, 1;
	must('by_hand', "DROP TABLE IF EXISTS shaped; CREATE TABLE shaped ($definition, PRIMARY KEY (id));" .
		'INSERT INTO shaped VALUES (' . join('), (', @rows) . ');');
	return;
}

# A call of a function with right arguments
sub plain_call
{
	my ($name, @arguments) = @{ $_[0] };
	my %right = (text => "'cat'", 'text[]' => "ARRAY['cat']", vector => "'[1,2,3,4]'::vector", sparsevec => "'{1:1}/4'::sparsevec");
	return "SELECT * FROM $name(" . join(', ', map {
		qq{"$_->[0]" => } . ($_->[0] eq 'model' ? "'shaped'" : $right{ $_->[1] } // 'NULL::' . $_->[1] =~ tr/_/ /r)
	} grep { $_->[2] eq 'needed' } @arguments) . ')';
}

foreach my $method (named("SELECT register_model('shapeless', 'no_such_method');"))
{
	my (undef, $err) = ask('by_hand', "SELECT register_model('shapeless', '$method');");
	$err =~ /model has the columns \((.*?)\)\.$/m or die "no columns of $method in: $err";
	my @columns = map { [ split(/ /, $_, 2) ] } split(/, (?=\w+ \w)/, $1);
	make_shaped(\@columns);
	my @names = named("SELECT register_model('shaped', '$method', 'embed_words', 'no_such_option=1');");
	if (!grep { $_ eq 'dims' } @names)
	{
		print "$method: a table of tensors and files, which test/sql/import_model.sql damages by hand\n";
		next;
	}
	must('by_hand', "SELECT register_model('shaped', '$method', 'embed_words', 'dims=4');");
	my (@usable, @calls);
	foreach my $function (@functions)
	{
		my $call = plain_call($function);
		my (undef, $told) = ask('by_hand', "BEGIN; $call; ROLLBACK;");
		push @usable, $function if $told !~ /ERROR:  42809/;
		push @calls, $call if $told !~ /ERROR/ && $function->[0] !~ /^(train|import|export|evaluate)_/;
	}
	die "no function works with a $method model" if !@calls;
	make_shaped(\@columns);
	my %options;
	foreach my $name (@names)
	{
		my $taken = must('by_hand', sprintf(q{
			SELECT place - 1 FROM unnest(ARRAY[%s]) WITH ORDINALITY AS v (value, place)
			WHERE accepted('shaped', '%s', '%s=' || value, ARRAY[%s]);},
			join(', ', map { quoted($_) } @values), $method, $name, join(', ', map { quoted($_) } @calls)));
		$options{$name} = [ map { $values[$_] } split(/\n/, $taken) ];
		# a vector of doc2vec takes so many passes over its text: no fault, but hours
		@{ $options{$name} } = grep { $_ !~ /^\d+$/ || $_ <= 1000 } @{ $options{$name} } if $name eq 'epochs';
	}
	$methods{$method} = { columns => \@columns, options => \%options, functions => \@usable };
	printf "%s (%s): %s; %s\n", $method, join(', ', map { join(' ', @$_) } @columns), join(' ', map { $_->[0] } @usable),
		join(', ', map { "$_ takes " . scalar(@{ $options{$_} }) . ' of ' . @values } sort keys %options);
}
die 'no method found' if !%methods;

# ---------------------------------------------------------------------------
# Random things.
# ---------------------------------------------------------------------------

sub one { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my @words = (
	'cat', 'dog', 'Cat', 'ab', 'abc', 'a b', 'dog cat', '<ab>', '<ab', '', ' ', "\xc3\xa4", "\xf0\x9f\x98\x80", '-', "it''s", 'k' x 40);

sub random_text
{
	my $kind = rand();
	return 'NULL' if $kind < 0.03;
	return "repeat('" . one('abcdefghij', 'cat dog ', "\xc3\xa4", ' ') . "', " . one(1, 99, 5000) . ')' if $kind < 0.08;
	return quoted_word(one(@words)) if $kind < 0.5;
	return quoted_word(join(' ', map { one(@words) } 1 .. one(1, 2, 5, 30)));
}
sub quoted_word { return "'$_[0]'" }

sub random_number
{
	my ($type) = @_;
	my $limit = $type eq 'bigint' ? '9223372036854775807' : '2147483647';
	return chance(0.8) ? int(rand(20)) : one("$limit", "(-${limit} - 1)", -1, 1_000_000, 0, 'NULL');
}

sub random_float
{
	return chance(0.7)
		? sprintf('%.3g', rand(4) - 2)
		: one('0', '1', '1e38', '-3.4e38', '1e-45', '1e300', "'NaN'::float8", "'inf'::float8", '-1', '0.75', '1e-300');
}

sub random_vector
{
	my ($dims) = @_;
	my $scale = chance(0.9) ? 1 : one(0, 1e38, 1e-44, 1e-20);
	return "array_fill(0.5::real, ARRAY[$dims])::vector" if $dims > 40;
	return "'[" . join(',', map { sprintf('%.4g', (rand(2) - 1) * $scale) } 1 .. $dims) . "]'::vector";
}

sub random_value    # of a column or an argument
{
	my ($type, $name, $dims) = @_;
	$type =~ s/_/ /g;
	return random_text() if $type eq 'text' && $name !~ /^(pooling|prompt|tf|idf|norm|variant|sort by|query|corpus|algorithm)$/;
	return random_query() if $type eq 'text' && $name =~ /^(query|corpus)$/;
	return chance(0.8)
		? quoted(one(qw(raw log augmented binary share l1 l2 none max smooth standard textbook log1p probabilistic lucene
			robertson okapi atire bm25l bm25plus mean tfidf sif term frequency skipgram cbow)))
		: random_text() if $type eq 'text';
	return random_number($type) if $type =~ /^(integer|bigint|smallint)$/;
	return random_float() if $type =~ /^(real|double precision|numeric)$/;
	return random_vector(chance(0.9) ? $dims : one(1, 3, 5, 16000)) if $type eq 'vector';
	return quoted('{' . join(',', map { "$_:" . one(1, 0.5, -2, '1e38') } grep { chance(0.4) } 1 .. 8) . '}/' . one(8, $dims < 8 ? 8 : $dims, 16, 1_000_000_000))
		. '::sparsevec' if $type eq 'sparsevec';
	return 'ARRAY[' . join(', ', map { random_text() } 1 .. one(1, 2, 3, 40)) . ']::text[]' if $type eq 'text[]';
	return 'ARRAY[' . join(', ', map { int(rand(9)) - 1 } 1 .. one(1, 2, 3, 9)) . "]::$type" if $type =~ /\[\]$/;
	return one('true', 'false', 'NULL') if $type eq 'boolean';
	return quoted(one('embed_words', 'embed_whitespace', 'english', 'simple')) if $type eq 'regconfig';
	return "decode(repeat('" . one('00', 'ff', '01000000', '7b7d') . "', " . one(0, 1, 4, 100, 3000) . "), 'hex')" if $type eq 'bytea';
	return one("'{}'", "'{\"a\": [1, 2]}'", "'null'") if $type =~ /^jsonb?$/;
	return 'NULL';
}

sub random_query
{
	return quoted(one(
		'SELECT body FROM by_hand.texts', 'SELECT word, other FROM by_hand.texts', 'SELECT word, other, score FROM by_hand.texts',
		'SELECT body, word, other, body FROM by_hand.texts', q{SELECT 'a'::text, 'cat'::text, 'dog'::text, 'ab'::text, 'abc'::text},
		q{SELECT ''::text}, 'SELECT 1', 'SELECT', 'nonsense', 'SELECT body FROM by_hand.texts, generate_series(1, 50)'));
}

# The arguments of the trigger: a list.
sub random_options
{
	my ($method, $dims) = @_;
	my $options = $methods{$method}->{options};
	my @list;
	my $share = one(0.3, 0.9);
	foreach my $name (sort keys %$options)
	{
		next if !chance($share) || $name eq 'dims' || $name eq 'config';
		my $taken = $options->{$name};
		my @small = grep { /^[1-8]$/ } @$taken;
		push @list, "$name=" . (@small && chance(0.6) ? one(@small) : one(@$taken)) if @$taken;
	}
	unshift @list, 'dims=' . (chance(0.85) ? $dims : one(@numbers)) if chance(0.97);
	unshift @list, 'config=' . one('public.embed_words', 'public.embed_whitespace', 'pg_catalog.english', 'pg_catalog.simple') if chance(0.97);
	# one of them is wrong, in a third of the models
	if (chance(0.35))
	{
		my $name = one(sort keys %$options);
		push @list, chance(0.9) ? "$name=" . (chance(0.5) ? one(@numbers) : one(@values)) : one($name, "=$name", "no_such_option=1", '', uc($name) . '=1');
	}
	@list = reverse @list if chance(0.1);
	push @list, @list if chance(0.03);
	splice(@list, 0, 1) if chance(0.03);
	return ((chance(0.99) ? $method : one(@values, sort keys %methods)), @list);
}

# One row of values.  A clean one is as a training would make it: row 0 without
# word and vector, buckets of subwords (from a thousand million) without word.
sub random_row
{
	my ($columns, $id, $dims, $clean) = @_;
	my @row;
	foreach my $column (@$columns)
	{
		my ($name, $type) = @$column;
		my $right = $clean || chance(0.9);
		if ($name eq 'id') { push @row, $id }
		elsif ($right && $type eq 'bigint') { push @row, $id eq '0' ? one(3, 100) : 1 }
		elsif ($right && $id eq '0') { push @row, 'NULL' }
		elsif ($right && $type eq 'text') { push @row, $id =~ /^1\d{9}$/ ? 'NULL' : "'w$id'" }
		elsif ($right && $type eq 'vector') { push @row, random_vector($dims) }
		elsif ($type eq 'vector') { push @row, chance(0.2) ? 'NULL' : random_vector(one(1, 2, 3, 5, 2000)) }
		else { push @row, chance(0.2) ? 'NULL' : random_value($type, $name, $dims) }
	}
	return '(' . join(', ', @row) . ')';
}

# Rows; their number is often one that an option says.
sub random_rows
{
	my ($table, $columns, $dims, @options) = @_;
	my @said = grep { $_ > 0 && $_ <= 64 } map { /=(\d+)$/ ? $1 : () } @options;
	my $buckets = grep { /bucket/ } @options;
	my $many = @said && chance(0.3) ? one(@said) : one(0, 1, 2, 5, 5, 12, 40);
	my $clean = chance(0.7);
	my @ids = chance(0.98) ? (0) : ();
	push @ids, 1 .. $many;
	push @ids, map { -$_ } 1 .. one(1, 3) if chance(0.15);
	my $high = (@said && chance(0.7) ? one(@said) : one(1, 2, 3, 8)) - 1;
	push @ids, map { 1_000_000_000 + $_ } 0 .. $high if chance($buckets ? 0.7 : 0.1);
	push @ids, one(2_147_483_647, '(-2147483647 - 1)', 1_999_999_999, 1_000_000, 500, $dims, $dims - 1) if chance(0.1);
	push @ids, 0, 1 if chance(0.05);
	@ids = reverse @ids if chance(0.2);
	return '' if !@ids;
	# words of the vocabulary that texts also have
	my $rows = join(', ', map { random_row($columns, $_, $dims, $clean) } @ids);
	my @common = ('cat', 'dog', 'ab', 'abc');
	$rows =~ s/'w([1-4])'/"'" . $common[$1 - 1] . "'"/ge;
	return "INSERT INTO $table VALUES $rows ON CONFLICT DO NOTHING;\n";
}

# Most calls are of functions for this method.
sub random_call
{
	my ($table, $method, $dims) = @_;
	my ($name, @arguments) = @{ one(chance(0.9) ? @{ $methods{$method}->{functions} } : @functions) };
	return '' if $name =~ /^(train|import)_/ && !chance(0.1);
	my $of_name = $arguments[0]->[1] eq 'text';
	my @given;
	foreach my $argument (@arguments)
	{
		my ($key, $type, $default) = @$argument;
		my $value = $key eq 'model' ? "'$table'" : random_value($type, $key, $dims);
		$value = 'true' if $key eq 'replace';
		$value = "'$table'" if $type eq 'regclass';
		$value = one(1, 2, 5) if $key eq 'epochs';
		$value = 1 if $key eq 'workers';
		# an ELMo of the usual size takes seconds for any text
		my $small = $name eq 'train_elmo' && $key =~ /^(epochs|hidden|negatives|dims)$/;
		$value = one(-1, 0, 1, 2, 16) if $small && $key ne 'epochs';
		next if $default eq 'default' && $key ne 'replace' && !$small && chance($of_name ? 0.8 : 0.5);
		next if $key =~ /^(file|large_object)$/;
		push @given, qq{"$key" => $value};
	}
	my $call = "$name(" . join(', ', @given) . ')';
	return "SELECT lo_unlink($call);\n" if $name eq 'export_word_vectors';
	return "SELECT * FROM $call;\n";
}

sub random_change
{
	my ($table, $columns, $dims) = @_;
	my $column = one(@$columns)->[0];
	return one(
		"UPDATE $table SET $column = NULL WHERE id = " . one(0, 1, 2) . ";\n",
		"DELETE FROM $table WHERE id = " . one(0, 1, 2) . ";\n",
		"TRUNCATE $table;\n",
		"INSERT INTO $table SELECT * FROM $table ON CONFLICT DO NOTHING;\n",
		"ALTER TABLE $table ADD COLUMN extra" . int(rand(1000)) . " int DEFAULT 1;\n",
		"ALTER TABLE $table DROP COLUMN $column;\n",
		"ALTER TABLE $table RENAME COLUMN $column TO renamed;\n",
		"ALTER TABLE $table ALTER COLUMN $column TYPE text;\n",
		"ALTER TABLE $table DROP CONSTRAINT ${table}_pkey;\n",
		"CREATE INDEX ON $table (id) WHERE id > 3;\n",
		"CREATE TABLE ${table}_child () INHERITS ($table);\n",
		"VACUUM $table;\n",
		"SELECT embed_images(clear => true);\n",
		random_rows($table, $columns, $dims));
}

# A table, made a model by hand some times over.  Returns SQL and the number of
# models.
sub random_table
{
	my ($table) = @_;
	my $method = one(sort keys %methods);
	my $columns = $methods{$method}->{columns};
	my $dims = chance(0.6) ? 64 : one(1, 2, 4, 8, 17);
	my $typed = chance(0.7) ? "($dims)" : '';
	my @definition = map { "$_->[0] " . ($_->[1] eq 'vector' ? "vector$typed" : $_->[1]) } @$columns;
	$definition[-1] =~ s/ .*/ text/ if chance(0.02);
	push @definition, 'PRIMARY KEY (' . (chance(0.97) ? 'id' : "id, $columns->[1]->[0]") . ')' if chance(0.98);
	my $in_transaction = chance(0.15);
	my $sql = $in_transaction ? "\\set ON_ERROR_ROLLBACK on\nBEGIN;\n" : '';
	$sql .= 'CREATE ' . (chance(0.2) ? 'UNLOGGED ' : '') . "TABLE $table (" . join(', ', @definition) . ");\n";
	my $filled = chance(0.5);
	$sql .= random_rows($table, $columns, $dims) if $filled;
	my $models = one(2 .. 6);
	foreach my $model (1 .. $models)
	{
		my @options = random_options($method, $dims);
		$sql .= "\\warn model\nDROP TRIGGER IF EXISTS embed_model ON $table;\n" if $model > 1;
		$sql .= "CREATE TRIGGER embed_model AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON $table FOR EACH STATEMENT "
			. 'EXECUTE FUNCTION public.embed_model(' . join(', ', map { quoted($_) } @options) . ");\n";
		$sql .= random_rows($table, $columns, $dims, @options) if $model == 1 && !$filled;
		# new rows for old, so that one bad row does not spoil the rest
		$sql .= "DELETE FROM $table;\n" . random_rows($table, $columns, $dims, @options) if $model > 1 && chance(0.7);
		$sql .= random_change($table, $columns, $dims) if $model == $models || chance(0.1);
		$sql .= random_call($table, $method, $dims) for 1 .. 6;
		$sql .= "SELECT * FROM embed_models();\n" if chance(0.02);
	}
	$sql .= one('COMMIT', 'ROLLBACK') . ";\n\\set ON_ERROR_ROLLBACK off\n" if $in_transaction;
	$sql .= "DROP TABLE IF EXISTS $table CASCADE;\nSELECT check_memory();\n";
	return ($sql, $models);
}

# ---------------------------------------------------------------------------
# Batches, and what they find.
# ---------------------------------------------------------------------------

sub write_batch
{
	my ($number) = @_;
	my $file = "$directory/batch$number.sql";
	my $models = 0;
	srand($seed + 7919 * $number);
	open(my $handle, '>', $file) or die $!;
	print $handle "\\o /dev/null\n\\set VERBOSITY verbose\nSET client_min_messages = error;\n";
	for (my $table = 0; $models < $batch_size; $table++)
	{
		my ($sql, $count) = random_table("m${number}_$table");
		print $handle $sql;
		$models += $count;
	}
	close($handle);
	return ($file, $models);
}

# In a process of its own: run the batch, and leave what psql says beside it.
sub run_batch
{
	my ($number) = @_;
	my ($file) = write_batch($number);
	my $status = system("PGUSER=by_hand timeout -k 5 $batch_limit psql -Xq -f $file >/dev/null 2>$file.err");
	open(my $handle, '>>', "$file.err") or die $!;
	print $handle 'psql ended with status ', $status >> 8, "\n";
	close($handle);
	POSIX::_exit(0);
}

my %faults;    # what => [ how often, first script that shows it ]
my %states;
my ($calls, $made) = (0, 0);

# The lines of the table that a line belongs to, up to that line.
sub context_of
{
	my ($file, $line) = @_;
	my @lines = split(/\n/, slurp($file));
	$line = @lines if !defined $line || $line > @lines;
	my $first = $line - 1;
	$first-- while $first > 0 && $lines[$first] !~ /^CREATE (UNLOGGED )?TABLE m\d+_\d+ \(/;

	# reading changes nothing, as a rule; the whole batch is there to be repeated
	my @part = ((grep { !/^(SELECT|\\)/ } @lines[ $first .. $line - 2 ]), $lines[ $line - 1 ]);
	return join("\n", map { '    ' . (length($_) > 1500 ? substr($_, 0, 1500) . '...' : $_) } @part);
}

sub fault
{
	my ($what, $number, $file, $line) = @_;
	$faults{$what} //= [ 0, "  batch $number, line " . ($line // '?') . ":\n" . context_of($file, $line) ];
	$faults{$what}->[0]++;
	return;
}

sub read_batch
{
	my ($number) = @_;
	my $file = "$directory/batch$number.sql";
	my @said = split(/\n/, slurp("$file.err"));
	my $last = 3;
	foreach my $i (0 .. $#said)
	{
		my ($line) = $said[$i] =~ /^psql:\Q$file\E:(\d+): /;
		$last = $line if defined $line;
		if ($said[$i] =~ /(ERROR|FATAL|PANIC):  (\w{5}): (.*)/)
		{
			my ($state, $message) = ($2, $3);
			$states{$state}++;
			$message =~ s/m\d+_\d+/m/g;
			$message =~ s/\d+/N/g;
			fault("$state $message", $number, $file, $line) if $state =~ /^(XX|57014|57P|53|58|MMMMM)/;
		}
		elsif ($said[$i] =~ /server closed the connection|connection to server was lost|could not connect|connection to server/)
		{
			fault('the server died or could not be reached', $number, $file, $last);
			last;
		}
	}
	my ($status) = ($said[-1] // '') =~ /psql ended with status (\d+)/;
	fault("a call that cannot be cancelled: no end after $batch_limit seconds", $number, $file, $last) if ($status // 124) == 124;
	my $text = slurp($file);
	$calls += () = $text =~ /^SELECT /mg;
	$made += () = $text =~ /^CREATE TRIGGER/mg;
	wait_for_server() if ($status // 0) != 0;
	unlink($file, "$file.err");
	return;
}

# After a crash the server starts again by itself.
sub wait_for_server
{
	foreach (1 .. 120)
	{
		return if system("psql -XqAt -c 'SELECT 1' >/dev/null 2>&1") == 0;
		sleep(1);
	}
	die "the server does not come back\n";
}

print "EMBED_SEED=$seed\n";
$| = 1;
my @batches = defined $ENV{EMBED_BATCH} ? ($ENV{EMBED_BATCH}) : (1 .. POSIX::ceil($wanted / $batch_size));
my %running;
while (@batches || %running)
{
	while (@batches && keys %running < $jobs)
	{
		my $number = shift @batches;
		my $pid = fork() // die $!;
		run_batch($number) if $pid == 0;
		$running{$pid} = $number;
	}
	my $pid = wait();
	write_batch($running{$pid}) if !-e "$directory/batch$running{$pid}.sql";
	read_batch(delete $running{$pid});
}

print "$made models, $calls calls; errors by SQLSTATE: ",
	join(', ', map { "$_ $states{$_}" } sort { $states{$b} <=> $states{$a} } keys %states), "\n";
foreach my $what (sort { $faults{$b}->[0] <=> $faults{$a}->[0] } keys %faults)
{
	print "FAULT, $faults{$what}->[0] times: $what\n$faults{$what}->[1]\n";
}
must($owner, 'SET client_min_messages = warning; DROP SCHEMA by_hand CASCADE; DROP OWNED BY by_hand; DROP ROLE by_hand;');
exit(%faults ? 1 : 0);
