"""The sides of run.py's race: the pure core, and its rivals.  Each has a name, run(first, count, batch), which gives the
processor seconds that it took from texts to vectors of length one, and show(first, count), which gives those vectors."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import registry
import tokenizer_core
import transformer_core as core

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 256


class Side:
    """A side within this process: encode(texts, batch) gives vectors."""

    def __init__(self, texts):
        self.texts = texts

    def run(self, first, count, batch):
        texts = self.texts[first:first + count]
        begin = time.process_time()
        self.encode(texts, batch)
        return time.process_time() - begin

    def show(self, first, count):
        return numpy.array(self.encode(self.texts[first:first + count], 1))


class Ours(Side):
    def __init__(self, libraries, folder, precision, texts):
        super().__init__(texts)
        self.name = 'own ' + precision
        self.tokens, network = libraries
        self.model = core.of_folder(network, folder, precision)
        with open(os.path.join(folder, 'tokenizer.json'), encoding='utf8') as file:
            self.tokenizer = tokenizer_core.Core(self.tokens, file.read())

    def ids(self, texts):
        data = [text.encode() for text in texts]
        ends = (ctypes.c_size_t * len(data))(*numpy.cumsum([len(text) for text in data]))
        ids = numpy.empty(len(data) * LIMIT, dtype=numpy.int32)
        offsets = numpy.empty(len(data) + 1, dtype=numpy.uint64)
        count = self.tokens.shim_ids(self.tokenizer.handle, b''.join(data), ends, len(data), LIMIT, ids.ctypes.data,
                                     offsets.ctypes.data)
        assert count > 0, count
        return ids[:count], offsets, None

    def encode(self, texts, batch):
        return numpy.concatenate([self.model.encode_prepared(self.ids(texts[at:at + batch]), 'mean', True)
                                  for at in range(0, len(texts), batch)])


class SentenceTransformers(Side):
    name = 'sentence-transformers'

    def __init__(self, folder, texts):
        super().__init__(texts)
        import sentence_transformers
        self.model = sentence_transformers.SentenceTransformer(folder, device='cpu')
        self.model.max_seq_length = LIMIT

    def encode(self, texts, batch):
        return self.model.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)


class Onnx(Side):
    def __init__(self, name, path, folder, texts):
        super().__init__(texts)
        import onnxruntime
        import tokenizers
        self.name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        self.inputs = {each.name for each in self.session.get_inputs()}
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, 'tokenizer.json'))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LIMIT)

    def encode(self, texts, batch):
        """Sorted by their lengths, so that batches are padded little."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        result = [None] * len(ids)
        for at in range(0, len(order), batch):
            chosen = order[at:at + batch]
            width = len(ids[chosen[-1]])
            rows = numpy.zeros((len(chosen), width), dtype=numpy.int64)
            mask = numpy.zeros_like(rows)
            for row, i in enumerate(chosen):
                rows[row, :len(ids[i])] = ids[i]
                mask[row, :len(ids[i])] = 1
            given = {'input_ids': rows, 'attention_mask': mask, 'token_type_ids': numpy.zeros_like(rows)}
            states = self.session.run(None, {name: value for name, value in given.items() if name in self.inputs})[0]
            if states.ndim == 3:
                states = numpy.einsum('btd,bt->bd', states, mask.astype(numpy.float32))
            states /= numpy.linalg.norm(states, axis=1, keepdims=True)
            for row, i in enumerate(chosen):
                result[i] = states[row]
        return result


class Program:
    """A rival that is a program of its own, which takes orders by its input."""

    def __init__(self, name, command, texts):
        self.name = name
        self.file = tempfile.NamedTemporaryFile('w', suffix='.txt', encoding='utf8')
        self.file.write('\n'.join(texts) + '\n')
        self.file.flush()
        self.process = subprocess.Popen([part.replace('TEXTS', self.file.name) for part in command], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def order(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError('%s has ended' % self.name)
        return answer

    def run(self, first, count, batch):
        return float(self.order('run', first, count, batch))

    def show(self, first, count):
        rows = [self.order('show', first, count)] + [self.process.stdout.readline() for _ in range(count - 1)]
        return numpy.array([[float(x) for x in row.split()] for row in rows])


# ---------- where rivals come from ----------

def call(command, **how):
    """Runs what makes a rival; says what it printed if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
    if done.returncode != 0:
        print('left out: %s failed: %s' % (command[0], done.stdout[-400:]), flush=True)
    return done.returncode == 0


def llama(folder, texts):
    """Of the sdist of llama-cpp-python, compiled for this processor; EMBED_LLAMA names a directory where it is already.

    Its q8_0 for Intel's matrix unit crashes when gcc 12 compiled it, which loads a part of the tiles' shapes; clang's runs."""
    source = registry.source('llama-cpp-python', '0.3.36', 'vendor/llama.cpp')
    if source is None:
        print('left out: the sdist llama-cpp-python could not be had')
        return
    built = os.environ.get('EMBED_LLAMA') or os.path.join(registry.kept(), 'llama.cpp-built')
    if not os.path.exists(os.path.join(built, 'bin/libllama.so')) and not (
            call(['cmake', '-S', source, '-B', built, '-DCMAKE_BUILD_TYPE=Release', '-DGGML_NATIVE=ON', '-DGGML_OPENMP=OFF',
                  '-DBUILD_SHARED_LIBS=ON', '-DLLAMA_CURL=OFF', '-DLLAMA_BUILD_TESTS=OFF', '-DLLAMA_BUILD_TOOLS=OFF',
                  '-DLLAMA_BUILD_EXAMPLES=OFF', '-DLLAMA_BUILD_SERVER=OFF']) and
            call(['cmake', '--build', built, '-j2', '--target', 'llama'])):
        return
    made = tempfile.mkdtemp()
    program, libraries = os.path.join(made, 'llama_rival'), os.path.join(built, 'bin')
    if not call(['gcc', '-O2', '-o', program, os.path.join(HERE, 'llama_rival.c'), '-I' + source + '/include',
                 '-I' + source + '/ggml/include', '-L' + libraries, '-Wl,-rpath,' + libraries, '-lllama', '-lggml',
                 '-lggml-base', '-lm']):
        return
    for kind in 'f32', 'f16', 'q8_0':
        path = os.path.join(made, kind + '.gguf')
        if call([sys.executable, os.path.join(source, 'convert_hf_to_gguf.py'), folder, '--outtype', kind, '--outfile', path]):
            yield Program('llama.cpp ' + kind, [program, path, 'TEXTS', str(LIMIT)], texts)


MANIFEST = '''[package]
name = "candle_rival"
version = "1.0.0"
edition = "2021"

[dependencies]
candle-core = "0.9"
candle-nn = "0.9"
candle-transformers = "0.9"
serde_json = "1"
tokenizers = { version = "0.21", default-features = false, features = ["onig"] }
'''


def candle(folder, texts):
    project = os.path.join(registry.kept(), 'candle-rival')
    os.makedirs(project + '/src', exist_ok=True)
    with open(project + '/Cargo.toml', 'w') as file:
        file.write(MANIFEST)
    shutil.copy(os.path.join(HERE, 'candle_rival.rs'), project + '/src/main.rs')
    if shutil.which('cargo') is None:
        print('left out: no cargo, which makes candle')
    elif call(['cargo', 'build', '-q', '--release'], cwd=project, env=dict(os.environ, RUSTFLAGS='-C target-cpu=native')):
        yield Program('candle', [project + '/target/release/candle_rival', folder, 'TEXTS', str(LIMIT)], texts)
