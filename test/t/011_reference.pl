# Broken if this fails: the reference (sql/README.md) or the README names an
# argument that a function has not, leaves one out, or says another default
# than the extension's script or code has.
#
# Three things are held against the catalogs:
# 1. Signatures: what stands in backticks in the first column of a table
#    "| function |", or at the beginning of a line.  "name => value" is an
#    argument with its default, "name" one that has none, "…" leaves some out.
# 2. Tables "| argument of `function` | default |".
# 3. The list "Every function", with types, which must be complete.
#
# An argument whose default in the script is NULL may have another one in the
# code.  What the reference says of it is then held against what is trained: by
# leaving it out, and by giving it.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');

# What users call: no members that types, operators, casts, aggregates, classes
# and access methods are made of.
my $members = q{
	SELECT p.oid, p.proname, p.prokind, p.proargnames, p.proargmodes, p.pronargs, p.pronargdefaults
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND p.oid NOT IN (SELECT castfunc FROM pg_cast) AND p.oid NOT IN (SELECT oprcode FROM pg_operator)
	AND p.oid NOT IN (SELECT amproc FROM pg_amproc) AND p.oid NOT IN (SELECT amhandler FROM pg_am)
	AND NOT EXISTS (SELECT FROM pg_aggregate WHERE p.oid IN (aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn))
	AND NOT EXISTS (SELECT FROM pg_type WHERE p.oid IN (typinput, typoutput, typreceive, typsend, typmodin, typmodout))
	AND p.prorettype <> 'internal'::regtype AND NOT 'internal'::regtype = ANY (p.proargtypes)
};

my %functions;    # name => [ { arguments => [ [ name, default or undef ] ] } ]
foreach my $line (split(/\n/, $node->safe_psql('postgres', qq{
	SELECT m.proname, m.oid, a.name, pg_get_function_arg_default(m.oid, a.place::int)
	FROM ($members) m
	LEFT JOIN LATERAL (SELECT name, row_number() OVER (ORDER BY place) AS place
		FROM unnest(m.proargnames, m.proargmodes) WITH ORDINALITY AS a (name, mode, place)
		WHERE coalesce(mode, 'i') IN ('i', 'v')) a ON true
	ORDER BY 1, 2, a.place})))
{
	my ($name, $oid, $argument, $default) = split(/\|/, $line, 4);
	my $overloads = $functions{$name} //= [];
	push @$overloads, { oid => $oid, arguments => [] } if !@$overloads || $overloads->[-1]{oid} ne $oid;
	push @{ $overloads->[-1]{arguments} }, [ $argument, $default eq '' ? undef : $default ] if $argument ne '';
}
cmp_ok(scalar(keys %functions), '>', 80, 'functions of the extension');

# ---------------------------------------------------------------------------
# Values as they are written, made comparable.
# ---------------------------------------------------------------------------

sub plain
{
	my ($value) = @_;

	$value =~ s/::[a-z ]+(?:\[\])?$//;
	$value =~ s/^'(?:public\.)?(.*)'$/'$1'/;
	return exp(1) if $value eq 'e';
	return 0 + $value if $value =~ /^-?[\d.]+(?:e-?\d+)?$/;
	return $value;
}

sub same { return plain($_[0]) eq plain($_[1]) || (plain($_[0]) =~ /^\d/ && plain($_[1]) =~ /^\d/ && abs(plain($_[0]) - plain($_[1])) < 1e-12); }

