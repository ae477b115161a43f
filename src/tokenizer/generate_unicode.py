#!/usr/bin/python3
"""Write unicode_tables.h from Unicode's data in npm's @unicode packages.

    for v in 8 9 16 17; do
        mkdir -p DIR/$v && npm pack @unicode/unicode-$v.0.0 &&
        tar xzf unicode-unicode-$v.0.0-*.tgz -C DIR/$v --strip-components=1
    done
    python3 src/tokenizer/generate_unicode.py DIR > src/tokenizer/unicode_tables.h

Four versions, because the libraries below `tokenizers` 0.23 carry as many:
its normal forms and marks are of Unicode 9, BERT's categories of Unicode 8,
its regular expressions of 16, numbers, lower case and graphemes of 17.  That
these are the right ones is what test/oracle/tokenizer.py shows, code point by
code point.  Decompositions never change once a character is assigned, so they
are taken from Python and kept for what Unicode 9 knows.
"""
import json
import subprocess
import sys
import unicodedata

LIMIT = 0x110000
BLOCK = 128
SMALL = 64

READER = r'''
import fs from 'fs';
const out = {};
const read = (v, p) => import(`file://${process.argv[1]}/${v}/${p}`).then(m => m.default);
for (const v of [8, 9, 16, 17])
  for (const kind of ['General_Category', 'Binary_Property', 'Grapheme_Cluster_Break', 'Script', 'Indic_Conjunct_Break']) {
    const at = `${process.argv[1]}/${v}/${kind}`;
    if (!fs.existsSync(at)) continue;
    for (const name of fs.readdirSync(at))
      if (!name.includes('.') && fs.existsSync(`${at}/${name}/ranges.mjs`))
        out[`${v}/${kind}/${name}`] = (await read(v, `${kind}/${name}/ranges.mjs`)).map(r => [r.begin, r.end]);
  }
for (const kind of ['Simple_Case_Mapping/Lowercase', 'Case_Folding/C', 'Case_Folding/S'])
  out[kind] = [...(await read(17, `${kind}/code-points.mjs`))];
console.log(JSON.stringify(out));
'''

CATEGORIES = [
    ('Cn', 'Unassigned'), ('Lu', 'Uppercase_Letter'),
    ('Ll', 'Lowercase_Letter'), ('Lt', 'Titlecase_Letter'),
    ('Lm', 'Modifier_Letter'), ('Lo', 'Other_Letter'),
    ('Mn', 'Nonspacing_Mark'), ('Mc', 'Spacing_Mark'),
    ('Me', 'Enclosing_Mark'), ('Nd', 'Decimal_Number'),
    ('Nl', 'Letter_Number'), ('No', 'Other_Number'),
    ('Pc', 'Connector_Punctuation'), ('Pd', 'Dash_Punctuation'),
    ('Ps', 'Open_Punctuation'), ('Pe', 'Close_Punctuation'),
    ('Pi', 'Initial_Punctuation'), ('Pf', 'Final_Punctuation'),
    ('Po', 'Other_Punctuation'), ('Sm', 'Math_Symbol'),
    ('Sc', 'Currency_Symbol'), ('Sk', 'Modifier_Symbol'),
    ('So', 'Other_Symbol'), ('Zs', 'Space_Separator'),
    ('Zl', 'Line_Separator'), ('Zp', 'Paragraph_Separator'),
    ('Cc', 'Control'), ('Cf', 'Format'), ('Cs', 'Surrogate'),
    ('Co', 'Private_Use')]

BREAKS = ['Other', 'CR', 'LF', 'Control', 'Extend', 'ZWJ', 'Prepend',
          'SpacingMark', 'Regional_Indicator', 'L', 'V', 'T', 'LV', 'LVT']

# tokenizer_characters.h knows these by the same names
FLAGS = ['SPACE', 'PUNCTUATION', 'REMOVED', 'NONSPACING', 'MARK', 'NUMERIC',
         'WORD', 'KNOWN', 'DECOMPOSES', 'COMPOSES', 'PICTOGRAPHIC',
         'CONSONANT', 'LINKER', 'CONJUNCT_EXTEND', 'ALPHABETIC']


def members(ranges):
    result = set()
    for begin, end in ranges:
        result.update(range(begin, end))
    return result


def decompositions():
    """Full decompositions, canonical and compatible, of Python's data."""
    def full(code, compatible):
        text = unicodedata.decomposition(chr(code))
        if not text or (text[0] == '<' and not compatible):
            return [code]
        parts = [p for p in text.split() if p[0] != '<']
        return [d for p in parts for d in full(int(p, 16), compatible)]
    for code in range(LIMIT):
        if unicodedata.decomposition(chr(code)):
            yield code, full(code, False), full(code, True)


