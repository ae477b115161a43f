# Broken if this fails: embed_index_check overlooks a kind of damage, or a
# damaged index crashes the server instead of giving an error.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'restart_after_crash = off');
$node->safe_psql('postgres', qq{
	SELECT setseed(0.$seed);
	CREATE TABLE t (id serial, v vector(5));
	CREATE INDEX t_v ON t USING ktree (v vector_l2_ops);
	INSERT INTO t (v) VALUES (NULL);
	INSERT INTO t (v) SELECT ARRAY[random(), random(), random(), random(), i % 3]::vector FROM generate_series(1, 6000) i;
	DELETE FROM t WHERE id % 20 = 0;
	VACUUM t;
});
is($node->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('t_v')}), '0', 'an intact index');
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('t_v')});
$node->stop;
my $intact = slurp_file($path);
my $pages = length($intact) / 8192;

# Slots in use and not dead: the check passes over dead ones, so damage to them
# would rightly go unnoticed.
sub live_slots
{
	my ($page) = @_;
	my $used = unpack('S', substr($page, 28, 2));
	my $dead = substr($page, 24 + 72, 32);

	return grep { !vec($dead, $_, 1) } 0 .. $used - 1;
}

# Blocks: 0 is the metapage; find a leaf, an inner node, a node on the free
# list, and the side page.
my ($leaf, $inner, $side, $free);
foreach my $block (1 .. $pages - 1)
{
	my $page = substr($intact, $block * 8192, 8192);
	my ($part, $kind) = unpack('SS', substr($page, 8192 - 8, 4));
	my ($level, $state) = unpack('SS', substr($page, 24, 4));
	my $on_free_list = unpack('L', substr($page, 24 + 28, 4)) & 2;
	$side //= $block if $kind == 3 && unpack('L', substr($page, 24 + 8, 4)) > 0;
	next if $kind != 4 || $part != 0;
	$free //= $block if $state != 1 && $on_free_list;
	next if $state != 1 || live_slots($page) < 2;
	$leaf //= $block if $level == 0;
	$inner //= $block if $level > 0;
}
ok(defined $leaf && defined $inner && defined $side && defined $free, 'every kind of page is there')
	or die 'nothing to damage';

