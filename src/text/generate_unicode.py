#!/usr/bin/python3
"""Write unicode_table.h from Python's own Unicode data.

    python3 src/text/generate_unicode.py > src/text/unicode_table.h

Which blocks are written without spaces, and the emoji properties of Unicode
14.0 (emoji-data.txt), which Python does not have either, stand below.

The table must agree with str.isalnum(), str.isspace() and str.lower(), so it
is made from them: Python 3.11 carries Unicode 14.0.  The two properties that
only the rule for the final sigma needs (cased, case-ignorable) are not
exposed by Python; they are found by watching str.lower() apply that rule.
"""
import sys
import unicodedata

WORD, MARK, SPACE, CASED, IGNORABLE, SPECIAL = 1, 2, 4, 8, 16, 32
PAIRED, EMOJI, PICTOGRAPH = 64, 128, 256
BLOCK = 128
LIMIT = 0x110000

# Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar: their blocks.
WITHOUT_SPACES = """
    0E00-0EFF 1000-109F 1780-17FF A9E0-A9FF AA60-AA7F
    2E80-2FDF 3005-3007 3021-3029 3031-303C 3041-30FF 31F0-31FF 3400-4DBF
    4E00-9FFF F900-FAFF FF66-FF9F 16FE3-16FE3 1AFF0-1B16F 20000-323AF"""

# Emoji_Presentation
EMOJI_ALONE = """
    231A-231B 23E9-23EC 23F0-23F0 23F3-23F3 25FD-25FE 2614-2615 2648-2653
    267F-267F 2693-2693 26A1-26A1 26AA-26AB 26BD-26BE 26C4-26C5 26CE-26CE
    26D4-26D4 26EA-26EA 26F2-26F3 26F5-26F5 26FA-26FA 26FD-26FD 2705-2705
    270A-270B 2728-2728 274C-274C 274E-274E 2753-2755 2757-2757 2795-2797
    27B0-27B0 27BF-27BF 2B1B-2B1C 2B50-2B50 2B55-2B55 1F004-1F004
    1F0CF-1F0CF 1F18E-1F18E 1F191-1F19A 1F1E6-1F1FF 1F201-1F201 1F21A-1F21A
    1F22F-1F22F 1F232-1F236 1F238-1F23A 1F250-1F251 1F300-1F320 1F32D-1F335
    1F337-1F37C 1F37E-1F393 1F3A0-1F3CA 1F3CF-1F3D3 1F3E0-1F3F0 1F3F4-1F3F4
    1F3F8-1F43E 1F440-1F440 1F442-1F4FC 1F4FF-1F53D 1F54B-1F54E 1F550-1F567
    1F57A-1F57A 1F595-1F596 1F5A4-1F5A4 1F5FB-1F64F 1F680-1F6C5 1F6CC-1F6CC
    1F6D0-1F6D2 1F6D5-1F6D7 1F6DD-1F6DF 1F6EB-1F6EC 1F6F4-1F6FC 1F7E0-1F7EB
    1F7F0-1F7F0 1F90C-1F93A 1F93C-1F945 1F947-1F9FF 1FA70-1FA74 1FA78-1FA7C
    1FA80-1FA86 1FA90-1FAAC 1FAB0-1FABA 1FAC0-1FAC5 1FAD0-1FAD9 1FAE0-1FAE7
    1FAF0-1FAF6"""

# Extended_Pictographic
PICTOGRAPHS = """
    00A9-00A9 00AE-00AE 203C-203C 2049-2049 2122-2122 2139-2139 2194-2199
    21A9-21AA 231A-231B 2328-2328 2388-2388 23CF-23CF 23E9-23F3 23F8-23FA
    24C2-24C2 25AA-25AB 25B6-25B6 25C0-25C0 25FB-25FE 2600-2605 2607-2612
    2614-2685 2690-2705 2708-2712 2714-2714 2716-2716 271D-271D 2721-2721
    2728-2728 2733-2734 2744-2744 2747-2747 274C-274C 274E-274E 2753-2755
    2757-2757 2763-2767 2795-2797 27A1-27A1 27B0-27B0 27BF-27BF 2934-2935
    2B05-2B07 2B1B-2B1C 2B50-2B50 2B55-2B55 3030-3030 303D-303D 3297-3297
    3299-3299 1F000-1F0FF 1F10D-1F10F 1F12F-1F12F 1F16C-1F171 1F17E-1F17F
    1F18E-1F18E 1F191-1F19A 1F1AD-1F1E5 1F201-1F20F 1F21A-1F21A 1F22F-1F22F
    1F232-1F23A 1F23C-1F23F 1F249-1F3FA 1F400-1F53D 1F546-1F64F 1F680-1F6FF
    1F774-1F77F 1F7D5-1F7FF 1F80C-1F80F 1F848-1F84F 1F85A-1F85F 1F888-1F88F
    1F8AE-1F8FF 1F90C-1F93A 1F93C-1F945 1F947-1FAFF 1FC00-1FFFD"""


def codes_of(ranges):
    codes = set()
    for part in ranges.split():
        first, last = (int(end, 16) for end in part.split('-'))
        codes.update(range(first, last + 1))
    return codes


WITHOUT_SPACES, EMOJI_ALONE, PICTOGRAPHS = map(
    codes_of, (WITHOUT_SPACES, EMOJI_ALONE, PICTOGRAPHS))


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
    if code in WITHOUT_SPACES and (unicodedata.category(c)[0] == 'L' or
                                   unicodedata.category(c) == 'Nl'):
        flags |= PAIRED
    # pictographs without a name yet are kept for emoji of later versions
    if (code in EMOJI_ALONE and not flags & WORD or
            code in PICTOGRAPHS and unicodedata.category(c) == 'Cn'):
        flags |= EMOJI
    if code in PICTOGRAPHS:
        flags |= PICTOGRAPH
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