class Writer:
    def __init__(self):
        self.out = sys.stdout.write

    def numbers(self, values):
        line = '\t'
        for value in values:
            text = '%s,' % value
            if len(line) + len(text) > 76:
                self.out(line + '\n')
                line = '\t'
            line += text
        self.out(line + '\n')

    def array(self, declaration, values):
        self.out('static ')
        self.shared(declaration, values)

    def shared(self, declaration, values):
        self.out('const %s = {\n' % declaration)
        self.numbers(values)
        self.out('};\n\n')


def stages(values, size):
    """First and second stage of a table of LIMIT values."""
    blocks, index, first = [], {}, []
    for start in range(0, LIMIT, size):
        block = tuple(values[start:start + size])
        if block not in index:
            index[block] = len(blocks)
            blocks.append(block)
        first.append(index[block])
    return first, [v for b in blocks for v in b], len(blocks)


def main():
    data = json.loads(subprocess.run(
        ['node', '--input-type=module', '-e', READER, sys.argv[1]],
        check=True, capture_output=True).stdout)

    def get(version, kind, *names):
        result = set()
        for name in names:
            result |= members(data['%d/%s/%s' % (version, kind, name)])
        return result

    def category(version, *names):
        return get(version, 'General_Category', *names)

    known = set(range(LIMIT)) - category(9, 'Unassigned')
    decomposed = [d for d in decompositions() if d[0] in known]
    excluded = {c for c, canonical, _ in decomposed if canonical != [c] and
                unicodedata.normalize('NFC', chr(c)) != chr(c)}
    pairs = []
    for code, canonical, _ in decomposed:
        text = unicodedata.decomposition(chr(code))
        if text[0] != '<' and ' ' in text and code not in excluded:
            first, second = (int(p, 16) for p in text.split())
            pairs.append((first, second, code))
    pairs.sort()
    sets = {
        'SPACE': get(17, 'Binary_Property', 'White_Space'),
        'PUNCTUATION': category(8, 'Punctuation') |
        set(map(ord, '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')),
        'REMOVED': (category(8, 'Control', 'Format', 'Private_Use') |
                    {0, 0xFFFD}) - {9, 10, 13},
        'NONSPACING': category(8, 'Nonspacing_Mark'),
        'MARK': category(9, 'Mark'),
        'NUMERIC': category(17, 'Number'),
        'WORD': get(16, 'Binary_Property', 'Alphabetic', 'Join_Control') |
        category(16, 'Mark', 'Decimal_Number', 'Connector_Punctuation'),
        'ALPHABETIC': get(16, 'Binary_Property', 'Alphabetic'),
        'KNOWN': known,
        # with the syllables of Hangul and the jamo that follow others
        'DECOMPOSES': {d[0] for d in decomposed} | set(range(0xAC00, 0xD7A4)),
        'COMPOSES': {p[1] for p in pairs} | excluded |
        set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3)),
        'PICTOGRAPHIC': get(17, 'Binary_Property', 'Extended_Pictographic'),
        'CONSONANT': get(17, 'Indic_Conjunct_Break', 'Consonant'),
        'LINKER': get(17, 'Indic_Conjunct_Break', 'Linker'),
        'CONJUNCT_EXTEND': get(17, 'Indic_Conjunct_Break', 'Extend'),
    }
    flags = [0] * LIMIT
    for bit, name in enumerate(FLAGS):
        for code in sets[name]:
            flags[code] |= 1 << bit
    gc = [0] * LIMIT
    for number, (_, name) in enumerate(CATEGORIES):
        for code in category(16, name):
            gc[code] = number
    breaks = [0] * LIMIT
    for number, name in enumerate(BREAKS):
        if name != 'Other':
            for code in get(17, 'Grapheme_Cluster_Break', name):
                breaks[code] = number
    lower = dict(data['Simple_Case_Mapping/Lowercase'])
    lower[0x130] = 0x69                 # and a dot above: see tokenizer_characters.h

    records, index, values = [], {}, []
    for code in range(LIMIT):
        combining = 0
        if code in known:
            combining = unicodedata.combining(chr(code))
        record = (flags[code], gc[code], breaks[code], combining,
                  lower.get(code, code) - code)
        if record not in index:
            index[record] = len(records)
            records.append(record)
        values.append(index[record])

    first, second, count = stages(values, BLOCK)

    w = Writer()
    rule = '-' * 73
    w.out('/*' + rule + '\n *\n * unicode_tables.h\n'
          ' *\t  Properties of all characters, their decompositions and compositions.\n *\n'
          ' * Made by generate_unicode.py from Unicode 8, 9, 16 and 17: do not edit.\n *\n'
          ' *' + rule + '\n */\n\n')
    for bit, name in enumerate(FLAGS):
        w.out('#define CHARACTER_%s 0x%x\n' % (name, 1 << bit))
    w.out('\n#define CHARACTER_RECORDS %d\n#define CHARACTER_BLOCKS %d\n' % (len(records), count))
    w.out('\nenum\n{\n')
    for short, _ in CATEGORIES:
        w.out('\tCATEGORY_%s,\n' % short.upper())
    w.out('\tCATEGORY_COUNT\n};\n\nenum\n{\n')
    for name in BREAKS:
        w.out('\tBREAK_%s,\n' % name.upper())
    w.out('\tBREAK_COUNT\n};\n\n')
    def scripts(version):
        result = ['Unknown'] * LIMIT
        for key in data:
            if key.startswith('%d/Script/' % version):
                for code in members(data[key]):
                    result[code] = key.split('/')[2]
        return result
    new, old = scripts(16), scripts(9)
    names = sorted(set(new) | set(old))
    number = {name: i for i, name in enumerate(names)}
    w.out('#define SCRIPT_HAN %d\n' % number['Han'])
    w.out('#define SCRIPT_HIRAGANA %d\n' % number['Hiragana'])
    w.out('#define SCRIPT_KATAKANA %d\n' % number['Katakana'])
    w.out('#define SCRIPT_UNKNOWN %d\n\n' % number['Unknown'])
    w.out('#ifdef UNICODE_TABLES\n\n')
    w.out('const CharacterRecord character_records[%d] = {\n' % len(records))
    for record in records:
        w.out('\t{%d, %d, %d, %d, %d},\n' % record)
    w.out('};\n\n')
    w.shared('uint16_t character_first[%d]' % len(first), first)
    w.shared('uint16_t character_second[%d]' % len(second), second)

    # decompositions: entry 0 is none
    pool, places = [], {}

    def place(sequence):
        key = tuple(sequence)
        if key not in places:
            places[key] = len(pool)
            pool.extend(key)
        return places[key]
    numbers = [0] * LIMIT
    entries = [(0, 0, 0, 0)]
    for code, canonical, compatible in decomposed:
        numbers[code] = len(entries)
        entries.append((place(canonical), place(compatible),
                        len(canonical) if canonical != [code] else 0,
                        len(compatible)))
    first, second, count = stages(numbers, SMALL)
    w.array('uint8_t decomposition_first[%d]' % len(first), first)
    w.array('uint16_t decomposition_second[%d]' % len(second), second)
    w.out('static const DecompositionRecord decomposition_records[%d] = {\n' % len(entries))
    for start in range(0, len(entries), 4):
        w.out('\t' + ' '.join('{%d, %d, %d, %d},' % e for e in entries[start:start + 4]) + '\n')
    w.out('};\n\n')
    w.array('uint32_t decomposition_pool[%d]' % len(pool), pool)

    w.out('#define COMPOSITION_COUNT %d\n\n' % len(pairs))
    w.array('uint32_t composition_pairs[%d][3]' % len(pairs),
            ['{%d,%d,%d}' % p for p in pairs])

    folds = dict(data['Case_Folding/C'])
    folds.update(data['Case_Folding/S'])
    assigned16 = set(range(LIMIT)) - category(16, 'Unassigned')
    folds = sorted((c, f) for c, f in folds.items() if c in assigned16)
    w.out('#define FOLD_COUNT %d\n\n' % len(folds))
    w.array('uint32_t fold_pairs[%d][2]' % len(folds), ['{%d,%d}' % f for f in folds])

    ranges = []
    for code in range(LIMIT):
        pair = (number[new[code]], number[old[code]])
        if not ranges or ranges[-1][1:] != pair:
            ranges.append((code,) + pair)
    w.out('#define SCRIPT_RANGES %d\n#define SCRIPT_COUNT %d\n' % (len(ranges), len(names)))
    w.out('\n')
    w.array('char *const script_names[SCRIPT_COUNT]', ['"%s"' % n for n in names])
    w.out('static const ScriptRange script_ranges[SCRIPT_RANGES] = {\n')
    for start in range(0, len(ranges), 5):
        w.out('\t' + ' '.join('{%d, %d, %d},' % r for r in ranges[start:start + 5]) + '\n')
    w.out('};\n\n#endif\t\t\t\t\t\t\t/* UNICODE_TABLES */\n')


main()
