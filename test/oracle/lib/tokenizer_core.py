"""The tokenizer of src/tokenizer, compiled to a shared object and called by ctypes."""
import ctypes as C
import glob
import os
import struct
import subprocess

FLAGS = ['-O2', '-g', '-std=gnu11', '-fPIC', '-shared', '-Wall', '-Wextra',
         '-Wno-unused-parameter', '-Wno-sign-compare', '-Wno-missing-field-initializers']
OWN, NONE, RIGHT, LEFT = range(4)
NO_OFFSETS, BYTES, CHARACTERS = range(3)
SPECIALS = ['cls', 'sep', 'pad', 'unk', 'mask', 'bos', 'eos']


class Token(C.Structure):
    _fields_ = [(name, C.c_uint32) for name in ('id', 'start', 'length', 'text', 'text_length')]


class String(C.Structure):
    _fields_ = [('text', C.c_char_p), ('length', C.c_size_t)]


class Gguf(C.Structure):
    _fields_ = [
        ('model', String), ('pre', String),
        ('tokens', C.POINTER(String)), ('token_count', C.c_uint32),
        ('scores', C.POINTER(C.c_float)), ('types', C.POINTER(C.c_int32)),
        ('merges', C.POINTER(String)), ('merge_count', C.c_uint32),
        ('charsmap', C.c_char_p), ('charsmap_length', C.c_size_t)] + [
        (name, C.c_int64) for name in ('unknown', 'bos', 'eos', 'cls', 'separator', 'padding', 'mask')] + [
        (name, C.c_int) for name in ('add_bos', 'add_eos', 'add_separator', 'add_space_prefix',
                                     'remove_extra_whitespaces', 'lowercase', 'strip_accents')]


def build(top, directory):
    """Compiles the core and the shim; returns the library."""
    target = os.path.join(directory, 'tokenizer.so')
    sources = [path for pattern in ('tokenizer/*.c', 'format/*.c', 'math/distance*.c', 'math/cpu.c', 'math/random.c')
               for path in glob.glob(top + '/src/' + pattern)] + [top + '/test/oracle/tokenizer_shim.c']
    subprocess.run([os.environ.get('CC', 'gcc')] + FLAGS + ['-I' + top + '/src', '-o', target] +
                   sources + ['-lm', '-ldl'], check=True)
    library = C.CDLL(target)
    handle, text, size = C.c_void_p, C.c_char_p, C.c_size_t
    for name, result, arguments in (
            ('compile', handle, [text, size]),
            ('vocabulary', handle, [text, size, C.c_int]),
            ('gguf', handle, [C.POINTER(Gguf)]),
            ('message', text, [handle]),
            ('free', None, [handle]),
            ('image_size', size, [handle]),
            ('encode', C.c_long, [handle, text, size, C.c_int, C.c_int, C.c_int, C.c_uint32]),
            ('tokens', C.POINTER(Token), [handle]),
            ('token_text', handle, [handle, C.c_uint32, C.POINTER(size)]),
            ('special', C.c_long, [handle, C.c_int]),
            ('normalize', C.c_long, [handle, text, size, C.POINTER(handle)]),
            ('ids', C.c_long, [handle, text, C.POINTER(size), size, C.c_uint32, handle, handle]),
            ('time', C.c_double, [handle, text, C.POINTER(size), size, C.c_int, C.POINTER(size)])):
        function = getattr(library, 'shim_' + name)
        function.restype, function.argtypes = result, arguments
    return library


