#!/usr/bin/python3
# needs: safetensors gguf h5py numpy
"""If this fails, a file of a model is read differently from what the packages
that define its format make of it.

Files are written by safetensors, gguf, h5py and tarfile, read by src/format
(through test/oracle/lib/model_files.c, without a server) and compared: names,
types, shapes, settings, members, and every value bit by bit.  The values of
quantised blocks are those of gguf's dequantize on random blocks.  Real files
of EMBED_DATA are read too."""

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile

try:
    import gguf
    import h5py
    import numpy
    import safetensors
    import safetensors.numpy
except ImportError as missing:
    print('a package cannot be had: %s' % missing)
    sys.exit(77)

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
data = os.environ.get('EMBED_DATA', '')
scratch = tempfile.TemporaryDirectory()
seed = int(os.environ.get('EMBED_SEED', 0)) or random.randrange(1 << 30)
print('EMBED_SEED=%d' % seed)
chance = random.Random(seed)
numbers = numpy.random.default_rng(seed)
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, str(detail)[:200]))


def path(name):
    return os.path.join(scratch.name, name)


def build():
    """The pure core compiled with the program that prints what it reads."""
    sources = [os.path.join(top, 'test/oracle/lib/model_files.c')]
    for room, prefixes in (('format', ('',)), ('math', ('distance', 'cpu', 'random'))):
        folder = os.path.join(top, 'src', room)
        sources += [os.path.join(folder, name) for name in sorted(os.listdir(folder))
                    if name.endswith('.c') and name.startswith(prefixes)]
    subprocess.run(['gcc', '-O2', '-I' + os.path.join(top, 'src'), '-o', path('model_files')] + sources +
                   ['-lm', '-ldl'], check=True)


def read(kind, *files):
    """What is printed, and the values of all tensors, each as an array."""
    printed = subprocess.run([path('model_files'), kind, path('values')] + list(files), check=True,
                             stdout=subprocess.PIPE).stdout
    result = json.loads(printed)
    values = numpy.fromfile(path('values'), '<f4')
    tensors, at = {}, 0
    for name, dtype, shape, offset, size in result.get('tensors', []):
        count = int(numpy.prod(shape, dtype=numpy.int64))
        tensors[name] = dtype, shape, values[at:at + count].reshape(shape)
        at += count
    return result, tensors


def same(ours, theirs):
    """Equal as floats bit by bit, all NaNs alike."""
    theirs = numpy.asarray(theirs)
    with numpy.errstate(over='ignore'):
        theirs = theirs.astype('<f4')
    ours, theirs = ours.reshape(-1), theirs.reshape(-1)
    nan = numpy.isnan(ours) & numpy.isnan(theirs)
    return ours.shape == theirs.shape and bool(numpy.all((ours.view('<u4') == theirs.view('<u4')) | nan))


def check_safetensors():
    dtypes = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'I64': '<i8', 'I32': '<i4', 'I16': '<i2', 'I8': 'i1',
              'U64': '<u8', 'U32': '<u4', 'U16': '<u2', 'U8': 'u1', 'BOOL': '?'}
    good = True
    for turn in range(60):
        tensors = {}
        for i in range(chance.randrange(12)):
            shape = [chance.randrange(0 if turn % 5 == 0 else 1, 9) for _ in range(chance.randrange(4))]
            dtype = chance.choice(list(dtypes.values()))
            raw = numbers.bytes(int(numpy.prod(shape, dtype=int)) * numpy.dtype(dtype).itemsize)
            array = numpy.frombuffer(raw, 'u1' if dtype == '?' else dtype)
            tensors['t.%d.\u00e9"\\\n' % i] = (array % 2 == 1 if dtype == '?' else array).reshape(shape)
        safetensors.numpy.save_file(tensors, path('a.safetensors'), {'format': 'np'} if turn % 2 else None)
        result, ours = read('safetensors', path('a.safetensors'))
        good &= 'fault' not in result and set(ours) == set(tensors)
        for name in ours:
            good &= dtypes[ours[name][0]] == tensors[name].dtype.str.replace('|b1', '?').replace('|', '')
            good &= ours[name][1] == list(tensors[name].shape) and same(ours[name][2], tensors[name])
    check('safetensors: files of the package', good)

    # bfloat16 has no type in numpy: the bytes, by hand
    bits = numpy.arange(65536, dtype='<u2')
    head = json.dumps({'b': {'dtype': 'BF16', 'shape': [65536], 'data_offsets': [0, 131072]}}).encode()
    with open(path('b.safetensors'), 'wb') as file:
        file.write(len(head).to_bytes(8, 'little') + head + bits.tobytes())
    result, ours = read('safetensors', path('b.safetensors'))
    check('safetensors: every bfloat16', same(ours['b'][2], (bits.astype('<u4') << 16).view('<f4')))
    safetensors.numpy.save_file({'h': numpy.arange(65536, dtype='<u2').view('<f2')}, path('h.safetensors'))
    result, ours = read('safetensors', path('h.safetensors'))
    check('safetensors: every half', same(ours['h'][2], numpy.arange(65536, dtype='<u2').view('<f2')))


