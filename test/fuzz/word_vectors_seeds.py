"""word_vectors_seeds.py: writes the seeds of word_vectors_fuzz.

    python3 test/fuzz/word_vectors_seeds.py

One small file of each kind and some damaged ones; the first byte of each seed
is the size of the pieces in which the target reads (less one).
"""
import os
import struct

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds", "word_vectors")
os.makedirs(folder, exist_ok=True)


def seed(name, data, piece=63):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(bytes([piece]) + data)


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def fasttext(version=12, buckets=2, quantised=0, pruned=-1, rows=4, first=b"of"):
    data = struct.pack("<ii", 793712314, version)
    data += struct.pack("<12id", 2, 5, 5, 1, 5, 1, 2, 2, buckets, 3, 6, 100, 1e-4)
    data += struct.pack("<iiiqq", 3, 2, 1, 99, pruned)
    for word, count, kind in ((first, 9, 0), (b"the", 7, 0), (b"__label__x", 1, 1)):
        data += word + struct.pack("<xqb", count, kind)
    data += struct.pack("<Bqq", quantised, rows, 2)
    return data + floats(*(i / 4 for i in range(2 * rows)))


text = b"3 2\nthe 0.25 -1\nof 1e-3 7\ncaf\xc3\xa9 .1 1E+20\n"
seed("text", text)
seed("text_pieces", text, 0)
seed("text_crlf", text.replace(b"\n", b" \r\n") + b"\r\n")
seed("text_bom", b"\xef\xbb\xbf" + text)
seed("text_long_numbers", b"1 2\nx 0.12345678901234567890123 123456789012345678901234567890e-40\n")
seed("text_truncated", text[:-12])
seed("text_nan", b"1 2\nx nan inf\n")
seed("glove", b"the 0.1 0.2 0.3\n. . . 1 2 3\nat x@y.z 4 5 6\n")
seed("binary", b"2 3\nthe " + floats(1, 2, 3) + b"\nof " + floats(-1, 1e-40, 3e38) + b"\n")
seed("binary_no_feeds", b"2 3\nthe " + floats(1, 2, 3) + b"of " + floats(4, 5, 6), 0)
seed("binary_truncated", b"2 3\nthe " + floats(1, 2, 3) + b"\nof " + floats(4, 5))
seed("binary_nan", b"1 1\nthe " + floats(float("nan")))
seed("fasttext", fasttext())
seed("fasttext_pieces", fasttext(version=11), 0)
seed("fasttext_quantised", fasttext(quantised=1))
seed("fasttext_pruned", fasttext(pruned=1))
seed("fasttext_long_word", fasttext(first=b"x" * 2007), 0)
seed("fasttext_rows", fasttext(rows=5))
seed("gzip", b"\x1f\x8b\x08\x00")