# Parts between commas that stand in no brackets and no quotes.
sub parts
{
	my ($list) = @_;
	my @parts = ('');

	while ($list =~ /\G('[^']*'|"[^"]*"|\([^()]*\)|.)/gs)
	{
		if ($1 eq ',') { push @parts, ''; }
		else { $parts[-1] .= $1; }
	}
	s/^\s+|\s+$//g foreach @parts;
	return grep { $_ ne '' } @parts;
}

my %documented;    # function => { argument => [ default as written, … ] }
my %mentioned;

# An argument as the text has it: does the function have it, with this default?
sub check_argument
{
	my ($overload, $argument, $written) = @_;
	my ($found) = grep { $_->[0] eq $argument } @{ $overload->{arguments} };

	return "has no argument $argument" if !$found;
	return "argument $argument has a default" if !defined $written && defined $found->[1];
	return "argument $argument has no default" if defined $written && !defined $found->[1];
	return '' if !defined $written || same($written, $found->[1]) || plain($found->[1]) eq 'NULL';
	return "default of $argument is $found->[1], not $written";
}

sub check_signature
{
	my ($name, $list, $where) = @_;
	my @wanted;
	my $whole = 1;

	foreach my $part (parts($list))
	{
		if ($part =~ /^(?:…|\.\.\.)$/) { $whole = 0; next; }
		my ($argument, $default) = $part =~ /^(.*?)(?:\s*=>\s*(.*))?$/s;
		$argument =~ s/^NULL:://;
		push @wanted, [ [ map { s/^"(.*)"$/$1/r } split(/\s*\\?\|\s*/, $argument) ], $default ];
	}
	my @problems;
	foreach my $overload (@{ $functions{$name} })
	{
		my @alternatives = map { @{ $_->[0] } > 1 } @wanted;
		my $problem = '';
		foreach my $wanted (@wanted)
		{
			my ($names, $default) = @$wanted;
			my @answers = map { check_argument($overload, $_, $default) } @$names;
			# one of several names is this overload's
			@answers = grep { !/^has no/ } @answers if @$names > 1 && grep { !/^has no/ } @answers;
			$problem ||= (grep { $_ ne '' } @answers)[0] // '';
		}
		my $required = grep { !defined $_->[1] } @{ $overload->{arguments} };
		$problem ||= 'leaves out an argument that must be given'
		  if $whole && grep { !defined $_->[1] } @wanted and $required != grep { !defined $_->[1] } @wanted;
		push @problems, $problem;
		next if $problem ne '';
		foreach my $wanted (@wanted)
		{
			push @{ $documented{$name}{$_} }, $wanted->[1] foreach @{ $wanted->[0] };
		}
	}
	# servers since 17 die of a name that is no bytes
	ok((grep { $_ eq '' } @problems) > 0, encode_utf8("$where: $name($list)"))
	  or diag(encode_utf8(join("\n", @problems)));
	return;
}

# ---------------------------------------------------------------------------
# 1 and 2: the text.
# ---------------------------------------------------------------------------

my ($tables, $signatures) = (0, 0);
foreach my $file ('README.md', 'sql/README.md')
{
	my ($kind, @of) = ('');
	my $text = slurp_file($file);
	utf8::decode($text);
	$text =~ s/^```.*?^```$//msg;
	foreach my $line (split(/\n/, $text))
	{
		$mentioned{$1} = 1 while $line =~ /`(?:CALL )?(\w+)(?=[`(])/g;
		$kind = '' if $line !~ /^\|/;
		if ($line =~ /^\| function \|/) { $kind = 'function'; next; }
		if ($line =~ /^\| argument (?:of (.*?) )?\| default \|/)
		{
			$kind = 'argument';
			@of = ($1 // '') =~ /`(\w+)`/g;
			ok(@of > 0, "$file: a table of arguments says of which function") or diag($line);
			$tables++;
			next;
		}
		if ($kind eq 'argument' && $line !~ /^\|---/)
		{
			my (undef, $names, $defaults) = split(/ ?(?<!\\)\| ?/, $line);
			my @names = map { s/^`"?|"?`$//gr } parts($names);
			my @defaults = map { s/^`(.*)`$/$1/r } map { s/^\s+|\s+$//gr } split(/,(?![^{]*\})/, $defaults, -1);
			@defaults = (('') x @names) if "@defaults" eq '';
			is(scalar(@defaults), scalar(@names), "$file: as many defaults as arguments: $names") or next;
			foreach my $i (0 .. $#names)
			{
				my @answers;
				my $written = $defaults[$i] eq '' ? undef : $defaults[$i];
				foreach my $function (@of)
				{
					my @of_it = map { check_argument($_, $names[$i], $written) } @{ $functions{$function} };
					my $right = grep { $_ eq '' } @of_it;
					push @{ $documented{$function}{ $names[$i] } }, $written if $right;
					push @answers, $right ? '' : grep { $_ ne '' } @of_it;
				}
				# the functions of one table need not have all of them
				my @wrong = grep { $_ ne '' && !/^has no/ } @answers;
				ok(!@wrong && (grep { $_ eq '' } @answers), "$file: $of[0], argument $names[$i]") or diag(join("\n", @answers));
			}
			next;
		}
		my $cell = $kind eq 'function' ? (split(/ ?(?<!\\)\| ?/, $line))[1] : ($line =~ /^(`\w+\(.*?\)`)/)[0];
		next if !defined $cell;
		while ($cell =~ /`(?:CALL )?(\w+)\((.*?)\)`/g)
		{
			my ($name, $list) = ($1, $2);
			if (!$functions{$name}) { fail("$file: there is a function $name") if $kind eq 'function' && $name !~ /^(?:sum|avg)$/; next; }
			next if $kind ne 'function' && $list !~ /=>/;
			next if $name eq 'embed_update_trigger' || $list =~ /^'|^\w+\[\]/;
			$signatures++;
			check_signature($name, $list, $file);
		}
	}
}
cmp_ok($signatures, '>', 60, 'signatures');
cmp_ok($tables, '>=', 8, 'tables of arguments');

# All arguments that may be left out are told of somewhere.  What is left out
# of one signature of a function stands in another one or in a table.
my %same_as = (train_elmo_epochs => 'train_elmo', embed_search_sql => 'embed_search');
foreach my $name (sort keys %functions)
{
	my $told = $documented{ $same_as{$name} // $name } // {};
	my %optional = map { $_->[0] => 1 } grep { defined $_->[1] } map { @{ $_->{arguments} } } @{ $functions{$name} };
	my @missing = grep { !$told->{$_} } sort keys %optional;
	next if $name eq 'register_model';    # described in its own words
	is("@missing", '', "$name: every argument with a default is described");
}

# And all functions but those that others are made of.
my %inner = map { $_ => 1 } qw(embed_model embed_model_contents embed_model_description embed_call_statistics
  halfvec_l2_squared_distance halfvec_spherical_distance sparsevec_l2_squared_distance vector_l2_squared_distance vector_spherical_distance);
is(join(' ', grep { !$mentioned{$_} && !$inner{$_} } sort keys %functions), '', 'every function is described');

# ---------------------------------------------------------------------------
# 3: the list.
# ---------------------------------------------------------------------------

my $list = $node->safe_psql('postgres', qq{
	SELECT proname || '(' || regexp_replace(pg_get_function_arguments(oid), '(^|, )IN ', '\\1', 'g') || ')' ||
		CASE prokind WHEN 'p' THEN '' ELSE ' -> ' || pg_get_function_result(oid) END
	FROM ($members) m WHERE proname NOT LIKE '%squared_distance' AND proname NOT LIKE '%spherical_distance'
	AND proname NOT IN ('embed_model', 'embed_model_contents', 'embed_model_description', 'embed_call_statistics')
	ORDER BY proname COLLATE "C", pg_get_function_arguments(oid) COLLATE "C"});
my $wanted = '';
foreach my $line (split(/\n/, $list))
{
	$line =~ s/ DEFAULT / = /g;
	$line =~ s/(?<== )((?:'[^']*'|[^,():]+))::[a-z ]+(?:\[\])?/$1/g;
	$line =~ s/double precision/float8/g;
	$line =~ s/"(position|precision|table|column|symmetric)"/$1/g;
	# lines of a page
	while (length($line) > 116)
	{
		my $cut = rindex(substr($line, 0, 116), ', ');
		last if $cut < 10;
		$wanted .= substr($line, 0, $cut + 1) . "\n";
		$line = '    ' . substr($line, $cut + 2);
	}
	$wanted .= "$line\n";
}
my ($shown) = slurp_file('sql/README.md') =~ /^## Every function\n.*?^```text\n(.*?)^```$/ms;
is($shown, $wanted, 'the list of all functions with their types');

# ---------------------------------------------------------------------------
# Defaults of the code.
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE texts AS SELECT i, (SELECT string_agg('word' || (i * 7919 + j * j * 31 + i * j) % (5 + j * j), ' ' ORDER BY j) FROM generate_series(1, 12) j) AS body
	FROM generate_series(1, 300) i;
});
foreach my $name (qw(train_word2vec train_doc2vec train_elmo))
{
	my ($overload) = @{ $functions{$name} };
	my @given;
	foreach my $argument (@{ $overload->{arguments} })
	{
		my ($written) = grep { defined $_ } @{ $documented{$name}{ $argument->[0] } // [] };
		next if !defined $argument->[1] || plain($argument->[1]) ne 'NULL' || !defined $written || $written eq 'NULL';
		push @given, qq{"$argument->[0]" => $written};
	}
	cmp_ok(scalar(@given), '>', 2, "$name: defaults of the code: @given");
	# with 2 epochs of ELMo learning_rate and dropout tell; its own 10 take long
	my $more = $name eq 'train_elmo' ? ', epochs => 2' : '';
	my $all = join('', map { ", $_" } grep { !$more || !/^"epochs"/ } @given);
	$node->safe_psql('postgres', qq{
		SET embed.progress = off;
		SELECT $name('left_out', 'SELECT body FROM texts ORDER BY i', workers => 1, seed => 7$more);
		SELECT $name('given', 'SELECT body FROM texts ORDER BY i', workers => 1, seed => 7$more$all);
	});
	is($node->safe_psql('postgres', q{SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM left_out t}),
		$node->safe_psql('postgres', q{SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM given t}), "$name: they are those of the code");
	$node->safe_psql('postgres', 'DROP TABLE left_out, given');
}

$node->stop;
done_testing();
