"""Texts that a tokenizer must agree on: real ones, and made from Unicode's data."""
import lzma
import os
import random
import unicodedata

SCRIPTS = {
    'latin': [(0x61, 0x7A), (0xDF, 0xF6), (0xF8, 0x17F), (0x1E00, 0x1EFF)],
    'greek': [(0x391, 0x3A1), (0x3A3, 0x3C9), (0x1F00, 0x1F15)],
    'cyrillic': [(0x410, 0x44F), (0x450, 0x45F), (0x490, 0x4FF)],
    'armenian': [(0x531, 0x556), (0x561, 0x587)],
    'hebrew': [(0x5D0, 0x5EA), (0x5B0, 0x5C2)],
    'arabic': [(0x621, 0x64A), (0x64B, 0x652), (0x660, 0x669)],
    'devanagari': [(0x904, 0x939), (0x93E, 0x94D), (0x93C, 0x93C)],
    'tamil': [(0xB85, 0xB8A), (0xB95, 0xB9A), (0xBBE, 0xBCD)],
    'thai': [(0xE01, 0xE2E), (0xE30, 0xE3A), (0xE40, 0xE4E)],
    'georgian': [(0x10D0, 0x10FA), (0x10A0, 0x10C5)],
    'hangul': [(0xAC00, 0xD7A3), (0x1100, 0x1112), (0x1161, 0x1175)],
    'kana': [(0x3041, 0x3096), (0x30A1, 0x30FA), (0x30FC, 0x30FC)],
    'han': [(0x4E00, 0x9FFF), (0x3400, 0x34FF), (0xF900, 0xF9FF)],
    'emoji': [(0x1F300, 0x1F64F), (0x1F900, 0x1F9FF), (0x200D, 0x200D),
              (0xFE0F, 0xFE0F), (0x1F3FB, 0x1F3FF), (0x1F1E6, 0x1F1FF)],
}

PUNCTUATION = ['.', ',', '!', '?', ' -', "'", '"', ')', ' (', ':', ';', '…',
               '。', '、', '؟', '।', '“', '”', '’s', "'ll", '...', '--', '/']


def make_lines(count, seed):
    """Lines of words in one script, sometimes two, with repeated words."""
    rng = random.Random(seed)
    names = sorted(SCRIPTS)
    words = {}
    for name in names:
        letters = [chr(c) for first, last in SCRIPTS[name]
                   for c in range(first, last + 1)]
        weights = [1 / (1 + i % 37) for i in range(len(letters))]
        words[name] = [''.join(rng.choices(letters, weights,
                                           k=rng.randint(1, 9)))
                       for _ in range(3000)]
    for number in range(count):
        name = names[number % len(names)]
        other = rng.choice(names)
        line = []
        for _ in range(rng.randint(1, 25)):
            pool = words[name if rng.random() < 0.9 else other]
            word = pool[min(int(rng.expovariate(0.004)), len(pool) - 1)]
            kind = rng.random()
            if kind < 0.05:
                word = word.upper()
            elif kind < 0.1:
                word = str(rng.randint(0, 10 ** rng.randint(1, 7)))
            elif kind < 0.2:
                word += rng.choice(PUNCTUATION)
            line.append(word)
        blank = ' ' if rng.random() < 0.95 else rng.choice(['  ', '\u3000', '\t', '\u00a0', '\n'])
        yield blank.join(line)


def english_lines(data, count):
    """Lines of real English, at most as many as there are."""
    lines = []
    for path, field in (('corpora/imdb_train.copy.tsv.xz', 4),
                        ('corpora/wiki_text8style_100MB.txt.xz', None)):
        path = os.path.join(data, path)
        if not os.path.exists(path):
            continue
        with lzma.open(path, 'rt', encoding='utf-8') as file:
            if field is None:
                text = file.read(200 * count)
                lines += [text[i:i + 200] for i in range(0, len(text), 200)]
            else:
                for line in file:
                    lines += line.rstrip('\n').split('\t')[field].split('<br />')
                    if len(lines) > count * 2 // 3:
                        break
    return lines[:count]


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def code_points_alone(step):
    """Each code point alone, and between letters, blanks and itself."""
    for number, code in enumerate(code_points()):
        if number % step == 0 or code < 0x2000:
            c = chr(code)
            yield c
            yield 'a' + c + 'b ' + c + ' ' + c + c + '1'


def combining_sequences(count, seed):
    rng = random.Random(seed)
    marks = [c for c in code_points() if unicodedata.combining(chr(c))]
    odd = [c for c in range(0x300, 0x400)] + [0x93C, 0x94D, 0x1D165, 0x1D166,
                                             0x302E, 0x3099, 0x200D, 0x20E3]
    bases = [ord(c) for c in 'aeioAEO qzZ中가각힣अकスバ'] + \
        [0xE9, 0x1EC7, 0x212B, 0x1E9B, 0xFB01, 0xAC01, 0x1100, 0x1161, 0x11A8,
         0xF900, 0x1D15E, 0x344, 0x1F00, 0xD, 0xA, 0x200B, 0xAD]
    for _ in range(count):
        text = ''
        for _ in range(rng.randint(1, 5)):
            text += chr(rng.choice(bases))
            for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 12])):
                text += chr(rng.choice(marks if rng.random() < 0.5 else odd))
        yield text


CONTROLS = [chr(c) for c in list(range(0x20)) + list(range(0x7F, 0xA1)) +
            [0xAD, 0x600, 0x61C, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F,
             0x2028, 0x2029, 0x202E, 0x2060, 0x2581, 0xFEFF, 0xFFFC, 0xFFFD,
             0xFFFF, 0xE000, 0xE0001, 0xF0000, 0x10FFFF, 0x3000, 0x1680]]


def control_texts():
    for c in CONTROLS:
        yield c
        yield 'a' + c + 'b'
        yield c + ' x ' + c
        for other in CONTROLS[::7]:
            yield 'x' + c + other + 'y z'


def random_strings(count, seed, extra=()):
    """Strings of anything, with what matters to a tokenizer more often."""
    rng = random.Random(seed)
    likely = list(" \n\t\r'\".,-_[]<>#0123456789abcXYZ") + ['  ', '▁', 'Ġ', '##', "'s", "'LL",
                                                           'ſ', 'İ', '1½²', '中文', 'é', 'ё']
    likely += list(extra) + CONTROLS
    for _ in range(count):
        text = ''
        for _ in range(rng.choice([1, 3, 8, 20, 60])):
            kind = rng.random()
            if kind < 0.6:
                text += rng.choice(likely)
            elif kind < 0.8:
                text += chr(rng.randrange(0x20, 0x7F))
            elif kind < 0.9:
                text += chr(rng.randrange(0x80, 0x3000))
            elif kind < 0.97:
                code = rng.randrange(0x3000, 0x20000)
                text += chr(code) if not 0xD800 <= code < 0xE000 else 'x'
            else:
                text += rng.choice(likely) * rng.choice([5, 40, 200])
        yield text


def long_texts(seed):
    """About a megabyte each."""
    rng = random.Random(seed)
    lines = list(make_lines(3000, seed))
    text = ' '.join(lines)
    while len(text.encode()) < 1 << 20:
        text += '\n' + rng.choice(lines)
    yield text
    yield 'a' * (1 << 20)
    yield ' ' * (1 << 20)
    yield 'ab ' * (1 << 18) + 'x'
    yield '中' * (1 << 18)
    yield 'e\u0301' * (1 << 18)
    yield '\n \n' * (1 << 18)
    yield '!?' * (1 << 19)
    yield '12' * (1 << 19)
