# EmbedTest.pm: what the TAP tests of embed share.
#
#   use FindBin;
#   use lib $FindBin::RealBin;
#   use EmbedTest;
#   my $node = embed_node('main', 'shared_buffers = 128MB');
#
# A thin layer over PostgreSQL::Test::Cluster: see there for safe_psql,
# poll_query_until, backups and standbys.
package EmbedTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(cancelled_late embed_node init_node error_of kill_server wait_for_death is_long real_data random_seed
	start_statement strike temporary_files watch_build watch_until workers_running write_bert);

# A cluster that may have standbys and logical subscribers.  Further arguments
# are lines of postgresql.conf.
sub init_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	my @options = ('--locale=C.UTF-8', '--encoding=UTF8');

	# Tests that damage pages want the damage found by us; checksums, which 18
	# has by default, would find it first.
	push @options, '--no-data-checksums' if $node->pg_version >= 18;
	$node->init(allows_streaming => 'logical', extra => \@options);
	$node->append_conf('postgresql.conf', join("\n", @settings, ''));
	return $node;
}

# The same, running, with the extension in its database postgres.
sub embed_node
{
	my $node = init_node(@_);

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION embed');
	return $node;
}

# What psql prints to stderr for statements that must fail.
sub error_of
{
	my ($node, $sql, %options) = @_;
	my ($status, $stdout, $stderr) = $node->psql(
		$options{dbname} // 'postgres', $sql,
		extra_params => $options{extra_params} // []);

	fail("this should have failed: $sql") if $status == 0;
	return $stderr;
}

# Cancels a statement after so many milliseconds; returns how many more the session took to be free again, by the server's clock.
# settings: statements before it
sub cancelled_late
{
	my ($node, $settings, $statement, $after) = @_;
	my ($stdout, $stderr);

	$node->psql('postgres', qq{$settings
		SELECT clock_timestamp() AS begun \\gset
		SET statement_timeout = '${after}ms';
		$statement;
		SET statement_timeout = 0;
		SELECT 1000 * extract(epoch FROM clock_timestamp() - :'begun'::timestamptz) - $after;},
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	like($stderr, qr/canceling statement due to statement timeout/, "cancelled after $after ms");
	return $stdout;
}

# Run a statement in the background; its "err" is what psql prints to stderr,
# its "run" can be finished.
sub start_statement
{
	my ($node, $statement) = @_;
	my $started = { out => '', err => '' };
	$started->{run} = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1', '-c', $statement ],
		'<', \undef, '>', \$started->{out}, '2>', \$started->{err});
	return $started;
}

# Poll until $done says so of the answer; undef after a minute.
sub watch_until
{
	my ($node, $sql, $done) = @_;
	my $until = time + 60;
	while (time < $until)
	{
		my $answer = $node->safe_psql('postgres', $sql);
		return $answer if $done->($answer);
		sleep(0.01);
	}
	return;
}

# Wait until a DO statement with this text in it has begun; the question has it
# too.
sub wait_for_loop
{
	my ($node, $text) = @_;
	watch_until($node, qq{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%$text%'}, sub { $_[0] > 1 })
		// die "no statement with $text";
	return;
}

# Run a statement that builds an index.  Every millisecond of it leaves a row
# of these columns of pg_stat_progress_create_index in the table "watched".
# From within the server, because a phase may be over before a client has asked
# twice.
sub watch_build
{
	my ($node, $statement, $columns) = @_;
	$node->safe_psql('postgres', qq{
		DROP TABLE IF EXISTS watched;
		CREATE TABLE watched AS SELECT $columns FROM pg_stat_progress_create_index WHERE false});
	my $watcher = start_statement($node, qq{
		DO \$\$
		DECLARE
			seen bool := false;
			deadline timestamptz := clock_timestamp() + '1 minute';
		BEGIN
			WHILE clock_timestamp() < deadline LOOP
				PERFORM pg_stat_clear_snapshot();
				INSERT INTO watched SELECT $columns FROM pg_stat_progress_create_index;
				EXIT WHEN seen AND NOT FOUND;
				seen := seen OR FOUND;
				PERFORM pg_sleep(0.001);
			END LOOP;
		END \$\$});
	wait_for_loop($node, 'INTO watched');
	my $build = start_statement($node, $statement);
	$build->{run}->finish;
	is($build->{err}, '', 'built');
	$watcher->{run}->finish;
	is($watcher->{err}, '', 'watched');
	return;
}

# Run a statement, and this query from within the server until it has returned
# a row: it cancels or terminates something as soon as it is there.  Gives the
# statement, and the milliseconds from the blow to its end.
sub strike
{
	my ($node, $statement, $query) = @_;
	my $striker = start_statement($node, qq{
		DO \$\$
		DECLARE deadline timestamptz := clock_timestamp() + '1 minute';
		BEGIN
			LOOP
				PERFORM pg_stat_clear_snapshot();
				PERFORM * FROM ($query) AS struck;
				EXIT WHEN FOUND;
				IF clock_timestamp() > deadline THEN
					RAISE 'nothing to strike within a minute';
				END IF;
				PERFORM pg_sleep(0.0005);
			END LOOP;
		END \$\$});
	wait_for_loop($node, 'AS struck');
	my $struck = start_statement($node, $statement);
	$striker->{run}->finish;
	my $began = time;
	$struck->{run}->finish;
	is($striker->{err}, '', 'struck');
	return ($struck, 1000 * (time - $began));
}

# Their names, images of models apart
sub temporary_files
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{
		SELECT coalesce(string_agg(f, ' '), '')
		FROM pg_ls_dir('base/pgsql_tmp', true, false) f WHERE f NOT LIKE 'pgsql_tmp_embed.%'});
}

# A BERT of random weights, as a folder that is made; the bytes of its weights.
# Numbers come from rand: call random_seed before.
sub write_bert
{
	my ($folder, %of) = @_;
	my ($hidden, $units) = ($of{hidden}, $of{units});
	my @words = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '.', @{ $of{words} });
	my $pool = join '', map { pack 'f<', (rand(2) - 1) * 0.08 } 1 .. 50_021;
	my @tensors = (
		[ 'embeddings.word_embeddings.weight', scalar @words, $hidden ],
		[ 'embeddings.position_embeddings.weight', $of{places}, $hidden ],
		[ 'embeddings.token_type_embeddings.weight', 2, $hidden ],
		[ 'embeddings.LayerNorm.weight', $hidden ], [ 'embeddings.LayerNorm.bias', $hidden ]);

	foreach my $layer (0 .. $of{layers} - 1)
	{
		foreach my $part ([ 'attention.self.query', $hidden, $hidden ], [ 'attention.self.key', $hidden, $hidden ],
			[ 'attention.self.value', $hidden, $hidden ], [ 'attention.output.dense', $hidden, $hidden ],
			[ 'attention.output.LayerNorm', $hidden ], [ 'intermediate.dense', $units, $hidden ],
			[ 'output.dense', $hidden, $units ], [ 'output.LayerNorm', $hidden ])
		{
			my ($name, @shape) = @$part;
			push @tensors, [ "encoder.layer.$layer.$name.weight", @shape ], [ "encoder.layer.$layer.$name.bias", $shape[0] ];
		}
	}
	my ($head, $data, $end) = ('', '', 0);
	foreach my $tensor (@tensors)
	{
		my ($name, @shape) = @$tensor;
		my $count = $shape[0] * ($shape[1] // 1);
		my $begin = $end;
		my $bytes = '';

		$end += 4 * $count;
		$head .= ($head eq '' ? '{' : ',') . qq("$name":{"dtype":"F32","shape":[) . join(',', @shape) . qq(],"data_offsets":[$begin,$end]});
		$bytes .= substr $pool, 4 * int(rand 5000), 4 * 45_000 while length $bytes < 4 * $count;
		$data .= $name =~ /LayerNorm.weight/ ? pack('f<*', map { 1 + $_ / 1e4 } 1 .. $count) : substr($bytes, 0, 4 * $count);
	}
	$head .= '}';
	my $vocabulary = scalar @words;
	my %files = (
		'model.safetensors' => pack('Q<', length $head) . $head . $data,
		'vocab.txt' => join('', map { "$_\n" } @words),
		'config.json' => qq({"architectures": ["BertModel"], "model_type": "bert", "hidden_size": $hidden, "num_hidden_layers": $of{layers},
			"num_attention_heads": $of{heads}, "intermediate_size": $units, "max_position_embeddings": $of{places}, "type_vocab_size": 2,
			"vocab_size": $vocabulary}));

	mkdir $folder or die "$folder: $!";
	foreach my $name (keys %files)
	{
		open my $file, '>:raw', "$folder/$name" or die "$name: $!";
		print $file $files{$name};
		close $file or die $!;
	}
	return $end;
}

# SQL: process numbers of parallel workers.
sub workers_running
{
	return q{SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'parallel worker'};
}

# kill -9 of the postmaster and every child at once: what a power cut leaves,
# as far as one machine can show it.  Start the node again to recover.
sub kill_server
{
	my ($node) = @_;
	my ($postmaster) = split(/\n/, slurp_file($node->data_dir . '/postmaster.pid'));

	# Stopped first, it cannot start a child that the list does not have.
	kill('STOP', $postmaster);
	my @children = split(' ', `ps -o pid= --ppid $postmaster`);

	kill('KILL', $postmaster, @children);
	wait_for_death($postmaster, @children);

	# A zombie still answers to the question whether its lock files are in use,
	# and the init process of a container may be slow to bury it, or never do.
	unlink($node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock');
	$node->{_pid} = undef;
	return;
}

# Processes not ours cannot be waited for; their end can be seen.
sub wait_for_death
{
	my @pids = @_;

	foreach my $attempt (1 .. 1800)
	{
		@pids = grep { kill(0, $_) && !is_zombie($_) } @pids;
		return if !@pids;
		select(undef, undef, undef, 0.1);
	}
	die "still alive after KILL: @pids";
}

# Also one that is gone by the time its entry is read.
sub is_zombie
{
	my ($pid) = @_;

	open(my $stat, '<', "/proc/$pid/stat") or return 1;
	my $line = <$stat>;
	close($stat);
	return !defined $line || $line =~ /\) [ZX]/;
}

# True under `sh test/run.sh --long`: run the many rounds.
sub is_long
{
	return $ENV{EMBED_LONG} ? 1 : 0;
}

# The path of a file of real data, or undef where there is none; then skip,
# and say why.
sub real_data
{
	my ($path) = @_;

	return if !$ENV{EMBED_DATA} || !-e "$ENV{EMBED_DATA}/$path";
	return "$ENV{EMBED_DATA}/$path";
}

# A seed, printed so that a failure can be repeated: EMBED_SEED=n.
sub random_seed
{
	my $seed = $ENV{EMBED_SEED} // int(rand(2**31));

	note("EMBED_SEED=$seed");
	srand($seed);
	return $seed;
}

1;
