# passages.pl: the text of a package in another language, one passage a row.
#
#   perl passages.pl FILE... > passages.copy
#
# Prints rows for COPY: the file's name, the text.  Three kinds of files, told
# by their names: HTML pages (a row a block), catalogs of translated messages
# (.mo, a row a message), manual pages (.gz, a row a paragraph).  Needs
# perl-base and gzip only.
use strict;
use warnings;

my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', nbsp => ' ');

sub row
{
	my ($file, $text) = @_;

	$text =~ s/\s+/ /g;
	$text =~ s/^ | $//g;
	return if length($text) < 20;    # bytes: headings and scraps
	$text =~ s/\\/\\\\/g;
	$file =~ s{.*/}{};
	print "$file\t$text\n";
	return;
}

sub slurp
{
	my ($mode, @what) = @{ $_[0] };

	open(my $in, $mode, @what) or die "@what: $!\n";
	binmode($in);
	local $/ = undef;
	return <$in> // '';
}

sub html_rows
{
	my ($file) = @_;
	my $html = slurp([ '<', $file ]);

	$html =~ s{^.*?<body[^>]*>}{}s;
	$html =~ s{<(script|style|pre)\b.*?</\1>}{}gs;
	foreach my $block (split(m{</?(?:p|li|dt|dd|td|th|tr|table|div|h[1-6]|hr|br)\b[^>]*>}, $html))
	{
		$block =~ s/<[^>]*>//g;
		$block =~ s/&#x([0-9a-fA-F]+);/my $c = pack('U', hex($1)); utf8::encode($c); $c/ge;
		$block =~ s/&#(\d+);/my $c = pack('U', $1); utf8::encode($c); $c/ge;
		$block =~ s/&(\w+);/$entity{$1} \/\/ ' '/ge;
		row($file, $block);
	}
	return;
}

# GNU gettext's catalogs: tables of lengths and places of the strings.
sub mo_rows
{
	my ($file) = @_;
	my $bytes = slurp([ '<', $file ]);

	my $order = unpack('V', $bytes) == 0x950412de ? 'V' : 'N';
	my (undef, undef, $count, undef, $translated) = unpack("${order}5", $bytes);
	foreach my $i (1 .. $count - 1)    # the first is the catalog's head
	{
		my ($length, $place) = unpack("x[" . ($translated + 8 * $i) . "] ${order}2", $bytes);
		row($file, (split(/\0/, substr($bytes, $place, $length)))[0] // '');
	}
	return;
}

sub man_rows
{
	my ($file) = @_;
	my $paragraph = '';

	foreach my $line (split(/\n/, slurp([ '-|', 'gzip', '-dc', $file ])))
	{
		next if $line =~ /^[.'](?:\\"|nh|ad|hy|ie|el|if|de|ds|nr|so|TH|\.)/;
		if ($line =~ /^[.'](?:PP|P|LP|SH|SS|TP|IP|RS|RE|Pp|Sh|It|\s*$|sp|HP|nf|fi)\b\s*(.*)/ || $line eq '')
		{
			row($file, $paragraph);
			$paragraph = $1 // '';
			next;
		}
		$line =~ s/^[.']\w+ ?//;
		$paragraph .= " $line";
		$paragraph =~ s/\\f(?:\[\w*\]|\(..|.)|\\[&|%:c]|\\s[-+]?\d+//g;
		$paragraph =~ s/\\\[?(?:aq|dq)\]?|\\\(aq/'/g;
		$paragraph =~ s/\\(?:\[\w+\]|\(..|[- e~])/-/g;
	}
	row($file, $paragraph);
	return;
}

foreach my $file (@ARGV)
{
	if ($file =~ /\.html$/) { html_rows($file); }
	elsif ($file =~ /\.mo$/) { mo_rows($file); }
	elsif ($file =~ /\.gz$/) { man_rows($file); }
}
