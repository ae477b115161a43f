# show.pl: what psql -a prints, as it comes, for a person who watches.
#
#   psql -a ... | perl show.pl
#
# A blank line sets off each step, which begins with a comment.  When nothing
# comes for four seconds a line says for how long.  Needs perl-base only.
use strict;
use warnings;

my ($line, $comment, $silent) = ('', 0, time);
$| = 1;

while (1)
{
	my $ready = '';
	vec($ready, fileno(STDIN), 1) = 1;
	if (!select($ready, undef, undef, 4))
	{
		printf("    ... %d s\n", time - $silent);
		next;
	}
	$silent = time;
	my $bytes = sysread(STDIN, $line, 65536, length($line));
	last if !$bytes;
	while ($line =~ s/\A([^\n]*\n)//)
	{
		my $text = $1;
		print "\n" if $text =~ /^-- / && !$comment;
		$comment = $text =~ /^-- /;
		print $text;
	}
}
print $line;
