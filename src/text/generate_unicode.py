#!/usr/bin/python3
"""Write unicode_table.h from Python's own Unicode data.

    python3 src/text/generate_unicode.py > src/text/unicode_table.h

The table must agree with str.isalnum(), str.isspace() and str.lower(), so it
is made from them: Python 3.11 carries Unicode 14.0.  The two properties that
only the rule for the final sigma needs (cased, case-ignorable) are not
exposed by Python; they are found by watching str.lower() apply that rule.
"""
import sys
import unicodedata

WORD, MARK, SPACE, CASED, IGNORABLE, SPECIAL = 1, 2, 4, 8, 16, 32
BLOCK = 128
LIMIT = 0x110000


def flags_of(code):
    c = chr(code)
    if 0xD800 <= code <= 0xDFFF:
        return 0
    flags = 0
    if c.isalnum() or c == '_':
        flags |= WORD
    elif unicodedata.category(c)[0] == 'M' or code in (0x200C, 0x200D):
        flags |= MARK
    if c.isspace():
        flags |= SPACE
    final = '\u03c2'
    if (c + '\u03a3').lower()[-1] == final:
        flags |= CASED
    elif ('A' + c + '\u03a3').lower()[-1] == final:
        flags |= IGNORABLE
    return flags


def lower_of(code):
    """Distance to the lower-case character; the two odd ones are special."""
    if 0xD800 <= code <= 0xDFFF:
        return 0, 0
    lower = chr(code).lower()
    if code == 0x03A3:                      # final sigma by its context
        return 0x03C3 - code, SPECIAL
    if len(lower) != 1:                     # one to many
        assert code == 0x0130 and lower == 'i\u0307'
        return ord('i') - code, SPECIAL
    return ord(lower) - code, 0


def main():
    records = [(0, 0)]                      # record 0: nothing is known
    index = {records[0]: 0}
    blocks, block_index, first = [], {}, []
    for start in range(0, LIMIT, BLOCK):
        block = []
        for code in range(start, start + BLOCK):
            delta, special = lower_of(code)
            record = (flags_of(code) | special, delta)
            if record not in index:
                index[record] = len(records)
                records.append(record)
            block.append(index[record])
        block = tuple(block)
        if block not in block_index:
            block_index[block] = len(blocks)
            blocks.append(block)
        first.append(block_index[block])
    assert len(records) <= 256 and len(blocks) <= 65536
    while len(first) > 1 and first[-1] == first[-2]:
        first.pop()

    out = sys.stdout.write

    def array(values):
        line = '\t'
        for value in values:
            text = '%d, ' % value
            if len(line) + len(text) > 76:
                out(line.rstrip() + '\n')
                line = '\t'
            line += text
        out(line.rstrip() + '\n')

    rule = '-' * 73
    out('/*' + rule + '\n *\n * unicode_table.h\n'
        ' *\t  Properties and lower-case forms of all characters.\n *\n'
        ' * Made by generate_unicode.py from Unicode %s: do not edit.\n *\n'
        ' *' % unicodedata.unidata_version + rule + '\n */\n')
    out('#define UNICODE_TABLE_VERSION "%s"\n' % unicodedata.unidata_version)
    out('#define UNICODE_BLOCK_SHIFT %d\n' % (BLOCK.bit_length() - 1))
    out('#define UNICODE_BLOCKS %d\n\n' % len(first))
    out('static const UnicodeRecord unicode_records[%d] = {\n' % len(records))
    for flags, delta in records:
        out('\t{%d, %d},\n' % (flags, delta))
    out('};\n\nstatic const uint16_t unicode_first[UNICODE_BLOCKS + 1] = {\n')
    # one more entry: the last block again, for all code points beyond
    array(first + [first[-1]])
    out('};\n\nstatic const uint8_t unicode_second[%d][%d] = {\n'
        % (len(blocks), BLOCK))
    for block in blocks:
        out('\t{\n')
        array(block)
        out('\t},\n')
    out('};\n')


main()
