#!/usr/bin/python3
# debian: psycopg2
# needs: regex
"""Would fail if embed_words or embed_whitespace split or folded otherwise than
Python does, or if the direct path differed from the server's own text search.

    python3 test/oracle/words.py [SEED]

References: re's \\w (with marks and joiners continuing a word, as the README
of src/text says), str.lower() of each word, str.split(); for scripts without
spaces and emoji the properties and grapheme clusters of the module regex;
ts_debug and to_tsvector of the server.  Texts: random Unicode, a sentence in many scripts,
and the IMDB reviews.
"""
import lzma
import os
import random
import re
import sys
import unicodedata

import psycopg2
import regex

LONG = os.environ.get('EMBED_LONG', '') not in ('', '0')

failures = 0
seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10 ** 9)
random.seed(seed)
print('seed', seed)

SCRIPTS = [
    'The Quick brown-fox can\'t jump 3.14 times over THE_lazy dog.',
    'Съешь ЖЕ ещё этих мягких французских булок, да выпей чаю.',
    'Ξεσκεπάζω ΤΗΝ ψυχοφθόρα βδελυγμία. ΟΔΟΣ ΟΔΥΣΣΕΥΣ Σ ΑΣ\u0301',
    'نص حكيم لهُ سرٌ قاطعٌ وذُو شأنٍ عظيم ١٢٣',
    'دَעה: איזה כֵּיף לשְׁמוֹעַ',
    'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश १२',
    'เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน',
    '키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.',
    'いろはにほへと ちりぬるを、ﾜｶﾖﾀﾚｿ ABC！',
    '視野無限廣，窗外有藍天。１２３',
    'Pijamalı hasta yağız ŞOFÖRE çabucak güvendi. İSTANBUL IĞDIR',
    'Falsches Üben von XYLOPHONMUSIK quält STRASSE ẞ',
    'می\u200cخواهم ۱۲۳ که', 'iPhone15手機とカメラ、東京都庁', 'ສະບາຍດີ ភាសាខ្មែរ မြန်မာဘာသာ',
    '👍🏽👨‍👩‍👧‍👦🇩🇪🇫🇷🇫 ❤️ ☝🏽 ©™ 🏴\U000e0067\U000e0062\U000e007f ☎ 1️⃣', 'ʻOkina \u02bbokina Ⅷ ⅷ ½ ² ①',
    'e\u0301tude E\u0301TUDE \u0301x', 'ǅ ǈ ǋ ῼ Ǆ', '𐐀𐐁𐐂 𝐀𝐁 🏳️‍🌈 1️⃣ 👨‍👩‍👧',
]


def mark_class():
    codes = [c for c in range(0x110000)
             if unicodedata.category(chr(c))[0] == 'M'] + [0x200C, 0x200D]
    return ''.join('\\U%08x' % c for c in sorted(codes))


WORD = re.compile(r'\w[\w%s]*' % mark_class())
SPACE = re.compile(r'\S+')


# The scripts that are written without spaces, by Unicode's own property; the
# apostrophe letter U+02BC is used in Thai, but not only there.
SCRIPT = regex.compile(r'[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}'
                       r'\p{scx=Khmr}\p{scx=Mymr}--[\u02bc]]', regex.V1)
ALONE = regex.compile(r'\p{Emoji_Presentation}')
PICTOGRAPH = regex.compile(r'\p{Extended_Pictographic}')
CLUSTER = regex.compile(r'\X')
MARKS = re.compile('[%s]*' % mark_class())
MODIFIER = re.compile('[\ufe0f\U0001F3FB-\U0001F3FF]')


EMOJI = regex.compile(r'\p{Emoji}')
ASSIGNED = regex.compile(r'\P{Cn}')


def is_sign(code):
    return 0x2190 <= code < 0x2C00 or 0x3030 <= code < 0x3040 or 0x1F000 <= code < 0x20000


def is_paired(c):
    category = unicodedata.category(c)
    return (category[0] == 'L' or category == 'Nl') and SCRIPT.match(c) is not None


def is_emoji(text, at):
    """An emoji starts here; \\w goes first."""
    c = text[at]
    if WORD.match(c):
        return False
    return bool(ALONE.match(c) or
                PICTOGRAPH.match(c) and at + 1 < len(text) and MODIFIER.match(text[at + 1]))


def expected_words(text):
    tokens, at = [], 0

    def cluster(start):
        return MARKS.match(text, start + 1).end()

    while at < len(text):
        if is_paired(text[at]):
            end = cluster(at)
            if end < len(text) and is_paired(text[end]):
                tokens.append((text[at:cluster(end)], at + 1, cluster(end) - at))
            tokens.append((text[at:end], at + 1, end - at))
        elif is_emoji(text, at):
            # some spacing marks are no part of Unicode's clusters
            end = MARKS.match(text, CLUSTER.match(text, at).end()).end()
            tokens.append((text[at:end], at + 1, end - at))
        elif WORD.match(text, at):
            end = WORD.match(text, at).end()
            end = next((i for i in range(at, end) if is_paired(text[i])), end)
            if len(text[at:end].encode()) < 2047:
                tokens.append((text[at:end].lower(), at + 1, end - at))
        else:
            end = at + 1
        at = end
    return tokens


