"""Tokenizers of every kind, trained by the `tokenizers` package, and of every step."""
import json

PATTERNS = {
    'cl100k': r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    'llama3': r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    'qwen2': r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    'o200k': r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    'deepseek3': r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    'kimi': r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    'clip': r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    'bloom': r" ?[^(\s|[.,!?…。，、।۔،])]+",
    'han': r"[一-龥ࠀ-一가-퟿]+",
    'thousands': r"\d{1,3}(?=(?:\d{3})*\b)",
    'ahead': r"(?=(\d{3})+(?!\d))",
    'behind': r"(?<=[a-z])(?=[A-Z])|(?<![0-9])\.(?![0-9])",
    'lazy': r"a.*?b|[[:alpha:]]{2,4}?|^x|y$|\bz\b|\Aq|q\z|q\Z",
    'atomic': r"(?>a+|ab)c|(?:ab){2,3}|(?:ab|a)*+x|(a|b)+?c|\h+|\H\B",
    'words': r"\w+|[^\w\s]+",
    'posix': r"[[:alnum:]]+|[[:digit:]]+|[[:space:]]|[^[:alpha:]]",
}


def trained(texts):
    """name -> tokenizer.json of models of every kind."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
    from tokenizers import normalizers as N
    from tokenizers import pre_tokenizers as P
    from tokenizers import processors as R
    made = {}

    def train(model, trainer, normalizer=None, splitter=None):
        tokenizer = Tokenizer(model)
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        if splitter is not None:
            tokenizer.pre_tokenizer = splitter
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer

    def byte_level(size, splitter):
        return train(models.BPE(), trainers.BpeTrainer(
            vocab_size=size, special_tokens=['<|endoftext|>'], show_progress=False,
            initial_alphabet=sorted(P.ByteLevel.alphabet())), None, splitter)

    def bpe(size, normalizer, splitter, **options):
        return train(models.BPE(unk_token='<unk>', **options), trainers.BpeTrainer(
            vocab_size=size, special_tokens=['<unk>'], show_progress=False, limit_alphabet=800),
            normalizer, splitter)

    def wordpiece(size, normalizer, splitter):
        return train(models.WordPiece(unk_token='[UNK]'), trainers.WordPieceTrainer(
            vocab_size=size, special_tokens=['[UNK]', '[CLS]', '[SEP]'], show_progress=False),
            normalizer, splitter).to_str()

    def unigram(size, normalizer, splitter):
        return train(models.Unigram(), trainers.UnigramTrainer(
            vocab_size=size, special_tokens=['<unk>', '<s>'], unk_token='<unk>', show_progress=False),
            normalizer, splitter).to_str()

    def changed(source, **values):
        root = json.loads(source)
        for name, value in values.items():
            (root if name in root else root['model'])[name] = value
        return json.dumps(root)

    made['wordlevel'] = train(models.WordLevel(unk_token='[UNK]'), trainers.WordLevelTrainer(
        vocab_size=20000, special_tokens=['[UNK]'], show_progress=False), None, P.Whitespace()).to_str()
    made['wordpiece 20000'] = wordpiece(20000, N.BertNormalizer(), P.BertPreTokenizer())
    made['wordpiece 1000'] = wordpiece(1000, N.NFKC(), P.Whitespace())
    made['bpe words'] = bpe(3000, N.NFC(), P.Whitespace()).to_str()
    whole = bpe(1500, N.Sequence([N.Prepend('▁'), N.Replace(' ', '▁')]), P.Metaspace()).to_str()
    whole = changed(whole, pre_tokenizer=None)
    made['bpe whole'] = changed(whole, fuse_unk=False)
    made['bpe fused'] = changed(whole, fuse_unk=True)
    made['bpe drops'] = changed(whole, unk_token=None)
    root = json.loads(changed(whole, byte_fallback=True))
    size = len(root['model']['vocab'])
    for byte in range(256):
        root['model']['vocab']['<0x%02X>' % byte] = size + byte
    made['bpe bytes'] = json.dumps(root)
    for byte in range(0, 256, 3):
        del root['model']['vocab']['<0x%02X>' % byte]
    made['bpe some bytes'] = changed(json.dumps(root), fuse_unk=True)
    made['bpe affixes'] = bpe(3000, None, P.Whitespace(), continuing_subword_prefix='##',
                              end_of_word_suffix='</w>').to_str()
    tokenizer = byte_level(5000, P.ByteLevel(add_prefix_space=True))
    tokenizer.post_processor = R.ByteLevel(trim_offsets=True)
    made['byte bpe'] = tokenizer.to_str()
    root = json.loads(made['byte bpe'])
    for piece in ('Ġ', 'Ã', 'Â'):
        del root['model']['vocab'][piece]
    known = root['model']['vocab']
    root['model']['merges'] = [m for m in root['model']['merges'] if m[0] in known and m[1] in known]
    made['byte bpe holes'] = json.dumps(root)
    for name in ('cl100k', 'llama3', 'o200k', 'deepseek3', 'kimi'):
        tokenizer = byte_level(3000, P.Sequence([
            P.Split(Regex(PATTERNS[name]), 'isolated'), P.ByteLevel(False, use_regex=False)]))
        tokenizer.post_processor = R.RobertaProcessing(('</s>', 2), ('<s>', 0), trim_offsets=True,
                                                       add_prefix_space=False)
        tokenizer.add_special_tokens([AddedToken('<s>'), AddedToken('</s>'), AddedToken('<mask>', lstrip=True),
                                      AddedToken('[SEP]', rstrip=True)])
        made['byte bpe ' + name] = tokenizer.to_str()
    made['byte bpe ignoring'] = changed(made['byte bpe llama3'], ignore_merges=True)
    made['byte bpe falcon'] = byte_level(3000, P.Sequence([
        P.Punctuation('contiguous'), P.ByteLevel(False), P.Digits(),
        P.Split(Regex('[0-9][0-9][0-9]'), 'isolated')])).to_str()
    meta = unigram(60000, N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(' {2,}'), ' ')]), P.Metaspace())
    made['unigram'] = meta
    made['unigram whole'] = changed(meta, pre_tokenizer=None)
    made['unigram first'] = changed(meta, pre_tokenizer={
        'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'first', 'split': True})
    vocab = json.loads(meta)['model']['vocab']
    made['unigram ties'] = changed(meta, vocab=[[piece, round(score)] for piece, score in vocab + vocab[5:400:3]])
    vocab = vocab + [['<0x%02X>' % byte, -20.0] for byte in range(256)]
    made['unigram bytes'] = changed(meta, vocab=vocab, byte_fallback=True)
    made['unigram no unknown'] = changed(meta, vocab=vocab, byte_fallback=True, unk_id=None)
    return made


def steps(wordlevel):
    """name -> tokenizer.json, each with a step or two, over single characters."""
    made = {}
    split = {'type': 'Split', 'pattern': {'Regex': r'[\s\S]'}, 'behavior': 'Isolated', 'invert': False}
    base = json.loads(wordlevel)

    def add(name, normalizers, splitters, characters):
        root = dict(base, normalizer=None, pre_tokenizer={'type': 'Sequence', 'pretokenizers': splitters})
        if normalizers:
            root['normalizer'] = {'type': 'Sequence', 'normalizers': normalizers}
        if characters:
            vocab = {'[UNK]': 0}
            vocab.update((chr(c), c) for c in range(33, 0x3000))
            root['model'] = dict(base['model'], vocab=vocab)
        made[name] = json.dumps(root)

    def replace(kind, pattern, content):
        return {'type': 'Replace', 'pattern': {kind: pattern}, 'content': content}

    for names in (['NFC'], ['NFD'], ['NFKC'], ['NFKD'], ['Lowercase'], ['Nmt'], ['StripAccents'], ['ByteLevel'],
                  ['NFD', 'StripAccents'], ['NFKD', 'Lowercase', 'StripAccents', 'NFC']):
        add(' '.join(names), [{'type': name} for name in names], [split], True)
    for number in range(4):
        add('Strip %d' % number, [{'type': 'Strip', 'strip_left': bool(number & 1),
                                   'strip_right': bool(number & 2)}], [split], True)
    add('Prepend', [{'type': 'Prepend', 'prepend': '▁▁'}, replace('String', ' ', '▁')], [split], True)
    for number, (kind, pattern, content) in enumerate((
            ('Regex', r'\s+', ' '), ('Regex', '^', '>>'), ('String', '', '-'),
            ('Regex', r'[\p{P}\p{S}]', ''), ('Regex', r'(\w)(?=\s|$)', 'é!'))):
        add('Replace %d' % number, [replace(kind, pattern, content)], [split], True)
    for number in range(8):
        for strip in (None, False, True):
            add('BertNormalizer %d %s' % (number, strip), [
                {'type': 'BertNormalizer', 'clean_text': bool(number & 1), 'handle_chinese_chars': bool(number & 2),
                 'lowercase': bool(number & 4), 'strip_accents': strip}], [split], True)
    for name in ('BertPreTokenizer', 'Whitespace', 'WhitespaceSplit', 'UnicodeScripts'):
        add(name, [], [{'type': name}], False)
    for flag in (True, False):
        add('Digits %s' % flag, [], [{'type': 'Digits', 'individual_digits': flag}], False)
        for other in (True, False):
            add('ByteLevel %s %s' % (flag, other), [], [
                {'type': 'ByteLevel', 'add_prefix_space': flag, 'trim_offsets': True, 'use_regex': other}], False)
    add('CharDelimiterSplit', [], [{'type': 'CharDelimiterSplit', 'delimiter': c} for c in '▁ '], False)
    add('FixedLength', [], [{'type': 'Whitespace'}, {'type': 'FixedLength', 'length': 3}], False)
    for behavior in ('Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'):
        add('Punctuation ' + behavior, [], [{'type': 'Punctuation', 'behavior': behavior}], False)
        for invert in (True, False):
            for kind, pattern in (('Regex', r'[a-c]|\s'), ('String', 'ab'), ('String', '')):
                add('Split %s %s %s' % (behavior, invert, pattern), [], [
                    {'type': 'Split', 'pattern': {kind: pattern}, 'behavior': behavior, 'invert': invert}], False)
    for scheme in ('always', 'first', 'never'):
        for flag in (True, False):
            meta = {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': scheme, 'split': flag}
            add('Metaspace %s %s' % (scheme, flag), [{'type': 'Strip', 'strip_left': True, 'strip_right': False}],
                [meta], False)
            add('words, Metaspace %s %s' % (scheme, flag), [], [{'type': 'WhitespaceSplit'}, meta], False)
    for name, pattern in PATTERNS.items():
        add('pattern ' + name, [], [
            {'type': 'Split', 'pattern': {'Regex': pattern}, 'behavior': 'Removed' if name == 'clip' else 'Isolated',
             'invert': name == 'clip'}], False)
    return made
