"""Transformers of the pure core, called from Python: builds the shared object
and feeds it a model's folder (config.json and safetensors, read here)."""

import ctypes
import glob
import json
import os
import struct
import subprocess
import tempfile

import numpy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PRECISIONS = ['float32', 'bfloat16', 'int16', 'int8']
POOLINGS = ['none', 'cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
OK, IGNORED, UNKNOWN, INVALID, STOPPED = range(5)


class Refused(Exception):
    pass


def build(compiler='gcc', flags=('-O2',)):
    directory = tempfile.mkdtemp()
    target = os.path.join(directory, 'transformer.so')
    sources = sorted(glob.glob(TOP + '/src/math/*.c') + glob.glob(TOP + '/src/network/*.c') + glob.glob(TOP + '/src/format/*.c'))
    subprocess.check_call([compiler, '-std=gnu11', '-shared', '-fPIC', '-w', *flags, '-I' + TOP + '/src', '-o', target,
                           os.path.join(TOP, 'test/oracle/lib/transformer_shim.c'), *sources, '-lm', '-ldl'])
    library = ctypes.CDLL(target)
    library.shim_begin.restype = ctypes.c_void_p
    library.shim_message.restype = library.shim_kernels.restype = ctypes.c_char_p
    library.shim_bytes.restype = library.shim_scratch.restype = ctypes.c_size_t
    library.shim_number.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double]
    library.shim_text.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    library.shim_tensor.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                                    ctypes.c_size_t, ctypes.c_size_t]
    library.shim_encode.argtypes = [ctypes.c_void_p, ctypes.c_int] + [ctypes.c_void_p] * 3 + [ctypes.c_int] * 3 + \
        [ctypes.c_void_p]
    library.shim_scratch.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    for name in 'shim_end', 'shim_message', 'shim_open', 'shim_bytes':
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.shim_plan.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.shim_kernels.argtypes = [ctypes.c_char_p]
    return library


def entries(value, prefix=''):
    """The entries of config.json as the core takes them: joined by dots."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from entries(inner, prefix + '.' + key if prefix else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from entries(inner, '%s.%d' % (prefix, i))
    elif value is not None:
        yield prefix, value


def safetensors(path):
    """Names and arrays of a file, floats whatever they were; numbers are left out."""
    with open(path, 'rb') as file:
        size, = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(size))
    data = numpy.memmap(path, dtype=numpy.uint8, mode='r', offset=8 + size)
    for name, about in header.items():
        if name == '__metadata__':
            continue
        begin, end = about['data_offsets']
        raw = data[begin:end]
        if about['dtype'] == 'F32':
            values = raw.view(numpy.float32)
        elif about['dtype'] == 'F16':
            values = raw.view(numpy.float16).astype(numpy.float32)
        elif about['dtype'] == 'BF16':
            values = (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        else:
            continue
        yield name, values.reshape(about['shape'])


class Model:
    def __init__(self, library, config, tensors, precision='float32', piece=1000003):
        self.library = library
        self.shim = library.shim_begin(config['model_type'].encode())
        self.hidden = config.get('hidden_size', config.get('dim'))
        self.check(OK if not library.shim_message(self.shim) else UNKNOWN, config['model_type'])
        for key, value in entries(config):
            if isinstance(value, str):
                status = library.shim_text(self.shim, key.encode(), value.encode())
            else:
                status = library.shim_number(self.shim, key.encode(), float(value))
            self.check(status, 'option ' + key)
        self.check(library.shim_plan(self.shim, PRECISIONS.index(precision)), 'plan')
        for name, values in tensors:
            values = numpy.ascontiguousarray(values, dtype=numpy.float32)
            shape = numpy.array(values.shape, dtype=numpy.int64)
            self.check(library.shim_tensor(self.shim, name.encode(), values.ndim, shape.ctypes.data,
                                           values.ctypes.data, values.size, piece), 'tensor ' + name)
        self.check(library.shim_open(self.shim), 'open')

    def check(self, status, what):
        if status not in (OK, IGNORED):
            raise Refused('%s: %s' % (what, self.library.shim_message(self.shim).decode()))

    def __del__(self):
        self.library.shim_end(self.shim)

    def prepare(self, texts, types=None):
        ids = numpy.concatenate([numpy.asarray(t, dtype=numpy.int32) for t in texts])
        offsets = numpy.cumsum([0] + [len(t) for t in texts]).astype(numpy.uint64)
        kinds = None if types is None else numpy.concatenate([numpy.asarray(t, dtype=numpy.uint8) for t in types])
        return ids, offsets, kinds

    def encode(self, texts, pooling='mean', normalize=False, types=None, layer=-1):
        return self.encode_prepared(self.prepare(texts, types), pooling, normalize, layer)

    def encode_prepared(self, prepared, pooling='mean', normalize=False, layer=-1):
        ids, offsets, kinds = prepared
        rows = len(ids) if pooling == 'none' else len(offsets) - 1
        to = numpy.empty((rows, self.hidden), dtype=numpy.float32)
        self.check(self.library.shim_encode(self.shim, len(offsets) - 1, ids.ctypes.data, offsets.ctypes.data,
                                            None if kinds is None else kinds.ctypes.data,
                                            POOLINGS.index(pooling), normalize, layer, to.ctypes.data), 'encode')
        return to


def of_folder(library, folder, precision='float32', piece=1000003):
    with open(os.path.join(folder, 'config.json')) as file:
        config = json.load(file)
    return Model(library, config, safetensors(os.path.join(folder, 'model.safetensors')), precision, piece)