def expected_whitespace(text):
    # str.split() knows more white space than \S of re leaves out
    result, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        if len(word.encode()) < 2047:
            result.append((word, at + 1, len(word)))
        at += len(word)
    return result


def alphabet():
    """Code points in groups, so that words of one script come together."""
    same = unicodedata.unidata_version == '14.0.0'
    old = unicodedata.ucd_3_2_0
    if not same:
        print('Python has Unicode %s, the table 14.0.0: only characters'
              ' of Unicode 3.2 are compared' % unicodedata.unidata_version)
    groups = {}
    for c in range(1, 0x110000):
        if 0xD800 <= c <= 0xDFFF:
            continue
        # the module regex may know a later Unicode, with more characters, and
        # with fewer signs among the pictographs
        if unicodedata.category(chr(c)) == 'Cn' and ASSIGNED.match(chr(c)):
            continue
        if is_sign(c) and not EMOJI.match(chr(c)):
            continue
        if same or old.category(chr(c)) != 'Cn':
            groups.setdefault(c >> 7, []).append(chr(c))
    return list(groups.values())


def random_texts(count):
    groups = alphabet()
    low = [g for g in groups if ord(g[0]) < 0x3000]
    common = list(' \n.,-_\'aZ09\u03a3\u0130\u0301\u200d\u00ad\u2019')
    texts = []
    for _ in range(count):
        text = ''
        for _ in range(random.randrange(1, 8)):
            group = random.choice(low if random.random() < 0.7 else groups)
            text += ''.join(random.choice(common if random.random() < 0.3
                                          else group)
                            for _ in range(random.randrange(1, 30)))
        texts.append(text)
    # every code point once, between letters and alone
    everything = [c for group in groups for c in group]
    for i in range(0, len(everything), 200):
        part = everything[i:i + 200]
        texts.append(' '.join('A%sB %s %s\u03a3' % (c, c, c) for c in part))
    return texts


# What the server's default parser treats specially; see src/text/chunk.c.
PARTS = ['a', 'Word', 'the', 'x', 'running', '5', '3.14', '12', '.', '..', '.', ',', '-',
         '-', '/', '/', ':', '@', '&', '&amp;', '&#65;', '~', '+', '_', '=', '?',
         '<', '>', '<br />', '<br/>', '<b>', '</b>', '<a href=x y=z>', '</',
         '<a href="p q > r">', "<i title='", '<script>', '</script>', '<STYLE',
         '<!-- ', ' -->', '<?xml ', '<!DOCTYPE ', 'http://', 'ftp://', 'www.',
         'host.com', 'a@b.org', '/usr/local/x.c', 'e5', 'E', '"', "'", '(', ')',
         ';', '!', '*', '$', '[', ']', '%', '\u00e9', '\u00df', '\u0301',
         '\u4e2d', '\u00a0', '\u3000', '\u200b', '\x1c', '\\']
BLANKS = [' ', ' ', ' ', '  ', '\n', '\t', '\r\n', '\f', '\v']


def parser_texts(count):
    return [''.join(random.choice(BLANKS if random.random() < blanks
                                  else PARTS)
                    for _ in range(random.randrange(1, 60)))
            for blanks in (0.1, 0.25, 0.4) for _ in range(count)]


def compare_places(cursor, name, texts):
    """Where tokens lie: configuration simple gives one lexeme for each of the
    parser's tokens that it maps."""
    for start in range(0, len(texts), 500):
        part = texts[start:start + 500]
        cursor.execute("""
            SELECT t.i FROM unnest(%s::text[]) WITH ORDINALITY AS t (input, i)
            WHERE (SELECT array_agg(p.token ORDER BY p.n)
                   FROM ts_parse('default', t.input) WITH ORDINALITY AS p (tokid, token, n)
                   WHERE p.tokid IN (SELECT m.maptokentype FROM pg_ts_config_map AS m
                                     WHERE m.mapcfg = 'simple'::regconfig))
              IS DISTINCT FROM
                  (SELECT array_agg(substring(t.input FROM k.start FOR k.length) ORDER BY k.position)
                   FROM text_tokens(t.input, 'simple') AS k)""", (part,))
        for i, in cursor.fetchall():
            report(name + ' ts_parse', part[i - 1], [], [])
    print('%s: places in %d texts compared with ts_parse' % (name, len(texts)))


