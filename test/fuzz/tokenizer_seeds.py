#!/usr/bin/python3
"""Write the seeds of the three fuzz targets of tokenizers: small, all our own.

    python3 test/fuzz/tokenizer_seeds.py        from the top of the tree
"""
import json
import os
import struct

VOCAB = {'[U]': 0, 'a': 1, 'b': 2, 'ab': 3, '##b': 4, 'é': 5, '\u2581': 6, '\u2581a': 7, '<0x61>': 8, '\u0120': 9}
MERGES = [['a', 'b'], ['\u2581', 'a']]
MODELS = {
    'wordpiece': {'type': 'WordPiece', 'unk_token': '[U]', 'continuing_subword_prefix': '##',
                  'max_input_chars_per_word': 100, 'vocab': VOCAB},
    'bpe': {'type': 'BPE', 'unk_token': '[U]', 'fuse_unk': True, 'byte_fallback': True,
            'vocab': VOCAB, 'merges': MERGES, 'continuing_subword_prefix': None},
    'bpe_old': {'unk_token': None, 'vocab': VOCAB, 'merges': ['#version: 0.2', 'a b'],
                'end_of_word_suffix': '', 'ignore_merges': True, 'dropout': None},
    'unigram': {'type': 'Unigram', 'unk_id': 0, 'byte_fallback': False,
                'vocab': [[piece, -1.5 * i] for piece, i in VOCAB.items()]},
    'wordlevel': {'type': 'WordLevel', 'unk_token': '[U]', 'vocab': VOCAB},
}
NORMALIZERS = [
    {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True,
     'strip_accents': None, 'lowercase': True},
    {'type': 'NFKC'}, {'type': 'NFD'}, {'type': 'StripAccents'}, {'type': 'Lowercase'}, {'type': 'Nmt'},
    {'type': 'Strip', 'strip_left': True, 'strip_right': True},
    {'type': 'Prepend', 'prepend': '\u2581'},
    {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\u2581'},
    {'type': 'Replace', 'pattern': {'Regex': r'\s{2,}|(?<=x)\.'}, 'content': ' '},
    {'type': 'Precompiled', 'precompiled_charsmap': 'BAAAAAAAAABhAGIA'},
    {'type': 'ByteLevel'},
]
SPLITTERS = [
    {'type': 'BertPreTokenizer'}, {'type': 'Whitespace'}, {'type': 'WhitespaceSplit'},
    {'type': 'UnicodeScripts'}, {'type': 'Digits', 'individual_digits': False},
    {'type': 'FixedLength', 'length': 3}, {'type': 'CharDelimiterSplit', 'delimiter': '-'},
    {'type': 'Punctuation', 'behavior': 'Contiguous'},
    {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'first', 'split': True},
    {'type': 'Split', 'pattern': {'Regex': r"(?i:'s|'t)|\p{L}++|[^\s\p{N}&&[^a-c]]*?|(?>a|b)+(?!\S)|\bx$"},
     'behavior': 'MergedWithPrevious', 'invert': True},
    {'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': True, 'use_regex': True},
]
PROCESSORS = [
    {'type': 'BertProcessing', 'sep': ['b', 2], 'cls': ['a', 1]},
    {'type': 'RobertaProcessing', 'sep': ['b', 2], 'cls': ['a', 1], 'trim_offsets': True, 'add_prefix_space': True},
    {'type': 'TemplateProcessing',
     'single': [{'SpecialToken': {'id': '[U]', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}],
     'pair': [], 'special_tokens': {'[U]': {'id': '[U]', 'ids': [0], 'tokens': ['[U]']}}},
]
ADDED = [{'id': 0, 'content': '[U]', 'single_word': True, 'lstrip': True, 'rstrip': False, 'normalized': False, 'special': True},
         {'id': 20, 'content': 'Xy', 'single_word': False, 'lstrip': False, 'rstrip': True, 'normalized': True, 'special': False}]
TEXTS = ["Hello world's café 中文 [U] Ab ab", 'e\u0301\u0323 각 ﬁ 1½ ǅ İ', ' \u2581a  b\n\n\t c', '\U0001F468\u200D\U0001F469 ' * 3]


def gguf(settings):
    """A GGUF file without tensors; settings are (key, kind, value)."""
    def text(value):
        data = value.encode()
        return struct.pack('<Q', len(data)) + data

    def pack(kind, value):
        return text(value) if kind == 8 else struct.pack('<' + {4: 'I', 5: 'i', 6: 'f', 7: '?'}[kind], value)
    data = b'GGUF' + struct.pack('<IQQ', 3, 0, len(settings))
    for key, kind, value in settings:
        data += text(key)
        if isinstance(value, list):
            data += struct.pack('<IIQ', 9, kind, len(value)) + b''.join(pack(kind, v) for v in value)
        else:
            data += struct.pack('<I', kind) + pack(kind, value)
    return data + bytes(-len(data) % 32)


def gguf_seeds():
    """One for each kind of vocabulary that llama.cpp has."""
    for name, pre, tokens, more in (
            ('bert', '', ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '\u2581cat', '\u2581dog', 's'],
             [('cls_token_id', 4, 2), ('seperator_token_id', 4, 3), ('unknown_token_id', 4, 1)]),
            ('gpt2', 'llama-bpe', ['<s>', 'c', 'a', 't', 'ca', 'cat', '\u0120', '\u0120cat'],
             [('merges', 8, ['c a', 'ca t', '\u0120 cat']), ('bos_token_id', 4, 0), ('add_bos_token', 7, True)]),
            ('llama', 'default', ['<unk>', '<s>', '<0x61>', '\u2581', 'c', 'a', '\u2581c', 'ca'],
             [('bos_token_id', 4, 1), ('unknown_token_id', 4, 0), ('add_space_prefix', 7, True)]),
            ('t5', '', ['<pad>', '</s>', '<unk>', '\u2581', '\u2581cat', 'dog', 'o'],
             [('eos_token_id', 4, 1), ('unknown_token_id', 4, 2), ('remove_extra_whitespaces', 7, True)])):
        settings = [('general.architecture', 8, name), ('tokenizer.ggml.model', 8, name), ('tokenizer.ggml.pre', 8, pre),
                    ('tokenizer.ggml.tokens', 8, tokens), ('tokenizer.ggml.scores', 6, [-float(i) for i in range(len(tokens))]),
                    ('tokenizer.ggml.token_type', 5, [3, 3, 2] + [1] * (len(tokens) - 3))]
        yield name, gguf(settings + [('tokenizer.ggml.' + key, kind, value) for key, kind, value in more])


def main():
    top = os.path.join('test', 'fuzz', 'seeds')
    number = 0
    for folder in ('tokenizer_json', 'tokenizer_text', 'tokenizer_gguf'):
        os.makedirs(os.path.join(top, folder), exist_ok=True)
    for name, data in gguf_seeds():
        with open(os.path.join(top, 'tokenizer_gguf', name), 'wb') as file:
            file.write(data)
    for name, model in MODELS.items():
        for start in range(3):
            number += 1
            root = {'version': '1.0', 'added_tokens': ADDED, 'model': model,
                    'truncation': {'direction': 'Left', 'max_length': 9, 'strategy': 'LongestFirst', 'stride': 0},
                    'padding': None,
                    'normalizer': {'type': 'Sequence', 'normalizers': NORMALIZERS[start::3]},
                    'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': SPLITTERS[start::3]},
                    'post_processor': PROCESSORS[start]}
            with open(os.path.join(top, 'tokenizer_json', '%s_%d' % (name, start)), 'wb') as file:
                file.write(bytes([number % 3, 0, number, 7 * number]) +
                           json.dumps(root, ensure_ascii=False).encode())
    for number in range(5):
        for which, text in enumerate(TEXTS):
            with open(os.path.join(top, 'tokenizer_text', '%d_%d' % (number, which)), 'wb') as file:
                file.write(bytes([number]) + text.encode())


main()