class Core:
    """One tokenizer; ValueError where it is refused."""

    def __init__(self, library, json=None, handle=None):
        self.library = library
        self.handle = handle
        if json is not None:
            data = json.encode() if isinstance(json, str) else json
            self.handle = library.shim_compile(data, len(data))
        message = library.shim_message(self.handle)
        if message:
            raise ValueError(message.decode('utf8', 'replace'))

    def __del__(self):
        self.library.shim_free(self.handle)

    def encode(self, text, special=True, offsets=CHARACTERS, limit=NONE, most=0):
        """[(id, start, end)]"""
        data = text.encode()
        count = self.library.shim_encode(self.handle, data, len(data), special, offsets, limit, most)
        if count < 0:
            raise ValueError('status %d' % -count)
        tokens = self.library.shim_tokens(self.handle)
        return [(t.id, t.start, t.start + t.length) for t in tokens[:count]]

    def texts(self, count):
        """The texts of the tokens of the last call."""
        result = []
        for number in range(count):
            length = C.c_size_t()
            place = self.library.shim_token_text(self.handle, number, C.byref(length))
            result.append(C.string_at(place, length.value).decode() if place else None)
        return result

    def normalize(self, text):
        data, place = text.encode(), C.c_void_p()
        length = self.library.shim_normalize(self.handle, data, len(data), C.byref(place))
        if length < 0:
            raise ValueError('status %d' % -length)
        return C.string_at(place, length).decode() if length else ''

    def time(self, texts, offsets):
        """Processor seconds for a list of texts as bytes, and how many tokens."""
        ends, total = (C.c_size_t * len(texts))(), 0
        for number, data in enumerate(texts):
            total += len(data)
            ends[number] = total
        tokens = C.c_size_t()
        return self.library.shim_time(self.handle, b''.join(texts), ends, len(texts), offsets,
                                      C.byref(tokens)), tokens.value


def read_gguf(path):
    """The keys of a GGUF file: numbers, bytes, and lists of them."""
    data = memoryview(open(path, 'rb').read())
    place = 24
    kinds = {0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q', 11: 'q', 12: 'd'}

    def take(kind):
        nonlocal place
        if kind == 8:
            length, = struct.unpack_from('<Q', data, place)
            place += 8 + length
            return bytes(data[place - length:place])
        if kind == 9:
            inner, count = struct.unpack_from('<IQ', data, place)
            place += 12
            if inner in (8, 9):
                return [take(inner) for _ in range(count)]
            values = struct.unpack_from('<%d%s' % (count, kinds[inner]), data, place)
            place += struct.calcsize('<%d%s' % (count, kinds[inner]))
            return list(values)
        value, = struct.unpack_from('<' + kinds[kind], data, place)
        place += struct.calcsize(kinds[kind])
        return value

    fields = {}
    for _ in range(struct.unpack_from('<Q', data, 16)[0]):
        name = take(8).decode()
        fields[name] = take(take(4))
    return fields


def from_gguf(library, path):
    """The tokenizer of a GGUF file."""
    fields = read_gguf(path)
    keep = []

    def field(name):
        return fields.get('tokenizer.ggml.' + name)

    def strings(name):
        values = field(name)
        if values is None:
            return None, 0
        array = (String * len(values))(*[String(v, len(v)) for v in values])
        keep.append((values, array))
        return array, len(values)

    def number(name, otherwise=-1):
        return otherwise if field(name) is None else int(field(name))

    def numbers(name, kind):
        return None if field(name) is None else (kind * len(field(name)))(*field(name))

    def text(name):
        data = field(name) or b''
        return String(data, len(data))

    keys = Gguf()
    keys.model, keys.pre = text('model'), text('pre')
    tokens, keys.token_count = strings('tokens')
    keys.tokens = C.cast(tokens, C.POINTER(String))
    merges, keys.merge_count = strings('merges')
    if merges is not None:
        keys.merges = C.cast(merges, C.POINTER(String))
    scores, types = numbers('scores', C.c_float), numbers('token_type', C.c_int32)
    if scores is not None:
        keys.scores = C.cast(scores, C.POINTER(C.c_float))
    if types is not None:
        keys.types = C.cast(types, C.POINTER(C.c_int32))
    for ours, theirs in (('unknown', 'unknown_token_id'), ('bos', 'bos_token_id'),
                         ('eos', 'eos_token_id'), ('cls', 'cls_token_id'),
                         ('separator', 'seperator_token_id'), ('padding', 'padding_token_id'),
                         ('mask', 'mask_token_id'), ('add_bos', 'add_bos_token'),
                         ('add_eos', 'add_eos_token'), ('add_separator', 'add_sep_token'),
                         ('add_space_prefix', 'add_space_prefix'),
                         ('remove_extra_whitespaces', 'remove_extra_whitespaces'),
                         ('lowercase', 'normalizer.lowercase'),
                         ('strip_accents', 'normalizer.strip_accents')):
        setattr(keys, ours, number(theirs))
    return Core(library, handle=library.shim_gguf(C.byref(keys)))
