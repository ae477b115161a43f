# Broken if this fails: an example of the README, or of the reference
# (sql/README.md), does not do what is said of it.
#
# Every ```sql block is run, in order, in one fresh database; none may fail
# unless it says so.  A ```output block right after it is what psql -q must
# print, errors with their detail and hint included; a ```text block there shows
# output that may differ between servers and is not compared.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

# The reference stands where the README sends its reader to it.
my $readme = slurp_file('README.md');
my $reference = slurp_file('sql/README.md');
$readme =~ s/^(## Functions\n.*?)(?=^## )/$1\n$reference\n/ms or die 'the README names no reference';
my @blocks;    # [ heading, statements, expected output or undef ]
my $heading = '';

while ($readme =~ /^(#+ [^\n]*)$|^```(\w+)\n(.*?)^```$/msg)
{
	if (defined $1) { $heading = $1; next; }
	if ($2 eq 'sql') { push @blocks, [ $heading, $3, undef ]; }
	elsif ($2 eq 'output') { $blocks[-1][2] = $3; }
}
ok(@blocks > 0, 'the README has examples');

my $node = embed_node('main');
$node->safe_psql('postgres', 'CREATE DATABASE readme');

# One session, as a reader has it: settings and prepared statements last.
# Markers printed between the blocks tell their output apart.
my $script = '';
foreach my $i (0 .. $#blocks)
{
	$script .= "\\echo \@block $i\n$blocks[$i][1]\n";
}

# Errors are wanted at their place: one stream, joined by the shell.
my $file = PostgreSQL::Test::Utils::tempdir() . '/readme.sql';
append_to_file($file, $script);
my $psql = "psql -X -q -P pager=off -h '" . $node->host . "' -p " . $node->port . " -f '$file' readme 2>&1";
my $output = `$psql`;

my @printed;
foreach my $part (split(/^\@block /m, $output))
{
	next if $part !~ s/^(\d+)\n//;
	$printed[$1] .= $part;
}
foreach my $i (0 .. $#blocks)
{
	my ($where, $statements, $expected) = @{ $blocks[$i] };
	my $got = $printed[$i] // '';

	# psql says where in the file; the reader types.
	$got =~ s/^psql:[^\n]*?: (?=ERROR|WARNING|NOTICE|INFO|FATAL)//mg;
	my ($first) = $statements =~ /^(?!--)(.*)$/m;

	if (defined $expected)
	{
		s/[ \t]+$//mg, s/\n*\z/\n/ foreach ($got, $expected);
		is($got, $expected, "$where: $first");
	}
	else
	{
		unlike($got, qr/^(?:ERROR|FATAL|PANIC):/m, "$where: $first")
		  or diag($got);
	}
}

$node->stop;
done_testing();
