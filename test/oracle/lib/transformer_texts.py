"""Texts of many kinds, for comparisons with a model's own implementation."""

import random


def texts_of_many_kinds():
    chance = random.Random(19)
    words = '''the a of and to in river stone market winter music engine paper quiet light doctor village ocean red seven
        government theory bread number window silver forgotten children against under because running spoke beautiful
        Zürich naïve façade Übermut señor œuvre Москва αλφα 東京 北京大学 こんにちは 안녕하세요 مرحبا שלום हिन्दी ไทย
        e-mail user@example.org https://example.org/a?b=c 3.14159 1,000,000 -17 $99.95 C++ x86_64 don't isn't U.S.A.
        😀 🚀 👩‍👩‍👧 ½ … — “quoted” antidisestablishmentarianism pneumonoultramicroscopic zzzzqqqq'''.split()
    texts = ['hello world', '', ' ', '.', 'é', 'e\u0301', '\u200b', '😀', '日本語のテキストです。', 'A' * 300, 'ab ' * 5000,
             'word ' * 10000, 'the same ' * 127, '\n\t new\nlines \r\n']
    while len(texts) < 500:
        count = int(chance.choice([3, 8, 20, 90, 250]) * chance.uniform(.5, 1.5)) + 1
        texts.append(' '.join(chance.choice(words) for _ in range(count)))
    return texts