# A node of 64 dimensions has all its slots on its first page, 32 to a block:
# codes, two factors each, pointers; before them the center and the base.
my $codes = 128 + 64 + 64;
sub block_of { return $codes + (256 + 256 + 192) * int($_[0] / 32) }
sub factor_of { return block_of($_[0]) + 256 + 4 * ($_[0] % 32) }
sub pointer_of { return block_of($_[0]) + 256 + 256 + 6 * ($_[0] % 32) }
my $live = unpack('S', substr($intact, $leaf * 8192 + 30, 2));
my ($slot, $other_slot) = live_slots(substr($intact, $leaf * 8192, 8192));
my $other_row = substr($intact, $leaf * 8192 + pointer_of($other_slot), 6);
my ($child_slot, $other_child_slot) = live_slots(substr($intact, $inner * 8192, 8192));
my $child = pointer_of($child_slot);
my $other_child = substr($intact, $inner * 8192 + pointer_of($other_child_slot), 6);
my $inner_generation = unpack('L', substr($intact, $inner * 8192 + 8192 - 16, 4));
my $contradicting = join('', map { chr(255 - ord($_)) } split //, substr($intact, $leaf * 8192 + block_of($slot), 256));
note("leaf $leaf, slots $slot and $other_slot; inner node $inner, slots $child_slot and $other_child_slot");

my @damage = (
	[ 'magic', 0, 24, pack('L', 1), qr/1:/ ],
	[ 'dims', 0, 24 + 12, pack('l', 900), qr/1:/ ],
	[ 'height', 0, 24 + 48, pack('l', 99), qr/1:/ ],
	[ 'wrong height', 0, 24 + 48, pack('l', 0), qr/4:/ ],
	[ 'root', 0, 24 + 40, pack('L', 4_000_000), qr/6:/ ],
	[ 'usual length', 0, 24 + 112, pack('L', 0x7fc00000), qr/1:/ ],
	[ 'free list', 0, 24 + 52, pack('L', $leaf), qr/3:/ ],
	[ 'side list', 0, 24 + 60, pack('L', $leaf), qr/9:/ ],
	[ 'generation', $leaf, 8192 - 16, pack('L', 77), qr/2:/ ],
	[ 'generation of another part', $leaf + 1, 8192 - 16, pack('L', 77), qr/2:/ ],
	[ 'mark', $leaf, 24 + 60, pack('L', 77), qr/2:/ ],
	[ 'mark of another part', $leaf + 1, 24 + 4, pack('S', 9), qr/2:/ ],
	[ 'part', $leaf + 1, 8192 - 8, pack('S', 9), qr/2:/ ],
	[ 'page id', $leaf, 8192 - 2, pack('S', 7), qr/2:/ ],
	[ 'level', $leaf, 24, pack('S', 3), qr/4:/ ],
	[ 'state', $leaf, 26, pack('S', 2), qr/6:/ ],
	[ 'used', $leaf, 28, pack('S', 60000), qr/5:/ ],
	[ 'live', $leaf, 30, pack('S', $live + 1), qr/5:/ ],
	[ 'dead map', $leaf, 24 + 72, "\xff" x 32, qr/5:/ ],
	[ 'center', $leaf, 24 + 40, pack('L', 0x7fc00000), qr/8:/ ],
	[ 'pivot', $leaf, 24 + 68, pack('L', 0x7fc00000), qr/8:/ ],
	[ 'factor', $leaf, factor_of($slot), pack('L', 0x7f800000), qr/8:/ ],
	[ 'codes', $leaf, block_of($slot), $contradicting, qr/8:/ ],
	[ 'row address', $leaf, pointer_of($slot), "\0" x 6, qr/7:/ ],
	[ 'row twice', $leaf, pointer_of($slot), $other_row, qr/7:/ ],
	[ 'child', $inner, $child, pack('SSS', 0xFF, 0xFFFF, 1), qr/6:/ ],
	[ 'generation of child', $inner, $child + 4, pack('S', 999), qr/2:|6:/ ],
	[ 'a dead node that leads to itself', $inner, 26,
		pack('S', 2) . substr($intact, $inner * 8192 + 28, 4) . pack('LL', $inner, $inner_generation), qr/6:/ ],
	[ 'same child', $inner, $child, $other_child, qr/3:/ ],
	[ 'reason', $side, 24 + 16 + 6, pack('S', 9), qr/9:/ ],
	[ 'side count', $side, 24 + 8, pack('L', 99999), qr/9:/ ],
	[ 'flags of a free node', $free, 24 + 28, pack('L', 0), qr/3:/ ],
	[ 'a zero page', $leaf + 1, 0, "\0" x 8192, qr/2:/ ],
);

foreach my $case (@damage)
{
	my ($name, $block, $offset, $bytes, $expected) = @$case;
	my $damaged = $intact;
	substr($damaged, $block * 8192 + $offset, length($bytes)) = $bytes;
	open(my $file, '+<:raw', $path) or die "$path: $!";
	print $file $damaged;
	close($file);
	$node->start;
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT problem FROM embed_index_check('t_v')});
	like("$out$err", $expected, "damage of $name is found");
	($status, $out, $err) = $node->psql('postgres', q{
		SET statement_timeout = '20s'; SET enable_seqscan = off;
		SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[1,1,1,1,1]' OFFSET 0) s});
	unlike($err, qr/statement timeout/, "a scan ends with damage of $name");
	$node->psql('postgres', q{
		SET statement_timeout = '20s'; SET enable_seqscan = off;
		INSERT INTO t (v) VALUES ('[1,1,1,1,1]');
		SELECT count(*) FROM embed_index_stats('t_v')});
	is($node->safe_psql('postgres', 'SELECT 1'), '1', "the server lives with damage of $name");
	# with a checkpoint: replaying this INSERT's log would undo the next damage
	$node->stop('fast');
	open($file, '+<:raw', $path) or die "$path: $!";
	print $file $intact;
	close($file);
}
done_testing();
