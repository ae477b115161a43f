# Broken if this fails: a browser shows a picture otherwise than it is meant (points at other places or in other colours,
# labels over each other, dark letters on dark paper), a picture cannot be cancelled, or a dump loses a model's losses.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Compress::Zlib;
use IPC::Run;

my $node = embed_node('main', 'fsync = off');
my $folder = PostgreSQL::Test::Utils::tempdir();

# ---------- cancelled within a moment, in each phase ----------
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows AS SELECT n, (SELECT array_agg(sin(n * (i + 1) * 0.37) + n % 10)::vector FROM generate_series(1, 64) i) AS e
FROM generate_series(1, 20000) n;
SQL
foreach my $timeout (300, 1500, 4000)
{
	my $began = time;
	my ($code, undef, $error) = $node->psql('postgres',
		"SET maintenance_work_mem = '1GB'; SET statement_timeout = $timeout; SELECT embed_map('SELECT n, e FROM rows', 'neighbours')");
	like($error, qr/statement timeout/, "a map is cancelled after $timeout ms");
	cmp_ok(time - $began, '<', $timeout / 1000 + 3, 'at once');
}

# ---------- losses survive a dump ----------
$node->safe_psql('postgres', q{SELECT train_word2vec('w2v', 'SELECT string_agg(''w'' || n % 50, '' '') FROM rows', dims => 8, epochs => 4, seed => 1, workers => 1)});
my $plot = $node->safe_psql('postgres', q{SELECT md5(embed_plot_training('w2v'))});
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'w2v', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION embed');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), "$folder/dump" ], 'restored');
is($node->safe_psql('restored', q{SELECT md5(embed_plot_training('w2v'))}), $plot, 'the same curve after a dump');

# ---------- what a browser makes of it ----------
my ($browser) = grep { -x $_ } map { my $directory = $_; map { "$directory/$_" } qw(chromium chromium-browser google-chrome) }
	split /:/, $ENV{PATH} . ':/usr/bin';

