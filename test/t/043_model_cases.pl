# Broken if this fails: what users of other systems met when they took a published model somewhere else goes wrong
# here as well, where SQL shows it.  The cases lie beside the real data (../cases/models); those of transformers,
# ELMo and trainings have tests of their own.
use strict;
use warnings;
use utf8;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

my $path = real_data('../cases/models/cases.jsonl') or plan skip_all => 'no cases of models beside the real data';

my %cases;
open my $lines, '<:raw', $path or die "$path: $!";
while (my $line = <$lines>)
{
	my $case = JSON::PP->new->utf8->decode($line);
	$cases{ $case->{id} } = $case;
}
close $lines;
my $files = real_data('../cases/models/files');
my $bert = real_data('models/bert_uncased_tokenizer/tokenizer.json');

my $node = embed_node('main');
my $json = JSON::PP->new->canonical->ascii->allow_nonref;

sub literal
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# What a query gives as JSON, or the SQLSTATE of its error as a string.
sub answer
{
	my ($sql) = @_;
	utf8::encode($sql);
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5}):/ ? "error $1" : "no answer: $err" if $status != 0;
	return if $out eq '';		# null
	return JSON::PP->new->utf8->allow_nonref->decode($out);
}

# Imports a model; '' or the SQLSTATE.
sub import_from
{
	my ($source) = @_;
	my $result = answer(qq{SET client_min_messages = warning; SELECT to_json(import_model('m', $source, replace => to_regclass('m') IS NOT NULL)::text)});
	return $result eq 'm' ? '' : $result;
}

sub import_file
{
	my ($file) = @_;
	return import_from('file => ' . literal($file));
}

# [[token, id, start, end] ...] of each text
sub tokens
{
	my ($texts) = @_;
	my $list = join ', ', map { literal($_) } @$texts;
	return answer(qq{SELECT coalesce(json_agg((SELECT coalesce(json_agg(json_build_array(t.token, t.id, t.start - 1, t.start + t.length - 1)
			ORDER BY t.position), '[]') FROM model_tokens('m', input) t) ORDER BY number), '[]')
		FROM unnest(ARRAY[$list]::text[]) WITH ORDINALITY AS i(input, number)});
}

sub equal
{
	my ($got, $wanted, $what) = @_;
	return is($json->encode($got), $json->encode($wanted), $what);
}