def check_damaged_safetensors():
    """Whatever the package takes we take, and the other way round."""
    tensors = {'a': numpy.arange(6, dtype='<f4').reshape(2, 3), 'b': numpy.arange(3, dtype='i1')}
    safetensors.numpy.save_file(tensors, path('c.safetensors'), {'k': 'v'})
    with open(path('c.safetensors'), 'rb') as file:
        whole = file.read()
    differ = []
    for turn in range(1500):
        raw = bytearray(whole)
        head = int.from_bytes(whole[:8], 'little')
        for _ in range(1 + turn % 3):
            kind = chance.randrange(4)
            at = chance.randrange(8 + head)
            if kind == 0:
                raw[at] = chance.choice(b'0123456789,:[]{}" FIU\\ue')
            elif kind == 1:
                raw[at] ^= 1 << chance.randrange(8)
            elif kind == 2:
                raw = raw[:chance.randrange(len(raw))]
            else:
                raw += bytes(chance.randrange(3))
            if len(raw) < 8 + head:
                break
        with open(path('d.safetensors'), 'wb') as file:
            file.write(raw)
        try:
            with safetensors.safe_open(path('d.safetensors'), 'np') as opened:
                theirs = {name: opened.get_slice(name).get_shape() for name in opened.keys()}
        except Exception as error:
            theirs = str(error)
        result, ours = read('safetensors', path('d.safetensors'))
        # types that we refuse by name, and fields that we read strictly
        if result.get('fault', '').find('supported are') >= 0 or result.get('fault', '').find('zero byte') >= 0:
            continue
        mine = result.get('fault') or {name: ours[name][1] for name in ours}
        if isinstance(theirs, str) != isinstance(mine, str) or not isinstance(theirs, str) and theirs != mine:
            differ.append((theirs, mine, bytes(raw[:8 + head])))
    check('safetensors: damaged files', not differ, differ[:3])


def write_gguf(file, tensors, values=None, alignment=None):
    writer = gguf.GGUFWriter(file, 'bert')
    if alignment:
        writer.add_custom_alignment(alignment)
    for name, kind, value in values or []:
        getattr(writer, 'add_' + kind)(name, value)
    for name, array, kind in tensors:
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_gguf():
    types = gguf.GGMLQuantizationType
    quantised = [types.Q4_0, types.Q4_1, types.Q5_0, types.Q5_1, types.Q8_0, types.Q4_K, types.Q5_K, types.Q6_K]
    for kind in quantised:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = numbers.integers(0, 256, (64, 40 * size), dtype='u1')
        write_gguf(path('q.gguf'), [('q', blocks, kind)])
        result, ours = read('gguf', path('q.gguf'))
        with numpy.errstate(all='ignore'):
            theirs = gguf.dequantize(blocks, kind)
        check('gguf: random blocks of %s' % kind.name,
              ours['q'][0] == kind.name and ours['q'][1] == [64, 40 * elements] and same(ours['q'][2], theirs))
    plain = {'F32': '<f4', 'F16': '<f2', 'F64': '<f8', 'I8': 'i1', 'I16': '<i2', 'I32': '<i4', 'I64': '<i8'}
    good = True
    for alignment in (None, 8, 16, 64, 4096):
        tensors = []
        for name, dtype in plain.items():
            shape = [chance.randrange(1, 6) for _ in range(chance.randrange(1, 5))]
            raw = numbers.bytes(int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize)
            tensors.append((name, numpy.frombuffer(raw, dtype).reshape(shape), None))
        values = [('a', 'uint8', 200), ('b', 'int8', -100), ('c', 'uint16', 60000), ('d', 'int16', -30000),
                  ('e', 'uint32', 4000000000), ('f', 'int32', -2000000000), ('g', 'float32', 0.25),
                  ('h', 'bool', True), ('i', 'string', 'caf\u00e9 \u4e2d'), ('j', 'array', ['x', '', '\u2581the']),
                  ('k', 'array', [1, -2, 3]), ('l', 'array', [0.5, -1.5]), ('m', 'array', [True, False]),
                  ('n', 'uint64', 1 << 62), ('o', 'int64', -(1 << 62)), ('p', 'float64', 0.1), ('q', 'string', '')]
        write_gguf(path('v.gguf'), tensors, [value for value in values if value[2] != ''], alignment)
        result, ours = read('gguf', path('v.gguf'))
        good &= all(ours[name][0] == name and ours[name][1] == list(array.shape) and same(ours[name][2], array)
                    for name, array, _ in tensors)
        good &= all(result['values'][name] == value for name, _, value in values if value != '')
        good &= result['values']['general.architecture'] == 'bert'
    check('gguf: plain types, settings and alignments', good)


