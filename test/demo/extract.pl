# extract.pl: the text of PostgreSQL's manual, one row a section.
#
#   perl test/demo/extract.pl PAGE.html... > sections.copy
#
# Prints rows for COPY: page (file name), title of the page, heading of the
# section, text of the section with a blank line between paragraphs.  Needs
# only the perl that every Debian has (perl-base).  The pages are XHTML written
# by one stylesheet, which is why a few patterns are enough.
use strict;
use warnings;

my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', nbsp => ' ');

# Text of a piece of markup: tags gone, entities resolved, white space single.
sub text_of
{
	my ($markup) = @_;

	$markup =~ s/<[^>]*>//g;
	$markup =~ s/&#x([0-9a-fA-F]+);/pack('U', hex($1))/ge;
	$markup =~ s/&#(\d+);/pack('U', $1)/ge;
	$markup =~ s/&(\w+);/$entity{$1} \/\/ " "/ge;
	$markup =~ s/\x{a0}/ /g;
	$markup =~ s/\s+/ /g;
	$markup =~ s/^ | $//g;
	return $markup;
}

# A heading without its number: "14.4.2. Use COPY" is looked for as "Use COPY".
sub heading_of
{
	my $heading = text_of($_[0]);

	$heading =~ s/^(?:Chapter |Appendix |Part )?(?:\d+|[A-Z]|[IVX]+)(?:\.\d+)*\. //;
	return $heading;
}

sub copy_row
{
	my @fields = @_;

	foreach (@fields)
	{
		s/\\/\\\\/g;
		s/\n/\\n/g;
		s/\t/ /g;
	}
	print join("\t", @fields), "\n";
	return;
}

binmode(STDOUT, ':encoding(UTF-8)');

foreach my $file (sort @ARGV)
{
	my ($page) = $file =~ m{([^/]+)\.html$} or next;

	# Lists of contents, the release notes of old versions, the index.
	next if $page =~ /^(?:bookindex|index|release.*|biblio|legalnotice)$/;

	open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!\n";
	my $html = do { local $/ = undef; <$in> };
	close($in);

	my ($title) = $html =~ m{<title>(.*?)</title>}s or next;
	$title = heading_of($title);

	# What only leads around, or repeats the headings.
	$html =~ s{^.*?<body[^>]*>}{}s;
	$html =~ s{<div class="nav(?:header|footer)".*?</table>}{}gs;
	$html =~ s{<div class="toc">.*?</dl></div>}{}gs;
	$html =~ s{<div class="refnamediv"><h2>Name</h2>}{}gs;

	# From 16 on, headings and terms end in a sign that links to themselves.
	$html =~ s{\s*<a\b[^>]*\bclass="id_link"[^>]*>.*?</a>}{}gs;

	# Every block is a paragraph, a row of a table too.
	$html =~ s{<(?:td|th|br)\b[^>]*>}{ }g;
	$html =~ s{<(?:p|pre|li|dt|dd|tr|table|div|hr)\b[^>]*>}{\x01}g;
	$html =~ s{</(?:p|pre|li|dt|dd|table|div)>}{\x01}g;

	my ($heading, @paragraphs) = ($title);
	my $finish = sub {
		copy_row($page, $title, $heading, join("\n\n", @paragraphs))
		  if @paragraphs;
		@paragraphs = ();
	};
	foreach my $part (split(m{(<h[1-6][^>]*>.*?</h[1-6]>)}s, $html))
	{
		if ($part =~ /^<h[1-6]/)
		{
			my $next = heading_of($part);

			# A note belongs to the section that it stands in.
			next if $next =~ /^(?:Note|Tip|Caution|Warning|Important)$/;
			$finish->();
			$heading = $next;
			next;
		}
		push @paragraphs, grep { /\w/ } map { text_of($_) } split(/\x01+/, $part);
	}
	$finish->();
}