# Raw pixels of a PNG of 8 bits a channel, as a list of rows of [r, g, b].
sub read_png
{
	my ($file) = @_;
	my $png = slurp_file($file);
	my ($at, $data, $width, $height, $type) = (8, '');
	while ($at < length $png)
	{
		my ($length, $name) = unpack('Na4', substr $png, $at, 8);
		my $chunk = substr $png, $at + 8, $length;
		($width, $height, undef, $type) = unpack('NNCC', $chunk) if $name eq 'IHDR';
		$data .= $chunk if $name eq 'IDAT';
		$at += 12 + $length;
	}
	my $bytes = $type == 6 ? 4 : 3;
	$data = uncompress($data);
	my ($before, @rows) = ([ (0) x ($width * $bytes) ]);
	foreach my $y (0 .. $height - 1)
	{
		my ($filter, @line) = unpack('C*', substr $data, $y * ($width * $bytes + 1), $width * $bytes + 1);
		foreach my $i (0 .. $#line)
		{
			my ($left, $up) = ($i < $bytes ? 0 : $line[ $i - $bytes ], $before->[$i]);
			my $corner = $i < $bytes ? 0 : $before->[ $i - $bytes ];
			my ($a, $b, $c) = (abs($up - $corner), abs($left - $corner), abs($left + $up - 2 * $corner));
			my $guess = (0, $left, $up, int(($left + $up) / 2), $a <= $b && $a <= $c ? $left : $b <= $c ? $up : $corner)[$filter];
			$line[$i] = ($line[$i] + $guess) & 255;
		}
		$before = \@line;
		push @rows, [ map { [ @line[ $_ * $bytes .. $_ * $bytes + 2 ] ] } 0 .. $width - 1 ];
	}
	return \@rows;
}

# The picture in a page that says where its texts are; its pixels, and that.
sub render
{
	my ($svg, $width, $height, $dark) = @_;
	my $page = "$folder/page.html";
	open my $file, '>:raw', $page or die $!;
	print $file '<!doctype html><meta charset="utf-8"><style>body{margin:0}svg{display:block}</style>', $svg, <<'HTML';
<script>addEventListener('load', () => { const out = document.createElement('pre');
out.textContent = [...document.querySelectorAll('svg text')].map(t => { const b = t.getBoundingClientRect();
  return ['text', t.getAttribute('class'), b.left, b.top, b.right, b.bottom].join(' ') }).join('\n')
  + '\nscripts ' + document.scripts.length; document.body.appendChild(out); });</script>
HTML
	close $file;
	my @run = ($browser, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', "--user-data-dir=$folder/browser",
		"--window-size=$width,$height", $dark ? '--blink-settings=preferredColorScheme=0' : ());
	my ($said, $ignored) = ('', '');
	unlink "$folder/page.png";
	IPC::Run::run([ @run, "--screenshot=$folder/page.png", "file://$page" ], '>', \$ignored, '2>', \$ignored);
	IPC::Run::run([ @run, '--dump-dom', "file://$page" ], '>', \$said, '2>', \$ignored);
	my @texts = map { [ split / / ] } $said =~ /^(?:.*<pre>)?(text .*)$/mg;
	return (read_png("$folder/page.png"), \@texts, $said);
}

sub is_near
{
	my ($pixel, $r, $g, $b) = @_;
	return abs($pixel->[0] - $r) < 48 && abs($pixel->[1] - $g) < 48 && abs($pixel->[2] - $b) < 48;
}

# How many pairs of labels lie over each other, of those of a class
sub overlaps
{
	my @texts = grep { $_->[1] eq 'label' } @{ $_[0] };
	my $count = 0;
	foreach my $i (0 .. $#texts)
	{
		foreach my $j (0 .. $i - 1)
		{
			my ($p, $q) = ($texts[$i], $texts[$j]);
			$count++ if $p->[2] < $q->[4] && $q->[2] < $p->[4] && $p->[3] + 1 < $q->[5] && $q->[3] + 1 < $p->[5];
		}
	}
	return $count;
}

SKIP:
{
	skip 'no chromium is installed', 12 unless $browser;
	my $svg = $node->safe_psql('postgres', <<'SQL');
SELECT embed_map($$ VALUES ('left', '[-9,0]'::vector, 'a', 1), ('right', '[9,0]', 'b', 1), ('top', '[-9,8]', 'c', 9),
	('<script>document.title = 1</script>', '[9,8]', 'd', 1) $$, title => 'a <b> title', width => 600, height => 400)
SQL
	my ($pixels, $texts, $said) = render($svg, 600, 400, 0);
	my @wanted = ([ 0, 114, 178 ], [ 213, 94, 0 ], [ 0, 158, 115 ], [ 204, 121, 167 ]);
	my @marks = $svg =~ /^<circle cx="([\d.]+)" cy="([\d.]+)" r="[\d.]+"><title>(?:left|right|top|&lt;)/mg;
	is(scalar @marks, 8, 'four points');
	foreach my $i (0 .. 3)
	{
		my ($x, $y) = map { int } @marks[ 2 * $i, 2 * $i + 1 ];
		my $pixel = $pixels->[$y][$x];
		# four fifths of the colour on white paper
		ok(is_near($pixel, map { $_ * 0.8 + 51 } @{ $wanted[$i] }), "point $i has its colour") or diag "@$pixel";
	}
	ok(is_near($pixels->[395][5], 255, 255, 255), 'white paper');
	like($said, qr/^scripts 1\b/m, 'a label is no script');
	($pixels) = render($svg, 600, 400, 1);
	ok(is_near($pixels->[395][5], 22, 24, 28), 'dark paper at night');
	my $light = grep { grep { is_near($_, 230, 230, 230) } @$_ } @$pixels[ 8 .. 28 ];
	cmp_ok($light, '>', 5, 'and a light title on it');

	$svg = $node->safe_psql('postgres', q{SELECT embed_map('SELECT CASE n % 5 WHEN 0 THEN ''Wägung Ωμέγα'' WHEN 1 THEN ''漢字かな'' WHEN 2 THEN ''WWWMMM@@'' WHEN 3 THEN ''مرحبا'' ELSE ''mill'' END || n, e FROM rows LIMIT 700')});
	(undef, $texts) = render($svg, 900, 600, 0);
	cmp_ok(scalar(grep { $_->[1] eq 'label' } @$texts), '>', 20, 'labels of five scripts');
	is(overlaps($texts), 0, 'none of them over another');
	my @outside = grep { $_->[2] < 0 || $_->[4] > 900 || $_->[3] < 0 || $_->[5] > 600 } @$texts;
	is(scalar @outside, 0, 'none of them beyond the edge');
}

done_testing();