# The tokens of texts are those of a case: ids, and what else it says.
sub check_tokens
{
	my ($what, $texts, $expected) = @_;
	my $found = tokens($texts);
	return fail("$what: $found") if !ref $found;
	for my $i (0 .. $#$texts)
	{
		my $tokens = $found->[$i];
		my $wanted = $expected->[$i];
		my $text = $json->encode($texts->[$i]);

		equal([ map { $_->[1] } @$tokens ], $wanted->{ids}, "$what: ids of $text");
		equal([ map { $_->[0] } @$tokens ], $wanted->{tokens}, "$what: tokens of $text") if $wanted->{tokens};
		equal([ map { [ $_->[2], $_->[3] ] } @$tokens ], $wanted->{offsets}, "$what: places in $text") if $wanted->{offsets};
	}
	return;
}

# ---------- tokenizers in files of their own ----------
foreach my $id ('T03', 'T14', 'T16', 'T20')
{
	my $case = $cases{$id} or next;
	foreach my $file (@{ $case->{input}{files} })
	{
		my $expected = $case->{expected}{$file};
		my $refused = import_file("$files/$file");

		if (!ref $expected)
		{
			is($refused, 'error 22P03', "$id: $file is refused");
			next;
		}
		is($refused, '', "$id: $file is imported");
		check_tokens("$id $file", $case->{input}{texts}, $expected);
	}
}
foreach my $pair ([ 'T09', 'T09_added.json' ], [ 'T19', 'T19_unigram.json' ])
{
	my ($id, $file) = @$pair;
	my $case = $cases{$id} or next;
	is(import_file("$files/$file"), '', "$id is imported");
	check_tokens($id, $case->{input}{texts}, $case->{expected});
}
if (my $case = $cases{T15})
{
	my $texts = $case->{input}{texts};
	foreach my $pair ([ 'strings', $texts ], [ 'pairs', $texts ], [ 'pairs_space', $case->{input}{texts_for_space_file} ])
	{
		is(import_file("$files/T15_$pair->[0].json"), '', "T15: $pair->[0] are imported");
		check_tokens("T15 $pair->[0]", $pair->[1], $case->{expected}{ $pair->[0] });
	}
}

# ---------- BERT's ----------
SKIP:
{
	skip 'no tokenizer of BERT in the real data', 1 if !$bert;
	is(import_file($bert), '', 'BERT\'s tokenizer is imported');
	check_tokens('T04', $cases{T04}{input}{texts}, $cases{T04}{expected});
	check_tokens('T05', $cases{T05}{input}{texts}, $cases{T05}{expected}{texts});
	# three words if the one in the middle is split off: x and y are whole then
	my @codes = @{ $cases{T05}{input}{code_points} };
	my $found = tokens([ map { 'x' . chr(hex(substr($_, 2))) . 'y' } @codes ]);
	for my $i (0 .. $#codes)
	{
		my @names = map { $_->[0] } @{ $found->[$i] };
		my $words = $names[1] eq 'x' && $names[-2] eq 'y' ? 3 : 1;
		is($words, $cases{T05}{expected}{words}{ $codes[$i] }, "T05: words of x, $codes[$i] and y");
	}
	my $texts = $cases{T11}{input}{texts};
	check_tokens('T11', $texts, [ map { { ids => $_ } } @{ $cases{T11}{expected}{with_special} } ]);
	equal(answer(q{SELECT json_agg(count_tokens('m', input)) FROM unnest(ARRAY[} . join(', ', map { literal($_) } @$texts) . ']) input'),
		[ (2) x @$texts ], 'T11: special tokens alone');
	equal(answer(q{SELECT json_agg(n) FROM (SELECT count(*) AS n FROM unnest(ARRAY[} . join(', ', map { literal($_) } @$texts)
				. ']) input, split_text(input, model => \'m\', max_tokens => 8) WHERE input ~ \'^[[:space:]]*$\') x'), [0],
		'T11: no passages of blanks');
}

# ---------- the longest text ----------
if (my $case = $cases{T10})
{
	my $text = $case->{input}{text};
	is(import_from('directory => ' . literal("$files/T10")), '', 'T10 is imported');
	check_tokens('T10 as shipped', [$text], [ { ids => $case->{expected}{as_shipped} } ]);
	my $query = q{SELECT n, pg_read_binary_file(} . literal("$files/T10/") . q{ || n) FROM unnest('{config.json,tokenizer.json,tokenizer_config.json}'::text[]) n};
	is(import_from('files => ' . literal($query)), '', 'T10 without sentence_bert_config.json is imported');
	check_tokens('T10 without', [$text], [ { ids => $case->{expected}{without_sentence_bert_config} } ]);
	is(import_from('directory => ' . literal("$files/T10_huge")), '', 'T10_huge is imported');
	check_tokens('T10 huge', [$text], [ { ids => $case->{expected}{huge_model_max_length} } ]);
}

# ---------- vocab.txt ----------
if (my $case = $cases{T13})
{
	my %of_file;
	foreach my $file (@{ $case->{input}{files} })
	{
		is(import_file("$files/$file"), '', "T13: $file is imported");
		my @words = grep { /^[a-z]+$/ } sort keys %{ $case->{expected}{must} };
		$of_file{$file} = tokens([@words]);
		check_tokens("T13 $file", \@words, [ map { { ids => [ 2, $case->{expected}{must}{$_}, 3 ] } } @words ]);
	}
	equal($of_file{'T13_vocab_crlf.txt'}, $of_file{'T13_vocab_lf.txt'}, 'T13: ends of lines make no difference');
	my $refused = import_from('files => ' . literal(q{SELECT 'vocab.txt', pg_read_binary_file(} . literal("$files/T13_vocab_bom.txt") . ')'));
	if ($refused eq '')
	{
		check_tokens('T13 with a byte order mark', ['alpha'], [ { ids => [ 2, 7, 3 ] } ]);
	}
	else
	{
		like($refused, qr/^error 22/, 'T13: a vocabulary with a byte order mark is refused');
	}
}

# ---------- normalizers: what is unknown to Unigram is shown as it was normalized ----------
if (my $case = $cases{T22})
{
	my $texts = $case->{input}{texts};
	foreach my $name (sort keys %{ $case->{input}{normalizers} })
	{
		my $tokenizer = $json->encode({
			normalizer => { type => 'Sequence', normalizers => $case->{input}{normalizers}{$name} },
			added_tokens => [], model => { type => 'Unigram', unk_id => 0, vocab => [ [ '<unk>', 0 ] ] } });
		is(import_from('data => convert_to(' . literal($tokenizer) . q{, 'UTF8')}), '', "T22: $name is imported");
		my $found = tokens($texts);
		equal([ map { join '', map { $_->[0] } @$_ } @$found ], $case->{expected}{$name}, "T22: $name");
	}
}

# ---------- GGUF ----------
if (my $case = $cases{G02})
{
	is(import_file("$files/$case->{input}{file}"), '', 'G02 is imported');
	check_tokens('G02', $case->{input}{texts}, $case->{expected});
}

# ---------- weights that lie: an error each, and the server goes on ----------
my $lifetime = answer('SELECT to_json(pg_postmaster_start_time())');
if (my $case = $cases{W02})
{
	foreach my $file (@{ $case->{input}{files} })
	{
		my $query = q{SELECT 'tokenizer.json', pg_read_binary_file(} . literal("$files/T09_added.json")
			. q{) UNION ALL SELECT 'model.safetensors', pg_read_binary_file(} . literal("$files/$file") . ')';
		like(import_from('files => ' . literal($query)), qr/^error (22P03|0A000|54000)$/, "W02: $file is refused");
	}
}
if (my $case = $cases{W04})
{
	foreach my $folder ('W04_missing', 'W04_escape')
	{
		like(import_from('directory => ' . literal("$files/$folder")), qr/^error (22P03|0A000)$/, "W04: $folder is refused");
	}
}
is(answer('SELECT to_json(pg_postmaster_start_time())'), $lifetime, 'no crash');

# ---------- word vectors by import_model ----------
if (my $case = $cases{M03})
{
	foreach my $file ('M03_glove.txt', 'M03_word2vec.txt')
	{
		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS m');
		is(import_file("$files/$file"), 'error 23505', "M03: $file has a word twice, which import_model tells");
		is(answer(q{SET client_min_messages = error; SELECT to_json(import_word_vectors('m', file => } . literal("$files/$file")
					. q{, on_error => 'skip')::text)}), 'm', "M03: $file is imported, as far as it is good");
		my $found = answer(q{SELECT json_object_agg(word, vector::real[]) FROM m a WHERE id > 0
			AND NOT EXISTS (SELECT FROM m b WHERE b.word = a.word AND b.id < a.id AND b.id > 0)});
		equal($found, $case->{expected}{vectors}, "M03: vectors of $file");
		equal(answer(q{SELECT to_json(embed('m', 'the')::real[])}), $case->{expected}{vectors}{the}, 'M03: the first of two counts');
	}
	like(error_of($node, q{SELECT import_model('bad', file => } . literal("$files/M03_bad.txt") . ')'), qr/Line 2/,
		'M03: the line that is wrong');
}

# ---------- static models: unknown tokens, zero rows ----------
if (my $case = $cases{M08})
{
	my @rows = map { @$_ } @{ $case->{input}{rows} };
	my $count = @{ $case->{input}{rows} };
	my $dims = @rows / $count;
	my $head = $json->encode({ embeddings => { dtype => 'F32', shape => [ $count, $dims ], data_offsets => [ 0, 4 * @rows ] } });
	my $weights = unpack 'H*', pack('Q<', length $head) . $head . pack('f<*', @rows);
	my $tokenizer = $json->encode({
		pre_tokenizer => { type => 'Whitespace' },
		model => { type => 'WordLevel', unk_token => "w$case->{input}{unk_id}", vocab => { map { ("w$_", $_) } 0 .. $count - 1 } } });
	foreach my $normalize ('true', 'false')
	{
		my $query = "SELECT 'tokenizer.json', convert_to(" . literal($tokenizer) . q{, 'UTF8') UNION ALL SELECT 'config.json', '}
			. qq({"model_type": "model2vec", "normalize": $normalize}) . qq{' UNION ALL SELECT 'model.safetensors', '\\x$weights'::bytea};
		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS m');
		is(import_from('files => ' . literal($query)), '', 'M08 is imported');
		my $expected = $case->{expected}{ $normalize eq 'true' ? 'normalised' : 'raw' };
		my $i = 0;
		foreach my $ids (@{ $case->{input}{id_lists} })
		{
			my $found = answer(q{SELECT to_json(embed('m', } . literal(join ' ', map { "w$_" } @$ids) . ')::real[])');
			my @known = grep { $_ != $case->{input}{unk_id} } @$ids;
			my $wanted = $expected->[ $i++ ];
			if (!@known)
			{
				# no token counts: no vector, where others have one of zeros
				ok(!defined $found, "M08: nothing of [@$ids]");
				next;
			}
			my ($most) = sort { $b <=> $a } map { abs($found->[$_] - $wanted->[$_]) } 0 .. $#$wanted;
			cmp_ok($most, '<=', 1e-6, "M08: the mean of [@$ids]");
		}
	}
}

done_testing();