def check_gguf_parts():
    whole = gguf.GGUFWriter(path('parts.gguf'), 'bert', split_max_tensors=2)
    arrays = {'t%d' % i: numbers.standard_normal((3, 32)).astype('<f4') for i in range(5)}
    for name, array in arrays.items():
        whole.add_tensor(name, array)
    whole.write_header_to_file()
    whole.write_kv_data_to_file()
    whole.write_tensors_to_file()
    whole.close()
    files = [path('parts-%05d-of-00003.gguf' % i) for i in (1, 2, 3)]
    result, ours = read('gguf', *files)
    check('gguf: a model in three files', 'fault' not in result and set(ours) == set(arrays) and
          all(same(ours[name][2], arrays[name]) for name in arrays), result.get('fault', ''))
    check('gguf: a part alone is refused', 'fault' in read('gguf', files[0])[0])


def check_hdf5():
    good = True
    for turn in range(20):
        arrays = {}
        with h5py.File(path('a.hdf5'), 'w', libver='earliest') as file:
            for i in range(chance.randrange(1, 60)):
                name = '/'.join('g%d' % chance.randrange(4) for _ in range(chance.randrange(3))) + '/d%d' % i
                shape = [chance.randrange(1, 7) for _ in range(chance.randrange(1, 5))]
                array = numbers.standard_normal(shape).astype(chance.choice(['<f4', '<f8']))
                arrays[name.strip('/')] = array
                dataset = file.create_dataset(name, data=array)
                for k in range(chance.randrange(4)):
                    dataset.attrs['note%d' % k] = 'x' * chance.randrange(300)
        result, ours = read('hdf5', path('a.hdf5'))
        good &= 'fault' not in result and set(ours) == set(arrays)
        good &= all(ours[name][1] == list(arrays[name].shape) and same(ours[name][2], arrays[name]) for name in ours)
    check('hdf5: files of h5py', good)
    refused = (('in chunks', dict(chunks=(2, 2)), 'earliest', '<f4'),
               ('filtered', dict(chunks=(2, 2), compression='gzip'), 'earliest', '<f4'),
               ('integers', {}, 'earliest', '<i4'), ('floats other', {}, 'earliest', '>f4'),
               ('floats other', {}, 'earliest', '<f2'), ('superblock', {}, 'latest', '<f4'))
    for why, options, version, dtype in refused:
        with h5py.File(path('b.hdf5'), 'w', libver=version) as file:
            file.create_dataset('a', data=numpy.zeros((4, 4), dtype), **options)
        fault = read('hdf5', path('b.hdf5'))[0].get('fault', '')
        check('hdf5: refused %s %s' % (why, dtype), why in fault or 'chunks' in fault, fault)


def check_tar():
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        members = {}
        stream = io.BytesIO()
        archive = tarfile.open(fileobj=stream, mode='w', format=form)
        for i in range(200):
            folders = ['n' * chance.randrange(1, 60) for _ in range(chance.randrange(3))]
            name = '/'.join(folders + ['f%d%s' % (i, chance.choice(['', '\u00e9', '.json']))])
            if form != tarfile.USTAR_FORMAT and chance.randrange(5) == 0:
                name = 'long' * 80 + '/' + name
            members[name] = numbers.bytes(chance.randrange(2000))
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(members[name]), 1700000000.5 if form == tarfile.PAX_FORMAT else 0
            archive.addfile(info, io.BytesIO(members[name]))
        archive.close()
        raw = stream.getvalue()
        with open(path('a.tar'), 'wb') as file:
            file.write(raw)
        result, _ = read('tar', path('a.tar'))
        ours = {name: raw[offset:offset + size] for name, kind, link, offset, size in result['members']}
        check('tar: format %d' % form, 'fault' not in result and ours == members, result.get('fault', ''))


def check_real_files():
    real = os.path.join(data, 'models/model2vec/test-model-float32/model.safetensors')
    if os.path.exists(real):
        theirs = safetensors.numpy.load_file(real)
        result, ours = read('safetensors', real)
        check('real: model2vec', set(ours) == set(theirs) and all(same(ours[n][2], theirs[n]) for n in ours))
    folder = os.path.join(data, 'models/elmo_allennlp')
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not name.endswith('.hdf5'):
            continue
        theirs = {}
        with h5py.File(os.path.join(folder, name), 'r') as file:
            file.visititems(lambda key, item: theirs.update({key: item[()]}) if isinstance(item, h5py.Dataset) else None)
        result, ours = read('hdf5', os.path.join(folder, name))
        check('real: %s' % name, set(ours) == set(theirs) and all(same(ours[n][2], theirs[n]) for n in ours))
    cases = os.path.join(data, '../cases/models/files')
    for name in sorted(os.listdir(cases)) if os.path.isdir(cases) else []:
        if name.endswith('.gguf'):
            reader = gguf.GGUFReader(os.path.join(cases, name))
            result, ours = read('gguf', os.path.join(cases, name))
            good = {t.name for t in reader.tensors} == set(ours) and all(
                same(ours[t.name][2], gguf.dequantize(t.data, t.tensor_type)) for t in reader.tensors)
            good &= all(result['values'][key] == field.contents() or isinstance(field.contents(), float)
                        for key, field in reader.fields.items() if not key.startswith('GGUF.'))
            check('real: %s' % name, good)


build()
check_safetensors()
check_damaged_safetensors()
check_gguf()
check_gguf_parts()
check_hdf5()
check_tar()
check_real_files()
print('%d failures' % failures)
sys.exit(failures > 0)