def reviews():
    data = os.environ.get('EMBED_DATA')
    path = data and os.path.join(data, 'corpora/imdb_train.copy.tsv.xz')
    if not path or not os.path.exists(path):
        print('IMDB reviews not found: set EMBED_DATA')
        return []
    unescape = re.compile(r'\\(.)')
    names = {'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', 'v': '\v'}
    with lzma.open(path, 'rt', encoding='utf8', newline='\n') as lines:
        return [unescape.sub(lambda m: names.get(m[1], m[1]),
                             line.rstrip('\n').split('\t')[4])
                for line in lines]


def report(what, text, found, wanted):
    global failures
    failures += 1
    if failures <= 10:
        differ = next((i for i, (a, b) in enumerate(zip(found, wanted))
                       if a != b), min(len(found), len(wanted)))
        print('%s: token %d is %r, should be %r in %r' % (
            what, differ, found[differ:differ + 1], wanted[differ:differ + 1],
            text[:200]))


def compare(cursor, name, texts):
    for start in range(0, len(texts), 500):
        part = texts[start:start + 500]
        for config, expected in (('embed_words', expected_words),
                                 ('embed_whitespace', expected_whitespace)):
            cursor.execute("""
                SELECT t.i, k.token, k.start, k.length
                FROM unnest(%s::text[]) WITH ORDINALITY AS t (input, i),
                LATERAL text_tokens(t.input, %s::regconfig) AS k
                ORDER BY t.i, k.position""", (part, config))
            found = [[] for _ in part]
            for i, *token in cursor:
                found[i - 1].append(tuple(token))
            for text, tokens in zip(part, found):
                wanted = expected(text)
                if tokens != wanted:
                    report('%s %s' % (name, config), text, tokens, wanted)
    print('%s: %d texts compared with Python' % (name, len(texts)))


def compare_with_server(cursor, name, texts, configs):
    """Token by token with ts_debug for ours; with to_tsvector for all, as far
    as its limits go."""
    for config in configs:
        for start in range(0, len(texts), 500):
            part = texts[start:start + 500]
            if config.startswith('embed_'):
                cursor.execute("""
                    SELECT t.i FROM unnest(%s::text[]) WITH ORDINALITY AS t (input, i)
                    WHERE (SELECT array_agg(d.lexemes[1] ORDER BY d.n)
                           FROM ts_debug(%s, t.input) WITH ORDINALITY
                                AS d (alias, description, token, dictionaries, dictionary, lexemes, n)
                           WHERE d.alias IN ('word', 'pair') AND octet_length(d.token) < 2047)
                      IS DISTINCT FROM
                          (SELECT array_agg(k.token ORDER BY k.position)
                           FROM text_tokens(t.input, %s) AS k)""",
                               (part, config, config))
                for i, in cursor.fetchall():
                    report('%s ts_debug %s' % (name, config), part[i - 1], [], [])
            cursor.execute("""
                SELECT t.i FROM unnest(%s::text[]) WITH ORDINALITY AS t (input, i)
                WHERE (SELECT array_agg((u.lexeme, p.p::integer) ORDER BY p.p, u.lexeme COLLATE "C")
                       FROM unnest(to_tsvector(%s::regconfig, t.input)) AS u,
                            unnest(u.positions) AS p (p)
                       WHERE p.p < 16383)
                  IS DISTINCT FROM
                      (SELECT array_agg((k.token, k.position) ORDER BY k.position, k.token COLLATE "C")
                       FROM (SELECT d.token, d.position,
                                    row_number() OVER (PARTITION BY d.token ORDER BY d.position) AS n
                             FROM (SELECT DISTINCT token, position
                                   FROM text_tokens(t.input, %s::regconfig)) AS d) AS k
                       WHERE k.n < 256 AND k.position < 16383)""",
                           (part, config, config))
            for i, in cursor.fetchall():
                report('%s to_tsvector %s' % (name, config), part[i - 1], [], [])
        print('%s: %d texts compared with the server, %s' %
              (name, len(texts), config))


def main():
    connection = psycopg2.connect('')
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET client_min_messages = 'warning'")
    random_ones = random_texts(3000)
    compare(cursor, 'scripts', SCRIPTS)
    compare(cursor, 'random', random_ones)
    imdb = reviews()
    # all of them, and every code point against the server, in the long form
    if not LONG:
        imdb = imdb[seed % 25::25]
    compare(cursor, 'imdb', imdb)
    configs = ['embed_words', 'embed_whitespace', 'simple', 'english', 'german']
    if not LONG:
        random_ones = random_ones[:500]
    compare_with_server(cursor, 'scripts', SCRIPTS, configs)
    compare_with_server(cursor, 'random', random_ones, configs)
    compare_with_server(cursor, 'imdb', imdb, configs)
    parser_ones = parser_texts(100000 if LONG else 4000)
    compare_with_server(cursor, 'parser', parser_ones, ['simple', 'english'])
    compare_places(cursor, 'parser', parser_ones)
    compare_places(cursor, 'random', random_ones)
    compare_places(cursor, 'imdb', imdb)
    print('%d failures' % failures)
    sys.exit(failures != 0)


main()
